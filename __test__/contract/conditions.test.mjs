import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, gate, open, rejection, started } from './open.mjs'

const running = (query, limit) => ({ scope: 'running', query, limit })

/** A task with one condition: at most `limit` others of its book run. */
const reading = (book, limit, more = {}) => ({
  operation: 'read',
  data: { book, ...more },
  concurrency: [running({ 'data.book': book }, limit)],
})

test('what a condition may not say rejects the add with its path', async t => {
  const tasker = open(t)
  const add = concurrency => rejection(tasker.addTask({ operation: 'read', concurrency }))
  const cases = [
    [{}, 'TASKER_INVALID', 'concurrency'],
    [null, 'TASKER_INVALID', 'concurrency'],
    [() => [], 'TASKER_INVALID', 'concurrency'],
    [[1], 'TASKER_INVALID', 'concurrency[0]'],
    [[undefined], 'TASKER_INVALID', 'concurrency[0]'],
    [[{ scope: 'running', limit: 1 }], 'TASKER_INVALID', 'concurrency[0].query'],
    [[{ scope: 'queued', query: {}, limit: 1 }], 'TASKER_INVALID', 'concurrency[0].scope'],
    [[running({}, 1.5)], 'TASKER_INVALID', 'concurrency[0].limit'],
    [[running({}, Number.NaN)], 'TASKER_INVALID', 'concurrency[0].limit'],
    [[running({}, Number.POSITIVE_INFINITY)], 'TASKER_INVALID', 'concurrency[0].limit'],
    [[running({}, '1')], 'TASKER_INVALID', 'concurrency[0].limit'],
    [[{ ...running({}, 1), why: 'x' }], 'TASKER_INVALID', 'concurrency[0].why'],
    [[running([], 1)], 'TASKER_INVALID_QUERY', 'concurrency[0].query'],
    [[running({ createdAt: 1 }, 1)], 'TASKER_INVALID_QUERY', 'concurrency[0].query.createdAt'],
    [[running({ result: 1 }, 1)], 'TASKER_INVALID_QUERY', 'concurrency[0].query.result'],
    [
      [running({}, 1), running({ 'data.a': undefined }, 1)],
      ...['TASKER_INVALID_QUERY', 'concurrency[1].query.data.a'],
    ],
    [
      [running({ 'data.a': { $task: 'data.a' } }, 1)],
      ...['TASKER_INVALID_QUERY', 'concurrency[0].query.data.a.$task'],
    ],
    [
      [running({}, 1), { scope: 'before-queued', query: { priority: 1 }, limit: 0 }],
      ...['TASKER_INVALID_QUERY', 'concurrency[1].query.priority'],
    ],
    [Array(101).fill(running({}, 1)), 'TASKER_TOO_LARGE', 'concurrency'],
  ]
  for (const [concurrency, code, path] of cases) {
    const error = await add(concurrency)
    assert.deepEqual([error.code, error.path], [code, path], `${error}`)
  }
  const [good, bad] = [reading('dune', 0), { ...reading('dune', 0), concurrency: [7] }]
  const error = await rejection(tasker.addTasks([good, bad]))
  assert.equal(error.path, '[1].concurrency[0]')
  assert.equal(await tasker.countTasks({}), 0)
})

test('a task shows its conditions in one form, and is found by them', async t => {
  const tasker = open(t)
  const at = new Date(5)
  const uuid = await tasker.addTask({
    operation: 'read',
    concurrency: [
      running({ status: 'running', $and: [{ 'data.book': { $eq: 'dune' } }] }, 1),
      running({ label: /^a/i, 'data.at': at, priority: { $lt: Number.POSITIVE_INFINITY } }, 0),
    ],
  })
  const { concurrency } = await tasker.getTask(uuid)
  const expected = [
    running({ 'data.book': 'dune' }, 1),
    running(
      {
        'data.at': { $date: 5 },
        label: { $regularExpression: { pattern: '^a', options: 'i' } },
        priority: { $lt: 'Infinity' },
      },
      0,
    ),
  ]
  assert.deepEqual(concurrency, expected)
  assert.equal(await tasker.countTasks({ 'concurrency.limit': 1 }), 1)
  const again = await tasker.addTask({ operation: 'read', concurrency })
  assert.deepEqual((await tasker.getTask(again)).concurrency, expected)
  const none = await tasker.addTask({ operation: 'read', concurrency: [] })
  assert.equal((await tasker.getTask(none)).concurrency, undefined)
})

