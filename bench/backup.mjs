// `npm run bench:backup`: a backup while two processes add tasks without a break, beside the same
// without a backup: how long it takes beside a plain copy of the file's bytes, and how long an add
// waits at most. Fails if an acknowledged task from before the backup is not in the copy, or if the
// copy is not sound. `--quick` does it with a small file, to see that everything still runs.

import { spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../index.mjs'

const file = fileURLToPath(import.meta.url)
const quick = process.argv.includes('--quick')
const n = quick ? 2_000 : 900_000
const restMs = quick ? 200 : 5_000
const CALL = 500
const pad = 'x'.repeat(1_000)

/** Adds without a break until its input ends; prints how long each add took. */
async function write(store) {
  const tasker = new Tasker({ store })
  await tasker.ready()
  console.log('ready')
  let isOver = false
  process.stdin.on('end', () => (isOver = true)).resume()
  let times = []
  process.stdin.on('data', () => {
    console.log(JSON.stringify(times))
    times = []
  })
  while (!isOver) {
    const begin = performance.now()
    await tasker.addTasks(Array.from({ length: 10 }, (_, i) => ({ operation: 'a', data: { i } })))
    times.push(performance.now() - begin)
  }
  await tasker.close()
}

/** A process that writes: `times()` gives how long its adds took since it was asked last. */
async function writer(store) {
  const child = spawn(process.execPath, [file, 'write', store], { stdio: ['pipe', 'pipe', 2] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  return {
    async times() {
      child.stdin.write('.')
      return JSON.parse((await lines.next()).value)
    },
    async end() {
      child.stdin.end()
      await new Promise(resolve => child.once('exit', resolve))
    },
  }
}

const ms = time => `${time.toFixed(1)} ms`
const quantile = (times, q) => times.sort((a, b) => a - b)[Math.floor((times.length - 1) * q)]
const shown = times =>
  `${times.length} adds, p50 ${ms(quantile(times, 0.5))}, p99 ${ms(quantile(times, 0.99))}, ` +
  `longest ${ms(quantile(times, 1))}`

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-bench-'))
  const store = join(folder, 'tasks.db')
  const copy = join(folder, 'copy.db')
  const tasker = new Tasker({ store })
  try {
    for (let from = 0; from < n; from += CALL) {
      const task = (_, i) => ({ operation: 'a', data: { n: from + i, pad } })
      await tasker.addTasks(Array.from({ length: CALL }, task))
    }
    const writers = await Promise.all([writer(store), writer(store)])
    const times = async () => (await Promise.all(writers.map(one => one.times()))).flat()
    await sleep(restMs)
    const before = await times()
    const begin = performance.now()
    await tasker.backup(copy)
    const took = performance.now() - begin
    const during = await times()
    await Promise.all(writers.map(one => one.end()))
    await tasker.close()

    const plain = performance.now()
    copyFileSync(copy, join(folder, 'plain.db'))
    const plainMs = performance.now() - plain
    const restored = new Tasker({ store: copy })
    const found = await restored.countTasks({ 'data.n': { $gte: 0 } })
    await restored.close()
    if (found !== n) throw new Error(`the copy has ${found} of ${n} tasks`)

    console.log(`the file: ${(statSync(copy).size / 1e6).toFixed(0)} MB, ${n} tasks`)
    console.log(`backup with its check: ${ms(took)}; copying the bytes alone: ${ms(plainMs)}`)
    console.log(`without a backup: ${shown(before)}`)
    console.log(`during the backup: ${shown(during)}`)
  } finally {
    await tasker.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[2] === 'write') await write(process.argv[3])
else await main()
