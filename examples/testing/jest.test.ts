import { once } from 'node:events'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { openTasks } from './tasks.js'

const send = jest.fn(async (_to: string) => {})
let tasker: ReturnType<typeof openTasks>

beforeEach(async () => {
  tasker = openTasks(':memory:', send)
  await tasker.start()
})

afterEach(async () => {
  jest.useRealTimers()
  await tasker.close()
})

test('sends the message', async () => {
  const uuid = await tasker.addTask({ operation: 'notify', data: { to: 'ada' } })
  expect(await tasker.waitForTaskOutputData(uuid)).toEqual({ calls: 1 })
  expect(send).toHaveBeenLastCalledWith('ada')
})

test('tries again a minute later', async () => {
  jest.useFakeTimers()
  send.mockRejectedValueOnce(new Error('the line is busy'))
  const isLogged = once(tasker, 'task.log')
  const uuid = await tasker.addTask({ operation: 'notify', data: { to: 'ada' } })

  await isLogged // Now the runner waits for its timer,
  jest.advanceTimersByTime(60_000) // and the minute passes.
  expect(await tasker.waitForTaskOutputData(uuid)).toEqual({ calls: 2 })
})
