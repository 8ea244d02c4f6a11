/**
 * Conditions on their way to the engine: their queries hold dates, regular expressions and
 * infinities, which JSON drops or cannot say.
 *
 * # Left to others
 * What a condition may say: the engine judges it when the task is added.
 *
 * Proof: `__test__/contract/conditions.test.mjs`.
 */

import { CONDITIONS_MAX } from './constants'
import { TaskerError } from './errors'
import { isPlain, type Loose } from './objects'
import { plainQuery } from './query'

/** Conditions of which `JSON.stringify` loses nothing that the engine is to judge. */
export function conditionsOf(given: unknown, path: string): unknown {
  if (!Array.isArray(given)) return given
  if (given.length > CONDITIONS_MAX) {
    const message = `has ${given.length} conditions; at most ${CONDITIONS_MAX} are allowed`
    throw new TaskerError('TASKER_TOO_LARGE', `${path}: ${message}`, { path })
  }
  return Array.from(given, (one, i) => conditionOf(one, `${path}[${i}]`))
}

function conditionOf(given: unknown, path: string): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given ?? null
  const { scope, query, limit } = given as Loose
  const members = isPlain(given) ? { ...given } : { scope, limit }
  return query === undefined ? members : { ...members, query: plainQuery(query, `${path}.query`) }
}
