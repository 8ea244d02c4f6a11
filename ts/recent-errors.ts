/**
 * What ended tasks of this process with: the very objects that were thrown or given as a reason.
 *
 * A wait gets the same object as long as the task ended after the wait began; a later one as long
 * as something else still holds the object.
 *
 * Proof: `__test__/contract/errors.test.mjs`, `aborting.test.mjs`.
 */

/** Ends remembered for late waits. */
const LATE_MAX = 1024

/** The objects, by the uuid of their task. */
export class RecentErrors {
  /** Ends whose waits are not all answered yet. */
  readonly #fresh = new Map<string, unknown>()
  readonly #late = new Map<string, WeakRef<object>>()

  /** A task ended with this. */
  add(uuid: string, value: unknown): void {
    this.#fresh.set(uuid, value)
    if (typeof value !== 'object' || value === null) return
    this.#late.set(uuid, new WeakRef(value))
    if (this.#late.size <= LATE_MAX) return
    for (const oldest of this.#late.keys()) {
      this.#late.delete(oldest)
      return
    }
  }

  /** What a task ended with, if it is known here. */
  get(uuid: string): { value: unknown } | undefined {
    if (this.#fresh.has(uuid)) return { value: this.#fresh.get(uuid) }
    const value = this.#late.get(uuid)?.deref()
    return value && { value }
  }

  /** The task runs again: what it ended with is not how it ends. */
  forget(uuid: string): void {
    this.#fresh.delete(uuid)
    this.#late.delete(uuid)
  }

  /** Every wait that began before these ends has been answered. */
  waitsAnswered(): void {
    if (this.#fresh.size > 0) this.#fresh.clear()
  }
}
