// `npm run bench:threads`: work that computes, done by functions and by threads of a module: how
// long 100 tasks take, and how late the event loop is meanwhile; and what a thread costs to begin
// with. Fails if a result is wrong. `--quick` does it with few, to see that everything still runs.

import { availableParallelism } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'
import { Tasker } from '../index.mjs'

/** Adds up, for some milliseconds. */
const runner = ({ data }) => {
  let sum = 0
  for (let n = 0; n < data.steps; n += 1) sum = (sum + n * n) % 1_000_003
  return sum
}

// A thread loads this file too, for its runner.
export default runner

const module = new URL(import.meta.url)
const quick = process.argv.includes('--quick')
const n = quick ? 20 : 100
const WORK_MS = quick ? 5 : 20
const threads = Math.max(1, availableParallelism() - 1)

/** How many steps take so long here. */
function stepsIn(ms, runner) {
  let steps = 10_000
  for (;;) {
    const from = performance.now()
    runner({ data: { steps } })
    if (performance.now() - from >= ms) return steps
    steps *= 2
  }
}

/** How long the tasks take, and how late the event loop is at worst. */
async function measure(runner, steps, expected, options) {
  const tasker = new Tasker({ store: ':memory:', durability: 'process' })
  tasker.assignRunner('a', runner, options)
  await tasker.start()
  const run = async count => {
    const tasks = Array.from({ length: count }, () => ({ operation: 'a', data: { steps } }))
    const uuids = await tasker.addTasks(tasks)
    const results = await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
    if (results.some(result => result !== expected)) throw new Error('a wrong sum')
  }
  const begin = performance.now()
  await run(1)
  const firstMs = performance.now() - begin
  await run(threads)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const from = performance.now()
  await run(n)
  const ms = performance.now() - from
  delay.disable()
  await tasker.close()
  return { ms, lateMs: delay.max / 1e6, firstMs }
}

const row = (name, a, b) =>
  process.stdout.write(`${name.padEnd(40)}${a.padStart(16)}${b.padStart(16)}\n`)
const number = value => value.toLocaleString('en', { maximumFractionDigits: 0 })
const ms = value => `${number(value)} ms`

if (isMainThread) {
  const steps = stepsIn(WORK_MS, runner)
  const expected = runner({ data: { steps } })
  const here = await measure(runner, steps, expected)
  const there = await measure(module, steps, expected, { threads })
  process.stdout.write(`${n} tasks that compute for ${WORK_MS} ms, ${threads} threads\n`)
  row('', 'functions', 'threads')
  row('all of them', ms(here.ms), ms(there.ms))
  row('the event loop is late by at most', ms(here.lateMs), ms(there.lateMs))
  row('the first task, with what it begins with', ms(here.firstMs), ms(there.firstMs))
  row('functions take so many times as long', '', (here.ms / there.ms).toFixed(2))
}
