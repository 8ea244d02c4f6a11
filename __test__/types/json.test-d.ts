// What `Jsonify` says of values, and where it stands in the types of a tasker.
// Compiled by `tsc -p tsconfig.json` and by `__test__/package/types.test.mjs`, never run.

import { type Json, type Jsonify, Tasker } from '../../index'
import { type Equal, is } from './equal'

function assert<_Condition extends true>() {}

interface Tree {
  name: string
  children: Tree[]
  parent?: Tree
}
interface Log {
  at: Date
  replies: Log[]
}
class User {
  #password = ''
  id = 1
  constructor(readonly since: Date) {}
  check(text: string) {
    return text === this.#password
  }
}
type Nested = Date | Nested[] | { [key: string]: Nested }

// What JSON keeps is the same type, by the same name.
assert<Equal<Jsonify<Json>, Json>>()
assert<Equal<Jsonify<Tree>, Tree>>()
assert<Equal<Jsonify<{ a?: 1; b: null | 'c'; d: [1, 2] }>, { a?: 1; b: null | 'c'; d: [1, 2] }>>()
assert<Equal<Jsonify<{ name: string; message: string }>, { name: string; message: string }>>()
assert<Equal<Jsonify<readonly string[]>, readonly string[]>>()
assert<Equal<Jsonify<{ [key: string]: boolean }>, { [key: string]: boolean }>>()
assert<Equal<Jsonify<string & { brand: 'id' }>, string & { brand: 'id' }>>()
assert<Equal<Jsonify<unknown>, unknown>>()
// biome-ignore lint/suspicious/noExplicitAny: that is what is tested.
assert<Equal<Jsonify<any>, any>>()
assert<Equal<Jsonify<undefined>, undefined>>()
assert<Equal<Jsonify<never>, never>>()

// What has toJSON becomes what that returns.
assert<Equal<Jsonify<Date>, string>>()
assert<Equal<Jsonify<Date | null>, string | null>>()
assert<Equal<Jsonify<{ at: Date; until?: Date }>, { at: string; until?: string }>>()
assert<Equal<Jsonify<[Date, number]>, [string, number]>>()
assert<Equal<Jsonify<readonly Date[]>, readonly string[]>>()
assert<Equal<Jsonify<{ [key: string]: Date }>, { [key: string]: string }>>()
assert<Equal<Jsonify<{ a: 1 } | { b: Date }>, { a: 1 } | { b: string }>>()
assert<Equal<Jsonify<URL>, string>>()
assert<Equal<Jsonify<Buffer>, { type: 'Buffer'; data: number[] }>>()
assert<Equal<Jsonify<{ toJSON(key: string): { at: Date } }>, { at: string }>>()

// What JSON does not know is emptied, left out, null or impossible.
type Empty = Record<string, never>
assert<Equal<Jsonify<{ map: Map<string, 1>; set: Set<Date> }>, { map: Empty; set: Empty }>>()
assert<Equal<Jsonify<RegExp | ArrayBuffer>, Empty>>()
assert<Equal<Jsonify<Uint8Array>, { [index: string]: number }>>()
assert<Equal<Jsonify<User>, { id: number; readonly since: string }>>()
assert<Equal<Jsonify<{ a: undefined; b: symbol; c(): void; d: 1 }>, { d: 1 }>>()
assert<Equal<Jsonify<{ a: number | undefined }>, { a?: number }>>()
assert<Equal<Jsonify<{ a: number | (() => void) }>, { a?: number }>>()
assert<Equal<Jsonify<(number | undefined)[]>, (number | null)[]>>()
assert<Equal<Jsonify<[() => void, 1]>, [null, 1]>>()
assert<Equal<Jsonify<() => void>, never>>()
assert<Equal<Jsonify<symbol>, never>>()
assert<Equal<Jsonify<bigint>, never>>()
assert<Equal<Jsonify<{ big: bigint }>, { big: never }>>()

// Types that contain themselves come to an end.
export function recursive(logs: Jsonify<Log>[], nested: Jsonify<Nested>, json: Jsonify<Json>[]) {
  for (const { replies } of logs) for (const { at } of replies) is<string>()(at, true)
  if (Array.isArray(nested)) for (const one of nested) is<Jsonify<Nested>>()(one, true)
  for (const one of json) is<Json>()(one, true)
}

interface Operations {
  remind: { data: { at: Date; text: string }; result: { sent: Date; to: Set<string> } }
  plain: { data: { text: string } }
}
type Reminder = { at: string; text: string }
type Reminded = { sent: string; to: Empty }

const tasker = new Tasker<Operations>()

tasker.assignRunner('remind', ({ data }) => {
  is<Reminder>()(data, true)
  // @ts-expect-error a Date has become a string
  data.at.getTime()
  return { sent: new Date(data.at), to: new Set(['me']) }
})
tasker.on('task.done', (_uuid, result) => is<unknown>()(result, true))

export async function stored() {
  const data = { at: new Date(), text: '' }
  const uuid = await tasker.addTask({ operation: 'remind', data })
  is<Reminded>()(await tasker.waitForTaskOutputData(uuid), true)
  const task = await tasker.getTask(uuid)
  is<Reminder>()(task.data, true)
  is<Reminded | undefined>()(task.result, true)
  // What was read may be added again.
  await tasker.addTask({ operation: 'remind', data: task.data })
  // @ts-expect-error a number is neither the Date nor what becomes of it
  await tasker.addTask({ operation: 'remind', data: { at: 1, text: '' } })
}
