//! What became of a script that was not answered as it should be, mapped once.
//!
//! # Promises
//! - [`Failure::NotExecuted`] only where the server says that nothing was written, or where it
//!   cannot have had the whole command. Everything else is [`Failure::Unknown`], also an error
//!   nobody has foreseen.
//! - Every error has exactly one [`Code`]; no text of the server is needed to act on it.
//!
//! Proof: the tests below, `tests/link/refusals.rs`, `tests/link/cuts.rs`.

use redis::{ErrorKind, RedisError};
use tasker_core::error::{Code, Error};

/// The rights a user of the server needs; `{p}` stands for the prefix.
const RIGHTS: &str = "+@read +@write +@scripting +@pubsub +@connection +time -@dangerous +info \
    ~{p}* &{p}*";

/// Why a script has no answer.
#[derive(Clone, Debug)]
pub enum Failure {
    /// Nothing of it was written, and nothing will be.
    NotExecuted(Error),
    /// It may have run, or may still run.
    Unknown(Error),
}

impl Failure {
    /// What went wrong, for a call that changes nothing.
    pub fn error(self) -> Error {
        match self {
            Failure::NotExecuted(error) | Failure::Unknown(error) => error,
        }
    }
}

/// A failure, and whether the connection is of no use any more.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) failure: Failure,
    /// Whether another server may have taken over, or this one wants us to log in anew.
    pub(crate) must_reconnect: bool,
}

/// The server at `name` cannot be spoken to; nothing was sent to it.
pub(crate) fn unreachable(name: &str, cause: RedisError) -> Error {
    let message = format!("{name} cannot be reached: {}", words(&cause));
    Error::new(Code::Busy, message).with_source(cause)
}

/// The command was not written whole, so that the server cannot have run it.
pub(crate) fn of_write(name: &str, cause: RedisError) -> Lost {
    let message = format!("{name} did not take the command: {}", words(&cause));
    let failure = Failure::NotExecuted(Error::new(Code::Busy, message).with_source(cause));
    Lost { failure, must_reconnect: true }
}

/// The reply did not come, or not whole.
pub(crate) fn of_read(name: &str, script: &str, cause: RedisError) -> Lost {
    let what = if cause.is_timeout() { "did not answer in time" } else { "broke off" };
    let message = format!("{name} {what} while it ran {script}: {}", words(&cause));
    let failure = Failure::Unknown(Error::new(Code::Unknown, message).with_source(cause));
    Lost { failure, must_reconnect: true }
}

/// The server answered a script with an error.
pub(crate) fn of_reply(name: &str, script: &str, cause: RedisError) -> Lost {
    let (word, detail) = (cause.code().unwrap_or_default().to_owned(), words(&cause));
    // The server checks these before the first write of a script. Two of them, MISCONF and
    // NOREPLICAS, may also arise after it, in a script that runs for seconds: the next commit finds
    // that the journal and the head differ.
    let refused = refusal(&word, &detail).filter(|_| word != "NOPERM" || !is_inside(&detail));
    let must_reconnect = must_reconnect(&word);
    if let Some((code, advice)) = refused {
        let message = format!("{name}: {advice} ({detail})");
        let failure = Failure::NotExecuted(Error::new(code, message).with_source(cause));
        return Lost { failure, must_reconnect };
    }
    let failure = of_script(script, &word, &detail, cause);
    Lost { failure, must_reconnect }
}

/// An error of the script itself, or one that nobody has foreseen.
fn of_script(script: &str, word: &str, detail: &str, cause: RedisError) -> Failure {
    let error = |code, what: &str| {
        let message = format!("the script {script} {what} ({detail})");
        Error::new(code, message).with_source(cause)
    };
    match word {
        // A script of ours says so before its first write.
        "CORRUPT" => Failure::NotExecuted(error(Code::Corrupt, "found what no tasker wrote")),
        "ERR" if detail.contains("Error compiling script") => {
            Failure::NotExecuted(error(Code::Bug, "cannot be compiled"))
        }
        // Only one that has written nothing can be killed.
        "ERR" if detail.contains("Script killed by user") => {
            Failure::NotExecuted(error(Code::Busy, "ran too long and was killed"))
        }
        "WRONGTYPE" => Failure::Unknown(error(Code::Corrupt, "met a key of another program")),
        "NOPERM" => Failure::Unknown(error(Code::ReadOnly, "may not do all that it does")),
        "ERR" if detail.contains("can't run this command") => {
            Failure::Unknown(error(Code::ReadOnly, "may not do all that it does"))
        }
        "ERR" if detail.contains("can't access at least one of the keys") => {
            Failure::Unknown(error(Code::ReadOnly, "may not use all of its keys"))
        }
        _ => Failure::Unknown(error(Code::Bug, "failed")),
    }
}

