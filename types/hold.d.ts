/** Holds: queries that let no task start that matches, until a moment. */

import type { ConditionQuery } from './conditions'

/** What `hold` takes. */
export interface HoldOptions {
  /**
   * Which tasks: `operation`, `data`, `id`, `label`, `tags` and `priority`, as a task has them when
   * it comes up. `{}` holds every task. At most 64 KiB.
   */
  query: ConditionQuery
  /** When it is over: a Date, or milliseconds since 1970. At most 30 days ahead. */
  until: Date | number
}

/** A hold, as `findHolds` gives it. */
export interface Hold {
  /** What `hold` resolved with. */
  id: number
  query: Record<string, unknown>
  /** When it was made. */
  since: Date
  /** When it is over. */
  until: Date
  by: HeldBy
}

/** Who made a hold. */
export interface HeldBy {
  /** The process. */
  pid: number
  /** The task whose runner asked for it; absent if it was no runner. */
  uuid?: string
}

// biome-ignore lint/complexity/noUselessEmptyExport: without it everything above would be exported.
export {}
