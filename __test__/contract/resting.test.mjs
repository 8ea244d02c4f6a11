/** Being told, and waiting, that nothing is left to do: `idle` and `drained`. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { open, refused, started } from './open.mjs'

const LATER = new Date('2090-01-01')

/** Writes down when it is told of a rest. */
function hear(tasker) {
  const told = []
  for (const event of ['idle', 'drained']) tasker.on(event, () => told.push(event))
  return told
}

test('idle() resolves when what was asked for is done, awaited or not', async t => {
  const done = []
  const tasker = await started(t, { a: ({ data }) => void done.push(data) }, { concurrency: 1 })
  await tasker.idle()
  for (const data of [1, 2, 3]) tasker.addTask({ operation: 'a', data })
  await tasker.idle()
  assert.deepEqual(done, [1, 2, 3])
})

test('the end of all work is told once each time, idle before drained', async t => {
  const tasker = await started(t, { a: ({ data }) => data })
  const told = hear(tasker)
  await tasker.addTasks([1, 2, 3].map(data => ({ operation: 'a', data })))
  await tasker.idle()
  assert.deepEqual(told, ['idle', 'drained'])
  await tasker.addTask({ operation: 'a' })
  await tasker.idle()
  assert.deepEqual(told, ['idle', 'drained', 'idle', 'drained'])
})

test('what waits for something else is no work here, and the store is not drained', async t => {
  const tasker = await started(t, { a: () => {} })
  const told = hear(tasker)
  const later = await tasker.addTask({ operation: 'a', runAt: LATER })
  const nobodys = await tasker.addTask({ operation: 'b' })
  await tasker.addTask({ operation: 'a' })
  await tasker.idle()
  assert.deepEqual(told, ['idle'])
  const drained = once(tasker, 'drained')
  await tasker.abortTask(later)
  await tasker.abortTask(nobodys)
  assert.deepEqual(await drained, [])
})

test('a tasker that was stopped, or never started, is idle', async t => {
  const tasker = open(t)
  await tasker.addTask({ operation: 'a' })
  await tasker.idle()
  tasker.assignRunner('a', () => {})
  await tasker.start()
  await tasker.idle()
  await tasker.stop()
  await tasker.addTask({ operation: 'a' })
  await tasker.idle()
})

test('a wait ends with its signal, its time and its tasker', async t => {
  const tasker = await started(t, { a: ({ abortSignal }) => once(abortSignal, 'abort') })
  const began = once(tasker, 'task.run')
  await tasker.addTask({ operation: 'a' })
  await began
  const abortSignal = AbortSignal.abort(new Error('enough'))
  await assert.rejects(tasker.idle({ abortSignal }), { message: 'enough' })
  await assert.rejects(tasker.idle({ timeout: 1 }), { code: 'TASKER_TIMEOUT' })
  await refused(tasker.idle({ tiemout: 1 }), 'TASKER_INVALID')
  const waits = tasker.idle()
  await tasker.close({ onStop: 'abort' })
  await waits.catch(error => assert.equal(error.code, 'TASKER_CLOSED'))
  await refused(tasker.idle(), 'TASKER_CLOSED')
})
