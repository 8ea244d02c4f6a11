import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { openTasks } from './tasks.js'

const send = mock.fn(async (_to: string) => {})
let tasker: ReturnType<typeof openTasks>

beforeEach(async () => {
  tasker = openTasks(':memory:', send)
  await tasker.start()
})

afterEach(async () => {
  mock.timers.reset()
  await tasker.close() // An open one keeps the process alive, so the test run would not end.
})

test('sends the message', async () => {
  const uuid = await tasker.addTask({ operation: 'notify', data: { to: 'ada' } })
  assert.deepEqual(await tasker.waitForTaskOutputData(uuid), { calls: 1 })
  assert.deepEqual(send.mock.calls.at(-1)?.arguments, ['ada'])
})

test('tries again a minute later', async () => {
  mock.timers.enable()
  send.mock.mockImplementationOnce(() => Promise.reject(new Error('the line is busy')))
  const isLogged = once(tasker, 'task.log')
  const uuid = await tasker.addTask({ operation: 'notify', data: { to: 'ada' } })

  await isLogged // Now the runner waits for its timer,
  mock.timers.tick(60_000) // and the minute passes.
  assert.deepEqual(await tasker.waitForTaskOutputData(uuid), { calls: 2 })
})

test('fails when the third call fails', async () => {
  mock.timers.enable()
  send.mock.mockImplementation(() => Promise.reject(new Error('the line is busy')))
  tasker.on('task.log', () => mock.timers.tick(60_000))
  const uuid = await tasker.addTask({ operation: 'notify', data: { to: 'ada' } })
  await assert.rejects(tasker.waitForTaskOutputData(uuid), { message: 'the line is busy' })
  assert.equal((await tasker.getTask(uuid)).status, 'failed')
})
