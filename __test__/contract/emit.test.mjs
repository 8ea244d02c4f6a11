// Events go through `emit`: what wraps or overrides it hears every one of them.

import assert from 'node:assert/strict'
import { EventEmitter, errorMonitor } from 'node:events'
import { test } from 'node:test'
import { Tasker } from '../../index.mjs'
import { imports, open, rejection, run, runs, started } from './open.mjs'

const runners = {
  a: ({ logger, progress, data }) => {
    logger.info('a line')
    progress(1, 2)
    return data
  },
}

const general = [
  ...['task.add', 'task.added', 'task.run', 'task.log', 'task.progress', 'task.done'],
  'task.ended',
]

/** All events of one task in their order, with those of the single task. */
const allOf = uuid =>
  general.flatMap(event =>
    event === 'task.add' ? [event] : [event, event.replace('.', `.${uuid}.`)],
  )

/** Runs one task, with a listener that throws between two others. */
async function runOne(tasker) {
  const heard = []
  tasker.on('task.done', () => heard.push('first'))
  tasker.once('task.done', () => heard.push('once'))
  tasker.on('task.done', (uuid, result) => heard.push([uuid, result]))
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'a', data: 7 })
  await tasker.waitForTaskOutputData(uuid)
  await tasker.close()
  assert.deepEqual(heard, ['first', 'once', [uuid, 7]])
  return uuid
}

test('an `emit` that is wrapped hears all events, also those without a listener', async () => {
  const tasker = new Tasker({ store: ':memory:', runners })
  const seen = []
  const { emit } = tasker
  tasker.emit = function (event, ...args) {
    assert.equal(this, tasker)
    seen.push(event)
    return Reflect.apply(emit, this, [event, ...args])
  }
  const uuid = await runOne(tasker)
  const others = ['newListener', 'removeListener', 'idle', 'drained']
  assert.deepEqual(
    others.slice(-2).filter(event => seen.includes(event)),
    ['idle', 'drained'],
  )
  const told = seen.filter(event => !others.includes(event))
  assert.deepEqual(told, ['started', ...allOf(uuid), 'stopped'])
})

test('an `emit` that a class overrides hears all events', async () => {
  const seen = []
  class Traced extends Tasker {
    emit(event, ...args) {
      seen.push(event)
      return super.emit(event, ...args)
    }
  }
  const uuid = await runOne(new Traced({ store: ':memory:', runners }))
  assert.deepEqual(
    seen.filter(event => event.startsWith('task.')),
    allOf(uuid),
  )
})

test('an `emit` that is wrapped in the prototype of all emitters hears all events', async t => {
  const { emit } = EventEmitter.prototype
  t.after(() => {
    EventEmitter.prototype.emit = emit
  })
  const tasker = new Tasker({ store: ':memory:', runners })
  const seen = []
  EventEmitter.prototype.emit = function (event, ...args) {
    if (this === tasker) seen.push(event)
    return Reflect.apply(emit, this, [event, ...args])
  }
  const uuid = await runOne(tasker)
  assert.deepEqual(
    seen.filter(event => event.startsWith('task.')),
    allOf(uuid),
  )
})

test('it may be wrapped while tasks run, and unwrapped', async t => {
  const tasker = await started(t, runners)
  const wait = async () =>
    tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'a', data: 1 }))
  await wait()
  const seen = []
  tasker.emit = (event, ...args) => {
    seen.push(event)
    return EventEmitter.prototype.emit.call(tasker, event, ...args)
  }
  await wait()
  assert.ok(seen.includes('task.run') && seen.includes('task.done'))
  delete tasker.emit
  const { length } = seen
  await wait()
  assert.equal(seen.length, length)
})

