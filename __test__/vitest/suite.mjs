// The suite that each spec file runs in a thread or a process of its own.

import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { Tasker, TaskerError } from '../../index.mjs'

// Whoever runs vitest removes it: here a tasker that is left open is still at work in it.
const place = mkdtempSync(join(process.env.TASKER_PLACE, 'vitest-'))

/** All but `nextTick`, which vitest refuses to fake in processes of its own. */
const FAKED = [
  ...['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate'],
  ...['clearImmediate', 'queueMicrotask', 'performance', 'Date'],
]

export function suite() {
  const runners = {
    double: ({ data }) => data * 2,
    fail: () => {
      throw new RangeError('on purpose')
    },
    hang: () => new Promise(() => {}),
  }

  test('tasks run, fail and are found', async () => {
    const tasker = new Tasker({ store: join(place, 'tasks.db'), runners })
    await tasker.start()
    const uuids = await tasker.addTasks(
      Array.from({ length: 100 }, (_, data) => ({ operation: 'double', data })),
    )
    const results = await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
    expect(results).toEqual(uuids.map((_, i) => i * 2))
    const failing = await tasker.addTask({ operation: 'fail' })
    await expect(tasker.waitForTaskOutputData(failing)).rejects.toBeInstanceOf(RangeError)
    expect(await tasker.countTasks({ status: 'done' })).toBe(100)
    await tasker.close()
    await expect(tasker.countTasks()).rejects.toBeInstanceOf(TaskerError)
  })

  test('fake timers stand in for those of the test, not of the tasker', async () => {
    vi.useFakeTimers({ toFake: FAKED })
    const tasker = new Tasker({ store: ':memory:', runners, concurrency: 3000 })
    await tasker.start()
    const burst = Array.from({ length: 2000 }, (_, data) => ({ operation: 'double', data }))
    const run = async () => {
      const uuids = await tasker.addTasks(burst)
      return Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
    }
    expect(await run()).toHaveLength(2000)
    vi.useRealTimers()
    expect(await run()).toHaveLength(2000)
    await tasker.close()
  })

  test('a tasker may be left open with live runs', async () => {
    const tasker = new Tasker({ store: join(place, 'left.db'), runners })
    await tasker.start()
    const begun = new Promise(resolve => tasker.once('task.run', resolve))
    const uuid = await tasker.addTask({ operation: 'hang' })
    expect(await begun).toBe(uuid)
  })
}
