// Three worker processes share the tasks of one file, and one of them dies in the middle.
//
//   npx tsx cluster.mts [store]
//
// The first worker adds the tasks, all three run them. A task half-way kills the worker that runs
// it first; the others notice within a quarter of a second and run again what it had begun. The
// workers send each other nothing: the file is all that they share.

import cluster, { type Worker } from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import { Tasker } from 'tasker'

interface Operations {
  resize: { data: { page: number }; result: { worker: number } }
}

const [store = 'cluster.db'] = process.argv.slice(2)
const WORKERS = 3
const TASKS = 60

/** A worker: its number is in its environment. */
async function work(number: number) {
  const tasker = new Tasker<Operations>({ store, concurrency: 2 })
  tasker.assignRunner('resize', async ({ data, attempt, abortSignal }) => {
    if (data.page === TASKS / 2 && attempt === 1) process.kill(process.pid, 'SIGKILL')
    await sleep(20, undefined, { signal: abortSignal }) // Your own work goes here.
    return { worker: number }
  })
  process.once('disconnect', () => tasker.close())
  process.once('message', () => {
    const pages = Array.from({ length: TASKS }, (_, page) => page)
    tasker.addTasks(pages.map(page => ({ operation: 'resize', data: { page } })))
  })
  await tasker.start()
  process.send?.('ready')
}

/** Starts the workers; resolves with them when all are ready. */
function startWorkers() {
  const ready = (number: number) =>
    new Promise<Worker>(resolve => {
      const worker = cluster.fork({ WORKER: number })
      worker.once('message', () => resolve(worker))
      worker.once('exit', (_, signal) => signal && console.log(`worker ${number}: ${signal}`))
    })
  return Promise.all(Array.from({ length: WORKERS }, (_, n) => ready(n + 1)))
}

/** Resolves with the uuids of the tasks when all have ended, whoever ran them. */
function allEnded(tasker: Tasker<Operations>) {
  return new Promise<string[]>(resolve => {
    const uuids: string[] = []
    tasker.on('task.ended', uuid => uuids.push(uuid) === TASKS && resolve(uuids))
  })
}

/** Prints who ran how many. */
async function report(tasker: Tasker<Operations>, uuids: string[]) {
  const tasks = await Promise.all(uuids.map(uuid => tasker.getTask(uuid)))
  for (let number = 1; number <= WORKERS; number += 1) {
    const count = tasks.filter(({ result }) => result?.worker === number).length
    console.log(`worker ${number}: ${count} done`)
  }
  const lost = tasks.filter(({ attempts }) => attempts[0]?.outcome === 'lost').length
  console.log(`${tasks.length} of ${TASKS} done, ${lost} of them begun by the dead worker first`)
}

async function main() {
  // No runners here: this process only listens.
  const tasker = new Tasker<Operations>({ store, events: 'all' })
  tasker.on('task.failed', (uuid, error) => console.error(`task ${uuid} failed:`, error))
  await tasker.ready()
  const [first] = await startWorkers()
  const ended = allEnded(tasker)
  first.send('add')
  await report(tasker, await ended)
  cluster.disconnect()
  await tasker.close()
}

await (cluster.isPrimary ? main() : work(Number(process.env.WORKER)))
