/**
 * Events: who listens, and how listeners are called.
 *
 * Every event goes through `emit` of the tasker. While somebody wraps or overrides that, as tracing
 * libraries do, all events are emitted; else only those that have listeners.
 *
 * # Promises
 * - A listener that throws is the user's uncaught exception and harms neither the engine nor the
 *   other listeners of the event (I-15). One that rejects goes to `error` if someone listens to it,
 *   else it is an uncaught exception too.
 * - An event that nobody listens to costs a look-up and no text.
 *
 * Proof: `__test__/contract/events.test.mjs`, `__test__/contract/listeners.test.mjs`.
 */

import { EventEmitter, errorMonitor } from 'node:events'
import process from 'node:process'
import { nextTick } from './globals'
import { warnOf } from './warnings'

const emitAtImport = EventEmitter.prototype.emit

/** The events of one task, without `task.<uuid>.`. */
const TASK_EVENTS = [
  ...['added', 'add.skipped', 'updated', 'prioritized', 'run', 'log', 'progress', 'retrying'],
  ...['done', 'failed', 'aborted'],
]
const TASK_EVENT = /^task\.(?!add\.skipped$)[^.]+\./

type AnyListener = (...args: unknown[]) => unknown

/** A listener that stands for another. */
type Removable = AnyListener & { listener?: AnyListener }

/** What the engine must confirm because someone listens to it. */
export interface Wants {
  log: boolean
  progress: boolean
  idle: boolean
  drained: boolean
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
  wants: Wants = { log: false, progress: false, idle: false, drained: false }
  /** Whether events of other processes are emitted too. */
  includesRemote = false
  #awaitsEnds = false
  /** Whether an event of ours is on its way, and none of the user's. */
  #isEmitting = false
  #wasWrapped = false

  constructor(emitter: EventEmitter) {
    this.#emitter = emitter
  }

