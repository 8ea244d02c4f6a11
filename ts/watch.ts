/**
 * Watching tasks: what happens to those that match, as entries in the order of the commits.
 *
 * The reader of the engine knows where a watch stands. Here is no more than who waits for the next
 * entries.
 *
 * # Promises
 * - A watch that is left, by `break`, `return` or its signal, holds nothing any more.
 * - A slow one keeps no entries but those of one page: later ones are read when it asks.
 *
 * Proof: `__test__/contract/watching.test.mjs`, `__test__/process/watching.test.mjs`.
 */

import type { Task, TaskChange, WatchEntry, WatchOptions } from '../index'
import type { Bridge } from './bridge'
import { boundsOf } from './calls'
import type { ChangeJson, JsonText } from './commands'
import { revive } from './document'
import { invalid, traced } from './errors'
import { dateOf } from './globals'
import { leavable } from './leaving'
import { only } from './options'
import { encodeFields, encodeQuery } from './query'
import { signalOf } from './signals'

const WORDS = ['from', 'fields', 'abortSignal']

/** The form of a position. */
const POSITION = /^\d{1,16}(\.\d{1,10})?(-\d{1,16})?$/

type Given = WatchOptions & { fields?: readonly string[] }

/** What happens to the tasks that match. Throws if an argument is wrong. */
export function watchTasks(
  bridge: Bridge,
  query: object,
  given: Given,
): AsyncIterableIterator<WatchEntry<Task>, void, undefined> {
  const options = only(given, WORDS, 'options')
  const { from, fields, abortSignal } = options
  const isPosition = from === undefined || (typeof from === 'string' && POSITION.test(from))
  if (!isPosition && from !== 'now') {
    throw invalid('from', "must be 'now' or the position of an entry")
  }
  const parts = { query: encodeQuery(query, 'query'), fields: encodeFields(fields) }
  bridge.check()
  return leavable(signalOf(abortSignal), signal => {
    const watch = new Watch(bridge, parts, signal)
    return entries(watch, from === 'now' ? watch.now() : from)
  })
}

async function* entries(
  watch: Watch,
  from: Promise<string> | string | undefined,
): AsyncGenerator<WatchEntry<Task>, void, undefined> {
  try {
    await watch.begin(await traced(Promise.resolve(from)))
    for (;;) {
      for (const entry of await traced(watch.next())) yield reviveEntry(entry)
    }
  } finally {
    watch.leave()
  }
}

interface Parts {
  query: JsonText
  fields: JsonText | undefined
}

/** One watch, as the reader sees it. */
class Watch {
  readonly #bridge: Bridge
  readonly #parts: Parts
  readonly #abortSignal: AbortSignal
  /** The ticket with which it began, which the reader knows it by. */
  #watch: number | undefined

  constructor(bridge: Bridge, parts: Parts, abortSignal: AbortSignal) {
    this.#bridge = bridge
    this.#parts = parts
    this.#abortSignal = abortSignal
  }

  /** The position behind all that is committed by now. */
  now(): Promise<string> {
    const now = this.#now()
    now.catch(() => {}) // Whoever never asks for an entry need not hear of it.
    return now
  }

  async #now(): Promise<string> {
    return await this.#bridge.command({ do: 'stand' })
  }

  async begin(from: string | undefined): Promise<void> {
    const command = { do: 'watch', ...this.#parts, from } as const
    const { ticket, done } = this.#bridge.beginWatch(command, this.#bounds)
    this.#watch = ticket
    await traced(done)
  }

  /** The next entries; waits until there are some. */
  async next(): Promise<ChangeJson[]> {
    const watch = this.#watch as number
    return await this.#bridge.read({ do: 'changes', watch }, this.#bounds)
  }

  leave(): void {
    if (this.#watch !== undefined) this.#bridge.endWatch(this.#watch)
    this.#watch = undefined
  }

  get #bounds() {
    return boundsOf('watch', { abortSignal: this.#abortSignal })
  }
}

function reviveEntry(entry: ChangeJson): WatchEntry<Task> {
  if (entry.length === 2) {
    const [position, at] = entry
    return { position, at: dateOf(at), change: 'gap' }
  }
  const [position, at, uuid, operation, change, status, state, priority, task] = entry
  const told = { position, at: dateOf(at), uuid, operation, change, status, state }
  const revived: TaskChange<Task> = { ...told, priority: Number(priority) }
  if (task) revived.task = revive(task)
  return revived
}
