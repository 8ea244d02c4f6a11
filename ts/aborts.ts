/**
 * Why runs and tasks are aborted, as Errors.
 *
 * # Promises
 * - The reason of a signal is always an Error: the user's own, or an AbortError whose `cause` says
 *   why.
 *
 * Proof: `__test__/contract/aborting.test.mjs`.
 */

import type { AbortCause } from '../index'
import { hide, isError, read, spell } from './errors'
import { cut, json, MESSAGE_MAX, rebuild, type StoredError, serialise } from './stored'

const REASON_BYTES_MAX = 16 * 1024

/** Something that ended by decision, as Node words it. */
export class AbortError extends Error {
  declare readonly name: 'AbortError'
  readonly code = 'ABORT_ERR'
  declare readonly reason?: unknown

  constructor(message: string, cause: AbortCause, reason?: unknown) {
    super(message, { cause })
    hide(this, 'name', 'AbortError')
    if (reason !== undefined) this.reason = reason
  }
}

const ABORTED: Record<string, string> = {
  stop: 'the tasker was stopped',
  shutdown: 'the tasker was stopped; the task goes back to the queue',
  'run-timeout': 'the task ran longer than its runTimeout',
  'queue-timeout': 'the task waited longer than its queueTimeout',
  fenced: 'the run was replaced; what it returns counts for nothing',
  lost: 'the process of this run died',
  dependency: 'a task that it depends on failed or was aborted',
}

/** What a signal's `reason` is: the user's own Error, or an AbortError that says why. */
export function abortReason(cause: AbortCause, given: unknown): Error {
  if (isError(given)) return given
  if (typeof given === 'string') return new AbortError(given, cause)
  return new AbortError(ABORTED[cause] ?? 'the task was aborted', cause, given)
}

/** The same from what was stored. */
export function storedReason(cause: AbortCause, stored: StoredError | null | undefined): Error {
  if (!stored) return abortReason(cause, undefined)
  if (stored.name !== 'AbortError' || stored.code !== 'ABORT_ERR') return toError(rebuild(stored))
  return new AbortError(String(stored.message), cause, stored.reason)
}

/** What a wait for an aborted task rejects with. */
export function abortError(cause: AbortCause, reason: Error): Error {
  if (reason instanceof AbortError) return reason
  return new AbortError(spell(read(reason, 'message') ?? ''), cause, reason)
}

const toError = (value: unknown): Error => (isError(value) ? value : new Error(String(value)))

/** The JSON text under which the reason of an abort is stored. */
export function serialiseReason(cause: 'user' | 'signal', given: unknown): string {
  if (isError(given)) return serialise(given)
  return textOf(cause, abortReason(cause, given) as AbortError)
}

/** The JSON text under which the reason of a postponement is stored. */
export function serialisePostponement(given: unknown): string {
  if (isError(given)) return serialise(given)
  const isText = typeof given === 'string'
  const message = isText ? given : 'the task was postponed; it goes back to the queue'
  return textOf('shutdown', new AbortError(message, 'shutdown', isText ? undefined : given))
}

function textOf(cause: AbortCause, { name, message, code, reason }: AbortError): string {
  const value = reason === undefined ? undefined : json(reason, REASON_BYTES_MAX)
  const known = `"name":"${name}","code":"${code}","cause":"${cause}"`
  const text = `${known},"message":${cut(message, MESSAGE_MAX)}`
  return value === undefined ? `{${text}}` : `{${text},"reason":${value}}`
}
