/**
 * What is asked of the engine, all of it but new tasks: `src/command.rs` has the same lists, and
 * `src/calls.rs` reads the lines of runs.
 *
 * Proof: `tidy::both_sides_of_the_bridge_know_the_same_commands`,
 * `__test__/contract/bridge.test.mjs`, `__test__/border/native.test.mjs`.
 */

import type {
  LogLevel,
  QueryExplanation,
  TaskChangeKind,
  TaskProgress,
  TaskState,
  TaskStatus,
  Verification,
} from '../index'
import { stringify } from './globals'
import type { PriorityJson, TaskEnd } from './messages'

/** What is asked of the engine. */
export type Command =
  | {
      do: 'assign'
      operation: string
      options?: JsonText | undefined
      batch?: JsonText | undefined
    }
  /** How many threads the runner has that is assigned next. */
  | { do: 'threads'; operation: string; threads: number }
  | { do: 'define'; operation: string; options: JsonText }
  | { do: 'conditions'; conditions: JsonText }
  | { do: 'pauseOperation'; operation: string; pauses: boolean }
  /** No task starts that matches; the uuid is that of the task whose runner asks for it. */
  | { do: 'hold'; query: JsonText; until: JsonText; uuid?: string | undefined }
  | { do: 'releaseHold'; id: JsonText }
  /** Makes a schedule, or says something else of it. */
  | { do: 'addSchedule'; id: string; spec: JsonText }
  | { do: 'updateSchedule'; id: string; patch: JsonText }
  | { do: 'pauseSchedule'; id: string; pauses: boolean }
  | { do: 'triggerSchedule'; id: string; overlap?: JsonText | undefined }
  | { do: 'removeSchedule'; id: string }
  | { do: 'unassign'; operation: string }
  | { do: 'start' }
  | { do: 'stop'; onStop?: JsonText | undefined; timeout?: JsonText | undefined }
  | { do: 'close'; onStop?: JsonText | undefined; timeout?: JsonText | undefined }
  | { do: 'abort'; uuid: string; cause: 'user' | 'signal'; reason: JsonText }
  | { do: 'prioritize'; uuid: string; priority: PriorityJson }
  | { do: 'pause'; uuid: string }
  | { do: 'resume'; uuid: string }
  | {
      do: 'retry'
      uuid: string
      delay?: JsonText | undefined
      priority?: PriorityJson | undefined
    }
  | { do: 'postponeTask'; uuid: string; delay?: JsonText | undefined; reason: JsonText }
  | { do: 'updateTask'; uuid: string; patch: JsonText; onlyIf?: JsonText | undefined }
  | { do: 'remove'; uuid: string }
  /** The same for the tasks with these numbers, at most 1,000. */
  | {
      do: 'bulk'
      ranges: [first: number, last: number][]
      isDry: boolean
      verb: 'abort' | 'retry' | 'remove'
      reason?: JsonText | undefined
      delay?: JsonText | undefined
      priority?: PriorityJson | undefined
    }
  | { do: 'await'; uuid: string }
  | { do: 'findByKey'; key: string }
  /** Waits until there may be more lines than a listener has read; without one it is new. */
  | { do: 'awaitLogs'; uuid: string; listener?: number | undefined }
  /** Withdraws the `await`, the `awaitIdle` or the listener with this ticket, unanswered. */
  | { do: 'cancelAwait'; ticket: number }
  /** Waits until no run is live here and nothing can start. */
  | { do: 'awaitIdle' }
  /** Which records to confirm, and what to tell of other processes and of a rest. */
  | {
      do: 'subscribe'
      log: boolean
      progress: boolean
      remote?: 'ends' | 'all' | undefined
      idle: boolean
      drained: boolean
    }
  /** The next portion of remote messages may come. */
  | { do: 'ack' }
  | { do: 'ready' }
  | { do: 'isShared' }
  | { do: 'holds' }
  /** The position behind what is committed. */
  | { do: 'stand' }
  | { do: 'explainTask'; uuid: string }
  /** What holds the ready tasks of an operation back, and how many of them conditions do. */
  | { do: 'explainOperation'; operation: string }
  /**
   * Which operations no process starts: of those that are named, and of all with ready tasks if
   * that is asked for.
   */
  | { do: 'unserved'; operations: string[]; ofAll: boolean }
  /** All figures: an object, or a text. */
  | { do: 'metrics'; format: 'json' | 'prometheus' | 'openmetrics'; operationsMax: number }

