// The concurrency interface of wraps, by plain values and over MessagePack.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  Concurrency,
  decode,
  encode,
  encoded,
  Priority,
  ReturnWhen,
  TaskStatus,
} from '../../concurrency.mjs'
import { file, open, refused } from './open.mjs'

const { PENDING, RUNNING, SUSPENDED, COMPLETED, CANCELLED, FAILED } = TaskStatus
const task = (method, more = {}) => ({ uri: 'wrap://ens/a', method, args: { method }, ...more })

/** The interface over a tasker of its own; invocations wait until they are let go. */
async function opened(t, { isStarted = true, concurrency = 1, ...options } = {}) {
  const tasker = open(t, { concurrency, ...options })
  const calls = new Map()
  const waiting = new Map()
  const invoke = (invocation, context) =>
    new Promise((resolve, reject) => {
      const { method } = invocation
      const { abortSignal } = context
      abortSignal.addEventListener('abort', () => reject(abortSignal.reason))
      calls.set(method, { invocation, context, resolve, reject })
      waiting.get(method)?.()
      if (method.startsWith('echo')) resolve(decode(invocation.args))
    })
  const module = new Concurrency(tasker, { invoke })
  /** The invocation of a method, once it is there. */
  const call = async method => {
    if (!calls.has(method)) await new Promise(resolve => waiting.set(method, resolve))
    return calls.get(method)
  }
  const schedule = (...tasks) => module.schedule({ tasks })
  const ask = (verb, ...taskIds) => module[verb]({ taskIds })
  const result = (returnWhen, ...taskIds) => module.result({ taskIds, returnWhen })
  if (isStarted) await tasker.start()
  return { tasker, module, call, calls, schedule, ask, result }
}

const done = (taskId, value) => ({
  taskId,
  result: encode(value),
  error: null,
  status: COMPLETED,
})

test('a task is invoked with what it was scheduled with; its result is MessagePack', async t => {
  const { schedule, call, result, ask, tasker } = await opened(t)
  const args = encode({ a: new Uint8Array([1, 2]), map: new Map([['k', 1]]) })
  const [id] = await schedule(task('slow', { args, max_workers: 3 }))
  assert.equal(id, 1)
  const { invocation, context, resolve } = await call('slow')
  assert.deepEqual(invocation, { uri: 'wrap://ens/a', method: 'slow', args, maxWorkers: 3 })
  assert.ok(context.abortSignal instanceof AbortSignal)
  await context.checkpoint()
  assert.deepEqual(await ask('status', id), [RUNNING])
  const wait = result('ALL_COMPLETED', id)
  resolve({ pages: 7 })
  assert.deepEqual(await wait, [done(id, { pages: 7 })])
  assert.deepEqual(await ask('status', id), [COMPLETED])
  assert.equal(await tasker.countTasks({ operation: 'wrap', 'data.uri': 'wrap://ens/a' }), 1)
})

test('what is encoded already is stored as it is, and what is absent as null', async t => {
  const { schedule, call, result } = await opened(t, { concurrency: 3 })
  const ids = await schedule(task('a'), task('b'), task('c'))
  const bytes = encode({ a: 1 })
  ;(await call('a')).resolve(encoded(bytes))
  ;(await call('b')).resolve(new Uint8Array([1]))
  ;(await call('c')).resolve(undefined)
  const [a, b, c] = await result(ReturnWhen.ALL_COMPLETED, ...ids)
  assert.deepEqual(a.result, bytes)
  assert.deepEqual(decode(b.result), new Uint8Array([1]))
  assert.equal(decode(c.result), null)
})

test('an error of an invocation is the message of its task', async t => {
  const { schedule, call, result, ask } = await opened(t)
  const [id] = await schedule(task('bad'))
  ;(await call('bad')).reject(new TypeError('no such method'))
  const failed = { taskId: id, result: null, error: 'no such method', status: FAILED }
  for (const when of Object.keys(ReturnWhen)) assert.deepEqual(await result(when, id), [failed])
  assert.deepEqual(await ask('abort', id), [false])
})

