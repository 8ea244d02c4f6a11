// `npm run bench:delayed`: many tasks with a start time: how fast they start when all are due at
// once, beside as many that wait for nothing, and the processor time that they take before. Fails
// if one starts early or not at all. `--quick` does it with few, to see that everything still runs.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../index.mjs'
import { idleShare, measureApart } from './parts.mjs'

const file = fileURLToPath(import.meta.url)
const quick = process.argv.includes('--quick')
const n = quick ? 5_000 : 100_000
const idleMs = quick ? 500 : 10_000
const CALL = 1_000
const CONCURRENCY = 1_024

/** Adds the tasks, each with these options. Gives the milliseconds that it took. */
async function fill(tasker, options) {
  const begin = performance.now()
  for (let from = 0; from < n; from += CALL) {
    const task = (_, i) => ({ operation: 'a', data: { book: 'b42', n: from + i }, ...options })
    await tasker.addTasks(Array.from({ length: CALL }, task))
  }
  return performance.now() - begin
}

/** Runs all tasks; none may start before `dueAt`. */
async function run(tasker, dueAt) {
  const seen = new Set()
  let early = 0
  let first
  tasker.assignRunner('a', async ({ data }) => {
    first ??= { at: performance.now(), afterMs: Date.now() - dueAt }
    if (Date.now() < dueAt) early += 1
    seen.add(data.n)
    return data
  })
  await tasker.start()
  while ((await tasker.countTasks({ status: 'done' })) < n) await sleep(2)
  const rate = (n / (performance.now() - first.at)) * 1_000
  if (early > 0) throw new Error(`${early} tasks started early`)
  if (seen.size !== n) throw new Error(`${seen.size} tasks of ${n} started`)
  return { rate, lateMs: first.afterMs }
}

/** What each process measures; it prints that as JSON. */
const measured = {
  /** Tasks that wait for nothing. */
  async drain(store) {
    const tasker = new Tasker({ store, concurrency: CONCURRENCY })
    const fillMs = await fill(tasker, {})
    const { rate } = await run(tasker, 0)
    await tasker.close()
    return { rate, fillMs }
  },

  /** Tasks that are due at one moment, which comes when all have been added. */
  async flood(store, fillMs) {
    const tasker = new Tasker({ store, concurrency: CONCURRENCY })
    const dueAt = Date.now() + 5 * Number(fillMs) + 1_000
    await fill(tasker, { runAt: dueAt })
    if (Date.now() >= dueAt) throw new Error('they were due before all had been added')
    const found = await run(tasker, dueAt)
    await tasker.close()
    return found
  },

  /** The share of one core that a started tasker takes while all its tasks are delayed. */
  async idle(store) {
    const tasker = new Tasker({ store, runners: { a: () => 1 } })
    await fill(tasker, { delay: '1d' })
    await tasker.start()
    const share = await idleShare(idleMs)
    await tasker.close()
    return share
  },
}

/** Has a process of its own measure something. */
function measure(...words) {
  return measureApart(file, [...words, ...(quick ? ['--quick'] : [])])
}

const number = value => value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 3 : 0 })

function print(name, value) {
  process.stdout.write(`${name.padEnd(56)}${value.padStart(16)}\n`)
}

function main() {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-bench-delayed-'))
  const at = name => join(folder, `${name}.db`)
  const { rate, fillMs } = measure('drain', at('drain'))
  const flood = measure('flood', at('flood'), fillMs)
  const share = measure('idle', at('idle'))
  rmSync(folder, { recursive: true, force: true })
  print(`${number(n)} tasks that wait for nothing`, `${number(rate)} /s`)
  print('as many, due at once: from the first start on', `${number(flood.rate)} /s`)
  print('… of those that wait for nothing', `${number((flood.rate / rate) * 100)} %`)
  print('… the first start after the moment', `${number(flood.lateMs)} ms`)
  print('CPU while as many are delayed, of one core', `${number(share * 100)} %`)
  print('goal: CPU', '≤ 0.5 %')
}

const [what, store, fillMs] = process.argv.slice(2).filter(word => word !== '--quick')
if (what) process.stdout.write(JSON.stringify(await measured[what](store, fillMs)))
else main()
