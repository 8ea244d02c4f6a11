// Keys with a meaning in JavaScript, at every entry: they stay keys, and Object.prototype stays as
// it was. Payloads cross as text, so no object is ever built from user keys one by one.

import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { file, open, refused, rejection, started } from '../contract/open.mjs'

/** As a request body would bring it: each key is an own property. */
const text =
  '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}},"toString":3,"then":4,' +
  '"hasOwnProperty":null,"valueOf":[5],"toJSON":6,"__defineGetter__":7}'
const poison = () => JSON.parse(text)

const untouched = JSON.stringify(Object.getOwnPropertyNames(Object.prototype))
afterEach(() => {
  assert.equal(JSON.stringify(Object.getOwnPropertyNames(Object.prototype)), untouched)
  assert.equal({}.polluted, undefined)
})

test('data and results keep every key as a key, in all that reads them (A-11)', async t => {
  const told = []
  const tasker = await started(t, { echo: ({ data }) => data })
  tasker.on('task.done', (_, result) => told.push(result))
  const uuid = await tasker.addTask({ operation: 'echo', data: poison() })
  const result = await tasker.waitForTaskOutputData(uuid)
  const task = await tasker.getTask(uuid)
  const [found] = await tasker.findTasks({ uuid })
  for (const value of [result, told[0], task.data, task.result, found.data, found.result]) {
    assert.equal(JSON.stringify(value), text)
    assert.equal(Object.getPrototypeOf(value), Object.prototype)
  }
})

test('fields of errors and reasons of aborts keep every key as a key (A-11)', async t => {
  const store = file()
  const error = new Error('own fields')
  for (const [key, value] of Object.entries(poison())) {
    Object.defineProperty(error, key, { value, enumerable: true })
  }
  error.details = poison()
  const runner = () => {
    throw error
  }
  const tasker = await started(t, { fail: runner }, { store })
  const failed = await tasker.addTask({ operation: 'fail' })
  await rejection(tasker.waitForTaskOutputData(failed))
  const aborted = await tasker.addTask({ operation: 'wait' })
  await tasker.abortTask(aborted, poison())
  await tasker.close()

  const again = open(t, { store })
  const rebuilt = await rejection(again.waitForTaskOutputData(failed))
  assert.equal(Object.getPrototypeOf(rebuilt), Error.prototype)
  assert.equal(JSON.stringify(rebuilt.details), text)
  for (const [key, value] of Object.entries(poison())) {
    assert.deepEqual(Object.getOwnPropertyDescriptor(rebuilt, key)?.value, value, key)
  }
  const { reason } = await rejection(again.waitForTaskOutputData(aborted))
  assert.equal(JSON.stringify(reason), text)
})

test('fields of log lines keep every key as a key, also those of a child (A-11)', async t => {
  const told = []
  const tasker = await started(t, {
    log: ({ logger }) => {
      logger.info('direct', poison())
      logger.child(poison()).info('child')
      logger.child({ first: 1 }).child(poison()).info('both', { last: 2 })
      logger.child(JSON.parse('{"__proto__":1}')).info('later wins', poison())
    },
  })
  tasker.on('task.log', (_, { fields }) => told.push(fields))
  const uuid = await tasker.addTask({ operation: 'log' })
  await tasker.waitForTaskOutputData(uuid)
  const { logs } = await tasker.getTask(uuid, { withLogs: true })
  const both = `{"first":1,${text.slice(1, -1)},"last":2}`
  const expected = [text, text, both, text]
  assert.deepEqual(
    logs.map(log => JSON.stringify(log.fields)),
    expected,
  )
  assert.deepEqual(
    told.map(fields => JSON.stringify(fields)),
    expected,
  )
})

test('queries and sorts read such keys of data, and know no such field (A-11)', async t => {
  const tasker = open(t)
  await tasker.addTasks([
    { operation: 'a', data: poison() },
    { operation: 'a', data: {} },
  ])
  const one = [
    { data: poison() },
    { 'data.__proto__.polluted': 1 },
    { 'data.constructor.prototype.polluted': 2 },
    { 'data.toString': { $gt: 2 } },
    { 'data.hasOwnProperty': { $exists: true } },
    { 'data.valueOf': 5 },
    { 'data.__proto__': { $in: [JSON.parse('{"polluted":1}')] } },
  ]
  for (const query of one) assert.equal(await tasker.countTasks(query), 1, JSON.stringify(query))
  for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    const query = JSON.parse(`{"${key}":1}`)
    await refused(tasker.countTasks(query), 'TASKER_INVALID_QUERY', `query.${key}`)
    const operators = { data: JSON.parse(`{"$exists":true,"${key}":1}`) }
    await refused(tasker.countTasks(operators), 'TASKER_INVALID_QUERY')
    await refused(tasker.findTasks({}, { sort: query }), 'TASKER_INVALID_QUERY', `sort.${key}`)
  }
  const [, second] = await tasker.findTasks({}, { sort: { 'data.__proto__.polluted': 1 } })
  assert.equal(JSON.stringify(second.data), text)
})

test('options and definitions refuse such keys with their path (A-11)', async t => {
  for (const key of ['__proto__', 'constructor', 'toString']) {
    const options = () => JSON.parse(`{"${key}":1}`)
    const invalid = { code: 'TASKER_INVALID', path: key }
    const tasker = await started(t)
    assert.throws(() => open(t, options()), invalid)
    assert.throws(() => tasker.assignRunner('a', () => {}, options()), invalid)
    const definition = { operation: 'a', ...options() }
    await refused(tasker.addTask(definition), 'TASKER_INVALID', key)
    await refused(tasker.addTasks([definition]), 'TASKER_INVALID', `[0].${key}`)
    const calls = [
      () => tasker.findTasks({}, options()),
      () => tasker.findTask({}, options()),
      () => tasker.hasTask({}, options()),
      () => tasker.countTasks({}, options()),
      () => tasker.stop(options()),
      () => tasker.close(options()),
    ]
    for (const call of calls) await refused(call(), 'TASKER_INVALID', key)
    assert.equal(await tasker.countTasks(), 0)
  }
})

test('operations and events may have such names (A-11)', async t => {
  const heard = []
  const runners = JSON.parse('{"__proto__":1,"constructor":1,"toString":1}')
  for (const name of Object.keys(runners)) {
    Object.defineProperty(runners, name, { value: ({ operation }) => operation, enumerable: true })
  }
  const tasker = await started(t, runners)
  for (const name of ['__proto__', 'task.__proto__.done', 'task.constructor.ended', 'toString']) {
    tasker.on(name, () => heard.push(name))
    tasker.removeAllListeners(name)
  }
  const uuids = await Promise.all(
    Object.keys(runners).map(operation => tasker.addTask({ operation })),
  )
  const results = await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  assert.deepEqual(results, Object.keys(runners))
  assert.equal(await tasker.countTasks({ operation: '__proto__' }), 1)
  assert.deepEqual(heard, [])
})
