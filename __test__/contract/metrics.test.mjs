/** Metrics: what a process counts, how the store stands, the text for Prometheus, over HTTP. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openTest } from '../../testing.mjs'
import { listening } from './http.mjs'
import { file, open, refused } from './open.mjs'

/** The samples of a text: value by name and labels. */
function samples(text) {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map(line => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at + 1))]
    }),
  )
}

/** Runs tasks of `a` that end in every way, on a clock of its own. */
async function scripted(t) {
  const { tasker, clock, close } = await openTest()
  t.after(close)
  const events = { 'task.added': 0, 'task.done': 0, 'task.failed': 0, 'task.aborted': 0 }
  for (const name of Object.keys(events)) tasker.on(name, () => events[name]++)
  tasker.assignRunner('a', ({ data, attempt }) => {
    if (data.fails === true || data.fails === attempt) throw new Error('it fails')
  })
  const retry = { attempts: 2, backoff: { type: 'fixed', delay: '1m' } }
  await tasker.addTasks([
    { operation: 'a', data: {} },
    { operation: 'a', data: { fails: true } },
    { operation: 'a', data: { fails: 1 }, retry },
    { operation: 'a', data: {}, delay: '1h' },
    { operation: 'b', data: {} },
  ])
  const aborted = await tasker.addTask({ operation: 'a', data: {}, delay: '2d' })
  await tasker.abortTask(aborted)
  await tasker.start()
  await clock.advance('10m')
  return { tasker, clock, events }
}

test('figures are those of what happened', async t => {
  const { tasker, clock, events } = await scripted(t)
  const { at, since, process, store, operations } = await tasker.metrics()
  assert.deepEqual([Number(at), since < at], [Number(clock.now()), true])
  assert.ok(process.commits.count > 0 && process.turns.count > 0)
  const { a, b } = operations
  assert.deepEqual([a.added, b.added], [5, 1])
  assert.deepEqual(a.ended, { done: 2, failed: 1, aborted: 1 })
  const { done, failed, aborted, retried, ...others } = a.runs.ended
  assert.deepEqual([done, failed, aborted, retried, a.runs.started], [2, 1, 0, 1, 4])
  assert.deepEqual(Object.values(others), [0, 0, 0, 0])
  assert.deepEqual(a.store.waiting, { 'start-time': 1 })
  assert.deepEqual(b.store.waiting, { 'no-runner': 1 })
  assert.deepEqual([a.store.nextReadyAt, a.store.runners, b.store.runners], [null, 1, 0])
  assert.ok(b.store.nextReadyAt instanceof Date)
  assert.deepEqual([store.tasks.done, store.tasks.delayed, store.tasks.ready], [2, 1, 1])
  assert.deepEqual([a.wait.count, a.duration.count], [3, 4])
  assert.equal(events['task.done'], a.ended.done)
  assert.equal(events['task.failed'], a.ended.failed)
  assert.equal(events['task.aborted'], a.ended.aborted)
})

test('the text says the same', async t => {
  const { tasker } = await scripted(t)
  const { operations, store } = await tasker.metrics()
  const told = samples(await tasker.metrics({ format: 'prometheus' }))
  for (const [operation, { added, ended, runs, store: its }] of Object.entries(operations)) {
    const of = (name, more = '') => told[`${name}{operation="${operation}"${more}}`]
    assert.equal(of('tasker_tasks_added_total'), added)
    assert.equal(of('tasker_runs_started_total'), runs.started)
    for (const [status, count] of Object.entries(ended)) {
      assert.equal(of('tasker_tasks_ended_total', `,status="${status}"`), count)
    }
    for (const [outcome, count] of Object.entries(runs.ended)) {
      assert.equal(of('tasker_runs_ended_total', `,outcome="${outcome}"`), count)
    }
    for (const [reason, count] of Object.entries(its.waiting)) {
      assert.equal(of('tasker_store_waiting', `,reason="${reason}"`), count)
    }
    assert.equal(of('tasker_run_duration_seconds_count'), runs.started)
    assert.equal(of('tasker_run_duration_seconds_bucket', ',le="+Inf"'), runs.started)
  }
  assert.equal(told['tasker_store_tasks_ended{status="done"}'], store.tasks.done)
})

test('the others are told together', async t => {
  const { tasker } = await scripted(t)
  const { operations } = await tasker.metrics({ operationsMax: 1 })
  assert.deepEqual(Object.keys(operations), ['_other', 'a'])
  assert.equal(operations._other.added, 1)
})

test('several processes add up, and see one store', async t => {
  const store = file(t)
  const [one, other] = [open(t, { store }), open(t, { store })]
  await one.addTask({ operation: 'a', data: {} })
  await other.addTask({ operation: 'a', data: {} })
  const told = await Promise.all([one.metrics(), other.metrics()])
  const added = told.map(({ operations }) => operations.a.added)
  assert.deepEqual(added, [1, 1])
  for (const { operations, store } of told) {
    assert.equal(operations.a.store.tasks.ready, 2)
    assert.equal(store.tasks.ready, 2)
  }
})

