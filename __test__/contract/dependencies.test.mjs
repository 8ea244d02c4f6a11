import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Tasker } from '../../index.mjs'
import { file, folder, next, open, rejection, started } from './open.mjs'
import { openSqlite } from './sqlite.mjs'

const NOBODY = '018f0000-0000-7000-8000-000000000001'

const results = ({ results }) => results()

test('a graph runs in its order, and a task gets the results it waited for', async t => {
  const order = []
  const tasker = await started(t, {
    part: ({ data }) => {
      order.push(data)
      return data
    },
    whole: async context => {
      order.push('whole')
      return await context.results()
    },
  })
  const uuids = await tasker.addTasks([
    { operation: 'part', data: 'a' },
    { operation: 'part', data: 'b', dependsOn: [0] },
    { operation: 'whole', dependsOn: [1, 0, 1] },
  ])
  const entry = (n, result) => ({ uuid: uuids[n], status: 'done', result })
  const found = await tasker.waitForTaskOutputData(uuids[2])
  assert.deepEqual(found, [entry(1, 'b'), entry(0, 'a'), entry(1, 'b')])
  assert.deepEqual(order, ['a', 'b', 'whole'])
  const task = await tasker.getTask(uuids[2])
  assert.deepEqual(task.dependsOn, {
    uuids: [uuids[1], uuids[0], uuids[1]],
    onFailure: 'abort',
  })
})

test('a task that waits is blocked, found as such, and may be prioritized and aborted', async t => {
  const tasker = open(t)
  const first = await tasker.addTask({ operation: 'a' })
  const second = await tasker.addTask({ operation: 'a', dependsOn: [first] })
  const third = await tasker.addTask({ operation: 'a', dependsOn: [second] })
  const { state, status } = await tasker.getTask(second)
  assert.deepEqual([state, status], ['blocked', 'new'])
  assert.equal(await tasker.countTasks({ state: 'blocked' }), 2)
  assert.equal(await tasker.countTasks({ 'dependsOn.uuids': first }), 1)
  assert.equal(await tasker.prioritizeTask(second, 5), true)
  assert.equal((await tasker.getTask(second)).priority, 5)
  const heard = []
  tasker.on('task.aborted', (uuid, reason) => heard.push([uuid, reason.cause]))
  tasker.on('task.ended', (uuid, how) => heard.push([uuid, how]))
  assert.equal(await tasker.abortTask(second), true)
  await assert.rejects(tasker.waitForTaskOutputData(third), { cause: 'dependency' })
  assert.deepEqual(heard, [
    [second, 'user'],
    [second, 'aborted'],
    [third, 'dependency'],
    [third, 'aborted'],
  ])
})

test('the failure of a dependency aborts its dependents, whose reason names it', async t => {
  const tasker = await started(t, {
    bad: () => {
      throw new Error('no')
    },
    good: results,
  })
  tasker.on('task.failed', () => {})
  const [bad, next, last, all] = await tasker.addTasks([
    { operation: 'bad' },
    { operation: 'good', dependsOn: [0] },
    { operation: 'good', dependsOn: [1] },
    { operation: 'good', dependsOn: { uuids: [0, 1], onFailure: 'run' } },
  ])
  const error = await rejection(tasker.waitForTaskOutputData(last))
  assert.deepEqual([error.name, error.code, error.cause], ['AbortError', 'ABORT_ERR', 'dependency'])
  assert.ok(error.message.includes(next), error.message)
  const { status, cause, abortReason } = await tasker.getTask(next)
  assert.deepEqual([status, cause], ['aborted', 'dependency'])
  assert.ok(abortReason.message.includes(bad), abortReason.message)
  const [one, two] = await tasker.waitForTaskOutputData(all)
  assert.deepEqual([one.status, one.error.message, 'result' in one], ['failed', 'no', false])
  assert.deepEqual([two.status, two.error.cause], ['aborted', 'dependency'])
})

test('a dependency that has failed aborts the task as it comes, and the add resolves', async t => {
  const tasker = await started(t, {
    bad: () => {
      throw new Error('no')
    },
    good: () => 'ran',
  })
  tasker.on('task.failed', () => {})
  const bad = await tasker.addTask({ operation: 'bad' })
  await rejection(tasker.waitForTaskOutputData(bad))
  const ended = next(tasker, 'task.aborted')
  const uuid = await tasker.addTask({ operation: 'good', dependsOn: [bad] })
  assert.equal((await ended)[0], uuid)
  assert.equal((await tasker.getTask(uuid)).cause, 'dependency')
  assert.equal(await tasker.retryTask(uuid), true)
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'ran')
})

