/** Schedules: tasks that the clock adds, each tick once. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { openTest } from '../../testing.mjs'
import { file, open, refused, started } from './open.mjs'

const BEGIN = Date.parse('2030-01-01T00:00:00Z')
const MINUTE = 60_000

/** A test with a started tasker that has runners, and all that ran. */
async function opened(t, runners = {}) {
  const testing = await openTest()
  t.after(() => testing.close())
  const ran = []
  const run = ({ scheduleId, scheduledAt, data }) => {
    ran.push([scheduleId, scheduledAt?.toISOString(), data])
  }
  for (const [name, runner] of Object.entries({ report: run, ...runners })) {
    testing.tasker.assignRunner(name, runner)
  }
  await testing.tasker.start()
  return { ...testing, tasker: testing.tasker, ran }
}

const at = text => `2030-01-${text}:00.000Z`

test('a cron in a time zone adds a task at each of its moments', async t => {
  const { tasker, clock, ran } = await opened(t)
  const rule = { cron: '30 9 * * MON-FRI', timezone: 'Asia/Kolkata' }
  const task = { operation: 'report', data: { of: 'sales' }, label: 'daily' }
  assert.equal(await tasker.addSchedule({ id: 'daily', ...rule, task }), true)
  await clock.advance('4d')
  const data = { of: 'sales' }
  assert.deepEqual(ran, [
    ['daily', at('01T04:00'), data],
    ['daily', at('02T04:00'), data],
    ['daily', at('03T04:00'), data],
    ['daily', at('04T04:00'), data],
  ])
  const found = await tasker.findTask({ scheduleId: 'daily' }, { sort: { seq: -1 } })
  assert.deepEqual(found.scheduledAt, new Date(at('04T04:00')))
  assert.deepEqual([found.label, found.status], ['daily', 'done'])
  const since = { scheduleId: 'daily', scheduledAt: { $gte: new Date(at('03T00:00')) } }
  assert.equal(await tasker.countTasks(since), 2)
})

test('the same again changes nothing, and something else is told', async t => {
  const { tasker, clock } = await opened(t)
  const schedule = { id: 'often', every: '10m', task: { operation: 'report' } }
  assert.equal(await tasker.addSchedule(schedule), true)
  await clock.advance('14m')
  assert.equal(await tasker.addSchedule({ ...schedule, every: 600_000, overlap: 'skip' }), false)
  const [one] = await tasker.findSchedules()
  assert.deepEqual([one.nextAt, one.made], [new Date(BEGIN + 20 * MINUTE), 1])
  assert.equal(await tasker.addSchedule({ ...schedule, limit: 3 }), true)
  const [two] = await tasker.findSchedules()
  assert.deepEqual([two.nextAt, two.made, two.limit], [one.nextAt, 1, 3])
})

test('what is found says all that was said, and what comes', async t => {
  const { tasker, clock } = await opened(t)
  const [startAt, endAt] = [new Date(BEGIN + MINUTE), new Date(BEGIN + 90 * MINUTE)]
  const task = { operation: 'report', priority: Number.POSITIVE_INFINITY, delay: '1s' }
  const rule = { every: '1h', overlap: 'queue', missed: 'all', jitter: '30s' }
  await tasker.addSchedule({ id: 'b', ...rule, startAt, endAt, limit: 9, task })
  await tasker.addSchedule({ id: 'a', cron: '30 * * * *', task: { operation: 'report' } })
  const [a, b] = await tasker.findSchedules()
  const halfPast = n => new Date(BEGIN + (60 * n + 30) * MINUTE)
  assert.deepEqual(a, {
    id: 'a',
    cron: a.cron,
    timezone: 'UTC',
    overlap: 'skip',
    missed: 'once',
    task: { operation: 'report' },
    nextAt: halfPast(0),
    nextTimes: [0, 1, 2, 3, 4].map(halfPast),
    made: 0,
  })
  assert.deepEqual(b, {
    id: 'b',
    every: 3_600_000,
    overlap: 'queue',
    missed: 'all',
    jitter: 30_000,
    startAt,
    endAt,
    limit: 9,
    task: { operation: 'report', priority: Number.POSITIVE_INFINITY, delay: '1s' },
    nextAt: startAt,
    nextTimes: [startAt, new Date(BEGIN + 61 * MINUTE)],
    made: 0,
  })
  await clock.advance('2m')
  const [made] = await tasker.findSchedules({ id: 'b' })
  const { uuid } = await tasker.findTask({ scheduleId: 'b' })
  assert.deepEqual([made.lastAt, made.lastTask, made.made], [startAt, uuid, 1])
  assert.deepEqual(await tasker.findSchedules({ id: 'c' }), [])
})

