import assert from 'node:assert/strict'
import { on, once } from 'node:events'
import { test } from 'node:test'
import { imports, open, runs, started } from './open.mjs'

test('a listener that throws is an uncaught exception and harms no other (F-24)', async () => {
  const script = `${imports}
    const uncaught = []
    process.on('uncaughtException', error => uncaught.push(error.message))
    const tasker = new Tasker({ store: ':memory:', runners: { a: ({ data }) => data } })
    const heard = []
    for (const event of ['started', 'task.add', 'task.added', 'task.run', 'task.done', 'stopped']) {
      tasker.on(event, () => { throw new Error('first of ' + event) })
      tasker.on(event, () => { heard.push(event) })
      tasker.on(event, () => { throw new Error('last of ' + event) })
    }
    await tasker.start()
    const uuid = await tasker.addTask({ operation: 'a', data: 7 })
    const result = await tasker.waitForTaskOutputData(uuid)
    await tasker.close()
    await new Promise(resolve => setImmediate(resolve))
    console.log(JSON.stringify({ heard, uncaught, result }))
  `
  const { heard, uncaught, result } = JSON.parse(await runs(script))
  const events = ['started', 'task.add', 'task.added', 'task.run', 'task.done', 'stopped']
  assert.deepEqual(heard, events)
  assert.deepEqual(
    uncaught,
    events.flatMap(event => [`first of ${event}`, `last of ${event}`]),
  )
  assert.equal(result, 7)
})

test('a listener that rejects does not vanish', async t => {
  const script = `${imports}
    const uncaught = new Promise(resolve => process.once('uncaughtException', resolve))
    const tasker = new Tasker(':memory:')
    tasker.on('task.added', async () => { throw new Error('rejected') })
    await tasker.addTask({ operation: 'a' })
    console.log((await uncaught).message)
    await tasker.close()
  `
  assert.equal((await runs(script)).trim(), 'rejected')
  const tasker = open(t)
  const error = once(tasker, 'error')
  tasker.on('task.added', async () => {
    throw new Error('to the error listener')
  })
  await tasker.addTask({ operation: 'a' })
  assert.equal((await error)[0].message, 'to the error listener')
})

test('a listener may remove itself and others while it is called', async t => {
  const tasker = open(t)
  const heard = []
  const last = () => heard.push('last')
  tasker.once('task.added', () => heard.push('once'))
  tasker.on('task.added', function first() {
    heard.push('first')
    tasker.off('task.added', first)
    tasker.off('task.added', last)
  })
  tasker.on('task.added', last)
  await tasker.addTask({ operation: 'a' })
  await tasker.addTask({ operation: 'a' })
  assert.deepEqual(heard, ['once', 'first', 'last'])
})

test('events.once and events.on work', async t => {
  const tasker = await started(t, { a: ({ data }) => data })
  const controller = new AbortController()
  const stream = on(tasker, 'task.done', { signal: controller.signal })
  const first = once(tasker, 'task.done')
  const uuids = await tasker.addTasks([1, 2, 3].map(data => ({ operation: 'a', data })))
  assert.deepEqual(await first, [uuids[0], 1])
  const seen = []
  for await (const [, result] of stream) {
    seen.push(result)
    if (seen.length === 3) break
  }
  assert.deepEqual(seen, [1, 2, 3])
  assert.equal(tasker.listenerCount('task.done'), 0)
})

test('listeners of single tasks come and go without a trace', async t => {
  const tasker = await started(t, { a: () => 1 })
  for (let n = 0; n < 50; n += 1) {
    const uuid = await tasker.addTask({ operation: 'a' })
    await once(tasker, `task.${uuid}.ended`)
  }
  assert.deepEqual(
    tasker.eventNames().filter(event => String(event).startsWith('task.')),
    [],
  )
  tasker.on('task.x.log', () => assert.fail('removed'))
  tasker.prependListener('task.x.done', () => assert.fail('removed'))
  tasker.prependOnceListener('task.added', () => assert.fail('removed'))
  tasker.removeAllListeners('task.x.log')
  tasker.removeAllListeners()
  assert.deepEqual(tasker.eventNames(), [])
  await tasker.addTask({ operation: 'a' })
})

test('a thousand listeners of one event give no warning', async () => {
  const script = `${imports}
    process.on('warning', warning => console.log(warning.message))
    const tasker = new Tasker(':memory:')
    for (let n = 0; n < 1_000; n += 1) tasker.once('task.done', () => {})
    await tasker.close()
  `
  assert.equal(await runs(script), '')
})

test('a rejecting error listener does not call itself', async () => {
  const script = `${imports}
    process.once('uncaughtException', error => console.log(error.message))
    const tasker = new Tasker(':memory:')
    tasker.on('error', async error => { throw new Error('again: ' + error.message) })
    tasker.on('task.added', async () => { throw new Error('once') })
    await tasker.addTask({ operation: 'a' })
    await tasker.close()
  `
  assert.equal((await runs(script)).trim(), 'again: once')
})
