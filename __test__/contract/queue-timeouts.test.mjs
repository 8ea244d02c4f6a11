/** How long tasks may wait for their first start. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import test from 'node:test'
import { open, refused, rejection, started } from './open.mjs'

test('a task that waits too long ends as aborted', async t => {
  const tasker = await started(t, {})
  for (const queueTimeout of [1, '1ms', { after: 1 }, { after: '0.001s', then: 'abort' }]) {
    const uuid = await tasker.addTask({ operation: 'a', queueTimeout })
    const error = await rejection(tasker.waitForTaskOutputData(uuid))
    assert.deepEqual(
      [error.name, error.code, error.cause],
      ['AbortError', 'ABORT_ERR', 'queue-timeout'],
    )
    const task = await tasker.getTask(uuid)
    assert.deepEqual(
      [task.status, task.cause, task.queueTimeout, task.attempts],
      ['aborted', 'queue-timeout', 1, []],
    )
  }
  assert.equal(await tasker.countTasks({ queueTimeout: 1, cause: 'queue-timeout' }), 4)
})

test('it is told as an end', async t => {
  const tasker = await started(t, {})
  const told = ['task.aborted', 'task.ended'].map(event => once(tasker, event))
  const uuid = await tasker.addTask({ operation: 'a', queueTimeout: 1 })
  const [[aborted, reason], ended] = await Promise.all(told)
  assert.deepEqual([aborted, reason.cause], [uuid, 'queue-timeout'])
  assert.deepEqual(ended, [uuid, 'aborted', reason])
})

test('it may move the task, and that is told', async t => {
  const tasker = await started(t, {})
  for (const priority of [7, -0.5, Infinity, -Infinity]) {
    const queueTimeout = { after: 1, then: { priority } }
    const moved = once(tasker, 'task.prioritized')
    const uuid = await tasker.addTask({ operation: 'a', queueTimeout })
    assert.deepEqual(await moved, [uuid, priority])
    const task = await tasker.getTask(uuid)
    assert.deepEqual([task.state, task.priority], ['ready', priority])
    assert.deepEqual(task.queueTimeout, queueTimeout)
  }
})

test('a task that starts at once is left alone, whatever becomes of its run', async t => {
  let calls = 0
  const tasker = await started(t, {
    a: ({ snooze }) => {
      calls += 1
      if (calls === 1) snooze(20)
      return calls
    },
  })
  const uuid = await tasker.addTask({ operation: 'a', queueTimeout: 5 })
  assert.equal(await tasker.waitForTaskOutputData(uuid), 2)
})

test('an operation and the tasker say it for tasks that do not', async t => {
  const tasker = await started(t, {}, { queueTimeout: '1h' })
  await tasker.defineOperation('b', { queueTimeout: { after: 1, then: { priority: Infinity } } })
  await tasker.defineOperation('c', { queueTimeout: false })
  const timeoutOf = async definition =>
    (await tasker.getTask(await tasker.addTask(definition))).queueTimeout
  assert.equal(await timeoutOf({ operation: 'a' }), 3_600_000)
  assert.deepEqual(await timeoutOf({ operation: 'b' }), { after: 1, then: { priority: Infinity } })
  assert.equal(await timeoutOf({ operation: 'c' }), undefined)
  assert.equal(await timeoutOf({ operation: 'b', queueTimeout: false }), undefined)
  assert.equal(await timeoutOf({ operation: 'b', queueTimeout: '2h' }), 7_200_000)
  const [, b, c] = await tasker.findOperations()
  assert.deepEqual(b.options.queueTimeout, { after: 1, then: { priority: Infinity } })
  assert.equal(c.options.queueTimeout, false)
})

test('what is wrong is named with its path', async t => {
  const tasker = open(t)
  for (const [queueTimeout, path] of [
    [0, 'queueTimeout'],
    [-1, 'queueTimeout'],
    [Infinity, 'queueTimeout'],
    [null, 'queueTimeout'],
    [true, 'queueTimeout'],
    ['5 minutes', 'queueTimeout'],
    [[1], 'queueTimeout'],
    [() => {}, 'queueTimeout'],
    [{}, 'queueTimeout.after'],
    [{ after: false }, 'queueTimeout.after'],
    [{ after: NaN }, 'queueTimeout.after'],
    [{ after: 1, then: 'fail' }, 'queueTimeout.then'],
    [{ after: 1, then: null }, 'queueTimeout.then'],
    [{ after: 1, then: {} }, 'queueTimeout.then.priority'],
    [{ after: 1, then: { priority: NaN } }, 'queueTimeout.then.priority'],
    [{ after: 1, then: { priority: '5' } }, 'queueTimeout.then.priority'],
    [{ after: 1, then: { priority: 1, to: 2 } }, 'queueTimeout.then.to'],
    [{ after: 1, at: () => {} }, 'queueTimeout.at'],
  ]) {
    const task = { operation: 'a', queueTimeout }
    await refused(tasker.addTask(task), 'TASKER_INVALID', path)
    await refused(tasker.addTasks([{ operation: 'a' }, task]), 'TASKER_INVALID', `[1].${path}`)
    await refused(tasker.defineOperation('a', { queueTimeout }), 'TASKER_INVALID', path)
    assert.throws(() => open(t, { queueTimeout }), { code: 'TASKER_INVALID', path })
  }
  assert.equal(await tasker.countTasks({}), 0)
})
