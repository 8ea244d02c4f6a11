/** What JSON keeps of a value, at compile time. */

/** What a task may carry: anything that `JSON.stringify` keeps. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/**
 * What becomes of a value in the store: what `JSON.parse(JSON.stringify(value))` gives. A runner
 * gets its `data` like this, and so do readers of a task's `data` and `result`.
 *
 * - What JSON keeps stays the same type.
 * - Anything with `toJSON` becomes what that returns: a Date or a URL becomes a string.
 * - A Map, a Set, a RegExp and an ArrayBuffer become an empty object; a typed array becomes an
 *   object of numbers.
 * - An instance of a class keeps only its fields, without methods. Types cannot tell a getter from
 *   a field, but JSON leaves it out.
 * - Functions, symbols and `undefined` are left out of objects; in arrays they become `null`.
 * - A `bigint` is `never`: it cannot be stored.
 *
 * @example
 * type Stored = Jsonify<{ at: Date; tags: Set<string>; note?: string }>
 * // { at: string; tags: Record<string, never>; note?: string }
 */
export type Jsonify<Value> = unknown extends Value
  ? Value
  : Value extends Json
    ? Value
    : Value extends Unchanged<Value>
      ? Value
      : Changed<Value>

/** The same type where JSON keeps everything; something of it is `never` where not. */
type Unchanged<Value> =
  IsAny<Value> extends true
    ? Value
    : Value extends Primitive
      ? Value
      : Value extends ToJson<unknown> | Unstorable | Emptied | Numbers
        ? never
        : Value extends readonly (infer Item)[]
          ? readonly Unchanged<Item>[]
          : { [Key in keyof Value]: Unchanged<Value[Key]> }

type Changed<Value> = Value extends Primitive
  ? Value
  : Value extends void
    ? undefined
    : Value extends ToJson<infer Given>
      ? Jsonify<Given>
      : Value extends Unstorable
        ? never
        : Value extends Emptied
          ? Record<string, never>
          : Value extends Numbers
            ? { [index: string]: number }
            : Value extends readonly unknown[]
              ? ChangedList<Value>
              : ChangedObject<Value>

type ChangedList<List extends readonly unknown[]> = number extends List['length']
  ? List extends unknown[]
    ? ChangedItem<List[number]>[]
    : readonly ChangedItem<List[number]>[]
  : { [Index in keyof List]: ChangedItem<List[Index]> }

type ChangedItem<Item> = Item extends LeftOut ? null : Jsonify<Item>

type ChangedObject<Value> = Flat<
  { [Key in keyof Value as Kept<Key, Value[Key]>]: Jsonify<Value[Key]> } & {
    [Key in keyof Value as Optional<Key, Value[Key]>]?: Jsonify<Exclude<Value[Key], LeftOut>>
  }
>

/** The key, if JSON always writes it. */
type Kept<Key, Value> = Key extends symbol
  ? never
  : IsAny<Value> extends true
    ? Key
    : Extract<Value, LeftOut> extends never
      ? Key
      : never

/** The key, if it depends on the value whether JSON writes it. */
type Optional<Key, Value> = Key extends Kept<Key, Value> | symbol
  ? never
  : Exclude<Value, LeftOut> extends never
    ? never
    : Key

type Primitive = null | boolean | number | string
// biome-ignore lint/suspicious/noConfusingVoidType: a result may be declared so: it is undefined.
type LeftOut = void | symbol | ((...args: never) => unknown)
type Unstorable = LeftOut | bigint
type Emptied = ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | RegExp | ArrayBufferLike
type Numbers = { readonly BYTES_PER_ELEMENT: number }
type ToJson<Result> = { toJSON(...args: never): Result }
type Flat<Value> = Value extends unknown ? { [Key in keyof Value]: Value[Key] } : never
type IsAny<Value> = 0 extends 1 & Value ? true : false

// biome-ignore lint/complexity/noUselessEmptyExport: without it everything above would be exported.
export {}
