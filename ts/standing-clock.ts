/**
 * Says why a test hangs: it waits for a task, the task for its start time, and the clock stands.
 *
 * Proof: `__test__/contract/testing.test.mjs`.
 */

import type { Bridge } from './bridge'
import { reviveExplanation } from './explain'
import { clearTimeout, setTimeout } from './globals'
import { inRootContext } from './native'
import { warn } from './warnings'

/** A wait must last so long: whoever waits may be about to move the clock. */
const LOOK_MS = 2_000

/** The waits of one test. */
export class StandingClock {
  readonly #isMoving: () => boolean
  readonly #timers = new Set<NodeJS.Timeout>()
  #hasTold = false

  constructor(isMoving: () => boolean) {
    this.#isMoving = isMoving
  }

  /** A call waits for the end of a task. */
  waits(bridge: Bridge, uuid: string, wait: Promise<unknown>): void {
    if (this.#hasTold) return
    const look = () => {
      this.#timers.delete(timer)
      // The tasker has closed, or the task is gone.
      if (!this.#isMoving()) this.#look(bridge, uuid).catch(() => {})
    }
    const timer = inRootContext(() => setTimeout(look, LOOK_MS)).unref()
    this.#timers.add(timer)
    const over = () => {
      clearTimeout(timer)
      this.#timers.delete(timer)
    }
    wait.then(over, over)
  }

  end(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#hasTold = true
  }

  async #look(bridge: Bridge, uuid: string) {
    const { reasons } = await bridge.command({ do: 'explainTask', uuid }, reviveExplanation)
    const [first] = reasons
    if (this.#hasTold || !(first?.reason === 'start-time' || first?.reason === 'hold')) return
    this.#hasTold = true
    const message = `a call waits for the task ${uuid}, and the clock of the test stands`
    warn('TASKER_CLOCK_STANDS', `${message}: ${first.message}; move it with clock.advance`)
  }
}
