import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gate, next, started } from './open.mjs'

test('progress is stored in the document and told by events', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const uuid = await tasker.addTask({ operation: 'a' })
  const { context, resolve } = await call(0)
  const cases = [
    [[1], { current: 1 }],
    [[2, 10], { current: 2, total: 10 }],
    [[2.5, 10, 'pages'], { current: 2.5, total: 10, unit: 'pages' }],
    [[-1, undefined, '☃'], { current: -1, unit: '☃' }],
  ]
  for (const [args, expected] of cases) {
    const told = [next(tasker, 'task.progress'), next(tasker, `task.${uuid}.progress`)]
    context.progress(...args)
    assert.deepEqual(await Promise.all(told), [[uuid, expected], [expected]])
    assert.deepEqual((await tasker.getTask(uuid)).progress, expected)
  }
  assert.equal(await tasker.countTasks({ 'progress.current': { $lt: 0 } }), 1)
  resolve()
  await tasker.waitForTaskOutputData(uuid)
  assert.deepEqual((await tasker.getTask(uuid)).progress, cases[3][1])
})

test('progress that nobody hears is stored all the same', async t => {
  const tasker = await started(t, {
    a: ({ progress }) => {
      for (let n = 1; n <= 5_000; n += 1) progress(n, 5_000)
    },
  })
  const uuid = await tasker.addTask({ operation: 'a' })
  await tasker.waitForTaskOutputData(uuid)
  assert.deepEqual((await tasker.getTask(uuid)).progress, { current: 5_000, total: 5_000 })
})

test('progress of a wrong shape throws into the runner', async t => {
  const wrong = [
    [[], 'current', 'TASKER_INVALID'],
    [['1'], 'current', 'TASKER_INVALID'],
    [[Number.NaN], 'current', 'TASKER_INVALID'],
    [[Infinity], 'current', 'TASKER_INVALID'],
    [[1, Infinity], 'total', 'TASKER_INVALID'],
    [[1, null], 'total', 'TASKER_INVALID'],
    [[1, 2, 3], 'unit', 'TASKER_INVALID'],
    [[1, 2, 'u'.repeat(65)], 'unit', 'TASKER_TOO_LARGE'],
  ]
  const tasker = await started(t, {
    a: ({ progress }) => {
      for (const [args, path, code] of wrong) assert.throws(() => progress(...args), { code, path })
      progress(1, 2, 'u'.repeat(64))
    },
  })
  const uuid = await tasker.addTask({ operation: 'a' })
  await tasker.waitForTaskOutputData(uuid)
  assert.equal((await tasker.getTask(uuid)).progress.current, 1)
})
