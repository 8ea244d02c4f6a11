// Which queries and sorts compile, and which are refused.
// Compiled by `tsc -p tsconfig.json` and by `__test__/package/types.test.mjs`, never run.

import {
  type Query,
  type QueryFields,
  type Sort,
  type Task,
  type TaskAttempt,
  Tasker,
  type TaskUuid,
} from '../../index'
import { is } from './equal'

interface Operations {
  count: { data: { text: string }; result: { words: number } }
  list: { data: string; result: string[] }
}

const tasker = new Tasker<Operations>()

/** Whatever a task has can be asked for; log lines are no part of it. */
declare const unasked: Exclude<keyof Task, keyof QueryFields>
is<'logs'>()(unasked, true)

/** Every field of a task that a query knows, and every operator. */
export const fields: Required<Omit<Query<Operations>, '$and' | '$or' | '$nor'>> = {
  uuid: '018f',
  seq: { $gt: 1, $lte: 9 },
  operation: { $in: ['count', 'list'] },
  id: { order: 7 },
  label: { $in: ['the first', null] },
  tags: ['red', 'wet'],
  trace: { $exists: true },
  status: { $nin: ['failed', 'aborted'] },
  state: 'ready',
  isPausing: true,
  isHeld: true,
  cause: { $ne: 'poison' },
  priority: { $gte: -Infinity, $lt: Infinity },
  createdAt: { $gte: new Date(0) },
  runAt: { $gt: new Date(0) },
  startedAt: null,
  endedAt: { $exists: false },
  attempt: { $not: { $eq: 1 } },
  attemptsLeftOut: { $exists: true },
  version: { $gt: 2 },
  retry: { $exists: false },
  dependsOn: { $exists: true },
  parent: { $ne: null },
  scheduleId: { $in: ['a', 'b'] },
  scheduledAt: { $gte: new Date(0) },
  'unique.key': 'k',
  unique: { $exists: true },
  retention: { $exists: false },
  concurrency: { $exists: true },
  runTimeout: 1000,
  queueTimeout: 1000,
  onInterrupted: 'retry',
  onStop: { $in: ['wait', null] },
  onStopWaiting: 'abort',
  data: { text: 'dune' },
  result: ['a', 'b'],
  error: { $exists: true },
  abortReason: null,
  progress: { current: 1, total: 2 },
  attempts: { $ne: [] },
}

// Paths lead into what a task carries, as deep as it goes.
export const paths: Query<Operations>[] = [
  { 'data.text': 'dune' },
  { 'data.book.author.name': { $in: ['Frank', null] } },
  { 'result.words': { $gte: 8, $lt: 100 } },
  { 'error.cause.code': { $exists: true } },
  { 'abortReason.name': 'AbortError' },
  { 'progress.current': { $gt: 1 } },
  { 'attempts.outcome': 'lost' },
  { 'attempts.error.code': 'E_DOWN', 'retry.backoff.type': { $in: ['fixed'] } },
  { 'id.order': { $gt: 7 }, 'tags.0': 'red', tags: 'wet' },
  { $and: [{ 'data.a': 1 }, { $or: [{ 'data.b': 2 }, { $nor: [{ 'data.c': 3 }] }] }] },
]

/** What is asked of arrays, types and remainders. */
export const arrays: Query<Operations>[] = [
  { 'data.text': { $type: 'string' } },
  { 'data.text': { $type: ['null', 2] } },
  { 'data.n': { $mod: [4, 1] } },
  { result: { $size: 2 } },
  { result: { $all: ['a', 'b'] } },
  { result: { $elemMatch: { $gte: 'a', $lt: 'b', $not: { $eq: 'aa' } } } },
  { 'data.lines': { $elemMatch: { sku: 'x', 'price.net': { $gt: 1 } } } },
  { 'data.lines': { $elemMatch: { $or: [{ sku: 'x' }, { free: true }] } } },
  { 'data.lines': { $all: [{ $elemMatch: { sku: 'x' } }, { $elemMatch: { sku: 'y' } }] } },
]

