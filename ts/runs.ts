/**
 * The runs of this process: calls runners, tells events, hands over what ended a task.
 *
 * Whether a run ends as done, failed or aborted is the engine's word; here it is carried out.
 *
 * # Promises
 * - Events tell what is on disk, per task in the order added, run, log …, done / failed / aborted,
 *   ended (I-11).
 * - What events tell of a result is what a reader of the store gets, never the runner's own object.
 * - The error of a runner and the reason of an abort stay the same object within this process.
 * - A runner has the async context of its `addTask`, if that is captured, or else none.
 *
 * Proof: `__test__/contract/events.test.mjs`, `context.test.mjs`, `running.test.mjs`,
 * `aborting.test.mjs`.
 */

import type { AbortCause, EndStatus } from '../index'
import { abortError, abortReason, storedReason } from './aborts'
import type { Voice, Wants } from './emit'
import { TaskerError, unwritable } from './errors'
import { Kept } from './kept'
import { root } from './native'
import { TASK_CHARS_MAX } from './options'
import { Context, Run, type Sink, type StartMessage } from './run'
import { rebuild, type StoredError, serialise } from './stored'
import { Thrown } from './thrown'
import type { Wire } from './wire'

/** One message of the engine; its first element says which. */
// biome-ignore lint/suspicious/noExplicitAny: each kind of message has its own members.
export type Message = [kind: string, ...rest: any[]]

/** A function that carries out tasks. */
export type AnyRunner = (context: Context) => unknown

/** The runs of one tasker. */
export class Runs implements Sink {
  readonly level: number
  readonly kept: Kept
  /** Whether runners are attached, or being detached. */
  isStarted = false
  readonly #voice: Voice
  readonly #live = new Map<number, Run>()
  readonly #runners = new Map<string, AnyRunner>()
  /** Runners that were taken away: a run that had begun before may still ask for one. */
  readonly #retired = new Map<string, AnyRunner>()
  readonly #thrown = new Thrown()
  #wire!: Wire

  constructor(voice: Voice, level: number, capturesContext: boolean) {
    this.#voice = voice
    this.level = level
    this.kept = new Kept(voice, capturesContext)
  }

  /** The wire is made after the runs, for it passes messages on to them. */
  attach(wire: Wire): void {
    this.#wire = wire
    this.kept.attach(wire)
  }

  get wants(): Wants {
    return this.#voice.wants
  }

  /** Whether there is something to wait for. */
  get isBusy(): boolean {
    return this.isStarted || this.#live.size > 0
  }

  record(text: string): void {
    this.#wire.record(text)
  }

  fault(error: unknown): void {
    this.#voice.fault(error)
  }

  has(operation: string): boolean {
    return this.#runners.has(operation)
  }

  assign(operation: string, runner: AnyRunner): void {
    this.#runners.set(operation, runner)
    this.#retired.delete(operation)
  }

  unassign(operation: string): void {
    const runner = this.#runners.get(operation)
    if (runner) this.#retired.set(operation, runner)
    this.#runners.delete(operation)
  }

