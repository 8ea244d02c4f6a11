/**
 * Where a tasker lives: in the real world, or in a test that has a clock and a file of its own.
 *
 * # Left to others
 * The world of a test: `testing.ts`.
 */

import { wallMs } from './globals'
import { type NativeHandle, native } from './native'

/** Where a tasker lives. */
export interface World {
  /** Opens the native side; the JSON text of an error if the options are wrong. */
  open(options: string, notifier: () => void): NativeHandle | string
  /** The wall clock, in milliseconds since 1970. */
  wallMs(): number
  /** Whether its clock stands until somebody moves it. */
  readonly isTest: boolean
  /** A call waits for the end of a task. */
  waits(uuid: string, wait: Promise<unknown>): void
}

const real: World = {
  open: (options, notifier) => native().open(options, notifier),
  wallMs,
  isTest: false,
  waits() {},
}

let current = real

/** Where a tasker that is made now lives. */
export const currentWorld = (): World => current

/** Makes a tasker that lives in this world. */
export function within<T>(world: World, make: () => T): T {
  const before = current
  current = world
  try {
    return make()
  } finally {
    current = before
  }
}
