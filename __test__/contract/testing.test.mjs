// `tasker/testing`: the clock of a test, its crashes, its seed, what it expects.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Tasker } from '../../index.mjs'
import { openTest } from '../../testing.mjs'
import { gate, refused, rejection } from './open.mjs'
import { openSqlite } from './sqlite.mjs'

const BEGIN = '2030-01-01T00:00:00.000Z'
const DAY = 86_400_000

/** A test that is closed with the test of this file that opens it. */
async function opened(t, options) {
  const testing = await openTest(options)
  t.after(() => testing.close())
  return testing
}

/** The same with these runners, started. */
async function started(t, runners, options = {}, given = {}) {
  const testing = await opened(t, { ...given, options: { runners, ...options } })
  await testing.tasker.start()
  return testing
}

const days = (...numbers) => numbers.map(n => new Date(Date.parse(BEGIN) + n * DAY))

test('thirty days of retries pass in a moment, each attempt at its time', async t => {
  const times = []
  const fail = () => {
    times.push(clock.now())
    throw new Error('the service is down')
  }
  const { tasker, clock, expectTask } = await started(t, { pay: fail })
  const backoff = { type: 'exponential', delay: '1d' }
  const uuid = await tasker.addTask({ operation: 'pay', retry: { attempts: 5, backoff } })
  const wait = rejection(tasker.waitForTaskOutputData(uuid))
  await clock.advance('30d')
  assert.deepEqual(times, days(0, 1, 3, 7, 15))
  assert.equal((await wait).message, 'the service is down')
  assert.deepEqual(clock.now(), ...days(30))
  const task = await expectTask({ operation: 'pay' })
  assert.deepEqual([task.status, task.attempt, task.endedAt], ['failed', 5, ...days(15)])
  const starts = task.attempts.map(({ startedAt }) => startedAt)
  assert.deepEqual(starts, times, 'the file says the same')
})

test('a delayed task starts at its moment, and not a millisecond before', async t => {
  const ran = []
  const { tasker, clock } = await started(t, { a: () => ran.push(clock.now()) })
  await tasker.addTask({ operation: 'a', delay: '1h' })
  await clock.advance(3_600_000 - 1)
  assert.deepEqual(ran, [])
  await clock.advance(1)
  assert.deepEqual(ran, [new Date('2030-01-01T01:00:00.000Z')])
})

test('what a runner or a listener adds is done at its own moment', async t => {
  const ran = []
  const note = name => ran.push([name, clock.now().toISOString()])
  const { tasker, clock } = await started(t, {
    first: async ({ addTask }) => {
      note('first')
      await addTask({ operation: 'second', delay: '2h' })
    },
    second: () => note('second'),
    third: () => note('third'),
  })
  tasker.on('task.done', async uuid => {
    // Reads take a way of their own: the clock waits for them too.
    const { operation } = await tasker.getTask(uuid)
    if (operation === 'second') await tasker.addTask({ operation: 'third', delay: '3h' })
  })
  await tasker.addTask({ operation: 'first', delay: '1h' })
  await clock.advance('1d')
  assert.deepEqual(ran, [
    ['first', '2030-01-01T01:00:00.000Z'],
    ['second', '2030-01-01T03:00:00.000Z'],
    ['third', '2030-01-01T06:00:00.000Z'],
  ])
})

test('a run that hangs is ended by its timeout', async t => {
  const hang = ({ abortSignal }) =>
    new Promise((_, reject) => {
      abortSignal.addEventListener('abort', () => reject(abortSignal.reason))
    })
  const { tasker, clock, expectTask } = await started(t, { hang }, {}, { patience: 20 })
  await tasker.addTask({ operation: 'hang', runTimeout: '10m' })
  await clock.advance('9m')
  assert.equal((await expectTask({})).status, 'running')
  await clock.advance('1m')
  const { status, cause, endedAt } = await expectTask({})
  assert.deepEqual([status, cause], ['aborted', 'run-timeout'])
  assert.deepEqual(endedAt, new Date('2030-01-01T00:10:00.000Z'))
})

