// The ESM face of the one CommonJS implementation: both kinds of import share their classes.
import tasker from './dist/index.js'

export const { nextTimes, RetryLater, Tasker, TaskerError, Unrecoverable } = tasker
