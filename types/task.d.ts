/** Tasks as they are stored. */

import type { ConditionScope } from './conditions'
import type {
  BackoffType,
  OnConflict,
  OnInterrupted,
  OnStop,
  OnStopWaiting,
  RetryCause,
  TraceContext,
  UniqueWhile,
} from './definition'
import type { Json, Jsonify } from './json'
import type { AnyOperations, DataOf, OperationName, ResultOf, TaskUuid } from './registry'
import type { LogLevel } from './runner'

/** Where a task is in its life. The last three are final: an ended task never changes. */
export type TaskStatus = 'new' | 'running' | 'done' | 'failed' | 'aborted'

/**
 * The engine's word for `status`: `ready`, `delayed`, which waits for its start time, and
 * `blocked`, which waits for other tasks, are the status `new`. So is `paused`, unless its run
 * waits at a checkpoint: then it is `running`. The others are the same.
 */
export type TaskState = 'blocked' | 'delayed' | 'ready' | 'running' | 'paused' | EndStatus

/** How a task ended. */
export type EndStatus = 'done' | 'failed' | 'aborted'

/**
 * Why a task failed or was aborted.
 *
 * - `error`: the runner threw
 * - `unstorable`: its result or error cannot be stored
 * - `poison`: its process died three times in a row while it ran
 * - `lost`: its process died and `onInterrupted` ends such a task
 * - `user`: `abortTask`
 * - `signal`: the `abortSignal` of its `addTask`
 * - `stop`: `stop` or `close`, with `onStop: 'abort'`, or with `onStopWaiting: 'abort'` if it
 *   waited
 * - `run-timeout`: its `runTimeout`
 * - `queue-timeout`: its `queueTimeout`
 * - `dependency`: a task that it depends on failed or was aborted
 * - `replaced`: the next task of its schedule took its place
 */
export type EndCause =
  | 'error'
  | 'unstorable'
  | 'poison'
  | 'lost'
  | 'user'
  | 'signal'
  | 'stop'
  | 'run-timeout'
  | 'queue-timeout'
  | 'dependency'
  | 'replaced'
  | 'lease'

/** A task as it is stored. What is not set is absent. */
export type Task<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> = Name extends unknown
  ? TaskBase<Name> &
      TaskData<Jsonify<DataOf<Operations, Name>>> & {
        /** What the runner returned, after a round trip through JSON. */
        result?: Jsonify<ResultOf<Operations, Name>>
      }
  : never

type TaskData<Data> = undefined extends Data ? { data?: Data } : { data: Data }

