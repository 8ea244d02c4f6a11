/**
 * The logs of a task, as they come.
 *
 * Lines are read from the file, page by page, whoever writes them. Between two reads a listener
 * waits until the engine says that there may be more.
 *
 * # Promises
 * - No line is left out and none comes twice, also where what was stored meets what comes. A slow
 *   listener loses nothing, for nothing is kept for it but a number.
 * - It ends when the task has ended or is removed, and lets go of everything when it is left.
 *
 * Proof: `__test__/contract/listening.test.mjs`, `__test__/process/listening.test.mjs`.
 */

import type { ListenTaskLogsOptions, LogLevel, TaskLog } from '../index'
import type { Bridge } from './bridge'
import { boundsOf } from './calls'
import type { LogsJson } from './commands'
import { LEVELS } from './constants'
import { reviveLogs } from './document'
import { invalid, read, traced } from './errors'
import { leavable } from './leaving'
import { oneOf, only } from './options'
import { signalOf } from './signals'

/** How many lines are read at once. */
const PAGE_LINES = 256

const WORDS = ['fromBeginning', 'logsMaxLevel', 'abortSignal']

/** The lines of a task from now on, or from its first one. Throws if an argument is wrong. */
export function listenToLogs(
  bridge: Bridge,
  uuid: string,
  given: ListenTaskLogsOptions,
): AsyncIterableIterator<TaskLog, void, undefined> {
  const options = only(given, WORDS, 'options')
  const { fromBeginning = false, logsMaxLevel = 'info', abortSignal } = options
  if (typeof fromBeginning !== 'boolean') throw invalid('fromBeginning', 'must be a boolean')
  const level = oneOf(logsMaxLevel, LEVELS, 'logsMaxLevel')
  bridge.check()
  return leavable(signalOf(abortSignal), signal => {
    const logs = new Logs(bridge, uuid, level, signal)
    return lines(logs, fromBeginning ? undefined : logs.last())
  })
}

async function* lines(
  logs: Logs,
  position: Promise<number> | undefined,
): AsyncGenerator<TaskLog, void, undefined> {
  try {
    let after = position === undefined ? 0 : await traced(position)
    for (let isFirst = true; ; isFirst = false) {
      await traced(logs.news())
      for (let hasMore = true; hasMore; ) {
        const page: LogsJson | undefined = await traced(logs.page(after, isFirst))
        if (page === undefined) return
        const [entries, next, isCut, isOver] = page
        yield* reviveLogs(entries)
        if (isOver && !isCut) return
        after = next
        hasMore = isCut
      }
    }
  } finally {
    logs.leave()
  }
}

/** One listener, as the engine sees it. */
class Logs {
  readonly #bridge: Bridge
  readonly #uuid: string
  readonly #level: LogLevel
  readonly #abortSignal: AbortSignal
  /** The ticket of its first wait, which the engine knows it by. */
  #listener: number | undefined

  constructor(bridge: Bridge, uuid: string, level: LogLevel, abortSignal: AbortSignal) {
    this.#bridge = bridge
    this.#uuid = uuid
    this.#level = level
    this.#abortSignal = abortSignal
  }

  /** The number of the last line by now. */
  last(): Promise<number> {
    const last = this.#last()
    last.catch(() => {}) // Whoever never asks for a line need not hear of it.
    return last
  }

  async #last(): Promise<number> {
    const [, last] = await this.#read(0, 0)
    return last
  }

  /** The next lines; nothing if the task was removed after it had been seen. */
  async page(after: number, isFirst: boolean): Promise<LogsJson | undefined> {
    try {
      return await this.#read(after, PAGE_LINES)
    } catch (error) {
      if (!isFirst && read(Object(error), 'code') === 'TASKER_NOT_FOUND') return undefined
      throw error
    }
  }

  /** Waits until there may be more. */
  async news(): Promise<void> {
    const { ticket, heard } = this.#bridge.awaitLogs(this.#uuid, this.#listener, this.#bounds)
    this.#listener ??= ticket
    await heard
  }

  /** Waits for nothing any more. */
  leave(): void {
    if (this.#listener !== undefined) this.#bridge.cancelAwait(this.#listener)
    this.#listener = undefined
  }

  #read(after: number, lines: number): Promise<LogsJson> {
    const command = { do: 'logs', uuid: this.#uuid, after, lines, level: this.#level } as const
    return this.#bridge.read(command, this.#bounds)
  }

  get #bounds() {
    return boundsOf(`listenTaskLogs('${this.#uuid}')`, { abortSignal: this.#abortSignal })
  }
}
