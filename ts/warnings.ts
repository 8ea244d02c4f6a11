/**
 * Process warnings: what a user should know and no call can tell.
 *
 * # Promises
 * - Only texts are handed on: in the realm of a test tool an Error of ours is none to Node.
 * - A `process.emitWarning` that somebody replaced harms nothing by throwing (I-15).
 *
 * Proof: `__test__/contract/warnings.test.mjs`, `__test__/border/fakes.test.mjs`.
 */

import process from 'node:process'
import { isError, read, spell } from './errors'

/** Emits a warning with a stable code. */
export function warn(code: string, message: string, detail?: string): void {
  emit(message, { code, ...(detail !== undefined && { detail }) })
}

/** Emits a fault that nobody listens to as a warning; it may be anything that a library throws. */
export function warnOf(fault: unknown): void {
  if (!isError(fault)) {
    emit(`Something that is no Error was thrown: ${spell(fault)}`, {})
    return
  }
  const [type, code, detail] = ['name', 'code', 'stack'].map(key => textIn(fault, key))
  emit(spell(read(fault, 'message')), {
    ...(type && { type }),
    ...(code && { code }),
    ...(detail && { detail }),
  })
}

function emit(message: string, options: { type?: string; code?: string; detail?: string }) {
  try {
    process.emitWarning(message, options)
  } catch {}
}

function textIn(error: object, key: string): string | undefined {
  const value = read(error, key)
  return typeof value === 'string' ? value : undefined
}
