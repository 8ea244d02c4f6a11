// Opens and closes taskers of every kind, one after the other, and prints what the process holds
// after the first rounds and after the last, as a line of JSON. Needs --expose-gc.
// Options: { place, warm, cycles }.

import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { Tasker } from '../../../index.mjs'

const { place, warm, cycles } = JSON.parse(process.argv[2])
const nothing = () => {}

/** Runs one task and leaves one that runs and one that waits. */
async function work(tasker) {
  tasker.assignRunner('a', ({ data, abortSignal }) => data ?? once(abortSignal, 'abort'))
  await tasker.start()
  await tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'a', data: 1 }))
  tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'b' })).catch(nothing)
  tasker.addTask({ operation: 'a' }).catch(nothing)
}

const postpone = { onStop: 'postpone' }
const memory = options => new Tasker({ store: ':memory:', ...options })
const onFile = n => new Tasker({ store: `${place}/${n % 10}.db`, runners: { c: nothing } })

const kinds = {
  'in memory, closed while it opens': () => memory().close(),
  'on a file, closed while it opens': n => onFile(n).close(),
  'closed twice': async () => {
    const tasker = memory()
    tasker.close()
    await tasker.close()
  },
  'never awaited before it is closed': n => {
    const tasker = onFile(n)
    tasker.addTask({ operation: 'c' })
    tasker.start().catch(nothing)
    tasker.findTasks({}, { limit: 1, timeout: '1h' }).catch(nothing)
    return tasker.close(postpone)
  },
  'in memory, at work': async () => {
    const tasker = memory({ keepAlive: 'always', captureContext: true })
    await work(tasker)
    await tasker.close(postpone)
  },
  'on a file, at work': async n => {
    const tasker = onFile(n)
    await work(tasker)
    await tasker.close({ onStop: 'abort' })
  },
  'with signals and listeners': async () => {
    const tasker = memory()
    tasker.on('task.log', nothing).on('task.ended', nothing)
    const { signal } = new AbortController()
    await tasker.start(signal)
    await tasker.addTask({ operation: 'a', abortSignal: signal })
    await tasker.close()
  },
  'with a thread, at work': async n => {
    // One in many: it takes as long as all others together.
    if (n % 20 !== 0) return
    const tasker = memory()
    tasker.assignRunner('a', new URL('double.mjs', import.meta.url), { threads: 1 })
    await tasker.start()
    await tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'a', data: 1 }))
    await tasker.close()
  },
  'on a file that cannot be opened': async () => {
    const tasker = new Tasker(`${place}/none/tasks.db`)
    await tasker.ready().catch(nothing)
    await tasker.close()
  },
  'refused by the constructor': () => {
    try {
      new Tasker({ store: ':memory:', concurrency: -1 })
    } catch {}
  },
  'on a file that another holds': async n => {
    const first = onFile(n)
    await first.ready()
    const second = onFile(n)
    await second.ready().catch(nothing)
    await Promise.all([second.close(), first.close()])
  },
}

const names = Object.keys(kinds)

function held() {
  global.gc()
  const threads = readdirSync('/proc/self/task').length
  const files = readdirSync('/proc/self/fd').map(target).sort()
  const resources = process
    .getActiveResourcesInfo()
    .filter(name => !/^(Immediate|Pipe|TTY)/.test(name))
  return { threads, files, resources, rssMb: Math.round(process.memoryUsage.rss() / 2 ** 20) }
}

/** What a descriptor stands for; the one that lists them is gone. */
function target(fd) {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return 'the list'
  }
}

async function rounds(count) {
  for (let n = 0; n < count; n += 1) await kinds[names[n % names.length]](n)
  return held()
}

console.log('')
const before = await rounds(warm)
console.log(JSON.stringify([before, await rounds(cycles)]))
