/**
 * Metrics: asks the engine for its figures, and joins what is known of the process beside it.
 *
 * Proof: `__test__/contract/metrics.test.mjs`.
 */

import type { Metrics, MetricsOptions } from '../index'
import type { Bridge } from './bridge'
import type { DocumentJson } from './commands'
import { invalid } from './errors'
import { dateOf, parse } from './globals'
import { oneOf, only } from './options'

const FORMATS = ['prometheus', 'openmetrics'] as const
const OPERATIONS_MAX = 10_000
/** The mark at the end of a text of OpenMetrics. */
const END = '# EOF\n'

/** The figures of this moment, as an object or as a text. */
export function metricsOf(bridge: Bridge, options: MetricsOptions = {}): Promise<Metrics | string> {
  const { format, operationsMax = 100 } = only(options, ['format', 'operationsMax'], 'options')
  const style = format === undefined ? 'json' : oneOf(format, FORMATS, 'format')
  const command = {
    do: 'metrics',
    format: style,
    operationsMax: countOf(operationsMax),
  } as const
  return bridge.command(command, told => {
    const own = bridge.processMetrics(style)
    return typeof told === 'string' ? joined(told, own) : revive(told, parse(own) as object)
  })
}

function joined(text: string, own: string): string {
  return text.endsWith(END) ? text.slice(0, -END.length) + own + END : text + own
}

function countOf(value: unknown): number {
  const count = Number.isInteger(value) ? (value as number) : -1
  if (count >= 0 && count <= OPERATIONS_MAX) return count
  throw invalid('operationsMax', `must be a whole number from 0 to ${OPERATIONS_MAX}`)
}

function revive(told: DocumentJson, own: object): Metrics {
  Object.assign(told.process as object, own)
  for (const key of ['at', 'since']) told[key] = dateOf(told[key] as number)
  for (const { store } of Object.values(told.operations as Record<string, Loose>)) {
    if (typeof store.nextReadyAt === 'number') store.nextReadyAt = dateOf(store.nextReadyAt)
  }
  return told as unknown as Metrics
}

/** An operation as the engine tells it. */
interface Loose {
  store: { nextReadyAt: unknown }
}
