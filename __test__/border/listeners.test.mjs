// Listeners and signals of user code that misbehave (F-24, F-25).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { imports, open, refused, runs, started } from '../contract/open.mjs'

/** A promise that never settles fails its test. */
const patience = { timeout: 300_000 }

test('a signal whose methods throw costs no task its promise (F-24, I-15)', patience, async () => {
  const script = `${imports}
    const uncaught = new Set()
    process.on('uncaughtException', error => uncaught.add(error.message))
    const trap = () => { throw new Error('a method of the signal') }
    const hostile = () => ({ aborted: false, addEventListener: trap, removeEventListener: trap })
    const tasker = new Tasker({ store: ':memory:', runners: { a: () => 'ran' } })
    await tasker.start()
    const definition = () => ({ operation: 'a', abortSignal: hostile() })
    const definitions = [definition(), definition(), definition()]
    const uuids = await Promise.all([
      ...definitions.map(one => tasker.addTask(one)),
      tasker.addTask({ operation: 'a' }),
      tasker.addTasks(definitions),
    ])
    const results = uuids.flat().map(uuid =>
      tasker.waitForTaskOutputData(uuid, { abortSignal: hostile() }))
    const count = await tasker.countTasks({}, { abortSignal: hostile() })
    console.log(JSON.stringify([count, await Promise.all(results)]))
    await tasker.close()
    console.log([...uncaught].join())
  `
  const expected = `${JSON.stringify([7, Array(7).fill('ran')])}\na method of the signal\n`
  assert.equal(await runs(script), expected)
})

test(
  'a signal that throws when it is looked at again aborts nothing and blocks nothing',
  patience,
  async t => {
    const tasker = await started(t, { a: () => 'ran' })
    let looks = 0
    const signal = {
      get aborted() {
        looks += 1
        if (looks > 2) throw new Error('looked too often')
        return false
      },
      addEventListener() {},
      removeEventListener() {},
    }
    const uuids = await Promise.all([
      tasker.addTask({ operation: 'a', abortSignal: signal }),
      tasker.addTask({ operation: 'a' }),
    ])
    const results = await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
    assert.deepEqual(results, ['ran', 'ran'])
    assert.ok(looks > 2)
  },
)

test(
  'a listener that answers with a strange thenable harms no other (F-24)',
  patience,
  async () => {
    const script = `${imports}
    const uncaught = []
    process.on('uncaughtException', error => uncaught.push(error.message))
    const tasker = new Tasker(':memory:')
    const then = 'then'
    tasker.on('task.added', () => ({ [then]() { throw new Error('in then') } }))
    tasker.on('task.added', () => ({ get [then]() { throw new Error('getter') } }))
    const once = new Error('once')
    tasker.on('task.added', () => ({ [then]: (_, reject) => { reject(once); reject(2) } }))
    tasker.on('task.added', () => new Promise(() => {}))
    let heard = 0
    tasker.on('task.added', () => { heard += 1 })
    await tasker.addTask({ operation: 'a' })
    await tasker.close()
    await new Promise(resolve => setImmediate(resolve))
    console.log(heard, uncaught.slice(0, 3).sort().join())
  `
    assert.equal(await runs(script), '1 getter,in then,once\n')
  },
)

for (const event of ['started', 'task.add', 'task.added', 'task.run', 'task.log', 'task.ended']) {
  test(
    `close from a listener of ${event}: every promise settles (F-24, F-25)`,
    patience,
    async t => {
      const tasker = open(t, { runners: { a: ({ logger }) => logger.info('line') } })
      const closed = new Promise(resolve => tasker.once(event, () => resolve(tasker.close())))
      const calls = [
        tasker.start(),
        tasker.addTask({ operation: 'a' }),
        tasker.addTasks([{ operation: 'a' }, { operation: 'a' }]),
        tasker.countTasks(),
      ]
      const settled = await Promise.allSettled(calls)
      for (const { status, reason } of settled) {
        if (status === 'rejected') assert.equal(reason.code, 'TASKER_CLOSED')
      }
      await closed
      await refused(tasker.addTask({ operation: 'a' }), 'TASKER_CLOSED')
    },
  )
}

test(
  'after close no listener hears anything, whatever was under way (I-14, F-25)',
  patience,
  async t => {
    const tasker = await started(t, { a: () => 1 })
    const late = []
    const closed = []
    for (const event of ['task.added', 'task.run', 'task.done', 'task.ended', 'error']) {
      tasker.on(event, () => closed.length > 0 && late.push(event))
    }
    const adds = Array.from({ length: 500 }, () => tasker.addTask({ operation: 'a' }))
    const settling = Promise.allSettled(adds)
    await tasker.close({ onStop: 'postpone' }).then(() => closed.push(true))
    await settling
    await new Promise(resolve => setImmediate(resolve))
    assert.deepEqual(late, [])
  },
)
