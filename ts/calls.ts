/**
 * Promises that the engine settles: each has a ticket, and is answered once.
 *
 * Promises are made here and not by the native side, where one costs several times as much.
 */

import type { CallOptions } from '../index'
import { DURATION_MS_MAX } from './constants'
import { invalid, read, TaskerError, untraced } from './errors'
import { clearTimeout, setTimeout } from './globals'
import { type Abortable, hook, signalOf, unhook } from './signals'

type Resolve = (value: unknown) => void
type Reject = (error: unknown) => void

let resolveOfNext: Resolve
let rejectOfNext: Reject

/** One function for all promises: a closure for each would be one more object per task. */
const take = (resolve: Resolve, reject: Reject) => {
  resolveOfNext = resolve
  rejectOfNext = reject
}

/** A promise with its two functions, settled later. */
export class Deferred {
  // biome-ignore lint/suspicious/noExplicitAny: the caller knows what the engine answers.
  readonly promise: Promise<any> = new Promise(take)
  readonly resolve: Resolve = resolveOfNext
  readonly reject: Reject = rejectOfNext
  /** Whether it is answered when something happens, and not when it has been carried out. */
  isWait = false

  answered(value: unknown): void {
    this.resolve(value)
  }

  refused(error: unknown): void {
    this.reject(error)
  }
}

/** What happens with an answer before the promise is resolved; may throw to reject it. */
// biome-ignore lint/suspicious/noExplicitAny: the caller knows what the engine answers.
export type Transform = (value: any) => unknown

/** A call that may transform its answer, and may end early. */
export class Call extends Deferred implements Abortable {
  readonly #transform: Transform | undefined
  readonly #refusedBy: ((error: unknown) => void) | undefined
  #what = ''
  #signal: AbortSignal | undefined
  #timer: NodeJS.Timeout | undefined
  #cancel: (() => void) | undefined

  constructor(transform?: Transform, refusedBy?: (error: unknown) => void) {
    super()
    this.#transform = transform
    this.#refusedBy = refusedBy
  }

  override answered(value: unknown): void {
    this.#release()
    try {
      this.resolve(this.#transform ? this.#transform(value) : value)
    } catch (error) {
      this.reject(error)
    }
  }

  override refused(error: unknown): void {
    this.#release()
    this.#refusedBy?.(error)
    this.reject(error)
  }

  /** Ends early when a signal fires or a time is over; `cancel` tells the engine. */
  bind({ what, signal, timeoutMs }: Bounds, cancel: () => void): void {
    this.#what = what
    this.#cancel = cancel
    this.#signal = signal
    if (signal) hook(signal, this)
    if (timeoutMs !== undefined) this.#arm(timeoutMs, timeoutMs)
  }

  abortedBy(signal: AbortSignal): void {
    this.#end(read(signal, 'reason'))
  }

  #arm(leftMs: number, ms: number) {
    const step = Math.min(leftMs, TIMER_MS_MAX)
    const next = () =>
      leftMs > step ? this.#arm(leftMs - step, ms) : this.#end(late(this.#what, ms))
    this.#timer = setTimeout(next, step).unref()
  }

  #end(error: unknown) {
    this.#release()
    this.#cancel?.()
    this.reject(error)
  }

  #release() {
    if (this.#signal) unhook(this.#signal, this)
    clearTimeout(this.#timer)
    this.#signal = undefined
  }
}

/** Node's timers fire at once above this. */
const TIMER_MS_MAX = 2 ** 31 - 1

const late = (what: string, ms: number) =>
  untraced(new TaskerError('TASKER_TIMEOUT', `${what} did not finish within ${ms} ms`))

/** What ends a call early. */
export interface Bounds {
  /** The call in words, for the error when its time is over. */
  what: string
  signal: AbortSignal | undefined
  timeoutMs: number | undefined
}

/** What ends a call early, from its options; rejects by throwing if the signal has fired. */
export function boundsOf(what: string, { abortSignal, timeout }: CallOptions): Bounds {
  const signal = signalOf(abortSignal)
  if (signal?.aborted) throw signal.reason
  return { what, signal, timeoutMs: timeoutOf(timeout) }
}

const UNITS_MS: Record<string, number> = { ms: 1, s: 1e3, m: 60e3, h: 3_600e3, d: 86_400e3 }

/** Milliseconds of a timeout; nothing if it is absent or off. */
function timeoutOf(value: unknown): number | undefined {
  return value === undefined || value === false ? undefined : durationOf(value, 'timeout')
}

/** Milliseconds of a duration. */
export function durationOf(value: unknown, path: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(value)) ?? []
  const ms = typeof value === 'number' ? value : Number(digits) * (UNITS_MS[unit ?? ''] ?? NaN)
  if (ms > 0 && ms <= DURATION_MS_MAX) return Math.ceil(ms)
  throw invalid(
    path,
    "must be a duration: milliseconds above 0, or a string like '30s' '5m' '2h' '7d'",
  )
}
