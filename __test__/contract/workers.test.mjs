import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { file, open } from './open.mjs'

const index = JSON.stringify(new URL('../../index.mjs', import.meta.url).href)

/** A worker that opens a store, adds, runs, and answers; then it waits to be ended. */
function worker(store, rest) {
  const script = `
    const { parentPort } = require('node:worker_threads')
    import(${index}).then(async ({ Tasker }) => {
      const tasker = new Tasker({ store: ${JSON.stringify(store)}, runners: { a: () => 'ran' } })
      await tasker.start()
      const uuid = await tasker.addTask({ operation: 'a' })
      const result = await tasker.waitForTaskOutputData(uuid)
      ${rest}
    })
  `
  return new Worker(script, { eval: true })
}

test('a tasker works in a worker, which exits by itself after close', async () => {
  const one = worker(file(), 'await tasker.close(); parentPort.postMessage(result)')
  const [[result], [code]] = await Promise.all([once(one, 'message'), once(one, 'exit')])
  assert.deepEqual([result, code], ['ran', 0])
})

test('taskers in the main thread and in workers live side by side', async t => {
  const tasker = open(t, { runners: { a: () => 'main' } })
  await tasker.start()
  const workers = [1, 2].map(() => worker(file(), 'parentPort.postMessage(result)'))
  const answers = await Promise.all(workers.map(one => once(one, 'message')))
  assert.deepEqual(answers.flat(), ['ran', 'ran'])
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal(await tasker.waitForTaskOutputData(uuid), 'main')
  await Promise.all(workers.map(one => one.terminate()))
})

test('a terminated worker gives its file back, whatever it was doing (F-7, F-27)', async t => {
  const store = file()
  const busy = `
    for (let n = 0; n < 100; n += 1) tasker.addTask({ operation: 'a' })
    parentPort.postMessage(result)
  `
  for (let n = 0; n < 10; n += 1) {
    const one = worker(store, busy)
    await once(one, 'message')
    await one.terminate()
  }
  const tasker = open(t, { store, runners: { a: () => 'recovered' } })
  await tasker.start()
  const waiting = await tasker.findTasks({ status: { $in: ['new', 'running'] } })
  await Promise.all(waiting.map(({ uuid }) => tasker.waitForTaskOutputData(uuid)))
  assert.equal(await tasker.countTasks({ status: { $ne: 'done' } }), 0)
})
