/** What a tasker knows of its operations at compile time. */

/** What a task may carry: anything that `JSON.stringify` keeps. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** The types of each operation, by its name: what its runner gets and what it returns. */
export type Registry<Operations> = {
  [Name in keyof Operations]: { data?: unknown; result?: unknown }
}

/** The registry of a tasker that declares none: any operation, any data. */
export interface AnyOperations {
  // biome-ignore lint/suspicious/noExplicitAny: an undeclared registry promises nothing.
  [operation: string]: { data: any; result: any }
}

/** The names of the operations of a registry. */
export type OperationName<Operations> = keyof Operations & string

/** What the runner of an operation gets as `data`; nothing if the registry names none. */
export type DataOf<Operations, Name extends keyof Operations> = Name extends unknown
  ? Part<Operations[Name], 'data', undefined>
  : never

/**
 * What the runner of an operation returns, as a reader gets it: after a round trip through JSON.
 * Unknown if the registry names none.
 */
export type ResultOf<Operations, Name extends keyof Operations> = Name extends unknown
  ? Part<Operations[Name], 'result', unknown>
  : never

type Part<Operation, Key, Otherwise> = Key extends keyof Operation ? Operation[Key] : Otherwise

declare const operationOfUuid: unique symbol

/** The uuid of a task: a text whose type carries the operation, so that waits are typed. */
export type TaskUuid<Name extends string = string> = string & OfOperation<Name>

/** What a uuid or a key remembers at compile time. At run time there is nothing. */
export interface OfOperation<Name extends string> {
  readonly [operationOfUuid]?: Name
}

/** `data` is required unless it may be `undefined`. */
export type DataPart<Data> = undefined extends Data ? { data?: Data } : { data: Data }

// biome-ignore lint/complexity/noUselessEmptyExport: without it everything above would be exported.
export {}
