/** Changing the definition of a task that waits. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { file, open, refused, started } from './open.mjs'

const DAY = new Date('2090-01-01')

test('what is named changes and the rest stays', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({
    operation: 'a',
    data: { n: 1 },
    label: 'old',
    tags: ['x'],
    runTimeout: '5s',
  })
  const updated = once(tasker, 'task.updated')
  assert.equal(await tasker.updateTask(uuid, { data: { n: 2 }, priority: 3, id: [7] }), true)
  assert.deepEqual(await updated, [uuid])
  const { data, label, tags, runTimeout, priority, id } = await tasker.getTask(uuid)
  const expected = [{ n: 2 }, 'old', ['x'], 5_000, 3, [7]]
  assert.deepEqual([data, label, tags, runTimeout, priority, id], expected)
  assert.equal(await tasker.countTasks({ 'data.n': 2, priority: 3 }), 1)
  const changes = { priority: Number.POSITIVE_INFINITY, data: null, tags: [], runTimeout: false }
  assert.equal(await tasker.updateTask(uuid, changes), true)
  const task = await tasker.getTask(uuid)
  assert.deepEqual([task.priority, task.data], [Number.POSITIVE_INFINITY, null])
  assert.deepEqual([task.tags, task.runTimeout], [undefined, undefined])
})

test('of those who change a task if it is as they saw it, one does', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({ operation: 'a', data: { version: 1 } })
  const change = by =>
    tasker.updateTask(uuid, { data: { version: 2, by } }, { if: { 'data.version': 1 } })
  const changed = await Promise.all(['one', 'two', 'three'].map(change))
  assert.deepEqual(changed, [true, false, false])
  assert.deepEqual((await tasker.getTask(uuid)).data, { version: 2, by: 'one' })
  const isLate = { if: { state: 'ready', createdAt: { $lt: new Date(0) } } }
  assert.equal(await tasker.updateTask(uuid, { priority: 1 }, isLate), false)
})

test('a start time is brought forward and put off', async t => {
  const tasker = await started(t, { a: ({ data }) => data })
  const uuid = await tasker.addTask({ operation: 'a', data: 1, runAt: DAY })
  assert.equal(await tasker.updateTask(uuid, { runAt: new Date('2091-01-01'), data: 2 }), true)
  assert.deepEqual((await tasker.getTask(uuid)).runAt, new Date('2091-01-01'))
  assert.equal((await tasker.getTask(uuid)).state, 'delayed')
  assert.equal(await tasker.updateTask(uuid, { runAt: new Date() }), true)
  assert.equal(await tasker.waitForTaskOutputData(uuid), 2)
  assert.equal(await tasker.updateTask(uuid, { data: 3 }), false, 'it has ended')
})

test('a task that runs is left as it is, and one between two attempts is changed', async t => {
  const runs = []
  let fail
  const tasker = await started(t, {
    a: ({ data }) => {
      runs.push(data)
      if (runs.length > 1) return 'done'
      return new Promise((_, reject) => (fail = () => reject(new Error('once'))))
    },
  })
  const began = once(tasker, 'task.run')
  const backoff = { type: 'fixed', delay: '1h' }
  const uuid = await tasker.addTask({ operation: 'a', data: 1, retry: { attempts: 2, backoff } })
  await began
  assert.equal(await tasker.updateTask(uuid, { data: 2 }), false)
  const retrying = once(tasker, 'task.retrying')
  fail()
  await retrying
  assert.equal(await tasker.updateTask(uuid, { data: 3, delay: 1 }), true)
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'done')
  assert.deepEqual(runs, [1, 3])
})

test('conditions follow the data', async t => {
  const ends = []
  const tasker = await started(t, { a: () => new Promise(resolve => ends.push(resolve)) })
  const query = { 'data.book': { $task: 'data.book' } }
  await tasker.defineOperation('a', { conditions: [{ scope: 'running', query, limit: 0 }] })
  const began = once(tasker, 'task.run')
  const first = await tasker.addTask({ operation: 'a', data: { book: 'dune' } })
  await began
  const second = await tasker.addTask({ operation: 'a', data: { book: 'dune' } })
  const [reason] = (await tasker.explainTask(second)).reasons
  assert.equal(reason.reason, 'condition')
  const begins = once(tasker, 'task.run')
  assert.equal(await tasker.updateTask(second, { data: { book: 'emma' } }), true)
  assert.deepEqual((await begins)[0], second)
  assert.deepEqual((await tasker.getTask(second)).concurrency[0].query, { 'data.book': 'emma' })
  for (const end of ends) end()
  await Promise.all([first, second].map(uuid => tasker.waitForTaskOutputData(uuid)))
})

test('another process runs what it was changed to', async t => {
  const store = file()
  const [tasker, other] = [open(t, { store }), open(t, { store })]
  const uuid = await tasker.addTask({ operation: 'a', data: 1 })
  assert.equal(await other.updateTask(uuid, { data: 2 }), true)
  tasker.assignRunner('a', ({ data }) => data)
  await tasker.start()
  assert.equal(await tasker.waitForTaskOutputData(uuid), 2)
})

test('what cannot be is refused with its path, and nothing changes', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({ operation: 'a', data: 1 })
  const invalid = [
    [{}, 'patch'],
    [undefined, 'patch'],
    [7, 'patch'],
    [{ data: undefined }, 'patch'],
    [{ operation: 'b' }, 'operation'],
    [{ dependsOn: [] }, 'dependsOn'],
    [{ unique: { key: 'k' } }, 'unique'],
    [{ parent: uuid }, 'parent'],
    [{ attach: {} }, 'attach'],
    [{ abortSignal: new AbortController().signal }, 'abortSignal'],
    [{ payload: 1 }, 'payload'],
    [{ priority: Number.NaN }, 'priority'],
    [{ data: () => 1 }, 'data'],
    [{ data: new Map() }, 'data'],
    [{ delay: 0 }, 'delay'],
    [{ delay: 5, runAt: DAY }, 'delay'],
    [{ concurrency: [{ scope: 'running', query: {}, limit: 0.5 }] }, 'concurrency[0].limit'],
  ]
  for (const [patch, path] of invalid) {
    await refused(tasker.updateTask(uuid, patch), 'TASKER_INVALID', path)
  }
  const bad = [
    [{ status: { $no: 1 } }, 'if.status.$no'],
    [{ result: 1 }, 'if.result'],
    [{ progress: 1 }, 'if.progress'],
  ]
  for (const [query, path] of bad) {
    const changing = tasker.updateTask(uuid, { data: 2 }, { if: query })
    await refused(changing, 'TASKER_INVALID_QUERY', path)
  }
  await refused(tasker.updateTask(uuid, { data: 2 }, { when: {} }), 'TASKER_INVALID', 'when')
  const nobody = '00000000-0000-7000-8000-000000000000'
  await refused(tasker.updateTask(nobody, { data: 2 }), 'TASKER_NOT_FOUND')
  assert.equal((await tasker.getTask(uuid)).data, 1)
})
