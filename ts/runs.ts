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

import type {
  AbortCause,
  DependencyResult,
  EndStatus,
  HoldOptions,
  TaskDefinition,
  TaskUuid,
} from '../index'
import { abortError, abortReason, storedReason } from './aborts'
import type { Attachment, Bridge } from './bridge'
import { type How, outcomeLine } from './commands'
import { Context } from './context'
import { childOf, resultsOf } from './dependencies'
import { isError, isForClose, type TaskerError, traced } from './errors'
import type { EventHub, Wants } from './events'
import { dateOf, nextTick, parse, setImmediate, stringify } from './globals'
import { type HintSource, Hints } from './hints'
import { holdCommand } from './holds'
import type { LogMirror } from './log-mirror'
import { LongWaits } from './long-waits'
import type { Abort, MessageOf, TaskEnd } from './messages'
import { inRootContext } from './native'
import type { OpenOptions } from './options'
import { Pacer } from './pacer'
import { RecentErrors } from './recent-errors'
import { resultText, tooLarge, unstorable } from './results'
import { wishOf } from './retries'
import { Run, type RunHost } from './run'
import { refusedText } from './schedules'
import { Schemas } from './schemas'
import { rebuild, type StoredError, serialise } from './stored'
import {
  type AnyBatchRunner,
  type BatchHost,
  callBatch,
  TaskBatch,
  TaskBatches,
} from './task-batches'
import { type Snapshot, TaskExtras } from './task-extras'
import type { Telemetry } from './telemetry'
import { answerOf, ThreadPools } from './thread-answers'
import type { LogRules, Question } from './thread-messages'
import { ThreadPool, type ThreadSource } from './thread-pool'
import { Adds } from './unique'
import { warn } from './warnings'

/** A function that carries out tasks. */
export type AnyRunner = (context: Context) => unknown

/** Waiting runners that one turn of the event loop calls, however quick they are. */
const CALLS_MAX = 256

/** A message that calls into user code. */
export type Calling = MessageOf<'start' | 'signal' | 'halt'>

/** A run whose runner is to be called, in the async context of its `addTask`. */
interface PendingCall {
  readonly run: Run | TaskBatch
  readonly runner: AnyRunner | AnyBatchRunner | ThreadPool
  /** The root context if it is absent. */
  readonly context: Snapshot | undefined
}

/** What the options of a tasker say of its runs. */
export type RunsOptions = Pick<OpenOptions, 'level' | 'capturesContext' | 'mirror' | 'telemetry'>

/** The runs of one tasker. */
export class Runs implements BatchHost, RunHost, HintSource, Attachment, ThreadSource {
  readonly level: number
  readonly mirror: LogMirror | undefined
  readonly telemetry: Telemetry | undefined
  readonly extras: TaskExtras
  readonly adds: Adds
  readonly pacer = new Pacer()
  readonly hints = new Hints(this)
  readonly longWaits: LongWaits
  readonly schemas = new Schemas()
  readonly threads = new ThreadPools()
  readonly batches = new TaskBatches()
  /** Whether runners are attached, or being detached. */
  isStarted = false
  /** The tasker is closed. */
  isOver = false
  readonly events: EventHub
  readonly #bridge: Bridge
  /** Adds a task, as its tasker does. */
  readonly #add: (definition: TaskDefinition) => Promise<TaskUuid>
  readonly #live = new Map<number, Run>()
  readonly #runners = new Map<string, AnyRunner | ThreadPool>()
  /** Runners that were taken away: a run that had begun before may still ask for one. */
  readonly #retired = new Map<string, AnyRunner | ThreadPool>()
  /** Calls of runners that wait for the next turn of the event loop. */
  readonly #later: PendingCall[] = []
  #laterAt = 0
  #callsOfTurn = 0
  readonly #recentErrors = new RecentErrors()

  constructor(
    bridge: Bridge,
    events: EventHub,
    { level, capturesContext, mirror, telemetry }: RunsOptions,
    add: (definition: TaskDefinition) => Promise<TaskUuid>,
  ) {
    this.#bridge = bridge
    this.#add = add
    this.events = events
    this.level = level
    this.mirror = mirror
    this.telemetry = telemetry
    this.extras = new TaskExtras(bridge, events, capturesContext)
    this.adds = new Adds(this.extras, events)
    this.longWaits = new LongWaits(bridge, this)
    bridge.attach(this)
  }

