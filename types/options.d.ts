/** What the calls of a tasker take. */

import type { Duration, OnInterrupted, OnStop } from './definition'
import type { Sort } from './query'
import type { AnyOperations, OperationName } from './registry'
import type { LogLevel, Runner } from './runner'

/** How to open a tasker. Unknown keys are errors. */
export interface TaskerOptions<Operations = AnyOperations> {
  /**
   * The file that holds the tasks, or `':memory:'` for tasks that end with the process. Made if it
   * does not exist. A `redis://` address throws `TASKER_UNSUPPORTED`.
   * @default 'tasker.db'
   */
  store?: string
  /** Runners to assign at once, by operation; the same as `assignRunner` for each. */
  runners?: { [Name in OperationName<Operations>]?: Runner<Operations, Name> }
  /**
   * Most runs at once in this process, 1 to 100,000.
   * @default 100
   */
  concurrency?: number
  /**
   * What survives. `'full'`: what was acknowledged is synced to disk and survives a power cut.
   * `'process'`: it survives the death of the process, not a power cut.
   * @default 'full'
   */
  durability?: 'full' | 'process'
  /**
   * Whether to have the file alone: a second handle is refused with `TASKER_LOCKED`. Otherwise any
   * number of processes and handles work on it together.
   * @default false
   */
  exclusive?: boolean
  /**
   * Which events are emitted here. `'own'`: what this tasker does itself; a task that was added
   * here and runs elsewhere tells no `task.done`. `'all'`: also what others do on this file, in the
   * order of their commits, but for logs and progress.
   * @default 'own'
   */
  events?: 'own' | 'all'
  /**
   * The most verbose level that the loggers of runners store.
   * @default 'info'
   */
  logLevel?: LogLevel
  /**
   * What becomes of a run whose process died, unless the task says otherwise.
   * @default 'retry'
   */
  onInterrupted?: OnInterrupted
  /**
   * What a stop does with running tasks, unless the task or the stop says otherwise.
   * @default 'wait'
   */
  onStop?: OnStop
  /**
   * The longest a run may take, unless the task says otherwise; `false` for no limit.
   * @default false
   */
  runTimeout?: Duration | false
  /**
   * Whether the tasker keeps the process alive. `'auto'`: while it is started, owes a promise or
   * has live runs. `'always'`: until it is closed. `'never'`: not at all, not even for a promise it
   * owes.
   * @default 'auto'
   */
  keepAlive?: 'auto' | 'always' | 'never'
  /**
   * Runs each runner in the async context (`AsyncLocalStorage`) of its `addTask` when both happen
   * in this process. The context is kept in memory until the task ends.
   * @default false
   */
  captureContext?: boolean
}

/** How to assign a runner. */
export interface AssignRunnerOptions {
  /**
   * Most runs of this operation at once, 1 to 100,000. Counts those of all processes on the file;
   * each process holds to its own figure.
   */
  concurrency?: number
}

/** How to stop. */
export interface StopOptions {
  /** What to do with running tasks. Default: what each task says, then what the tasker says. */
  onStop?: OnStop
  /**
   * How long to wait for them, `0` not at all; those still running then go back to the queue, and
   * what they return counts for nothing.
   * @default '30s'
   */
  timeout?: Duration
}

/** Ends a call early. */
export interface CallOptions {
  /** Rejects the call with the signal's reason. */
  abortSignal?: AbortSignal
  /** Rejects the call with `TASKER_TIMEOUT` after so long; `false` for never, the default. */
  timeout?: Duration | false
}

/** Whether tasks come with their logs. */
export interface LogOptions {
  /** Whether tasks come with their logs. */
  withLogs?: boolean
  /**
   * The most verbose level of these logs.
   * @default 'info'
   */
  logsMaxLevel?: LogLevel
}

/** How to get a task. */
export interface GetTaskOptions extends LogOptions, CallOptions {}

/** How to find one task. */
export interface FindTaskOptions extends LogOptions, CallOptions {
  /** Default: waiting tasks in queue order, then running ones, then ended ones by their end. */
  sort?: Sort
}

/** How to find tasks. */
export interface FindTasksOptions extends FindTaskOptions {
  /** At most so many; all if 0 or absent. */
  limit?: number
  /** Leaves out so many at the front. */
  skip?: number
}
