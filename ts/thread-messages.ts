/**
 * What a tasker and the threads of its runners say to each other.
 *
 * What users give crosses as the JSON text that is stored, and is parsed where it is needed: so a
 * runner in a thread gets, and is refused, what one beside its tasker would be.
 *
 * # Promises
 * - An error is an Error again on the other side: with its name, message, stack, cause and fields,
 *   and of tasker's own classes if it was of one.
 *
 * Proof: `__test__/contract/threads.test.mjs`.
 */

import type { AbortCause, TaskerErrorFacts } from '../index'
import { AbortError } from './aborts'
import type { How } from './commands'
import { hide, TaskerError } from './errors'
import { parse } from './globals'
import { rebuild, type StoredError, serialise } from './stored'

/** What a thread needs to know before its first run. */
export interface ThreadSetup {
  /** The module, as a text of its URL. */
  readonly module: string
  /** The end of the channel on which everything else crosses. */
  readonly port: import('node:worker_threads').MessagePort
}

/** What becomes of the log lines of a run. */
export interface LogRules {
  /** The place in `LEVELS` of the most verbose level of which anything becomes. */
  readonly level: number
  /** Whether they go to a logger too: then all of them count, however few are stored. */
  readonly areMirrored: boolean
  /** Whether they are dated by the clock of a test. */
  readonly haveOwnClock: boolean
}

/** What a tasker says. */
export type ToThread =
  /** A run begins: the message of the engine as text, from when its times count, and its logs. */
  | ['start', text: string, since: number, logs: LogRules]
  /** Its signal fires. */
  | ['abort', reason: PackedError]
  /** What was asked for, as JSON text. */
  | ['answer', question: number, text: string | undefined]
  | ['refuse', question: number, error: PackedError]

/** What a runner asks of its tasker, for the task with this uuid. */
export type Question =
  | ['checkpoint', slot: number]
  | ['hold', uuid: string, query: string, until: string]
  /** The definition is the text that the engine gets. */
  | ['addTask', uuid: string, definition: string]
  | ['results', uuid: string]

/** What a thread says. */
export type FromThread =
  | ['log', level: number, message: string, fields: string | undefined, at: number | undefined]
  | ['progress', current: number, total: number | undefined, unit: string | undefined]
  | ['ask', question: number, Question]
  /** The run is over: with its result, or with a wish to go on later. */
  | ['returned', text: string | undefined, snoozeMs: number | undefined]
  | ['threw', how: How, error: PackedError, delayMs: number | undefined]
  /** The module cannot be used. */
  | ['broken', error: PackedError]

/** An error as it crosses. */
export type PackedError = [kind: 'tasker' | 'abort' | 'thrown', text: string]

/** Anything that was thrown, as it crosses. */
export function pack(thrown: unknown): PackedError {
  const kind =
    thrown instanceof TaskerError ? 'tasker' : thrown instanceof AbortError ? 'abort' : 'thrown'
  return [kind, serialise(thrown)]
}

/** What was thrown on the other side. */
export function unpack([kind, text]: PackedError): unknown {
  const stored: StoredError = parse(text)
  const thrown = rebuild(stored)
  if (kind === 'thrown') return thrown
  const { message, stack, cause } = thrown as Error
  const error =
    kind === 'abort'
      ? new AbortError(message, cause as AbortCause, (thrown as AbortError).reason)
      : ours(thrown as TaskerError, 'cause' in stored)
  hide(error, 'stack', stack)
  return error
}

function ours({ code, message, path, pid, uuids, uuid, cause }: TaskerError, hasCause: boolean) {
  const facts = { path, pid, uuids, uuid, ...(hasCause && { cause }) }
  return new TaskerError(code, message, facts as TaskerErrorFacts)
}
