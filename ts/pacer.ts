/**
 * Keeps the event loop turning: how long one turn of it may be used by a tasker.
 *
 * Runners are called, and messages passed on, until the share of this turn is used up; the rest
 * waits for the next turn, so that a user's server lives beside it. A count would not do: what a
 * runner does before its first `await` takes as long as it likes.
 *
 * Proof: `__test__/process/loop.test.mjs`.
 */

import { clearImmediate, monotonicMs, setImmediate } from './globals'
import { inRootContext } from './native'

/** How much of one turn may be used. */
const SHARE_MS = 8

/** The share of one tasker. */
export class Pacer {
  #until: number | undefined
  #renewal: NodeJS.Immediate | undefined
  readonly #renew = () => {
    this.#until = undefined
  }

  /** Whether the share of this turn is used up. */
  get isUsedUp(): boolean {
    if (this.#until !== undefined) return monotonicMs() >= this.#until
    this.begin()
    return false
  }

  /** The share of this turn begins, if it has not begun yet. */
  begin(): void {
    if (this.#until !== undefined) return
    this.#until = monotonicMs() + SHARE_MS
    this.#renewal = inRootContext(() => setImmediate(this.#renew))
  }

  /** Leaves nothing behind. */
  end(): void {
    clearImmediate(this.#renewal)
    this.#until = undefined
  }
}
