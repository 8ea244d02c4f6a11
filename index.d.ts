/**
 * tasker: durable tasks inside a Node.js process.
 *
 * A task is on disk when `addTask` resolves. It runs at least once and is counted exactly once:
 * your runner may run again after a crash, so make its side effects repeatable.
 */

import { EventEmitter } from 'node:events'

/** What a task may carry: anything that `JSON.stringify` keeps. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** The types of each operation, by its name: what its runner gets and what it returns. */
export type Registry<Operations> = {
  [Name in keyof Operations]: { data?: unknown; result?: unknown }
}

/** The registry of a tasker that declares none: any operation, any data. */
export interface AnyOperations {
  // biome-ignore lint/suspicious/noExplicitAny: an undeclared registry promises nothing.
  [operation: string]: { data: any; result: any }
}

/** The names of the operations of a registry. */
export type OperationName<Operations> = keyof Operations & string

/** What the runner of an operation gets as `data`; nothing if the registry names none. */
export type DataOf<Operations, Name extends keyof Operations> = Name extends unknown
  ? Part<Operations[Name], 'data', undefined>
  : never

/**
 * What the runner of an operation returns, as a reader gets it: after a round trip through JSON.
 * Unknown if the registry names none.
 */
export type ResultOf<Operations, Name extends keyof Operations> = Name extends unknown
  ? Part<Operations[Name], 'result', unknown>
  : never

type Part<Operation, Key, Otherwise> = Key extends keyof Operation ? Operation[Key] : Otherwise

declare const operationOfUuid: unique symbol

/** The uuid of a task. At compile time it remembers the operation, so that waits are typed. */
export type TaskUuid<Name extends string = string> = string & {
  readonly [operationOfUuid]?: Name
}

/**
 * Milliseconds, or a text: `'250ms'`, `'30s'`, `'5m'`, `'2h'`, `'7d'`. Greater than 0 and at most
 * 100 years.
 */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/** Where a task is in its life. The last three are final: an ended task never changes. */
export type TaskStatus = 'new' | 'running' | 'done' | 'failed' | 'aborted'

/** Where a task is, in the engine's words: `ready` is the status `new`; the rest is the same. */
export type TaskState = 'ready' | 'running' | 'done' | 'failed' | 'aborted'

/** How a task ended. */
export type EndStatus = 'done' | 'failed' | 'aborted'

/**
 * Why a task failed or was aborted.
 *
 * - `error`: the runner threw
 * - `unstorable`: its result or error cannot be stored
 * - `poison`: its process died three times in a row while it ran
 * - `lost`: its process died and `onInterrupted` ends such a task
 * - `user`: `abortTask`
 * - `signal`: the `abortSignal` of its `addTask`
 * - `stop`: `stop` or `close` with `onStop: 'abort'`
 * - `run-timeout`: its `runTimeout`
 */
export type EndCause =
  | 'error'
  | 'unstorable'
  | 'poison'
  | 'lost'
  | 'user'
  | 'signal'
  | 'stop'
  | 'run-timeout'

/** Why a run's `abortSignal` fired. `shutdown`: back to the queue. `fenced`: it lost its place. */
export type AbortCause = 'user' | 'signal' | 'stop' | 'run-timeout' | 'lost' | 'shutdown' | 'fenced'

/** How grave a log line is, the gravest first. */
export type LogLevel = 'crit' | 'error' | 'warning' | 'notice' | 'info' | 'debug'

/** What becomes of a running task whose process dies: it runs again, or ends. */
export type OnInterrupted = 'retry' | 'abort' | 'fail'

/** What a stop does with a running task: wait for it, give it back to the queue, or abort it. */
export type OnStop = 'wait' | 'postpone' | 'abort'

