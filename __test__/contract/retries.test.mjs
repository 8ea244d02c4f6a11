import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { RetryLater, Tasker, Unrecoverable } from '../../index.mjs'
import { file, gate, next, open, refused, rejection, runs, started } from './open.mjs'

const require = createRequire(import.meta.url)

/** A runner that throws so often and then returns. */
const failing = (times, error = n => new Error(`no ${n}`)) => {
  let calls = 0
  return () => {
    calls += 1
    if (calls <= times) throw error(calls)
    return calls
  }
}

/** Every event of tasks, in order. */
function heard(tasker) {
  const events = []
  for (const name of ['run', 'retrying', 'done', 'failed', 'aborted', 'ended'])
    tasker.on(`task.${name}`, () => events.push(name))
  return events
}

test('a task is tried until it succeeds, and its end is told once', async t => {
  const tasker = await started(t, { a: failing(2) })
  const events = heard(tasker)
  const uuid = await tasker.addTask({ operation: 'a', retry: 3 })
  assert.equal(await tasker.waitForTaskOutputData(uuid), 3)
  assert.deepEqual(events, [...['run', 'retrying', 'run', 'retrying', 'run', 'done', 'ended']])
  const task = await tasker.getTask(uuid)
  assert.deepEqual([task.attempt, task.retry], [3, { attempts: 3, on: ['error'] }])
  const seen = task.attempts.map(({ outcome, cause, error }) => [outcome, cause, error?.message])
  assert.deepEqual(seen, [
    ['failed', 'error', 'no 1'],
    ['failed', 'error', 'no 2'],
    ['done', undefined, undefined],
  ])
  assert.equal(new Set(task.attempts.map(({ runId }) => runId)).size, 3)
  assert.ok(task.attempts.every(({ startedAt, endedAt }) => endedAt >= startedAt))
})

test('the last error is the outcome, and each attempt keeps its own', async t => {
  const errors = []
  const tasker = await started(t, { a: failing(9, n => (errors[n] = new Error(`no ${n}`))) })
  tasker.on('task.retrying', (_, error, runAt) => {
    assert.ok(runAt instanceof Date)
    assert.equal(error, errors.at(-1), 'the very object')
  })
  const uuid = await tasker.addTask({ operation: 'a', retry: { attempts: 3 } })
  assert.equal(await rejection(tasker.waitForTaskOutputData(uuid)), errors[3])
  const { attempts, status, cause, error } = await tasker.getTask(uuid)
  assert.deepEqual([status, cause, error.message], ['failed', 'error', 'no 3'])
  assert.deepEqual(
    attempts.map(attempt => attempt.error.message),
    ['no 1', 'no 2', 'no 3'],
  )
})

test('a task waits in between as its backoff says, and can be found', async t => {
  const tasker = await started(t, { a: failing(1) })
  const backoff = { type: 'exponential', delay: '1h', factor: 3, max: '2h', jitter: 0.5 }
  const retrying = next(tasker, 'task.retrying')
  const uuid = await tasker.addTask({ operation: 'a', retry: { attempts: 2, backoff } })
  const [, , runAt] = await retrying
  const task = await tasker.getTask(uuid)
  assert.deepEqual([task.status, task.state, task.attempt], ['new', 'delayed', 1])
  assert.deepEqual(task.runAt, runAt)
  const stored = { ...backoff, delay: 3_600_000, max: 7_200_000 }
  assert.deepEqual(task.retry, { attempts: 2, backoff: stored, on: ['error'] })
  const pause = runAt - task.attempts[0].endedAt
  assert.ok(pause >= 1_800_000 && pause <= 3_600_000, `${pause} ms`)
  for (const query of [
    { state: 'delayed', 'attempts.error.message': 'no 1' },
    { 'retry.attempts': { $gt: 1 }, 'retry.backoff.type': 'exponential' },
    { 'attempts.cause': 'error', attemptsLeftOut: { $exists: false } },
  ])
    assert.equal(await tasker.countTasks(query), 1)
  assert.equal(await tasker.prioritizeTask(uuid, 7), true)
  assert.equal(await tasker.abortTask(uuid), true)
  const { status, attempts } = await tasker.getTask(uuid)
  assert.deepEqual([status, attempts[0].error.message], ['aborted', 'no 1'])
})

