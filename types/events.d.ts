/** The events of a tasker. */

import type { TaskDefinition } from './definition'
import type { Jsonify } from './json'
import type { AnyOperations, OperationName, ResultOf, TaskUuid } from './registry'
import type { EndStatus, TaskLog, TaskProgress } from './task'

/** Of which value of the tasks of an operation a circuit is. */
export interface CircuitKey {
  /**
   * What tasks have at the path `by` of the circuit breaker; absent if that is nothing, or if it
   * has no such path. A text if it is too long to be kept.
   */
  key?: unknown
}

/** A circuit that has opened. */
export interface CircuitOpened extends CircuitKey {
  /** When the first task is tried. */
  until: Date
  /** What the run has thrown that was one too many, or the reason of the signal of its timeout. */
  error?: unknown
}

/** The arguments of each event. Events fire after the change is on disk, but for `task.add`. */
export interface TaskerEvents<Operations = AnyOperations> {
  /** Runners are attached. */
  started: []
  /** Runners are detached and no run is live any more. */
  stopped: []
  /**
   * This tasker runs nothing any more, and nothing of its operations can start: told once each time
   * that its work is done.
   */
  idle: []
  /** All tasks in the store have ended, whoever ran the last one: told once each time. */
  drained: []
  /**
   * The engine met a fault and closed; or an outbox met one, and goes on trying. Without a listener
   * it becomes a process warning. A task that fails is not an `error`.
   */
  error: [error: unknown]
  /**
   * The circuit of an operation, or of the value `key` of its tasks, has opened: none of them
   * starts before `until`. Told by the tasker whose commit did that, and by no other.
   */
  'operation.circuit.opened': [operation: OperationName<Operations>, opened: CircuitOpened]
  /** The first task is tried since it was open. Told as that. */
  'operation.circuit.halfOpened': [operation: OperationName<Operations>, circuit: CircuitKey]
  /** As many tasks have succeeded as must. Told as that. */
  'operation.circuit.closed': [operation: OperationName<Operations>, circuit: CircuitKey]
  /** `addTask` was called. The task is not stored yet and may still be refused. */
  'task.add': [definition: TaskDefinition<Operations>]
  /**
   * It was not added, for an earlier task has its `unique` key: the uuid of that one, and the
   * definition that counts for nothing. Told by the tasker that was asked.
   */
  'task.add.skipped': [uuid: TaskUuid, definition: TaskDefinition<Operations>]
  /** The task is on disk. */
  'task.added': [uuid: TaskUuid]
  /** A waiting task got another definition, by `updateTask` or an add with its `unique` key. */
  'task.updated': [uuid: TaskUuid]
  /** A waiting task got another priority, by `prioritizeTask` or by its `queueTimeout`. */
  'task.prioritized': [uuid: TaskUuid, priority: number]
  /** Its runner is about to be called. */
  'task.run': [uuid: TaskUuid]
  /** A log line is on disk. */
  'task.log': [uuid: TaskUuid, log: TaskLog]
  /** A progress report is on disk. */
  'task.progress': [uuid: TaskUuid, progress: TaskProgress]
  /**
   * It is tried again, not before `runAt`: a run failed and attempts are left, or `retryTask` was
   * called. `error` is what the runner threw, or why the run or the task was aborted; `undefined`
   * for a task that was done.
   */
  'task.retrying': [uuid: TaskUuid, error: unknown, runAt: Date]
  /** It ended well. `result` is what the runner returned, after a round trip through JSON. */
  'task.done': [uuid: TaskUuid, result: Jsonify<ResultOf<Operations, OperationName<Operations>>>]
  /** `error` is what the runner threw. */
  'task.failed': [uuid: TaskUuid, error: unknown]
  /** `reason` is the Error that the run's signal has as its reason. */
  'task.aborted': [uuid: TaskUuid, reason: unknown]
  /** Comes right after one of the three above. `value` is the result, error or reason. */
  'task.ended': [uuid: TaskUuid, status: EndStatus, value: unknown]
}

/** The names of events: the general ones, and those of one task. */
export type EventName =
  | keyof TaskerEvents
  | `task.${string}.${
      | 'added'
      | 'add.skipped'
      | 'updated'
      | 'prioritized'
      | 'run'
      | 'log'
      | 'progress'
      | 'retrying'
      | 'done'
      | 'failed'
      | 'aborted'
      | 'ended'}`

/** The arguments of an event; `task.<uuid>.done` has those of `task.done` without the uuid. */
export type EventArguments<
  Operations,
  Name extends EventName,
> = Name extends keyof TaskerEvents<Operations>
  ? TaskerEvents<Operations>[Name]
  : Name extends `task.${string}.${infer Event}`
    ? `task.${Event}` extends keyof TaskerEvents<Operations>
      ? TaskerEvents<Operations>[`task.${Event}`] extends [unknown, ...infer Rest]
        ? Rest
        : never
      : never
    : never

/** A listener of an event. */
export type Listener<Operations, Name extends EventName> = (
  ...args: EventArguments<Operations, Name>
) => void
