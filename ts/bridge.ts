/**
 * What this process asks of the engine: batches of text, and a promise for each call.
 *
 * What one tick sends travels together. `delivery.ts` passes on what comes back;
 * `docs/internals/bridge.md` describes the texts.
 *
 * # Promises
 * - Calls are sent in the order in which they were made, records of a run before its outcome.
 * - A tasker that is garbage-collected unclosed gives its native side back.
 *
 * Proof: `__test__/contract/adding.test.mjs`, `closing.test.mjs`, `keepalive.test.mjs`.
 */

import { Batch } from './batch'
import { type Bounds, Call, type Deferred } from './calls'
import { type Answers, type Command, commandText, type ReadCommand } from './commands'
import { read, refusal, renewed, TaskerError } from './errors'
import { parse } from './globals'
import type { KeepAlive } from './keepalive'
import type { Added, MountAnswer, Refusal } from './messages'
import { inRootContext, type NativeHandle } from './native'
import { currentWorld, type World } from './world'

/** Something that uses a bridge and ends with it: the runs of this process, an outbox. */
export interface Attachment {
  /** Whether the process must not end yet. */
  readonly isAwaited: boolean
  /** Whether it can be forgotten. */
  readonly isOver: boolean
  /** Whether runs are under way: while the bridge closes they may need other calls. */
  readonly hasLive?: boolean
  /** The bridge has closed for this reason; by a fault of the engine, if there is one. */
  closed(reason: unknown, fault: TaskerError | undefined): void
}

/** A server that listens. */
export interface Listening {
  readonly number: number
  readonly port: number
  readonly url: string
  readonly token?: string
}

/** What the engine says when it is quiet. */
export interface Quiet {
  /** The number of the last commit. */
  number: number
  /** When something is due next, in milliseconds since 1970. */
  next: number | undefined
  /** How many moments time went by meanwhile. */
  moments: number
  /** Whether anything was told since it was quiet before. */
  hasTold: boolean
}

const lost = new FinalizationRegistry<() => void>(release => release())

/** One open native handle. */
export class Bridge {
  readonly world: World = currentWorld()
  readonly #native: NativeHandle
  readonly #keep: KeepAlive
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
  /** Called when the engine has messages. */
  onMessages: (() => void) | undefined

  constructor(options: string, keep: KeepAlive) {
    const notifier = notifierOf(new WeakRef(this))
    const opened = inRootContext(() => this.world.open(options, notifier))
    if (typeof opened === 'string') throw refusal(parse(opened))
    this.#native = opened
    this.#batch = new Batch(opened, deferred => this.#issueTicket(deferred))
    this.#keep = keep
    lost.register(this, releaser(opened, keep), this)
  }

  /** Adds one task. */
  add(definition: string, deferred: Deferred): void {
    this.#batch.add(definition, deferred)
    this.updateKeepAlive()
  }

  /** Adds several tasks. */
  addMany<Value>(
    definitions: string,
    transform: (answers: (string | Added)[]) => Value,
    refusedBy: (error: unknown) => void,
  ): Promise<Value> {
    const call = new Call(transform, refusedBy)
    this.#send('addMany', definitions, call)
    return call.promise
  }

  /** Adds tasks by their keys: `[[key, ms, definition], …]`; a delay counts from `ms`. */
  addIdempotent<Value>(rows: string, transform: (tasks: Added[]) => Value): Promise<Value> {
    const call = new Call(transform)
    this.#send('addIdempotent', rows, call)
    return call.promise
  }

  /** What is wrong with a definition of an outbox, if anything is. */
  fault(definition: string): TaskerError | undefined {
    const fault = this.#native.check(definition)
    return fault === null ? undefined : refusal(parse(fault))
  }

  /** Throws if something is wrong with the options of an operation, or of its batches. */
  checkOperationOptions(options: string, batch: string | undefined): void {
    const fault = this.#native.checkOperationOptions(options, batch)
    if (fault !== null) throw refusal(parse(fault))
  }

