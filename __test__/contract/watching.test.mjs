// watch: what happens to the tasks that match, in the order of the commits.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tasker } from '../../index.mjs'
import { file, gate, imports, open, refused, rejection, runs, started } from './open.mjs'

/** The next entries of a watch. */
async function take(watch, count) {
  const entries = []
  while (entries.length < count) {
    const { value, done } = await watch.next()
    assert.ok(!done, 'a watch ends by nothing but its signal')
    entries.push(value)
  }
  return entries
}

/** Entries until one of a task has this status and change. */
async function until(watch, uuid, change) {
  for (const entries = []; ; ) {
    const [entry] = await take(watch, 1)
    entries.push(entry)
    if (entry.uuid === uuid && entry.change === change) return entries
  }
}

const short = entries => entries.map(({ change, state }) => `${change} ${state}`)

test('the life of a task comes in order, each change once', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { read: runner })
  const watch = tasker.watch({ operation: 'read' })
  const uuid = await tasker.addTask({ operation: 'read', data: { book: 'dune' }, priority: 3 })
  const entries = await take(watch, 1)
  const { context, resolve } = await call(0)
  context.progress(1, 2)
  const [moved] = await take(watch, 1)
  assert.equal(moved.change, 'changed')
  assert.deepEqual(moved.task.progress, { current: 1, total: 2 })
  resolve({ pages: 412 })
  entries.push(...(await take(watch, 1)))
  await tasker.removeTask(uuid)
  entries.push(...(await take(watch, 1)))
  assert.deepEqual(short(entries), ['entered running', 'ended done', 'removed done'])
  const [first, ended, gone] = entries
  assert.deepEqual(
    { uuid: first.uuid, operation: first.operation, priority: first.priority },
    { uuid, operation: 'read', priority: 3 },
  )
  assert.ok(first.at instanceof Date)
  assert.ok(first.task.createdAt instanceof Date)
  assert.deepEqual(ended.task.result, { pages: 412 })
  assert.equal(gone.status, 'done')
  assert.ok(!('task' in gone))
  await watch.return()
})

test('what matches by then comes first, and is not told again', async t => {
  const tasker = open(t)
  const uuids = await tasker.addTasks(
    Array.from({ length: 2_500 }, (_, n) => ({ operation: n % 2 ? 'odd' : 'even', data: n })),
  )
  const watch = tasker.watch({ operation: 'odd' })
  const entries = await take(watch, 1_250)
  assert.deepEqual(
    entries.map(({ uuid }) => uuid),
    uuids.filter((_, n) => n % 2),
  )
  assert.ok(entries.every(({ change, state }) => change === 'entered' && state === 'ready'))
  await tasker.prioritizeTask(uuids[0], 9)
  await tasker.prioritizeTask(uuids[1], 7)
  const [next] = await take(watch, 1)
  assert.deepEqual([next.uuid, next.change, next.priority], [uuids[1], 'changed', 7])
  await watch.return()
})

test('a task enters and leaves as it comes to match, and not any more', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { read: runner })
  const running = tasker.watch({ status: 'running' })
  const failed = tasker.watch({ status: 'failed', 'error.message': 'torn' })
  const uuid = await tasker.addTask({ operation: 'read' })
  const other = await tasker.addTask({ operation: 'read' })
  const entries = await take(running, 2)
  assert.deepEqual(short(entries), ['entered running', 'entered running'])
  ;(await call(0)).reject(new Error('torn'))
  ;(await call(1)).reject(new Error('burnt'))
  const left = await take(running, 2)
  assert.deepEqual(short(left), ['left failed', 'left failed'])
  assert.deepEqual(left.map(entry => entry.uuid).sort(), [uuid, other].sort())
  const [torn] = await take(failed, 1)
  assert.deepEqual([torn.uuid, torn.change], [uuid, 'entered'])
  await tasker.retryTask(uuid)
  assert.deepEqual(short(await take(failed, 1)), ['left ready'])
  await running.return()
  await failed.return()
})

test('by states and priorities it is exact, whatever came later', async t => {
  const tasker = open(t)
  const watch = tasker.watch({ priority: { $gte: 5 } }, { from: 'now' })
  const uuid = await tasker.addTask({ operation: 'read', delay: '1h', priority: 1 })
  for (const priority of [7, 6, 2, 8]) await tasker.prioritizeTask(uuid, priority)
  await tasker.pauseTask(uuid)
  await tasker.abortTask(uuid)
  await tasker.removeTask(uuid)
  const [gone] = await take(watch, 1)
  assert.equal(gone.change, 'removed', 'of one that is gone only this can be told')
  const again = await tasker.addTask({ operation: 'read', delay: '1h', priority: 1 })
  for (const priority of [7, 6, 2, 8]) await tasker.prioritizeTask(again, priority)
  await tasker.pauseTask(again)
  await tasker.abortTask(again)
  const entries = await take(watch, 6)
  assert.deepEqual(
    entries.map(({ change, state, priority }) => [change, state, priority]),
    [
      ['entered', 'delayed', 7],
      ['changed', 'delayed', 6],
      ['left', 'delayed', 2],
      ['entered', 'delayed', 8],
      ['changed', 'paused', 8],
      ['ended', 'aborted', 8],
    ],
  )
  await watch.return()
})

