import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tasker } from '../../index.mjs'
import { file, open, refused, started } from './open.mjs'

const books = Array.from({ length: 400 }, (_, n) => ({
  operation: 'read',
  data: { book: `b${n % 40}`, n, lines: [{ sku: `s${n}` }], by: { name: `Jane ${n % 7}` } },
  id: { order: n },
  label: `l${n % 40}`,
}))

/** The numbers of what is found, and by which index. */
async function found(tasker, query, options = { sort: { seq: 1 } }) {
  const tasks = await tasker.findTasks(query, options)
  const { index, matched, declare } = await tasker.explainQuery(query)
  return { seqs: tasks.map(({ seq }) => seq), index, matched, declare }
}

test('a declared path is used by itself, in every call that takes a query', async t => {
  const tasker = open(t, { indexes: ['data.book', 'data.n', 'data.by.name', 'id.order', 'label'] })
  await tasker.addTasks(books)
  const seqs = Array.from({ length: 10 }, (_, i) => 8 + 40 * i)
  const query = { 'data.book': 'b7' }
  assert.deepEqual(await found(tasker, query), {
    seqs,
    index: 'data.book',
    matched: 10,
    declare: [],
  })
  assert.equal(await tasker.countTasks(query), 10)
  assert.equal(await tasker.hasTask({ 'data.book': 'none' }), false)
  assert.equal((await tasker.findTask(query, { sort: { seq: -1 } })).seq, 368)
  const walked = []
  for await (const { seq } of tasker.tasks(query, { sort: { seq: -1 } })) walked.push(seq)
  assert.deepEqual(walked, seqs.toReversed())
  const cases = [
    [{ 'data.n': { $gte: 398 } }, [399, 400], 'data.n'],
    [{ 'data.n': { $gt: 3, $lte: 5 } }, [5, 6], 'data.n'],
    [{ 'data.n': { $in: [9, 1, 'x'] } }, [2, 10], 'data.n'],
    [{ 'data.book': 'b1', 'data.n': { $lt: 100 } }, [2, 42, 82], undefined],
    [{ 'data.by.name': 'Jane 3', 'data.book': 'b3' }, [4, 284], undefined],
    [{ 'id.order': 12 }, [13], 'id.order'],
    [{ label: 'l39', status: 'new', 'data.n': 39 }, [40], undefined],
    [{ 'data.n': '7' }, [], 'data.n'],
  ]
  for (const [asked, expected, by] of cases) {
    const { seqs: given, index } = await found(tasker, asked)
    assert.deepEqual(given, expected, JSON.stringify(asked))
    if (by) assert.equal(index, by, JSON.stringify(asked))
  }
})

test('explainQuery says what is read without an index, and what to declare', async t => {
  const tasker = open(t)
  await tasker.addTasks(books)
  const { read, ...rest } = await tasker.explainQuery({ 'data.book': 'b7', 'data.n': { $gt: 40 } })
  assert.ok(read >= 400)
  const declare = ['data.book', 'data.n']
  assert.deepEqual(rest, { index: null, decided: 400, matched: 9, declare })
  const help = async query => (await tasker.explainQuery(query)).declare
  assert.deepEqual(await help({ 'data.book': null }), [], 'what is missing is in no index')
  assert.deepEqual(await help({ 'data.book': /^b/, 'result.a': 1, tags: 'x' }), [])
  assert.deepEqual(await help({ 'data.lines.sku': 's3' }), ['data.lines.sku'])
  const by = async query => (await tasker.explainQuery(query)).index
  const [{ uuid }] = await tasker.findTasks({}, { limit: 1 })
  assert.equal(await by({ uuid }), 'uuid')
  assert.equal(await by({ seq: { $in: [1, 2] } }), 'seq')
  assert.equal(await by({ status: 'running' }), 'status')
  assert.equal(await by({}), null)
  await refused(tasker.explainQuery({ book: 1 }), 'TASKER_INVALID_QUERY', 'query.book')
  await refused(tasker.explainQuery({}, { limit: 1 }), 'TASKER_INVALID', 'limit')
})