test('what an invocation returns and cannot be encoded fails its task', async t => {
  const { schedule, call, result } = await opened(t)
  const [id] = await schedule(task('odd'))
  ;(await call('odd')).resolve({ at: () => {} })
  const [{ status, error }] = await result('ALL_COMPLETED', id)
  assert.deepEqual([status, /value\.at/.test(error)], [FAILED, true])
})

describe('result', () => {
  test('the first that ends, also if it is cancelled', async t => {
    const { schedule, call, result, ask } = await opened(t, { concurrency: 2 })
    const [one, two, three] = await schedule(task('one'), task('two'), task('three'))
    const first = result('FIRST_COMPLETED', one, two, three)
    ;(await call('two')).reject(new Error('no'))
    const [{ taskId, status }] = await first
    assert.deepEqual([taskId, status], [two, FAILED])
    await ask('abort', three)
    const [cancelled] = await result(0, one, three)
    assert.deepEqual(cancelled, { taskId: three, result: null, error: null, status: CANCELLED })
    ;(await call('one')).resolve(1)
    await result('ALL_COMPLETED', one)
    assert.deepEqual((await result('FIRST_COMPLETED', three, one, two))[0].taskId, two)
  })

  test('any that completes; if none does, all in the order asked', async t => {
    const { schedule, call, result, ask } = await opened(t, { concurrency: 3 })
    const ids = await schedule(task('one'), task('two'), task('three'))
    const [one, two, three] = ids
    const any = result('ANY_COMPLETED', ...ids)
    ;(await call('one')).reject(new Error('no'))
    ;(await call('two')).resolve(2)
    assert.deepEqual(await any, [done(two, 2)])
    const none = result('ANY_COMPLETED', three, one)
    await ask('abort', three)
    const all = await none
    assert.deepEqual(
      all.map(({ taskId, status }) => [taskId, status]),
      [
        [three, CANCELLED],
        [one, FAILED],
      ],
    )
  })

  test('all, in the order asked, one that is named twice too', async t => {
    const { schedule, result } = await opened(t, { concurrency: 2 })
    const [one, two] = await schedule(task('echo1'), task('echo2'))
    const all = await result('ALL_COMPLETED', two, one, two)
    const expected = [done(two, { method: 'echo2' }), done(one, { method: 'echo1' })]
    assert.deepEqual(all, [...expected, expected[0]])
  })

  test('a wait ends when the tasker closes', async t => {
    const { tasker, schedule, result } = await opened(t, { isStarted: false })
    const [id] = await schedule(task('never'))
    const wait = refused(result('ALL_COMPLETED', id), 'TASKER_CLOSED')
    await tasker.close()
    await wait
  })
})

test('an empty list is an empty list at once, and an unknown id is named', async t => {
  const { module, schedule, ask, result, tasker } = await opened(t)
  assert.deepEqual(await schedule(), [])
  for (const verb of ['status', 'abort', 'pause', 'resume']) assert.deepEqual(await ask(verb), [])
  for (const when of [0, 1, 2]) assert.deepEqual(await result(when), [])
  const other = await tasker.addTask({ operation: 'other' })
  const { seq } = await tasker.getTask(other)
  const [id] = await schedule(task('a'))
  for (const unknown of [seq, 99, 0, -1]) {
    for (const wait of [ask('status', id, unknown), result('FIRST_COMPLETED', id, unknown)]) {
      const error = await refused(wait, 'TASKER_NOT_FOUND', 'taskIds[1]')
      assert.match(error.message, new RegExp(`there is no task ${unknown}$`))
    }
    for (const verb of ['abort', 'pause', 'resume']) {
      assert.deepEqual(await ask(verb, unknown), [false])
    }
  }
  const waits = module.schedule({ tasks: [task('b'), task('c', { dependsOn: [id, 99] })] })
  await refused(waits, 'TASKER_NOT_FOUND', 'tasks[1].dependsOn[1]')
  assert.equal(await tasker.countTasks({ operation: 'wrap' }), 1)
})

