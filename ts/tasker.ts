/**
 * The class that users hold: checks the shape of arguments, sends, and hands back promises.
 *
 * # Left to others
 * Every rule of tasks is the engine's. What crosses is in `wire.ts`, what runs is in `runs.ts`.
 *
 * Proof: `__test__/contract`, `__test__/types`.
 */

import type {
  AnyOperations,
  AssignRunnerOptions,
  CallOptions,
  FindTaskOptions,
  FindTasksOptions,
  GetTaskOptions,
  OperationName,
  Outbox,
  OutboxOptions,
  Query,
  Registry,
  ResultOf,
  Runner,
  SqliteHandle,
  StopOptions,
  Task,
  TaskDefinition,
  TaskerOptions,
  TaskUuid,
} from '../index'
import { boundsOf } from './calls'
import { revive, reviveAll } from './document'
import { Emitter, type Voice, voiceOf } from './emit'
import { invalid, TaskerError } from './errors'
import { KeepAlive } from './keepalive'
import { Adding } from './kept'
import {
  concurrencyOf,
  definitionSignal,
  definitionsText,
  definitionText,
  logsOf,
  only,
  openOptions,
  operationOf,
  priorityOf,
  stopOptions,
  textOf,
  uuidOf,
  wholeOf,
} from './options'
import { outboxOf } from './outbox'
import { encodeQuery } from './query'
import { type AnyRunner, Runs } from './runs'
import { type Abortable, hook, signalOf, unhook } from './signals'
import { Wire } from './wire'

const BOUNDS = ['abortSignal', 'timeout']
const LOGS = ['withLogs', 'logsMaxLevel']

/** An open store of tasks, with the runners of this process. */
export class Tasker<Operations extends Registry<Operations> = AnyOperations> extends Emitter {
  readonly #voice: Voice
  readonly #runs: Runs
  readonly #wire: Wire
  readonly #place: string | undefined
  readonly #startSignals = new Set<AbortSignal>()
  readonly #stopper: Abortable = { abortedBy: () => this.#stopBySignal() }
  #starting: Promise<void> | undefined
  #closing: Promise<void> | undefined

  constructor(options?: TaskerOptions<Operations> | string) {
    super()
    const { text, place, runners, ...rest } = openOptions(options)
    const { level, keepAlive, capturesContext, hearsAll } = rest
    for (const name of Object.keys(runners)) runnerOf(operationOf(name), runners[name])
    this.#voice = voiceOf(this)
    this.#voice.hearsAll = hearsAll
    this.#runs = new Runs(this.#voice, level, capturesContext)
    this.#wire = new Wire(text, this.#runs, new KeepAlive(keepAlive))
    this.#runs.attach(this.#wire)
    this.#place = place
    this.#voice.onWants = wants => this.#tell({ do: 'listen', ...wants })
    for (const name of Object.keys(runners)) this.#assign(name, runners[name] as AnyRunner)
  }

  async ready(): Promise<void> {
    return this.#wire.command('{"do":"ready"}', nothing)
  }