test('a pause is kept', async t => {
  const tasker = await started(t, { a: failing(2) })
  const backoff = { type: 'linear', delay: 1 }
  const uuid = await tasker.addTask({ operation: 'a', retry: { attempts: 3, backoff } })
  await tasker.waitForTaskOutputData(uuid)
  const { attempts } = await tasker.getTask(uuid)
  for (const n of [1, 2])
    assert.ok(attempts[n].startedAt - attempts[n - 1].endedAt >= n, 'not early')
})

test('the tasker has a default, and a task its own', async t => {
  const tasker = await started(t, { a: failing(99) }, { retry: { attempts: 2 } })
  const attempts = async retry => {
    const uuid = await tasker.addTask({ operation: 'a', ...retry })
    await rejection(tasker.waitForTaskOutputData(uuid))
    return (await tasker.getTask(uuid)).attempts.length
  }
  assert.equal(await attempts({}), 2)
  assert.equal(await attempts({ retry: 1 }), 1)
  assert.equal(await attempts({ retry: 4 }), 4)
})

test('an operation says how often its tasks are tried, for those that say nothing', async t => {
  const store = file()
  const tasker = await started(t, { a: failing(99) }, { store, retry: 2 })
  await tasker.defineOperation('a', { retry: { attempts: 3, on: ['error'] } })
  const other = open(t, { store, retry: 5 })
  for (const [retry, attempts] of [
    [undefined, 3],
    [1, 1],
  ]) {
    const uuid = await other.addTask({ operation: 'a', retry })
    await rejection(tasker.waitForTaskOutputData(uuid))
    assert.equal((await tasker.getTask(uuid)).attempts.length, attempts)
  }
  const [{ options }] = await tasker.findOperations()
  assert.deepEqual(options, { retry: { attempts: 3, on: ['error'] } })
  const wrong = tasker.defineOperation('a', { retry: { attempts: 0 } })
  await refused(wrong, 'TASKER_INVALID', 'retry.attempts')
})

test('Unrecoverable ends the task at once', async t => {
  class Own extends Unrecoverable {}
  for (const error of [new Unrecoverable('no', { cause: 7 }), new Own('no')]) {
    const tasker = await started(t, { a: failing(9, () => error) })
    const uuid = await tasker.addTask({ operation: 'a', retry: 5 })
    assert.equal(await rejection(tasker.waitForTaskOutputData(uuid)), error)
    const task = await tasker.getTask(uuid)
    assert.deepEqual([task.status, task.attempt, task.cause], ['failed', 1, 'error'])
    assert.equal(task.error.name, 'Unrecoverable')
  }
})

test('RetryLater snoozes, and is a failure only if it counts', async t => {
  const later = counts => () => new RetryLater({ delay: 1, counts, cause: 'busy' })
  const tasker = await started(t, { a: failing(4, later(false)), b: failing(4, later(true)) })
  const snoozed = await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.waitForTaskOutputData(snoozed), 5)
  const task = await tasker.getTask(snoozed)
  assert.equal(task.attempt, 1)
  const outcomes = task.attempts.map(({ outcome }) => outcome)
  assert.deepEqual(outcomes, ['snoozed', 'snoozed', 'snoozed', 'snoozed', 'done'])
  const failed = await tasker.addTask({ operation: 'b', retry: 3 })
  const error = await rejection(tasker.waitForTaskOutputData(failed))
  assert.deepEqual([error.name, error.delay, error.cause], ['RetryLater', 1, 'busy'])
  assert.equal((await tasker.getTask(failed)).attempts.length, 3)
})

test('the errors of another copy of the package mean the same', async t => {
  const path = require.resolve('../../dist/retries.js')
  delete require.cache[path]
  const copy = require(path)
  assert.notEqual(copy.Unrecoverable, Unrecoverable)
  const tasker = await started(t, { a: failing(9, () => new copy.Unrecoverable('no')) })
  const uuid = await tasker.addTask({ operation: 'a', retry: 5 })
  await rejection(tasker.waitForTaskOutputData(uuid))
  assert.equal((await tasker.getTask(uuid)).attempt, 1)
})

test('a runner snoozes and returns', async t => {
  let calls = 0
  const runner = ({ snooze, attempt }) => {
    calls += 1
    if (calls < 3) {
      snooze('1h')
      snooze(1)
      return 'dropped'
    }
    return attempt
  }
  const tasker = await started(t, { a: runner })
  const events = heard(tasker)
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.waitForTaskOutputData(uuid), 1)
  assert.deepEqual(events, ['run', 'run', 'run', 'done', 'ended'])
})

