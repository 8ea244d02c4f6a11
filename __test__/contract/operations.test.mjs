// What is said of an operation is stored, and every process obeys it.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Tasker } from '../../index.mjs'
import { file, gate, imports, open, refused, rejection, runs } from './open.mjs'
import { openSqlite } from './sqlite.mjs'

const noop = () => {}

/** Two taskers on one file; both close after the test. */
function two(t, options = {}) {
  const store = file()
  return [open(t, { store, ...options }), open(t, { store, ...options })]
}

test('a limit counts the runs of all, and holds at once for tasks that wait', async t => {
  const [one, other] = two(t)
  const { runner, calls, call } = gate()
  for (const tasker of [one, other]) {
    tasker.assignRunner('a', runner)
    await tasker.start()
  }
  await one.defineOperation('a', { concurrency: 1 })
  const uuids = await other.addTasks(Array.from({ length: 6 }, () => ({ operation: 'a' })))
  const first = await call(0)
  // What is committed after the start of the first is seen by both.
  assert.equal(await one.countTasks({ status: 'running' }), 1)
  await other.defineOperation('a', { concurrency: 3 })
  await call(2)
  assert.equal(await one.countTasks({ status: 'running' }), 3)
  assert.equal(calls.length, 3)
  await one.defineOperation('a', {})
  await call(5)
  first.resolve()
  for (const { resolve } of calls) resolve()
  await Promise.all(uuids.map(uuid => one.waitForTaskOutputData(uuid)))
})

test('a paused operation starts nothing in any process, and survives a restart', async t => {
  const store = file()
  const one = new Tasker({ store })
  assert.equal(await one.pauseOperation('a'), true)
  assert.equal(await one.pauseOperation('a'), false)
  const uuid = await one.addTask({ operation: 'a' })
  await one.close()
  const other = open(t, { store, runners: { a: () => 'ran', b: noop } })
  await other.start()
  // When a later task has run, the earlier one would have.
  await other.waitForTaskOutputData(await other.addTask({ operation: 'b' }))
  assert.equal((await other.getTask(uuid)).status, 'new')
  const [{ pausedAt }] = await other.findOperations()
  assert.ok(pausedAt instanceof Date)
  assert.equal(await other.resumeOperation('a'), true)
  assert.equal(await other.resumeOperation('a'), false)
  assert.equal(await other.waitForTaskOutputData(uuid), 'ran')
  assert.equal((await other.findOperations())[0].pausedAt, undefined)
})

test('running tasks of a paused operation go on', async t => {
  const tasker = open(t)
  const { runner, call } = gate()
  tasker.assignRunner('a', runner)
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'a' })
  const { context, resolve } = await call(0)
  await tasker.pauseOperation('a')
  assert.equal(context.abortSignal.aborted, false)
  resolve(7)
  assert.equal(await tasker.waitForTaskOutputData(uuid), 7)
})

test('an operation of which nothing is known is not paused', async t => {
  const tasker = open(t)
  assert.equal(await tasker.resumeOperation('a'), false)
  assert.deepEqual(await tasker.findOperations(), [])
})

test('a task takes what it does not say, from the first that says it, and keeps it', async t => {
  const store = file()
  const one = open(t, { store, runTimeout: '1h', onInterrupted: 'abort' })
  const other = open(t, { store, runTimeout: '2h' })
  const taken = async task => {
    const { priority, runTimeout, onInterrupted } = await other.getTask(await other.addTask(task))
    return { priority, runTimeout, onInterrupted }
  }
  // A document leaves out what is the default of all.
  const plain = { priority: 0, runTimeout: 7_200_000, onInterrupted: undefined }
  assert.deepEqual(await taken({ operation: 'a' }), plain)
  one.assignRunner('a', noop, { priority: 1, runTimeout: '1s', onInterrupted: 'fail' })
  await one.ready()
  const assigned = { priority: 1, runTimeout: 1_000, onInterrupted: 'fail' }
  assert.deepEqual(await taken({ operation: 'a' }), assigned)
  const uuid = await other.addTask({ operation: 'a' })
  await one.defineOperation('a', { priority: -Infinity, runTimeout: false })
  const defined = { priority: -Infinity, runTimeout: undefined, onInterrupted: 'fail' }
  assert.deepEqual(await taken({ operation: 'a' }), defined)
  const own = { priority: 7, runTimeout: 5, onInterrupted: 'retry' }
  assert.deepEqual(await taken({ operation: 'a', ...own }), { ...own, onInterrupted: undefined })
  await one.defineOperation('a', {})
  assert.deepEqual(await taken({ operation: 'a' }), assigned)
  const { priority, runTimeout, onInterrupted } = await other.getTask(uuid)
  assert.deepEqual({ priority, runTimeout, onInterrupted }, assigned)
})

