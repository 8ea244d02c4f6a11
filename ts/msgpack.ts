/**
 * MessagePack: values of JavaScript as the bytes that wraps exchange.
 *
 * The bytes are those of `@polywrap/msgpack-js`. The native side writes and reads them; here a
 * value becomes the JSON text that it takes, with the bytes beside it (`src/msgpack.rs`).
 *
 * Proof: `__test__/contract/msgpack.test.mjs`.
 */

import { types } from 'node:util'
import { invalid, refusal, spell } from './errors'
import { dateOf, parse, stringify } from './globals'
import { type DecodedMessagePack, native } from './native'

/** How deep values nest. */
const DEPTH_MAX = 100
/** Bytes that were encoded before. */
const encodedBefore = new WeakSet<Uint8Array>()

/** A value in the form that crosses the border. */
type Tagged = null | boolean | number | string | readonly Tagged[]

/** The MessagePack bytes of a value. */
export function encode(value: unknown): Uint8Array {
  const bytes: Uint8Array[] = []
  const text = stringify(taggedOf(value, bytes, 'value', DEPTH_MAX))
  const encoded = native().encodeMessagePack(text, bytes)
  if (typeof encoded === 'string') throw refusal(parse(encoded))
  return encoded
}

/** The value of MessagePack bytes. */
export function decode(bytes: Uint8Array): unknown {
  const decoded = native().decodeMessagePack(bytesOf(bytes, 'bytes'))
  if (typeof decoded === 'string') throw refusal(parse(decoded))
  return readValue(parse(decoded.text), decoded)
}

/** Marks bytes: they are MessagePack already. */
export function encoded(bytes: Uint8Array): Uint8Array {
  encodedBefore.add(bytesOf(bytes, 'bytes'))
  return bytes
}

/** The bytes of a value, unless they were encoded before. */
export function encodedOf(value: unknown): Uint8Array {
  return types.isUint8Array(value) && encodedBefore.has(value) ? value : encode(value)
}

/** A `Uint8Array`, or a refusal. */
export function bytesOf(value: unknown, path: string): Uint8Array {
  if (types.isUint8Array(value)) return value
  throw invalid(path, `must be a Uint8Array, and is ${spell(value)}`)
}

function taggedOf(value: unknown, bytes: Uint8Array[], path: string, depth: number): Tagged {
  if (depth === 0) throw invalid(path, `nests deeper than ${DEPTH_MAX} levels`)
  switch (typeof value) {
    case 'undefined':
      return null
    case 'boolean':
      return value
    case 'string':
      if (/\p{Surrogate}/u.test(value)) throw invalid(path, 'has half of a surrogate pair')
      return value
    case 'number':
      // What JSON reads may differ from a float in its last bit; -0 is an integer.
      return Number.isSafeInteger(value) ? value + 0 : ['f', floatText(value)]
    case 'bigint':
      return ['i', String(value)]
    case 'object':
      return value === null ? null : objectOf(value, bytes, path, depth)
    default:
      throw invalid(path, `has no MessagePack: it is a ${typeof value}`)
  }
}

const floatText = (value: number) => String(value).replace('Infinity', 'inf')

function objectOf(value: object, bytes: Uint8Array[], path: string, depth: number): Tagged {
  const inner = (one: unknown, at: string) => taggedOf(one, bytes, at, depth - 1)
  if (Array.isArray(value)) return ['a', ...value.map((one, i) => inner(one, `${path}[${i}]`))]
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) {
    bytes.push(rawOf(value))
    return ['b', bytes.length - 1]
  }
  if (types.isDate(value)) return momentOf(value.getTime(), path)
  const isMap = types.isMap(value)
  // The keys of a Map become those of an object, and take their order.
  const source = isMap ? Object.fromEntries([...value].map(([k, one]) => [String(k), one])) : value
  const pairs = Object.entries(source).filter(([, one]) => one !== undefined)
  const parts = pairs.flatMap(([key, one]) => [inner(key, path), inner(one, `${path}.${key}`)])
  return [isMap ? 'm' : 'o', ...parts]
}

const rawOf = (value: ArrayBufferView | ArrayBufferLike) =>
  ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value)

function momentOf(ms: number, path: string): Tagged {
  if (Number.isNaN(ms)) throw invalid(path, 'is an invalid Date')
  const seconds = Math.floor(ms / 1000)
  return ['t', seconds, (ms - seconds * 1000) * 1_000_000]
}

function readValue(tagged: Tagged, decoded: DecodedMessagePack): unknown {
  if (!Array.isArray(tagged)) return tagged
  const [tag, ...parts] = tagged as [string, ...Tagged[]]
  const inner = (one: Tagged | undefined) => readValue(one as Tagged, decoded)
  switch (tag) {
    case 'a':
      return parts.map(inner)
    case 'o':
      return objectFrom(parts, inner)
    case 'm':
      return new Map(Object.entries(objectFrom(parts, inner)))
    case 'b':
      return decoded.bytes[parts[0] as number]
    case 'i':
      return BigInt(parts[0] as string)
    case 't':
      return dateOf((parts[0] as number) * 1000 + (parts[1] as number) / 1_000_000)
    default:
      return Number(String(parts[0]).replace('inf', 'Infinity'))
  }
}

function objectFrom(parts: Tagged[], inner: (one: Tagged | undefined) => unknown): object {
  const object = {}
  for (let at = 0; at < parts.length; at += 2) {
    const value = inner(parts[at + 1])
    const rights = { enumerable: true, configurable: true, writable: true }
    Object.defineProperty(object, parts[at] as string, { value, ...rights })
  }
  return object
}
