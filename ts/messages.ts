/**
 * What the engine tells, all of it: `src/message.rs` has the same list.
 *
 * # Promises
 * - A message that is no JSON, as in a damaged store, costs only itself: its call is refused, its
 *   run fails, and all other messages of the text are delivered.
 *
 * Proof: `tidy::both_sides_of_the_bridge_know_the_same_messages`,
 * `__test__/contract/bridge.test.mjs`.
 */

import type {
  AbortCause,
  EndCause,
  EndStatus,
  Json,
  TaskerErrorCode,
  TaskerErrorFacts,
  TaskLog,
  TaskProgress,
  TraceContext,
} from '../index'
import { parse } from './globals'
import type { StoredError } from './stored'

/** One message of the engine: its word, and its members in order. */
export type Message =
  /** The call succeeded and is on disk; which call it was says what the value is. */
  | ['answer', ticket: number, value: unknown]
  /** The call was refused; nothing of it was done. */
  | ['refusal', ticket: number, error: Refusal]
  /** The runs that follow, so many from this one on, have one runner, which is called once. */
  | ['batch', slot: number, runs: number]
  /** A run has started: call the runner. Times are milliseconds after those of its text. */
  | [
      'start',
      slot: number,
      uuid: string,
      runId: string,
      operation: string,
      attempt: number,
      priority: PriorityJson,
      createdAt: number,
      startedAt: number,
      /** `null` if there is a rest, which then has the data. */
      data?: unknown,
      rest?: Rest,
    ]
  /** Fire the signal of the run. */
  | ['signal', slot: number, cause: AbortCause, reason: StoredError | null]
  /** The run is to halt at its next checkpoint. */
  | ['halt', slot: number]
  /** The run that waits at a checkpoint goes on. */
  | ['goOn', slot: number]
  /** The run is over, and that is on disk; one that was fenced counts for nothing. */
  | ['runEnd', slot: number, status: RunEndStatus, abort?: Abort]
  /** The task ended although its runner did not settle: aborted while ready, lost, too long. */
  | ['taskEnd', uuid: string, status: EndStatus, cause: EndCause | null, payload?: unknown]
  /**
   * The run is over and its task is tried again, from this moment on; the reason is that of its
   * signal, if that ended the run.
   */
  | ['runRetry', slot: number, runAt: number, reason?: StoredError]
  /** An ended task runs again because somebody asked for it. */
  | ['taskRetry', uuid: string, runAt: number, error?: StoredError]
  /** The task got this priority because its `queueTimeout` is over. */
  | ['taskPriority', uuid: string, priority: PriorityJson]
  /** The task got another definition. */
  | ['taskUpdate', uuid: string]
  /** A schedule has added the task. */
  | ['taskAdded', uuid: string]
  | ['taskRun', uuid: string]
  /** The executor of the task has written this line of its log. */
  | ['taskLog', uuid: string, line: Omit<TaskLog, 'at'> & { at: number }]
  /** The executor of the task is so far. */
  | ['taskProgress', uuid: string, report: TaskProgress]
  /** The tick of the schedule is used up, for the store refuses its task. */
  | ['tickRefused', schedule: string, at: number, error: Refusal]
  /**
   * The circuit of the operation, or of this value of its tasks, has opened until this moment
   * because of this error, has its first probe, or has closed again.
   */
  | [
      'circuit',
      operation: string,
      turned: 'opened' | 'halfOpened' | 'closed',
      key: Json | null,
      until?: number,
      error?: StoredError,
    ]
  /** So many more log lines of the run are on disk. */
  | ['logs', slot: number, count: number]
  /** So many more progress reports of the run are on disk. */
  | ['progress', slot: number, count: number]
  /** What another process did to a task. */
  | ['remoteEvent', uuid: string, event: 'added' | 'run' | 'added-and-run' | 'updated']
  /** Another process gave the task this priority. */
  | ['remotePriority', uuid: string, priority: PriorityJson]
  /** Another process tries the task again. */
  | ['remoteRetry', uuid: string, runAt: number, error?: StoredError]
  /** Another process ended the task. */
  | ['remoteEnd', uuid: string, status: EndStatus, cause: EndCause | null, payload?: unknown]
  /** The portion of remote messages is complete; the next comes after the command `ack`. */
  | ['awaitAck']
  /** So many commits of other processes were trimmed before they were told. */
  | ['eventsMissed', commits: number]
  /**
   * Another process has assigned the runner of the operation with other options than we: the
   * versions of the record that had ours, and that has theirs.
   */
  | ['operationChanged', operation: string, ours: number, theirs: number]
  /** No run is live any more, and nothing can start here. */
  | ['idle']
  /** All tasks have ended. */
  | ['drained']
  /** A line of the engine for the logger, and what belongs to it. Comes before the rest. */
  | ['log', level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: Json]
  /** We did not drain for so long. Comes first in its text. */
  | ['loopBlocked', ms: number]
  /** Nothing follows: the engine closed, by itself if there is an error. */
  | ['closed', error?: Refusal]

