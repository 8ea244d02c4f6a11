/**
 * What one tick sends: new tasks, records of runs, outcomes of runs, each kind as one text.
 *
 * # Promises
 * - Records of a run travel before its outcome (I-19).
 * - A text stays far below what a string may hold. It has one entry a line: `JSON.stringify` writes
 *   no line breaks.
 *
 * Proof: `__test__/contract/adding.test.mjs`, `limits.test.mjs`.
 */

import type { Deferred } from './calls'
import { queueMicrotask } from './globals'
import type { NativeHandle } from './native'

/** A batch travels early when it has so many characters or entries. */
const CHARS_MAX = 4 * 1024 * 1024
const ENTRIES_MAX = 1024

/** Gathers what one tick sends. */
export class Batch {
  readonly #native: NativeHandle
  readonly #issueTicket: (deferred: Deferred) => number
  readonly #flush = () => this.flush()
  #adds: Deferred[] = []
  #definitions: string[] = []
  #records: string[] = []
  #outcomes: string[] = []
  #chars = 0
  #isFlushDue = false

  /** `issueTicket` gives a promise the next ticket. */
  constructor(native: NativeHandle, issueTicket: (deferred: Deferred) => number) {
    this.#native = native
    this.#issueTicket = issueTicket
  }

  /** How many new tasks have no ticket yet. */
  get adds(): number {
    return this.#adds.length
  }

  /** A new task. */
  add(definition: string, deferred: Deferred): void {
    this.#adds.push(deferred)
    this.#queued(this.#definitions, definition)
  }

  /** A log line or a progress report. */
  record(text: string): void {
    this.#queued(this.#records, text)
  }

  /** What became of a run. */
  outcome(text: string): void {
    this.#queued(this.#outcomes, text)
  }

  #queued(list: string[], text: string) {
    list.push(text)
    this.#chars += text.length
    if (list.length >= ENTRIES_MAX || this.#chars >= CHARS_MAX) {
      this.flush()
    } else if (!this.#isFlushDue) {
      this.#isFlushDue = true
      queueMicrotask(this.#flush)
    }
  }

  /** Sends what has been gathered. */
  flush(): void {
    this.#isFlushDue = false
    this.#chars = 0
    if (this.#definitions.length > 0) this.#sendAdds()
    if (this.#records.length > 0) {
      this.#native.record(this.#records.join('\n'))
      this.#records = []
    }
    if (this.#outcomes.length > 0) {
      this.#native.complete(this.#outcomes.join('\n'))
      this.#outcomes = []
    }
  }

  /** The engine counts tickets up from the first. */
  #sendAdds() {
    const [adds, definitions] = [this.#adds, this.#definitions]
    this.#adds = []
    this.#definitions = []
    let first = 0
    for (const deferred of adds) {
      const ticket = this.#issueTicket(deferred)
      first ||= ticket
    }
    this.#native.add(first, definitions.join('\n'))
  }

  /** Forgets what has been gathered, and gives the promises that were owed for it. */
  drop(): Deferred[] {
    const adds = this.#adds
    this.#adds = []
    this.#definitions = []
    this.#records = []
    this.#outcomes = []
    return adds
  }
}
