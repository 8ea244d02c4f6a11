/**
 * The logger of a run.
 *
 * # Promises
 * - It never throws: what cannot be stored is left out, with a word in its place (I-15).
 * - A line stays within its limit (I-17), and finding out that it would not costs no more work
 *   than the limit, whatever hangs on its fields.
 * - Its functions need no `this`: each can be handed on by itself.
 *
 * Proof: `__test__/contract/logs.test.mjs`, `limits.test.mjs`, `__test__/border/runners.test.mjs`.
 */

import type { LogLevel, TaskLogger } from '../index'
import { TooLarge } from './bounded-json'
import { isError, read, spell } from './errors'
import { parse, stringify } from './globals'
import { LEVELS, type Run } from './run'
import { ErrorWriter, json, serialise } from './stored'

const MESSAGE_CHARS_MAX = 16 * 1024
const LINE_BYTES_MAX = 64 * 1024
/** What stands around the fields of a line. */
const LINE_REST_BYTES = 32

/** The logger of a run; each of its lines gets `fields`. */
export function loggerOf(run: Run, fields?: object): TaskLogger {
  const write = (level: number, message: unknown, more: object | undefined) => {
    if (!run.stores(level)) return
    const all = fields ? merge(fields, more) : more
    const text = messageOf(message)
    run.log(level, text, all === undefined ? undefined : fieldsOf(all, text))
  }
  return {
    crit: (message, more) => write(0, message, more),
    error: (message, more) => write(1, message, more),
    warning: (message, more) => write(2, message, more),
    warn: (message, more) => write(2, message, more),
    notice: (message, more) => write(3, message, more),
    info: (message, more) => write(4, message, more),
    debug: (message, more) => write(5, message, more),
    log: (level, message, more) => {
      const known = levelOf(level)
      write(known ?? INFO, message, known === undefined ? merge({ level }, more) : more)
    },
    child: more => loggerOf(run, merge(fields, more)),
  }
}

const INFO = LEVELS.indexOf('info')

function levelOf(word: LogLevel | 'warn'): number | undefined {
  const level = LEVELS.indexOf(word === 'warn' ? 'warning' : word)
  return level < 0 ? undefined : level
}

/** Both together, the later winning; a getter that throws loses its object. */
function merge(some: object | undefined, more: object | undefined): object {
  try {
    return { ...some, ...named(more) }
  } catch (error) {
    return { ...some, leftOut: messageOf(error) }
  }
}

/** Fields with names: an Error and a list get one. */
function named(fields: object | undefined): object | undefined {
  if (isError(fields)) return { error: parse(serialise(fields)) }
  const isList = Array.isArray(fields) || ArrayBuffer.isView(fields)
  return isList ? { value: fields } : fields
}

/** The text of a log line: whatever was given, as a text within its limit. */
function messageOf(message: unknown): string {
  const given = isError(message) ? read(message, 'message') : message
  const list = Array.isArray(given) ? json(given, MESSAGE_CHARS_MAX) : undefined
  const text = list ?? spell(given)
  const short = text.length > MESSAGE_CHARS_MAX ? `${text.slice(0, MESSAGE_CHARS_MAX - 1)}…` : text
  // Half a character, as a cut may leave it, is no text to the engine.
  return short.replace(/\p{Surrogate}/gu, '\ufffd')
}

/** The JSON text of the fields of a log line, an object. */
function fieldsOf(fields: unknown, message: string): string | undefined {
  const room = LINE_BYTES_MAX - LINE_REST_BYTES - Buffer.byteLength(message)
  const writer = new ErrorWriter(room)
  try {
    if (isError(fields)) return `{"error":${writer.error(fields)}}`
    const text = writer.write(fields, room)
    if (text === undefined) return undefined
    if (Buffer.byteLength(text) > room) return leftOut(TOO_LONG)
    return text.startsWith('{') ? text : `{"value":${text}}`
  } catch (error) {
    return leftOut(error instanceof TooLarge ? whyTooLarge(error) : messageOf(error))
  }
}

const TOO_LONG = 'the line would be longer than 64 KiB'

const whyTooLarge = ({ message }: TooLarge) => (message.includes('levels') ? message : TOO_LONG)

const leftOut = (why: string) => stringify({ leftOut: why.slice(0, 200) })
