/**
 * Iterators that can be left while they wait.
 *
 * The `return()` of an async generator waits until its `next()` is done, which may be never if that
 * waits for something to happen.
 *
 * # Promises
 * - `return()` ends a `next()` that waits: both resolve as done, and nothing is held any more.
 * - The caller's signal rejects a `next()` that waits with its reason, as in any call.
 *
 * Proof: `__test__/contract/watching.test.mjs`, `listening.test.mjs`.
 */

import { type Abortable, hook, unhook } from './signals'

type Steps<T> = AsyncGenerator<T, void, undefined>

/**
 * What `steps` gives. It ends its waits when the signal that it gets fires: that of the caller, or
 * one that says that the iterator was left.
 */
export function leavable<T>(
  signal: AbortSignal | undefined,
  steps: (signal: AbortSignal) => Steps<T>,
): AsyncIterableIterator<T, void, undefined> {
  return new Leavable(signal, steps)
}

class Leavable<T> implements AsyncIterableIterator<T, void, undefined>, Abortable {
  readonly #signal: AbortSignal | undefined
  readonly #ending = new AbortController()
  readonly #steps: Steps<T>
  #isLeft = false

  constructor(signal: AbortSignal | undefined, steps: (signal: AbortSignal) => Steps<T>) {
    this.#signal = signal
    if (signal?.aborted) this.abortedBy(signal)
    else if (signal) hook(signal, this)
    this.#steps = steps(this.#ending.signal)
  }

  abortedBy(signal: AbortSignal): void {
    this.#ending.abort(signal.reason)
  }

  async next(): Promise<IteratorResult<T, void>> {
    try {
      const step = await this.#steps.next()
      if (step.done) this.#unhook()
      return step
    } catch (error) {
      this.#unhook()
      if (this.#isLeft) return { done: true, value: undefined }
      throw error
    }
  }

  async return(): Promise<IteratorResult<T, void>> {
    this.#isLeft = true
    this.#unhook()
    this.#ending.abort()
    return await this.#steps.return()
  }

  async throw(error: unknown): Promise<IteratorResult<T, void>> {
    await this.return()
    throw error
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #unhook() {
    if (this.#signal) unhook(this.#signal, this)
  }
}
