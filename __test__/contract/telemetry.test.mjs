// The options `telemetry`, `traces` and `mirrorLogs`, with the SDK that users have.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as api from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { file, gate, keeper, open, refused, rejection, runs, started } from './open.mjs'
import { inTransaction, openSqlite } from './sqlite.mjs'

const exporter = new InMemorySpanExporter()
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
const contexts = new AsyncLocalStorageContextManager().enable()
api.context.setGlobalContextManager(contexts)
api.trace.setGlobalTracerProvider(provider)
after(() => provider.shutdown())

const telemetry = api
const tracer = api.trace.getTracer('application')

/** The spans that ended since the last look, by their names. */
function spans() {
  const all = {}
  for (const span of exporter.getFinishedSpans()) {
    all[span.name] ??= []
    all[span.name].push(span)
  }
  exporter.reset()
  return all
}

/** Runs something within a span of the application. */
async function within(name, work) {
  return await tracer.startActiveSpan(name, async span => {
    try {
      return await work(span)
    } finally {
      span.end()
    }
  })
}

const idOf = span => span.spanContext().spanId
const traceIdOf = span => span.spanContext().traceId
const linksOf = span => span.links.map(({ context }) => context.spanId)

test('an add and a run are spans, and the run is linked to the add', async t => {
  spans()
  const tasker = await started(t, { greet: ({ data }) => `hello ${data}` }, { telemetry })
  const uuid = await within('request', () =>
    tasker.addTask({ operation: 'greet', data: 'ada', priority: 3 }),
  )
  await tasker.waitForTaskOutputData(uuid)
  const { request, ...found } = spans()
  const [add] = found['add greet']
  const [ran] = found['run greet']
  assert.equal(add.parentSpanContext.spanId, idOf(request[0]))
  assert.equal(ran.parentSpanContext, undefined)
  assert.notEqual(traceIdOf(ran), traceIdOf(add))
  assert.deepEqual(linksOf(ran), [idOf(add)])
  assert.deepEqual([add.kind, ran.kind], [api.SpanKind.PRODUCER, api.SpanKind.CONSUMER])
  assert.deepEqual(add.attributes, {
    'messaging.system': 'tasker',
    'messaging.operation.name': 'add',
    'messaging.operation.type': 'send',
    'messaging.destination.name': 'greet',
    'messaging.message.id': uuid,
  })
  const { attempts } = await tasker.getTask(uuid)
  const { 'tasker.task.wait_ms': waitMs, ...attributes } = ran.attributes
  assert.ok(waitMs >= 0)
  assert.deepEqual(attributes, {
    'messaging.system': 'tasker',
    'messaging.operation.name': 'run',
    'messaging.operation.type': 'process',
    'messaging.destination.name': 'greet',
    'messaging.message.id': uuid,
    'tasker.run.id': attempts[0].runId,
    'tasker.task.attempt': 1,
    'tasker.task.priority': 3,
    'tasker.run.outcome': 'done',
  })
})

test('what a runner begins is within its span, and so are the tasks that it adds', async t => {
  spans()
  const runners = {
    order: async ({ addTask }) => {
      await within('charge', () => Promise.resolve())
      await addTask({ operation: 'mail' })
    },
    mail: () => {},
  }
  const tasker = await started(t, runners, { telemetry })
  await tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'order' }))
  await tasker.idle()
  const { charge, ...found } = spans()
  const [ran] = found['run order']
  const [child] = found['add mail']
  assert.equal(charge[0].parentSpanContext.spanId, idOf(ran))
  assert.equal(child.parentSpanContext.spanId, idOf(ran))
  assert.deepEqual(linksOf(found['run mail'][0]), [idOf(child)])
})

test("with traces: 'child' a run is a part of the trace of its add", async t => {
  spans()
  const options = { telemetry, traces: 'child' }
  const tasker = await started(t, { greet: () => {} }, options)
  await tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'greet' }))
  const found = spans()
  const [add] = found['add greet']
  const [ran] = found['run greet']
  assert.equal(ran.parentSpanContext.spanId, idOf(add))
  assert.equal(traceIdOf(ran), traceIdOf(add))
  assert.deepEqual(linksOf(ran), [])
})

