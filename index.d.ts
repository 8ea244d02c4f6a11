/**
 * tasker: durable tasks inside a Node.js process.
 *
 * A task is on disk when `addTask` resolves. It runs at least once, and its end is recorded exactly
 * once: your runner may run again after a crash, so make it idempotent.
 */

import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { TaskPatch, TasksToAdd, TaskToAdd, TaskUuids } from './types/definition'
import type { EventName, Listener } from './types/events'
import type { OperationExplanation, TaskExplanation } from './types/explain'
import type { Hold, HoldOptions } from './types/hold'
import type { QueryExplanation } from './types/indexes'
import type { Jsonify } from './types/json'
import type { Metrics, MetricsOptions } from './types/metrics'
import type {
  BatchRunnerOptions,
  ModuleOptions,
  OperationOptions,
  OperationRecord,
} from './types/operations'
import type {
  AbortTasksOptions,
  BulkOptions,
  BulkResult,
  CallOptions,
  FindTaskOptions,
  FindTasksOptions,
  GetTaskOptions,
  ListenTaskLogsOptions,
  PostponeTaskOptions,
  RetryTaskOptions,
  RetryTasksOptions,
  StopOptions,
  TaskerOptions,
  TasksOptions,
  UpdateTaskOptions,
  Verification,
} from './types/options'
import type { Outbox, OutboxOptions, SqliteHandle } from './types/outbox'
import type { FieldsOption, Projected, TaskField } from './types/projection'
import type { Query } from './types/query'
import type {
  AnyOperations,
  DataOf,
  OperationName,
  Registry,
  ResultOf,
  TaskUuid,
} from './types/registry'
import type { BatchRunner, Runner } from './types/runner'
import type {
  FindSchedulesOptions,
  Schedule,
  ScheduleDefinition,
  SchedulePatch,
  TriggerScheduleOptions,
} from './types/schedule'
import type { HttpHandlers, HttpOptions, ListenOptions, Server } from './types/server'
import type { Task, TaskLog } from './types/task'
import type { WatchEntry, WatchOptions } from './types/watch'

export * from './types/conditions'
export * from './types/definition'
export * from './types/errors'
export * from './types/events'
export * from './types/explain'
export * from './types/hold'
export * from './types/indexes'
export * from './types/json'
export * from './types/metrics'
export * from './types/operations'
export * from './types/options'
export * from './types/outbox'
export * from './types/projection'
export * from './types/query'
export * from './types/registry'
export * from './types/runner'
export * from './types/schedule'
export * from './types/server'
export * from './types/task'
export * from './types/telemetry'
export * from './types/watch'

/**
 * An open store of tasks, with the runners of this process.
 *
 * @example
 * const tasker = new Tasker({ store: 'tasks.db' })
 * tasker.assignRunner('greet', async ({ data }) => `Hello, ${data.name}`)
 * await tasker.start()
 * const uuid = await tasker.addTask({ operation: 'greet', data: { name: 'Ada' } })
 * console.log(await tasker.waitForTaskOutputData(uuid))
 * await tasker.close()
 */
export class Tasker<Operations extends Registry<Operations> = AnyOperations> extends EventEmitter {
  /**
   * Checks the options and throws if one is wrong. The file opens in the background: what goes
   * wrong there rejects every awaited call.
   */
  constructor(options?: NoInfer<TaskerOptions<Operations>> | string | URL)

  /**
   * Resolves when the file is open, and rejects if it cannot be opened. No call needs it: use it to
   * fail early.
   */
  ready(): Promise<void>

  /**
   * Adds a task; resolves with its uuid when it is on disk. Works before `start` and without a
   * runner.
   *
   * `data` is stored as `JSON.stringify` writes it, at most 16 MiB and 128 levels.
   */
  addTask<Name extends OperationName<Operations>>(
    definition: TaskToAdd<Operations, Name>,
  ): Promise<TaskUuid<Name>>

