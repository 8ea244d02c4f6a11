/** Queries and sorting. */

import type { OnInterrupted, OnStop, OnStopWaiting, TraceContext } from './definition'
import type { Jsonify } from './json'
import type { AnyOperations, DataOf, OperationName, ResultOf } from './registry'
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
  | 'trace'
  | 'result'
  | 'error'
  | 'abortReason'
  | 'progress'
  | 'dependsOn'
  | 'queueTimeout'
  | 'retry'
  | 'unique'
  | 'concurrency'
  | 'retention'
  | 'attempts'

/**
 * Which tasks: MongoDB's query language over the fields of {@link Task}, with dotted paths such as
 * `'data.book'`. All parts must match; `{}` matches every task. An unknown field or operator is
 * rejected with `TASKER_INVALID_QUERY`.
 */
export type Query<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> = QueryFields<Operations, Name> & KnownPaths<Operations>

/** What a query may ask of each field, and of any path into one. */
export interface QueryFields<
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
  trace?: QueryField<TraceContext>
  status?: QueryField<TaskStatus>
  state?: QueryField<TaskState>
  isPausing?: QueryField<true>
  isHeld?: QueryField<true>
  cause?: QueryField<EndCause>
  priority?: QueryField<number>
  createdAt?: QueryField<Date>
  runAt?: QueryField<Date>
  startedAt?: QueryField<Date>
  endedAt?: QueryField<Date>
  attempt?: QueryField<number>
  attemptsLeftOut?: QueryField<number>
  version?: QueryField<number>
  dependsOn?: QueryField
  parent?: QueryField<string>
  scheduleId?: QueryField<string>
  scheduledAt?: QueryField<Date>
  runTimeout?: QueryField<number>
  queueTimeout?: QueryField
  onInterrupted?: QueryField<OnInterrupted>
  onStop?: QueryField<OnStop>
  onStopWaiting?: QueryField<OnStopWaiting>
  data?: QueryField
  result?: QueryField
  error?: QueryField
  abortReason?: QueryField
  progress?: QueryField
  attempts?: QueryField
  retry?: QueryField
  unique?: QueryField
  concurrency?: QueryField
  retention?: QueryField
  [path: `${PathField}.${string}`]: QueryField
}

/**
 * The paths into `data` and `result` that the registry knows, with what they lead to; an editor
 * completes them. Other paths may be asked for too.
 */
export type KnownPaths<Operations> = Paths<Operations>[Declares<Operations>]

/** The paths of a registry by number; none of one that promises nothing. */
interface Paths<Operations> {
  none: unknown
  [declared: number]: {
    [Path in KnownPath<Operations, OperationName<Operations>>]?: QueryField<
      LeafOf<Operations, OperationName<Operations>, Path>
    >
  }
}

/**
 * Which of these. The compiler takes it for `'none'` where code is generic over a registry, so that
 * a query without paths compiles there: of a choice with `any` it considers the other half.
 */
// biome-ignore lint/suspicious/noExplicitAny: it stands for any number.
type Declares<Operations> = keyof Operations extends string ? any : 'none'

type KnownPath<Operations, Name extends OperationName<Operations>> = Name extends unknown
  ?
      | `data.${PathOf<Jsonify<DataOf<Operations, Name>>>}`
      | `result.${PathOf<Jsonify<ResultOf<Operations, Name>>>}`
  : never

/** What a path leads to, in the tasks of one of these operations. */
type LeafOf<
  Operations,
  Name extends OperationName<Operations>,
  Path extends string,
> = Name extends unknown
  ? Path extends `data.${infer Rest}`
    ? Leaf<At<Jsonify<DataOf<Operations, Name>>, Rest>>
    : Path extends `result.${infer Rest}`
      ? Leaf<At<Jsonify<ResultOf<Operations, Name>>, Rest>>
      : never
  : never

/** The names and dotted paths in a value, through arrays, three names deep. */
type PathOf<Value, Depth extends 0[] = []> = Depth['length'] extends 3
  ? never
  : unknown extends Value
    ? never
    : Value extends readonly (infer Item)[]
      ? Item extends readonly unknown[]
        ? never
        : PathOf<Item, Depth>
      : Value extends object
        ? Named<Value, Depth>
        : never

type Named<Value, Depth extends 0[]> = {
  [Name in keyof Value & string]-?: string extends Name
    ? never
    : Name | `${Name}.${PathOf<Value[Name], [...Depth, 0]>}`
}[keyof Value & string]

/** What a path leads to; what is not declared has no say. */
type At<Value, Path extends string> = unknown extends Value
  ? never
  : Value extends readonly (infer Item)[]
    ? At<Item, Path>
    : Value extends object
      ? Path extends keyof Value
        ? Value[Path]
        : Path extends `${infer Name}.${infer Rest}`
          ? Name extends keyof Value
            ? At<Value[Name], Rest>
            : never
          : never
      : never

/** What a path is compared with: an array is found by its members too. */
type Leaf<Value> = unknown extends Value
  ? QueryValue
  : Value extends readonly (infer Item)[]
    ? Value | Leaf<Item>
    : Value extends undefined
      ? never
      : Value

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
