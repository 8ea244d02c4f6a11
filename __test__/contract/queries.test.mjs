import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gate, open, refused, rejection, started } from './open.mjs'

const books = [
  { operation: 'read', data: { book: 'dune', pages: 412, tags: ['sand', 'spice'] }, priority: 2 },
  { operation: 'read', data: { book: 'emma', pages: 474, tags: [] } },
  { operation: 'read', data: { book: null, author: { name: 'anon' } }, priority: -Infinity },
  { operation: 'write', data: { book: 'dune', draft: 3 }, priority: Infinity },
  { operation: 'write' },
]

async function library(t) {
  const tasker = open(t)
  const uuids = await tasker.addTasks(books)
  const names = new Map(uuids.map((uuid, i) => [uuid, i]))
  /** The places in `books` of what is found, in order of age. */
  const find = async query =>
    (await tasker.findTasks(query, { sort: { seq: 1 } })).map(({ uuid }) => names.get(uuid))
  return { tasker, uuids, find }
}

test('queries find by fields, paths, operators and their combinations', async t => {
  const { uuids, find } = await library(t)
  const cases = [
    [{}, [0, 1, 2, 3, 4]],
    [{ uuid: uuids[1] }, [1]],
    [{ seq: 4 }, [3]],
    [{ operation: 'read' }, [0, 1, 2]],
    [{ status: 'new', state: 'ready' }, [0, 1, 2, 3, 4]],
    [{ status: 'done' }, []],
    [{ 'data.book': 'dune' }, [0, 3]],
    [{ 'data.book': null }, [2, 4]],
    [{ 'data.author.name': 'anon' }, [2]],
    [{ 'data.tags': 'sand' }, [0]],
    [{ 'data.tags': [] }, [1]],
    [{ 'data.tags.1': 'spice' }, [0]],
    [{ 'data.pages': { $gt: 412 } }, [1]],
    [{ 'data.pages': { $gte: 412, $lt: 474 } }, [0]],
    [{ 'data.pages': { $lte: '9' } }, []],
    [{ 'data.book': { $ne: 'dune' } }, [1, 2, 4]],
    [{ 'data.book': { $in: ['emma', null] } }, [1, 2, 4]],
    [{ 'data.book': { $nin: ['emma', null] } }, [0, 3]],
    [{ 'data.draft': { $exists: true } }, [3]],
    [{ data: { $exists: false } }, [4]],
    [{ 'data.pages': { $not: { $gt: 412 } } }, [0, 2, 3, 4]],
    [{ $or: [{ 'data.draft': 3 }, { 'data.pages': 474 }] }, [1, 3]],
    [{ $nor: [{ operation: 'read' }, { data: { $exists: false } }] }, [3]],
    [{ $and: [{ operation: 'read' }, { 'data.book': 'dune' }] }, [0]],
    [{ data: { draft: 3, book: 'dune' } }, [3]],
    [{ 'data.book': /^D/i }, [0, 3]],
    [{ 'data.book': { $regex: '^d' }, operation: { $not: /^w/ } }, [0]],
    [{ 'data.book': { $in: [/ma$/, null] } }, [1, 2, 4]],
    [{ 'data.tags': { $all: [/^s/, /e$/] }, operation: /^read$/ }, [0]],
    [{ 'data.book': { $type: 'string' } }, [0, 1, 3]],
    [{ 'data.book': { $type: ['null', 'array'] } }, [2]],
    [{ createdAt: { $type: 'date' }, 'data.author': { $type: 3 } }, [2]],
    [{ 'data.pages': { $mod: [100, 12] } }, [0]],
    [{ 'data.tags': { $size: 0 } }, [1]],
    [{ 'data.tags': { $all: ['spice', 'sand'] } }, [0]],
    [{ 'data.tags': { $elemMatch: { $gt: 'sand', $lt: 'z' } } }, [0]],
    [{ 'data.tags': { $all: [{ $elemMatch: { $eq: 'sand' } }] } }, [0]],
    [{ priority: Infinity }, [3]],
    [{ priority: { $lt: 0 } }, [2]],
    [{ priority: { $in: [-Infinity, 2] } }, [0, 2]],
    [{ priority: { $gt: -Infinity } }, [0, 1, 3, 4]],
  ]
  for (const [query, expected] of cases) {
    assert.deepEqual(await find(query), expected, JSON.stringify(query))
  }
})

