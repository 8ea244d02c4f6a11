/** Why a task does not run. */

import type { ConditionScope } from './conditions'
import type { HeldBy } from './hold'
import type { AnyOperations, OperationName, TaskUuid } from './registry'
import type { EndCause, TaskState, TaskStatus } from './task'

/** What holds a task back, and the facts of it; `reason` tells them apart. */
export type WaitReason<Name extends string = string> =
  | WaitsForStartTime
  | WaitsForDependencies
  | WaitsForCondition
  | IsHeld
  | IsPaused<Name>
  | HasNoRunner<Name>
  | WaitsForExecutor<Name>
  | IsAtLimit<Name>
  | WaitsForToken<Name>
  | WaitsForCircuit<Name>
  | WaitsForBatch<Name>
  | WaitsForPlace<Name>
  | WaitsForOthers

/** Its start time lies ahead. */
export interface WaitsForStartTime extends ReasonBase {
  reason: 'start-time'
  /** When it comes. */
  until: Date
  /**
   * Why: its own `runAt` or `delay`, or a `postponeTask` before it ever ran (`'own'`); its last
   * attempt failed (`'retry'`); its run asked for a pause (`'snooze'`); its run was given back with
   * `postponeTask` (`'postponed'`); a hold matched it as it came up, and does not any more
   * (`'hold'`).
   */
  cause: 'own' | 'retry' | 'snooze' | 'postponed' | 'hold'
}

/** Tasks that it depends on have not ended, or their end has not reached it yet. */
export interface WaitsForDependencies extends ReasonBase {
  reason: 'dependency'
  /** How many. */
  count: number
  /** The first 100 of them. */
  uuids: string[]
}

/** One of its conditions does not hold: more tasks of its scope match than its limit allows. */
export interface WaitsForCondition extends ReasonBase {
  reason: 'condition'
  /** Whether it counts what runs, or what stands ahead in the queue. */
  scope: ConditionScope
  /** What the condition counts, with the values of the task in the place of each `$task`. */
  query: Record<string, unknown>
  /** How many others may match; one below 0 never holds. */
  limit: number
  /** How many match; of those ahead at most 1,000 are counted. */
  count: number
  /** Present if more may match. */
  isCapped?: true
  /** The first 100 of them. */
  uuids: string[]
  /** When each of these began to run; if it waits, when it last did so or was added. */
  since: Date[]
}

/** A hold matches it: each has a reason of its own. */
export interface IsHeld extends ReasonBase {
  reason: 'hold'
  /** What `hold` resolved with. */
  id: number
  query: Record<string, unknown>
  /** When the hold was made. */
  since: Date
  /** When it is over. */
  until: Date
  by: HeldBy
}

/** It is paused, or its operation is. */
export interface IsPaused<Name extends string = string> extends ReasonBase {
  reason: 'paused'
  /** What is paused. */
  what: 'task' | 'operation'
  /** Which operation, if it is that. */
  operation?: Name
  /** Since when; absent for a task that was paused at a checkpoint of its run. */
  since?: Date
}

/** No tasker that is started has a runner for it, in any process. */
export interface HasNoRunner<Name extends string = string> extends ReasonBase {
  reason: 'no-runner'
  operation: Name
}

/**
 * Its operation has an `executor`, and none waits here for its tasks (`'poll'`); or one has taken
 * it and has not begun (`'begin'`).
 */
export interface WaitsForExecutor<Name extends string = string> extends ReasonBase {
  reason: 'executor'
  what: 'poll' | 'begin'
  /** Which operation, if none waits for its tasks. */
  operation?: Name
  /** When one has asked this process for tasks last, if that was a short time ago. */
  lastPollAt?: Date
  /** Until when the one must begin that has taken it. */
  until?: Date
  /** Who has taken it, if it has said so. */
  by?: string
}

/** Its operation runs as often as its `concurrency` allows, in all processes together. */
export interface IsAtLimit<Name extends string = string> extends ReasonBase {
  reason: 'limit'
  operation: Name
  limit: number
  running: number
  /** The first 100 tasks that run. */
  uuids: string[]
}

