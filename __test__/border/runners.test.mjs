// Runners that misbehave: one outcome per run, and the tasker goes on (F-22).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, imports, open, rejection, run, started } from '../contract/open.mjs'

/** A promise that never settles fails its test. */
const patience = { timeout: 300_000 }

const then = 'then'

test('a thenable gives its run one outcome, whatever it does (F-22)', patience, async t => {
  const thrower = {
    [then]() {
      throw new Error('in then')
    },
  }
  const thenables = {
    throwing: () => thrower,
    twice: () => ({
      [then]: (resolve, reject) => [reject(new Error('first')), resolve(2), reject(3)],
    }),
    resolvedThenThrows: () => ({
      [then](resolve) {
        resolve('kept')
        throw new Error('dropped')
      },
    }),
    nested: () => ({ [then]: resolve => resolve({ [then]: inner => inner('inside') }) }),
    lateTwice: () => ({
      [then]: resolve => setImmediate(() => [resolve('late'), setImmediate(resolve, 'later')]),
    }),
    rejectsUndefined: () => Promise.reject(),
    noFunction: () => ({ [then]: 'a text' }),
    proxied: () => new Proxy(Promise.resolve(1), {}),
  }
  const tasker = await started(t, thenables)
  const ends = []
  tasker.on('task.ended', (uuid, status) => ends.push([uuid, status]))
  const outcome = async operation => {
    const uuid = await tasker.addTask({ operation })
    return tasker.waitForTaskOutputData(uuid).then(
      value => ['done', value],
      error => ['failed', error],
    )
  }
  const { message } = (await outcome('throwing'))[1]
  assert.equal(message, 'in then')
  assert.equal((await outcome('twice'))[1].message, 'first')
  assert.deepEqual(await outcome('resolvedThenThrows'), ['done', 'kept'])
  assert.deepEqual(await outcome('nested'), ['done', 'inside'])
  assert.deepEqual(await outcome('lateTwice'), ['done', 'late'])
  assert.deepEqual(await outcome('rejectsUndefined'), ['failed', undefined])
  assert.deepEqual(await outcome('noFunction'), ['done', { [then]: 'a text' }])
  assert.equal((await outcome('proxied'))[0], 'failed')
  assert.equal(new Set(ends.map(([uuid]) => uuid)).size, Object.keys(thenables).length)
  assert.equal(ends.length, Object.keys(thenables).length)
})

test(
  'errors whose parts are hostile fail their run; a rebuilt one can be read (F-22)',
  patience,
  async t => {
    const trap = () => {
      throw new Error('trapped')
    }
    const several = new AggregateError([], 'several')
    several.errors = new Proxy([], { get: trap })
    const length = new AggregateError([], 'length')
    length.errors = new Proxy([], {
      get: (_, key) => (key === 'length' ? { valueOf: trap } : trap()),
    })
    const words = Object.assign(new Error(), { message: { toString: trap }, name: 7, stack: 1n })
    const forms = [
      several,
      length,
      words,
      Object.freeze(new TypeError('frozen')),
      Object.create(null),
    ]
    const store = file()
    const uuids = []
    const runner = ({ data }) => {
      throw forms[data]
    }
    const tasker = await started(t, { fail: runner }, { store })
    for (const [data, form] of forms.entries()) {
      const uuid = await tasker.addTask({ operation: 'fail', data })
      assert.equal(await rejection(tasker.waitForTaskOutputData(uuid)), form)
      uuids.push(uuid)
    }
    await tasker.close()
    const again = open(t, { store })
    const messages = []
    for (const uuid of uuids)
      messages.push((await rejection(again.waitForTaskOutputData(uuid))).message)
    assert.deepEqual(messages, ['several', 'length', '', 'frozen', undefined])
  },
)

test(
  'a reason of an abort may be anything; a wait rejects with an AbortError (F-22)',
  patience,
  async t => {
    const trap = () => {
      throw new Error('trapped')
    }
    const mute = new Error()
    mute.message = { toString: trap }
    const traps = { get: trap, has: trap, ownKeys: trap, getPrototypeOf: trap }
    const reasons = [mute, new Proxy({}, traps), 1n, Symbol('s'), () => 1, '\ud800', null]
    const store = file()
    const tasker = open(t, { store })
    const uuids = []
    for (const reason of reasons) {
      const uuid = await tasker.addTask({ operation: 'a' })
      const waiting = rejection(tasker.waitForTaskOutputData(uuid))
      assert.equal(await tasker.abortTask(uuid, reason), true)
      const error = await waiting
      assert.deepEqual([error.name, error.cause], ['AbortError', 'user'])
      uuids.push(uuid)
    }
    await tasker.close()
    const again = open(t, { store })
    for (const uuid of uuids) {
      assert.equal((await rejection(again.waitForTaskOutputData(uuid))).name, 'AbortError')
    }
  },
)

