import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { file, gate, open, refused, rejection, started } from './open.mjs'

test('a wait that began before the end and one that began after give the same', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const uuid = await tasker.addTask({ operation: 'a' })
  const early = tasker.waitForTaskOutputData(uuid)
  ;(await call(0)).resolve({ pages: [1, 2] })
  assert.deepEqual(await early, { pages: [1, 2] })
  assert.deepEqual(await tasker.waitForTaskOutputData(uuid), { pages: [1, 2] })
})

test('each wait gets a result of its own', async t => {
  const kept = { list: [] }
  const tasker = await started(t, { a: () => kept })
  const uuid = await tasker.addTask({ operation: 'a' })
  const waits = [1, 2, 3].map(() => tasker.waitForTaskOutputData(uuid))
  const results = await Promise.all(waits)
  assert.equal(new Set([...results, kept]).size, 4)
})

test('a wait works after a restart (I-1)', async t => {
  const store = file()
  const first = await started(t, { a: () => 'kept' }, { store })
  const uuid = await first.addTask({ operation: 'a' })
  await first.waitForTaskOutputData(uuid)
  await first.close()
  const second = open(t, { store })
  assert.equal(await second.waitForTaskOutputData(uuid), 'kept')
})

test('a wait ends for a task that is aborted in the queue', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({ operation: 'never' })
  const waiting = rejection(tasker.waitForTaskOutputData(uuid))
  await tasker.abortTask(uuid)
  const error = await waiting
  assert.deepEqual([error.name, error.code, error.cause], ['AbortError', 'ABORT_ERR', 'user'])
})

test('a wait ends by its signal and leaves the task alone', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const uuid = await tasker.addTask({ operation: 'a' })
  const { resolve } = await call(0)
  const own = new AbortController()
  const waits = [1, 2].map(() =>
    rejection(tasker.waitForTaskOutputData(uuid, { abortSignal: own.signal })),
  )
  assert.equal(getEventListeners(own.signal, 'abort').length, 1)
  const reason = new Error('no patience')
  own.abort(reason)
  assert.deepEqual(await Promise.all(waits), [reason, reason])
  assert.equal(getEventListeners(own.signal, 'abort').length, 0)
  const again = tasker.waitForTaskOutputData(uuid, { abortSignal: own.signal })
  assert.equal(await rejection(again), reason)
  resolve('done')
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'done')
})

test('a wait that is answered takes its listener off the signal', async t => {
  const tasker = await started(t, { a: () => 1 })
  const { signal: abortSignal } = new AbortController()
  const uuid = await tasker.addTask({ operation: 'a' })
  await tasker.waitForTaskOutputData(uuid, { abortSignal, timeout: '1h' })
  assert.equal(getEventListeners(abortSignal, 'abort').length, 0)
})

test('a wait ends when its time is over', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({ operation: 'never' })
  for (const timeout of [1, '2ms', 0.5]) {
    await refused(tasker.waitForTaskOutputData(uuid, { timeout }), 'TASKER_TIMEOUT')
  }
  for (const timeout of [0, -1, Number.NaN, Infinity, '1', '1 s', '', null, true, {}]) {
    await refused(tasker.waitForTaskOutputData(uuid, { timeout }), 'TASKER_INVALID', 'timeout')
  }
})

test('a wait may last longer than a timer of Node can', async t => {
  const tasker = await started(t, { a: () => 1 })
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.waitForTaskOutputData(uuid, { timeout: '36500d' }), 1)
  const other = await tasker.addTask({ operation: 'never' })
  const waiting = tasker.waitForTaskOutputData(other, { timeout: 2 ** 31 })
  let hasEnded = false
  waiting.catch(() => {}).finally(() => (hasEnded = true))
  for (let n = 0; n < 20; n += 1) await tasker.countTasks()
  assert.equal(hasEnded, false)
})

test('an unknown task is not waited for', async t => {
  const tasker = open(t)
  const uuid = '018f0000-0000-7000-8000-000000000000'
  await refused(tasker.waitForTaskOutputData(uuid), 'TASKER_NOT_FOUND')
  await refused(tasker.waitForTaskOutputData(), 'TASKER_INVALID', 'uuid')
  await refused(tasker.waitForTaskOutputData(uuid, { wait: 1 }), 'TASKER_INVALID', 'wait')
})

test('ten thousand waits are answered', async t => {
  const tasker = await started(t, { a: ({ data }) => data })
  const definitions = Array.from({ length: 10_000 }, (_, data) => ({ operation: 'a', data }))
  const uuids = await tasker.addTasks(definitions)
  const results = await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  assert.deepEqual(
    results,
    definitions.map(({ data }) => data),
  )
})
