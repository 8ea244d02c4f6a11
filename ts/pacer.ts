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
/** Less than this is not worth an immediate, which costs a round of the loop. */
const SMALL_MS = 1

/** The share of one tasker. */
export class Pacer {
  #beganMs = Number.NEGATIVE_INFINITY
  /** Set once this turn is used for more than a moment; fires when the turn is over. */
  #renewal: NodeJS.Immediate | undefined
  readonly #renew = () => {
    this.#renewal = undefined
    this.#beganMs = Number.NEGATIVE_INFINITY
  }

  /** The share begins, unless much of this turn has been used already. */
  begin(): void {
    if (!this.#renewal) this.#beganMs = monotonicMs()
  }

  /** Whether the share of this turn is used up. */
  get isUsedUp(): boolean {
    return this.look() >= SHARE_MS
  }

  /** How much has been used. To be called after user code too, so that nothing goes unseen. */
  look(): number {
    const usedMs = monotonicMs() - this.#beganMs
    if (usedMs === Number.POSITIVE_INFINITY) {
      this.begin()
      return 0
    }
    if (usedMs >= SMALL_MS) this.#renewal ??= inRootContext(() => setImmediate(this.#renew))
    return usedMs
  }

  /** Leaves nothing behind. */
  end(): void {
    clearImmediate(this.#renewal)
    this.#renew()
  }
}
