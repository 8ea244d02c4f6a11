import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gate, rejection, started } from './open.mjs'

/** Rejects when its signal fires, with another error than the reason. */
const obedient = ({ abortSignal }) =>
  new Promise((_, reject) => {
    abortSignal.addEventListener('abort', () => reject(new Error('obeyed')))
  })

test('a run that takes too long gets its signal and ends as aborted', async t => {
  for (const runTimeout of [1, '1ms', '0.001s']) {
    const reasons = []
    const tasker = await started(t, {
      a: context => {
        context.abortSignal.addEventListener('abort', () =>
          reasons.push(context.abortSignal.reason),
        )
        return obedient(context)
      },
    })
    const uuid = await tasker.addTask({ operation: 'a', runTimeout })
    const error = await rejection(tasker.waitForTaskOutputData(uuid))
    assert.deepEqual(
      [error.name, error.code, error.cause],
      ['AbortError', 'ABORT_ERR', 'run-timeout'],
    )
    assert.equal(reasons[0].cause, 'run-timeout')
    const task = await tasker.getTask(uuid)
    assert.deepEqual([task.status, task.cause, task.runTimeout], ['aborted', 'run-timeout', 1])
    const { name, code, cause } = task.abortReason
    assert.deepEqual([name, code, cause], ['AbortError', 'ABORT_ERR', 'run-timeout'])
  }
})

test('a return after the timeout is done', async t => {
  const tasker = await started(t, {
    a: ({ abortSignal }) =>
      new Promise(resolve => abortSignal.addEventListener('abort', () => resolve('all the same'))),
  })
  const uuid = await tasker.addTask({ operation: 'a', runTimeout: 1 })
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'all the same')
})

test('a run that ignores its timeout is fenced after a grace, and its place is free', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner }, { concurrency: 1 })
  const [stuck, free] = await tasker.addTasks([
    { operation: 'a', runTimeout: 1 },
    { operation: 'a' },
  ])
  const waiting = rejection(tasker.waitForTaskOutputData(stuck))
  const first = await call(0)
  assert.equal((await waiting).cause, 'run-timeout')
  const second = await call(1)
  assert.equal(second.context.uuid, free)
  first.context.logger.info('from the grave')
  first.resolve('too late')
  second.resolve('in time')
  assert.equal(await tasker.waitForTaskOutputData(free), 'in time')
  const task = await tasker.getTask(stuck, { withLogs: true })
  assert.deepEqual([task.status, task.logs], ['aborted', []])
  assert.equal('result' in task, false)
})

test('the tasker has a default, the task overrides it, false means none', async t => {
  const tasker = await started(t, { a: obedient, b: () => 1 }, { runTimeout: 1 })
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal((await rejection(tasker.waitForTaskOutputData(uuid))).cause, 'run-timeout')
  const longer = await tasker.addTask({ operation: 'b', runTimeout: '2h' })
  const none = await tasker.addTask({ operation: 'b', runTimeout: false })
  assert.equal((await tasker.getTask(longer)).runTimeout, 7_200_000)
  assert.equal('runTimeout' in (await tasker.getTask(none)), false)
})

test('a timeout longer than a timer of Node fires late, not at once', async t => {
  const tasker = await started(t, { a: ({ abortSignal }) => abortSignal.aborted })
  const uuid = await tasker.addTask({ operation: 'a', runTimeout: '36500d' })
  assert.equal(await tasker.waitForTaskOutputData(uuid), false)
})
