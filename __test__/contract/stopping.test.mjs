import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gate, next, open, refused, rejection, started } from './open.mjs'

/** Counts the events `started` and `stopped`. */
function heard(tasker) {
  const events = []
  for (const event of ['started', 'stopped']) tasker.on(event, () => events.push(event))
  return events
}

test('start and stop can be repeated and tell each change once', async t => {
  const tasker = open(t)
  const events = heard(tasker)
  await tasker.stop()
  assert.deepEqual(events, [])
  await Promise.all([tasker.start(), tasker.start()])
  await tasker.start()
  assert.deepEqual(events, ['started'])
  await Promise.all([tasker.stop(), tasker.stop()])
  await tasker.stop()
  assert.deepEqual(events, ['started', 'stopped'])
  await tasker.start()
  assert.deepEqual(events, ['started', 'stopped', 'started'])
})

test('nothing starts after stop, and start resumes', async t => {
  const tasker = await started(t, { a: () => 'ran' })
  await tasker.stop()
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal((await tasker.getTask(uuid)).status, 'new')
  await tasker.start()
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'ran')
})

test('stop waits for running tasks, and tells when they have ended', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const events = []
  tasker.on('task.done', () => events.push('done'))
  tasker.on('stopped', () => events.push('stopped'))
  await tasker.addTask({ operation: 'a' })
  const { resolve } = await call(0)
  const stopping = tasker.stop().then(() => events.push('resolved'))
  resolve()
  await stopping
  assert.deepEqual(events, ['done', 'stopped', 'resolved'])
})

test('stop with postpone gives the task back and does not count the attempt', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const uuid = await tasker.addTask({ operation: 'a' })
  const { context, resolve } = await call(0)
  const fired = new Promise(hear => context.abortSignal.addEventListener('abort', hear))
  await tasker.stop({ onStop: 'postpone' })
  await fired
  assert.equal(context.abortSignal.reason.name, 'AbortError')
  assert.equal(context.abortSignal.reason.cause, 'shutdown')
  const task = await tasker.getTask(uuid)
  assert.deepEqual([task.status, task.attempt], ['new', 0])
  assert.equal(task.attempts.at(-1).outcome, 'postponed')
  resolve('too late')
  await tasker.start()
  const again = await call(1)
  assert.equal(again.context.attempt, 1)
  assert.notEqual(again.context.runId, context.runId)
  again.resolve('in time')
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'in time')
})

test('stop with abort ends running tasks and leaves waiting ones', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner }, { concurrency: 1 })
  const [running, waiting] = await tasker.addTasks([{ operation: 'a' }, { operation: 'a' }])
  const { context, reject } = await call(0)
  const error = rejection(tasker.waitForTaskOutputData(running))
  context.abortSignal.addEventListener('abort', () => reject(new Error('stopping')))
  await tasker.stop({ onStop: 'abort' })
  assert.equal((await error).name, 'AbortError')
  const task = await tasker.getTask(running)
  assert.deepEqual([task.status, task.cause], ['aborted', 'stop'])
  assert.equal((await tasker.getTask(waiting)).status, 'new')
})

test('when the timeout is over what still runs is postponed', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const uuid = await tasker.addTask({ operation: 'a' })
  await call(0)
  await tasker.stop({ timeout: 1 })
  assert.equal((await tasker.getTask(uuid)).status, 'new')
})

test('stop with timeout 0 does not wait', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const uuid = await tasker.addTask({ operation: 'a' })
  await call(0)
  await tasker.stop({ timeout: 0 })
  assert.equal((await tasker.getTask(uuid)).status, 'new')
})

test('an impatient stop overtakes a patient one', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const events = heard(tasker)
  await tasker.addTask({ operation: 'a' })
  await call(0)
  const patient = tasker.stop()
  await Promise.all([patient, tasker.stop({ onStop: 'postpone' })])
  assert.deepEqual(events, ['stopped'])
})

test('the onStop of a task and of the tasker hold when the stop names none', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner }, { onStop: 'postpone' })
  const [plain, own] = await tasker.addTasks([
    { operation: 'a' },
    { operation: 'a', onStop: 'abort' },
  ])
  await call(0)
  const { context, reject } = await call(1)
  context.abortSignal.addEventListener('abort', () => reject(new Error('over')))
  await tasker.stop()
  assert.equal((await tasker.getTask(plain)).status, 'new')
  assert.equal((await tasker.getTask(own)).status, 'aborted')
})

