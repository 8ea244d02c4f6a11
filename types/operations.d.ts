/** What a tasker says of an operation, for all processes on the file. */

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
import type { QueryMember } from './query'
import type {
  StoredCondition,
  StoredQueueTimeout,
  StoredRetention,
  StoredRetryPolicy,
} from './task'

/** How the tasks of an operation are run, and what they take that do not say otherwise. */
export interface OperationOptions {
  /**
   * Most runs of this operation at once, 1 to 100,000, over all processes on the file. Holds at
   * once, also for tasks that wait. Default: no limit of its own.
   */
  concurrency?: number | undefined
  /**
   * How many of its tasks may start in a time, over all processes on the file. Holds at once, also
   * for tasks that wait. Default: as many as may.
   */
  rateLimit?: RateLimit | undefined
  /**
   * After how many failures nothing of it starts for a time, over all processes on the file. Holds
   * at once, also for tasks that wait. Default: never.
   */
  circuitBreaker?: CircuitBreaker | undefined
  /**
   * That executors outside take its tasks: programs that ask for them, begin with each and say how
   * it ended; `true` for the usual times. Such an operation has no runner. Goes with
   * `defineOperation` alone; holds at once, also for tasks that wait.
   */
  executor?: true | Executor | undefined
  /** The priority of tasks that are added without one. Default: 0. */
  priority?: number | undefined
  /**
   * The longest a run may take of tasks that are added without a word; `false` for no limit.
   * Default: what the tasker says that adds the task.
   */
  runTimeout?: Duration | false | undefined
  /**
   * How long tasks may wait for their first start that are added without a word; `false` for no
   * limit. Default: what the tasker says that adds the task.
   */
  queueTimeout?: QueueTimeout | false | undefined
  /**
   * How often tasks are tried that are added without a word: a number of attempts, or how they are
   * made. Default: two, the second after 10 seconds, if the operation has an `executor`; else what
   * the tasker says that adds the task.
   */
  retry?: number | RetryPolicy | undefined
  /**
   * What must hold at the start of a task, besides what it says itself. A value may be one of the
   * task: `{ 'data.book': { $task: 'data.book' } }`. Fixed when a task is added.
   */
  conditions?: readonly ConditionTemplate[] | undefined
  /**
   * How long tasks are kept after their end that are added without a word. Default: what the tasker
   * says that adds the task.
   */
  retention?: Retention | undefined
  /**
   * What becomes of a running task whose process dies, of tasks that are added without a word.
   * Default: what the tasker says that adds the task.
   */
  onInterrupted?: OnInterrupted | undefined
  /**
   * What a stop does with its running tasks, unless the task or the stop says otherwise. Default:
   * what the tasker says that runs the task.
   */
  onStop?: OnStop | undefined
  /**
   * What becomes of tasks that wait when the last started tasker stops that has a runner for the
   * operation, of those that are added without a word. Default: what the tasker says that adds the
   * task.
   */
  onStopWaiting?: OnStopWaiting | undefined
  /**
   * What data and results must look like. Schemas are code: they are not stored, and hold in this
   * tasker alone.
   */
  schema?: OperationSchemas | undefined
}

/** What `assignRunner` takes besides, for a runner that is a module; it holds in this tasker. */
export interface ModuleOptions {
  /**
   * How many threads the runner may have, 1 to 256: so many of its tasks run here at once. Default:
   * one less than the machine has processors, and at least one.
   */
  threads?: number | undefined
}

/** The options of a runner that takes several tasks at once. */
export interface BatchRunnerOptions extends OperationOptions {
  /** How many, and how long it waits for them. Holds in this tasker alone, and is not stored. */
  batch: BatchOptions
}

/** How a runner takes several tasks at once. */
export interface BatchOptions {
  /** Most tasks of one call, 2 to 1,000. With so many it is called at once. */
  max: number
  /**
   * How long after the first of them could start it is called at the latest, up to an hour.
   * Default: 0, so it takes what can start now.
   */
  wait?: Duration | undefined
}

/**
 * How many tasks may start in a time. In any time `t` no more than `burst + limit * t / per` do, by
 * the clock of the machine; each start takes a token, and nothing gives one back.
 */
export interface RateLimit {
  /** So many, 1 to 1,000,000,000. */
  limit: number
  /** In this time: milliseconds, or a text such as `'1m'`. */
  per: Duration
  /**
   * How many may start at once when none has for a while, 1 to 1,000,000,000. Default: 1, so they
   * start one by one, evenly spread: no more than `limit` in any `per`.
   */
  burst?: number | undefined
  /**
   * The path of a value of the task, such as `'data.account'`: then the limit holds for each value
   * by itself. Begins with `data`, `id`, `label` or `tags`. Tasks that have nothing there share one
   * limit.
   */
  by?: string | undefined
}

