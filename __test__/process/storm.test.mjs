// The storm: a Node process on a real file is killed by `kill -9`, again and again, at random
// moments; also while it starts and recovers. TASKER_KILLS and TASKER_SEED choose another storm.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { finish, runsIn } from './storm/finish.mjs'
import { assertWork, Ledger } from './storm/ledger.mjs'
import { begin } from './storm/life.mjs'
import { randomFrom } from './storm/runners.mjs'

const kills = Number(process.env.TASKER_KILLS ?? 100)
const seed = Number(process.env.TASKER_SEED ?? Date.now() % 1_000_000)

/** One life: kills it some time after it is busy, or (one in eight) while it starts. */
async function live(options, random) {
  const { child, busy, over } = begin(options)
  const isEarly = random() < 1 / 8
  const ms = random() * (isEarly ? 120 : 180)
  if (!isEarly) await Promise.race([busy, over])
  setTimeout(() => child.kill('SIGKILL'), ms)
  return over
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
  assertWork(ledger, kills, again)
})