test('time does not go by while a run is under way', async t => {
  const ran = []
  const { tasker, clock } = await started(
    t,
    {
      slow: async () => {
        for (let round = 0; round < 200; round += 1) await new Promise(setImmediate)
        ran.push(['slow', clock.now()])
      },
      later: () => ran.push(['later', clock.now()]),
    },
    {},
    { patience: '10m' },
  )
  await tasker.addTasks([{ operation: 'slow' }, { operation: 'later', delay: '1d' }])
  await clock.advance('1d')
  assert.deepEqual(ran, [
    ['slow', ...days(0)],
    ['later', ...days(1)],
  ])
})

test('queueTimeout, retention and holds follow the clock', async t => {
  const { tasker, clock, expectTask } = await started(t, { held: () => 'ran' })
  await tasker.addTask({ operation: 'nobody', queueTimeout: '2h' })
  await tasker.hold({ query: { operation: 'held' }, until: days(1)[0] })
  await tasker.addTask({ operation: 'held', retention: '3d' })
  await clock.advance('2h')
  const { cause, endedAt } = await expectTask({ operation: 'nobody' })
  assert.deepEqual([cause, endedAt], ['queue-timeout', new Date('2030-01-01T02:00:00.000Z')])
  assert.equal((await expectTask({ operation: 'held' })).state, 'delayed')
  await clock.advance('22h')
  assert.deepEqual((await expectTask({ operation: 'held' })).endedAt, ...days(1))
  assert.deepEqual(await tasker.findHolds(), [])
  await clock.advance('5d')
  assert.equal(await tasker.countTasks({ operation: 'held' }), 0)
})

test('a task runs when what it depends on has ended', async t => {
  const ran = []
  const runner = ({ operation }) => ran.push([operation, clock.now()])
  const { tasker, clock } = await started(t, { a: runner, b: runner })
  await tasker.addTasks([
    { operation: 'a', delay: '1d' },
    { operation: 'b', dependsOn: [0] },
  ])
  await clock.runAll()
  assert.deepEqual(ran, [
    ['a', ...days(1)],
    ['b', ...days(1)],
  ])
  assert.deepEqual(clock.now(), ...days(1), 'no further than to what is due')
})

test('a stop waits for its runs by the clock', async t => {
  const { runner, call } = gate()
  const { tasker, clock, expectTask } = await started(t, { a: runner }, {}, { patience: 20 })
  await tasker.addTask({ operation: 'a' })
  await call(0)
  const stopped = tasker.stop({ timeout: '1h' })
  await clock.advance('59m')
  assert.equal((await expectTask({})).state, 'running')
  await clock.advance('1m')
  await stopped
  assert.equal((await expectTask({})).state, 'ready', 'it was given back')
})

test('what waits ends with the last stop, if it says so', async t => {
  const { tasker, expectTask } = await started(t, { a: () => {} })
  await tasker.addTask({ operation: 'a', delay: '1d', onStopWaiting: 'abort' })
  await tasker.stop()
  assert.equal((await expectTask({})).cause, 'stop')
})

test('two taskers share file and clock, and no moment is done twice', async t => {
  const ran = []
  const run = who => () => ran.push([who, clock.now()])
  const { tasker, clock, open } = await started(t, { a: run('first'), b: run('first') })
  const second = open({ runners: { c: run('second') } })
  await second.start()
  await tasker.addTasks([
    { operation: 'c', delay: '1d' },
    { operation: 'a', delay: '2d' },
  ])
  await second.addTask({ operation: 'b', delay: '3d' })
  await clock.advance('30d')
  assert.deepEqual(ran, [
    ['second', ...days(1)],
    ['first', ...days(2)],
    ['first', ...days(3)],
  ])
  await second.close()
  await tasker.addTask({ operation: 'a', delay: '1d' })
  await clock.runAll()
  assert.deepEqual(ran.at(-1), ['first', ...days(31)], 'one that is closed is not waited for')
})

