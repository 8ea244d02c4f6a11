/**
 * What a runner says of its next attempt: errors to throw, and `snooze`.
 *
 * Whether there is one is the engine's word: here it is only said what the runner wants.
 *
 * # Promises
 * - An error of another copy of this package means the same: it is known by a mark, not by its
 *   class.
 * - Looking at what a runner threw, however hostile, never throws (I-15).
 *
 * Proof: `__test__/contract/retries.test.mjs`.
 */

import type { RetryLaterOptions } from '../index'
import { durationOf } from './calls'
import type { How } from './commands'
import { hide, invalid, read } from './errors'
import { objectOf, refuseForeign } from './objects'

/** What the marked errors have in every copy of the package, and in every realm. */
const MARK = Symbol.for('tasker.retry')

/** What a mark says. */
interface Wish {
  how: How
  delayMs?: number
}

/** Thrown by a runner, it fails the task for good, whatever its `retry` says. */
export class Unrecoverable extends Error {
  constructor(message?: string, options?: ErrorOptions) {
    super(message, options)
    hide(this, 'name', 'Unrecoverable')
    mark(this, { how: 'unrecoverable' })
  }
}

const OPTIONS = ['delay', 'counts', 'message', 'cause']

/** Thrown by a runner, it lets the task wait and then run again. */
export class RetryLater extends Error {
  readonly delay: number
  readonly counts: boolean

  constructor(options: RetryLaterOptions) {
    const given = objectOf(options, 'options')
    refuseForeign(given, OPTIONS, 'options')
    const unknown = Object.keys(given).find(key => !OPTIONS.includes(key))
    if (unknown !== undefined) {
      throw invalid(unknown, `is not an option; there are ${OPTIONS.join(', ')}`)
    }
    const { delay, counts = false, message = 'The task goes on later.', cause } = given
    const delayMs = durationOf(delay, 'delay')
    if (typeof counts !== 'boolean') throw invalid('counts', 'must be a boolean')
    if (typeof message !== 'string') throw invalid('message', 'must be a string')
    super(message, 'cause' in given ? { cause } : undefined)
    hide(this, 'name', 'RetryLater')
    this.delay = delayMs
    this.counts = counts
    mark(this, { how: counts ? 'retryLater' : 'snoozed', delayMs })
  }
}

function mark(error: Error, wish: Wish) {
  Object.defineProperty(error, MARK, { value: wish })
}

/** What is to follow when a runner has thrown this. */
export function wishOf(thrown: unknown): Wish {
  const wish = Object(read(Object(thrown), MARK as unknown as string))
  const [how, delayMs] = [read(wish, 'how'), read(wish, 'delayMs')]
  if (how === 'unrecoverable') return { how }
  const isPause = typeof delayMs === 'number' && Number.isSafeInteger(delayMs) && delayMs > 0
  if (isPause && (how === 'retryLater' || how === 'snoozed')) return { how, delayMs }
  return { how: 'threw' }
}