/**
 * When nothing of an operation starts for a time. With the `failures`-th failure within `within`
 * its circuit *opens*: nothing starts for `openFor`. Then it is *half open*: tasks are tried, and
 * when `probes` of them have succeeded it is *closed* again. The first that fails opens it anew.
 *
 * Failed attempts and run timeouts count, also those that are tried again; aborts, crashes, snoozes
 * and postponements do not, and a success does not reset the count.
 */
export interface CircuitBreaker {
  /** With so many failures it opens, 1 to 100. */
  failures: number
  /** Within this time, at most 30 days: milliseconds, or a text such as `'1m'`. */
  within: Duration
  /** For this time, at most 30 days. */
  openFor: Duration
  /** So many must succeed before it closes, 1 to 10; no more run at once. Default: 1. */
  probes?: number | undefined
  /**
   * The path of a value of the task, such as `'data.host'`: then each value has a circuit of its
   * own. Begins with `data`, `id`, `label` or `tags`. Tasks that have nothing there share one. If
   * `rateLimit` has a `by` too, it must be the same.
   */
  by?: string | undefined
  /**
   * Which failures count: a query of the error as it is stored, such as
   * `{ status: { $gte: 500 } }`. Default: all.
   */
  when?: ErrorQuery | undefined
}

/**
 * A query of an error: its `name`, `message`, `code`, `cause`, `stack` and own fields, with the
 * operators of a query of tasks.
 */
export type ErrorQuery = QueryMember

/** A circuit breaker as it is stored. */
export interface StoredCircuitBreaker {
  failures: number
  /** In milliseconds. */
  within: number
  /** In milliseconds. */
  openFor: number
  probes: number
  by?: string
  when?: Record<string, unknown>
}

/** How the tasks of an operation are given to executors outside. */
export interface Executor {
  /**
   * How long a task that was taken may wait for its executor to begin; then it is ready again.
   * Default: `'10s'`.
   */
  claimTimeout?: Duration | undefined
  /**
   * How long a running task may be silent; then its attempt has failed, with the cause `'lease'`,
   * whatever `retry.on` says. Default: `'2m'`.
   */
  lease?: Duration | undefined
  /**
   * Whether what an executor reports as failed is tried again, as `retry` says. Default: `false`,
   * so it is final.
   */
  retryOnFail?: boolean | undefined
}

/** The same as it is stored. */
export interface StoredExecutor {
  /** In milliseconds. */
  claimTimeout: number
  /** In milliseconds. */
  lease: number
  retryOnFail: boolean
}

/** A rate limit as it is stored. */
export interface StoredRateLimit {
  limit: number
  /** In milliseconds. */
  per: number
  burst: number
  by?: string
}

/** The schemas of an operation. They check, and never change what is stored. */
export interface OperationSchemas {
  /**
   * What `data` must look like. A task whose data does not fit is not added: `TASKER_INVALID` with
   * the path, such as `data.book`.
   */
  data?: StandardSchema | undefined
  /**
   * What the runner must return. A result that does not fit fails the run, with the cause
   * `unstorable`.
   */
  result?: StandardSchema | undefined
}

/**
 * A schema of zod, valibot, arktype or any other library of [Standard
 * Schema](https://standardschema.dev), version 1. One that answers with a promise is refused with
 * `TASKER_UNSUPPORTED`.
 */
export interface StandardSchema {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult | Promise<StandardResult>
  }
}

/** What a schema says of a value. */
export type StandardResult =
  | { readonly value: unknown; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

/** What is wrong with a value. */
export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What is stored of an operation. */
export interface OperationRecord<Name extends string = string> {
  name: Name
  /** 1 for the first, one more with each change. */
  version: number
  /** Since when it is paused; absent if it is not. */
  pausedAt?: Date
  /** What holds: the first layer that says something of an option wins. */
  options: StoredOperationOptions
  /** What each layer says; absent if it says nothing. */
  layers: {
    defineOperation?: StoredOperationOptions
    /** The last call with options, in whatever process. */
    assignRunner?: StoredOperationOptions
  }
}

/** The options of an operation that are stored; what is not said is absent. */
export interface StoredOperationOptions {
  concurrency?: number
  rateLimit?: StoredRateLimit
  circuitBreaker?: StoredCircuitBreaker
  executor?: StoredExecutor
  priority?: number
  /** In milliseconds; `false` for no limit. */
  runTimeout?: number | false
  /** In milliseconds; `false` for no limit. */
  queueTimeout?: StoredQueueTimeout | false
  retry?: StoredRetryPolicy
  conditions?: StoredCondition[]
  retention?: StoredRetention | false
  onInterrupted?: OnInterrupted
  onStop?: OnStop
  onStopWaiting?: OnStopWaiting
}

// biome-ignore lint/complexity/noUselessEmptyExport: without it everything above would be exported.
export {}
