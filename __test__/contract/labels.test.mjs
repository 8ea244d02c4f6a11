// What a task is called: its id, label and tags.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { file, gate, open, refused, started } from './open.mjs'

const CALLED = { id: { order: [7, null] }, label: 'Ünïcødé 💾', tags: ['red', 'wet', 'red'] }

/** What a task or a context is called. */
const called = ({ id, label, tags }) => ({ id, label, tags })

test('a task is called as it was added, in every reader, and after a restart (I-1)', async t => {
  const store = file()
  const first = open(t, { store })
  const uuid = await first.addTask({ operation: 'a', ...CALLED })
  const [many] = await first.addTasks([{ operation: 'a', data: 1, ...CALLED }])
  assert.deepEqual(called(await first.getTask(uuid)), CALLED)
  await first.close()
  const second = open(t, { store })
  const found = await second.findTasks({}, { sort: { seq: 1 } })
  assert.deepEqual(
    found.map(({ uuid }) => uuid),
    [uuid, many],
  )
  assert.deepEqual(found.map(called), [CALLED, CALLED])
  assert.deepEqual(
    found.map(({ data }) => data),
    [undefined, 1],
  )
})

test('a runner gets them, with data or without; a copy of its context has them', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const definitions = [
    { ...CALLED },
    { ...CALLED, data: null },
    { label: '' },
    { id: null, data: { n: 1 } },
    { tags: ['x'], data: 0, runTimeout: '1h' },
    { runTimeout: '1h', data: 1 },
    {},
  ]
  await tasker.addTasks(definitions.map(one => ({ operation: 'a', ...one })))
  for (const [i, { runTimeout: _, data, ...names }] of definitions.entries()) {
    const { context } = await call(i)
    const expected = { id: undefined, label: undefined, tags: [], ...names }
    assert.deepEqual(called({ ...context }), expected)
    assert.deepEqual(context.data, data)
    assert.equal('data' in context, true)
  }
  const [{ context: full }, , , , , , { context: bare }] = await Promise.all(
    definitions.map((_, i) => call(i)),
  )
  assert.match(inspect(full), /label: 'Ünïcødé/)
  assert.doesNotMatch(inspect(bare), /label|tags/)
  assert.throws(() => bare.tags.push('x'), TypeError)
})

test('what is not given is absent', async t => {
  const tasker = open(t)
  const none = { id: undefined, label: undefined, tags: undefined }
  for (const names of [{}, none, { tags: [] }]) {
    const task = await tasker.getTask(await tasker.addTask({ operation: 'a', ...names }))
    assert.equal(
      ['id', 'label', 'tags'].some(name => name in task),
      false,
    )
  }
})

test('an id is any JSON, as JSON keeps it (F-23)', async t => {
  const tasker = open(t)
  const ids = [
    null,
    false,
    0,
    -0.5,
    '',
    'half \ud800',
    [],
    {},
    [[1]],
    JSON.parse('{"__proto__":{"x":1}}'),
    new Date(0),
    Number.NaN,
    { toJSON: () => 'told' },
  ]
  for (const id of ids) {
    const task = await tasker.getTask(await tasker.addTask({ operation: 'a', id }))
    assert.equal(JSON.stringify(task.id), JSON.stringify(id))
  }
})

test('queries find them and sort by them', async t => {
  const tasker = open(t)
  await tasker.addTasks([
    { operation: 'a', id: 7, label: 'b', tags: ['red'] },
    { operation: 'a', id: { order: 7, part: { n: 2 } }, label: 'a', tags: ['red', 'wet'] },
    { operation: 'a', id: '7', label: 'half \ud800' },
    { operation: 'a' },
  ])
  const seqs = async (query, sort = { seq: 1 }) => {
    const found = await tasker.findTasks(query, { sort })
    assert.equal(await tasker.countTasks(query), found.length)
    return found.map(({ seq }) => seq).join(' ')
  }
  const table = [
    [{ id: 7 }, '1'],
    [{ id: '7' }, '3'],
    [{ id: { part: { n: 2 }, order: 7 } }, '2'],
    [{ 'id.order': 7 }, '2'],
    [{ 'id.part.n': { $gte: 2 } }, '2'],
    [{ id: null }, '4'],
    [{ id: { $exists: true } }, '1 2 3'],
    [{ label: 'a' }, '2'],
    [{ label: { $gt: 'a', $lt: 'c' } }, '1'],
    [{ label: { $in: ['b', null] } }, '1 4'],
    [{ tags: 'red' }, '1 2'],
    [{ tags: ['red'] }, '1'],
    [{ tags: { $nin: ['wet'] } }, '1 3 4'],
    [{ 'tags.1': 'wet' }, '2'],
    [{ tags: null, label: { $ne: null } }, '3'],
  ]
  for (const [query, expected] of table) {
    assert.equal(await seqs(query), expected, JSON.stringify(query))
  }
  assert.equal(await seqs({}, { label: 1 }), '4 2 1 3')
  assert.equal(await seqs({}, { label: -1 }), '3 1 2 4')
  assert.equal(await seqs({ tags: 'red' }, { 'id.order': -1 }), '2 1')
  await refused(tasker.findTasks({ lable: 'a' }), 'TASKER_INVALID_QUERY')
})

test('a wrong id, label or tag is refused with its path, and nothing is stored', async t => {
  const tasker = open(t)
  const circle = {}
  circle.itself = circle
  const wrong = [
    [{ id: () => {} }, 'id'],
    [{ id: Symbol('x') }, 'id'],
    [{ id: new Map() }, 'id'],
    [{ id: 7n }, 'id'],
    [{ id: circle }, 'id'],
    [{ label: 7 }, 'label'],
    [{ label: null }, 'label'],
    [{ label: ['x'] }, 'label'],
    [{ label: () => 'x' }, 'label'],
    [{ label: Symbol('x') }, 'label'],
    [{ tags: 'red' }, 'tags'],
    [{ tags: null }, 'tags'],
    [{ tags: new Set(['red']) }, 'tags'],
    [{ tags: { 0: 'red' } }, 'tags'],
    [{ tags: () => [] }, 'tags'],
    [{ tags: ['red', 7] }, 'tags[1]'],
    [{ tags: ['red', undefined] }, 'tags[1]'],
    [{ tags: [''] }, 'tags[0]'],
    [{ tags: [['red']] }, 'tags[0]'],
  ]
  for (const [names, path] of wrong) {
    const definition = { operation: 'a', ...names }
    await refused(tasker.addTask(definition), 'TASKER_INVALID', path)
    const many = tasker.addTasks([{ operation: 'a' }, definition])
    await refused(many, 'TASKER_INVALID', `[1].${path}`)
  }
  assert.equal(await tasker.countTasks(), 0)
})

test('no option that is a function or a symbol is dropped without a word', async t => {
  const tasker = open(t)
  for (const word of ['priority', 'delay', 'runAt', 'runTimeout', 'onInterrupted', 'onStop']) {
    for (const value of [() => 1, Symbol('x'), 1n]) {
      await refused(tasker.addTask({ operation: 'a', [word]: value }), 'TASKER_INVALID', word)
    }
  }
  assert.equal(await tasker.countTasks(), 0)
})

test('the event task.add has them as they were given', async t => {
  const tasker = open(t)
  const told = []
  tasker.on('task.add', definition => told.push(definition))
  const definitions = [{ operation: 'a', ...CALLED }, { operation: 'a' }]
  await tasker.addTask(definitions[0])
  await tasker.addTasks([definitions[1]])
  assert.deepEqual(told, definitions)
})