test('a stop does what the operation says, in the tasker that runs the task', async t => {
  const tasker = open(t)
  const { runner, call } = gate()
  tasker.assignRunner('a', runner)
  await tasker.start()
  await tasker.defineOperation('a', { onStop: 'postpone' })
  const uuid = await tasker.addTask({ operation: 'a' })
  await call(0)
  await tasker.stop()
  assert.equal((await tasker.getTask(uuid)).status, 'new')
})

test('findOperations lists what holds and what each layer says', async t => {
  const tasker = open(t)
  await tasker.addTask({ operation: 'c' })
  tasker.assignRunner('b', noop, { concurrency: 4, priority: Infinity })
  await tasker.defineOperation('b', { concurrency: 2, runTimeout: '1m', onStop: 'abort' })
  await tasker.defineOperation('a', {})
  const found = await tasker.findOperations()
  const defined = { concurrency: 2, runTimeout: 60_000, onStop: 'abort' }
  const assigned = { concurrency: 4, priority: Infinity }
  assert.deepEqual(found, [
    { name: 'a', version: 1, options: {}, layers: {} },
    {
      name: 'b',
      version: 2,
      options: { ...assigned, ...defined },
      layers: { defineOperation: defined, assignRunner: assigned },
    },
    { name: 'c', version: 1, options: {}, layers: {} },
  ])
})

test('assignRunner without options changes nothing, and with the same writes nothing', async t => {
  const tasker = open(t)
  const said = async (...options) => {
    tasker.assignRunner('a', noop, ...options)
    await tasker.unassignRunner('a')
    const [{ version, options: held }] = await tasker.findOperations()
    return { version, held }
  }
  const first = { version: 1, held: { concurrency: 2 } }
  assert.deepEqual(await said({ concurrency: 2 }), first)
  assert.deepEqual(await said(), first)
  assert.deepEqual(await said({ concurrency: 2 }), first)
  assert.deepEqual(await said({}), { version: 2, held: {} })
})

test('wrong options are refused with their path', async t => {
  const tasker = open(t)
  for (const [options, path] of [
    [undefined, 'options'],
    [7, 'options'],
    [[], 'options'],
    [new Map(), 'options'],
    [{ concurrency: 0 }, 'concurrency'],
    [{ concurrency: Number.NaN }, 'concurrency'],
    [{ priority: '5' }, 'priority'],
    [{ priority: null }, 'priority'],
    [{ runTimeout: 0 }, 'runTimeout'],
    [{ onInterrupted: 'x' }, 'onInterrupted'],
    [{ onStop: () => {} }, 'onStop'],
    [{ limit: 1 }, 'limit'],
    [{ schema: 7 }, 'schema'],
    [{ schema: { input: {} } }, 'schema.input'],
    [{ schema: { data: {} } }, 'schema.data'],
    [{ schema: { result: { '~standard': {} } } }, 'schema.result'],
    [{ schema: book }, 'schema'],
  ]) {
    await refused(tasker.defineOperation('a', options), 'TASKER_INVALID', path)
    if (options === undefined) continue
    const assign = () => tasker.assignRunner('a', noop, options)
    assert.throws(assign, { code: 'TASKER_INVALID', path })
  }
  for (const call of ['pauseOperation', 'resumeOperation', 'defineOperation']) {
    await refused(tasker[call]('', {}), 'TASKER_INVALID', 'operation')
  }
  assert.deepEqual(await tasker.findOperations(), [], 'nothing of it is stored')
  tasker.assignRunner('a', noop)
})