  /**
   * Calls runners and fires signals, in order. Each has a tick of its own, so that a context which
   * one enters (`AsyncLocalStorage.enterWith`) is not that of the next.
   */
  begin(messages: Message[]): void {
    for (const message of messages) {
      if (message[0] === 'r') this.#start(message as unknown as StartMessage)
      else root(() => process.nextTick(this.#signal, message))
    }
    this.#wire.keep()
  }

  #start(message: StartMessage) {
    if (this.#wire.isShut) return
    const run = new Run(message, this)
    this.#live.set(run.no, run)
    if (this.#voice.hears('task.run')) this.#voice.tellTask('task.run', run.uuid)
    const operation = message[4]
    const runner = this.#runners.get(operation) ?? this.#retired.get(operation) ?? noRunner
    const context = this.kept.contextOf(run.uuid) ?? root
    context(() => process.nextTick(this.#execute, run, runner))
  }

  /** Never rejects. */
  readonly #execute = async (run: Run, runner: AnyRunner): Promise<void> => {
    if (run.isOver) return
    let result: unknown
    try {
      result = await runner(new Context(run))
    } catch (error) {
      this.#threw(run, error)
      return
    }
    this.#returned(run, result)
  }

  #returned(run: Run, result: unknown) {
    if (run.isOver) return
    try {
      const text = JSON.stringify(result)
      if (text === undefined && result !== undefined) throw new TypeError(`is a ${typeof result}`)
      if (text?.length > TASK_CHARS_MAX) throw new RangeError(`${text.length} characters of JSON`)
      const outcome = text === undefined ? `[${run.no},0]` : `[${run.no},0,${text}]`
      run.result = text
      run.isOver = true
      this.#wire.outcome(outcome)
    } catch (cause) {
      this.#settle(run, 2, unstorable(cause))
    }
  }

  #threw(run: Run, error: unknown) {
    if (!run.isOver) this.#settle(run, 1, error)
  }

  #settle(run: Run, kind: 1 | 2, error: unknown) {
    run.isOver = true
    run.thrown = { value: error }
    this.#wire.outcome(`[${run.no},${kind},${serialise(error)}]`)
  }

  /** `["x", no, cause, reason]` */
  readonly #signal = ([, no, cause, stored]: Message): void => {
    const run = this.#live.get(no)
    run?.abort(this.kept.reasonOf(run.uuid, cause, stored))
  }

  /** `["s", no, status, cause?]`. False if no runner was called for it. */
  over([, no, status, cause]: Message, batch: unknown[]): boolean {
    const run = this.#live.get(no)
    if (!run) return false
    this.#live.delete(no)
    run.isOver = true
    if (status === 'postponed' || status === 'fenced') {
      run.abort(abortReason(status === 'fenced' ? status : 'shutdown', undefined))
      return true
    }
    // What it recorded is on disk with its end, whichever is told first.
    this.#tellLogs(run, Infinity)
    this.#tellReports(run, Infinity)
    if (status === 'done') this.#tellDone(run)
    else this.#tellThrown(run.uuid, status, this.#thrownBy(run, status, cause, batch))
    this.kept.release(run.uuid)
    return true
  }

  #tellDone({ uuid, result }: Run) {
    if (!this.#voice.hears('task.done') && !this.#voice.hears('task.ended')) return
    this.#tellEnd(uuid, 'done', result === undefined ? undefined : JSON.parse(result))
  }

