import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { gate, next, open, started } from './open.mjs'

const GENERAL = [
  'started',
  'stopped',
  'task.add',
  'task.added',
  'task.prioritized',
  'task.run',
  'task.log',
  'task.progress',
  'task.done',
  'task.failed',
  'task.aborted',
  'task.ended',
]

/** Records every general event with its arguments. */
function record(tasker) {
  const events = []
  for (const event of GENERAL) tasker.on(event, (...args) => events.push([event, ...args]))
  return events
}

const names = events => events.map(([event]) => event)

test('the order of one task: add, added, run, log, progress, done, ended (I-11)', async t => {
  const tasker = open(t)
  const events = record(tasker)
  tasker.assignRunner('a', ({ logger, progress }) => {
    logger.info('working', { n: 1 })
    progress(1, 1)
    return { ok: true }
  })
  await tasker.start()
  const definition = { operation: 'a', data: 1 }
  const uuid = await tasker.addTask(definition)
  await tasker.waitForTaskOutputData(uuid)
  await tasker.stop()
  const [{ at, ...line }] = events.filter(([event]) => event === 'task.log').map(args => args[2])
  assert.ok(at instanceof Date)
  assert.deepEqual(line, { level: 'info', message: 'working', attempt: 1, fields: { n: 1 } })
  assert.deepEqual(
    events.map(args => (args[0] === 'task.log' ? args.slice(0, 2) : args)),
    [
      ['started'],
      ['task.add', definition],
      ['task.added', uuid],
      ['task.run', uuid],
      ['task.log', uuid],
      ['task.progress', uuid, { current: 1, total: 1 }],
      ['task.done', uuid, { ok: true }],
      ['task.ended', uuid, 'done', { ok: true }],
      ['stopped'],
    ],
  )
})

test('each event of a task comes directly after its general one, without the uuid', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const events = []
  const uuid = await tasker.addTask({ operation: 'a' })
  const kinds = ['run', 'log', 'progress', 'failed', 'ended']
  for (const kind of kinds) {
    tasker.on(`task.${kind}`, (...args) => events.push([kind, ...args]))
    tasker.on(`task.${uuid}.${kind}`, (...args) => events.push([`own ${kind}`, ...args]))
  }
  const { context, reject } = await call(0)
  context.logger.info('hm')
  context.progress(1)
  const error = new Error('no')
  reject(error)
  await next(tasker, `task.${uuid}.ended`)
  assert.deepEqual(
    names(events),
    kinds.flatMap(kind => [kind, `own ${kind}`]),
  )
  const own = events.filter(([name]) => name.startsWith('own'))
  assert.deepEqual(own[0], ['own run'])
  assert.equal(own[1][1].message, 'hm')
  assert.deepEqual(own[3], ['own failed', error])
  assert.deepEqual(own[4], ['own ended', 'failed', error])
  assert.equal(own[4][2], error)
})

test('a listener attached after `await addTask` sees the run', async t => {
  const tasker = await started(t, { a: () => 1 })
  for (let n = 0; n < 100; n += 1) {
    const add = async () => (await (async () => tasker.addTask({ operation: 'a' }))()).trim()
    const uuid = await add()
    const events = []
    tasker.once(`task.${uuid}.run`, () => events.push('run'))
    await once(tasker, `task.${uuid}.ended`)
    assert.deepEqual(events, ['run'])
  }
})

test('a task aborted in the queue tells aborted and ended', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({ operation: 'never' })
  const events = record(tasker)
  const ended = next(tasker, `task.${uuid}.ended`)
  await tasker.abortTask(uuid, 'unwanted')
  const [status, reason] = await ended
  assert.equal(status, 'aborted')
  assert.deepEqual(
    [reason.name, reason.code, reason.message, reason.cause],
    ['AbortError', 'ABORT_ERR', 'unwanted', 'user'],
  )
  assert.deepEqual(names(events), ['task.aborted', 'task.ended'])
  assert.equal(events[0][2], reason)
})

test('addTasks tells add and added for each', async t => {
  const tasker = open(t)
  const events = record(tasker)
  const definitions = [{ operation: 'a' }, { operation: 'b' }]
  const uuids = await tasker.addTasks(definitions)
  assert.deepEqual(events, [
    ...definitions.map(definition => ['task.add', definition]),
    ...uuids.map(uuid => ['task.added', uuid]),
  ])
})

test('a refused task is not told as added', async t => {
  const tasker = open(t)
  const events = record(tasker)
  await tasker.addTask({ operation: '' }).catch(() => {})
  await tasker.addTask({ operation: 'a', data: 1n }).catch(() => {})
  assert.deepEqual(names(events), ['task.add'])
})

test('an event tells what is stored, not what the runner holds', async t => {
  const own = { list: [1], when: new Date(0) }
  const tasker = await started(t, { a: () => own })
  const done = next(tasker, 'task.done')
  await tasker.addTask({ operation: 'a' })
  const [, result] = await done
  assert.notEqual(result, own)
  assert.deepEqual(result, { list: [1], when: '1970-01-01T00:00:00.000Z' })
})

test('an event comes after the commit that makes it true (I-11)', async t => {
  const tasker = await started(t, { a: () => 1 })
  const seen = []
  const look = (event, expected) =>
    tasker.on(event, uuid =>
      seen.push(tasker.getTask(uuid).then(task => assert.ok(expected.includes(task.status)))),
    )
  look('task.added', ['new', 'running', 'done'])
  look('task.run', ['running', 'done'])
  look('task.done', ['done'])
  const uuids = await tasker.addTasks(Array.from({ length: 50 }, () => ({ operation: 'a' })))
  await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  assert.equal((await Promise.all(seen)).length, 150)
})

test('many tasks: each in its own order, none lost, none twice', async t => {
  const tasker = await started(t, {
    a: ({ data, logger }) => {
      logger.info(String(data))
      if (data % 3 === 0) throw new Error('third')
    },
  })
  const events = record(tasker)
  const uuids = await Promise.all(
    Array.from({ length: 600 }, (_, data) => tasker.addTask({ operation: 'a', data })),
  )
  await Promise.allSettled(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  for (const [i, uuid] of uuids.entries()) {
    const own = names(events.filter(args => args[1] === uuid))
    const end = i % 3 === 0 ? 'task.failed' : 'task.done'
    assert.deepEqual(own, ['task.added', 'task.run', 'task.log', end, 'task.ended'])
  }
})

test('listening and no longer listening to logs may change at any time', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  await tasker.addTask({ operation: 'a' })
  const { context, resolve } = await call(0)
  const heard = []
  const listener = (_, { message }) => heard.push(message)
  for (let n = 0; n < 20; n += 1) {
    context.logger.info(`unheard ${n}`)
    await tasker.countTasks()
    tasker.on('task.log', listener)
    const told = next(tasker, 'task.log')
    context.logger.info(`heard ${n}`)
    await told
    tasker.off('task.log', listener)
  }
  resolve()
  assert.deepEqual(
    heard.filter(message => message.startsWith('heard')),
    Array.from({ length: 20 }, (_, n) => `heard ${n}`),
  )
})
