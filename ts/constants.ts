/**
 * What TypeScript needs to know of the engine before it asks it: drawn from `crates/core` and
 * `crates/sqlite`. To change it, change it there and run
 * `UPDATE=1 cargo test -p tasker-proof --test tidy`.
 */

/** Tasks in one `addTasks` call. */
export const TASKS_PER_CALL_MAX = 10_000

/** Tasks of one commit of `abortTasks`, `retryTasks` and `removeTasks`. */
export const TASKS_PER_CHUNK_MAX = 1_000

/** Bytes of all the tasks of one `addTasks` call. */
export const CALL_BYTES_MAX = 128 * 1024 * 1024

/** Bytes of one log line: its message and its fields. */
export const LOG_LINE_BYTES_MAX = 64 * 1024

/** Log lines kept per task; the last of them says that no more are kept. */
export const LOGS_PER_TASK_MAX = 10_000

/** Bytes of the `unit` of a progress report. */
export const PROGRESS_UNIT_BYTES_MAX = 64

/** Most runs at once that an option may allow. */
export const CONCURRENCY_MAX = 100_000

/** Threads that the runner of one operation may have in a process. */
export const THREADS_MAX = 256

/** Conditions of one task, those of its operation and of its tasker among them. */
export const CONDITIONS_MAX = 100

/** The longest duration of any option: 100 years of 365.25 days, in milliseconds. */
export const DURATION_MS_MAX = 3_155_760_000_000

/** Bytes of the JSON text of a query. */
export const QUERY_BYTES_MAX = 16 * 1024 * 1024

/** Values of one `$in` or `$nin`. */
export const QUERY_IN_MAX = 10_000

/** Paths of a projection, the option `fields`. */
export const PROJECTION_FIELDS_MAX = 256

/** The mark of our files, "Tskr". */
export const APPLICATION_ID = 0x5473_6b72

/** The levels of log lines, the gravest first. */
export const LEVELS = ['crit', 'error', 'warning', 'notice', 'info', 'debug'] as const

/** What `addTask` takes. */
export const TASK_WORDS = [
  'operation',
  'data',
  'priority',
  'id',
  'label',
  'tags',
  'trace',
  'runAt',
  'dependsOn',
  'parent',
  'runTimeout',
  'queueTimeout',
  'retry',
  'retention',
  'onInterrupted',
  'onStop',
  'onStopWaiting',
  'concurrency',
  'unique',
  'delay',
  'attach',
  'abortSignal',
] as const

/** What `defineOperation` and `assignRunner` take. */
export const OPERATION_WORDS = [
  'concurrency',
  'rateLimit',
  'circuitBreaker',
  'executor',
  'priority',
  'runTimeout',
  'queueTimeout',
  'retry',
  'conditions',
  'retention',
  'onInterrupted',
  'onStop',
  'onStopWaiting',
  'schema',
  'batch',
] as const
