// Data and results that are hostile, strange or huge: refused before anything is stored, or stored
// as JSON.stringify writes them; and the tasker goes on (F-23, A-5).

import assert from 'node:assert/strict'
import { constants } from 'node:buffer'
import { test } from 'node:test'
import { file, open, refused, started } from '../contract/open.mjs'

/** A promise that never settles fails its test. */
const patience = { timeout: 300_000 }

const trap = () => {
  throw new Error('trapped')
}
const traps = { get: trap, ownKeys: trap, has: trap, getOwnPropertyDescriptor: trap }

function nested(levels) {
  let value = []
  for (let n = 1; n < levels; n += 1) value = [value]
  return value
}

/** The tasker still does its work, and holds no more tasks than these. */
async function assertSound(tasker, count) {
  assert.equal(await tasker.countTasks(), count)
  tasker.assignRunner('sound', ({ data }) => data)
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'sound', data: 'sound' })
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'sound')
}

test(
  'a definition that throws at any look is refused and spoils no neighbour (F-23)',
  patience,
  async t => {
    const tasker = open(t)
    const { proxy: revoked, revoke } = Proxy.revocable({ operation: 'a' }, {})
    revoke()
    const throwing = key =>
      Object.defineProperty({ operation: 'a' }, key, { get: trap, enumerable: true })
    const keys = ['operation', 'data', 'priority', 'runTimeout', 'onStop', 'abortSignal', 'other']
    const hostile = [
      ...keys.map(key => [throwing(key), key]),
      [new Proxy({ operation: 'a' }, traps)],
      [revoked],
      [{ operation: 'a', toJSON: trap }],
      [{ operation: 'a', data: { deep: [new Proxy({}, traps)] } }, 'data'],
      [{ operation: 'a', abortSignal: new Proxy({}, traps) }, 'abortSignal'],
      [
        {
          operation: 'a',
          abortSignal: {
            get aborted() {
              return trap()
            },
          },
        },
        'abortSignal',
      ],
    ]
    for (const [definition, path] of hostile) {
      const neighbour = tasker.addTask({ operation: 'a' })
      const text =
        path === 'priority' || path === 'runTimeout' || path === 'other' ? undefined : path
      await refused(tasker.addTask(definition), 'TASKER_INVALID', text)
      await refused(tasker.addTasks([{ operation: 'a' }, definition]), 'TASKER_INVALID')
      await neighbour
    }
    await assertSound(tasker, hostile.length)
  },
)

test('a definition whose JSON is something else is refused (F-23)', patience, async t => {
  const tasker = open(t)
  for (const json of [undefined, null, 7, 'text', [], { operation: 7 }, () => 1]) {
    const definition = { operation: 'a', toJSON: () => json }
    const error = await tasker.addTask(definition).catch(fault => fault)
    assert.equal(error.code, 'TASKER_INVALID', JSON.stringify(json))
  }
  await assertSound(tasker, 0)
})

test(
  'what JSON keeps of strange values is stored, in data and in results (F-23)',
  patience,
  async t => {
    const strange = {
      map: new Map([[1, 2]]),
      set: new Set([1]),
      buffer: Buffer.from('ab'),
      bytes: new Uint8Array([1, 2]),
      date: new Date(Number.NaN),
      numbers: [Number.NaN, -Infinity, -0, 5e-324],
      boxed: [Object(1), Object('s'), Object(false)],
      regexp: /a/,
      error: new Error('in data'),
      promise: Promise.resolve(1),
      holes: new Array(2),
      bare: Object.assign(Object.create(null), { bare: true }),
      'lone \udfff': '\ud800',
      text: '\u0000\u2028"\\/',
    }
    const tasker = await started(t, { same: () => strange })
    const uuid = await tasker.addTask({ operation: 'same', data: strange })
    const result = await tasker.waitForTaskOutputData(uuid)
    const task = await tasker.getTask(uuid)
    const expected = JSON.stringify(strange)
    for (const value of [result, task.data, task.result]) {
      assert.equal(JSON.stringify(value), expected)
    }
    assert.equal(await tasker.countTasks({ 'data.lone \udfff': '\ud800' }), 1)
  },
)

