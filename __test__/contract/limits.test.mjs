// Each limit at, below and above (I-17). The numbers are those of crates/core/src/limits.rs.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gate, open, refused, started } from './open.mjs'

const MIB = 1024 * 1024

/** A JSON text of so many bytes, as data. */
const sized = bytes => 'x'.repeat(bytes - 2)

/** Arrays inside arrays. */
function nested(levels) {
  let value = []
  for (let n = 1; n < levels; n += 1) value = [value]
  return value
}

test('data: 16 MiB of JSON', async t => {
  const tasker = open(t)
  for (const bytes of [16 * MIB - 1, 16 * MIB]) {
    const uuid = await tasker.addTask({ operation: 'a', data: sized(bytes) })
    assert.equal((await tasker.getTask(uuid)).data.length, bytes - 2)
  }
  const large = tasker.addTask({ operation: 'a', data: sized(16 * MIB + 1) })
  await refused(large, 'TASKER_TOO_LARGE', 'data')
})

test('id and label: 1 KiB of JSON; tags: 64 of 256 bytes', async t => {
  const tasker = open(t)
  const tags = (count, bytes = 3) => Array(count).fill(sized(bytes))
  const limits = [
    ['id', sized(1023), sized(1024), sized(1025)],
    ['label', sized(1023), sized(1024), sized(1025)],
    ['tags', tags(63), tags(64), tags(65)],
    ['tags', tags(2, 255), tags(2, 256), tags(2, 257), 'tags[0]'],
  ]
  for (const [word, less, most, more, path = word] of limits) {
    for (const value of [less, most]) {
      const uuid = await tasker.addTask({ operation: 'a', [word]: value })
      assert.deepEqual((await tasker.getTask(uuid))[word], value)
    }
    await refused(tasker.addTask({ operation: 'a', [word]: more }), 'TASKER_TOO_LARGE', path)
  }
})

test('a result: 16 MiB of JSON, a larger one fails its run', async t => {
  const tasker = await started(t, { a: ({ data }) => sized(data) })
  const run = async bytes => {
    const uuid = await tasker.addTask({ operation: 'a', data: bytes })
    const result = tasker.waitForTaskOutputData(uuid)
    return { result, task: () => result.catch(() => {}).then(() => tasker.getTask(uuid)) }
  }
  for (const bytes of [16 * MIB - 1, 16 * MIB]) {
    assert.equal((await (await run(bytes)).result).length, bytes - 2)
  }
  const { result, task } = await run(16 * MIB + 1)
  await refused(result, 'TASKER_TOO_LARGE')
  const { status, cause, error } = await task()
  assert.deepEqual([status, cause, error.code], ['failed', 'unstorable', 'TASKER_TOO_LARGE'])
})

test('depth: 128 levels in data and results, and any depth above is refused (A-5)', async t => {
  const tasker = await started(t, { a: ({ data }) => nested(data) })
  for (const levels of [127, 128]) {
    const uuid = await tasker.addTask({ operation: 'keep', data: nested(levels) })
    assert.deepEqual((await tasker.getTask(uuid)).data, nested(levels))
    const run = await tasker.addTask({ operation: 'a', data: levels })
    assert.deepEqual(await tasker.waitForTaskOutputData(run), nested(levels))
  }
  for (const levels of [129, 1_000, 200_000]) {
    const add = tasker.addTask({ operation: 'keep', data: nested(levels) })
    await refused(add, 'TASKER_TOO_LARGE', 'data')
    const run = await tasker.addTask({ operation: 'a', data: levels })
    const error = await tasker.waitForTaskOutputData(run).catch(error => error)
    assert.match(error.code, /^TASKER_(TOO_LARGE|INVALID)$/)
    assert.equal((await tasker.getTask(run)).status, 'failed')
  }
})

test('the name of an operation: 255 bytes', async t => {
  const tasker = open(t)
  for (const operation of ['a', 'ü'.repeat(127), 'a'.repeat(255)]) {
    const uuid = await tasker.addTask({ operation })
    assert.equal((await tasker.getTask(uuid)).operation, operation)
    tasker.assignRunner(operation, () => {})
  }
  for (const operation of ['a'.repeat(256), 'ü'.repeat(128)]) {
    await refused(tasker.addTask({ operation }), 'TASKER_TOO_LARGE', 'operation')
    const expected = { code: 'TASKER_TOO_LARGE', path: 'operation' }
    assert.throws(() => tasker.assignRunner(operation, () => {}), expected)
  }
})

