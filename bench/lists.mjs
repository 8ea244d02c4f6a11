// `npm run bench:lists`: how long the lists take that an operator looks at, with many tasks that do
// not match, and a `getTask` beside reads that look at all of them. Fails if a list is wrong.
// `--quick` does it with few tasks, `--tasks=n` with so many; `--store=tasks.db` keeps the file and
// goes on with it where an earlier run ended.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../index.mjs'
import { measureApart } from './parts.mjs'

const file = fileURLToPath(import.meta.url)
const word = name => process.argv.find(arg => arg.startsWith(`--${name}=`))?.split('=')[1]
const quick = process.argv.includes('--quick')
const n = Number(word('tasks') ?? (quick ? 20_000 : 1_000_000))
const CALL = 10_000
const RARE = n / 200

const newest = { sort: { seq: -1 }, limit: 10 }
const ended = { sort: { endedAt: -1 }, limit: 10 }
const recent = n - 1_000

/** Each list: what is asked, and how many tasks it has to give. */
const LISTS = {
  running: [t => t.findTasks({ status: 'running' }), 0],
  'waiting, in the order of the queue': [t => t.findTasks({ status: 'new' }, { limit: 10 }), 10],
  'failed, by end': [t => t.findTasks({ status: 'failed' }, ended), 10],
  'aborted, by end': [t => t.findTasks({ status: 'aborted' }, ended), 10],
  'failed, by number': [t => t.findTasks({ status: 'failed' }, newest), 10],
  'done, last ended': [t => t.findTasks({ status: 'done' }, ended), 10],
  'done, first ended': [t => t.findTasks({ status: 'done' }, { limit: 10 }), 10],
  'newest of all': [t => t.findTasks({}, newest), 10],
  'newest of an operation': [t => t.findTasks({ operation: 'often' }, newest), 10],
  'newest of a rare operation': [t => t.findTasks({ operation: 'rare' }, newest), 2],
  'by number, upwards': [t => t.findTasks({ seq: { $gt: recent } }, { limit: 100 }), 100],
  'last added': [t => t.findTasks({}, { sort: { createdAt: -1 }, limit: 10 }), 10],
  'first added': [t => t.findTasks({}, { sort: { createdAt: 1 }, limit: 10 }), 10],
  'how many are done': [t => t.countTasks({ status: 'done' }), n / 2 - 2 * Math.ceil(n / 2 / RARE)],
  'whether a rare one failed': [t => t.hasTask({ operation: 'rare', status: 'failed' }), false],
  'whether there is one of no operation': [t => t.hasTask({ operation: 'none' }), false],
}

const size = found => (Array.isArray(found) ? found.length : found)

function taskOf(i) {
  const operation = i === 3 || i === n / 4 ? 'rare' : 'often'
  return { operation, data: { book: `b${i % 1_000}`, n: i } }
}

/** Half of the tasks have ended, a few of them badly; the other half waits. */
async function fill(store) {
  const tasker = new Tasker({ store, concurrency: 1_024 })
  for (let from = await tasker.countTasks(); from < n; from += CALL) {
    if (from >= n / 2 && from < n / 2 + CALL) await runAll(tasker)
    await tasker.addTasks(Array.from({ length: CALL }, (_, i) => taskOf(from + i)))
  }
  await tasker.close()
}

async function runAll(tasker) {
  const run = async ({ data: { n: i }, uuid }) => {
    if (i % RARE === 1) throw new Error('failed')
    if (i % RARE !== 2) return
    await tasker.abortTask(uuid)
    throw new Error('aborted')
  }
  tasker.assignRunner('often', run)
  tasker.assignRunner('rare', run)
  tasker.on('task.failed', () => {})
  await tasker.start()
  while (await tasker.countTasks({ status: { $in: ['new', 'running'] } })) {
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  await tasker.stop()
  await tasker.unassignRunner('often')
  await tasker.unassignRunner('rare')
}

async function time(call) {
  const begin = performance.now()
  const value = await call()
  return { ms: performance.now() - begin, value }
}

const median = all => all.sort((a, b) => a - b)[Math.floor(all.length / 2)]

/** What each process measures; it prints that as JSON. */
const measured = {
  async list(store, name) {
    const [ask, expected] = LISTS[name]
    const tasker = new Tasker({ store })
    await tasker.ready()
    const { ms: cold, value } = await time(() => ask(tasker))
    if (size(value) !== expected) throw new Error(`${name}: ${size(value)}, not ${expected}`)
    const warm = []
    for (let i = 0; i < 15; i += 1) warm.push((await time(() => ask(tasker))).ms)
    await tasker.close()
    return { cold, warm: median(warm) }
  },

  /** A `getTask` every few milliseconds, beside two reads of all that begin anew as they end. */
  async beside(store) {
    const tasker = new Tasker({ store })
    const { uuid } = await tasker.findTask({})
    let goesOn = true
    const count = async () => {
      while (goesOn) await tasker.countTasks({ 'data.book': 'none' })
    }
    const walk = async () => {
      for await (const _ of tasker.tasks({})) if (!goesOn) break
    }
    const readers = [count(), walk()]
    const all = []
    for (let i = 0; i < (quick ? 50 : 1_000); i += 1) {
      all.push((await time(() => tasker.getTask(uuid))).ms)
      await new Promise(resolve => setTimeout(resolve, 2))
    }
    goesOn = false
    await Promise.all(readers)
    await tasker.close()
    all.sort((a, b) => a - b)
    return { p50: all[Math.floor(all.length * 0.5)], p99: all[Math.floor(all.length * 0.99)] }
  },
}

const [what, store, name] = process.argv.slice(2)
if (measured[what]) {
  console.log(JSON.stringify(await measured[what](store, name)))
} else {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-lists-'))
  const path = word('store') ?? join(folder, 'tasks.db')
  console.log(`${n} tasks${existsSync(path) ? ', going on with an earlier file' : ''}`)
  await fill(path)
  const flags = [`--tasks=${n}`, ...(quick ? ['--quick'] : [])]
  for (const name of Object.keys(LISTS)) {
    const { cold, warm } = measureApart(file, ['list', path, name, ...flags])
    console.log(`${name.padEnd(38)} ${warm.toFixed(1).padStart(7)} ms, first ${cold.toFixed(1)} ms`)
  }
  const { p50, p99 } = measureApart(file, ['beside', path, '', ...flags])
  console.log(`getTask beside reads of all: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`)
  rmSync(folder, { recursive: true })
}
