// Batches: tasks of one operation that one call of its runner takes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tasker, Unrecoverable } from '../../index.mjs'
import { openTest } from '../../testing.mjs'
import { file, gate, next, open, pending, refused, rejection, started } from './open.mjs'

const tasks = (count, options) =>
  Array.from({ length: count }, (_, n) => ({ operation: 'a', data: { n }, ...options }))

/** A started tasker of which operation `a` takes up to `max` tasks with this runner. */
async function batching(t, runner, batch = { max: 10 }, options = {}) {
  const tasker = open(t)
  tasker.assignRunner('a', runner, { ...options, batch })
  return tasker
}

/** How each of some tasks ended: its result, or its status and the message of its error. */
async function ends(tasker, uuids) {
  const one = async uuid => {
    await tasker.waitForTaskOutputData(uuid).catch(() => {})
    const { status, result, error, abortReason, cause } = await tasker.getTask(uuid)
    return status === 'done' ? result : [status, cause, (error ?? abortReason).message]
  }
  return await Promise.all(uuids.map(one))
}

test('one call takes many tasks, and each ends with its element', async t => {
  const calls = []
  const tasker = await batching(t, contexts => {
    calls.push(contexts.map(({ data }) => data.n))
    return contexts.map(({ data }) => (data.n === 1 ? new RangeError('one') : data.n * 10))
  })
  const uuids = await tasker.addTasks(tasks(3))
  await tasker.start()
  assert.deepEqual(await ends(tasker, uuids), [0, ['failed', 'error', 'one'], 20])
  assert.deepEqual(calls, [[0, 1, 2]])
  const error = await rejection(tasker.waitForTaskOutputData(uuids[1]))
  assert.ok(error instanceof RangeError)
})

test('an element may be undefined, and a task may be alone', async t => {
  const tasker = await batching(t, contexts => contexts.map(() => undefined))
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.waitForTaskOutputData(uuid), undefined)
  assert.equal('result' in (await tasker.getTask(uuid)), false)
})

test('a full batch starts at once, another one when it has waited', async t => {
  const { tasker, clock, close } = await openTest()
  t.after(close)
  const calls = []
  const runner = contexts => {
    calls.push(contexts.length)
    return contexts.map(() => 1)
  }
  tasker.assignRunner('a', runner, { batch: { max: 3, wait: '2s' } })
  await tasker.start()
  await tasker.addTasks(tasks(4))
  await clock.advance(1)
  assert.deepEqual(calls, [3])
  const { operation, waiting, reasons } = await tasker.explain({ operation: 'a' })
  assert.deepEqual(
    { operation, waiting, reasons },
    {
      operation: 'a',
      waiting: 1,
      reasons: { batch: 1 },
    },
  )
  const [{ uuid }] = await tasker.findTasks({ status: 'new' })
  const explanation = await tasker.explainTask(uuid)
  const [reason] = explanation.reasons
  assert.equal(reason.reason, 'batch')
  assert.deepEqual([reason.waiting, reason.max, reason.operation], [1, 3, 'a'])
  assert.ok(reason.startsAt instanceof Date)
  assert.match(`${explanation}`, /1 of the 3 tasks wait that 'a' takes at once; they start at 20/)
  await clock.advance('2s')
  assert.deepEqual(calls, [3, 1])
})

test('a throw fails all that have not ended, and each is tried again by itself', async t => {
  const { tasker, clock, close } = await openTest()
  t.after(close)
  const calls = []
  const runner = contexts => {
    calls.push(contexts.map(({ data, attempt }) => [data.n, attempt]))
    if (calls.length > 1) return contexts.map(({ data }) => data.n)
    contexts[1].settle('early')
    throw new Error('all')
  }
  tasker.assignRunner('a', runner, { batch: { max: 10 } })
  const [first, second, third] = await tasker.addTasks([
    ...tasks(2, { retry: { attempts: 2, backoff: { type: 'fixed', delay: '1s' } } }),
    { operation: 'a', data: { n: 2 } },
  ])
  await tasker.start()
  await clock.advance('10s')
  const shown = await ends(tasker, [first, second, third])
  assert.deepEqual(shown, [0, 'early', ['failed', 'error', 'all']])
  assert.deepEqual(calls, [
    [
      [0, 1],
      [1, 1],
      [2, 1],
    ],
    [[0, 2]],
  ])
})

