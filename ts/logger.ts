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
import { ErrorWriter, json } from './stored'

const MESSAGE_CHARS_MAX = 16 * 1024
const LINE_BYTES_MAX = 64 * 1024
/** What stands around the fields of a line. */
const LINE_REST_BYTES = 32

type Write = (message: string, fields?: object) => void

/**
 * The logger of a run; each of its lines gets `base`, which is JSON of a bounded size.
 *
 * Its functions are made when they are asked for: every run has a logger, and few log.
 */
export class Logger implements TaskLogger {
  readonly #run: Run
  readonly #base: object | undefined

  constructor(run: Run, base?: object) {
    this.#run = run
    this.#base = base
  }

  get crit(): Write {
    return this.#writer(0)
  }

  get error(): Write {
    return this.#writer(1)
  }

  get warning(): Write {
    return this.#writer(2)
  }

  get warn(): Write {
    return this.#writer(2)
  }

  get notice(): Write {
    return this.#writer(3)
  }

  get info(): Write {
    return this.#writer(4)
  }

  get debug(): Write {
    return this.#writer(5)
  }

  get log(): TaskLogger['log'] {
    return (level, message, fields) => {
      const known = levelOf(level)
      if (known !== undefined) this.#write(known, message, fields, this.#base)
      else this.#write(INFO, message, fields, { ...this.#base, level: spell(level) })
    }
  }

  get child(): TaskLogger['child'] {
    return fields => {
      const own = fieldsText(fields, LINE_BYTES_MAX)
      return new Logger(
        this.#run,
        own === undefined ? this.#base : { ...this.#base, ...parse(own) },
      )
    }
  }

  #writer(level: number): Write {
    return (message, fields) => this.#write(level, message, fields, this.#base)
  }

  #write(level: number, message: unknown, fields: unknown, base: object | undefined) {
    if (!this.#run.stores(level)) return
    const text = messageOf(message)
    const room = LINE_BYTES_MAX - LINE_REST_BYTES - Buffer.byteLength(text)
    const own = fields === undefined ? undefined : fieldsText(fields, room)
    this.#run.log(level, text, base ? merged(base, own, room) : own)
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
