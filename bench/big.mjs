// `npm run bench:big`: what a large queue costs. A million waiting tasks lie in front of each row;
// the same is measured on an empty file, in the same run, and the ratio is compared with the goal.
// `--quick` does it with few, to see that everything still runs.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../index.mjs'
import { addon } from '../scripts/build.mjs'

const file = fileURLToPath(import.meta.url)
const quick = process.argv.includes('--quick')
const waiting = quick ? 20_000 : 1_000_000
const n = quick ? 5_000 : 100_000
const lost = quick ? 100 : 1_000
const CALL = 1_000

const definition = (operation, i, priority = 0) => ({
  operation,
  priority,
  data: { book: 'b42', n: i, pad: 'x'.repeat(64) },
})

async function fill(tasker, operation, count, priority) {
  for (let i = 0; i < count; i += CALL) {
    const size = Math.min(CALL, count - i)
    await tasker.addTasks(
      Array.from({ length: size }, (_, k) => definition(operation, i + k, priority)),
    )
  }
}

/** Resolves when so many runs have come; each run returns at once. */
function countRuns(tasker, operation, count) {
  let left = count
  return new Promise(resolve => {
    tasker.assignRunner(operation, async () => {
      if (--left === 0) resolve()
      return { ok: true }
    })
  })
}

async function rate(count, code) {
  const begin = performance.now()
  await code()
  return (count / (performance.now() - begin)) * 1000
}

/** What runs in a process of its own; each gets an open tasker and gives one number. */
const scenarios = {
  async drain(tasker) {
    await fill(tasker, 'fast', n, 1)
    const ran = countRuns(tasker, 'fast', n)
    tasker.assignRunner('slow', () => new Promise(() => {}), { concurrency: 1 })
    return rate(n, async () => {
      await tasker.start()
      await ran
    })
  },

  async 'add-run'(tasker) {
    const ran = countRuns(tasker, 'fast', n)
    await tasker.start()
    return rate(n, async () => {
      await fill(tasker, 'fast', n, 1)
      await ran
    })
  },

  bulk: tasker => rate(n, () => fill(tasker, 'fast', n, 1)),

  adds: tasker =>
    rate(n, async () => {
      for (let i = 0; i < n; i += 100) {
        const adds = Array.from({ length: 100 }, (_, k) =>
          tasker.addTask(definition('fast', i + k)),
        )
        await Promise.all(adds)
      }
    }),

  /** Megabytes of the process with everything open and a runner waiting. */
  async memory(tasker) {
    await tasker.start()
    const ran = countRuns(tasker, 'fast', 1)
    await tasker.addTask(definition('fast', 0))
    await ran
    return process.memoryUsage.rss() / 2 ** 20
  },

  /** Per mille of one core that a started tasker with nothing to do uses in two seconds. */
  async idle(tasker) {
    await tasker.start()
    await sleep(500)
    const before = process.cpuUsage()
    await sleep(2_000)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 2_000
  },

  /** The 99th percentile of the event loop's delay while it drains, in milliseconds. */
  async loop(tasker) {
    await fill(tasker, 'fast', n, 1)
    const ran = countRuns(tasker, 'fast', n)
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    await tasker.start()
    await ran
    return delay.percentile(99) / 1e6
  },
}

async function child([scenario, store]) {
  const begin = performance.now()
  const tasker = new Tasker({ store, concurrency: 1024 })
  if (scenario === 'hang') return hang(tasker)
  if (scenario === 'reopen') return report(await reopened(tasker, begin))
  await tasker.ready()
  report(await scenarios[scenario](tasker))
}

const report = value => process.stdout.write(`${value}\n`, () => process.exit(0))

/** Has so many runs live, says so, and waits to be killed. */
async function hang(tasker) {
  let live = 0
  await fill(tasker, 'lost', lost, 2)
  tasker.assignRunner('lost', () => {
    if (++live === lost) process.stdout.write('live\n')
    return new Promise(() => {})
  })
  await tasker.start()
}

/** Milliseconds from `new Tasker` to the first call of a runner. */
async function reopened(tasker, begin) {
  const first = new Promise(resolve => {
    tasker.assignRunner('lost', () => {
      resolve(performance.now() - begin)
      return new Promise(() => {})
    })
  })
  await tasker.start()
  return first
}

function measure(scenario, store) {
  const ran = spawnSync(process.execPath, [file, scenario, store, ...(quick ? ['--quick'] : [])], {
    encoding: 'utf8',
  })
  if (ran.status !== 0) throw new Error(`${scenario}: ${ran.stderr}`)
  return Number(ran.stdout)
}

/** Kills a process with live runs on this file. */
async function crash(store) {
  const args = [file, 'hang', store, ...(quick ? ['--quick'] : [])]
  const hanging = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(createInterface({ input: hanging.stdout }), 'line')
  hanging.kill('SIGKILL')
  await once(hanging, 'exit')
}

const rows = [
  { name: 'drain 1024 in flight', scenario: 'drain', unit: '/s' },
  { name: 'add and run together', scenario: 'add-run', unit: '/s' },
  { name: 'bulk add, 1000 per call', scenario: 'bulk', unit: '/s' },
  { name: 'single adds, 100 at a time', scenario: 'adds', unit: '/s' },
]

const show = (value, unit) => `${value.toLocaleString('en', { maximumFractionDigits: 1 })} ${unit}`

function print(cells) {
  const [name, ...rest] = cells
  const line = name.padEnd(44) + rest.map(cell => String(cell).padStart(16)).join('')
  process.stdout.write(`${line}\n`)
}

async function main() {
  const dir = mkdtempSync(join(tmpdir(), 'tasker-big-'))
  let copies = 0
  const full = join(dir, 'full.db')
  const fresh = () => join(dir, `empty-${copies++}.db`)
  const copy = () => {
    const place = join(dir, `copy-${copies++}.db`)
    cpSync(full, place)
    return place
  }
  const tasker = new Tasker({ store: full, durability: 'process' })
  await fill(tasker, 'slow', waiting)
  await tasker.close()
  const behind = `${waiting.toLocaleString('en')} waiting`
  print(['', 'empty', behind, 'times slower', 'goal'])
  for (const { name, scenario, unit } of rows) {
    const [alone, crowded] = [measure(scenario, fresh()), measure(scenario, copy())]
    print([name, show(alone, unit), show(crowded, unit), show(alone / crowded, '×'), '≤ 1.3 ×'])
  }
  const crashed = copy()
  await crash(crashed)
  const figures = [
    [`open with ${lost} lost runs to first start`, measure('reopen', crashed), 'ms', '≤ 100 ms'],
    ['memory of the process', measure('memory', copy()), 'MB', '≤ 150 MB'],
    ['CPU when idle, of one core', measure('idle', copy()) / 10, '%', '0.0 %'],
    ['event loop delay while draining, p99', measure('loop', copy()), 'ms', '≤ 10 ms'],
    ['addon', statSync(addon).size / 2 ** 20, 'MB', '≤ 8 MB'],
  ]
  for (const [name, value, unit, goal] of figures) print([name, '', show(value, unit), '', goal])
  rmSync(dir, { recursive: true, force: true })
}

const given = process.argv.slice(2).filter(word => word !== '--quick')
await (given.length > 0 ? child(given) : main())