/** How to open a tasker. Unknown keys are errors. */
export interface TaskerOptions<Operations = AnyOperations> {
  /**
   * The file that holds the tasks, or `':memory:'` for tasks that end with the process. Made if it
   * does not exist. A `redis://` address throws `TASKER_UNSUPPORTED`.
   * @default 'tasker.db'
   */
  store?: string
  /** Runners to assign at once, by operation; the same as `assignRunner` for each. */
  runners?: { [Name in OperationName<Operations>]?: Runner<Operations, Name> }
  /**
   * Most runs at once in this process, 1 to 100,000.
   * @default 100
   */
  concurrency?: number
  /**
   * What survives. `'full'`: what was acknowledged is synced to disk and survives a power cut.
   * `'process'`: it survives the death of the process, not a power cut.
   * @default 'full'
   */
  durability?: 'full' | 'process'
  /**
   * Whether to have the file alone: a second handle is refused with `TASKER_LOCKED`. Otherwise any
   * number of processes and handles work on it together.
   * @default false
   */
  exclusive?: boolean
  /**
   * Which events are emitted here. `'own'`: what this tasker does itself; a task that was added
   * here and runs elsewhere tells no `task.done`. `'all'`: also what others do on this file, in the
   * order of their commits, but for logs and progress.
   * @default 'own'
   */
  events?: 'own' | 'all'
  /**
   * The most verbose level that the loggers of runners store.
   * @default 'info'
   */
  logLevel?: LogLevel
  /**
   * What becomes of a run whose process died, unless the task says otherwise.
   * @default 'retry'
   */
  onInterrupted?: OnInterrupted
  /**
   * What a stop does with running tasks, unless the task or the stop says otherwise.
   * @default 'wait'
   */
  onStop?: OnStop
  /**
   * The longest a run may take, unless the task says otherwise; `false` for no limit.
   * @default false
   */
  runTimeout?: Duration | false
  /**
   * Whether the tasker keeps the process alive. `'auto'`: while it is started, owes a promise or
   * has live runs. `'always'`: until it is closed. `'never'`: not at all, not even for a promise it
   * owes.
   * @default 'auto'
   */
  keepAlive?: 'auto' | 'always' | 'never'
  /**
   * Runs each runner in the async context (`AsyncLocalStorage`) of its `addTask` when both happen
   * in this process. The context is kept in memory until the task ends.
   * @default false
   */
  captureContext?: boolean
}

/** A task to add. Unknown keys are errors. */
export type TaskDefinition<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> = Name extends unknown ? TaskDefinitionBase<Name> & DataPart<DataOf<Operations, Name>> : never

/** `data` is required unless it may be `undefined`. */
type DataPart<Data> = undefined extends Data ? { data?: Data } : { data: Data }

/** The part of a task's definition that does not depend on its operation. */
export interface TaskDefinitionBase<Name extends string = string> {
  /** Which runner takes it; at most 255 bytes. A task without a runner waits. */
  operation: Name
  /**
   * Greater runs sooner, equal ones by age. `Infinity` and `-Infinity` are priorities, `NaN` is
   * not.
   * @default 0
   */
  priority?: number
  /** The longest a run may take; `false` for no limit. Default: that of the tasker. */
  runTimeout?: Duration | false
  /** What becomes of a run whose process died. Default: that of the tasker. */
  onInterrupted?: OnInterrupted
  /** What a stop does while it runs. Default: that of the stop or the tasker. */
  onStop?: OnStop
  /**
   * Aborts the task when it fires, whether it waits or runs, as long as this process lives. One
   * that has fired already rejects the call with its reason, and nothing is stored.
   */
  abortSignal?: AbortSignal
}

/** A function that carries out the tasks of one operation. What it returns is stored as JSON. */
export type Runner<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> = (
  context: RunnerContext<DataOf<Operations, Name>, Name>,
) => Returned<ResultOf<Operations, Name>> | PromiseLike<Returned<ResultOf<Operations, Name>>>

/** A runner without a result may end without `return`. */
// biome-ignore lint/suspicious/noConfusingVoidType: it stands for the return type of a function.
type Returned<Result> = undefined extends Result ? Result | void : Result