test('addTasks: 10,000 tasks', async t => {
  const tasker = open(t)
  const definitions = count => Array.from({ length: count }, () => ({ operation: 'a' }))
  await tasker.addTasks(definitions(9_999))
  await tasker.addTasks(definitions(10_000))
  await refused(tasker.addTasks(definitions(10_001)), 'TASKER_TOO_LARGE', 'tasks')
  assert.equal(await tasker.countTasks(), 19_999)
})

test('addTasks: 128 MiB', async t => {
  const tasker = open(t)
  const data = sized(16 * MIB - 100)
  const definitions = count => Array.from({ length: count }, () => ({ operation: 'a', data }))
  await refused(tasker.addTasks(definitions(9)), 'TASKER_TOO_LARGE', 'tasks')
  await tasker.addTasks(definitions(8))
  assert.equal(await tasker.countTasks(), 8)
})

test('adds of one tick that are larger than one text travel in several', async t => {
  const tasker = open(t)
  const data = sized(8 * MIB)
  const adds = Array.from({ length: 20 }, () => tasker.addTask({ operation: 'a', data }))
  await Promise.all(adds)
  assert.equal(await tasker.countTasks(), 20)
})

test('a log line: 64 KiB; a longer message is cut, larger fields are left out', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const uuid = await tasker.addTask({ operation: 'a' })
  const { context, resolve } = await call(0)
  context.logger.info('fits', { text: 'x'.repeat(64_000) })
  context.logger.info('too large', { text: 'x'.repeat(66_000) })
  context.logger.info('☃'.repeat(20_000))
  context.logger.info('deep', { deep: nested(200) })
  resolve()
  await tasker.waitForTaskOutputData(uuid)
  const { logs } = await tasker.getTask(uuid, { withLogs: true })
  assert.equal(logs[0].fields.text.length, 64_000)
  assert.deepEqual(Object.keys(logs[1].fields), ['leftOut'])
  assert.match(logs[2].message, /^☃{16000,}…$/)
  assert.deepEqual(Object.keys(logs[3].fields), ['leftOut'])
})

test('logs of a task: 10,000 lines, of which the last one says that it is the last', async t => {
  const tasker = await started(t, {
    a: ({ data, logger }) => {
      for (let n = 0; n < data; n += 1) logger.info(String(n))
    },
  })
  for (const lines of [9_999, 10_000, 10_001]) {
    const uuid = await tasker.addTask({ operation: 'a', data: lines })
    await tasker.waitForTaskOutputData(uuid)
    const { logs } = await tasker.getTask(uuid, { withLogs: true })
    assert.equal(logs.length, Math.min(lines, 10_000))
    const last = lines < 10_000 ? '9998' : 'no more lines of this task are kept'
    assert.deepEqual([logs.at(9_998).message, logs.at(-1).message], ['9998', last])
  }
})

test('concurrency: 100,000', t => {
  open(t, { concurrency: 100_000 })
  assert.throws(() => open(t, { concurrency: 100_001 }), { path: 'concurrency' })
  const tasker = open(t)
  tasker.assignRunner('a', () => {}, { concurrency: 100_000 })
  const above = () => tasker.assignRunner('b', () => {}, { concurrency: 100_001 })
  assert.throws(above, { code: 'TASKER_INVALID', path: 'concurrency' })
})

test('a duration: 100 years', async t => {
  const tasker = open(t)
  const most = 3_155_760_000_000
  for (const runTimeout of [most, most - 1, '36525d']) {
    await tasker.addTask({ operation: 'a', runTimeout })
  }
  for (const runTimeout of [most + 1, '36526d']) {
    await refused(tasker.addTask({ operation: 'a', runTimeout }), 'TASKER_INVALID', 'runTimeout')
  }
  const uuid = await tasker.addTask({ operation: 'a' })
  const wait = tasker.waitForTaskOutputData(uuid, { timeout: most + 1 })
  await refused(wait, 'TASKER_INVALID', 'timeout')
})