/** The part of a task that does not depend on its operation. */
export interface TaskBase<Name extends string = string> {
  uuid: TaskUuid<Name>
  /** A number that grows with each task added to the file and is never used again. */
  seq: number
  operation: Name
  /** The identity that `addTask` was given, after a round trip through JSON. */
  id?: Json
  /** What people call it. */
  label?: string
  /** Words to find it by, as they were given; absent if there are none. */
  tags?: string[]
  /** The trace in which it was added. */
  trace?: TraceContext
  /** Higher starts sooner; `0` unless `addTask` or the operation said otherwise. */
  priority: number
  status: TaskStatus
  state: TaskState
  /** `pauseTask` was called while it ran, and its runner has not come to a checkpoint yet. */
  isPausing?: true
  /** Whether a hold keeps it; only if it is so. */
  isHeld?: true
  /** Why it failed or was aborted. */
  cause?: EndCause
  /** When it was added. */
  createdAt: Date
  /** When it may start at the earliest, also after a failure; absent if nothing delayed it. */
  runAt?: Date
  /** When its last run started. */
  startedAt?: Date
  /** When it ended. */
  endedAt?: Date
  /** How often it was started; starts that a stop or a snooze gave back do not count. */
  attempt: number
  /** Its last 100 attempts, oldest first. */
  attempts: TaskAttempt[]
  /** How many attempts before them are not kept; absent for none. */
  attemptsLeftOut?: number
  /** How often it has changed since an executor outside took it first; absent until then. */
  version?: number
  /** Why it failed. */
  error?: StoredError
  /** Why it was aborted. */
  abortReason?: StoredError
  /** The newest report of its run; absent after it went back to the queue. */
  progress?: TaskProgress
  /** The tasks that had to be done before it, in the order given. */
  dependsOn?: { uuids: string[]; onFailure: 'abort' | 'run' }
  /** The uuid of the task whose run added it. */
  parent?: string
  /** The `id` of the schedule that added it; absent if none did. */
  scheduleId?: string
  /** The tick of that schedule for which it was added; absent if somebody triggered it. */
  scheduledAt?: Date
  /** The longest a run may take, in milliseconds; absent for no limit. */
  runTimeout?: number
  /** How long it may wait for its first start, in milliseconds; absent for no limit. */
  queueTimeout?: StoredQueueTimeout
  /** How often it is tried; absent for once. Durations are milliseconds. */
  retry?: StoredRetryPolicy
  /** How long it is kept after its end, in milliseconds; absent for ever. */
  retention?: StoredRetention
  /** What becomes of it if its process dies while it runs; absent for `'retry'`. */
  onInterrupted?: OnInterrupted
  /** What a stop does while it runs; absent for that of the tasker that runs it. */
  onStop?: OnStop
  /** What becomes of it if it waits at the last stop; absent for `'keep'`. */
  onStopWaiting?: OnStopWaiting
  /** What must hold at its start, besides; absent for nothing. */
  concurrency?: StoredCondition[]
  /** Its key, and how long it has it; absent for none. */
  unique?: StoredUnique
  /** Its log lines in order, with the option `withLogs`. */
  logs?: TaskLog[]
}

/** A `queueTimeout` as it is stored: in milliseconds, with `then` if it moves the task. */
export type StoredQueueTimeout = number | { after: number; then: { priority: number } }

/** One stored log line. */
export interface TaskLog {
  level: LogLevel
  message: string
  at: Date
  /** Which attempt wrote it. */
  attempt: number
  fields?: { [key: string]: Json }
}

/** How far a run says it is. */
export interface TaskProgress {
  current: number
  total?: number
  unit?: string
}

/** One attempt of a task. */
export interface TaskAttempt {
  runId: string
  startedAt: Date
  endedAt?: Date
  /** How it ended; absent while it is live. */
  outcome?: 'done' | 'failed' | 'aborted' | 'lost' | 'postponed' | 'snoozed'
  /** Why it failed or was aborted. */
  cause?: EndCause
  /** What its runner threw, or why it was aborted; cut at 16 KiB unless it ended the task. */
  error?: StoredError
  /** What it returned, if `retryTask` ran the task again after that; left out above 16 KiB. */
  result?: Json
}

/** A `retention` as it is stored: milliseconds, for every end or for each that has one. */
export type StoredRetention = number | { done?: number; failed?: number; aborted?: number }

/** A `retry` as it is stored. */
export interface StoredRetryPolicy {
  attempts: number
  backoff?: { type: BackoffType; delay: number; factor?: number; max?: number; jitter?: number }
  on: RetryCause[]
}

/**
 * A condition as it is stored. Its query may be written otherwise than it was given, and means the
 * same; a regular expression in it is `{ $regularExpression: { pattern, options } }`.
 */
export interface StoredCondition {
  scope: ConditionScope
  query: { [key: string]: Json }
  limit: number
}

/** A `unique` as it is stored; `ttl` is milliseconds. */
export interface StoredUnique {
  key: string
  while: UniqueWhile
  ttl?: number
  onConflict: OnConflict
}

/**
 * An error as it is stored: bounded, and without what JSON cannot hold. Something thrown that is
 * not an Error is `{ thrown: true, value }`.
 */
export interface StoredError {
  name?: string
  message?: string
  stack?: string
  code?: string | number
  cause?: StoredError
  errors?: StoredError[]
  thrown?: true
  value?: Json
  [field: string]: unknown
}

// biome-ignore lint/complexity/noUselessEmptyExport: without it everything above would be exported.
export {}
