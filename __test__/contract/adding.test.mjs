import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, open, refused } from './open.mjs'

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('addTask resolves with a uuid when the task is stored (I-1, I-16)', async t => {
  const tasker = open(t)
  const before = Date.now()
  const uuid = await tasker.addTask({ operation: 'greet', data: { name: 'Ada' }, priority: 3 })
  assert.match(uuid, UUID_V7)
  const { createdAt, seq, attempts: _, ...task } = await tasker.getTask(uuid)
  assert.ok(createdAt instanceof Date && createdAt.getTime() >= before - 1)
  assert.equal(seq, 1)
  assert.deepEqual(task, {
    uuid,
    operation: 'greet',
    data: { name: 'Ada' },
    priority: 3,
    status: 'new',
    state: 'ready',
    attempt: 0,
  })
})

test('a stored task is there after the file is closed and opened again', async t => {
  const store = file()
  const first = open(t, { store })
  const uuid = await first.addTask({ operation: 'later', data: [1, 'two'] })
  await first.close()
  const second = open(t, { store })
  assert.deepEqual((await second.getTask(uuid)).data, [1, 'two'])
  assert.equal(await second.countTasks(), 1)
})

test('what is stored comes back as JSON.stringify wrote it (F-23)', async t => {
  const tasker = open(t)
  const values = [
    null,
    true,
    0,
    -0.5,
    1e308,
    Number.MAX_SAFE_INTEGER,
    '',
    'ünï ☃ 💾',
    'lone \ud800 surrogate',
    '\u0000\u2028"\\',
    [],
    {},
    [[[[1]]]],
    { a: { b: [1, null] } },
    JSON.parse('{"__proto__":{"polluted":true},"constructor":1,"toString":2}'),
    { 'key.with.dots': 1, $dollar: 2, '': 3 },
  ]
  const uuids = await Promise.all(values.map(data => tasker.addTask({ operation: 'keep', data })))
  for (const [i, value] of values.entries()) {
    const { data } = await tasker.getTask(uuids[i])
    assert.equal(JSON.stringify(data), JSON.stringify(value))
  }
  assert.equal({}.polluted, undefined)
})

test('JSON decides what is kept of data: toJSON, undefined members, NaN', async t => {
  const tasker = open(t)
  const data = { at: new Date(0), none: undefined, nan: Number.NaN, list: [undefined] }
  const task = await tasker.getTask(await tasker.addTask({ operation: 'keep', data }))
  assert.deepEqual(task.data, { at: '1970-01-01T00:00:00.000Z', nan: null, list: [null] })
})

test('data that is undefined is absent', async t => {
  const tasker = open(t)
  for (const definition of [{ operation: 'a' }, { operation: 'a', data: undefined }]) {
    const task = await tasker.getTask(await tasker.addTask(definition))
    assert.equal('data' in task, false)
  }
})

test('data that JSON cannot hold is refused before anything is stored (F-23)', async t => {
  const tasker = open(t)
  const cycle = {}
  cycle.self = cycle
  const hostile = {
    get boom() {
      throw new Error('boom')
    },
  }
  const throwing = {
    toJSON() {
      throw new Error('no')
    },
  }
  for (const data of [1n, cycle, hostile, throwing, () => 1, Symbol('s'), { deep: { big: 1n } }]) {
    await refused(tasker.addTask({ operation: 'a', data }), 'TASKER_INVALID', 'data')
    const many = tasker.addTasks([{ operation: 'a' }, { operation: 'a', data }])
    await refused(many, 'TASKER_INVALID', '[1].data')
  }
  assert.equal(await tasker.countTasks(), 0)
})

test('a refusal of JSON says in one line what was wrong with the data (F-23)', async t => {
  const tasker = open(t)
  const cycle = {}
  cycle.self = cycle
  const words = [
    [{ big: 1n }, /^data: cannot be stored as JSON: .*BigInt$/],
    [cycle, /^data: cannot be stored as JSON: .*circular.*$/],
  ]
  for (const [data, message] of words) {
    await assert.rejects(tasker.addTask({ operation: 'a', data }), { message })
  }
})

test('every wrong field is refused with its path', async t => {
  const tasker = open(t)
  const wrong = [
    [undefined, 'task'],
    [null, 'task'],
    ['text', 'task'],
    [[], 'task'],
    [{}, 'operation'],
    [{ operation: '' }, 'operation'],
    [{ operation: 7 }, 'operation'],
    [{ operation: 'a', priority: Number.NaN }, 'priority'],
    [{ operation: 'a', priority: '5' }, 'priority'],
    [{ operation: 'a', priority: null }, 'priority'],
    [{ operation: 'a', runTimeout: 0 }, 'runTimeout'],
    [{ operation: 'a', runTimeout: -1 }, 'runTimeout'],
    [{ operation: 'a', runTimeout: Infinity }, 'runTimeout'],
    [{ operation: 'a', runTimeout: '5 minutes' }, 'runTimeout'],
    [{ operation: 'a', onInterrupted: 'explode' }, 'onInterrupted'],
    [{ operation: 'a', onStop: true }, 'onStop'],
    [{ operation: 'a', abortSignal: {} }, 'abortSignal'],
    [{ operation: 'a', prioriy: 1 }, 'prioriy'],
    [{ operation: 'a', uuid: 'mine' }, 'uuid'],
  ]
  for (const [definition, path] of wrong) {
    await refused(tasker.addTask(definition), 'TASKER_INVALID', path)
  }
  const { message } = await refused(
    tasker.addTask({ operation: 'a', prioriy: 1 }),
    'TASKER_INVALID',
  )
  assert.match(message, /there are operation, data, priority, .*, abortSignal$/)
  assert.equal(await tasker.countTasks(), 0)
})

