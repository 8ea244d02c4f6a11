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
import { LEVELS, LOG_LINE_BYTES_MAX } from './constants'
import { isError, read, spell } from './errors'
import { parse, stringify } from './globals'
import type { Run } from './run'
import { ErrorWriter, json } from './stored'

const MESSAGE_CHARS_MAX = 16 * 1024
/** What stands around the fields of a line. */
const LINE_REST_BYTES = 32

/** The logger of a run; each of its lines gets `base`, which is JSON of a bounded size. */
export function loggerOf(run: Run, base?: object): TaskLogger {
  const write = (level: number, message: unknown, fields: unknown, more = base) => {
    if (!run.takes(level)) return
    const text = messageOf(message)
    const room = LOG_LINE_BYTES_MAX - LINE_REST_BYTES - Buffer.byteLength(text)
    const own = fields === undefined ? undefined : fieldsText(fields, room)
    run.log(level, text, more ? merged(more, own, room) : own)
  }
  return {
    crit: (message, fields) => write(0, message, fields),
    error: (message, fields) => write(1, message, fields),
    warning: (message, fields) => write(2, message, fields),
    warn: (message, fields) => write(2, message, fields),
    notice: (message, fields) => write(3, message, fields),
    info: (message, fields) => write(4, message, fields),
    debug: (message, fields) => write(5, message, fields),
    log: (level, message, fields) => {
      const known = levelOf(level)
      if (known !== undefined) write(known, message, fields)
      else write(INFO, message, fields, { ...base, level: spell(level) })
    },
    child: fields => {
      const own = fieldsText(fields, LOG_LINE_BYTES_MAX)
      return loggerOf(run, own === undefined ? base : { ...base, ...parse(own) })
    },
  }
}

const INFO = LEVELS.indexOf('info')

function levelOf(word: LogLevel | 'warn'): number | undefined {
  const level = LEVELS.indexOf(word === 'warn' ? 'warning' : word)
  return level < 0 ? undefined : level
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

/** The JSON text of the fields of a log line, an object; not read further than it may be long. */
function fieldsText(fields: unknown, room: number): string | undefined {
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

/** The fields of the logger and those of the line, which win. */
function merged(base: object, own: string | undefined, room: number): string {
  const text = stringify(own === undefined ? base : { ...base, ...parse(own) })
  return Buffer.byteLength(text) > room ? leftOut(TOO_LONG) : text
}

const TOO_LONG = 'the line would be longer than 64 KiB'

const whyTooLarge = ({ message }: TooLarge) => (message.includes('levels') ? message : TOO_LONG)

const leftOut = (why: string) => stringify({ leftOut: why.slice(0, 200) })
