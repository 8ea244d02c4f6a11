// How a user's code is typed. Each `@ts-expect-error` is a mistake that must not compile.
// Compiled by `tsc -p tsconfig.json` and by `__test__/package/types.test.mjs`, never run.

import { createServer } from 'node:http'
import {
  nextTimes,
  type Outbox,
  type OutboxKey,
  type SqliteHandle,
  type StandardSchema,
  type Task,
  type TaskDefinition,
  Tasker,
  TaskerError,
  type TaskerErrorCode,
  type TaskUuid,
} from '../../index'
import { is } from './equal'

interface Operations {
  'read-book': { data: { book: string }; result: { pages: number } }
  tidy: { result: string[] }
  ping: { result: undefined }
  loose: { data?: number }
}

const tasker = new Tasker<Operations>({
  store: 'tasks.db',
  runTimeout: '5m',
  runners: {
    'read-book': ({ data }) => ({ pages: data.book.length }),
    tidy: async () => ['a'],
  },
})

// Operations, data and results follow from the registry.
tasker.assignRunner('read-book', async context => {
  is<{ book: string }>()(context.data, true)
  is<'read-book'>()(context.operation, true)
  is<AbortSignal>()(context.abortSignal, true)
  context.logger.child({ part: 1 }).warning('text', { field: [1] })
  context.progress(1, 2, 'pages')
  return { pages: 1 }
})
tasker.assignRunner('tidy', () => ['a'], { concurrency: 2 })
tasker.assignRunner('ping', () => undefined)
tasker.assignRunner('ping', () => {})
tasker.assignRunner('loose', ({ data }) => is<number | undefined>()(data, true))
// @ts-expect-error no such operation
tasker.assignRunner('raed-book', () => ({ pages: 1 }))
// @ts-expect-error the result is wrong
tasker.assignRunner('read-book', () => ({ page: 1 }))
// @ts-expect-error no such option
tasker.assignRunner('tidy', () => ['a'], { retries: 1 })

// What is said of an operation: its name is one of the registry.
declare const schema: StandardSchema
tasker.defineOperation('tidy', {
  concurrency: 2,
  priority: Number.POSITIVE_INFINITY,
  runTimeout: false,
  onInterrupted: 'fail',
  onStop: 'postpone',
  schema: { data: schema, result: undefined },
})
tasker.defineOperation('tidy', { rateLimit: { limit: 10, per: '1s', burst: 3, by: 'data.book' } })
tasker.assignRunner('tidy', () => ['a'], { rateLimit: { limit: 1, per: 1_000 } })
// @ts-expect-error a limit holds in some time
tasker.defineOperation('tidy', { rateLimit: { limit: 10 } })
// @ts-expect-error it says how many
tasker.defineOperation('tidy', { rateLimit: { per: '1s' } })
// @ts-expect-error one path, and no list of them
tasker.defineOperation('tidy', { rateLimit: { limit: 1, per: 1, by: ['data.book'] } })
tasker.defineOperation('tidy', {
  circuitBreaker: {
    failures: 5,
    within: '1m',
    openFor: 30_000,
    probes: 2,
    by: 'data.host',
    when: { $or: [{ name: /^Http/, status: { $gte: 500 } }, { 'cause.code': 'ECONNREFUSED' }] },
  },
})
// @ts-expect-error how long it is open must be said
tasker.defineOperation('tidy', { circuitBreaker: { failures: 5, within: '1m' } })
tasker.on('operation.circuit.opened', (operation, { key, until, error }) => {
  return [operation, key, error, until.getTime()]
})
// @ts-expect-error only one that has opened says until when
tasker.on('operation.circuit.closed', (_, { until }) => until)
// @ts-expect-error no such operation
tasker.defineOperation('tydi', {})
// @ts-expect-error options must be given
tasker.defineOperation('tidy')
// @ts-expect-error no such option
tasker.defineOperation('tidy', { limit: 1 })
// @ts-expect-error a schema is none of a value
tasker.defineOperation('tidy', { schema: { data: { type: 'string' } } })
is<Promise<boolean>>()(tasker.pauseOperation('ping'), true)
is<Promise<boolean>>()(tasker.resumeOperation('ping'), true)
// @ts-expect-error no such operation
tasker.pauseOperation('pong')
is<Promise<number>>()(tasker.hold({ query: { 'data.book': 'dune' }, until: new Date() }), true)
// @ts-expect-error no field of a task that a hold looks at
tasker.hold({ query: { seq: 1 }, until: 0 })
// @ts-expect-error it has an end
tasker.hold({ query: {} })
is<Promise<boolean>>()(tasker.releaseHold(7), true)
tasker.findHolds().then(found => {
  for (const one of found) is<number>()(one.by.pid, true)
})
tasker.findOperations({ timeout: '1s' }).then(found => {
  for (const one of found) {
    is<'read-book' | 'tidy' | 'ping' | 'loose'>()(one.name, true)
    is<Date | undefined>()(one.pausedAt, true)
    is<number | false | undefined>()(one.options.runTimeout, true)
    is<number | undefined>()(one.layers.assignRunner?.concurrency, true)
    is<number | undefined>()(one.options.rateLimit?.burst, true)
  }
})

