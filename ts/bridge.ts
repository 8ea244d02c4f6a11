/**
 * The two streams between this process's JavaScript and the engine: batches of text each way.
 *
 * What one tick sends travels together; what the engine tells is read in one go and passed on.
 * `docs/internals/bridge.md` describes the texts.
 *
 * # Promises
 * - Calls are sent in the order in which they were made, records of a run before its outcome.
 * - Acknowledgements resolve and their continuations run before runners are called, so a listener
 *   attached after `await addTask` sees `task.<uuid>.run`.
 * - A tasker that is garbage-collected unclosed gives its native side back.
 *
 * Proof: `__test__/contract/adding.test.mjs`, `closing.test.mjs`, `keepalive.test.mjs`.
 */

import { AsyncResource } from 'node:async_hooks'
import type { TaskerErrorCode } from '../index'
import { Batch } from './batch'
import { type Bounds, Call, type Deferred, type Transform } from './calls'
import { read, refusal, renewed, spell, TaskerError } from './errors'
import { nextTick, parse, queueMicrotask, setImmediate, stringify } from './globals'
import type { KeepAlive } from './keepalive'
import { type Message, type Messages, messagesIn, unreadable } from './messages'
import { inRootContext, type NativeHandle, native } from './native'
import type { Pacer } from './pacer'
import type { Runs } from './runs'

type Refusal = { code: TaskerErrorCode; message: string }

/** Something that uses a bridge and ends with it, such as an outbox. */
export interface Attachment {
  /** Whether the process must not end yet. */
  readonly isAwaited: boolean
  /** Whether it can be forgotten. */
  readonly isOver: boolean
  closed(reason: unknown): void
}

/** Messages that nobody listens to, between two looks at the clock. */
const QUIET_MESSAGES = 64

const lost = new FinalizationRegistry<() => void>(release => release())

/** One open native handle. */
export class Bridge {
  readonly #native: NativeHandle
  readonly #runs: Runs
  readonly #keep: KeepAlive
  readonly #pacer: Pacer
  readonly #pending = new Map<number, Deferred>()
  readonly #batch: Batch
  readonly #attached = new Set<Attachment>()
  /** Tickets of calls of `close`. */
  readonly #closes = new Set<number>()
  /** Settle calls of `close`, when everything before has been told. */
  #closeAnswers: (() => void)[] = []
  #ticket = 1
  #isOpen = false
  #closed: unknown
  #isShut = false
  #isDrainDue = false
  /** What was fetched, and how much of it has been passed on. */
  #messages: Messages = [false]
  #at = 1

  constructor(options: string, runs: Runs, keep: KeepAlive) {
    const notifier = notifierOf(new WeakRef(this))
    const opened = inRootContext(() => native().open(options, notifier))
    if (typeof opened === 'string') throw refusal(parse(opened))
    this.#native = opened
    this.#batch = new Batch(opened, deferred => this.#issueTicket(deferred))
    this.#runs = runs
    this.#keep = keep
    this.#pacer = runs.pacer
    lost.register(this, releaser(opened, keep), this)
  }

  /** Adds one task. */
  add(definition: string, deferred: Deferred): void {
    this.#batch.add(definition, deferred)
    this.updateKeepAlive()
  }

  /** Adds several tasks. */
  // biome-ignore lint/suspicious/noExplicitAny: the caller knows what the engine answers.
  addMany(definitions: string, transform: Transform): Promise<any> {
    const call = new Call(transform)
    this.#send('addMany', definitions, call)
    return call.promise
  }

  /** Adds tasks by their keys: `[[key, definition], …]`. */
  // biome-ignore lint/suspicious/noExplicitAny: the caller knows what the engine answers.
  addIdempotent(pairs: string, transform: Transform): Promise<any> {
    const call = new Call(transform)
    this.#send('addIdempotent', pairs, call)
    return call.promise
  }

  /** What is wrong with a definition, if anything is. */
  fault(definition: string): TaskerError | undefined {
    const fault = this.#native.check(definition)
    return fault === null ? undefined : refusal(parse(fault))
  }

