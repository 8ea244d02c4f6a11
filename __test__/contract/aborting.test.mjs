import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { file, gate, next, open, refused, rejection, started } from './open.mjs'

const nobody = '018f0000-0000-7000-8000-000000000000'

/** Rejects with the reason when the signal fires. */
const untilAborted = ({ abortSignal }) =>
  new Promise((_, reject) =>
    abortSignal.addEventListener('abort', () => reject(abortSignal.reason)),
  )

test('a waiting task is aborted at once and never runs', async t => {
  const ran = []
  const tasker = open(t, { runners: { a: ({ uuid }) => ran.push(uuid) } })
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.abortTask(uuid, 'not needed'), true)
  const task = await tasker.getTask(uuid)
  assert.equal(task.status, 'aborted')
  assert.equal(task.cause, 'user')
  assert.equal('startedAt' in task, false)
  const known = { name: 'AbortError', code: 'ABORT_ERR', cause: 'user' }
  assert.deepEqual(task.abortReason, { ...known, message: 'not needed' })
  const other = await tasker.addTask({ operation: 'a' })
  await tasker.start()
  await tasker.waitForTaskOutputData(other)
  assert.deepEqual(ran, [other])
})

test('an ended task is not aborted, an unknown one is not found', async t => {
  const tasker = await started(t, { a: () => 1 })
  const uuid = await tasker.addTask({ operation: 'a' })
  await tasker.waitForTaskOutputData(uuid)
  assert.equal(await tasker.abortTask(uuid), false)
  assert.equal((await tasker.getTask(uuid)).status, 'done')
  await refused(tasker.abortTask(nobody), 'TASKER_NOT_FOUND')
  await refused(tasker.abortTask(`${uuid}0`), 'TASKER_NOT_FOUND')
  for (const wrong of [undefined, null, 7, [uuid]]) {
    await refused(tasker.abortTask(wrong), 'TASKER_INVALID', 'uuid')
  }
})

test('a running task gets the reason by its signal, and a throw ends it as aborted', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const uuid = await tasker.addTask({ operation: 'a' })
  const { context, reject } = await call(0)
  const waiting = rejection(tasker.waitForTaskOutputData(uuid))
  const { abortSignal } = context
  const heard = new Promise(resolve => abortSignal.addEventListener('abort', resolve))
  assert.equal(await tasker.abortTask(uuid, 'enough'), true)
  await heard
  const { reason } = abortSignal
  assert.ok(reason instanceof Error)
  assert.deepEqual(
    [reason.name, reason.code, reason.message, reason.cause],
    ['AbortError', 'ABORT_ERR', 'enough', 'user'],
  )
  reject(new Error('anything'))
  const error = await waiting
  assert.deepEqual([error.name, error.code, error.message], ['AbortError', 'ABORT_ERR', 'enough'])
  const task = await tasker.getTask(uuid)
  assert.deepEqual([task.status, task.cause], ['aborted', 'user'])
  assert.equal(task.abortReason.message, 'enough')
})

test('a return after an abort is done', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const uuid = await tasker.addTask({ operation: 'a' })
  const { context, resolve } = await call(0)
  const heard = new Promise(hear => context.abortSignal.addEventListener('abort', hear))
  await tasker.abortTask(uuid)
  await heard
  resolve('finished all the same')
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'finished all the same')
})

test('a signal asked for after the abort has fired already', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner, barrier: () => {} })
  const uuid = await tasker.addTask({ operation: 'a' })
  const { context, reject } = await call(0)
  await tasker.abortTask(uuid, 'early')
  const barrier = await tasker.addTask({ operation: 'barrier' })
  await tasker.waitForTaskOutputData(barrier)
  assert.equal(context.abortSignal.aborted, true)
  assert.equal(context.abortSignal.reason.message, 'early')
  reject(new Error('end'))
  assert.equal((await rejection(tasker.waitForTaskOutputData(uuid))).message, 'early')
})

test('a reason that is an Error stays the same object in this process', async t => {
  class Cancelled extends Error {
    name = 'Cancelled'
  }
  const store = file()
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner }, { store })
  const uuid = await tasker.addTask({ operation: 'a' })
  const { context, reject } = await call(0)
  const event = next(tasker, 'task.aborted')
  const waiting = rejection(tasker.waitForTaskOutputData(uuid))
  const reason = new Cancelled('by the user')
  const heard = new Promise(hear => context.abortSignal.addEventListener('abort', hear))
  await tasker.abortTask(uuid, reason)
  await heard
  assert.equal(context.abortSignal.reason, reason)
  reject(reason)
  assert.deepEqual(await event, [uuid, reason])
  const error = await waiting
  assert.deepEqual(
    [error.name, error.code, error.message],
    ['AbortError', 'ABORT_ERR', 'by the user'],
  )
  assert.equal(error.reason, reason)
  await tasker.close()
  const later = await rejection(open(t, { store }).waitForTaskOutputData(uuid))
  assert.equal(later.name, 'AbortError')
  assert.equal(later.reason.name, 'Cancelled')
})