test('each attempt has a span, linked to the one before, with what went wrong', async t => {
  spans()
  const fail = ({ attempt }) => {
    if (attempt < 3) throw Object.assign(new Error(`no ${attempt}`), { code: 'E_PAPER' })
  }
  const tasker = await started(t, { print: fail }, { telemetry })
  const uuid = await tasker.addTask({ operation: 'print', retry: 3 })
  await tasker.waitForTaskOutputData(uuid)
  const found = spans()
  const [add] = found['add print']
  const runs = found['run print']
  const outcomes = runs.map(({ attributes }) => attributes['tasker.run.outcome'])
  assert.deepEqual(outcomes, ['retried', 'retried', 'done'])
  assert.deepEqual(runs.map(linksOf), [
    [idOf(add)],
    [idOf(add), idOf(runs[0])],
    [idOf(add), idOf(runs[1])],
  ])
  const [first, , last] = runs
  assert.deepEqual(first.status, { code: api.SpanStatusCode.ERROR, message: 'no 1' })
  assert.equal(first.attributes['error.type'], 'E_PAPER')
  assert.deepEqual(
    first.events.map(({ name, attributes }) => [name, attributes['exception.message']]),
    [['exception', 'no 1']],
  )
  assert.equal(last.status.code, api.SpanStatusCode.UNSET)
})

test('the end of a run is told: failed, aborted, snoozed, given back', async t => {
  spans()
  const held = gate()
  const runners = {
    fail: () => {
      throw 'a text'
    },
    hold: held.runner,
    snooze: ({ attempt, snooze, createdAt }) => {
      if (attempt === 1 && !snoozed.has(+createdAt)) snooze(1)
      snoozed.add(+createdAt)
    },
  }
  const snoozed = new Set()
  const tasker = await started(t, runners, { telemetry })
  await rejection(tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'fail' })))
  await tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'snooze' }))
  const aborted = await tasker.addTask({ operation: 'hold' })
  const { context, reject } = await held.call(0)
  await tasker.abortTask(aborted, 'enough')
  context.abortSignal.addEventListener('abort', () => reject(context.abortSignal.reason))
  if (context.abortSignal.aborted) reject(context.abortSignal.reason)
  await rejection(tasker.waitForTaskOutputData(aborted))
  const back = await tasker.addTask({ operation: 'hold' })
  await held.call(1)
  await tasker.stop({ onStop: 'postpone', timeout: 0 })
  assert.equal((await tasker.getTask(back)).state, 'ready')
  const found = spans()
  const ends = name =>
    found[name].map(({ attributes }) => [
      attributes['tasker.run.outcome'],
      attributes['error.type'],
    ])
  assert.deepEqual(ends('run fail'), [['failed', '_OTHER']])
  assert.deepEqual(ends('run snooze'), [
    ['snoozed', undefined],
    ['done', undefined],
  ])
  assert.deepEqual(ends('run hold'), [
    ['aborted', 'user'],
    ['postponed', undefined],
  ])
})

test('several tasks are one add; a task that brings its trace keeps it', async t => {
  spans()
  const own = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }
  const tasker = await started(t, { greet: () => {} }, { telemetry })
  const tasks = [{ operation: 'greet' }, { operation: 'greet', trace: own }]
  const uuids = await tasker.addTasks(tasks)
  await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  const found = spans()
  const [add] = found['add greet']
  assert.equal(add.attributes['messaging.batch.message_count'], 2)
  const links = found['run greet'].flatMap(linksOf).sort()
  assert.deepEqual(links, [idOf(add), 'b7ad6b7169203331'].sort())
  assert.deepEqual((await tasker.getTask(uuids[1])).trace, own)
  const [mixed] = await tasker.addTasks([{ operation: 'greet' }, { operation: 'later' }])
  await tasker.waitForTaskOutputData(mixed)
  assert.deepEqual(Object.keys(spans()).sort(), ['add', 'run greet'])
})

