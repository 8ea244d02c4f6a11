/**
 * A look at a value before `JSON.stringify` writes it: is the text surely too long?
 *
 * To find that out by writing costs seconds and a gigabyte for a large Buffer. This adds up only
 * what the text cannot do without, and stops as soon as that is too much.
 *
 * Proof: `__test__/contract/json.test.mjs`.
 */

import { types } from 'node:util'

/** Deeper values are left to others: the engine refuses them. */
const LEVELS_MAX = 256

/** Whether the JSON text of a value has certainly more than `chars` characters. */
export function isLongerThan(value: unknown, chars: number): boolean {
  return remaining(value, chars, []) < 0
}

/** What is left of `chars`; `Infinity` for a cycle, which is for `JSON.stringify` to refuse. */
function remaining(value: unknown, chars: number, open: object[]): number {
  if (typeof value === 'string') return chars - value.length - 2
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return chars - 1
  if (typeof value !== 'object') return chars
  if (ArrayBuffer.isView(value)) return chars - 2 * value.byteLength
  if (open.length === LEVELS_MAX) return chars
  if (open.includes(value)) return Number.POSITIVE_INFINITY
  open.push(value)
  const left = Array.isArray(value)
    ? afterList(value, chars, open)
    : afterFields(value as Record<string, unknown>, chars, open)
  open.pop()
  return left
}

function afterList(values: unknown[], chars: number, open: object[]): number {
  let left = chars - values.length
  for (let i = 0; i < values.length && left >= 0; i += 1) left = remaining(values[i], left, open)
  return left
}

function afterFields(value: Record<string, unknown>, chars: number, open: object[]): number {
  // Its `toJSON` may make less of it.
  if (typeof value.toJSON === 'function') return chars
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && types.isBoxedPrimitive(value)) return chars
  let left = chars
  for (const key of Object.keys(value)) {
    if (left < 0) return left
    const after = remaining(value[key], left, open)
    // What may be left out of the text leaves its key out too.
    left = after < left ? after - key.length - 3 : after
  }
  return left
}
