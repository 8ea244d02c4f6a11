// Readers and writers of a book in different processes, one of which is killed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, open } from '../contract/open.mjs'
import { opened } from './shared/far.mjs'

/** A process that runs an operation until it is told to go on. */
async function process(t, store, operation) {
  const far = await opened(t, { store })
  await far.do(({ tasker, runners }, name) => tasker.assignRunner(name, runners.hold), operation)
  await far.start()
  return far
}

/** The next run of a process. */
const next = async far => (await far.says('run'))[0]

const end = (far, uuid) => far.do(({ held }, uuid) => held.get(uuid).resolve(), uuid)

test('writers of a killed process hold no reader back until one is back', async t => {
  const store = file()
  const near = open(t, { store })
  const book = { 'data.book': { $task: 'data.book' } }
  const writers = { operation: 'write', ...book }
  await near.defineOperation('read', {
    conditions: [
      { scope: 'running', query: { operation: 'read', ...book }, limit: 1 },
      { scope: 'running', query: writers, limit: 0 },
      { scope: 'before-queued', query: writers, limit: 0 },
    ],
  })
  await near.defineOperation('write', {
    conditions: [{ scope: 'running', query: book, limit: 0 }],
  })
  const add = (operation, priority) => near.addTask({ operation, priority, data: { book: 'dune' } })
  const state = async uuid => (await near.getTask(uuid)).state

  const reading = await process(t, store, 'read')
  const doomed = await process(t, store, 'write')
  const r100 = await add('read', 100)
  assert.equal(await next(reading), r100)
  const [w99, w98, r97] = [await add('write', 99), await add('write', 98), await add('read', 97)]
  const { reasons } = await near.explainTask(r97)
  assert.deepEqual(
    reasons.map(({ scope, uuids }) => [scope, uuids]),
    [['before-queued', [w99, w98]]],
  )
  await end(reading, r100)
  assert.equal(await next(doomed), w99)
  assert.equal(await state(r97), 'ready')

  // Its run is lost, and its writers have nobody who starts them.
  await doomed.kill('SIGKILL')
  assert.equal(await next(reading), r97)
  const heir = await process(t, store, 'write')
  const r96 = await add('read', 96)
  assert.deepEqual([await state(w99), await state(r96)], ['ready', 'ready'])
  await end(reading, r97)
  assert.equal(await next(heir), w99)
  assert.deepEqual([await state(w98), await state(r96)], ['ready', 'ready'])
  await end(heir, w99)
  assert.equal(await next(heir), w98)
  assert.equal(await state(r96), 'ready')
  await end(heir, w98)
  assert.equal(await next(reading), r96)
  await end(reading, r96)
  await near.waitForTaskOutputData(r96)
})
