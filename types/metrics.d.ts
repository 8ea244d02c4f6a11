/** Figures of a tasker and of its store. */

import type { WaitReason } from './explain'
import type { AnyOperations, OperationName } from './registry'
import type { TaskState } from './task'

/** What `metrics` takes. */
export interface MetricsOptions {
  /**
   * The text format of Prometheus (0.0.4) or OpenMetrics (1.0), in which times are in seconds; an
   * object if it is left out.
   */
  format?: 'prometheus' | 'openmetrics'
  /**
   * How many operations are told by name, those with the most tasks first; the others are told
   * together as `_other`. 100 by default, 0 to 10,000.
   */
  operationsMax?: number
}

/** The figures of one moment. Times are in milliseconds. */
export interface Metrics<Operations = AnyOperations> {
  at: Date
  /** When this tasker opened its file. What is counted is counted from then on. */
  since: Date
  /** What this process did. */
  process: ProcessMetrics
  /** How the store stands, the same for every process. */
  store: StoreMetrics
  /** The operations that have, or had, tasks. */
  operations: Partial<Record<OperationName<Operations> | '_other', OperationMetrics>>
}

/** What a process did, whatever the operation. */
export interface ProcessMetrics {
  /** Runs that go on here. */
  running: number
  /** How many there may be at once. */
  concurrency: number
  /** Calls of executors that wait for tasks. */
  polls: number
  /** How long turns of the engine took. */
  turns: Distribution
  /** How many calls and results a turn took in: a number, not a time. */
  inputs: Distribution
  /** How long commits took. */
  commits: Distribution
  /** Commits that the store has refused, by the code of the error. */
  refused: { [code: string]: number }
  /**
   * For how long the event loop stood still, three seconds and more at a time. Known as long as
   * `listen` serves, and 0 else.
   */
  eventLoopBlocked: number
  /** Requests of HTTP that were answered, whichever server they came through. */
  http: { [Route in HttpRoute]?: HttpMetrics }
}

/** Where a request of HTTP went; `other` is where nothing is. */
export type HttpRoute = 'rpc' | 'metrics' | 'health/live' | 'health/ready' | 'other'

/** The requests of a route. */
export interface HttpMetrics {
  /** How many were answered, by the status of the answer. */
  requests: { [status: string]: number }
  /** How long their answers took, but for those that do nothing but wait for tasks. */
  duration: Distribution
}

/** How a store stands. */
export interface StoreMetrics {
  /** The number of the last commit. */
  commits: number
  tasks: Record<TaskState, number>
  /** Taskers that have the file open, in all processes. */
  processes: number
  /** How many schedules there are. */
  schedules: number
  /** How large it is; `null` in memory. */
  bytes: StoreBytes | null
}

/** How many bytes a store takes. */
export interface StoreBytes {
  /** Its file, once all of the log is in it. */
  file: number
  /** The log beside it. */
  wal: number
  /** Of its file what is free for what comes next. */
  free: number
}

/** What is known of an operation. */
export interface OperationMetrics {
  /** Tasks that this process added. */
  added: number
  /** Adds that gave an earlier task back, because of its key. */
  skipped: number
  /** Tasks that ended by what this process committed. */
  ended: { done: number; failed: number; aborted: number }
  runs: {
    /** Runs that began by what this process committed. */
    started: number
    /** Runs that go on here. */
    running: number
    /** How they ended. */
    ended: Record<RunOutcome, number>
  }
  /**
   * From when a task could start, its add or its start time, to its first start here. Tasks that
   * depend on others are left out, and those that executors take.
   */
  wait: Distribution
  /** From the start of a run here to its end. */
  duration: Distribution
  store: {
    tasks: Record<TaskState, number>
    /**
     * How many tasks wait, each by one reason: that of its state, or the first one that holds all
     * ready tasks of the operation back, or `'order'`.
     */
    waiting: Partial<Record<WaitReason['reason'], number>>
    /** When the task was added that is next in the queue; `null` if none is ready. */
    nextReadyAt: Date | null
    /** Processes that start its tasks. */
    runners: number
    paused: boolean
    /** Whether its circuit lets nothing start: it is open, or all its probes are under way. */
    circuitOpen: boolean
  }
}

/**
 * How a run ended: with its task, or to be tried again (`retried`), given back (`postponed`), asked
 * to go on later (`snoozed`), with its process (`lost`), or replaced by another run (`fenced`).
 */
export type RunOutcome =
  | 'done'
  | 'failed'
  | 'aborted'
  | 'retried'
  | 'postponed'
  | 'snoozed'
  | 'lost'
  | 'fenced'

/** How values are distributed. A percentile of times is off by a third at most. */
export interface Distribution {
  count: number
  sum: number
  max: number
  p50: number
  p90: number
  p99: number
}