test('an aborted signal rejects addTask with its reason and stores nothing', async t => {
  const tasker = open(t)
  const reason = new Error('never mind')
  const abortSignal = AbortSignal.abort(reason)
  const one = { operation: 'a', abortSignal }
  assert.equal(await rejection(tasker.addTask(one)), reason)
  assert.equal(await rejection(tasker.addTasks([{ operation: 'a' }, one])), reason)
  assert.equal(await tasker.countTasks(), 0)
})

test('a signal aborts its task, whether it waits or runs', async t => {
  const tasker = await started(t, { run: untilAborted })
  const controller = new AbortController()
  const { signal: abortSignal } = controller
  const running = await tasker.addTask({ operation: 'run', abortSignal })
  const [waiting] = await tasker.addTasks([{ operation: 'wait', abortSignal }])
  const ends = [running, waiting].map(uuid => rejection(tasker.waitForTaskOutputData(uuid)))
  controller.abort(new Error('shut the door'))
  for (const error of await Promise.all(ends)) {
    assert.deepEqual([error.name, error.message], ['AbortError', 'shut the door'])
  }
  for (const uuid of [running, waiting]) {
    assert.equal((await tasker.getTask(uuid)).cause, 'signal')
  }
})

test('a signal that fires between addTask and its answer aborts the task', async t => {
  const tasker = open(t)
  const controller = new AbortController()
  const adding = tasker.addTask({ operation: 'a', abortSignal: controller.signal })
  controller.abort('changed my mind')
  const error = await rejection(tasker.waitForTaskOutputData(await adding))
  assert.equal(error.message, 'changed my mind')
})

test('one listener per signal however many tasks, and none when they have ended', async t => {
  const tasker = await started(t, { a: () => 1 })
  const { signal: abortSignal } = new AbortController()
  const waiting = { operation: 'later', abortSignal }
  const uuids = await tasker.addTasks(Array.from({ length: 50 }, () => waiting))
  await Promise.all(uuids.map(() => tasker.addTask(waiting)))
  assert.equal(getEventListeners(abortSignal, 'abort').length, 1)
  const ended = (await tasker.findTasks({})).map(({ uuid }) =>
    rejection(tasker.waitForTaskOutputData(uuid)),
  )
  for (const task of await tasker.findTasks({})) await tasker.abortTask(task.uuid)
  await Promise.all(ended)
  assert.equal(getEventListeners(abortSignal, 'abort').length, 0)
})

test('close takes the listeners off signals', async t => {
  const tasker = open(t)
  const { signal: abortSignal } = new AbortController()
  await tasker.addTask({ operation: 'a', abortSignal })
  await tasker.start(abortSignal)
  assert.equal(getEventListeners(abortSignal, 'abort').length, 1)
  await tasker.close()
  assert.equal(getEventListeners(abortSignal, 'abort').length, 0)
})

test('abortTask from inside the runner ends its own task (F-25)', async t => {
  const tasker = await started(t, {
    suicide: async ({ uuid, abortSignal }) => {
      await tasker.abortTask(uuid, 'myself')
      await new Promise(resolve => {
        if (abortSignal.aborted) resolve()
        else abortSignal.addEventListener('abort', resolve)
      })
      throw new Error('dead')
    },
  })
  const uuid = await tasker.addTask({ operation: 'suicide' })
  assert.equal((await rejection(tasker.waitForTaskOutputData(uuid))).message, 'myself')
})

test('a hostile reason harms nothing', async t => {
  const tasker = open(t)
  const trap = () => {
    throw new Error('trapped')
  }
  const reasons = [new Proxy({}, { get: trap, getPrototypeOf: trap }), 10n, Symbol('s'), () => {}]
  for (const reason of reasons) {
    const uuid = await tasker.addTask({ operation: 'a' })
    assert.equal(await tasker.abortTask(uuid, reason), true)
    assert.equal((await tasker.getTask(uuid)).abortReason.name, 'AbortError')
  }
})