test('limit 0 lets one run alone, and limit 1 lets two run (I-6)', async t => {
  for (const limit of [0, 1]) {
    const { runner, call, calls } = gate()
    const tasker = await started(t, { read: runner, other: () => {} })
    for (let n = 0; n < 4; n += 1) await tasker.addTask(reading('dune', limit, { n }))
    await tasker.addTask(reading('emma', limit, { n: 4 }))
    await tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'other' }))
    const seen = () => calls.map(({ context }) => context.data.n)
    const first = [0, 1].slice(0, limit + 1)
    assert.deepEqual(seen(), [...first, 4])
    const freed = await call(0)
    freed.resolve()
    const next = await call(limit + 2)
    assert.equal(next.context.data.n, limit + 1)
    assert.equal(await tasker.countTasks({ status: 'running', 'data.book': 'dune' }), limit + 1)
  }
})

test('a condition of one task binds no other', async t => {
  const { runner, call, calls } = gate()
  const tasker = await started(t, { read: runner })
  await tasker.addTask(reading('dune', 0))
  await call(0)
  await tasker.addTask({ operation: 'read', data: { book: 'dune' } })
  assert.equal((await call(1)).context.data.book, 'dune')
  assert.equal(calls.length, 2)
})

test('an array in the data of a run counts once, by each of its members', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { lock: runner, read: runner })
  await tasker.addTask({ operation: 'lock', data: { book: ['dune', 'emma', 'dune'] } })
  const lock = await call(0)
  const query = { 'data.book': { $in: ['dune', 'emma'] } }
  await tasker.addTask({ operation: 'read', concurrency: [running(query, 1)] })
  await call(1)
  await tasker.addTask(reading('emma', 0))
  await tasker.addTask(reading('kim', 0))
  assert.equal((await call(2)).context.data.book, 'kim')
  lock.resolve()
  assert.equal((await call(3)).context.data.book, 'emma')
})

test('all conditions of a task have to hold', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner, b: runner, c: runner })
  await tasker.addTasks([{ operation: 'a' }, { operation: 'b' }])
  const [a, b] = [await call(0), await call(1)]
  const concurrency = [running({ operation: 'a' }, 0), running({ operation: 'b' }, 0)]
  await tasker.addTasks([
    { operation: 'c', data: 1, concurrency },
    { operation: 'c', data: 2 },
  ])
  assert.equal((await call(2)).context.data, 2)
  a.resolve()
  await tasker.addTask({ operation: 'c', data: 3 })
  assert.equal((await call(3)).context.data, 3)
  b.resolve()
  assert.equal((await call(4)).context.data, 1)
})

test('a limit below zero never holds, which is warned of, and the task can be aborted', async t => {
  const warnings = []
  const listener = warning => warnings.push(warning.code)
  process.on('warning', listener)
  t.after(() => process.off('warning', listener))
  const { runner, calls } = gate()
  const tasker = await started(t, { read: runner, other: () => {} })
  const uuid = await tasker.addTask(reading('dune', -1))
  await tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'other' }))
  assert.deepEqual([calls.length, (await tasker.getTask(uuid)).state], [0, 'ready'])
  assert.equal(await tasker.abortTask(uuid), true)
  await tasker.addTask(reading('dune', -1))
  assert.deepEqual(warnings, ['TASKER_NEVER_HOLDS'])
})

test('two taskers on one file count the runs of both', async t => {
  const store = file()
  const [one, two] = [gate(), gate()]
  await started(t, { write: one.runner }, { store })
  const near = await started(t, { read: two.runner, other: () => {} }, { store })
  await near.addTask({ ...reading('dune', 0), operation: 'write' })
  const writing = await one.call(0)
  const waiting = await near.addTask(reading('dune', 0))
  await near.waitForTaskOutputData(await near.addTask({ operation: 'other' }))
  assert.deepEqual([two.calls.length, (await near.getTask(waiting)).state], [0, 'ready'])
  writing.resolve()
  assert.equal((await two.call(0)).context.uuid, waiting)
})

