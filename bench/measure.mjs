// One measurement in a process of its own: `measure.mjs PEER SCENARIO OPTIONS` prints a line of
// JSON with its value, and the CPU time of all threads in µs per task. Options: { n, window,
// durability, checkout }; tasker is taken from the checkout. The payload has some 100 bytes.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const [peer, scenario, options] = process.argv.slice(2)
const { n, window = 1024, durability = 'full', checkout } = JSON.parse(options)

const payload = i => ({ book: 'b42', n: i, pad: 'x'.repeat(64) })
const range = (from, count) => Array.from({ length: count }, (_, i) => payload(from + i))
const now = () => performance.now()
const ok = async () => ({ ok: true })

/** Calls `step(from)` for each whole batch, one awaited after the other. */
async function batches(size, step) {
  for (let i = 0; i < n; i += size) await step(i)
}

const bulk = queue => batches(1000, i => queue.addMany(range(i, 1000)))

/** Waits until every result is on disk. */
async function allDone(queue) {
  while ((await queue.done()) < n) await sleep(2)
}

/** What is measured begins, after what comes before it. */
let before
function begin() {
  before = process.cpuUsage()
  return now()
}

/** Tasks per second of what `code` does. */
async function rate(code) {
  const from = begin()
  await code()
  return (n / (now() - from)) * 1000
}

const scenarios = {
  async drain(queue) {
    await bulk(queue)
    return rate(async () => {
      await queue.work(ok)
      await allDone(queue)
    })
  },

  async 'add-run'(queue) {
    await queue.work(ok)
    return rate(async () => {
      await bulk(queue)
      await allDone(queue)
    })
  },

  bulk: queue => rate(() => bulk(queue)),

  adds: queue =>
    rate(() => batches(100, i => Promise.all(range(i, 100).map(data => queue.add(data))))),

  'one-by-one': queue => rate(() => batches(1, i => queue.add(payload(i)))),

  /** Microseconds from the call of add to the call of the runner, in an idle queue: the median. */
  async idle(queue) {
    const times = []
    let arrived
    await queue.work(async () => {
      arrived()
      return ok()
    })
    begin()
    for (let i = 0; i < n; i++) {
      await sleep(5 + (i % 5))
      const from = now()
      const start = new Promise(resolve => {
        arrived = resolve
      })
      await queue.add(payload(i))
      await start
      times.push((now() - from) * 1000)
    }
    return times.sort((a, b) => a - b)[n >> 1]
  },
}

const dir = mkdtempSync(join(tmpdir(), 'tasker-bench-'))
const { open } = await import(`./peers/${peer}.mjs`)
const queue = await open({ dir, window, durability, checkout })
const value = await scenarios[scenario](queue)
const { user, system } = process.cpuUsage(before)
const cpu = (user + system) / n
rmSync(dir, { recursive: true, force: true })
process.stdout.write(`${JSON.stringify({ peer, scenario, n, value, cpu })}\n`, () =>
  process.exit(0),
)
