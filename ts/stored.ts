/**
 * What runners throw, on its way through the store.
 *
 * A runner may throw anything. What is stored is plain JSON with bounded parts; who waits in the
 * same process gets the thrown object itself, anyone else an Error rebuilt from what was stored.
 *
 * # Promises
 * - Nothing that user code throws, however hostile, escapes from here (I-15).
 * - The text of one stored error stays below 200 KiB, and finding that out costs no more work than
 *   a few times that, whatever hangs on the error.
 *
 * Proof: `__test__/contract/errors.test.mjs`, `stored.test.mjs`,
 * `__test__/border/runners.test.mjs`.
 */

import { JsonWriter, TooLarge } from './bounded-json'
import { hide, isError, read, show, spell } from './errors'
import { stringify } from './globals'

/** Characters of a stored message. */
export const MESSAGE_MAX = 8 * 1024
/** Levels of a field: the engine stores 128, and a field is inside others. */
const FIELD_LEVELS_MAX = 100
const STACK_MAX = 16 * 1024
const CODE_MAX = 256
const FIELD_MAX = 16 * 1024
const FIELDS_MAX = 100
const TOTAL_MAX = 190 * 1024
/** What all fields together may cost, those that turn out to be too large included. */
const WORK_MAX = 4 * TOTAL_MAX
/** A nested error that has less room than this is left out. */
const ROOM_MIN = 1024
const DEPTH_MAX = 8
const ERRORS_MAX = 32
const WRITTEN = new Set(['name', 'message', 'stack', 'cause'])
/** The parts of a `SuppressedError`, which do not show. */
const SUPPRESSED = new Set(['error', 'suppressed'])

/** An error as it travels and is stored. */
export type StoredError = Record<string, unknown>

/** The JSON text under which something thrown is stored. */
export const serialise = (thrown: unknown): string => new ErrorWriter().thrown(thrown)

/** What was thrown, from how it was stored: an Error again, or the value that was not one. */
export function rebuild(stored: StoredError): unknown {
  if (stored.thrown === true && typeof stored.message !== 'string') return restored(stored.value)
  const error = new Error(String(stored.message ?? ''))
  hide(error, 'stack', stored.stack ?? `${stored.name ?? 'Error'}: ${error.message}`)
  for (const key of Object.keys(stored)) {
    const value = stored[key]
    if (key === 'message' || key === 'stack') continue
    if (key === 'name') hide(error, key, value)
    else if (key === 'cause') hide(error, key, again(value))
    else if (key === 'errors' && Array.isArray(value)) hide(error, key, value.map(again))
    else show(error, key, restored(value))
  }
  return error
}

const again = (value: unknown) =>
  typeof value === 'object' && value !== null ? rebuild(value as StoredError) : value

/** A field with its errors: what has the three texts of one was one. */
function restored(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (isStoredError(value)) return rebuild(value)
  for (const key of Object.keys(value)) {
    const member = read(value, key)
    const now = restored(member)
    if (now !== member) show(value, key, now)
  }
  return value
}

const isStoredError = (value: object): value is StoredError =>
  ['name', 'message', 'stack'].every(key => typeof read(value, key) === 'string')

/** JSON text of at most `max` bytes, or nothing if there is none. Errors in it are spelled out. */
export const json = (value: unknown, max: number) => new ErrorWriter(max).json(value)

/** A text in JSON, cut to `max` characters. */
export const cut = (text: string, max: number) =>
  stringify(text.length > max ? `${text.slice(0, max - 1)}…` : text)

/** Writes errors with their causes and fields; all of them share one budget. */
export class ErrorWriter {
  #bytesLeft: number
  #workLeft = WORK_MAX
  /** The errors that are being written, the outermost first. */
  readonly #open: Error[] = []

  constructor(bytes = TOTAL_MAX) {
    this.#bytesLeft = bytes
  }

  /** Anything that was thrown. */
  thrown(value: unknown, max = this.#bytesLeft): string {
    if (isError(value)) return this.error(value)
    if (value === undefined) return '{"thrown":true}'
    return `{"thrown":true,"value":${this.json(value, max) ?? cut(spell(value), MESSAGE_MAX)}}`
  }