/**
 * The `rateLimit` of its operation has no token for it: none is left, or those that stand ahead
 * take what there is.
 */
export interface WaitsForToken<Name extends string = string> extends ReasonBase {
  reason: 'rate-limit'
  operation: Name
  limit: number
  /** In milliseconds. */
  per: number
  burst: number
  /** The path of the value for which the limit holds, if it does not for the whole operation. */
  by?: string
  /** What the task has there; absent if that is nothing. A text if it is too long to be shown. */
  key?: unknown
  /** When the next token comes; the moment of the answer if there is one. */
  nextAt: Date
  /** How many tasks stand ahead that take a token before it; counted up to 1,000. */
  ahead: number
  /** Whether there are more. */
  isCapped: boolean
}

/** This tasker, which alone has a runner for it, waits for more tasks to take with it. */
export interface WaitsForBatch<Name extends string = string> extends ReasonBase {
  reason: 'batch'
  operation: Name
  /** How many wait so. */
  waiting: number
  /** With how many the batch starts at once. */
  max: number
  /** When it starts at the latest. */
  startsAt: Date
}

/**
 * The `circuitBreaker` of its operation does not let it start: the circuit is open, or half open
 * and tries as many tasks as it needs, or those that stand ahead are tried before it.
 */
export interface WaitsForCircuit<Name extends string = string> extends ReasonBase {
  reason: 'circuit'
  operation: Name
  failures: number
  /** In milliseconds. */
  within: number
  /** In milliseconds. */
  openFor: number
  probes: number
  /** The path of the value for which the circuit is, if it is not for the whole operation. */
  by?: string
  /** What the task has there; absent if that is nothing. A text if it is too long to be shown. */
  key?: unknown
  state: 'open' | 'half-open'
  /** When a task is tried, if it is open. */
  until?: Date
  /** How many are being tried. */
  probing: number
  /** How many tasks stand ahead that are tried before it; counted up to 1,000. */
  ahead: number
  /** Whether there are more. */
  isCapped: boolean
}

/**
 * This tasker, which alone has a runner for it, runs as many tasks as its `concurrency` allows; or
 * each thread of the runner has a task.
 */
export interface WaitsForPlace<Name extends string = string> extends ReasonBase {
  reason: 'place'
  /** Its operation, if it waits for a thread. */
  operation?: Name
  limit: number
  running: number
}

/** Tasks that stand ahead of it take all that is free. */
export interface WaitsForOthers extends ReasonBase {
  reason: 'order'
  /** How many stand ahead; counted up to 1,000. */
  ahead: number
  /** Whether there are more. */
  isCapped: boolean
}

interface ReasonBase {
  /** The same in a sentence, for people. */
  message: string
}

/** Why a task does not run, at one moment. */
export interface TaskExplanation<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> {
  uuid: TaskUuid<Name>
  operation: Name
  state: TaskState
  status: TaskStatus
  /**
   * Whether nothing holds it back: then a process that has a runner and a place starts it in its
   * next turn. `false` for one that runs or has ended.
   */
  runnable: boolean
  /** It runs, and is to halt at its next checkpoint. */
  isPausing?: true
  /** An executor outside runs it: until when that must be heard of, and who it is. */
  executor?: { until: Date; by?: string }
  /** All that hold it back; none if it is runnable, runs or has ended. */
  reasons: WaitReason<Name>[]
  /** How it ended, if it has. */
  ended?: {
    at: Date
    /** Why, unless it is done. */
    cause?: EndCause
    /** The name of the error with which it failed, such as `'TypeError'`. */
    error?: string
  }
  /** All of it in sentences, for a log or a terminal. */
  toString(): string
}

/** Why the waiting tasks of an operation do not run. */
export interface OperationExplanation<Name extends string = string> {
  operation: Name
  /** How many wait. */
  waiting: number
  /** How many of them by what holds them first; each is counted once. */
  reasons: Partial<Record<WaitReason['reason'], number>>
}

// biome-ignore lint/complexity/noUselessEmptyExport: without it everything above would be exported.
export {}