/** The messages of one kind. */
export type MessageOf<Kind extends Message[0]> = Extract<Message, [Kind, ...unknown[]]>

/** What few tasks have of their caller, with their data. */
export interface Rest {
  data?: unknown
  id?: Json
  label?: string
  tags?: string[]
  trace?: TraceContext
  scheduleId?: string
  /** In milliseconds. */
  scheduledAt?: number
}

/** How a run ended; one that was snoozed, postponed or fenced ended no task. */
export type RunEndStatus = EndStatus | 'snoozed' | 'postponed' | 'fenced'

/** Why a run was aborted, or given back by a call. */
export type Abort = [cause: AbortCause, reason: StoredError]

/** How a task ended, as the answer to the command `await`. */
export type TaskEnd = [status: EndStatus, cause: EndCause | null, payload?: unknown]

/**
 * What became of one task that was to be added, and which one it is. One of an outbox that had been
 * added before is not new.
 */
export type Added = [uuid: string, isNew: boolean | 'duplicate' | 'replaced']

/** The answer to a request that came through a server of the user's; names and values in turn. */
export type MountAnswer = [status: number, headers: string[], body: string]

/** A priority in JSON, which has no infinities. */
export type PriorityJson = number | 'Infinity' | '-Infinity'

/** Why a call was refused. */
export type Refusal = TaskerErrorFacts & { code: TaskerErrorCode; message: string }

/** The start of a run whose data is no JSON. */
export type Unreadable = ['unreadable', slot: number]

/**
 * Some messages, after whether there are more to fetch, and the moment from which their times
 * count, in milliseconds since 1970: most times are small numbers then, which cost no memory.
 */
export type Messages = [hasMore: boolean, since: number, ...messages: (Message | Unreadable)[]]

const UNREADABLE = {
  code: 'TASKER_CORRUPT',
  message: 'The file is damaged: what it holds of this task is no JSON.',
} as const

/** What a run fails with whose data cannot be read. */
export const unreadable = { name: 'TaskerError', ...UNREADABLE }

/** The messages in a text; throws if they cannot be told apart. */
export function messagesIn(text: string): Messages {
  try {
    return parse(text)
  } catch {
    const [hasMore, since, ...messages] = elementsOf(text)
    return [hasMore === 'true', Number(since), ...messages.flatMap(messageIn)]
  }
}

/** The message in a text, or what is left of it. */
function messageIn(text: string): (Message | Unreadable)[] {
  try {
    return [parse(text)]
  } catch {
    const [, kind, id] = /^\["(\w+)",(\d+)/.exec(text) ?? []
    if (kind === 'answer') return [['refusal', Number(id), UNREADABLE]]
    return kind === 'start' ? [['unreadable', Number(id)]] : []
  }
}

/** The texts of the elements of an array, whatever they are. */
function elementsOf(text: string): string[] {
  const elements: string[] = []
  let [depth, from, isText] = [0, 1, false]
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at] as string
    if (isText) {
      if (sign === '\\') at += 1
      else isText = sign !== '"'
    } else if (sign === '"') isText = true
    else if ('[{'.includes(sign)) depth += 1
    else if (']}'.includes(sign)) depth -= 1
    const isEnd = !isText && ((sign === ',' && depth === 1) || depth === 0)
    if (!isEnd) continue
    elements.push(text.slice(from, at))
    from = at + 1
  }
  if (text[0] !== '[' || depth !== 0 || from !== text.length)
    throw new SyntaxError('the text is no list of messages')
  return elements
}
