/**
 * What runners throw, on its way through the store.
 *
 * A runner may throw anything. What is stored is plain JSON with bounded parts; who waits in the
 * same process gets the thrown object itself, anyone else an Error rebuilt from what was stored.
 *
 * # Promises
 * - Nothing that user code throws, however hostile, escapes from here (I-15).
 * - The text of one stored error stays below 200 KiB.
 *
 * Proof: `__test__/contract/errors.test.mjs`, `__test__/border/runners.test.mjs`.
 */

import { hide, isError, read, show, spell } from './errors'
import { stringify } from './globals'

/** Characters of a stored message. */
export const MESSAGE_MAX = 8 * 1024
const STACK_MAX = 16 * 1024
const FIELD_MAX = 16 * 1024
const TOTAL_MAX = 190 * 1024
const DEPTH_MAX = 8
const ERRORS_MAX = 32
const RESERVED = new Set(['name', 'message', 'stack', 'code', 'cause', 'errors'])

/** An error as it travels and is stored. */
export type StoredError = Record<string, unknown>

/** The JSON text under which something thrown is stored. */
export function serialise(thrown: unknown): string {
  if (isError(thrown)) return new Writer().error(thrown, 0)
  const value = json(thrown, TOTAL_MAX) ?? (thrown === undefined ? undefined : described(thrown))
  return value === undefined ? '{"thrown":true}' : `{"thrown":true,"value":${value}}`
}

/** What was thrown, from how it was stored: an Error again, or the value that was not one. */
export function rebuild(stored: StoredError): unknown {
  if (stored.thrown === true && typeof stored.message !== 'string') return stored.value
  const error = new Error(String(stored.message ?? ''))
  hide(error, 'stack', stored.stack ?? `${stored.name ?? 'Error'}: ${error.message}`)
  for (const key of Object.keys(stored)) {
    const value = stored[key]
    if (key === 'message' || key === 'stack') continue
    if (key === 'name') hide(error, key, value)
    else if (key === 'cause') hide(error, key, again(value))
    else if (key === 'errors' && Array.isArray(value)) hide(error, key, value.map(again))
    else show(error, key, value)
  }
  return error
}

const again = (value: unknown) =>
  typeof value === 'object' && value !== null ? rebuild(value as StoredError) : value

/** JSON text of at most `max` bytes, or nothing if there is none. */
export function json(value: unknown, max: number): string | undefined {
  try {
    const text = stringify(value)
    return text !== undefined && Buffer.byteLength(text) <= max && isShallow(text)
      ? text
      : undefined
  } catch {
    return undefined
  }
}

/**
 * Whether JSON text has at most 100 levels: the engine stores 128, and a field is inside others.
 */
export function isShallow(text: string): boolean {
  if (text.length <= 200) return true
  let depth = 0
  for (const token of text.match(/"(?:[^"\\]|\\.)*"|[[\]{}]/g) ?? []) {
    if (token === '[' || token === '{') depth += 1
    else if (token === ']' || token === '}') depth -= 1
    if (depth > 100) return false
  }
  return true
}

/** A text in JSON, cut to `max` characters. */
export const cut = (text: string, max: number) =>
  stringify(text.length > max ? `${text.slice(0, max - 1)}…` : text)

/** How a value that JSON cannot hold calls itself. */
const described = (value: unknown) => cut(spell(value), MESSAGE_MAX)

/** Writes one error with its causes; all of them share one budget of bytes. */
class Writer {
  #left = TOTAL_MAX
  #seen = new Set<object>()

  error(error: Error, depth: number): string {
    this.#seen.add(error)
    const parts: string[] = []
    const put = (key: string, text: string | undefined) => {
      const part = text === undefined ? '' : `${stringify(key)}:${text}`
      this.#left -= Buffer.byteLength(part) + 1
      if (part !== '' && this.#left > 0) parts.push(part)
    }
    put('name', this.#text(error, 'name', 256) ?? '"Error"')
    put('message', this.#text(error, 'message', MESSAGE_MAX) ?? '""')
    put('stack', this.#text(error, 'stack', STACK_MAX))
    put('code', this.#code(error))
    for (const key of ownKeys(error))
      if (this.#left > 0) put(key, json(read(error, key), FIELD_MAX))
    put('cause', this.#nested(read(error, 'cause'), depth + 1))
    put('errors', this.#errors(read(error, 'errors'), depth + 1))
    return `{${parts.join(',')}}`
  }

  #text(error: Error, key: string, max: number): string | undefined {
    const value = read(error, key)
    return typeof value === 'string' ? cut(value, max) : undefined
  }

  #code(error: Error): string | undefined {
    const code = read(error, 'code')
    if (typeof code === 'string') return cut(code, 256)
    return typeof code === 'number' ? stringify(code) : undefined
  }

  /** Nested errors pay for themselves inside, so what they wrote is given back to the budget. */
  #nested(value: unknown, depth: number): string | undefined {
    if (value === undefined || depth > DEPTH_MAX || this.#left < 1024) return undefined
    if (!isError(value)) {
      const text = serialise(value)
      return text.length < FIELD_MAX ? text : undefined
    }
    if (this.#seen.has(value)) return undefined
    const text = this.error(value, depth)
    this.#left += Buffer.byteLength(text)
    return text
  }

  #errors(value: unknown, depth: number): string | undefined {
    if (!isArray(value)) return undefined
    const texts: string[] = []
    const length = read(value, 'length')
    const count = typeof length === 'number' ? Math.min(length, ERRORS_MAX) : 0
    for (let i = 0; i < count; i += 1) {
      const text = this.#nested(read(value, String(i)), depth)
      if (text === undefined) continue
      this.#left -= Buffer.byteLength(text)
      texts.push(text)
    }
    const list = `[${texts.join(',')}]`
    this.#left += Buffer.byteLength(list)
    return list
  }
}

function isArray(value: unknown): value is unknown[] {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
}

function ownKeys(error: Error): string[] {
  try {
    return Object.keys(error)
      .filter(key => !RESERVED.has(key))
      .slice(0, 100)
  } catch {
    return []
  }
}