test('a listener that throws harms no other and no wrapper of `emit` (I-15)', async () => {
  const script = `${imports}
    const uncaught = []
    process.on('uncaughtException', error => uncaught.push(error.message))
    const tasker = new Tasker({ store: ':memory:', runners: { a: ({ data }) => data } })
    const { emit } = tasker
    let isBroken = false
    tasker.emit = (...args) => {
      if (isBroken) throw new Error('wrapper')
      return emit.apply(tasker, args)
    }
    const heard = []
    tasker.on('task.done', () => { throw new Error('thrown') })
    tasker.on('task.done', async () => { throw new Error('rejected') })
    tasker.on('task.done', () => ({ get then() { throw new Error('hostile') } }))
    tasker.on('task.done', () => { heard.push('last') })
    await tasker.start()
    const wait = async () =>
      tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'a', data: 7 }))
    await wait()
    isBroken = true
    const result = await wait()
    await tasker.close()
    await new Promise(resolve => setImmediate(resolve))
    console.log(JSON.stringify({ heard, result, uncaught: [...new Set(uncaught)].sort() }))
  `
  const told = JSON.parse(await runs(script))
  const uncaught = ['hostile', 'rejected', 'thrown', 'wrapper']
  assert.deepEqual(told, { heard: ['last'], result: 7, uncaught })
})

test('what the user emits behaves as in any emitter, also in a listener of ours', async t => {
  const tasker = open(t)
  const thrown = []
  tasker.on('mine', () => {
    throw new Error('mine')
  })
  assert.throws(() => tasker.emit('mine'), { message: 'mine' })
  tasker.on('task.added', () => {
    try {
      tasker.emit('mine')
    } catch (error) {
      thrown.push(error.message)
    }
  })
  await tasker.addTask({ operation: 'a' })
  assert.deepEqual(thrown, ['mine'])
  const listener = () => {}
  tasker.once('other', listener)
  assert.deepEqual(tasker.listeners('other'), [listener])
  assert.equal(tasker.listenerCount('other', listener), 1)
  tasker.off('other', listener)
  assert.equal(tasker.listenerCount('other'), 0)
  assert.throws(() => tasker.on('other', 'no function'), { code: 'ERR_INVALID_ARG_TYPE' })
})

/** Opens a store, breaks it under the tasker, and adds. */
const breaks = `${imports}
  import { mkdtempSync, renameSync, rmSync } from 'node:fs'
  import { tmpdir } from 'node:os'
  const place = mkdtempSync(tmpdir() + '/tasker-')
  const tasker = new Tasker(place + '/tasks.db')
  await tasker.ready()
  const fail = () => {
    // Not removed: the engine may make a file in it meanwhile.
    renameSync(place, place + '-gone')
    process.on('exit', () => rmSync(place + '-gone', { recursive: true }))
    return tasker.addTask({ operation: 'a' }).catch(error => console.log('refused', error.code))
  }
`

test('`errorMonitor` is told of a fault, whether someone listens to `error` or not', async () => {
  for (const listens of [true, false]) {
    const script = `${breaks}
      import { errorMonitor } from 'node:events'
      process.on('warning', ({ code }) => console.log('warning', code))
      tasker.on(errorMonitor, error => console.log('monitor', error.code))
      if (${listens}) tasker.on('error', error => console.log('error', error.code))
      await fail()
    `
    const out = (await runs(script)).trim().split('\n')
    const last = listens ? 'error TASKER_IO' : 'warning TASKER_IO'
    assert.deepEqual(out.sort(), ['monitor TASKER_IO', 'refused TASKER_IO', last].sort())
  }
  assert.equal(typeof errorMonitor, 'symbol')
})

test('a worker that ends by a fault nobody listens to has failed (S-4)', async () => {
  const codes = []
  const setups = ['', 'await tasker.start()', "await tasker.start(); tasker.on('error', () => {})"]
  for (const setup of setups) codes.push((await run(`${breaks}${setup}\nawait fail()`)).code)
  assert.deepEqual(codes, [0, 1, 0])
})

test('listeners of one task go when it has ended, and when the tasker is closed (S-6)', async t => {
  const tasker = await started(t, { a: () => 1 })
  const single = () =>
    tasker.eventNames().filter(event => /^task\.[0-9a-f-]{36}\./.test(String(event)))
  const uuid = await tasker.addTask({ operation: 'a' })
  const ended = new Promise(resolve => tasker.on(`task.${uuid}.ended`, resolve))
  for (const event of ['failed', 'aborted', 'log', 'done'])
    tasker.on(`task.${uuid}.${event}`, () => {})
  await ended
  assert.deepEqual(single(), [])
  const waiting = await tasker.addTask({ operation: 'waits' })
  tasker.on(`task.${waiting}.done`, () => {})
  assert.equal(single().length, 1)
  await tasker.close()
  assert.deepEqual(single(), [])
  await rejection(tasker.ready())
})