  error(error: Error): string {
    this.#open.push(error)
    const parts: string[] = []
    this.#put(parts, 'name', () => textOf(error, 'name', CODE_MAX) ?? '"Error"')
    this.#put(parts, 'message', () => textOf(error, 'message', MESSAGE_MAX) ?? '""')
    this.#put(parts, 'stack', () => textOf(error, 'stack', STACK_MAX))
    const code = codeOf(error)
    this.#put(parts, 'code', () => code)
    const errors = read(error, 'errors')
    for (const key of fieldsOf(error)) {
      if ((key === 'code' && code) || (key === 'errors' && isArray(errors))) continue
      this.#put(parts, key, () => this.#field(read(error, key)))
    }
    this.#put(parts, 'cause', () => this.#nested(read(error, 'cause')))
    if (isArray(errors)) this.#put(parts, 'errors', () => this.#list(errors))
    this.#open.pop()
    return `{${parts.join(',')}}`
  }

  /** Any value as JSON, with its errors spelled out; nothing if it is refused or too large. */
  json(value: unknown, max = this.#bytesLeft): string | undefined {
    try {
      return this.write(value, max)
    } catch {
      return undefined
    }
  }

  /** The same; throws what refused it. */
  write(value: unknown, max: number): string | undefined {
    const before = this.#bytesLeft
    const chars = Math.min(max, before, this.#workLeft)
    const writer = new JsonWriter({ chars, levels: FIELD_LEVELS_MAX }, each => this.#textOf(each))
    try {
      const text = writer.write(value)
      if (text === undefined) return undefined
      if (Buffer.byteLength(text) - (before - this.#bytesLeft) > max) throw new TooLarge('bytes')
      return text
    } finally {
      this.#workLeft = Math.max(0, this.#workLeft - writer.cost)
    }
  }

  /** How the errors in a field are written. */
  #textOf(value: object): string | undefined {
    return isError(value) ? (this.#nested(value) ?? 'null') : undefined
  }

  /** Adds a part if there is room for it. The errors in it have taken theirs already. */
  #put(parts: string[], key: string, write: () => string | undefined) {
    const before = this.#bytesLeft
    const text = write()
    if (text === undefined) return
    const part = `${stringify(key)}:${text}`
    if (this.#pay(part, before)) parts.push(part)
  }

  #field(value: unknown): string | undefined {
    return isError(value) ? this.#nested(value) : this.json(value, FIELD_MAX)
  }

  /** An error, or another thrown value, inside of an error. */
  #nested(value: unknown): string | undefined {
    const isTooMuch = this.#open.length > DEPTH_MAX || this.#bytesLeft < ROOM_MIN
    if (value === undefined || isTooMuch) return undefined
    if (!isError(value)) return this.thrown(value, FIELD_MAX)
    return this.#open.includes(value) ? undefined : this.error(value)
  }

  /** Errors in a list; each keeps its index. */
  #list(values: unknown[]): string {
    const length = read(values, 'length')
    const count = typeof length === 'number' ? Math.min(length, ERRORS_MAX) : 0
    const texts: string[] = []
    for (let i = 0; i < count; i += 1) {
      texts.push(this.#item(read(values, String(i))) ?? 'null')
    }
    return `[${texts.join(',')}]`
  }

  #item(value: unknown): string | undefined {
    const before = this.#bytesLeft
    const text = value === undefined ? this.thrown(value) : this.#nested(value)
    return text === undefined || !this.#pay(text, before) ? undefined : text
  }

  /** Takes the bytes of a text from the budget, if it has them. What stands in it has paid. */
  #pay(text: string, before: number): boolean {
    const bytes = Buffer.byteLength(text) + 1 - (before - this.#bytesLeft)
    if (bytes > this.#bytesLeft) return false
    this.#bytesLeft -= bytes
    return true
  }
}

function textOf(error: Error, key: string, max: number): string | undefined {
  const value = read(error, key)
  return typeof value === 'string' ? cut(value, max) : undefined
}

/** A code that is a word or a number; any other is a field. */
function codeOf(error: Error): string | undefined {
  const code = read(error, 'code')
  if (typeof code === 'string') return cut(code, CODE_MAX)
  return typeof code === 'number' ? stringify(code) : undefined
}

function isArray(value: unknown): value is unknown[] {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
}

/** The own keys stored as fields: all that show, and of the hidden ones those of errors. */
function fieldsOf(error: Error): string[] {
  const isShown = (key: string) => Object.prototype.propertyIsEnumerable.call(error, key)
  try {
    return Object.getOwnPropertyNames(error)
      .filter(key => !WRITTEN.has(key))
      .slice(0, FIELDS_MAX)
      .filter(key => isShown(key) || SUPPRESSED.has(key) || isError(read(error, key)))
  } catch {
    return []
  }
}