test('a definition may be an instance of a class: getters and fields count (B-10)', async t => {
  class Base {
    get priority() {
      return 7
    }
  }
  class Mail extends Base {
    operation = 'mail'
    get data() {
      return { to: 'you' }
    }
    get abortSignal() {
      return new AbortController().signal
    }
  }
  class Spoken {
    toJSON() {
      return { operation: 'spoken', priority: 3 }
    }
  }
  const tasker = open(t)
  const uuids = [
    await tasker.addTask(new Mail()),
    ...(await tasker.addTasks([new Mail(), new Spoken()])),
  ]
  const tasks = await Promise.all(uuids.map(uuid => tasker.getTask(uuid)))
  assert.deepEqual(
    tasks.map(({ operation, priority, data }) => [operation, priority, data]),
    [
      ['mail', 7, { to: 'you' }],
      ['mail', 7, { to: 'you' }],
      ['spoken', 3, undefined],
    ],
  )
  for (const foreign of [
    new Map([['operation', 'a']]),
    new URL('file:///a'),
    new Date(),
    new (class {})(),
  ]) {
    await refused(tasker.addTask(foreign), 'TASKER_INVALID')
  }
})

test('a refusal says what is meant, or that it is not there yet', async t => {
  const tasker = open(t)
  const said = [
    [() => tasker.addTask('mail', { to: 'you' }), /addTask\(\{ operation, data \}\)/],
    [() => tasker.addTask({ operation: 'a', priority: '5' }), /must be a number; neither a string/],
    [
      () => tasker.prioritizeTask('018f0000-0000-7000-8000-000000000000', '5'),
      /must be a number, not a text/,
    ],
    [() => tasker.addTask({ operation: 'a', name: 'b' }), /operation is meant/],
    [() => tasker.addTask({ operation: 'a', attempts: 3 }), /retry is meant/],
    ...['jobId', 'singletonKey', 'deduplication'].map(word => [
      () => tasker.addTask({ operation: 'a', [word]: 'b' }),
      /unique is meant/,
    ]),
    [() => tasker.addTask({ operation: 'a', repeat: 1 }), /addSchedule is meant/],
    [() => tasker.addTask({ operation: 'a', removeOnComplete: 1 }), /retention is meant/],
  ]
  for (const [call, message] of said) {
    const error = await refused(call(), 'TASKER_INVALID')
    assert.match(error.message, message)
  }
})

test('tasks added in one tick are stored in the order of the calls (I-8)', async t => {
  const tasker = open(t)
  const numbers = Array.from({ length: 2_000 }, (_, n) => n)
  const uuids = await Promise.all(numbers.map(n => tasker.addTask({ operation: 'n', data: n })))
  assert.equal(new Set(uuids).size, numbers.length)
  const tasks = await tasker.findTasks({}, { sort: { seq: 1 } })
  assert.deepEqual(
    tasks.map(task => task.data),
    numbers,
  )
})

test('a wrong task spoils no other of the same tick', async t => {
  const tasker = open(t)
  const settled = await Promise.allSettled([
    tasker.addTask({ operation: 'a' }),
    tasker.addTask({ operation: '' }),
    tasker.addTask({ operation: 'b', data: 1n }),
    tasker.addTask({ operation: 'c' }),
  ])
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
  )
  assert.equal(await tasker.countTasks(), 2)
})

test('addTasks stores all, in order, or none', async t => {
  const tasker = open(t)
  const uuids = await tasker.addTasks([
    { operation: 'a', data: 1 },
    { operation: 'b', priority: -Infinity },
    { operation: 'a', data: 3 },
  ])
  const tasks = await Promise.all(uuids.map(uuid => tasker.getTask(uuid)))
  assert.deepEqual(
    tasks.map(({ operation, seq, priority }) => [operation, seq, priority]),
    [
      ['a', 1, 0],
      ['b', 2, -Infinity],
      ['a', 3, 0],
    ],
  )
  const wrong = [{ operation: 'a' }, { operation: 'a', priority: 'high' }]
  await refused(tasker.addTasks(wrong), 'TASKER_INVALID', '[1].priority')
  assert.equal(await tasker.countTasks(), 3)
})

test('addTasks of nothing is nothing; of something else it is refused', async t => {
  const tasker = open(t)
  assert.deepEqual(await tasker.addTasks([]), [])
  await refused(tasker.addTasks({ operation: 'a' }), 'TASKER_INVALID', 'tasks')
  await refused(tasker.addTasks([null]), 'TASKER_INVALID', '[0]')
})

test('a definition is read once and the caller may change it afterwards', async t => {
  const tasker = open(t)
  const definition = { operation: 'a', data: { n: 1 } }
  const adding = tasker.addTask(definition)
  definition.data.n = 2
  assert.deepEqual((await tasker.getTask(await adding)).data, { n: 1 })
})