/** What a runner gets. */
// biome-ignore lint/suspicious/noExplicitAny: data is any unless the registry says otherwise.
export interface RunnerContext<Data = any, Name extends string = string> {
  /** The task; the same in every attempt. */
  readonly uuid: TaskUuid<Name>
  /** This run; never used again. */
  readonly runId: string
  /** The operation. */
  readonly operation: Name
  /** What `addTask` was given, after a round trip through JSON. */
  readonly data: Data
  /** Which attempt this is; 1 is the first. */
  readonly attempt: number
  /** The task's priority. */
  readonly priority: number
  /**
   * Fires when the run should end. `reason` is an Error: the one given to `abortTask`, or an
   * {@link AbortError} whose `cause` says why. A throw after that ends the task as aborted, a
   * return as done.
   */
  readonly abortSignal: AbortSignal
  /** Writes log lines that are stored with the task. */
  readonly logger: TaskLogger
  /**
   * Tells how far the run is; stored in the task's `progress` and told by `task.progress`. Throws
   * unless the numbers are finite and `unit` has at most 64 bytes.
   */
  readonly progress: (current: number, total?: number, unit?: string) => void
}

/**
 * Stores log lines. Never throws and never waits; lines after the end of the run are dropped.
 *
 * A task keeps 10,000 lines of at most 64 KiB: a longer message is cut. Fields that are larger, or
 * that JSON refuses, are replaced by `{ leftOut: why }`. An Error is stored as {@link StoredError},
 * whether it is the fields (then under `error`) or among them.
 */
export interface TaskLogger {
  /** The task or the system cannot go on. */
  crit(message: string, fields?: object): void
  /** Something failed. */
  error(message: string, fields?: object): void
  /** Something may be wrong. */
  warning(message: string, fields?: object): void
  /** Normal but worth a look. */
  notice(message: string, fields?: object): void
  /** Normal. */
  info(message: string, fields?: object): void
  /** For developers; stored only with `logLevel: 'debug'`. */
  debug(message: string, fields?: object): void
  /** A logger that adds `fields` to each of its lines. */
  child(fields: object): TaskLogger
}

/** One stored log line. */
export interface TaskLog {
  level: LogLevel
  message: string
  at: Date
  /** Which attempt wrote it. */
  attempt: number
  fields?: { [key: string]: Json }
}

/** How far a run says it is. */
export interface TaskProgress {
  current: number
  total?: number
  unit?: string
}

/** One attempt of a task. */
export interface TaskAttempt {
  runId: string
  startedAt: Date
  endedAt?: Date
  outcome?: 'done' | 'failed' | 'aborted' | 'lost' | 'postponed'
}

/**
 * An error as it is stored: bounded, and without what JSON cannot hold. Something thrown that is
 * not an Error is `{ thrown: true, value }`.
 */
export interface StoredError {
  name?: string
  message?: string
  stack?: string
  code?: string | number
  cause?: StoredError
  errors?: StoredError[]
  thrown?: true
  value?: Json
  [field: string]: unknown
}

/** A task as it lies in the store. What is not set is absent. */
export type Task<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> = Name extends unknown
  ? TaskBase<Name> & DataPart<DataOf<Operations, Name>> & { result?: ResultOf<Operations, Name> }
  : never

/** The part of a task that does not depend on its operation. */
export interface TaskBase<Name extends string = string> {
  uuid: TaskUuid<Name>
  /** Its place in the order of adding: grows, is never used again. */
  seq: number
  operation: Name
  priority: number
  status: TaskStatus
  state: TaskState
  /** Why it failed or was aborted. */
  cause?: EndCause
  createdAt: Date
  /** When its last run started. */
  startedAt?: Date
  endedAt?: Date
  /** Attempts started so far that count. */
  attempt: number
  /** Every attempt, oldest first. */
  attempts: TaskAttempt[]
  /** Why it failed. */
  error?: StoredError
  /** Why it was aborted. */
  abortReason?: StoredError
  progress?: TaskProgress
  /** Milliseconds. */
  runTimeout?: number
  onInterrupted?: OnInterrupted
  onStop?: OnStop
  /** Its log lines in order, if asked for. */
  logs?: TaskLog[]
}