  /** Ends `one` when the bridge closes. */
  attach(one: Attachment): void {
    for (const other of this.#attached) if (other.isOver) this.#attached.delete(other)
    this.#attached.add(one)
  }

  /** Sends a log line or a progress report. */
  record(line: string): void {
    if (!this.#isShut) this.#batch.record(line)
  }

  /** Sends what became of a run. */
  outcome(line: string): void {
    if (!this.#isShut) this.#batch.outcome(line)
  }

  /** Sends a command. */
  command<Do extends Command['do'], Value = Answers[Do]>(
    command: Command & { do: Do },
    transform?: (answer: Answers[Do]) => Value,
    refusedBy?: (error: unknown) => void,
  ): Promise<Value> {
    const call = new Call(transform, refusedBy)
    call.isWait = command.do === 'stop'
    this.#send('command', commandText(command), call)
    return call.promise
  }

  /** Sends a command that nobody waits for. It cannot be wrong, so a refusal needs no hearer. */
  tell(command: Command): void {
    if (!this.closed) this.command(command).catch(() => {})
  }

  /**
   * Waits until the engine has nothing to do before time goes by. Of a test without other taskers
   * time may go by until then; an event stops it, unless nobody listens.
   */
  quiet(until: number | undefined, momentsMax: number, isUnheard: boolean): Promise<Quiet> {
    const call = new Call(quietOf)
    call.isWait = true
    this.#batch.flush()
    this.#native.quiet(this.#issueTicket(call), until, momentsMax, isUnheard)
    this.updateKeepAlive()
    return call.promise
  }

  /** Opens a server of HTTP. */
  listen<Value>(options: string, transform: (listening: Listening) => Value): Promise<Value> {
    const call = new Call(transform)
    this.#send('listen', options, call)
    return call.promise
  }

  /** Closes a server; resolves when nothing is left of it. */
  unlisten(server: number): Promise<void> {
    const call = new Call(() => undefined)
    if (this.#isShut) call.resolve(undefined)
    else this.#dispatch('unlisten', String(server), call)
    return call.promise
  }

  /** Requests may come through servers of the user's. */
  mount(): void {
    const fault = this.#native.mount()
    if (fault !== null) throw refusal(parse(fault))
  }

  /** Begins to answer one; without a body it is fed. Throws if such an access is not known. */
  ask(
    head: string,
    access: string | undefined,
    body: Uint8Array | undefined,
  ): { ticket: number; answer: Promise<MountAnswer | undefined> } {
    const call = new Call()
    call.isWait = true
    this.#batch.flush()
    const ticket = this.#issueTicket(call)
    const fault = this.#native.ask(ticket, head, access, body)
    if (fault !== null) {
      this.#pending.delete(ticket)
      throw refusal(parse(fault))
    }
    this.updateKeepAlive()
    return { ticket, answer: call.promise }
  }

  /** The next part of its body, empty at the end, none if it broke off; whether more is wanted. */
  feed(ticket: number, part: Uint8Array | undefined): boolean {
    return !this.#isShut && this.#native.feed(ticket, part)
  }

  /** Who sent it has gone: it is answered with nothing. */
  forget(ticket: number): void {
    this.#taken(ticket)?.resolve(undefined)
    if (!this.#isShut) this.#native.forget(ticket)
    this.updateKeepAlive()
  }

  /** Answers those that are under way, and refuses others; resolves when that is over. */
  unmount(): Promise<void> {
    const call = new Call(() => undefined)
    if (this.#isShut) call.resolve(undefined)
    else this.#native.unmount(this.#issueTicket(call))
    this.updateKeepAlive()
    return call.promise
  }

  /** The event loop goes round. */
  beat(): void {
    if (!this.#isShut) this.#native.beat()
  }

  /** What is known of this process beside the engine: `json`, or a text of metrics. */
  processMetrics(format: string): string {
    return this.#native.processMetrics(format)
  }

  /** Whether a call has been made that is still to be carried out. */
  get isOwing(): boolean {
    if (this.#batch.adds > 0) return true
    for (const deferred of this.#pending.values()) if (!deferred.isWait) return true
    return false
  }

  /** Waits for the end of a task, within bounds. */
  await<Value>(
    uuid: string,
    bounds: Bounds,
    transform: (end: Answers['await']) => Value,
  ): Promise<Value> {
    const call = new Call(transform)
    call.isWait = true
    const ticket = this.#send('command', commandText({ do: 'await', uuid }), call)
    const withdraw = () => this.#withdraw('command', { do: 'cancelAwait', ticket })
    const wait = this.#bounded(call, ticket, bounds, withdraw)
    this.world.waits(uuid, wait)
    return wait
  }

  /** Waits until no run is live here and nothing can start, within bounds. */
  idle(bounds: Bounds): Promise<void> {
    const call = new Call(() => undefined)
    call.isWait = true
    const ticket = this.#send('command', commandText({ do: 'awaitIdle' }), call)
    const withdraw = () => this.#withdraw('command', { do: 'cancelAwait', ticket })
    return this.#bounded(call, ticket, bounds, withdraw)
  }

  /** Waits for news of the logs of a task. Its first wait, which ends at once, names a listener. */
  awaitLogs(
    uuid: string,
    listener: number | undefined,
    bounds: Bounds,
  ): { ticket: number; heard: Promise<null> } {
    const call = new Call()
    call.isWait = true
    const ticket = this.#send('command', commandText({ do: 'awaitLogs', uuid, listener }), call)
    return { ticket, heard: this.#bounded(call, ticket, bounds, () => {}) }
  }

  /** A listener to logs has gone. */
  cancelAwait(ticket: number): void {
    if (!this.#isShut) this.#withdraw('command', { do: 'cancelAwait', ticket })
  }

  /** Begins a watch, which its ticket names. */
  beginWatch(
    command: ReadCommand & { do: 'watch' },
    bounds: Bounds,
  ): { ticket: number; done: Promise<null> } {
    const call = new Call()
    const ticket = this.#send('read', commandText(command), call)
    return { ticket, done: this.#bounded(call, ticket, bounds, () => {}) }
  }

  /** Nobody watches any more. */
  endWatch(watch: number): void {
    if (!this.#isShut) this.#withdraw('read', { do: 'unwatch', watch })
  }

  /** Reads, within bounds. */
  read<Do extends ReadCommand['do'], Value = Answers[Do]>(
    command: ReadCommand & { do: Do },
    bounds: Bounds,
    transform?: (answer: Answers[Do]) => Value,
  ): Promise<Value> {
    const call = new Call(transform)
    call.isWait = command.do === 'changes'
    const ticket = this.#send('read', commandText(command), call)
    const withdraw = () => this.#withdraw('read', { do: 'cancel', ticket })
    return this.#bounded(call, ticket, bounds, withdraw)
  }

  // biome-ignore lint/suspicious/noExplicitAny: the caller knows what the engine answers.
  #bounded(call: Call, ticket: number, bounds: Bounds, withdraw: () => void): Promise<any> {
    if (ticket === 0 || !(bounds.signal || bounds.timeoutMs)) return call.promise
    call.bind(bounds, () => {
      this.#pending.delete(ticket)
      if (!this.#isShut) withdraw()
      this.updateKeepAlive()
    })
    return call.promise
  }

  /** Nobody waits for the answer to this. */
  #withdraw(way: 'command' | 'read', command: Command | ReadCommand) {
    this.#native[way](this.#next(), commandText(command))
  }

  /**
   * Sends the command that closes. While runs are live, other calls go on: those runs may need
   * them. Another close may come meanwhile, to hurry the first.
   */
  close(
    command: Command & { do: 'close' },
    transform: () => void,
    refusedBy: (error: unknown) => void,
  ): Promise<void> {
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
    call.isWait = true
    this.#closes.add(this.#dispatch('command', commandText(command), call))
    return call.promise
  }

  /** Whether it closes, or has closed. */
  get isClosing(): boolean {
    return this.#closes.size > 0 || this.#isShut
  }

  /** Why calls are refused, if they are. */
  get closed(): unknown {
    if (this.#closed || this.#closes.size === 0) return this.#closed
    for (const one of this.#attached) if (one.hasLive) return undefined
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
    if (this.#isShut) return
    const isOwing = this.#pending.size + this.#batch.adds > 0
    this.#keep.set(this, isOwing || this.#isAwaitedElsewhere())
  }

  #isAwaitedElsewhere(): boolean {
    for (const one of this.#attached) if (one.isAwaited) return true
    return false
  }

  #send(way: Way, text: string, deferred: Deferred): number {
    const { closed } = this
    if (!closed) return this.#dispatch(way, text, deferred)
    deferred.refused(renewed(closed))
    return 0
  }

  #dispatch(way: Way, text: string, deferred: Deferred): number {
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

  /** The text of the messages that wait. */
  drain(): string {
    return this.#native.drain()
  }

  /** The engine has answered a call. */
  answered(ticket: number, value: unknown): void {
    const deferred = this.#taken(ticket)
    if (!deferred) return
    this.#isOpen = true
    const settle = () => settled(deferred, () => deferred.answered(value))
    if (this.#closes.has(ticket)) this.#closeAnswers.push(settle)
    else settle()
  }

  /** The engine has refused a call. */
  refused(ticket: number, given: Refusal): void {
    const deferred = this.#taken(ticket)
    if (!deferred) return
    const error = refusal(given)
    const settle = () => settled(deferred, () => deferred.refused(error))
    const isOfClose = this.#closes.has(ticket)
    if (isOfClose && error.code !== 'TASKER_INVALID') {
      this.#closeAnswers.push(settle)
      return
    }
    // A wrong option closes nothing.
    if (isOfClose) this.#closes.delete(ticket)
    settle()
  }

  #taken(ticket: number): Deferred | undefined {
    const deferred = this.#pending.get(ticket)
    if (deferred) this.#pending.delete(ticket)
    return deferred
  }

  /** All has been told. If everything is released, the calls of `close` settle last. */
  delivered(): void {
    if (this.#closeAnswers.length === 0) return
    const settles = this.#closeAnswers
    this.#closeAnswers = []
    this.#shut(closedError())
    for (const settle of settles) settle()
  }

  /** The engine closed by itself: what it had opened is closed, what it could not open stays so. */
  failed(fault: Refusal | undefined): void {
    if (this.#isShut || this.#closeAnswers.length > 0) return
    const error = fault ? refusal(fault) : closedError()
    const isFault = fault !== undefined && this.#isOpen
    this.#shut(this.#isOpen ? closedError(error) : error, error, isFault ? error : undefined)
  }

  /** Ends at once, as if the process had died: nothing more is written, nothing more is told. */
  kill(): void {
    this.#shut(closedError())
  }

  /** Later calls are refused with `reason`; what is owed now, with what befell it. */
  #shut(reason: unknown, befell = reason, fault?: TaskerError) {
    if (this.#isShut) return
    this.#isShut = true
    this.#closed = reason
    const deferred = [...this.#pending.values(), ...this.#batch.drop()]
    this.#pending.clear()
    lost.unregister(this)
    release(this.#native, this.#keep, this)
    for (const one of this.#attached) one.closed(reason, fault)
    this.#attached.clear()
    for (const one of deferred) one.refused(renewed(befell))
  }
}

type Way = 'command' | 'read' | 'addMany' | 'addIdempotent' | 'listen' | 'unlisten'

/** Settles a promise, and rejects it if that throws. */
function settled(deferred: Deferred, settle: () => void) {
  try {
    settle()
  } catch (fault) {
    deferred.reject(fault)
  }
}

// These two outlive the bridge. A closure made in its constructor would hold it.
const notifierOf = (bridge: WeakRef<Bridge>) => () => bridge.deref()?.onMessages?.()
const releaser = (handle: NativeHandle, keep: KeepAlive) => () => release(handle, keep)

function release(handle: NativeHandle, keep: KeepAlive, owner?: object) {
  keep.end(owner)
  handle.shutdown()
}

/** The same as it crosses. */
type QuietJson = [number: number, next: number | null, moments: number, hasTold: boolean]

const quietOf = ([number, next, moments, hasTold]: QuietJson): Quiet => ({
  number,
  next: next ?? undefined,
  moments,
  hasTold,
})

const closedError = (cause?: unknown) =>
  new TaskerError(
    'TASKER_CLOSED',
    'The tasker is closed; open a new one.',
    cause === undefined ? {} : { cause },
  )