test('an element that is an Error is what the task would have thrown', async t => {
  const tasker = await batching(t, contexts =>
    contexts.map(({ data }) => (data.n === 0 ? new Unrecoverable('never') : new Error('again'))),
  )
  const uuids = await tasker.addTasks(
    tasks(2, { retry: { attempts: 3, backoff: { type: 'fixed', delay: 1 } } }),
  )
  await tasker.start()
  await ends(tasker, uuids)
  const attempts = await Promise.all(uuids.map(async uuid => (await tasker.getTask(uuid)).attempt))
  assert.deepEqual(attempts, [1, 3])
})

test('an array of another length, or none, fails those that have not ended', async t => {
  const given = [[1], [1, 2, 3], undefined, 'all of them', { length: 2 }]
  const tasker = await batching(t, () => given[0])
  await tasker.start()
  const said = []
  while (given.length > 0) {
    const uuids = await tasker.addTasks(tasks(2, { retry: 3 }))
    const [one, other] = await ends(tasker, uuids)
    assert.deepEqual(one, other)
    const { attempt, error } = await tasker.getTask(uuids[0])
    assert.deepEqual([attempt, error.code], [1, 'TASKER_INVALID'])
    said.push(one.join(': '))
    given.shift()
  }
  const of = 'failed: unstorable: result: must be an array of 2 elements, one for each context'
  assert.deepEqual(said, [
    `${of}; the runner returned 1`,
    `${of}; the runner returned 3`,
    `${of}; the runner returned nothing`,
    `${of}; the runner returned all of them`,
    `${of}; the runner returned [object Object]`,
  ])
})

test('a result that cannot be stored fails its task alone', async t => {
  const tasker = await batching(t, contexts =>
    contexts.map(({ data }) => (data.n === 0 ? 1n : data.n)),
  )
  const uuids = await tasker.addTasks(tasks(2))
  await tasker.start()
  const [[status, cause], other] = await ends(tasker, uuids)
  assert.deepEqual([status, cause, other], ['failed', 'unstorable', 1])
})

test('a schema looks at each result', async t => {
  const validate = value => (value > 0 ? { value } : { issues: [{ message: 'not above 0' }] })
  const result = { '~standard': { version: 1, vendor: 'test', validate } }
  const runner = contexts => contexts.map(({ data }) => data.n)
  const tasker = await batching(t, runner, { max: 9 }, { schema: { result } })
  const uuids = await tasker.addTasks(tasks(2))
  await tasker.start()
  const [[status, cause], other] = await ends(tasker, uuids)
  assert.deepEqual([status, cause, other], ['failed', 'unstorable', 1])
})

test('settle ends one task before the others, once', async t => {
  const go = pending()
  const settled = []
  const tasker = await batching(t, async contexts => {
    const [first, second] = contexts
    settled.push(first.settle('early'), first.settle('again'), second.settle(new Error('early')))
    await go.promise
    return contexts.map(() => 'late')
  })
  const uuids = await tasker.addTasks(tasks(3))
  await tasker.start()
  assert.equal(await tasker.waitForTaskOutputData(uuids[0]), 'early')
  assert.equal((await rejection(tasker.waitForTaskOutputData(uuids[1]))).message, 'early')
  assert.deepEqual(settled, [true, false, true])
  assert.equal((await tasker.getTask(uuids[2])).status, 'running')
  go.resolve()
  assert.deepEqual(await ends(tasker, uuids), ['early', ['failed', 'error', 'early'], 'late'])
})

test('who settles all need not return', async t => {
  const tasker = await batching(t, contexts => {
    for (const { settle, data } of contexts) settle(data.n)
  })
  const uuids = await tasker.addTasks(tasks(3))
  await tasker.start()
  assert.deepEqual(await ends(tasker, uuids), [0, 1, 2])
})

