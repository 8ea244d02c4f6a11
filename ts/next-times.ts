/**
 * A look at a cron: when it comes next, without a tasker.
 *
 * Proof: `__test__/contract/next-times.test.mjs`.
 */

import type { TaskerErrorCode, nextTimes as Typed } from '../index'
import { refusal } from './errors'
import { dateOf, parse, wallMs } from './globals'
import { native } from './native'
import { jsonOf, momentOf, only } from './options'

type Refused = { code: TaskerErrorCode; message: string; path: string }

/** The next times of a cron. */
export const nextTimes: typeof Typed = (cron, options) => {
  const given = only(options, ['timezone', 'count', 'from'], 'options')
  const { timezone, count } = given
  const from = given.from === undefined ? wallMs() : momentOf(given.from)
  const members = Object.entries({ cron, timezone, count, from })
    .filter(([name, value]) => name === 'cron' || value !== undefined)
    .map(([name, value]) => `"${name}":${jsonOf(value)}`)
  const times: number[] | Refused = parse(native().nextTimes(`{${members.join(',')}}`))
  if (Array.isArray(times)) return times.map(dateOf)
  throw refusal(times)
}