test('dates compare with dates', async t => {
  const tasker = open(t)
  await tasker.addTask({ operation: 'a' })
  const { createdAt } = await tasker.findTask({})
  const later = new Date(createdAt.getTime() + 1)
  assert.equal(await tasker.countTasks({ createdAt }), 1)
  assert.equal(await tasker.countTasks({ createdAt: { $gte: createdAt, $lt: later } }), 1)
  assert.equal(await tasker.countTasks({ createdAt: { $gte: later } }), 0)
  assert.equal(await tasker.countTasks({ createdAt: { $in: [later, createdAt] } }), 1)
})

test('what a query cannot say is refused with its place', async t => {
  const tasker = open(t)
  const cycle = {}
  cycle.$and = [cycle]
  const hostile = {
    get status() {
      throw new Error('boom')
    },
  }
  const wrong = [
    [null, 'query'],
    ['text', 'query'],
    [[], 'query'],
    [new Date(), 'query'],
    [{ dta: 1 }, 'query.dta'],
    [{ status: undefined }, 'query.status'],
    [{ 'data.a': { $gt: undefined } }, 'query.data.a.$gt'],
    [{ $or: [{ seq: 1 }, { seq: 1n }] }, 'query.$or[1].seq'],
    [{ 'data.a': /x/g }, 'query.data.a'],
    [{ 'data.a': /(?=x)/ }, 'query.data.a'],
    [{ 'data.a': { $gt: /x/ } }, 'query.data.a.$gt'],
    [{ 'data.a': [/x/] }, 'query.data.a[0]'],
    [{ 'data.a': { $in: ['x', /(x)\1/] } }, 'query.data.a.$in[1]'],
    [{ 'data.a': { $regex: '(' } }, 'query.data.a.$regex'],
    [{ 'data.a': { $regex: 'x', $options: 'x' } }, 'query.data.a.$options'],
    [{ 'data.a': { $regex: /x/i, $options: 'm' } }, 'query.data.a.$options'],
    [{ 'data.a': { $options: 'i' } }, 'query.data.a.$options'],
    [{ 'data.a': Number.NaN }, 'query.data.a'],
    [{ 'data.a': { $lt: Infinity } }, 'query.data.a.$lt'],
    [{ 'data.a': new Date(Number.NaN) }, 'query.data.a'],
    [{ 'data.a': () => 1 }, 'query.data.a'],
    [{ 'data.a': Symbol('s') }, 'query.data.a'],
    [{ 'data.a': new Map() }, 'query.data.a'],
    [{ $where: 'true' }, 'query.$where'],
    [{ $or: [] }, 'query.$or'],
    [{ $or: 1 }, 'query.$or'],
    [{ status: { $in: 'new' } }, 'query.status.$in'],
    [{ 'data.a': { $all: 'x' } }, 'query.data.a.$all'],
    [{ 'data.a': { $elemMatch: { b: { $near: 1 } } } }, 'query.data.a.$elemMatch.b.$near'],
    [cycle],
    [hostile, 'query'],
  ]
  const calls = ['findTasks', 'findTask', 'hasTask', 'countTasks']
  for (const [query, path] of wrong) {
    for (const call of calls) await refused(tasker[call](query), 'TASKER_INVALID_QUERY', path)
  }
})

