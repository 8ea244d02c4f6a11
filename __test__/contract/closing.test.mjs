import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate as aTurn } from 'node:timers/promises'
import { Tasker } from '../../index.mjs'
import {
  file,
  folder,
  gate,
  imports,
  next,
  open,
  refused,
  rejection,
  runs,
  started,
} from './open.mjs'
import { openSqlite } from './sqlite.mjs'

const uuid = '018f0000-0000-7000-8000-000000000000'

test('after close every call is refused (I-14, F-25)', async t => {
  const tasker = open(t, { runners: { a: () => 1 } })
  await tasker.close()
  const calls = [
    () => tasker.ready(),
    () => tasker.addTask({ operation: 'a' }),
    () => tasker.addTasks([{ operation: 'a' }]),
    () => tasker.unassignRunner('a'),
    () => tasker.start(),
    () => tasker.stop(),
    () => tasker.abortTask(uuid),
    () => tasker.prioritizeTask(uuid, 1),
    () => tasker.getTask(uuid),
    () => tasker.hasTask({}),
    () => tasker.countTasks(),
    () => tasker.findTask({}),
    () => tasker.findTasks(),
    () => tasker.waitForTaskOutputData(uuid),
  ]
  for (const call of calls) await refused(call(), 'TASKER_CLOSED')
  assert.throws(() => tasker.assignRunner('b', () => {}), { code: 'TASKER_CLOSED' })
  tasker.on('task.log', () => {})
})

test('close can be repeated', async t => {
  const tasker = open(t)
  const closing = tasker.close()
  assert.equal(tasker.close(), closing)
  await closing
  await tasker.close({ onStop: 'abort' })
})

test('closes with options resolve however far another close has come', async t => {
  for (let turns = 0; turns < 20; turns += 1) {
    const tasker = await started(t)
    const closes = [tasker.close()]
    for (let turn = 0; turn < turns; turn += 1) await aTurn()
    for (const options of [{ timeout: 0 }, { onStop: 'abort' }]) closes.push(tasker.close(options))
    await Promise.all(closes)
  }
})

test('what is under way when close is called is still answered', async t => {
  const tasker = open(t)
  const settled = Promise.allSettled([
    tasker.addTask({ operation: 'a' }),
    tasker.addTasks([{ operation: 'a' }, { operation: 'b' }]),
    tasker.countTasks(),
  ])
  await tasker.close()
  const [one, many] = await settled
  assert.equal(one.status, 'fulfilled')
  assert.equal(many.value.length, 2)
})

test('reads that were asked before a close are answered (B-12)', async () => {
  for (let n = 0; n < 10; n += 1) {
    const tasker = new Tasker(file())
    await tasker.ready()
    const reads = Array.from({ length: 5 }, () => tasker.countTasks())
    await tasker.close()
    assert.deepEqual(await Promise.all(reads), [0, 0, 0, 0, 0])
  }
})

test('waits that can never be answered are refused by close', async t => {
  const tasker = open(t)
  const waiting = tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'never' }))
  const error = rejection(waiting)
  await tasker.close()
  assert.equal((await error).code, 'TASKER_CLOSED')
})

test('close stops first: runs end, and `stopped` is told before it resolves', async t => {
  const { runner, call } = gate()
  const tasker = open(t, { runners: { a: runner } })
  const events = []
  for (const event of ['task.done', 'stopped']) tasker.on(event, () => events.push(event))
  await tasker.start()
  await tasker.addTask({ operation: 'a' })
  const { resolve } = await call(0)
  const closing = tasker.close().then(() => events.push('closed'))
  resolve()
  await closing
  assert.deepEqual(events, ['task.done', 'stopped', 'closed'])
})

