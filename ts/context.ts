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
import type { Json, RunnerContext, TaskLogger, TaskUuid, TraceContext } from '../index'
import { dateOf } from './globals'
import { loggerOf } from './logger'
import type { Run } from './run'

/** One list for all tasks without tags. */
const NO_TAGS: readonly string[] = Object.freeze([])

/**
 * What a context makes when it is asked for. These come before all other members, because each
 * costs half as much then; enumerable, so that a copy has both.
 */
class Lazy {
  declare readonly logger: TaskLogger
  declare readonly abortSignal: AbortSignal

  constructor() {
    // Half the time of `Object.defineProperty`, which reads a description first.
    defineGetter.call(this, 'logger', loggerOfThis)
    defineGetter.call(this, 'abortSignal', signalOfThis)
  }
}

const { __defineGetter__: defineGetter } = Object.prototype as unknown as {
  __defineGetter__(this: object, name: string, get: (this: Context) => unknown): void
}

// One of each for all contexts: they keep one shape.
function loggerOfThis(this: Context) {
  return Context.loggerOf(this)
}

function signalOfThis(this: Context) {
  return Context.signalOf(this)
}

/** The context of one run. */
export class Context extends Lazy implements RunnerContext {
  readonly uuid: TaskUuid
  readonly runId: string
  readonly operation: string
  readonly data: unknown
  readonly id: Json | undefined
  readonly label: string | undefined
  readonly tags: readonly string[]
  readonly trace: TraceContext | undefined
  readonly scheduleId: string | undefined
  readonly scheduledAt: RunnerContext['scheduledAt']
  readonly attach: unknown
  readonly attempt: number
  readonly priority: number
  readonly createdAt: RunnerContext['createdAt']
  readonly startedAt: RunnerContext['startedAt']
  readonly progress: RunnerContext['progress']
  readonly snooze: RunnerContext['snooze']
  readonly hold: RunnerContext['hold']
  readonly addTask: RunnerContext['addTask']
  readonly results: RunnerContext['results']
  readonly checkpoint: RunnerContext['checkpoint']
  readonly #run: Run
  #logger: TaskLogger | undefined

  constructor(run: Run) {
    super()
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
    this.trace = rest?.trace
    this.scheduleId = rest?.scheduleId
    const tick = rest?.scheduledAt
    this.scheduledAt = tick === undefined ? undefined : dateOf(tick)
    this.attach = run.host.attachmentOf(uuid)
    this.attempt = attempt
    this.priority = Number(priority)
    this.createdAt = dateOf(run.since + createdAt)
    this.startedAt = dateOf(run.since + startedAt)
    this.progress = (current, total, unit) => run.progress(current, total, unit)
    this.snooze = delay => run.snooze(delay)
    this.hold = options => run.hold(options)
    this.addTask = definition => run.addTask(definition)
    this.results = () => run.results()
    this.checkpoint = () => run.checkpoint()
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
