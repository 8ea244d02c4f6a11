// `npm run bench:rates`: how much of a rate limit three processes use that work on one file, and
// what it costs a process that rests while tasks wait for tokens. Fails if ever more start than
// may. `--quick` does it with few, to see that everything still runs.

import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../index.mjs'
import { idleShare, measureApart } from './parts.mjs'

const file = fileURLToPath(import.meta.url)
const quick = process.argv.includes('--quick')
const seconds = quick ? 1 : 20
const waiting = quick ? 5_000 : 1_000_000
const keys = quick ? 500 : 100_000
const idleMs = quick ? 500 : 10_000
const AT_ONCE = 1_000
const PER = 1_000
const PROCESSES = 3
/** Tokens a second; as many at once as come in 50 ms. */
const limits = [10, 100, 1_000].map(limit => ({ limit, burst: Math.max(1, limit / 20) }))

async function addAll(tasker, count, data) {
  for (let from = 0; from < count; from += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, i) => from + i)
    await tasker.addTasks(numbers.map(i => ({ operation: 'call', data: data(i) })))
  }
}

/** What each process measures; it prints that as JSON. */
const measured = {
  /** Adds tasks of which one may start, and rests: the share of one core that it takes. */
  async idle(store, count, by) {
    const tasker = new Tasker(store)
    const rateLimit = { limit: 1, per: '30d', by: by || undefined }
    await tasker.defineOperation('call', { rateLimit })
    await addAll(tasker, Number(count), i => ({ account: i % keys }))
    tasker.assignRunner('call', () => 1)
    await tasker.start()
    const started = by ? Math.min(keys, count) : Math.min(1, count)
    while ((await tasker.countTasks({ status: 'done' })) < started) await tasker.idle()
    const share = await idleShare(idleMs)
    await tasker.close()
    return { share, mb: process.memoryUsage.rss() / 2 ** 20 }
  },
}

/** The starts of so many tasks in all processes, in order. */
async function startsOf({ limit, burst }, folder) {
  const store = join(folder, `used-${limit}.db`)
  const tasker = new Tasker(store)
  await tasker.defineOperation('call', { rateLimit: { limit, per: PER, burst } })
  const count = burst + limit * seconds
  await addAll(tasker, count, i => i)
  const workers = Array.from({ length: PROCESSES }, () => fork(file, ['work', store]))
  while ((await tasker.countTasks({ status: 'done' })) < count) {
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  for (const worker of workers) worker.disconnect()
  const starts = []
  for await (const { startedAt } of tasker.tasks({})) starts.push(+startedAt)
  await tasker.close()
  return starts.sort((a, b) => a - b)
}

/** The most starts that any window has beyond what came back in it; its ends are a millisecond. */
function mostAtOnce(starts, { limit }) {
  let [least, most] = [Number.POSITIVE_INFINITY, 0]
  starts.forEach((at, i) => {
    const ahead = i - (limit * (at - starts[0])) / PER
    least = Math.min(least, ahead)
    most = Math.max(most, ahead - least + 1 - limit / PER)
  })
  return most
}

/** The share that is used, of what comes back from the first start on. */
function usedShare(starts, { limit, burst }) {
  const ms = starts.at(-1) - starts[0]
  return (starts.length - burst) / ((limit * ms) / PER)
}

/** Runs what may start until nobody listens any more. */
async function work(store) {
  const tasker = new Tasker({ store, runners: { call: () => 1 } })
  process.once('disconnect', () => tasker.close())
  await tasker.start()
}

const number = value => value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 2 : 0 })

function print(name, value) {
  process.stdout.write(`${name.padEnd(60)}${value.padStart(20)}\n`)
}

function measure(...words) {
  return measureApart(file, [...words, ...(quick ? ['--quick'] : [])])
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-bench-rates-'))
  try {
    for (const limit of limits) {
      const starts = await startsOf(limit, folder)
      const most = mostAtOnce(starts, limit)
      if (most > limit.burst) throw new Error(`${most} at once, where ${limit.burst} may`)
      const name = `${limit.limit} a second, burst ${limit.burst}, ${PROCESSES} processes: used`
      print(name, `${number(usedShare(starts, limit) * 100)} %`)
    }
    const at = name => join(folder, `${name}.db`)
    const none = measure('idle', at('none'), 0, '')
    const one = measure('idle', at('one'), waiting, '')
    const keyed = measure('idle', at('keyed'), waiting, 'data.account')
    const show = ({ share, mb }) => `${number(share * 100)} %, ${number(mb)} MB`
    print(`CPU while ${number(waiting)} wait for a token, of one core`, show(one))
    print(`… of ${number(keys)} values, each with a limit of its own`, show(keyed))
    print('… without any task', show(none))
    print('goals: used, CPU', '≥ 95 %, as without')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const [what, ...words] = process.argv.slice(2).filter(word => word !== '--quick')
if (what === 'work') await work(...words)
else if (what) process.stdout.write(JSON.stringify(await measured[what](...words)))
else await main()