  get wants(): Wants {
    return this.events.wants
  }

  /** Whether there is something to wait for. */
  get isAwaited(): boolean {
    return this.isStarted || this.#live.size > 0
  }

  get live(): Iterable<Run> {
    return this.#live.values()
  }

  get logRules(): LogRules {
    const level = Math.max(this.level, this.mirror?.level ?? -1)
    const areMirrored = this.mirror !== undefined
    return { level, areMirrored, haveOwnClock: this.#bridge.world.isTest }
  }

  /** The wall clock by which its logs are dated, in milliseconds since 1970. */
  wallMs(): number {
    return this.#bridge.world.wallMs()
  }

  get hasLive(): boolean {
    return this.#live.size > 0
  }

  async hold(uuid: string, options: HoldOptions): Promise<number> {
    return await traced(this.#bridge.command(holdCommand(options, uuid)))
  }

  addChild(parent: string, definition: TaskDefinition): Promise<TaskUuid> {
    return childOf(parent, definition, this.#add)
  }

  results(uuid: string): Promise<DependencyResult[]> {
    return resultsOf(this.#bridge, uuid)
  }

  attachmentOf(uuid: string): unknown {
    return this.extras.attachmentOf(uuid)
  }

  record(line: string): void {
    this.#bridge.record(line)
  }

  /** The operations that have a runner here. */
  get operations(): string[] {
    return [...this.#runners.keys(), ...this.batches.operations]
  }

  /** How many runs are under way here. */
  get liveCount(): number {
    return this.#live.size
  }

  isShared(): Promise<boolean> {
    return this.#bridge.command({ do: 'isShared' })
  }

  unserved(operations: string[], ofAll: boolean): Promise<string[]> {
    return this.#bridge.command({ do: 'unserved', operations, ofAll })
  }

  has(operation: string): boolean {
    return this.#runners.has(operation) || this.batches.has(operation)
  }

  assign(operation: string, runner: AnyRunner | URL): void {
    this.#runners.set(operation, typeof runner === 'function' ? runner : this.threads.of(runner))
    this.#retired.delete(operation)
  }

  unassign(operation: string): void {
    const runner = this.#runners.get(operation)
    if (runner) this.#retired.set(operation, runner)
    if (runner instanceof ThreadPool) runner.retire()
    this.#runners.delete(operation)
    this.batches.unassign(operation)
  }

  /**
   * Calls runners and fires signals, in order. Each has a tick of its own, so that a context which
   * one enters (`AsyncLocalStorage.enterWith`) is not that of the next. Their times count from
   * `since`.
   */
  begin(messages: Calling[], since: number): void {
    const calls: (PendingCall | MessageOf<'signal'>)[] = []
    for (const message of messages) {
      if (message[0] === 'halt') {
        this.halt(message)
        continue
      }
      const call = message[0] === 'start' ? this.#started(message, since) : message
      if (call) calls.push(call)
    }
    // Once for all: to enter a context costs as much as to call a runner.
    inRootContext(() => this.#schedule(calls))
    nextTick(this.#look)
    this.#bridge.updateKeepAlive()
  }

  /** After the runners of a batch: the next one must know what they took of this turn. */
  readonly #look = () => {
    this.pacer.look()
  }

  /** A run has started; listeners are told before its runner is called. */
  #started(message: MessageOf<'start'>, since: number): PendingCall | undefined {
    if (this.#bridge.isShut) return undefined
    const run = new Run(message, since, this)
    this.#live.set(run.slot, run)
    if (this.events.hasListeners('task.run')) this.events.emitTask('task.run', run.uuid)
    const batch = this.batches.join(run)
    if (batch) return batch.isComplete ? this.#callOf(batch) : undefined
    const operation = message[4]
    const runner = this.#runners.get(operation) ?? this.#retired.get(operation) ?? noRunner
    return { run, runner, context: this.extras.contextOf(run.uuid) }
  }

  /** Its tasks were added in different async contexts: its runner has none of them. */
  #callOf(batch: TaskBatch): PendingCall {
    const [run] = batch.runs as [Run]
    return { run: batch, runner: this.batches.runnerOf(run.operation), context: undefined }
  }

  /** A run that has started does not come: its batch may have waited for it alone. */
  missed(slot: number): void {
    const batch = this.batches.miss(slot)
    if (batch) inRootContext(() => this.#schedule([this.#callOf(batch)]))
  }

  #schedule(calls: (PendingCall | MessageOf<'signal'>)[]) {
    for (const call of calls) {
      if (!('run' in call)) nextTick(this.#signal, call)
      else if (this.#later.length > 0) this.#later.push(call)
      else if (call.context) call.context(() => nextTick(this.#call, call))
      else nextTick(this.#call, call)
    }
  }

  /** Calls a runner, unless this turn of the event loop has had its share. */
  readonly #call = (call: PendingCall): void => {
    if (this.#later.length === 0 && !this.pacer.isUsedUp) {
      this.#execute(call.run, call.runner)
      return
    }
    if (this.#later.push(call) === 1) inRootContext(() => setImmediate(this.#callLater))
  }

  /** Calls runners that waited: at least one in a turn, and then for as long as its share lasts. */
  readonly #callLater = (): void => {
    this.#callsOfTurn = 0
    this.#callNext()
  }

  readonly #callNext = (): void => {
    const next = this.#later[this.#laterAt++]
    if (!next) return
    const context = next.context ?? inRootContext
    context(() => nextTick(this.#execute, next.run, next.runner))
    this.#callsOfTurn += 1
    if (this.#laterAt < this.#later.length) nextTick(this.#goOn)
    else this.#forgetLater()
  }

  readonly #goOn = (): void => {
    if (this.#callsOfTurn < CALLS_MAX && !this.pacer.isUsedUp) this.#callNext()
    else setImmediate(this.#callLater)
  }

  #forgetLater() {
    this.#later.length = 0
    this.#laterAt = 0
  }

  /** Never rejects. */
  readonly #execute = async (
    run: Run | TaskBatch,
    runner: PendingCall['runner'],
  ): Promise<void> => {
    if (run instanceof TaskBatch) return await callBatch(run, runner as AnyBatchRunner, this)
    if (run.isOver) return
    if (runner instanceof ThreadPool) {
      run.span = this.telemetry?.begin(run.message)
      runner.run(run, this)
      return
    }
    let result: unknown
    try {
      const one = runner as AnyRunner
      result = await (this.telemetry ? this.#inSpan(run, one) : one(new Context(run)))
    } catch (error) {
      run.span?.settled()
      this.#threw(run, error)
      return
    }
    run.span?.settled()
    this.#returned(run, result)
  }

  /** Calls a runner within a span. */
  #inSpan(run: Run, runner: AnyRunner): unknown {
    run.span = this.telemetry?.begin(run.message)
    return run.span?.call(() => runner(new Context(run)))
  }

  /** A task of a batch has ended: an Error is what it would have thrown. False if it is over. */
  readonly settleOne = (run: Run, result: unknown, isThrown = isError(result)): boolean => {
    if (run.isOver) return false
    run.span?.settled()
    if (isThrown) this.#threw(run, result)
    else this.#returned(run, result)
    return true
  }

  /** What the runner of a batch returned has no element for this run: it is not tried again. */
  unfit(run: Run, error: unknown): void {
    if (run.isOver) return
    run.span?.settled()
    // One that wanted to goes on later, whatever it would have returned.
    if (run.snoozeMs !== undefined) this.#returned(run, undefined)
    else this.#settle(run, 'unstorable', error)
  }

  #returned(run: Run, result: unknown) {
    if (run.isOver) return
    if (run.snoozeMs !== undefined) {
      run.isOver = true
      this.#bridge.outcome(outcomeLine(run.slot, 'snoozed', undefined, run.snoozeMs))
      return
    }
    try {
      const text = resultText(result)
      // What a schema makes of it comes too late for the text.
      this.schemas.checkResult(run.operation, result)
      this.#done(run, text)
    } catch (cause) {
      this.#settle(run, 'unstorable', unstorable(cause))
    }
  }

  #done(run: Run, text: string | undefined) {
    const line = outcomeLine(run.slot, 'returned', text)
    run.result = text
    run.isOver = true
    this.#bridge.outcome(line)
  }

  returnedText(run: Run, text: string | undefined, snoozeMs: number | undefined): void {
    run.span?.settled()
    run.snoozeMs = snoozeMs
    if (run.isOver || snoozeMs !== undefined) {
      this.#returned(run, undefined)
      return
    }
    try {
      this.schemas.checkResultText(run.operation, text)
      this.#done(run, text)
    } catch (cause) {
      this.#settle(run, 'unstorable', unstorable(cause))
    }
  }

  threwText(run: Run, how: How, thrown: unknown, text: string, delayMs?: number): void {
    run.span?.settled()
    if (run.isOver) return
    if (this.#bridge.isClosing && isForClose(thrown)) this.#giveBack(run)
    else this.#settle(run, how, thrown, delayMs, text)
  }

  answer(question: Question, run: Run | undefined): Promise<string | undefined> {
    const [bridge, add] = [this.#bridge, this.#add]
    return answerOf(question, run, { bridge, add, results: uuid => this.results(uuid) })
  }

  #threw(run: Run, error: unknown) {
    if (run.isOver) return
    if (this.#bridge.isClosing && isForClose(error)) this.#giveBack(run)
    else {
      const { how, delayMs } = wishOf(error)
      this.#settle(run, how, error, delayMs)
    }
  }

  /** What it needed was taken away by a close: it is no fault of the task. */
  #giveBack(run: Run) {
    run.isOver = true
    this.#bridge.outcome(outcomeLine(run.slot, 'postponed'))
  }

  #settle(run: Run, how: How, error: unknown, delayMs?: number, text = serialise(error)) {
    run.isOver = true
    run.thrown = { value: error }
    this.#bridge.outcome(outcomeLine(run.slot, how, text, delayMs))
  }

  readonly #signal = ([, slot, cause, stored]: MessageOf<'signal'>): void => {
    const run = this.#live.get(slot)
    run?.abort(this.extras.reasonOf(run.uuid, cause, stored))
  }

  /** A run is to halt at its next checkpoint. False if it has not begun here. */
  halt([, slot]: MessageOf<'halt'>): boolean {
    const run = this.#live.get(slot)
    if (run) run.isToHalt = true
    return run !== undefined
  }

  /** A run that waits at a checkpoint goes on. */
  goOn([, slot]: MessageOf<'goOn'>): void {
    this.#live.get(slot)?.goOn()
  }

  /** A run is over. False if no runner was called for it. */
  over([, slot, status, abort]: MessageOf<'runEnd'>): boolean {
    const run = this.#live.get(slot)
    if (!run) return false
    this.#live.delete(slot)
    run.isOver = true
    run.thread?.giveUp()
    if (status === 'snoozed') {
      run.span?.end(status)
      return true
    }
    if (status === 'postponed' || status === 'fenced') {
      run.span?.end(status)
      const cause = status === 'fenced' ? status : 'shutdown'
      run.abort(storedReason(cause, (abort as Abort | undefined)?.[1]))
      return true
    }
    if (status === 'done') {
      run.span?.end(status)
      this.#emitDone(run)
    } else {
      const isFailed = status === 'failed'
      const value = isFailed ? thrownBy(run) : this.#reasonOf(run, abort as Abort)
      run.span?.end(status, value)
      if (isFailed) this.hints.failed(run.uuid, run.operation, value)
      this.#emitThrown(run.uuid, status, value)
    }
    this.extras.release(run.uuid)
    return true
  }

  /** A run is over, and its task is tried again. False if no runner was called for it. */
  retried([, slot, runAt, reason]: MessageOf<'runRetry'>): boolean {
    const run = this.#live.get(slot)
    if (!run) return false
    this.#live.delete(slot)
    run.isOver = true
    run.thread?.giveUp()
    const ofSignal = () => run.reason ?? storedReason('run-timeout', reason)
    const error = reason === undefined ? thrownBy(run) : ofSignal()
    // It may go on although nobody waits for its runner: then it must hear that it is over.
    if (reason !== undefined) run.abort(ofSignal())
    run.span?.end('retried', error)
    this.#emitRetrying(run.uuid, error, runAt)
    return true
  }

  /** An ended task runs again because somebody asked for it. */
  reopened([, uuid, runAt, error]: MessageOf<'taskRetry'>): void {
    const known = this.#recentErrors.get(uuid)?.value
    this.#recentErrors.forget(uuid)
    this.#emitRetrying(uuid, error && (known ?? rebuild(error)), runAt)
  }

  /** A task was moved because it has waited so long. */
  prioritized([, uuid, priority]: MessageOf<'taskPriority'>): void {
    this.events.emitTask('task.prioritized', uuid, Number(priority))
  }

  /** A schedule has added a task, and no call of ours; or an executor outside has begun with it. */
  told([what, uuid]: MessageOf<'taskAdded' | 'taskRun'>): void {
    this.events.emitTask(what === 'taskRun' ? 'task.run' : 'task.added', uuid)
  }

  circuitTurned([, operation, turned, key, until, error]: MessageOf<'circuit'>): void {
    const facts: Record<string, unknown> = {}
    if (key !== null) facts.key = key
    if (until !== undefined) facts.until = dateOf(until)
    if (error !== undefined) facts.error = rebuild(error)
    this.events.emit(`operation.circuit.${turned}`, operation, facts)
  }

  tickRefused([, schedule, at, error]: MessageOf<'tickRefused'>): void {
    warn(error.code, refusedText(schedule, at, error.message))
  }

  /** A task got another definition. */
  updated([, uuid]: MessageOf<'taskUpdate'>): void {
    this.events.emitTask('task.updated', uuid)
  }

  #emitRetrying(uuid: string, error: unknown, runAt: number) {
    this.events.emitTask('task.retrying', uuid, error, dateOf(runAt))
  }

  #emitDone({ uuid, result }: Run) {
    if (!this.events.hasListeners('task.done') && !this.events.hasListeners('task.ended')) return
    this.#emitEnd(uuid, 'done', result === undefined ? undefined : parse(result))
  }

  #emitThrown(uuid: string, status: EndStatus, value: unknown) {
    this.#recentErrors.add(uuid, value)
    this.#emitEnd(uuid, status, value)
  }

  /** The signal may not have fired: one of the same turn comes after the end. */
  #reasonOf(run: Run, [cause, stored]: Abort): Error {
    return run.reason ?? this.extras.reasonOf(run.uuid, cause, stored)
  }

  /** A task ended although its runner did not settle. */
  ended([, uuid, status, cause, payload]: MessageOf<'taskEnd'>): void {
    this.#emitThrown(uuid, status, this.#valueOf(uuid, [status, cause, payload]))
    this.extras.release(uuid)
  }

  /** What a task ended with that did not end here: its result, error or reason. */
  #valueOf(uuid: string, [status, cause, payload]: TaskEnd): unknown {
    switch (status) {
      case 'done':
        return payload
      case 'failed':
        return rebuild(payload as StoredError)
      case 'aborted':
        return this.extras.reasonOf(uuid, cause as AbortCause, payload as StoredError)
    }
  }

  /** All that one turn of the engine told has been passed on. */
  delivered(): void {
    this.#recentErrors.waitsAnswered()
  }

  #emitEnd(uuid: string, status: EndStatus, value: unknown) {
    this.events.emitTask(`task.${status}`, uuid, value)
    this.events.emitEnded(uuid, status, value)
  }

  /** The end of a task that was waited for, as a result or a throw. */
  outcome(uuid: string, [status, cause, payload]: TaskEnd): unknown {
    if (status === 'done') return payload
    const known = this.#recentErrors.get(uuid)
    if (status === 'failed') this.hints.heard(uuid)
    if (status === 'failed') throw known ? known.value : rebuild(payload as StoredError)
    const reason = known?.value ?? storedReason(cause as AbortCause, payload as StoredError)
    throw abortError(cause as AbortCause, reason as Error)
  }

  /** So many more log lines of a run are on disk. */
  logged([, slot, count]: MessageOf<'logs'>): void {
    const run = this.#live.get(slot)
    if (run) this.#emitLogs(run, count)
  }

  /** So many more progress reports of a run are on disk. */
  progressed([, slot, count]: MessageOf<'progress'>): void {
    const run = this.#live.get(slot)
    if (run) this.#emitReports(run, count)
  }

  #emitLogs(run: Run, count: number) {
    if (!run.lines) return
    for (const [log, fields] of run.lines.splice(0, count)) {
      if (fields !== undefined) log.fields = parse(fields)
      this.events.emitTask('task.log', run.uuid, log)
    }
  }