  /** Adds up to 10,000 tasks, all or none; resolves with their uuids in the same order. */
  addTasks<Names extends readonly OperationName<Operations>[]>(
    definitions: TasksToAdd<Operations, Names>,
  ): Promise<TaskUuids<Names>>

  /**
   * Adds tasks inside transactions of your own SQLite file: see {@link Outbox}. Makes a table there
   * if there is none, and turns rows that a crash left into tasks. Called again with the same
   * handle, it returns the same outbox.
   *
   * Throws `TASKER_FILE_SHARED` if the handle is on a file of tasker.
   */
  outbox(db: SqliteHandle, options?: OutboxOptions): Outbox<Operations>

  /**
   * Assigns a function that carries out several tasks at once: up to `batch.max` of those that may
   * start. In all else like any other runner.
   */
  assignRunner<Name extends OperationName<Operations>>(
    operation: Name,
    runner: BatchRunner<Operations, Name>,
    options: BatchRunnerOptions,
  ): void

  /**
   * Assigns the function that carries out an operation. Throws `TASKER_CONFLICT` if the operation
   * already has a runner in this tasker.
   *
   * In place of the function it takes a module, by its `file:` URL: the default export of that is
   * the runner, and runs each task in a thread that can be ended. A run that goes on 5 seconds
   * after its `abortSignal` has fired ends with its thread. Throws if there is no such file; what
   * else is wrong with the module fails its tasks.
   *
   * With `options`, they replace what the last `assignRunner` with options said of the operation,
   * in whatever process; without, nothing changes. They are stored with the next commit: what only
   * the file can refuse rejects `start`.
   *
   * @example
   * tasker.assignRunner('resize', new URL('./resize.mjs', import.meta.url), { threads: 4 })
   */
  assignRunner<Name extends OperationName<Operations>>(
    operation: Name,
    runner: Runner<Operations, Name> | URL,
    options?: OperationOptions & ModuleOptions & { batch?: undefined },
  ): void

  /**
   * Takes the runner away; its live runs go on. Resolves when none will start any more; with
   * `false` if the operation had no runner.
   */
  unassignRunner(operation: OperationName<Operations>): Promise<boolean>

  /**
   * Says how an operation is run, for all processes on the file, and with or without a runner here.
   * Replaces all that `defineOperation` said of it before, and goes before what `assignRunner`
   * says. Resolves when it is on disk.
   */
  defineOperation(operation: OperationName<Operations>, options: OperationOptions): Promise<void>

  /**
   * Lets no task of the operation start in any process, until `resumeOperation`; running ones go
   * on. Survives restarts. Resolves with `false` if it was paused already.
   */
  pauseOperation(operation: OperationName<Operations>): Promise<boolean>

  /** Lets its tasks start again. Resolves with `false` if it was not paused. */
  resumeOperation(operation: OperationName<Operations>): Promise<boolean>

  /**
   * Lets no task start that matches, in whatever process, until a moment; running ones go on. A
   * task that comes up and matches is delayed until then. Survives restarts. Resolves with the
   * number of the hold. Rejects with `TASKER_LIMIT` if there are 100 that are not over.
   */
  hold(options: HoldOptions): Promise<number>

  /** The holds that are not over, by number. */
  findHolds(): Promise<Hold[]>

  /**
   * Ends a hold before its time: what it holds is ready again. Resolves with `false` if it was over
   * or never was.
   */
  releaseHold(id: number): Promise<boolean>

  /**
   * Adds tasks by the clock, from now on: each tick of the schedule adds one, once over all
   * processes and restarts, in whatever process that has the file open. A schedule that says the
   * same already is left as it is, so call it at each start; one that says something else is
   * changed, as by `updateSchedule`. Resolves with whether that changed anything. Rejects with
   * `TASKER_LIMIT` if there are 100,000 schedules.
   */
  addSchedule<Name extends OperationName<Operations>>(
    schedule: ScheduleDefinition<Operations, Name>,
  ): Promise<boolean>

  /** The schedules by id, with their next times and what they have made. */
  findSchedules(options?: FindSchedulesOptions): Promise<Schedule<OperationName<Operations>>[]>

