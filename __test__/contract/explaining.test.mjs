// Why a task does not run: all that hold it back, with facts, in whatever process they are.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, gate, open, refused, runs, started } from './open.mjs'

/** What holds a task back: the words. */
async function words(tasker, uuid) {
  const { runnable, reasons } = await tasker.explainTask(uuid)
  assert.equal(runnable, reasons.length === 0)
  return reasons.map(({ reason }) => reason)
}

/** The one reason of a task, without its sentence, which must be there. */
async function only(tasker, uuid) {
  const { reasons } = await tasker.explainTask(uuid)
  assert.equal(reasons.length, 1, JSON.stringify(reasons))
  const { message, ...facts } = reasons[0]
  assert.ok(message.length > 10)
  return facts
}

test('a start time and its cause', async t => {
  const tasker = await started(t, {
    a: () => {
      throw new Error('no')
    },
  })
  const runAt = new Date(Date.now() + 3_600_000)
  const own = await tasker.addTask({ operation: 'a', runAt })
  assert.deepEqual(await only(tasker, own), { reason: 'start-time', until: runAt, cause: 'own' })
  const retried = new Promise(resolve => tasker.once('task.retrying', resolve))
  const retry = { attempts: 2, backoff: { type: 'fixed', delay: '1h' } }
  const uuid = await tasker.addTask({ operation: 'a', retry })
  await retried
  const { until, cause } = await only(tasker, uuid)
  assert.equal(cause, 'retry')
  assert.deepEqual(until, (await tasker.getTask(uuid)).runAt)
})

test('dependencies', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const first = await tasker.addTask({ operation: 'a' })
  const uuid = await tasker.addTask({ operation: 'a', dependsOn: [first] })
  const expected = { reason: 'dependency', count: 1, uuids: [first] }
  assert.deepEqual(await only(tasker, uuid), expected)
  ;(await call(0)).resolve()
  ;(await call(1)).resolve()
  await tasker.waitForTaskOutputData(uuid)
})

test('pauses of a task and of its operation, both at once', async t => {
  const tasker = await started(t, { a: () => {} })
  await tasker.pauseOperation('a')
  const uuid = await tasker.addTask({ operation: 'a' })
  await tasker.pauseTask(uuid)
  const { reasons, state, status } = await tasker.explainTask(uuid)
  assert.deepEqual([state, status], ['paused', 'new'])
  assert.deepEqual(
    reasons.map(({ reason, what, operation }) => [reason, what, operation]),
    [
      ['paused', 'task', undefined],
      ['paused', 'operation', 'a'],
    ],
  )
  for (const { since } of reasons) assert.ok(since instanceof Date)
  await tasker.resumeOperation('a')
  await tasker.resumeTask(uuid)
  await tasker.waitForTaskOutputData(uuid)
})

test('a runner that is missing, in this process and in others', async t => {
  const store = file()
  const tasker = open(t, { store })
  const other = open(t, { store, runners: { a: () => new Promise(() => {}) } })
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.deepEqual(await only(tasker, uuid), { reason: 'no-runner', operation: 'a' })
  await other.pauseOperation('a')
  await other.start()
  assert.deepEqual(await words(tasker, uuid), ['paused'])
  await other.stop()
  assert.deepEqual(await words(tasker, uuid), ['paused', 'no-runner'])
})

test('a limit, and a place, and what stands ahead', async t => {
  const { runner, call } = gate()
  const tasker = open(t, { concurrency: 2 })
  tasker.assignRunner('a', runner, { concurrency: 1 })
  tasker.assignRunner('b', runner)
  await tasker.start()
  const runningA = await tasker.addTask({ operation: 'a' })
  const [first, second] = await tasker.addTasks([{ operation: 'a' }, { operation: 'a' }])
  const limit = { reason: 'limit', operation: 'a', limit: 1, running: 1, uuids: [runningA] }
  assert.deepEqual(await only(tasker, first), limit)
  assert.deepEqual(await words(tasker, second), ['limit', 'order'])
  await tasker.addTask({ operation: 'b' })
  const waits = await tasker.addTask({ operation: 'b' })
  assert.deepEqual(await only(tasker, waits), { reason: 'place', limit: 2, running: 2 })
  assert.deepEqual(await words(tasker, first), ['limit', 'place'])
  const { reasons } = await tasker.explainTask(second)
  const { ahead, isCapped } = reasons.find(({ reason }) => reason === 'order')
  assert.deepEqual({ ahead, isCapped }, { ahead: 1, isCapped: false })
  for (let n = 0; n < 5; n += 1) (await call(n)).resolve()
  await tasker.waitForTaskOutputData(second)
})

