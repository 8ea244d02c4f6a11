import { once } from 'node:events'
import { openTest, type TaskerTest } from 'tasker/testing'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { assignRunners, notify, type Operations } from './tasks.js'

const send = vi.fn(async (_to: string) => {})
const busy = new Error('the line is busy')
let testing: TaskerTest<Operations>

beforeEach(async () => {
  testing = await openTest<Operations>()
  assignRunners(testing.tasker, send)
  await testing.tasker.start()
})

afterEach(async () => {
  vi.useRealTimers()
  await testing.close()
})

test('sends the message', async () => {
  const uuid = await notify(testing.tasker, ['ada'])
  expect(await testing.tasker.waitForTaskOutputData(uuid)).toEqual({ attempt: 1 })
  expect(send).toHaveBeenLastCalledWith('ada')
})

test('tries again for hours', async () => {
  send.mockRejectedValueOnce(busy).mockRejectedValueOnce(busy).mockRejectedValueOnce(busy)
  await notify(testing.tasker, ['ada'])
  await testing.clock.advance('1d')
  const { result, endedAt } = await testing.expectTask({ status: 'done' })
  expect(result).toEqual({ attempt: 4 })
  expect(endedAt).toEqual(new Date('2030-01-01T07:00:00Z'))
})

test('waits a minute between two, and then tries again, with fake timers', async () => {
  vi.useFakeTimers()
  send.mockRejectedValueOnce(busy)
  await notify(testing.tasker, ['ada', 'bob'])
  await testing.expectTask({ state: 'delayed' })
  const isLogged = once(testing.tasker, 'task.log')
  const advanced = testing.clock.advance('1h')
  await isLogged // Now the runner waits for its timer,
  vi.advanceTimersByTime(60_000) // and the minute passes.
  await advanced
  expect((await testing.expectTask({})).result).toEqual({ attempt: 2 })
})