  addTask<Name extends OperationName<Operations>>(
    definition: TaskDefinition<Operations, Name>,
  ): Promise<TaskUuid<Name>> {
    try {
      this.#wire.check()
      const signal = liveSignal(definition, '')
      const text = definitionText(definition)
      if (this.#voice.hears('task.add')) this.#voice.tell('task.add', definition)
      const adding = new Adding(this.#runs.kept, signal)
      this.#wire.add(text, adding)
      return adding.promise
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async addTasks<Name extends OperationName<Operations>>(
    definitions: readonly TaskDefinition<Operations, Name>[],
  ): Promise<TaskUuid<Name>[]> {
    this.#wire.check()
    if (!Array.isArray(definitions)) throw invalid('tasks', 'must be an array of definitions')
    const signals = definitions.map((one, i) => liveSignal(one, `[${i}].`))
    const text = definitionsText(definitions)
    for (const one of definitions) {
      if (this.#voice.hears('task.add')) this.#voice.tell('task.add', one)
    }
    const context = this.#runs.kept.snapshot()
    return this.#wire.addMany(text, (uuids: TaskUuid<Name>[]) => {
      uuids.forEach((uuid, i) => {
        this.#runs.kept.added(uuid, { signal: signals[i], context })
      })
      return uuids
    })
  }

  outbox(db: SqliteHandle, options?: OutboxOptions): Outbox<Operations> {
    const [wire, voice, kept, place] = [this.#wire, this.#voice, this.#runs.kept, this.#place]
    return outboxOf({ wire, voice, kept, place }, db, options) as unknown as Outbox<Operations>
  }

  assignRunner<Name extends OperationName<Operations>>(
    operation: Name,
    runner: Runner<Operations, Name>,
    options?: AssignRunnerOptions,
  ): void {
    const name = operationOf(operation)
    const concurrency = concurrencyOf(options)
    runnerOf(name, runner)
    this.#wire.check()
    if (this.#runs.has(name)) {
      const message = `the operation ${JSON.stringify(name)} has a runner already`
      throw new TaskerError('TASKER_CONFLICT', message, { path: 'operation' })
    }
    this.#assign(name, runner as unknown as AnyRunner, concurrency)
  }

  async unassignRunner(operation: OperationName<Operations>): Promise<boolean> {
    const name = operationOf(operation)
    this.#wire.check()
    if (!this.#runs.has(name)) return false
    this.#runs.unassign(name)
    return this.#wire.command(textOf({ do: 'unassign', operation: name }), () => true)
  }

  async start(abortSignal?: AbortSignal): Promise<void> {
    const signal = signalOf(abortSignal)
    this.#wire.check()
    if (signal?.aborted) return this.stop()
    if (signal) {
      this.#startSignals.add(signal)
      hook(signal, this.#stopper)
    }
    this.#starting ??= this.#start()
    return this.#starting
  }

  async stop(options?: StopOptions): Promise<void> {
    const text = textOf({ do: 'stop', ...stopOptions(options) })
    this.#wire.check()
    const { stopped, refused } = this.#halt()
    return this.#wire.command(text, stopped, refused)
  }

  close(options?: StopOptions): Promise<void> {
    this.#closing ??= this.#close(options).catch(error => {
      if (!this.#wire.closed) this.#closing = undefined
      throw error
    })
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async abortTask(uuid: string, reason?: unknown): Promise<boolean> {
    return this.#runs.kept.abort(uuidOf(uuid), 'user', reason)
  }

  async prioritizeTask(uuid: string, priority: number): Promise<boolean> {
    const id = uuidOf(uuid)
    const text = textOf({ do: 'prioritize', uuid: id, priority: priorityOf(priority) })
    return this.#wire.command(text, (isChanged: boolean) => {
      if (isChanged) this.#voice.tellTask('task.prioritized', id, priority)
      return isChanged
    })
  }

  async getTask(uuid: string, options: GetTaskOptions = {}): Promise<Task<Operations>> {
    const logs = logsOf(only(options, [...LOGS, ...BOUNDS], 'options'))
    const text = textOf({ do: 'get', uuid: uuidOf(uuid), logs })
    return this.#wire.ask('read', text, boundsOf(options), revive)
  }

  async hasTask(query: Query<Operations>, options: CallOptions = {}): Promise<boolean> {
    const text = `{"do":"find","query":${encodeQuery(query, 'query')},"limit":1}`
    const bounds = boundsOf(only(options, BOUNDS, 'options'))
    return this.#wire.ask('read', text, bounds, found => found.length > 0)
  }

  async countTasks(query: Query<Operations> = {}, options: CallOptions = {}): Promise<number> {
    const text = `{"do":"count","query":${encodeQuery(query, 'query')}}`
    return this.#wire.ask('read', text, boundsOf(only(options, BOUNDS, 'options')))
  }

  async findTask(
    query: Query<Operations>,
    options: FindTaskOptions = {},
  ): Promise<Task<Operations> | undefined> {
    only(options, ['sort', ...LOGS, ...BOUNDS], 'options')
    const [found] = await this.#find(query, { ...options, limit: 1 })
    return found
  }

  async findTasks(
    query: Query<Operations> = {},
    options: FindTasksOptions = {},
  ): Promise<Task<Operations>[]> {
    only(options, ['sort', 'limit', 'skip', ...LOGS, ...BOUNDS], 'options')
    return this.#find(query, options)
  }

  waitForTaskOutputData<Name extends OperationName<Operations>>(
    uuid: TaskUuid<Name>,
    options?: CallOptions,
  ): Promise<ResultOf<Operations, Name>>
  waitForTaskOutputData(
    uuid: string,
    options?: CallOptions,
  ): Promise<ResultOf<Operations, OperationName<Operations>>>
  async waitForTaskOutputData(uuid: string, options: CallOptions = {}): Promise<unknown> {
    const id = uuidOf(uuid)
    const bounds = boundsOf(only(options, BOUNDS, 'options'))
    const text = `{"do":"watch","uuid":"${id}"}`
    return this.#wire.ask('command', text, bounds, ended => this.#runs.outcome(id, ended))
  }

  #find(query: Query<Operations>, options: FindTasksOptions): Promise<Task<Operations>[]> {
    const { limit, skip, logs } = {
      limit: wholeOf(options.limit, 'limit') || undefined,
      skip: wholeOf(options.skip, 'skip'),
      logs: logsOf(options),
    }
    const sort = options.sort === undefined ? '' : `,"sort":${encodeQuery(options.sort, 'sort')}`
    const rest = textOf({ do: 'find', skip, limit, logs }).slice(0, -1)
    const text = `${rest},"query":${encodeQuery(query, 'query')}${sort}}`
    return this.#wire.ask('read', text, boundsOf(options), reviveAll)
  }

  #assign(operation: string, runner: AnyRunner, concurrency?: number) {
    this.#runs.assign(operation, runner)
    this.#tell({ do: 'assign', operation, concurrency })
  }

  /** Sends a command that nobody waits for. It cannot be wrong, so a refusal needs no hearer. */
  #tell(command: object) {
    if (!this.#wire.closed) this.#wire.command(textOf(command)).catch(nothing)
  }

  #start(): Promise<void> {
    this.#runs.isStarted = true
    return this.#wire.command(
      '{"do":"start"}',
      () => this.#voice.tell('started'),
      () => {
        this.#starting = undefined
        this.#runs.isStarted = false
      },
    )
  }

