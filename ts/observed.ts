/**
 * Metrics as instruments of OpenTelemetry: read from the engine when the application collects them.
 *
 * Names are those of the text for Prometheus with dots, without the unit and without `total`.
 *
 * # Promises
 * - Nothing is counted here, and nothing is done between two collections.
 * - A gauge whose reason is gone is 0.
 * - A tasker that has closed, or was forgotten, is asked no more.
 *
 * # Left to others
 * Buckets: instruments that observe have no histograms.
 *
 * Proof: `__test__/contract/telemetry-metrics.test.mjs`.
 */

import type {
  TelemetryInstrument as Instrument,
  TelemetryMeter as Meter,
  Metrics,
  TelemetryObserved as Observed,
  OperationMetrics,
} from '../index'
import type { Attachment, Bridge } from './bridge'
import { read } from './errors'
import { stringify, wallMs } from './globals'

type Attributes = Record<string, string>
type Tell = (value: number, attributes?: Attributes) => void
type Kind = 'Counter' | 'Gauge'

/** An instrument: its name, its kind, what it is, and what it tells. */
type Row = readonly [string, Kind, string, (told: Metrics, tell: Tell) => void, unit?: string]

/** What is asked with each collection, and what a gauge told the last time, by its attributes. */
interface Asked {
  readonly instrument: Instrument
  readonly of: Row[3]
  readonly isGauge: boolean
  before: Map<string, Attributes | undefined>
}

/** What is told of each operation. */
function each(of: (one: OperationMetrics, tell: Tell) => void): Row[3] {
  return ({ operations }, tell) => {
    for (const [operation, one] of Object.entries(operations)) {
      if (one) of(one, (value, more) => tell(value, { operation, ...more }))
    }
  }
}

/** Counts by a word, each with the word as an attribute. */
function by(attribute: string, counts: Record<string, number>, tell: Tell): void {
  for (const [word, count] of Object.entries(counts)) tell(count, { [attribute]: word })
}

const seconds = (ms: number) => ms / 1_000

const ROWS: readonly Row[] = [
  ['tasks.added', 'Counter', 'Tasks that this process added.', each((o, tell) => tell(o.added))],
  [
    'adds.skipped',
    'Counter',
    'Adds that gave an earlier task back, because of its key.',
    each((o, tell) => tell(o.skipped)),
  ],
  [
    'tasks.ended',
    'Counter',
    'Tasks that ended by what this process committed.',
    each((o, tell) => by('status', o.ended, tell)),
  ],
  [
    'runs.started',
    'Counter',
    'Runs that began in this process.',
    each((o, tell) => tell(o.runs.started)),
  ],
  [
    'runs.ended',
    'Counter',
    'Runs that ended by what this process committed.',
    each((o, tell) => by('outcome', o.runs.ended, tell)),
  ],
  [
    'runs.live',
    'Gauge',
    'Runs that go on in this process.',
    each((o, tell) => tell(o.runs.running)),
  ],
  [
    'task.wait_duration.sum',
    'Counter',
    'From when tasks could start to their first start, together.',
    each((o, tell) => tell(seconds(o.wait.sum))),
    's',
  ],
  [
    'task.wait_duration.count',
    'Counter',
    'How many waits that are.',
    each((o, tell) => tell(o.wait.count)),
  ],
  [
    'run.duration.sum',
    'Counter',
    'From the start of runs to their end, together.',
    each((o, tell) => tell(seconds(o.duration.sum))),
    's',
  ],
  [
    'run.duration.count',
    'Counter',
    'How many runs that are.',
    each((o, tell) => tell(o.duration.count)),
  ],
  [
    'runs.limit',
    'Gauge',
    'How many runs this process may have at once.',
    ({ process }, tell) => tell(process.concurrency),
  ],
  [
    'polls.waiting',
    'Gauge',
    'Calls of executors that wait for tasks.',
    ({ process }, tell) => tell(process.polls),
  ],
  [
    'commits.refused',
    'Counter',
    'Commits that the store has refused, by the code of the error.',
    ({ process }, tell) => by('code', process.refused, tell),
  ],
  [
    'event_loop.blocked',
    'Counter',
    'For how long the event loop stood still.',
    ({ process }, tell) => tell(seconds(process.eventLoopBlocked)),
    's',
  ],
  [
    'http.requests',
    'Counter',
    'Requests that were answered, by route and status.',
    ({ process }, tell) => {
      for (const [route, { requests }] of Object.entries(process.http)) {
        by('code', requests, (count, more) => tell(count, { route, ...more }))
      }
    },
  ],
  [
    'store.commit_number',
    'Gauge',
    'The number of the last commit.',
    ({ store }, tell) => tell(store.commits),
  ],
  [
    'store.processes',
    'Gauge',
    'How many taskers have the store open.',
    ({ store }, tell) => tell(store.processes),
  ],
  [
    'store.schedules',
    'Gauge',
    'How many schedules there are.',
    ({ store }, tell) => tell(store.schedules),
  ],
  [
    'store.bytes',
    'Gauge',
    'The size of the file, of the log beside it, and of what is free in the file.',
    ({ store }, tell) => by('part', { ...store.bytes }, tell),
    'By',
  ],
  [
    'store.tasks',
    'Gauge',
    'Tasks that are kept, by state.',
    each((o, tell) => by('state', o.store.tasks, tell)),
  ],
  [
    'store.waiting',
    'Gauge',
    'Tasks that wait, by the first reason why.',
    each((o, tell) => by('reason', o.store.waiting, tell)),
  ],
  [
    'store.next_ready_age',
    'Gauge',
    'How long ago the task was added that is next in the queue; 0 if there is none.',
    each((o, tell) => {
      const at = o.store.nextReadyAt
      tell(at ? seconds(Math.max(0, wallMs() - Number(at))) : 0)
    }),
    's',
  ],
  [
    'store.runners',
    'Gauge',
    'Processes that start tasks of the operation.',
    each((o, tell) => tell(o.store.runners)),
  ],
  [
    'store.paused',
    'Gauge',
    'Whether the operation is paused.',
    each((o, tell) => tell(Number(o.store.paused))),
  ],
  [
    'store.circuit_open',
    'Gauge',
    'Whether the circuit of the operation lets nothing start.',
    each((o, tell) => tell(Number(o.store.circuitOpen))),
  ],
]