test('an abort concerns one task of a batch', async t => {
  const { runner, call } = gate()
  const tasker = await batching(t, runner)
  const uuids = await tasker.addTasks(tasks(3))
  await tasker.start()
  const { context: contexts, resolve } = await call(0)
  const aborted = new Promise(done => {
    contexts[1].abortSignal.addEventListener('abort', done)
  })
  assert.equal(await tasker.abortTask(uuids[1], 'no more'), true)
  await aborted
  const fired = contexts.map(({ abortSignal }) => abortSignal.aborted)
  assert.deepEqual(fired, [false, true, false])
  resolve(contexts.map(({ abortSignal }) => abortSignal.reason ?? 'done'))
  const shown = await ends(tasker, uuids)
  assert.deepEqual(shown, ['done', ['aborted', 'user', 'no more'], 'done'])
})

test('a task that is aborted before its batch is called is not in it', async t => {
  const sizes = []
  const tasker = await batching(t, contexts => {
    sizes.push(contexts.length)
    return contexts.map(() => 1)
  })
  const uuids = await tasker.addTasks(tasks(3))
  await tasker.abortTask(uuids[0])
  await tasker.start()
  await ends(tasker, uuids)
  assert.deepEqual(sizes, [2])
})

test('each task has its own timeout', async t => {
  const { tasker, clock, close } = await openTest()
  t.after(close)
  const { runner, call } = gate()
  tasker.assignRunner('a', runner, { batch: { max: 5 } })
  const [quick, slow] = await tasker.addTasks([...tasks(1, { runTimeout: '1s' }), ...tasks(1)])
  await tasker.start()
  const { context: contexts, resolve } = await call(0)
  // The first ends when its grace is over, although the runner goes on.
  await clock.advance('7s')
  const { status, cause } = await tasker.getTask(quick)
  assert.deepEqual([status, cause], ['aborted', 'run-timeout'])
  assert.deepEqual([contexts[0].settle(1), contexts[1].abortSignal.aborted], [false, false])
  resolve([1, 2])
  await clock.advance(1)
  assert.equal(await tasker.waitForTaskOutputData(slow), 2)
})

test('each context has its own logs, progress, snooze, children and data', async t => {
  const { tasker, clock, close } = await openTest()
  t.after(close)
  const runner = contexts => {
    for (const { data, logger, progress, snooze, attempt, createdAt } of contexts) {
      logger.info(`task ${data.n}`)
      progress(data.n, 10)
      if (data.n === 1 && clock.now() - createdAt < 1_000) snooze('1s')
      assert.equal(attempt, 1)
    }
    return contexts.map(({ data }) => data.n)
  }
  tasker.assignRunner('a', runner, { batch: { max: 5 } })
  const uuids = await tasker.addTasks(tasks(2))
  await tasker.start()
  await clock.advance('2s')
  const [first, second] = await Promise.all(
    uuids.map(uuid => tasker.getTask(uuid, { withLogs: true })),
  )
  assert.deepEqual([first.result, first.progress.current], [0, 0])
  assert.deepEqual(
    first.logs.map(({ message }) => message),
    ['task 0'],
  )
  assert.deepEqual([second.result, second.progress.current], [1, 1])
  assert.equal(second.logs.length, 2)
})

test('one that snoozes goes on later although the array does not fit', async t => {
  const { tasker, clock, close } = await openTest()
  t.after(close)
  let calls = 0
  const runner = contexts => {
    calls += 1
    if (calls > 1) return contexts.map(() => 'later')
    contexts[0].snooze('1s')
    return undefined
  }
  tasker.assignRunner('a', runner, { batch: { max: 5 } })
  const [snoozed, other] = await tasker.addTasks(tasks(2))
  await tasker.start()
  await clock.advance('2s')
  assert.equal(await tasker.waitForTaskOutputData(snoozed), 'later')
  assert.equal((await tasker.getTask(other)).cause, 'unstorable')
})