test('sort, skip and limit cut the list', async t => {
  const { tasker } = await library(t)
  const seqs = async options => (await tasker.findTasks({}, options)).map(({ seq }) => seq)
  assert.deepEqual(await seqs({ sort: { priority: -1 } }), [4, 1, 2, 5, 3])
  assert.deepEqual(await seqs({ sort: { operation: -1, seq: -1 } }), [5, 4, 3, 2, 1])
  assert.deepEqual(await seqs({ sort: { 'data.pages': 1, seq: 1 } }), [3, 4, 5, 1, 2])
  assert.deepEqual(await seqs({ sort: { seq: 1 }, limit: 2 }), [1, 2])
  assert.deepEqual(await seqs({ sort: { seq: 1 }, skip: 3 }), [4, 5])
  assert.deepEqual(await seqs({ sort: { seq: 1 }, skip: 1, limit: 1 }), [2])
  assert.deepEqual(await seqs({ sort: { seq: 1 }, limit: 0 }), [1, 2, 3, 4, 5])
  assert.deepEqual(await seqs({ skip: 99 }), [])
  await refused(tasker.findTasks({}, { sort: { seq: 2 } }), 'TASKER_INVALID_QUERY', 'sort.seq')
  await refused(tasker.findTasks({}, { sort: 'seq' }), 'TASKER_INVALID_QUERY', 'sort')
  for (const key of ['limit', 'skip']) {
    for (const value of [-1, 1.5, '1', Infinity, null]) {
      await refused(tasker.findTasks({}, { [key]: value }), 'TASKER_INVALID', key)
    }
  }
})

test('the default order: waiting in queue order, then running, then ended', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { quick: () => 1, slow: runner })
  const quick = await tasker.addTasks([{ operation: 'quick' }, { operation: 'quick' }])
  for (const uuid of quick) await tasker.waitForTaskOutputData(uuid)
  const slow = []
  for (let n = 0; n < 2; n += 1) {
    slow.push(await tasker.addTask({ operation: 'slow' }))
    await call(n)
  }
  const waiting = await tasker.addTasks([
    { operation: 'none' },
    { operation: 'none', priority: 1 },
    { operation: 'none' },
  ])
  const found = (await tasker.findTasks()).map(({ uuid }) => uuid)
  assert.deepEqual(found, [waiting[1], waiting[0], waiting[2], ...slow, ...quick])
})

test('findTask gives the first or undefined, hasTask and countTasks only look', async t => {
  const { tasker, uuids } = await library(t)
  const first = await tasker.findTask({ 'data.book': 'dune' }, { sort: { seq: -1 } })
  assert.equal(first.uuid, uuids[3])
  assert.equal(await tasker.findTask({ 'data.book': 'ulysses' }), undefined)
  assert.equal(await tasker.hasTask({ 'data.book': 'dune' }), true)
  assert.equal(await tasker.hasTask({ 'data.book': 'ulysses' }), false)
  assert.equal(await tasker.countTasks({ operation: 'read' }), 3)
  assert.equal(await tasker.countTasks({ status: 'new' }), 5)
  assert.equal(await tasker.countTasks(), 5)
})

test('a read returns the fields that are asked for', async t => {
  const tasker = await started(t, { burn: () => Promise.reject(new Error('wet')) })
  const lines = [{ sku: 'a7', n: 2 }, 'x', { n: 3 }]
  const uuid = await tasker.addTask({ operation: 'burn', data: { book: 'dune', lines } })
  await rejection(tasker.waitForTaskOutputData(uuid))
  const cases = [
    [['uuid'], { uuid }],
    [['seq', 'status', 'seq', 'result'], { seq: 1, status: 'failed' }],
    [['data.book', 'data.nope'], { data: { book: 'dune' } }],
    [['data.lines.sku'], { data: { lines: [{ sku: 'a7' }, {}] } }],
    [['data.lines.0', 'data.book.x'], { data: { lines: [{}, {}] } }],
    [
      ['attempts.outcome', 'error.message'],
      {
        attempts: [{ outcome: 'failed' }],
        error: { message: 'wet' },
      },
    ],
  ]
  for (const [fields, expected] of cases) {
    assert.deepEqual(await tasker.getTask(uuid, { fields }), expected)
    assert.deepEqual(await tasker.findTask({ operation: 'burn' }, { fields }), expected)
    for (const limit of [0, 1]) {
      const sort = { 'data.book': 1 }
      assert.deepEqual(await tasker.findTasks({ seq: 1 }, { fields, limit, sort }), [expected])
    }
    assert.deepEqual(await tasker.findTasks({}, { fields, limit: 1 }), [expected])
  }
  const times = await tasker.getTask(uuid, { fields: ['createdAt', 'attempts.startedAt'] })
  assert.ok(times.createdAt instanceof Date && times.attempts[0].startedAt instanceof Date)
  const logged = await tasker.findTask({}, { fields: ['seq'], withLogs: true })
  assert.deepEqual(logged, { seq: 1, logs: [] })
})