test('a stop that is wrong changes nothing', async t => {
  const tasker = await started(t, { a: () => 1 })
  const wrong = [
    [{ onStop: 'explode' }, 'onStop'],
    [{ onStop: null }, 'onStop'],
    [{ timeout: -1 }, 'timeout'],
    [{ timeout: Infinity }, 'timeout'],
    [{ timeout: 'soon' }, 'timeout'],
    [{ force: true }, 'force'],
    ['now', 'options'],
  ]
  for (const [options, path] of wrong) {
    await refused(tasker.stop(options), 'TASKER_INVALID', path)
    await refused(tasker.close(options), 'TASKER_INVALID', path)
  }
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.waitForTaskOutputData(uuid), 1)
})

test('an aborted signal means stop, not start', async t => {
  const tasker = open(t)
  const events = heard(tasker)
  await tasker.start(AbortSignal.abort())
  assert.deepEqual(events, [])
  await tasker.start()
  await tasker.start(AbortSignal.abort())
  assert.deepEqual(events, ['started', 'stopped'])
})

test('the signal of start stops when it fires', async t => {
  const tasker = open(t)
  const controller = new AbortController()
  await tasker.start(controller.signal)
  const stopped = next(tasker, 'stopped')
  controller.abort()
  await stopped
  await refused(tasker.start('no signal'), 'TASKER_INVALID', 'abortSignal')
})

test('a start during a stop takes effect when the stop is over', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const events = heard(tasker)
  await tasker.addTask({ operation: 'a' })
  const { resolve } = await call(0)
  const stopping = tasker.stop()
  const starting = tasker.start()
  resolve()
  await Promise.all([stopping, starting])
  assert.deepEqual(events, ['stopped', 'started'])
  await tasker.addTask({ operation: 'a' })
  assert.ok(await call(1))
})

test('stop from inside a runner does not hang (F-25)', async t => {
  const tasker = await started(t, {
    a: () => {
      void tasker.stop()
      return 'stopping'
    },
  })
  const stopped = next(tasker, 'stopped')
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'stopping')
  await stopped
})

test('what waits and says so ends with the last stop, and the rest stays', async t => {
  const tasker = open(t, { onStopWaiting: 'abort' })
  const ended = []
  tasker.on('task.aborted', uuid => ended.push(uuid))
  await tasker.pauseOperation('a')
  await tasker.pauseOperation('b')
  await tasker.defineOperation('b', { onStopWaiting: 'keep' })
  tasker.assignRunner('a', () => {})
  tasker.assignRunner('b', () => {})
  await tasker.start()
  const [ends, kept, later, ofAnother, own] = await tasker.addTasks([
    { operation: 'a' },
    { operation: 'a', onStopWaiting: 'keep' },
    { operation: 'a', delay: '1h' },
    { operation: 'b' },
    { operation: 'b', onStopWaiting: 'abort' },
  ])
  const nobody = await tasker.addTask({ operation: 'c' })
  assert.equal((await tasker.getTask(ends)).onStopWaiting, 'abort')
  assert.equal((await tasker.getTask(kept)).onStopWaiting, undefined)
  assert.equal(await tasker.countTasks({ onStopWaiting: 'abort' }), 4)
  await tasker.updateTask(later, { onStopWaiting: 'keep' })
  const wait = rejection(tasker.waitForTaskOutputData(ends))
  await tasker.stop()
  assert.deepEqual(ended, [ends, own])
  const { name, code, cause } = await wait
  assert.deepEqual([name, code, cause], ['AbortError', 'ABORT_ERR', 'stop'])
  for (const uuid of [kept, later, ofAnother, nobody]) {
    assert.equal((await tasker.getTask(uuid)).status, 'new')
  }
})

test('a wrong onStopWaiting is refused with its path', async t => {
  const tasker = open(t)
  await refused(
    tasker.addTask({ operation: 'a', onStopWaiting: 1 }),
    'TASKER_INVALID',
    'onStopWaiting',
  )
  const options = { onStopWaiting: 'wait' }
  await refused(tasker.defineOperation('a', options), 'TASKER_INVALID', 'onStopWaiting')
  await refused(tasker.addTask({ operation: 'a', ...options }), 'TASKER_INVALID', 'onStopWaiting')
  assert.throws(() => open(t, options), { code: 'TASKER_INVALID', path: 'onStopWaiting' })
})
