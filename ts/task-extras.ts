/**
 * What this process keeps for its tasks beside the store: signals, attachments, async contexts and
 * reasons of aborts.
 *
 * All of it is given back when the task ends or the tasker closes.
 *
 * # Promises
 * - The reason of an abort and an attachment stay the same objects within this process.
 *
 * Proof: `__test__/contract/aborting.test.mjs`, `attaching.test.mjs`, `context.test.mjs`.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import type { AbortCause } from '../index'
import { abortReason, serialiseReason, storedReason } from './aborts'
import type { Bridge } from './bridge'
import { Deferred } from './calls'
import { JsonText } from './commands'
import { read, traced } from './errors'
import type { EventHub } from './events'
import { definitionSignal } from './options'
import { type Abortable, hook, unhook } from './signals'
import type { StoredError } from './stored'

/** Calls a function in an async context that was captured before. */
export type Snapshot = ReturnType<typeof AsyncLocalStorage.snapshot>

/** What a definition brings along that is not stored. */
export interface Brought {
  readonly signal: AbortSignal | undefined
  readonly attach: unknown
}

/** What a definition holds that stays here. If its signal has fired, nothing is sent. */
export function broughtBy(definition: unknown, prefix: string): Brought {
  const signal = definitionSignal(definition, prefix)
  if (signal?.aborted) throw signal.reason
  return { signal, attach: read(Object(definition), 'attach') }
}

/** What an `addTask` brings along that is not stored. */
export interface Extras extends Brought {
  readonly context: Snapshot | undefined
}

/** The promise of one `addTask`. */
export class PendingAdd extends Deferred implements Extras {
  readonly signal: AbortSignal | undefined
  readonly attach: unknown
  readonly context: Snapshot | undefined
  readonly #extras: TaskExtras

  constructor(extras: TaskExtras, { signal, attach }: Brought) {
    super()
    this.#extras = extras
    this.signal = signal
    this.attach = attach
    this.context = extras.snapshot()
  }

  // Only here: tracing each call costs a third of the call.
  override refused(error: unknown): void {
    // A tick later, when the promise follows, its stack shows who waits for it.
    this.resolve(traced(Promise.resolve().then(() => Promise.reject(error))))
  }

  override answered(uuid: unknown): void {
    this.#extras.added(uuid as string, this)
    this.resolve(uuid)
  }
}

/** A task that hangs on a signal, or has an attachment or a context. */
class TaskExtra implements Abortable {
  readonly attach: unknown
  readonly context: Snapshot | undefined
  readonly #signal: AbortSignal | undefined
  readonly #abort: (signal: AbortSignal) => void

  constructor({ signal, attach, context }: Extras, abort: (signal: AbortSignal) => void) {
    this.attach = attach
    this.context = context
    this.#signal = signal
    this.#abort = abort
    if (signal) hook(signal, this)
  }

  abortedBy(signal: AbortSignal): void {
    this.#abort(signal)
  }

  release(): void {
    if (this.#signal) unhook(this.#signal, this)
  }
}

/** The extras, by the uuid of its task. */
export class TaskExtras {
  readonly #events: EventHub
  readonly #capturesContext: boolean
  readonly #tasks = new Map<string, TaskExtra>()
  readonly #reasons = new Map<string, Error>()
  readonly #bridge: Bridge

  constructor(bridge: Bridge, events: EventHub, capturesContext: boolean) {
    this.#bridge = bridge
    this.#events = events
    this.#capturesContext = capturesContext
  }

  /** The async context of the caller, if runners want it. */
  snapshot(): Snapshot | undefined {
    return this.#capturesContext ? AsyncLocalStorage.snapshot() : undefined
  }

  /** The async context of the `addTask` of a task. */
  contextOf(uuid: string): Snapshot | undefined {
    return this.#tasks.size > 0 ? this.#tasks.get(uuid)?.context : undefined
  }

  /** What a task was given in memory. */
  attachmentOf(uuid: string): unknown {
    return this.#tasks.size > 0 ? this.#tasks.get(uuid)?.attach : undefined
  }

  /** A task is on disk. */
  added(uuid: string, extras: Extras): void {
    if (this.#events.hasListeners('task.added')) this.#events.emitTask('task.added', uuid)
    this.#keep(uuid, extras)
  }

  /** A task has another definition: what the old one brought along counts for nothing. */
  replaced(uuid: string, extras: Extras): void {
    this.#tasks.get(uuid)?.release()
    this.#tasks.delete(uuid)
    this.#keep(uuid, extras)
  }

  #keep(uuid: string, extras: Extras) {
    const { signal, attach, context } = extras
    if (!signal && attach === undefined && !context) return
    const abort = (fired: AbortSignal) => this.#abortBy(fired, uuid)
    this.#events.awaitEnds() // It may run in another process.
    // It may run all the same: its runner may have begun before it hears of that.
    this.#tasks.set(uuid, new TaskExtra(extras, abort))
    if (signal && read(signal, 'aborted')) abort(signal)
  }

  #abortBy(signal: AbortSignal, uuid: string) {
    this.abort(uuid, 'signal', read(signal, 'reason')).catch(error => {
      if (!this.#bridge.closed) this.#events.fault(error)
    })
  }

  /** Asks the engine to abort a task. */
  abort(uuid: string, cause: 'user' | 'signal', given: unknown): Promise<boolean> {
    this.#events.awaitEnds()
    const isFirst = !this.#reasons.has(uuid)
    if (isFirst) this.#reasons.set(uuid, abortReason(cause, given))
    const forget = () => {
      if (isFirst) this.#reasons.delete(uuid)
    }
    const reason = new JsonText(serialiseReason(cause, given))
    const transform = (isOpen: boolean) => {
      if (!isOpen) forget()
      return isOpen
    }
    return this.#bridge.command({ do: 'abort', uuid, cause, reason }, transform, forget)
  }

  /** Why a task is aborted: the very reason if it was given here, else what was stored. */
  reasonOf(uuid: string, cause: AbortCause, stored: StoredError | null | undefined): Error {
    const isOwn = cause === 'user' || cause === 'signal'
    return (isOwn && this.#reasons.get(uuid)) || storedReason(cause, stored)
  }

  /** A task has ended. */
  release(uuid: string): void {
    if (this.#reasons.size > 0) this.#reasons.delete(uuid)
    if (this.#tasks.size === 0) return
    this.#tasks.get(uuid)?.release()
    this.#tasks.delete(uuid)
  }

  /** Ends of tasks in other processes were not told: asks for those that matter here. */
  recheck(): void {
    const uuids = new Set([...this.#tasks.keys(), ...this.#reasons.keys()])
    for (const uuid of uuids) {
      const release = () => this.release(uuid)
      this.#bridge.command({ do: 'await', uuid }, release).catch(release)
    }
  }

  /** The tasker is closed. */
  forget(): void {
    for (const task of this.#tasks.values()) task.release()
    this.#tasks.clear()
    this.#reasons.clear()
  }
}
