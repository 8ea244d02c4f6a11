/**
 * JSON text of a bounded length, as `JSON.stringify` writes it.
 *
 * `JSON.stringify` has no limit: to find out that a value is too large it writes all of it, which
 * may take seconds and a gigabyte. This writer stops where its limit is reached, so that the work
 * is bounded by what may be stored and not by what a runner happens to hold.
 *
 * # Promises
 * - A text within the limits is the one that `JSON.stringify` gives, character for character.
 * - It reads at most as many values as the text may have characters, each once and in order.
 * - A `toJSON` is called only while there is room for what it gives.
 *
 * Proof: `__test__/contract/json.test.mjs`.
 */

import { types } from 'node:util'
import { stringify } from './globals'
import { isPlain } from './objects'

/** What a text may be. */
export interface JsonLimits {
  /** Most characters. */
  readonly chars: number
  /** Most levels of arrays and objects. */
  readonly levels: number
}

/**
 * The JSON text of an object that JSON alone would write badly, `undefined` for any other. Plain
 * objects are not asked about, others after their `toJSON`.
 */
export type TextOf = (value: object) => string | undefined

/** A value is larger or deeper than it may be. */
export class TooLarge extends RangeError {}

type Keyed = Record<string, unknown>

/** Writes one value. */
export class JsonWriter {
  readonly #limits: JsonLimits
  readonly #textOf: TextOf
  /** The objects that are being written, the outermost first. */
  readonly #open: object[] = []
  #charsLeft: number
  #valuesLeft: number

  constructor(limits: JsonLimits, textOf: TextOf = () => undefined) {
    this.#limits = limits
    this.#textOf = textOf
    this.#charsLeft = limits.chars
    this.#valuesLeft = limits.chars
  }

  /**
   * The text of a value, or `undefined` for what JSON leaves out.
   *
   * Throws {@link TooLarge}, a `TypeError` for what JSON refuses, and what user code throws.
   */
  write(value: unknown): string | undefined {
    return this.#value(value, '')
  }

  /** What the writing has cost so far: characters and values. */
  get cost(): number {
    return 2 * this.#limits.chars - this.#charsLeft - this.#valuesLeft
  }

  #spend(chars: number) {
    if (chars > this.#charsLeft) throw new TooLarge('more characters than can be stored')
    this.#charsLeft -= chars
  }

  #value(given: unknown, key: string | number): string | undefined {
    if (this.#valuesLeft === 0) throw new TooLarge('more values than can be stored')
    this.#valuesLeft -= 1
    const isObject = typeof given === 'object' ? given !== null : typeof given === 'function'
    if (!isObject && typeof given !== 'bigint') return this.#scalar(given)
    const value = this.#converted(given, key)
    return typeof value === 'object' && value !== null ? this.#object(value) : this.#scalar(value)
  }

  #scalar(value: unknown): string | undefined {
    switch (typeof value) {
      case 'string':
        return this.#text(value)
      case 'number':
        return this.#word(Number.isFinite(value) ? `${value}` : 'null')
      case 'boolean':
        return this.#word(value ? 'true' : 'false')
      case 'bigint':
        throw new TypeError('a BigInt has no JSON; give it as a string')
      case 'object':
        return this.#word('null')
      default:
        return undefined
    }
  }

  /** What the `toJSON` of a value makes of it, if it has one. */
  #converted(value: unknown, key: string | number): unknown {
    const { toJSON } = value as { toJSON?: unknown }
    // A Buffer would become an array of its bytes first, another view an object with a key for
    // each.
    const isOwn = toJSON === undefined || toJSON === bufferToJSON
    if (isOwn && ArrayBuffer.isView(value) && value.byteLength > this.#charsLeft) {
      throw new TooLarge('more bytes than can be stored')
    }
    if (typeof toJSON !== 'function') return value
    if (this.#charsLeft === 0) throw new TooLarge('more characters than can be stored')
    return Reflect.apply(toJSON, value, [String(key)])
  }

  #object(value: object): string {
    const special = isBare(value) ? undefined : (this.#boxed(value) ?? this.#textOf(value))
    if (special !== undefined) return special
    this.#enter(value)
    const text = Array.isArray(value) ? this.#list(value) : this.#fields(value as Keyed)
    this.#open.pop()
    return text
  }

  /** `new Number(1)` and the like are written as what they hold. */
  #boxed(value: object): string | undefined {
    if (!types.isBoxedPrimitive(value)) return undefined
    if (types.isNumberObject(value)) return this.#scalar(Number(value))
    if (types.isStringObject(value)) return this.#scalar(String(value))
    if (types.isBooleanObject(value)) return this.#scalar(booleanOf.call(value))
    return types.isBigIntObject(value) ? this.#scalar(0n) : undefined
  }

  #enter(value: object) {
    if (this.#open.includes(value)) throw new TypeError('it contains itself')
    if (this.#open.length >= this.#limits.levels) {
      throw new TooLarge(`more than ${this.#limits.levels} levels`)
    }
    this.#open.push(value)
    this.#spend(2)
  }

  #list(values: unknown[]): string {
    const length = Number(values.length)
    let text = '['
    for (let i = 0; i < length; i += 1) {
      if (i > 0) text += this.#word(',')
      text += this.#value(values[i], i) ?? this.#word('null')
    }
    return `${text}]`
  }

  #fields(value: Keyed): string {
    let text = ''
    for (const key of Object.keys(value)) {
      const member = this.#value(value[key], key)
      if (member === undefined) continue
      if (key.length > this.#charsLeft) this.#spend(key.length)
      const name = quoted(key)
      this.#spend(name.length + (text === '' ? 1 : 2))
      text += `${text === '' ? '' : ','}${name}:${member}`
    }
    return `{${text}}`
  }

  /** A long text is refused before it is copied; its escapes are counted when they are known. */
  #text(value: string): string {
    this.#spend(value.length + 2)
    const text = stringify(value)
    this.#spend(text.length - value.length - 2)
    return text
  }

  #word(text: string): string {
    this.#spend(text.length)
    return text
  }
}

const bufferToJSON: unknown = Buffer.prototype.toJSON
const booleanOf = Boolean.prototype.valueOf

/** Whether an object is a list or was written as `{ … }`; not a Proxy that refuses the question. */
export function isBare(value: object): boolean {
  try {
    return Array.isArray(value) || isPlain(value)
  } catch {
    return false
  }
}

const QUOTED_MAX = 1024
const quotedKeys = new Map<string, string>()

/** A key as JSON text. The same few keys come again and again. */
function quoted(key: string): string {
  const known = quotedKeys.get(key)
  if (known !== undefined) return known
  const text = stringify(key)
  if (key.length <= 64 && quotedKeys.size < QUOTED_MAX) quotedKeys.set(key, text)
  return text
}
