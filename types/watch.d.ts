/** Watching tasks: what `watch` tells. */

import type { TaskState, TaskStatus } from './task'

/** How to watch tasks. */
export interface WatchOptions {
  /**
   * Where to go on: the `position` of the last entry that was seen, so that the next one is the
   * first to come. `'now'`: only what changes after the engine has heard of this call. Without it
   * the tasks that match come first.
   */
  from?: string | undefined
  /** Ends it: the next step rejects with the signal's reason. */
  abortSignal?: AbortSignal | undefined
}

/**
 * What happened to a task. `'entered'`: it matches the query, and did not before. `'changed'`: it
 * matches, and something of it is another. `'ended'`: it matches, and has ended by this. `'left'`:
 * it does not match any more. `'removed'`: it matched, and is gone from the file.
 */
export type TaskChangeKind = 'entered' | 'changed' | 'ended' | 'left' | 'removed'

/** A change of one task. */
export interface TaskChange<WatchedTask = unknown, Name extends string = string> {
  /** Where it stands: give it as `from` to go on behind it. It is a text to keep, and no number. */
  position: string
  /** When it was written, by the clock of the process that did. */
  at: Date
  /** Which task. */
  uuid: string
  /** Its operation. */
  operation: Name
  /** What happened. */
  change: TaskChangeKind
  /** Its status by this change. */
  status: TaskStatus
  /** Its state by this change; of one that was removed, the last one. */
  state: TaskState
  /** Its priority by this change. */
  priority: number
  /** The task as it is when it is read, so it may be ahead of the change. Absent if it is gone. */
  task?: WatchedTask
}

/**
 * What happened meanwhile is not known any more: the watch was away for longer than changes are
 * kept. Forget what you know; the tasks that match now come next, as `'entered'`.
 */
export interface WatchGap {
  /** Where it stands. */
  position: string
  /** When the last commit before the new beginning was written. */
  at: Date
  /** Tells it from a change of a task. */
  change: 'gap'
}

/** An entry of `watch`. */
export type WatchEntry<WatchedTask = unknown, Name extends string = string> =
  | TaskChange<WatchedTask, Name>
  | WatchGap

// biome-ignore lint/complexity/noUselessEmptyExport: without it everything above would be exported.
export {}
