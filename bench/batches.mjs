// `npm run bench:batches`: how many small tasks a second are done in batches of 100, beside one by
// one, where a call of the runner waits for a turn of the event loop, as for an answer from
// outside. Fails if a task was not done. `--quick` does it with few, to see that everything still
// runs.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as answer, setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../index.mjs'
import { measureApart } from './parts.mjs'

const file = fileURLToPath(import.meta.url)
const tasks = process.argv.includes('--quick') ? 5_000 : 100_000
const CALL = 1_000
const CONCURRENCY = 100
const BATCH = 100

/** Runs all tasks with this runner, until none is left. Gives the tasks per second. */
async function rate(store, runner, options) {
  const tasker = new Tasker({ store, concurrency: CONCURRENCY })
  for (let from = 0; from < tasks; from += CALL) {
    const task = (_, i) => ({ operation: 'a', data: { book: 'b42', n: from + i } })
    await tasker.addTasks(Array.from({ length: CALL }, task))
  }
  tasker.assignRunner('a', runner, options)
  const begin = performance.now()
  await tasker.start()
  while (await tasker.hasTask({ status: { $in: ['new', 'running'] } })) await sleep(2)
  const perSecond = (tasks / (performance.now() - begin)) * 1_000
  const done = await tasker.countTasks({ status: 'done' })
  await tasker.close()
  if (done !== tasks) throw new Error(`${done} tasks of ${tasks} are done`)
  return perSecond
}

/** What each process measures; it prints that as JSON. */
const measured = {
  'one by one': store =>
    rate(store, async ({ data }) => {
      await answer()
      return data.n
    }),
  'in batches of 100': store => {
    const runner = async contexts => {
      await answer()
      return contexts.map(({ data }) => data.n)
    }
    return rate(store, runner, { batch: { max: BATCH } })
  },
}

const [, , what, store] = process.argv
if (Object.hasOwn(measured, what ?? '')) {
  process.stdout.write(JSON.stringify(await measured[what](store)))
} else {
  const found = []
  for (const name of Object.keys(measured)) {
    const folder = mkdtempSync(join(tmpdir(), 'tasker-bench-'))
    const quick = process.argv.includes('--quick') ? ['--quick'] : []
    const perSecond = measureApart(file, [name, join(folder, 'tasks.db'), ...quick])
    rmSync(folder, { recursive: true })
    found.push(perSecond)
    const rounded = Math.round(perSecond).toLocaleString('en')
    process.stdout.write(`small tasks ${name.padEnd(28)}${rounded.padStart(10)} a second\n`)
  }
  const [alone, together] = found
  process.stdout.write(`ratio ${(together / alone).toFixed(2)}\n`)
}
