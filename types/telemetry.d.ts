/** What tasker uses of OpenTelemetry: `import * as api from '@opentelemetry/api'` has all of it. */

/** The package `@opentelemetry/api`, handed over whole. */
export interface TelemetryApi {
  readonly ROOT_CONTEXT: unknown
  readonly SpanKind: { readonly PRODUCER: number; readonly CONSUMER: number }
  readonly SpanStatusCode: { readonly ERROR: number }
  createTraceState(text?: string): TelemetryTraceState
  readonly context: {
    active(): unknown
    with<T>(context: unknown, work: () => T): T
  }
  readonly trace: {
    getTracer(name: string, version?: string): TelemetryTracer
    setSpan(context: unknown, span: TelemetrySpan): unknown
    setSpanContext(context: unknown, span: TelemetrySpanContext): unknown
  }
  /** Without it there are spans and no metrics. */
  readonly metrics?: { getMeter(name: string, version?: string): TelemetryMeter } | undefined
}

/** Makes instruments, and asks what they show. */
export interface TelemetryMeter {
  createObservableCounter(name: string, options?: TelemetryMetricOptions): TelemetryInstrument
  createObservableGauge(name: string, options?: TelemetryMetricOptions): TelemetryInstrument
  addBatchObservableCallback(
    observe: (observed: TelemetryObserved) => void | Promise<void>,
    instruments: TelemetryInstrument[],
  ): void
  removeBatchObservableCallback(
    observe: (observed: TelemetryObserved) => void | Promise<void>,
    instruments: TelemetryInstrument[],
  ): void
}

/** What an instrument is. */
export interface TelemetryMetricOptions {
  description?: string
  unit?: string
}

/** An instrument that is asked. */
export interface TelemetryInstrument {
  // biome-ignore lint/suspicious/noExplicitAny: it is that of the package.
  addCallback(observe: any): void
}

/** Takes what instruments show. */
export interface TelemetryObserved {
  observe(
    instrument: TelemetryInstrument,
    value: number,
    attributes?: { [name: string]: string },
  ): void
}

/** Begins spans. */
export interface TelemetryTracer {
  startSpan(name: string, options?: TelemetrySpanOptions, context?: unknown): TelemetrySpan
}

/** What a span begins with. */
export interface TelemetrySpanOptions {
  kind?: number
  root?: boolean
  links?: TelemetrySpanLink[]
  attributes?: Record<string, string | number>
}

/** Another span that one has to do with. */
export interface TelemetrySpanLink {
  context: TelemetrySpanContext
}

/** A span as tasker sees it. */
export interface TelemetrySpan {
  spanContext(): TelemetrySpanContext
  setAttribute(name: string, value: string | number): unknown
  setStatus(status: { code: number; message?: string }): unknown
  recordException(error: Error | string): void
  end(time?: number): void
}

/** Where a span is. */
export interface TelemetrySpanContext {
  traceId: string
  spanId: string
  traceFlags: number
  isRemote?: boolean
  traceState?: TelemetryTraceState
}

/** What tracing systems add to it. */
export interface TelemetryTraceState {
  set(key: string, value: string): TelemetryTraceState
  unset(key: string): TelemetryTraceState
  get(key: string): string | undefined
  serialize(): string
}
