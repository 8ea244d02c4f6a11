/**
 * What runs in threads ask of their tasker, and all the threads of it.
 *
 * # Promises
 * - What is asked in a thread is judged there, and sent to the engine as it was written.
 *
 * Proof: `__test__/contract/threads.test.mjs`.
 */

import type { DependencyResult, TaskDefinition, TaskUuid } from '../index'
import type { Bridge } from './bridge'
import { JsonText } from './commands'
import { stringify } from './globals'
import { writtenDefinition } from './options'
import type { Run } from './run'
import type { Question } from './thread-messages'
import { ThreadPool } from './thread-pool'

/** What answers are made from. */
interface Answerer {
  readonly bridge: Bridge
  add(definition: TaskDefinition): Promise<TaskUuid>
  results(uuid: string): Promise<DependencyResult[]>
}

/** The answer as JSON text; the run that asks may be over. */
export async function answerOf(
  question: Question,
  run: Run | undefined,
  { bridge, add, results }: Answerer,
): Promise<string | undefined> {
  switch (question[0]) {
    case 'checkpoint':
      if (run?.slot === question[1]) await run.checkpoint()
      return undefined
    case 'hold': {
      const [, uuid, query, until] = question
      const texts = { query: new JsonText(query), until: new JsonText(until) }
      return stringify(await waited(run, bridge.command({ do: 'hold', uuid, ...texts })))
    }
    case 'addTask': {
      const definition = writtenDefinition(question[2]) as TaskDefinition
      const adding = () => add(definition)
      return stringify(await waited(run, run?.span ? run.span.call(adding) : adding()))
    }
    case 'results':
      return stringify(await waited(run, results(question[1])))
  }
}

/** A run waits for an answer: what it does after that counts. */
async function waited<T>(run: Run | undefined, answer: Promise<T>): Promise<T> {
  if (run) run.steps += 1
  try {
    return await answer
  } finally {
    if (run) run.steps += 1
  }
}

/** The threads of all runners of a tasker. */
export class ThreadPools {
  readonly #pools = new Set<ThreadPool>()

  /** Those of one more runner. */
  of(module: URL): ThreadPool {
    for (const pool of this.#pools) if (pool.isOver) this.#pools.delete(pool)
    const pool = new ThreadPool(module.href)
    this.#pools.add(pool)
    return pool
  }

  /** Ends all of them; resolves when they are gone. */
  async end(): Promise<void> {
    if (this.#pools.size > 0) await Promise.all([...this.#pools].map(pool => pool.end()))
  }
}
