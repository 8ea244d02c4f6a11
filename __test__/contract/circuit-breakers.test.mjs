// Circuit breakers: after so many failures nothing of an operation starts for a time.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { openTest } from '../../testing.mjs'
import { file, open, refused } from './open.mjs'

const PLAIN = { failures: 2, within: '1m', openFor: '30s' }
const TURNS = ['opened', 'halfOpened', 'closed']

/** Notes what is told of circuits. */
function listen(tasker) {
  const told = []
  for (const turn of TURNS) {
    tasker.on(`operation.circuit.${turn}`, (operation, facts) =>
      told.push([turn, operation, facts]),
    )
  }
  return told
}

/** A tasker of a test, with a runner for `call` that fails as its data says. */
async function guarded(t, circuitBreaker, more = {}) {
  const { tasker, clock, close } = await openTest()
  t.after(close)
  const started = []
  tasker.assignRunner('call', ({ data }) => {
    started.push(data?.n)
    if (data?.error) throw Object.assign(new Error('it fails'), data.error)
  })
  await tasker.defineOperation('call', { circuitBreaker, ...more })
  return { tasker, clock, started, told: listen(tasker) }
}

const call = (n, error, more) => ({ operation: 'call', data: { n, error, ...more } })

test('it opens, is tried, and closes, and says so', async t => {
  const { tasker, clock, started, told } = await guarded(t, PLAIN)
  await tasker.start()
  const first = clock.now()
  await tasker.addTasks([call(1, {}), call(2), call(3, { name: 'HttpError', status: 503 })])
  await clock.advance(1)
  await tasker.addTasks([call(4), call(5)])
  await clock.advance('29s')
  assert.deepEqual(started, [1, 2, 3])
  const [turn, operation, { until, error, ...rest }] = told[0]
  assert.deepEqual([told.length, turn, operation, rest], [1, 'opened', 'call', {}])
  assert.ok(error instanceof Error)
  assert.deepEqual([error.name, error.status], ['HttpError', 503])
  assert.ok(until - first >= 30_000 && until - first <= 30_001)
  await clock.advance('2s')
  assert.deepEqual(started, [1, 2, 3, 4, 5])
  assert.deepEqual(told.slice(1), [
    ['halfOpened', 'call', {}],
    ['closed', 'call', {}],
  ])
})

test('no attempt is used while it is open', async t => {
  const { tasker, clock, started } = await guarded(t, PLAIN, { retry: { attempts: 3 } })
  await tasker.start()
  const uuid = await tasker.addTask(call(1, {}))
  await clock.advance('29s')
  assert.deepEqual(started, [1, 1], 'two failures of one task open it too')
  const { attempt, state } = await tasker.getTask(uuid)
  assert.deepEqual([attempt, state], [2, 'ready'])
  await clock.advance('2s')
  const { status } = await tasker.getTask(uuid)
  assert.deepEqual([started.length, status], [3, 'failed'])
})

test('each value of a path has a circuit of its own, and says which', async t => {
  const breaker = { failures: 1, within: '1m', openFor: '30s', by: 'data.host' }
  const { tasker, clock, started, told } = await guarded(t, breaker)
  await tasker.start()
  await tasker.addTask(call(1, {}, { host: 'a' }))
  await clock.advance(1)
  const [waits] = await tasker.addTasks([call(2, undefined, { host: 'a' }), call(3), call(4, {})])
  await clock.advance(1)
  await tasker.addTask(call(5))
  await clock.advance(1)
  assert.deepEqual(started, [1, 3, 4])
  assert.deepEqual(
    told.map(([turn, , { key }]) => [turn, key]),
    [
      ['opened', 'a'],
      ['opened', undefined],
    ],
  )
  const { reasons, runnable } = await tasker.explainTask(waits)
  const [{ message, until, ...facts }] = reasons
  assert.equal(runnable, false)
  assert.match(message, /^the circuit of 'call' where data.host is "a" is open until 2/)
  assert.ok(until > clock.now())
  assert.deepEqual(facts, {
    reason: 'circuit',
    operation: 'call',
    failures: 1,
    within: 60_000,
    openFor: 30_000,
    probes: 1,
    by: 'data.host',
    key: 'a',
    state: 'open',
    probing: 0,
    ahead: 0,
    isCapped: false,
  })
  const { waiting, reasons: counts } = await tasker.explain({ operation: 'call' })
  assert.deepEqual([waiting, counts], [2, { circuit: 2 }])
})