/**
 * Tells the values of an instrument. An SDK goes on with what a gauge once told, so what is not
 * there any more is told once more, as 0.
 */
function ask(asked: Asked, told: Metrics, observed: Observed): void {
  const { instrument, of, isGauge, before } = asked
  const seen = new Map<string, Attributes | undefined>()
  of(told, (value, attributes) => {
    if (isGauge) seen.set(stringify(attributes ?? {}), attributes)
    observed.observe(instrument, value, attributes)
  })
  for (const [text, attributes] of before) {
    if (!seen.has(text)) observed.observe(instrument, 0, attributes)
  }
  asked.before = seen
}

/** Reads the figures of this moment. */
export type ReadMetrics = (bridge: Bridge) => Promise<Metrics | string>

/** The instruments of a tasker, as long as it is open. */
export class Instruments implements Attachment {
  readonly isAwaited = false
  readonly #meter: Meter
  /** Not held: whoever collects is global, and a tasker may be forgotten. */
  readonly #bridge: WeakRef<Bridge>
  readonly #read: ReadMetrics
  readonly #all: Asked[]
  readonly #observe = (observed: Observed) => this.#tell(observed)
  #isOver = false

  constructor(meter: Meter, bridge: Bridge, read: ReadMetrics) {
    this.#meter = meter
    this.#bridge = new WeakRef(bridge)
    this.#read = read
    this.#all = ROWS.map(([name, kind, description, of, unit]) => {
      const options = unit === undefined ? { description } : { description, unit }
      const instrument = meter[`createObservable${kind}`](`tasker.${name}`, options)
      return { instrument, of, isGauge: kind === 'Gauge', before: new Map() }
    })
    meter.addBatchObservableCallback(this.#observe, this.#instruments)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get #instruments(): Instrument[] {
    return this.#all.map(({ instrument }) => instrument)
  }

  closed(): void {
    this.#isOver = true
    this.#meter.removeBatchObservableCallback(this.#observe, this.#instruments)
  }

  async #tell(observed: Observed): Promise<void> {
    const bridge = this.#bridge.deref()
    if (!bridge) return this.closed()
    let told: Metrics
    try {
      told = (await this.#read(bridge)) as Metrics
    } catch (error) {
      if (read(Object(error), 'code') === 'TASKER_CLOSED') return
      throw error
    }
    for (const asked of this.#all) ask(asked, told, observed)
  }
}
