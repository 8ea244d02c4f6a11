/**
 * The class that users hold: checks the shape of arguments, sends, and hands back promises.
 *
 * # Left to others
 * Every rule of tasks is the engine's. What crosses is in `bridge.ts`, what runs is in `runs.ts`.
 *
 * Proof: `__test__/contract`, `__test__/types`.
 */

import type { IncomingMessage } from 'node:http'
import { type InspectOptions, inspect } from 'node:util'
import type {
  AbortTasksOptions,
  AnyOperations,
  BatchRunner,
  BatchRunnerOptions,
  BulkOptions,
  BulkResult,
  CallOptions,
  FieldsOption,
  FindSchedulesOptions,
  FindTaskOptions,
  FindTasksOptions,
  GetTaskOptions,
  Hold,
  HoldOptions,
  HttpHandlers,
  HttpOptions,
  Jsonify,
  ListenOptions,
  ListenTaskLogsOptions,
  Metrics,
  MetricsOptions,
  ModuleOptions,
  OperationExplanation,
  OperationName,
  OperationOptions,
  OperationRecord,
  Outbox,
  OutboxOptions,
  PostponeTaskOptions,
  Projected,
  Query,
  QueryExplanation,
  Registry,
  ResultOf,
  RetryTaskOptions,
  RetryTasksOptions,
  Runner,
  Schedule,
  ScheduleDefinition,
  SchedulePatch,
  Server,
  SqliteHandle,
  StopOptions,
  Task,
  TaskExplanation,
  TaskerOptions,
  TaskField,
  TaskLog,
  TasksOptions,
  TasksToAdd,
  TaskToAdd,
  TaskUuid,
  TaskUuids,
  TraceContext,
  TriggerScheduleOptions,
  UpdateTaskOptions,
  Verification,
  WatchEntry,
  WatchOptions,
} from '../index'
import { serialiseReason } from './aborts'
import { Bridge } from './bridge'
import { type BulkVerb, bulk } from './bulk'
import { boundsOf, durationOf } from './calls'
import { type DocumentJson, JsonText } from './commands'
import { Delivery } from './delivery'
import { revive, reviveAll } from './document'
import { read, traced, withCaller } from './errors'
import { Emitter, type EventHub, eventHubOf } from './events'
import { explainOperation, reviveExplanation } from './explain'
import { linesOf } from './export'
import { holdCommand, releaseCommand, reviveHolds } from './holds'
import { KeepAlive } from './keepalive'
import { Lifecycle } from './lifecycle'
import { listenToLogs } from './log-listener'
import type { Added } from './messages'
import { metricsOf } from './metrics'
import { handlersOf } from './mount-handlers'
import { objectOf } from './objects'
import {
  Assignments,
  assignOptions,
  assignTo,
  definedOptions,
  hasRunner,
  reviveOperations,
} from './operations'
import {
  booleanOf,
  definitionsText,
  definitionText,
  listOf,
  logsOf,
  only,
  openOptions,
  operationOf,
  patchText,
  postponeOptions,
  priorityOf,
  retryOptions,
  runnerOf,
  stopOptions,
  uuidOf,
} from './options'
import { outboxOf } from './outbox'
import { encodeFields, encodeQuery } from './query'
import { Runs } from './runs'
import {
  addSchedule,
  pauseSchedule,
  removeSchedule,
  schedulesOf,
  triggerSchedule,
  updateSchedule,
} from './schedules'
import { Servers } from './servers'
import { signalOf } from './signals'
import { pathOf } from './store-path'
import { type Brought, broughtBy, PendingAdd } from './task-extras'
import { findCommand, tasksOf } from './tasks'
import { isUnique, PendingUniqueAdd } from './unique'
import { watchTasks } from './watch'

const BOUNDS = ['abortSignal', 'timeout']
const BULK = ['dryRun', ...BOUNDS]
const LOGS = ['withLogs', 'logsMaxLevel']

/** What a tasker is made of, for a test that has made it. */
// biome-ignore lint/suspicious/noExplicitAny: whatever its operations.
export let partsOf: (tasker: Tasker<any>) => { bridge: Bridge; runs: Runs }

