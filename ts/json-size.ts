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
  return remaining(value, chars, undefined) < 0
}

/** An object that is being looked at, and those around it. */
interface Open {
  readonly value: object
  readonly outer: Open | undefined
  readonly level: number
}

/** What is left of `chars`; `Infinity` for a cycle, which is for `JSON.stringify` to refuse. */
function remaining(value: unknown, chars: number, outer: Open | undefined): number {
  switch (typeof value) {
    case 'string':
      return chars - value.length - 2
    case 'number':
    case 'boolean':
      return chars - 1
    case 'object':
      return value === null ? chars - 1 : afterObject(value, chars, outer)
    default:
      return chars
  }
}

function afterObject(value: object, chars: number, outer: Open | undefined): number {
  if (ArrayBuffer.isView(value)) return chars - 2 * value.byteLength
  for (let one = outer; one; one = one.outer) {
    if (one.value === value) return Number.POSITIVE_INFINITY
  }
  // A small object is cheaper than a list that grows: most values have one level.
  const open = { value, outer, level: outer ? outer.level + 1 : 1 }
  if (open.level > LEVELS_MAX) return chars
  return Array.isArray(value)
    ? afterList(value, chars, open)
    : afterFields(value as Record<string, unknown>, chars, open)
}

function afterList(values: unknown[], chars: number, open: Open): number {
  let left = chars - values.length
  for (let i = 0; i < values.length && left >= 0; i += 1) left = remaining(values[i], left, open)
  return left
}

function afterFields(value: Record<string, unknown>, chars: number, open: Open): number {
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
