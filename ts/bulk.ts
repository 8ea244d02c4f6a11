/**
 * Calls that do the same to many tasks: `abortTasks`, `retryTasks`, `removeTasks`.
 *
 * The reader finds the numbers of the tasks that match, once; the engine then takes them in chunks,
 * each in a commit of its own, so that no turn is long and other calls come in between.
 *
 * # Promises
 * - What was added after the call is not touched.
 * - A signal or a timeout ends a call between two chunks: what has been done stays done.
 *
 * Proof: `__test__/contract/bulk.test.mjs`.
 */

import type { BulkResult, BulkSkipReason } from '../index'
import type { Bridge } from './bridge'
import { type Bounds, Call } from './calls'
import type { Command, JsonText } from './commands'
import { TASKS_PER_CHUNK_MAX } from './constants'

type Range = [first: number, last: number]

/** What is done to each task. */
export type BulkVerb = Omit<Command & { do: 'bulk' }, 'do' | 'ranges' | 'isDry'>

/** Does it to all tasks that match, or only says what it would do. */
export function bulk(
  bridge: Bridge,
  verb: BulkVerb,
  query: JsonText,
  { bounds, isDry }: { bounds: Bounds; isDry: boolean },
): Promise<BulkResult> {
  const call = new Call()
  let isOver = false
  call.bind(bounds, () => {
    isOver = true
  })
  const carryOut = async (): Promise<BulkResult> => {
    const ranges = await bridge.read({ do: 'matching', query }, bounds)
    const result: BulkResult = { matched: 0, changed: 0, skipped: {} }
    for (const [first, last] of ranges) result.matched += last - first + 1
    for (const chunk of chunks(ranges)) {
      if (isOver) break
      const part = await bridge.command({ do: 'bulk', ranges: chunk, isDry, ...verb })
      result.changed += part.changed
      for (const [reason, count] of Object.entries(part.skipped) as [BulkSkipReason, number][]) {
        result.skipped[reason] = (result.skipped[reason] ?? 0) + count
      }
    }
    return result
  }
  carryOut().then(
    result => call.answered(result),
    error => call.refused(error),
  )
  return call.promise
}

/** The same numbers, so many at once. */
export function* chunks(ranges: readonly Range[], size = TASKS_PER_CHUNK_MAX): Generator<Range[]> {
  let chunk: Range[] = []
  let left = size
  for (const [first, last] of ranges) {
    for (let from = first; from <= last; ) {
      const to = Math.min(last, from + left - 1)
      chunk.push([from, to])
      left -= to - from + 1
      from = to + 1
      if (left > 0) continue
      yield chunk
      chunk = []
      left = size
    }
  }
  if (chunk.length > 0) yield chunk
}
