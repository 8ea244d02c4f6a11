//! What a client of HTTP may use at most, in one table.
//!
//! Proof: `__test__/contract/http-attacks.test.mjs`.

use std::time::Duration;

/// Bytes of a body of JSON: the largest payload of a task, and the call around it.
pub const JSON_BODY_BYTES_MAX: usize = 17 * 1024 * 1024;
/// Bytes of a body of YAML.
pub const YAML_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of all the bodies that a server holds at once; one more is refused with 503.
pub const BODIES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Levels of arrays and objects of a body: those of a payload, and of the calls around it.
pub const BODY_DEPTH_MAX: usize = tasker_core::limits::JSON_DEPTH_MAX + 5;
/// Calls of one array.
pub const CALLS_MAX: usize = 100;
/// Connections of a server at once.
pub const CONNECTIONS_MAX: usize = 2_048;
/// Requests of one token at once that wait for something else than a task.
pub const REQUESTS_PER_TOKEN_MAX: usize = 64;
/// Polls of one token that wait at once.
pub const POLLS_PER_TOKEN_MAX: usize = 2_000;
/// Wrong tokens a second from one address; more are refused with 429.
pub const WRONG_TOKENS_PER_SECOND_MAX: u32 = 5;
/// Bytes of the head of a request.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of a request.
pub const HEADERS_MAX: usize = 64;
/// How long the head of a request may take.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the body of a request may take.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// After this a body must come at [`BODY_BYTES_PER_SECOND_MIN`] at least.
pub const BODY_GRACE: Duration = Duration::from_secs(5);
/// Bytes of a body that must have come by then for each second after [`BODY_GRACE`].
pub const BODY_BYTES_PER_SECOND_MIN: u64 = 1024;
/// How long a connection may be open without a request.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a client may read nothing of an answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests may go on that are under way when a server closes.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Tokens of a server.
pub const TOKENS_MAX: usize = 1_000;
/// Characters of a token: as many as 128 bits need in base64.
pub const TOKEN_CHARACTERS_MIN: usize = 22;
/// Bytes of a token.
pub const TOKEN_BYTES_MAX: usize = 1_024;
/// Bytes of the name of a token.
pub const TOKEN_NAME_BYTES_MAX: usize = 255;
/// Names in `allowedHosts`.
pub const HOSTS_MAX: usize = 100;
/// The longest that a poll may wait, in milliseconds.
pub const POLL_TIMEOUT_MS_MAX: u64 = 10 * 60_000;
/// Bytes of an id that a client gives, and of an `execId`.
pub const ID_BYTES_MAX: usize = 255;
/// How long `awf.task/long-poll` waits if it does not say, in milliseconds.
pub const POLL_TIMEOUT_MS: u64 = 60_000;
/// Tasks that one poll may take.
pub const POLL_BATCH_MAX: u32 = 1_000;
/// Operations that one call may name.
pub const OPERATIONS_PER_CALL_MAX: usize = 1_000;
/// Tasks of one answer of `awf.task/list`.
pub const LIST_MAX: u64 = 1_000;
/// Tasks that `awf.task/list` may sort by their last change.
pub const LIST_SORTED_MAX: u64 = 10_000;
/// How long a list may be searched for.
pub const LIST_TIMEOUT: Duration = Duration::from_secs(2);
