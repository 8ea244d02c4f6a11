// `npm run bench:retries`: how many failures a second a tasker takes when each task is tried three
// times, at once and after a pause, beside as many runs that succeed. Fails if a task was tried
// more or less often. `--quick` does it with few, to see that everything still runs.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../index.mjs'
import { measureApart } from './parts.mjs'

const file = fileURLToPath(import.meta.url)
const quick = process.argv.includes('--quick')
const tasks = quick ? 3_000 : 60_000
const ATTEMPTS = 3
const CALL = 1_000
const CONCURRENCY = 1_024

/** Runs so many tasks with these options, until none is left. Gives the runs per second. */
async function rate(store, n, options, run) {
  const tasker = new Tasker({ store, concurrency: CONCURRENCY })
  for (let from = 0; from < n; from += CALL) {
    const task = (_, i) => ({ operation: 'a', data: { book: 'b42', n: from + i }, ...options })
    await tasker.addTasks(Array.from({ length: Math.min(CALL, n - from) }, task))
  }
  let runs = 0
  tasker.assignRunner('a', async ({ data }) => {
    runs += 1
    return run(data)
  })
  const begin = performance.now()
  await tasker.start()
  while (await tasker.hasTask({ status: { $in: ['new', 'running'] } })) await sleep(2)
  const perSecond = (runs / (performance.now() - begin)) * 1_000
  const query = options.retry ? { status: 'failed', attempt: ATTEMPTS } : { status: 'done' }
  const ended = await tasker.countTasks(query)
  await tasker.close()
  if (ended !== n) throw new Error(`${ended} tasks of ${n} ended after ${runs} runs`)
  return perSecond
}

function fail() {
  throw new Error('no answer')
}

/** What each process measures; it prints that as JSON. */
const measured = {
  succeed: store => rate(store, tasks * ATTEMPTS, {}, data => data),
  'at once': store => rate(store, tasks, { retry: ATTEMPTS }, fail),
  'after a pause': store => {
    const retry = { attempts: ATTEMPTS, backoff: { type: 'fixed', delay: 100 } }
    return rate(store, tasks, { retry }, fail)
  },
}

const [, , what, store] = process.argv
if (Object.hasOwn(measured, what ?? '')) {
  process.stdout.write(JSON.stringify(await measured[what](store)))
} else {
  const found = {}
  for (const name of Object.keys(measured)) {
    const folder = mkdtempSync(join(tmpdir(), 'tasker-bench-'))
    const words = [name, join(folder, 'tasks.db'), ...(quick ? ['--quick'] : [])]
    found[name] = measureApart(file, words)
    rmSync(folder, { recursive: true })
    const share = ((found[name] / found.succeed) * 100).toFixed(0)
    const perSecond = Math.round(found[name]).toLocaleString('en')
    const line = name === 'succeed' ? 'runs that succeed' : `failures, tried again ${name}`
    process.stdout.write(
      `${line.padEnd(40)}${perSecond.padStart(10)} a second${share.padStart(6)} %\n`,
    )
  }
}