test('a throw after a snooze is a failure as always', async t => {
  const runner = ({ snooze }) => {
    snooze('1h')
    throw new Error('no')
  }
  const tasker = await started(t, { a: runner })
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal((await rejection(tasker.waitForTaskOutputData(uuid))).message, 'no')
})

test('a timeout is retried if the policy says so', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const retry = { attempts: 2, on: ['timeout'] }
  const uuid = await tasker.addTask({ operation: 'a', runTimeout: 1, retry })
  for (const n of [0, 1]) {
    const { context, reject } = await call(n)
    const { abortSignal } = context
    if (!abortSignal.aborted) await new Promise(done => abortSignal.addEventListener('abort', done))
    reject(new Error('stopped'))
  }
  const error = await rejection(tasker.waitForTaskOutputData(uuid))
  assert.deepEqual([error.name, error.cause], ['AbortError', 'run-timeout'])
  const { attempts, status } = await tasker.getTask(uuid)
  assert.equal(status, 'aborted')
  assert.deepEqual(
    attempts.map(attempt => [attempt.outcome, attempt.cause]),
    [
      ['aborted', 'run-timeout'],
      ['aborted', 'run-timeout'],
    ],
  )
})

test('an ended task runs again by hand', async t => {
  const tasker = await started(t, { a: failing(1), b: () => 'again' })
  const uuid = await tasker.addTask({ operation: 'a' })
  const error = await rejection(tasker.waitForTaskOutputData(uuid))
  const told = next(tasker, 'task.retrying')
  assert.equal(await tasker.retryTask(uuid), true)
  const [of, cause, runAt] = await told
  assert.deepEqual([of, cause, runAt instanceof Date], [uuid, error, true])
  assert.equal(await tasker.waitForTaskOutputData(uuid), 2)
  const task = await tasker.getTask(uuid)
  assert.deepEqual([task.status, task.attempt, task.result], ['done', 2, 2])
  assert.equal(task.attempts[0].error.message, 'no 1')

  const done = await tasker.addTask({ operation: 'b' })
  await tasker.waitForTaskOutputData(done)
  const runsAgain = next(tasker, 'task.retrying')
  assert.equal(await tasker.retryTask(done, { delay: '1h', priority: 5 }), true)
  assert.equal((await runsAgain)[1], undefined)
  const { state, priority, attempts, result } = await tasker.getTask(done)
  assert.deepEqual(
    [state, priority, attempts[0].result, result],
    ['delayed', 5, 'again', undefined],
  )
  assert.equal(await tasker.retryTask(done), false, 'it has not ended')
})

test('a wait after a retry by hand gets the new error', async t => {
  const tasker = await started(t, { a: failing(2) })
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal((await rejection(tasker.waitForTaskOutputData(uuid))).message, 'no 1')
  await tasker.retryTask(uuid)
  assert.equal((await rejection(tasker.waitForTaskOutputData(uuid))).message, 'no 2')
  await tasker.retryTask(uuid, { delay: '1h' })
  const waiting = tasker.waitForTaskOutputData(uuid)
  await tasker.abortTask(uuid, new Error('enough'))
  const { message, cause } = await rejection(waiting)
  assert.equal(cause?.message ?? message, 'enough')
})

test('another process sees attempts, takes over, and hears of it', async t => {
  const store = file()
  const tasker = open(t, { store, events: 'all' })
  const backoff = { type: 'fixed', delay: 1 }
  const uuid = await tasker.addTask({ operation: 'a', retry: { attempts: 3, backoff } })
  const retrying = next(tasker, 'task.retrying')
  await runs(`
    import { Tasker } from './index.mjs'
    const tasker = new Tasker({ store: ${JSON.stringify(store)} })
    tasker.assignRunner('a', () => {
      tasker.unassignRunner('a')
      throw new Error('elsewhere')
    })
    const told = new Promise(resolve => tasker.once('task.retrying', resolve))
    await tasker.start()
    await told
    await tasker.close()`)
  const [of, error, runAt] = await retrying
  assert.deepEqual([of, error.message, runAt instanceof Date], [uuid, 'elsewhere', true])
  tasker.assignRunner('a', ({ attempt }) => attempt)
  await tasker.start()
  const attempt = await tasker.waitForTaskOutputData(uuid)
  const { attempts } = await tasker.getTask(uuid)
  assert.deepEqual([attempt, attempts.length], [2, 2])
})