  /**
   * Changes what `patch` names of a schedule, and the rest stays: its count, its last task, its
   * pause. An interval counts from anew only if `every` or `startAt` changes. Resolves with whether
   * that changed anything; rejects with `TASKER_NOT_FOUND` if there is none.
   */
  updateSchedule<Name extends OperationName<Operations>>(
    id: string,
    patch: SchedulePatch<Operations, Name>,
  ): Promise<boolean>

  /**
   * Lets the ticks of a schedule pass without tasks, until `resumeSchedule`. Survives restarts.
   * Resolves with `false` if it was paused already; rejects with `TASKER_NOT_FOUND`.
   */
  pauseSchedule(id: string): Promise<boolean>

  /** Lets a schedule go on with its next tick. Resolves with `false` if it was not paused. */
  resumeSchedule(id: string): Promise<boolean>

  /**
   * Adds the task of a schedule now, also of one that is paused or over; uses no tick, and counts
   * for no `limit`. The overlap holds. Resolves with the uuid of the task, or with `undefined` if
   * the last one has not ended and the schedule skips. Rejects with `TASKER_NOT_FOUND`.
   */
  triggerSchedule(id: string, options?: TriggerScheduleOptions): Promise<string | undefined>

  /** Removes a schedule; its tasks stay. Resolves with `false` if there was none. */
  removeSchedule(id: string): Promise<boolean>

  /** What is stored of each operation that has, or had, tasks or options, by name. */
  findOperations(options?: CallOptions): Promise<OperationRecord<OperationName<Operations>>[]>

  /**
   * Starts running tasks. Does nothing if it is started. The tasker stops when `abortSignal` fires;
   * at once if it has fired already.
   */
  start(abortSignal?: AbortSignal): Promise<void>

  /**
   * Starts no more tasks, and treats running ones as `onStop` says. Resolves when no run is live. A
   * later call with options replaces the options of one that still waits.
   */
  stop(options?: StopOptions): Promise<void>

  /**
   * Stops, releases the file and lets the process exit. It waits for live runs as `stop` does, and
   * until the last of them is over other calls work too, for those runs may need them. Then every
   * call rejects with `TASKER_CLOSED`. A later close with options replaces the options of one that
   * still waits; without options it gives the same promise.
   *
   * Do not await it in a runner: that waits for the runner itself, until the timeout is over and
   * the task goes back to the queue.
   */
  close(options?: StopOptions): Promise<void>

  /** Closes, for `await using`: syntax of TypeScript, and of JavaScript from Node.js 24. */
  [Symbol.asyncDispose](): Promise<void>

  /**
   * Ends a waiting task as aborted, or fires the `abortSignal` of a running one, wherever it runs.
   * If its process dies first, the task ends as aborted. Resolves with `false` if the task had
   * ended.
   */
  abortTask(uuid: string, reason?: unknown): Promise<boolean>

  /** Changes the priority of a waiting task. Resolves with `false` if it no longer waits. */
  prioritizeTask(uuid: string, priority: number): Promise<boolean>

  /**
   * Takes a task out until `resumeTask`, over restarts too. One that waits is paused at once; one
   * that runs, in whatever process, at the next `checkpoint()` of its runner, or when that run is
   * over and the task would wait for another one. Resolves with `true` when that is on disk, with
   * `false` if the task has ended or is being aborted.
   */
  pauseTask(uuid: string): Promise<boolean>

  /**
   * Puts a paused task back, or takes a pause back that has not come yet. What was left of a
   * `delay` or a backoff is left still; a `runAt` stays the moment that it is. A runner that waits
   * at a checkpoint goes on when its process has a place for it. Resolves with `false` if the task
   * was not paused.
   */
  resumeTask(uuid: string): Promise<boolean>

  /**
   * Runs an ended task again, whatever its end: the same task, with its data and its history. What
   * it ended with goes to its `attempts`, and its `retry` begins anew. Who waits for it from now on
   * waits for the new end. Resolves with `false` if it has not ended.
   */
  retryTask(uuid: string, options?: RetryTaskOptions): Promise<boolean>