test('a word of another queue is refused with the one that is meant', async t => {
  const tasker = open(t)
  for (const [word, meant] of [
    ['timeout', /, runTimeout may be meant; there are /],
    ['attempts', /, retry is meant; there are /],
    ['limit', /, concurrency may be meant; there are /],
    ['limiter', /, rateLimit is meant; /],
    ['paused', /, pauseOperation is meant; there are /],
    ['constructor', /is not an option; there are /],
  ]) {
    const error = await refused(tasker.defineOperation('a', { [word]: 1 }), 'TASKER_INVALID', word)
    assert.match(error.message, meant)
  }
})

test('what comes later is refused as such', async t => {
  const tasker = open(t)
  const later = { concurrency: { limit: 4, by: 'data.key' } }
  await refused(tasker.defineOperation('a', later), 'TASKER_UNSUPPORTED', 'concurrency')
  const assign = () => tasker.assignRunner('a', noop, later)
  assert.throws(assign, { code: 'TASKER_UNSUPPORTED', path: 'concurrency' })
})

test('an operation has a runner or executors outside, and its tasks say why they wait', async t => {
  const tasker = open(t)
  await tasker.defineOperation('a', { executor: { lease: '1m' } })
  const [{ options }] = (await tasker.findOperations()).filter(({ name }) => name === 'a')
  assert.deepEqual(options.executor, { claimTimeout: 10_000, lease: 60_000, retryOnFail: false })
  const uuid = await tasker.addTask({ operation: 'a' })
  const explanation = await tasker.explainTask(uuid)
  assert.deepEqual(
    explanation.reasons.map(({ reason }) => reason),
    ['executor'],
  )
  assert.match(String(explanation), /no executor asks for tasks of 'a'/)
  assert.deepEqual((await tasker.getTask(uuid)).retry, {
    attempts: 2,
    backoff: { type: 'fixed', delay: 10_000 },
    on: ['error'],
  })
  const attached = tasker.addTask({ operation: 'a', attach: {} })
  await refused(attached, 'TASKER_UNSUPPORTED', 'attach')
  for (const [executor, path] of [
    [false, 'executor'],
    [{ lease: 0 }, 'executor.lease'],
    [{ timeout: 1 }, 'executor.timeout'],
  ]) {
    await refused(tasker.defineOperation('b', { executor }), 'TASKER_INVALID', path)
  }
  tasker.assignRunner('c', noop)
  await tasker.start()
  const conflict = { code: 'TASKER_CONFLICT', path: 'executor' }
  await assert.rejects(tasker.defineOperation('c', { executor: true }), conflict)
})

test('executors take no batches, and no circuit stands before them', async t => {
  const tasker = open(t)
  const [executor, batch] = [true, { max: 2 }]
  await refused(tasker.defineOperation('a', { executor, batch }), 'TASKER_INVALID', 'batch')
  const circuitBreaker = { failures: 2, within: '1m', openFor: '1m' }
  const both = tasker.defineOperation('a', { executor, circuitBreaker })
  await refused(both, 'TASKER_UNSUPPORTED', 'circuitBreaker')
  await tasker.defineOperation('a', { executor })
  tasker.assignRunner('a', noop, { batch })
  await assert.rejects(tasker.start(), { code: 'TASKER_CONFLICT', path: 'operation' })
  tasker.unassignRunner('a')
  tasker.assignRunner('b', noop, { executor, batch })
  await refused(tasker.start(), 'TASKER_INVALID', 'executor')
})

/** A schema that takes objects whose `book` is a text, as Standard Schema says it. */
const book = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate(value) {
      if (typeof value?.book === 'string') return { value: { book: 'another' } }
      return { issues: [{ message: 'must be a text', path: [{ key: 'book' }] }] }
    },
  },
}
const schemaOf = validate => ({ '~standard': { version: 1, vendor: 'test', validate } })