test('what is no option is refused', async t => {
  const tasker = open(t)
  await refused(tasker.metrics({ format: 'xml' }), 'TASKER_INVALID', 'format')
  await refused(tasker.metrics({ operationsMax: -1 }), 'TASKER_INVALID', 'operationsMax')
  await refused(tasker.metrics({ op: 1 }), 'TASKER_INVALID', 'op')
  await tasker.close()
  await refused(tasker.metrics(), 'TASKER_CLOSED')
})

const READER = { name: 'reader', role: 'read', token: 'r'.repeat(22) }
const CONFINED = { name: 'confined', role: 'admin', token: 'c'.repeat(22), operations: ['a'] }

test('GET /metrics answers who may read everything', async t => {
  const { tasker, server } = await listening(t, {}, { token: [READER, CONFINED] })
  await tasker.addTask({ operation: 'a', data: {} })
  const get = (token, more = {}) =>
    fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${token}`, ...more } })
  const plain = await get(READER.token)
  assert.equal(plain.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.equal(samples(await plain.text())['tasker_tasks_added_total{operation="a"}'], 1)
  const open = await get(READER.token, { accept: 'application/openmetrics-text' })
  const type = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
  assert.equal(open.headers.get('content-type'), type)
  assert.ok((await open.text()).endsWith('# EOF\n'))
  assert.deepEqual(
    [(await get('x'.repeat(22))).status, (await get(CONFINED.token)).status],
    [401, 403],
  )
  assert.equal((await get(READER.token, { 'sec-fetch-site': 'cross-site' })).status, 403)
})

test('a mounted service answers with metrics whom it knows', async t => {
  const tasker = open(t)
  await tasker.addTask({ operation: 'a', data: {} })
  const handlers = tasker.http({ access: request => request.headers.get('x-role') })
  const get = role =>
    handlers.fetch(new Request('http://a/tasks/metrics', { headers: { 'x-role': role } }))
  assert.equal(samples(await (await get('read')).text()).tasker_runs_limit > 0, true)
  assert.equal((await get('none')).status, 403)
})

test('what executors carry out is counted', async t => {
  const { tasker, result } = await listening(t)
  await tasker.defineOperation('a', { executor: true })
  await tasker.addTask({ operation: 'a', data: {} })
  const { resources } = await result('awf.task/poll', { taskDefinitions: ['a'] })
  const [{ id, execId }] = resources
  await result('awf.task/start', { id, execId })
  await result('awf.task/success', { id, execId, result: {} })
  const { operations } = await tasker.metrics()
  const { runs, ended, duration } = operations.a
  assert.deepEqual([runs.started, runs.ended.done, ended.done, duration.count], [1, 1, 1, 0])
})

/** The samples of a family, by their labels. */
const family = (text, name) =>
  Object.fromEntries(
    Object.entries(samples(text))
      .filter(([key]) => key.startsWith(`${name}{`))
      .map(([key, value]) => [key.slice(name.length), value]),
  )

test('requests are counted by route and status, polls not timed', async t => {
  const { tasker, server, result, call } = await listening(t)
  await tasker.defineOperation('a', { executor: true })
  await tasker.addTask({ operation: 'a', data: {} })
  await result('awf.task/poll', { taskDefinitions: ['a'] })
  await result('awf.task/list')
  assert.equal((await call('awf.task/none')).status, 404)
  for (const path of ['health/live', 'health/ready', 'nothing?a=/rpc', 'nothing/else', 'metrics']) {
    await (await fetch(`${server.url}/${path}`)).text()
  }
  const text = await tasker.metrics({ format: 'openmetrics' })
  assert.deepEqual(family(text, 'tasker_http_requests_total'), {
    '{route="health/live",code="200"}': 1,
    '{route="health/ready",code="200"}': 1,
    '{route="metrics",code="401"}': 1,
    '{route="other",code="404"}': 2,
    '{route="rpc",code="200"}': 2,
    '{route="rpc",code="404"}': 1,
  })
  const counts = family(text, 'tasker_http_request_duration_seconds_count')
  assert.deepEqual([counts['{route="rpc"}'], counts['{route="other"}']], [2, 2])
  // 0, unless the machine has let this process stand.
  assert.ok(samples(text).tasker_event_loop_blocked_seconds_total >= 0)
  assert.ok(text.endsWith('# EOF\n') && text.indexOf('# EOF') === text.length - 6)
  const { http, eventLoopBlocked } = (await tasker.metrics()).process
  assert.deepEqual(http.rpc.requests, { 200: 2, 404: 1 })
  assert.deepEqual([http.rpc.duration.count, http.other.requests[404]], [2, 2])
  assert.ok(eventLoopBlocked >= 0)
})

test('requests through servers of the user are counted, too', async t => {
  const tasker = open(t)
  const { fetch: answer } = tasker.http({ access: () => 'read' })
  for (const path of ['health/live', 'metrics', 'metrics']) {
    await answer(new Request(`http://a/tasks/${path}`))
  }
  const { http } = (await tasker.metrics()).process
  assert.deepEqual(Object.keys(http), ['health/live', 'metrics'])
  assert.deepEqual(http.metrics.requests, { 200: 2 })
})