/** An open store of tasks, with the runners of this process. */
export class Tasker<Operations extends Registry<Operations> = AnyOperations> extends Emitter {
  readonly #events: EventHub
  readonly #runs: Runs
  readonly #bridge: Bridge
  readonly #storePath: string | undefined
  readonly #assignments: Assignments
  readonly #lifecycle: Lifecycle
  readonly #servers: Servers

  static {
    // What `console.log` shows. It is no member of the public class.
    const value = function (this: Tasker, _depth: number, options: InspectOptions) {
      return this.#lifecycle.shown(this.constructor.name, this.#storePath, options)
    }
    Object.defineProperty(Tasker.prototype, inspect.custom, { value, configurable: true })
    partsOf = tasker => ({ bridge: tasker.#bridge, runs: tasker.#runs })
  }

  constructor(options?: NoInfer<TaskerOptions<Operations>> | string | URL) {
    super()
    const { text, storePath, runners, conditions, ...rest } = openOptions(options)
    const { keepAlive, includesRemote, engineLog } = rest
    for (const name of Object.keys(runners)) runnerOf(operationOf(name), runners[name])
    this.#events = eventHubOf(this)
    this.#events.includesRemote = includesRemote
    this.#bridge = new Bridge(text, new KeepAlive(keepAlive))
    rest.telemetry?.observe(this.#bridge, metricsOf)
    this.#assignments = new Assignments(this.#bridge)
    this.#servers = new Servers(this.#bridge)
    const add = (definition: unknown) => this.addTask(definition as never)
    this.#runs = new Runs(this.#bridge, this.#events, rest, add)
    const parts = { bridge: this.#bridge, runs: this.#runs, events: this.#events }
    this.#lifecycle = new Lifecycle({ ...parts, assignments: this.#assignments }, () => this.stop())
    const delivery = new Delivery(this.#bridge, this.#runs, engineLog)
    this.#bridge.onMessages = () => delivery.notified()
    this.#storePath = storePath
    this.#events.onWants = wants => this.#bridge.tell({ do: 'subscribe', ...wants })
    this.#events.checkEmit()
    if (conditions) this.#assignments.sendConditions(conditions)
    for (const name of Object.keys(runners)) this.#assign(name, runners[name])
  }

  async ready(): Promise<void> {
    return await traced(this.#bridge.command({ do: 'ready' }, nothing))
  }

  addTask<Name extends OperationName<Operations>>(
    definition: TaskToAdd<Operations, Name>,
  ): Promise<TaskUuid<Name>> {
    const { telemetry } = this.#runs
    if (!telemetry) return this.#addTask(definition)
    return telemetry.addTask(definition, trace => this.#addTask(definition, trace))
  }

  #addTask<Name extends OperationName<Operations>>(
    definition: TaskToAdd<Operations, Name>,
    trace?: TraceContext,
  ): Promise<TaskUuid<Name>> {
    try {
      this.#bridge.check()
      const brought = broughtBy(definition, '')
      const text = definitionText(definition, trace)
      this.#runs.schemas.checkData(definition)
      if (this.#events.hasListeners('task.add')) this.#events.emit('task.add', definition)
      const adding = this.#adding(definition, brought)
      this.#bridge.add(text, adding)
      this.#runs.hints.added(read(Object(definition), 'operation'))
      return adding.promise
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #adding(definition: unknown, brought: Brought): PendingAdd {
    const { extras, adds } = this.#runs
    if (!isUnique(definition)) return new PendingAdd(extras, brought)
    return new PendingUniqueAdd(extras, brought, { adds, definition })
  }

  async addTasks<Names extends readonly OperationName<Operations>[]>(
    definitions: TasksToAdd<Operations, Names>,
  ): Promise<TaskUuids<Names>> {
    const { telemetry } = this.#runs
    this.#bridge.check()
    listOf(definitions)
    if (!telemetry) return await this.#addTasks(definitions)
    return await telemetry.addTasks(definitions, trace => this.#addTasks(definitions, trace))
  }

  async #addTasks<Names extends readonly OperationName<Operations>[]>(
    definitions: TasksToAdd<Operations, Names>,
    trace?: TraceContext,
  ): Promise<TaskUuids<Names>> {
    const brought = definitions.map((one, i) => broughtBy(one, `[${i}].`))
    const text = definitionsText(definitions, trace)
    const { adds, extras, schemas } = this.#runs
    for (const [i, one] of definitions.entries()) schemas.checkData(one, `[${i}].`)
    for (const one of definitions) {
      if (this.#events.hasListeners('task.add')) this.#events.emit('task.add', one)
      this.#runs.hints.added(read(one, 'operation'))
    }
    const context = extras.snapshot()
    const added = (answers: (string | Added)[]) => {
      const uuids = answers.map((one, i) => {
        const answer: Added = typeof one === 'string' ? [one, true] : one
        const { signal, attach } = brought[i] as Brought
        return adds.added(answer, () => definitions[i], { signal, attach, context })
      })
      return uuids as unknown as TaskUuids<Names>
    }
    const refused = (error: unknown) => adds.refused(error, place => definitions[place])
    return await traced(this.#bridge.addMany(text, added, refused))
  }

  outbox(db: SqliteHandle, options?: OutboxOptions): Outbox<Operations> {
    const [bridge, events, storePath] = [this.#bridge, this.#events, this.#storePath]
    const { adds, schemas, telemetry } = this.#runs
    const context = { bridge, events, adds, schemas, storePath, telemetry }
    return outboxOf(context, db, options) as unknown as Outbox<Operations>
  }

  assignRunner<Name extends OperationName<Operations>>(
    operation: Name,
    runner: BatchRunner<Operations, Name>,
    options: BatchRunnerOptions,
  ): void
  assignRunner<Name extends OperationName<Operations>>(
    operation: Name,
    runner: Runner<Operations, Name> | URL,
    options?: OperationOptions & ModuleOptions & { batch?: undefined },
  ): void
  assignRunner(operation: string, runner: unknown, options?: object): void {
    const name = operationOf(operation)
    const given = assignOptions(options, runner)
    runnerOf(name, runner)
    this.#bridge.check()
    if (given.split) this.#bridge.checkOperationOptions(given.split.text, given.split.batch)
    if (this.#runs.has(name)) throw hasRunner(name)
    this.#assign(name, runner, given)
  }

  async unassignRunner(operation: OperationName<Operations>): Promise<boolean> {
    const name = operationOf(operation)
    this.#bridge.check()
    if (!this.#runs.has(name)) return false
    this.#runs.unassign(name)
    this.#assignments.forget(name)
    return await traced(this.#bridge.command({ do: 'unassign', operation: name }, () => true))
  }

  async defineOperation(
    operation: OperationName<Operations>,
    options: OperationOptions,
  ): Promise<void> {
    const name = operationOf(operation)
    const { text, schemas } = definedOptions(options)
    const command = { do: 'define', operation: name, options: new JsonText(text) } as const
    const end = this.#runs.schemas.define(name, schemas)
    const [stored, refused] = [() => end(true), () => end(false)]
    await traced(this.#bridge.command(command, stored, refused))
  }

  async pauseOperation(operation: OperationName<Operations>): Promise<boolean> {
    return await traced(this.#pauseOperation(operationOf(operation), true))
  }

  async resumeOperation(operation: OperationName<Operations>): Promise<boolean> {
    return await traced(this.#pauseOperation(operationOf(operation), false))
  }

  #pauseOperation(operation: string, pauses: boolean): Promise<boolean> {
    return this.#bridge.command({ do: 'pauseOperation', operation, pauses })
  }

  async hold(options: HoldOptions): Promise<number> {
    return await traced(this.#bridge.command(holdCommand(options)))
  }

  async findHolds(): Promise<Hold[]> {
    return await traced(this.#bridge.command({ do: 'holds' }, reviveHolds))
  }

  async releaseHold(id: number): Promise<boolean> {
    return await traced(this.#bridge.command(releaseCommand(id)))
  }

  async addSchedule<Name extends OperationName<Operations>>(
    schedule: ScheduleDefinition<Operations, Name>,
  ): Promise<boolean> {
    return await traced(this.#bridge.command(addSchedule(schedule, this.#runs.schemas)))
  }

  async findSchedules(
    options: FindSchedulesOptions = {},
  ): Promise<Schedule<OperationName<Operations>>[]> {
    const { id, ...bounds } = only(options, ['id', ...BOUNDS], 'options')
    const found = schedulesOf(this.#bridge, id, boundsOf('findSchedules', bounds))
    return (await traced(found)) as Schedule<OperationName<Operations>>[]
  }

  async updateSchedule<Name extends OperationName<Operations>>(
    id: string,
    patch: SchedulePatch<Operations, Name>,
  ): Promise<boolean> {
    return await traced(this.#bridge.command(updateSchedule(id, patch, this.#runs.schemas)))
  }

  async pauseSchedule(id: string): Promise<boolean> {
    return await traced(this.#bridge.command(pauseSchedule(id, true)))
  }

  async resumeSchedule(id: string): Promise<boolean> {
    return await traced(this.#bridge.command(pauseSchedule(id, false)))
  }

  async triggerSchedule(id: string, options?: TriggerScheduleOptions): Promise<string | undefined> {
    const made = (uuid: string | null) => uuid ?? undefined
    return await traced(this.#bridge.command(triggerSchedule(id, options), made))
  }

  async removeSchedule(id: string): Promise<boolean> {
    return await traced(this.#bridge.command(removeSchedule(id)))
  }

  async findOperations(
    options: CallOptions = {},
  ): Promise<OperationRecord<OperationName<Operations>>[]> {
    const bounds = boundsOf('findOperations', only(options, BOUNDS, 'options'))
    const found = this.#bridge.read({ do: 'operations' }, bounds, reviveOperations)
    return (await traced(found)) as OperationRecord<OperationName<Operations>>[]
  }

  async start(abortSignal?: AbortSignal): Promise<void> {
    const signal = signalOf(abortSignal)
    this.#bridge.checkOpen()
    if (signal?.aborted) return this.stop()
    this.#servers.started()
    return await traced(this.#lifecycle.start(signal))
  }

  async stop(options?: StopOptions): Promise<void> {
    const command = { do: 'stop', ...stopOptions(options) } as const
    this.#bridge.check()
    const stopped = this.#lifecycle.stop(command)
    const closed = this.#servers.isOver ? undefined : this.#servers.close()
    await traced(closed ? Promise.all([stopped, closed]).then(nothing) : stopped)
  }

  close(options?: StopOptions): Promise<void> {
    const { closing } = this.#lifecycle
    if (closing && options === undefined) return closing
    try {
      const command = { do: 'close', ...stopOptions(options) } as const
      if (this.#servers.isOver) return this.#lifecycle.close(command)
      return this.#servers.close().then(() => this.#lifecycle.close(command))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async abortTask(uuid: string, reason?: unknown): Promise<boolean> {
    return await traced(this.#runs.extras.abort(uuidOf(uuid), 'user', reason))
  }

  async prioritizeTask(uuid: string, priority: number): Promise<boolean> {
    const id = uuidOf(uuid)
    const command = { do: 'prioritize', uuid: id, priority: priorityOf(priority) } as const
    const change = this.#bridge.command(command, (isChanged: boolean) => {
      if (isChanged) this.#events.emitTask('task.prioritized', id, priority)
      return isChanged
    })
    return await traced(change)
  }

  async pauseTask(uuid: string): Promise<boolean> {
    return await traced(this.#bridge.command({ do: 'pause', uuid: uuidOf(uuid) }))
  }

  async resumeTask(uuid: string): Promise<boolean> {
    return await traced(this.#bridge.command({ do: 'resume', uuid: uuidOf(uuid) }))
  }

  async retryTask(uuid: string, options?: RetryTaskOptions): Promise<boolean> {
    const command = { do: 'retry', uuid: uuidOf(uuid), ...retryOptions(options) } as const
    return await traced(this.#bridge.command(command))
  }

  async postponeTask(uuid: string, options?: PostponeTaskOptions): Promise<boolean> {
    const command = { do: 'postponeTask', uuid: uuidOf(uuid), ...postponeOptions(options) } as const
    return await traced(this.#bridge.command(command))
  }

  async updateTask(
    uuid: string,
    patch: object,
    options: UpdateTaskOptions<Operations> = {},
  ): Promise<boolean> {
    const given = only(options, ['if'], 'options').if
    const onlyIf = given === undefined ? undefined : encodeQuery(given, 'if')
    const command = { do: 'updateTask', uuid: uuidOf(uuid), onlyIf } as const
    return await traced(this.#bridge.command({ ...command, patch: patchText(patch) }))
  }

  async removeTask(uuid: string): Promise<boolean> {
    return await traced(this.#bridge.command({ do: 'remove', uuid: uuidOf(uuid) }))
  }

  async abortTasks(query: Query<Operations>, options: AbortTasksOptions = {}): Promise<BulkResult> {
    only(options, ['reason', ...BULK], 'options')
    const reason = new JsonText(serialiseReason('user', options.reason))
    return await this.#bulk('abortTasks', { verb: 'abort', reason }, query, options)
  }

  async retryTasks(query: Query<Operations>, options: RetryTasksOptions = {}): Promise<BulkResult> {
    const { delay, priority } = only(options, ['delay', 'priority', ...BULK], 'options')
    // Here, because the engine sees no chunk if nothing matches.
    if (delay !== undefined) durationOf(delay, 'delay')
    const verb = { verb: 'retry', ...retryOptions({ delay, priority }) } as const
    return await this.#bulk('retryTasks', verb, query, options)
  }

  async removeTasks(query: Query<Operations>, options: BulkOptions = {}): Promise<BulkResult> {
    only(options, BULK, 'options')
    return await this.#bulk('removeTasks', { verb: 'remove' }, query, options)
  }

  #bulk(what: string, verb: BulkVerb, query: object, options: BulkOptions): Promise<BulkResult> {
    // Without a query nothing is meant: all would be too much.
    const text = encodeQuery(objectOf(query, 'query'), 'query')
    const isDry = booleanOf(options.dryRun ?? false, 'dryRun')
    const bounds = boundsOf(what, options)
    return traced(bulk(this.#bridge, verb, text, { bounds, isDry }))
  }

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
  async getTask(uuid: string, options: GetTaskOptions & Partial<FieldsOption> = {}) {
    const logs = logsOf(only(options, ['fields', ...LOGS, ...BOUNDS], 'options'))
    const id = uuidOf(uuid)
    const bounds = boundsOf(`getTask('${id}')`, options)
    const command = { do: 'get', uuid: id, logs, fields: encodeFields(options.fields) } as const
    const seen = (found: DocumentJson) => this.#runs.hints.seen(id, revive(found))
    return (await traced(this.#bridge.read(command, bounds, seen))) as Task<Operations>
  }

  async hasTask(query: Query<Operations>, options: CallOptions = {}): Promise<boolean> {
    const command = { do: 'exists', query: encodeQuery(query, 'query') } as const
    const bounds = boundsOf('hasTask', only(options, BOUNDS, 'options'))
    return await traced(this.#bridge.read(command, bounds))
  }

  async countTasks(query: Query<Operations> = {}, options: CallOptions = {}): Promise<number> {
    const command = { do: 'count', query: encodeQuery(query, 'query') } as const
    const bounds = boundsOf('countTasks', only(options, BOUNDS, 'options'))
    return await traced(this.#bridge.read(command, bounds))
  }

  async explainQuery(
    query: Query<Operations>,
    options: CallOptions = {},
  ): Promise<QueryExplanation<Operations>> {
    const command = { do: 'explain', query: encodeQuery(query, 'query') } as const
    const bounds = boundsOf('explainQuery', only(options, BOUNDS, 'options'))
    return (await traced(this.#bridge.read(command, bounds))) as QueryExplanation<Operations>
  }

  explainTask<Name extends OperationName<Operations>>(
    uuid: TaskUuid<Name>,
  ): Promise<TaskExplanation<Operations, Name>>
  explainTask(uuid: string): Promise<TaskExplanation<Operations>>
  async explainTask(uuid: string): Promise<unknown> {
    const command = { do: 'explainTask', uuid: uuidOf(uuid) } as const
    return await traced(this.#bridge.command(command, reviveExplanation))
  }

  async explain<Name extends OperationName<Operations>>(of: {
    operation: Name
  }): Promise<OperationExplanation<Name>> {
    const operation = operationOf(only(of, ['operation'], 'options').operation)
    return (await traced(explainOperation(this.#bridge, operation))) as OperationExplanation<Name>
  }

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
  async findTask(
    query: object,
    options: FindTaskOptions & Partial<FieldsOption> = {},
  ): Promise<unknown> {
    only(options, ['sort', 'fields', ...LOGS, ...BOUNDS], 'options')
    const [found] = await traced(this.#find(query, options, 1))
    return found
  }

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
  async findTasks(
    query: object = {},
    options: FindTasksOptions & Partial<FieldsOption> = {},
  ): Promise<unknown> {
    only(options, ['sort', 'limit', 'skip', 'fields', ...LOGS, ...BOUNDS], 'options')
    return await traced(this.#find(query, options))
  }

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
  tasks(
    query: object = {},
    options: TasksOptions & Partial<FieldsOption> = {},
  ): AsyncIterableIterator<unknown> {
    return tasksOf(this.#bridge, query, options)
  }

  listenTaskLogs(
    uuid: string,
    options: ListenTaskLogsOptions = {},
  ): AsyncIterableIterator<TaskLog> {
    return listenToLogs(this.#bridge, uuidOf(uuid), options)
  }

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
  watch(
    query: object = {},
    options: WatchOptions & Partial<FieldsOption> = {},
  ): AsyncIterableIterator<unknown> {
    return watchTasks(this.#bridge, query, options)
  }

  exportTasks(
    query: Query<Operations> = {},
    options: TasksOptions & Partial<FieldsOption<TaskField<Operations>>> = {},
  ): AsyncIterableIterator<string> {
    return linesOf(this.#bridge, query, options)
  }

  async listen(options?: ListenOptions): Promise<Server> {
    this.#bridge.check()
    return await traced(this.#servers.listen(options))
  }

  http<From extends object = IncomingMessage>(options: HttpOptions<From>): HttpHandlers {
    this.#bridge.check()
    const handlers = handlersOf({ bridge: this.#bridge, events: this.#events }, options)
    this.#servers.mount()
    return handlers
  }

  metrics(options?: MetricsOptions & { format?: undefined }): Promise<Metrics<Operations>>
  metrics(options: MetricsOptions): Promise<string>
  async metrics(options: MetricsOptions = {}): Promise<unknown> {
    return await traced(metricsOf(this.#bridge, options))
  }

  async backup(path: string | URL, options: CallOptions = {}): Promise<void> {
    const command = { do: 'backUp', path: pathOf(path, 'path') } as const
    const bounds = boundsOf('backup', only(options, BOUNDS, 'options'))
    await traced(this.#bridge.read(command, bounds))
  }

  async verify(options: CallOptions = {}): Promise<Verification> {
    const bounds = boundsOf('verify', only(options, BOUNDS, 'options'))
    return await traced(this.#bridge.read({ do: 'verify' }, bounds))
  }

  waitForTaskOutputData<Name extends OperationName<Operations>>(
    uuid: TaskUuid<Name>,
    options?: CallOptions,
  ): Promise<Jsonify<ResultOf<Operations, Name>>>
  waitForTaskOutputData(
    uuid: string,
    options?: CallOptions,
  ): Promise<Jsonify<ResultOf<Operations, OperationName<Operations>>>>
  async waitForTaskOutputData(uuid: string, options: CallOptions = {}): Promise<unknown> {
    const id = uuidOf(uuid)
    const bounds = boundsOf(`waitForTaskOutputData('${id}')`, only(options, BOUNDS, 'options'))
    const wait = this.#bridge.await(id, bounds, end => this.#runs.outcome(id, end))
    this.#runs.hints.waits(wait)
    try {
      return await wait
    } catch (error) {
      throw withCaller(error, this.waitForTaskOutputData) // As `traced`, with one promise less.
    }
  }

  async idle(options: CallOptions = {}): Promise<void> {
    return await traced(this.#bridge.idle(boundsOf('idle', only(options, BOUNDS, 'options'))))
  }

  #find(
    query: object,
    options: FindTasksOptions & Partial<FieldsOption>,
    limitMax?: number,
  ): Promise<Task[]> {
    const bounds = boundsOf(limitMax ? 'findTask' : 'findTasks', options)
    return this.#bridge.read(findCommand(query, options, limitMax), bounds, reviveAll)
  }

  #assign(operation: string, runner: unknown, given = assignOptions(undefined, runner)) {
    assignTo(this.#runs, operation, runner, given)
    this.#assignments.send(operation, given, this.#lifecycle.isStarted)
  }
}

function nothing() {}