  #tellThrown(uuid: string, status: EndStatus, value: unknown) {
    this.#thrown.keep(uuid, value)
    this.#tellEnd(uuid, status, value)
  }

  #thrownBy(run: Run, status: EndStatus, cause: AbortCause, batch: unknown[]): unknown {
    if (status === 'failed') return run.thrown ? run.thrown.value : tooLarge()
    if (run.reason) return run.reason
    // The end may stand before its signal in a batch.
    const signal = (batch.slice(1) as Message[]).find(([kind, no]) => kind === 'x' && no === run.no)
    return this.kept.reasonOf(run.uuid, cause, signal?.[3])
  }

  /** `["e", uuid, status, cause, payload]` */
  ended([, uuid, status, cause, payload]: Message): void {
    const isAborted = status === 'aborted'
    const value = isAborted ? this.kept.reasonOf(uuid, cause, payload) : rebuild(payload)
    this.#tellThrown(uuid, status, value)
    this.kept.release(uuid)
  }

  /** All that one turn of the engine told has been passed on. */
  settle(): void {
    this.#thrown.settle()
  }

  #tellEnd(uuid: string, status: EndStatus, value: unknown) {
    this.#voice.tellTask(`task.${status}`, uuid, value)
    this.#voice.tellTask('task.ended', uuid, status, value)
  }

  /** The answer of a watch, `[status, cause, payload?]`, as a result or a throw. */
  outcome(uuid: string, [status, cause, payload]: Message): unknown {
    if (status === 'done') return payload
    const known = this.#thrown.get(uuid)
    if (status === 'failed') throw known ? known.value : rebuild(payload)
    throw abortError(cause, (known?.value as Error) ?? storedReason(cause, payload))
  }

  /** `["l", no, count]` and `["p", no, count]`: so many records more are on disk. */
  confirm([kind, no, count]: Message): void {
    const run = this.#live.get(no)
    if (!run) return
    if (kind === 'l') this.#tellLogs(run, count)
    else this.#tellReports(run, count)
  }

  #tellLogs(run: Run, count: number) {
    if (!run.lines) return
    for (const [log, fields] of run.lines.splice(0, count)) {
      if (fields !== undefined) log.fields = JSON.parse(fields)
      this.#voice.tellTask('task.log', run.uuid, log)
    }
  }

  #tellReports(run: Run, count: number) {
    if (!run.reports) return
    for (const report of run.reports.splice(0, count)) {
      this.#voice.tellTask('task.progress', run.uuid, report)
    }
  }

  /** `["o", uuid, event, …]`: what another process on the file did. */
  elsewhere([, uuid, event, ...facts]: Message): void {
    const isEnd = event === 'done' || event === 'failed' || event === 'aborted'
    if (this.#voice.wants.others === 'all') this.#tellElsewhere(uuid, event, facts)
    if (isEnd) this.kept.release(uuid)
  }

  #tellElsewhere(uuid: string, event: string, [cause, payload]: unknown[]) {
    switch (event) {
      case 'added':
      case 'run':
        this.#voice.tellTask(`task.${event}`, uuid)
        break
      case 'added-and-run':
        this.#voice.tellTask('task.added', uuid)
        this.#voice.tellTask('task.run', uuid)
        break
      case 'prioritized':
        this.#voice.tellTask('task.prioritized', uuid, Number(cause))
        break
      case 'done':
        this.#tellEnd(uuid, 'done', payload)
        break
      case 'failed':
        this.#tellEnd(uuid, 'failed', rebuild(payload as StoredError))
        break
      case 'aborted': {
        const reason = this.kept.reasonOf(uuid, cause as AbortCause, payload as StoredError)
        this.#tellEnd(uuid, 'aborted', reason)
      }
    }
  }

  /** `["w", what, figure]`: something that a user should know. */
  warn([, what, figure]: Message): void {
    if (what === 'events-missed') {
      this.kept.recheck()
      if (this.#voice.wants.others !== 'all') return
      const message = `events of other processes were not told: ${figure} commits were missed`
      process.emitWarning(message, { code: 'TASKER_EVENTS_MISSED' })
      return
    }
    const blocked = 'the event loop was blocked: nothing started, and no answer came, for'
    process.emitWarning(`${blocked} ${figure} ms`, { code: 'TASKER_EVENT_LOOP_BLOCKED' })
  }

  /** The engine has closed by itself: every live run has lost its place. */
  lost(): void {
    const reason = abortReason('fenced', undefined)
    for (const run of this.#live.values()) run.abort(reason)
  }

  /** The tasker is closed. */
  forget(): void {
    this.isStarted = false
    for (const run of this.#live.values()) run.isOver = true
    this.#live.clear()
    this.kept.forget()
  }
}

function noRunner(context: Context): never {
  throw new Error(`the operation ${JSON.stringify(context.operation)} has no runner here`)
}

/** Why `JSON.stringify` gave no result to store. */
const unstorable = (cause: unknown) =>
  cause instanceof RangeError ? tooLarge() : unwritable('result', cause)

function tooLarge() {
  const message = 'result: is too large or too deep to be stored'
  return new TaskerError('TASKER_TOO_LARGE', message, { path: 'result' })
}
