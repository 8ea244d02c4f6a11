/** Queries and sorting. */

import type { OnInterrupted, OnStop } from './definition'
import type { AnyOperations, OperationName } from './registry'
import type { EndCause, TaskState, TaskStatus } from './task'

/** What a field is compared with. */
export type QueryValue = null | boolean | number | string | Date | QueryValue[] | QueryObject

/**
 * An object that a field must equal; the order of its keys does not matter. No key begins with `$`.
 */
export interface QueryObject {
  [key: string]: QueryValue
  [operator: `$${string}`]: NoSuchOperator
}

/** Nothing is of this type. It stands where a query names an operator that does not exist. */
export interface NoSuchOperator extends QueryObject {
  readonly [noSuchOperator]: never
}

declare const noSuchOperator: unique symbol

/** Conditions on one field, as in MongoDB. Comparisons hold only within a type. */
export interface QueryOperators<Value = QueryValue> {
  $eq?: Value
  $ne?: Value
  $gt?: Value
  $gte?: Value
  $lt?: Value
  $lte?: Value
  $in?: readonly (Value | RegExp)[]
  $nin?: readonly (Value | RegExp)[]
  $exists?: boolean
  /** Of one of these types. */
  $type?: QueryType | readonly QueryType[]
  /** A number whose whole part leaves `remainder`. Both are whole; fractions are cut off. */
  $mod?: readonly [divisor: number, remainder: number]
  /**
   * A text in which the regular expression is found, as `RegExp.prototype.test` finds it. Its flags
   * are `i`, `m`, `s`, `u`; no look-around and no back-references, for a search takes linear time.
   */
  $regex?: string | RegExp
  /** The flags of a `$regex` that has none of its own, such as `'i'`. */
  $options?: string
  /** An array of so many members. */
  $size?: number
  /** Each of the values, or each of the `$elemMatch`, matches. An empty list matches nothing. */
  $all?: readonly (Value | RegExp)[] | readonly { $elemMatch: QueryElement }[]
  /** An array with one member that meets all of it. */
  $elemMatch?: QueryElement
  $not?: QueryOperators<Value> | RegExp
}

/**
 * A type of values, by MongoDB's names and numbers. A whole number is an `'int'` if it fits 32
 * bits, else a `'long'` if it fits 64, and any other number is a `'double'`; `'number'` is all of
 * them. Only the engine's own times are a `'date'`.
 */
export type QueryType =
  | 'number'
  | 'double'
  | 'string'
  | 'object'
  | 'array'
  | 'bool'
  | 'date'
  | 'null'
  | 'int'
  | 'long'
  | 1
  | 2
  | 3
  | 4
  | 8
  | 9
  | 10
  | 16
  | 18

/** What one member of an array has to meet: operators on itself, or a query of what is in it. */
export type QueryElement = QueryOperators | QueryMember

/** A query of what is in a member of an array; its paths begin there. */
export interface QueryMember {
  [path: string]: QueryField | readonly QueryMember[]
  [operator: `$${string}`]: NoSuchOperator | readonly QueryMember[]
}

/**
 * A value, a regular expression for texts, or conditions. `null` also matches what is absent.
 */
export type QueryField<Value = QueryValue> = Value | null | RegExp | QueryOperators<Value | null>

/** Fields that a path may lead into. */
export type PathField =
  | 'data'
  | 'id'
  | 'tags'
  | 'result'
  | 'error'
  | 'abortReason'
  | 'progress'
  | 'retry'
  | 'attempts'

/**
 * Which tasks: MongoDB's query language over the fields of {@link Task}, with dotted paths such as
 * `'data.book'`. All parts must match; `{}` matches every task. An unknown field or operator is
 * rejected with `TASKER_INVALID_QUERY`.
 */
export interface Query<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> {
  $and?: readonly Query<Operations>[]
  $or?: readonly Query<Operations>[]
  $nor?: readonly Query<Operations>[]
  uuid?: QueryField<string>
  seq?: QueryField<number>
  operation?: QueryOperation<Operations, Name>
  id?: QueryField
  label?: QueryField<string>
  tags?: QueryField<string | readonly string[]>
  status?: QueryField<TaskStatus>
  state?: QueryField<TaskState>
  cause?: QueryField<EndCause>
  priority?: QueryField<number>
  createdAt?: QueryField<Date>
  runAt?: QueryField<Date>
  startedAt?: QueryField<Date>
  endedAt?: QueryField<Date>
  attempt?: QueryField<number>
  attemptsLeftOut?: QueryField<number>
  runTimeout?: QueryField<number>
  onInterrupted?: QueryField<OnInterrupted>
  onStop?: QueryField<OnStop>
  data?: QueryField
  result?: QueryField
  error?: QueryField
  abortReason?: QueryField
  progress?: QueryField
  attempts?: QueryField
  retry?: QueryField
  [path: `${PathField}.${string}`]: QueryField
}

/**
 * Which operations. A name, `$eq` and `$in` say which operations the tasks found can have, so that
 * their `data` and `result` are typed; the other operators only leave some out.
 */
export type QueryOperation<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> = Name | null | RegExp | QueryOperationOperators<Operations, Name>

/** Conditions on the operation of a task. */
export interface QueryOperationOperators<Operations, Name extends OperationName<Operations>>
  extends Omit<QueryOperators<OperationName<Operations> | null>, '$eq' | '$in'> {
  $eq?: Name | null
  $in?: readonly (Name | null | RegExp)[]
}

/** Order of tasks: paths with 1 (ascending) or -1 (descending); the first decides. At most 16. */
export interface Sort {
  [path: string]: 1 | -1
}

// biome-ignore lint/complexity/noUselessEmptyExport: without it everything above would be exported.
export {}