  #emitReports(run: Run, count: number) {
    if (!run.reports) return
    for (const report of run.reports.splice(0, count)) {
      this.events.emitTask('task.progress', run.uuid, report)
    }
  }

  get #hearsRemote(): boolean {
    return this.events.wants.remote === 'all'
  }

  /** What another process on the file did. */
  remoteEvent([, uuid, event]: MessageOf<'remoteEvent'>): void {
    if (!this.#hearsRemote) return
    if (event === 'updated') this.events.emitTask('task.updated', uuid)
    else {
      if (event !== 'run') this.events.emitTask('task.added', uuid)
      if (event !== 'added') this.events.emitTask('task.run', uuid)
    }
  }

  remotePriority([, uuid, priority]: MessageOf<'remotePriority'>): void {
    if (this.#hearsRemote) this.events.emitTask('task.prioritized', uuid, Number(priority))
  }

  remoteRetry([, uuid, runAt, error]: MessageOf<'remoteRetry'>): void {
    this.#recentErrors.forget(uuid)
    if (this.#hearsRemote) this.#emitRetrying(uuid, error && rebuild(error), runAt)
  }

  remoteEnd([, uuid, status, cause, payload]: MessageOf<'remoteEnd'>): void {
    if (this.#hearsRemote) {
      this.#emitEnd(uuid, status, this.#valueOf(uuid, [status, cause, payload]))
    }
    this.extras.release(uuid)
  }

  eventsMissed([, commits]: MessageOf<'eventsMissed'>): void {
    this.extras.recheck()
    if (!this.#hearsRemote) return
    const message = `events of other processes were not told: ${commits} commits were missed`
    warn('TASKER_EVENTS_MISSED', message)
  }

  operationChanged([, operation, ours, theirs]: MessageOf<'operationChanged'>): void {
    const of = `the options of ${stringify(operation)} with which its runner was assigned here`
    const message = `${of} (version ${ours}) were replaced by another process (version ${theirs})`
    warn('TASKER_OPERATION_CHANGED', `${message}; use defineOperation, or deploy the same to all`)
  }

  loopBlocked([, ms]: MessageOf<'loopBlocked'>): void {
    const blocked = 'the event loop was blocked: nothing started, and no answer came, for'
    warn('TASKER_EVENT_LOOP_BLOCKED', `${blocked} ${ms} ms`)
  }

  /** The tasker is closed: a run that is still live is fenced. */
  closed(_reason: unknown, fault: TaskerError | undefined): void {
    const { isStarted } = this
    this.isStarted = false
    this.isOver = true
    this.pacer.end()
    this.#fence()
    this.threads.end()
    this.#forgetLater()
    this.batches.forget()
    this.extras.forget()
    this.hints.end()
    this.longWaits.end()
    this.events.close()
    if (fault) this.events.fatal(fault, isStarted)
  }

  #fence() {
    const reason = abortReason('fenced', undefined)
    for (const run of this.#live.values()) {
      run.isOver = true
      run.span?.end('fenced')
      run.thread?.giveUp()
      run.abort(reason)
    }
    this.#live.clear()
  }
}

function thrownBy({ thrown }: Run): unknown {
  return thrown ? thrown.value : tooLarge()
}

function noRunner(context: Context): never {
  throw new Error(`the operation ${stringify(context.operation)} has no runner here`)
}
