/**
 * One run: what its runner gets, and what it tells before it settles.
 *
 * # Promises
 * - A signal, a logger or a bound function is made only when the runner asks for it.
 * - The logger never throws: what cannot be stored is left out, with a word in its place.
 *
 * Proof: `__test__/contract/running.test.mjs`, `logs.test.mjs`, `progress.test.mjs`.
 */

import type { LogLevel, RunnerContext, TaskLog, TaskLogger, TaskProgress, TaskUuid } from '../index'
import type { Wants } from './emit'
import { invalid, isError, isShallow, serialise, TaskerError } from './errors'

/** The levels of log lines, the gravest first. */
export const LEVELS: readonly LogLevel[] = ['crit', 'error', 'warning', 'notice', 'info', 'debug']

const MESSAGE_CHARS_MAX = 16 * 1024
const LINE_BYTES_MAX = 64 * 1024
const UNIT_BYTES_MAX = 64

/** `["r", no, uuid, runId, operation, attempt, priority, data?]` */
export type StartMessage = [string, number, string, string, string, number, unknown, unknown?]

/** Where a run's records go. */
export interface Sink {
  /** The place in `LEVELS` of the most verbose level that is stored. */
  readonly level: number
  /** What someone listens to. */
  readonly wants: Wants
  record(text: string): void
}

/** A log line that is sent and not confirmed yet: what an event will tell, and its fields as text. */
export type SentLine = [log: TaskLog, fields: string | undefined]

/** A live run as this process sees it. */
export class Run {
  readonly message: StartMessage
  readonly sink: Sink
  /** Whether it has settled or lost its place: what it tells is not heard any more. */
  isOver = false
  /** Why its signal fired. */
  reason: Error | undefined
  /** The JSON text of its result. */
  result: string | undefined
  /** What it threw, if it did. */
  thrown: { value: unknown } | undefined
  /** What was sent while someone listened, and is not confirmed yet. */
  lines: SentLine[] | undefined
  reports: TaskProgress[] | undefined
  #controller: AbortController | undefined

  constructor(message: StartMessage, sink: Sink) {
    this.message = message
    this.sink = sink
  }

  get no(): number {
    return this.message[1]
  }

  get uuid(): string {
    return this.message[2]
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
    this.reason = reason
    this.#controller?.abort(reason)
  }

  /** Sends a log line. */
  log(level: number, message: unknown, fields: object | undefined): void {
    const { sink } = this
    if (this.isOver || level > sink.level) return
    const at = Date.now()
    const word = LEVELS[level] as LogLevel
    const text = messageOf(message)
    const extra = fields === undefined ? undefined : fieldsOf(fields, text)
    if (sink.wants.log) {
      const log: TaskLog = {
        level: word,
        message: text,
        at: new Date(at),
        attempt: this.message[5],
      }
      this.lines ??= []
      this.lines.push([log, extra])
    }
    const tail = extra === undefined ? '' : `,${extra}`
    sink.record(`[${this.no},"l","${word}",${at},${JSON.stringify(text)}${tail}]`)
  }

  /** Sends a progress report. */
  progress(current: number, total: number | undefined, unit: string | undefined): void {
    if (!Number.isFinite(current)) throw invalid('current', 'must be a finite number')
    if (total !== undefined && !Number.isFinite(total)) {
      throw invalid('total', 'must be a finite number')
    }
    if (unit !== undefined) checkUnit(unit)
    if (this.isOver) return
    if (this.sink.wants.progress) {
      this.reports ??= []
      this.reports.push(reportOf(current, total, unit))
    }
    const tail = unit === undefined ? '' : `,${JSON.stringify(unit)}`
    this.sink.record(`[${this.no},"p",${current},${total ?? null}${tail}]`)
  }
}

function reportOf(current: number, total?: number, unit?: string): TaskProgress {
  const report: TaskProgress = { current }
  if (total !== undefined) report.total = total
  if (unit !== undefined) report.unit = unit
  return report
}

