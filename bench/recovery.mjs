// `npm run bench:recovery`: how soon work goes on after `kill -9`: in a new process, with a long
// queue and many runs that were cut, and in another process that was there all the time. `--quick`
// does it once with little, to see that everything still runs.

import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../index.mjs'

const file = fileURLToPath(import.meta.url)
const quick = process.argv.includes('--quick')
const waiting = quick ? 10_000 : 100_000
const running = quick ? 100 : 1_000
const rounds = quick ? 1 : 9
const CALL = 1_000

const tasks = (operation, length) =>
  Array.from({ length }, (_, n) => ({ operation, data: { book: 'b42', n } }))

/** What a process does with its tasker; it runs until it is killed. */
const roles = {
  /** Has so many runs live, which never end, and says so. */
  async hold(tasker, count) {
    let live = 0
    tasker.assignRunner('hold', () => {
      live += 1
      if (live === count) process.send('holds')
      return new Promise(() => {})
    })
    await tasker.start()
  },

  /** Says when its first run begins. */
  async begin(tasker) {
    tasker.assignRunner('hold', () => {
      process.send('runs')
      return new Promise(() => {})
    })
    await tasker.start()
    process.send('started')
  },
}

/** A process on the file, and what it says next. */
function live(role, store, count = 1) {
  const child = fork(file, [role, store, String(count)])
  const says = word =>
    new Promise((resolve, reject) => {
      child.on('message', said => said === word && resolve())
      child.once('exit', code => code && reject(new Error(`a process ended with ${code}`)))
    })
  const kill = () =>
    new Promise(resolve => {
      child.once('exit', resolve)
      child.kill('SIGKILL')
    })
  return { says, kill }
}

/** Milliseconds from the start of a process to its first run, after another was killed. */
async function afresh(store) {
  const tasker = new Tasker({ store, durability: 'process' })
  await tasker.addTasks(tasks('hold', running))
  for (let n = 0; n < waiting; n += CALL) await tasker.addTasks(tasks('nobody-does', CALL))
  await tasker.close()
  const killed = live('hold', store, running)
  await killed.says('holds')
  await killed.kill()
  const begin = performance.now()
  const next = live('begin', store)
  await next.says('runs')
  const ms = performance.now() - begin
  await next.kill()
  return ms
}

/** Milliseconds from the end of a process to the run of its task in another. */
async function beside(store) {
  const tasker = new Tasker({ store })
  await tasker.addTask({ operation: 'hold' })
  const killed = live('hold', store)
  await killed.says('holds')
  const heir = live('begin', store)
  await heir.says('started')
  const runs = heir.says('runs')
  await killed.kill()
  const begin = performance.now()
  await runs
  const ms = performance.now() - begin
  await heir.kill()
  await tasker.close()
  return ms
}

/** Measures again and again, each time on a new file, and prints the median and the longest. */
async function print(name, measure, goal) {
  const times = []
  for (let n = 0; n < rounds; n += 1) {
    const folder = mkdtempSync(join(tmpdir(), 'tasker-bench-recovery-'))
    times.push(await measure(join(folder, 'tasks.db')))
    rmSync(folder, { recursive: true, force: true })
  }
  const sorted = times.toSorted((a, b) => a - b)
  const cells = [sorted[sorted.length >> 1], sorted.at(-1)].map(ms => `${Math.round(ms)} ms`)
  const row = name.padEnd(64) + [...cells, goal].map(cell => cell.padStart(12)).join('')
  process.stdout.write(`${row}\n`)
}

async function main() {
  process.stdout.write(`${''.padEnd(64)}${'median'.padStart(12)}${'longest'.padStart(12)}\n`)
  const [many, cut] = [waiting, running].map(count => count.toLocaleString('en'))
  const reopen = `a new process, ${many} waiting, ${cut} cut: to the first run`
  await print(reopen, afresh, '≤ 1000 ms')
  await print('another process that waits: to the run of what was cut', beside, '≤ 1000 ms')
}

const [role, store, count] = process.argv.slice(2).filter(word => word !== '--quick')
if (role) await roles[role](new Tasker({ store, concurrency: Number(count) }), Number(count))
else await main()
