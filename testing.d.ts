/**
 * `tasker/testing`: tests of code that uses tasker, on a clock that stands until the test moves it.
 *
 * The engine and its file are the real ones. Delays, retries, timeouts of runs, `queueTimeout`,
 * retention and holds follow the clock of the test; the disk and the timeouts of calls are real.
 */

import type {
  AnyOperations,
  Duration,
  Query,
  Registry,
  Task,
  Tasker,
  TaskerOptions,
} from './index'

/** Options of a tasker in a test, which has a file of its own. */
export type TestTaskerOptions<Operations extends Registry<Operations> = AnyOperations> = Omit<
  TaskerOptions<Operations>,
  'store' | 'exclusive' | 'durability'
>

/** How to open a test. Unknown keys are errors. */
export interface TestOptions<Operations extends Registry<Operations> = AnyOperations> {
  /**
   * What is drawn at random (uuids, jitter) follows from this number, 0 or more: a test that does
   * the same things in the same order gets the same.
   * @default 0
   */
  seed?: number | undefined
  /**
   * When the clock begins: a Date, a text that `Date` reads, or milliseconds since 1970.
   * @default '2030-01-01T00:00:00.000Z'
   */
  now?: Date | string | number | undefined
  /**
   * How long, in real time, the clock waits for a live run before it moves on. A run is waited for
   * once, and again when it has used its context or its signal has fired. Make it longer if your
   * runners do real I/O, shorter if they hang on purpose.
   * @default '1s'
   */
  patience?: Duration | undefined
  /** The options of the first tasker, and of the one that follows it after a crash. */
  options?: TestTaskerOptions<Operations> | undefined
}

/** The clock of a test. It stands until one of its functions moves it. */
export interface TestClock {
  /** What time it is in the test. */
  now(): Date
  /**
   * Lets time go by: milliseconds, or a text like `'30d'`. The clock stops at each moment at which
   * something is due, until that is done; resolves when nothing is left to do.
   */
  advance(by: Duration): Promise<void>
  /**
   * Lets time go by until nothing is due any more: no start time, retry, timeout, end of a hold or
   * of a retention. Rejects with `TASKER_LIMIT` after `max` moments (by default 100,000), and says
   * what keeps coming.
   */
  runAll(options?: { max?: number | undefined }): Promise<void>
}

/** A test: its taskers, their file and their clock. Its functions may be taken out of it. */
export interface TaskerTest<Operations extends Registry<Operations> = AnyOperations>
  extends AsyncDisposable {
  /** The first tasker; after a crash of it, the one that has followed it. Not started. */
  readonly tasker: Tasker<Operations>
  /** The clock of all taskers of the test. */
  readonly clock: TestClock
  /** One more tasker on the same file, as in another process. Not started. */
  open(options?: TestTaskerOptions<Operations>): Tasker<Operations>
  /**
   * Ends a tasker as `kill -9` ends a process: what was acknowledged is on disk, its runs are lost,
   * and what its runners still do changes nothing; their signals fire with the cause `'fenced'`.
   * Resolves with a new tasker with the same options, on the same file. Assign runners to it and
   * start it, as your program does when it starts.
   */
  crash(tasker?: Tasker<Operations>): Promise<Tasker<Operations>>
  /**
   * Lets everything be done that is due now; resolves with the one task that matches. Else rejects
   * with an `AssertionError` that lists tasks, and why each waits.
   */
  expectTask(query: Query<Operations>): Promise<Task<Operations>>
  /**
   * Ends all taskers of the test at once and removes the file. It waits for no run: their signals
   * fire.
   */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Opens a test: a new file, a clock that stands, and a first tasker. */
export function openTest<Operations extends Registry<Operations> = AnyOperations>(
  options?: TestOptions<Operations>,
): Promise<TaskerTest<Operations>>
