/** What the package gives; `index.d.ts` at the root is its contract. */

export { TaskerError } from './errors'
export { nextTimes } from './next-times'
export { RetryLater, Unrecoverable } from './retries'
export { Tasker } from './tasker'
