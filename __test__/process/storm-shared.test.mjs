// The storm of several processes on one file: each is killed by `kill -9`, again and again, at
// random moments, some while they are stopped. TASKER_KILLS and TASKER_SEED choose another storm.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { finish, runsIn } from './storm/finish.mjs'
import { assertWork, Ledger } from './storm/ledger.mjs'
import { begin } from './storm/life.mjs'
import { judgeFile, markDeath } from './storm/marks.mjs'
import { randomFrom } from './storm/runners.mjs'

const kills = Number(process.env.TASKER_KILLS ?? 100)
const seed = Number(process.env.TASKER_SEED ?? Date.now() % 1_000_000)
const processes = 4
const limit = 4

/** One life among others: it may be stopped for a while, and is killed, perhaps while it is. */
async function liveAmongOthers(options, random, counts) {
  const { child, busy, over } = begin(options)
  const isEarly = random() < 1 / 8
  const [ms, pauseMs, moreMs] = [random() * 500, 50 + random() * 800, random() * 300]
  const isStopped = random() < 0.4
  if (!isEarly) await Promise.race([busy, over])
  await wait(ms)
  if (isStopped && child.kill('SIGSTOP')) {
    counts.stops += 1
    await wait(pauseMs)
    if (random() < 0.7) {
      child.kill('SIGCONT')
      await wait(moreMs)
    }
  }
  markDeath(options.marks, child.pid)
  child.kill('SIGKILL')
  return over
}

const storms = `${processes} processes at once, ${kills} × kill -9, some stopped`
test(`nothing is lost and nothing runs twice: ${storms}`, async t => {
  t.diagnostic(`seed ${seed}`)
  const folder = mkdtempSync(join(tmpdir(), 'tasker-storm-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const [store, log, marks] = ['storm.db', 'runs.log', 'marks.log'].map(name => join(folder, name))
  const ledger = new Ledger()
  const counts = { lives: 0, stops: 0 }
  const oneAfterTheOther = async random => {
    while (counts.lives < kills) {
      const life = ++counts.lives
      const options = { store, log, marks, life, seed: seed + life, limit }
      const { output, signal } = await liveAmongOthers(options, random, counts)
      assert.equal(signal, 'SIGKILL', `life ${life} ended by itself`)
      ledger.read(output)
    }
  }
  const places = Array.from({ length: processes }, (_, n) => randomFrom(seed + 1_000 * (n + 1)))
  await Promise.all(places.map(oneAfterTheOther))
  const tasks = await finish(store, log)
  const { lost, doubled } = ledger.check(tasks, runsIn(log))
  const { runs, twice, limitedMax } = judgeFile(marks)
  const again = tasks.filter(task => task.attempts?.length > 1).length
  const ends = `${ledger.ended.size} ends`
  const told = `${ledger.acked.size} acknowledged, ${tasks.length} stored, ${ends}`
  const faults = `${lost} lost, ${doubled} doubled, ${twice.length} live twice`
  const limited = `${limitedMax} of ${limit} limited at most`
  const kinds = `${counts.lives} kills, ${counts.stops} stops`
  t.diagnostic(`${kinds}: ${told}, ${runs} runs, ${again} ran again; ${faults}; ${limited}`)
  assert.deepEqual(ledger.violations, [])
  assert.deepEqual(twice, [])
  assert.ok(limitedMax > 0 && limitedMax <= limit)
  assertWork(ledger, kills, again)
})
