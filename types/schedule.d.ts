/** When a cron comes. */

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
