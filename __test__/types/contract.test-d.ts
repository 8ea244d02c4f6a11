// index.d.ts against the class in ts/, both ways: what is promised exists, and nothing else is
// public. Compiled by `tsc -p tsconfig.json`, never run.

import type * as contract from '../../index'
import type * as testing from '../../testing'
import type { LEVELS, TASK_WORDS } from '../../ts/constants'
import * as real from '../../ts/index'
import * as realTesting from '../../ts/testing'

type Equal<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false
function assert<_Condition extends true>() {}

interface Operations {
  'read-book': { data: { book: string }; result: { pages: number } }
  tidy: { result: string[] }
}

/** The members of a class, without those that every EventEmitter has. */
type Own<Class> = Exclude<keyof Class, keyof import('node:events').EventEmitter>

assert<Equal<keyof typeof contract, keyof typeof real>>()
assert<Equal<Own<contract.Tasker>, Own<real.Tasker>>>()
assert<Equal<keyof contract.TaskerError, keyof real.TaskerError>>()
assert<
  Equal<ConstructorParameters<typeof contract.Tasker>, ConstructorParameters<typeof real.Tasker>>
>()
assert<
  Equal<
    ConstructorParameters<typeof contract.TaskerError>,
    ConstructorParameters<typeof real.TaskerError>
  >
>()

// What the engine takes is what the contract says.
assert<Equal<(typeof TASK_WORDS)[number], keyof contract.DefinitionWithData<string, unknown>>>()
assert<Equal<(typeof LEVELS)[number], contract.LogLevel>>()

type Methods<Class> = { [Name in Own<Class>]: Class[Name] }

/** What the class does is what the contract promises. */
export const promised: Methods<contract.Tasker<Operations>> = {} as real.Tasker<Operations>

/** The parameters that the class takes are those of the contract. */
type Takes<Class> = {
  [Name in Own<Class>]: Class[Name] extends (...args: infer Args) => unknown ? Args : never
}
type Loose = 'getTask' | 'waitForTaskOutputData'
assert<
  Equal<
    Omit<Takes<contract.Tasker<Operations>>, Loose>,
    Omit<Takes<real.Tasker<Operations>>, Loose>
  >
>()

assert<Equal<keyof typeof testing, keyof typeof realTesting>>()
export const openTest: typeof testing.openTest = realTesting.openTest

export const error: contract.TaskerError = new real.TaskerError('TASKER_BUG', 'text')