test('an add that is refused is a span with its error', async t => {
  spans()
  const tasker = open(t, { telemetry })
  await refused(tasker.addTask({ operation: 'a', delay: 'soon' }), 'TASKER_INVALID', 'delay')
  await refused(tasker.addTasks([{ operation: 'a', data: () => 1 }]), 'TASKER_INVALID', '[0].data')
  const types = spans()['add a'].map(({ attributes }) => attributes['error.type'])
  assert.deepEqual(types, ['TASKER_INVALID', 'TASKER_INVALID'])
})

test('a row of an outbox keeps the trace of its add', async t => {
  spans()
  const db = openSqlite(file())
  t.after(() => db.close())
  const tasker = await started(t, { greet: () => {} }, { telemetry })
  const outbox = tasker.outbox(db)
  await within('request', () => inTransaction(db, () => outbox.addTask({ operation: 'greet' })))
  await outbox.flush()
  await tasker.idle()
  const { request, ...found } = spans()
  const [add] = found['add greet']
  assert.equal(add.parentSpanContext.spanId, idOf(request[0]))
  assert.deepEqual(linksOf(found['run greet'][0]), [idOf(add)])
})

test('a run in another process is linked to the add in this one', async t => {
  spans()
  const store = file()
  const tasker = open(t, { store, telemetry })
  const uuid = await tasker.addTask({ operation: 'greet' })
  const [add] = spans()['add greet']
  const out = await runs(`
    import * as api from '@opentelemetry/api'
    import * as sdk from '@opentelemetry/sdk-trace-base'
    import { Tasker } from './index.mjs'
    const exporter = new sdk.InMemorySpanExporter()
    const spanProcessors = [new sdk.SimpleSpanProcessor(exporter)]
    api.trace.setGlobalTracerProvider(new sdk.BasicTracerProvider({ spanProcessors }))
    const options = { store: ${JSON.stringify(store)}, telemetry: api }
    const tasker = new Tasker({ ...options, runners: { greet: () => {} } })
    await tasker.start()
    await tasker.waitForTaskOutputData(${JSON.stringify(uuid)})
    await tasker.close()
    const spans = exporter.getFinishedSpans()
    console.log(JSON.stringify(spans.map(({ name, links }) => [name, links[0].context])))
  `)
  const [[name, link]] = JSON.parse(out)
  assert.equal(name, 'run greet')
  assert.deepEqual([link.traceId, link.spanId], [traceIdOf(add), idOf(add)])
})

test('without an SDK nothing is kept, and all goes on', async () => {
  const script = `
    import * as api from '@opentelemetry/api'
    import { Tasker } from './index.mjs'
    const tasker = new Tasker({ store: ':memory:', telemetry: api })
    tasker.assignRunner('greet', ({ trace }) => String(trace))
    await tasker.start()
    console.log(await tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'greet' })))
    await tasker.close()
  `
  assert.equal((await runs(script)).trim(), 'undefined')
})

test('the state of a trace goes with it', async t => {
  spans()
  const tasker = await started(t, { greet: ({ trace }) => trace.tracestate }, { telemetry })
  const traceState = api.createTraceState('rojo=1')
  const parent = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1, traceState }
  const context = api.trace.setSpanContext(api.ROOT_CONTEXT, parent)
  const uuid = await api.context.with(context, () => tasker.addTask({ operation: 'greet' }))
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'rojo=1')
  const [ran] = spans()['run greet']
  assert.equal(ran.links[0].context.traceState.serialize(), 'rojo=1')
})