test('what live runs call while close waits for them works, from anywhere (B-2)', async t => {
  const store = file()
  const { runner, call } = gate()
  const tasker = open(t, { store, runners: { wait: runner, parent } })
  async function parent({ uuid: of }) {
    await (await call(0)).resolve()
    const child = await tasker.addTask({ operation: 'child', data: { of } })
    await tasker.addTasks([{ operation: 'child' }, { operation: 'child' }])
    const outbox = tasker.outbox(openSqlite(join(folder(), 'app.db')))
    await outbox.uuidOf(outbox.addTask({ operation: 'child' }))
    await tasker.prioritizeTask(child, 7)
    const { priority } = await tasker.getTask(child)
    const late = await rejection(tasker.waitForTaskOutputData(child, { timeout: 1 }))
    await refused(tasker.start(), 'TASKER_CLOSED')
    return [await tasker.countTasks({ operation: 'child' }), priority, late.code]
  }
  await tasker.start()
  await tasker.addTask({ operation: 'wait' })
  await call(0)
  const begun = next(tasker, 'task.run')
  const uuid = await tasker.addTask({ operation: 'parent' })
  await begun
  const outside = tasker.close().then(() => rejection(tasker.countTasks()))
  assert.equal(await tasker.hasTask({ uuid }), true)
  assert.equal((await outside).code, 'TASKER_CLOSED')
  const again = open(t, { store })
  const { status, result } = await again.getTask(uuid)
  assert.deepEqual([status, result], ['done', [4, 7, 'TASKER_TIMEOUT']])
})

test('a run that fails because something of tasker is closed is queued again (B-2)', async t => {
  const store = file()
  const { runner, call } = gate()
  const tasker = open(t, { store, runners: { a: runner } })
  await tasker.start()
  const uuids = await tasker.addTasks(Array.from({ length: 3 }, () => ({ operation: 'a' })))
  const [one, two, three] = await Promise.all([0, 1, 2].map(call))
  const other = new Tasker(':memory:')
  await other.close()
  const error = await rejection(other.ready())
  three.reject(error)
  const [failed] = await next(tasker, 'task.failed')
  const closing = tasker.close()
  one.reject(error)
  two.reject(new Error('the next step could not be added', { cause: error }))
  await closing
  const again = open(t, { store })
  const found = await Promise.all(uuids.map(uuid => again.getTask(uuid)))
  const byStatus = status => found.filter(task => task.status === status)
  assert.deepEqual(
    byStatus('failed').map(task => task.uuid),
    [failed],
  )
  assert.deepEqual(
    byStatus('new').map(({ attempt }) => attempt),
    [0, 0],
  )
})

test('a later close or stop with options hurries a close that waits (S-1)', async t => {
  for (const hurry of [
    tasker => tasker.close({ timeout: 0 }),
    tasker => tasker.stop({ timeout: 0 }),
  ]) {
    const { runner, call } = gate()
    const tasker = open(t, { runners: { a: runner } })
    const events = []
    tasker.on('stopped', () => events.push('stopped'))
    await tasker.start()
    await tasker.addTask({ operation: 'a' })
    const { context } = await call(0)
    const closing = tasker.close({ timeout: '1h' })
    await refused(tasker.close({ timeout: 'soon' }), 'TASKER_INVALID', 'timeout')
    assert.equal(tasker.close(), closing)
    await hurry(tasker)
    await closing
    assert.equal(context.abortSignal.reason.cause, 'shutdown')
    assert.deepEqual(events, ['stopped'])
  }
})

test('a close with a wrong option closes nothing', async t => {
  const tasker = open(t)
  await refused(tasker.close({ timeout: 'soon' }), 'TASKER_INVALID', 'timeout')
  await refused(tasker.close({ now: true }), 'TASKER_INVALID', 'now')
  await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.countTasks(), 1)
})

test('close from inside a runner ends when its timeout is over (F-25)', async t => {
  const closed = []
  const tasker = open(t, {
    runners: { a: async () => closed.push(await tasker.close({ timeout: 1 })) },
  })
  await tasker.start()
  await tasker.addTask({ operation: 'a' })
  const stopped = new Promise(resolve => tasker.once('stopped', resolve))
  await stopped
  await tasker.close()
  assert.deepEqual(closed, [undefined])
})