test('a watch goes on behind the position of any entry', async t => {
  const store = file()
  const first = new Tasker({ store })
  const uuids = await first.addTasks(
    Array.from({ length: 30 }, (_, n) => ({ operation: 'read', data: { n }, priority: n })),
  )
  await first.abortTasks({ priority: { $gte: 10 } })
  const watch = first.watch({ 'data.n': { $gte: 0 } })
  const snapshot = await take(watch, 30)
  await first.prioritizeTask(uuids[0], 3)
  await first.abortTask(uuids[1])
  await first.removeTasks({ priority: { $gte: 20 } })
  const whole = [...snapshot, ...(await take(watch, 2 + 10))]
  await watch.return()
  await first.close()
  const tasker = open(t, { store })
  for (const [index, { position }] of whole.entries()) {
    if (index % 5) continue
    const again = tasker.watch({ 'data.n': { $gte: 0 } }, { from: position })
    const rest = whole.slice(index + 1)
    // Those that the snapshot had not told are told as they are now.
    const isWhole = index >= 29
    if (isWhole && rest.length > 0) {
      const entries = await take(again, rest.length)
      assert.deepEqual(
        entries.map(({ uuid, change, position }) => [uuid, change, position]),
        rest.map(({ uuid, change, position }) => [uuid, change, position]),
      )
    } else if (!isWhole) {
      const seen = new Set(whole.slice(0, index + 1).map(({ uuid }) => uuid))
      const entered = []
      while (entered.length < 20 - Math.min(20, index + 1)) {
        const [entry] = await take(again, 1)
        if (entry.change === 'entered') entered.push(entry)
      }
      assert.ok(entered.every(({ uuid }) => !seen.has(uuid)))
    }
    await again.return()
  }
})

test('from now on nothing that was before comes', async t => {
  const tasker = open(t)
  await tasker.addTask({ operation: 'read' })
  const watch = tasker.watch({}, { from: 'now' })
  // The place is that of the call, not of the first step.
  const uuid = await tasker.addTask({ operation: 'read' })
  const [entry] = await take(watch, 1)
  assert.equal(entry.uuid, uuid)
  await watch.return()
})

test('a watch that was away for longer than the journal is kept begins anew', async t => {
  const store = file()
  const tasker = open(t, { store })
  const uuid = await tasker.addTask({ operation: 'read' })
  // Positions that this file has not, or does not know any more, are no different.
  for (const from of ['999999', '999999.3', '5000-7']) {
    const watch = tasker.watch({}, { from })
    const [gap, entered] = await take(watch, 2)
    assert.deepEqual([gap.change, Object.keys(gap).sort()], ['gap', ['at', 'change', 'position']])
    assert.deepEqual([entered.change, entered.uuid], ['entered', uuid])
    await watch.return()
  }
})

test('another tasker on the file hears the same', async t => {
  const store = file()
  const { runner, call } = gate()
  const tasker = await started(t, { read: runner }, { store })
  const other = open(t, { store })
  // A position that one has told is good for the other.
  await tasker.addTask({ operation: 'mark' })
  const marks = tasker.watch({ operation: 'mark' })
  const [{ position }] = await take(marks, 1)
  await marks.return()
  const watches = [tasker, other].map(one => one.watch({ operation: 'read' }, { from: position }))
  const uuids = await tasker.addTasks(Array.from({ length: 3 }, () => ({ operation: 'read' })))
  for (const at of [0, 1, 2]) (await call(at)).resolve(at)
  const lives = []
  for (const watch of watches) {
    const life = new Map(uuids.map(uuid => [uuid, []]))
    while ([...life.values()].some(told => told.at(-1) !== 'done')) {
      const [{ uuid, state }] = await take(watch, 1)
      life.get(uuid).push(state)
    }
    lives.push([...life.values()])
    await watch.return()
  }
  for (const life of lives.flat()) assert.deepEqual(life, ['running', 'done'])
})

