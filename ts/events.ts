/**
 * Events: who listens, and how listeners are called.
 *
 * # Promises
 * - A listener that throws is the user's uncaught exception and harms neither the engine nor the
 *   other listeners of the event (I-15). One that rejects goes to `error` if someone listens to it,
 *   else it is an uncaught exception too.
 * - An event that nobody listens to costs a look-up and no text.
 *
 * Proof: `__test__/contract/events.test.mjs`, `__test__/contract/listeners.test.mjs`.
 */

import { EventEmitter } from 'node:events'
import { nextTick } from './globals'
import { warnOf } from './warnings'

type AnyListener = (...args: unknown[]) => unknown

/** What the engine must confirm because someone listens to it. */
export interface Wants {
  log: boolean
  progress: boolean
  /** Which events of other processes it must send. */
  remote?: 'ends' | 'all' | undefined
}

/** Calls the listeners of one emitter and knows whether there are any. */
export class EventHub {
  readonly #emitter: EventEmitter
  #singleTaskListeners = 0
  #taskListeners = 0
  #logListeners = 0
  #progressListeners = 0
  /** Called when `wants` changes. */
  onWants: ((wants: Wants) => void) | undefined
  wants: Wants = { log: false, progress: false }
  /** Whether events of other processes are emitted too. */
  includesRemote = false
  #awaitsEnds = false

  constructor(emitter: EventEmitter) {
    this.#emitter = emitter
  }

  /** Whether anyone listens to an event of some task, generally or for one. */
  hasListeners(event: string): boolean {
    return this.#singleTaskListeners > 0 || this.#emitter.listenerCount(event) > 0
  }

  /** Tells a general event. */
  emit(event: string, ...args: unknown[]): void {
    for (const listener of this.#emitter.rawListeners(event) as AnyListener[]) {
      try {
        const answer = Reflect.apply(listener, this.#emitter, args)
        if (isThenable(answer)) answer.then(undefined, error => this.#rejected(event, error))
      } catch (error) {
        throwUncaught(error)
      }
    }
  }

  /** Tells an event of a task: the general form, directly after it the form of that task. */
  emitTask(event: `task.${string}`, uuid: string, ...args: unknown[]): void {
    this.emit(event, uuid, ...args)
    if (this.#singleTaskListeners > 0) this.emit(`task.${uuid}${event.slice(4)}`, ...args)
  }

  /** A fault of the engine: `error` if someone listens to it, else a process warning. */
  fault(error: unknown): void {
    if (this.#emitter.listenerCount('error') > 0) this.emit('error', error)
    else warnOf(error)
  }

  /** Listeners of `event` came or went. */
  count(event: unknown, change: number): void {
    if (change === 0 || typeof event !== 'string' || !event.startsWith('task.')) return
    this.#taskListeners += change
    if (event.indexOf('.', 5) > 0) this.#singleTaskListeners += change
    if (event.endsWith('.log')) this.#logListeners += change
    if (event.endsWith('.progress')) this.#progressListeners += change
    this.#review()
  }

  /** Counts anew. */
  recount(): void {
    this.#singleTaskListeners = 0
    this.#taskListeners = 0
    this.#logListeners = 0
    this.#progressListeners = 0
    for (const event of this.#emitter.eventNames()) {
      this.count(event, this.#emitter.listenerCount(event))
    }
    this.#review()
  }

  /** From now on ends of tasks in other processes must be known here. */
  awaitEnds(): void {
    if (this.#awaitsEnds) return
    this.#awaitsEnds = true
    this.#review()
  }

  #review() {
    const ends = this.#awaitsEnds ? 'ends' : undefined
    const remote = this.includesRemote && this.#taskListeners > 0 ? 'all' : ends
    const wants: Wants = {
      log: this.#logListeners > 0,
      progress: this.#progressListeners > 0,
      remote,
    }
    const { log, progress, remote: before } = this.wants
    if (wants.log === log && wants.progress === progress && remote === before) return
    this.wants = wants
    this.onWants?.(wants)
  }

  #rejected(event: string, error: unknown) {
    if (event !== 'error' && this.#emitter.listenerCount('error') > 0) this.emit('error', error)
    else throwUncaught(error)
  }
}

/** The hub of an emitter. */
export let eventHubOf: (emitter: Emitter) => EventHub

/** An EventEmitter that counts who listens. */
export class Emitter extends EventEmitter {
  readonly #events: EventHub = new EventHub(this)

  static {
    eventHubOf = emitter => emitter.#events
  }

  constructor() {
    super({ captureRejections: true })
    this.setMaxListeners(0) // Many waits on one event are normal.
  }

  // `once` and `prependOnceListener` come through `on` and `prependListener`.
  override on(event: string | symbol, listener: AnyListener): this {
    super.on(event, listener)
    this.#events.count(event, 1)
    return this
  }

  override addListener(event: string | symbol, listener: AnyListener): this {
    return this.on(event, listener)
  }

  override prependListener(event: string | symbol, listener: AnyListener): this {
    super.prependListener(event, listener)
    this.#events.count(event, 1)
    return this
  }

  override removeListener(event: string | symbol, listener: AnyListener): this {
    const before = this.listenerCount(event)
    super.removeListener(event, listener)
    this.#events.count(event, this.listenerCount(event) - before)
    return this
  }

  override off(event: string | symbol, listener: AnyListener): this {
    return this.removeListener(event, listener)
  }

  override removeAllListeners(event?: string | symbol): this {
    // Without an argument is another call than with `undefined`.
    if (event === undefined) super.removeAllListeners()
    else super.removeAllListeners(event)
    this.#events.recount()
    return this
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

/** Hands an error of user code to the user: as an uncaught exception, when this turn is over. */
export function throwUncaught(error: unknown): void {
  nextTick(rethrow, error)
}

function rethrow(error: unknown) {
  throw error
}
