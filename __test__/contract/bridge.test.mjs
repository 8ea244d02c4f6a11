// The JavaScript side alone, against a native side that the test plays: orders and faults that a
// healthy engine shows rarely.

import assert from 'node:assert/strict'
import { getEventListeners, once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Tasker } from '../../index.mjs'
import { folder, gate, refused, rejection } from './open.mjs'

const place = join(folder(), 'played.cjs')
const played = `
  exports.open = (options, bell) => {
    const engine = { bell, calls: [], batches: [], shut: 0 }
    globalThis.engines.push(engine)
    const note = name => (...args) => engine.calls.push([name, ...args])
    const names = ['add', 'addMany', 'complete', 'record', 'command', 'read']
    return {
      ...Object.fromEntries(names.map(name => [name, note(name)])),
      drain: () => JSON.stringify(engine.batches.shift() ?? [false]),
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

/** A tasker with the engine that the test plays. */
function play(options = {}) {
  const tasker = new Tasker({ store: ':memory:', keepAlive: 'never', ...options })
  const engine = globalThis.engines.at(-1)
  /** Tells messages as the engine does: in a turn of the event loop of their own. */
  engine.tell = (...messages) =>
    new Promise(resolve => {
      engine.batches.push([false, ...messages])
      setImmediate(() => {
        engine.bell()
        setImmediate(resolve)
      })
    })
  /** The ticket of the last call of a kind. */
  engine.ticket = name => engine.calls.findLast(call => call[0] === name)[1]
  return { tasker, engine }
}

const start = (no, operation = 'a', data = null) => ['r', no, uuid, runId, operation, 1, 0, data]

test('calls of one tick travel as one text, in order, before any other call', async () => {
  const { tasker, engine } = play()
  tasker.addTask({ operation: 'a' })
  tasker.addTask({ operation: 'b' })
  tasker.countTasks()
  tasker.addTask({ operation: 'c' })
  await null
  assert.deepEqual(engine.calls, [
    ['add', 1, '[{"operation":"a"},{"operation":"b"}]'],
    ['read', 3, '{"do":"count","query":{}}'],
    ['add', 4, '[{"operation":"c"}]'],
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
  const [[record, records], [complete, outcomes]] = engine.calls.slice(1)
  assert.deepEqual([record, complete], ['record', 'complete'])
  const lines = JSON.parse(records)
  assert.deepEqual(
    lines.map(line => line.slice(0, 3)),
    [
      [1, 'l', 'info'],
      [1, 'p', 1],
      [2, 'l', 'info'],
      [2, 'p', 1],
    ],
  )
  assert.deepEqual(lines[0].slice(4), ['one', { n: 1 }])
  assert.deepEqual(lines[1].slice(3), [2, 'x'])
  assert.equal(outcomes, '[[1,0,{"ok":true}],[2,0,{"ok":true}]]')
})

test('starts wait until every continuation of an acknowledgement has run', async () => {
  const order = []
  const { tasker, engine } = play({ runners: { a: () => order.push('runner') } })
  const deep = async n => (n === 0 ? tasker.addTask({ operation: 'a' }) : await deep(n - 1))
  const adding = deep(20).then(() => order.push('continuation'))
  await null
  await engine.tell(start(1), ['a', engine.ticket('add'), uuid])
  await adding
  assert.deepEqual(order, ['continuation', 'runner'])
})

test('a run that is taken back before its runner was called is not called', async () => {
  const { runner, calls } = gate()
  const { engine } = play({ runners: { a: runner } })
  await engine.tell(start(1), start(2), ['s', 1, 'postponed'], ['x', 1, 'shutdown', null])
  assert.equal(calls.length, 1)
})

test('an end that stands before its signal has the reason of the signal', async () => {
  const { runner, call } = gate()
  const { tasker, engine } = play({ runners: { a: runner } })
  const ended = once(tasker, 'task.ended')
  await engine.tell(start(1))
  ;(await call(0)).reject(new Error('thrown'))
  await engine.tell(['s', 1, 'aborted', 'run-timeout'], ['x', 1, 'run-timeout', abort])
  const [, status, reason] = await ended
  assert.deepEqual([status, reason.message, reason.cause], ['aborted', 'enough', 'run-timeout'])
})

test('logs are told before the end, wherever their confirmation stands', async () => {
  for (const messages of [
    [
      ['l', 1, 2],
      ['s', 1, 'done'],
    ],
    [
      ['s', 1, 'done'],
      ['l', 1, 2],
    ],
    [['s', 1, 'done']],
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
    await engine.tell(...messages)
    assert.deepEqual(events, ['one', 'two', 'done'])
  }
})

test('a start of an operation whose runner was just taken away still finds it', async () => {
  const { runner, call } = gate()
  const { tasker, engine } = play({ runners: { a: runner } })
  const unassigning = tasker.unassignRunner('a')
  await engine.tell(['a', engine.ticket('command'), null], start(1))
  assert.equal(await unassigning, true)
  assert.ok(await call(0))
})

test('when more is waiting each later turn asks once, however often the bell rings', async () => {
  const { runner, calls } = gate()
  const { engine } = play({ runners: { a: runner } })
  engine.batches.push([true, start(1)], [true, start(2)], [false, start(3)])
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
  await engine.tell(['a', engine.ticket('command'), null], start(1))
  const { context } = await call(0)
  const { abortSignal } = context
  const waiting = rejection(tasker.waitForTaskOutputData(uuid))
  const fault = { code: 'TASKER_UNKNOWN', message: 'the sync failed', uuids: [uuid] }
  await engine.tell(['z', 'closed', fault])
  const [told] = await error
  assert.deepEqual([told.code, told.uuids], ['TASKER_UNKNOWN', [uuid]])
  assert.equal(await waiting, told)
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
  await engine.tell(['a', engine.ticket('command'), null])
  await engine.tell(['z', 'closed', { code: 'TASKER_BUG', message: 'a bug' }])
  assert.equal((await warning)[0].message, 'a bug')
})

test('a blocked loop is a warning of the process, with how long (F-22)', async () => {
  const { engine } = play()
  const warning = once(process, 'warning')
  await engine.tell(['w', 'event-loop-blocked', 12_345])
  const [{ code, message }] = await warning
  assert.equal(code, 'TASKER_EVENT_LOOP_BLOCKED')
  assert.match(message, /event loop was blocked.* 12345 ms/)
})

/** Commands of a kind that were sent, in order. */
const commands = (engine, kind) =>
  engine.calls
    .filter(([name]) => name === 'command')
    .map(([, , text]) => JSON.parse(text))
    .filter(command => command.do === kind)

const remote = engine => commands(engine, 'subscribe').map(({ remote }) => remote)

test("events of other processes are asked for with events 'all', as long as somebody listens", async () => {
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
    ['o', uuid, 'added'],
    ['o', uuid, 'prioritized', 'Infinity'],
    ['o', uuid, 'run'],
    ['o', uuid, 'done', null, { n: 1 }],
    ['o', uuid, 'added-and-run'],
    ['o', uuid, 'failed', null, failure],
    ['h'],
    ['o', uuid, 'aborted', 'user', abort],
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
  await engine.tell(['a', engine.ticket('add'), uuid])
  await adding
  assert.deepEqual(remote(engine), ['ends'])
  assert.equal(getEventListeners(abortSignal, 'abort').length, 1)
  await engine.tell(['o', uuid, 'done', null, 1], ['h'])
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
    await engine.tell(['a', engine.ticket('add'), uuid])
    await engine.tell(['w', 'events-missed', 12])
    assert.deepEqual(commands(engine, 'await'), [{ do: 'await', uuid }])
    await engine.tell(['a', engine.ticket('command'), ['done', null, 1]])
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
  await engine.tell(['n', engine.ticket('command'), wire])
  const { code, message, path, pid, uuids, cause } = await ready
  assert.deepEqual({ code, message, path, pid, uuids, cause }, wire)
})

test('messages for what is no longer known here are passed over', async () => {
  const { engine } = play({ runners: { a: () => {} } })
  await engine.tell(
    ['a', 99, null],
    ['n', 99, { code: 'TASKER_BUG', message: '' }],
    ['s', 99, 'done'],
    ['x', 99, 'user', null],
    ['l', 99, 1],
    ['p', 99, 1],
    ['?', 99],
  )
  assert.equal(engine.shut, 0)
})
