import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, gate, next, open, refused, started } from './open.mjs'

const LEVELS = ['crit', 'error', 'warning', 'notice', 'info', 'debug']

/** Runs one task and gives it with its logs. */
async function logged(t, runner, options = {}, level = 'debug') {
  const tasker = await started(t, { a: runner }, options)
  const uuid = await tasker.addTask({ operation: 'a' })
  await tasker.waitForTaskOutputData(uuid)
  const task = await tasker.getTask(uuid, { withLogs: true, logsMaxLevel: level })
  return { tasker, uuid, logs: task.logs }
}

test('log lines are stored in order, with level, time and fields (I-19)', async t => {
  const before = Date.now()
  const { logs } = await logged(t, ({ logger }) => {
    logger.notice('opening', { book: 'dune', pages: [1, 2] })
    logger.error('closing')
  })
  assert.deepEqual(
    logs.map(({ at, ...line }) => line),
    [
      {
        level: 'notice',
        message: 'opening',
        attempt: 1,
        fields: { book: 'dune', pages: [1, 2] },
      },
      { level: 'error', message: 'closing', attempt: 1 },
    ],
  )
  for (const { at } of logs) assert.ok(at instanceof Date && at.getTime() >= before - 1)
})

test('logs come only if asked for, and only up to a level', async t => {
  const runner = ({ logger }) => {
    for (const level of LEVELS) logger[level](level)
  }
  const { tasker, uuid } = await logged(t, runner, { logLevel: 'debug' })
  const levels = async options => {
    const found = [
      await tasker.getTask(uuid, options),
      await tasker.findTask({ uuid }, options),
      ...(await tasker.findTasks({ uuid }, options)),
    ].map(({ logs }) => logs?.map(({ level, message }) => level === message && level))
    assert.deepEqual(found[1], found[0])
    assert.deepEqual(found[2], found[0])
    return found[0]
  }
  assert.equal(await levels(), undefined)
  assert.equal(await levels({ withLogs: false }), undefined)
  assert.deepEqual(await levels({ withLogs: true }), LEVELS.slice(0, 5))
  for (const [i, logsMaxLevel] of LEVELS.entries()) {
    assert.deepEqual(await levels({ withLogs: true, logsMaxLevel }), LEVELS.slice(0, i + 1))
  }
  await refused(tasker.getTask(uuid, { logsMaxLevel: 'trace' }), 'TASKER_INVALID', 'logsMaxLevel')
  await refused(tasker.findTasks({}, { withLogs: 1 }), 'TASKER_INVALID', 'withLogs')
})

test('a task without logs has an empty list of them', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.deepEqual((await tasker.getTask(uuid, { withLogs: true })).logs, [])
})

test('logLevel says what is stored; info if nothing is said', async t => {
  const runner = ({ logger }) => {
    for (const level of LEVELS) logger[level](level)
  }
  for (const [logLevel, count] of [
    [undefined, 5],
    ['crit', 1],
    ['warning', 3],
    ['debug', 6],
  ]) {
    const { logs } = await logged(t, runner, { logLevel })
    assert.equal(logs.length, count, logLevel)
  }
})

test('a child adds its fields, and so do its children', async t => {
  const { logs } = await logged(t, ({ logger }) => {
    const child = logger.child({ part: 1, who: 'child' })
    child.info('one', { who: 'line' })
    child.child({ deep: true }).info('two')
    logger.info('three')
  })
  assert.deepEqual(
    logs.map(({ fields }) => fields),
    [{ part: 1, who: 'line' }, { part: 1, who: 'child', deep: true }, undefined],
  )
})