test('conditions hold within a batch', async t => {
  const sizes = []
  const conditions = [
    { scope: 'running', query: { 'data.book': { $task: 'data.book' } }, limit: 0 },
  ]
  const runner = contexts => {
    const books = contexts.map(({ data }) => data.book)
    assert.equal(new Set(books).size, books.length)
    sizes.push(books.length)
    return books
  }
  const tasker = await batching(t, runner, { max: 10 }, { conditions })
  await tasker.start()
  await tasker.pauseOperation('a')
  const books = [1, 1, 1, 2, 2, 3].map(book => ({ operation: 'a', data: { book } }))
  const uuids = await tasker.addTasks(books)
  await tasker.resumeOperation('a')
  assert.deepEqual(await ends(tasker, uuids), [1, 1, 1, 2, 2, 3])
  assert.deepEqual(sizes, [3, 2, 1])
})

test('a batch has one place of the process, and each task counts for its operation', async t => {
  const { runner, call, calls } = gate()
  const tasker = open(t, { concurrency: 1 })
  tasker.assignRunner('a', runner, { batch: { max: 3 }, concurrency: 5 })
  const uuids = await tasker.addTasks(tasks(5))
  await tasker.start()
  const { context: contexts, resolve } = await call(0)
  assert.equal(contexts.length, 3)
  assert.equal(await tasker.countTasks({ status: 'running' }), 3)
  resolve([1, 2, 3])
  const second = await call(1)
  assert.equal(second.context.length, 2)
  second.resolve([4, 5])
  assert.deepEqual(await ends(tasker, uuids), [1, 2, 3, 4, 5])
  assert.equal(calls.length, 2)
})

test('a paused task of a batch halts at its own checkpoint', async t => {
  const { runner, call } = gate()
  const passed = []
  const tasker = await batching(t, async contexts => {
    await runner(contexts)
    for (const { checkpoint, data } of contexts) {
      await checkpoint()
      passed.push(data.n)
    }
    return passed
  })
  const uuids = await tasker.addTasks(tasks(2))
  await tasker.start()
  const { resolve } = await call(0)
  await tasker.pauseTask(uuids[1])
  resolve()
  while ((await tasker.getTask(uuids[1])).state !== 'paused');
  assert.deepEqual(passed, [0])
  assert.equal((await tasker.getTask(uuids[0])).state, 'running')
  await tasker.resumeTask(uuids[1])
  assert.deepEqual(await ends(tasker, uuids), [0, 1])
})

test('a stop lets what waits for a batch wait', async t => {
  const { tasker, clock, close } = await openTest()
  t.after(close)
  const sizes = []
  const runner = contexts => {
    sizes.push(contexts.length)
    return contexts.map(() => 1)
  }
  tasker.assignRunner('a', runner, { batch: { max: 5, wait: '1m' } })
  await tasker.start()
  const uuids = await tasker.addTasks(tasks(2))
  let isIdle = false
  const idle = tasker.idle().then(() => {
    isIdle = true
  })
  await tasker.stop()
  assert.equal(await tasker.countTasks({ status: 'new' }), 2)
  await idle
  isIdle = false
  await tasker.start()
  const again = tasker.idle().then(() => {
    isIdle = true
  })
  await clock.advance('59s')
  assert.deepEqual([isIdle, sizes], [false, []])
  await clock.advance('1s')
  await again
  assert.deepEqual([await ends(tasker, uuids), sizes], [[1, 1], [2]])
})

test('a stop waits for the whole batch', async t => {
  const { runner, call } = gate()
  const tasker = await batching(t, runner)
  const uuids = await tasker.addTasks(tasks(2))
  await tasker.start()
  const { context: contexts, resolve } = await call(0)
  let isStopped = false
  const stopped = tasker.stop({ onStop: 'wait' }).then(() => {
    isStopped = true
  })
  contexts[0].settle('early')
  assert.equal(await tasker.waitForTaskOutputData(uuids[0]), 'early')
  assert.equal(isStopped, false)
  resolve([undefined, 'late'])
  await stopped
  assert.deepEqual(await ends(tasker, uuids), ['early', 'late'])
})

