/** What the package gives; `index.d.ts` at the root is its contract. */

export { TaskerError } from './errors'
export { Tasker } from './tasker'
