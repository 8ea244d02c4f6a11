// What listeners hear, and which are refused: general events, and those of one task.
// Compiled by `tsc -p tsconfig.json` and by `__test__/package/types.test.mjs`, never run.

import {
  type EndStatus,
  type EventArguments,
  type Listener,
  type TaskDefinition,
  Tasker,
  type TaskerEvents,
  type TaskLog,
  type TaskProgress,
  type TaskUuid,
} from '../../index'
import { type Equal, is } from './equal'

interface Operations {
  count: { data: { text: string }; result: { words: number } }
  list: { data: string; result: string[] }
}

function assert<_Condition extends true>() {}
type Arguments<Name extends keyof TaskerEvents> = EventArguments<Operations, Name>
type OfOne<
  Name extends `task.${string}.${
    | 'done'
    | 'failed'
    | 'aborted'
    | 'ended'
    | 'log'
    | 'retrying'
    | 'updated'
    | 'add.skipped'}`,
> = EventArguments<Operations, Name>
type Skipped = Arguments<'task.add.skipped'>
type Result = { words: number } | string[]

assert<Equal<Arguments<'started'>, []>>()
assert<Equal<Arguments<'stopped'>, []>>()
assert<Equal<Arguments<'error'>, [error: unknown]>>()
assert<Equal<Arguments<'task.add'>, [definition: TaskDefinition<Operations>]>>()
assert<Equal<Arguments<'task.added'>, [uuid: TaskUuid]>>()
assert<Equal<Arguments<'task.updated'>, [uuid: TaskUuid]>>()
assert<Equal<Skipped, [uuid: TaskUuid, definition: TaskDefinition<Operations>]>>()
assert<Equal<Arguments<'task.prioritized'>, [uuid: TaskUuid, priority: number]>>()
assert<Equal<Arguments<'task.run'>, [uuid: TaskUuid]>>()
assert<Equal<Arguments<'task.log'>, [uuid: TaskUuid, log: TaskLog]>>()
assert<Equal<Arguments<'task.progress'>, [uuid: TaskUuid, progress: TaskProgress]>>()
assert<Equal<Arguments<'task.retrying'>, [uuid: TaskUuid, error: unknown, runAt: Date]>>()
assert<Equal<Arguments<'task.done'>, [uuid: TaskUuid, result: Result]>>()
assert<Equal<Arguments<'task.failed'>, [uuid: TaskUuid, error: unknown]>>()
assert<Equal<Arguments<'task.aborted'>, [uuid: TaskUuid, reason: unknown]>>()
assert<Equal<Arguments<'task.ended'>, [uuid: TaskUuid, status: EndStatus, value: unknown]>>()
assert<Equal<OfOne<'task.018f.done'>, [result: Result]>>()
assert<Equal<OfOne<'task.018f.failed'>, [error: unknown]>>()
assert<Equal<OfOne<'task.018f.ended'>, [status: EndStatus, value: unknown]>>()
assert<Equal<OfOne<'task.018f.updated'>, []>>()
assert<Equal<OfOne<'task.018f.add.skipped'>, [definition: TaskDefinition<Operations>]>>()
assert<Equal<OfOne<'task.018f.log'>, [log: TaskLog]>>()
assert<Equal<OfOne<'task.018f.retrying'>, [error: unknown, runAt: Date]>>()

const tasker = new Tasker<Operations>()

// All ways to listen know the event.
tasker.on('task.done', (uuid, result) => {
  is<TaskUuid>()(uuid, true)
  is<Result>()(result, true)
})
tasker.once('task.done', (_uuid, result) => is<Result>()(result, true))
tasker.addListener('task.added', uuid => is<TaskUuid>()(uuid, true))
tasker.prependListener('task.prioritized', (_uuid, priority) => is<number>()(priority, true))
tasker.prependOnceListener('task.failed', (_uuid, error) => is<unknown>()(error, true))
tasker.removeListener('task.run', (...args) => is<[uuid: TaskUuid]>()(args, true))
tasker.off('task.log', (_uuid, log) => is<TaskLog>()(log, true))
tasker.removeAllListeners('task.018f.done').removeAllListeners()
tasker.on('task.add', definition => {
  if (definition.operation === 'count') is<{ text: string }>()(definition.data, true)
  else is<string>()(definition.data, true)
})

export async function ofOneTask() {
  const uuid = await tasker.addTask({ operation: 'count', data: { text: '' } })
  tasker.once(`task.${uuid}.done`, result => is<Result>()(result, true))
  tasker.on(`task.${uuid}.progress`, progress => is<TaskProgress>()(progress, true))
  // @ts-expect-error the uuid is not told again
  tasker.on(`task.${uuid}.progress`, (_uuid, progress: TaskProgress) => progress)
  // @ts-expect-error no such event of a task
  tasker.on(`task.${uuid}.finished`, () => {})
}

// A listener may be kept, and may look at less than it is told.
const kept: Listener<Operations, 'task.ended'> = (_uuid, status) => is<EndStatus>()(status, true)
tasker.on('task.ended', kept).off('task.ended', kept)

// @ts-expect-error the result is no number
tasker.on('task.done', (_uuid, result: number) => result)
// @ts-expect-error the priority is no text
tasker.on('task.prioritized', (_uuid, priority: string) => priority)
// @ts-expect-error nothing is told
tasker.on('started', (what: string) => what)
// @ts-expect-error no such event
tasker.once('task.finished', () => {})
// @ts-expect-error no such event
tasker.off('start', () => {})
// @ts-expect-error no such event
tasker.removeAllListeners('done')

// Without a registry results are any.
new Tasker().on('task.done', (_uuid, result) => result.words.length)
