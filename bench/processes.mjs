// `npm run bench:processes`: what it costs that several processes work on one file. Each row is
// measured beside one process alone on a file, in the same run; rounds are interleaved; the table
// shows medians. `--quick` measures once with little, to see that everything still runs.

import { fork, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../index.mjs'
import { root, say } from '../scripts/steps.mjs'

const file = fileURLToPath(import.meta.url)
const quick = process.argv.includes('--quick')
const rounds = quick ? 1 : 3
const n = quick ? 4_000 : 200_000
const warm = quick ? 1_000 : 20_000
const pings = quick ? 50 : 400
const CALL = 1_000

const operation = 'read-book'
const payload = i => ({ book: 'b42', n: i, pad: 'x'.repeat(64) })
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
const median = values =>
  at(
    values.toSorted((a, b) => a - b),
    0.5,
  )
/** Of the clock that all processes of a machine share. */
const nowMs = () => Number(process.hrtime.bigint()) / 1e6

/** What a process does; each gets its tasker and says what it found. */
const roles = {
  /** Runs what waits until all is done: how often, how long without a start of its own, its CPU. */
  async drain(tasker) {
    let [ran, last, waitMs] = [0, 0, 0]
    tasker.assignRunner(operation, async () => {
      const now = performance.now()
      if (last > 0) waitMs = Math.max(waitMs, now - last)
      last = now
      ran += 1
      return { ok: true }
    })
    const cpu = process.cpuUsage()
    await tasker.start()
    while ((await tasker.countTasks({ status: 'done' })) < n) await sleep(20)
    const { user, system } = process.cpuUsage(cpu)
    return { ran, waitMs, cpuMs: (user + system) / 1_000 }
  },

  /** Runs what others add, and tells how long each was under way. */
  async run(tasker) {
    const times = []
    const all = new Promise(resolve => {
      tasker.assignRunner(operation, ({ data }) => {
        times.push(nowMs() - data.addedAt)
        if (times.length === pings) resolve(times)
      })
    })
    await tasker.start()
    process.send('started')
    return all
  },
}

/** Runs some tasks of its own, so that what is measured is not the compiler of JavaScript. */
async function warmUp() {
  let left = warm
  const tasker = new Tasker({ store: ':memory:', concurrency: 1024 })
  const all = new Promise(resolve => {
    tasker.assignRunner(operation, async () => {
      left -= 1
      if (left === 0) resolve()
      return { ok: true }
    })
  })
  await tasker.start()
  await addAll(tasker, warm)
  await all
  await tasker.close()
}

async function child([role, store, concurrency]) {
  await warmUp()
  const tasker = new Tasker({ store, concurrency: Number(concurrency) })
  await tasker.ready()
  process.once('message', async () => {
    const found = await roles[role](tasker)
    process.send({ found }, () => process.disconnect())
    await tasker.close()
  })
  process.send('ready')
}

/** The next message of a process that does not fail. */
const told = worker =>
  new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('exit', code => reject(new Error(`a process ended with ${code}`)))
  })

/** Processes in this role, ready to go. */
async function workers(count, role, store, concurrency) {
  const words = [role, store, concurrency, ...(quick ? ['--quick'] : [])]
  const all = Array.from({ length: count }, () => fork(file, words))
  await Promise.all(all.map(told))
  return all
}

const gone = worker => new Promise(resolve => worker.once('exit', resolve))

async function addAll(tasker, count) {
  for (let i = 0; i < count; i += CALL) {
    const tasks = Array.from({ length: CALL }, (_, k) => ({ operation, data: payload(i + k) }))
    await tasker.addTasks(tasks)
  }
}

async function fill(store) {
  const tasker = new Tasker({ store })
  await addAll(tasker, n)
  await tasker.close()
}

/** So many processes run all that waits in a file. */
async function drain(store, processes, concurrency) {
  await fill(store)
  const all = await workers(processes, 'drain', store, concurrency)
  const ends = Promise.all(all.map(gone))
  const begin = performance.now()
  const founds = all.map(async worker => {
    worker.send('go')
    const { found } = await told(worker)
    return { ...found, ms: performance.now() - begin }
  })
  const found = await Promise.all(founds)
  await ends
  const sum = key => found.reduce((total, each) => total + each[key], 0)
  if (sum('ran') !== n) throw new Error(`${sum('ran')} runs of ${n} tasks`)
  return {
    rate: (n / Math.max(...found.map(each => each.ms))) * 1_000,
    waitMs: Math.max(...found.map(each => each.waitMs)),
    cpuUs: (sum('cpuMs') * 1_000) / n,
  }
}

