/**
 * What this process keeps for its tasks beside the store: signals, async contexts and reasons of
 * aborts.
 *
 * All of it is given back when the task ends or the tasker closes.
 *
 * # Promises
 * - The reason of an abort stays the same object within this process.
 *
 * Proof: `__test__/contract/aborting.test.mjs`, `context.test.mjs`.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import type { AbortCause } from '../index'
import { abortReason, serialiseReason, storedReason } from './aborts'
import { Owed } from './calls'
import type { Voice } from './emit'
import { read } from './errors'
import { type Abortable, hook, unhook } from './signals'
import type { StoredError } from './stored'
import type { Wire } from './wire'

/** Calls a function in an async context that was captured before. */
export type Snapshot = ReturnType<typeof AsyncLocalStorage.snapshot>

/** What an `addTask` brings along that is not stored. */
export interface Extras {
  readonly signal: AbortSignal | undefined
  readonly context: Snapshot | undefined
}

/** The promise of one `addTask`. */
export class Adding extends Owed implements Extras {
  readonly signal: AbortSignal | undefined
  readonly context: Snapshot | undefined
  readonly #kept: Kept

  constructor(kept: Kept, signal: AbortSignal | undefined) {
    super()
    this.#kept = kept
    this.signal = signal
    this.context = kept.snapshot()
  }

  override answered(uuid: unknown): void {
    this.#kept.added(uuid as string, this)
    this.resolve(uuid)
  }
}

/** A task that hangs on a signal or has a context. */
class KeptTask implements Abortable {
  readonly context: Snapshot | undefined
  readonly #signal: AbortSignal | undefined
  readonly #abort: (signal: AbortSignal) => void

  constructor({ signal, context }: Extras, abort: (signal: AbortSignal) => void) {
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

/** What is kept, by the uuid of its task. */
export class Kept {
  readonly #voice: Voice
  readonly #capturesContext: boolean
  readonly #tasks = new Map<string, KeptTask>()
  readonly #reasons = new Map<string, Error>()
  #wire!: Wire

  constructor(voice: Voice, capturesContext: boolean) {
    this.#voice = voice
    this.#capturesContext = capturesContext
  }

  /** The wire is made later, for it passes on what is kept here. */
  attach(wire: Wire): void {
    this.#wire = wire
  }

  /** The async context of the caller, if runners want it. */
  snapshot(): Snapshot | undefined {
    return this.#capturesContext ? AsyncLocalStorage.snapshot() : undefined
  }

  /** The async context of the `addTask` of a task. */
  contextOf(uuid: string): Snapshot | undefined {
    return this.#tasks.size > 0 ? this.#tasks.get(uuid)?.context : undefined
  }

  /** A task is on disk. */
  added(uuid: string, extras: Extras): void {
    if (this.#voice.hears('task.added')) this.#voice.tellTask('task.added', uuid)
    const { signal, context } = extras
    if (!signal && !context) return
    const abort = (fired: AbortSignal) => this.#abortBy(fired, uuid)
    this.#voice.awaitEnds() // It may run in another process.
    if (signal && read(signal, 'aborted')) abort(signal)
    else this.#tasks.set(uuid, new KeptTask(extras, abort))
  }

  #abortBy(signal: AbortSignal, uuid: string) {
    this.abort(uuid, 'signal', read(signal, 'reason')).catch(error => {
      if (!this.#wire.closed) this.#voice.fault(error)
    })
  }

  /** Asks the engine to abort a task. */
  abort(uuid: string, cause: 'user' | 'signal', given: unknown): Promise<boolean> {
    this.#voice.awaitEnds()
    const isFirst = !this.#reasons.has(uuid)
    if (isFirst) this.#reasons.set(uuid, abortReason(cause, given))
    const forget = () => {
      if (isFirst) this.#reasons.delete(uuid)
    }
    const reason = serialiseReason(given)
    const text = `{"do":"abort","uuid":"${uuid}","cause":"${cause}","reason":${reason}}`
    const digest = (isOpen: boolean) => {
      if (!isOpen) forget()
      return isOpen
    }
    return this.#wire.command(text, digest, forget)
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
      this.#wire.command(`{"do":"watch","uuid":"${uuid}"}`, release).catch(release)
    }
  }

  /** The tasker is closed. */
  forget(): void {
    for (const task of this.#tasks.values()) task.release()
    this.#tasks.clear()
    this.#reasons.clear()
  }
}