/** What readers and writers of a book ask for: the templates of their operations. */
const book = { 'data.book': { $task: 'data.book' } }
const ahead = (query, limit) => ({ scope: 'before-queued', query, limit })
const templates = {
  read: [
    running({ operation: 'read', ...book }, 1),
    running({ operation: 'write', ...book }, 0),
    ahead({ operation: 'write', ...book }, 0),
  ],
  write: [running(book, 0)],
}

async function defineBoth(tasker) {
  for (const [name, conditions] of Object.entries(templates)) {
    await tasker.defineOperation(name, { conditions })
  }
}

test('readers and writers of a book take turns, and other books go on', async t => {
  const { runner, calls, call } = gate()
  const tasker = open(t, { runners: { read: runner, write: runner } })
  await defineBoth(tasker)
  const add = (operation, priority, name = 'dune') =>
    tasker.addTask({ operation, priority, data: { book: name } })
  const order = []
  for (const [operation, priority] of [
    ['read', 100],
    ['write', 99],
    ['write', 98],
    ['read', 97],
    ['read', 96],
    ['read', 95],
    ['write', 94],
  ]) {
    order.push(await add(operation, priority))
  }
  const emma = await add('read', 1, 'emma')
  await tasker.start()
  assert.equal((await call(1)).context.uuid, emma)
  calls[1].resolve()
  const started = () => calls.filter((_, at) => at !== 1).map(({ context }) => context.uuid)
  for (const count of [1, 2, 3, 5, 6, 6, 7]) {
    await call(count)
    assert.deepEqual(started(), order.slice(0, count))
    const oldest = calls.find(one => one !== calls[1] && !one.isOver)
    oldest.isOver = true
    oldest.resolve()
    await tasker.waitForTaskOutputData(oldest.context.uuid)
  }
  const query = { operation: 'write', 'data.book': 'dune' }
  const { concurrency } = await tasker.getTask(order[0])
  assert.deepEqual(concurrency[2], { scope: 'before-queued', query, limit: 0 })
})

test('what stands ahead is named, in another process too', async t => {
  const store = file()
  const { runner, call } = gate()
  const tasker = await started(t, { read: runner, write: runner }, { store })
  await defineBoth(tasker)
  const [, first, second, waits] = await tasker.addTasks(
    ['read', 'write', 'write', 'read'].map(operation => ({ operation, data: { book: 'dune' } })),
  )
  await call(0)
  const elsewhere = open(t, { store })
  for (const one of [tasker, elsewhere]) {
    const { reasons } = await one.explainTask(waits)
    const [{ message, since, ...facts }] = reasons
    assert.deepEqual([reasons.length, since.every(at => at instanceof Date)], [1, true])
    assert.deepEqual(facts, {
      ...{ reason: 'condition', scope: 'before-queued', limit: 0, count: 2 },
      query: { operation: 'write', 'data.book': 'dune' },
      uuids: [first, second],
    })
    assert.match(message, /starts behind no task that matches .*, and 2 wait: /)
    const { reasons: held } = await one.explain({ operation: 'read' })
    assert.deepEqual(held, { condition: 1 })
  }
})

test('a task that is replaced has the conditions of its new definition', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { lock: runner, read: runner })
  await tasker.addTask({ operation: 'lock', data: { book: 'dune' } })
  const lock = await call(0)
  const unique = { key: 'k', onConflict: 'replace' }
  const uuid = await tasker.addTask({ ...reading('dune', 0), unique })
  assert.equal(await tasker.addTask({ ...reading('emma', 0), unique }), uuid)
  assert.equal((await call(1)).context.data.book, 'emma')
  lock.resolve()
})

test('a retry, a delay and a dependency end at the conditions', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { lock: runner, read: runner })
  await tasker.addTask({ operation: 'lock', data: { book: 'dune' } })
  const lock = await call(0)
  const first = await tasker.addTask({ ...reading('emma', 0), retry: 2 })
  const failing = await call(1)
  const [, after] = await tasker.addTasks([
    { ...reading('dune', 0), delay: 1 },
    { ...reading('dune', 0), dependsOn: [first] },
  ])
  failing.reject(new Error('once'))
  const again = await call(2)
  assert.deepEqual([again.context.attempt, again.context.data.book], [2, 'emma'])
  again.resolve()
  await tasker.waitForTaskOutputData(first)
  lock.resolve()
  const third = await call(3)
  assert.equal(third.context.data.book, 'dune')
  third.resolve()
  assert.equal((await call(4)).context.uuid, after)
})
