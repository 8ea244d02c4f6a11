// How conditions are typed. Each `@ts-expect-error` must not compile.

import { type Condition, type ConditionQuery, type StoredCondition, Tasker } from '../../index'
import { is } from './equal'

const tasker = new Tasker('tasks.db')

/** Everything that a condition may look at. */
export const conditions: Condition[] = [
  { scope: 'running', query: {}, limit: 0 },
  {
    scope: 'before-queued',
    query: { 'data.book': 'dune', operation: { $in: ['write'] } },
    limit: 1,
  },
  {
    scope: 'running',
    query: {
      $or: [{ label: /^a/ }, { tags: 'red', 'tags.0': 'wet' }],
      $nor: [{ 'id.order': 7 }],
      $and: [{ data: { a: 1 } }],
      priority: { $gte: 5 },
      status: 'running',
    },
    limit: -1,
  },
]

tasker.addTask({ operation: 'read', concurrency: conditions })
tasker.addTask({
  operation: 'read',
  concurrency: [{ scope: 'running', query: {}, limit: 1 }] as const,
})
// @ts-expect-error a list, also for one
tasker.addTask({ operation: 'read', concurrency: conditions[0] })
// @ts-expect-error no such scope
tasker.addTask({ operation: 'read', concurrency: [{ scope: 'queued', query: {}, limit: 1 }] })
// @ts-expect-error which tasks?
tasker.addTask({ operation: 'read', concurrency: [{ scope: 'running', limit: 1 }] })
// @ts-expect-error it changes while it counts
export const query: ConditionQuery = { cause: 'lost' }

async function shown() {
  const task = await tasker.getTask('018f')
  is<StoredCondition[] | undefined>()(task.concurrency, true)
}
shown()
