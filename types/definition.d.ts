/** What a task is added with. */

import type { Condition } from './conditions'
import type { Jsonify } from './json'
import type { AnyOperations, AttachOf, DataOf, OperationName, TaskUuid } from './registry'

/**
 * Milliseconds, or a string: `'250ms'`, `'30s'`, `'5m'`, `'2h'`, `'7d'`. Greater than 0 and at most
 * 100 years.
 */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/** What becomes of a running task whose process dies: it runs again, or ends. */
export type OnInterrupted = 'retry' | 'abort' | 'fail'

/** What a stop does with a running task: wait for it, give it back to the queue, or abort it. */
export type OnStop = 'wait' | 'postpone' | 'abort'

/**
 * What becomes of a task that waits when the last started tasker stops that has a runner for its
 * operation, in whatever process: it waits on, or it ends as aborted, with the cause `stop`.
 */
export type OnStopWaiting = 'keep' | 'abort'

/**
 * How long a task is kept after its end: a duration, `false` for ever, or one of these for each way
 * to end. A way that is left out is kept for ever.
 */
export type Retention =
  | Duration
  | false
  | {
      done?: Duration | false | undefined
      failed?: Duration | false | undefined
      aborted?: Duration | false | undefined
    }

/** What a task is tried again after: a throw of its runner, its `runTimeout`. */
export type RetryCause = 'error' | 'timeout'

/** How the pauses between attempts grow. */
export type BackoffType = 'fixed' | 'linear' | 'exponential' | 'fibonacci'

/** How long a task pauses after a failure. */
export interface Backoff {
  /**
   * `fixed`: each pause is `delay`. `linear`: each is `factor` times `delay` longer. `exponential`:
   * each is `factor` times as long. `fibonacci`: each is as long as the two before.
   */
  type: BackoffType
  /** The first pause. */
  delay: Duration
  /** For `linear` 0 or more, default 1; for `exponential` 1 or more, default 2. */
  factor?: number | undefined
  /** The longest pause. */
  max?: Duration | undefined
  /**
   * The part of each pause that is left to chance, from 0 to 1: with 0.5 it lasts between half of
   * its time and all of it.
   * @default 0
   */
  jitter?: number | undefined
}

/** How often a task is tried. */
export interface RetryPolicy {
  /** Attempts in all, 1 to 1,000,000: so many failures end the task. */
  attempts: number
  /** How long it pauses in between; without, it is ready again at once. */
  backoff?: Backoff | undefined
  /**
   * What counts as a failure that is followed by another attempt.
   * @default ['error']
   */
  on?: readonly RetryCause[] | undefined
}

/**
 * What a task waits for: the uuids of other tasks, at most 1,000. In `addTasks` a number names an
 * earlier definition of the same call, from 0.
 */
export type DependencyList = readonly (string | number)[]

/** What a task waits for, and what the failure of one of them means. */
export interface DependsOn {
  uuids: DependencyList
  /**
   * If one of them fails or is aborted: `'abort'` ends the task as aborted, cause `dependency`;
   * `'run'` lets it run all the same, when all have ended.
   * @default 'abort'
   */
  onFailure?: 'abort' | 'run' | undefined
}

/** How long a task has its key: until its first run begins, until it ends, while it is stored. */
export type UniqueWhile = 'new' | 'unfinished' | 'always'

/** What `addTask` does that finds a task with its key. */
export type OnConflict = 'return' | 'replace' | 'reject'

/** A key that one task of an operation has at a time. */
export interface Unique {
  /** Any text of 1 to 255 bytes. Tasks of other operations may have the same. */
  key: string
  /**
   * How long the task has it. It is free in the very commit that starts or ends the task.
   * @default 'unfinished'
   */
  while?: UniqueWhile | undefined
  /** The longest that it has it, from its add. */
  ttl?: Duration | undefined
  /**
   * What an add does that finds the key taken. `return` resolves with the uuid of the earlier task.
   * `replace` does too, and gives it this definition if it has never started; it is not for a task
   * with `dependsOn` yet (`TASKER_UNSUPPORTED`). `reject` rejects with `TASKER_DUPLICATE`; the
   * error has the `uuid` of the earlier task.
   * @default 'return'
   */
  onConflict?: OnConflict | undefined
}