test('data that does not fit its schema is not added', async t => {
  const tasker = open(t)
  await tasker.defineOperation('a', { schema: { data: book } })
  const wrong = { operation: 'a', data: { book: 7 } }
  const right = { operation: 'a', data: { book: 'dune' } }
  await refused(tasker.addTask(wrong), 'TASKER_INVALID', 'data.book')
  await refused(tasker.addTasks([right, wrong]), 'TASKER_INVALID', '[1].data.book')
  assert.equal(await tasker.countTasks(), 0)
  const uuid = await tasker.addTask(right)
  assert.deepEqual((await tasker.getTask(uuid)).data, { book: 'dune' }, 'stored as it was given')
  await tasker.addTask({ operation: 'b', data: 7 })
  await tasker.defineOperation('a', {})
  await tasker.addTask(wrong)
})

test('a result that does not fit its schema fails the run as unstorable', async t => {
  const tasker = open(t)
  tasker.assignRunner('a', ({ data }) => data, { schema: { result: book } })
  await tasker.start()
  const result = { book: 'dune', pages: 7 }
  const right = await tasker.addTask({ operation: 'a', data: result })
  assert.deepEqual(await tasker.waitForTaskOutputData(right), result)
  const wrong = await tasker.addTask({ operation: 'a', data: { book: 7 } })
  await refused(tasker.waitForTaskOutputData(wrong), 'TASKER_INVALID', 'result.book')
  const { status, cause } = await tasker.getTask(wrong)
  assert.deepEqual({ status, cause }, { status: 'failed', cause: 'unstorable' })
})

test('the schema of defineOperation goes before that of assignRunner', async t => {
  const tasker = open(t)
  const never = schemaOf(() => ({ issues: [{ message: 'never' }] }))
  tasker.assignRunner('a', noop, { schema: { data: never } })
  await refused(tasker.addTask({ operation: 'a', data: { book: 'x' } }), 'TASKER_INVALID', 'data')
  await tasker.defineOperation('a', { schema: { data: book } })
  await tasker.addTask({ operation: 'a', data: { book: 'x' } })
})

test('a schema that answers later, or throws, refuses the data', async t => {
  const tasker = open(t)
  const late = schemaOf(async () => Promise.reject(new Error('unheard')))
  const broken = schemaOf(() => {
    throw new RangeError('boom')
  })
  await tasker.defineOperation('late', { schema: { data: late } })
  await tasker.defineOperation('broken', { schema: { data: broken } })
  await refused(tasker.addTask({ operation: 'late' }), 'TASKER_UNSUPPORTED', 'data')
  const error = await refused(tasker.addTask({ operation: 'broken' }), 'TASKER_INVALID', 'data')
  assert.ok(error.cause instanceof RangeError)
})

test('a schema that answers nonsense refuses the data, with a path', async t => {
  const tasker = open(t)
  const bad = { issues: [{ message: 'bad', path: ['n'] }] }
  const key = { toString: () => assert.fail('is read') }
  const throwing = Object.defineProperty({}, 'issues', { get: () => assert.fail('is read') })
  for (const [answer, path, why] of [
    [undefined, 'data', /answers with undefined/],
    [7, 'data', /answers with 7/],
    [throwing, 'data', /the schema threw/],
    [{ issues: 7 }, 'data', /does not fit/],
    [{ issues: [] }, 'data', /does not fit/],
    [{ issues: [null] }, 'data', /does not fit/],
    [{ issues: [{ message: 'no', path: 7 }] }, 'data', /does not fit the schema: no/],
    [{ issues: [{ path: [{ key: 'a' }, 0, Symbol('s'), key] }] }, 'data.a.0.Symbol(s).undefined'],
    [{ ...bad, then: 7 }, 'data.n', /bad/],
  ]) {
    await tasker.defineOperation('a', { schema: { data: schemaOf(() => answer) } })
    const error = await refused(tasker.addTask({ operation: 'a' }), 'TASKER_INVALID', path)
    assert.match(error.message, why ?? /does not fit/)
  }
  const thenable = schemaOf(() => ({ then: () => assert.fail('is called') }))
  await tasker.defineOperation('a', { schema: { data: thenable } })
  await refused(tasker.addTask({ operation: 'a' }), 'TASKER_UNSUPPORTED', 'data')
})

