/** Runners, and what they get. */

import type { Duration, TaskDefinition, TraceContext } from './definition'
import type { HoldOptions } from './hold'
import type { Json, Jsonify } from './json'
import type { AnyOperations, AttachOf, DataOf, OperationName, ResultOf, TaskUuid } from './registry'
import type { StoredError, TaskStatus } from './task'

/**
 * A function that carries out the tasks of one operation. What it returns is stored as JSON; what
 * it throws fails the task.
 */
export type Runner<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = RunnerName<Operations>,
> = (
  context: RunnerContext<Jsonify<DataOf<Operations, Name>>, Name, AttachOf<Operations, Name>>,
) => Awaitable<Returned<ResultOf<Operations, Name>>>

/**
 * A function that carries out several tasks of one operation at once. It gets the contexts of
 * these, and returns an array with one element for each: what is stored as its result, or an Error
 * with which it fails. What it throws fails all of them. One that has settled all need not return.
 */
export type BatchRunner<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = RunnerName<Operations>,
> = (
  contexts: readonly BatchContext<
    Jsonify<DataOf<Operations, Name>>,
    Name,
    AttachOf<Operations, Name>,
    ResultOf<Operations, Name>
  >[],
  // biome-ignore lint/suspicious/noConfusingVoidType: it stands for the return type of a function.
) => Awaitable<readonly (ResultOf<Operations, Name> | Error)[] | void>

/** `Runner` alone takes the runner of any operation: its name is `any`, not every text. */
// biome-ignore lint/suspicious/noExplicitAny: see above.
type RunnerName<Operations> = 0 extends 1 & Operations ? any : OperationName<Operations>

/** A Promise stands beside PromiseLike, for a wrong one is then told in one line. */
type Awaitable<Result> = Result | Promise<Result> | PromiseLike<Result>

/** A runner without a result may end without `return`. */
// biome-ignore lint/suspicious/noConfusingVoidType: it stands for the return type of a function.
type Returned<Result> = undefined extends Result ? Result | void : Result

/** What a runner gets. */
// biome-ignore lint/suspicious/noExplicitAny: data is any unless the registry says otherwise.
export interface RunnerContext<Data = any, Name extends string = any, Attach = any> {
  /** The task; the same in every attempt. */
  readonly uuid: TaskUuid<Name>
  /** This run; never used again. */
  readonly runId: string
  /** The operation. */
  readonly operation: Name
  /** What `addTask` was given, after a round trip through JSON. */
  readonly data: Data
  /** The very object that `addTask` was given as `attach`; `undefined` if it was given none. */
  readonly attach: Attach | undefined
  /** The task's `id`, after a round trip through JSON; `undefined` if it has none. */
  readonly id: Json | undefined
  /** The task's `label`; `undefined` if it has none. */
  readonly label: string | undefined
  /** The task's `tags`; empty if it has none. */
  readonly tags: readonly string[]
  /** The trace in which the task was added; `undefined` if it was added without one. */
  readonly trace: TraceContext | undefined
  /** The `id` of the schedule that added the task; `undefined` if none did. */
  readonly scheduleId: string | undefined
  /** The tick for which that was; `undefined` if there was none. */
  readonly scheduledAt: Date | undefined
  /** How often the task was started: 1 is the first. Starts that a stop gave back do not count. */
  readonly attempt: number
  /** When the task was added. */
  readonly createdAt: Date
  /** When this run began; never before `createdAt`. */
  readonly startedAt: Date
  /** The task's priority. */
  readonly priority: number
  /**
   * Fires when the run should end. `reason` is an Error: the one given to `abortTask`, or an
   * {@link AbortError} whose `cause` says why. A throw after that ends the task as aborted, a
   * return as done.
   */
  readonly abortSignal: AbortSignal
  /** Writes log lines that are stored with the task. */
  readonly logger: TaskLogger
  /**
   * Reports how far the run is: stored in the task's `progress`, and fired as `task.progress`.
   * Throws unless the numbers are finite and `unit` has at most 64 bytes.
   */
  readonly progress: (current: number, total?: number, unit?: string) => void
  /**
   * Lets the task wait for so long and run again, once the runner has returned: what it returns is
   * dropped, and the attempt does not count. If it throws, that is a failure as always. The last
   * call counts. Throws unless it is given a duration.
   */
  readonly snooze: (delay: Duration) => void
  /**
   * Lets no task start that matches, until a moment, as `tasker.hold` does: for all that goes to a
   * service that has asked for a pause. This run goes on. Resolves with the number of the hold.
   */
  readonly hold: (options: HoldOptions) => Promise<number>
  /**
   * Where the run may pause. Resolves at once, unless `pauseTask` was called: then when the task
   * is resumed and its process has a place for it. Rejects with the reason of `abortSignal` if that
   * has fired or fires meanwhile.
   */
  readonly checkpoint: () => Promise<void>
  /**
   * Adds a task whose `parent` is this one: a link, and no more. It is a task like any other, also
   * if this run fails or runs again.
   */
  readonly addTask: (definition: TaskDefinition) => Promise<TaskUuid>
  /** How the tasks have ended that `dependsOn` names, in its order; empty if there are none. */
  readonly results: () => Promise<DependencyResult[]>
}