test('a batch starts as soon as no other task can join it', async t => {
  const { runner, call } = gate()
  const tasker = open(t)
  tasker.assignRunner('a', runner, { batch: { max: 10, wait: '1h' }, concurrency: 2 })
  const uuids = await tasker.addTasks(tasks(4))
  await tasker.start()
  for (const at of [0, 1]) {
    const { context: contexts, resolve } = await call(at)
    resolve(contexts.map(({ data }) => data.n))
  }
  assert.deepEqual(await ends(tasker, uuids), [0, 1, 2, 3])
})

test('a close gives back what a batch has begun', async t => {
  const store = file()
  const { runner, call } = gate()
  const tasker = new Tasker({ store })
  tasker.assignRunner('a', runner, { batch: { max: 5 } })
  const uuids = await tasker.addTasks(tasks(2))
  await tasker.start()
  const { context: contexts } = await call(0)
  await tasker.close({ onStop: 'postpone' })
  assert.deepEqual(
    contexts.map(({ settle }) => settle(1)),
    [false, false],
  )
  const later = await started(t, { a: ({ data }) => data.n }, { store })
  assert.deepEqual(await ends(later, uuids), [0, 1])
})

test('events are told of each task', async t => {
  const told = []
  const tasker = await batching(t, contexts => contexts.map(() => 1))
  tasker.on('task.run', () => told.push('run'))
  tasker.on('task.ended', (_, status) => told.push(status))
  const drained = next(tasker, 'drained')
  await tasker.addTasks(tasks(2))
  await tasker.start()
  await drained
  assert.deepEqual(told, ['run', 'run', 'done', 'done'])
})

test('a runner is taken away with its batches, and another one may have none', async t => {
  const tasker = await batching(t, contexts => contexts.map(() => 'many'))
  await tasker.start()
  const first = await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.waitForTaskOutputData(first), 'many')
  assert.equal(await tasker.unassignRunner('a'), true)
  tasker.assignRunner('a', ({ data }) => data.n)
  const uuids = await tasker.addTasks(tasks(2))
  assert.deepEqual(await ends(tasker, uuids), [0, 1])
})

test('a large batch crosses in several portions, and is one call', async t => {
  const sizes = []
  const tasker = await batching(
    t,
    contexts => {
      sizes.push(contexts.length)
      return contexts.map(({ data }) => data.n)
    },
    { max: 1_000 },
  )
  const label = 'x'.repeat(1_000)
  const uuids = await tasker.addTasks(tasks(1_000, { label }))
  tasker.on('task.run', () => {})
  await tasker.start()
  assert.deepEqual((await ends(tasker, uuids)).slice(-2), [998, 999])
  assert.deepEqual(sizes, [1_000])
})

test('what is wrong with batch is refused with its path', async t => {
  const tasker = open(t)
  const runner = contexts => contexts.map(() => 1)
  for (const [batch, path] of [
    [7, 'batch'],
    [null, 'batch'],
    [[], 'batch'],
    [{}, 'batch.max'],
    [{ max: 1 }, 'batch.max'],
    [{ max: 1_001 }, 'batch.max'],
    [{ max: Number.NaN }, 'batch.max'],
    [{ max: 2, wait: '2h' }, 'batch.wait'],
    [{ max: 2, wait: -1 }, 'batch.wait'],
    [{ max: 2, size: 3 }, 'batch.size'],
  ]) {
    const assign = async () => tasker.assignRunner('a', runner, { batch })
    await refused(assign(), 'TASKER_INVALID', path)
  }
  await refused(tasker.defineOperation('a', { batch: { max: 2 } }), 'TASKER_INVALID', 'batch')
  const module = new URL('./batches.test.mjs', import.meta.url)
  const assigned = async () => tasker.assignRunner('a', module, { batch: { max: 2 } })
  await refused(assigned(), 'TASKER_INVALID', 'batch')
  tasker.assignRunner('a', runner, { batch: { max: 2 } })
  await tasker.start()
  const [record] = await tasker.findOperations()
  assert.deepEqual(record.options, {}, 'it is not stored')
})
