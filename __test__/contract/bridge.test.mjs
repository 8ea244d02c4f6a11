// The JavaScript side alone, against a native side that the test plays: orders and faults that a
// healthy engine shows rarely.

// Before tasker, which takes its clock when it is imported.
import './clock.mjs'

import assert from 'node:assert/strict'
import { getEventListeners, once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Tasker } from '../../index.mjs'
import { clock } from './clock.mjs'
import { folder, gate, refused, rejection } from './open.mjs'

const place = join(folder(), 'played.cjs')
const played = `
  exports.checkOperation = () => null
  exports.open = (options, bell) => {
    const engine = { bell, calls: [], batches: [], shut: 0 }
    globalThis.engines.push(engine)
    const note = name => (...args) => engine.calls.push([name, ...args])
    const names = ['add', 'addMany', 'complete', 'record', 'command', 'read']
    return {
      ...Object.fromEntries(names.map(name => [name, note(name)])),
      drain: () => {
        const batch = engine.batches.shift() ?? [false, 0]
        if (batch instanceof Error) throw batch
        return typeof batch === 'string' ? batch : JSON.stringify(batch)
      },
      shutdown: () => { engine.shut += 1 },
    }
  }
`
writeFileSync(place, played)
process.env.TASKER_NATIVE = place
globalThis.engines = []

const uuid = '018f0000-0000-7000-8000-000000000001'
const runId = '018f0000-0000-7000-8000-00000000000a'
const abort = { name: 'AbortError', message: 'enough', code: 'ABORT_ERR' }

/** Resolves when the event loop has turned so often. */
async function turns(count) {
  for (let n = 0; n < count; n += 1) await new Promise(resolve => setImmediate(resolve))
}

/** A tasker with the engine that the test plays. */
function play(options = {}) {
  const tasker = new Tasker({ store: ':memory:', keepAlive: 'never', ...options })
  const engine = globalThis.engines.at(-1)
  /** Tells messages as the engine does: in a turn of the event loop of their own. */
  engine.tell = (...messages) => engine.tellBatch([false, since, ...messages])
  /** The same with a batch, the text of one, or an Error that is thrown in its place. */
  engine.tellBatch = batch =>
    new Promise(resolve => {
      engine.batches.push(batch)
      setImmediate(() => {
        engine.bell()
        // On a slow machine each of them may take a turn of its own, and each run one more.
        turns(2 * batch.length + 1).then(resolve)
      })
    })
  /** The ticket of the last call of a kind. */
  engine.ticket = name => engine.calls.findLast(call => call[0] === name)[1]
  return { tasker, engine }
}

const start = (no, operation = 'a', data = null) => [
  'start',
  no,
  uuid,
  runId,
  operation,
  1,
  0,
  -2_000,
  1,
  data,
]

/** The moment from which the times of a text count. */
const since = 1_700_000_000_000

test('calls of one tick travel as one text, in order, before any other call', async () => {
  const { tasker, engine } = play()
  tasker.addTask({ operation: 'a' })
  tasker.addTask({ operation: 'b' })
  tasker.countTasks()
  tasker.addTask({ operation: 'c' })
  await null
  assert.deepEqual(engine.calls, [
    ['add', 1, '{"operation":"a"}\n{"operation":"b"}'],
    ['read', 3, '{"count":{"query":{}}}'],
    ['add', 4, '{"operation":"c"}'],
  ])
})

test('the times of a run count from the moment with which their text begins', async () => {
  const contexts = []
  const { engine } = play({ runners: { a: context => contexts.push(context) } })
  await engine.tell(start(1))
  await engine.tellBatch([false, 0, start(2)])
  const times = contexts.map(({ createdAt, startedAt }) => [createdAt, startedAt].map(Number))
  assert.deepEqual(times, [
    [since - 2_000, since + 1],
    [-2_000, 1],
  ])
})

test('records travel before the outcome of their run', async () => {
  const runner = async ({ logger, progress }) => {
    logger.info('one', { n: 1 })
    progress(1, 2, 'x')
    return { ok: true }
  }
  const { engine } = play({ runners: { a: runner } })
  await engine.tell(start(1), start(2))
  const told = kind =>
    engine.calls.filter(([name]) => name === kind).flatMap(([, text]) => entries(text))
  const names = engine.calls.map(([name]) => name)
  assert.ok(names.indexOf('record') < names.indexOf('complete'))
  assert.ok(names.lastIndexOf('record') < names.lastIndexOf('complete'))
  const lines = told('record')
  assert.deepEqual(
    lines.map(line => line.slice(0, 3)),
    [
      [1, 'log', 'info'],
      [1, 'progress', 1],
      [2, 'log', 'info'],
      [2, 'progress', 1],
    ],
  )
  assert.deepEqual(lines[0].slice(4), ['one', { n: 1 }])
  assert.deepEqual(lines[1].slice(3), [2, 'x'])
  assert.deepEqual(told('complete'), [
    [1, 'returned', { ok: true }],
    [2, 'returned', { ok: true }],
  ])
})