/** What a runner gets of each task that it takes with others. */
// biome-ignore lint/suspicious/noExplicitAny: data and results are any unless a registry says so.
export interface BatchContext<Data = any, Name extends string = any, Attach = any, Result = any>
  extends RunnerContext<Data, Name, Attach> {
  /**
   * Ends this task before the others: with its result, or with the Error that it failed with. Its
   * element of what the runner returns counts for nothing then. `false` if it was over already.
   */
  readonly settle: (
    ...result: undefined extends Result ? [result?: Result | Error] : [result: Result | Error]
  ) => boolean
}

/** How a task has ended that another one depends on. */
export interface DependencyResult {
  uuid: string
  /**
   * `removed` if it is not there any more; `new` or `running` if somebody runs it again meanwhile.
   */
  status: TaskStatus | 'removed'
  /** What its runner returned, after a round trip through JSON; absent for nothing. */
  // biome-ignore lint/suspicious/noExplicitAny: its operation is not known here.
  result?: any
  /** Why it failed or was aborted. */
  error?: StoredError
}

/** What a {@link RetryLater} takes. */
export interface RetryLaterOptions {
  /** How long the task waits. */
  delay: Duration
  /**
   * Whether the attempt counts as a failure. `false`: the task snoozes, however often. `true`: it
   * is a failure with `delay` in place of the pause of its `retry`; without an attempt left, the
   * task fails.
   * @default false
   */
  counts?: boolean | undefined
  message?: string | undefined
  cause?: unknown
}

/**
 * Thrown by a runner, it lets the task wait and run again:
 * `throw new RetryLater({ delay: '5m' })`.
 */
export declare class RetryLater extends Error {
  constructor(options: RetryLaterOptions)
  /** In milliseconds. */
  readonly delay: number
  readonly counts: boolean
}

/** Thrown by a runner, it fails the task for good, whatever attempts its `retry` has left. */
export declare class Unrecoverable extends Error {
  constructor(message?: string, options?: { cause?: unknown })
}

/** How severe a log line is, the most severe first. */
export type LogLevel = 'crit' | 'error' | 'warning' | 'notice' | 'info' | 'debug'

/**
 * Stores log lines. Never throws and never waits; lines after the end of the run are dropped. Each
 * function can be handed on by itself: `stream.on('data', logger.info)`.
 *
 * A task keeps 10,000 lines of at most 64 KiB: a longer message is cut. Fields that are larger, or
 * that JSON refuses, are replaced by `{ leftOut: why }`. An Error is stored as {@link StoredError},
 * whether it is the fields (then under `error`) or among them.
 */
export interface TaskLogger {
  /** The task or the system cannot go on. */
  crit(message: string, fields?: object): void
  /** Something failed. */
  error(message: string, fields?: object): void
  /** Something may be wrong. */
  warning(message: string, fields?: object): void
  /** The same as `warning`, as most loggers call it. */
  warn(message: string, fields?: object): void
  /** Normal but worth a look. */
  notice(message: string, fields?: object): void
  /** Normal. */
  info(message: string, fields?: object): void
  /** For developers; stored only with `logLevel: 'debug'`. */
  debug(message: string, fields?: object): void
  /**
   * A line of a level that is known only when the program runs. One that does not exist is stored
   * as `info`, with the field `level`.
   */
  log(level: LogLevel | 'warn', message: string, fields?: object): void
  /** A logger that adds `fields` to each of its lines. */
  child(fields: object): TaskLogger
}

// biome-ignore lint/complexity/noUselessEmptyExport: without it everything above would be exported.
export {}
