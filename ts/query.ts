/**
 * Queries and sorts on their way to the engine, written as JSON text.
 *
 * JSON has no dates, regular expressions and infinities, and drops what it does not know; a query
 * that lost a condition would match too much. So values are written here one by one and anything
 * else is refused with its path.
 *
 * # Left to others
 * Which fields, operators and limits there are: the engine knows.
 *
 * Proof: `__test__/contract/queries.test.mjs`.
 */

import { types } from 'node:util'
import { JsonText } from './commands'
import { PROJECTION_FIELDS_MAX, QUERY_BYTES_MAX, QUERY_IN_MAX } from './constants'
import { TaskerError } from './errors'
import { parse, stringify } from './globals'
import { isLongerThan } from './json-size'
import { isPlain } from './objects'

/** The engine allows fewer levels; this only ends a cycle. */
const DEPTH_MAX = 256

/** A query that stands inside of something else, with values that JSON keeps. */
export function plainQuery(value: unknown, path: string): unknown {
  return isJson(value, DEPTH_MAX) ? value : parse(encodeQuery(value, path).text)
}

/** Whether JSON says all of it. */
function isJson(value: unknown, depth: number): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true
  if (typeof value !== 'object') return Number.isFinite(value)
  if (depth === 0 || 'toJSON' in value) return false
  const isEach = (member: unknown) => isJson(member, depth - 1)
  if (Array.isArray(value)) return value.every(isEach) && !hasHoles(value)
  return kind(value) === 'Object' && isPlain(value) && Object.values(value).every(isEach)
}

/** What is not there `every` does not see, and JSON makes it null. */
const hasHoles = (values: unknown[]) => Object.keys(values).length < values.length

/** The JSON of a query or a sort. */
export function encodeQuery(value: unknown, path: string): JsonText {
  if (typeof value !== 'object' || value === null || kind(value) !== 'Object') {
    throw refused(path, 'must be an object')
  }
  try {
    // Refused before it is written.
    if (isLongerThan(value, QUERY_BYTES_MAX)) throw tooLong(path)
    const text = object(value as Record<string, unknown>, { path, field: '', depth: 0 })
    if (Buffer.byteLength(text) > QUERY_BYTES_MAX) throw tooLong(path)
    return new JsonText(text)
  } catch (error) {
    if (error instanceof TaskerError) throw error
    throw refused(path, 'cannot be read', error)
  }
}

/** The JSON of a projection, if there is one. */
export function encodeFields(fields: unknown): JsonText | undefined {
  if (fields === undefined) return undefined
  if (!Array.isArray(fields)) throw refused('fields', "must be an array, such as ['uuid']")
  if (fields.length > PROJECTION_FIELDS_MAX) {
    throw refused('fields', `has at most ${PROJECTION_FIELDS_MAX} paths`)
  }
  const parts: string[] = []
  for (let i = 0; i < fields.length; i += 1) {
    const field: unknown = fields[i]
    if (typeof field !== 'string') throw refused(`fields[${i}]`, 'must be a path, a text')
    parts.push(field)
  }
  if (isLongerThan(parts, QUERY_BYTES_MAX)) throw tooLong('fields')
  return new JsonText(stringify(parts))
}

/** Where a value stands: its path, and the field that it is compared with. */
interface Position {
  path: string
  field: string
  depth: number
}

function encode(value: unknown, at: Position): string {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return stringify(value)
    case 'number':
      return number(value, at)
    case 'object':
      return value === null ? 'null' : structure(value, at)
    default:
      throw refused(at.path, `a query cannot hold ${article(typeof value)}`)
  }
}

function structure(value: object, at: Position): string {
  if (at.depth > DEPTH_MAX) throw refused(at.path, 'is nested too deeply')
  if (Array.isArray(value)) return array(value, at)
  if (types.isDate(value)) return date(value, at)
  if (types.isRegExp(value)) return pattern(value)
  const { toJSON } = value as { toJSON?: unknown }
  if (typeof toJSON === 'function') {
    return encode(toJSON.call(value, ''), { ...at, depth: at.depth + 1 })
  }
  if (kind(value) !== 'Object') throw refused(at.path, `a query cannot hold a ${kind(value)}`)
  return object(value as Record<string, unknown>, at)
}

function object(value: Record<string, unknown>, at: Position): string {
  const parts = Object.keys(value).map(key => {
    const path = `${at.path}.${key}`
    const field = key.startsWith('$') || at.field ? at.field : key
    return `${stringify(key)}:${encode(value[key], { path, field, depth: at.depth + 1 })}`
  })
  return `{${parts.join(',')}}`
}

function array(values: unknown[], at: Position): string {
  const parts: string[] = []
  if (values.length > QUERY_IN_MAX && /\.\$n?in$/.test(at.path)) {
    throw refused(at.path, `holds at most ${QUERY_IN_MAX} values`)
  }
  for (let i = 0; i < values.length; i += 1) {
    const path = `${at.path}[${i}]`
    parts.push(encode(values[i], { path, field: at.field, depth: at.depth + 1 }))
  }
  return `[${parts.join(',')}]`
}

function number(value: number, at: Position): string {
  if (Number.isFinite(value)) return String(value)
  if (at.field === 'priority' && !Number.isNaN(value)) return `"${value}"`
  throw refused(at.path, `${value} is not a number that a task can hold`)
}

// biome-ignore lint/style/noRestrictedGlobals: a type.
function date(value: Date, at: Position): string {
  const ms = value.getTime()
  if (Number.isNaN(ms)) throw refused(at.path, 'is not a valid Date')
  return `{"$date":${ms}}`
}

/** Its `lastIndex` does not count: the flags that would use it are refused. */
function pattern({ source, flags }: RegExp): string {
  return `{"$regularExpression":{"pattern":${stringify(source)},"options":${stringify(flags)}}}`
}

const kind = (value: object) => Object.prototype.toString.call(value).slice(8, -1)

const article = (word: string) => (word === 'undefined' ? word : `a ${word}`)

function refused(path: string, message: string, cause?: unknown) {
  const facts = cause === undefined ? { path } : { path, cause }
  return new TaskerError('TASKER_INVALID_QUERY', `${path}: ${message}`, facts)
}

function tooLong(path: string) {
  const message = `${path}: is longer than ${QUERY_BYTES_MAX} bytes`
  return new TaskerError('TASKER_TOO_LARGE', message, { path })
}
