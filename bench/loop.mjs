// `npm run bench:loop`: what a tasker takes from the process it lives in: how late the event loop
// and an HTTP server of the user's are while it works at full speed, and the processor time that it
// takes while it has nothing to do. `--quick` does it with few, to see that everything still runs.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { Tasker } from '../index.mjs'
import { idleShare, measureApart } from './parts.mjs'

const file = fileURLToPath(import.meta.url)
const quick = process.argv.includes('--quick')
const n = quick ? 5_000 : 100_000
const idleMs = quick ? 500 : 5_000
const CALL = 1_000

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
      const begin = performance.now()
      get({ host: '127.0.0.1', port: ${port}, agent }, answer => {
        answer.resume().once('end', () => {
          latencies.push(performance.now() - begin)
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

async function fill(tasker) {
  for (let from = 0; from < n; from += CALL) {
    const tasks = Array.from({ length: CALL }, (_, i) => ({
      operation: 'a',
      data: { n: from + i },
    }))
    await tasker.addTasks(tasks)
  }
}

/** Resolves when all have ended. */
function countEnds(tasker) {
  let left = n
  tasker.assignRunner('a', async ({ data }) => data)
  return new Promise(resolve => {
    tasker.on('task.done', () => {
      left -= 1
      if (left === 0) resolve()
    })
  })
}

/** Drains at full speed beside a server with one visitor. */
async function drain(store, concurrency) {
  const tasker = new Tasker({ store, concurrency })
  await fill(tasker)
  const server = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const drained = countEnds(tasker)
  const leave = visitor(server.address().port)
  await new Promise(resolve => server.once('request', resolve))
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const begin = performance.now()
  await tasker.start()
  await drained
  const seconds = (performance.now() - begin) / 1_000
  delay.disable()
  const latencies = (await leave()).sort((a, b) => a - b)
  server.close()
  await tasker.close()
  return {
    rate: n / seconds,
    loop: { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 },
    server: { p99: latencies[Math.floor((latencies.length - 1) * 0.99)], max: latencies.at(-1) },
  }
}

/** The share of one core that a started tasker takes once its work is done. */
async function idle(store) {
  const tasker = new Tasker({ store, runners: { a: () => 1 } })
  await tasker.start()
  await tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'a' }))
  await tasker.addTask({ operation: 'nobody runs it' })
  const share = await idleShare(idleMs)
  await tasker.close()
  return share
}

/** Has a process of its own measure something. */
function measure(...words) {
  return measureApart(file, [...words, ...(quick ? ['--quick'] : [])])
}

function print(name, cells) {
  const row = name.padEnd(32) + cells.map(cell => cell.padStart(15)).join('')
  process.stdout.write(`${row}
`)
}

const number = value => value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 2 : 0 })
const ms = value => `${number(value)} ms`

function main() {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-bench-loop-'))
  print('', ['tasks', 'loop late, p99', 'max', 'server, p99', 'max'])
  // The last is what nobody should set.
  for (const concurrency of [100, 1_000, 100_000]) {
    const store = join(folder, `${concurrency}.db`)
    const { rate, loop, server } = measure('drain', store, String(concurrency))
    const times = [loop.p99, loop.max, server.p99, server.max].map(ms)
    print(`${number(concurrency)} in flight`, [`${number(rate)} /s`, ...times])
  }
  const share = measure('idle', join(folder, 'idle.db'))
  print('\nCPU when idle, of one core', [`${number(share * 100)} %`])
  print('goals: loop p99 ≤ 10 ms with 100 and 1,000 in flight; idle ≤ 0.5 %', [])
  rmSync(folder, { recursive: true, force: true })
}

const [what, store, concurrency] = process.argv.slice(2).filter(word => word !== '--quick')
if (what === 'drain') console.log(JSON.stringify(await drain(store, Number(concurrency))))
else if (what === 'idle') console.log(JSON.stringify(await idle(store)))
else main()