// Handlers for the servers of others.
const http = tasker.http({
  access: request => (request.headers.authorization ? { role: 'write', by: 'ann' } : 'none'),
})
createServer(http.node)
is<Promise<Response>>()(http.fetch(new Request('http://a')), true)
http.fastify({}, {}, error => error?.message)
tasker.http({ access: async (request: Request) => (request.headers.get('a') ? 'read' : 'none') })
// @ts-expect-error who may what must be said
tasker.http({})
// @ts-expect-error no such role
tasker.http({ access: () => 'boss' })
// @ts-expect-error nothing is open by itself
tasker.http({ access: () => true })

// A handle as `better-sqlite3` types it, and one as `node:sqlite` does.
declare const better: {
  prepare<Bound extends unknown[] | object = unknown[], Row = unknown>(
    source: string,
  ): {
    run(...params: Bound extends unknown[] ? Bound : [Bound]): { changes: number }
    all(...params: Bound extends unknown[] ? Bound : [Bound]): Row[]
  }
  exec(source: string): typeof better
  readonly inTransaction: boolean
  readonly open: boolean
}
declare const builtIn: {
  prepare(sql: string): {
    run(...values: (null | number | bigint | string)[]): { changes: number | bigint }
    all(...values: (null | number | bigint | string)[]): Record<string, unknown>[]
  }
  exec(sql: string): void
  open(): void
  readonly isTransaction: boolean
}

export async function outboxes() {
  const handles: SqliteHandle[] = [better, builtIn]
  const outbox = tasker.outbox(better)
  is<Outbox<Operations>>()(outbox, true)
  tasker.outbox(builtIn, { table: `tasks_${handles.length}` })
  // @ts-expect-error no handle
  tasker.outbox('app.db')
  // @ts-expect-error no such option
  tasker.outbox(better, { name: 'tasks' })

  const key = outbox.addTask({ operation: 'read-book', data: { book: 'dune' }, priority: 1 })
  is<OutboxKey<'read-book'>>()(key, true)
  is<TaskUuid<'read-book'> | undefined>()(await outbox.uuidOf(key), true)
  const text: string = key
  await outbox.uuidOf(text)
  // @ts-expect-error the data is missing
  outbox.addTask({ operation: 'read-book' })
  // @ts-expect-error a row outlives the process
  outbox.addTask({ operation: 'tidy', abortSignal: new AbortController().signal })
  is<void>()(await outbox.flush(), true)
}

export async function calls() {
  const uuid = await tasker.addTask({ operation: 'read-book', data: { book: 'dune' } })
  is<TaskUuid<'read-book'>>()(uuid, true)
  is<{ pages: number }>()(await tasker.waitForTaskOutputData(uuid), true)
  const text: string = uuid
  is<unknown>()(await tasker.waitForTaskOutputData(text), true)
  is<string[]>()(await tasker.waitForTaskOutputData(text as TaskUuid<'tidy'>), true)
  is<Task<Operations, 'read-book'>>()(await tasker.getTask(uuid), true)

  await tasker.addTask({ operation: 'tidy', priority: -Infinity, runTimeout: false })
  const then = { priority: Infinity }
  await tasker.addTask({ operation: 'tidy', queueTimeout: { after: '5m', then } })
  await tasker.addTask({ operation: 'tidy', queueTimeout: false })
  await tasker.addTask({ operation: 'loose', data: 1 })
  await tasker.addTask({ operation: 'ping', onStop: 'postpone', onInterrupted: 'fail' })
  await tasker.addTasks([
    { operation: 'ping', delay: '2h' },
    { operation: 'ping', runAt: new Date(0) },
    { operation: 'ping', runAt: 0 },
    { operation: 'ping', retry: 3 },
    { operation: 'ping', unique: { key: 'k' } },
    { operation: 'ping', unique: { key: 'k', while: 'new', ttl: '1h', onConflict: 'replace' } },
    { operation: 'ping', retention: '7d' },
    { operation: 'ping', retention: { done: false, failed: 1_000 } },
    { operation: 'ping', retry: { attempts: 3, on: ['timeout'] as const } },
    { operation: 'ping', retry: { attempts: 3, backoff: { type: 'linear', delay: '1s' } } },
    { operation: 'ping', id: 7, label: 'the first', tags: ['red', 'wet'] as const },
    { operation: 'ping', id: { order: 7, at: new Date(0) } },
  ])
  // @ts-expect-error a label is a text
  await tasker.addTask({ operation: 'ping', label: 7 })
  // @ts-expect-error tags are a list
  await tasker.addTask({ operation: 'ping', tags: 'red' })
  // @ts-expect-error data is missing
  await tasker.addTask({ operation: 'read-book' })
  // @ts-expect-error data is wrong
  await tasker.addTask({ operation: 'read-book', data: { book: 1 } })
  // @ts-expect-error no such operation
  await tasker.addTask({ operation: 'write-book', data: { book: 'dune' } })
  // @ts-expect-error no such option
  await tasker.addTask({ operation: 'tidy', prioriy: 1 })
  // @ts-expect-error no such word
  await tasker.addTask({ operation: 'tidy', onStop: 'explode' })
  // @ts-expect-error no duration
  await tasker.addTask({ operation: 'tidy', runTimeout: '5 minutes' })
  // @ts-expect-error no such end
  await tasker.addTask({ operation: 'tidy', queueTimeout: { after: '1s', then: 'fail' } })
  // @ts-expect-error no policy
  await tasker.addTask({ operation: 'tidy', retry: { backoff: { type: 'fixed', delay: 1 } } })
  // @ts-expect-error no number of attempts
  await tasker.addTask({ operation: 'tidy', retry: true })
  // @ts-expect-error a key is named
  await tasker.addTask({ operation: 'tidy', unique: 'k' })
  // @ts-expect-error there are three words
  await tasker.addTask({ operation: 'tidy', unique: { key: 'k', while: 'running' } })
  // @ts-expect-error no moment
  await tasker.addTask({ operation: 'tidy', runAt: '2099-01-01' })

  const uuids = await tasker.addTasks([
    { operation: 'read-book', data: { book: 'dune' } },
    { operation: 'tidy' },
  ])
  is<string>()(uuids.join(), true)

  const definition: TaskDefinition<Operations> = { operation: 'tidy' }
  await tasker.addTask(definition)
}

