import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tasker } from '../../index.mjs'
import { file, gate, open, rejection, started } from './open.mjs'

/** A task as it is, as far as pausing goes. */
async function shown(tasker, uuid) {
  const { status, state, isPausing } = await tasker.getTask(uuid)
  return [status, state, isPausing]
}

/** Resolves when the task is in this state, and fails if it has ended. */
async function comesTo(tasker, uuid, state) {
  for (;;) {
    const task = await tasker.getTask(uuid)
    if (task.state === state) return task
    assert.ok(!task.endedAt, `it ended as ${task.status}`)
  }
}

test('a waiting task is paused at once and starts when it is resumed', async t => {
  const tasker = await started(t, { a: () => 'done' })
  await tasker.pauseOperation('a')
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.pauseTask(uuid), true)
  assert.equal(await tasker.pauseTask(uuid), true)
  await tasker.resumeOperation('a')
  const other = await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.waitForTaskOutputData(other), 'done')
  assert.deepEqual(await shown(tasker, uuid), ['new', 'paused', undefined])
  assert.equal(await tasker.countTasks({ state: 'paused', status: 'new' }), 1)
  assert.equal(await tasker.resumeTask(uuid), true)
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'done')
  assert.equal(await tasker.resumeTask(uuid), false)
  assert.equal(await tasker.pauseTask(uuid), false)
})

test('a running task pauses at its checkpoint and goes on there', async t => {
  const { runner, call } = gate()
  const steps = []
  const tasker = await started(t, {
    a: async context => {
      await runner(context)
      await context.checkpoint()
      steps.push('after')
      return 7
    },
  })
  const uuid = await tasker.addTask({ operation: 'a' })
  const { context, resolve } = await call(0)
  await context.checkpoint()
  assert.equal(await tasker.pauseTask(uuid), true)
  assert.deepEqual(await shown(tasker, uuid), ['running', 'running', true])
  assert.equal(await tasker.hasTask({ isPausing: true }), true)
  resolve()
  await comesTo(tasker, uuid, 'paused')
  assert.deepEqual(await shown(tasker, uuid), ['running', 'paused', undefined])
  assert.deepEqual(steps, [])
  assert.equal(await tasker.countTasks({ status: 'running' }), 1)
  assert.equal(await tasker.resumeTask(uuid), true)
  assert.equal(await tasker.waitForTaskOutputData(uuid), 7)
  const { attempt, attempts } = await tasker.getTask(uuid)
  assert.deepEqual([attempt, attempts.length, attempts[0].outcome], [1, 1, 'done'])
})

test('a pause that is taken back before the checkpoint halts nobody', async t => {
  const { runner, call } = gate()
  const tasker = await started(t, {
    a: async context => {
      await runner(context)
      await Promise.all([context.checkpoint(), context.checkpoint()])
    },
  })
  const uuid = await tasker.addTask({ operation: 'a' })
  const { resolve } = await call(0)
  await tasker.pauseTask(uuid)
  assert.equal(await tasker.resumeTask(uuid), true)
  assert.deepEqual(await shown(tasker, uuid), ['running', 'running', undefined])
  resolve()
  await tasker.waitForTaskOutputData(uuid)
})

test('a checkpoint rejects with the reason of the signal', async t => {
  const { runner, call } = gate()
  const seen = []
  const tasker = await started(t, {
    a: async context => {
      await runner(context)
      await context.checkpoint().catch(error => seen.push(error === context.abortSignal.reason))
      await context.checkpoint()
    },
  })
  const uuid = await tasker.addTask({ operation: 'a' })
  const { resolve } = await call(0)
  await tasker.pauseTask(uuid)
  resolve()
  await comesTo(tasker, uuid, 'paused')
  const reason = new Error('no more')
  const ended = rejection(tasker.waitForTaskOutputData(uuid))
  assert.equal(await tasker.abortTask(uuid, reason), true)
  assert.equal((await ended).cause, 'user')
  assert.deepEqual(seen, [true])
  assert.deepEqual(await shown(tasker, uuid), ['aborted', 'aborted', undefined])
})

