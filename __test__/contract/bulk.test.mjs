import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunks } from '../../dist/bulk.js'
import { file, gate, open, refused, rejection, started } from './open.mjs'

/** So many tasks that are done, and one that failed. */
async function ended(t, count, options = {}) {
  const tasker = await started(t, { a: ({ data }) => data, b: () => Promise.reject(Error('no')) })
  const tasks = Array.from({ length: count }, (_, i) => ({ operation: 'a', data: i, ...options }))
  const uuids = await tasker.addTasks([...tasks, { operation: 'b', ...options }])
  await Promise.allSettled(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  return { tasker, uuids }
}

test('chunks have so many numbers, and all of them', () => {
  const all = [
    ...chunks(
      [
        [1, 3],
        [5, 5],
        [7, 16],
      ],
      4,
    ),
  ]
  assert.deepEqual(all, [
    [
      [1, 3],
      [5, 5],
    ],
    [[7, 10]],
    [[11, 14]],
    [[15, 16]],
  ])
  assert.deepEqual([...chunks([[1, 8]], 4)], [[[1, 4]], [[5, 8]]])
  assert.deepEqual([...chunks([])], [])
})

test('a removed task is gone, and one that has not ended is not removed', async t => {
  const { tasker, uuids } = await ended(t, 1)
  const waiting = await tasker.addTask({ operation: 'nobody' })
  assert.equal(await tasker.removeTask(waiting), false)
  assert.equal(await tasker.removeTask(uuids[0]), true)
  for (const call of ['getTask', 'removeTask', 'abortTask', 'retryTask', 'waitForTaskOutputData'])
    await refused(tasker[call](uuids[0]), 'TASKER_NOT_FOUND')
  assert.equal(await tasker.countTasks(), 2)
  await refused(tasker.removeTask('no uuid'), 'TASKER_NOT_FOUND')
})

test('a dry run says what would be done, and does nothing', async t => {
  const { tasker } = await ended(t, 3)
  await tasker.addTask({ operation: 'nobody' })
  const removed = { matched: 5, changed: 4, skipped: { 'not-ended': 1 } }
  const aborted = { matched: 5, changed: 1, skipped: { ended: 4 } }
  for (const [call, result] of [
    ['removeTasks', removed],
    ['retryTasks', removed],
    ['abortTasks', aborted],
  ]) {
    assert.deepEqual(await tasker[call]({}, { dryRun: true }), result)
    assert.equal(await tasker.countTasks({ status: 'new' }), 1)
    assert.equal(await tasker.countTasks(), 5)
  }
})

test('a query says which of thousands are removed, and their numbers stay unused', async t => {
  const { tasker } = await ended(t, 2_500)
  const result = await tasker.removeTasks({ operation: 'a', data: { $gte: 100 } })
  assert.deepEqual(result, { matched: 2_400, changed: 2_400, skipped: {} })
  assert.deepEqual(await tasker.countTasks({ operation: 'a' }), 100)
  const { seq } = await tasker.getTask(await tasker.addTask({ operation: 'nobody' }))
  assert.equal(seq, 2_502)
})

test('all that wait are aborted, those that run get their signal, with the reason', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const running = await tasker.addTask({ operation: 'a' })
  const { context, reject } = await call(0)
  context.abortSignal.addEventListener('abort', () => reject(context.abortSignal.reason))
  const waiting = await tasker.addTask({ operation: 'nobody' })
  const waits = [running, waiting].map(uuid => rejection(tasker.waitForTaskOutputData(uuid)))
  const result = await tasker.abortTasks({}, { reason: 'enough' })
  assert.deepEqual(result, { matched: 2, changed: 2, skipped: {} })
  for (const error of await Promise.all(waits)) {
    assert.deepEqual([error.name, error.message, error.cause], ['AbortError', 'enough', 'user'])
  }
})

test('what failed runs again, and may get another priority', async t => {
  const { tasker, uuids } = await ended(t, 1)
  await tasker.unassignRunner('b')
  const result = await tasker.retryTasks({ status: 'failed' }, { priority: 7, delay: '1h' })
  assert.deepEqual(result, { matched: 1, changed: 1, skipped: {} })
  const task = await tasker.getTask(uuids[1])
  assert.deepEqual([task.state, task.priority], ['delayed', 7])
})

