import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import { next, open } from './open.mjs'

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
