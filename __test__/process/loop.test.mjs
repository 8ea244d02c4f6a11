// What a tasker takes from the process it lives in: nothing while it has nothing to do, and some
// milliseconds at a time while it works at full speed.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { file, imports, open, pending, runs } from '../contract/open.mjs'

const execute = promisify(execFile)
const drain = fileURLToPath(new URL('load/drain.mjs', import.meta.url))

/** One tick of the clock that /proc counts processor time with. */
const TICK_MS = 10

test('a started tasker with nothing to do takes no processor time', {
  skip: !existsSync('/proc/self/stat'),
}, async t => {
  const script = `${imports}
    import { readFileSync } from 'node:fs'
    import { setTimeout } from 'node:timers/promises'
    const ticks = () => {
      const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ')
      return Number(fields[11]) + Number(fields[12])
    }
    const tasker = new Tasker({ store: ${JSON.stringify(file())}, runners: { a: () => 1 } })
    await tasker.start()
    await tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'a' }))
    await tasker.addTask({ operation: 'nobody runs it' })
    // The store is tidied, and the compiler of JavaScript comes to rest.
    await setTimeout(500)
    const before = ticks()
    await setTimeout(2000)
    console.log(ticks() - before)
    await tasker.close()
  `
  const ms = Number(await runs(script)) * TICK_MS
  t.diagnostic(`${ms} ms of processor time in 2 s`)
  // Reading the clock may itself end in the next tick.
  assert.ok(ms <= TICK_MS, `${ms} ms in 2 s`)
})

/** Twice what the engine hands out at a time: a turn may see the last of a row and a first. */
const startsMax = 2 * 256
const messagesMax = 2 * 1024

test('however much is waiting, a turn of the event loop takes a bounded part', async t => {
  const count = 20_000
  const most = { starts: 0, ends: 0 }
  const seen = { starts: 0, ends: 0 }
  const take = kind => {
    most[kind] = Math.max(most[kind], seen[kind])
    seen[kind] = 0
  }
  let isOver = false
  const turn = () => {
    take('starts')
    take('ends')
    if (!isOver) setImmediate(turn)
  }
  const { promise: gate, resolve: letGo } = pending()
  const { promise: over, resolve: end } = pending()
  let [started, ended] = [0, 0]
  const runner = () => {
    seen.starts += 1
    started += 1
    if (started === count) letGo()
    return gate
  }
  const tasker = open(t, { runners: { a: runner }, concurrency: count })
  tasker.on('task.done', () => {
    seen.ends += 1
    ended += 1
    if (ended === count) end()
  })
  const some = Array.from({ length: count / 2 }, () => ({ operation: 'a' }))
  await tasker.addTasks(some)
  await tasker.addTasks(some)
  turn()
  await tasker.start()
  await over
  isOver = true
  turn()
  t.diagnostic(`at most ${most.starts} starts and ${most.ends} ends in one turn`)
  assert.ok(most.starts <= startsMax, `${most.starts} starts`)
  assert.ok(most.ends <= messagesMax, `${most.ends} ends`)
})

const n = 100_000
/** How late the loop may be in one turn of a hundred; the last is not what anybody should set. */
const lateMsMax = { 100: 10, 1000: 10, 100000: 30 }
for (const [concurrency, p99Max] of Object.entries(lateMsMax)) {
  test(`${n} tasks at full speed, ${concurrency} at once, leave the loop to a server`, async t => {
    const options = JSON.stringify({ store: file(), n, concurrency: Number(concurrency) })
    const { stdout } = await execute(process.execPath, [drain, options], { timeout: 60_000 })
    const { tasksPerSecond, loop, server } = JSON.parse(stdout)
    t.diagnostic(`${tasksPerSecond} tasks/s beside ${server.requests} requests of one visitor`)
    t.diagnostic(`event loop: p50 ${loop.p50}, p99 ${loop.p99}, max ${loop.max} ms`)
    t.diagnostic(`server: p99 ${server.p99}, max ${server.max} ms`)
    assert.ok(server.requests > 100, 'the server was not asked enough')
    assert.ok(loop.p99 <= p99Max, `the loop was late by ${loop.p99} ms`)
  })
}
