/** Tasks that are put off, and runs that go back to the queue because a call asked for it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { file, open, refused, started } from './open.mjs'

/** Rejects when its signal fires; ends at once if the world says so. */
function obedient(world) {
  return ({ abortSignal, attempt }) => {
    world.attempts.push(attempt)
    if (world.isOver) return 'done'
    return new Promise((_, reject) => {
      abortSignal.addEventListener('abort', () => {
        world.reasons.push(abortSignal.reason)
        reject(new Error('obeyed'))
      })
      world.began?.()
    })
  }
}

const newWorld = () => ({ attempts: [], reasons: [], isOver: false })

test('a waiting task is put off, and never sooner', async t => {
  const tasker = open(t)
  const [ready, delayed] = await tasker.addTasks([
    { operation: 'a' },
    { operation: 'a', runAt: new Date('2090-01-01') },
  ])
  for (const uuid of [ready, delayed]) {
    assert.equal(await tasker.postponeTask(uuid), true)
    assert.equal(await tasker.postponeTask(uuid, { delay: '1h' }), true)
  }
  const task = await tasker.getTask(ready)
  assert.deepEqual([task.status, task.state], ['new', 'delayed'])
  assert(task.runAt > task.createdAt)
  assert.deepEqual((await tasker.getTask(delayed)).runAt, new Date('2090-01-01'))
  assert.equal(await tasker.abortTask(ready), true)
  assert.equal(await tasker.postponeTask(ready, { delay: 1 }), false)
})

test('a run goes back to the queue, and its attempt does not count', async t => {
  const world = newWorld()
  const tasker = await started(t, { a: obedient(world) })
  for (const [reason, message] of [
    [undefined, 'the task was postponed; it goes back to the queue'],
    ['not now', 'not now'],
    [{ load: 9 }, 'the task was postponed; it goes back to the queue'],
  ]) {
    Object.assign(world, newWorld())
    const began = new Promise(resolve => (world.began = resolve))
    const uuid = await tasker.addTask({ operation: 'a' })
    await began
    world.isOver = true
    assert.equal(await tasker.postponeTask(uuid, { delay: 5, reason }), true)
    assert.equal(await tasker.waitForTaskOutputData(uuid), 'done')
    assert.deepEqual(world.attempts, [1, 1])
    const [fired] = world.reasons
    assert.deepEqual([fired.name, fired.cause, fired.message], ['AbortError', 'shutdown', message])
    assert.deepEqual(fired.reason, typeof reason === 'string' ? undefined : reason)
    const { attempt, attempts } = await tasker.getTask(uuid)
    assert.deepEqual([attempt, attempts.map(one => one.outcome)], [1, ['postponed', 'done']])
  }
})

test('an Error that is given stays one', async t => {
  const world = newWorld()
  const tasker = await started(t, { a: obedient(world) })
  const began = new Promise(resolve => (world.began = resolve))
  const uuid = await tasker.addTask({ operation: 'a' })
  await began
  const reason = Object.assign(new RangeError('too hot'), { degrees: 90 })
  assert.equal(await tasker.postponeTask(uuid, { delay: '1h', reason }), true)
  const [fired] = world.reasons
  assert.deepEqual([fired.name, fired.message, fired.degrees], ['RangeError', 'too hot', 90])
  assert.equal((await tasker.getTask(uuid)).state, 'delayed')
})

test('it reaches a run of another tasker', async t => {
  const store = file()
  const world = newWorld()
  const worker = await started(t, { a: obedient(world) }, { store })
  const other = open(t, { store })
  const began = new Promise(resolve => (world.began = resolve))
  const uuid = await other.addTask({ operation: 'a' })
  await began
  world.isOver = true
  const again = once(worker, `task.${uuid}.done`)
  assert.equal(await other.postponeTask(uuid, { reason: 'elsewhere' }), true)
  assert.deepEqual(await again, ['done'])
  assert.deepEqual([world.reasons[0].message, world.reasons[0].cause], ['elsewhere', 'shutdown'])
  assert.deepEqual(world.attempts, [1, 1])
})

test('a task that is being aborted or has ended is left alone', async t => {
  const world = newWorld()
  const tasker = await started(t, {
    a: ({ abortSignal }) =>
      new Promise(resolve => {
        abortSignal.addEventListener('abort', () => (world.end = resolve))
        world.began()
      }),
  })
  const began = new Promise(resolve => (world.began = resolve))
  const uuid = await tasker.addTask({ operation: 'a' })
  await began
  assert.equal(await tasker.abortTask(uuid), true)
  assert.equal(await tasker.postponeTask(uuid, { delay: 1 }), false)
  const ended = once(tasker, 'task.ended')
  world.end('all the same')
  await ended
  assert.equal(await tasker.postponeTask(uuid, { delay: 1 }), false)
})

test('what is wrong is named', async t => {
  const tasker = open(t)
  const uuid = await tasker.addTask({ operation: 'a' })
  for (const [options, path] of [
    [{ delay: 0 }, 'delay'],
    [{ delay: 'soon' }, 'delay'],
    [{ until: 1 }, 'until'],
    [7, 'options'],
  ]) {
    await refused(tasker.postponeTask(uuid, options), 'TASKER_INVALID', path)
  }
  await refused(tasker.postponeTask(7), 'TASKER_INVALID', 'uuid')
  const nobody = '018f0000-0000-7000-8000-000000000001'
  await refused(tasker.postponeTask(nobody), 'TASKER_NOT_FOUND')
})
