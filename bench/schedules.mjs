// `npm run bench:schedules`: what many schedules cost: how long an open takes with and without
// them, the processor time while none is due, and what a tick costs when all are due at once,
// beside as many `addTask`. Fails if a tick is lost or comes twice. `--quick` does it with few, to
// see that everything still runs.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../index.mjs'
import { idleShare, measureApart } from './parts.mjs'

const file = fileURLToPath(import.meta.url)
const quick = process.argv.includes('--quick')
const n = quick ? 500 : 10_000
const opens = quick ? 3 : 21
const idleMs = quick ? 500 : 10_000
const AT_ONCE = 1_000

const task = i => ({ operation: 'a', data: { report: i, pad: 'x'.repeat(64) } })

/** Makes a schedule of each number, so many calls at once. */
async function fill(tasker, rule) {
  for (let from = 0; from < n; from += AT_ONCE) {
    const ids = Array.from({ length: Math.min(AT_ONCE, n - from) }, (_, i) => from + i)
    await Promise.all(ids.map(i => tasker.addSchedule({ id: `s${i}`, ...rule, task: task(i) })))
  }
}

const median = values => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]

/** What each process measures; it prints that as JSON. */
const measured = {
  /** Makes the schedules, on an hour that is far. */
  async fill(store) {
    const tasker = new Tasker(store)
    const begin = performance.now()
    await fill(tasker, { cron: '30 9 * * MON-FRI', timezone: 'Europe/Berlin' })
    const ms = performance.now() - begin
    const again = performance.now()
    await fill(tasker, { cron: '30 9 * * MON-FRI', timezone: 'Europe/Berlin' })
    const sameMs = performance.now() - again
    const found = performance.now()
    if ((await tasker.findSchedules()).length !== n) throw new Error('a schedule is missing')
    const findMs = performance.now() - found
    await tasker.close()
    return { ms, sameMs, findMs }
  },

  /** The median of the milliseconds that an open takes. */
  async open(store) {
    const all = []
    for (let i = 0; i < opens; i += 1) {
      const begin = performance.now()
      const tasker = new Tasker(store)
      await tasker.ready()
      all.push(performance.now() - begin)
      await tasker.close()
    }
    return median(all)
  },

  /** The share of one core that a started tasker takes while none is due. */
  async idle(store) {
    const tasker = new Tasker({ store, runners: { a: () => 1 } })
    await tasker.start()
    const share = await idleShare(idleMs)
    await tasker.close()
    return share
  },

  /** All of them are due at one moment. */
  async tick(store) {
    const tasker = new Tasker(store)
    const startAt = Date.now() + (quick ? 2_000 : 20_000)
    await fill(tasker, { every: '1d', startAt })
    if (Date.now() >= startAt) throw new Error('they were due before all had been added')
    await sleep(startAt - Date.now() - 5)
    const before = process.cpuUsage()
    while ((await tasker.countTasks()) < n) await sleep(1)
    const ms = Date.now() - startAt
    const { user, system } = process.cpuUsage(before)
    const ids = new Set()
    for await (const { scheduleId } of tasker.tasks({})) ids.add(scheduleId)
    if (ids.size !== n) throw new Error(`${ids.size} of ${n} schedules have made a task`)
    await tasker.close()
    return { ms, cpuUs: (user + system) / n }
  },

  /** As many tasks, one call each. */
  async add(store) {
    const tasker = new Tasker(store)
    const before = process.cpuUsage()
    const begin = performance.now()
    for (let from = 0; from < n; from += 256) {
      const ids = Array.from({ length: Math.min(256, n - from) }, (_, i) => from + i)
      await Promise.all(ids.map(i => tasker.addTask(task(i))))
    }
    const ms = performance.now() - begin
    const { user, system } = process.cpuUsage(before)
    await tasker.close()
    return { ms, cpuUs: (user + system) / n }
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
  const folder = mkdtempSync(join(tmpdir(), 'tasker-bench-schedules-'))
  const at = name => join(folder, `${name}.db`)
  const empty = measure('open', at('empty'))
  const filled = measure('fill', at('full'))
  const full = measure('open', at('full'))
  const share = measure('idle', at('full'))
  const shareWithout = measure('idle', at('empty'))
  const tick = measure('tick', at('tick'))
  const add = measure('add', at('add'))
  rmSync(folder, { recursive: true, force: true })
  print(`${number(n)} schedules added`, `${number(filled.ms)} ms`)
  print('… once more, the same', `${number(filled.sameMs)} ms`)
  print('… found, with their next five times', `${number(filled.findMs)} ms`)
  print('an open with them', `${number(full)} ms`)
  print('… without any', `${number(empty)} ms`)
  print('CPU while none is due, of one core', `${number(share * 100)} %`)
  print('… without any', `${number(shareWithout * 100)} %`)
  print('all due at once: until all have made a task', `${number(tick.ms)} ms`)
  print('… CPU of a tick', `${number(tick.cpuUs)} µs`)
  print('as many addTask, 256 at once', `${number(add.ms)} ms`)
  print('… CPU of one', `${number(add.cpuUs)} µs`)
  print('goals: open, CPU', '≤ 100 ms, as without')
}

const [what, store] = process.argv.slice(2).filter(word => word !== '--quick')
if (what) process.stdout.write(JSON.stringify(await measured[what](store)))
else main()