test('values that look alike are told apart, and arrays are found by their members', async t => {
  const values = [1, '1', true, 'true', null, 'null', [1], ['a', 2], { a: 1 }, 'a', 'A', '']
  const odd = [1e300, 2 ** 53, -0, 0.1 + 0.2, '\ud800', '\ufffd', 'a\u0000b', "it's", 'é', '😀']
  const all = [...values, ...odd]
  const [plain, indexed] = [open(t), open(t, { indexes: ['data', 'data.v', 'data.v.a'] })]
  for (const tasker of [plain, indexed]) {
    await tasker.addTasks(all.map(v => ({ operation: 'a', data: { v } })))
    await tasker.addTasks(all.map(v => ({ operation: 'a', data: v })))
    await tasker.addTasks(all.map(v => ({ operation: 'a', data: [{ v }] })))
    await tasker.addTask({ operation: 'a' })
  }
  const sort = { seq: 1 }
  const ask = async (tasker, query) =>
    (await tasker.findTasks(query, { sort, fields: ['seq'] })).map(({ seq }) => seq)
  for (const path of ['data', 'data.v', 'data.v.a', 'data.0.v']) {
    for (const value of all) {
      for (const operator of ['$eq', '$gt', '$lte', '$ne']) {
        const query = { [path]: { [operator]: value } }
        assert.deepEqual(await ask(indexed, query), await ask(plain, query), JSON.stringify(query))
      }
    }
    const exists = { [path]: { $exists: true } }
    assert.deepEqual(await ask(indexed, exists), await ask(plain, exists))
  }
})

test('a path that cannot be indexed is refused at once, with its place', () => {
  const wrong = [
    [7, 'indexes'],
    ['data.book', 'indexes'],
    [{ 0: 'data.book' }, 'indexes'],
    [null, 'indexes'],
    [Array.from({ length: 17 }, (_, i) => `data.p${i}`), 'indexes'],
    [['book'], 'indexes[0]'],
    [['data.book', 'tags'], 'indexes[1]'],
    [['result.pages'], 'indexes[0]'],
    [['data.'], 'indexes[0]'],
    [['data.a"b'], 'indexes[0]'],
    [['data.a\\b'], 'indexes[0]'],
    [['data.\ud800'], 'indexes[0]'],
    [[7], 'indexes[0]'],
    [[null], 'indexes[0]'],
    [[() => {}], 'indexes[0]'],
    [['data.a', 'data.a'], 'indexes[1]'],
    [[`data.${'x'.repeat(251)}`], 'indexes[0]'],
  ]
  for (const [indexes, path] of wrong) {
    const expected = { name: 'TaskerError', code: 'TASKER_INVALID', path }
    assert.throws(() => new Tasker({ store: ':memory:', indexes }), expected, `${indexes}`)
  }
})

test('odd names are indexed as they are', async t => {
  const names = ["it's", 'a b', 'ü', 'SELECT', '{key}', '$', '0', 'x--y', '%', '👍', ';']
  const indexes = names.map(name => `data.${name}`)
  const tasker = open(t, { indexes })
  const data = Object.fromEntries(names.map((name, i) => [name, i]))
  await tasker.addTask({ operation: 'a', data })
  for (const [i, path] of indexes.entries()) {
    const { seqs, index } = await found(tasker, { [path]: i })
    assert.deepEqual({ seqs, index }, { seqs: [1], index: path })
  }
})

test('indexes stay in the file until no open tasker declares them', async t => {
  const store = file()
  const one = open(t, { store, indexes: ['data.book', 'data.n'] })
  await one.addTasks(books)
  const by = async (tasker, path) => (await tasker.explainQuery({ [path]: 7 })).index
  const two = open(t, { store, indexes: ['data.n'] })
  await two.ready()
  assert.equal(await by(two, 'data.book'), 'data.book', 'the other one is open')
  await one.close()
  await two.close()
  const silent = open(t, { store })
  assert.equal(await by(silent, 'data.book'), 'data.book', 'it says nothing, and drops nothing')
  await silent.close()
  const three = open(t, { store, indexes: ['data.n'] })
  assert.deepEqual([await by(three, 'data.book'), await by(three, 'data.n')], [null, 'data.n'])
  await three.close()
  const last = open(t, { store, indexes: [] })
  assert.equal(await by(last, 'data.n'), null)
})

test('a task is found by its data whatever becomes of it', async t => {
  const runners = { read: ({ data }) => data.n }
  const tasker = await started(t, runners, { indexes: ['data.n'] })
  const uuids = await tasker.addTasks(books)
  await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  const { seqs, index } = await found(tasker, { 'data.n': 77, status: 'done' })
  assert.deepEqual({ seqs, index }, { seqs: [78], index: 'data.n' })
})