test('starts wait until every continuation of an acknowledgement has run', async () => {
  const order = []
  const { tasker, engine } = play({ runners: { a: () => order.push('runner') } })
  const deep = async n => (n === 0 ? tasker.addTask({ operation: 'a' }) : await deep(n - 1))
  const adding = deep(20).then(() => order.push('continuation'))
  await null
  await engine.tell(start(1), ['answer', engine.ticket('add'), uuid])
  await adding
  assert.deepEqual(order, ['continuation', 'runner'])
})

test('a run that is taken back before its runner was called is not called', async () => {
  const { runner, calls } = gate()
  const { engine } = play({ runners: { a: runner } })
  await engine.tell(start(1), start(2), ['runEnd', 1, 'postponed'], ['signal', 1, 'shutdown', null])
  assert.equal(calls.length, 1)
})

test('an end that stands before its signal has its reason', async () => {
  const { runner, call } = gate()
  const { tasker, engine } = play({ runners: { a: runner } })
  const ended = once(tasker, 'task.ended')
  await engine.tell(start(1))
  ;(await call(0)).reject(new Error('thrown'))
  await engine.tell(
    ['runEnd', 1, 'aborted', ['run-timeout', abort]],
    ['signal', 1, 'run-timeout', abort],
  )
  const [, status, reason] = await ended
  assert.deepEqual([status, reason.message, reason.cause], ['aborted', 'enough', 'run-timeout'])
})

test('only the log lines that the engine confirms are told, before the end (B-17)', async () => {
  for (const [confirmed, expected] of [
    [2, ['one', 'two', 'done']],
    [1, ['one', 'done']],
    [0, ['done']],
  ]) {
    const events = []
    const { tasker, engine } = play({
      runners: {
        a: ({ logger }) => {
          logger.info('one')
          logger.info('two')
        },
      },
    })
    tasker.on('task.log', (_, { message }) => events.push(message))
    tasker.on('task.done', () => events.push('done'))
    await engine.tell(start(1))
    await engine.tell(['logs', 1, confirmed], ['runEnd', 1, 'done'])
    assert.deepEqual(events, expected)
  }
})

test('a start of an operation whose runner was just taken away still finds it', async () => {
  const { runner, call } = gate()
  const { tasker, engine } = play({ runners: { a: runner } })
  const unassigning = tasker.unassignRunner('a')
  await engine.tell(['answer', engine.ticket('command'), null], start(1))
  assert.equal(await unassigning, true)
  assert.ok(await call(0))
})

test('when more is waiting each later turn asks once, however often the bell rings', async () => {
  const { runner, calls } = gate()
  const { engine } = play({ runners: { a: runner } })
  engine.batches.push([true, 0, start(1)], [true, 0, start(2)], [false, 0, start(3)])
  for (let n = 0; n < 3; n += 1) engine.bell()
  await new Promise(process.nextTick)
  assert.equal(calls.length, 1)
  for (let n = 2; n <= 3; n += 1) {
    await new Promise(resolve => setImmediate(resolve))
    assert.equal(calls.length, n)
  }
})

test('an engine that closes itself rejects all, fires signals and tells why (F-6)', async () => {
  const { runner, call } = gate()
  const { tasker, engine } = play({ runners: { a: runner } })
  const error = once(tasker, 'error')
  await engine.tell(['answer', engine.ticket('command'), null], start(1))
  const { context } = await call(0)
  const { abortSignal } = context
  const waiting = rejection(tasker.waitForTaskOutputData(uuid))
  const fault = { code: 'TASKER_UNKNOWN', message: 'the sync failed', uuids: [uuid] }
  await engine.tell(['closed', fault])
  const [told] = await error
  assert.deepEqual([told.code, told.uuids], ['TASKER_UNKNOWN', [uuid]])
  const own = await waiting // Each call has its own, whose stack shows who called.
  assert.deepEqual([own.code, own.message, own.uuids], [told.code, told.message, told.uuids])
  assert.equal(abortSignal.reason.cause, 'fenced')
  const later = await refused(tasker.addTask({ operation: 'a' }), 'TASKER_CLOSED')
  assert.equal(later.cause, told)
  assert.equal(engine.shut, 1)
  await tasker.close()
})

