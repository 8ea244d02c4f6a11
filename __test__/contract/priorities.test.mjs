import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gate, next, open, refused } from './open.mjs'

/** Adds tasks with these priorities, runs them one at a time, and gives the order they ran in. */
async function order(t, add) {
  const ran = []
  const tasker = open(t, { concurrency: 1, runners: { a: ({ data }) => ran.push(data) } })
  const uuids = await add(tasker)
  await tasker.start()
  await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  return ran
}

const definitions = priorities =>
  priorities.map(priority => ({ operation: 'a', data: String(priority), priority }))

test('greater runs sooner, from -Infinity to Infinity (I-7)', async t => {
  const priorities = [0, -1, 5, Infinity, 0.5, -Infinity, 1e308, -1e308]
  const ran = await order(t, tasker => tasker.addTasks(definitions(priorities)))
  const sorted = [...priorities].sort((a, b) => b - a || 0)
  assert.deepEqual(ran, sorted.map(String))
})

test('equal priorities run by age (I-7, I-8)', async t => {
  const data = Array.from({ length: 50 }, (_, n) => n)
  const ran = await order(t, tasker =>
    tasker.addTasks(data.map(n => ({ operation: 'a', data: n, priority: n % 2 ? 0 : -0 }))),
  )
  assert.deepEqual(ran, data)
})

test('infinite priorities survive storage and are numbers in documents and runners', async t => {
  const seen = []
  const tasker = open(t, { runners: { a: ({ priority }) => seen.push(priority) } })
  const uuids = await tasker.addTasks(definitions([Infinity, -Infinity]))
  const tasks = await Promise.all(uuids.map(uuid => tasker.getTask(uuid)))
  assert.deepEqual(
    tasks.map(task => task.priority),
    [Infinity, -Infinity],
  )
  await tasker.start()
  await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  assert.deepEqual(seen, [Infinity, -Infinity])
})

test('a waiting task gets another priority, which is told', async t => {
  const events = []
  const ran = await order(t, async tasker => {
    const uuids = await tasker.addTasks(definitions([3, 2, 1]))
    tasker.on('task.prioritized', (...args) => events.push(args))
    tasker.on(`task.${uuids[2]}.prioritized`, (...args) => events.push(args))
    assert.equal(await tasker.prioritizeTask(uuids[2], Infinity), true)
    assert.equal(await tasker.prioritizeTask(uuids[0], -7.5), true)
    assert.equal((await tasker.getTask(uuids[0])).priority, -7.5)
    assert.deepEqual(events, [[uuids[2], Infinity], [Infinity], [uuids[0], -7.5]])
    return uuids
  })
  assert.deepEqual(ran, ['1', '2', '3'])
})

test('a running or ended task keeps its priority, silently', async t => {
  const { runner, call } = gate()
  const tasker = open(t, { runners: { a: runner } })
  await tasker.start()
  tasker.on('task.prioritized', () => assert.fail('nothing changed'))
  const uuid = await tasker.addTask({ operation: 'a', priority: 1 })
  const { resolve } = await call(0)
  assert.equal(await tasker.prioritizeTask(uuid, 2), false)
  resolve()
  await tasker.waitForTaskOutputData(uuid)
  assert.equal(await tasker.prioritizeTask(uuid, 2), false)
  assert.equal((await tasker.getTask(uuid)).priority, 1)
})

test('a priority that is none is refused', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({ operation: 'a' })
  for (const wrong of [Number.NaN, undefined, null, '5', 1n, {}]) {
    await refused(tasker.prioritizeTask(uuid, wrong), 'TASKER_INVALID', 'priority')
  }
  await refused(
    tasker.prioritizeTask('018f0000-0000-7000-8000-000000000000', 1),
    'TASKER_NOT_FOUND',
  )
  await refused(tasker.prioritizeTask(null, 1), 'TASKER_INVALID', 'uuid')
})

test('a new task overtakes waiting ones of lower priority', async t => {
  const { runner, call } = gate()
  const tasker = open(t, { concurrency: 1, runners: { a: runner } })
  await tasker.start()
  await tasker.addTasks(definitions([0, 0]))
  const first = await call(0)
  await tasker.addTask({ operation: 'a', data: 'urgent', priority: 1 })
  first.resolve()
  const second = await call(1)
  assert.equal(second.context.data, 'urgent')
  second.resolve()
  const last = next(tasker, 'task.done')
  ;(await call(2)).resolve()
  await last
})