test('a hundred schedules and more are found by id, a page at a time', async t => {
  const tasker = open(t)
  const ids = Array.from({ length: 250 }, (_, n) => `s ${String(n).padStart(3, '0')}`)
  const task = { operation: 'report' }
  await Promise.all(ids.map(id => tasker.addSchedule({ id, cron: '@yearly', task })))
  const found = await tasker.findSchedules()
  assert.deepEqual(
    found.map(({ id }) => id),
    ids,
  )
})

test('a change, a pause, a trigger and a removal', async t => {
  const { tasker, clock, ran } = await opened(t)
  await tasker.addSchedule({
    id: 'x',
    every: '1m',
    limit: 9,
    task: { operation: 'report', data: 1 },
  })
  assert.equal(await tasker.pauseSchedule('x'), true)
  assert.equal(await tasker.pauseSchedule('x'), false)
  await clock.advance('5m')
  assert.deepEqual(ran, [])
  const [paused] = await tasker.findSchedules()
  assert.deepEqual([paused.pausedAt, paused.nextAt], [new Date(BEGIN), undefined])
  const uuid = await tasker.triggerSchedule('x')
  await tasker.waitForTaskOutputData(uuid)
  assert.deepEqual(ran, [['x', undefined, 1]])
  assert.equal(await tasker.resumeSchedule('x'), true)
  const patch = { every: '2m', limit: false, task: { operation: 'report', data: 2 } }
  assert.equal(await tasker.updateSchedule('x', patch), true)
  assert.equal(await tasker.updateSchedule('x', patch), false)
  await clock.advance('2m')
  assert.deepEqual(ran[1], ['x', at('01T00:07'), 2])
  assert.equal(await tasker.updateSchedule('x', { cron: '0 12 * * *', timezone: 'UTC' }), true)
  const [{ every, cron, limit, made }] = await tasker.findSchedules()
  assert.deepEqual([every, typeof cron, limit, made], [undefined, 'string', undefined, 1])
  assert.equal(await tasker.removeSchedule('x'), true)
  assert.equal(await tasker.removeSchedule('x'), false)
  await clock.advance('2d')
  assert.equal(ran.length, 2)
})

test('a schedule skips, queues, replaces or allows', async t => {
  const reasons = []
  const work = ({ abortSignal }) =>
    new Promise((_, reject) => {
      abortSignal.addEventListener('abort', () => {
        reasons.push(abortSignal.reason.cause)
        reject(abortSignal.reason)
      })
    })
  const test = await openTest({ patience: 5 })
  t.after(() => test.close())
  const { tasker, clock } = test
  tasker.assignRunner('work', work)
  await tasker.start()
  for (const overlap of ['skip', 'queue', 'replace', 'allow']) {
    await tasker.addSchedule({ id: overlap, every: '1m', overlap, task: { operation: 'work' } })
  }
  await clock.advance('3m')
  const states = async scheduleId => {
    const tasks = await tasker.findTasks({ scheduleId }, { sort: { seq: 1 } })
    return tasks.map(({ state }) => state)
  }
  assert.deepEqual(await states('skip'), ['running'])
  assert.deepEqual(await states('queue'), ['running', 'blocked'])
  assert.deepEqual(await states('replace'), ['aborted', 'aborted', 'running'])
  assert.deepEqual(await states('allow'), ['running', 'running', 'running'])
  assert.deepEqual(reasons, ['replaced', 'replaced'])
  const [{ cause, abortReason }] = await tasker.findTasks({ cause: 'replaced' })
  assert.deepEqual([cause, abortReason.code], ['replaced', 'ABORT_ERR'])
  assert.equal(await tasker.triggerSchedule('skip'), undefined)
  const other = await tasker.triggerSchedule('skip', { overlap: 'allow' })
  assert.equal((await tasker.getTask(other)).state, 'running')
})

test('a schedule outlives its process, and what was missed comes once', async t => {
  const { tasker, clock, crash, ran } = await opened(t)
  await tasker.addSchedule({ id: 'x', every: '1h', task: { operation: 'report' } })
  await clock.advance('90m')
  assert.equal(ran.length, 1)
  const next = await crash()
  const again = []
  next.assignRunner('report', ({ scheduledAt }) => again.push(scheduledAt.toISOString()))
  await next.start()
  await clock.advance('1h')
  assert.deepEqual(again, [at('01T02:00')])
  assert.equal(await next.countTasks(), 2)
})