test('what is half open says how many are tried', async t => {
  const { tasker, clock } = await guarded(t, { ...PLAIN, failures: 1, probes: 2 })
  let letGo
  await tasker.start()
  await tasker.addTask(call(1, {}))
  await clock.advance(1)
  tasker.unassignRunner('call')
  tasker.assignRunner('call', () => new Promise(resolve => (letGo = resolve)))
  const uuids = await tasker.addTasks([call(2), call(3), call(4)])
  await clock.advance('31s')
  const { reasons } = await tasker.explainTask(uuids[2])
  const [{ message, state, probing }] = reasons
  assert.deepEqual([state, probing], ['half-open', 2])
  assert.equal(message, "the circuit of 'call' is half-open: 2 tasks of 2 are being tried")
  letGo()
})

test('what counts is said by a query of the error, with what JSON has not', async t => {
  const when = { $or: [{ name: /^Http/, status: { $gte: 500 } }, { cause: 'run-timeout' }] }
  const { tasker, clock, started, told } = await guarded(t, { ...PLAIN, failures: 1, when })
  await tasker.start()
  await tasker.addTasks([call(1, { name: 'HttpError', status: 404 }), call(2, { status: 503 })])
  await clock.advance(1)
  assert.deepEqual(told, [])
  await tasker.addTask(call(3, { name: 'HttpError', status: 503 }))
  await clock.advance(1)
  assert.deepEqual([started, told.length], [[1, 2, 3], 1])
  const [{ options }] = await tasker.findOperations()
  assert.deepEqual(options.circuitBreaker, {
    failures: 1,
    within: 60_000,
    openFor: 30_000,
    probes: 1,
    when: {
      $or: [
        { name: { $regularExpression: { pattern: '^Http', options: '' } }, status: { $gte: 500 } },
        { cause: 'run-timeout' },
      ],
    },
  })
})

test('a wrong breaker is refused with the path of its member', async t => {
  const tasker = open(t)
  const bare = { failures: 1, within: 1, openFor: 1 }
  const wrong = [
    [5, 'circuitBreaker'],
    [{}, 'circuitBreaker.failures'],
    [{ ...bare, failures: 0 }, 'circuitBreaker.failures'],
    [{ ...bare, failures: 101 }, 'circuitBreaker.failures'],
    [{ ...bare, failures: Number.NaN }, 'circuitBreaker.failures'],
    [{ ...bare, within: '31d' }, 'circuitBreaker.within'],
    [{ ...bare, openFor: 0 }, 'circuitBreaker.openFor'],
    [{ ...bare, probes: 11 }, 'circuitBreaker.probes'],
    [{ ...bare, by: 'host' }, 'circuitBreaker.by'],
    [{ ...bare, halfOpen: 1 }, 'circuitBreaker.halfOpen'],
    [{ ...bare, when: 'all' }, 'circuitBreaker.when', 'TASKER_INVALID_QUERY'],
    [{ ...bare, when: { a: { $near: 1 } } }, 'circuitBreaker.when.a.$near', 'TASKER_INVALID_QUERY'],
    [{ ...bare, when: { a: () => {} } }, 'circuitBreaker.when.a', 'TASKER_INVALID_QUERY'],
  ]
  for (const [circuitBreaker, path, code = 'TASKER_INVALID'] of wrong) {
    const define = async () => tasker.defineOperation('a', { circuitBreaker })
    await refused(define(), code, path)
    const assign = () => tasker.assignRunner('a', () => {}, { circuitBreaker })
    assert.throws(assign, { code, path })
  }
  const both = { rateLimit: { limit: 1, per: 1, by: 'data.a' } }
  const other = { circuitBreaker: { ...bare, by: 'data.b' } }
  const define = tasker.defineOperation('a', { ...both, ...other })
  await refused(define, 'TASKER_INVALID', 'circuitBreaker.by')
  assert.deepEqual(await tasker.findOperations(), [])
  await tasker.defineOperation('a', both)
  tasker.assignRunner('a', () => {}, other)
  await refused(tasker.start(), 'TASKER_INVALID', 'circuitBreaker.by')
})

