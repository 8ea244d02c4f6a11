import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, open, refused, rejection, started } from './open.mjs'

class QuotaError extends Error {
  constructor(message, options) {
    super(message, options)
    this.name = 'QuotaError'
    this.code = 'E_QUOTA'
    this.retryAfter = 30
    this.details = { limit: [1, 2] }
  }
}

/** Runs a runner that throws `value` and gives what a waiter gets and what is stored. */
async function thrown(t, value, options) {
  const runner = () => {
    throw value
  }
  const tasker = await started(t, { fail: runner }, options)
  const uuid = await tasker.addTask({ operation: 'fail' })
  const error = await rejection(tasker.waitForTaskOutputData(uuid))
  const task = await tasker.getTask(uuid)
  assert.equal(task.status, 'failed')
  assert.equal(task.cause, 'error')
  assert.equal('result' in task, false)
  return { tasker, uuid, error, stored: task.error }
}

test('who waits in the same process gets the thrown object itself', async t => {
  const value = new QuotaError('too much', { cause: new TypeError('below') })
  const { error, tasker, uuid } = await thrown(t, value)
  assert.equal(error, value)
  assert.equal(await rejection(tasker.waitForTaskOutputData(uuid)), value)
})

test('elsewhere an error is rebuilt with its stack, code, cause and own fields', async t => {
  const store = file()
  const value = new QuotaError('too much', { cause: new TypeError('below') })
  const { tasker, uuid } = await thrown(t, value, { store })
  await tasker.close()
  const error = await rejection(open(t, { store }).waitForTaskOutputData(uuid))
  assert.notEqual(error, value)
  assert.ok(error instanceof Error)
  assert.equal(error.name, 'QuotaError')
  assert.equal(error.message, 'too much')
  assert.equal(error.stack, value.stack)
  assert.equal(error.code, 'E_QUOTA')
  assert.equal(error.retryAfter, 30)
  assert.deepEqual(error.details, { limit: [1, 2] })
  assert.ok(error.cause instanceof Error)
  assert.equal(error.cause.name, 'TypeError')
  assert.equal(error.cause.message, 'below')
  assert.deepEqual(Object.keys(error).sort(), ['code', 'details', 'retryAfter'])
})

test('an error is stored as plain fields that can be queried', async t => {
  const { stored, tasker } = await thrown(t, new QuotaError('too much'))
  const { stack, ...rest } = stored
  assert.match(stack, /QuotaError/)
  assert.deepEqual(rest, {
    name: 'QuotaError',
    message: 'too much',
    code: 'E_QUOTA',
    retryAfter: 30,
    details: { limit: [1, 2] },
  })
  assert.equal(await tasker.countTasks({ 'error.code': 'E_QUOTA' }), 1)
})

test('a thrown value that is no Error comes back as that value', async t => {
  for (const value of ['text', 7, false, null, undefined, { plain: 1 }, [1, 2]]) {
    const store = file()
    const { error, stored, tasker, uuid } = await thrown(t, value, { store })
    assert.deepEqual(error, value)
    const expected = value === undefined ? { thrown: true } : { thrown: true, value }
    assert.deepEqual(stored, expected)
    await tasker.close()
    const again = await rejection(open(t, { store }).waitForTaskOutputData(uuid))
    assert.deepEqual(again, value)
  }
})

test('what cannot be stored is described instead', async t => {
  const { stored: big } = await thrown(t, 10n)
  assert.deepEqual(big, { thrown: true, value: '10' })
  const { stored: symbol } = await thrown(t, Symbol('s'))
  assert.deepEqual(symbol, { thrown: true, value: 'Symbol(s)' })
})

test('a cycle of causes ends, and so does a chain of a thousand', async t => {
  const loop = new Error('loop')
  loop.cause = loop
  const { stored } = await thrown(t, loop)
  assert.equal(stored.message, 'loop')
  assert.equal(stored.cause, undefined)

  let chain = new Error('0')
  for (let n = 1; n < 1_000; n += 1) chain = new Error(String(n), { cause: chain })
  let { stored: link } = await thrown(t, chain)
  let depth = 0
  while (link.cause) {
    link = link.cause
    depth += 1
  }
  assert.equal(depth, 8)
})

test('the errors of an AggregateError are kept', async t => {
  const value = new AggregateError([new RangeError('a'), 'b'], 'several')
  const { stored } = await thrown(t, value)
  assert.equal(stored.message, 'several')
  assert.deepEqual(
    stored.errors.map(one => one.message ?? one.value),
    ['a', 'b'],
  )
})