test(
  'a logger takes anything and never throws, and the tasker goes on (F-22, I-15)',
  patience,
  async t => {
    const trap = () => {
      throw new Error('trapped')
    }
    const withMessage = message => Object.assign(new Error(), { message })
    const odd = [
      undefined,
      null,
      5,
      1n,
      Symbol('s'),
      () => 1,
      {},
      Object.create(null),
      { toString: trap },
    ]
    const messages = [...odd, ...odd.map(withMessage), 'lone \ud800', `${'x'.repeat(16_382)}💾💾`]
    const hostile = [
      1n,
      { a: 1n },
      new Proxy({}, { get: trap, ownKeys: trap }),
      Symbol('s'),
      () => 1,
      [1],
    ]
    const told = []
    const tasker = await started(t, {
      log: ({ logger }) => {
        for (const message of messages) logger.info(message)
        for (const fields of hostile) logger.info('fields', fields)
        for (const fields of hostile) logger.child(fields).info('child', fields)
        return 'told'
      },
    })
    tasker.on('task.log', (_, { message }) => told.push(message))
    const uuid = await tasker.addTask({ operation: 'log' })
    assert.equal(await tasker.waitForTaskOutputData(uuid), 'told')
    const { logs } = await tasker.getTask(uuid, { withLogs: true })
    assert.equal(logs.length, messages.length + 2 * hostile.length)
    const stored = logs.map(({ message }) => message)
    assert.deepEqual(stored, told)
    assert.equal(stored.includes(''), false)
    assert.equal(stored[messages.length - 2], 'lone \ufffd')
  },
)

test(
  'a progress report that is none throws in the runner and stores nothing (F-22)',
  patience,
  async t => {
    const wrong = [[Number.NaN], [1, Infinity], ['1'], [1n], [1, 2, 3], [1, 2, '\ud800'], []]
    const tasker = await started(t, {
      a: ({ progress }) =>
        wrong.map(args => {
          try {
            return progress(...args)
          } catch ({ code }) {
            return code
          }
        }),
    })
    const uuid = await tasker.addTask({ operation: 'a' })
    const codes = await tasker.waitForTaskOutputData(uuid)
    assert.deepEqual(codes, Array(wrong.length).fill('TASKER_INVALID'))
    assert.equal('progress' in (await tasker.getTask(uuid)), false)
  },
)

test(
  'a runner that calls process.exit costs an attempt, and the next open goes on (F-22)',
  patience,
  async t => {
    const store = file()
    const script = `${imports}
    const tasker = new Tasker({ store: ${JSON.stringify(store)}, concurrency: 1 })
    tasker.assignRunner('first', ({ logger }) => logger.info('kept'))
    tasker.assignRunner('exit', ({ logger }) => { logger.info('gone'); process.exit(7) })
    await tasker.addTasks(['first', 'exit', 'after'].map(operation => ({ operation })))
    await tasker.start()
  `
    assert.equal((await run(script)).code, 7)
    const runners = { exit: ({ attempt }) => attempt, after: () => 'ran' }
    const tasker = await started(t, runners, { store })
    const [first, exit, after] = await tasker.findTasks({}, { sort: { seq: 1 }, withLogs: true })
    assert.equal(first.status, 'done')
    assert.equal(first.logs[0].message, 'kept')
    assert.equal(await tasker.waitForTaskOutputData(exit.uuid), 2)
    assert.equal(await tasker.waitForTaskOutputData(after.uuid), 'ran')
    const { attempts } = await tasker.getTask(exit.uuid)
    assert.deepEqual(
      attempts.map(({ outcome }) => outcome),
      ['lost', 'done'],
    )
  },
)

test(
  'a runner may close the tasker without waiting; its own result still counts (F-25)',
  patience,
  async t => {
    const store = file()
    const closed = []
    const tasker = await started(
      t,
      { a: () => void closed.push(tasker.close()) ?? 'last word' },
      { store },
    )
    const uuid = await tasker.addTask({ operation: 'a' })
    await tasker.waitForTaskOutputData(uuid).catch(() => {})
    await Promise.all(closed)
    assert.equal(closed.length, 1)
    assert.equal(await open(t, { store }).waitForTaskOutputData(uuid), 'last word')
  },
)