  /** Ends `one` when the bridge closes. */
  attach(one: Attachment): void {
    for (const other of this.#attached) if (other.isOver) this.#attached.delete(other)
    this.#attached.add(one)
  }

  /** Sends a log line or a progress report. */
  record(text: string): void {
    if (!this.#isShut) this.#batch.record(text)
  }

  /** Sends what became of a run. */
  outcome(text: string): void {
    if (!this.#isShut) this.#batch.outcome(text)
  }

  /** Sends a command. */
  // biome-ignore lint/suspicious/noExplicitAny: the caller knows what the engine answers.
  command(text: string, transform?: Transform, refusedBy?: (error: unknown) => void): Promise<any> {
    const call = new Call(transform, refusedBy)
    this.#send('command', text, call)
    return call.promise
  }

  /** Sends a call that may end early; `stop` is the command or read that withdraws it. */
  // biome-ignore lint/suspicious/noExplicitAny: the caller knows what the engine answers.
  ask(way: Way, text: string, bounds: Bounds, transform?: Transform): Promise<any> {
    const call = new Call(transform)
    const ticket = this.#send(way, text, call)
    if (ticket === 0 || !(bounds.signal || bounds.timeoutMs)) return call.promise
    call.bind(bounds, () => {
      this.#pending.delete(ticket)
      const withdraw = way === 'read' ? 'cancel' : 'cancelAwait'
      if (!this.#isShut) this.#native[way](this.#next(), `{"do":"${withdraw}","ticket":${ticket}}`)
      this.updateKeepAlive()
    })
    return call.promise
  }

  /**
   * Sends the command that closes. While runs are live, other calls go on: those runs may need
   * them. Another close may come meanwhile, to hurry the first.
   */
  close(text: string, transform: Transform, refusedBy: (error: unknown) => void): Promise<void> {
    if (this.#isShut) {
      this.#closed = closedError()
      return Promise.resolve()
    }
    const call = new Call(transform, error => {
      // Another close was faster, or what was to be closed could not even be opened.
      const isClosed = read(Object(error), 'code') === 'TASKER_CLOSED'
      if (isClosed || (this.#isShut && !this.#isOpen)) call.resolve(undefined)
      refusedBy(error)
    })
    this.#closes.add(this.#dispatch('command', text, call))
    return call.promise
  }

  /** Whether it closes, or has closed. */
  get isClosing(): boolean {
    return this.#closes.size > 0 || this.#isShut
  }

  /** Why calls are refused, if they are. */
  get closed(): unknown {
    if (this.#closed || this.#closes.size === 0 || this.#runs.hasLive) return this.#closed
    return closedError()
  }

  /** Throws if calls are refused. */
  check(): void {
    const { closed } = this
    if (closed) throw renewed(closed)
  }

  /** Throws if calls are refused, or will be. */
  checkOpen(): void {
    if (this.isClosing) throw renewed(this.#closed ?? closedError())
  }

  /** Whether the native side is gone: nothing that comes now may reach user code. */
  get isShut(): boolean {
    return this.#isShut
  }

  /** Keeps the process alive as long as there is something to wait for. */
  updateKeepAlive(): void {
    const isAwaited = this.#pending.size + this.#batch.adds > 0 || this.#isAwaitedElsewhere()
    this.#keep.set(this, isAwaited || this.#runs.isBusy)
  }

  #isAwaitedElsewhere(): boolean {
    for (const one of this.#attached) if (one.isAwaited) return true
    return false
  }

  #send(way: Way | 'addMany' | 'addIdempotent', text: string, deferred: Deferred): number {
    const { closed } = this
    if (!closed) return this.#dispatch(way, text, deferred)
    deferred.refused(renewed(closed))
    return 0
  }

  #dispatch(way: Way | 'addMany' | 'addIdempotent', text: string, deferred: Deferred): number {
    this.#batch.flush()
    const ticket = this.#issueTicket(deferred)
    this.#native[way](ticket, text)
    this.updateKeepAlive()
    return ticket
  }

  #next(): number {
    return this.#ticket++
  }

  #issueTicket(deferred: Deferred): number {
    const ticket = this.#next()
    this.#pending.set(ticket, deferred)
    return ticket
  }

  /** The engine has messages. */
  notified(): void {
    if (this.#isDrainDue) return
    this.#pacer.begin()
    // The callback has one async context for good: what a listener enters must not stay in it.
    if (this.#pacer.isUsedUp) this.#drainLater()
    else new AsyncResource('TASKER').runInAsyncScope(() => this.#drain())
  }

  #drainLater() {
    if (this.#isDrainDue) return
    this.#isDrainDue = true
    inRootContext(() =>
      setImmediate(() => {
        this.#isDrainDue = false
        this.#drain()
      }),
    )
  }

  /** Passes on what the engine tells: one portion, and only for its share of this turn. */
  #drain() {
    if (this.#isShut) return
    // Who was told of a notification while a part was left over fetches afterwards.
    const isFetched = this.#at >= this.#messages.length
    if (isFetched) this.#fetch()
    this.#runs.checkEmit()
    this.#deliver()
    if (this.#at < this.#messages.length || this.#messages[0] || !isFetched) this.#drainLater()
    else {
      this.#runs.delivered()
      this.#finishClose()
    }
    this.#pacer.look()
    this.updateKeepAlive()
  }

  #fetch() {
    this.#messages = [false]
    this.#at = 1
    try {
      this.#messages = messagesIn(this.#native.drain())
    } catch (error) {
      // What was told is lost, and with it what calls wait for: none may be left to wait for ever.
      const message = `the engine's messages were lost: ${spell(error)}`
      this.#failed({ code: 'TASKER_BUG', message })
    }
  }

  #deliver() {
    const starts: Message[] = []
    let isAnswered = false
    while (this.#at < this.#messages.length) {
      const message = this.#messages[this.#at++] as Message
      const [kind] = message
      isAnswered ||= kind === 'a' || kind === 'n'
      if (kind === 'r' || kind === 'x') starts.push(message)
      else this.#pass(message, starts)
      // Without listeners a message takes less than a look at the clock.
      const isLook = this.#runs.isHeard || this.#at % QUIET_MESSAGES === 0
      if (isLook && this.#pacer.isUsedUp) break
    }
    if (starts.length === 0) return
    if (!isAnswered) this.#runs.begin(starts)
    else queueMicrotask(() => nextTick(() => this.#runs.begin(starts)))
  }

  /** Passes one message on; what goes wrong with it concerns no other. */
  #pass(message: Message, starts: Message[]) {
    try {
      this.#passed(message, starts)
    } catch (error) {
      this.#runs.fault(error)
    }
  }

  #passed(message: Message, starts: Message[]) {
    switch (message[0]) {
      case 'a':
      case 'n':
        return this.#answer(message)
      case 's':
        // A run that a stop took back before its runner was called is not called at all.
        if (!this.#runs.over(message, this.#messages)) withdraw(starts, message[1])
        return
      case 'e':
        return this.#runs.ended(message)
      case 'l':
      case 'p':
        return this.#runs.confirm(message)
      case 'w':
        return this.#runs.warn(message)
      case 'o':
        return this.#runs.remoteEvent(message)
      case 'h':
        this.command('{"do":"ack"}').catch(() => {})
        return
      case 'z':
        return this.#failed(message[2] as Refusal | undefined)
      case 'unreadable':
        this.outcome(`[${message[1]},2,${stringify(unreadable)}]`)
    }
  }

  #answer([kind, ticket, value]: Message) {
    const deferred = this.#pending.get(ticket as number)
    if (!deferred) return
    this.#pending.delete(ticket as number)
    const error = kind === 'n' ? refusal(value as Refusal) : undefined
    this.#isOpen ||= !error
    const settle = () => {
      try {
        if (error) deferred.refused(error)
        else deferred.answered(value)
      } catch (fault) {
        deferred.reject(fault)
      }
    }
    if (!this.#closes.has(ticket)) settle()
    else if (error?.code !== 'TASKER_INVALID') this.#closeAnswers.push(settle)
    else {
      // A wrong option closes nothing.
      this.#closes.delete(ticket)
      settle()
    }
  }

  /** Everything is released, and told: the calls of `close` settle last. */
  #finishClose() {
    if (this.#closeAnswers.length === 0) return
    const settles = this.#closeAnswers
    this.#closeAnswers = []
    this.#shut(closedError())
    for (const settle of settles) settle()
  }

  /** The engine closed by itself: what it had opened is closed, what it could not open stays so. */
  #failed(fault: Refusal | undefined) {
    if (this.#isShut || this.#closeAnswers.length > 0) return
    const error = fault ? refusal(fault) : closedError()
    this.#closed = this.#isOpen ? closedError(error) : error
    const { isStarted } = this.#runs
    this.#runs.lost()
    this.#shut(this.#closed, error)
    if (fault && this.#isOpen) this.#runs.fatal(error, isStarted)
  }

  /** Later calls are refused with `reason`; what is owed now, with what befell it. */
  #shut(reason: unknown, fault = reason) {
    if (this.#isShut) return
    this.#isShut = true
    this.#closed = reason
    const deferred = [...this.#pending.values(), ...this.#batch.drop()]
    this.#pending.clear()
    lost.unregister(this)
    this.#pacer.end()
    release(this.#native, this.#keep, this)
    for (const one of deferred) one.refused(renewed(fault))
    for (const one of this.#attached) one.closed(reason)
    this.#attached.clear()
    this.#runs.forget()
  }
}

type Way = 'command' | 'read'

/** Takes the start of a run away. */
function withdraw(starts: Message[], slot: unknown) {
  const at = starts.findIndex(([kind, other]) => kind === 'r' && other === slot)
  if (at >= 0) starts.splice(at, 1)
}

// These two outlive the bridge. A closure made in its constructor would hold it.
const notifierOf = (bridge: WeakRef<Bridge>) => () => bridge.deref()?.notified()
const releaser = (handle: NativeHandle, keep: KeepAlive) => () => release(handle, keep)

function release(handle: NativeHandle, keep: KeepAlive, owner?: object) {
  keep.end(owner)
  handle.shutdown()
}

const closedError = (cause?: unknown) =>
  new TaskerError(
    'TASKER_CLOSED',
    'The tasker is closed; open a new one.',
    cause === undefined ? {} : { cause },
  )