test('without a listener a fault of the engine is a warning of the process', async () => {
  const { tasker, engine } = play()
  const warning = once(process, 'warning')
  tasker.ready().catch(() => {})
  await engine.tell(['answer', engine.ticket('command'), null])
  await engine.tell(['closed', { code: 'TASKER_BUG', message: 'a bug' }])
  assert.equal((await warning)[0].message, 'a bug')
})

test('a blocked loop is a warning of the process, with how long (F-22)', async () => {
  const { engine } = play()
  const warning = once(process, 'warning')
  await engine.tell(['loopBlocked', 12_345])
  const [{ code, message }] = await warning
  assert.equal(code, 'TASKER_EVENT_LOOP_BLOCKED')
  assert.match(message, /event loop was blocked.* 12345 ms/)
})

/** The entries of a text that has one a line. */
const entries = text => text.split('\n').map(line => JSON.parse(line))

/** Commands of a kind that were sent, in order. */
const commands = (engine, kind) =>
  engine.calls
    .filter(([name]) => name === 'command')
    .map(([, , text]) => JSON.parse(text)[kind])
    .filter(members => members !== undefined)

const remote = engine => commands(engine, 'subscribe').map(({ remote }) => remote)

test("events of others are asked for with events 'all', as long as somebody listens", async () => {
  const { tasker, engine } = play({ events: 'all' })
  assert.deepEqual(remote(engine), [])
  const listener = () => {}
  tasker.on('task.done', listener)
  tasker.on('task.added', listener)
  tasker.off('task.done', listener)
  tasker.off('task.added', listener)
  assert.deepEqual(remote(engine), ['all', undefined])
})

test("what others did is told with events 'all', and each portion is acknowledged", async () => {
  const { tasker, engine } = play({ events: 'all' })
  const heard = []
  const words = 'added run prioritized done failed aborted ended'.split(' ')
  for (const word of words) {
    tasker.on(`task.${word}`, (which, ...rest) => {
      assert.equal(which, uuid)
      heard.push([word, ...rest.map(value => value?.message ?? value)])
    })
  }
  const failure = { name: 'Error', message: 'paper' }
  await engine.tell(
    ['remoteEvent', uuid, 'added'],
    ['remotePriority', uuid, 'Infinity'],
    ['remoteEvent', uuid, 'run'],
    ['remoteEnd', uuid, 'done', null, { n: 1 }],
    ['remoteEvent', uuid, 'added-and-run'],
    ['remoteEnd', uuid, 'failed', null, failure],
    ['awaitAck'],
    ['remoteEnd', uuid, 'aborted', 'user', abort],
  )
  assert.deepEqual(heard, [
    ['added'],
    ['prioritized', Number.POSITIVE_INFINITY],
    ['run'],
    ['done', { n: 1 }],
    ['ended', 'done', { n: 1 }],
    ['added'],
    ['run'],
    ['failed', 'paper'],
    ['ended', 'failed', 'paper'],
    ['aborted', 'enough'],
    ['ended', 'aborted', 'enough'],
  ])
  assert.equal(commands(engine, 'ack').length, 1)
})

test("with events 'own' an end elsewhere lets the signal of its task go", async () => {
  const { tasker, engine } = play()
  tasker.on('task.ended', () => assert.fail('another process told it'))
  const { signal: abortSignal } = new AbortController()
  const adding = tasker.addTask({ operation: 'a', abortSignal })
  await null
  await engine.tell(['answer', engine.ticket('add'), uuid])
  await adding
  assert.deepEqual(remote(engine), ['ends'])
  assert.equal(getEventListeners(abortSignal, 'abort').length, 1)
  await engine.tell(['remoteEnd', uuid, 'done', null, 1], ['awaitAck'])
  assert.equal(getEventListeners(abortSignal, 'abort').length, 0)
  assert.equal(commands(engine, 'ack').length, 1)
})

test('events of others that were missed are a warning, and signals are looked after', async t => {
  const warnings = []
  const listener = ({ code, message }) => warnings.push([code, message])
  process.on('warning', listener)
  t.after(() => process.off('warning', listener))
  const { signal: abortSignal } = new AbortController()
  for (const events of ['own', 'all']) {
    const { tasker, engine } = play({ events })
    tasker.on('task.done', () => {})
    tasker.addTask({ operation: 'a', abortSignal })
    await null
    await engine.tell(['answer', engine.ticket('add'), uuid])
    await engine.tell(['eventsMissed', 12])
    assert.deepEqual(commands(engine, 'await'), [{ uuid }])
    await engine.tell(['answer', engine.ticket('command'), ['done', null, 1]])
    assert.equal(getEventListeners(abortSignal, 'abort').length, 0)
  }
  assert.equal(warnings.length, 1)
  assert.equal(warnings[0][0], 'TASKER_EVENTS_MISSED')
  assert.match(warnings[0][1], /12 commits/)
})