/** What a field is compared with. */
export type QueryValue = null | boolean | number | string | Date | QueryValue[] | QueryObject

/** An object that a field equals; the order of its keys does not count. */
export interface QueryObject {
  [key: string]: QueryValue
}

/** Conditions on one field, as in MongoDB. Comparisons hold only within a type. */
export interface QueryOperators<Value = QueryValue> {
  $eq?: Value
  $ne?: Value
  $gt?: Value
  $gte?: Value
  $lt?: Value
  $lte?: Value
  $in?: readonly Value[]
  $nin?: readonly Value[]
  $exists?: boolean
  $not?: QueryOperators<Value>
}

/** A value or conditions. `null` also matches what is absent. */
export type QueryField<Value = QueryValue> = Value | null | QueryOperators<Value | null>

/**
 * Which tasks: MongoDB's query language over the fields of {@link Task}, with dotted paths such as
 * `'data.book'`. All parts must hold; `{}` matches every task. An unknown first field or operator
 * rejects with `TASKER_INVALID_QUERY`.
 */
export interface Query<Operations = AnyOperations> {
  $and?: readonly Query<Operations>[]
  $or?: readonly Query<Operations>[]
  $nor?: readonly Query<Operations>[]
  uuid?: QueryField<string>
  seq?: QueryField<number>
  operation?: QueryField<OperationName<Operations>>
  status?: QueryField<TaskStatus>
  state?: QueryField<TaskState>
  cause?: QueryField<EndCause>
  priority?: QueryField<number>
  createdAt?: QueryField<Date>
  startedAt?: QueryField<Date>
  endedAt?: QueryField<Date>
  attempt?: QueryField<number>
  runTimeout?: QueryField<number>
  onInterrupted?: QueryField<OnInterrupted>
  onStop?: QueryField<OnStop>
  data?: QueryField
  result?: QueryField
  error?: QueryField
  abortReason?: QueryField
  progress?: QueryField
  attempts?: QueryField
  [path: `${'data' | 'result' | 'error' | 'abortReason' | 'progress' | 'attempts'}.${string}`]:
    | QueryField
    | undefined
}

/** The order of tasks: paths with 1 (upward) or -1 (downward); the first decides. At most 16. */
export interface Sort {
  [path: string]: 1 | -1
}

/** Ends a call early. */
export interface CallOptions {
  /** Rejects the call with the signal's reason. */
  abortSignal?: AbortSignal
  /** Rejects the call with `TASKER_TIMEOUT` after so long; `false` for never, the default. */
  timeout?: Duration | false
}

/** Whether tasks come with their logs. */
export interface LogOptions {
  /** Whether tasks come with their logs. */
  withLogs?: boolean
  /**
   * The most verbose level of these logs.
   * @default 'info'
   */
  logsMaxLevel?: LogLevel
}

/** How to get a task. */
export interface GetTaskOptions extends LogOptions, CallOptions {}

/** How to find one task. */
export interface FindTaskOptions extends LogOptions, CallOptions {
  /** Default: waiting tasks in queue order, then running ones, then ended ones by their end. */
  sort?: Sort
}

/** How to find tasks. */
export interface FindTasksOptions extends FindTaskOptions {
  /** At most so many; all if 0 or absent. */
  limit?: number
  /** Leaves out so many at the front. */
  skip?: number
}

/**
 * A SQLite handle of your own, of `better-sqlite3` or `node:sqlite`. tasker uses the handle and
 * never opens the file behind it.
 */
