/**
 * Warnings about what nobody would notice otherwise: a task that fails unheard, an operation that
 * has no runner, a wait on a tasker that was never started.
 *
 * Each comes once for its cause, and not at once: who listens, waits, assigns or starts a moment
 * later had it in mind. With other processes on the file only their runners could be missing, which
 * cannot be known here: then nothing is said.
 *
 * Proof: `__test__/contract/warnings.test.mjs`.
 */

import { isError, read, spell } from './errors'
import type { EventHub } from './events'
import { clearTimeout, setTimeout } from './globals'
import { inRootContext } from './native'
import { warn } from './warnings'

/** How long a cause must last. */
const DELAY_MS = 1_000

/** What the hints need to know of their tasker. */
export interface HintSource {
  readonly events: EventHub
  readonly isStarted: boolean
  readonly operations: readonly string[]
  has(operation: string): boolean
  isShared(): Promise<boolean>
  /** The operation of some waiting task that has no runner here. */
  unserved(): Promise<string | undefined>
}

interface Failure {
  readonly uuid: string
  readonly error: unknown
}

/** The hints of one tasker. */
export class Hints {
  readonly #source: HintSource
  readonly #told = new Set<string>()
  readonly #failures = new Map<string, Failure>()
  readonly #heard = new Set<string>()
  readonly #unserved = new Set<string>()
  #waits = 0
  #hasBacklog = false
  #wasStarted = false
  #isOver = false
  #timer: NodeJS.Timeout | undefined

  constructor(source: HintSource) {
    this.#source = source
  }

  /** A task failed here. */
  failed(uuid: string, operation: string, error: unknown): void {
    if (this.#told.has(`failed ${operation}`) || this.#isListening) return
    this.#failures.set(operation, { uuid, error })
    this.#arm()
  }

  /** A wait or a look tells that a task failed; that may come before `failed`. */
  heard(uuid: string): void {
    this.#heard.add(uuid)
    this.#arm()
  }

  /** A task was added. */
  added(operation: unknown): void {
    const { isStarted } = this.#source
    if (!isStarted || typeof operation !== 'string' || this.#source.has(operation)) return
    if (this.#told.has(`runner ${operation}`)) return
    this.#unserved.add(operation)
    this.#arm()
  }

  /** The tasker was started. */
  started(): void {
    this.#wasStarted = true
    this.#hasBacklog = true
    this.#arm()
  }

  /** Somebody waits for a task. */
  waits(wait: Promise<unknown>): void {
    if (this.#wasStarted || this.#told.has('started')) return
    this.#waits += 1
    const over = () => {
      this.#waits -= 1
    }
    wait.then(over, over)
    this.#arm()
  }

  /** The tasker is closed: what failed unheard until now stays so. */
  end(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#tellFailures()
  }

  get #isListening(): boolean {
    const { events } = this.#source
    return events.hasListeners('task.failed') || events.hasListeners('task.ended')
  }

  #arm() {
    if (this.#isOver) return
    this.#timer ??= inRootContext(() => setTimeout(() => this.#look(), DELAY_MS)).unref()
  }

  #look() {
    this.#timer = undefined
    this.#tellFailures()
    const asks = this.#waits > 0 || this.#unserved.size > 0 || this.#hasBacklog
    if (asks) this.#tellMissing().catch(() => {}) // The tasker is closed.
  }

  #tellFailures() {
    const isListening = this.#isListening
    for (const [operation, { uuid, error }] of this.#failures) {
      if (isListening || this.#heard.has(uuid)) continue
      this.#tell(
        `failed ${operation}`,
        'TASKER_FAILURE_UNHEARD',
        `a task of ${stringOf(operation)} failed, and nothing here listens or waits for it: ` +
          `${textOf(error)}; listen to 'task.failed' to hear of all`,
        stackOf(error),
      )
    }
    this.#failures.clear()
    this.#heard.clear()
  }

  async #tellMissing() {
    const source = this.#source
    if (await source.isShared()) return
    if (this.#waits > 0 && !this.#wasStarted) {
      const message =
        'a call waits for a task, but no tasker on this store was started: call start()'
      this.#tell('started', 'TASKER_NOT_STARTED', message)
    }
    if (this.#hasBacklog) {
      this.#hasBacklog = false
      const found = await source.unserved()
      if (found !== undefined) this.#unserved.add(found)
    }
    for (const operation of this.#unserved) this.#tellUnserved(operation)
    this.#unserved.clear()
  }

  #tellUnserved(operation: string) {
    const { isStarted, operations } = this.#source
    if (!isStarted || this.#source.has(operation)) return
    const others = operations.length > 0 ? operations.map(stringOf).join(', ') : 'none'
    const waiting = `tasks of ${stringOf(operation)} wait, but it has no runner`
    const message = `${waiting}; runners here: ${others}`
    this.#tell(`runner ${operation}`, 'TASKER_NO_RUNNER', message)
  }

  #tell(cause: string, code: string, message: string, detail?: string) {
    if (this.#told.has(cause)) return
    this.#told.add(cause)
    warn(code, message, detail)
  }
}

const stringOf = (operation: string) => `'${operation}'`

const textOf = (error: unknown) =>
  isError(error) ? `${spell(read(error, 'name'))}: ${spell(read(error, 'message'))}` : spell(error)

function stackOf(error: unknown): string | undefined {
  const stack = isError(error) ? read(error, 'stack') : undefined
  return typeof stack === 'string' ? stack : undefined
}