test('a run that has halted frees its place, and takes one before what waits', async t => {
  const { runner, call } = gate()
  const order = []
  const a = async context => {
    await runner(context)
    await context.checkpoint()
    order.push(context.data)
  }
  const tasker = await started(t, { a }, { concurrency: 1 })
  const first = await tasker.addTask({ operation: 'a', data: 1 })
  const [second, third] = [2, 3].map(data => tasker.addTask({ operation: 'a', data }))
  const one = await call(0)
  await tasker.pauseTask(first)
  one.resolve()
  // The second one has the place now.
  const two = await call(1)
  assert.equal(two.context.uuid, await second)
  assert.equal(await tasker.resumeTask(first), true)
  assert.deepEqual(await shown(tasker, first), ['running', 'paused', undefined])
  two.resolve()
  const three = await call(2)
  three.resolve()
  await Promise.all([first, await second, await third].map(id => tasker.waitForTaskOutputData(id)))
  assert.deepEqual(order, [2, 1, 3])
})

test('a stop gives a run back that has halted, and its task stays paused', async t => {
  const store = file()
  const { runner, call } = gate()
  const a = async context => {
    await runner(context)
    await context.checkpoint()
  }
  const tasker = open(t, { store, runners: { a } })
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'a' })
  const { context, resolve } = await call(0)
  await tasker.pauseTask(uuid)
  resolve()
  await comesTo(tasker, uuid, 'paused')
  await tasker.stop()
  assert.ok(context.abortSignal.aborted)
  assert.equal(context.abortSignal.reason.cause, 'shutdown')
  await tasker.start()
  assert.deepEqual(await shown(tasker, uuid), ['new', 'paused', undefined])
  const { attempt, attempts } = await tasker.getTask(uuid)
  assert.deepEqual([attempt, attempts[0].outcome], [0, 'postponed'])
  await tasker.resumeTask(uuid)
  ;(await call(1)).resolve()
  await tasker.waitForTaskOutputData(uuid)
})

test('one tasker pauses and resumes what another one runs', async t => {
  const store = file()
  const { runner, call } = gate()
  const one = open(t, { store })
  const two = open(t, { store })
  let isOver = false
  one.assignRunner('a', async context => {
    await runner(context)
    while (!isOver) {
      await context.checkpoint()
      await new Promise(done => setImmediate(done))
    }
    return context.attempt
  })
  await one.start()
  const uuid = await two.addTask({ operation: 'a' })
  ;(await call(0)).resolve()
  assert.equal(await two.pauseTask(uuid), true)
  await comesTo(two, uuid, 'paused')
  assert.equal(await two.resumeTask(uuid), true)
  await comesTo(two, uuid, 'running')
  isOver = true
  assert.equal(await two.waitForTaskOutputData(uuid), 1)
})

test('what is left of a delay is left still, and a moment does not shift', async t => {
  const tasker = open(t)
  const runAt = new Date(Date.now() + 3_600_000)
  const moment = await tasker.addTask({ operation: 'a', runAt })
  const delayed = await tasker.addTask({ operation: 'a', delay: '1h' })
  const before = (await tasker.getTask(delayed)).runAt
  for (const uuid of [moment, delayed]) assert.equal(await tasker.pauseTask(uuid), true)
  for (const uuid of [moment, delayed]) assert.equal(await tasker.resumeTask(uuid), true)
  assert.deepEqual((await tasker.getTask(moment)).runAt, runAt)
  const task = await tasker.getTask(delayed)
  assert.equal(task.state, 'delayed')
  assert.ok(task.runAt >= before)
})

test('who is unknown is not paused, and nothing is accepted that is no uuid', async t => {
  const tasker = open(t)
  const nobody = '01900000-0000-7000-8000-000000000abc'
  for (const call of ['pauseTask', 'resumeTask']) {
    assert.equal((await rejection(tasker[call](nobody))).code, 'TASKER_NOT_FOUND')
    assert.equal((await rejection(tasker[call](7))).code, 'TASKER_INVALID')
  }
})

test('a paused task outlives its tasker', async t => {
  const store = file()
  const first = new Tasker({ store })
  const uuid = await first.addTask({ operation: 'a' })
  await first.pauseTask(uuid)
  await first.close()
  const second = open(t, { store, runners: { a: () => 1 } })
  await second.start()
  assert.deepEqual(await shown(second, uuid), ['new', 'paused', undefined])
  await second.resumeTask(uuid)
  assert.equal(await second.waitForTaskOutputData(uuid), 1)
})
