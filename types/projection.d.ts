/** Which fields of tasks a read returns. */

import type { PathField } from './query'
import type { AnyOperations, OperationName } from './registry'
import type { Task } from './task'

/** The fields that tasks come with, and nothing else of them. */
export interface FieldsOption<Field extends string = string> {
  /**
   * Only these fields of each task, such as `['uuid', 'data.book']`, at most 256. A path leads
   * through arrays into each object; a number in it is a name. A field that the task has not is
   * absent. Logs come with `withLogs`.
   */
  fields: readonly Field[]
}

/**
 * What `fields` may name: a field of a task, or a path into one that holds JSON.
 */
export type TaskField<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> = Exclude<keyof Task<Operations, Name> & string, 'logs'> | (`${PathField}.${string}` & {})

/** A task with these fields only. Logs come with `withLogs`. */
export type Projected<Full, Field extends string> = `data.${string}` extends Field
  ? Partial<Full>
  : Full extends unknown
    ? Picked<Full, Field> & { logs?: LogsOf<Full> }
    : never

type LogsOf<Full> = Full extends { logs?: infer Logs } ? Logs : never

/** The first name of each path. */
type Head<Path extends string> = Path extends `${infer First}.${string}` ? First : Path

/** What comes behind a name in the paths that begin with it. */
type Rest<Path extends string, Name extends string> = Path extends `${Name}.${infer Behind}`
  ? Behind
  : never

type Picked<Value, Path extends string> = string extends keyof Value
  ? { [Name in Head<Path>]?: Kept<Value[Name & keyof Value], Path, Name> }
  : Known<Value, Path> & Unknown<Exclude<Head<Path>, keyof Value>>

type Known<Value, Path extends string> = {
  [Name in keyof Value as Name extends Head<Path> ? Name : never]: Kept<
    Value[Name],
    Path,
    Name & string
  >
}

/** What the types do not know may be there. */
type Unknown<Name extends string> = [Name] extends [never] ? unknown : { [Key in Name]?: unknown }

type Kept<Value, Path extends string, Name extends string> = Name extends Path
  ? Value
  : Inner<Value, Rest<Path, Name>>

/** What is neither an object nor an array is left out. */
type Inner<Value, Path extends string> = unknown extends Value
  ? Value
  : Value extends readonly (infer Item)[]
    ? Inner<Extract<Item, object>, Path>[]
    : Value extends object
      ? Picked<Value, Path>
      : undefined

// biome-ignore lint/complexity/noUselessEmptyExport: without it everything above would be exported.
export {}
