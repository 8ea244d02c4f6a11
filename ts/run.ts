/**
 * One run: what it reports before it settles.
 *
 * # Promises
 * - A signal is made only when somebody asks for it.
 * - A checkpoint asks the engine only if the run is to halt there.
 *
 * Proof: `__test__/contract/running.test.mjs`, `progress.test.mjs`, `pausing.test.mjs`.
 */

import type {
  DependencyResult,
  HoldOptions,
  LogLevel,
  TaskDefinition,
  TaskLog,
  TaskProgress,
  TaskUuid,
} from '../index'
import { Deferred, durationOf } from './calls'
import { haltLine, logLine, progressLine } from './commands'
import { LEVELS, PROGRESS_UNIT_BYTES_MAX } from './constants'
import { invalid, TaskerError } from './errors'
import type { Wants } from './events'
import { dateOf, stringify } from './globals'
import type { LogMirror } from './log-mirror'
import type { MessageOf } from './messages'
import type { RunSpan } from './telemetry'

/** The thread of a run that has one of its own. */
export interface RunThread {
  /** The signal of the run has fired. */
  abort(reason: Error): void
  /** The run is over, and has not settled: the thread ends. */
  giveUp(): void
}

/** Where a run's records go. */
export interface RunHost {
  /** The place in `LEVELS` of the most verbose level that is stored. */
  readonly level: number
  /** What someone listens to. */
  readonly wants: Wants
  /** The wall clock by which its logs are dated, in milliseconds since 1970. */
  wallMs(): number
  record(text: string): void
  /** What a task was given in memory. */
  attachmentOf(uuid: string): unknown
  /** Makes a hold for the runner of a task. */
  hold(uuid: string, options: HoldOptions): Promise<number>
  /** Where its log lines go besides. */
  readonly mirror: LogMirror | undefined
  /** Adds a task whose parent is this one. */
  addChild(parent: string, definition: TaskDefinition): Promise<TaskUuid>
  /** How the tasks have ended that this one depends on. */
  results(uuid: string): Promise<DependencyResult[]>
}

/**
 * A log line that is sent and not confirmed yet: what an event will tell, and its fields as text.
 */
export type SentLine = [log: TaskLog, fields: string | undefined]

/** A live run as this process sees it. */
export class Run {
  readonly message: MessageOf<'start'>
  /** The moment from which the times of the message count. */
  readonly since: number
  readonly host: RunHost
  /** Whether it has settled or was replaced: what it reports is dropped. */
  isOver = false
  /** Why its signal fired. */
  reason: Error | undefined
  /** The JSON text of its result. */
  result: string | undefined
  /** How long its task is to wait when it returns, in milliseconds, if it asked for that. */
  snoozeMs: number | undefined
  /** What it threw, if it did. */
  thrown: { value: unknown } | undefined
  /** Its span, if there are any. */
  span: RunSpan | undefined
  /** What was sent while someone listened, and is not confirmed yet. */
  lines: SentLine[] | undefined
  reports: TaskProgress[] | undefined
  /** Whether somebody has paused its task: it asks the engine at its next checkpoint. */
  isToHalt = false
  /** Where it is carried out, until it has settled, if that is not here. */
  thread: RunThread | undefined
  /** How often it has asked or told something, or been told something. */
  steps = 0
  #checkpoint: Deferred | undefined
  #controller: AbortController | undefined

  constructor(message: MessageOf<'start'>, since: number, host: RunHost) {
    this.message = message
    this.since = since
    this.host = host
  }

  get slot(): number {
    return this.message[1]
  }

  get uuid(): string {
    return this.message[2]
  }

