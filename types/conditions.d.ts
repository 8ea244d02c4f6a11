/** What must hold at the start of a task. */

import type { QueryField, QueryValue } from './query'
import type { TaskState, TaskStatus } from './task'

/**
 * Which tasks a condition counts. `running`: those that run, in whichever process; one that has
 * paused at a checkpoint too. `before-queued`: those that are ready and stand ahead in the queue,
 * whatever holds them back, of operations that a started tasker has a runner for and that are not
 * paused.
 */
export type ConditionScope = 'running' | 'before-queued'

/**
 * A task may start while at most `limit` other tasks of the scope match the query. So limit 0 means
 * alone, and limit 1 lets two run.
 */
export interface Condition {
  scope: ConditionScope
  query: ConditionQuery
  /** A whole number. A negative one never holds: the task waits for ever. */
  limit: number
}

/**
 * Which tasks: the language of {@link Query} over what does not change while it counts. `{}`
 * matches every task. A `status` or `state` that has to hold for the whole query does not count,
 * for the scope says it; anything else is refused with `TASKER_INVALID_QUERY`.
 */
export interface ConditionQuery {
  $and?: readonly ConditionQuery[]
  $or?: readonly ConditionQuery[]
  $nor?: readonly ConditionQuery[]
  operation?: QueryField<string>
  data?: QueryField
  id?: QueryField
  label?: QueryField<string>
  tags?: QueryField<string | readonly string[]>
  /** Of the scope `running` only. */
  priority?: QueryField<number>
  status?: QueryField<TaskStatus>
  state?: QueryField<TaskState>
  [path: `${'data' | 'id' | 'tags'}.${string}`]: QueryField
}

/**
 * A condition of all tasks of an operation or of a store. In the place of a value may stand one of
 * the task that is added.
 */
export interface ConditionTemplate {
  scope: ConditionScope
  query: ConditionTemplateQuery
  limit: number
}

/** A {@link ConditionQuery} with values of the task that is added. */
export interface ConditionTemplateQuery {
  $and?: readonly ConditionTemplateQuery[]
  $or?: readonly ConditionTemplateQuery[]
  $nor?: readonly ConditionTemplateQuery[]
  operation?: ConditionTemplateField
  data?: ConditionTemplateField
  id?: ConditionTemplateField
  label?: ConditionTemplateField
  tags?: ConditionTemplateField
  /** Of the scope `running` only. */
  priority?: ConditionTemplateField
  status?: QueryField<TaskStatus>
  state?: QueryField<TaskState>
  [path: `${'data' | 'id' | 'tags'}.${string}`]: ConditionTemplateField
}

/** What a template asks of a field. */
export type ConditionTemplateField =
  | QueryField<QueryValue | TaskValue>
  | { $in: TaskValue }
  | { $nin: TaskValue }

/** What the task that is added has at a path; `null` if that is nothing. */
export interface TaskValue {
  $task: 'operation' | 'label' | ValuePath | `${ValuePath}.${string}`
}

type ValuePath = 'data' | 'id' | 'tags'

// biome-ignore lint/complexity/noUselessEmptyExport: without it everything above would be exported.
export {}