test('a crash loses the run, and what that still does changes nothing', async t => {
  const { runner, call } = gate()
  const testing = await started(t, { a: runner })
  const { tasker, crash, clock, expectTask } = testing
  const uuid = await tasker.addTask({ operation: 'a' })
  const { context, resolve } = await call(0)
  const signalled = once(context.abortSignal, 'abort')
  const next = await crash()
  await signalled
  assert.equal(context.abortSignal.reason.cause, 'fenced')
  assert.equal(testing.tasker, next)
  assert.notEqual(next, tasker)
  await refused(tasker.countTasks(), 'TASKER_CLOSED')
  resolve('late')
  context.logger.info('late')
  assert.equal((await expectTask({})).state, 'ready')
  await next.start()
  const again = await call(1)
  again.resolve('in time')
  assert.equal(await next.waitForTaskOutputData(uuid), 'in time')
  await clock.advance('1d')
  const { result, attempts } = await expectTask({})
  assert.deepEqual([result, attempts.map(({ outcome }) => outcome)], ['in time', ['lost', 'done']])
  assert.deepEqual((await next.getTask(uuid, { withLogs: true })).logs, [])
})

test('when one of two taskers crashes, the other takes over', async t => {
  const { runner, call } = gate()
  const { tasker, open, crash, clock, expectTask } = await started(t, { a: runner })
  const uuid = await tasker.addTask({ operation: 'a' })
  await call(0)
  const second = open({ runners: { a: () => 'by the second' } })
  await second.start()
  await crash(tasker)
  await clock.advance(1)
  const { status, result, attempt } = await expectTask({})
  assert.deepEqual([status, result, attempt], ['done', 'by the second', 2])
  const third = await crash(second)
  assert.equal((await third.getTask(uuid)).status, 'done')
})

/** What a test has seen: uuids, and the times of attempts with a jitter. */
async function seen(seed) {
  const testing = await openTest({ seed })
  const { tasker, clock } = testing
  const story = []
  tasker.assignRunner('a', ({ uuid, runId }) => {
    story.push([uuid, runId, clock.now().toISOString()])
    throw new Error('no')
  })
  tasker.on('task.failed', () => {})
  await tasker.start()
  const backoff = { type: 'exponential', delay: '1h', jitter: 0.5 }
  for (let n = 0; n < 3; n += 1) {
    await tasker.addTask({ operation: 'a', retry: { attempts: 4, backoff } })
  }
  await clock.runAll()
  await testing.close()
  assert.equal(story.length, 12)
  return story
}

test('one seed draws the same uuids and the same times, another one others', async () => {
  const first = await seen(7)
  assert.deepEqual(await seen(7), first)
  const other = await seen(8)
  assert.notEqual(other[0][0], first[0][0])
  assert.notDeepEqual(
    other.map(([, , at]) => at),
    first.map(([, , at]) => at),
  )
})

test('runAll says what keeps coming', async t => {
  const { tasker, clock } = await started(t, { poll: ({ snooze }) => snooze('1m') })
  const uuid = await tasker.addTask({ operation: 'poll' })
  const error = await refused(clock.runAll({ max: 50 }), 'TASKER_LIMIT', 'max')
  assert.match(error.message, /^max: 50 moments have passed/)
  assert.match(error.message, new RegExp(`poll ${uuid} is delayed, .*its run wanted to go on`))
  assert.deepEqual(clock.now(), new Date('2030-01-01T00:50:00.000Z'))
})

test('expectTask gives the one task, or says which are there and why they wait', async t => {
  const { tasker, expectTask } = await started(t, { a: () => {} })
  const uuid = await tasker.addTask({ operation: 'a', label: 'x' })
  assert.deepEqual(await expectTask({ label: 'x' }), await tasker.getTask(uuid))
  const later = await tasker.addTask({ operation: 'a', delay: '1h' })
  const none = await rejection(expectTask({ label: 'y' }))
  assert.equal(none.name, 'AssertionError')
  const [first, ...lines] = none.message.split('\n')
  assert.equal(first, 'no task matches {"label":"y"}; there are:')
  const why = 'it starts no sooner than 2030-01-01T01:00:00.000Z: that is its own start time'
  assert.deepEqual(lines, [
    `  a ${later} is delayed, attempt 0; ${why}`,
    `  a ${uuid} is done, attempt 1`,
  ])
  const many = await rejection(expectTask({ operation: 'a' }))
  assert.match(many.message, /^more than one task matches \{"operation":"a"\}:\n/)
  await tasker.addTasks(Array.from({ length: 12 }, () => ({ operation: 'b' })))
  const left = await rejection(expectTask({ operation: 'b' }))
  assert.equal(left.message.split('\n').length, 12)
  assert.match(left.message, /\n {2}… and 2 more$/)
})

