import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gate, open, rejection, started } from './open.mjs'

const many = (count, data = n => n) =>
  Array.from({ length: count }, (_, n) => ({ operation: n % 3 ? 'read' : 'write', data: data(n) }))

const seqs = async tasks => {
  const all = []
  for await (const { seq } of tasks) all.push(seq)
  return all
}

const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

test('tasks come page by page, each once, upwards or downwards', async t => {
  const tasker = open(t)
  await tasker.addTasks(many(2500))
  assert.deepEqual(await seqs(tasker.tasks()), range(1, 2500))
  assert.deepEqual(await seqs(tasker.tasks({}, { sort: { seq: -1 } })), range(1, 2500).reverse())
  const some = { operation: 'write', data: { $gte: 1800 } }
  const expected = range(1, 2500).filter(seq => (seq - 1) % 3 === 0 && seq > 1800)
  assert.deepEqual(await seqs(tasker.tasks(some)), expected)
  assert.deepEqual(await seqs(tasker.tasks(some, { sort: { seq: -1 } })), expected.reverse())
  assert.deepEqual(await seqs(tasker.tasks({ operation: 'none' })), [])
  assert.deepEqual(await seqs(tasker.tasks({ seq: { $in: [7, 2000, 9999] } })), [7, 2000])
})

test('tasks of every state come, and what ends meanwhile comes once', async t => {
  const { runner, call, calls } = gate()
  const tasker = await started(t, { read: runner })
  await tasker.addTasks(many(1500))
  await call(99)
  const found = []
  for await (const { seq, status } of tasker.tasks()) {
    found.push([seq, status])
    if (seq !== 1000) continue
    const ends = range(1, 30).map(seq => tasker.findTask({ seq, operation: 'read' }))
    for (const { resolve } of calls.slice(0, 20)) resolve()
    for (const task of await Promise.all(ends)) {
      if (task) await tasker.waitForTaskOutputData(task.uuid)
    }
  }
  assert.deepEqual(
    found.map(([seq]) => seq),
    range(1, 1500),
  )
  assert.deepEqual(
    new Set(found.slice(0, 2).map(([, status]) => status)),
    new Set(['new', 'running']),
  )
})

test('what is added while somebody goes through the tasks does not come', async t => {
  const tasker = open(t)
  await tasker.addTasks(many(1200))
  const found = []
  for await (const { seq } of tasker.tasks()) {
    if (seq === 1) await tasker.addTasks(many(10))
    found.push(seq)
  }
  assert.deepEqual(found, range(1, 1200))
})

test('a page of large tasks ends early, and none is left out', async t => {
  const tasker = open(t)
  await tasker.addTasks(many(30, n => `${n}`.padEnd(300_000, '.')))
  for (const seq of [1, -1]) {
    const found = await seqs(tasker.tasks({}, { sort: { seq } }))
    assert.deepEqual(found, seq > 0 ? range(1, 30) : range(1, 30).reverse())
  }
  const texts = []
  for await (const { data } of tasker.tasks({}, { fields: ['data'] })) texts.push(data.length)
  assert.deepEqual(texts, new Array(30).fill(300_000))
})

test('tasks come with the fields and logs that are asked for', async t => {
  const tasker = await started(t, { read: ({ logger }) => logger.info('turned') })
  const uuid = await tasker.addTask({ operation: 'read', data: { book: 'dune', n: 1 } })
  await tasker.waitForTaskOutputData(uuid)
  const [task] = await all(tasker.tasks({}, { fields: ['data.book'], withLogs: true }))
  assert.deepEqual(Object.keys(task), ['data', 'logs'])
  assert.deepEqual(task.data, { book: 'dune' })
  assert.equal(task.logs[0].message, 'turned')
})

test('going through tasks ends with the loop, with its signal, or with the tasker', async t => {
  const tasker = open(t)
  await tasker.addTasks(many(1500))
  for await (const { seq } of tasker.tasks()) if (seq === 3) break
  const controller = new AbortController()
  const reason = new Error('enough')
  const going = async () => {
    for await (const { seq } of tasker.tasks({}, { abortSignal: controller.signal })) {
      if (seq === 1000) controller.abort(reason)
      assert.ok(seq <= 1000)
    }
  }
  assert.equal(await rejection(going()), reason)
  const left = tasker.tasks()
  await left.next()
  await tasker.close()
  await assert.rejects(seqs(left), { code: 'TASKER_CLOSED' })
})

test('what cannot be gone through is refused at once', async t => {
  const tasker = open(t)
  const cases = [
    [{ title: 1 }, {}, 'TASKER_INVALID_QUERY', 'query.title'],
    [{}, { sort: { priority: 1 } }, 'TASKER_INVALID', 'sort'],
    [{}, { sort: { seq: 2 } }, 'TASKER_INVALID', 'sort'],
    [{}, { sort: { seq: 1, uuid: 1 } }, 'TASKER_INVALID', 'sort'],
    [{}, { limit: 3 }, 'TASKER_INVALID', 'limit'],
    [{}, { fields: [] }, 'TASKER_INVALID_QUERY', 'fields'],
    [[], {}, 'TASKER_INVALID_QUERY', 'query'],
  ]
  for (const [query, options, code, path] of cases) {
    const going = async () => await seqs(tasker.tasks(query, options))
    await assert.rejects(going(), { code, path }, JSON.stringify([query, options]))
  }
})

async function all(tasks) {
  const found = []
  for await (const task of tasks) found.push(task)
  return found
}