test('taskers on one file make each tick once, also one that is not started', async t => {
  const test = await openTest()
  t.after(() => test.close())
  const { tasker, open, clock } = test
  const others = [open(), open()]
  const schedule = { id: 'x', every: '1m', overlap: 'allow', task: { operation: 'nobody' } }
  const added = []
  for (const one of [tasker, ...others]) {
    added.push(await one.addSchedule(schedule))
    one.on('task.added', uuid => added.push(uuid))
  }
  await clock.advance('5m')
  assert.deepEqual(added.slice(0, 3), [true, false, false])
  const tasks = await tasker.findTasks({ scheduleId: 'x' }, { sort: { seq: 1 } })
  assert.deepEqual(
    tasks.map(one => one.scheduledAt - BEGIN),
    [1, 2, 3, 4, 5].map(n => n * MINUTE),
  )
  // Each was told by the one that did it.
  assert.deepEqual(added.slice(3).sort(), tasks.map(({ uuid }) => uuid).sort())
})

test('a tick tells task.added, and a task has its runner', async t => {
  const { tasker, clock, ran } = await opened(t)
  const told = []
  for (const event of ['task.add', 'task.added', 'task.run', 'task.done']) {
    tasker.on(event, () => told.push(event))
  }
  await tasker.addSchedule({ id: 'x', every: '1m', task: { operation: 'report' } })
  await clock.advance('1m')
  assert.deepEqual(told, ['task.added', 'task.run', 'task.done'])
  assert.equal(ran.length, 1)
})

test('a task that the store refuses is told by a warning, and the schedule goes on', async t => {
  const { tasker, clock } = await opened(t)
  const first = await tasker.addTask({ operation: 'report' })
  await tasker.waitForTaskOutputData(first)
  const task = { operation: 'report', dependsOn: [first] }
  await tasker.addSchedule({ id: 'x', every: '1m', task })
  await clock.advance('1m')
  await tasker.removeTasks({})
  const warned = once(process, 'warning')
  await clock.advance('1m')
  const [warning] = await warned
  assert.equal(warning.code, 'TASKER_NOT_FOUND')
  assert.match(
    warning.message,
    /^the schedule "x" made no task at 2030-01-01T00:02:00.000Z: depends/,
  )
  const [{ made, nextAt }] = await tasker.findSchedules()
  assert.deepEqual([made, nextAt], [1, new Date(BEGIN + 3 * MINUTE)])
  const refusal = await refused(tasker.triggerSchedule('x'), 'TASKER_NOT_FOUND')
  assert.equal(refusal.path, 'dependsOn[0]')
})

test('runAll does not run for ever', async t => {
  const { tasker, clock, ran } = await opened(t)
  await tasker.addSchedule({ id: 'x', every: '1m', task: { operation: 'report' } })
  await assert.rejects(clock.runAll(), { code: 'TASKER_LIMIT' })
  await tasker.updateSchedule('x', { limit: 3 })
  await clock.runAll()
  assert.equal(ran.length, 3)
})

test('a schedule is not waited for: idle and drained come without it', async t => {
  const tasker = await started(t, { report: () => {} })
  await tasker.addSchedule({ id: 'x', cron: '@yearly', task: { operation: 'report' } })
  const drained = once(tasker, 'drained')
  await tasker.addTask({ operation: 'report' })
  await drained
  await tasker.idle()
})

test('an index of scheduleId finds its tasks', async t => {
  const tasker = await started(t, { report: () => {} }, { indexes: ['scheduleId'], store: file() })
  await tasker.addSchedule({ id: 'x', cron: '@yearly', task: { operation: 'report' } })
  const uuid = await tasker.triggerSchedule('x')
  const { index, matched } = await tasker.explainQuery({ scheduleId: 'x' })
  assert.deepEqual([index, matched], ['scheduleId', 1])
  assert.equal((await tasker.findTask({ scheduleId: 'x' })).uuid, uuid)
})

test('the schema of its operation is asked when a schedule is added', async t => {
  const tasker = open(t)
  const validate = value => (value === 7 ? { value } : { issues: [{ message: 'must be 7' }] })
  const schema = { data: { '~standard': { version: 1, vendor: 'test', validate } } }
  await tasker.defineOperation('report', { schema })
  const schedule = data => ({ id: 'x', every: '1m', task: { operation: 'report', data } })
  const refusal = await refused(tasker.addSchedule(schedule(8)), 'TASKER_INVALID')
  assert.equal(refusal.path, 'task.data')
  assert.equal(await tasker.addSchedule(schedule(7)), true)
})