test('fields that cannot be are refused with their place', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({ operation: 'a' })
  const wrong = [
    [[], 'fields'],
    ['uuid', 'fields'],
    [{ uuid: 1 }, 'fields'],
    [null, 'fields'],
    [Array.from({ length: 257 }, (_, n) => `data.f${n}`), 'fields'],
    [['uuid', 1], 'fields[1]'],
    [['uuid', 'dta.book'], 'fields[1]'],
    [['logs'], 'fields[0]'],
    [['data', 'seq', 'data.book'], 'fields[2]'],
    [['data.a.b', 'data.a'], 'fields[1]'],
  ]
  for (const [fields, path] of wrong) {
    await refused(tasker.getTask(uuid, { fields }), 'TASKER_INVALID_QUERY', path)
    await refused(tasker.findTask({}, { fields }), 'TASKER_INVALID_QUERY', path)
    await refused(tasker.findTasks({}, { fields }), 'TASKER_INVALID_QUERY', path)
  }
  const most = Array.from({ length: 256 }, (_, n) => `data.f${n}`)
  for (const fields of [most.slice(1), most]) {
    assert.deepEqual(await tasker.findTasks({}, { fields }), [{}])
  }
  const long = [`data.${'x'.repeat(16 * 1024 * 1024)}`]
  await refused(tasker.getTask(uuid, { fields: long }), 'TASKER_TOO_LARGE', 'fields')
  await refused(tasker.countTasks({}, { fields: ['uuid'] }), 'TASKER_INVALID', 'fields')
})

test('getTask refuses what it does not know', async t => {
  const tasker = open(t)
  const uuid = '018f0000-0000-7000-8000-000000000000'
  await refused(tasker.getTask(uuid), 'TASKER_NOT_FOUND')
  await refused(tasker.getTask(7), 'TASKER_INVALID', 'uuid')
  await refused(tasker.getTask(uuid, { logs: true }), 'TASKER_INVALID', 'logs')
})

test('uuids may be written in capitals', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal((await tasker.getTask(uuid.toUpperCase())).uuid, uuid)
})

test('a reader sees what was acknowledged before (I-16)', async t => {
  const tasker = open(t)
  for (let n = 1; n <= 200; n += 1) {
    await tasker.addTask({ operation: 'a' })
    assert.equal(await tasker.countTasks({ operation: 'a' }), n)
  }
})

test('a read ends early by its signal', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({ operation: 'a' })
  const reason = new Error('not interested')
  const aborted = AbortSignal.abort(reason)
  assert.equal(await rejection(tasker.findTasks({}, { abortSignal: aborted })), reason)
  const controller = new AbortController()
  const reading = rejection(tasker.findTasks({}, { abortSignal: controller.signal }))
  controller.abort(reason)
  assert.equal(await reading, reason)
  await refused(tasker.countTasks({}, { timeout: 0 }), 'TASKER_INVALID', 'timeout')
  await refused(tasker.getTask(uuid, { timeout: 0 }), 'TASKER_INVALID', 'timeout')
  assert.equal(await rejection(tasker.getTask(uuid, { abortSignal: aborted })), reason)
  await refused(tasker.hasTask({}, { deadline: 1 }), 'TASKER_INVALID', 'deadline')
  assert.equal(await tasker.countTasks({}, { timeout: '1m' }), 1)
})
