/**
 * Tasks as lines of JSON.
 *
 * # Promises
 * - A line for each task that `tasks` gives. What JSON has no number for is text.
 *
 * Proof: `__test__/contract/file.test.mjs`.
 */

import type { TasksOptions } from '../index'
import type { Bridge } from './bridge'
import { stringify } from './globals'
import { tasksOf } from './tasks'

/** The lines of the tasks that match. Throws if an argument is wrong. */
export function linesOf(
  bridge: Bridge,
  query: object,
  options: TasksOptions & { fields?: readonly string[] },
): AsyncGenerator<string, void, undefined> {
  return lines(tasksOf(bridge, query, options))
}

async function* lines(tasks: AsyncIterable<object>): AsyncGenerator<string, void, undefined> {
  for await (const task of tasks) yield `${stringify(task, numberAsText)}\n`
}

const numberAsText = (_name: string, value: unknown): unknown =>
  value === Infinity || value === -Infinity ? String(value) : value
