import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { openTest, type TaskerTest } from 'tasker/testing'
import { assignRunners, notify, type Operations } from './tasks.js'

const send = mock.fn(async (_to: string) => {})
let testing: TaskerTest<Operations>

beforeEach(async () => {
  testing = await openTest<Operations>()
  assignRunners(testing.tasker, send)
  await testing.tasker.start()
})

afterEach(async () => {
  mock.timers.reset()
  await testing.close() // A started tasker keeps the process alive, so the run would not end.
})

/** The line is busy for so many calls. */
function failsFor(calls: number) {
  const busy = () => Promise.reject(new Error('the line is busy'))
  for (let n = 0; n < calls; n += 1) {
    send.mock.mockImplementationOnce(busy, send.mock.callCount() + n)
  }
}

test('sends the message', async () => {
  const uuid = await notify(testing.tasker, ['ada'])
  assert.deepEqual(await testing.tasker.waitForTaskOutputData(uuid), { attempt: 1 })
  assert.deepEqual(send.mock.calls.at(-1)?.arguments, ['ada'])
})

test('tries again for hours', async () => {
  failsFor(3)
  await notify(testing.tasker, ['ada'])
  await testing.clock.advance('1d')
  const { result, endedAt } = await testing.expectTask({ status: 'done' })
  assert.deepEqual(result, { attempt: 4 })
  assert.deepEqual(endedAt, new Date('2030-01-01T07:00:00Z'))
})

test('tries again after a crash', async () => {
  failsFor(1)
  await notify(testing.tasker, ['ada'])
  await testing.expectTask({ state: 'delayed' })
  const tasker = await testing.crash()
  assignRunners(tasker, send)
  await tasker.start()
  await testing.clock.advance('1h')
  assert.deepEqual((await testing.expectTask({})).result, { attempt: 2 })
})

test('waits a minute between two, and then tries again, with fake timers', async () => {
  mock.timers.enable()
  failsFor(1)
  await notify(testing.tasker, ['ada', 'bob'])
  await testing.expectTask({ state: 'delayed' })
  const isLogged = once(testing.tasker, 'task.log')
  const advanced = testing.clock.advance('1h')
  await isLogged // Now the runner waits for its timer,
  mock.timers.tick(60_000) // and the minute passes.
  await advanced
  assert.deepEqual((await testing.expectTask({})).result, { attempt: 2 })
})