/** Regular expressions, wherever one may stand. */
export const patterns: Query<Operations>[] = [
  { 'data.text': /^du/i },
  { operation: /^c/ },
  { 'data.text': { $regex: '^du', $options: 'i' } },
  { 'data.text': { $regex: /^du/, $ne: 'dune' } },
  { 'data.text': { $not: /^du/ } },
  { 'data.text': { $in: [/^du/, 'emma'] } },
  { 'data.text': { $nin: [/^du/, null] } },
  { result: { $all: [/^a/, 'b'] } },
  { result: { $elemMatch: { $regex: '^a' } } },
  { 'data.lines': { $elemMatch: { sku: /^x/ } } },
]

// @ts-expect-error flags are a text
export const flags: Query<Operations> = { 'data.text': { $regex: 'x', $options: /i/ } }
// @ts-expect-error a regular expression is no value to compare with
export const compared: Query<Operations> = { 'data.text': { $gt: /x/ } }
// @ts-expect-error no such type
export const type: Query<Operations> = { 'data.text': { $type: 'text' } }
// @ts-expect-error a remainder is missing
export const divisor: Query<Operations> = { 'data.n': { $mod: [4] } }
// @ts-expect-error a size is a number
export const size: Query<Operations> = { result: { $size: '2' } }
// @ts-expect-error no such operator on a member
export const member: Query<Operations> = { result: { $elemMatch: { $like: 'a' } } }

// @ts-expect-error no such field
export const noField: Query<Operations> = { owner: 'me' }
// @ts-expect-error a path begins with a field
export const noPath: Query<Operations> = { 'date.text': 'dune' }
// @ts-expect-error logs cannot be queried
export const logs: Query<Operations> = { 'logs.message': 'text' }
// @ts-expect-error a label is a text
export const label: Query<Operations> = { label: 7 }
// @ts-expect-error a tag is a text
export const tag: Query<Operations> = { tags: { $in: [7] } }
// @ts-expect-error a label has no parts
export const half: Query<Operations> = { 'label.0': 'x' }
// @ts-expect-error a status has no parts
export const flat: Query<Operations> = { 'status.name': 'done' }
// @ts-expect-error no such operator
export const near: Query<Operations> = { priority: { $near: 1 } }
// @ts-expect-error no such operator at the end of a path
export const regex: Query<Operations> = { 'error.message': { $regexp: 'x' } }
// @ts-expect-error no such operator, beside one that there is
export const beside: Query<Operations> = { 'data.text': { $eq: 'x', $option: 'i' } }
// @ts-expect-error no such operator on a whole part
export const whole: Query<Operations> = { result: { $whatever: 1 } }
// @ts-expect-error no such operator within another
export const within: Query<Operations> = { 'data.text': { $not: { $regx: 'x' } } }
// @ts-expect-error no such operator within a value
export const deep: Query<Operations> = { data: { author: { $like: 'x' } } }
// @ts-expect-error no such operator within a list of values
export const inList: Query<Operations> = { 'data.text': { $in: [{ $like: 'x' }] } }
// @ts-expect-error no such operator on the operation
export const ofOperation: Query<Operations> = { operation: { $like: 'c' } }
// @ts-expect-error a query cannot hold undefined
export const absent: Query<Operations> = { 'data.text': undefined }
// @ts-expect-error no such operation
export const operation: Query<Operations> = { operation: 'conut' }
// @ts-expect-error no such operation in a list
export const operations: Query<Operations> = { operation: { $in: ['count', 'lits'] } }
// @ts-expect-error a priority is a number
export const priority: Query<Operations> = { priority: 'high' }
// @ts-expect-error a time is a Date
export const time: Query<Operations> = { createdAt: { $gte: '2026-01-01' } }
// @ts-expect-error no such state
export const state: Query<Operations> = { state: 'new' }
// @ts-expect-error a function is no value
export const value: Query<Operations> = { 'data.text': () => true }
// @ts-expect-error the parts of a logical operator are a list
export const parts: Query<Operations> = { $or: { seq: 1 } }
// @ts-expect-error the parts are queries too
export const nested: Query<Operations> = { $and: [{ owner: 'me' }] }

export const sort: Sort = { priority: -1, 'data.text': 1 }
// @ts-expect-error an order is 1 or -1
export const word: Sort = { priority: 'desc' }

