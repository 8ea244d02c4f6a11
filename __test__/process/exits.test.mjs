// A process that ends in the middle of its runs, by its own doing or by a signal: the next open
// recovers them, and what was acknowledged is there. TASKER_SEED chooses another storm.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { file, folder, imports, open, run } from '../contract/open.mjs'
import { finish, runsIn } from './storm/finish.mjs'
import { Ledger } from './storm/ledger.mjs'

const lives = 4
const seed = Number(process.env.TASKER_SEED ?? Date.now() % 1_000_000)
const worker = fileURLToPath(new URL('storm/worker.mjs', import.meta.url))

/** What a process does by itself or is sent, and what becomes of it. */
const ways = [
  { name: 'process.exit', ending: 'exit', code: 7 },
  { name: 'an uncaught exception', ending: 'throw', code: 1, words: /the storm throws/ },
  { name: 'an unhandled rejection', ending: 'reject', code: 1, words: /the storm rejects/ },
  { name: 'SIGTERM', ending: 'hold', signal: 'SIGTERM' },
  { name: 'SIGINT', ending: 'hold', signal: 'SIGINT' },
  { name: 'SIGHUP', ending: 'hold', signal: 'SIGHUP' },
  { name: 'close', ending: 'close', code: 0 },
  { name: 'close on SIGTERM', ending: 'closeOnSignal', signal: 'SIGTERM', code: 0 },
]

/** One life; resolves with what it told. */
async function dies({ ending, signal, code, words }, options) {
  const child = spawn(process.execPath, [worker, JSON.stringify({ ...options, ending })], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exit = new Promise(resolve => child.once('exit', (...end) => resolve(end)))
  let told = ''
  let isSent = false
  child.stdout.setEncoding('utf8').on('data', chunk => {
    told += chunk
    if (!signal || isSent || !told.includes('["busy"]')) return
    isSent = true
    child.kill(signal)
  })
  const [faults, end] = await Promise.all([text(child.stderr), exit])
  const isKilled = code === undefined
  assert.deepEqual(end, isKilled ? [null, signal] : [code, null], faults)
  assert.match(faults, words ?? /^$/)
  return told
}

for (const way of ways) {
  test(`${way.name} in the middle of runs loses and doubles nothing (F-3)`, async t => {
    t.diagnostic(`seed ${seed}`)
    const place = folder()
    const [store, log] = [join(place, 'storm.db'), join(place, 'runs.log')]
    const ledger = new Ledger()
    for (let life = 1; life <= lives; life += 1) {
      ledger.read(await dies(way, { store, log, life, seed: seed + life }))
    }
    const tasks = await finish(store, log)
    ledger.check(tasks, runsIn(log))
    assert.deepEqual(ledger.violations, [])
    assert.ok(ledger.acked.size >= lives, 'too little was added to prove anything')
    const lost = tasks.filter(task => task.attempts.some(each => each.outcome === 'lost')).length
    t.diagnostic(`${ledger.acked.size} acknowledged, ${tasks.length} stored, ${lost} interrupted`)
    if (way.name.startsWith('close')) assert.equal(lost, 0, 'close left a run behind (I-14)')
    else assert.ok(lost > 0, 'no live run was hit')
  })
}

/** Where the process ends: in code that tasker calls. */
const places = {
  'a runner': `runners.a = () => end()`,
  'a runner, after an await': `
    runners.a = async ({ logger }) => { logger.info('x'); await null; end() }
  `,
  'a listener of a commit': `tasker.on('task.added', end)`,
  'a listener of a start': `tasker.on('task.run', end)`,
  'the continuation of an acknowledgement': `tasker.addTask({ operation: 'a' }).then(end)`,
  'the tick that adds': `setImmediate(() => { tasker.addTask({ operation: 'a' }); end() })`,
  'an exit listener that adds': `
    process.on('exit', () => tasker.addTask({ operation: 'a' }))
    setImmediate(end)
  `,
  'the closing': `setImmediate(() => { tasker.close(); end() })`,
  'an exit listener that closes': `
    process.on('exit', () => tasker.close())
    setImmediate(end)
  `,
}

for (const [place, code] of Object.entries(places)) {
  test(`process.exit in ${place} is no crash, and the file is free (F-3, F-27)`, async t => {
    const store = file()
    const script = `${imports}
      const end = () => process.exit(7)
      const runners = { a: () => new Promise(() => {}) }
      const tasker = new Tasker({
        store: ${JSON.stringify(store)},
        runners: { a: context => runners.a(context) },
      })
      await tasker.start()
      const uuids = await tasker.addTasks(Array.from({ length: 5 }, () => ({ operation: 'b' })))
      console.log(uuids.length)
      ${code}
      for (let n = 0; n < 50; n += 1) tasker.addTask({ operation: 'a' }).catch(() => {})
    `
    const { out, err, ...exit } = await run(script)
    assert.deepEqual({ out, ...exit }, { out: '5\n', code: 7, signal: null }, err)
    const tasker = open(t, { store })
    assert.equal(await tasker.countTasks({ operation: 'b', status: 'new' }), 5)
    assert.equal(await tasker.countTasks({ state: 'running' }), 0)
  })
}
