/**
 * What a runner returns, on its way to the store.
 *
 * # Promises
 * - What cannot be stored fails the run with an error that says why, here and in a thread alike.
 *
 * Proof: `__test__/contract/running.test.mjs`, `threads.test.mjs`.
 */

import { TaskerError, unwritable } from './errors'
import { payloadText, refuseEmptied } from './payload'

/** The JSON text of a result; throws if it has none, or would lose what it holds. */
export function resultText(result: unknown): string | undefined {
  const text = payloadText(result)
  if (text === undefined && result !== undefined) throw new TypeError(`is a ${typeof result}`)
  refuseEmptied(result, 'result')
  return text
}

/** Why a result cannot be stored. */
export function unstorable(cause: unknown): TaskerError {
  if (cause instanceof TaskerError) return cause
  return cause instanceof RangeError ? tooLarge() : unwritable('result', cause)
}

/** Why the engine has refused a result. */
export function tooLarge(): TaskerError {
  const message = 'result: is too large or too deep to be stored'
  return new TaskerError('TASKER_TOO_LARGE', message, { path: 'result' })
}
