/** The options of a tasker's calls. */

import type { ConditionTemplate } from './conditions'
import type {
  Duration,
  OnInterrupted,
  OnStop,
  OnStopWaiting,
  QueueTimeout,
  Retention,
  RetryPolicy,
} from './definition'
import type { IndexPath } from './indexes'
import type { Query, Sort } from './query'
import type { AnyOperations, OperationName } from './registry'
import type { LogLevel, Runner } from './runner'
import type { TelemetryApi } from './telemetry'

/** What takes the engine's messages. It needs `warn` or `warning`. */
export interface EngineLogger {
  /** The most verbose level that it passes on, as pino and winston have it. */
  readonly level?: unknown
  debug(...args: never[]): unknown
  info(...args: never[]): unknown
  warn?(...args: never[]): unknown
  warning?(...args: never[]): unknown
  error(...args: never[]): unknown
}

/** How to open a tasker. Unknown keys are errors. */
export interface TaskerOptions<Operations = AnyOperations> {
  /**
   * The file that holds the tasks, or `':memory:'` for tasks that end with the process. It is made
   * if it does not exist. A relative path is taken from the present working directory; a `file:`
   * URL, such as `new URL('./tasks.db', import.meta.url)`, is not. A `redis://` address throws
   * `TASKER_UNSUPPORTED`.
   * @default 'tasker.db'
   */
  store?: string | URL | undefined
  /**
   * Runners to assign at once, by operation, functions or modules; the same as `assignRunner` for
   * each. One that is
   * `undefined` counts as absent.
   */
  runners?:
    | { [Name in OperationName<Operations>]?: Runner<Operations, Name> | URL | undefined }
    | undefined
  /**
   * Most runs at once of this tasker, 1 to 100,000. Lower it if runners need much memory or CPU.
   * @default 100
   */
  concurrency?: number | undefined
  /**
   * `'full'`: what was acknowledged is synced to disk and survives a power cut. `'process'`: it
   * survives the death of the process, but not a power cut.
   * @default 'full'
   */
  durability?: 'full' | 'process' | undefined
  /**
   * Whether no other tasker may open the file: it is refused with `TASKER_LOCKED`. Otherwise any
   * number of processes share the file.
   * @default false
   */
  exclusive?: boolean | undefined
  /**
   * Which events fire. `'own'`: for what this tasker does itself; a task that was added here and
   * runs in another process fires no `task.done` here. `'all'`: also for what other processes do on
   * the file, in the order of their commits, except logs and progress.
   * @default 'own'
   */
  events?: 'own' | 'all' | undefined
  /**
   * The most verbose level that the loggers of runners store.
   * @default 'info'
   */
  logLevel?: LogLevel | undefined
  /**
   * Where the engine's own messages go, such as starts, stops and recovered runs: `console`, a
   * logger of pino or winston, or anything like them. Each is called with a text and perhaps an
   * object with what belongs to it; pino with the object first. A logger whose `level` is
   * `'debug'`, `'trace'` or `'silly'` as the tasker opens gets a line for each call and run too.
   * Your data is never in it. Without one they go nowhere.
   */
  logger?: EngineLogger | undefined
  /**
   * From which level on the lines of runners go to `logger` too, as they are logged: each with the
   * `uuid`, `runId`, `operation` and `attempt` of its run, and with `telemetry` with `trace_id` and
   * `span_id`. Needs a `logger`. `crit` goes to its `fatal` if it has one, else to `error`;
   * `notice` to `info`. Whether a line is stored is up to `logLevel`.
   * @default false
   */
  mirrorLogs?: LogLevel | false | undefined
  /**
   * OpenTelemetry: the package `@opentelemetry/api`, handed over whole. Then each add and each run
   * is a span, and the run is linked to the add; if it has a `MeterProvider` by now, the figures of
   * `metrics()` are instruments. Nothing global is touched. Default: none of it, at no cost.
   */
  telemetry?: TelemetryApi | undefined
  /**
   * How the span of a run hangs on that of its add: `'link'`, it begins a trace of its own; or
   * `'child'`, it is a part of the same trace and is sampled with it. Needs `telemetry`.
   * @default 'link'
   */
  traces?: 'link' | 'child' | undefined
  /**
   * What becomes of a running task whose process dies, unless the task or its operation says
   * otherwise.
   * @default 'retry'
   */
  onInterrupted?: OnInterrupted | undefined
  /**
   * What a stop does with running tasks, unless the stop, the task or its operation says otherwise.
   * @default 'wait'
   */
  onStop?: OnStop | undefined
  /**
   * What becomes of tasks that wait when the last started tasker stops that has a runner for their
   * operation, unless the task or its operation says otherwise.
   * @default 'keep'
   */
  onStopWaiting?: OnStopWaiting | undefined
  /**
   * The longest a run may take, unless the task or its operation says otherwise; `false` for no
   * limit.
   * @default false
   */
  runTimeout?: Duration | false | undefined
  /**
   * How long a task may wait for its first start, unless the task or its operation says otherwise;
   * `false` for no limit.
   * @default false
   */
  queueTimeout?: QueueTimeout | false | undefined
  /**
   * How often a task is tried when its runner throws, unless the task says otherwise: a number of
   * attempts, or how they are made.
   * @default 1
   */
  retry?: number | RetryPolicy | undefined
  /**
   * Paths by which tasks are found without reading all of them, such as `['data.book']`; at most
   * 16. Their indexes are made as the file opens, which may take seconds for millions of tasks, and
   * stay in the file; those that no open tasker declares are dropped. Without this option nothing
   * is made or dropped.
   */
  indexes?: readonly IndexPath<Operations>[] | undefined
  /**
   * What must hold at the start of every task of the store, besides what its operation and itself
   * say. Stored: it holds for the tasks that any process adds from then on, until a tasker says
   * something else; `[]` ends it. Without this option it stays as it is. Who replaces what was said
   * before, while other taskers have the store open, gets the process warning
   * `TASKER_CONDITIONS_REPLACED`.
   */
  conditions?: readonly ConditionTemplate[] | undefined
  /**
   * How long a task is kept after its end, unless the task or its operation says otherwise; then it
   * is removed with its logs and its attempts.
   * @default false
   */
  retention?: Retention | undefined
  /**
   * Whether the tasker keeps the process alive. `'auto'`: while it is started, owes a promise or
   * has live runs. `'always'`: until it is closed. `'never'`: not at all, not even for a promise it
   * owes.
   * @default 'auto'
   */
  keepAlive?: 'auto' | 'always' | 'never' | undefined
  /**
   * Runs each runner in the async context (`AsyncLocalStorage`) of its `addTask` when both happen
   * in this process. The context is kept in memory until the task ends.
   * @default false
   */
  captureContext?: boolean | undefined
}

