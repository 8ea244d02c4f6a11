// `npm run bench:lists`: how long the lists take that an operator looks at, with many tasks that do
// not match, a `getTask` beside reads that look at all of them, searches by an own field without an
// index and with one, and how long others wait while it is made. Fails if a list is wrong.
// `--quick` does it with few tasks, `--tasks=n` with so many; `--store=tasks.db` keeps the file and
// goes on with it where an earlier run ended.

import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { Tasker } from '../index.mjs'
import { measureApart } from './parts.mjs'

const file = fileURLToPath(import.meta.url)
const word = name => process.argv.find(arg => arg.startsWith(`--${name}=`))?.split('=')[1]
const quick = process.argv.includes('--quick')
const n = Number(word('tasks') ?? (quick ? 20_000 : 1_000_000))
const CALL = 10_000
const RARE = n / 200
const DONE = n / 2 - 2 * Math.ceil(n / 2 / RARE)

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
  'how many are done': [t => t.countTasks({ status: 'done' }), DONE],
  'how many an operation has': [t => t.countTasks({ operation: 'often' }), n - 2],
  'how many of an operation are done': [
    t => t.countTasks({ operation: 'often', status: 'done' }),
    DONE - 2,
  ],
  'how many of an operation wait': [
    t => t.countTasks({ operation: 'often', status: 'new' }),
    n / 2,
  ],
  'whether a rare one failed': [t => t.hasTask({ operation: 'rare', status: 'failed' }), false],
  'whether there is one of no operation': [t => t.hasTask({ operation: 'none' }), false],
}

const LATE = (n / 4) * 3

/** Searches by an own field: what is asked, and how many tasks it has to give. */
const OWN = {
  'one of all': [t => t.findTasks({ 'data.n': LATE }), 1],
  'one of all, by hasTask': [t => t.hasTask({ 'data.n': LATE }), true],
  'a range of 100': [t => t.findTasks({ 'data.n': { $gte: LATE, $lt: LATE + 100 } }), 100],
  'one in 1,000, counted': [t => t.countTasks({ 'data.book': 'b7' }), n / 1_000],
  'one in 1,000, newest 10': [t => t.findTasks({ 'data.book': 'b7' }, newest), 10],
}
const INDEXES = ['data.n', 'data.book']

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

/** What adds one task after the other beside the making of an index: the longest it waited. */
const adder = `
  import { parentPort, workerData } from 'node:worker_threads'
  const { Tasker } = await import(workerData.tasker)
  const tasker = new Tasker(workerData.store)
  await tasker.ready()
  let longest = 0
  let goesOn = true
  parentPort.once('message', () => (goesOn = false))
  parentPort.postMessage('ready')
  while (goesOn) {
    const begin = performance.now()
    await tasker.addTask({ operation: 'beside', data: null })
    longest = Math.max(longest, performance.now() - begin)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  await tasker.close()
  parentPort.postMessage(longest)
`

Object.assign(measured, {
  /** Searches by an own field, without an index and with one. */
  async own(store) {
    const all = {}
    const ask = async (tasker, how) => {
      for (const [name, [search, expected]] of Object.entries(OWN)) {
        const { value } = await time(() => search(tasker))
        if (size(value) !== expected) throw new Error(`${name}: ${size(value)}, not ${expected}`)
        const some = []
        for (let i = 0; i < (how === 'plain' ? 3 : 50); i += 1) {
          some.push((await time(() => search(tasker))).ms)
        }
        all[name] = { ...all[name], [how]: median(some) }
      }
    }
    const plain = new Tasker({ store, indexes: [] })
    await ask(plain, 'plain')
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(adder)}`), {
      workerData: { store, tasker: new URL('../index.mjs', import.meta.url).href },
    })
    await once(worker, 'message')
    const indexed = new Tasker({ store, indexes: INDEXES })
    const { ms: made } = await time(() => indexed.ready())
    worker.postMessage('end')
    const [longest] = await once(worker, 'message')
    await plain.close()
    await ask(indexed, 'indexed')
    await indexed.close()
    return { all, made, longest }
  },
})

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
  const { all, made, longest } = measureApart(file, ['own', path, '', ...flags])
  for (const [name, { plain, indexed }] of Object.entries(all)) {
    const times = `${indexed.toFixed(2).padStart(7)} ms, without ${plain.toFixed(0)} ms`
    console.log(`by an index: ${name.padEnd(25)} ${times}`)
  }
  const seconds = ms => `${(ms / 1e3).toFixed(1)} s`
  console.log(
    `two indexes made in ${seconds(made)}; an addTask beside took ${seconds(longest)} at most`,
  )
  const { p50, p99 } = measureApart(file, ['beside', path, '', ...flags])
  console.log(`getTask beside reads of all: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`)
  rmSync(folder, { recursive: true })
}