/// Whether an error was raised by a command within a script.
fn is_inside(detail: &str) -> bool {
    detail.contains("script")
}

/// Whether a new connection may help.
fn must_reconnect(word: &str) -> bool {
    ["READONLY", "MASTERDOWN", "MOVED", "ASK", "CLUSTERDOWN", "NOAUTH"].contains(&word)
}

/// The code and the advice for what a server refuses before anything of it runs.
fn refusal(word: &str, detail: &str) -> Option<(Code, &'static str)> {
    let refusal = match word {
        "BUSY" => (Code::Busy, "another script runs for too long; see SCRIPT KILL"),
        "LOADING" => (Code::Busy, "the server still loads its data; it will be back"),
        "MASTERDOWN" => (Code::Busy, "the replica has lost its primary"),
        "CLUSTERDOWN" | "TRYAGAIN" => (Code::Busy, "the cluster is not whole"),
        "MOVED" | "ASK" => (Code::Busy, "another node of the cluster has the keys"),
        "NOREPLICAS" => (Code::Busy, "too few replicas are there for min-replicas-to-write"),
        "NOSCRIPT" => (Code::Busy, "the server does not know the script"),
        "OOM" => (Code::Full, "the server is full; raise maxmemory or remove keys, then go on"),
        "MISCONF" if detail.contains("No space left") => {
            (Code::Full, "the disk of the server is full; free space and go on")
        }
        "MISCONF" => (Code::ReadOnly, "the server cannot write its own files; see its log"),
        "READONLY" => (Code::ReadOnly, "the server is a replica; name its primary"),
        "NOAUTH" => (Code::ReadOnly, "the server wants a password: redis://user:password@…"),
        "NOPERM" => (Code::ReadOnly, "the user lacks a right; it needs those that are documented"),
        _ => return None,
    };
    Some(refusal)
}

/// The error of a command that prepares a connection: nothing was to be written.
pub(crate) fn of_setup(name: &str, command: &str, cause: RedisError) -> Error {
    let word = cause.code().unwrap_or_default().to_owned();
    if word.is_empty() || cause.kind() == ErrorKind::Io {
        return unreachable(name, cause);
    }
    let detail = words(&cause);
    if detail.contains("max number of clients") {
        let message = format!("{name} has too many clients; raise maxclients ({detail})");
        return Error::new(Code::Busy, message).with_source(cause);
    }
    let message = match refusal(&word, &detail) {
        Some(_) if word == "NOPERM" => {
            format!("{name}: the user may not use {command}; give it {RIGHTS} ({detail})")
        }
        Some((_, advice)) if word == "NOAUTH" => {
            return Error::invalid("store", format!("{name}: {advice}")).with_source(cause);
        }
        Some((code, advice)) => {
            let error = Error::new(code, format!("{name}: {advice} ({detail})"));
            return error.with_source(cause);
        }
        None => format!("{name} refuses {command} ({detail})"),
    };
    Error::new(Code::ReadOnly, message).with_source(cause)
}

/// The error of a login. The server may repeat the password in its words, so they are left out.
pub(crate) fn of_login(name: &str, cause: RedisError) -> Error {
    let word = cause.code().unwrap_or_default().to_owned();
    match word.as_str() {
        "" => unreachable(name, cause),
        "ERR" if words(&cause).contains("max number of clients") => of_setup(name, "AUTH", cause),
        "LOADING" | "BUSY" | "MASTERDOWN" => of_setup(name, "AUTH", cause),
        "WRONGPASS" => {
            let message = "does not take the user and password of the address (WRONGPASS)";
            Error::invalid("store", format!("{name} {message}"))
        }
        _ => {
            let message = "refuses to log in; has it a password, and is AUTH allowed?";
            Error::invalid("store", format!("{name} {message} ({word})"))
        }
    }
}

