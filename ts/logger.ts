/**
 * The logger of a run.
 *
 * # Promises
 * - It never throws: what cannot be stored is left out, with a word in its place (I-15).
 * - A line stays within its limit (I-17).
 *
 * Proof: `__test__/contract/logs.test.mjs`, `limits.test.mjs`, `__test__/border/runners.test.mjs`.
 */

import type { TaskLogger } from '../index'
import { isError, read, spell } from './errors'
import { parse, stringify } from './globals'
import type { Run } from './run'
import { isShallow, serialise } from './stored'

const MESSAGE_CHARS_MAX = 16 * 1024
const LINE_BYTES_MAX = 64 * 1024

/** Writes the log lines of one run, with fields that each line gets. */
export class Logger implements TaskLogger {
  readonly #run: Run
  readonly #fields: object | undefined

  constructor(run: Run, fields?: object) {
    this.#run = run
    this.#fields = fields
  }

  crit(message: string, fields?: object): void {
    this.#log(0, message, fields)
  }

  error(message: string, fields?: object): void {
    this.#log(1, message, fields)
  }

  warning(message: string, fields?: object): void {
    this.#log(2, message, fields)
  }

  notice(message: string, fields?: object): void {
    this.#log(3, message, fields)
  }

  info(message: string, fields?: object): void {
    this.#log(4, message, fields)
  }

  debug(message: string, fields?: object): void {
    this.#log(5, message, fields)
  }

  child(fields: object): TaskLogger {
    return new Logger(this.#run, merge(this.#fields, fields))
  }

  #log(level: number, message: unknown, fields: object | undefined) {
    if (!this.#run.stores(level)) return
    const all = this.#fields ? merge(this.#fields, fields) : fields
    const text = messageOf(message)
    this.#run.log(level, text, all === undefined ? undefined : fieldsOf(all, text))
  }
}

/** Both together, the later winning; a getter that throws loses its object. */
function merge(some: object | undefined, more: object | undefined): object {
  try {
    return { ...some, ...(isError(more) ? { error: parse(serialise(more)) } : more) }
  } catch (error) {
    return { ...some, leftOut: messageOf(error) }
  }
}

/** The text of a log line: whatever was given, as a text within its limit. */
function messageOf(message: unknown): string {
  const text = spell(isError(message) ? read(message, 'message') : message)
  const short = text.length > MESSAGE_CHARS_MAX ? `${text.slice(0, MESSAGE_CHARS_MAX - 1)}…` : text
  // Half a character, as a cut may leave it, is no text to the engine.
  return short.replace(/\p{Surrogate}/gu, '\ufffd')
}

/** The JSON text of the fields of a log line, an object. */
function fieldsOf(fields: unknown, message: string): string | undefined {
  try {
    if (isError(fields)) return `{"error":${serialise(fields)}}`
    const text = textOf(fields)
    if (text === undefined) return undefined
    if ((text.length + message.length) * 3 > LINE_BYTES_MAX) {
      const bytes = Buffer.byteLength(text) + Buffer.byteLength(message)
      if (bytes + 16 > LINE_BYTES_MAX) return leftOut('the line would be longer than 64 KiB')
    }
    if (!isShallow(text)) return leftOut('more than 100 levels')
    return text.startsWith('{') ? text : `{"value":${text}}`
  } catch (error) {
    return leftOut(messageOf(error))
  }
}

/** The JSON text of fields. `JSON.stringify` alone would write an Error among them as `{}`. */
function textOf(fields: unknown): string | undefined {
  const values = typeof fields === 'object' && fields !== null ? Object.values(fields) : []
  return values.some(isError) ? stringify(fields, spelledOut) : stringify(fields)
}

const spelledOut = (_key: string, value: unknown) =>
  isError(value) ? parse(serialise(value)) : value

const leftOut = (why: string) => stringify({ leftOut: why.slice(0, 200) })
