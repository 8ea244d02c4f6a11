/**
 * Start, stop and close of a tasker: which of them is the last that counts.
 *
 * Proof: `__test__/contract/stopping.test.mjs`, `__test__/contract/closing.test.mjs`.
 */

import { type InspectOptions, inspect } from 'node:util'
import type { Bridge } from './bridge'
import type { Command } from './commands'
import { traced } from './errors'
import type { EventHub } from './events'
import type { Assignments } from './operations'
import type { Runs } from './runs'
import { type Abortable, hook, unhook } from './signals'

type Of<Name> = Command & { do: Name }

/** What a tasker's start and stop move. */
interface Parts {
  readonly bridge: Bridge
  readonly runs: Runs
  readonly events: EventHub
  readonly assignments: Assignments
}

/** Says whether a tasker is started, and brings it from one to the other. */
export class Lifecycle {
  readonly #parts: Parts
  readonly #signals = new Set<AbortSignal>()
  readonly #stopper: Abortable
  #starting: Promise<void> | undefined
  /** Starts and stops so far: what waits to start must not when a stop came. */
  #startsTried = 0
  #closing: Promise<void> | undefined

  /** `stop` is the public one, so that what a subclass does there is done for a signal too. */
  constructor(parts: Parts, stop: () => Promise<void>) {
    this.#parts = parts
    this.#stopper = { abortedBy: () => this.#stopBySignal(stop) }
  }

  get state(): string {
    const { bridge, runs } = this.#parts
    if (bridge.isShut) return 'closed'
    if (bridge.isClosing) return 'closing'
    if (runs.isStarted) return this.#starting ? 'started' : 'stopping'
    return 'not started'
  }

  /** What `console.log` shows of a tasker. */
  shown(name: string, storePath: string | undefined, options: InspectOptions): string {
    const { operations: runners, liveCount: liveRuns } = this.#parts.runs
    const shown = { store: storePath ?? ':memory:', state: this.state, runners, liveRuns }
    return `${name} ${inspect(shown, options)}`
  }

  readonly isStarted = () => this.#parts.runs.isStarted

  get closing(): Promise<void> | undefined {
    return this.#closing
  }

  /** `signal` has not fired: it stops the tasker when it does. */
  start(signal: AbortSignal | undefined): Promise<void> {
    if (signal) {
      this.#signals.add(signal)
      hook(signal, this.#stopper)
    }
    this.#starting ??= this.#start()
    return this.#starting
  }

  #start(): Promise<void> {
    const { runs, events, assignments } = this.#parts
    runs.isStarted = true
    events.checkEmit()
    return assignments.areOpen ? this.#startWhenWritten() : this.#sendStart()
  }

  /** A runner whose options cannot be written keeps the tasker from starting. */
  async #startWhenWritten(): Promise<void> {
    const { bridge, runs, assignments } = this.#parts
    this.#startsTried += 1
    const own = this.#startsTried
    try {
      await assignments.written(this.isStarted)
    } catch (error) {
      if (own === this.#startsTried) {
        this.#starting = undefined
        runs.isStarted = false
        bridge.updateKeepAlive()
      }
      throw error
    }
    // Unless it was stopped meanwhile.
    if (own === this.#startsTried) await this.#sendStart()
  }

  #sendStart(): Promise<void> {
    const { bridge, runs, events } = this.#parts
    return bridge.command(
      { do: 'start' },
      () => {
        runs.hints.started()
        runs.longWaits.started()
        events.emit('started')
      },
      () => {
        this.#starting = undefined
        runs.isStarted = false
      },
    )
  }

  stop(command: Of<'stop'>): Promise<void> {
    const { stopped, refused } = this.#halt()
    return this.#endThreads(this.#parts.bridge.command(command, stopped, refused))
  }

  /** Each call with options counts; the first close is the one that later ones wait for. */
  close(command: Of<'close'>): Promise<void> {
    const closing = this.#close(command, this.#closing === undefined)
    this.#closing ??= closing
    return closing
  }

  async #close(command: Of<'close'>, isFirst: boolean): Promise<void> {
    const { bridge } = this.#parts
    const { stopped, refused } = this.#halt()
    try {
      await this.#endThreads(traced(bridge.close(command, stopped, refused)))
    } catch (error) {
      if (isFirst && !bridge.isShut) this.#closing = undefined
      throw error
    }
  }

  /** When that is done, no thread of a runner is left either, unless it was started again. */
  async #endThreads(stopped: Promise<void>): Promise<void> {
    await stopped
    if (!this.#parts.runs.isStarted) await this.#parts.runs.threads.end()
  }

  /** Takes the start back; what is given says what to do when that is done or refused. */
  #halt() {
    const { runs, events } = this.#parts
    const starting = this.#starting
    this.#starting = undefined
    this.#startsTried += 1
    this.#unhook()
    return {
      stopped: () => {
        runs.isStarted = this.#starting !== undefined
        if (!runs.isStarted) runs.longWaits.end()
        if (starting) events.emit('stopped')
      },
      refused: () => {
        this.#starting ??= starting
      },
    }
  }

  #unhook() {
    for (const signal of this.#signals) unhook(signal, this.#stopper)
    this.#signals.clear()
  }

  #stopBySignal(stop: () => Promise<void>) {
    const { bridge, events } = this.#parts
    stop().catch(error => {
      if (!bridge.closed) events.fault(error)
    })
  }
}