  /** Takes the start back; what is given says what to do when that is done or refused. */
  #halt() {
    const starting = this.#starting
    this.#starting = undefined
    this.#unhook()
    return {
      stopped: () => {
        this.#runs.isStarted = this.#starting !== undefined
        if (starting) this.#voice.tell('stopped')
      },
      refused: () => {
        this.#starting ??= starting
      },
    }
  }

  #unhook() {
    for (const signal of this.#startSignals) unhook(signal, this.#stopper)
    this.#startSignals.clear()
  }

  #stopBySignal() {
    this.stop().catch(error => {
      if (!this.#wire.closed) this.#voice.fault(error)
    })
  }

  async #close(options: StopOptions | undefined): Promise<void> {
    const text = textOf({ do: 'close', ...stopOptions(options) })
    const { stopped, refused } = this.#halt()
    return this.#wire.close(text, stopped, refused)
  }
}

function nothing() {}

function runnerOf(operation: string, runner: unknown) {
  if (typeof runner !== 'function') {
    throw invalid('runner', `the runner of ${JSON.stringify(operation)} must be a function`)
  }
}

/** The signal of a definition, unless it has fired: then nothing is sent. */
function liveSignal(definition: unknown, prefix: string): AbortSignal | undefined {
  const signal = definitionSignal(definition, prefix)
  if (signal?.aborted) throw signal.reason
  return signal
}
