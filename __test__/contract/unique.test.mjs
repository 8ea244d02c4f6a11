// Unique tasks: what an add finds, what it gives back, and what is told.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, gate, next, open, refused, rejection, started } from './open.mjs'
import { openSqlite } from './sqlite.mjs'

const KEY = { key: 'k' }
/** A task with the key. */
const task = (unique = {}, rest = {}) => ({
  operation: 'a',
  unique: { ...KEY, ...unique },
  ...rest,
})

/** What is told of tasks, in order. */
function heard(tasker, ...events) {
  const told = []
  for (const event of events) tasker.on(event, (...args) => told.push([event, ...args]))
  return told
}

test('an add that finds its key taken gives the earlier task, as it is (I-2)', async t => {
  const tasker = open(t)
  const told = heard(tasker, 'task.add', 'task.added', 'task.add.skipped', 'task.updated')
  const first = await tasker.addTask(task({}, { data: 1 }))
  const of = heard(tasker, `task.${first}.add.skipped`)
  const definition = task({ while: 'always' }, { data: 2, label: 'x' })
  assert.equal(await tasker.addTask(definition), first)
  assert.deepEqual(
    told.map(([event]) => event),
    ['task.add', 'task.added', 'task.add', 'task.add.skipped'],
  )
  assert.deepEqual(told[3].slice(1), [first, definition])
  assert.deepEqual(of, [[`task.${first}.add.skipped`, definition]])
  const stored = await tasker.getTask(first)
  assert.deepEqual([stored.data, stored.label], [1, undefined])
  assert.deepEqual(stored.unique, { key: 'k', while: 'unfinished', onConflict: 'return' })
  assert.equal(await tasker.countTasks({ 'unique.key': 'k' }), 1)
})

test('a listener of task.add.skipped alone is no listener of single tasks', async t => {
  const tasker = open(t)
  const told = heard(tasker, 'task.add.skipped')
  const uuid = await tasker.addTask(task())
  await tasker.addTask(task())
  assert.deepEqual(told.length, 1)
  await tasker.abortTask(uuid)
  await tasker.addTask(task())
  await tasker.addTask(task())
  assert.equal(told.length, 2)
})

test('labels, ids and data are no keys, and other operations have other keys', async t => {
  const tasker = open(t)
  const same = { id: 'k', label: 'k', tags: ['k'], data: 'k' }
  const uuids = [
    await tasker.addTask(task({}, same)),
    await tasker.addTask({ operation: 'a', ...same }),
    await tasker.addTask({ ...task({}, same), operation: 'b' }),
    await tasker.addTask(task({ key: 'K' }, same)),
  ]
  assert.equal(new Set(uuids).size, 4)
})

test('the signal of a duplicate is not attached, and that of a replacement is', async t => {
  const tasker = open(t)
  const [first, second, third] = [1, 2, 3].map(() => new AbortController())
  const signal = ({ signal }) => ({ abortSignal: signal })
  const uuid = await tasker.addTask(task({}, signal(first)))
  await tasker.addTask(task({}, signal(second)))
  second.abort()
  assert.equal((await tasker.getTask(uuid)).status, 'new')
  await tasker.addTask(task({ onConflict: 'replace' }, signal(third)))
  first.abort()
  await tasker.hasTask({})
  assert.equal((await tasker.getTask(uuid)).status, 'new')
  const ended = next(tasker, `task.${uuid}.aborted`)
  third.abort(new Error('enough'))
  assert.equal((await ended)[0].message, 'enough')
})

