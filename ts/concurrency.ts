/**
 * `tasker/concurrency`: the concurrency interface of wraps, over a tasker.
 *
 * A task of the interface is a task of the operation `wrap`, and its id is the number of that: an
 * integer that grows and is never used twice in a store.
 *
 * # Promises
 * - A call adds all of its tasks or none.
 * - A wait ends when its tasks have ended, however they have.
 * - Arguments and results are stored as the bytes that they are.
 *
 * Proof: `__test__/contract/concurrency-interface.test.mjs`.
 */

import type {
  Concurrency as ConcurrencyContract,
  ConcurrencyOptions,
  Invocation,
  TaskResult,
} from '../concurrency'
import type { Task, Tasker as TaskerContract } from '../index'
import type { Context } from './context'
import { invalid, isError, read, spell, TaskerError } from './errors'
import { stringify } from './globals'
import { bytesOf, decode, encode, encodedOf } from './msgpack'
import { only } from './options'
import { Tasker } from './tasker'
import {
  ID_MAX,
  type JudgedTask,
  ReturnWhen,
  TaskStatus,
  taskIdsOf,
  tasksOf,
  wordOf,
} from './wrap-arguments'

export { decode, encode, encoded } from './msgpack'
export { Priority, ReturnWhen, TaskStatus } from './wrap-arguments'

const OPERATION = 'wrap'
/** How many tasks are asked for at once. */
const PORTION = 1_000
/** So many ids before the last one it is looked at how many are left. */
const NEAR_THE_END = 1_000_000

type Status = (typeof TaskStatus)[keyof typeof TaskStatus]
// biome-ignore lint/suspicious/noExplicitAny: a tasker of any operations
type AnyTasker = TaskerContract<any>
type Invoke = NonNullable<ConcurrencyOptions['invoke']>

const METHODS = ['schedule', 'result', 'status', 'abort', 'pause', 'resume'] as const

export class Concurrency implements ConcurrencyContract {
  readonly #tasker: AnyTasker
  /** A number that the store has given, or 0 if none is known yet. */
  #newest = 0

  constructor(tasker: AnyTasker, given?: ConcurrencyOptions) {
    if (!((tasker as unknown) instanceof Tasker)) throw invalid('tasker', 'must be a Tasker')
    const { invoke, workers } = only(given, ['invoke', 'workers'], 'options')
    this.#tasker = tasker
    if (invoke === undefined) {
      if (workers === undefined) return
      throw invalid('workers', 'needs invoke')
    }
    if (typeof invoke !== 'function') {
      throw invalid('invoke', `must be a function, and is ${spell(invoke)}`)
    }
    const runner = (context: unknown) => run(invoke as Invoke, context as Context)
    if (workers === undefined) tasker.assignRunner(OPERATION, runner)
    else tasker.assignRunner(OPERATION, runner, limitOf(workers))
  }

  readonly schedule = async (args: unknown): Promise<number[]> => {
    const tasks = tasksOf(args)
    if (tasks.length === 0) return []
    await this.#checkRoom(tasks.length)
    const uuids = await this.#tasker.addTasks(await this.#definitions(tasks))
    const query = { operation: OPERATION, uuid: { $in: [...uuids] } }
    const added = await this.#tasker.findTasks(query, { fields: ['uuid', 'seq'] })
    const ids = new Map(added.map(({ uuid, seq }) => [uuid, seq]))
    const all = uuids.map(uuid => ids.get(uuid) as number)
    this.#newest = Math.max(this.#newest, ...all)
    return all
  }

  readonly result = async (args: unknown): Promise<TaskResult[]> => {
    const { returnWhen } = only(args, ['taskIds', 'returnWhen'], 'args')
    const ids = taskIdsOf(args, ['taskIds', 'returnWhen'])
    const when = wordOf(ReturnWhen, returnWhen, 'returnWhen')
    if (ids.length === 0) return []
    const tasks = await this.#known(ids, ['uuid', 'state', 'status'])
    const isOver = (task: Task) =>
      when === ReturnWhen.ANY_COMPLETED ? task.status === 'done' : isEnded(task)
    const needsAll = when === ReturnWhen.ALL_COMPLETED
    const isEnough = needsAll ? tasks.every(isEnded) : tasks.some(isOver)
    if (!isEnough) await this.#settled(tasks, needsAll ? undefined : isOver)
    const ended = await this.#known(ids)
    const [first] = needsAll ? [] : ended.filter(isOver).sort(byEnd)
    return (first ? [first] : ended).map(resultOf)
  }

  readonly status = async (args: unknown): Promise<Status[]> => {
    const tasks = await this.#known(taskIdsOf(args), ['state'])
    return tasks.map(statusOf)
  }

  readonly abort = (args: unknown): Promise<boolean[]> =>
    this.#each(args, uuid => this.#tasker.abortTask(uuid))

  readonly pause = (args: unknown): Promise<boolean[]> =>
    this.#each(args, uuid => this.#tasker.pauseTask(uuid))

  readonly resume = (args: unknown): Promise<boolean[]> =>
    this.#each(args, uuid => this.#tasker.resumeTask(uuid))

  readonly invoke = async (method: string, bytes: Uint8Array): Promise<Uint8Array> => {
    const name = METHODS.find(one => one === method)
    if (name === undefined) {
      throw invalid('method', `must be ${METHODS.join(', ')}, and is ${spell(method)}`)
    }
    const args = decode(bytesOf(bytes, 'args'))
    return encode(await this[name](args))
  }

