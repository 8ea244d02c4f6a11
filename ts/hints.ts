/**
 * Warnings about what nobody would notice otherwise: a task that fails unheard, an operation that
 * has no runner, a wait on a tasker that was never started.
 *
 * Each comes once for its cause, and not at once: who listens, waits, assigns or starts a moment
 * later had it in mind. Whether an operation has a runner is known over all processes. Nothing is
 * said of one that is paused: its tasks are meant to wait. Nor of a wait while other processes
 * share the file, which may be started.
 *
 * Proof: `__test__/contract/warnings.test.mjs`.
 */

import type { Task } from '../index'
import { isError, read, spell } from './errors'
import type { EventHub } from './events'
import { clearTimeout, setTimeout } from './globals'
import { inRootContext } from './native'
import { warn } from './warnings'

/** Between two looks. A cause must last from one to the next. */
const LOOK_MS = 1_000

/** What the hints need to know of their tasker. */
export interface HintSource {
  readonly events: EventHub
  readonly isStarted: boolean
  readonly operations: readonly string[]
  has(operation: string): boolean
  isShared(): Promise<boolean>
  /**
   * Those of these operations that no process starts and that are not paused, and of all with ready
   * tasks if that is asked for.
   */
  unserved(operations: string[], ofAll: boolean): Promise<string[]>
}

interface Failure {
  readonly uuid: string
  readonly error: unknown
}

/** What came up between two looks. */
class Notes {
  /** The last failure of each operation. */
  readonly failures = new Map<string, Failure>()
  /** Failed tasks that somebody has heard of. */
  readonly heard = new Set<string>()
  /** Operations that had no runner. */
  readonly unserved = new Set<string>()
  readonly waits = new Set<Promise<unknown>>()
  /** Whether a start may have found tasks that were there before. */
  hasBacklog = false
}

/** The hints of one tasker. */
export class Hints {
  readonly #source: HintSource
  readonly #told = new Set<string>()
  /** What has come up since the last look: the next one is too soon for it. */
  #fresh = new Notes()
  /** What has lasted since the look before. */
  #due = new Notes()
  #wasStarted = false
  #isOver = false
  #timer: NodeJS.Timeout | undefined

  constructor(source: HintSource) {
    this.#source = source
  }

  /** A task failed here. */
  failed(uuid: string, operation: string, error: unknown): void {
    if (this.#told.has(`failed ${operation}`) || this.#isListening || this.#isHeard(uuid)) return
    this.#fresh.failures.set(operation, { uuid, error })
    this.#arm()
  }

  /** A wait or a look tells that a task failed; that may come before `failed`. */
  heard(uuid: string): void {
    this.#fresh.heard.add(uuid)
    this.#arm()
  }

  /** Somebody looks at a task. */
  seen(uuid: string, task: Task): Task {
    if (task.status === 'failed') this.heard(uuid)
    return task
  }

  /** A task was added. */
  added(operation: unknown): void {
    const { isStarted } = this.#source
    if (!isStarted || typeof operation !== 'string' || this.#source.has(operation)) return
    if (this.#told.has(`runner ${operation}`)) return
    this.#fresh.unserved.add(operation)
    this.#arm()
  }

  /** The tasker was started. */
  started(): void {
    this.#wasStarted = true
    this.#fresh.hasBacklog = true
    this.#arm()
  }

  /** Somebody waits for a task. */
  waits(wait: Promise<unknown>): void {
    if (this.#wasStarted || this.#told.has('started')) return
    const { waits } = this.#fresh
    waits.add(wait)
    const over = () => waits.delete(wait)
    wait.then(over, over)
    this.#arm()
  }

  /** The tasker is closed: what failed unheard until now stays so. */
  end(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#tellFailures(this.#due)
    this.#tellFailures(this.#fresh)
  }

  get #isListening(): boolean {
    const { events } = this.#source
    return events.hasListeners('task.failed') || events.hasListeners('task.ended')
  }

  #isHeard(uuid: string): boolean {
    return this.#fresh.heard.has(uuid) || this.#due.heard.has(uuid)
  }

  #arm() {
    if (this.#isOver) return
    this.#timer ??= inRootContext(() => setTimeout(() => this.#look(), LOOK_MS)).unref()
  }

  #look() {
    this.#timer = undefined
    const due = this.#due
    this.#tellFailures(due)
    this.#due = this.#fresh
    this.#fresh = new Notes()
    if (hasAny(this.#due)) this.#arm()
    const asks = due.waits.size > 0 || due.unserved.size > 0 || due.hasBacklog
    if (asks) this.#tellMissing(due).catch(() => {}) // The tasker is closed.
  }

  #tellFailures({ failures }: Notes) {
    if (this.#isListening) return
    for (const [operation, { uuid, error }] of failures) {
      if (this.#isHeard(uuid)) continue
      this.#tell(
        `failed ${operation}`,
        'TASKER_FAILURE_UNHEARD',
        `a task of ${stringOf(operation)} failed, and nothing here listens or waits for it: ` +
          `${textOf(error)}; listen to 'task.failed' to hear of all`,
        stackOf(error),
      )
    }
  }

  async #tellMissing({ waits, unserved, hasBacklog }: Notes) {
    const source = this.#source
    if (waits.size > 0 && !this.#wasStarted && !(await source.isShared())) {
      const message =
        'a call waits for a task, but no tasker on this store was started: call start()'
      this.#tell('started', 'TASKER_NOT_STARTED', message)
    }
    if (unserved.size === 0 && !hasBacklog) return
    const found = await source.unserved([...unserved], hasBacklog)
    for (const operation of found) this.#tellUnserved(operation)
  }

  #tellUnserved(operation: string) {
    const { isStarted, operations } = this.#source
    if (!isStarted || this.#source.has(operation)) return
    const others = operations.length > 0 ? operations.map(stringOf).join(', ') : 'none'
    const waiting = `tasks of ${stringOf(operation)} wait, but it has no runner in any process`
    const message = `${waiting}; runners here: ${others}`
    this.#tell(`runner ${operation}`, 'TASKER_NO_RUNNER', message)
  }

  #tell(cause: string, code: string, message: string, detail?: string) {
    if (this.#told.has(cause)) return
    this.#told.add(cause)
    warn(code, message, detail)
  }
}

const hasAny = ({ failures, heard, unserved, waits, hasBacklog }: Notes) =>
  failures.size + heard.size + unserved.size + waits.size > 0 || hasBacklog

const stringOf = (operation: string) => `'${operation}'`

const textOf = (error: unknown) =>
  isError(error) ? `${spell(read(error, 'name'))}: ${spell(read(error, 'message'))}` : spell(error)

function stackOf(error: unknown): string | undefined {
  const stack = isError(error) ? read(error, 'stack') : undefined
  return typeof stack === 'string' ? stack : undefined
}