/** What is asked of the reader. */
export type ReadCommand =
  | {
      do: 'get'
      uuid: string
      logs?: LogLevel | undefined
      fields?: JsonText | undefined
    }
  | {
      do: 'find'
      query: JsonText
      sort?: JsonText | undefined
      skip?: number | undefined
      limit?: number | undefined
      logs?: LogLevel | undefined
      fields?: JsonText | undefined
    }
  /** The next of the tasks that match and have numbers within these bounds, by number. */
  | {
      do: 'page'
      query: JsonText
      isDescending: boolean
      first: number
      last?: number | undefined
      logs?: LogLevel | undefined
      fields?: JsonText | undefined
    }
  | { do: 'exists'; query: JsonText }
  | { do: 'count'; query: JsonText }
  | { do: 'explain'; query: JsonText }
  /** The numbers of the tasks that match and were added before. */
  | { do: 'matching'; query: JsonText }
  /** The lines behind one of them. */
  | { do: 'logs'; uuid: string; after: number; lines: number; level: LogLevel }
  | { do: 'operations' }
  /** The first of the schedules by id, from this one on. */
  | { do: 'schedules'; from: string }
  /** Begins a watch behind a position, or with what matches; its ticket is the number of it. */
  | {
      do: 'watch'
      query: JsonText
      fields?: JsonText | undefined
      from?: string | undefined
    }
  /** Waits for what a watch has to tell. */
  | { do: 'changes'; watch: number }
  /** Ends a watch. */
  | { do: 'unwatch'; watch: number }
  /** A copy of the file, under this absolute path. */
  | { do: 'backUp'; path: string }
  | { do: 'verify' }
  /** Ends the read with this ticket: it is refused. */
  | { do: 'cancel'; ticket: number }

/** A document as it crosses: dates are milliseconds, infinite priorities are texts. */
export type DocumentJson = Record<string, unknown>

/**
 * A page: the tasks, the number of the last of them if more may follow, and the last number that
 * had been given when it was read.
 */
export type PageJson = [tasks: DocumentJson[], next: number | null, last: number | null]

/**
 * Log lines, the number behind which to go on, whether there are more by now, and whether the task
 * has ended.
 */
export type LogsJson = [lines: DocumentJson[], next: number, isCut: boolean, isOver: boolean]

/** One entry of a watch; a short one says that commits before it are not known. */
export type ChangeJson =
  | [position: string, at: number]
  | [
      position: string,
      at: number,
      uuid: string,
      operation: string,
      change: TaskChangeKind,
      status: TaskStatus,
      state: TaskState,
      priority: PriorityJson,
      task: DocumentJson | null,
    ]