test('what is no policy is refused with its path', async t => {
  const tasker = open(t)
  const backoff = members => ({ attempts: 2, backoff: { type: 'fixed', delay: 1, ...members } })
  for (const [retry, path] of [
    [0, ''],
    [1.5, ''],
    [Number.NaN, ''],
    ['3', ''],
    [true, ''],
    [[], ''],
    [() => 3, ''],
    [{}, '.attempts'],
    [{ attempts: 1_000_001 }, '.attempts'],
    [{ attempts: 2, delay: 1 }, '.delay'],
    [{ attempts: 2, on: [] }, '.on'],
    [{ attempts: 2, on: ['error', 'crash'] }, '.on[1]'],
    [{ attempts: 2, backoff: 1000 }, '.backoff'],
    [backoff({ type: 'cubic' }), '.backoff.type'],
    [backoff({ delay: 0 }), '.backoff.delay'],
    [backoff({ delay: '5 s' }), '.backoff.delay'],
    [backoff({ factor: 2 }), '.backoff.factor'],
    [backoff({ max: Infinity }), '.backoff.max'],
    [backoff({ jitter: 2 }), '.backoff.jitter'],
    [backoff({ x: 1 }), '.backoff.x'],
  ]) {
    await refused(tasker.addTask({ operation: 'a', retry }), 'TASKER_INVALID', `retry${path}`)
    const tasks = [{ operation: 'a' }, { operation: 'a', retry }]
    await refused(tasker.addTasks(tasks), 'TASKER_INVALID', `[1].retry${path}`)
    const construct = async () => new Tasker({ store: ':memory:', retry })
    await refused(construct(), 'TASKER_INVALID', `retry${path}`)
  }
  assert.equal(await tasker.countTasks(), 0)
})

test('what is no pause is refused where it is said', async t => {
  for (const [options, path] of [
    [undefined, 'options'],
    [{}, 'delay'],
    [{ delay: 0 }, 'delay'],
    [{ delay: '5x' }, 'delay'],
    [{ delay: 1, counts: 1 }, 'counts'],
    [{ delay: 1, message: 1 }, 'message'],
    [{ delay: 1, after: 1 }, 'after'],
  ]) {
    await refused((async () => new RetryLater(options))(), 'TASKER_INVALID', path)
  }
  const seen = []
  const runner = async ({ snooze }) => {
    seen.push(await rejection((async () => snooze('soon'))()))
    return 'done'
  }
  const tasker = await started(t, { a: runner })
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'done')
  assert.deepEqual([seen[0].code, seen[0].path], ['TASKER_INVALID', 'delay'])
  for (const [options, path] of [
    [{ delay: -1 }, 'delay'],
    [{ priority: '1' }, 'priority'],
    [{ later: 1 }, 'later'],
  ])
    await refused(tasker.retryTask(uuid, options), 'TASKER_INVALID', path)
  await refused(tasker.retryTask({}), 'TASKER_INVALID', 'uuid')
  await refused(tasker.retryTask('018f0000-0000-7000-8000-000000000001'), 'TASKER_NOT_FOUND')
})

test('a long error of an attempt is cut, and the last one is kept', async t => {
  const long = n =>
    Object.assign(new Error(`${n}`.repeat(8_000)), { code: 'E_LONG', own: 'x'.repeat(9_000) })
  const tasker = await started(t, { a: failing(9, long) })
  const uuid = await tasker.addTask({ operation: 'a', retry: 2 })
  await rejection(tasker.waitForTaskOutputData(uuid))
  const { attempts, error } = await tasker.getTask(uuid)
  assert.ok(JSON.stringify(attempts[0].error).length <= 16 * 1024)
  assert.deepEqual([attempts[0].error.code, attempts[0].error.own], ['E_LONG', undefined])
  assert.match(attempts[0].error.message, /^1+$/)
  assert.deepEqual(attempts[1].error, error)
})

test('a hundred attempts are kept, and the others counted', async t => {
  const tasker = await started(t, { a: failing(103) })
  const uuid = await tasker.addTask({ operation: 'a', retry: 104 })
  assert.equal(await tasker.waitForTaskOutputData(uuid), 104)
  const { attempt, attempts, attemptsLeftOut } = await tasker.getTask(uuid)
  assert.deepEqual([attempt, attempts.length, attemptsLeftOut], [104, 100, 4])
  assert.equal(attempts[0].error.message, 'no 5')
})
