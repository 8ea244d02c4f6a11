/**
 * Tasks with a key of their own: what an add has become, and what is told of one that found an
 * earlier task.
 *
 * # Promises
 * - A duplicate brings nothing along: neither its signal, its attachment nor its context hang on
 *   the earlier task.
 *
 * # Left to others
 * Which task has a key: the engine.
 *
 * Proof: `__test__/contract/unique.test.mjs`.
 */

import { read, TaskerError } from './errors'
import type { EventHub } from './events'
import type { Added } from './messages'
import { type Brought, type Extras, PendingAdd, type TaskExtras } from './task-extras'

/** Whether a definition says a key of its own. */
export function isUnique(definition: unknown): boolean {
  return read(Object(definition), 'unique') !== undefined
}

/** Passes on what became of tasks that were to be added. */
export class Adds {
  readonly #extras: TaskExtras
  readonly #events: EventHub

  constructor(extras: TaskExtras, events: EventHub) {
    this.#extras = extras
    this.#events = events
  }

  /** One was added, or found an earlier task; its uuid. */
  added([uuid, isNew]: Added, definition: () => unknown, extras: Extras): string {
    if (isNew === true) this.#extras.added(uuid, extras)
    else if (isNew === 'replaced') this.#extras.replaced(uuid, extras)
    else if (isNew === 'duplicate') this.#skipped(uuid, definition)
    return uuid
  }

  /** One was refused; told if an earlier task was in the way. */
  refused(error: unknown, definition: (place: number) => unknown): void {
    if (!(error instanceof TaskerError) || error.code !== 'TASKER_DUPLICATE') return
    const [, place = '0'] = /^\[(\d+)\]/.exec(error.path ?? '') ?? []
    if (error.uuid !== undefined) this.#skipped(error.uuid, () => definition(Number(place)))
  }

  #skipped(uuid: string, definition: () => unknown) {
    if (!this.#events.hasListeners('task.add.skipped')) return
    this.#events.emitTask('task.add.skipped', uuid, definition())
  }
}

/** The promise of one `addTask` with a key of its own. */
export class PendingUniqueAdd extends PendingAdd {
  readonly #adds: Adds
  readonly #definition: unknown

  constructor(
    extras: TaskExtras,
    brought: Brought,
    { adds, definition }: { adds: Adds; definition: unknown },
  ) {
    super(extras, brought)
    this.#adds = adds
    this.#definition = definition
  }

  override refused(error: unknown): void {
    this.#adds.refused(error, () => this.#definition)
    super.refused(error)
  }

  override answered(value: unknown): void {
    const [one] = value as [Added]
    this.resolve(this.#adds.added(one, () => this.#definition, this))
  }
}