test('what a task cannot depend on is refused with its path, and nothing is stored', async t => {
  const tasker = open(t)
  const known = await tasker.addTask({ operation: 'a' })
  const refusals = [
    ['TASKER_NOT_FOUND', 'dependsOn[1]', [known, NOBODY]],
    ['TASKER_NOT_FOUND', 'dependsOn.uuids[0]', { uuids: [NOBODY] }],
    ['TASKER_INVALID', 'dependsOn[0]', [0]],
    ['TASKER_INVALID', 'dependsOn[0]', ['x']],
    ['TASKER_INVALID', 'dependsOn[0]', [null]],
    ['TASKER_INVALID', 'dependsOn', known],
    ['TASKER_INVALID', 'dependsOn', 7],
    ['TASKER_INVALID', 'dependsOn', () => known],
    ['TASKER_INVALID', 'dependsOn.uuids', {}],
    ['TASKER_INVALID', 'dependsOn.onFailure', { uuids: [known], onFailure: 'wait' }],
    ['TASKER_INVALID', 'dependsOn.on', { uuids: [known], on: 1 }],
    ['TASKER_TOO_LARGE', 'dependsOn', Array(1_001).fill(known)],
  ]
  for (const [code, path, dependsOn] of refusals) {
    await assert.rejects(tasker.addTask({ operation: 'a', dependsOn }), { code, path }, path)
  }
  for (const parent of ['x', 7, null]) {
    const expected = { code: 'TASKER_INVALID', path: 'parent' }
    await assert.rejects(tasker.addTask({ operation: 'a', parent }), expected)
  }
  const later = [{ operation: 'a', dependsOn: [1] }, { operation: 'a' }]
  await assert.rejects(tasker.addTasks(later), {
    code: 'TASKER_INVALID',
    path: '[0].dependsOn[0]',
  })
  const unknown = [{ operation: 'a' }, { operation: 'a', dependsOn: [0, NOBODY] }]
  await assert.rejects(tasker.addTasks(unknown), {
    code: 'TASKER_NOT_FOUND',
    path: '[1].dependsOn[1]',
  })
  assert.equal(await tasker.countTasks(), 1)
  await tasker.addTask({ operation: 'a', dependsOn: Array(1_000).fill(known) })
  await tasker.addTask({ operation: 'a', dependsOn: [] })
  assert.equal(await tasker.countTasks({ state: 'blocked' }), 1)
})

test('a run adds children that name it; without dependencies there are no results', async t => {
  const tasker = await started(t, {
    parent: async context => {
      const { addTask, results } = { ...context }
      assert.deepEqual(await results(), [])
      const child = await addTask({ operation: 'child', data: 1 })
      const other = await addTask({ operation: 'child', parent: child })
      await assert.rejects(addTask({ operation: 'child', oops: 1 }), { path: 'oops' })
      await assert.rejects(addTask(undefined), { code: 'TASKER_INVALID' })
      return [child, other]
    },
    child: () => undefined,
  })
  const parent = await tasker.addTask({ operation: 'parent' })
  const [child, other] = await tasker.waitForTaskOutputData(parent)
  assert.equal((await tasker.getTask(child)).parent, parent)
  assert.equal((await tasker.getTask(other)).parent, child)
  const found = await tasker.findTasks({ parent }, { fields: ['uuid', 'parent'] })
  assert.deepEqual(found, [{ uuid: child, parent }])
})

test('another process unblocks what waits for a task of its own', async t => {
  const store = file(t)
  const one = open(t, { store })
  const first = await one.addTask({ operation: 'first' })
  const second = await one.addTask({ operation: 'second', dependsOn: [first] })
  const wait = one.waitForTaskOutputData(second)
  const other = open(t, { store })
  other.assignRunner('first', () => 1)
  other.assignRunner('second', async ({ results }) => (await results())[0].result + 1)
  await other.start()
  assert.equal(await wait, 2)
})

test('an outbox takes dependencies, and refuses a row whose dependency is not there', async t => {
  const tasker = await started(t, { a: results })
  const db = openSqlite(join(folder(), 'app.db'))
  t.after(() => db.close())
  const outbox = tasker.outbox(db)
  assert.throws(() => outbox.addTask({ operation: 'a', dependsOn: [0] }), {
    code: 'TASKER_INVALID',
    path: 'dependsOn[0]',
  })
  const first = await tasker.addTask({ operation: 'a' })
  const faults = []
  tasker.on('error', error => faults.push([error.code, error.cause.path]))
  const keys = [[first], [NOBODY], [first]].map(dependsOn =>
    outbox.addTask({ operation: 'a', dependsOn }),
  )
  await outbox.flush()
  assert.deepEqual(faults, [['TASKER_NOT_FOUND', 'dependsOn[0]']])
  const uuids = await Promise.all(keys.map(key => outbox.uuidOf(key)))
  assert.equal(uuids[1], undefined)
  for (const uuid of [uuids[0], uuids[2]]) {
    const [one] = await tasker.waitForTaskOutputData(uuid)
    assert.deepEqual([one.uuid, one.status], [first, 'done'])
  }
})

test('a definition with dependencies may be an instance of a class', async t => {
  class Definition {
    operation = 'a'
    constructor(dependsOn) {
      this.dependsOn = dependsOn
    }
  }
  const tasker = new Tasker(':memory:')
  t.after(() => tasker.close())
  const first = await tasker.addTask({ operation: 'a' })
  const uuid = await tasker.addTask(new Definition([first]))
  assert.equal((await tasker.getTask(uuid)).state, 'blocked')
})
