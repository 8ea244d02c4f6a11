// The ESM face of the one CommonJS implementation: both kinds of import share their classes.
import concurrency from './dist/concurrency.js'

export const { Concurrency, TaskStatus, ReturnWhen, Priority } = concurrency
export const { encode, decode, encoded } = concurrency