test('mirrorLogs passes the lines of runners on, with the ids of run and span', async t => {
  spans()
  const { told, logger } = keeper()
  logger.fatal = (...args) => told.push(['fatal', ...args])
  const speak = ({ logger }) => {
    logger.crit('a')
    logger.error('b', new Error('torn'))
    logger.warning('c', { page: 1 })
    logger.notice('d')
    logger.child({ part: 2 }).info('e')
    logger.debug('f')
  }
  const options = { telemetry, logger, mirrorLogs: 'debug', logLevel: 'error' }
  const tasker = await started(t, { speak }, options)
  const uuid = await tasker.addTask({ operation: 'speak' })
  await tasker.waitForTaskOutputData(uuid)
  const [span] = spans()['run speak']
  const { attempts, logs } = await tasker.getTask(uuid, { withLogs: true })
  const lines = told.filter(([, text]) => text.length === 1)
  assert.deepEqual(
    lines.map(([level, text]) => level + text),
    ['fatala', 'errorb', 'warnc', 'infod', 'infoe', 'debugf'],
  )
  const ids = { trace_id: traceIdOf(span), span_id: idOf(span) }
  const own = { uuid, runId: attempts[0].runId, operation: 'speak', attempt: 1, ...ids }
  assert.deepEqual(lines[2][2], { page: 1, ...own })
  assert.deepEqual(lines[4][2], { part: 2, ...own })
  assert.equal(lines[1][2].error.message, 'torn')
  assert.deepEqual(
    logs.map(({ message }) => message),
    ['a', 'b'],
  )
})

test('mirrorLogs passes on from its level, and to a logger without fatal or telemetry', async t => {
  const { told, logger } = keeper()
  const speak = ({ logger }) => {
    logger.crit('a')
    logger.info('b')
  }
  const tasker = await started(t, { speak }, { logger, mirrorLogs: 'warning' })
  const uuid = await tasker.addTask({ operation: 'speak' })
  await tasker.waitForTaskOutputData(uuid)
  const lines = told.filter(([, text]) => text.length === 1)
  const { attempts } = await tasker.getTask(uuid)
  const [{ runId }] = attempts
  assert.deepEqual(lines, [['error', 'a', { uuid, runId, operation: 'speak', attempt: 1 }]])
})

test('what cannot be used is refused with its path', () => {
  const refusals = [
    [{ telemetry: {} }, 'telemetry'],
    [{ telemetry: 1 }, 'telemetry'],
    [{ traces: 'link' }, 'traces'],
    [{ telemetry, traces: 'parent' }, 'traces'],
    [{ mirrorLogs: 'info' }, 'mirrorLogs'],
    [{ mirrorLogs: true, logger: console }, 'mirrorLogs'],
  ]
  for (const [options, path] of refusals) {
    assert.throws(() => open({ after: () => {} }, options), { code: 'TASKER_INVALID', path })
  }
})

test('a run in a thread has its span, and what it adds is a child of that', async t => {
  spans()
  const lines = []
  const log = (fields, message) => lines.push([fields, message].flat())
  const logger = { debug: log, info: log, warn: log, error: log }
  const options = { telemetry, logger, mirrorLogs: 'debug', logLevel: 'error' }
  const runner = new URL('./threads/cases.mjs', import.meta.url)
  const tasker = await started(t, { a: runner, child: () => {} }, options)
  const uuid = await tasker.addTask({ operation: 'a', data: { case: 'addTask' } })
  await tasker.waitForTaskOutputData(uuid)
  const { 'run a': ran, 'add child': added } = spans()
  assert.equal(added[0].parentSpanContext.spanId, idOf(ran[0]))
  assert.equal(ran[0].attributes['tasker.run.outcome'], 'done')
  const [child] = await tasker.findTasks({ parent: uuid })
  assert.ok(child.trace.traceparent.includes(idOf(added[0])))
  lines.length = 0
  const logs = await tasker.addTask({ operation: 'a', data: { case: 'logs' } })
  await tasker.waitForTaskOutputData(logs)
  const told = lines.filter(parts => JSON.stringify(parts).includes(logs))
  assert.equal(told.length, 13)
  assert.equal((await tasker.getTask(logs, { withLogs: true })).logs.length, 3)
})
