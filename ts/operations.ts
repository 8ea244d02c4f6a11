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
import { OPERATION_WORDS } from './constants'
import { reviveQueueTimeout } from './document'
import { invalid, isError, read, spell, TaskerError } from './errors'
import { dateOf, stringify } from './globals'
import { objectOf } from './objects'
import { jsonOf, judged, judgedMembers, only } from './options'
import type { AnyRunner, Runs } from './runs'
import { schemasOf } from './schemas'
import { isUrl } from './store-path'
import type { AnyBatchRunner } from './task-batches'
import { threadsOf } from './thread-pool'
import { warn } from './warnings'

/** How much of conditions a warning shows, in characters. */
const SHOWN_MAX = 200

/** Why an operation is not assigned a second runner. */
export function hasRunner(operation: string): TaskerError {
  const its = `the operation ${stringify(operation)}`
  const message = `${its} has a runner already; call unassignRunner first`
  return new TaskerError('TASKER_CONFLICT', message, { path: 'operation' })
}

/** What is said of words that are no options: those of other queues. */
const UNKNOWN = {
  meant: {
    timeout: 'runTimeout may be meant',
    attempts: 'retry is meant',
    retries: 'retry is meant',
    backoff: 'retry is meant',
    limit: 'concurrency may be meant',
    limiter: 'rateLimit is meant',
    rate: 'rateLimit is meant',
    throttle: 'rateLimit is meant',
    circuit: 'circuitBreaker is meant',
    breaker: 'circuitBreaker is meant',
    paused: 'pauseOperation is meant',
    delay: 'it goes into addTask',
    threads: 'it goes into assignRunner, beside a module',
    batchSize: 'batch: { max } is meant',
    runAt: 'it goes into addTask',
  },
}

/** Options of an operation: what the engine judges and stores, and what stays here. */
export interface SplitOptions {
  text: string
  schemas: OperationSchemas | undefined
  /** How the runner takes several tasks at once: that stays in this process. */
  batch: string | undefined
}

/** What an `assignRunner` says besides: how many threads its runner may have, if it is a module. */
export interface AssignOptions {
  split: SplitOptions | undefined
  threads: number | undefined
}

/** The options of `assignRunner`, for this runner. */
export function assignOptions(given: unknown, runner: unknown): AssignOptions {
  const split = given === undefined ? undefined : operationOptions(given, LOCAL_WORDS)
  if (split?.batch !== undefined && isUrl(runner)) {
    throw invalid('batch', 'is for a runner that is a function; a module takes one task at a time')
  }
  return { split, threads: threadsOf(Object(given).threads, runner) }
}

/** What `assignRunner` takes besides, which is of this tasker alone. */
const LOCAL_WORDS = ['threads']

/** The options of `defineOperation` and `assignRunner`, of which this gives those of both. */
export function operationOptions(value: unknown, local: readonly string[] = []): SplitOptions {
  const options = only(value, [...OPERATION_WORDS, ...local], 'options', UNKNOWN)
  // Each is read once: a getter may answer otherwise the next time.
  const given = OPERATION_WORDS.map(word => [word, options[word]] as const)
  const { schema, batch, ...others } = Object.fromEntries(given)
  const said = Object.entries(others).filter(([, value]) => value !== undefined)
  const text = jsonOf(Object.fromEntries(said.map(([word, value]) => [word, judged(word, value)])))
  const batchText = batch === undefined ? undefined : jsonOf(judgedMembers(batch))
  return { text, schemas: schemasOf(schema), batch: batchText }
}

/** The options of `defineOperation`. */
export function definedOptions(given: unknown): SplitOptions {
  const options = operationOptions(objectOf(given, 'options'))
  if (options.batch === undefined) return options
  throw invalid('batch', 'is for assignRunner: each runner has its own')
}

/** An operation has this runner from now on. */
export function assignTo(
  runs: Runs,
  operation: string,
  runner: unknown,
  { split }: AssignOptions,
): void {
  if (split?.batch === undefined) runs.assign(operation, runner as AnyRunner | URL)
  else runs.batches.assign(operation, runner as AnyBatchRunner)
  if (split) runs.schemas.assign(operation, split.schemas)
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

/** An `assignRunner` with options, and how many threads its runner may have if it is a module. */
interface Sent {
  readonly command: Command & { do: 'assign' }
  readonly threads: number | undefined
}

/** Runners that came with options: their records go with the next commit. */
export class Assignments {
  readonly #bridge: Bridge
  /** Those that are not answered yet. */
  readonly #sent = new Map<string, Promise<unknown>>()
  /** Those that were refused. */
  readonly #refused = new Map<string, { sent: Sent; error: unknown }>()
  #isAwaited = false

  constructor(bridge: Bridge) {
    this.#bridge = bridge
  }

  /** Whether there is something to wait for. */
  get areOpen(): boolean {
    return this.#sent.size + this.#refused.size > 0
  }

  /** Assigns a runner; once started, a refusal of its options is a warning. */
  send(operation: string, { split, threads }: AssignOptions, isStarted: () => boolean): void {
    if (split) {
      const options = new JsonText(split.text)
      const batch = split.batch === undefined ? undefined : new JsonText(split.batch)
      this.#send({ command: { do: 'assign', operation, options, batch }, threads }, isStarted)
    } else if (!this.#bridge.closed) {
      // Nothing of it can be wrong, so a refusal needs no hearer.
      if (threads !== undefined) sendThreads(this.#bridge, operation, threads)
      this.#bridge.command({ do: 'assign', operation }).catch(() => {})
    }
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

  #send(assign: Sent, isStarted: () => boolean) {
    const { command, threads } = assign
    const { operation } = command
    this.#refused.delete(operation)
    // Before: a runner that is there begins at once.
    if (threads !== undefined) sendThreads(this.#bridge, operation, threads)
    const sent: Promise<unknown> = this.#bridge.command(command)
    this.#sent.set(operation, sent)
    const isLast = () => {
      const isIts = this.#sent.get(operation) === sent
      if (isIts) this.#sent.delete(operation)
      return isIts && !this.#bridge.closed
    }
    sent.then(isLast, error => {
      if (!isLast()) return
      this.#refused.set(operation, { sent: assign, error })
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
      for (const { sent } of [...this.#refused.values()]) this.#send(sent, isStarted)
      // Others may be assigned meanwhile.
      while (this.#sent.size > 0) await Promise.allSettled([...this.#sent.values()])
    } finally {
      this.#isAwaited = false
    }
    const [refused] = this.#refused.values()
    if (refused) throw refused.error
  }
}

/** Says how many threads the runner has that is assigned next. It is never refused. */
function sendThreads(bridge: Bridge, operation: string, threads: number): void {
  bridge.command({ do: 'threads', operation, threads }).catch(() => {})
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
