/** What a tasker knows of its operations at compile time. */

/**
 * The types of each operation, by its name: what `addTask` takes as `data` and as `attach`, and
 * what the runner returns. Each may be left out.
 *
 * @example
 * interface Operations {
 *   'send-mail': { data: { to: string }; result: { id: string } }
 *   tidy: {}
 * }
 * const tasker = new Tasker<Operations>('tasks.db')
 */
export type Registry<Operations> = {
  [Name in keyof Operations]: { data?: unknown; result?: unknown; attach?: unknown }
}

/**
 * The registry of a tasker that declares none: any operation, any data. Every typed tasker is a
 * `Tasker` of these too, so what takes a `Tasker` takes them all.
 */
// biome-ignore lint/suspicious/noExplicitAny: an undeclared registry promises nothing.
export type AnyOperations = any

/** The names of the operations of a registry. */
export type OperationName<Operations> = keyof Operations & string

/** What `addTask` takes as `data`, as the registry declares it; `undefined` if it declares none. */
export type DataOf<Operations, Name extends keyof Operations> = Name extends unknown
  ? Part<Operations[Name], 'data', undefined>
  : never

/** What `addTask` takes as `attach`, as the registry declares it; `unknown` if it declares none. */
export type AttachOf<Operations, Name extends keyof Operations> = Name extends unknown
  ? Part<Operations[Name], 'attach', unknown>
  : never

/** What the runner returns, as the registry declares it; `unknown` if it declares none. */
export type ResultOf<Operations, Name extends keyof Operations> = Name extends unknown
  ? Part<Operations[Name], 'result', unknown>
  : never

type Part<Operation, Key, Otherwise> = Key extends keyof Operation ? Operation[Key] : Otherwise

/** The uuid of a task: a string whose type carries the operation, so that waits are typed. */
export type TaskUuid<Name extends string = string> = string & OfOperation<Name>

/** What a uuid or a key remembers at compile time. At run time there is nothing. */
export interface OfOperation<Name extends string> {
  readonly [operationOfUuid]?: Name
}

declare const operationOfUuid: unique symbol

// biome-ignore lint/complexity/noUselessEmptyExport: without it everything above would be exported.
export {}
