// Taskers in worker threads: whatever ends the thread, the process lives, the file is free again
// and what was acknowledged is there. TASKER_CYCLES and TASKER_SEED choose another storm.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { file, folder, open, runs } from '../contract/open.mjs'
import { finish, runsIn } from './storm/finish.mjs'
import { Ledger } from './storm/ledger.mjs'
import { randomFrom } from './storm/runners.mjs'

const cycles = Number(process.env.TASKER_CYCLES ?? 60)
const seed = Number(process.env.TASKER_SEED ?? Date.now() % 1_000_000)
const life = new URL('storm/worker.mjs', import.meta.url)

/** How each ending goes: what the thread does by itself, and when the test terminates it. */
const ways = [
  { name: 'terminated at work', ending: 'hold', at: 'busy', after: 80, code: 1 },
  { name: 'terminated as soon as it works', at: 'ready', after: 0, code: 1 },
  { name: 'terminated while it opens', at: 'online', after: 60, code: 1 },
  { name: 'terminated in a blocked loop', ending: 'loop', at: 'looping', after: 20, code: 1 },
  { name: 'process.exit', ending: 'exit', code: 7 },
  { name: 'uncaught exception', ending: 'throw', code: 1, error: /the storm throws/ },
  { name: 'unhandled rejection', ending: 'reject', code: 1, error: /the storm rejects/ },
]

/** Lives and dies in one of the ways; resolves with what the thread ended with. */
async function dies(way, options, random) {
  const worker = new Worker(life, { workerData: { ...options, ending: way.ending } })
  const end = { error: undefined }
  const terminate = () => setTimeout(() => worker.terminate(), random() * way.after)
  worker.on('error', error => {
    end.error = error
  })
  worker.on('message', message => message === way.at && terminate())
  if (way.at === 'online') worker.once('online', terminate)
  const code = await new Promise(resolve => worker.once('exit', resolve))
  assert.match(String(end.error ?? ''), way.error ?? /^$/, way.name)
  assert.equal(code, way.code, way.name)
}

/** Adds a task and waits for it, again and again while `work` goes on; how many there were. */
async function beside(tasker, work) {
  let isOver = false
  const over = work().finally(() => {
    isOver = true
  })
  let count = 0
  for (; !isOver; count += 1) {
    const uuid = await tasker.addTask({ operation: 'a', data: count })
    assert.equal(await tasker.waitForTaskOutputData(uuid), count)
  }
  await over
  return count
}

const name = `${cycles} threads end in the middle of their work; nothing is lost or doubled`
test(`${name} (F-3, F-7, F-27, G-12)`, async t => {
  t.diagnostic(`seed ${seed}`)
  const place = folder()
  const [store, log, told] = ['storm.db', 'runs.log', 'told'].map(each => join(place, each))
  const main = open(t, { store: file(), runners: { a: ({ data }) => data } })
  await main.start()
  const random = randomFrom(seed)
  const fed = await beside(main, async () => {
    for (let n = 0; n < cycles; n += 1) {
      const options = { store, log, told, life: n + 1, seed: seed + n }
      await dies(ways[n % ways.length], options, random)
    }
  })
  assert.equal(await main.countTasks({ status: 'done' }), fed)
  const ledger = new Ledger()
  ledger.read(readFileSync(told, 'utf8'))
  const tasks = await finish(store, log)
  ledger.check(tasks, runsIn(log))
  const again = tasks.filter(task => task.attempts?.length > 1).length
  t.diagnostic(`${cycles} threads: ${ledger.acked.size} acknowledged, ${tasks.length} stored`)
  t.diagnostic(`${again} ran again; the main thread ran ${fed} of its own`)
  assert.deepEqual(ledger.violations, [])
  assert.ok(ledger.acked.size >= cycles * 10, 'too little was added to prove anything')
  assert.ok(again >= cycles / 7, 'too few live runs were hit to prove anything')
})

const index = JSON.stringify(new URL('../../index.mjs', import.meta.url).href)

/** The text of a thread that runs one task on each of two files and ends without closing one. */
const short = `
  import(${index}).then(async ({ Tasker }) => {
    for (const isClosed of [true, false]) {
      const tasker = new Tasker({ store: ':memory:', runners: { a: () => 'ran' } })
      await tasker.start()
      const uuid = await tasker.addTask({ operation: 'a' })
      await tasker.waitForTaskOutputData(uuid)
      if (isClosed) await tasker.close()
    }
    process.exit(3)
  })
`
const spawning = `
  import { once } from 'node:events'
  import { Worker } from 'node:worker_threads'
  const short = async () =>
    (await once(new Worker(${JSON.stringify(short)}, { eval: true }), 'exit'))[0]
`

test('the addon may be loaded in threads only, one after the other (F-27)', async () => {
  const script = `${spawning}
    for (let n = 0; n < 8; n += 1) console.log(await short())
  `
  assert.equal(await runs(script), '3\n'.repeat(8))
})

test('the addon may be loaded in eight threads at once, with and without main (F-27)', async () => {
  const together = 'console.log(await Promise.all(Array.from({ length: 8 }, short)))'
  const expected = '[\n  3, 3, 3, 3,\n  3, 3, 3, 3\n]\n'
  assert.equal(await runs(`${spawning}${together}`), expected)
  const inMain = `${spawning}
    const { Tasker } = await import(${index})
    const tasker = new Tasker({ store: ':memory:', runners: { a: () => 'main' } })
    await tasker.start()
    ${together}
    console.log(await tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'a' })))
    await tasker.close()
  `
  assert.equal(await runs(inMain), `${expected}main\n`)
})

test('process.exit in main while eight threads are at work loses nothing (F-3)', async () => {
  const place = folder()
  const lives = Array.from({ length: 8 }, (_, i) => ({
    ...{ store: `${place}/${i}.db`, log: `${place}/runs${i}`, told: `${place}/told${i}` },
    ...{ life: i + 1, seed: seed + i },
  }))
  const script = `
    import { once } from 'node:events'
    import { Worker } from 'node:worker_threads'
    const life = new URL(${JSON.stringify(life.href)})
    await Promise.all(${JSON.stringify(lives)}.map(async workerData => {
      const worker = new Worker(life, { workerData, execArgv: [] })
      while ((await once(worker, 'message'))[0] !== 'busy');
    }))
    process.exit(0)
  `
  await runs(script)
  for (const { store, log, told } of lives) {
    const ledger = new Ledger()
    ledger.read(readFileSync(told, 'utf8'))
    ledger.check(await finish(store, log), runsIn(log))
    assert.deepEqual(ledger.violations, [])
  }
})