test('a task waits for those it depends on, and is cancelled if one is not completed', async t => {
  const { schedule, call, calls, ask, result } = await opened(t, { concurrency: 4 })
  const [one, two] = await schedule(task('one'), task('two'))
  const [after, orphan] = await schedule(
    task('after', { dependsOn: [one] }),
    task('orphan', { dependsOn: [one, two] }),
  )
  assert.deepEqual(await ask('status', after, orphan), [PENDING, PENDING])
  ;(await call('one')).resolve(1)
  await call('after')
  ;(await call('two')).reject(new Error('no'))
  const [{ status, error }] = await result('ALL_COMPLETED', orphan)
  assert.deepEqual([status, error], [CANCELLED, null])
  assert.ok(!calls.has('orphan'))
})

test('HIGH comes before MEDIUM, which is the default, and that before LOW', async t => {
  const { tasker, schedule, result } = await opened(t, { isStarted: false })
  const begun = []
  tasker.on('task.run', uuid => begun.push(uuid))
  const ids = await schedule(
    task('echo-low', { priority: 'LOW' }),
    task('echo-default'),
    task('echo-high', { priority: Priority.HIGH }),
    task('echo-null', { priority: null }),
  )
  await tasker.start()
  await result('ALL_COMPLETED', ...ids)
  const tasks = await Promise.all(begun.map(uuid => tasker.getTask(uuid)))
  const methods = tasks.map(({ data }) => data.method)
  assert.deepEqual(methods, ['echo-high', 'echo-default', 'echo-null', 'echo-low'])
})

test('what waits or runs is paused, aborted and resumed; what has ended is not', async t => {
  const { schedule, call, ask, result } = await opened(t)
  const [running, waiting, other] = await schedule(task('runs'), task('echo'), task('other'))
  const { context, resolve } = await call('runs')
  assert.deepEqual(await ask('pause', running, waiting), [true, true])
  assert.deepEqual(await ask('status', running, waiting, other), [RUNNING, SUSPENDED, PENDING])
  const checkpoint = context.checkpoint()
  await call('other')
  assert.deepEqual(await ask('status', running, other), [SUSPENDED, RUNNING])
  assert.deepEqual(await ask('abort', other), [true])
  assert.equal((await result('ALL_COMPLETED', other))[0].status, CANCELLED)
  assert.deepEqual(await ask('resume', running, waiting, other), [true, true, false])
  await checkpoint
  resolve('went on')
  const all = await result('ALL_COMPLETED', running, waiting)
  assert.deepEqual(all, [done(running, 'went on'), done(waiting, { method: 'echo' })])
  for (const verb of ['pause', 'resume', 'abort'])
    assert.deepEqual(await ask(verb, running), [false])
})

test('tasks survive a restart, and ids go on', async t => {
  const store = file()
  const first = await opened(t, { store, isStarted: false })
  const ids = await first.schedule(task('echo1'), task('echo2', { dependsOn: [] }))
  await first.tasker.close()
  const second = await opened(t, { store })
  const all = await second.result('ALL_COMPLETED', ...ids)
  assert.deepEqual(
    all,
    ids.map((id, i) => done(id, { method: `echo${i + 1}` })),
  )
  const [next] = await second.schedule(task('echo3', { dependsOn: ids }))
  assert.ok(next > ids[1])
  assert.deepEqual(await second.result('ALL_COMPLETED', next), [done(next, { method: 'echo3' })])
})

test('workers bounds how many invocations run at once', async t => {
  const tasker = open(t, { concurrency: 8 })
  let most = 0
  let live = 0
  const invoke = async () => {
    live += 1
    most = Math.max(most, live)
    for (let n = 0; n < 20; n += 1) await new Promise(resolve => setImmediate(resolve))
    live -= 1
  }
  const module = new Concurrency(tasker, { workers: 2, invoke })
  await tasker.start()
  const taskIds = await module.schedule({ tasks: Array.from({ length: 12 }, () => task('a')) })
  await module.result({ taskIds, returnWhen: 'ALL_COMPLETED' })
  assert.equal(most, 2)
})

