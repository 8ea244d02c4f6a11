/**
 * Where the engine's own messages go: the user's logger.
 *
 * # Promises
 * - A logger that throws is the user's uncaught exception and harms neither the engine nor others.
 * - Without a logger nothing crosses the border, and debug lines do not either unless its own level
 *   asks for them: each task has several.
 *
 * Proof: `__test__/contract/logger.test.mjs`.
 */

import { invalid, read } from './errors'
import { throwUncaught } from './events'
import type { MessageOf } from './messages'
import { objectOf } from './objects'

type AnyMethod = (...args: unknown[]) => unknown

/** The levels of a logger at which it wants to hear all. */
const VERBOSE: unknown[] = ['debug', 'trace', 'silly']

/** The user's logger, as the engine's messages see it. */
export class EngineLog {
  readonly #logger: object
  /** From which level on messages cross the border. */
  readonly level: 'debug' | 'info'
  /** Whether it takes what belongs to a message before the message, as pino does. */
  readonly #isFieldsFirst: boolean

  constructor(logger: object) {
    this.#logger = logger
    this.level = VERBOSE.includes(read(logger, 'level')) ? 'debug' : 'info'
    this.#isFieldsFirst = typeof read(logger, 'bindings') === 'function'
  }

  tell([, level, message, fields]: MessageOf<'log'>): void {
    this.pass(level, `tasker: ${message}`, fields)
  }

  /** Hands over a text, and what belongs to it. */
  pass(level: Method, text: string, fields: unknown): void {
    const args = fields === undefined ? [text] : [text, fields]
    try {
      const log = methodOf(this.#logger, level) as AnyMethod
      Reflect.apply(log, this.#logger, this.#isFieldsFirst ? args.reverse() : args)
    } catch (error) {
      throwUncaught(error)
    }
  }
}

/** The logger of the options, if there is one. */
export function engineLogOf(logger: unknown): EngineLog | undefined {
  if (logger === undefined) return undefined
  const given = typeof logger === 'function' ? logger : objectOf(logger, 'logger')
  for (const level of ['debug', 'info', 'warn', 'error'] as const) {
    if (typeof methodOf(given, level) === 'function') continue
    const all = 'debug, info, warn (or warning) and error'
    throw invalid(`logger.${level}`, `must be a function; a logger has ${all}`)
  }
  return new EngineLog(given)
}

/** The methods of a logger that are called; not each has the first. */
type Method = 'fatal' | MessageOf<'log'>[1]

function methodOf(logger: object, level: Method): unknown {
  const method = read(logger, level)
  if (typeof method === 'function') return method
  if (level === 'warn') return read(logger, 'warning')
  return level === 'fatal' ? read(logger, 'error') : method
}