export interface SqliteHandle {
  // biome-ignore lint/suspicious/noExplicitAny: each library has types of its own.
  prepare(sql: string): { run(...values: any[]): unknown; all(...values: any[]): unknown[] }
  exec(sql: string): unknown
  /** Whether a transaction is open, as `better-sqlite3` says it. */
  readonly inTransaction?: boolean
  /** Whether a transaction is open, as `node:sqlite` says it from Node.js 22.16 on. */
  readonly isTransaction?: boolean
}

/** Where an outbox keeps its rows. Unknown keys are errors. */
export interface OutboxOptions {
  /**
   * The table, made if it is not there. Two taskers that share a file need a table each.
   * @default 'tasker_outbox'
   */
  table?: string
}

/** What names a task before it has a uuid. It remembers the operation as {@link TaskUuid} does. */
export type OutboxKey<Name extends string = string> = string & {
  readonly [operationOfUuid]?: Name
}

/** A task to add through an outbox: no signal, because the row outlives the process. */
export type OutboxDefinition<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> = TaskDefinition<Operations, Name> & { abortSignal?: undefined }

/**
 * Adds tasks inside transactions of your own SQLite file. Each becomes exactly one task after the
 * commit, whatever crashes, and none after a rollback.
 *
 * @example
 * const outbox = tasker.outbox(db)
 * db.transaction(() => {
 *   db.prepare('INSERT INTO orders (id) VALUES (?)').run(7)
 *   outbox.addTask({ operation: 'confirm', data: { order: 7 } })
 * })()
 */
export interface Outbox<Operations = AnyOperations> {
  /**
   * Writes a row through the handle, inside its open transaction if there is one, and returns the
   * row's key. Throws what `addTask` would reject with, and what your SQLite library throws.
   *
   * The row becomes a task soon after the commit; if the process dies, when an outbox is next
   * opened on the file. Defaults of the tasker apply then.
   */
  addTask<Name extends OperationName<Operations>>(
    definition: OutboxDefinition<Operations, Name>,
  ): OutboxKey<Name>

  /**
   * The uuid of the task that this key has made, when every row so far has become a task;
   * `undefined` if it was rolled back. Works in any later process too.
   */
  uuidOf<Name extends OperationName<Operations>>(
    key: OutboxKey<Name>,
  ): Promise<TaskUuid<Name> | undefined>
  uuidOf(key: string): Promise<TaskUuid | undefined>

  /**
   * Resolves when every row that was written so far, by any process, has become a task. Waits for
   * the end of a transaction that is open on the handle. Rejects if the store takes no tasks or the
   * handle is closed; the rows stay.
   */
  flush(): Promise<void>
}

/** How to assign a runner. */
export interface AssignRunnerOptions {
  /**
   * Most runs of this operation at once, 1 to 100,000. Counts those of all processes on the file;
   * each process holds to its own figure.
   */
  concurrency?: number
}

/** How to stop. */
export interface StopOptions {
  /** What to do with running tasks. Default: what each task says, then what the tasker says. */
  onStop?: OnStop
  /**
   * How long to wait for them, `0` not at all; those still running then go back to the queue, and
   * what they return counts for nothing.
   * @default '30s'
   */
  timeout?: Duration
}

/** Something that ended by decision: `name` is `'AbortError'`, `code` is `'ABORT_ERR'`. */
export interface AbortError extends Error {
  readonly name: 'AbortError'
  readonly code: 'ABORT_ERR'
  /** Why, for programs. */
  readonly cause: AbortCause
  /** The reason that was given, if it was more than a text. */
  readonly reason?: unknown
}