const pause = i => sleep(5 + (i % 7))

async function ping(tasker) {
  for (let i = 0; i < pings; i++) {
    await tasker.addTask({ operation, data: { addedAt: nowMs() } })
    await pause(i)
  }
}

/** Milliseconds from addTask here to the runner there. */
async function across(store) {
  const [worker] = await workers(1, 'run', store, 100)
  const end = gone(worker)
  worker.send('go')
  await told(worker)
  const tasker = new Tasker({ store })
  await tasker.ready()
  const answer = told(worker)
  await ping(tasker)
  const { found } = await answer
  await tasker.close()
  await end
  return found
}

/** The same within this process. */
async function within(store) {
  const times = []
  const runner = ({ data }) => void times.push(nowMs() - data.addedAt)
  const tasker = new Tasker({ store, runners: { [operation]: runner } })
  await tasker.start()
  await ping(tasker)
  await tasker.close()
  return times
}

const sizes = [100, 1024].flatMap(each => [1, 2, 4].map(processes => ({ each, processes })))

/** Measures everything once, each on a file of its own. */
async function round(dir, number) {
  const store = name => join(dir, `${number}-${name}.db`)
  const drains = []
  for (const { each, processes } of sizes) {
    drains.push(await drain(store(`${each}-${processes}`), processes, each))
  }
  return { drains, across: await across(store('across')), within: await within(store('within')) }
}

function summary(all) {
  const drains = sizes.map((size, i) => {
    const of = key => median(all.map(({ drains }) => drains[i][key]))
    return { ...size, rate: of('rate'), cpuUs: of('cpuUs'), waitMs: of('waitMs') }
  })
  const latency = key => {
    const sorted = all.map(each => each[key].toSorted((a, b) => a - b))
    const share = part => median(sorted.map(times => at(times, part)))
    return { p50: share(0.5), p99: share(0.99) }
  }
  return { drains, across: latency('across'), within: latency('within') }
}

const number = (value, digits = 0) => value.toLocaleString('en', { maximumFractionDigits: digits })
const row = (name, cells) => name.padEnd(40) + cells.map(cell => cell.padStart(16)).join('')

function print({ drains, across, within }) {
  const lines = [row('', ['all together', 'to one', 'CPU per task', 'longest wait'])]
  for (const { each, processes, rate, cpuUs, waitMs } of drains) {
    const one = drains.find(other => other.each === each && other.processes === 1)
    const name = `drain, ${processes} × ${each} in flight`
    const share = `${number((rate / one.rate) * 100)} %`
    const cells = [`${number(rate)} /s`, share, `${number(cpuUs, 1)} µs`, `${number(waitMs, 1)} ms`]
    lines.push(row(name, cells))
  }
  const ms = value => `${number(value, 2)} ms`
  lines.push('', row('', ['p50', 'p99']))
  lines.push(row('add here → runner there', [ms(across.p50), ms(across.p99)]))
  lines.push(row('add here → runner here', [ms(within.p50), ms(within.p99)]))
  const note = `medians of ${rounds}; each commit is synced
goals with 2 and 4 processes: 80 % of one, no process longer than 100 ms without a start of its own`
  process.stdout.write(`\n${[...lines, '', note].join('\n')}\n`)
}

function save(rows) {
  const git = spawnSync('git', ['log', '-1', '--format=%h'], { cwd: root, encoding: 'utf8' })
  const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length }
  const date = new Date().toISOString()
  const report = { date, commit: git.stdout?.trim(), ...machine, quick, ...rows }
  const folder = join(root, 'bench/results')
  mkdirSync(folder, { recursive: true })
  const place = join(folder, `processes-${date.replaceAll(':', '-')}.json`)
  writeFileSync(place, JSON.stringify(report, undefined, 2))
}

async function main() {
  await warmUp()
  const dir = mkdtempSync(join(tmpdir(), 'tasker-bench-'))
  const all = []
  for (let count = 1; count <= rounds; count++) {
    say(`round ${count} of ${rounds}`)
    all.push(await round(dir, count))
  }
  const rows = summary(all)
  print(rows)
  save(rows)
  rmSync(dir, { recursive: true, force: true })
}

const words = process.argv.slice(2).filter(word => word !== '--quick')
await (words.length > 0 ? child(words) : main())