test('close from inside a listener does not hang (F-24)', async t => {
  const tasker = open(t, { runners: { a: () => 1 } })
  const closed = new Promise(resolve => tasker.once('task.done', () => resolve(tasker.close())))
  await tasker.start()
  await tasker.addTask({ operation: 'a' })
  await closed
})

test('await using closes', async () => {
  const script = `${imports}
    const tasker = new Tasker(':memory:')
    await tasker.start()
    await tasker[Symbol.asyncDispose]()
    await tasker.ready().catch(error => console.log(error.code))
  `
  assert.equal((await runs(script)).trim(), 'TASKER_CLOSED')
})

test('what goes wrong at open rejects every awaited call, and close still works', async () => {
  const path = join(folder(), 'not-a-database')
  writeFileSync(path, 'this is a text, and a long one at that. '.repeat(200))
  const tasker = new Tasker({ store: path, runners: { a: () => 1 } })
  await refused(tasker.ready(), 'TASKER_CORRUPT')
  await refused(tasker.addTask({ operation: 'a' }), 'TASKER_CORRUPT')
  await refused(tasker.findTasks(), 'TASKER_CORRUPT')
  await refused(tasker.start(), 'TASKER_CORRUPT')
  await tasker.close()
  await refused(tasker.addTask({ operation: 'a' }), 'TASKER_CLOSED')
})

test('what could not be opened can be closed, whether one waits for it or not', async () => {
  const tasker = new Tasker(join(folder(), 'missing', 'tasks.db'))
  const adding = rejection(tasker.addTask({ operation: 'a' }))
  await tasker.close()
  assert.match((await adding).code, /^TASKER_(IO|READ_ONLY)$/)
})

test('a folder that does not exist is an error with its path in words', async () => {
  const tasker = new Tasker(join(folder(), 'missing', 'tasks.db'))
  const error = await rejection(tasker.ready())
  assert.match(error.code, /^TASKER_(IO|READ_ONLY)$/)
  assert.match(error.message, /missing/)
  await tasker.close()
})

test('a file can be opened again after close, many times', async t => {
  const store = file()
  for (let n = 0; n < 20; n += 1) {
    const tasker = open(t, { store })
    await tasker.addTask({ operation: 'a', data: n })
    await tasker.close()
  }
  const tasker = open(t, { store })
  assert.equal(await tasker.countTasks(), 20)
  await tasker.close()
  rmSync(store)
})

test('a tasker that is dropped unclosed gives its file back (F-25)', async () => {
  const script = `${imports}
    const store = ${JSON.stringify(file())}
    async function drop() {
      const tasker = new Tasker({ store, exclusive: true })
      await tasker.addTask({ operation: 'a' })
    }
    await drop()
    let tasker
    for (;;) {
      await new Promise(resolve => setImmediate(resolve))
      gc()
      tasker = new Tasker({ store })
      const error = await tasker.ready().then(() => undefined, error => error)
      if (!error) break
      if (error.code !== 'TASKER_LOCKED') throw error
      await tasker.close()
    }
    console.log(await tasker.countTasks())
    await tasker.close()
  `
  assert.equal((await runs(script, { flags: ['--expose-gc'] })).trim(), '1')
})

test('a tasker at work is not dropped, even if nobody holds it', async () => {
  const script = `${imports}
    function begin() {
      let left = 5
      const tasker = new Tasker(':memory:')
      tasker.assignRunner('again', async () => {
        gc()
        await new Promise(resolve => setImmediate(resolve))
        gc()
        if (--left > 0) await tasker.addTask({ operation: 'again' })
        else void tasker.close()
        console.log(left)
      })
      void tasker.start()
      void tasker.addTask({ operation: 'again' })
    }
    begin()
  `
  assert.equal(await runs(script, { flags: ['--expose-gc'] }), '4\n3\n2\n1\n0\n')
})
