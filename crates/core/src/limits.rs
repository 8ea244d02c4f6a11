//! The bounds that a user can reach, in one table. Bounds of our own work (how much one turn, drain
//! or window takes) stand where they hold.
//!
//! Reaching one is a typed error with the path of the field, never a hang or a crash (I-17).
//!
//! Proof: `tests/limits.rs` here and `__test__/contract/limits.test.mjs` try each at, below and
//! above.

/// Bytes of the JSON text of one task's `data`.
pub const DATA_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of the JSON text of one result; a larger one fails the run.
pub const RESULT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Levels of arrays and objects in `data`, a result or the fields of a log line.
pub const JSON_DEPTH_MAX: usize = 128;
/// Bytes of the JSON text of one stored error or abort reason; what is too long is cut or left out.
pub const ERROR_BYTES_MAX: usize = 256 * 1024;
/// Bytes of the JSON text of one task's `id`.
pub const ID_BYTES_MAX: usize = 1024;
/// Bytes of the JSON text of one task's `label`.
pub const LABEL_BYTES_MAX: usize = 1024;
/// Bytes of the JSON text of one task's `trace`.
pub const TRACE_BYTES_MAX: usize = 600;
/// Tags of one task.
pub const TAGS_MAX: usize = 64;
/// Bytes of the JSON text of one tag.
pub const TAG_BYTES_MAX: usize = 256;
/// Bytes of the key of a unique task, as UTF-8.
pub const UNIQUE_KEY_BYTES_MAX: usize = 255;
/// Bytes of the JSON text of the error of an attempt that another one follows; what is too long is
/// cut.
pub const ATTEMPT_BYTES_MAX: usize = 16 * 1024;
/// Tasks that one task may depend on.
pub const DEPENDENCIES_MAX: usize = 1_000;
/// Dependencies of all the tasks of one `addTasks` call.
pub const DEPENDENCIES_PER_CALL_MAX: usize = 100_000;
/// Conditions of one task, those of its operation and of its tasker among them.
pub const CONDITIONS_MAX: usize = 100;
/// Bytes of the JSON text of the conditions of one task.
pub const CONDITIONS_BYTES_MAX: usize = 256 * 1024;
/// Different conditions of waiting tasks that ask for the same values or for none, so that each run
/// has to be looked at for all of them.
pub const CONDITIONS_ALIKE_MAX: usize = 1_000;
/// Different lists of conditions of waiting tasks, counted by operation.
pub const LANES_MAX: usize = 1_000_000;
/// Most that `limit` and `burst` of a rate limit may say.
pub const RATE_LIMIT_MAX: u32 = 1_000_000_000;
/// Bytes of the path `by` of a rate limit, and of the JSON text of a value there that is stored
/// whole; of a longer one a number is kept.
pub const RATE_KEY_BYTES_MAX: usize = 255;
/// Most that `failures` of a circuit breaker may say; the moments of so many are kept for each.
pub const CIRCUIT_FAILURES_MAX: u32 = 100;
/// Most that `probes` of a circuit breaker may say.
pub const CIRCUIT_PROBES_MAX: u32 = 10;
/// The longest `within` and `openFor` of a circuit breaker, in milliseconds: 30 days.
pub const CIRCUIT_MS_MAX: u64 = 30 * 24 * 3_600_000;
/// Bytes of the JSON text of the query `when` of a circuit breaker.
pub const CIRCUIT_WHEN_BYTES_MAX: usize = 16 * 1024;
/// How long a circuit that was open once is kept when no task asks for it, in milliseconds:
/// 30 days.
pub const CIRCUIT_KEPT_MS: u64 = 30 * 24 * 3_600_000;
/// Tasks that one call of a runner may take, the most that `max` of `batch` may say.
pub const BATCH_MAX: u32 = 1_000;
/// The longest that `wait` of `batch` may say, in milliseconds: an hour.
pub const BATCH_WAIT_MS_MAX: u64 = 3_600_000;
/// Holds of one file that are not over; one more is refused with `TASKER_LIMIT`.
pub const HOLDS_MAX: usize = 100;
/// Bytes of the JSON text of the query of a hold.
pub const HOLD_QUERY_BYTES_MAX: usize = 64 * 1024;
/// How far ahead the end of a hold may lie, in milliseconds: 30 days.
pub const HOLD_MS_MAX: u64 = 30 * 24 * 3_600_000;
/// Bytes of a cron.
pub const CRON_BYTES_MAX: usize = 1024;
/// The shortest interval of a schedule, in milliseconds: each tick is a commit.
pub const SCHEDULE_EVERY_MS_MIN: u64 = 1_000;
/// How late the task of a tick may be added, in milliseconds, before the tick counts as missed.
pub const SCHEDULE_LATE_MS: u64 = 60_000;
/// Ticks that a schedule makes up for at once with `missed: 'all'`; of more, the last.
pub const SCHEDULE_MISSED_MAX: usize = 1_000;
/// Most times that `nextTimes` may give.
pub const NEXT_TIMES_MAX: u32 = 1_000;
/// How many times `nextTimes` gives by default.
pub const NEXT_TIMES_DEFAULT: u32 = 5;
/// Attempts of a task that are kept; older ones are counted, not stored.
pub const ATTEMPTS_KEPT_MAX: u32 = 100;
/// Most attempts that `retry` may allow.
pub const RETRY_ATTEMPTS_MAX: u32 = 1_000_000;
/// Bytes of an operation's name.
pub const OPERATION_BYTES_MAX: usize = 255;
/// Operations that one file knows; a task of another one is refused with `TASKER_LIMIT`.
pub const OPERATIONS_MAX: usize = 65_535;
/// Tasks in one `addTasks` call.
pub const TASKS_PER_CALL_MAX: usize = 10_000;
/// Bytes of all the tasks of one `addTasks` call.
pub const CALL_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Tasks of one commit of `abortTasks`, `retryTasks` and `removeTasks`.
pub const TASKS_PER_CHUNK_MAX: usize = 1_000;
/// Bytes of one log line: its message and its fields.
pub const LOG_LINE_BYTES_MAX: usize = 64 * 1024;
/// Log lines kept per task; the last of them says that no more are kept.
pub const LOGS_PER_TASK_MAX: u32 = 10_000;
/// Bytes of the `unit` of a progress report.
pub const PROGRESS_UNIT_BYTES_MAX: usize = 64;
/// Schedules of a store.
pub const SCHEDULES_MAX: usize = 100_000;
/// Bytes of the `id` of a schedule.
pub const SCHEDULE_ID_BYTES_MAX: usize = 255;
/// Bytes of the JSON text of a schedule, its task with it.
pub const SCHEDULE_BYTES_MAX: usize = 256 * 1024;
/// Most runs at once that an option may allow.
pub const CONCURRENCY_MAX: u32 = 100_000;
/// Threads that the runner of one operation may have in a process.
pub const THREADS_MAX: u32 = 256;
/// The longest duration of any option: 100 years of 365.25 days, in milliseconds.
pub const DURATION_MS_MAX: u64 = 3_155_760_000_000;
/// Bytes of the JSON text that one read may give; ask for less with `limit`.
pub const READ_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Bytes of JSON after which a page of `tasks` ends; one task may pass it.
pub const PAGE_BYTES: usize = 1024 * 1024;
/// Levels of a query.
pub const QUERY_DEPTH_MAX: usize = 16;
/// Nodes of a query: fields, operators and logical parts.
pub const QUERY_NODES_MAX: usize = 256;
/// Bytes of the JSON text of a query.
pub const QUERY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Values of one `$in` or `$nin`.
pub const QUERY_IN_MAX: usize = 10_000;
/// Regular expressions in a query.
pub const QUERY_PATTERNS_MAX: usize = 32;
/// Bytes of one regular expression.
pub const PATTERN_BYTES_MAX: usize = 16 * 1024;
/// Groups within groups of a regular expression.
pub const PATTERN_DEPTH_MAX: usize = 64;
/// Bytes that one regular expression may take once it is compiled, and as many for its search.
pub const PATTERN_SIZE_MAX: usize = 1024 * 1024;
/// Paths of a projection, the option `fields`.
pub const PROJECTION_FIELDS_MAX: usize = 256;
/// Fields of a sort.
pub const SORT_FIELDS_MAX: usize = 16;
/// Paths of `indexes`.
pub const INDEXES_MAX: usize = 16;
/// Bytes of one path of `indexes`.
pub const INDEX_PATH_BYTES_MAX: usize = 255;
/// Times in a row that a task may lose its process before it fails as poison.
pub const LOSSES_MAX: u32 = 3;
/// How long the key of an outbox row outlives its task, in milliseconds: 30 days.
pub const KEYS_KEPT_MS: u64 = 30 * 24 * 3_600_000;
/// How long a run may go on after its timeout fired before it is fenced, in milliseconds.
pub const RUN_TIMEOUT_GRACE_MS: u64 = 5_000;
/// How long `stop` waits for running tasks by default, in milliseconds.
pub const STOP_TIMEOUT_MS: u64 = 30_000;
/// Most runs at once in one process by default.
pub const CONCURRENCY_DEFAULT: u32 = 100;
