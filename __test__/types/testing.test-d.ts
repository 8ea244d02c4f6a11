// What `tasker/testing` promises of types.

import type { Task, Tasker } from '../../index'
import { openTest, type TaskerTest, type TestOptions, type TestTaskerOptions } from '../../testing'
import { is } from './equal'

interface Operations {
  notify: { data: { to: string }; result: { attempt: number } }
}

export async function typed(): Promise<void> {
  await using test = await openTest<Operations>({
    seed: 1,
    now: new Date(),
    patience: '2s',
    options: { concurrency: 1, runners: { notify: ({ attempt }) => ({ attempt }) } },
  })
  is<TaskerTest<Operations>>()(test, true)
  is<Tasker<Operations>>()(test.tasker, true)
  const { clock, crash, expectTask, open } = test
  const at: Date = clock.now()
  await clock.advance('30d')
  await clock.advance(at.getTime())
  await clock.runAll()
  await clock.runAll({ max: 10 })
  const next: Tasker<Operations> = await crash()
  await crash(next)
  const task: Task<Operations> = await expectTask({ operation: 'notify', 'data.to': 'ada' })
  const second: Tasker<Operations> = open({ events: 'all' })
  // @ts-expect-error: there is no such operation
  await second.addTask({ operation: 'nothing' })
  console.log(task.createdAt)
  // @ts-expect-error: a duration has a unit
  await clock.advance('30')
  // @ts-expect-error: the first tasker follows a crash
  test.tasker = next
}

export async function loose(): Promise<void> {
  const { tasker, close } = await openTest()
  await tasker.addTask({ operation: 'anything', data: [1] })
  await close()
}

export const options: TestOptions<Operations>[] = [
  { now: '2030-01-01' },
  { now: 0, seed: 2 },
  // @ts-expect-error: a test has a file of its own
  { options: { store: 'tasks.db' } },
  // @ts-expect-error: a seed is a number
  { seed: 'x' },
]

// @ts-expect-error: nobody shares the file of a test
export const its: TestTaskerOptions = { exclusive: true }
