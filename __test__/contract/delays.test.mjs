import assert from 'node:assert/strict'
import { test } from 'node:test'
import { open, refused, started } from './open.mjs'
import { libraries, rowsOf } from './sqlite.mjs'

const NEW_YEAR = new Date('2099-01-01T00:00:00Z')

test('a delayed task is found, and starts when it is due', async t => {
  const tasker = await started(t, { a: () => 'done' })
  for (const delay of [1, '1ms', '0.001s']) {
    const uuid = await tasker.addTask({ operation: 'a', delay })
    assert.equal(await tasker.waitForTaskOutputData(uuid), 'done')
    const { createdAt, runAt, startedAt } = await tasker.getTask(uuid)
    assert.equal(runAt.getTime(), createdAt.getTime() + 1)
    assert.ok(startedAt >= runAt, 'not early')
  }
})

test('a start time is a Date or milliseconds, and may lie in the past', async t => {
  const tasker = await started(t, { a: () => 'done' })
  for (const runAt of [NEW_YEAR, NEW_YEAR.getTime()]) {
    const uuid = await tasker.addTask({ operation: 'a', runAt })
    const task = await tasker.getTask(uuid)
    assert.deepEqual([task.status, task.state, task.runAt], ['new', 'delayed', NEW_YEAR])
  }
  assert.equal(await tasker.countTasks({ state: 'delayed' }), 2)
  assert.equal(await tasker.countTasks({ runAt: { $gte: NEW_YEAR } }), 2)
  const uuid = await tasker.addTask({ operation: 'a', runAt: new Date(0) })
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'done')
})

test('a delayed task gets another priority, and is aborted at once', async t => {
  const tasker = await started(t, { a: () => 'done' })
  const uuid = await tasker.addTask({ operation: 'a', runAt: NEW_YEAR })
  assert.equal(await tasker.prioritizeTask(uuid, 7), true)
  assert.equal((await tasker.getTask(uuid)).priority, 7)
  assert.equal(await tasker.abortTask(uuid), true)
  assert.equal((await tasker.getTask(uuid)).status, 'aborted')
})

test('what is no start time is refused with its path', async t => {
  const tasker = open(t)
  for (const [options, path] of [
    [{ runAt: new Date(Number.NaN) }, 'runAt'],
    [{ runAt: '2099-01-01' }, 'runAt'],
    [{ runAt: Infinity }, 'runAt'],
    [{ delay: 0 }, 'delay'],
    [{ delay: -1 }, 'delay'],
    [{ delay: 1, runAt: NEW_YEAR }, 'delay'],
  ]) {
    await refused(tasker.addTask({ operation: 'a', ...options }), 'TASKER_INVALID', path)
    const tasks = [{ operation: 'a' }, { operation: 'a', ...options }]
    await refused(tasker.addTasks(tasks), 'TASKER_INVALID', `[1].${path}`)
  }
  assert.equal(await tasker.countTasks(), 0)
})

for (const library of libraries) {
  const { name, skip } = library
  test(`a delay of an outbox counts from the row (${name})`, { skip }, async t => {
    const db = library.open(':memory:')
    t.after(() => db.close())
    const tasker = open(t)
    const outbox = tasker.outbox(db)
    const definition = { operation: 'a', delay: '1h' }
    const key = outbox.addTask(definition)
    const [{ at }] = rowsOf(db)
    assert.ok(at > Date.UTC(2020), 'the moment of the insert, in milliseconds')
    // As a program without tasker writes it.
    const insert = db.prepare('INSERT INTO tasker_outbox (key, at, task) VALUES (?, ?, ?)')
    insert.run(Buffer.alloc(16, 0x77), NEW_YEAR.getTime(), JSON.stringify(definition))
    const ours = await tasker.getTask(await outbox.uuidOf(key))
    const theirs = await tasker.getTask(await outbox.uuidOf('77777777-7777-7777-7777-777777777777'))
    for (const [task, from] of [
      [ours, at],
      [theirs, NEW_YEAR.getTime()],
    ]) {
      assert.deepEqual([task.state, task.runAt.getTime()], ['delayed', from + 3_600_000])
    }
    assert.throws(() => insert.run(Buffer.alloc(16, 0x88), 9e15, '{}'), /CHECK/, 'no moment')
  })
}