export async function found() {
  const task = await tasker.findTask({ status: 'done' }, { sort })
  is<Task<Operations> | undefined>()(task, true)
  if (task?.operation === 'count') is<{ words: number } | undefined>()(task.result, true)
  if (task?.operation === 'list') is<string>()(task.data, true)
  // @ts-expect-error a task has no such field
  task?.owner
  // @ts-expect-error no such option
  await tasker.countTasks({}, { limit: 1 })
  // @ts-expect-error a query is needed
  await tasker.hasTask()
}

/** What `fields` says of the tasks that are found. */
export async function projected(uuid: TaskUuid<'count'>) {
  const one = await tasker.getTask(uuid, { fields: ['uuid', 'data.text', 'startedAt'] })
  is<{ text: string }>()(one.data, true)
  is<Date | undefined>()(one.startedAt, true)
  // @ts-expect-error it was not asked for
  one.status
  const [first] = await tasker.findTasks({ operation: 'count' }, { fields: ['result.words'] })
  is<{ words: number } | undefined>()(first?.result, true)
  const any = await tasker.findTask({}, { fields: ['operation', 'data'], sort: { seq: 1 } })
  if (any?.operation === 'list') is<string>()(any.data, true)
  const loose = await tasker.findTask({}, { fields: ['data.author.name', 'attempts.outcome'] })
  is<TaskAttempt['outcome'][] | undefined>()(
    loose?.attempts.map(({ outcome }) => outcome),
    true,
  )
  // @ts-expect-error no such field
  await tasker.findTasks({}, { fields: ['owner'] })
  // @ts-expect-error logs come with an option of their own
  await tasker.findTasks({}, { fields: ['logs'] })
  // @ts-expect-error they are a list
  await tasker.findTasks({}, { fields: 'uuid' })
  const untyped = await new Tasker().findTasks({}, { fields: ['seq', 'data.anything'] })
  untyped.map(({ seq }) => is<number>()(seq, true))
}

/** What an operation in the query says of the tasks that are found. */
export async function narrowed(anyOf: 'count' | 'list') {
  for (const task of await tasker.findTasks({ operation: 'count', status: 'done' })) {
    is<'count'>()(task.operation, true)
    is<{ text: string }>()(task.data, true)
    is<{ words: number } | undefined>()(task.result, true)
    is<{ words: number }>()(await tasker.waitForTaskOutputData(task.uuid), true)
  }
  for await (const task of tasker.tasks({ operation: 'count' }, { sort: { seq: -1 } })) {
    is<Task<Operations, 'count'>>()(task, true)
  }
  for await (const task of tasker.tasks({ operation: 'count' }, { fields: ['data.text'] })) {
    is<string>()(task.data.text, true)
    // @ts-expect-error not among the fields
    task.uuid
  }
  // @ts-expect-error pages follow no order that may change
  tasker.tasks({}, { sort: { priority: 1 } })
  const one = await tasker.findTask({ operation: { $eq: 'list' } })
  is<Task<Operations, 'list'> | undefined>()(one, true)
  is<Task<Operations, 'list'>[]>()(await tasker.findTasks({ operation: { $in: ['list'] } }), true)
  const both = await tasker.findTasks({ operation: { $in: ['count', 'list'] } })
  is<Task<Operations>[]>()(both, true)
  is<Task<Operations>[]>()(await tasker.findTasks({ operation: anyOf }), true)

  // What leaves operations out says nothing of those that stay.
  is<Task<Operations>[]>()(await tasker.findTasks({ operation: { $ne: 'list' } }), true)
  is<Task<Operations>[]>()(await tasker.findTasks({ operation: { $nin: ['list'] } }), true)
  is<Task<Operations>[]>()(await tasker.findTasks({ operation: { $not: { $eq: 'list' } } }), true)
  is<Task<Operations>[]>()(await tasker.findTasks({ $or: [{ operation: 'list' }] }), true)
  const query: Query<Operations> = { operation: 'list' }
  is<Task<Operations>[]>()(await tasker.findTasks(query), true)
  is<Task<Operations>[]>()(await tasker.findTasks(), true)
  // @ts-expect-error no such field, beside one that narrows
  await tasker.findTasks({ operation: 'count', dta: 1 })
  // @ts-expect-error no such operation
  await tasker.findTask({ operation: 'conut' })
  for (const task of await new Tasker().findTasks({ operation: 'x' })) {
    is<'x'>()(task.operation, true)
  }
}
