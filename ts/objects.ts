/**
 * Objects that users hand in: which are what they look like, and what an instance of a class
 * brings.
 *
 * An instance keeps its members on its prototype, where `Object.keys` and a spread do not see them:
 * they are read by name. What has nothing that is asked for, such as a Map, is a mistake.
 *
 * Proof: `__test__/contract/options.test.mjs`, `__test__/border/payloads.test.mjs`.
 */

import { invalid } from './errors'

export type Loose = Record<string, unknown>

/** An object that is no list; anything else is refused with its path. */
export function objectOf(value: unknown, path: string): Loose {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(path, 'must be an object')
  }
  return value as Loose
}

/** Whether it was written as `{ … }`, in any realm. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** Refuses an instance that has none of the keys, neither itself nor from its class. */
export function refuseForeign(value: object, keys: readonly string[], path: string): void {
  if (isPlain(value) || keys.some(key => key in value)) return
  throw invalid(
    path,
    `must be an object with ${keys.slice(0, 3).join(', ')} …, not ${nameOf(value)}`,
  )
}

/** What kind of object it is, in words. */
export function nameOf(value: object): string {
  const tag = Object.prototype.toString.call(value).slice(8, -1)
  if (tag === 'Object') return `an instance of ${value.constructor?.name || 'a class'}`
  return `${/^(?!U(int|RL))[AEIOU]/i.test(tag) ? 'an' : 'a'} ${tag}`
}

/** The functions of an object; those of an instance come from its class too, with their `this`. */
export function functionsOf(value: Loose, path: string): Loose {
  if (isPlain(value)) return defined(value)
  const found: Loose = {}
  const isInstance = Object.prototype.toString.call(value) === '[object Object]'
  for (
    let at: object | null = value;
    isInstance && at && !isRoot(at);
    at = Object.getPrototypeOf(at)
  ) {
    for (const name of Object.getOwnPropertyNames(at)) {
      const member = name === 'constructor' || name in found ? undefined : value[name]
      if (typeof member === 'function') found[name] = member.bind(value)
    }
  }
  if (Object.keys(found).length > 0) return found
  throw invalid(path, `must be an object with functions, not ${nameOf(value)}`)
}

/** Without what is `undefined`: that counts as absent, as it does for every option. */
const defined = (given: Loose): Loose =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))

const isRoot = (prototype: object) => Object.getPrototypeOf(prototype) === null
