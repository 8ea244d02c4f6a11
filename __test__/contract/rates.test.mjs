// Rate limits: how many tasks of an operation start in a time.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openTest } from '../../testing.mjs'
import { file, open, refused } from './open.mjs'

/** A tasker of a test, with a runner for `call` that notes the accounts. */
async function limited(t, rateLimit) {
  const { tasker, clock, close } = await openTest()
  t.after(close)
  const started = []
  tasker.assignRunner('call', ({ data }) => started.push(data?.account))
  await tasker.defineOperation('call', { rateLimit })
  return { tasker, clock, started }
}

const calls = accounts => accounts.map(account => ({ operation: 'call', data: { account } }))

test('a burst starts at once, and then one with each token', async t => {
  const { tasker, clock, started } = await limited(t, { limit: 2, per: '1m', burst: 3 })
  await tasker.addTasks(calls([1, 2, 3, 4, 5, 6]))
  await tasker.start()
  await clock.advance(1)
  assert.deepEqual(started, [1, 2, 3])
  await clock.advance(29_998)
  assert.deepEqual(started, [1, 2, 3])
  await clock.advance(1)
  assert.deepEqual(started, [1, 2, 3, 4])
  await clock.advance('1m')
  assert.deepEqual(started, [1, 2, 3, 4, 5, 6])
})

test('each value of a path has a limit of its own', async t => {
  const { tasker, clock, started } = await limited(t, { limit: 1, per: '1h', by: 'data.account' })
  await tasker.addTasks(calls(['a', 'a', 'b', undefined, null, undefined]))
  await tasker.start()
  await clock.advance(1)
  assert.deepEqual(started, ['a', 'b', undefined, null])
  await clock.advance('1h')
  assert.deepEqual(started.slice(4), ['a', undefined])
})

test('a changed limit holds at once, also for what waits', async t => {
  const { tasker, clock, started } = await limited(t, { limit: 1, per: '1d' })
  await tasker.addTasks(calls([1, 2, 3, 4]))
  await tasker.start()
  await clock.advance(1)
  await tasker.defineOperation('call', { rateLimit: { limit: 1, per: '1s' } })
  await clock.advance('1s')
  assert.deepEqual(started, [1, 2])
  await tasker.defineOperation('call', {})
  await clock.advance(1)
  assert.deepEqual(started, [1, 2, 3, 4])
})

test('findOperations shows what holds, with its default', async t => {
  const tasker = open(t)
  await tasker.defineOperation('a', { rateLimit: { limit: 100, per: '1m' } })
  tasker.assignRunner('b', () => {}, { rateLimit: { limit: 1, per: 5, burst: 7, by: 'tags.0' } })
  await tasker.addTask({ operation: 'b' })
  const found = await tasker.findOperations()
  const limits = found.map(({ name, options }) => [name, options.rateLimit])
  assert.deepEqual(Object.fromEntries(limits), {
    a: { limit: 100, per: 60_000, burst: 1 },
    b: { limit: 1, per: 5, burst: 7, by: 'tags.0' },
  })
})

test('explainTask and explain say who waits for a token', async t => {
  const { tasker, clock } = await limited(t, { limit: 4, per: '1m', by: 'data.account' })
  const uuids = await tasker.addTasks(calls(['a', 'a', 'a', 'b']))
  await tasker.start()
  await clock.advance(1)
  const { reasons, runnable } = await tasker.explainTask(uuids[2])
  const [{ message, nextAt, ...facts }] = reasons
  assert.equal(runnable, false)
  assert.equal(nextAt.getTime(), clock.now().getTime() + 14_999)
  assert.match(message, /^'call' starts 4 tasks in 60000 ms where data.account is "a"; the next/)
  assert.deepEqual(facts, {
    reason: 'rate-limit',
    operation: 'call',
    limit: 4,
    per: 60_000,
    burst: 1,
    by: 'data.account',
    key: 'a',
    ahead: 1,
    isCapped: false,
  })
  const { waiting, reasons: counts } = await tasker.explain({ operation: 'call' })
  assert.deepEqual([waiting, counts], [2, { 'rate-limit': 2 }])
  await tasker.defineOperation('call', { rateLimit: { limit: 1, per: '1h' } })
  const whole = await tasker.explain({ operation: 'call' })
  assert.equal(
    whole.waiting,
    Object.values(whole.reasons).reduce((sum, one) => sum + one, 0),
  )
})

test('a wrong limit is refused with the path of its member', async t => {
  const tasker = open(t)
  const wrong = [
    [100, 'rateLimit'],
    [{}, 'rateLimit.limit'],
    [{ limit: 0, per: 1 }, 'rateLimit.limit'],
    [{ limit: 1.5, per: 1 }, 'rateLimit.limit'],
    [{ limit: 1e9 + 1, per: 1 }, 'rateLimit.limit'],
    [{ limit: 1 }, 'rateLimit.per'],
    [{ limit: 1, per: '1 minute' }, 'rateLimit.per'],
    [{ limit: 1, per: 1, burst: 0 }, 'rateLimit.burst'],
    [{ limit: 1, per: '36500d', burst: 2 }, 'rateLimit.burst'],
    [{ limit: 1, per: 1, by: 'account' }, 'rateLimit.by'],
    [{ limit: 1, per: 1, by: '' }, 'rateLimit.by'],
    [{ limit: 1, per: 1, by: 'operation' }, 'rateLimit.by'],
    [{ limit: 1, per: 1, max: 1 }, 'rateLimit.max'],
  ]
  for (const [rateLimit, path] of wrong) {
    await refused(tasker.defineOperation('a', { rateLimit }), 'TASKER_INVALID', path)
    const assign = () => tasker.assignRunner('a', () => {}, { rateLimit })
    assert.throws(assign, { code: 'TASKER_INVALID', path })
  }
  const by = `data.${'x'.repeat(255)}`
  const long = tasker.defineOperation('a', { rateLimit: { limit: 1, per: 1, by } })
  await refused(long, 'TASKER_TOO_LARGE', 'rateLimit.by')
  assert.deepEqual(await tasker.findOperations(), [])
})

test('what is attached is not taken with a limit by value', async t => {
  const { tasker } = await limited(t, { limit: 1, per: 1, by: 'data.account' })
  const add = tasker.addTask({ operation: 'call', attach: {} })
  await refused(add, 'TASKER_UNSUPPORTED', 'attach')
})

test('a restart neither saves up tokens nor loses any', async t => {
  const store = file()
  const started = []
  for (let n = 0; n < 3; n++) {
    const tasker = open(t, { store })
    tasker.assignRunner('call', ({ data }) => started.push(data.account), {
      rateLimit: { limit: 1, per: '1h', burst: 2 },
    })
    const uuids = await tasker.addTasks(calls([n, n]))
    await tasker.start()
    if (n === 0) await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
    const waiting = await tasker.findTasks({ status: 'new' })
    assert.equal(waiting.length, 2 * n)
    await tasker.close()
  }
  assert.deepEqual(started, [0, 0])
})