/** How to put a task off. */
export interface PostponeTaskOptions {
  /** How long it waits from now on at least; without it, a running task may start again at once. */
  delay?: Duration | undefined
  /** What the `abortSignal` of its run has as its reason: an Error, or what an AbortError says. */
  reason?: unknown
}

/** When to change the definition of a task. */
export interface UpdateTaskOptions<Operations = AnyOperations> {
  /**
   * The task is changed only if it matches this query at the moment of the change. It may look at
   * the definition of the task, `uuid`, `seq`, `state`, `status`, `createdAt` and `attempt`.
   */
  if?: Query<Operations> | undefined
}

/** How to do the same to many tasks. */
export interface BulkOptions extends CallOptions {
  /**
   * Whether only to say what would be done. Tasks may change before it is done.
   * @default false
   */
  dryRun?: boolean | undefined
}

/** How to abort many tasks. */
export interface AbortTasksOptions extends BulkOptions {
  /** Why; what the signal of a running task has as its reason. */
  reason?: unknown
}

/** How to run many ended tasks again. */
export interface RetryTasksOptions extends BulkOptions, RetryTaskOptions {}

/**
 * Why nothing was done to a task: its state; it was removed meanwhile; a task that has not ended
 * depends on it; another one has its unique key; or it was attached to a process, and what it was
 * given is gone.
 */
export type BulkSkipReason =
  | 'not-ended'
  | 'ended'
  | 'not-found'
  | 'needed'
  | 'duplicate'
  | 'attached'

/** What a call did to many tasks. */
export interface BulkResult {
  /** How many tasks matched the query. */
  matched: number
  /** To how many it was done, or with `dryRun` would be. */
  changed: number
  /** To how many not, by reason. */
  skipped: { [Reason in BulkSkipReason]?: number }
}

/** How to run an ended task again. */
export interface RetryTaskOptions {
  /** How long it waits before; not at all if absent. */
  delay?: Duration | undefined
  /** Its new priority; the old one if absent. */
  priority?: number | undefined
}

/** How to stop. */
export interface StopOptions {
  /** What to do with running tasks. Default: what each task says, then its operation, then the
   * tasker. */
  onStop?: OnStop | undefined
  /**
   * How long to wait for running tasks; `0` not at all. Those that still run then go back to the
   * queue, or end as aborted with `onStop: 'abort'`; what their runners return is ignored.
   * @default '30s'
   */
  timeout?: Duration | undefined
}

/** Ends a call early. */
export interface CallOptions {
  /** Rejects the call with the signal's reason. */
  abortSignal?: AbortSignal | undefined
  /** Rejects the call with `TASKER_TIMEOUT` after this time. Default: `false`, never. */
  timeout?: Duration | false | undefined
}

/** What a check of the whole file has found. */
export interface Verification {
  /** How many tasks there are. */
  tasks: number
  /** What is wrong, a sentence each; empty if the file is sound. */
  faults: string[]
}

/** Whether tasks come with their logs. */
export interface LogOptions {
  /** Whether tasks come with their logs. */
  withLogs?: boolean | undefined
  /**
   * The most verbose level of these logs.
   * @default 'info'
   */
  logsMaxLevel?: LogLevel | undefined
}

/** How to get a task. */
export interface GetTaskOptions extends LogOptions, CallOptions {}

/** How to listen to the logs of a task. */
export interface ListenTaskLogsOptions {
  /**
   * Whether the lines come first that are stored by now.
   * @default false
   */
  fromBeginning?: boolean | undefined
  /**
   * The most verbose level of the lines.
   * @default 'info'
   */
  logsMaxLevel?: LogLevel | undefined
  /** Ends it: the next step rejects with the signal's reason. */
  abortSignal?: AbortSignal | undefined
}

/** How to find one task. */
export interface FindTaskOptions extends LogOptions, CallOptions {
  /** Default: waiting tasks in queue order, then running ones, then ended ones by their end. */
  sort?: Sort | undefined
}

/** How to find tasks. */
export interface FindTasksOptions extends FindTaskOptions {
  /** At most so many tasks; all if 0 or absent. */
  limit?: number | undefined
  /** Leaves out so many tasks at the front. */
  skip?: number | undefined
}

/** How to go through tasks. */
export interface TasksOptions extends LogOptions {
  /**
   * `{ seq: -1 }`: the newest first. No other order is possible, because the others may change
   * meanwhile.
   * @default { seq: 1 }
   */
  sort?: { seq: 1 } | { seq: -1 } | undefined
  /** Ends it: the next step rejects with the signal's reason. */
  abortSignal?: AbortSignal | undefined
}
