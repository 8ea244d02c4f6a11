/**
 * Waits until everything that is due in a test has been done, and lets its time go by.
 *
 * # Promises
 * - When it is quiet, every engine of the test has looked at the file as it is, has nothing to do
 *   now, and has told everything; what user code asked for in answer has been carried out.
 * - A run is waited for until it settles, or for a time. Then it counts as waiting for the clock,
 *   until it asks or tells something.
 */

import type { Bridge, Quiet } from './bridge'
import { monotonicMs, setImmediate, setTimeout } from './globals'
import type { NativeTest } from './native'
import type { Run } from './run'
import type { Runs } from './runs'

/** Rounds of the event loop that every run gets; from then on a look costs a millisecond. */
const ROUNDS = 64

/** A tasker of the test. */
export interface Engine {
  readonly bridge: Bridge
  readonly runs: Runs
}

/** When one test is quiet. */
export class Quiets {
  readonly #place: NativeTest
  readonly #engines: ReadonlyMap<object, Engine>
  readonly #patienceMs: number
  /** How far runs had come when they had been waited for long enough. */
  readonly #waitedFor = new WeakMap<Run, number>()
  #underWay = 0

  constructor(place: NativeTest, engines: ReadonlyMap<object, Engine>, patienceMs: number) {
    this.#place = place
    this.#engines = engines
    this.#patienceMs = patienceMs
  }

  /** Whether somebody lets time go by just now. */
  get isUnderWay(): boolean {
    return this.#underWay > 0
  }

  /** Waits until it is quiet, while the clock stands. */
  async settle(): Promise<void> {
    await this.travel(this.#place.now())
  }

  /**
   * Lets time go by until this moment, or as many moments, and everything be done that is due on
   * the way. When something is due next, and how many moments that took.
   */
  async travel(until: number, max = Number.MAX_SAFE_INTEGER) {
    this.#underWay += 1
    try {
      return await this.#travel(until, max)
    } finally {
      this.#underWay -= 1
    }
  }

  async #travel(until: number, max: number) {
    let moments = 0
    for (;;) {
      await this.#runsWait()
      const engines = [...this.#engines.values()]
      // Of one alone the time goes by inside it: that saves a way there and back for each moment.
      const by = engines.length === 1 ? until : undefined
      const asked = engines.map(one => quietOf(one, by, max - moments))
      const told = await Promise.all(asked).catch(error => {
        // One was closed meanwhile: the others go on.
        if (engines.every(({ bridge }) => !bridge.isShut)) throw error
      })
      if (!told) continue
      moments += told.reduce((sum, one) => sum + one.moments, 0)
      if (told.some(one => one.hasTold) || !isSame(told)) continue
      const next = nextOf(told)
      if (next === undefined || next > until || moments >= max) return { next, moments }
      this.#place.advanceTo(next)
      moments += 1
    }
  }

  /** Until no run is under way that has not been waited for, and no call either. */
  async #runsWait(): Promise<void> {
    const began = monotonicMs()
    for (let round = 0; ; round += 1) {
      // What was told is passed on by ticks: those have come after a round of the event loop.
      await new Promise<void>(resolve => setImmediate(resolve))
      if (!this.#isBusy()) return
      if (round < ROUNDS) continue
      if (monotonicMs() - began >= this.#patienceMs) return this.#giveUp()
      await new Promise<void>(resolve => setTimeout(resolve, 1))
    }
  }

  #isBusy(): boolean {
    for (const { bridge, runs } of this.#engines.values()) {
      if (bridge.isOwing) return true
      for (const run of runs.live) if (this.#isRestless(run)) return true
    }
    return false
  }

  #isRestless(run: Run): boolean {
    return !(run.isOver || run.isHalted) && this.#waitedFor.get(run) !== run.steps
  }

  #giveUp() {
    for (const { runs } of this.#engines.values()) {
      for (const run of runs.live) this.#waitedFor.set(run, run.steps)
    }
  }
}

const quietOf = ({ bridge, runs }: Engine, until: number | undefined, max: number) =>
  bridge.quiet(until, max, !runs.events.isHeard)

/** Whether all have seen the same commits. */
const isSame = (told: Quiet[]) => told.every(({ number }) => number === told[0]?.number)

/** When the first of them has something to do. */
function nextOf(told: Quiet[]): number | undefined {
  const moments = told.flatMap(({ next }) => (next === undefined ? [] : [next]))
  return moments.length > 0 ? Math.min(...moments) : undefined
}