export async function removing() {
  // @ts-expect-error no way to end
  await tasker.addTask({ operation: 'tidy', retention: { running: 1 } })
  const removed = await tasker.removeTasks({ status: 'done' }, { dryRun: true, timeout: '1m' })
  is<number | undefined>()(removed.skipped['not-ended'], true)
  await tasker.retryTasks({ operation: 'tidy' }, { delay: '1h', priority: 1 })
  await tasker.abortTasks({}, { reason: new Error('enough') })
  // @ts-expect-error no option of a removal
  await tasker.removeTasks({}, { delay: '1h' })
}

export async function finding() {
  const tasks = await tasker.findTasks(
    {
      operation: { $in: ['read-book', 'tidy'] },
      status: { $ne: 'done' },
      createdAt: { $gte: new Date(), $lt: new Date() },
      priority: Infinity,
      'data.book': { $exists: true },
      $or: [{ 'data.pages': { $gt: 1, $not: { $lte: 3 } } }, { attempts: { $eq: [] } }],
    },
    {
      sort: { priority: -1, 'data.n': 1 },
      limit: 10,
      skip: 1,
      withLogs: true,
      logsMaxLevel: 'debug',
    },
  )
  for (const task of tasks) {
    is<'new' | 'running' | 'done' | 'failed' | 'aborted'>()(task.status, true)
    if (task.operation === 'read-book') {
      is<{ book: string }>()(task.data, true)
      is<{ pages: number } | undefined>()(task.result, true)
    }
    is<Date>()(task.createdAt, true)
    is<Date | undefined>()(task.runAt, true)
    is<Date | undefined>()(task.logs?.[0]?.at, true)
  }
  is<boolean>()(await tasker.hasTask({}), true)
  is<number>()(await tasker.countTasks(), true)
  // @ts-expect-error no such field
  await tasker.findTasks({ dta: 1 })
  // @ts-expect-error no such status
  await tasker.findTasks({ status: 'ready' })
  // @ts-expect-error no such operator
  await tasker.findTasks({ seq: { $near: 1 } })
  // @ts-expect-error no such order
  await tasker.findTasks({}, { sort: { seq: 2 } })
  // @ts-expect-error no such option
  await tasker.findTask({}, { limit: 2 })
}

export async function living(signal: AbortSignal) {
  await tasker.ready()
  await tasker.start(signal)
  await tasker.stop({ onStop: 'abort', timeout: '10s' })
  await tasker.close({ timeout: 0 })
  await tasker[Symbol.asyncDispose]()
  await using other = new Tasker('other.db')
  is<boolean>()(await other.abortTask('uuid', new Error('why')), true)
  is<boolean>()(await other.prioritizeTask('uuid', 3), true)
  is<boolean>()(await other.postponeTask('uuid', { delay: '1m', reason: 'busy' }), true)
  is<boolean>()(await other.unassignRunner('anything'), true)
  await other.waitForTaskOutputData('uuid', { abortSignal: signal, timeout: '1h' })
}

