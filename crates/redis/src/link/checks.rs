//! What a server must be so that acknowledged means kept.
//!
//! # Promises
//! - A server without an append-only file, or one that evicts keys, is refused unless the caller
//!   says `is_unsafe`.
//! - [`Durability::Full`] is given only where the server syncs before each answer, as far as it
//!   can be asked; where it cannot, the caller must state it.
//! - Each refusal names the setting to change.
//!
//! Proof: the tests below, `tests/link/opening.rs`.

use tasker_core::error::{Code, Error, Result};

/// The oldest server whose scripts refuse a first write and never a later one.
const VERSION_MIN: u32 = 7;

/// What an acknowledged commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The death of any process; a power cut may lose the last second or more.
    Process,
    /// A power cut, as far as the disk keeps its word.
    Full,
}

/// When a server syncs its append-only file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appendfsync {
    /// Before each answer.
    Always,
    /// Each second.
    Everysec,
    /// When the system likes.
    No,
}

impl Appendfsync {
    /// The value of the setting with this text.
    pub fn of_text(text: &str) -> Option<Appendfsync> {
        match text {
            "always" => Some(Appendfsync::Always),
            "everysec" => Some(Appendfsync::Everysec),
            "no" => Some(Appendfsync::No),
            _ => None,
        }
    }
}

/// What the caller wants of the server, and what it knows of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demands {
    /// What a commit must survive at least; what the server gives if it is not said.
    pub durability: Option<Durability>,
    /// The server's `appendfsync`, for servers that may not be asked.
    pub appendfsync: Option<Appendfsync>,
    /// Whether a server is taken that may lose what it has acknowledged.
    pub is_unsafe: bool,
}

/// A server that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its version, which for Valkey is that of the Redis it stands for.
    pub version: String,
    /// A new one after each start.
    pub run_id: String,
    /// What a commit survives; nothing, if the server is unsafe.
    pub durability: Option<Durability>,
}

/// What a server says of its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sync {
    pub(crate) appendfsync: Appendfsync,
    /// Whether it stops to sync while the file is written anew.
    pub(crate) pauses_on_rewrite: bool,
}

/// Judges a server by its `INFO` and its settings; none, if it may not be asked for them.
pub(crate) fn judge(info: &str, sync: Option<Sync>, demands: Demands) -> Result<Server> {
    let version = value(info, "redis_version").unwrap_or_default();
    let major: u32 = version.split('.').next().and_then(|part| part.parse().ok()).unwrap_or(0);
    if major < VERSION_MIN {
        return Err(unsupported(&format!(
            "the server has version '{version}'; it must be Redis 7.0 or newer, or Valkey"
        )));
    }
    if value(info, "cluster_enabled") == Some("1") {
        let message = "the server is a node of a cluster, which is not supported; take one \
            without `cluster-enabled`, with sentinels if it must fail over";
        return Err(unsupported(message));
    }
    if value(info, "loading") == Some("1") {
        return Err(Error::at(Code::Busy, "store", "the server still loads its data"));
    }
    if value(info, "role") != Some("master") {
        return Err(Error::at(
            Code::ReadOnly,
            "store",
            "the server is a replica; name its primary, or use redis+sentinel://",
        ));
    }
    let durability = durability(info, sync, demands)?;
    debug_assert!(durability.is_some() || demands.is_unsafe, "a promise of nothing");
    let run_id = value(info, "run_id").unwrap_or_default().to_owned();
    Ok(Server { version: version.to_owned(), run_id, durability })
}

/// What the server gives, if that is what the caller wants.
fn durability(info: &str, sync: Option<Sync>, demands: Demands) -> Result<Option<Durability>> {
    let policy = value(info, "maxmemory_policy").unwrap_or("unknown");
    let lossy = if value(info, "aof_enabled") != Some("1") {
        Some("the server keeps no append-only file; set `appendonly yes` on it".to_owned())
    } else if policy != "noeviction" {
        let how = "set `maxmemory-policy noeviction` on it";
        Some(format!("the server may evict keys (`maxmemory-policy {policy}`); {how}"))
    } else {
        None
    };
    match lossy {
        Some(_) if demands.is_unsafe => return Ok(None),
        Some(why) => {
            let how = "or open it with `unsafe` and lose tasks";
            return Err(unsupported(&format!("{why}, {how}")));
        }
        None => {}
    }
    let given = match (sync, demands.appendfsync) {
        (Some(sync), _) => given(sync),
        (None, Some(Appendfsync::Always)) => Durability::Full,
        (None, None) if demands.durability == Some(Durability::Full) => {
            let message = "`full` needs `appendfsync always`, and the server may not be asked for \
                it (CONFIG is denied); state it with `server: { appendfsync: 'always' }`";
            return Err(Error::at(Code::Unsupported, "durability", message));
        }
        (None, Some(Appendfsync::Everysec | Appendfsync::No) | None) => Durability::Process,
    };
    if demands.durability > Some(given) && !demands.is_unsafe {
        let how = if sync.is_some_and(|sync| sync.pauses_on_rewrite) {
            "`no-appendfsync-on-rewrite no`"
        } else {
            "`appendfsync always`"
        };
        let message = format!("`full` needs {how} on the server; set it, or ask for `process`");
        return Err(Error::at(Code::Unsupported, "durability", message));
    }
    Ok(Some(given))
}

