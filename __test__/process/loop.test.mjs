// What a tasker takes from the process it lives in: a bounded part of each turn of its event loop.
// How long those parts last is what `npm run bench:loop` prints.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { open, pending } from '../contract/open.mjs'

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

/** Keeps the loop busy for so long. */
function spin(ms) {
  for (const end = performance.now() + ms; performance.now() < end; );
}

/** Counts calls by the turn of the event loop in which they came; `most` is the greatest count. */
function perTurn() {
  const counts = { most: 0, now: 0, isOver: false }
  const turn = () => {
    counts.now = 0
    if (!counts.isOver) setImmediate(turn)
  }
  turn()
  const count = () => {
    counts.now += 1
    counts.most = Math.max(counts.most, counts.now)
  }
  return { counts, count }
}

/** In 8 ms at most two calls of 5 ms begin; a turn may see the last of one share and a next one. */
const callsMax = 4

for (const options of [{}, { concurrency: 2 }]) {
  const how = JSON.stringify(options)
  test(`runners that work before an await leave the loop alive, ${how} (B-18)`, async t => {
    const { counts, count } = perTurn()
    const runner = () => {
      count()
      spin(5)
    }
    const tasker = open(t, { runners: { a: runner }, ...options })
    const uuids = await tasker.addTasks(Array.from({ length: 200 }, () => ({ operation: 'a' })))
    await tasker.start()
    await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
    counts.isOver = true
    assert.ok(counts.most <= callsMax, `${counts.most} runs in one turn`)
  })
}

test('listeners that work for long leave the loop alive (B-18)', async t => {
  const { counts, count } = perTurn()
  const tasker = open(t, { runners: { a: () => {} } })
  tasker.on('task.done', () => {
    count()
    spin(5)
  })
  const uuids = await tasker.addTasks(Array.from({ length: 200 }, () => ({ operation: 'a' })))
  await tasker.start()
  await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  counts.isOver = true
  assert.ok(counts.most <= callsMax, `${counts.most} listeners in one turn`)
})