test('a replacement is told, and runs with the new definition', async t => {
  const tasker = open(t, { runners: { a: ({ data, label }) => [data, label] } })
  const told = heard(tasker, 'task.added', 'task.updated', 'task.add.skipped')
  const uuid = await tasker.addTask(task({}, { data: 1, priority: 1 }))
  const { createdAt, seq } = await tasker.getTask(uuid)
  const replace = { onConflict: 'replace', while: 'new', ttl: '1h' }
  assert.equal(await tasker.addTask(task(replace, { data: 2, label: 'x' })), uuid)
  const stored = await tasker.getTask(uuid)
  assert.deepEqual([stored.createdAt, stored.seq, stored.priority], [createdAt, seq, 0])
  assert.deepEqual(stored.unique, { key: 'k', while: 'new', ttl: 3_600_000, onConflict: 'replace' })
  assert.deepEqual(told, [
    ['task.added', uuid],
    ['task.updated', uuid],
  ])
  await tasker.start()
  assert.deepEqual(await tasker.waitForTaskOutputData(uuid), [2, 'x'])
})

test('a key is free again when its task ends, and for new ones when it starts', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const first = await tasker.addTask(task())
  const run = await call(0)
  assert.equal(await tasker.addTask(task({ onConflict: 'replace' }, { data: 1 })), first)
  run.resolve()
  await tasker.waitForTaskOutputData(first)
  const second = await tasker.addTask(task({ while: 'new' }))
  assert.notEqual(second, first)
  await call(1)
  const third = await tasker.addTask(task())
  assert.notEqual(third, second)
})

test('reject names the earlier task, and tells of it', async t => {
  const tasker = open(t)
  const told = heard(tasker, 'task.add.skipped')
  const uuid = await tasker.addTask(task())
  const definition = task({ onConflict: 'reject' })
  const error = await refused(tasker.addTask(definition), 'TASKER_DUPLICATE', 'unique.key')
  assert.equal(error.uuid, uuid)
  assert.deepEqual(told, [['task.add.skipped', uuid, definition]])
  const many = [{ operation: 'b' }, definition]
  const other = await refused(tasker.addTasks(many), 'TASKER_DUPLICATE', '[1].unique.key')
  assert.equal(other.uuid, uuid)
  assert.deepEqual(told[1], ['task.add.skipped', uuid, definition])
  assert.equal(await tasker.countTasks(), 1)
})

test('equal keys in one call are one task', async t => {
  const tasker = open(t)
  const told = heard(tasker, 'task.added', 'task.add.skipped', 'task.updated')
  const definitions = [
    task({}, { data: 1 }),
    { operation: 'a', data: 2 },
    task({}, { data: 3 }),
    task({ onConflict: 'replace' }, { data: 4 }),
  ]
  const uuids = await tasker.addTasks(definitions)
  assert.deepEqual(uuids, [uuids[0], uuids[1], uuids[0], uuids[0]])
  assert.equal(await tasker.countTasks(), 2)
  assert.equal((await tasker.getTask(uuids[0])).data, 4)
  assert.deepEqual(told, [
    ['task.added', uuids[0]],
    ['task.added', uuids[1]],
    ['task.add.skipped', uuids[0], definitions[2]],
    ['task.updated', uuids[0]],
  ])
  const again = task({ key: 'z', onConflict: 'reject' })
  const error = await refused(tasker.addTasks([task({ key: 'z' }), again]), 'TASKER_DUPLICATE')
  assert.deepEqual([error.path, error.uuid], ['[1].unique.key', undefined])
})

test('a task that is run again takes its key again or is refused', async t => {
  const tasker = await started(t, { a: () => 1 })
  const first = await tasker.addTask(task())
  await tasker.waitForTaskOutputData(first)
  await tasker.pauseOperation('a')
  const second = await tasker.addTask(task())
  const error = await refused(tasker.retryTask(first), 'TASKER_DUPLICATE', 'unique.key')
  assert.equal(error.uuid, second)
  await tasker.abortTask(second)
  assert.equal(await tasker.retryTask(first), true)
  assert.equal(await tasker.addTask(task()), first)
})

