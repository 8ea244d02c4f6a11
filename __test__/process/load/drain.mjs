// Runs many tasks at full speed beside an HTTP server of the user's, and prints how that server and
// the event loop fared: one line of JSON. Options: { store, n, concurrency? }.

import { createServer } from 'node:http'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import { Tasker } from '../../../index.mjs'

const { store, n, concurrency } = JSON.parse(process.argv[2])

/** Asks the server one request after the other, from a thread of its own, until told to end. */
function visitor(port) {
  const script = `
    const { get, Agent } = require('node:http')
    const { parentPort } = require('node:worker_threads')
    const agent = new Agent({ keepAlive: true })
    const latencies = []
    let isOver = false
    parentPort.once('message', () => { isOver = true })
    const visit = () => {
      const began = performance.now()
      get({ host: '127.0.0.1', port: ${port}, agent }, answer => {
        answer.resume().once('end', () => {
          latencies.push(performance.now() - began)
          if (!isOver) return visit()
          agent.destroy()
          parentPort.postMessage(latencies)
        })
      })
    }
    visit()
  `
  const worker = new Worker(script, { eval: true })
  return () =>
    new Promise(resolve => {
      worker.once('message', resolve)
      worker.postMessage('end')
    })
}

const percentile = (sorted, share) => sorted[Math.floor((sorted.length - 1) * share)]

async function fill(tasker) {
  for (let from = 0; from < n; from += 1000) {
    const some = Array.from({ length: Math.min(1000, n - from) }, (_, i) => ({
      operation: 'a',
      data: { n: from + i },
    }))
    await tasker.addTasks(some)
  }
}

const tasker = new Tasker({ store, concurrency })
await fill(tasker)

const server = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1')
await new Promise(resolve => server.once('listening', resolve))

let left = n
const drained = new Promise(resolve => {
  tasker.assignRunner('a', async ({ data }) => data)
  tasker.on('task.done', () => {
    left -= 1
    if (left === 0) resolve()
  })
})
const leave = visitor(server.address().port)
await new Promise(resolve => server.once('request', resolve))
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
const began = performance.now()
await tasker.start()
await drained
const seconds = (performance.now() - began) / 1000
delay.disable()
const latencies = (await leave()).sort((a, b) => a - b)
server.close()
await tasker.close()

const ms = value => Number(value.toFixed(2))
console.log(
  JSON.stringify({
    tasksPerSecond: Math.round(n / seconds),
    loop: {
      p50: ms(delay.percentile(50) / 1e6),
      p99: ms(delay.percentile(99) / 1e6),
      max: ms(delay.max / 1e6),
    },
    server: {
      requests: latencies.length,
      p99: ms(percentile(latencies, 0.99)),
      max: ms(latencies.at(-1)),
    },
  }),
)
