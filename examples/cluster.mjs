// Three processes on one file share the work, and one of them dies in the middle:
// `node examples/cluster.mjs [file]`
//
// The first worker adds, all three run. The third kills itself in its third run; the two others
// notice it within a quarter of a second and run again what it had begun. Nothing is passed between
// the processes by this program: the file is all that they share.

import cluster from 'node:cluster'
import { setTimeout as pause } from 'node:timers/promises'
import { Tasker } from 'tasker'

const [store = 'cluster.db'] = process.argv.slice(2)
const WORKERS = 3
const TASKS = 60

/** A worker: its number is in its environment. */
async function work(number) {
  const tasker = new Tasker({ store, concurrency: 2 })
  let begun = 0
  tasker.assignRunner('resize', async ({ abortSignal }) => {
    begun += 1
    if (number === WORKERS && begun === 3) process.kill(process.pid, 'SIGKILL')
    await pause(20, undefined, { signal: abortSignal }) // the work
    return { worker: number }
  })
  process.once('disconnect', () => tasker.close())
  process.once('message', () => {
    tasker.addTasks(Array.from({ length: TASKS }, () => ({ operation: 'resize' })))
  })
  await tasker.start()
  process.send('ready')
}

/** Starts the workers; resolves with them when all are ready. */
function startWorkers() {
  const ready = number =>
    new Promise(resolve => {
      const worker = cluster.fork({ WORKER: number })
      worker.once('message', () => resolve(worker))
      worker.once('exit', (_, signal) => signal && console.log(`worker ${number}: ${signal}`))
    })
  return Promise.all(Array.from({ length: WORKERS }, (_, n) => ready(n + 1)))
}

/** Resolves with the uuids of the first tasks that have ended, whoever ran them. */
function allEnded(tasker) {
  return new Promise(resolve => {
    const uuids = []
    tasker.on('task.ended', uuid => uuids.push(uuid) === TASKS && resolve(uuids))
  })
}

/** Says who ran what. */
async function report(tasker, uuids) {
  const tasks = await Promise.all(uuids.map(uuid => tasker.getTask(uuid)))
  for (let number = 1; number <= WORKERS; number += 1) {
    const count = tasks.filter(({ result }) => result?.worker === number).length
    console.log(`worker ${number}: ${count} done`)
  }
  const lost = tasks.filter(({ attempts }) => attempts[0].outcome === 'lost').length
  console.log(`${tasks.length} of ${TASKS} done, ${lost} of them begun by the dead worker first`)
}

async function main() {
  // No runners here: this process only looks on.
  const tasker = new Tasker({ store, events: 'all' })
  await tasker.ready()
  const [first] = await startWorkers()
  const ended = allEnded(tasker)
  first.send('add')
  await report(tasker, await ended)
  cluster.disconnect()
  await tasker.close()
}

await (cluster.isPrimary ? main() : work(Number(process.env.WORKER)))
