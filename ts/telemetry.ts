/**
 * OpenTelemetry. Spans: one for each add, and one for each run, which is linked to the add.
 *
 * The names are those of the conventions for messaging (1.45), which are in development; they are
 * all in this file.
 *
 * # Promises
 * - It uses the object that it was given, and nothing that is global.
 * - A task keeps the context of the span of its add as its `trace`, unless it brought one along; of
 *   a span that is no span, as without an SDK, it keeps nothing.
 * - A span ends when what it stands for is on disk, at the time at which the runner settled.
 *
 * Proof: `__test__/contract/telemetry.test.mjs`.
 */

import type {
  TelemetrySpan as Span,
  TelemetrySpanContext as SpanContext,
  TelemetrySpanLink as SpanLink,
  TelemetryApi,
  TraceContext,
} from '../index'
import type { Bridge } from './bridge'
import { invalid, isError, read, spell } from './errors'
import { monotonicMs } from './globals'
import type { MessageOf } from './messages'
import { objectOf } from './objects'
import { Instruments, type ReadMetrics } from './observed'

/** Traces of tasks whose next attempt is to be linked to the last one. */
const RETRIED_MAX = 1_000
const TEXT_CHARS_MAX = 256

/** How a run hangs on the trace of its add. */
export type TraceStyle = 'link' | 'child'

/** How a run ended, as the engine said. */
type Outcome = 'done' | 'failed' | 'aborted' | 'retried' | 'snoozed' | 'postponed' | 'fenced'

/** The span of a run. */
export class RunSpan {
  readonly #telemetry: Telemetry
  readonly #span: Span
  readonly #uuid: string
  /** When its runner settled. */
  #settledAt: number | undefined

  constructor(telemetry: Telemetry, span: Span, uuid: string) {
    this.#telemetry = telemetry
    this.#span = span
    this.#uuid = uuid
  }

