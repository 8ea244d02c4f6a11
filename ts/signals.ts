/**
 * AbortSignals of callers: one listener per signal, however many tasks and calls hang on it.
 *
 * The listener is removed when the last of them is gone, so a signal that lives as long as the
 * process gathers nothing.
 *
 * # Promises
 * - A signal may be of the user's own make: what its methods throw is the user's uncaught exception
 *   and holds up no promise (I-15).
 *
 * Proof: `__test__/contract/aborting.test.mjs`, `__test__/border/listeners.test.mjs`.
 */

import { invalid, read } from './errors'
import { throwUncaught } from './events'

/** Something that ends when a signal fires. */
export interface Abortable {
  abortedBy(signal: AbortSignal): void
}

interface Hub {
  waiting: Set<Abortable>
  fire: () => void
}

const hubs = new WeakMap<AbortSignal, Hub>()

/** Calls `one.abortedBy` once when the signal fires, unless it is unhooked before. */
export function hook(signal: AbortSignal, one: Abortable): void {
  let hub = hubs.get(signal)
  if (!hub) {
    const waiting = new Set<Abortable>()
    hub = { waiting, fire: () => fire(signal, waiting) }
    hubs.set(signal, hub)
    attach(signal, 'addEventListener', hub.fire)
  }
  hub.waiting.add(one)
}

/** Forgets `one`; the last to go takes the listener along. */
export function unhook(signal: AbortSignal, one: Abortable): void {
  const hub = hubs.get(signal)
  if (!hub?.waiting.delete(one) || hub.waiting.size > 0) return
  hubs.delete(signal)
  attach(signal, 'removeEventListener', hub.fire)
}

function attach(
  signal: AbortSignal,
  how: 'addEventListener' | 'removeEventListener',
  fire: () => void,
) {
  try {
    signal[how]('abort', fire, { once: true })
  } catch (error) {
    throwUncaught(error)
  }
}

function fire(signal: AbortSignal, waiting: Set<Abortable>) {
  hubs.delete(signal)
  for (const one of waiting) one.abortedBy(signal)
}

/** The signal that an argument holds, if any. */
export function signalOf(value: unknown, path = 'abortSignal'): AbortSignal | undefined {
  if (value === undefined) return undefined
  const signal = Object(value) as AbortSignal
  const isSignal = typeof read(signal, 'aborted') === 'boolean'
  if (isSignal && typeof read(signal, 'addEventListener') === 'function') return signal
  throw invalid(path, 'must be an AbortSignal')
}
