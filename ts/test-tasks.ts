/**
 * What a test expects of the tasks, and what it is told when they are not so.
 *
 * Proof: `__test__/contract/testing.test.mjs`.
 */

import { AssertionError } from 'node:assert'
import type { Query, Registry, Task, Tasker } from '../index'
import { stringify } from './globals'

/** Tasks that a message lists. */
const LISTED_MAX = 10

/** The one task that matches. */
export async function matchOf<Operations extends Registry<Operations>>(
  tasker: Tasker<Operations>,
  query: Query<Operations>,
): Promise<Task<Operations>> {
  const found = await tasker.findTasks(query, { limit: 2 })
  const [task] = found
  if (task && found.length === 1) return task as Task<Operations>
  const message = task
    ? `more than one task matches ${stringify(query)}:${await listOf(tasker, query)}`
    : `no task matches ${stringify(query)}; there are:${await listOf(tasker, {})}`
  throw new AssertionError({ message, actual: found.length, expected: 1, operator: 'expectTask' })
}

/** Some of the tasks that match, a line each, with what holds them back. */
export async function listOf<Operations extends Registry<Operations>>(
  tasker: Tasker<Operations>,
  query: Query<Operations>,
): Promise<string> {
  const tasks = await tasker.findTasks(query, { limit: LISTED_MAX })
  const lines = await Promise.all(tasks.map(task => lineOf(tasker, task as Task)))
  const left = (await tasker.countTasks(query)) - lines.length
  if (left > 0) lines.push(`… and ${left} more`)
  if (lines.length === 0) lines.push('none')
  return lines.map(line => `\n  ${line}`).join('')
}

async function lineOf<Operations extends Registry<Operations>>(
  tasker: Tasker<Operations>,
  { uuid, operation, state, attempt, cause }: Task,
): Promise<string> {
  const ended = cause === undefined ? '' : ` (${cause})`
  const head = `${operation} ${uuid} is ${state}${ended}, attempt ${attempt}`
  if (state === 'running' || state === 'done' || state === 'failed' || state === 'aborted') {
    return head
  }
  const { reasons } = await tasker.explainTask(uuid as string)
  return [head, ...reasons.map(reason => reason.message)].join('; ')
}