test('a slow watch keeps nothing and misses nothing', async t => {
  const tasker = open(t)
  const watch = tasker.watch({}, { from: 'now' })
  await tasker.addTask({ operation: 'read', data: 0 })
  await take(watch, 1)
  const text = 'x'.repeat(10_000)
  for (let n = 0; n < 40; n++) {
    await tasker.addTasks(Array.from({ length: 50 }, () => ({ operation: 'read', data: text })))
  }
  const entries = await take(watch, 2_000)
  assert.equal(new Set(entries.map(({ position }) => position)).size, 2_000)
  assert.ok(entries.every(({ change }) => change === 'entered'))
  await watch.return()
})

test('a thousand watches each hear of their own task', async t => {
  const tasker = open(t)
  const watches = Array.from({ length: 1_000 }, (_, n) =>
    tasker.watch({ operation: 'read', 'data.n': n }, { from: 'now' }),
  )
  const heard = watches.map(watch => take(watch, 2))
  const uuids = await tasker.addTasks(
    Array.from({ length: 1_000 }, (_, n) => ({ operation: 'read', data: { n } })),
  )
  await tasker.abortTasks({})
  for (const [n, entries] of (await Promise.all(heard)).entries()) {
    assert.deepEqual(short(entries), ['entered ready', 'ended aborted'])
    assert.ok(entries.every(({ uuid }) => uuid === uuids[n]))
  }
  for (const watch of watches) await watch.return()
})

test('fields say what comes of a task', async t => {
  const tasker = open(t)
  await tasker.addTask({ operation: 'read', data: { book: 'dune', text: 'long' } })
  const watch = tasker.watch({}, { fields: ['data.book'] })
  const [{ task }] = await take(watch, 1)
  assert.deepEqual(task, { data: { book: 'dune' } })
  await watch.return()
})

test('an infinite priority is a number', async t => {
  const tasker = open(t)
  await tasker.addTask({ operation: 'read', priority: -Infinity })
  const watch = tasker.watch()
  const [{ priority, task }] = await take(watch, 1)
  assert.deepEqual([priority, task.priority], [-Infinity, -Infinity])
  await watch.return()
})

test('a signal ends a watch, also one that waits', async t => {
  const tasker = open(t)
  const controller = new AbortController()
  const watch = tasker.watch({}, { abortSignal: controller.signal })
  const waits = watch.next()
  controller.abort(new Error('enough'))
  assert.equal((await rejection(waits)).message, 'enough')
  assert.deepEqual(await watch.next(), { value: undefined, done: true })
  const fired = tasker.watch({}, { abortSignal: AbortSignal.abort(new Error('before')) })
  assert.equal((await rejection(fired.next())).message, 'before')
})

test('what is wrong with an argument is refused with its path', async t => {
  const tasker = open(t)
  const call = (...args) => Promise.resolve().then(() => tasker.watch(...args).next())
  await refused(call({}, { from: 7 }), 'TASKER_INVALID', 'from')
  await refused(call({}, { from: 'yesterday' }), 'TASKER_INVALID', 'from')
  await refused(call({}, { form: 'now' }), 'TASKER_INVALID', 'form')
  await refused(call({}, { fields: [] }), 'TASKER_INVALID_QUERY', 'fields')
  await refused(call({ color: 1 }), 'TASKER_INVALID_QUERY', 'query.color')
})

test('a watch ends with its tasker', async t => {
  const tasker = open(t)
  const watch = tasker.watch()
  const waits = rejection(watch.next())
  await tasker.close()
  assert.equal((await waits).code, 'TASKER_CLOSED')
  assert.throws(() => tasker.watch(), { code: 'TASKER_CLOSED' })
})

test('leaving by break lets go, and others go on', async t => {
  const tasker = open(t)
  for (let n = 0; n < 50; n++) {
    await tasker.addTask({ operation: 'read', data: n })
    for await (const { change } of tasker.watch({ data: n })) {
      assert.equal(change, 'entered')
      break
    }
  }
  const uuid = await tasker.addTask({ operation: 'read', data: 'last' })
  const watch = tasker.watch({ data: 'last' })
  await until(watch, uuid, 'entered')
  await watch.return()
})

test('a watch that waits can be left, and holds nothing any more', async () => {
  const script = `${imports}
    const tasker = new Tasker({ store: ':memory:', keepAlive: 'auto' })
    const watch = tasker.watch()
    const next = watch.next()
    await tasker.ready()
    console.log(await watch.return(), await next, await watch.next())
    await tasker.addTask({ operation: 'a' })
    for await (const { change } of tasker.watch()) {
      console.log(change)
      break
    }
  `
  const done = '{ done: true, value: undefined }'
  const printed = (await runs(script)).replaceAll('{ value: undefined, done: true }', done)
  assert.equal(printed, `${done} ${done} ${done}\nentered\n`)
})
