/**
 * What a runner gets.
 *
 * # Promises
 * - A copy (`{ ...context }`) has everything; its functions need no `this`.
 * - A logger and a signal are made only when somebody asks for them: they cost more than all the
 *   rest.
 *
 * Proof: `__test__/contract/running.test.mjs`, `progress.test.mjs`.
 */

import { inspect } from 'node:util'
import type { Json, RunnerContext, TaskLogger, TaskUuid } from '../index'
import { dateOf } from './globals'
import { loggerOf } from './logger'
import type { Run } from './run'

/** One list for all tasks without tags. */
const NO_TAGS: readonly string[] = Object.freeze([])

/** The context of one run. */
export class Context implements RunnerContext {
  readonly uuid: TaskUuid
  readonly runId: string
  readonly operation: string
  readonly data: unknown
  readonly id: Json | undefined
  readonly label: string | undefined
  readonly tags: readonly string[]
  readonly attempt: number
  readonly priority: number
  readonly createdAt: RunnerContext['createdAt']
  readonly startedAt: RunnerContext['startedAt']
  declare readonly logger: TaskLogger
  readonly progress: RunnerContext['progress']
  declare readonly abortSignal: AbortSignal
  readonly #run: Run
  #logger: TaskLogger | undefined

  constructor(run: Run) {
    const [, , uuid, runId, operation, attempt, priority, createdAt, startedAt, data, rest] =
      run.message
    this.#run = run
    this.uuid = uuid as TaskUuid
    this.runId = runId
    this.operation = operation
    this.data = rest ? rest.data : data
    this.id = rest?.id
    this.label = rest?.label
    this.tags = rest?.tags ?? NO_TAGS
    this.attempt = attempt
    this.priority = Number(priority)
    this.createdAt = dateOf(createdAt)
    this.startedAt = dateOf(startedAt)
    this.progress = (current, total, unit) => run.progress(current, total, unit)
    Object.defineProperty(this, 'logger', LOGGER)
    Object.defineProperty(this, 'abortSignal', SIGNAL)
  }

  static signalOf(context: Context): AbortSignal {
    return context.#run.signal
  }

  static loggerOf(context: Context): TaskLogger {
    context.#logger ??= loggerOf(context.#run)
    return context.#logger
  }

  /** Without the functions, which say nothing when they are printed. */
  [inspect.custom](_depth: number, options: object, show: typeof inspect): string {
    const { uuid, runId, operation, data, attempt, priority, createdAt, startedAt } = this
    const facts = { uuid, runId, operation, data, attempt, priority, createdAt, startedAt }
    return `RunnerContext ${show({ ...facts, ...this.#run.message[10] }, options)}`
  }
}

// One of each for all contexts: they keep one shape. Enumerable, so that a copy has both.
const LOGGER: PropertyDescriptor & ThisType<Context> = {
  enumerable: true,
  configurable: true,
  get() {
    return Context.loggerOf(this)
  },
}

const SIGNAL: PropertyDescriptor & ThisType<Context> = {
  enumerable: true,
  configurable: true,
  get() {
    return Context.signalOf(this)
  },
}