test('everything that is wrong is named', async t => {
  const tasker = open(t)
  const good = { id: 'x', every: '1m', task: { operation: 'a' } }
  const signal = new AbortController().signal
  const wrong = [
    [7, 'schedule'],
    [{ ...good, id: undefined }, 'id'],
    [{ ...good, id: '' }, 'id'],
    [{ ...good, id: 7 }, 'id'],
    [{ ...good, id: 'é'.repeat(200) }, 'id', 'TASKER_TOO_LARGE'],
    [{ ...good, every: undefined }, 'cron'],
    [{ ...good, every: '1ms' }, 'every'],
    [{ ...good, every: Number.NaN }, 'every'],
    [{ ...good, every: undefined, cron: 'never' }, 'cron'],
    [{ ...good, cron: '* * * * *' }, 'every'],
    [{ ...good, timezone: 'UTC' }, 'timezone'],
    [{ ...good, overlap: 'perhaps' }, 'overlap'],
    [{ ...good, missed: true }, 'missed'],
    [{ ...good, jitter: -1 }, 'jitter'],
    [{ ...good, startAt: 'tomorrow' }, 'startAt'],
    [{ ...good, startAt: new Date(Number.NaN) }, 'startAt'],
    [{ ...good, limit: 0 }, 'limit'],
    [{ ...good, limit: Number.POSITIVE_INFINITY }, 'limit'],
    [{ ...good, task: undefined }, 'task'],
    [{ ...good, task: 'a' }, 'task'],
    [{ ...good, task: { data: 1 } }, 'task.operation'],
    [{ ...good, task: { operation: 'a', priority: 'x' } }, 'task.priority'],
    [{ ...good, task: { operation: 'a', data: 1n } }, 'task.data'],
    [{ ...good, task: { operation: 'a', data: () => {} } }, 'task.data'],
    [{ ...good, task: { operation: 'a', runAt: Date.now() } }, 'task.runAt'],
    [{ ...good, task: { operation: 'a', attach: {} } }, 'task.attach'],
    [{ ...good, task: { operation: 'a', abortSignal: signal } }, 'task.abortSignal'],
    [{ ...good, task: { operation: 'a', dependsOn: [0] } }, 'task.dependsOn[0]'],
    [{ ...good, task: { operation: 'a', scheduleId: 'x' } }, 'task.scheduleId'],
    [{ ...good, task: { operation: 'a', concurrency: [{}] } }, 'task.concurrency[0].scope'],
    [{ ...good, task: { operation: 'a', data: 'x'.repeat(300_000) } }, 'task', 'TASKER_TOO_LARGE'],
    [{ ...good, name: 'x' }, 'name'],
    [{ ...good, tz: 'UTC' }, 'tz'],
  ]
  for (const [schedule, path, code = 'TASKER_INVALID'] of wrong) {
    const refusal = await refused(tasker.addSchedule(schedule), code)
    assert.equal(refusal.path, path)
  }
  const dependsOn = ['018f0000-0000-7000-8000-000000000001']
  const queue = { ...good, overlap: 'queue', task: { operation: 'a', dependsOn } }
  const refusal = await refused(tasker.addSchedule(queue), 'TASKER_UNSUPPORTED')
  assert.equal(refusal.path, 'task.dependsOn')
  assert.deepEqual(await tasker.findSchedules(), [])
})

test('everything that is wrong with a call about one is named', async t => {
  const tasker = open(t)
  const good = { id: 'x', every: '1m', task: { operation: 'a' } }
  await tasker.addSchedule(good)
  for (const [patch, path] of [
    [7, 'patch'],
    [{}, 'patch'],
    [{ id: 'y' }, 'id'],
    [{ every: '1ms' }, 'every'],
    [{ task: { operation: '' } }, 'task.operation'],
    [{ task: false }, 'task'],
    [{ timezone: 'UTC' }, 'timezone'],
  ]) {
    const refusal = await refused(tasker.updateSchedule('x', patch), 'TASKER_INVALID')
    assert.equal(refusal.path, path)
  }
  await refused(tasker.triggerSchedule('x', { overlap: 'no' }), 'TASKER_INVALID')
  for (const call of ['pauseSchedule', 'resumeSchedule', 'triggerSchedule', 'updateSchedule']) {
    const refusal = await refused(
      tasker[call]('y', call === 'updateSchedule' ? { limit: 1 } : undefined),
      'TASKER_NOT_FOUND',
    )
    assert.equal(refusal.path, 'id')
  }
  const [one] = await tasker.findSchedules()
  assert.deepEqual([one.id, one.every], ['x', MINUTE])
})
