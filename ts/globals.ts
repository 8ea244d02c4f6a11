/**
 * Globals that user code may replace, taken once, when the package is imported.
 *
 * Fake timers of test tools (jest, vitest, sinon, `node:test`) stand in for timers, ticks and the
 * clock, at any time. They are meant for the user's own code: what drives the engine, and the
 * timeouts of its calls, stay real. So nothing in `ts/` looks these up; the linter holds that.
 *
 * Test tools may run this file in a realm whose globals are faked before it is imported. The timers
 * of `node:timers`, and what the main realm has, are then still Node's own.
 *
 * # Left as they are
 * Built-ins that no tool fakes (`Map`, `Promise`, `Buffer` …), and `process.emitWarning`, which
 * tests spy on: `warnings.ts` calls it.
 *
 * Proof: `__test__/border/fakes.test.mjs`, `__test__/process/vitest.test.mjs`.
 */

import timers from 'node:timers'
import { runInThisContext } from 'node:vm'

const main = runInThisContext('globalThis') as typeof globalThis

export const { setTimeout, clearTimeout, setInterval, clearInterval } = timers
export const { setImmediate, clearImmediate } = timers
export const { queueMicrotask } = main
export const { nextTick } = main.process

const { now } = main.Date
/** The end of the year 9999: later times fit neither ISO text nor a UUIDv7. */
const WALL_MS_MAX = 253_402_300_799_999

/** The wall clock, in whole milliseconds since 1970. Of a clock that gives nonsense: 0. */
export function wallMs(): number {
  const ms = now()
  return ms >= 0 && ms <= WALL_MS_MAX ? Math.trunc(ms) : 0
}

/** A clock that only goes forward, in milliseconds. */
export const monotonicMs: () => number = main.performance.now.bind(main.performance)

// Of this realm: what they make is compared with `instanceof`.
const { Date: RealDate, JSON: json } = globalThis
/** A Date. */
export const dateOf = (ms: number): Date => new RealDate(ms)
export const { parse, stringify } = json
