/**
 * Tasks of one operation that one call of its runner takes.
 *
 * The engine says which runs belong together before it tells their starts. These may come in
 * several portions, and one that was taken back meanwhile never comes: the runner is called when
 * all are there that will.
 *
 * # Promises
 * - Each task settles once and by itself: by `settle`, by its element of the array that the runner
 *   returns, or by what the runner throws.
 * - An array that does not fit settles no task with the result of another one.
 *
 * Proof: `__test__/contract/batches.test.mjs`.
 */

import type { BatchContext } from '../index'
import { Context } from './context'
import { spell, TaskerError } from './errors'
import { stringify } from './globals'
import type { MessageOf } from './messages'
import type { Run } from './run'
import type { Telemetry } from './telemetry'

/** A function that carries out several tasks at once. */
export type AnyBatchRunner = (contexts: readonly ContextInBatch[]) => unknown

/** Ends the run of a context; false if it is over. */
type Settle = BatchHost['settleOne']

/** The context of one run of a batch. */
export class ContextInBatch extends Context implements BatchContext {
  readonly settle: (result?: unknown) => boolean

  constructor(run: Run, settle: Settle) {
    super(run)
    this.settle = result => settle(run, result)
  }
}

/** Runs that have one call of a runner. */
export class TaskBatch {
  readonly runs: Run[] = []
  #missing: number

  constructor(runs: number) {
    this.#missing = runs
  }

  /** One has come. */
  join(run: Run): void {
    this.runs.push(run)
    this.#missing -= 1
  }

  /** One will not come. */
  miss(): void {
    this.#missing -= 1
  }

  /** Whether all are there that will come. */
  get isComplete(): boolean {
    return this.#missing === 0
  }
}

/** The runners that take several tasks at once, and the batches whose starts are still coming. */
export class TaskBatches {
  readonly #runners = new Map<string, AnyBatchRunner>()
  /** Runners that were taken away: a batch that had begun before may still ask for one. */
  readonly #retired = new Map<string, AnyBatchRunner>()
  readonly #open = new Map<number, TaskBatch>()

  get operations(): Iterable<string> {
    return this.#runners.keys()
  }

  has(operation: string): boolean {
    return this.#runners.has(operation)
  }

  assign(operation: string, runner: AnyBatchRunner): void {
    this.#runners.set(operation, runner)
    this.#retired.delete(operation)
  }

  unassign(operation: string): void {
    const runner = this.#runners.get(operation)
    if (runner) this.#retired.set(operation, runner)
    this.#runners.delete(operation)
  }

  runnerOf(operation: string): AnyBatchRunner {
    return this.#runners.get(operation) ?? this.#retired.get(operation) ?? noRunner
  }

  /** The runs that follow belong together. */
  announce([, first, runs]: MessageOf<'batch'>): void {
    const batch = new TaskBatch(runs)
    for (let slot = first; slot < first + runs; slot += 1) this.#open.set(slot, batch)
  }

  /** The batch of a run that has come; nothing if it has none. */
  join(run: Run): TaskBatch | undefined {
    if (this.#open.size === 0) return undefined
    const batch = this.#take(run.slot)
    batch?.join(run)
    return batch
  }

  /** A run will not come. Its batch, if that is complete without it. */
  miss(slot: number): TaskBatch | undefined {
    const batch = this.#take(slot)
    batch?.miss()
    return batch?.isComplete && batch.runs.length > 0 ? batch : undefined
  }

  #take(slot: number): TaskBatch | undefined {
    const batch = this.#open.get(slot)
    this.#open.delete(slot)
    return batch
  }

  /** The tasker is closed. */
  forget(): void {
    this.#open.clear()
  }
}

function noRunner([context]: readonly ContextInBatch[]): never {
  throw new Error(`the operation ${stringify(context?.operation)} has no runner here`)
}

/** Who settles the runs of a batch. */
export interface BatchHost {
  readonly telemetry: Telemetry | undefined
  /** A task has ended: an Error is what it would have thrown. False if it is over. */
  readonly settleOne: (run: Run, result: unknown, isThrown?: boolean) => boolean
  /** What was returned has no element for it. */
  unfit(run: Run, error: unknown): void
}

/** Calls the runner of a batch; never rejects. */
export async function callBatch(
  batch: TaskBatch,
  runner: AnyBatchRunner,
  host: BatchHost,
): Promise<void> {
  const runs = batch.runs.filter(run => !run.isOver)
  if (runs.length === 0) return
  // Each has a span of its own, and the function is called in none of them.
  for (const run of runs) run.span = host.telemetry?.begin(run.message)
  let returned: unknown
  try {
    returned = await runner(runs.map(run => new ContextInBatch(run, host.settleOne)))
  } catch (error) {
    for (const run of runs) host.settleOne(run, error, true)
    return
  }
  // Whoever has settled all of them itself need return nothing.
  if (runs.every(run => run.isOver)) return
  let results: unknown[]
  try {
    results = resultsOfBatch(returned, runs.length)
  } catch (error) {
    for (const run of runs) host.unfit(run, error)
    return
  }
  for (const [at, run] of runs.entries()) host.settleOne(run, results[at])
}

/** What each of so many runs gets of what a runner returned; throws if it does not fit. */
function resultsOfBatch(returned: unknown, runs: number): unknown[] {
  const expected = `of ${runs === 1 ? '1 element' : `${runs} elements`}, one for each context`
  if (!Array.isArray(returned)) {
    const given = returned === undefined ? 'nothing' : spell(returned).slice(0, 40)
    throw unfit(`must be an array ${expected}; the runner returned ${given}`)
  }
  if (returned.length !== runs) {
    throw unfit(`must be an array ${expected}; the runner returned ${returned.length}`)
  }
  return Array.from({ length: runs }, (_, at) => returned[at])
}

function unfit(why: string): TaskerError {
  return new TaskerError('TASKER_INVALID', `result: ${why}`, { path: 'result' })
}