  /** Calls what is done in it: spans that it begins are its children. */
  call<T>(work: () => T): T {
    const { context, trace } = this.#telemetry.api
    return context.with(trace.setSpan(context.active(), this.#span), work)
  }

  get spanContext(): SpanContext {
    return this.#span.spanContext()
  }

  settled(): void {
    this.#settledAt = monotonicMs()
  }

  end(outcome: Outcome, error?: unknown): void {
    const span = this.#span
    span.setAttribute('tasker.run.outcome', outcome)
    if (outcome === 'failed' || outcome === 'aborted' || outcome === 'retried') {
      fail(this.#telemetry, span, error)
    }
    if (outcome === 'retried') this.#telemetry.retried(this.#uuid, span.spanContext())
    span.end(this.#settledAt)
  }
}

/** The package of the options, if it is there. */
export function telemetryApiOf(given: unknown): TelemetryApi | undefined {
  if (given === undefined) return undefined
  const api = objectOf(given, 'telemetry')
  for (const [part, name] of USED) {
    if (typeof read(Object(read(api, part)), name) === 'function') continue
    throw invalid('telemetry', 'must be all of the package @opentelemetry/api: import * as api')
  }
  const metrics = read(api, 'metrics')
  if (metrics != null && typeof read(Object(metrics), 'getMeter') !== 'function') {
    throw invalid('telemetry.metrics', 'must be a MeterProvider, or undefined for no instruments')
  }
  return given as TelemetryApi
}

/** By what the package is known. */
const USED = [
  ['trace', 'getTracer'],
  ['trace', 'setSpanContext'],
  ['context', 'with'],
] as const

/** What a tasker tells of itself as spans. */
export class Telemetry {
  readonly api: TelemetryApi
  readonly #style: TraceStyle
  readonly #version: string | undefined
  readonly #tracer: ReturnType<TelemetryApi['trace']['getTracer']>
  /** The spans of the last attempts of tasks that are tried again, the oldest first. */
  readonly #retried = new Map<string, SpanContext>()

  constructor(api: TelemetryApi, style: TraceStyle, version: string | undefined) {
    this.api = api
    this.#style = style
    this.#version = version
    this.#tracer = api.trace.getTracer('tasker', version)
  }

  /** Shows the metrics of a tasker to whoever collects them, until it closes. */
  observe(bridge: Bridge, read: ReadMetrics): void {
    const meter = this.api.metrics?.getMeter('tasker', this.#version)
    if (meter) bridge.attach(new Instruments(meter, bridge, read))
  }

  /** Adds a task within a span. `add` gets what the task is to keep of it. */
  addTask<T>(
    definition: unknown,
    add: (trace: TraceContext | undefined) => Promise<T>,
  ): Promise<T> {
    const operation = read(Object(definition), 'operation')
    return this.#adds(add, operation, uuid => ({ 'messaging.message.id': spell(uuid) }))
  }

  /** Adds several tasks within one span. */
  addTasks<T>(
    definitions: readonly unknown[],
    add: (trace: TraceContext | undefined) => Promise<T>,
  ): Promise<T> {
    const operations = new Set(definitions.map(one => read(Object(one), 'operation')))
    const [operation] = operations.size === 1 ? operations : []
    const count = { 'messaging.batch.message_count': definitions.length }
    return this.#adds(add, operation, () => ({}), count)
  }

  /** Adds something within a span that ends at once: others commit a row of an outbox. */
  addNow<T>(definition: unknown, add: (trace: TraceContext | undefined) => T): T {
    const span = this.#addSpan(read(Object(definition), 'operation'))
    try {
      return add(traceOf(span.spanContext()))
    } catch (error) {
      fail(this, span, error)
      throw error
    } finally {
      span.end()
    }
  }

  async #adds<T>(
    add: (trace: TraceContext | undefined) => Promise<T>,
    operation: unknown,
    added: (answer: T) => Record<string, string>,
    more: Record<string, number> = {},
  ): Promise<T> {
    const span = this.#addSpan(operation, more)
    try {
      const answer = await add(traceOf(span.spanContext()))
      for (const [name, value] of Object.entries(added(answer))) span.setAttribute(name, value)
      return answer
    } catch (error) {
      fail(this, span, error)
      throw error
    } finally {
      span.end()
    }
  }

  #addSpan(operation: unknown, more: Record<string, number> = {}): Span {
    const name = typeof operation === 'string' ? operation.slice(0, TEXT_CHARS_MAX) : undefined
    return this.#tracer.startSpan(name === undefined ? 'add' : `add ${name}`, {
      kind: this.api.SpanKind.PRODUCER,
      attributes: {
        'messaging.system': 'tasker',
        'messaging.operation.name': 'add',
        'messaging.operation.type': 'send',
        ...(name !== undefined && { 'messaging.destination.name': name }),
        ...more,
      },
    })
  }

  /** The runner of a task is about to be called. */
  begin(message: MessageOf<'start'>): RunSpan {
    const { api } = this
    const [, , uuid, runId, operation, attempt, priority, createdAt, startedAt, , rest] = message
    const added = rest?.trace && this.#contextOf(rest.trace)
    const isChild = this.#style === 'child' && added !== undefined
    const links: SpanLink[] = []
    if (added && !isChild) links.push({ context: added })
    const last = this.#retried.get(uuid)
    if (last) links.push({ context: last })
    this.#retried.delete(uuid)
    const attributes = {
      'messaging.system': 'tasker',
      'messaging.operation.name': 'run',
      'messaging.operation.type': 'process',
      'messaging.destination.name': operation,
      'messaging.message.id': uuid,
      'tasker.run.id': runId,
      'tasker.task.attempt': attempt,
      'tasker.task.priority': Number(priority),
      'tasker.task.wait_ms': startedAt - createdAt,
    }
    const options = { kind: api.SpanKind.CONSUMER, root: !isChild, links, attributes }
    const root = api.ROOT_CONTEXT
    const parent = isChild ? api.trace.setSpanContext(root, added) : root
    return new RunSpan(this, this.#tracer.startSpan(`run ${operation}`, options, parent), uuid)
  }

  /** A task is tried again: its next attempt is linked to this one if it comes here. */
  retried(uuid: string, span: SpanContext): void {
    this.#retried.set(uuid, span)
    if (this.#retried.size <= RETRIED_MAX) return
    const [oldest] = this.#retried.keys()
    this.#retried.delete(oldest as string)
  }

  /** What is stored of a trace; it was checked when it was stored. */
  #contextOf({ traceparent, tracestate }: TraceContext): SpanContext {
    const [, traceId, spanId, flags] = traceparent.split('-') as [string, string, string, string]
    const context = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true }
    if (tracestate === undefined) return context
    return { ...context, traceState: this.api.createTraceState(tracestate) }
  }
}

/** What a task keeps of a span, if it is one. */
function traceOf(span: SpanContext): TraceContext | undefined {
  if (!/[1-9a-f]/.test(span.traceId)) return undefined
  const flags = span.traceFlags.toString(16).padStart(2, '0')
  const traceparent = `00-${span.traceId}-${span.spanId}-${flags}`
  const tracestate = span.traceState?.serialize()
  return tracestate ? { traceparent, tracestate } : { traceparent }
}

function fail({ api }: Telemetry, span: Span, error: unknown) {
  const message = spell(isError(error) ? read(error, 'message') : error).slice(0, TEXT_CHARS_MAX)
  span.setStatus({ code: api.SpanStatusCode.ERROR, message })
  span.setAttribute('error.type', typeOf(error))
  span.recordException(isError(error) ? (error as Error) : message)
}

/** Of an abort its cause, of an error its code or else its name. */
function typeOf(error: unknown): string {
  if (!isError(error)) return '_OTHER'
  const words = [read(error, 'name') === 'AbortError' && read(error, 'cause'), read(error, 'code')]
  const word = [...words, read(error, 'name')].find(one => typeof one === 'string' && one !== '')
  return word === undefined ? '_OTHER' : String(word).slice(0, TEXT_CHARS_MAX)
}