test('a refusal carries its code, path, process and tasks', async () => {
  const { tasker, engine } = play()
  const ready = rejection(tasker.ready())
  const wire = {
    code: 'TASKER_LOCKED',
    message: 'in use',
    path: 'store',
    pid: 7,
    uuids: [uuid],
    cause: 'errno 11',
  }
  await engine.tell(['refusal', engine.ticket('command'), wire])
  const { code, message, path, pid, uuids, cause } = await ready
  assert.deepEqual({ code, message, path, pid, uuids, cause }, wire)
})

test('messages for what is no longer known here are passed over', async () => {
  const { engine } = play({ runners: { a: () => {} } })
  await engine.tell(
    ['answer', 99, null],
    ['refusal', 99, { code: 'TASKER_BUG', message: '' }],
    ['runEnd', 99, 'done'],
    ['signal', 99, 'user', null],
    ['logs', 99, 1],
    ['progress', 99, 1],
    ['?', 99],
  )
  assert.equal(engine.shut, 0)
})

test('a message that is no JSON costs only itself (B-1)', async () => {
  const called = []
  const runners = { a: ({ data }) => called.push(data) }
  const { tasker, engine } = play({ runners })
  const reads = [tasker.countTasks(), tasker.getTask(uuid), tasker.countTasks()].map(read =>
    read.then(
      value => value,
      error => error.code,
    ),
  )
  const third = engine.ticket('read')
  const damaged = '{"a":"]}\\"","b":nonsense}'
  const texts = [
    `["answer",${third - 2},1]`,
    `["answer",${third - 1},${damaged}]`,
    `["taskEnd","${uuid}","failed","error",${damaged}]`,
    `["start",1,"${uuid}","${runId}","a",1,0,${damaged}]`,
    JSON.stringify(start(2, 'a', 'whole')),
    `["answer",${third},3]`,
  ]
  await engine.tellBatch(`[false,${since},${texts.join(',')}]`)
  assert.deepEqual(await Promise.all(reads), [1, 'TASKER_CORRUPT', 3])
  await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(called, ['whole'])
  const outcomes = engine.calls.filter(([name]) => name === 'complete')
  const settled = outcomes.flatMap(([, text]) => entries(text))
  const [, how, error] = settled.find(([slot]) => slot === 1)
  assert.deepEqual([how, error.code], ['unstorable', 'TASKER_CORRUPT'])
  assert.equal(settled.find(([slot]) => slot === 2)[1], 'returned')
})

test('messages that are lost leave no call waiting (B-1)', async () => {
  for (const fault of [new Error('Failed to convert'), 'no array at all', '[false,0,["answer"']) {
    const { tasker, engine } = play()
    const errors = []
    tasker.on('error', error => errors.push(error.code))
    const reading = rejection(tasker.countTasks())
    const closing = rejection(tasker.waitForTaskOutputData(uuid))
    await engine.tellBatch(fault)
    assert.match((await reading).code, /^TASKER_(BUG|CLOSED)$/)
    assert.match((await closing).code, /^TASKER_(BUG|CLOSED)$/)
    await tasker.close()
    await refused(tasker.countTasks(), 'TASKER_CLOSED')
    assert.equal(engine.shut, 1)
  }
})

test('what a batch leaves for the next turn is passed on in its order (B-18)', async () => {
  const { tasker, engine } = play()
  const heard = []
  tasker.on('task.ended', (_, status) => {
    heard.push(status)
    clock.ms += 10
  })
  const ends = [
    ['taskEnd', uuid, 'failed', 'lost', abort],
    ['taskEnd', uuid, 'aborted', 'user', abort],
    ['taskEnd', uuid, 'failed', 'poison', abort],
  ]
  const counted = tasker.countTasks()
  engine.batches.push([false, 0, ...ends, ['answer', engine.ticket('read'), 5]])
  engine.bell()
  assert.deepEqual(heard, ['failed'])
  // A notification meanwhile is not lost: its messages follow.
  engine.batches.push([false, 0, ['taskEnd', uuid, 'aborted', 'user', abort]])
  engine.bell()
  assert.equal(await counted, 5)
  while (heard.length < 4) await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(heard, ['failed', 'aborted', 'failed', 'aborted'])
})