  /**
   * Lets a task wait: one that has not started, for `delay` from now on at least; one that runs
   * goes back to the queue, in whatever process it runs, and its attempt does not count. Its signal
   * fires with the cause `shutdown`, and what its runner returns counts for nothing. Resolves with
   * `false` if the task has ended, is being aborted, or waits for dependencies.
   */
  postponeTask(uuid: string, options?: PostponeTaskOptions): Promise<boolean>

  /**
   * Changes the definition of a task that waits, also between two attempts: what `patch` names, and
   * the rest stays. `delay` counts from the call; `queueTimeout` too, or from the start time if
   * that is later. With `concurrency`, `data`, `id`, `label`, `tags` or `priority` its conditions
   * are resolved again. Resolves with `false`, and changes nothing, if the task runs, has ended, or
   * does not match `if`.
   */
  updateTask<Name extends OperationName<Operations>>(
    uuid: TaskUuid<Name>,
    patch: TaskPatch<DataOf<Operations, Name>>,
    options?: UpdateTaskOptions<Operations>,
  ): Promise<boolean>
  updateTask(
    uuid: string,
    patch: TaskPatch,
    options?: UpdateTaskOptions<Operations>,
  ): Promise<boolean>

  /**
   * Removes an ended task with its logs and attempts. Resolves with `false` if it has not ended, or
   * if a task that has not ended depends on it; rejects with `TASKER_NOT_FOUND` if there is none.
   */
  removeTask(uuid: string): Promise<boolean>

  /**
   * Aborts all tasks that match and were added before the call, each as `abortTask` does, in chunks
   * of 1,000. After a crash in the middle, ask again.
   */
  abortTasks(query: Query<Operations>, options?: AbortTasksOptions): Promise<BulkResult>

  /** The same, each as `retryTask` does. */
  retryTasks(query: Query<Operations>, options?: RetryTasksOptions): Promise<BulkResult>

  /** The same, each as `removeTask` does. */
  removeTasks(query: Query<Operations>, options?: BulkOptions): Promise<BulkResult>

  /** The task, or some fields of it; rejects with `TASKER_NOT_FOUND` if there is none. */
  getTask<Name extends OperationName<Operations>, Field extends TaskField<Operations, Name>>(
    uuid: TaskUuid<Name>,
    options: GetTaskOptions & FieldsOption<Field>,
  ): Promise<Projected<Task<Operations, Name>, Field>>
  getTask<Field extends TaskField<Operations>>(
    uuid: string,
    options: GetTaskOptions & FieldsOption<Field>,
  ): Promise<Projected<Task<Operations>, Field>>
  getTask<Name extends OperationName<Operations>>(
    uuid: TaskUuid<Name>,
    options?: GetTaskOptions,
  ): Promise<Task<Operations, Name>>
  getTask(uuid: string, options?: GetTaskOptions): Promise<Task<Operations>>

  /** Whether any task matches. */
  hasTask(query: Query<Operations>, options?: CallOptions): Promise<boolean>

  /** How many tasks match; without a query, how many there are. */
  countTasks(query?: Query<Operations>, options?: CallOptions): Promise<number>

  /**
   * Says how the tasks that match are found: by which index, how many rows are read, and what to
   * declare in `indexes` to read less. It counts them to know, so it takes as long as to find all.
   */
  explainQuery(
    query: Query<Operations>,
    options?: CallOptions,
  ): Promise<QueryExplanation<Operations>>

  /**
   * Figures: what this process has done since it opened the file, and how the store stands, as an
   * object with percentiles, or in the text format of Prometheus. It does not go through the tasks.
   *
   * Throws `TASKER_INVALID`, and `TASKER_CLOSED`.
   *
   * @example
   * const { operations } = await tasker.metrics()
   * console.log(operations.mail?.wait.p99, operations.mail?.store.waiting)
   */
  metrics(options?: MetricsOptions & { format?: undefined }): Promise<Metrics<Operations>>
  metrics(options: MetricsOptions): Promise<string>