/** The arguments of each event. The store is the truth; an event tells what is already on disk. */
export interface TaskerEvents<Operations = AnyOperations> {
  /** Runners are attached. */
  started: []
  /** Runners are detached and no run is live any more. */
  stopped: []
  /**
   * The engine met a fault and closed; or an outbox met one, and goes on trying. Without a listener
   * it is a process warning.
   */
  error: [error: unknown]
  /** `addTask` was called; the task is not stored yet, and may still be refused. */
  'task.add': [definition: TaskDefinition<Operations>]
  /** The task is on disk. */
  'task.added': [uuid: TaskUuid]
  'task.prioritized': [uuid: TaskUuid, priority: number]
  /** Its runner is about to be called. */
  'task.run': [uuid: TaskUuid]
  /** A log line is on disk. */
  'task.log': [uuid: TaskUuid, log: TaskLog]
  /** A progress report is on disk. */
  'task.progress': [uuid: TaskUuid, progress: TaskProgress]
  'task.done': [uuid: TaskUuid, result: ResultOf<Operations, OperationName<Operations>>]
  /** `error` is what the runner threw. */
  'task.failed': [uuid: TaskUuid, error: unknown]
  /** `reason` is the Error that the run's signal had, or would have had. */
  'task.aborted': [uuid: TaskUuid, reason: unknown]
  /** Comes right after one of the three above. `value` is the result, error or reason. */
  'task.ended': [uuid: TaskUuid, status: EndStatus, value: unknown]
}

/** The names of events: the general ones, and those of one task. */
export type EventName =
  | keyof TaskerEvents
  | `task.${string}.${
      | 'added'
      | 'prioritized'
      | 'run'
      | 'log'
      | 'progress'
      | 'done'
      | 'failed'
      | 'aborted'
      | 'ended'}`

/** The arguments of an event; `task.<uuid>.done` has those of `task.done` without the uuid. */
export type EventArguments<
  Operations,
  Name extends EventName,
> = Name extends keyof TaskerEvents<Operations>
  ? TaskerEvents<Operations>[Name]
  : Name extends `task.${string}.${infer Event}`
    ? `task.${Event}` extends keyof TaskerEvents<Operations>
      ? TaskerEvents<Operations>[`task.${Event}`] extends [unknown, ...infer Rest]
        ? Rest
        : never
      : never
    : never