test('what is attached is not taken with a circuit by value', async t => {
  const { tasker } = await guarded(t, { ...PLAIN, by: 'data.host' })
  const add = tasker.addTask({ operation: 'call', attach: {} })
  await refused(add, 'TASKER_UNSUPPORTED', 'attach')
})

test('two taskers leave a server alone that fails, and go on when it works', async t => {
  const store = file()
  let isDown = true
  const [calls, waiting] = [[], []]
  const server = createServer((request, response) => {
    calls.push([request.url, isDown])
    response.writeHead(isDown ? 503 : 200).end()
    waiting.shift()?.()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address()
  const circuitBreaker = {
    ...PLAIN,
    failures: 3,
    openFor: 200,
    when: { name: 'HttpError', status: { $gte: 500 } },
  }
  const runner = async ({ data }) => {
    const { ok, status } = await fetch(`http://127.0.0.1:${port}/${data}`)
    if (!ok) throw Object.assign(new Error(`HTTP ${status}`), { name: 'HttpError', status })
  }
  const taskers = [open(t, { store }), open(t, { store })]
  const told = taskers.map(listen)
  await taskers[0].defineOperation('call', {
    circuitBreaker,
    concurrency: 1,
    retry: { attempts: 20 },
  })
  for (const tasker of taskers) tasker.assignRunner('call', runner)
  const data = Array.from({ length: 10 }, (_, n) => n)
  const uuids = await taskers[0].addTasks(data.map(n => ({ operation: 'call', data: n })))
  await Promise.all(taskers.map(tasker => tasker.start()))
  // Three that open it, and one that is tried: all in vain.
  while (calls.length < 4) await new Promise(resolve => waiting.push(resolve))
  isDown = false
  await Promise.all(uuids.map(uuid => taskers[1].waitForTaskOutputData(uuid)))
  const failed = calls.filter(([, wasDown]) => wasDown)
  const turns = told.flat().map(([turn]) => turn)
  assert.equal(calls.length, failed.length + uuids.length)
  // Each failure but the first two opened it, which one of the two has told.
  assert.equal(turns.filter(turn => turn === 'opened').length, failed.length - 2)
  assert.equal(turns.filter(turn => turn === 'halfOpened').length, failed.length - 2)
  assert.equal(turns.filter(turn => turn === 'closed').length, 1)
})

test('a restart neither closes it nor forgets its failures', async t => {
  const store = file()
  const circuitBreaker = { failures: 2, within: '1h', openFor: '1h' }
  const started = []
  for (let n = 0; n < 3; n++) {
    const tasker = open(t, { store })
    const told = listen(tasker)
    const fail = ({ data }) => {
      started.push(data)
      throw new Error('it fails')
    }
    tasker.assignRunner('call', fail, { circuitBreaker })
    const uuid = await tasker.addTask({ operation: 'call', data: n })
    await tasker.start()
    if (n < 2) await assert.rejects(tasker.waitForTaskOutputData(uuid), { message: 'it fails' })
    assert.equal(told.length, n === 1 ? 1 : 0)
    await tasker.close()
  }
  assert.deepEqual(started, [0, 1])
})
