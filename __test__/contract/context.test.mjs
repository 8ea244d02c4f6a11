import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import { file, next, open } from './open.mjs'

const storage = new AsyncLocalStorage()

/** A tasker made inside a request, whose runner tells the context it runs in. */
async function inRequest(t, options = {}) {
  const seen = []
  const tasker = storage.run('the request that made it', () => {
    const made = open(t, {
      runners: {
        a: async () => {
          seen.push(storage.getStore())
          await null
          seen.push(storage.getStore())
        },
      },
      ...options,
    })
    return made
  })
  await storage.run('the request that started it', () => tasker.start())
  return { tasker, seen }
}

test('no context leaks into runners and listeners', async t => {
  const { tasker, seen } = await inRequest(t)
  const told = next(tasker, 'task.done')
  tasker.on('task.run', () => seen.push(storage.getStore()))
  const uuid = await storage.run('the request that added', () => tasker.addTask({ operation: 'a' }))
  await tasker.waitForTaskOutputData(uuid)
  await told
  assert.deepEqual(seen, [undefined, undefined, undefined])
})

test('captureContext runs the runner in the context of its addTask', async t => {
  const { tasker, seen } = await inRequest(t, { captureContext: true })
  for (const request of ['one', 'two']) {
    const uuids = await storage.run(request, async () => [
      await tasker.addTask({ operation: 'a' }),
      ...(await tasker.addTasks([{ operation: 'a' }])),
    ])
    await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
  }
  const expected = [...Array(4).fill('one'), ...Array(4).fill('two')]
  assert.deepEqual(seen, expected)
})

test('captureContext holds over retries, until the task has ended', async t => {
  const seen = []
  const a = ({ attempt }) => {
    seen.push(storage.getStore())
    if (attempt < 3) throw new Error('not yet')
  }
  const { tasker } = await inRequest(t, { captureContext: true, runners: { a } })
  const retry = { attempts: 3, backoff: { type: 'fixed', delay: 1 } }
  const uuid = await storage.run('the request', () => tasker.addTask({ operation: 'a', retry }))
  await tasker.waitForTaskOutputData(uuid)
  await storage.run('by hand', () => tasker.retryTask(uuid))
  await tasker.waitForTaskOutputData(uuid)
  assert.deepEqual(seen, ['the request', 'the request', 'the request', undefined])
})

test('a caller keeps its own context across its awaits', async t => {
  const { tasker } = await inRequest(t)
  await storage.run('mine', async () => {
    const uuid = await tasker.addTask({ operation: 'a' })
    assert.equal(storage.getStore(), 'mine')
    await tasker.waitForTaskOutputData(uuid)
    assert.equal(storage.getStore(), 'mine')
    await tasker.findTasks()
    assert.equal(storage.getStore(), 'mine')
  })
})

test('with captureContext a run that is postponed or recovered has no other context', async t => {
  const seen = []
  const hanging = () => {
    seen.push(storage.getStore())
    return new Promise(() => {})
  }
  const store = file()
  const first = open(t, { store, captureContext: true, runners: { a: hanging } })
  await storage.run('the first start', () => first.start())
  const begun = () => next(first, 'task.run')
  let told = begun()
  await storage.run('the request', () => first.addTask({ operation: 'a' }))
  await told
  await storage.run('the stop', () => first.stop({ onStop: 'postpone' }))
  told = begun()
  await storage.run('the second start', () => first.start())
  await told
  await storage.run('the close', () => first.close({ onStop: 'postpone' }))
  assert.deepEqual(seen, ['the request', 'the request'])
  // Another tasker knows nothing of that request.
  const second = await storage.run('the next owner', async () => {
    const tasker = open(t, { store, captureContext: true, runners: { a: hanging } })
    const told = next(tasker, 'task.run')
    await tasker.start()
    await told
    return tasker
  })
  await second.stop({ onStop: 'postpone' })
  assert.deepEqual(seen, ['the request', 'the request', undefined])
})

test('waits keep the context of who waits, whatever the context of the task', async t => {
  const fail = () => {
    throw new Error('on purpose')
  }
  const { tasker } = await inRequest(t, { captureContext: true, runners: { a: fail } })
  const wait = uuid =>
    tasker.waitForTaskOutputData(uuid).then(assert.fail, () => storage.getStore())
  const uuid = await storage.run('the adder', () => tasker.addTask({ operation: 'a' }))
  const waits = ['one', 'two'].map(name => storage.run(name, () => wait(uuid)))
  assert.deepEqual(await Promise.all(waits), ['one', 'two'])
  const limits = { timeout: 5 }
  const late = await storage.run('late', () =>
    tasker
      .addTask({ operation: 'nobody runs it' })
      .then(uuid => tasker.waitForTaskOutputData(uuid, limits))
      .then(assert.fail, error => [error.code, storage.getStore()]),
  )
  assert.deepEqual(late, ['TASKER_TIMEOUT', 'late'])
})

test('listeners hear without a context, but task.add in that of its addTask', async t => {
  const { tasker } = await inRequest(t, { captureContext: true })
  const heard = {}
  const events = ['add', 'added', 'run', 'log', 'progress', 'done', 'ended', 'prioritized']
  for (const event of events) {
    tasker.on(`task.${event}`, () => {
      heard[event] = storage.getStore()
    })
  }
  tasker.assignRunner('b', ({ logger, progress }) => {
    logger.info('a line')
    progress(1)
  })
  const ended = next(tasker, 'task.ended')
  const waiting = await storage.run('mine', () => tasker.addTask({ operation: 'nobody' }))
  await storage.run('mine', () => tasker.prioritizeTask(waiting, 1))
  await storage.run('mine', () => tasker.addTask({ operation: 'b' }))
  await ended
  const { add, ...others } = heard
  assert.equal(add, 'mine')
  assert.deepEqual(Object.keys(others).sort(), events.slice(1).sort())
  assert.deepEqual(new Set(Object.values(others)), new Set([undefined]))
})

for (const captureContext of [false, true]) {
  test(`who enters a context keeps it to itself: captureContext ${captureContext}`, async t => {
    const seen = []
    const enter = async ({ data }) => {
      seen.push(storage.getStore())
      storage.enterWith(`run ${data}`)
      await null
      assert.equal(storage.getStore(), `run ${data}`)
    }
    const { tasker } = await inRequest(t, { captureContext, runners: { a: enter } })
    tasker.on('task.done', () => storage.enterWith('a listener'))
    for (let round = 0; round < 3; round += 1) {
      const tasks = [1, 2, 3].map(data => ({ operation: 'a', data }))
      const uuids = await storage.run('mine', () => tasker.addTasks(tasks))
      await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
    }
    assert.deepEqual(seen, Array(9).fill(captureContext ? 'mine' : undefined))
  })
}