  /**
   * Answers requests of HTTP: executors in any language take tasks and report on them, and users
   * add tasks and look at them. It answers on a thread of its own, also while the event loop is
   * blocked, and keeps the process alive until it is closed.
   */
  listen(options?: ListenOptions): Promise<Server>

  /**
   * The same service for a server of yours: handlers for node:http and Express, for Hono and what
   * else answers a WHATWG `Request`, and for Fastify. `access` says what each request may. They
   * answer in the event loop and keep nothing alive.
   *
   * `stop` and `close` answer what is under way, polls that wait with an empty list; then requests
   * are answered with 503, after `stop` until `start`.
   *
   * Throws `TASKER_INVALID` if `access` is missing, and `TASKER_CLOSED`.
   *
   * @example
   * const http = tasker.http({ access: request => (isAdmin(request) ? 'admin' : 'none') })
   * app.use('/tasks', http.node)
   * hono.all('/tasks/*', c => http.fetch(c.req.raw))
   * fastify.register(http.fastify, { prefix: '/tasks' })
   */
  http<From extends object = IncomingMessage>(options: HttpOptions<From>): HttpHandlers

  /**
   * Copies the file as it stands now into another one, while everything goes on. The copy is
   * checked and gets its name at the end; an earlier copy under that name is replaced.
   *
   * Rejects with `TASKER_INVALID` if something else is under that name, and with `TASKER_CORRUPT`
   * if the copy is not sound.
   */
  backup(path: string | URL, options?: CallOptions): Promise<void>

  /** Reads the whole file and says what is wrong with it. */
  verify(options?: CallOptions): Promise<Verification>

  /**
   * Says why a task does not run: all that hold it back, with facts, as they are at one moment over
   * all processes; `String(explanation)` says it in sentences. Rejects with `TASKER_NOT_FOUND` if
   * there is no such task.
   */
  explainTask<Name extends OperationName<Operations>>(
    uuid: TaskUuid<Name>,
  ): Promise<TaskExplanation<Operations, Name>>
  explainTask(uuid: string): Promise<TaskExplanation<Operations>>

  /** Counts the waiting tasks of an operation by what holds them first. */
  explain<Name extends OperationName<Operations>>(of: {
    operation: Name
  }): Promise<OperationExplanation<Name>>

  /** The first task that matches, or some fields of it, or `undefined`. */
  findTask<
    Field extends TaskField<Operations, Name>,
    Name extends OperationName<Operations> = OperationName<Operations>,
  >(
    query: Query<Operations, Name>,
    options: FindTaskOptions & FieldsOption<Field>,
  ): Promise<Projected<Task<Operations, Name>, Field> | undefined>
  findTask<Name extends OperationName<Operations> = OperationName<Operations>>(
    query: Query<Operations, Name>,
    options?: FindTaskOptions,
  ): Promise<Task<Operations, Name> | undefined>

  /**
   * The tasks that match, or some fields of them. `operation` in the query says which `data` and
   * `result` they have.
   */
  findTasks<
    Field extends TaskField<Operations, Name>,
    Name extends OperationName<Operations> = OperationName<Operations>,
  >(
    query: Query<Operations, Name>,
    options: FindTasksOptions & FieldsOption<Field>,
  ): Promise<Projected<Task<Operations, Name>, Field>[]>
  findTasks<Name extends OperationName<Operations> = OperationName<Operations>>(
    query?: Query<Operations, Name>,
    options?: FindTasksOptions,
  ): Promise<Task<Operations, Name>[]>

