//! Which servers are taken, and what is said of the others.

use tasker_core::error::{Code, Error};
use tasker_redis::link::{Appendfsync, Demands, Durability, Link, Script, Settings};

use crate::{at, bytes, not_executed, open, patient, started, text, unknown};

fn demanding(durability: Durability) -> Settings {
    let demands = Demands { durability: Some(durability), ..Demands::default() };
    Settings { demands, ..patient() }
}

fn refused(url: &str, settings: Settings) -> Error {
    Link::open(&at(url), settings).unwrap_err()
}

#[test]
fn durability_is_what_the_server_syncs() {
    for (line, given) in [
        ("appendfsync always", Durability::Full),
        ("appendfsync everysec", Durability::Process),
        ("appendfsync no", Durability::Process),
    ] {
        let server = started(&[line]);
        let link = open(&server, patient());
        let found = link.server().unwrap();
        assert_eq!(found.durability, Some(given), "{line}");
        assert!(server.send(&["info"]).unwrap().contains(&found.run_id));
        let full = Link::open(&at(&server.url()), demanding(Durability::Full));
        match full {
            Ok(_) => assert_eq!(given, Durability::Full),
            Err(error) => {
                assert_eq!((error.code(), given), (Code::Unsupported, Durability::Process));
                assert_eq!(error.facts().path.as_deref(), Some("durability"));
                assert!(error.message().contains("`appendfsync always`"), "{error}");
            }
        }
        open(&server, demanding(Durability::Process));
    }
}

#[test]
fn a_server_that_loses_tasks_is_refused_unless_it_is_wanted() {
    for (lines, setting) in [
        (["appendonly no", "maxmemory 0"], "appendonly yes"),
        (["maxmemory 100mb", "maxmemory-policy allkeys-lru"], "maxmemory-policy noeviction"),
    ] {
        let server = started(&lines);
        let error = refused(&server.url(), patient());
        assert_eq!(error.code(), Code::Unsupported, "{error}");
        assert_eq!(error.facts().path.as_deref(), Some("store"));
        assert!(error.message().contains(setting), "{error}");
        let demands = Demands { is_unsafe: true, ..Demands::default() };
        let link = open(&server, Settings { demands, ..patient() });
        assert_eq!(link.server().unwrap().durability, None);
    }
}

#[test]
fn a_replica_and_a_node_of_a_cluster_are_refused() {
    let primary = started(&[]);
    let replica = started(&[&format!("replicaof 127.0.0.1 {}", primary.port())]);
    let error = refused(&replica.url(), patient());
    assert_eq!(error.code(), Code::ReadOnly, "{error}");
    assert!(error.message().contains("replica"), "{error}");

    let node = started(&["cluster-enabled yes"]);
    let error = refused(&node.url(), patient());
    assert_eq!(error.code(), Code::Unsupported, "{error}");
    assert!(error.message().contains("cluster-enabled"), "{error}");
}

#[test]
fn a_wrong_login_is_invalid_and_says_no_password() {
    let server = started(&["requirepass right-hunter2"]);
    let with = |identity: &str| format!("redis://{identity}127.0.0.1:{}", server.port());
    Link::open(&at(&with(":right-hunter2@")), patient()).unwrap();
    for identity in [":wrong-hunter2@", "me:right-hunter2@", ""] {
        let error = refused(&with(identity), patient());
        assert_eq!(error.code(), Code::Invalid, "{error}");
        assert_eq!(error.facts().path.as_deref(), Some("store"));
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    // Such a server repeats what it was sent.
    let deaf = started(&["rename-command AUTH \"\""]);
    let error = refused(&format!("redis://:hunter2@127.0.0.1:{}", deaf.port()), patient());
    assert_eq!(error.code(), Code::Invalid, "{error}");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

/// The rule of the documentation.
const USER: &str = "user me on >hunter2 +@read +@write +@scripting +@pubsub +@connection +time \
    -@dangerous +info ~{tasker}* &{tasker}*";

#[test]
fn the_documented_rights_are_enough() {
    let server = started(&[USER, "appendfsync always"]);
    let url = format!("redis://me:hunter2@127.0.0.1:{}", server.port());
    let mut link = Link::open(&at(&url), patient()).unwrap();
    // It may not be asked how it syncs.
    assert_eq!(link.server().unwrap().durability, Some(Durability::Process));
    let error = refused(&url, demanding(Durability::Full));
    assert_eq!(error.code(), Code::Unsupported, "{error}");
    assert!(error.message().contains("server: { appendfsync: 'always' }"), "{error}");
    let mut stated = demanding(Durability::Full);
    stated.demands.appendfsync = Some(Appendfsync::Always);
    let full = Link::open(&at(&url), stated).unwrap();
    assert_eq!(full.server().unwrap().durability, Some(Durability::Full));

    let all = Script::new(
        "all",
        "redis.call('hset', KEYS[1], 'a', ARGV[1]) redis.call('xadd', KEYS[2], '1-0', 'b', 'c') \
        redis.call('publish', KEYS[3], '') redis.call('time') \
        return redis.call('hget', KEYS[1], 'a')",
    );
    let keys = bytes(&["{tasker}:h", "{tasker}:j", "{tasker}:c"]);
    assert_eq!(link.call(&all, &keys, &bytes(&["x"])).unwrap(), text("x"));
}

#[test]
fn a_missing_right_is_no_guess() {
    let server = started(&[USER]);
    let url = format!("redis://me:hunter2@127.0.0.1:{}", server.port());
    let mut link = Link::open(&at(&url), patient()).unwrap();
    let declared = Script::new("declared", "return redis.call('incr', KEYS[1])");
    let error = not_executed(link.call(&declared, &bytes(&["other"]), &[]));
    assert_eq!(error.code(), Code::ReadOnly, "{error}");

    let hidden = "redis.call('incr', KEYS[1]) return redis.call('incr', 'other')";
    let hidden = Script::new("hidden", hidden);
    let error = unknown(link.call(&hidden, &bytes(&["{tasker}:k"]), &[]));
    assert_eq!(error.code(), Code::ReadOnly, "{error}");
    assert!(error.message().contains("hidden"), "{error}");
    assert_eq!(server.send(&["get", "{tasker}:k"]).unwrap(), "1", "the first write stays");

    let weak = started(&["user me on >hunter2 +@read +@connection ~*"]);
    let error = refused(&format!("redis://me:hunter2@127.0.0.1:{}", weak.port()), patient());
    assert_eq!(error.code(), Code::ReadOnly, "{error}");
    assert!(error.message().contains("-@dangerous +info"), "{error}");
}

#[test]
fn nobody_there_is_busy() {
    let mut server = started(&[]);
    server.kill();
    let error = refused(&server.url(), crate::settings());
    assert_eq!(error.code(), Code::Busy, "{error}");
    assert_eq!(error.facts().path.as_deref(), Some("store"));
}

#[test]
fn the_database_is_the_one_of_the_address() {
    let server = started(&[]);
    let mut link = Link::open(&at(&format!("{}/3", server.url())), patient()).unwrap();
    crate::append_x(&mut link).unwrap();
    let found = server.send_all(&[&["select", "3"], &["get", "k"]]).unwrap();
    assert_eq!(found, "x");
    let error = refused(&format!("{}/16", server.url()), patient());
    assert!(error.message().contains("select"), "{error}");
}