/** A function that hears an event. */
export type Listener<Operations, Name extends EventName> = (
  ...args: EventArguments<Operations, Name>
) => void

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
  constructor(options?: TaskerOptions<Operations> | string)

  /** Resolves when the file is open. No call needs it; it tells early what is wrong. */
  ready(): Promise<void>

  /**
   * Adds a task; resolves with its uuid when it is on disk. Works without `start`.
   *
   * `data` is stored as `JSON.stringify` writes it, at most 16 MiB and 128 levels.
   */
  addTask<Name extends OperationName<Operations>>(
    definition: TaskDefinition<Operations, Name>,
  ): Promise<TaskUuid<Name>>

  /** Adds up to 10,000 tasks, all or none; resolves with their uuids in the same order. */
  addTasks<Name extends OperationName<Operations>>(
    definitions: readonly TaskDefinition<Operations, Name>[],
  ): Promise<TaskUuid<Name>[]>

  /**
   * Adds tasks inside transactions of your own SQLite file: see {@link Outbox}. Makes a table there
   * and takes up the rows that a crash left in it. The same handle gives the same outbox.
   *
   * Throws `TASKER_FILE_SHARED` if the handle has a store of tasker open.
   */
  outbox(db: SqliteHandle, options?: OutboxOptions): Outbox<Operations>

  /**
   * Says who carries out an operation. Throws `TASKER_CONFLICT` if it has a runner here already.
   */
  assignRunner<Name extends OperationName<Operations>>(
    operation: Name,
    runner: Runner<Operations, Name>,
    options?: AssignRunnerOptions,
  ): void

  /**
   * Takes the runner away; its live runs go on. Resolves when none will start any more, with
   * `false` if there was none.
   */
  unassignRunner(operation: OperationName<Operations>): Promise<boolean>

  /**
   * Attaches the runners. Does nothing if they are attached. `abortSignal` stops the tasker when it
   * fires, at once if it has fired.
   */
  start(abortSignal?: AbortSignal): Promise<void>

  /**
   * Detaches the runners: nothing starts any more, running tasks get `onStop`. Resolves when no run
   * is live. A later call with options replaces the options of one that still waits.
   */
  stop(options?: StopOptions): Promise<void>

  /**
   * Stops, releases the file and lets the process exit; every later call rejects with
   * `TASKER_CLOSED`. A second close gives the same promise.
   *
   * It waits for live runs as `stop` does. A runner that awaits it waits for itself: its task goes
   * back to the queue when the timeout is over.
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

  /** Gives a waiting task another priority. Resolves with `false` if it does not wait any more. */
  prioritizeTask(uuid: string, priority: number): Promise<boolean>

  /** The task; rejects with `TASKER_NOT_FOUND` if there is none. */
  getTask<Name extends OperationName<Operations>>(
    uuid: TaskUuid<Name>,
    options?: GetTaskOptions,
  ): Promise<Task<Operations, Name>>
  getTask(uuid: string, options?: GetTaskOptions): Promise<Task<Operations>>

  /** Whether any task matches. */
  hasTask(query: Query<Operations>, options?: CallOptions): Promise<boolean>

  /** How many tasks match; all of them without a query. */
  countTasks(query?: Query<Operations>, options?: CallOptions): Promise<number>

  /** The first task that matches, or `undefined`. */
  findTask(
    query: Query<Operations>,
    options?: FindTaskOptions,
  ): Promise<Task<Operations> | undefined>

  /** The tasks that match. */
  findTasks(query?: Query<Operations>, options?: FindTasksOptions): Promise<Task<Operations>[]>

  /**
   * The result of a task, when it has ended; also of one that ended before, in any process.
   *
   * Rejects with what the runner threw: the same object if it ran in this process after the wait
   * began, else an Error rebuilt from what was stored. Rejects with an {@link AbortError} if the
   * task was aborted.
   */
  waitForTaskOutputData<Name extends OperationName<Operations>>(
    uuid: TaskUuid<Name>,
    options?: CallOptions,
  ): Promise<ResultOf<Operations, Name>>
  waitForTaskOutputData(
    uuid: string,
    options?: CallOptions,
  ): Promise<ResultOf<Operations, OperationName<Operations>>>

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

/** The closed list of things that can go wrong; the README says what each means. */
export type TaskerErrorCode =
  | 'TASKER_INVALID'
  | 'TASKER_INVALID_QUERY'
  | 'TASKER_TOO_LARGE'
  | 'TASKER_NOT_FOUND'
  | 'TASKER_CONFLICT'
  | 'TASKER_FENCED'
  | 'TASKER_LOCKED'
  | 'TASKER_FILE_SHARED'
  | 'TASKER_BUSY'
  | 'TASKER_FULL'
  | 'TASKER_READ_ONLY'
  | 'TASKER_CORRUPT'
  | 'TASKER_VERSION'
  | 'TASKER_IO'
  | 'TASKER_CLOSED'
  | 'TASKER_TIMEOUT'
  | 'TASKER_UNKNOWN'
  | 'TASKER_UNSUPPORTED'
  | 'TASKER_NATIVE_MISSING'
  | 'TASKER_BUG'

/** What tasker's own calls throw and reject with. Check `code`; the message says what to do. */
export class TaskerError extends Error {
  constructor(code: TaskerErrorCode, message: string, facts?: TaskerErrorFacts)
  readonly name: 'TaskerError'
  readonly code: TaskerErrorCode
  /** The offending field, such as `priority`, `query.$or[1]`, or `[2].data` in `addTasks`. */
  readonly path?: string
  /** The process that holds the file. */
  readonly pid?: number
  /** The tasks whose fate is unknown. */
  readonly uuids?: string[]
}

/** What belongs to an error beside its code and message. */
export interface TaskerErrorFacts {
  path?: string
  pid?: number
  uuids?: string[]
  cause?: unknown
}

// biome-ignore lint/complexity/noUselessEmptyExport: without it everything above would be exported.
export {}
