/**
 * What is said of operations: their options, and the runners whose options are yet to be written.
 *
 * # Promises
 * - A runner is assigned at once; what is wrong with its options and only the file can tell rejects
 *   `start`, and the next start tries again.
 *
 * Proof: `__test__/contract/operations.test.mjs`.
 */

import type { OperationRecord, OperationSchemas } from '../index'
import type { Bridge } from './bridge'
import { type Answers, type Command, type DocumentJson, JsonText } from './commands'
import { OPERATION_WORDS, OPERATION_WORDS_LATER } from './constants'
import { reviveQueueTimeout } from './document'
import { isError, read, spell } from './errors'
import { dateOf, stringify } from './globals'
import { jsonOf, judged, only } from './options'
import { schemasOf } from './schemas'
import { warn } from './warnings'

/** How much of conditions a warning shows, in characters. */
const SHOWN_MAX = 200

/** What is said of words that are no options: later ones, and those of other queues. */
const UNKNOWN = {
  later: OPERATION_WORDS_LATER,
  meant: {
    timeout: 'runTimeout may be meant',
    attempts: 'retry is meant',
    retries: 'retry is meant',
    backoff: 'retry is meant',
    limit: 'concurrency may be meant',
    limiter: 'rateLimit is meant',
    rate: 'rateLimit is meant',
    throttle: 'rateLimit is meant',
    paused: 'pauseOperation is meant',
    delay: 'it goes into addTask',
    runAt: 'it goes into addTask',
  },
}

/** Options of an operation: what the engine judges and stores, and what stays here. */
export interface SplitOptions {
  text: string
  schemas: OperationSchemas | undefined
}

/** The options of `defineOperation` and `assignRunner`. */
export function operationOptions(value: unknown): SplitOptions {
  const options = only(value, OPERATION_WORDS, 'options', UNKNOWN)
  // Each is read once: a getter may answer otherwise the next time.
  const given = OPERATION_WORDS.map(word => [word, options[word]] as const)
  const { schema, ...others } = Object.fromEntries(given)
  const said = Object.entries(others).filter(([, value]) => value !== undefined)
  const text = jsonOf(Object.fromEntries(said.map(([word, value]) => [word, judged(word, value)])))
  return { text, schemas: schemasOf(schema) }
}

/** Revives the records of operations in place. */
export function reviveOperations(records: DocumentJson[]): OperationRecord[] {
  for (const record of records) {
    if (typeof record.pausedAt === 'number') record.pausedAt = dateOf(record.pausedAt)
    const layers = Object.values(record.layers as Record<string, DocumentJson>)
    for (const options of [record.options as DocumentJson, ...layers]) {
      if (typeof options.priority === 'string') options.priority = Number(options.priority)
      reviveQueueTimeout(options)
    }
  }
  return records as unknown as OperationRecord[]
}

type Assign = Command & { do: 'assign' }

/** Runners that came with options: their records go with the next commit. */
export class Assignments {
  readonly #bridge: Bridge
  /** Those that are not answered yet. */
  readonly #sent = new Map<string, Promise<unknown>>()
  /** Those that were refused. */
  readonly #refused = new Map<string, { command: Assign; error: unknown }>()
  #isAwaited = false

  constructor(bridge: Bridge) {
    this.#bridge = bridge
  }

  /** Whether there is something to wait for. */
  get areOpen(): boolean {
    return this.#sent.size + this.#refused.size > 0
  }

  /** Assigns a runner with options; once started, a refusal is a warning. */
  send(operation: string, text: string, isStarted: () => boolean): void {
    const command: Assign = { do: 'assign', operation, options: new JsonText(text) }
    this.#send(command, isStarted)
  }

  /**
   * What must hold for every task of the store: what is added next is bound by it. Whoever replaces
   * what others have said that have the store open is warned: the last one counts.
   */
  sendConditions(conditions: JsonText): void {
    const sent = this.#bridge.command({ do: 'conditions', conditions })
    sent
      .then(replaced => this.#warnOfReplaced(replaced))
      .catch(error => {
        if (this.#bridge.closed) return
        const [code, why] = textOf(error)
        warn(code, `the conditions of this tasker were not stored: ${why}; open another one`)
      })
  }

  async #warnOfReplaced(replaced: Answers['conditions']) {
    if (replaced === null || !(await this.#bridge.command({ do: 'isShared' }))) return
    const message = 'other taskers have this store open, and its conditions were others before'
    const counts =
      'those of the last tasker count, for every task that any of them adds from now on'
    const [before, now] = replaced.map(list => shortened(stringify(list)))
    warn('TASKER_CONDITIONS_REPLACED', `${message}: ${before} is ${now} now; ${counts}`)
  }

  #send(command: Assign, isStarted: () => boolean) {
    const { operation } = command
    this.#refused.delete(operation)
    const sent: Promise<unknown> = this.#bridge.command(command)
    this.#sent.set(operation, sent)
    const isLast = () => {
      const isIts = this.#sent.get(operation) === sent
      if (isIts) this.#sent.delete(operation)
      return isIts && !this.#bridge.closed
    }
    sent.then(isLast, error => {
      if (!isLast()) return
      this.#refused.set(operation, { command, error })
      if (isStarted() && !this.#isAwaited) warnOfRefusal(operation, error)
    })
  }

  /** The runner is taken away. */
  forget(operation: string): void {
    this.#sent.delete(operation)
    this.#refused.delete(operation)
  }

  /** Waits until all are written, those too that were refused before; rejects if one cannot be. */
  async written(isStarted: () => boolean): Promise<void> {
    this.#isAwaited = true
    try {
      for (const { command } of [...this.#refused.values()]) this.#send(command, isStarted)
      // Others may be assigned meanwhile.
      while (this.#sent.size > 0) await Promise.allSettled([...this.#sent.values()])
    } finally {
      this.#isAwaited = false
    }
    const [refused] = this.#refused.values()
    if (refused) throw refused.error
  }
}

/** The beginning of a text. */
const shortened = (text: string) =>
  text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text

/** The code and the message of an error. */
const textOf = (error: unknown): [code: string, message: string] =>
  isError(error)
    ? [spell(read(error, 'code')), spell(read(error, 'message'))]
    : ['TASKER_BUG', spell(error)]

function warnOfRefusal(operation: string, error: unknown) {
  const [code, why] = textOf(error)
  const remedy = 'call unassignRunner, and assign it again'
  warn(code, `the runner of '${operation}' was not assigned: ${why}; ${remedy}`)
}
