/**
 * Whether the timers that were taken at import are Node's own.
 *
 * Fake timers that were on before the import would be ours for good: a test would hang, and nobody
 * would know why.
 *
 * Proof: `__test__/border/fakes.test.mjs`.
 */

import process from 'node:process'
import { TaskerError } from './errors'
import * as globals from './globals'

/** The longest delay that Node's timers take. */
const FAR_MS = 2 ** 31 - 1

/** Throws if the timers are fakes. */
export function refuseFakes(): void {
  const fake = Object.entries(isReal).find(([, isOurs]) => !isOurs())
  if (!fake) return
  const message =
    `${fake[0]} was a fake when tasker was imported, and would be one for good: ` +
    "import 'tasker/testing' before fake timers are turned on, or turn them off until then"
  throw new TaskerError('TASKER_UNSUPPORTED', message)
}

/** Whether each is real: Node counts what waits for a real timer; makers of fakes mark theirs. */
const isReal: Record<string, () => boolean> = {
  setTimeout() {
    const before = waiting('Timeout')
    const timer = globals.setTimeout(() => {}, FAR_MS)
    const isCounted = waiting('Timeout') > before
    globals.clearTimeout(timer)
    return isCounted
  },
  setImmediate() {
    const before = waiting('Immediate')
    const timer = globals.setImmediate(() => {})
    const isCounted = waiting('Immediate') > before
    globals.clearImmediate(timer)
    return isCounted
  },
  nextTick: () => !('clock' in globals.nextTick),
  queueMicrotask: () => !('clock' in globals.queueMicrotask),
}

const waiting = (kind: string) =>
  process.getActiveResourcesInfo().filter(resource => resource === kind).length
