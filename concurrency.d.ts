/**
 * `tasker/concurrency`: the concurrency interface of wraps,
 * `wrap://ens/wraps.eth:concurrency@1.0.0`, whose tasks are tasks of a tasker: they survive a
 * restart, and other processes on the file see them.
 */

import type { Tasker } from './index'

/** What an invocation is asked for. */
export interface Invocation {
  /** The URI of the wrap. */
  uri: string
  /** The name of the method. */
  method: string
  /** Its arguments, as MessagePack; {@link decode} reads them. */
  args: Uint8Array
  /** How many workers it may use at most, if the task says so. */
  maxWorkers: number | undefined
}

/** What an invocation may use besides. */
export interface InvocationContext {
  /** Fires when the task is aborted. */
  readonly abortSignal: AbortSignal
  /** Where a pause takes effect: resolves when the invocation may go on. */
  checkpoint(): Promise<void>
}

/** Options of {@link Concurrency}. Unknown keys are errors. */
export interface ConcurrencyOptions {
  /**
   * Invokes a wrap. What it returns is encoded as MessagePack, unless {@link encoded} has marked
   * it; what it throws is the error of the task. Without it this process only schedules and asks.
   */
  invoke?: ((invocation: Invocation, context: InvocationContext) => unknown) | undefined
  /**
   * How many invocations run at once, over all processes of the store: a positive integer.
   * @default no limit but that of the tasker
   */
  workers?: number | undefined
}

/** What has become of a task, by its position in the interface. */
export declare const TaskStatus: {
  readonly PENDING: 0
  readonly RUNNING: 1
  readonly SUSPENDED: 2
  readonly COMPLETED: 3
  readonly CANCELLED: 4
  readonly FAILED: 5
}
export type TaskStatus = (typeof TaskStatus)[keyof typeof TaskStatus]

/** When `result` answers. */
export declare const ReturnWhen: {
  /** With the first task that has ended. */
  readonly FIRST_COMPLETED: 0
  /** With the first task that is completed; if none is in the end, with all. */
  readonly ANY_COMPLETED: 1
  /** With all tasks, when all have ended. */
  readonly ALL_COMPLETED: 2
}
export type ReturnWhen = (typeof ReturnWhen)[keyof typeof ReturnWhen]

/** How soon a task runs beside others. */
export declare const Priority: { readonly LOW: 0; readonly MEDIUM: 1; readonly HIGH: 2 }
export type Priority = (typeof Priority)[keyof typeof Priority]

/** A task to schedule. Unknown keys are errors; `null` means absent. */
export interface WrapTask {
  /** The URI of the wrap to invoke. */
  uri: string
  /** The name of the method. */
  method: string
  /** Its arguments: MessagePack bytes, or a value that is encoded. */
  args: Uint8Array | object
  /** How soon it runs, by name or by position. @default 'MEDIUM' */
  priority?: Priority | keyof typeof Priority | null | undefined
  /** The ids of tasks of earlier calls, which must be completed first. */
  dependsOn?: readonly number[] | null | undefined
  /** How many workers the invocation may use: a positive integer, handed to `invoke`. */
  max_workers?: number | null | undefined
}

/** What has become of a task. */
export interface TaskResult {
  taskId: number
  /** What the invocation returned, as MessagePack, if it is completed. */
  result: Uint8Array | null
  /** The message of its error, if it has failed. */
  error: string | null
  status: TaskStatus
}

/** The concurrency interface over a tasker. Its tasks have the operation `wrap`. */
export declare class Concurrency {
  /** Assigns `invoke` as the runner of `wrap`. The tasker is started, stopped and closed by you. */
  // biome-ignore lint/suspicious/noExplicitAny: a tasker of any operations
  constructor(tasker: Tasker<any>, options?: ConcurrencyOptions)
  /**
   * Adds tasks, all or none; resolves with their ids when they are on disk. Ids are integers from 1
   * that grow and are never used twice in a store. Rejects with `TASKER_NOT_FOUND` if `dependsOn`
   * names an unknown id, and with `TASKER_LIMIT` beyond 2,147,483,647.
   */
  schedule(args: { tasks: readonly WrapTask[] }): Promise<number[]>
  /**
   * What has become of tasks. Resolves when `returnWhen` says so; with an empty list at once.
   * Rejects with `TASKER_NOT_FOUND` for an unknown id.
   */
  result(args: {
    taskIds: readonly number[]
    returnWhen: ReturnWhen | keyof typeof ReturnWhen
  }): Promise<TaskResult[]>
  /** What tasks are now. Rejects with `TASKER_NOT_FOUND` for an unknown id. */
  status(args: { taskIds: readonly number[] }): Promise<TaskStatus[]>
  /** Aborts tasks: `true` if that is stored, `false` for one that has ended or is unknown. */
  abort(args: { taskIds: readonly number[] }): Promise<boolean[]>
  /** Pauses tasks: `true` if that is stored. A running one halts at its next `checkpoint()`. */
  pause(args: { taskIds: readonly number[] }): Promise<boolean[]>
  /** Puts paused tasks back: `true` if that is stored. */
  resume(args: { taskIds: readonly number[] }): Promise<boolean[]>
  /** The same over MessagePack: a map of the arguments in, the encoded answer out. */
  invoke(method: string, args: Uint8Array): Promise<Uint8Array>
}

/**
 * The MessagePack bytes of a value, as `@polywrap/msgpack-js` writes them: a `Map` is extension 1,
 * what is undefined is left out of a map. Throws `TASKER_INVALID` with the path of what has none.
 */
export declare function encode(value: unknown): Uint8Array
/** The value of MessagePack bytes. Throws `TASKER_INVALID` if they are none. */
export declare function decode(bytes: Uint8Array): unknown
/** Marks bytes as MessagePack, so that `invoke` may return them as they are; the same bytes. */
export declare function encoded(bytes: Uint8Array): Uint8Array
