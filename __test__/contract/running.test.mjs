import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { Tasker } from '../../index.mjs'
import { gate, next, open, refused, rejection, started } from './open.mjs'

test('a runner gets its task and its result is stored', async t => {
  const seen = []
  const runner = context => {
    seen.push(context)
    return { pages: 412 }
  }
  const tasker = await started(t, { 'read-book': runner })
  const data = { book: 'dune' }
  const uuid = await tasker.addTask({ operation: 'read-book', data, priority: 5 })
  assert.deepEqual(await tasker.waitForTaskOutputData(uuid), { pages: 412 })
  const [context] = seen
  assert.equal(context.uuid, uuid)
  assert.equal(context.operation, 'read-book')
  assert.deepEqual(context.data, data)
  assert.equal(context.attempt, 1)
  assert.equal(context.priority, 5)
  assert.match(context.runId, /^[0-9a-f-]{36}$/)
  const task = await tasker.getTask(uuid)
  assert.equal(task.status, 'done')
  assert.deepEqual(task.result, { pages: 412 })
  assert.equal(task.attempt, 1)
  assert.ok(task.startedAt <= task.endedAt)
  assert.deepEqual(context.createdAt, task.createdAt)
  assert.deepEqual(context.startedAt, task.startedAt)
  const [{ runId, outcome, startedAt, endedAt }] = task.attempts
  assert.deepEqual([runId, outcome], [context.runId, 'done'])
  assert.ok(startedAt instanceof Date && endedAt instanceof Date)
})

test('the context can be taken apart', async t => {
  const tasker = await started(t, {
    sum: async ({ uuid, data, attempt, logger, abortSignal, progress }) => {
      logger.info('adding')
      progress(1, 2)
      return { uuid, sum: data.a + data.b, attempt, aborted: abortSignal.aborted }
    },
  })
  const uuid = await tasker.addTask({ operation: 'sum', data: { a: 1, b: 2 } })
  const expected = { uuid, sum: 3, attempt: 1, aborted: false }
  assert.deepEqual(await tasker.waitForTaskOutputData(uuid), expected)
})

test('a copy of the context has everything, and so has what is printed (N-1)', async t => {
  let copy
  let printed
  const tasker = await started(t, {
    a: context => {
      printed = inspect(context)
      copy = { ...context, more: 1 }
      copy.logger.info('from the copy')
      copy.progress(1, 2)
      return copy.abortSignal.aborted
    },
  })
  const uuid = await tasker.addTask({ operation: 'a', data: { n: 7 }, priority: 2 })
  assert.equal(await tasker.waitForTaskOutputData(uuid), false)
  const task = await tasker.getTask(uuid, { withLogs: true })
  const { runId, logger, progress, snooze, checkpoint, addTask, results, abortSignal, ...rest } =
    copy
  const { hold, ...facts } = rest
  assert.equal(typeof hold, 'function')
  assert.deepEqual(facts, {
    uuid,
    operation: 'a',
    data: { n: 7 },
    attach: undefined,
    id: undefined,
    label: undefined,
    trace: undefined,
    scheduleId: undefined,
    scheduledAt: undefined,
    tags: [],
    attempt: 1,
    priority: 2,
    createdAt: task.createdAt,
    startedAt: task.startedAt,
    more: 1,
  })
  assert.equal(task.logs[0].message, 'from the copy')
  assert.deepEqual(task.progress, { current: 1, total: 2 })
  for (const part of [uuid, "operation: 'a'", 'n: 7', runId])
    assert.ok(printed.includes(part), part)
})

test('the signal of a context is the same each time, and in each copy', async t => {
  let isSame
  const tasker = await started(t, {
    a: context => {
      isSame = context.abortSignal === { ...context }.abortSignal
    },
  })
  await tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'a' }))
  assert.equal(isSame, true)
})

