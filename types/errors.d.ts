/** What can go wrong. */

/** The closed list of things that can go wrong; docs/reference/errors.md says what each means. */
export type TaskerErrorCode =
  | 'TASKER_INVALID'
  | 'TASKER_INVALID_QUERY'
  | 'TASKER_TOO_LARGE'
  | 'TASKER_LIMIT'
  | 'TASKER_NOT_FOUND'
  | 'TASKER_CONFLICT'
  | 'TASKER_DUPLICATE'
  | 'TASKER_FENCED'
  | 'TASKER_LOCKED'
  | 'TASKER_FILE_SHARED'
  | 'TASKER_BUSY'
  | 'TASKER_FULL'
  | 'TASKER_READ_ONLY'
  | 'TASKER_CORRUPT'
  | 'TASKER_VERSION'
  | 'TASKER_IO'
  | 'TASKER_CLOSED'
  | 'TASKER_TIMEOUT'
  | 'TASKER_UNKNOWN'
  | 'TASKER_UNSUPPORTED'
  | 'TASKER_THREAD_EXITED'
  | 'TASKER_NATIVE_MISSING'
  | 'TASKER_BUG'

/** What tasker's own calls throw and reject with. Test `code`; the message says what to do. */
export class TaskerError extends Error {
  constructor(code: TaskerErrorCode, message: string, facts?: TaskerErrorFacts)
  readonly name: 'TaskerError'
  readonly code: TaskerErrorCode
  /** The offending field, such as `priority`, `query.$or[1]`, or `[2].data` in `addTasks`. */
  readonly path?: string
  /** The process that holds the file. */
  readonly pid?: number
  /** The tasks whose fate is unknown. */
  readonly uuids?: string[]
  /** The task that is in the way. */
  readonly uuid?: string
}

/** What an error may carry besides its code and message. */
export interface TaskerErrorFacts {
  path?: string
  pid?: number
  uuids?: string[]
  uuid?: string
  cause?: unknown
}

/** Why something was aborted: `name` is `'AbortError'`, `code` is `'ABORT_ERR'`. */
export interface AbortError extends Error {
  readonly name: 'AbortError'
  readonly code: 'ABORT_ERR'
  /** Why, as a word to test for. */
  readonly cause: AbortCause
  /** The reason that was given, if it was neither a string nor an Error. */
  readonly reason?: unknown
}

/**
 * Why a run's `abortSignal` fired, in words of tasker.
 *
 * The words of an aborted task, and two more: `shutdown` (the task goes back to the queue) and
 * `fenced` (the run was replaced).
 */
export type AbortCause =
  | 'user'
  | 'signal'
  | 'stop'
  | 'run-timeout'
  | 'queue-timeout'
  | 'lost'
  | 'dependency'
  | 'replaced'
  | 'lease'
  | 'shutdown'
  | 'fenced'