test('what a schema changes in a value is not stored', async t => {
  const tasker = open(t)
  const fills = schemaOf(value => {
    value.filled = true
    return { value }
  })
  tasker.assignRunner('a', () => ({ n: 1 }), { schema: { data: fills, result: fills } })
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'a', data: { m: 1 } })
  assert.deepEqual(await tasker.waitForTaskOutputData(uuid), { n: 1 })
  assert.deepEqual((await tasker.getTask(uuid)).data, { m: 1 })
})

test('a schema holds from the call on, unless its definition is refused', async t => {
  const tasker = open(t)
  const wrong = { operation: 'a', data: { book: 7 } }
  const first = tasker.defineOperation('a', { schema: { data: book } })
  await refused(tasker.addTask(wrong), 'TASKER_INVALID', 'data.book')
  await first
  // What only the engine refuses is refused later.
  const bad = [{ concurrency: 0 }, { concurrency: 0, schema: {} }]
  await Promise.all(bad.map(options => rejection(tasker.defineOperation('a', options))))
  await refused(tasker.addTask(wrong), 'TASKER_INVALID', 'data.book')
  await tasker.defineOperation('a', {})
  await tasker.addTask(wrong)
})

test('an option is read once', async t => {
  const tasker = open(t)
  let reads = 0
  const options = Object.defineProperty({}, 'concurrency', {
    enumerable: true,
    get: () => (reads++ === 0 ? 2 : undefined),
  })
  await tasker.defineOperation('a', options)
  assert.deepEqual((await tasker.findOperations())[0].options, { concurrency: 2 })
})

/** The path of a file that knows as many operations as it may. */
async function fullFile() {
  const store = file()
  const tasker = new Tasker(store)
  await tasker.ready()
  await tasker.close()
  const db = openSqlite(store)
  db.exec(`
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 65535)
    INSERT INTO operations (id, name, version) SELECT n, 'known ' || n, 1 FROM numbers
  `)
  db.close()
  return store
}

test('a runner whose options cannot be stored keeps the tasker from starting', async t => {
  const tasker = open(t, { store: await fullFile() })
  tasker.assignRunner('one', noop, { concurrency: 1 })
  tasker.assignRunner('known 7', noop, { concurrency: 1 })
  for (let n = 0; n < 2; n += 1) await refused(tasker.start(), 'TASKER_LIMIT', 'operation')
  await tasker.unassignRunner('one')
  await tasker.start()
  const told = once(process, 'warning')
  tasker.assignRunner('one', noop, { concurrency: 1 })
  assert.match((await told)[0].message, /'one' was not assigned.*unassignRunner/)
  await tasker.unassignRunner('one')
  await tasker.stop()
  await tasker.unassignRunner('known 7')
  tasker.assignRunner('known 7', noop, { concurrency: 2 })
  // The start waits for that one, and this one comes while it waits.
  const other = tasker.start()
  tasker.assignRunner('one', noop, { concurrency: 1 })
  await refused(other, 'TASKER_LIMIT', 'operation')
})

test('two processes that assign with other options are told of it once', async () => {
  const script = `${imports}
    const store = ${JSON.stringify(file())}
    const codes = []
    process.on('warning', ({ code, message }) => codes.push([code, message]))
    const one = new Tasker({ store })
    one.assignRunner('a', () => {}, { concurrency: 1 })
    await one.start()
    const other = new Tasker({ store })
    other.assignRunner('a', () => {}, { concurrency: 2 })
    await other.ready()
    await other.findOperations()
    for (let n = 0; n < 2; n += 1) await one.pauseOperation('b' + n)
    await new Promise(resolve => setImmediate(resolve))
    await other.close()
    await one.close()
    console.log(JSON.stringify(codes))`
  const told = JSON.parse(await runs(script))
  assert.equal(told.length, 1)
  assert.equal(told[0][0], 'TASKER_OPERATION_CHANGED')
  assert.match(told[0][1], /"a".*version 1.*version 2/)
})