test('a condition names those that it counts, and is no order for those behind', async t => {
  const store = file()
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner, b: runner }, { store, concurrency: 3 })
  const elsewhere = open(t, { store })
  const running = await tasker.addTask({ operation: 'a', data: { book: 'dune' } })
  await call(0)
  const query = { 'data.book': 'dune' }
  const concurrency = [{ scope: 'running', query, limit: 0 }]
  const uuid = await tasker.addTask({ operation: 'b', concurrency })
  for (const one of [tasker, elsewhere]) {
    const { since, ...facts } = await only(one, uuid)
    const expected = { scope: 'running', query, limit: 0, count: 1, uuids: [running] }
    assert.deepEqual(facts, { reason: 'condition', ...expected })
    const { startedAt } = await tasker.getTask(running)
    assert.deepEqual(since, [startedAt])
    const { waiting, reasons } = await one.explain({ operation: 'b' })
    assert.deepEqual([waiting, reasons], [1, { condition: 1 }])
  }
  const never = [{ scope: 'running', query, limit: -1 }]
  const [last] = await tasker.addTasks([{ operation: 'b', concurrency: never }])
  const negative = await tasker.explainTask(last)
  assert.deepEqual(
    negative.reasons.map(({ reason, limit }) => [reason, limit]),
    [['condition', -1]],
  )
  assert.match(String(negative), /a condition with a limit below 0 never holds/)
  await tasker.abortTask(last)
  ;(await call(0)).resolve()
  ;(await call(1)).resolve()
  await tasker.waitForTaskOutputData(uuid)
})

test('what runs or has ended is held back by nothing, and says how it ended', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const uuid = await tasker.addTask({ operation: 'a' })
  const running = await tasker.explainTask(uuid)
  assert.deepEqual(
    [running.state, running.status, running.runnable, running.reasons, running.ended],
    ['running', 'running', false, [], undefined],
  )
  await tasker.pauseTask(uuid)
  assert.equal((await tasker.explainTask(uuid)).isPausing, true)
  ;(await call(0)).reject(new TypeError('no'))
  await tasker.waitForTaskOutputData(uuid).catch(() => {})
  const failed = await tasker.explainTask(uuid)
  const { endedAt } = await tasker.getTask(uuid)
  assert.deepEqual(failed.ended, { at: endedAt, cause: 'error', error: 'TypeError' })
  assert.match(String(failed), /is failed, cause error \(TypeError\)$/)
})

test('it says itself in sentences', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({ operation: 'a', delay: '1h' })
  const explanation = await tasker.explainTask(uuid)
  const lines = String(explanation).split('\n')
  assert.equal(lines[0], `task ${uuid} of 'a' is delayed`)
  assert.match(lines[1], /^- it starts no sooner than .*Z: that is its own start time$/)
  assert.equal(lines[2], "- no tasker that is started has a runner for 'a'")
  assert.deepEqual(
    explanation.reasons.map(({ message }) => `- ${message}`),
    lines.slice(1),
  )
  assert.equal(Object.keys(explanation).includes('toString'), false)
})

test('a task that is not there, or no uuid, is not found', async t => {
  const tasker = open(t)
  for (const uuid of ['0190b5a0-0000-7000-8000-000000000001', 'nothing', '']) {
    await refused(tasker.explainTask(uuid), 'TASKER_NOT_FOUND')
  }
  await refused(tasker.explainTask(7), 'TASKER_INVALID', 'uuid')
  await refused(tasker.explain({ operation: 7 }), 'TASKER_INVALID', 'operation')
  await refused(tasker.explain({}), 'TASKER_INVALID', 'operation')
  await refused(tasker.explain({ operation: 'a', queue: 1 }), 'TASKER_INVALID')
  await refused(tasker.explain(), 'TASKER_INVALID')
  await tasker.close()
  await refused(tasker.explainTask('0190b5a0-0000-7000-8000-000000000001'), 'TASKER_CLOSED')
})

test('the waiting tasks of an operation, counted by what holds them first', async t => {
  const { runner, call } = gate()
  const tasker = open(t)
  assert.deepEqual(await tasker.explain({ operation: 'a' }), {
    operation: 'a',
    waiting: 0,
    reasons: {},
  })
  const [first] = await tasker.addTasks([
    { operation: 'a' },
    { operation: 'a' },
    { operation: 'a', delay: '1h' },
    { operation: 'b' },
  ])
  await tasker.addTask({ operation: 'a', dependsOn: [first] })
  const paused = await tasker.addTask({ operation: 'a' })
  await tasker.pauseTask(paused)
  const others = { dependency: 1, 'start-time': 1, paused: 1 }
  const counted = async () => {
    const { waiting, reasons } = await tasker.explain({ operation: 'a' })
    assert.equal(
      waiting,
      Object.values(reasons).reduce((sum, tasks) => sum + tasks, 0),
    )
    return reasons
  }
  assert.deepEqual(await counted(), { ...others, 'no-runner': 2 })
  tasker.assignRunner('a', runner, { concurrency: 1 })
  await tasker.start()
  await call(0)
  assert.deepEqual(await counted(), { ...others, limit: 1 })
  await tasker.pauseOperation('a')
  assert.deepEqual(await counted(), { ...others, limit: 1 })
})

test('a process that is killed is known to be gone', async t => {
  const store = file()
  const tasker = open(t, { store })
  const uuid = await tasker.addTask({ operation: 'a' })
  await runs(`
    import { Tasker } from './index.mjs'
    const tasker = new Tasker({ store: ${JSON.stringify(store)}, runners: { b: () => {} } })
    tasker.assignRunner('a', () => new Promise(() => {}), { concurrency: 1 })
    await tasker.pauseOperation('a')
    await tasker.start()
    const { reasons } = await tasker.explainTask('${uuid}')
    if (reasons.some(({ reason }) => reason === 'no-runner')) process.exit(1)
    setImmediate(() => process.exit(0))
  `)
  assert.deepEqual(await words(tasker, uuid), ['paused', 'no-runner'])
})