test('a result or data of which JSON keeps nothing is refused, with what to do (N-10)', async t => {
  async function* pages() {
    yield 1
  }
  const results = [
    [pages(), /AsyncGenerator.*read it to its end/],
    [new Map([[1, 2]]), /a Map.*array/],
    [new Response('x'), /a Response.*plain object/],
    [new Error('returned'), /is an Error; throw it/],
    [Object.assign(new Error('with fields'), { code: 7 }), /is an Error; throw it/],
  ]
  let result
  const tasker = await started(t, { give: () => result })
  for ([result] of results) {
    const [, message] = results.find(([one]) => one === result)
    const uuid = await tasker.addTask({ operation: 'give' })
    const error = await rejection(tasker.waitForTaskOutputData(uuid))
    assert.equal(error.code, 'TASKER_INVALID')
    assert.match(error.message, /^result: /)
    assert.match(error.message, message)
    assert.equal((await tasker.getTask(uuid)).cause, 'unstorable')
    await refused(tasker.addTask({ operation: 'give', data: result }), 'TASKER_INVALID', 'data')
    const list = [{ operation: 'give' }, { operation: 'give', data: result }]
    await refused(tasker.addTasks(list), 'TASKER_INVALID', '[1].data')
  }
  class Point {
    x = 1
  }
  for (result of [{}, [], Object.create(null), new Point(), new Date(0), Object('text')]) {
    const uuid = await tasker.addTask({ operation: 'give', data: result })
    const stored = await tasker.waitForTaskOutputData(uuid)
    assert.deepEqual(stored, JSON.parse(JSON.stringify(result)))
  }
})

test('a generator function is no runner (N-10)', t => {
  const tasker = open(t)
  for (const runner of [async function* () {}, function* () {}]) {
    assert.throws(() => tasker.assignRunner('a', runner), {
      code: 'TASKER_INVALID',
      path: 'runner',
    })
    assert.throws(() => new Tasker({ store: ':memory:', runners: { a: runner } }), /generator/)
  }
})

test('a result is what JSON keeps of it', async t => {
  class Money {
    constructor(cents) {
      this.cents = cents
    }
    toJSON() {
      return `${this.cents} c`
    }
  }
  const results = {
    text: () => 'text',
    zero: () => 0,
    nothing: () => null,
    nan: () => Number.NaN,
    date: () => new Date(0),
    money: () => new Money(5),
    list: () => [1, undefined, { a: undefined }],
    later: async () => ({ ok: true }),
    proto: () => JSON.parse('{"__proto__":1}'),
  }
  const tasker = await started(t, results)
  for (const [operation, runner] of Object.entries(results)) {
    const uuid = await tasker.addTask({ operation })
    const result = await tasker.waitForTaskOutputData(uuid)
    assert.equal(JSON.stringify(result), JSON.stringify(await runner()), operation)
  }
})

test('a result that is undefined stays absent', async t => {
  const tasker = await started(t, { quiet: async () => {} })
  const uuid = await tasker.addTask({ operation: 'quiet' })
  assert.equal(await tasker.waitForTaskOutputData(uuid), undefined)
  const task = await tasker.getTask(uuid)
  assert.equal(task.status, 'done')
  assert.equal('result' in task, false)
})

test('a result that cannot be stored fails the run and says why (F-23)', async t => {
  const cycle = []
  cycle.push(cycle)
  const results = { big: () => 1n, cycle: () => cycle, fn: () => () => {}, symbol: () => Symbol() }
  const tasker = await started(t, results)
  for (const operation of Object.keys(results)) {
    const uuid = await tasker.addTask({ operation })
    await refused(tasker.waitForTaskOutputData(uuid), 'TASKER_INVALID', 'result')
    const task = await tasker.getTask(uuid)
    assert.equal(task.status, 'failed')
    assert.equal(task.cause, 'unstorable')
    assert.equal(task.error.code, 'TASKER_INVALID')
  }
})

test('a strange thenable settles its run once (F-22)', async t => {
  const then = 'then'
  const thenables = {
    twice: () => ({
      [then]: (resolve, reject) => [resolve(1), resolve(2), reject(new Error('late'))],
    }),
    late: () => ({ [then]: resolve => [resolve(1), assert.fail('after the word')] }),
    hostile: () => ({
      get [then]() {
        throw new Error('no then')
      },
    }),
  }
  const tasker = await started(t, thenables)
  const wait = async operation => tasker.waitForTaskOutputData(await tasker.addTask({ operation }))
  assert.equal(await wait('twice'), 1)
  assert.equal(await wait('late'), 1)
  assert.equal((await rejection(wait('hostile'))).message, 'no then')
})