function checkUnit(unit: unknown) {
  if (typeof unit !== 'string') throw invalid('unit', 'must be a text')
  if (Buffer.byteLength(unit) <= UNIT_BYTES_MAX) return
  const message = `unit: is longer than ${UNIT_BYTES_MAX} bytes`
  throw new TaskerError('TASKER_TOO_LARGE', message, { path: 'unit' })
}

/** The text of a log line: whatever was given, as a text within its limit. */
function messageOf(message: unknown): string {
  let text = ''
  try {
    text = isError(message) ? message.message : String(message)
  } catch {
    text = '(a message that cannot be read)'
  }
  return text.length > MESSAGE_CHARS_MAX ? `${text.slice(0, MESSAGE_CHARS_MAX - 1)}…` : text
}

/** The JSON text of the fields of a log line, an object. */
function fieldsOf(fields: unknown, message: string): string | undefined {
  try {
    if (isError(fields)) return `{"error":${serialise(fields)}}`
    const text = JSON.stringify(fields)
    if (text === undefined) return undefined
    if ((text.length + message.length) * 3 > LINE_BYTES_MAX) {
      const bytes = Buffer.byteLength(text) + Buffer.byteLength(message)
      if (bytes + 16 > LINE_BYTES_MAX) return leftOut('the line would be longer than 64 KiB')
    }
    if (!isShallow(text)) return leftOut('more than 100 levels')
    return text.startsWith('{') ? text : `{"value":${text}}`
  } catch (error) {
    return leftOut(messageOf(error))
  }
}

const leftOut = (why: string) => JSON.stringify({ leftOut: why.slice(0, 200) })

/** Writes the log lines of one run, with fields that each line gets. */
class Logger implements TaskLogger {
  readonly #run: Run
  readonly #fields: object | undefined

  constructor(run: Run, fields?: object) {
    this.#run = run
    this.#fields = fields
  }

  crit(message: string, fields?: object): void {
    this.#log(0, message, fields)
  }

  error(message: string, fields?: object): void {
    this.#log(1, message, fields)
  }

  warning(message: string, fields?: object): void {
    this.#log(2, message, fields)
  }

  notice(message: string, fields?: object): void {
    this.#log(3, message, fields)
  }

  info(message: string, fields?: object): void {
    this.#log(4, message, fields)
  }

  debug(message: string, fields?: object): void {
    this.#log(5, message, fields)
  }

  child(fields: object): TaskLogger {
    return new Logger(this.#run, merge(this.#fields, fields))
  }

  #log(level: number, message: string, fields: object | undefined) {
    this.#run.log(level, message, this.#fields ? merge(this.#fields, fields) : fields)
  }
}

/** Both together, the later winning; a getter that throws loses its object. */
function merge(some: object | undefined, more: object | undefined): object {
  try {
    return { ...some, ...(isError(more) ? { error: JSON.parse(serialise(more)) } : more) }
  } catch (error) {
    return { ...some, leftOut: messageOf(error) }
  }
}

/** What a runner gets. A class, so that a run costs one small object until it asks for more. */
export class Context implements RunnerContext {
  readonly #run: Run
  #logger: Logger | undefined
  #progress: RunnerContext['progress'] | undefined

  constructor(run: Run) {
    this.#run = run
  }

  get uuid(): TaskUuid {
    return this.#run.message[2] as TaskUuid
  }

  get runId(): string {
    return this.#run.message[3]
  }

  get operation(): string {
    return this.#run.message[4]
  }

  get data(): unknown {
    return this.#run.message[7]
  }

  get attempt(): number {
    return this.#run.message[5]
  }

  get priority(): number {
    return Number(this.#run.message[6])
  }

  get abortSignal(): AbortSignal {
    return this.#run.signal
  }

  get logger(): TaskLogger {
    this.#logger ??= new Logger(this.#run)
    return this.#logger
  }

  get progress(): RunnerContext['progress'] {
    const run = this.#run
    this.#progress ??= (current, total, unit) => run.progress(current, total, unit)
    return this.#progress
  }
}