test('what is wrong with a key is named', async t => {
  const tasker = open(t)
  for (const [unique, code, path] of [
    ['k', 'TASKER_INVALID', 'unique'],
    [() => 1, 'TASKER_INVALID', 'unique'],
    [{}, 'TASKER_INVALID', 'unique.key'],
    [{ key: '' }, 'TASKER_INVALID', 'unique.key'],
    [{ key: 7 }, 'TASKER_INVALID', 'unique.key'],
    [{ key: 'é'.repeat(128) }, 'TASKER_TOO_LARGE', 'unique.key'],
    [{ ...KEY, while: 'running' }, 'TASKER_INVALID', 'unique.while'],
    [{ ...KEY, ttl: 0 }, 'TASKER_INVALID', 'unique.ttl'],
    [{ ...KEY, onConflict: 'throw' }, 'TASKER_INVALID', 'unique.onConflict'],
    [{ ...KEY, scope: 1 }, 'TASKER_INVALID', 'unique.scope'],
  ]) {
    await refused(tasker.addTask({ operation: 'a', unique }), code, path)
    await refused(tasker.addTasks([{ operation: 'a', unique }]), code, `[0].${path}`)
  }
  assert.ok(await tasker.addTask(task({ key: 'é'.repeat(127) })))
  assert.ok(await tasker.addTask({ operation: 'a', unique: undefined }))
})

test('a key outlives a restart, and a neighbour hears of a replacement (I-1, I-11)', async t => {
  const store = file()
  const first = open(t, { store })
  const uuid = await first.addTask(task({ while: 'always' }))
  await first.close()
  const one = open(t, { store })
  const two = await started(t, {}, { store, events: 'all' })
  const updated = next(two, 'task.updated')
  assert.equal(await two.addTask(task()), uuid)
  await one.addTask(task({ onConflict: 'replace' }))
  assert.deepEqual(await updated, [uuid])
})

test('a row of an outbox that is a duplicate leads to the earlier task (I-20)', async t => {
  const tasker = open(t)
  const told = heard(tasker, 'task.added', 'task.add.skipped')
  const uuid = await tasker.addTask(task())
  const db = openSqlite(':memory:')
  t.after(() => db.close())
  const outbox = tasker.outbox(db)
  const definition = task({}, { data: 1 })
  assert.equal(await outbox.uuidOf(outbox.addTask(definition)), uuid)
  assert.deepEqual(told, [
    ['task.added', uuid],
    ['task.add.skipped', uuid, definition],
  ])
  const replaced = outbox.addTask(task({ onConflict: 'replace' }, { data: 2 }))
  assert.equal(await outbox.uuidOf(replaced), uuid)
  assert.equal((await tasker.getTask(uuid)).data, 2)
  const reject = () => outbox.addTask(task({ onConflict: 'reject' }))
  const error = await rejection(Promise.resolve().then(reject))
  assert.deepEqual([error.code, error.path], ['TASKER_INVALID', 'unique.onConflict'])
  assert.equal(await tasker.countTasks(), 1)
})

test('a replacement waits for no other task, and a definition cannot say both', async t => {
  const tasker = open(t)
  const other = await tasker.addTask({ operation: 'b' })
  const uuid = await tasker.addTask(task({}, { dependsOn: [other] }))
  assert.equal((await tasker.getTask(uuid)).state, 'blocked')
  const both = task({ onConflict: 'replace' }, { dependsOn: [other] })
  await refused(tasker.addTask(both), 'TASKER_UNSUPPORTED', 'dependsOn')
  await refused(tasker.addTasks([both]), 'TASKER_UNSUPPORTED', '[0].dependsOn')
  assert.equal(await tasker.addTask(task({ onConflict: 'replace' }, { data: 2 })), uuid)
  const { state, data, dependsOn } = await tasker.getTask(uuid)
  assert.deepEqual([state, data, dependsOn], ['ready', 2, undefined])
  await tasker.abortTask(other)
  assert.equal((await tasker.getTask(uuid)).state, 'ready')
})