test('a task without a runner waits until there is one', async t => {
  const tasker = await started(t)
  const uuid = await tasker.addTask({ operation: 'orphan' })
  assert.equal((await tasker.getTask(uuid)).status, 'new')
  const done = tasker.waitForTaskOutputData(uuid)
  tasker.assignRunner('orphan', () => 'found')
  assert.equal(await done, 'found')
})

test('an operation has one runner', async t => {
  const tasker = open(t, { runners: { a: () => {} } })
  const conflict = { name: 'TaskerError', code: 'TASKER_CONFLICT', path: 'operation' }
  assert.throws(() => tasker.assignRunner('a', () => {}), conflict)
  tasker.assignRunner('b', () => {})
  assert.throws(() => tasker.assignRunner('b', () => {}), conflict)
  assert.equal(await tasker.unassignRunner('b'), true)
  assert.equal(await tasker.unassignRunner('b'), false)
  tasker.assignRunner('b', () => {})
})

test('assignRunner refuses what is no runner', t => {
  const tasker = open(t)
  const wrong = [
    [[undefined, () => {}], 'operation'],
    [['', () => {}], 'operation'],
    [['a'], 'runner'],
    [['a', 'not a function'], 'runner'],
    [['a', () => {}, { concurrency: 0 }], 'concurrency'],
    [['a', () => {}, { concurrency: 1.5 }], 'concurrency'],
    [['a', () => {}, { concurrency: '2' }], 'concurrency'],
    [['a', () => {}, { retries: 1 }], 'retries'],
    [['a', () => {}, 7], 'options'],
  ]
  for (const [args, path] of wrong) {
    assert.throws(() => tasker.assignRunner(...args), { code: 'TASKER_INVALID', path })
  }
  tasker.assignRunner('a', () => {})
})

test('after unassignRunner live runs go on and none starts', async t => {
  const { runner, call, calls } = gate()
  const tasker = await started(t, { slow: runner })
  const first = await tasker.addTask({ operation: 'slow' })
  const { resolve } = await call(0)
  await tasker.unassignRunner('slow')
  const second = await tasker.addTask({ operation: 'slow' })
  resolve('kept')
  assert.equal(await tasker.waitForTaskOutputData(first), 'kept')
  assert.equal((await tasker.getTask(second)).status, 'new')
  assert.equal(calls.length, 1)
  tasker.assignRunner('slow', () => 'by another')
  assert.equal(await tasker.waitForTaskOutputData(second), 'by another')
})

test('a runner may add tasks and wait for them (F-25)', async t => {
  const tasker = await started(t, {
    parent: async ({ data }) => {
      const children = [1, 2, 3].map(n => ({ operation: 'child', data: n * data }))
      const uuids = await tasker.addTasks(children)
      const results = await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
      return results.reduce((sum, n) => sum + n)
    },
    child: ({ data }) => data + 1,
  })
  const uuid = await tasker.addTask({ operation: 'parent', data: 10 })
  assert.equal(await tasker.waitForTaskOutputData(uuid), 63)
})

test('names of operations are only names', async t => {
  const names = ['__proto__', 'constructor', 'toString', 'with "quotes" \n and 💾', '.', '$a']
  const tasker = open(t)
  for (const name of names) tasker.assignRunner(name, ({ operation }) => operation)
  await tasker.start()
  const uuids = await tasker.addTasks(names.map(operation => ({ operation })))
  const results = await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  assert.deepEqual(results, names)
})

test('a thousand tasks run once each', async t => {
  const counts = new Map()
  const tasker = await started(t, {
    count: async ({ uuid }) => {
      counts.set(uuid, (counts.get(uuid) ?? 0) + 1)
    },
  })
  const definitions = Array.from({ length: 1_000 }, () => ({ operation: 'count' }))
  const uuids = await tasker.addTasks(definitions)
  await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  assert.deepEqual([...counts.keys()].sort(), [...uuids].sort())
  assert.deepEqual(new Set(counts.values()), new Set([1]))
})

test('a runner that never settles harms no other', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { stuck: runner, quick: () => 1 })
  await tasker.addTask({ operation: 'stuck' })
  await call(0)
  const ended = next(tasker, 'task.done')
  const quick = await tasker.addTask({ operation: 'quick' })
  assert.deepEqual(await ended, [quick, 1])
})
