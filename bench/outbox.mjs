// `npm run bench:outbox`: what an outbox costs, beside addTasks in the same run. Both files sync
// each commit. `-- --quick` takes few, to see that everything still runs.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Tasker } from '../index.mjs'

const isQuick = process.argv.includes('--quick')
const [rowsMax, single] = isQuick ? [2_000, 20] : [100_000, 500]
const perCommit = 1_000
const task = n => ({ operation: 'a', data: { book: 'b42', n, pad: 'x'.repeat(64) } })

const folder = mkdtempSync(join(tmpdir(), 'tasker-bench-outbox-'))
const app = new Database(join(folder, 'app.db'))
app.pragma('journal_mode = WAL')
app.pragma('synchronous = FULL')
const tasker = new Tasker({ store: join(folder, 'tasks.db') })
const outbox = tasker.outbox(app)
await tasker.ready()

const now = () => performance.now()
const say = (name, value, unit) => {
  const figure = value < 100 ? value.toFixed(2) : Math.round(value).toLocaleString('en')
  process.stdout.write(`${name.padEnd(44)}${figure.padStart(10)} ${unit}\n`)
}

const commit = app.transaction((first, count) => {
  for (let n = first; n < first + count; n += 1) outbox.addTask(task(n))
})

function bulk() {
  const begin = now()
  for (let n = 0; n < rowsMax; n += perCommit) commit(n, perCommit)
  const middle = now()
  return outbox.flush().then(() => {
    const end = now()
    say('outbox: addTask, 1000 per transaction', rowsMax / ((middle - begin) / 1e3), '/s')
    say('outbox: rows to tasks', rowsMax / ((end - middle) / 1e3), '/s')
    say('outbox: both', rowsMax / ((end - begin) / 1e3), '/s')
  })
}

async function bulkDirect() {
  const begin = now()
  for (let n = 0; n < rowsMax; n += perCommit) {
    await tasker.addTasks(Array.from({ length: perCommit }, (_, i) => task(n + i)))
  }
  say('addTasks, 1000 per call', rowsMax / ((now() - begin) / 1e3), '/s')
}

/** The median and the 99th of a hundred. */
function sayTimes(name, times) {
  const sorted = times.toSorted((a, b) => a - b)
  say(`${name}, median`, sorted[sorted.length >> 1], 'ms')
  say(`${name}, 99 of 100`, sorted[Math.floor(sorted.length * 0.99)], 'ms')
}

/** From the end of `add`, which commits or sends, to the call of the runner. */
async function latency(add) {
  const times = []
  for (let n = 0; n < single; n += 1) {
    const called = new Promise(resolve => {
      tasker.unassignRunner('idle')
      tasker.assignRunner('idle', () => resolve(now()))
    })
    await outbox.flush()
    add({ operation: 'idle', data: { n } })
    const begin = now()
    times.push((await called) - begin)
  }
  return times
}

await bulk()
await bulkDirect()
await tasker.start()
sayTimes(
  'outbox: commit to runner',
  await latency(one => app.transaction(outbox.addTask.bind(outbox))(one)),
)
sayTimes('addTask to runner', await latency(one => tasker.addTask(one)))
await tasker.close()
app.close()
rmSync(folder, { recursive: true, force: true })
