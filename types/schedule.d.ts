/** Schedules: tasks that are added by the clock, and when a cron comes. */

import type { Duration, TaskDefinition } from './definition'
import type { CallOptions } from './options'
import type { AnyOperations, OperationName } from './registry'

/**
 * What a tick does while the last task of its schedule has not ended: no task (`skip`), one that
 * waits for it (`queue`; one waits at most), one that replaces it (`replace`: the last one is
 * aborted, with the cause `replaced`), or one beside it (`allow`).
 */
export type ScheduleOverlap = 'skip' | 'queue' | 'replace' | 'allow'

/**
 * What becomes of ticks that were missed, because no process had the file open or the clock was set
 * forward: nothing (`skip`), the last of them makes a task (`once`), each does (`all`, the last
 * 1,000).
 */
export type ScheduleMissed = 'skip' | 'once' | 'all'

/**
 * The task of a schedule: what `addTask` takes. A `delay` counts from the tick. The schedule
 * outlives this process, so there is neither `abortSignal` nor `attach`.
 */
export type ScheduledTask<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> = TaskDefinition<Operations, Name> & {
  runAt?: undefined
  attach?: undefined
  abortSignal?: undefined
}

/** When a schedule ticks: by a cron in a time zone, or once in so long. */
export type ScheduleRule =
  | {
      /** Five fields, six with seconds in front, or `@hourly`, `@daily` …. */
      cron: string
      /**
       * The name of a time zone, such as `'Europe/Berlin'`.
       * @default 'UTC'
       */
      timezone?: string | undefined
      every?: undefined
    }
  | {
      /**
       * One tick in so long, at least a second. Counted from `startAt`, which is a tick itself,
       * else from the first `addSchedule`.
       */
      every: Duration
      cron?: undefined
      timezone?: undefined
    }

/** What a schedule may say besides. */
export interface ScheduleOptions {
  /**
   * What a tick does while the last task has not ended.
   * @default 'skip'
   */
  overlap?: ScheduleOverlap | undefined
  /**
   * What becomes of ticks that were missed: that are more than a minute late, or that a later one
   * follows by now.
   * @default 'once'
   */
  missed?: ScheduleMissed | undefined
  /**
   * The start of each task is put off by up to so long, by chance; the tick is not.
   * @default 0
   */
  jitter?: Duration | undefined
  /** No tick is before this moment: a Date, or milliseconds since 1970. */
  startAt?: Date | number | undefined
  /** No tick is after this moment. */
  endAt?: Date | number | undefined
  /** How many tasks its ticks make; then it is over. */
  limit?: number | undefined
}

/** What `addSchedule` takes. */
export type ScheduleDefinition<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> = ScheduleRule &
  ScheduleOptions & {
    /** What you call it; 1 to 255 bytes. */
    id: string
    /** What each tick adds. */
    task: ScheduledTask<Operations, Name>
  }

/** What `updateSchedule` changes; what is left out stays, and `false` takes an option back. */
export interface SchedulePatch<
  Operations = AnyOperations,
  Name extends OperationName<Operations> = OperationName<Operations>,
> {
  /** Takes the place of `every`. */
  cron?: string | undefined
  /** Takes the place of `cron` and its `timezone`. */
  every?: Duration | undefined
  timezone?: string | false | undefined
  /** The task, whole. */
  task?: ScheduledTask<Operations, Name> | undefined
  overlap?: ScheduleOverlap | undefined
  missed?: ScheduleMissed | undefined
  jitter?: Duration | false | undefined
  startAt?: Date | number | false | undefined
  endAt?: Date | number | false | undefined
  limit?: number | false | undefined
}

/** Options of `findSchedules`. */
export interface FindSchedulesOptions extends CallOptions {
  /** Only the one with this id. */
  id?: string | undefined
}

/** Options of `triggerSchedule`. */
export interface TriggerScheduleOptions {
  /** What to do this time if the last task has not ended; otherwise as the schedule says. */
  overlap?: ScheduleOverlap | undefined
}

/** A schedule, as `findSchedules` gives it. Durations are milliseconds. */
export interface Schedule<Name extends string = string> {
  id: string
  cron?: string
  timezone?: string
  every?: number
  /** The task that its ticks add, as it was given. */
  task: { operation: Name; [field: string]: unknown }
  overlap: ScheduleOverlap
  missed: ScheduleMissed
  jitter?: number
  startAt?: Date
  endAt?: Date
  limit?: number
  /** Its next tick; absent while it is paused, and once it is over. */
  nextAt?: Date
  /** Its next five ticks; fewer if it is over before, none while it is paused. */
  nextTimes: Date[]
  /** The tick of its last task, or when that was triggered; absent if it has made none. */
  lastAt?: Date
  /** The uuid of its last task; the task may have been removed. */
  lastTask?: string
  /** How many tasks its ticks have made; those that were triggered do not count. */
  made: number
  /** Since when it is paused, if it is. */
  pausedAt?: Date
}

/** What `nextTimes` may be told. */
export interface NextTimesOptions {
  /**
   * The time zone of the cron, such as `'Europe/Berlin'`. The zones are those of tasker, the same
   * on every machine.
   * @default 'UTC'
   */
  timezone?: string | undefined
  /**
   * How many times: 1 to 1,000.
   * @default 5
   */
  count?: number | undefined
  /**
   * The times come after it: a Date, or milliseconds since 1970.
   * @default now
   */
  from?: Date | number | undefined
}

/**
 * The next times of a cron, in order: five or six fields, or a short form such as `@daily`
 * ([the syntax](../docs/guide/schedules.md#cron)). Fewer than asked for in the year 9998 alone,
 * where the calendar of tasker ends. Throws `TASKER_INVALID` with the path `cron`, `timezone`,
 * `count` or `from`, and `TASKER_TOO_LARGE` for a cron of more than 1 KiB.
 *
 * @example
 * nextTimes('0 9 * * MON-FRI', { timezone: 'Europe/Berlin', count: 3 })
 */
export declare function nextTimes(cron: string, options?: NextTimesOptions): Date[]