test('bad arguments are refused with their path', async t => {
  await refused(openTest({ seeds: 1 }), 'TASKER_INVALID', 'seeds')
  for (const seed of [-1, 0.5, '1', Number.NaN]) {
    await refused(openTest({ seed }), 'TASKER_INVALID', 'seed')
  }
  for (const now of ['soon', -1, new Date(Number.NaN), null, {}, 1e15]) {
    await refused(openTest({ now }), 'TASKER_INVALID', 'now')
  }
  for (const patience of [0, '1', 'long']) {
    await refused(openTest({ patience }), 'TASKER_INVALID', 'patience')
  }
  for (const name of ['store', 'exclusive', 'durability']) {
    await refused(openTest({ options: { [name]: 'x' } }), 'TASKER_INVALID', name)
  }
  await refused(openTest({ options: 'tasks.db' }), 'TASKER_INVALID', 'options.options')
  await refused(openTest({ options: { concurrency: 0 } }), 'TASKER_INVALID', 'concurrency')
  const { clock, crash, expectTask, open } = await opened(t)
  for (const by of [0, -1, '1', 'soon', undefined, Number.POSITIVE_INFINITY]) {
    await refused(clock.advance(by), 'TASKER_INVALID', 'by')
  }
  for (let centuries = 0; centuries < 79; centuries += 1) await clock.advance('36500d')
  await refused(clock.advance('36500d'), 'TASKER_INVALID', 'by')
  for (const max of [0, '1', 1.5]) await refused(clock.runAll({ max }), 'TASKER_INVALID', 'max')
  await refused(clock.runAll({ limit: 1 }), 'TASKER_INVALID', 'limit')
  const stranger = new Tasker(':memory:')
  await refused(crash(stranger), 'TASKER_INVALID', 'tasker')
  await stranger.close()
  await refused(expectTask({ status: { $is: 1 } }), 'TASKER_INVALID_QUERY')
  assert.throws(() => open({ store: 'x' }), { code: 'TASKER_INVALID', path: 'store' })
})

test('the clock begins where the test says', async t => {
  const moment = '2001-02-03T04:05:06.789Z'
  for (const now of [moment, new Date(moment), Date.parse(moment)]) {
    const { clock, tasker, expectTask } = await started(t, { a: () => {} }, {}, { now })
    assert.equal(clock.now().toISOString(), moment)
    await tasker.addTask({ operation: 'a' })
    const { createdAt, startedAt, endedAt } = await expectTask({})
    for (const at of [createdAt, startedAt, endedAt]) assert.equal(at.toISOString(), moment)
  }
})

test('calls that move the clock come one after the other', async t => {
  const { clock, tasker, expectTask } = await started(t, { a: () => {} })
  await tasker.addTask({ operation: 'a', delay: '90m' })
  const [, , task] = await Promise.all([clock.advance('1h'), clock.advance('1h'), expectTask({})])
  assert.equal(task.status, 'done')
  assert.deepEqual(clock.now(), new Date('2030-01-01T02:00:00.000Z'))
})

test('a closed test does nothing more, and its runners hear of it', async () => {
  const { runner, call } = gate()
  const testing = await openTest({ options: { runners: { a: runner } } })
  const { tasker, clock } = testing
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'a' })
  const wait = rejection(tasker.waitForTaskOutputData(uuid))
  const { context } = await call(0)
  await testing.close()
  assert.equal((await wait).code, 'TASKER_CLOSED')
  assert.equal(context.abortSignal.reason.cause, 'fenced')
  await refused(clock.advance('1h'), 'TASKER_CLOSED')
  assert.throws(() => testing.open(), { code: 'TASKER_CLOSED' })
  await testing.close()
  await testing[Symbol.asyncDispose]()
})