  async #definitions(tasks: JudgedTask[]) {
    const wanted = tasks.flatMap(({ dependsOn }) => dependsOn)
    const found = await this.#find(wanted, ['uuid'])
    return tasks.map(({ data, priority, dependsOn }, i) => {
      const uuids = dependsOn.map((id, n) => {
        const uuid = found.get(id)?.uuid
        if (uuid !== undefined) return uuid
        throw unknown(id, `tasks[${i}].dependsOn[${n}]`)
      })
      const waits = uuids.length > 0 ? { dependsOn: uuids } : {}
      return { operation: OPERATION, data, priority, ...waits }
    })
  }

  /** Ids are integers of 32 bits: beyond those nothing is scheduled. */
  async #checkRoom(count: number) {
    if (this.#newest > 0 && this.#newest + count < ID_MAX - NEAR_THE_END) return
    const options = { sort: { seq: -1 }, limit: 1, fields: ['seq'] } as const
    const [last] = await this.#tasker.findTasks({}, options)
    this.#newest = last?.seq ?? 0
    if (this.#newest + count <= ID_MAX) return
    const message = `tasks: the store has no ids left: they end with ${ID_MAX}; use another file`
    throw new TaskerError('TASKER_LIMIT', message, { path: 'tasks' })
  }

  /** Waits until all have ended, or one as is wanted. */
  async #settled(tasks: Task[], isOver: ((task: Task) => boolean) | undefined) {
    const enough = new AbortController()
    const { signal: abortSignal } = enough
    const open = tasks.filter(task => !isEnded(task)).map(({ uuid }) => uuid)
    const waits = [...new Set(open)].map(async uuid => {
      await this.#ended(uuid, abortSignal)
      if (!isOver || abortSignal.aborted) return
      const task = await this.#tasker.getTask(uuid)
      if (task && isOver(task)) enough.abort()
    })
    await Promise.all(waits)
  }

  async #ended(uuid: string, abortSignal: AbortSignal) {
    try {
      await this.#tasker.waitForTaskOutputData(uuid, { abortSignal })
    } catch (error) {
      // However it has ended is told by what is read then; but the tasker may have closed.
      if (isError(error) && read(error, 'code') === 'TASKER_CLOSED') throw error
    }
  }

  async #each(
    args: unknown,
    ask: (uuid: string) => boolean | Promise<boolean>,
  ): Promise<boolean[]> {
    const ids = taskIdsOf(args)
    const found = await this.#find(ids, ['uuid'])
    const answers: boolean[] = []
    for (const id of ids) {
      const uuid = found.get(id)?.uuid
      answers.push(uuid === undefined ? false : await ask(uuid))
    }
    return answers
  }

  /** The tasks with these ids, in their order; a refusal if one is unknown. */
  async #known(ids: number[], fields?: string[]): Promise<Task[]> {
    const found = await this.#find(ids, fields)
    return ids.map((id, i) => {
      const task = found.get(id)
      if (task) return task
      throw unknown(id, `taskIds[${i}]`)
    })
  }

  async #find(ids: number[], fields?: string[]): Promise<Map<number, Task>> {
    const all = [...new Set(ids)]
    const found = new Map<number, Task>()
    for (let at = 0; at < all.length; at += PORTION) {
      const query = { operation: OPERATION, seq: { $in: all.slice(at, at + PORTION) } }
      const tasks = fields
        ? this.#tasker.findTasks(query, { fields: ['seq', ...fields] as ['seq'] })
        : this.#tasker.findTasks(query)
      for (const task of await tasks) found.set(task.seq as number, task as Task)
    }
    return found
  }
}

/** Carries out a task. */
async function run(invoke: Invoke, context: Context) {
  const { uri, method, args, maxWorkers } = context.data as JudgedTask['data']
  const bytes = new Uint8Array(Buffer.from(args, 'base64'))
  const invocation: Invocation = { uri, method, args: bytes, maxWorkers }
  const value = await invoke(invocation, {
    get abortSignal() {
      return context.abortSignal
    },
    checkpoint: () => context.checkpoint(),
  })
  return { result: Buffer.from(encodedOf(value)).toString('base64') }
}

const limitOf = (workers: unknown) => {
  if (Number.isInteger(workers) && (workers as number) >= 1) {
    return { concurrency: workers as number }
  }
  throw invalid('workers', `must be a positive integer, and is ${spell(workers)}`)
}

const STATUS: Record<Task['state'], Status> = {
  blocked: TaskStatus.PENDING,
  delayed: TaskStatus.PENDING,
  ready: TaskStatus.PENDING,
  running: TaskStatus.RUNNING,
  paused: TaskStatus.SUSPENDED,
  done: TaskStatus.COMPLETED,
  failed: TaskStatus.FAILED,
  aborted: TaskStatus.CANCELLED,
}

const statusOf = ({ state }: Task): Status => STATUS[state]

const isEnded = (task: Task) => statusOf(task) >= TaskStatus.COMPLETED

/** By the moment of their end; the sort is stable, so what was asked first comes first. */
const byEnd = (one: Task, other: Task) => Number(one.endedAt) - Number(other.endedAt)

function resultOf(task: Task): TaskResult {
  const { result } = (task.result ?? {}) as { result?: string }
  const status = statusOf(task)
  const isDone = status === TaskStatus.COMPLETED && result !== undefined
  return {
    taskId: task.seq,
    result: isDone ? new Uint8Array(Buffer.from(result, 'base64')) : null,
    error: status === TaskStatus.FAILED ? messageOf(task.error) : null,
    status,
  }
}

/** What was thrown need not be an error. */
const messageOf = (thrown: unknown) => {
  const message = typeof thrown === 'object' && thrown !== null ? read(thrown, 'message') : thrown
  return typeof message === 'string' ? message : stringify(thrown)
}

const unknown = (id: number, path: string) =>
  new TaskerError('TASKER_NOT_FOUND', `${path}: there is no task ${id}`, { path })
