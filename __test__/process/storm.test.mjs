// The storm: a Node process on a real file is killed by `kill -9`, again and again, at random
// moments; also while it starts and recovers. TASKER_KILLS and TASKER_SEED choose another storm.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { finish, runsIn } from './storm/finish.mjs'
import { Ledger } from './storm/ledger.mjs'
import { randomFrom } from './storm/runners.mjs'

const kills = Number(process.env.TASKER_KILLS ?? 100)
const seed = Number(process.env.TASKER_SEED ?? Date.now() % 1_000_000)
const worker = fileURLToPath(new URL('storm/worker.mjs', import.meta.url))

/** One life: kills it some time after it is ready, or (one in eight) while it starts. */
function live(options, random) {
  const child = spawn(process.execPath, [worker, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const dieIn = ms => setTimeout(() => child.kill('SIGKILL'), ms)
  const isEarly = random() < 1 / 8
  const ms = isEarly ? random() * 120 : 20 + random() * 230
  let output = ''
  let timer = isEarly ? dieIn(ms) : undefined
  child.stdout.setEncoding('utf8').on('data', text => {
    output += text
    if (!timer && output.includes('["ready"]\n')) timer = dieIn(ms)
  })
  return new Promise(resolve => {
    child.on('close', (_, signal) => resolve({ output, signal }))
  })
}

test(`nothing is lost and nothing doubled by ${kills} × kill -9`, async t => {
  t.diagnostic(`seed ${seed}`)
  const folder = mkdtempSync(join(tmpdir(), 'tasker-storm-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const [store, log] = [join(folder, 'storm.db'), join(folder, 'runs.log')]
  const random = randomFrom(seed)
  const ledger = new Ledger()
  for (let life = 1; life <= kills; life++) {
    const { output, signal } = await live({ store, log, life, seed: seed + life }, random)
    assert.equal(signal, 'SIGKILL', `life ${life} ended by itself`)
    ledger.read(output)
  }
  const tasks = await finish(store, log)
  const { lost, doubled } = ledger.check(tasks, runsIn(log))
  const again = tasks.filter(task => task.attempts?.length > 1).length
  t.diagnostic(`${kills} kills: ${ledger.acked.size} acknowledged, ${tasks.length} stored`)
  t.diagnostic(`${again} ran again, ${lost} lost, ${doubled} doubled`)
  assert.deepEqual(ledger.violations, [])
  assert.ok(ledger.acked.size >= kills * 20, 'the storm added too little to prove anything')
  assert.ok(ledger.ended.size >= kills * 10, 'the storm ran too little to prove anything')
  assert.ok(again >= kills / 4, 'the storm hit too few live runs to prove anything')
})