  /**
   * Goes through all tasks that match, by `seq`, with `for await`: in pages, so that it needs
   * neither much memory nor much time at once. Each page is a read of its own and shows its tasks
   * as they are then. A task comes once at most, and one that matches all the time does come; what
   * is added after the first page was read does not.
   */
  tasks<
    Field extends TaskField<Operations, Name>,
    Name extends OperationName<Operations> = OperationName<Operations>,
  >(
    query: Query<Operations, Name>,
    options: TasksOptions & FieldsOption<Field>,
  ): AsyncIterableIterator<Projected<Task<Operations, Name>, Field>>
  tasks<Name extends OperationName<Operations> = OperationName<Operations>>(
    query?: Query<Operations, Name>,
    options?: TasksOptions,
  ): AsyncIterableIterator<Task<Operations, Name>>

  /**
   * The log lines of a task as they are stored, in whatever process it runs. It ends when the task
   * has ended, or is removed, and all lines have come.
   *
   * The first step rejects with `TASKER_NOT_FOUND` if there is no such task.
   */
  listenTaskLogs(uuid: string, options?: ListenTaskLogsOptions): AsyncIterableIterator<TaskLog>

  /**
   * What happens to the tasks that match, in whatever process, with `for await`: first those that
   * match by now, then every change in the order of the commits, each once. It never ends by
   * itself.
   *
   * Give the `position` of the last entry as `from`, also after a restart, to go on behind it.
   * Changes are kept for a minute, or for as long as they fit into 64 MiB if that is less; whoever
   * comes later gets an entry `'gap'`, and begins anew.
   *
   * Which tasks match is exact for what is fixed when a task is added, and for `state`, `status`
   * and `priority`. By what changes otherwise, such as `progress` or `error`, it is judged when the
   * change is read. A task that came and was removed before that is left out.
   */
  watch<
    Field extends TaskField<Operations, Name>,
    Name extends OperationName<Operations> = OperationName<Operations>,
  >(
    query: Query<Operations, Name>,
    options: WatchOptions & FieldsOption<Field>,
  ): AsyncIterableIterator<WatchEntry<Projected<Task<Operations, Name>, Field>, Name>>
  watch<Name extends OperationName<Operations> = OperationName<Operations>>(
    query?: Query<Operations, Name>,
    options?: WatchOptions,
  ): AsyncIterableIterator<WatchEntry<Task<Operations, Name>, Name>>

  /** The tasks that match as lines of JSON, one each, in pages as those of `tasks`. */
  exportTasks(
    query?: Query<Operations>,
    options?: TasksOptions & Partial<FieldsOption<TaskField<Operations>>>,
  ): AsyncIterableIterator<string>

  /**
   * Resolves when this tasker runs nothing, and nothing of its operations can start: at once if
   * that is so. Tasks that wait for a start time, a dependency, a condition or a runner are no
   * work yet. What was asked before this call is taken into account, awaited or not.
   */
  idle(options?: CallOptions): Promise<void>

  /**
   * Waits until the task has ended, in whatever process, and resolves with its result. Works for a
   * task that ended long ago too.
   *
   * Rejects with what the runner threw: the same object if it ran in this process after the wait
   * began, else an Error rebuilt from what was stored. Rejects with an {@link AbortError} if the
   * task was aborted.
   */
  waitForTaskOutputData<Name extends OperationName<Operations>>(
    uuid: TaskUuid<Name>,
    options?: CallOptions,
  ): Promise<Jsonify<ResultOf<Operations, Name>>>
  waitForTaskOutputData(
    uuid: string,
    options?: CallOptions,
  ): Promise<Jsonify<ResultOf<Operations, OperationName<Operations>>>>

  on<Name extends EventName>(event: Name, listener: Listener<Operations, Name>): this
  once<Name extends EventName>(event: Name, listener: Listener<Operations, Name>): this
  off<Name extends EventName>(event: Name, listener: Listener<Operations, Name>): this
  addListener<Name extends EventName>(event: Name, listener: Listener<Operations, Name>): this
  prependListener<Name extends EventName>(event: Name, listener: Listener<Operations, Name>): this
  prependOnceListener<Name extends EventName>(
    event: Name,
    listener: Listener<Operations, Name>,
  ): this
  removeListener<Name extends EventName>(event: Name, listener: Listener<Operations, Name>): this
  removeAllListeners(event?: EventName): this
}
