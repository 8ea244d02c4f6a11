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
import { warn } from './warnings'

/** Of how many operations it is remembered that they were warned of. */
const TOLD_MAX = 1_000

/** The operations, and the templates, that were warned of. */
const told = new Set<unknown>()

/**
 * Conditions of which `JSON.stringify` loses nothing that the engine is to judge; `whose` is what
 * they are said of.
 */
export function conditionsOf(given: unknown, path: string, whose: unknown): unknown {
  if (!Array.isArray(given)) return given
  if (given.some(neverHolds)) warnOfNever(whose)
  if (given.length > CONDITIONS_MAX) {
    const message = `has ${given.length} conditions; at most ${CONDITIONS_MAX} are allowed`
    throw new TaskerError('TASKER_TOO_LARGE', `${path}: ${message}`, { path })
  }
  return Array.from(given, (one, i) => conditionOf(one, `${path}[${i}]`))
}

function neverHolds(given: unknown): boolean {
  if (typeof given !== 'object' || given === null) return false
  const { limit } = given as Loose
  return typeof limit === 'number' && limit < 0
}

/** Once for each operation: one mistake makes many tasks. */
function warnOfNever(whose: unknown) {
  if (typeof whose !== 'string' || told.has(whose) || told.size === TOLD_MAX) return
  told.add(whose)
  const message = `a condition of ${whose} has a limit below 0, which never holds`
  warn('TASKER_NEVER_HOLDS', `${message}: tasks wait for ever; limit 0 lets one run alone`)
}

function conditionOf(given: unknown, path: string): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given ?? null
  const { scope, query, limit } = given as Loose
  const members = isPlain(given) ? { ...given } : { scope, limit }
  return query === undefined ? members : { ...members, query: plainQuery(query, `${path}.query`) }
}