/** A task of one operation to add; `data` goes with `operation`. Unknown keys are errors. */
export type TaskDefinition<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> = Name extends unknown
  ? undefined extends DataOf<Operations, Name>
    ? DefinitionWithOptionalData<Name, Given<DataOf<Operations, Name>>, AttachOf<Operations, Name>>
    : DefinitionWithData<Name, Given<DataOf<Operations, Name>>, AttachOf<Operations, Name>>
  : never

/**
 * What `addTask` takes: a {@link TaskDefinition}, or an `operation` that is one of several with
 * `data` that is of one of them, as a loop over tasks of several operations has it.
 */
export type TaskToAdd<Operations, Name extends OperationName<Operations>> =
  | TaskDefinition<Operations, Name>
  | DefinitionWithData<Name, Given<DataOf<Operations, Name>>, AttachOf<Operations, Name>>

/** What `addTasks` takes: a {@link TaskToAdd} for each name. */
export type TasksToAdd<Operations, Names extends readonly OperationName<Operations>[]> = readonly [
  ...{ [Index in keyof Names]: TaskToAdd<Operations, Names[Index]> },
]

/** What `addTasks` gives: the uuid of each task, in order. */
export type TaskUuids<Names extends readonly string[]> = {
  -readonly [Index in keyof Names]: TaskUuid<Names[Index]>
}

/** Data is taken as it is declared, or as a stored task gives it back. */
type Given<Data> = Data | Jsonify<Data>

/** The definition of a task whose operation needs data. */
export interface DefinitionWithData<Name extends string, Data, Attach = unknown>
  extends TaskDefinitionBase<Name, Attach> {
  /** What the runner gets, after a round trip through JSON: at most 16 MiB and 128 levels. */
  data: Data
}

/** The definition of a task whose operation needs no data. */
export interface DefinitionWithOptionalData<Name extends string, Data, Attach = unknown>
  extends TaskDefinitionBase<Name, Attach> {
  /** What the runner gets, after a round trip through JSON: at most 16 MiB and 128 levels. */
  data?: Data
}

/** What of a definition is fixed when a task is added. */
type FixedAtAdd =
  | 'operation'
  | 'data'
  | 'dependsOn'
  | 'parent'
  | 'unique'
  | 'abortSignal'
  | 'attach'

/** What `updateTask` changes of a task that waits; what is left out stays. */
export interface TaskPatch<Data = unknown> extends Omit<Partial<TaskDefinitionBase>, FixedAtAdd> {
  /** What the runner gets, whole. */
  data?: Data | Jsonify<Data> | undefined
}

/** How long a task may wait for its first start, and what becomes of it then. */
export type QueueTimeout = Duration | QueueTimeoutOptions

/** The long form of a `queueTimeout`. */
export interface QueueTimeoutOptions {
  /** How long. */
  after: Duration
  /**
   * What becomes of the task: it ends as aborted, or gets another priority, once.
   * @default 'abort'
   */
  then?: 'abort' | { priority: number } | undefined
}

/** Where in a trace something happened, as W3C Trace Context writes it. */
export interface TraceContext {
  /** Such as `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`. */
  readonly traceparent: string
  /** What tracing systems add to it: printable ASCII. */
  readonly tracestate?: string | undefined
}