test('a hostile error fails its run and nothing else (F-22, I-15)', async t => {
  const getters = new Error('getters')
  for (const key of ['stack', 'message', 'name', 'code', 'cause', 'own']) {
    Object.defineProperty(getters, key, {
      enumerable: true,
      get() {
        throw new Error('never read me')
      },
    })
  }
  const trap = () => {
    throw new Error('trapped')
  }
  const traps = { get: trap, has: trap, ownKeys: trap, getPrototypeOf: trap }
  const proxy = new Proxy({}, traps)
  const errorProxy = new Proxy(new Error('inside'), { get: trap, ownKeys: trap })
  const { proxy: revoked, revoke } = Proxy.revocable({}, {})
  revoke()
  const text = {
    toString: trap,
    toJSON: trap,
    [Symbol.toPrimitive]: trap,
  }
  const polluting = new Error('polluting')
  Object.defineProperty(polluting, '__proto__', { value: { polluted: 1 }, enumerable: true })
  const frozen = Object.freeze(new Error('frozen'))
  let value
  const runner = () => {
    throw value
  }
  const tasker = await started(t, { fail: runner })
  for (value of [getters, proxy, errorProxy, revoked, text, polluting, frozen]) {
    const uuid = await tasker.addTask({ operation: 'fail' })
    // The object itself comes back, and not even a promise may look at it.
    const got = await tasker.waitForTaskOutputData(uuid).catch(error => [error])
    assert.equal(got[0] === value, true)
    const { status, error } = await tasker.getTask(uuid)
    assert.deepEqual([status, typeof error], ['failed', 'object'])
  }
  assert.equal({}.polluted, undefined)
})

test('each part of a stored error is bounded, and the whole too', async t => {
  const value = new Error('m'.repeat(1e6))
  value.stack = 's'.repeat(1e6)
  value.small = 'kept'
  value.huge = 'h'.repeat(1e6)
  for (let n = 0; n < 200; n += 1) value[`field${n}`] = 'ü'.repeat(3_000)
  let cause = value
  for (let n = 0; n < 8; n += 1) {
    cause.cause = new Error('☃'.repeat(1e5))
    cause = cause.cause
  }
  const { stored } = await thrown(t, value)
  assert.equal(stored.message.length, 8 * 1024)
  assert.equal(stored.stack.length, 16 * 1024)
  assert.equal(stored.small, 'kept')
  assert.equal(stored.huge, undefined)
  assert.ok(Buffer.byteLength(JSON.stringify(stored)) < 200 * 1024)
})

test('errors in fields are stored as errors, and come back as such (B-9)', async t => {
  const store = file()
  const bad = new Error('validation failed')
  bad.errors = { age: new RangeError('must be a number'), note: 'kept' }
  bad.original = Object.assign(new Error('duplicate key'), { code: 'E_DUP' })
  bad.details = [{ reason: new TypeError('deep') }]
  bad.code = { status: 503 }
  const { stored, tasker, uuid } = await thrown(t, bad, { store })
  assert.equal(stored.errors.age.message, 'must be a number')
  assert.equal(stored.errors.note, 'kept')
  assert.equal(stored.original.code, 'E_DUP')
  assert.deepEqual(stored.code, { status: 503 })
  await tasker.close()
  const error = await rejection(open(t, { store }).waitForTaskOutputData(uuid))
  for (const [found, name] of [
    [error.errors.age, 'RangeError'],
    [error.original, 'Error'],
    [error.details[0].reason, 'TypeError'],
  ]) {
    assert.ok(found instanceof Error)
    assert.equal(found.name, name)
  }
  assert.deepEqual(error.code, { status: 503 })
})

test('both parts of a SuppressedError are stored, though they do not show (B-9)', async t => {
  const suppressed = new Error('An error was suppressed during disposal')
  Object.defineProperty(suppressed, 'name', { value: 'SuppressedError' })
  Object.defineProperty(suppressed, 'error', { value: new Error('in dispose') })
  Object.defineProperty(suppressed, 'suppressed', { value: 'a text was thrown' })
  const { stored } = await thrown(t, suppressed)
  assert.equal(stored.error.message, 'in dispose')
  assert.equal(stored.suppressed, 'a text was thrown')
})

test('each of the errors of an AggregateError keeps its index (B-9)', async t => {
  const store = file()
  const many = new AggregateError([new Error('a'), undefined, null, 'text', new Error('e')], 'all')
  const { tasker, uuid } = await thrown(t, many, { store })
  await tasker.close()
  const { errors } = await rejection(open(t, { store }).waitForTaskOutputData(uuid))
  assert.deepEqual(
    errors.map(each => (each instanceof Error ? each.message : each)),
    ['a', undefined, null, 'text', 'e'],
  )
})

test('what hangs on an error is read no further than it can be stored (B-3)', async t => {
  let reads = 0
  const rows = Array.from({ length: 300_000 }, () => ({
    get id() {
      reads += 1
      return reads
    },
  }))
  const value = Object.assign(new Error('HTTP 500'), { response: { rows }, status: 500, rows })
  value.response.body = Buffer.alloc(30e6)
  const { stored } = await thrown(t, value)
  assert.equal(stored.status, 500)
  assert.equal('response' in stored || 'rows' in stored, false)
  assert.ok(reads < 200 * 1024, `${reads} reads`)
})

test('a text that is no uuid names no task: it may come from a URL', async t => {
  const tasker = open(t)
  for (const text of ['', 'x', '%00', '018f0000-0000-7000-8000-00000000000', 'x'.repeat(1e6)]) {
    for (const call of ['getTask', 'abortTask', 'retryTask', 'waitForTaskOutputData']) {
      await refused(tasker[call](text), 'TASKER_NOT_FOUND')
    }
    await refused(tasker.prioritizeTask(text, 1), 'TASKER_NOT_FOUND')
    assert.ok((await rejection(tasker.getTask(text))).message.length < 100)
  }
})