// A schedule takes the task of an operation, by a cron or an interval.
export async function schedules() {
  const task = { operation: 'read-book', data: { book: 'dune' } } as const
  is<boolean>()(await tasker.addSchedule({ id: 'a', cron: '@daily', timezone: 'UTC', task }), true)
  const options = { overlap: 'queue', missed: 'all', jitter: '5s', limit: 3 } as const
  await tasker.addSchedule({ id: 'b', every: '15m', startAt: new Date(), ...options, task })
  await tasker.updateSchedule('b', { every: 1_000, limit: false, endAt: 7, task })
  is<string | undefined>()(await tasker.triggerSchedule('b', { overlap: 'allow' }), true)
  for (const { nextTimes, lastAt, task } of await tasker.findSchedules({ id: 'b' })) {
    is<Date[]>()(nextTimes, true)
    is<Date | undefined>()(lastAt, true)
    is<keyof Operations>()(task.operation, true)
  }
  await tasker.findTasks({ scheduleId: 'b', scheduledAt: { $gt: new Date() } })
  // @ts-expect-error one of the two
  await tasker.addSchedule({ id: 'a', cron: '@daily', every: '1d', task })
  // @ts-expect-error neither
  await tasker.addSchedule({ id: 'a', task })
  // @ts-expect-error other data
  await tasker.addSchedule({ id: 'a', every: '1d', task: { operation: 'read-book', data: 7 } })
  // @ts-expect-error no moment of its own
  await tasker.addSchedule({ id: 'a', every: '1d', task: { ...task, runAt: new Date() } })
  // @ts-expect-error no such overlap
  await tasker.updateSchedule('b', { overlap: 'wait' })
}

// Events have the arguments of their kind.
tasker.on('started', () => {})
tasker.on('task.add', definition => is<TaskDefinition<Operations>>()(definition, true))
tasker.once('task.done', (uuid, result) => {
  is<TaskUuid>()(uuid, true)
  is<unknown>()(result, true)
})
tasker.on('task.ended', (_uuid, status, value) => {
  is<'done' | 'failed' | 'aborted'>()(status, true)
  is<unknown>()(value, true)
})
tasker.on('task.log', (_uuid, log) => is<Date>()(log.at, true))
tasker.on('task.018f.log', log => is<Date>()(log.at, true))
tasker.on('task.018f.progress', progress => is<number>()(progress.current, true))
tasker.off('task.018f.ended', status => is<'done' | 'failed' | 'aborted'>()(status, true))
tasker.on('task.018f.run', (...args) => is<[]>()(args, true))
// @ts-expect-error no such event
tasker.on('task.finished', () => {})
// @ts-expect-error no such event of a task
tasker.on('task.018f.finished', () => {})

// Without a registry everything goes.
const loose = new Tasker()
loose.assignRunner('anything', ({ data }) => data.whatever)
loose.addTask({ operation: 'anything', data: { whatever: 1 } })
loose.addTask({ operation: 'nothing' })

// @ts-expect-error no such option
new Tasker({ storage: 'x' })
// @ts-expect-error no such level
new Tasker({ logLevel: 'trace' })

export function failing(error: unknown) {
  if (!(error instanceof TaskerError)) return
  is<TaskerErrorCode>()(error.code, true)
  is<string | undefined>()(error.path, true)
  // @ts-expect-error no such code
  if (error.code === 'TASKER_OOPS') return
}

// A look at a cron needs no tasker.
is<Date[]>()(nextTimes('0 9 * * *'), true)
nextTimes('@daily', { timezone: 'Europe/Berlin', count: 3, from: new Date() })
nextTimes('@daily', { from: 0, timezone: undefined })
// @ts-expect-error it is `timezone`
nextTimes('@daily', { tz: 'UTC' })
// @ts-expect-error a text is no moment
nextTimes('@daily', { from: '2026-01-01' })
// @ts-expect-error an interval needs no look
nextTimes({ every: '15m' })

// What is attached is typed by the registry, and else anything.
interface Attaching {
  send: { data: string; attach: { write(text: string): void } }
  plain: { data: string }
}
export async function attaches(tasker: Tasker<Attaching>) {
  tasker.assignRunner('send', ({ attach, data }) => attach?.write(data))
  tasker.assignRunner('plain', ({ attach }) => void (attach satisfies unknown))
  await tasker.addTask({ operation: 'send', data: 'a', attach: { write: () => {} } })
  await tasker.addTask({ operation: 'send', data: 'a' })
  await tasker.addTask({ operation: 'plain', data: 'a', attach: Symbol('anything') })
  // @ts-expect-error
  await tasker.addTask({ operation: 'send', data: 'a', attach: 7 })
}
