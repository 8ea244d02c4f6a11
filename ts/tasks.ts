/**
 * All tasks that match: at once, or page by page.
 *
 * # Promises
 * - A task comes at most once, and one that matches all the time comes. Those that are added after
 *   the first page was read do not come.
 * - No page is longer than about a MiB, so no answer holds up the event loop for long.
 *
 * Proof: `__test__/contract/tasks.test.mjs`.
 */

import type { FindTasksOptions, Task, TasksOptions } from '../index'
import type { Bridge } from './bridge'
import { boundsOf } from './calls'
import type { JsonText, PageJson } from './commands'
import { reviveAll } from './document'
import { invalid, read, traced } from './errors'
import { logsOf, only, wholeOf } from './options'
import { encodeFields, encodeQuery } from './query'

const WORDS = ['sort', 'fields', 'withLogs', 'logsMaxLevel', 'abortSignal']

/** What is asked for the tasks that match, all at once. Throws if an argument is wrong. */
export function findCommand(
  query: object,
  options: FindTasksOptions & { fields?: readonly string[] | undefined },
  limitMax?: number,
) {
  return {
    do: 'find',
    limit: limitMax ?? (wholeOf(options.limit, 'limit') || undefined),
    skip: wholeOf(options.skip, 'skip'),
    logs: logsOf(options),
    fields: encodeFields(options.fields),
    sort: options.sort === undefined ? undefined : encodeQuery(options.sort, 'sort'),
    query: encodeQuery(query, 'query'),
  } as const
}

/** The tasks that match, by their numbers. Throws if an argument is wrong. */
export function tasksOf(
  bridge: Bridge,
  query: object,
  given: TasksOptions & { fields?: readonly string[] },
): AsyncGenerator<Task, void, undefined> {
  const options = only(given, WORDS, 'options')
  const isDescending = isDescendingOf(options.sort)
  const parts = {
    query: encodeQuery(query, 'query'),
    isDescending,
    logs: logsOf(options),
    fields: encodeFields(options.fields),
  }
  bridge.check()
  return pages(bridge, parts, options)
}

interface Parts {
  query: JsonText
  isDescending: boolean
  logs: ReturnType<typeof logsOf>
  fields: JsonText | undefined
}

async function* pages(bridge: Bridge, parts: Parts, options: TasksOptions) {
  let first = 1
  let last: number | undefined
  for (;;) {
    const bounds = boundsOf('tasks', { abortSignal: options.abortSignal })
    const command = { do: 'page', ...parts, first, last } as const
    const page: Promise<PageJson> = bridge.read(command, bounds, answer => answer)
    const [documents, next, newest] = await traced(page)
    yield* reviveAll(documents)
    if (next === null) return
    last ??= newest ?? undefined
    if (parts.isDescending) last = next - 1
    else first = next + 1
  }
}

/** Whether the greatest number comes first. Pages can follow no order that may change. */
function isDescendingOf(sort: unknown): boolean {
  if (sort === undefined) return false
  const isObject = typeof sort === 'object' && sort !== null
  const seq: unknown = isObject && Object.keys(sort).join() === 'seq' ? read(sort, 'seq') : 0
  if (seq === 1 || seq === -1) return seq === -1
  const remedy = 'for another order, use findTasks with a limit'
  throw invalid('sort', `must be { seq: 1 } or { seq: -1 }, an order that never changes; ${remedy}`)
}
