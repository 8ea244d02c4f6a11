/**
 * Warns of a task that has been ready for long, and says what holds it.
 *
 * A look a minute finds the oldest ready task of the operations that have a runner here. What is
 * ready longer than ten minutes is told, once for its operation. Nothing is said of tasks whose
 * operation is paused: they are meant to wait.
 *
 * # Left to others
 * Operations without a runner: `hints.ts`.
 *
 * Proof: `__test__/contract/warnings.test.mjs`.
 */

import type { Bridge } from './bridge'
import { type DocumentJson, JsonText } from './commands'
import { reviveExplanation } from './explain'
import { clearInterval, setInterval, stringify } from './globals'
import { inRootContext } from './native'
import { warn } from './warnings'

const LOOK_MS = 60_000
const LONG_MINUTES = 10

/** What a look needs to know of its tasker. */
export interface WaitSource {
  readonly isStarted: boolean
  readonly operations: readonly string[]
}

/** A task that was ready at each look since. */
interface Oldest {
  readonly uuid: string
  readonly operation: string
  readonly sinceMs: number
}

/** The looks of one tasker. */
export class LongWaits {
  readonly #bridge: Bridge
  readonly #source: WaitSource
  /** Operations of which nothing is said any more. */
  readonly #told = new Set<string>()
  #oldest: Oldest | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(bridge: Bridge, source: WaitSource) {
    this.#bridge = bridge
    this.#source = source
  }

  /** The tasker was started. In a test, whoever moves the clock looks. */
  started(): void {
    if (this.#bridge.world.isTest) return
    this.#timer ??= inRootContext(() => setInterval(() => this.look(), LOOK_MS)).unref()
  }

  /** The tasker is stopped or closed. Its timer would keep it from being collected. */
  end(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#oldest = undefined
  }

  readonly look = async (): Promise<void> => {
    try {
      await this.#look()
    } catch {} // The tasker is closed, or the store cannot be read: a call will say so.
  }

  async #look() {
    const found = await this.#find()
    const before = this.#oldest
    const nowMs = this.#bridge.world.wallMs()
    this.#oldest = found && {
      ...found,
      sinceMs: before?.uuid === found.uuid ? before.sinceMs : nowMs,
    }
    const oldest = this.#oldest
    if (oldest && nowMs - oldest.sinceMs >= LONG_MINUTES * 60_000) await this.#tell(oldest)
  }

  /** The task with the smallest number that is ready, and that should run here. */
  async #find() {
    const { isStarted, operations } = this.#source
    const own = operations.filter(operation => !this.#told.has(operation))
    if (!isStarted || own.length === 0) return undefined
    const bounds = { what: 'findTasks', signal: undefined, timeoutMs: undefined }
    const text = (value: unknown) => new JsonText(stringify(value))
    const query = text({ state: 'ready', operation: { $in: own } })
    const [sort, fields] = [text({ seq: 1 }), text(['uuid', 'operation'])]
    const command = { do: 'find', limit: 1, query, sort, fields } as const
    const [found] = await this.#bridge.read(command, bounds, (all: DocumentJson[]) => all)
    return found as { uuid: string; operation: string } | undefined
  }

  async #tell({ uuid, operation }: Oldest) {
    const { reasons } = await this.#bridge.command({ do: 'explainTask', uuid }, reviveExplanation)
    if (this.#told.has(operation) || reasons.length === 0) return
    this.#told.add(operation)
    if (reasons.some(({ reason }) => reason === 'paused')) return
    const waits = `task ${uuid} of '${operation}' has waited for more than ${LONG_MINUTES} minutes`
    const why = reasons.map(({ message }) => message).join('; ')
    warn('TASKER_LONG_WAIT', `${waits}: ${why}`)
  }
}