/** The part of a task's definition that does not depend on its operation. */
export interface TaskDefinitionBase<Name extends string = string, Attach = unknown> {
  /** Which runner takes it; at most 255 bytes. A task without a runner waits. */
  operation: Name
  /**
   * Your own identity of the task, such as the number of an order: anything that JSON keeps, at
   * most 1 KiB of it. Queries find it. Several tasks may have the same.
   */
  id?: unknown
  /** What people call the task; at most 1 KiB of JSON. */
  label?: string | undefined
  /** Words to find the task by; at most 64 of at most 256 bytes of JSON each. None is empty. */
  tags?: readonly string[] | undefined
  /**
   * The trace in which the task is added. It is stored with the task, and its runner gets it; at
   * most 600 bytes of JSON.
   */
  trace?: TraceContext | undefined
  /**
   * Higher runs sooner; among equal ones, the older task. `Infinity` and `-Infinity` are allowed,
   * `NaN` is not. Default: that of the operation, else 0.
   */
  priority?: number | undefined
  /**
   * The earliest moment at which it may start: a Date, or milliseconds since 1970. One in the past
   * delays nothing. Not together with `delay`.
   */
  runAt?: Date | number | undefined
  /**
   * How long after the add it may start at the earliest. In an outbox it counts from the row. Not
   * together with `runAt`.
   */
  delay?: Duration | undefined
  /**
   * The tasks that must be done before it starts. A task that is not there, or not any more,
   * refuses the add with `TASKER_NOT_FOUND`.
   */
  dependsOn?: DependencyList | DependsOn | undefined
  /** The uuid of the task whose run adds this one: a link, and no more. */
  parent?: string | undefined
  /**
   * The longest a run may take; `false` for no limit. Default: the operation's, else the
   * tasker's.
   */
  runTimeout?: Duration | false | undefined
  /**
   * How long it may wait for its first start, from the add or from its start time, whichever is
   * later; `false` for no limit. Then it ends as aborted, with the cause `queue-timeout`, or is
   * moved once. Default: the operation's, else the tasker's.
   */
  queueTimeout?: QueueTimeout | false | undefined
  /**
   * How often it is tried when its runner throws, and the pauses in between; a number is short for
   * `{ attempts }`. A crash of the process is no failure. Default: the operation's, else the
   * tasker's.
   */
  retry?: number | RetryPolicy | undefined
  /**
   * How long the task is kept after its end; then it is removed with its logs and its attempts.
   * Default: the operation's, else the tasker's.
   */
  retention?: Retention | undefined
  /**
   * What becomes of the task if its process dies while it runs. Default: the operation's, else the
   * tasker's.
   */
  onInterrupted?: OnInterrupted | undefined
  /**
   * What must hold at its start, besides: of the tasks that match a condition, others than itself,
   * at most `limit` run, or stand ahead of it. At most 100; all of them have to hold. Fixed when
   * the task is added.
   */
  concurrency?: readonly Condition[] | undefined
  /**
   * A key of its own: if an earlier task of the operation has it, none is added. Neither the `data`
   * nor the `abortSignal` nor the `attach` of a duplicate count for anything.
   */
  unique?: Unique | undefined
  /** What a stop does with the task while it runs. Default: the operation's, else the tasker's. */
  onStop?: OnStop | undefined
  /**
   * What becomes of the task if it waits when the last started tasker stops that has a runner for
   * its operation. Default: the operation's, else the tasker's.
   */
  onStopWaiting?: OnStopWaiting | undefined
  /**
   * Anything, kept in memory only: its runner gets the very object as `context.attach`. The task
   * runs only in the process that adds it; if that dies, or the tasker closes, the task ends as
   * aborted, with the cause `lost`. Not for an outbox, nor together with `onConflict: 'replace'`.
   */
  attach?: Attach | undefined
  /**
   * Aborts the task when it fires, whether the task waits or runs, as long as this process lives.
   * If it has fired already, the call rejects with its reason, and nothing is stored.
   */
  abortSignal?: AbortSignal | undefined
}

// biome-ignore lint/complexity/noUselessEmptyExport: without it everything above would be exported.
export {}
