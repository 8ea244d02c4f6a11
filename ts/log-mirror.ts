/**
 * The lines of runners, as the user's logger gets them (`mirrorLogs`).
 *
 * # Promises
 * - A line is passed on as it is logged, also if it is never stored; in its order among the others.
 *
 * Proof: `__test__/contract/logger.test.mjs`, `telemetry.test.mjs`.
 */

import type { EngineLog } from './engine-logger'
import { parse } from './globals'
import type { MessageOf } from './messages'
import type { RunSpan } from './telemetry'

/** The method of a logger for each of `LEVELS`. */
const METHODS = ['fatal', 'error', 'warn', 'info', 'info', 'debug'] as const

/** The run of a line. */
interface Speaker {
  readonly message: MessageOf<'start'>
  readonly span: RunSpan | undefined
}

/** Passes lines on. */
export class LogMirror {
  readonly #log: EngineLog
  /** The place in `LEVELS` of the most verbose level that is passed on. */
  readonly level: number

  constructor(log: EngineLog, level: number) {
    this.#log = log
    this.level = level
  }

  /** A line of a run; its fields are JSON text. */
  tell(
    { message: start, span }: Speaker,
    level: number,
    message: string,
    fields: string | undefined,
  ): void {
    const [, , uuid, runId, operation, attempt] = start
    const own = fields === undefined ? {} : (parse(fields) as object)
    const { traceId, spanId } = span?.spanContext ?? {}
    const ids = span && { trace_id: traceId, span_id: spanId }
    const all = { ...own, uuid, runId, operation, attempt, ...ids }
    this.#log.pass(METHODS[level] ?? 'debug', message, all)
  }
}