test('a query: 16 levels, 256 nodes, 10,000 values in $in; a sort: 16 fields', async t => {
  const tasker = open(t)
  await tasker.addTask({ operation: 'a' })
  const deep = levels => {
    let query = { operation: 'a' }
    for (let n = 1; n < levels; n += 1) query = { $and: [query] }
    return query
  }
  // One node for $or, two for each part of it, one for each field beside it.
  const alternatives = Array.from({ length: 127 }, (_, seq) => ({ seq }))
  const wide = beside => ({ ...beside, $or: alternatives })
  const values = count => ({ seq: { $in: Array.from({ length: count }, (_, n) => n) } })
  const sorted = count => {
    const fields = Array.from({ length: count }, (_, n) => [`data.f${n}`, 1])
    return tasker.findTasks({}, { sort: Object.fromEntries(fields) })
  }
  for (const levels of [15, 16]) assert.equal(await tasker.countTasks(deep(levels)), 1)
  for (const beside of [{}, { state: 'ready' }]) {
    assert.equal(await tasker.countTasks(wide(beside)), 1)
  }
  for (const count of [9_999, 10_000]) assert.equal(await tasker.countTasks(values(count)), 1)
  for (const count of [15, 16]) assert.equal((await sorted(count)).length, 1)
  const above = [
    () => tasker.countTasks(deep(17)),
    () => tasker.countTasks(deep(100_000)),
    () => tasker.countTasks(wide({ state: 'ready', operation: 'a' })),
    () => tasker.countTasks(values(10_001)),
    () => sorted(17),
  ]
  for (const call of above) await refused(call(), 'TASKER_INVALID_QUERY')
})

test('what is too large is refused before all of it is written (B-3)', async t => {
  const tasker = open(t)
  let asked = 0
  const data = { toJSON: () => (asked += 1) }
  const tasks = Array.from({ length: 1_000_000 }, () => ({ operation: 'a', data }))
  await refused(tasker.addTasks(tasks), 'TASKER_TOO_LARGE', 'tasks')
  const $in = Array.from({ length: 1_000_000 }, () => data)
  await refused(tasker.countTasks({ data: { $in } }), 'TASKER_INVALID_QUERY', 'query.data.$in')

  const large = { text: 'x'.repeat(8 * MIB), data }
  const largeTasks = Array.from({ length: 1_000 }, () => ({ operation: 'a', data: large }))
  await refused(tasker.addTasks(largeTasks), 'TASKER_TOO_LARGE', 'tasks')
  largeTasks[900] = { operation: 'a', data: Buffer.alloc(50 * MIB) }
  await refused(tasker.addTasks(largeTasks), 'TASKER_TOO_LARGE', '[900].data')
  assert.equal(asked, 0)
})

test('a query: 16 MiB of JSON', async t => {
  const tasker = open(t)
  const query = bytes => ({ data: sized(bytes - 9) })
  assert.equal(await tasker.countTasks(query(16 * MIB)), 0)
  for (const value of [query(16 * MIB + 1), { data: Buffer.alloc(50 * MIB) }]) {
    await refused(tasker.countTasks(value), 'TASKER_TOO_LARGE', 'query')
  }
})

test('a task whose log is too large for one answer is refused alone (B-1)', async t => {
  const text = 'y'.repeat(60_000)
  const runner = ({ logger }) => {
    for (let n = 0; n < 4_500; n += 1) logger.info('line', { text })
  }
  const tasker = await started(t, { talk: runner, quiet: () => 'well' })
  const uuid = await tasker.addTask({ operation: 'talk' })
  await tasker.waitForTaskOutputData(uuid)
  const large = { withLogs: true }
  const reads = [tasker.getTask(uuid, large), tasker.findTasks({}, large), tasker.countTasks()]
  const [got, found, count] = await Promise.allSettled(reads)
  assert.deepEqual([got.reason?.code, found.reason?.code], Array(2).fill('TASKER_TOO_LARGE'))
  assert.equal(count.value, 1)
  assert.equal((await tasker.getTask(uuid)).status, 'done')
  const other = await tasker.addTask({ operation: 'quiet' })
  assert.equal(await tasker.waitForTaskOutputData(other), 'well')
})