/// What an error says, on one line.
fn words(cause: &RedisError) -> String {
    let words = match (cause.code(), cause.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => cause.to_string(),
    };
    words.replace(['\r', '\n'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server would answer with.
    fn reply(text: &str) -> RedisError {
        let bytes = format!("-{text}\r\n");
        let value = redis::parse_redis_value(bytes.as_bytes()).unwrap();
        value.extract_error().unwrap_err()
    }

    fn of(text: &str) -> Lost {
        of_reply("redis://host", "commit", reply(text))
    }

    #[test]
    fn what_the_server_refuses_was_not_executed() {
        let table = [
            ("BUSY Redis is busy running a script.", Code::Busy, false),
            ("LOADING Redis is loading the dataset in memory", Code::Busy, false),
            ("MASTERDOWN Link with MASTER is down", Code::Busy, true),
            ("CLUSTERDOWN The cluster is down", Code::Busy, true),
            ("MOVED 3999 127.0.0.1:6381", Code::Busy, true),
            ("ASK 3999 127.0.0.1:6381", Code::Busy, true),
            ("TRYAGAIN Multiple keys request during rehashing of slot", Code::Busy, false),
            ("NOREPLICAS Not enough good replicas to write.", Code::Busy, false),
            ("OOM command not allowed when used memory > 'maxmemory'.", Code::Full, false),
            ("OOM not allowed script: 5f1c, on @user_script:1.", Code::Full, false),
            ("MISCONF Errors writing to the AOF file: No space left on device", Code::Full, false),
            ("MISCONF Redis is configured to save RDB snapshots", Code::ReadOnly, false),
            ("READONLY You can't write against a read only replica.", Code::ReadOnly, true),
            ("NOAUTH Authentication required.", Code::ReadOnly, true),
            ("NOPERM User me has no permissions to run 'evalsha'", Code::ReadOnly, false),
            ("CORRUPT no schema version", Code::Corrupt, false),
            ("ERR Error compiling script (new function): user_script:1: x", Code::Bug, false),
        ];
        for (text, code, must_reconnect) in table {
            let lost = of(text);
            assert!(matches!(lost.failure, Failure::NotExecuted(_)), "{lost:?}");
            assert_eq!(lost.must_reconnect, must_reconnect, "{text}");
            assert_eq!(lost.failure.error().code(), code, "{text}");
        }
    }

    #[test]
    fn what_may_have_written_is_unknown_and_names_the_script() {
        let table = [
            ("WRONGTYPE Operation against a key script: 5f1c, on @user_script:1.", Code::Corrupt),
            ("NOPERM ACL failure in script: The user can't run this command", Code::ReadOnly),
            ("ERR The user executing the script can't run this command", Code::ReadOnly),
            ("ERR The user can't access at least one of the keys mentioned", Code::ReadOnly),
            ("ERR user_script:1: attempt to index a nil value script: 5f1c", Code::Bug),
            ("ERR value is not an integer or out of range", Code::Bug),
            ("SOMETHING new", Code::Bug),
        ];
        for (text, code) in table {
            let lost = of(text);
            assert!(matches!(lost.failure, Failure::Unknown(_)), "{lost:?}");
            let error = lost.failure.error();
            assert_eq!(error.code(), code, "{text}");
            assert!(error.message().contains("commit"), "{error}");
        }
    }

    #[test]
    fn a_login_that_fails_repeats_nothing() {
        let texts = [
            "WRONGPASS invalid username-password pair or user is disabled.",
            "ERR unknown command 'AUTH', with args beginning with: 'me' 'hunter2' ",
            "ERR AUTH <password> called without any password configured",
        ];
        for text in texts {
            let error = of_login("redis://host", reply(text));
            assert_eq!(error.code(), Code::Invalid);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn a_missing_right_is_answered_with_the_whole_rule() {
        let error = of_setup("redis://host", "INFO", reply("NOPERM User me has no permissions"));
        assert_eq!(error.code(), Code::ReadOnly);
        assert!(error.message().contains(RIGHTS), "{error}");
    }
}