test('the logger never throws and leaves out what it cannot store (I-15)', async t => {
  const cycle = {}
  cycle.self = cycle
  const hostile = {
    get boom() {
      throw new Error('boom')
    },
  }
  const { logs } = await logged(t, ({ logger }) => {
    logger.info('big', { big: 1n })
    logger.info('cycle', cycle)
    logger.child(hostile).info('hostile')
    logger.info('list', [1])
    logger.info(new Error('as message'), new TypeError('as fields'))
    logger.info(undefined)
    logger.info(Symbol('s'))
    logger.info(Object.create(null))
  })
  const lines = logs.map(({ message }) => message)
  assert.deepEqual(lines.slice(0, 5), ['big', 'cycle', 'hostile', 'list', 'as message'])
  assert.deepEqual(lines.slice(5, 7), ['undefined', 'Symbol(s)'])
  for (const { fields } of logs.slice(0, 3)) assert.equal(typeof fields.leftOut, 'string')
  assert.deepEqual(logs[3].fields, { value: [1] })
  assert.equal(logs[4].fields.error.message, 'as fields')
})

test('an Error among the fields is stored readably, whatever is around it (I-15)', async t => {
  const error = Object.assign(new TypeError('no route', { cause: new Error('deep') }), { code: 7 })
  const hostile = new Proxy(new Error('hidden'), {
    getPrototypeOf() {
      throw new Error('no')
    },
  })
  const { logs } = await logged(t, ({ logger }) => {
    logger.error('one', { error, tries: 2 })
    logger.child({ error }).error('inherited')
    logger.error('list', [error])
    logger.error('hostile', { error, hostile })
    logger.error('own words', { error: Object.assign(new Error('x'), { toJSON: () => 'mine' }) })
  })
  const [one, inherited, list, odd, own] = logs.map(({ fields }) => fields)
  const { stack, cause, ...rest } = one.error
  assert.deepEqual(rest, { name: 'TypeError', message: 'no route', code: 7 })
  assert.equal(stack, error.stack)
  assert.equal(cause.message, 'deep')
  assert.equal(one.tries, 2)
  for (const found of [inherited.error, list.value[0], odd.error])
    assert.deepEqual(found, one.error)
  assert.deepEqual(own, { error: 'mine' })
})

test('keys of fields are only keys (A-11)', async t => {
  const fields = JSON.parse('{"__proto__":{"polluted":1},"constructor":2}')
  const { logs } = await logged(t, ({ logger }) => {
    logger.info('direct', fields)
    logger.child(fields).info('child', { own: 1 })
  })
  assert.equal(JSON.stringify(logs[0].fields), JSON.stringify(fields))
  assert.deepEqual(Object.keys(logs[1].fields), ['__proto__', 'constructor', 'own'])
  assert.equal({}.polluted, undefined)
})

test('logs written while the task runs can be read before it ends', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner })
  const uuid = await tasker.addTask({ operation: 'a' })
  const { context, resolve } = await call(0)
  const told = next(tasker, `task.${uuid}.log`)
  context.logger.info('half way')
  await told
  const { logs, status } = await tasker.getTask(uuid, { withLogs: true })
  assert.deepEqual([status, logs[0].message], ['running', 'half way'])
  resolve()
})

test('logs of a failed run are stored with it', async t => {
  const tasker = await started(t, {
    a: ({ logger }) => {
      logger.warning('about to fail')
      throw new Error('failed')
    },
  })
  const uuid = await tasker.addTask({ operation: 'a' })
  await tasker.waitForTaskOutputData(uuid).catch(() => {})
  const { logs } = await tasker.getTask(uuid, { withLogs: true })
  assert.equal(logs[0].message, 'about to fail')
})

test('what is logged after the end is dropped', async t => {
  const contexts = []
  const { tasker, uuid } = await logged(t, context => {
    contexts.push(context)
    context.logger.info('in time')
  })
  contexts[0].logger.info('too late')
  contexts[0].progress(1)
  await tasker.addTask({ operation: 'barrier' })
  const { logs, progress } = await tasker.getTask(uuid, { withLogs: true })
  assert.deepEqual([logs.length, progress], [1, undefined])
})

