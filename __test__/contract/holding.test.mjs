/** Holds: what matches one does not start until it is over. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { file, gate, open, refused, started } from './open.mjs'

const inAnHour = () => new Date(Date.now() + 3_600_000)

test('what matches waits, the rest goes on, and a release lets it go', async t => {
  const ran = []
  const tasker = await started(t, { call: ({ data }) => ran.push(data.account) })
  const until = inAnHour()
  const id = await tasker.hold({ query: { 'data.account': 7 }, until })
  const [held, other] = await tasker.addTasks([
    { operation: 'call', data: { account: 7 }, priority: 1 },
    { operation: 'call', data: { account: 8 } },
  ])
  await tasker.waitForTaskOutputData(other)
  const task = await tasker.getTask(held)
  assert.deepEqual([task.status, task.state, task.runAt], ['new', 'delayed', until])
  assert.equal(await tasker.releaseHold(id), true)
  await tasker.waitForTaskOutputData(held)
  assert.deepEqual(ran, [8, 7])
  assert.equal(await tasker.releaseHold(id), false)
})

test('a hold that is over by its time lets it go', async t => {
  const tasker = await started(t, { a: () => 'ran' })
  await tasker.hold({ query: {}, until: Date.now() + 30 })
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'ran')
  assert.deepEqual(await tasker.findHolds(), [])
})

test('a runner holds the others of its scope, and goes on itself', async t => {
  const tasker = open(t)
  const holds = []
  tasker.assignRunner('call', async ({ data, attempt, hold, snooze }) => {
    if (data.is === 'first' && attempt === 1 && holds.length === 0) {
      holds.push(await hold({ query: { 'data.account': data.account }, until: inAnHour() }))
      snooze(1)
    }
    return `called ${data.is}`
  })
  const [first, second] = await tasker.addTasks([
    { operation: 'call', data: { account: 7, is: 'first' } },
    { operation: 'other', data: { account: 7 } },
  ])
  await tasker.start()
  for (;;) {
    const { state, runAt } = await tasker.getTask(first)
    // It snoozed, and is held as its time comes.
    if (state === 'delayed' && runAt > Date.now() + 1_000) break
  }
  const [hold] = await tasker.findHolds()
  assert.deepEqual([hold.id], holds)
  assert.deepEqual(hold.by, { pid: process.pid, uuid: first })
  assert.equal((await tasker.getTask(second)).state, 'ready', 'it has not come up')
  await tasker.releaseHold(hold.id)
  assert.equal(await tasker.waitForTaskOutputData(first), 'called first')
})

test('an explanation and the list say which hold, until when and by whom', async t => {
  const tasker = await started(t, { a: () => {} })
  const [since, until] = [Date.now(), inAnHour()]
  const query = { 'data.n': { $in: [1, 2] }, priority: { $lt: 5 } }
  const id = await tasker.hold({ query, until })
  const uuid = await tasker.addTask({ operation: 'a', data: { n: 2 } })
  const explanation = await tasker.explainTask(uuid)
  const [{ message, reason, ...facts }] = explanation.reasons
  const [hold] = await tasker.findHolds()
  assert(hold.since instanceof Date && Math.abs(hold.since - since) < 60_000)
  assert.deepEqual(hold, { id, query, since: hold.since, until, by: { pid: process.pid } })
  assert.deepEqual([reason, facts, explanation.runnable], ['hold', hold, false])
  const at = until.toISOString()
  const of = `process ${process.pid} holds what matches`
  assert.equal(message, `${of} {"data.n":{"$in":[1,2]},"priority":{"$lt":5}} until ${at}`)
  await tasker.prioritizeTask(uuid, 9)
  assert.deepEqual(await tasker.explain({ operation: 'a' }), {
    operation: 'a',
    waiting: 1,
    reasons: { hold: 1 },
  })
  assert.equal((await tasker.getTask(uuid)).isHeld, true)
  assert.equal(await tasker.countTasks({ isHeld: true }), 1)
  const moved = await tasker.explainTask(uuid)
  assert.equal(moved.reasons[0].cause, 'hold')
  assert.match(moved.reasons[0].message, /: a hold matched it as it came up$/)
})

test('a hold is seen by another tasker of the file, and outlives the one that made it', async t => {
  const store = file()
  const one = open(t, { store })
  const id = await one.hold({ query: { tags: 'mail' }, until: inAnHour() })
  await one.close()
  const { runner, calls } = gate()
  const other = await started(t, { a: runner }, { store })
  const held = await other.addTask({ operation: 'a', tags: ['mail'] })
  await other.addTask({ operation: 'a' })
  const [uuid] = await once(other, 'task.run')
  assert.notEqual(uuid, held)
  assert.equal((await other.getTask(held)).state, 'delayed')
  const third = open(t, { store })
  assert.equal(await third.releaseHold(id), true)
  assert.deepEqual(await once(other, 'task.run'), [held])
  assert.equal(calls.length, 2)
})

test('held tasks are aborted, and end by their queueTimeout', async t => {
  const tasker = await started(t, { a: () => {} })
  await tasker.hold({ query: {}, until: inAnHour() })
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.abortTask(uuid), true)
  const late = await tasker.addTask({ operation: 'a', queueTimeout: 20 })
  await assert.rejects(tasker.waitForTaskOutputData(late), { cause: 'queue-timeout' })
})

test('what cannot be a hold is refused with its path', async t => {
  const tasker = open(t)
  const until = inAnHour()
  const days = n => Date.now() + n * 24 * 3_600_000
  for (const [options, code, path] of [
    [undefined, 'TASKER_INVALID', 'options'],
    [{ until }, 'TASKER_INVALID_QUERY', 'query'],
    [{ query: 7, until }, 'TASKER_INVALID_QUERY', 'query'],
    [{ query: { seq: 1 }, until }, 'TASKER_INVALID_QUERY', 'query.seq'],
    [{ query: { 'data.a': { $no: 1 } }, until }, 'TASKER_INVALID_QUERY', 'query.data.a.$no'],
    [{ query: { label: 'x'.repeat(70_000) }, until }, 'TASKER_TOO_LARGE', 'query'],
    [{ query: {} }, 'TASKER_INVALID', 'until'],
    [{ query: {}, until: 'soon' }, 'TASKER_INVALID', 'until'],
    [{ query: {}, until: new Date(Number.NaN) }, 'TASKER_INVALID', 'until'],
    [{ query: {}, until: days(31) }, 'TASKER_INVALID', 'until'],
    [{ query: {}, until, limit: 1 }, 'TASKER_INVALID', 'limit'],
  ]) {
    await refused(tasker.hold(options), code, path)
  }
  for (const id of [undefined, 'x', -1, 1.5, null, {}]) {
    await refused(tasker.releaseHold(id), 'TASKER_INVALID', 'id')
  }
  assert.equal(await tasker.releaseHold(1), false)
  for (let n = 0; n < 100; n += 1) await tasker.hold({ query: {}, until: days(30) - 60_000 })
  await refused(tasker.hold({ query: {}, until }), 'TASKER_LIMIT', 'query')
  assert.equal((await tasker.findHolds()).length, 100)
})

test('what a runner asks for wrongly rejects its own call', async t => {
  const tasker = await started(t, {
    a: async ({ hold }) => {
      const wrong = hold({ query: { seq: 1 }, until: 0 })
      return await wrong.catch(({ code, path }) => [code, path])
    },
  })
  const uuid = await tasker.addTask({ operation: 'a' })
  const said = await tasker.waitForTaskOutputData(uuid)
  assert.deepEqual(said, ['TASKER_INVALID_QUERY', 'query.seq'])
})
