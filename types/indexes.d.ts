/** Own fields: which paths have an index, and what a query does with it. */

import type { KnownPaths } from './query'
import type { AnyOperations } from './registry'

/**
 * A path that `indexes` may name: `data`, `id`, `label`, `scheduleId`, or a path into `data` or
 * `id`. An editor completes those that the registry knows.
 */
export type IndexPath<Operations = AnyOperations> =
  | 'data'
  | 'id'
  | 'label'
  | 'scheduleId'
  | (keyof KnownPaths<Operations> & `data.${string}`)
  | (`data.${string}` & {})
  | (`id.${string}` & {})

/** How the tasks that match a query are found. */
export interface QueryExplanation<Operations = AnyOperations> {
  /**
   * What left out tasks before they were compared with the query:
   *
   * - a path of `indexes`, such as `'data.book'`: only tasks that its index names were read;
   * - `'uuid'`, `'seq'`: the query names its tasks;
   * - `'status'`: only tasks that have not ended were read;
   * - `'blocks'`: blocks of 4,096 tasks were left out by what the file knows of each, or by bounds
   *   of `seq`;
   * - `null`: every task was read.
   */
  index: IndexPath<Operations> | 'uuid' | 'seq' | 'status' | 'blocks' | null
  /** How many rows of tasks and entries of indexes were read. */
  read: number
  /** How many tasks were compared with the query. */
  decided: number
  /** How many of them match. */
  matched: number
  /** Paths to add to `indexes`, so that the query reads less; none if that would not help. */
  declare: IndexPath<Operations>[]
}

// biome-ignore lint/complexity/noUselessEmptyExport: without it everything above would be exported.
export {}
