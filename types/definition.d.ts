/** What a task is added with. */

import type { AnyOperations, DataOf, DataPart, OperationName } from './registry'

/**
 * Milliseconds, or a text: `'250ms'`, `'30s'`, `'5m'`, `'2h'`, `'7d'`. Greater than 0 and at most
 * 100 years.
 */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/** What becomes of a running task whose process dies: it runs again, or ends. */
export type OnInterrupted = 'retry' | 'abort' | 'fail'

/** What a stop does with a running task: wait for it, give it back to the queue, or abort it. */
export type OnStop = 'wait' | 'postpone' | 'abort'

/** A task to add. Unknown keys are errors. */
export type TaskDefinition<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> = Name extends unknown ? TaskDefinitionBase<Name> & DataPart<DataOf<Operations, Name>> : never

/** The part of a task's definition that does not depend on its operation. */
export interface TaskDefinitionBase<Name extends string = string> {
  /** Which runner takes it; at most 255 bytes. A task without a runner waits. */
  operation: Name
  /**
   * Higher runs sooner; among equal ones, the older task. `Infinity` and `-Infinity` are allowed,
   * `NaN` is not.
   * @default 0
   */
  priority?: number
  /** The longest a run may take; `false` for no limit. Default: that of the tasker. */
  runTimeout?: Duration | false
  /** What becomes of the task if its process dies while it runs. Default: that of the tasker. */
  onInterrupted?: OnInterrupted
  /** What a stop does with the task while it runs. Default: that of the tasker. */
  onStop?: OnStop
  /**
   * Aborts the task when it fires, whether the task waits or runs, as long as this process lives.
   * If it has fired already, the call rejects with its reason, and nothing is stored.
   */
  abortSignal?: AbortSignal
}