test('everything goes over MessagePack too', async t => {
  const { module } = await opened(t)
  const over = async (method, args) => decode(await module.invoke(method, encode(args)))
  const echo = { uri: 'wrap://a', method: 'echo', args: encode({ n: 1 }), priority: 2 }
  const [id, other] = await over('schedule', {
    tasks: [echo, { ...echo, priority: 'LOW', dependsOn: null, max_workers: null }],
  })
  const all = await over('result', { taskIds: [id, other], returnWhen: 2 })
  const expected = { result: encode({ n: 1 }), error: null, status: COMPLETED }
  assert.deepEqual(all, [
    { taskId: id, ...expected },
    { taskId: other, ...expected },
  ])
  assert.deepEqual(await over('status', { taskIds: [id] }), [COMPLETED])
  for (const verb of ['abort', 'pause', 'resume']) {
    assert.deepEqual(await over(verb, { taskIds: [id] }), [false])
  }
  await refused(module.invoke('close', encode({})), 'TASKER_INVALID', 'method')
  await refused(module.invoke('status', new Uint8Array([0xd9])), 'TASKER_INVALID', 'bytes')
  await refused(module.invoke('status', { taskIds: [] }), 'TASKER_INVALID', 'args')
  await refused(over('status', { taskIds: [99] }), 'TASKER_NOT_FOUND', 'taskIds[0]')
})

test('bad arguments are refused with their path, and nothing is added', async t => {
  const { module, tasker, schedule } = await opened(t)
  for (const [wrong, path] of [
    [{ uri: '' }, 'tasks[1].uri'],
    [{ uri: undefined }, 'tasks[1].uri'],
    [{ method: 7 }, 'tasks[1].method'],
    [{ args: undefined }, 'tasks[1].args'],
    [{ args: 'text' }, 'tasks[1].args'],
    [{ priority: 'URGENT' }, 'tasks[1].priority'],
    [{ priority: 3 }, 'tasks[1].priority'],
    [{ dependsOn: 1 }, 'tasks[1].dependsOn'],
    [{ dependsOn: [1.5] }, 'tasks[1].dependsOn[0]'],
    [{ max_workers: 0 }, 'tasks[1].max_workers'],
    [{ maxWorkers: 1 }, 'tasks[1].maxWorkers'],
  ]) {
    await refused(schedule(task('a'), task('b', wrong)), 'TASKER_INVALID', path)
  }
  await refused(schedule(task('a'), null), 'TASKER_INVALID', 'tasks[1]')
  await refused(module.schedule({}), 'TASKER_INVALID', 'tasks')
  await refused(module.schedule({ task: [] }), 'TASKER_INVALID', 'task')
  await refused(module.status({ taskIds: ['1'] }), 'TASKER_INVALID', 'taskIds[0]')
  await refused(module.status({ taskIds: [2 ** 31] }), 'TASKER_INVALID', 'taskIds[0]')
  await refused(module.result({ taskIds: [], returnWhen: 'LATER' }), 'TASKER_INVALID', 'returnWhen')
  await refused(module.result({ taskIds: [] }), 'TASKER_INVALID', 'returnWhen')
  for (const [options, path] of [
    [{ invoke: 'a' }, 'invoke'],
    [{ invoke() {}, workers: 0 }, 'workers'],
    [{ workers: 1 }, 'workers'],
    [{ worker: 1 }, 'worker'],
  ]) {
    assert.throws(() => new Concurrency(tasker, options), { code: 'TASKER_INVALID', path })
  }
  assert.throws(() => new Concurrency({}), { code: 'TASKER_INVALID', path: 'tasker' })
  assert.equal(await tasker.countTasks(), 0)
})

test('methods work unbound, and a process without invoke schedules and asks', async t => {
  const { tasker, call } = await opened(t)
  const { schedule, result } = new Concurrency(tasker)
  const [id] = await schedule({ tasks: [task('a')] })
  ;(await call('a')).resolve(1)
  assert.deepEqual(await result({ taskIds: [id], returnWhen: 2 }), [done(id, 1)])
})