test('a tasker that closes while the clock moves is not waited for', async t => {
  const { clock, tasker, open } = await started(t, {})
  const second = open({ runners: { last: () => void second.close() } })
  await second.start()
  await tasker.addTasks([
    { operation: 'last', delay: '1h' },
    { operation: 'last', delay: '2h' },
  ])
  await clock.advance('1d')
  assert.equal(await tasker.countTasks({ status: 'new' }), 1)
})

test('logs and rows of an outbox have the time of the test', async t => {
  const { clock, tasker, expectTask } = await started(t, { a: ({ logger }) => logger.info('hi') })
  const db = openSqlite(':memory:')
  const outbox = tasker.outbox(db)
  await clock.advance('1d')
  outbox.addTask({ operation: 'a', delay: '1h' })
  await outbox.flush()
  await clock.advance('1h')
  const { uuid, createdAt } = await expectTask({ status: 'done' })
  assert.deepEqual(createdAt, ...days(1))
  const { logs } = await tasker.getTask(uuid, { withLogs: true })
  assert.deepEqual(
    logs.map(({ at }) => at),
    [new Date('2030-01-02T01:00:00.000Z')],
  )
  db.close()
})

test('a run that is paused at a checkpoint holds up no clock', async t => {
  const { tasker, clock, expectTask } = await started(
    t,
    {
      a: async ({ checkpoint }) => {
        reached()
        await paused
        await checkpoint()
        return clock.now()
      },
    },
    {},
    { patience: '10m' },
  )
  let reached
  const isReached = new Promise(resolve => {
    reached = resolve
  })
  let pause
  const paused = new Promise(resolve => {
    pause = resolve
  })
  const uuid = await tasker.addTask({ operation: 'a', runTimeout: '1h' })
  await isReached
  await tasker.pauseTask(uuid)
  pause()
  await clock.advance('1d')
  assert.equal((await expectTask({})).state, 'paused')
  await tasker.resumeTask(uuid)
  assert.deepEqual(new Date(await tasker.waitForTaskOutputData(uuid)), ...days(1))
})

test('a task that has been ready for long is told, with what holds it, once', async t => {
  const { tasker, clock } = await started(t, { a: () => {}, b: () => {}, paused: () => {} })
  const heard = []
  const hear = ({ code, message }) => code === 'TASKER_LONG_WAIT' && heard.push(message)
  process.on('warning', hear)
  t.after(() => process.off('warning', hear))
  await tasker.pauseOperation('paused')
  await tasker.addTask({ operation: 'paused' })
  const never = [{ scope: 'running', query: { operation: 'b' }, limit: -1 }]
  const uuid = await tasker.addTask({ operation: 'b', concurrency: never })
  await tasker.addTask({ operation: 'b', concurrency: never })
  await tasker.addTask({ operation: 'a', delay: '20m' })
  for (const by of ['5m', '5m', '9m', '1m', '9m', '5m', '30m']) await clock.advance(by)
  await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(heard, [
    `task ${uuid} of 'b' has waited for more than 10 minutes: ` +
      'a condition with a limit below 0 never holds: -1',
  ])
})

test('who waits for a task while the clock stands is told so', async t => {
  const { tasker, clock } = await started(t, { a: () => 'ran' })
  const warned = new Promise(resolve => {
    const hear = warning => {
      if (warning.code !== 'TASKER_CLOCK_STANDS') return
      process.off('warning', hear)
      resolve(warning.message)
    }
    process.on('warning', hear)
  })
  const uuid = await tasker.addTask({ operation: 'a', delay: '1h' })
  const wait = tasker.waitForTaskOutputData(uuid)
  assert.match(await warned, /clock of the test stands: .*2030-01-01T01:00.*clock\.advance/)
  await clock.advance('1h')
  assert.equal(await wait, 'ran')
})
