import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { file, open } from './open.mjs'

/** Collects garbage until `isGone`, without a clock. */
async function collected(isGone) {
  const { setFlagsFromString } = await import('node:v8')
  const { runInNewContext } = await import('node:vm')
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc')
  while (!isGone()) {
    // Whoever has looked at it keeps it for as long as this turn lasts.
    await new Promise(setImmediate)
    gc()
  }
}

test('a runner gets the very object, in each attempt and whatever it is', async t => {
  const seen = []
  const runner = ({ attach, attempt }) => {
    seen.push(attach)
    if (attempt === 1) throw new Error('once more')
  }
  const tasker = open(t, { runners: { a: runner } })
  await tasker.start()
  const socket = { self: null, write: () => {}, n: 1n }
  socket.self = socket
  const things = [socket, () => {}, Symbol('a'), null, false, 0, '']
  for (const attach of things) {
    const uuid = await tasker.addTask({ operation: 'a', retry: 2, attach })
    await tasker.waitForTaskOutputData(uuid)
  }
  const twice = things.flatMap(thing => [thing, thing])
  assert.equal(seen.length, twice.length)
  twice.forEach((thing, i) => {
    assert.equal(seen[i], thing)
  })
})

test('each task of one addTasks has its own, and one without has none', async t => {
  const seen = new Map()
  const runners = { a: ({ data, attach }) => void seen.set(data, attach) }
  const tasker = open(t, { runners })
  await tasker.start()
  const [one, two] = [{}, {}]
  const uuids = await tasker.addTasks([
    { operation: 'a', data: 1, attach: one },
    { operation: 'a', data: 2 },
    { operation: 'a', data: 3, attach: two },
    { operation: 'a', data: 4, attach: undefined },
  ])
  await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  assert.deepEqual([...seen.keys()].sort(), [1, 2, 3, 4])
  assert.equal(seen.get(1), one)
  assert.equal(seen.get(3), two)
  assert.equal(seen.get(2), undefined)
  assert.equal(seen.get(4), undefined)
})

test('nothing of it is stored', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({ operation: 'a', data: 1, attach: { secret: 7 } })
  const task = await tasker.getTask(uuid)
  assert.ok(!('attach' in task))
  assert.ok(!JSON.stringify(task).includes('secret'))
})

test('another process does not start it, and can abort it', async t => {
  const store = file(t)
  const [one, two] = [open(t, { store }), open(t, { store, runners: { a: () => 'two' } })]
  await two.start()
  const [stays, goes] = await one.addTasks([
    { operation: 'a', attach: 1 },
    { operation: 'a', attach: 2 },
  ])
  const plain = await one.addTask({ operation: 'a' })
  // The younger one has run, and so those before it would have.
  assert.equal(await one.waitForTaskOutputData(plain), 'two')
  assert.equal((await one.getTask(stays)).state, 'ready')
  assert.equal(await two.abortTask(goes), true)
  one.assignRunner('a', ({ attach }) => attach)
  await one.start()
  assert.equal(await one.waitForTaskOutputData(stays), 1)
  assert.equal((await one.getTask(goes)).cause, 'user')
})

test('a stop keeps it and a close ends it as lost, for those who wait elsewhere too', async t => {
  const store = file(t)
  const [one, two] = [open(t, { store }), open(t, { store })]
  const uuid = await one.addTask({ operation: 'a', attach: {} })
  const wait = two.waitForTaskOutputData(uuid)
  wait.catch(() => {})
  await one.start()
  await one.stop()
  assert.equal((await two.getTask(uuid)).state, 'ready')
  await one.close()
  await assert.rejects(wait, { name: 'AbortError', code: 'ABORT_ERR', cause: 'lost' })
  const { status, cause, abortReason } = await two.getTask(uuid)
  assert.deepEqual([status, cause, abortReason.cause], ['aborted', 'lost', 'lost'])
})

test('a process that closes tells of its own', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({ operation: 'a', attach: {} })
  const told = once(tasker, 'task.ended')
  await tasker.close()
  const [ended, status, reason] = await told
  assert.deepEqual([ended, status, reason.cause], [uuid, 'aborted', 'lost'])
})

test('what a duplicate brings along is nobody’s', async t => {
  const seen = []
  const tasker = open(t, { runners: { a: ({ attach }) => void seen.push(attach) } })
  const definition = { operation: 'a', unique: { key: 'x' } }
  const [one, two] = [{}, {}]
  const uuid = await tasker.addTask({ ...definition, attach: one })
  assert.equal(await tasker.addTask({ ...definition, attach: two }), uuid)
  const replace = { ...definition, unique: { key: 'x', onConflict: 'replace' } }
  assert.equal(await tasker.addTask(replace), uuid)
  await tasker.start()
  await tasker.waitForTaskOutputData(uuid)
  assert.equal(seen.length, 1)
  assert.equal(seen[0], one)
})

test('it does not run again once it has ended', async t => {
  const tasker = open(t, { runners: { a: () => {} } })
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'a', attach: {} })
  await tasker.waitForTaskOutputData(uuid)
  await assert.rejects(tasker.retryTask(uuid), { code: 'TASKER_UNSUPPORTED', uuid })
  assert.deepEqual(await tasker.retryTasks({}), {
    matched: 1,
    changed: 0,
    skipped: { attached: 1 },
  })
})

test('where it cannot be it is refused', async t => {
  const tasker = open(t)
  const unique = { key: 'x', onConflict: 'replace' }
  const refused = { code: 'TASKER_UNSUPPORTED', path: 'attach' }
  await assert.rejects(tasker.addTask({ operation: 'a', attach: 1, unique }), refused)
  const inList = { ...refused, path: '[0].attach' }
  await assert.rejects(tasker.addTasks([{ operation: 'a', attach: 1, unique }]), inList)
  const { DatabaseSync } = await import('node:sqlite').catch(() => ({}))
  if (!DatabaseSync) return t.diagnostic('this Node.js has no node:sqlite')
  const db = new DatabaseSync(':memory:')
  t.after(() => db.close())
  const outbox = tasker.outbox(db)
  const invalid = { code: 'TASKER_INVALID', path: 'attach' }
  assert.throws(() => outbox.addTask({ operation: 'a', attach: 1 }), invalid)
})

test('it is let go when its task has ended', async t => {
  const tasker = open(t, { runners: { a: () => {} } })
  await tasker.start()
  const add = async operation => {
    const attach = {}
    return { uuid: await tasker.addTask({ operation, attach }), gone: new WeakRef(attach) }
  }
  const [runs, waits] = [await add('a'), await add('b')]
  await tasker.waitForTaskOutputData(runs.uuid)
  await tasker.abortTask(waits.uuid)
  await collected(() => !(runs.gone.deref() || waits.gone.deref()))
})
