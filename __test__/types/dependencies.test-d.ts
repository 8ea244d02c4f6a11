// How tasks that depend on others are typed. Each `@ts-expect-error` must not compile.

import { type DependencyResult, type Task, Tasker, type TaskUuid } from '../../index'
import { is } from './equal'

interface Operations {
  fetch: { data: { url: string }; result: { rows: number } }
  report: { result: number }
}

const tasker = new Tasker<Operations>('tasks.db')

async function adds() {
  const first = await tasker.addTask({ operation: 'fetch', data: { url: 'a' } })
  // A uuid as it was given, as text that was stored, and the numbers of a graph.
  const [report] = await tasker.addTasks([
    { operation: 'fetch', data: { url: 'b' } },
    { operation: 'report', dependsOn: [first, 0] },
    { operation: 'report', dependsOn: { uuids: [first as string, 1], onFailure: 'run' } },
    { operation: 'report', dependsOn: [0] as const, parent: first },
    { operation: 'report', dependsOn: undefined, parent: undefined },
  ])
  // @ts-expect-error a list, also for one
  tasker.addTask({ operation: 'report', dependsOn: first })
  // @ts-expect-error no such word
  tasker.addTask({ operation: 'report', dependsOn: { uuids: [first], onFailure: 'fail' } })
  // @ts-expect-error which ones?
  tasker.addTask({ operation: 'report', dependsOn: { onFailure: 'run' } })
  // @ts-expect-error no such option
  tasker.addTask({ operation: 'report', dependsOn: { uuids: [first], onfailure: 'run' } })
  // @ts-expect-error one parent
  tasker.addTask({ operation: 'report', parent: [first] })
  return report
}

tasker.assignRunner('report', async ({ results, addTask, uuid }) => {
  is<() => Promise<DependencyResult[]>>()(results, true)
  // Both work without their context.
  const all = await results()
  const child: TaskUuid = await addTask({
    operation: 'fetch',
    data: { url: uuid },
    dependsOn: [uuid],
  })
  // @ts-expect-error an end is told by its word
  const wrong = all.filter(({ status }) => status === 'lost')
  const failed = all.filter(({ status }) => status === 'failed' || status === 'removed')
  return failed.map(({ error }) => error?.message ?? child).length + wrong.length
})

async function reads(task: Task) {
  is<{ uuids: string[]; onFailure: 'abort' | 'run' } | undefined>()(task.dependsOn, true)
  is<string | undefined>()(task.parent, true)
  await tasker.findTasks({ 'dependsOn.uuids': task.uuid, cause: 'dependency' })
  await tasker.findTasks({ parent: task.uuid }, { fields: ['uuid', 'dependsOn'] })
}

export { adds, reads }
