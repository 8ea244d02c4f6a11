/**
 * The JSON text of what a user hands over to be stored: the data of a task, the result of a run.
 *
 * # Promises
 * - What is certainly too large is refused before it is written.
 * - A value that JSON would turn into `{}` without a word is refused: a Map, a generator, a
 *   Response. Inside of others it is stored as JSON has it.
 *
 * Proof: `__test__/contract/running.test.mjs`, `__test__/border/payloads.test.mjs`.
 */

import { types } from 'node:util'
import { isBare } from './bounded-json'
import { invalid, isError } from './errors'
import { stringify } from './globals'
import { isLongerThan } from './json-size'
import { nameOf } from './objects'

/**
 * The engine measures what it stores. What is certainly too large for it is refused here, before it
 * is copied several times.
 */
export const TASK_CHARS_MAX = 32 * 1024 * 1024

/** JSON text as `JSON.stringify` gives it. Throws a `RangeError` for what is too long. */
export function payloadText(value: unknown): string | undefined {
  if (isLongerThan(value, TASK_CHARS_MAX)) throw new RangeError('too many characters of JSON')
  const text: string | undefined = stringify(value)
  if (text === undefined || text.length <= TASK_CHARS_MAX) return text
  throw new RangeError(`${text.length} characters of JSON`)
}

/** Refuses a value of which JSON keeps nothing. */
export function refuseEmptied(value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null) return
  if (isBare(value)) return
  if (isError(value)) throw invalid(path, 'is an Error; throw it, or give its message')
  if (isKept(value)) return
  throw invalid(path, `JSON keeps nothing of ${nameOf(value)}; ${remedy(value)}`)
}

/** Whether JSON finds something in an object of a class; a Proxy may refuse to say. */
function isKept(value: object): boolean {
  try {
    return Object.keys(value).length > 0 || 'toJSON' in value || types.isBoxedPrimitive(value)
  } catch {
    return true
  }
}

function remedy(part: object): string {
  if (part instanceof Promise) return 'await it first'
  const isIterable = Symbol.iterator in part || Symbol.asyncIterator in part
  if ('next' in part) return 'read it to its end and give what it yields'
  return isIterable ? 'give an array, such as [...value]' : 'give a plain object or a string'
}