test('logs survive a restart and each attempt has its own', async t => {
  const store = file()
  const { runner, call } = gate()
  const tasker = await started(t, { a: runner }, { store })
  const uuid = await tasker.addTask({ operation: 'a' })
  const first = await call(0)
  const told = next(tasker, 'task.log')
  first.context.logger.info('first run')
  await told
  await tasker.stop({ onStop: 'postpone' })
  first.context.logger.info('lost its place')
  await tasker.start()
  const second = await call(1)
  second.context.logger.info('second run')
  second.resolve()
  await tasker.waitForTaskOutputData(uuid)
  await tasker.close()
  const { logs } = await open(t, { store }).getTask(uuid, { withLogs: true })
  assert.deepEqual(
    logs.map(({ message }) => message),
    ['first run', 'second run'],
  )
})

test('the functions of a logger need no this (B-14)', async t => {
  const { logs } = await logged(t, ({ logger: { info, child, warn } }) => {
    info('by itself')
    const { error } = child({ part: 1 })
    for (const each of [error, warn]) [each].map(write => write('handed on'))
  })
  assert.deepEqual(
    logs.map(({ level, message, fields }) => [level, message, fields]),
    [
      ['info', 'by itself', undefined],
      ['error', 'handed on', { part: 1 }],
      ['warning', 'handed on', undefined],
    ],
  )
})

test('log takes the level as a value; one that does not exist is told in the fields', async t => {
  const { logs } = await logged(t, ({ logger }) => {
    logger.log('notice', 'one')
    logger.log('warn', 'two', { n: 2 })
    logger.log('verbose', 'three', { n: 3 })
    logger.log(undefined, 'four')
  })
  assert.deepEqual(
    logs.map(({ level, message, fields }) => [level, message, fields]),
    [
      ['notice', 'one', undefined],
      ['warning', 'two', { n: 2 }],
      ['info', 'three', { level: 'verbose', n: 3 }],
      ['info', 'four', { level: 'undefined' }],
    ],
  )
})

test('what hangs on the fields of a line is read only as far as it is stored (B-3)', async t => {
  let reads = 0
  const rows = Array.from({ length: 300_000 }, () => ({
    get id() {
      reads += 1
      return reads
    },
  }))
  const { logs } = await logged(t, ({ logger }) => {
    logger.info('got', { rows })
    logger.info('got', { response: { body: Buffer.alloc(30e6) } })
    logger.info(rows)
    const child = logger.child({ rows })
    child.info('got')
    child.info('got', { rows })
    logger.error('failed', Object.assign(new Error('big'), { rows }))
  })
  const leftOut = { leftOut: 'the line would be longer than 64 KiB' }
  assert.deepEqual(logs[0].fields, leftOut)
  assert.deepEqual(logs[1].fields, leftOut)
  assert.equal(logs[2].message, '[object Array]')
  assert.deepEqual(logs[3].fields, leftOut)
  assert.deepEqual(logs[4].fields, leftOut)
  assert.equal(logs[5].fields.error.message, 'big')
  assert.ok(reads < 6 * 64 * 1024, `${reads} reads`)
})

test('task.log is emitted for the lines that are kept, and for no other (B-17)', async t => {
  const tasker = await started(t, {
    talk: ({ logger }) => {
      for (let i = 0; i < 10_500; i += 1) logger.info('line', { i })
    },
  })
  let heard = 0
  tasker.on('task.log', () => {
    heard += 1
  })
  const uuid = await tasker.addTask({ operation: 'talk' })
  await tasker.waitForTaskOutputData(uuid)
  const { logs } = await tasker.getTask(uuid, { withLogs: true })
  assert.deepEqual([heard, logs.length], [10_000, 10_000])
})

test('a logger can be copied, and its functions replaced, as any object of functions', async t => {
  const told = []
  const tasker = await started(t, {
    a({ logger }) {
      const copy = { ...logger }
      copy.info('copied')
      logger.info = message => told.push(message)
      logger.info('replaced')
    },
  })
  const uuid = await tasker.addTask({ operation: 'a' })
  await tasker.waitForTaskOutputData(uuid)
  const { logs } = await tasker.getTask(uuid, { withLogs: true })
  assert.deepEqual([told, logs.map(({ message }) => message)], [['replaced'], ['copied']])
})
