/**
 * Whether a tasker keeps the process alive.
 *
 * The native doorbell never does. A timer that never fires does it instead, and only while the
 * tasker is busy: started, with live runs, or owing a promise. While it is busy it is also kept
 * from the garbage collector, for its user may have let go of it.
 *
 * Proof: `__test__/contract/keepalive.test.mjs`.
 */

import { clearInterval, setInterval } from './globals'
import { inRootContext } from './native'

/** The longest round delay that Node's timers take. */
const FOREVER_MS = 2 ** 30

const busy = new Set<object>()

/** When a tasker keeps the process alive. */
export type KeepAliveMode = 'auto' | 'always' | 'never'

/** Holds the process for one tasker. */
export class KeepAlive {
  readonly #mode: KeepAliveMode
  #timer: NodeJS.Timeout | undefined
  #isBusy = false

  constructor(mode: KeepAliveMode) {
    this.#mode = mode
    if (mode === 'always') this.#hold()
  }

  /** Says whether `owner` is busy. */
  set(owner: object, isBusy: boolean): void {
    if (isBusy === this.#isBusy) return
    this.#isBusy = isBusy
    if (isBusy) busy.add(owner)
    else busy.delete(owner)
    if (this.#mode !== 'auto') return
    if (isBusy) this.#hold()
    else this.#timer?.unref()
  }

  /** Lets the process go for good. */
  end(owner?: object): void {
    if (owner) busy.delete(owner)
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #hold() {
    this.#timer ??= inRootContext(() => setInterval(nothing, FOREVER_MS))
    this.#timer.ref()
  }
}

function nothing() {}