fn given(sync: Sync) -> Durability {
    match sync.appendfsync {
        Appendfsync::Always if !sync.pauses_on_rewrite => Durability::Full,
        Appendfsync::Always | Appendfsync::Everysec | Appendfsync::No => Durability::Process,
    }
}

/// The value of a line of `INFO`.
fn value<'i>(info: &'i str, name: &str) -> Option<&'i str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn unsupported(message: &str) -> Error {
    Error::at(Code::Unsupported, "store", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 7] = [
        ("redis_version", "7.0.15"),
        ("run_id", "abc"),
        ("role", "master"),
        ("loading", "0"),
        ("aof_enabled", "1"),
        ("maxmemory_policy", "noeviction"),
        ("cluster_enabled", "0"),
    ];

    fn info(other: &[(&str, &str)]) -> String {
        let mut lines = "# Server\r\n".to_owned();
        for (name, value) in GOOD {
            let changed = other.iter().find(|(changed, _)| *changed == name);
            let value = changed.map_or(value, |(_, value)| value);
            lines.push_str(&format!("{name}:{value}\r\n"));
        }
        lines
    }

    fn synced(appendfsync: Appendfsync) -> Option<Sync> {
        Some(Sync { appendfsync, pauses_on_rewrite: false })
    }

    fn wanting(durability: Durability) -> Demands {
        Demands { durability: Some(durability), ..Demands::default() }
    }

    #[test]
    fn a_server_gives_what_it_syncs() {
        for (appendfsync, given) in [
            (Appendfsync::Always, Durability::Full),
            (Appendfsync::Everysec, Durability::Process),
            (Appendfsync::No, Durability::Process),
        ] {
            let server = judge(&info(&[]), synced(appendfsync), Demands::default()).unwrap();
            assert_eq!(server.durability, Some(given), "{appendfsync:?}");
            assert_eq!((server.version.as_str(), server.run_id.as_str()), ("7.0.15", "abc"));
            let full = judge(&info(&[]), synced(appendfsync), wanting(Durability::Full));
            assert_eq!(full.is_ok(), given == Durability::Full, "{appendfsync:?}");
            judge(&info(&[]), synced(appendfsync), wanting(Durability::Process)).unwrap();
        }
    }

    #[test]
    fn each_refusal_names_the_setting() {
        for (name, value, code, setting) in [
            ("redis_version", "6.2.1", Code::Unsupported, "7.0"),
            ("redis_version", "", Code::Unsupported, "7.0"),
            ("cluster_enabled", "1", Code::Unsupported, "`cluster-enabled`"),
            ("loading", "1", Code::Busy, "loads"),
            ("role", "slave", Code::ReadOnly, "primary"),
            ("aof_enabled", "0", Code::Unsupported, "`appendonly yes`"),
            ("maxmemory_policy", "allkeys-lru", Code::Unsupported, "maxmemory-policy noeviction"),
        ] {
            let sync = synced(Appendfsync::Always);
            let error = judge(&info(&[(name, value)]), sync, Demands::default()).unwrap_err();
            assert_eq!(error.code(), code, "{name}");
            assert_eq!(error.facts().path.as_deref(), Some("store"), "{name}");
            assert!(error.message().contains(setting), "{error}");
        }
    }

    #[test]
    fn full_is_refused_with_the_setting_that_is_in_the_way() {
        let pausing = Some(Sync { appendfsync: Appendfsync::Always, pauses_on_rewrite: true });
        for (sync, setting) in [
            (synced(Appendfsync::Everysec), "`appendfsync always`"),
            (pausing, "`no-appendfsync-on-rewrite no`"),
            (None, "server: { appendfsync: 'always' }"),
        ] {
            let error = judge(&info(&[]), sync, wanting(Durability::Full)).unwrap_err();
            assert_eq!(error.code(), Code::Unsupported);
            assert_eq!(error.facts().path.as_deref(), Some("durability"));
            assert!(error.message().contains(setting), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_taken_as_stated() {
        let stated = |appendfsync| {
            let demands = Demands { appendfsync: Some(appendfsync), ..Demands::default() };
            judge(&info(&[]), None, demands).unwrap().durability
        };
        assert_eq!(stated(Appendfsync::Always), Some(Durability::Full));
        assert_eq!(stated(Appendfsync::Everysec), Some(Durability::Process));
        let unstated = judge(&info(&[]), None, Demands::default()).unwrap();
        assert_eq!(unstated.durability, Some(Durability::Process));

        let wrong = Demands {
            durability: Some(Durability::Full),
            appendfsync: Some(Appendfsync::Always),
            ..Demands::default()
        };
        let asked = judge(&info(&[]), synced(Appendfsync::Everysec), wrong);
        assert_eq!(asked.unwrap_err().code(), Code::Unsupported, "what the server says wins");
    }

    #[test]
    fn unsafe_takes_what_loses_tasks_and_promises_nothing() {
        let demands = Demands { is_unsafe: true, ..Demands::default() };
        for lossy in [("aof_enabled", "0"), ("maxmemory_policy", "volatile-ttl")] {
            let server = judge(&info(&[lossy]), synced(Appendfsync::Always), demands).unwrap();
            assert_eq!(server.durability, None);
        }
    }
}
