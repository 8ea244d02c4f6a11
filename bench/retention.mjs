// `npm run bench:retention`: adding, running and removing in a steady state, with
// `retention: '1s'`, beside adding and running alone; and how long many removals at once take, with
// the longest wait of a call that comes in between. Fails if a task is left that is over, or if one
// goes too early. `--quick` does it with few, to see that everything still runs.

import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../index.mjs'
import { measureApart } from './parts.mjs'

const file = fileURLToPath(import.meta.url)
const quick = process.argv.includes('--quick')
const seconds = quick ? 2 : 20
const many = quick ? 5_000 : 100_000
const CALL = 500
const CALLS_AT_ONCE = 4
const CONCURRENCY = 1_024

const tasks = options =>
  Array.from({ length: CALL }, (_, n) => ({
    operation: 'a',
    data: { book: 'b42', n },
    ...options,
  }))

/** Adds without a break until the time is over, as much as can be run. Gives tasks a second. */
async function flow(tasker) {
  const begin = performance.now()
  let ended = 0
  const producer = async () => {
    while (performance.now() - begin < seconds * 1_000) {
      const uuids = await tasker.addTasks(tasks())
      await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
      ended += CALL
    }
  }
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, producer))
  return (ended / (performance.now() - begin)) * 1_000
}

/** What each process measures; it prints that as JSON. */
const measured = {
  async steady(store, kept) {
    const retention = kept === 'forever' ? {} : { retention: '1s' }
    const runners = { a: ({ data }) => data.n }
    const tasker = new Tasker({ store, concurrency: CONCURRENCY, runners, ...retention })
    await tasker.start()
    const rate = await flow(tasker)
    const left = await tasker.countTasks()
    if (kept !== 'forever') {
      await sleep(2_500)
      const over = await tasker.countTasks()
      if (over > 0) throw new Error(`${over} tasks are left that are over`)
    }
    await tasker.close()
    return { rate, left, bytes: statSync(store).size }
  },

  /** All that ended, removed by one call, while others come one after the other. */
  async removal(store) {
    const tasker = new Tasker({ store, concurrency: CONCURRENCY, runners: { a: () => 1 } })
    await tasker.start()
    for (let n = 0; n < many; n += CALL) await tasker.addTasks(tasks())
    while ((await tasker.countTasks({ status: 'done' })) < many) await sleep(10)
    const begin = performance.now()
    let isOver = false
    let longestMs = 0
    const asking = (async () => {
      while (!isOver) {
        const asked = performance.now()
        await tasker.addTask({ operation: 'nobody' })
        longestMs = Math.max(longestMs, performance.now() - asked)
      }
    })()
    const { changed } = await tasker.removeTasks({ status: 'done' })
    const ms = performance.now() - begin
    isOver = true
    await asking
    if (changed !== many) throw new Error(`${changed} of ${many} were removed`)
    await tasker.close()
    return { ms, longestMs }
  },
}

const measure = (...words) => measureApart(file, [...words, ...(quick ? ['--quick'] : [])])
const number = value => value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 1 : 0 })

function print(name, value) {
  process.stdout.write(`${name.padEnd(56)}${value.padStart(16)}\n`)
}

function main() {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-bench-retention-'))
  const at = name => join(folder, `${name}.db`)
  const forever = measure('steady', at('forever'), 'forever')
  const kept = measure('steady', at('kept'), '1s')
  const removal = measure('removal', at('removal'))
  rmSync(folder, { recursive: true, force: true })
  print('add + run', `${number(forever.rate)} /s`)
  print("add + run + remove, retention '1s'", `${number(kept.rate)} /s`)
  print('… of add + run', `${number((kept.rate / forever.rate) * 100)} %`)
  print('… tasks in the file at the end', number(kept.left))
  print(
    '… the file, and without removal',
    `${[kept, forever].map(of => number(of.bytes / 1e6)).join(', ')} MB`,
  )
  print(`${number(many)} removed by one call`, `${number((many / removal.ms) * 1_000)} /s`)
  print('… the longest addTask meanwhile', `${number(removal.longestMs)} ms`)
  print('goal: add + run + remove', '≥ 70 %')
}

const [what, store, kept] = process.argv.slice(2).filter(word => word !== '--quick')
if (what) process.stdout.write(JSON.stringify(await measured[what](store, kept)))
else main()
