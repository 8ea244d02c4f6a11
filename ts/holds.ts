/**
 * Holds: what is asked of the engine, and what it says of them, with Dates.
 *
 * Proof: `__test__/contract/holding.test.mjs`.
 */

import type { Hold } from '../index'
import { type Command, type DocumentJson, JsonText } from './commands'
import { dateOf } from './globals'
import { objectOf } from './objects'
import { jsonOf, momentOf, only } from './options'
import { encodeQuery } from './query'

type HoldCommand = Command & { do: 'hold' }

/** The command that makes a hold; `uuid` is the task whose runner asks for it. */
export function holdCommand(given: unknown, uuid?: string): HoldCommand {
  const { query, until } = only(objectOf(given, 'options'), ['query', 'until'], 'options', {
    meant: { delay: 'until is meant, a Date or milliseconds since 1970' },
  })
  return {
    do: 'hold',
    query: encodeQuery(query, 'query'),
    until: new JsonText(jsonOf(momentOf(until))),
    uuid,
  }
}

/** The command that ends one before its time. */
export const releaseCommand = (id: unknown) =>
  ({ do: 'releaseHold', id: new JsonText(jsonOf(id)) }) as const

/** Revives holds in place. */
export function reviveHolds(holds: DocumentJson[]): Hold[] {
  for (const hold of holds) {
    hold.since = dateOf(hold.since as number)
    hold.until = dateOf(hold.until as number)
  }
  return holds as unknown as Hold[]
}