  get operation(): string {
    return this.message[4]
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.reason) this.#controller.abort(this.reason)
    }
    return this.#controller.signal
  }

  /** Fires the signal; the first reason stays. */
  abort(reason: Error): void {
    if (this.reason) return
    this.steps += 1
    this.reason = reason
    this.thread?.abort(reason)
    this.#controller?.abort(reason)
    if (!this.#checkpoint) return
    // A runner that does not wait there harms nobody.
    this.#checkpoint.promise.catch(() => {})
    this.#checkpoint.reject(reason)
    this.#checkpoint = undefined
  }

  /**
   * Where the run may halt: settles at once if nobody has paused its task, and else when it goes on
   * or its signal fires.
   */
  checkpoint(): Promise<void> {
    this.steps += 1
    if (this.reason) return Promise.reject(this.reason)
    if (this.isOver || !this.isToHalt) return Promise.resolve()
    if (!this.#checkpoint) {
      this.#checkpoint = new Deferred()
      this.host.record(haltLine(this.slot))
    }
    return this.#checkpoint.promise
  }

  /** Whether it waits at a checkpoint. */
  get isHalted(): boolean {
    return this.#checkpoint !== undefined
  }

  /** It may go on. */
  goOn(): void {
    this.steps += 1
    this.isToHalt = false
    this.#checkpoint?.resolve(undefined)
    this.#checkpoint = undefined
  }

  /** Whether anything becomes of a log line of this level. */
  takes(level: number): boolean {
    const { level: stored, mirror } = this.host
    return !this.isOver && (level <= stored || (mirror !== undefined && level <= mirror.level))
  }

  /** Passes a log line of this moment on; its fields are JSON text. */
  log(level: number, message: string, fields: string | undefined, at?: number): void {
    const { host } = this
    this.steps += 1
    if (host.mirror && level <= host.mirror.level) host.mirror.tell(this, level, message, fields)
    if (level <= host.level) this.#store(level, message, fields, at ?? host.wallMs())
  }

  #store(level: number, message: string, fields: string | undefined, at: number) {
    const { host } = this
    const word = LEVELS[level] as LogLevel
    if (host.wants.log) {
      const log: TaskLog = {
        level: word,
        message,
        at: dateOf(at),
        attempt: this.message[5],
      }
      this.lines ??= []
      this.lines.push([log, fields])
    }
    host.record(logLine(this.slot, word, at, stringify(message), fields))
  }

  /** Its task goes on in so many milliseconds once it has returned; the last wish counts. */
  snooze(delay: unknown): void {
    this.steps += 1
    const delayMs = durationOf(delay, 'delay')
    if (!this.isOver) this.snoozeMs = delayMs
  }

  /** Makes a hold in the name of its task. */
  async hold(options: HoldOptions): Promise<number> {
    return await this.#step(this.host.hold(this.uuid, options))
  }

  /** Adds a task whose parent is its own. */
  async addTask(definition: TaskDefinition): Promise<TaskUuid> {
    return await this.#step(this.host.addChild(this.uuid, definition))
  }

  /** How the tasks have ended that its own depends on. */
  async results(): Promise<DependencyResult[]> {
    return await this.#step(this.host.results(this.uuid))
  }

  async #step<T>(asked: Promise<T>): Promise<T> {
    this.steps += 1
    try {
      return await asked
    } finally {
      this.steps += 1
    }
  }

  /** Sends a progress report. */
  progress(current: number, total: number | undefined, unit: string | undefined): void {
    if (!Number.isFinite(current)) throw invalid('current', 'must be a finite number')
    if (total !== undefined && !Number.isFinite(total)) {
      throw invalid('total', 'must be a finite number')
    }
    if (unit !== undefined) checkUnit(unit)
    if (this.isOver) return
    this.steps += 1
    this.report(reportOf(current, total, unit))
  }

  /** Sends one that is as it must be. */
  report(report: TaskProgress): void {
    if (this.host.wants.progress) {
      this.reports ??= []
      this.reports.push(report)
    }
    this.host.record(progressLine(this.slot, report))
  }
}

function reportOf(current: number, total?: number, unit?: string): TaskProgress {
  const report: TaskProgress = { current }
  if (total !== undefined) report.total = total
  if (unit !== undefined) report.unit = unit
  return report
}

function checkUnit(unit: unknown) {
  if (typeof unit !== 'string' || /\p{Surrogate}/u.test(unit)) {
    throw invalid('unit', 'must be a string')
  }
  if (Buffer.byteLength(unit) <= PROGRESS_UNIT_BYTES_MAX) return
  const message = `unit: is longer than ${PROGRESS_UNIT_BYTES_MAX} bytes`
  throw new TaskerError('TASKER_TOO_LARGE', message, { path: 'unit' })
}
