// One life of the storm, a process or a thread: adds, runs and aborts tasks until it is killed or
// ends itself as `ending` says. What it was told is on disk it writes to stdout, or to the file
// `told`, at once, a JSON line each: `["try", n]` before a task is added, `["ack", n, uuid]` after,
// `["unique", uuid, key]`, `["abort", uuid]`, `["end", uuid, status]`, and `["image", uuid, image]`
// of tasks that ended in earlier lives, and `["ran", uuid]` of one that must not run. With a
// `limit` some tasks are of an operation of which only so many may run at once. When it has done
// enough to be worth an end and is in the middle of a run, it says `["busy"]`.

import { openSync, writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { Tasker } from '../../../index.mjs'
import { endings } from './endings.mjs'
import { labelsOf, queueTimeoutOf, retryOf } from './ledger.mjs'
import { randomFrom, runnersOf } from './runners.mjs'

const options = workerData ?? JSON.parse(process.argv[2])
const { store, log, marks, told, life, seed, limit, ending } = options
const random = randomFrom(seed)
const below = n => Math.floor(random() * n)
const out = told ? openSync(told, 'a') : 1
const counts = { ack: 0, end: 0 }
function tell(...line) {
  if (line[0] in counts) counts[line[0]] += 1
  writeSync(out, `${JSON.stringify(line)}\n`)
}

const ACKS_MIN = 20
const ENDS_MIN = 10
let isBusy = false

/**
 * Called in each run: says once that enough was done, and has this life end as it should. This run
 * is live then, but for a close, which waits for it.
 */
function begun() {
  if (isBusy || counts.ack < ACKS_MIN || counts.end < ENDS_MIN) return
  isBusy = true
  tell('busy')
  parentPort?.postMessage('busy')
  if (ending in endings) setImmediate(endings[ending], tasker)
  if (ending && !ending.startsWith('close')) return new Promise(() => {})
}

const operations = ['quick', 'slow', limit ? 'limited' : 'slow', 'throwing']

let tried = 0
function define() {
  const n = life * 100_000 + tried++
  tell('try', n)
  const delay = below(8) === 0 ? 1 + below(60) : undefined
  const retry = retryOf(n)
  const operation = below(12) === 0 ? 'held' : operations[below(4)]
  const queueTimeout = queueTimeoutOf(n)
  return { operation, data: { n }, delay, retry, queueTimeout, ...labelsOf(n) }
}

async function addOne() {
  const definition = define()
  const uuid = await tasker.addTask(definition)
  tell('ack', definition.data.n, uuid)
  return { ...definition, uuid }
}

async function addMany(count) {
  const definitions = Array.from({ length: count }, define)
  const uuids = await tasker.addTasks(definitions)
  for (const [i, uuid] of uuids.entries()) tell('ack', definitions[i].data.n, uuid)
  return definitions.map((definition, i) => ({ ...definition, uuid: uuids[i] }))
}

/** Says something of operations, as any life may; what it pauses it resumes at once. */
async function change() {
  await tasker.pauseOperation('slow')
  const concurrency = 1 + below(limit ?? 4)
  await tasker.defineOperation('limited', { concurrency, priority: below(3) })
  await tasker.resumeOperation('slow')
}

/** Says a key that all lives share; of the adds of all of them one makes the task. */
async function addUnique() {
  const key = `day ${below(9)}`
  const operation = 'quick'
  const unique = { key, while: 'always' }
  const n = life * 100_000 + tried++
  tell('try', n)
  const uuid = await tasker.addTask({
    operation,
    data: { n },
    retry: retryOf(n),
    unique,
    ...labelsOf(n),
  })
  tell('unique', uuid, key)
}

async function abortOne(tasks) {
  const { uuid } = tasks[below(tasks.length)]
  if (await tasker.abortTask(uuid, 'storm')) tell('abort', uuid)
}

async function showEarlierEnds() {
  const query = { status: { $in: ['done', 'failed', 'aborted'] } }
  const tasks = await tasker.findTasks(query, { sort: { seq: -1 }, limit: 50 })
  for (const task of tasks) tell('image', task.uuid, task)
}

const { limited, ...runners } = runnersOf(log, { marks, begun })
// Each life pauses it before it does anything, and only the end of the storm resumes it.
runners.held = ({ uuid }) => tell('ran', uuid)
// Every second life takes several tasks at once: some end together, some one by one.
const { quick, slow, throwing, ...others } = runners
const together = work => async contexts =>
  (await Promise.allSettled(contexts.map(work))).map(({ reason, value }) => reason ?? value)
const oneByOne = async contexts => {
  const end = async context => context.settle(await slow(context))
  await Promise.all(contexts.map(end))
}
const areBatched = life % 2 === 0
const tasker = new Tasker({ store, concurrency: 30, runners: areBatched ? others : runners })
if (areBatched) {
  tasker.assignRunner('quick', together(quick), { batch: { max: 4 } })
  tasker.assignRunner('throwing', together(throwing), { batch: { max: 3, wait: 5 } })
  tasker.assignRunner('slow', oneByOne, { batch: { max: 5, wait: 2 } })
}
tasker.assignRunner('limited', limited, { concurrency: limit })
tasker.on('task.ended', (uuid, status) => tell('end', uuid, status))
await tasker.pauseOperation('held')
await tasker.resumeOperation('slow')
await showEarlierEnds()
await tasker.start()
tell('ready')
parentPort?.postMessage('ready')
if (ending === 'closeOnSignal') process.once('SIGTERM', () => tasker.close())
try {
  for (;;) await work()
} catch (error) {
  if (!ending?.startsWith('close') || error.code !== 'TASKER_CLOSED') throw error
}

async function work() {
  const ones = await Promise.all(Array.from({ length: 1 + below(5) }, addOne))
  const tasks = [...ones, ...(await addMany(1 + below(10)))]
  await Promise.all([addUnique(), addUnique()])
  if (below(3) === 0) await abortOne(tasks)
  if (below(3) === 0) await change()
  const mayRun = tasks.filter(({ operation }) => operation !== 'held')
  const { uuid } = mayRun[below(mayRun.length)] ?? {}
  if (uuid) await tasker.waitForTaskOutputData(uuid).catch(() => {})
}