/** What the answer to each is. */
export interface Answers {
  /** With options, when they are on disk. */
  assign: null
  threads: null
  define: null
  /** Those that they have replaced and those that hold now, if there were any. */
  conditions: [before: DocumentJson[], now: DocumentJson[]] | null
  /** Whether that changed anything. */
  pauseOperation: boolean
  /** The number of the hold. */
  hold: number
  /** Whether it was live. */
  releaseHold: boolean
  /** Whether that changed anything. */
  addSchedule: boolean
  updateSchedule: boolean
  pauseSchedule: boolean
  /** The task that it made, or that stands for it; nothing if the overlap let none be made. */
  triggerSchedule: string | null
  /** Whether it was there. */
  removeSchedule: boolean
  unassign: null
  /** Also when it was started before. */
  start: null
  /** When no run is live any more. */
  stop: null
  /** When everything is released. */
  close: null
  /** Whether it ended or will; false if it had ended. */
  abort: boolean
  /** Whether it was waiting and has the priority now. */
  prioritize: boolean
  /** Whether it is paused, or will be at its next checkpoint. */
  pause: boolean
  /** Whether it was paused, or was to be. */
  resume: boolean
  /** Whether it had ended and runs again. */
  retry: boolean
  /** Whether it waits now, or its run is to be given back. */
  postponeTask: boolean
  /** Whether it waits, matches, and has another definition now. */
  updateTask: boolean
  /** Whether it had ended and is gone. */
  remove: boolean
  /** To how many something was done, and why not to the others. */
  bulk: { changed: number; skipped: Record<string, number> }
  /** When the task has ended. */
  await: TaskEnd
  /** The uuid of the task that was added under the key. */
  findByKey: string | null
  /** When there may be more lines than the listener has read. */
  awaitLogs: null
  cancelAwait: null
  awaitIdle: null
  subscribe: null
  ack: null
  /** When the file is open. */
  ready: null
  /** Whether another process, thread or tasker has the file open. */
  isShared: boolean
  /** Those that are not over. */
  holds: DocumentJson[]
  stand: string
  explainTask: DocumentJson
  explainOperation: { reasons: DocumentJson[]; held: number; rated: number; guarded: number }
  unserved: string[]
  metrics: DocumentJson | string
  get: DocumentJson
  find: DocumentJson[]
  page: PageJson
  exists: boolean
  count: number
  explain: QueryExplanation
  matching: [first: number, last: number][]
  logs: LogsJson
  operations: DocumentJson[]
  /** Some of them, and the id of the next one. */
  schedules: [documents: DocumentJson[], next: string | null]
  watch: null
  changes: ChangeJson[]
  unwatch: null
  backUp: null
  verify: Verification
  cancel: null
}

/** JSON that is a member of a command as it is: what a user gave, and the engine judges. */
export class JsonText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** The text of a command: an object whose one member is its word. */
export function commandText(command: Command | ReadCommand): string {
  let members = ''
  for (const [name, value] of Object.entries(command)) {
    if (name === 'do' || value === undefined) continue
    const text = value instanceof JsonText ? value.text : stringify(value)
    members += `${members && ','}"${name}":${text}`
  }
  return `{"${command.do}":{${members}}}`
}

/**
 * How a run settled: it returned, or threw, perhaps for good or with a pause of its own choice; its
 * outcome cannot be stored; it goes on later; or it goes back to the queue because the tasker
 * closes.
 */
export type How =
  | 'returned'
  | 'threw'
  | 'unrecoverable'
  | 'retryLater'
  | 'unstorable'
  | 'snoozed'
  | 'postponed'

/** The line that says how a run settled, with the JSON of its result or error, and its pause. */
export function outcomeLine(slot: number, how: How, value?: string, delayMs?: number): string {
  if (delayMs !== undefined) return `[${slot},"${how}",${value ?? null},${delayMs}]`
  return value === undefined ? `[${slot},"${how}"]` : `[${slot},"${how}",${value}]`
}

/** The line of a log line; its message and its fields are JSON. */
export const logLine = (
  slot: number,
  level: LogLevel,
  at: number,
  message: string,
  fields: string | undefined,
): string =>
  `[${slot},"log","${level}",${at},${message}${fields === undefined ? '' : `,${fields}`}]`

/** The line that says that a runner waits at a checkpoint. */
export const haltLine = (slot: number): string => `[${slot},"halt"]`

/** The line of a progress report. */
export function progressLine(slot: number, report: TaskProgress): string {
  const { current, total, unit } = report
  const tail = unit === undefined ? '' : `,${stringify(unit)}`
  return `[${slot},"progress",${current},${total ?? null}${tail}]`
}