test(
  'hostile results fail their run, each with its reason, and nothing else (F-23)',
  patience,
  async t => {
    const results = {
      getter: {
        get boom() {
          return trap()
        },
      },
      json: { toJSON: trap },
      undefinedJson: {
        toJSON() {
          throw undefined
        },
      },
      proxy: { deep: new Proxy({}, traps) },
      big: [1n],
      noJson: { toJSON: () => undefined },
    }
    const tasker = await started(t, { give: ({ data }) => results[data] })
    for (const data of Object.keys(results)) {
      const uuid = await tasker.addTask({ operation: 'give', data })
      await refused(tasker.waitForTaskOutputData(uuid), 'TASKER_INVALID', 'result')
      const { status, cause, error } = await tasker.getTask(uuid)
      assert.deepEqual([status, cause, error.code], ['failed', 'unstorable', 'TASKER_INVALID'])
    }
    await assertSound(tasker, Object.keys(results).length)
  },
)

test('a toJSON may use the tasker, and even close it (F-25)', patience, async t => {
  const store = file()
  const other = { operation: 'other', data: { toJSON: () => tasker.listenerCount('error') } }
  const result = { toJSON: () => void tasker.addTask(other) ?? 1 }
  const tasker = await started(t, { a: () => result }, { store })
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.waitForTaskOutputData(uuid), 1)
  assert.equal(await tasker.countTasks({ operation: 'other', data: 0 }), 1)

  // The call came before the close: it is stored or refused, and what it says is true.
  const data = { toJSON: () => void tasker.close() ?? 'last' }
  const added = await tasker.addTask({ operation: 'b', data }).catch(({ code }) => code)
  await tasker.close()
  const count = await open(t, { store }).countTasks({ operation: 'b', data: 'last' })
  assert.equal(count, added === 'TASKER_CLOSED' ? 0 : 1)
})

test(
  '200,000 levels are refused as too deep, in data, results, logs, errors (A-5)',
  patience,
  async t => {
    const deep = nested(200_000)
    const lines = []
    const tasker = await started(t, {
      result: () => deep,
      log: ({ logger }) =>
        [logger.info('deep', { deep }), logger.child({ deep }).error('child')].length,
      error: () => {
        throw Object.assign(new Error('deep'), { deep, cause: deep })
      },
      value: () => {
        throw deep
      },
    })
    tasker.on('task.log', (_, line) => lines.push(line.fields))
    await refused(tasker.addTask({ operation: 'a', data: deep }), 'TASKER_TOO_LARGE', 'data')
    await refused(tasker.addTasks([{ operation: 'a', data: deep }]), 'TASKER_TOO_LARGE', '[0].data')
    await refused(tasker.countTasks({ data: deep }), 'TASKER_INVALID_QUERY')
    const wait = async operation =>
      tasker.waitForTaskOutputData(await tasker.addTask({ operation }))
    await refused(wait('result'), 'TASKER_TOO_LARGE', 'result')
    assert.equal(await wait('log'), 2)
    assert.equal(lines.length, 2)
    for (const fields of lines) assert.ok('leftOut' in fields)
    assert.equal((await wait('error').catch(error => error)).message, 'deep')
    assert.equal(await wait('value').catch(error => error), deep)
    for (const levels of [129, 1_000, 5_000]) {
      const add = tasker.addTask({ operation: 'a', data: nested(levels) })
      await refused(add, 'TASKER_TOO_LARGE', 'data')
    }
    await assertSound(tasker, 4)
  },
)

test(
  '100 MB and a string near the limit of V8 are refused, their neighbours stored (F-23)',
  patience,
  async t => {
    const large = 'x'.repeat(100e6)
    const near = 'x'.repeat(constants.MAX_STRING_LENGTH - 64)
    const tasker = await started(t, {
      give: ({ data }) => (data === 'large' ? large : [near, near]),
    })
    const before = tasker.addTask({ operation: 'before' })
    const adds = [large, near].map(data => tasker.addTask({ operation: 'a', data }))
    const after = tasker.addTask({ operation: 'after' })
    for (const add of adds) await refused(add, 'TASKER_TOO_LARGE', 'data')
    await Promise.all([before, after])
    for (const data of ['large', 'beyond']) {
      const uuid = await tasker.addTask({ operation: 'give', data })
      await refused(tasker.waitForTaskOutputData(uuid), 'TASKER_TOO_LARGE', 'result')
    }
    await refused(tasker.addTask({ operation: large }), 'TASKER_TOO_LARGE', 'operation')
    await assertSound(tasker, 4)
  },
)