test('wrong arguments are named, and a call ends with its signal', async t => {
  const tasker = open(t)
  await refused(tasker.removeTasks({ nothing: 1 }), 'TASKER_INVALID_QUERY')
  await refused(tasker.removeTasks({}, { dryRun: 1 }), 'TASKER_INVALID', 'dryRun')
  await refused(tasker.removeTasks({}, { delay: 1 }), 'TASKER_INVALID', 'delay')
  await refused(tasker.retryTasks({}, { delay: 0 }), 'TASKER_INVALID', 'delay')
  await refused(tasker.abortTasks(), 'TASKER_INVALID', 'query')
  const reason = new Error('never mind')
  const aborted = { abortSignal: AbortSignal.abort(reason) }
  assert.equal(await rejection(tasker.removeTasks({}, aborted)), reason)
})

test('a wait in another process is refused when its task is removed', async t => {
  const store = file()
  const one = await started(t, { a: () => 1 }, { store })
  const other = open(t, { store })
  const uuid = await one.addTask({ operation: 'nobody' })
  const wait = rejection(other.waitForTaskOutputData(uuid))
  await one.abortTask(uuid)
  assert.equal((await wait).name, 'AbortError')
  assert.equal(await one.removeTask(uuid), true)
  await refused(other.getTask(uuid), 'TASKER_NOT_FOUND')
})

test('retention is taken from the task, else the operation, else the tasker', async t => {
  const tasker = open(t, { retention: '1d' })
  await tasker.defineOperation('b', { retention: { failed: '1h', done: '1h' } })
  const kept = async definition =>
    (await tasker.getTask(await tasker.addTask(definition))).retention
  assert.equal(await kept({ operation: 'a' }), 86_400_000)
  assert.equal(await kept({ operation: 'a', retention: false }), undefined)
  assert.equal(await kept({ operation: 'a', retention: { aborted: 7, done: 7, failed: 7 } }), 7)
  assert.deepEqual(await kept({ operation: 'b' }), { done: 3_600_000, failed: 3_600_000 })
  assert.equal(await kept({ operation: 'b', retention: 5 }), 5)
  for (const [retention, path] of [
    [0, 'retention'],
    ['soon', 'retention'],
    [{ done: 0 }, 'retention.done'],
    [{ running: 1 }, 'retention.running'],
  ]) {
    await refused(tasker.addTask({ operation: 'a', retention }), 'TASKER_INVALID', path)
    assert.throws(() => open(t, { retention }), { code: 'TASKER_INVALID', path })
  }
})

test('what is over is removed by itself, and nothing else', async t => {
  const { tasker, uuids } = await ended(t, 3, { retention: { done: 1 } })
  const isGone = async () => (await tasker.countTasks({ operation: 'a' })) === 0
  while (!(await isGone())) await new Promise(setImmediate)
  assert.equal((await tasker.getTask(uuids[3])).status, 'failed')
})

test('a task on which another depends stays, and a unique key is taken by one of many', async t => {
  const tasker = await started(t, { a: () => 1 })
  const on = await tasker.addTask({ operation: 'a' })
  await tasker.waitForTaskOutputData(on)
  const dependent = await tasker.addTask({ operation: 'nobody', dependsOn: [on] })
  assert.equal(await tasker.removeTask(on), false)
  const needed = { matched: 1, changed: 0, skipped: { needed: 1 } }
  assert.deepEqual(await tasker.removeTasks({ operation: 'a' }, { dryRun: true }), needed)
  assert.deepEqual(await tasker.removeTasks({ operation: 'a' }), needed)
  await tasker.abortTask(dependent)
  assert.equal(await tasker.removeTask(on), true)
  await refused(tasker.addTask({ operation: 'a', dependsOn: [on] }), 'TASKER_NOT_FOUND')

  const unique = { key: 'k' }
  for (let i = 0; i < 2; i += 1) {
    await tasker.abortTask(await tasker.addTask({ operation: 'nobody', unique }))
  }
  const retried = { matched: 2, changed: 1, skipped: { duplicate: 1 } }
  assert.deepEqual(await tasker.retryTasks({ 'unique.key': 'k' }), retried)
})