  /** Whether somebody wraps or overrides `emit`, and so hears every event. */
  get #isWrapped(): boolean {
    return this.#emitter.emit !== emitAtImport
  }

  /** Whether anyone hears an event of some task, generally or for one. */
  hasListeners(event: string): boolean {
    return (
      this.#singleTaskListeners > 0 || this.#isWrapped || this.#emitter.listenerCount(event) > 0
    )
  }

  /** Tells a general event. */
  emit(event: string | symbol, ...args: unknown[]): void {
    try {
      this.#emit(event, args)
    } catch (error) {
      throwUncaught(error) // Somebody's own `emit` threw.
    }
  }

  #emit(event: string | symbol, args: unknown[]) {
    this.#isEmitting = true
    try {
      this.#emitter.emit(event, ...args)
    } finally {
      this.#isEmitting = false
    }
  }

  /** Tells an event of a task: the general form, directly after it the form of that task. */
  emitTask(event: `task.${string}`, uuid: string, ...args: unknown[]): void {
    this.emit(event, uuid, ...args)
    if (this.#singleTaskListeners > 0 || this.#isWrapped) {
      this.emit(`task.${uuid}${event.slice(4)}`, ...args)
    }
  }

  /** The last event of a task: its own listeners have nothing more to hear. */
  emitEnded(uuid: string, ...args: unknown[]): void {
    this.emitTask('task.ended', uuid, ...args)
    if (this.#singleTaskListeners === 0) return
    for (const event of [...TASK_EVENTS, 'ended']) this.#drop(`task.${uuid}.${event}`)
  }

  /** No task has an event any more. */
  close(): void {
    if (this.#singleTaskListeners === 0) return
    for (const event of this.#emitter.eventNames()) {
      if (typeof event === 'string' && TASK_EVENT.test(event)) this.#drop(event)
    }
  }

  #drop(event: string) {
    if (this.#emitter.listenerCount(event) > 0) this.#emitter.removeAllListeners(event)
  }

  /** Whether any event of tasks has a listener, or all go through an `emit` of the user's. */
  get isHeard(): boolean {
    return this.#taskListeners > 0 || this.#isWrapped
  }

  /** A fault of the engine: `error` if someone listens to it, else a process warning. */
  fault(error: unknown): void {
    if (this.#emitter.listenerCount('error') > 0) {
      this.emit('error', error)
      return
    }
    try {
      this.#emit(this.#isWrapped ? 'error' : errorMonitor, [error])
    } catch {
      // Without a listener `emit` throws what it was given.
    }
    warnOf(error)
  }

  /** A fault after which a worker does nothing any more: a supervisor must see that it failed. */
  fatal(error: unknown, isStarted: boolean): void {
    if (isStarted && this.#emitter.listenerCount('error') === 0) process.exitCode ??= 1
    this.fault(error)
  }

  /** A listener that is called in such a way that what it throws harms no other. */
  isolated(event: string | symbol, listener: AnyListener): AnyListener {
    const hub = this
    return function (this: unknown, ...args) {
      // What the user emits, also in a listener of ours, behaves as in any emitter.
      if (!hub.#isEmitting) return Reflect.apply(listener, this, args)
      hub.#isEmitting = false
      try {
        const answer = Reflect.apply(listener, this, args)
        if (isThenable(answer)) answer.then(undefined, error => hub.#rejected(event, error))
      } catch (error) {
        throwUncaught(error)
      } finally {
        hub.#isEmitting = true
      }
    }
  }

  /** Listeners of `event` came or went. */
  count(event: unknown, change: number): void {
    if (change === 0 || typeof event !== 'string') return
    if (event === 'idle' || event === 'drained') this.#review()
    if (!event.startsWith('task.')) return
    this.#taskListeners += change
    if (TASK_EVENT.test(event)) this.#singleTaskListeners += change
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

  /** Asks for what somebody's own `emit` hears, if one has come or gone. */
  checkEmit(): void {
    if (this.#isWrapped !== this.#wasWrapped) this.#review()
  }

  #review() {
    this.#wasWrapped = this.#isWrapped
    const isHeard = this.#taskListeners > 0 || this.#wasWrapped
    const ends = this.#awaitsEnds ? 'ends' : undefined
    const remote = this.includesRemote && isHeard ? 'all' : ends
    const hears = (event: string) => this.#wasWrapped || this.#emitter.listenerCount(event) > 0
    const wants: Wants = {
      log: this.#logListeners > 0 || this.#wasWrapped,
      progress: this.#progressListeners > 0 || this.#wasWrapped,
      idle: hears('idle'),
      drained: hears('drained'),
      remote,
    }
    const words = ['log', 'progress', 'idle', 'drained', 'remote'] as const
    if (words.every(word => wants[word] === this.wants[word])) return
    this.wants = wants
    this.onWants?.(wants)
  }

  #rejected(event: string | symbol, error: unknown) {
    if (event !== 'error' && this.#emitter.listenerCount('error') > 0) this.emit('error', error)
    else throwUncaught(error)
  }
}

/** The hub of an emitter. */
export let eventHubOf: (emitter: Emitter) => EventHub

/** An EventEmitter that counts who listens. */
export class Emitter extends EventEmitter {
  readonly #events: EventHub = new EventHub(this)
  readonly #isolated = new WeakMap<AnyListener, AnyListener>()

  static {
    eventHubOf = emitter => emitter.#events
  }

  constructor() {
    super({ captureRejections: true })
    this.setMaxListeners(0) // Many waits on one event are normal.
  }

  // `once` and `prependOnceListener` come through `on` and `prependListener`.
  override on(event: string | symbol, listener: AnyListener): this {
    super.on(event, this.#isolate(event, listener))
    this.#events.count(event, 1)
    return this
  }

  override addListener(event: string | symbol, listener: AnyListener): this {
    return this.on(event, listener)
  }

  override prependListener(event: string | symbol, listener: AnyListener): this {
    super.prependListener(event, this.#isolate(event, listener))
    this.#events.count(event, 1)
    return this
  }

  override removeListener(event: string | symbol, listener: AnyListener): this {
    const before = this.listenerCount(event)
    super.removeListener(event, this.#isolated.get(listener) ?? listener)
    this.#events.count(event, this.listenerCount(event) - before)
    return this
  }

  override off(event: string | symbol, listener: AnyListener): this {
    return this.removeListener(event, listener)
  }

  override removeAllListeners(event?: string | symbol): this {
    // It calls `removeListener` for each, if someone listens to that.
    const counts = event === undefined || this.listenerCount('removeListener') > 0
    const before = counts ? 0 : this.listenerCount(event)
    // Without an argument is another call than with `undefined`.
    if (event === undefined) super.removeAllListeners()
    else super.removeAllListeners(event)
    if (counts) this.#events.recount()
    else this.#events.count(event, -before)
    return this
  }

  /** What is called in place of a listener. Node knows it by `listener`, as it does for `once`. */
  #isolate(event: string | symbol, listener: Removable): AnyListener {
    if (typeof listener !== 'function') return listener // Node says what is wrong with it.
    const isolated: Removable = this.#events.isolated(event, listener)
    isolated.listener = listener.listener ?? listener
    // Node removes what `once` made by itself.
    if (listener.listener) this.#isolated.set(listener, isolated)
    return isolated
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
