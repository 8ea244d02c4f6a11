//! What a reader sees: everything committed before the call, and only what matches.

use std::sync::atomic::{AtomicU32, Ordering};

use tasker_core::document;
use tasker_core::error::{Code, Result};
use tasker_core::query::{Projection, Query, Sort};
use tasker_core::read::{Find, WithLogs};
use tasker_core::state::State;
use tasker_core::store::{Commit, Lookups};
use tasker_core::task::{Level, NewTask, TaskOptions};

use super::library::library;
use super::world::{Handle, World, done, find, json, read, with_data};

/// I-16: no delay between a commit and what a reader sees.
pub(super) fn a_reader_sees_each_commit_at_once(world: &mut World) -> Result<()> {
    for n in 1..=20 {
        let live = world.running()?;
        assert_eq!(world.get(live.task)?.state, State::Running);
        assert_eq!(world.count("{\"state\":\"running\"}")?, 1);
        world.end(live, done())?;
        assert_eq!(world.get(live.task)?.state, State::Done);
        assert_eq!(world.count("{\"status\":\"done\"}")?, n);
    }
    Ok(())
}

/// I-11: and it is not held up by an open transaction.
pub(super) fn a_reader_sees_the_last_commit_while_the_next_is_open(
    world: &mut World,
) -> Result<()> {
    let live = world.running()?;
    let end = world.ending(live, done());
    let batch = world.batch(vec![end])?;
    let Handle { store, reader } = world.handle()?;
    let transaction = store.begin(&Lookups::default)?;
    let found = reader.get(live.task.id, None, usize::MAX)?;
    assert!(found.is_some_and(|found| found.task.state == State::Running));
    assert!(matches!(transaction.commit(&batch), Commit::Committed));
    let found = reader.get(live.task.id, None, usize::MAX)?;
    assert!(found.is_some_and(|found| found.task.state == State::Done));
    Ok(())
}

/// An empty store is no error.
pub(super) fn nothing_is_found_in_a_new_store(world: &mut World) -> Result<()> {
    assert!(world.find("{}", None)?.is_empty());
    assert!(world.find("{\"operation\":\"read\"}", Some("{\"priority\":1}"))?.is_empty());
    assert_eq!(world.count("{}")?, 0);
    assert_eq!(world.count("{\"status\":\"done\"}")?, 0);
    Ok(())
}

/// What each query finds in the library, in default order.
const QUERIES: &[(&str, &[u64])] = &[
    ("{}", &[4, 2, 7, 1, 3, 5, 8, 6]),
    ("{\"operation\":\"write\"}", &[5, 8, 6]),
    ("{\"operation\":{\"$in\":[\"read\",\"none\"]}}", &[4, 2, 7, 1, 3]),
    ("{\"operation\":{\"$ne\":\"read\"}}", &[5, 8, 6]),
    ("{\"operation\":\"none\"}", &[]),
    ("{\"state\":\"ready\"}", &[4, 2, 7]),
    ("{\"status\":\"new\"}", &[4, 2, 7]),
    ("{\"status\":{\"$in\":[\"done\",\"failed\"]}}", &[3, 5, 8]),
    ("{\"status\":{\"$ne\":\"new\"}}", &[1, 3, 5, 8, 6]),
    ("{\"status\":{\"$nin\":[\"new\",\"done\"]}}", &[1, 5, 6]),
    ("{\"state\":\"running\",\"operation\":\"write\"}", &[]),
    ("{\"status\":\"no such word\"}", &[]),
    ("{\"seq\":4}", &[4]),
    ("{\"seq\":{\"$gt\":3,\"$lte\":6}}", &[4, 5, 6]),
    ("{\"seq\":{\"$lt\":0}}", &[]),
    ("{\"seq\":2.5}", &[]),
    ("{\"seq\":{\"$gt\":2.5,\"$lt\":4.5}}", &[4, 3]),
    ("{\"priority\":{\"$gte\":1}}", &[4, 2, 3]),
    ("{\"priority\":{\"$lt\":\"Infinity\"}}", &[4, 2, 7, 1, 3, 5, 8, 6]),
    ("{\"data.book\":\"dune\"}", &[1, 3]),
    ("{\"data.book\":\"dune\",\"status\":\"done\"}", &[3]),
    ("{\"data.n\":{\"$gte\":1,\"$lt\":3}}", &[2, 3]),
    ("{\"data.tags\":\"x\"}", &[4, 2, 1, 3]),
    ("{\"data.tags.0\":2}", &[3]),
    ("{\"data\":{\"$exists\":false}}", &[7, 5, 8, 6]),
    ("{\"data.book\":null}", &[7, 5, 8, 6]),
    ("{\"result.pages\":412}", &[3, 8]),
    ("{\"error.message\":\"no such book\"}", &[5]),
    ("{\"abortReason\":{\"$exists\":true}}", &[6]),
    ("{\"cause\":\"user\"}", &[6]),
    ("{\"startedAt\":{\"$exists\":true}}", &[1, 3, 5, 8]),
    ("{\"endedAt\":null}", &[4, 2, 7, 1]),
    ("{\"createdAt\":{\"$gt\":{\"$date\":0}}}", &[4, 2, 7, 1, 3, 5, 8, 6]),
    ("{\"createdAt\":{\"$gt\":0}}", &[]),
    ("{\"attempt\":1}", &[1, 3, 5, 8]),
    ("{\"attempts.outcome\":\"failed\"}", &[5]),
    ("{\"$or\":[{\"seq\":1},{\"status\":\"aborted\"}]}", &[1, 6]),
    ("{\"$nor\":[{\"operation\":\"read\"},{\"status\":\"done\"}]}", &[5, 6]),
    ("{\"$and\":[{\"operation\":\"read\"},{\"data.book\":\"dune\"}]}", &[1, 3]),
    ("{\"data.n\":{\"$not\":{\"$gte\":1}}}", &[7, 1, 5, 8, 6]),
    ("{\"$or\":[{\"state\":\"ready\"},{\"data.book\":\"dune\"}]}", &[4, 2, 7, 1, 3]),
    (r#"{"data.book":{"$regex":"^D","$options":"i"}}"#, &[1, 3]),
    (r#"{"operation":{"$regex":"^w"}}"#, &[5, 8, 6]),
    (
        r#"{"operation":{"$in":["x",{"$regularExpression":{"pattern":"^r","options":""}}]}}"#,
        &[4, 2, 7, 1, 3],
    ),
    (
        r#"{"operation":{"$nin":["x",{"$regularExpression":{"pattern":"^r","options":""}}]}}"#,
        &[5, 8, 6],
    ),
    (r#"{"data.tags":{"$size":2}}"#, &[4, 2, 1, 3]),
    (r#"{"data.tags":{"$all":["x",3]}}"#, &[4]),
    (r#"{"seq":{"$all":[4]}}"#, &[4]),
    (r#"{"status":{"$all":["done"]}}"#, &[3, 8]),
    (r#"{"status":{"$all":[]}}"#, &[]),
    (r#"{"status":{"$not":{"$all":["done"]}},"seq":{"$gt":4}}"#, &[7, 5, 6]),
    (r#"{"data.tags":{"$elemMatch":{"$gt":1,"$lt":3}}}"#, &[3]),
    (r#"{"attempts":{"$elemMatch":{"outcome":"failed"}}}"#, &[5]),
    (r#"{"data.n":{"$mod":[2,1]}}"#, &[4, 2]),
    (r#"{"data":{"$type":"object"}}"#, &[4, 2, 1, 3]),
    (r#"{"endedAt":{"$type":"date"}}"#, &[3, 5, 8, 6]),
];

/// An explanation finds what the query finds, and has looked at no less.
pub(super) fn every_query_of_the_table_is_explained(world: &mut World) -> Result<()> {
    library(world)?;
    for (query, expected) in QUERIES {
        let explained = world.reader()?.explain(&Query::parse(query)?, &|| false)?;
        assert_eq!(explained.matched, expected.len() as u64, "{query}");
        assert!(explained.matched <= explained.decided, "{query}: {explained:?}");
        assert!(explained.decided <= explained.read, "{query}: {explained:?}");
    }
    Ok(())
}

/// I-16: whatever is pushed down to the backend, the result is that of the matcher.
pub(super) fn every_query_of_the_table_finds_its_tasks(world: &mut World) -> Result<()> {
    library(world)?;
    for (query, expected) in QUERIES {
        assert_eq!(world.find(query, None)?, *expected, "{query}");
    }
    Ok(())
}

/// I-13.
pub(super) fn a_count_is_the_number_of_tasks_found(world: &mut World) -> Result<()> {
    library(world)?;
    for (query, expected) in QUERIES {
        assert_eq!(world.count(query)?, expected.len() as u64, "{query}");
    }
    Ok(())
}

/// The same record by each road.
pub(super) fn a_found_task_is_the_one_that_get_gives(world: &mut World) -> Result<()> {
    library(world)?;
    let all = world.reader()?.find(&find("{}")?, &|| false)?;
    assert_eq!(all.len(), 8);
    for found in all {
        let got = world.reader()?.get(found.task.id, None, usize::MAX)?;
        assert_eq!(got, Some(found));
    }
    Ok(())
}

/// What is left of a task is the same, however much of it was read.
pub(super) fn found_tasks_have_the_fields_that_are_asked_for(world: &mut World) -> Result<()> {
    library(world)?;
    let cases = [
        (r#"["seq","status"]"#, r#"{"seq":3,"status":"done"}"#),
        (r#"["cause","attempt"]"#, r#"{"attempt":1}"#),
        (r#"["data.book","data.nope"]"#, r#"{"data":{"book":"dune"}}"#),
        (
            r#"["result","attempts.outcome"]"#,
            r#"{"attempts":[{"outcome":"done"}],"result":{"pages":412}}"#,
        ),
        (r#"["data.book.x","progress","error"]"#, r#"{"data":{}}"#),
    ];
    for (fields, expected) in cases {
        for (query, sort, limit) in [
            (r#"{"seq":3}"#, None, None),
            (r#"{"seq":3}"#, None, Some(1)),
            (r#"{"data.n":2}"#, Some(r#"{"data.book":1}"#), Some(1)),
            (r#"{"status":"done","attempts.outcome":"done"}"#, Some(r#"{"seq":1}"#), Some(1)),
        ] {
            let (fields, sort) = (Projection::parse(fields)?, sort.map(Sort::parse).transpose()?);
            let find = Find { fields: Some(fields), sort, limit, ..find(query)? };
            let found = world.reader()?.find(&find, &|| false)?;
            let mut text = String::new();
            document::write_json(&found[0], find.fields.as_ref(), &mut text, usize::MAX)?;
            assert_eq!((found.len(), text.as_str()), (1, expected), "{query}");
        }
    }
    Ok(())
}

/// I-19.
pub(super) fn found_tasks_bring_their_logs_if_asked_for(world: &mut World) -> Result<()> {
    let (one, two) = (world.running()?, world.running()?);
    let lines = [(1, Level::Info), (2, Level::Error)];
    let lines = lines.map(|(n, level)| world.logging(two, n, level));
    world.turn(lines.into())?;
    let logs = Some(WithLogs { level_max: Level::Error });
    let found = world.reader()?.find(&Find { logs, ..find("{}")? }, &|| false)?;
    let counts: Vec<_> = found.iter().map(|found| found.logs.as_ref().map(Vec::len)).collect();
    assert_eq!((found[0].task.seq, found[1].task.seq), (one.task.seq, two.task.seq));
    assert_eq!(counts, [Some(0), Some(1)]);
    Ok(())
}

/// Tasks added in one millisecond, past the size of a page.
pub(super) fn thousands_of_tasks_are_found_each_once(world: &mut World) -> Result<()> {
    let defs = (0..2_500).map(|n| with_data(&format!("{{\"n\":{n}}}"))).collect();
    world.add_many(defs)?;
    let expected: Vec<_> = (1..=2_500).collect();
    assert!(world.find("{}", None)? == expected, "one is missing or out of place");
    let all = world.find("{\"data.n\":{\"$gte\":0}}", None)?;
    assert!(all == expected, "one is missing or out of place");
    let down: Vec<_> = expected.iter().rev().copied().collect();
    let sorted = world.find("{}", Some("{\"data.n\":-1}"))?;
    assert!(sorted == down, "one is missing or out of place");
    assert_eq!(world.count("{\"data.n\":{\"$lt\":1500}}")?, 1_500);
    Ok(())
}

fn called(id: &str, label: &str, tags: &str) -> NewTask {
    let (id, label, tags) = (Some(json(id)), Some(json(label)), Some(json(tags)));
    NewTask { options: TaskOptions { id, label, tags, ..TaskOptions::default() }.into(), ..read() }
}

/// I-16: by its id, its label and its tags, in each state.
pub(super) fn what_a_task_is_called_is_found(world: &mut World) -> Result<()> {
    let defs = [
        called("7", "\"first\"", "[\"red\"]"),
        called("{\"order\":7}", "\"second\"", "[\"red\",\"wet\"]"),
        called("\"7\"", "\"\\ud800\"", "[\"wet\"]"),
        read(),
    ];
    let tasks = world.add_many(defs.into())?;
    let live = world.start(tasks[1])?;
    for is_over in [false, true] {
        for (query, mut expected) in [
            ("{\"id\":7}", vec![1]),
            ("{\"id\":{\"order\":7}}", vec![2]),
            ("{\"id.order\":{\"$gt\":6}}", vec![2]),
            ("{\"label\":{\"$gte\":\"first\"},\"operation\":\"read\"}", vec![1, 2, 3]),
            ("{\"tags\":\"red\"}", vec![1, 2]),
            ("{\"tags\":[\"wet\"]}", vec![3]),
            ("{\"tags.1\":\"wet\",\"label\":\"second\"}", vec![2]),
            ("{\"id\":null,\"label\":null,\"tags\":null}", vec![4]),
        ] {
            let mut found = world.find(query, Some("{\"seq\":1}"))?;
            assert_eq!(found, expected, "{query}");
            found = world.find(query, Some("{\"label\":-1,\"seq\":1}"))?;
            expected.sort_by_key(|seq| [9, 3, 2, 1, 4][*seq as usize]);
            assert_eq!(found, expected, "{query}");
        }
        if !is_over {
            world.end(live, done())?;
        }
    }
    Ok(())
}

/// I-17: a read and a window bring what a task is called into memory, with its data.
pub(super) fn what_a_task_is_called_counts_as_its_data_does(world: &mut World) -> Result<()> {
    let tags = format!("[\"{}\"]", "x".repeat(196));
    let tasks = world.add_many(vec![called("7", "\"\"", &tags); 3])?;
    for (bytes_max, length) in [(202, 1), (203, 2), (405, 2), (406, 3)] {
        let window = world.window_of("read", 100, bytes_max)?;
        assert_eq!(window.tasks.len(), length, "{bytes_max}");
        assert_eq!(window.tasks[0].def, called("7", "\"\"", &tags));
    }
    let mut get = |bytes_max| world.reader()?.get(tasks[0].id, None, bytes_max);
    assert!(get(203)?.is_some());
    assert_eq!(get(202).map_err(|error| error.code()), Err(Code::TooLarge));
    Ok(())
}

/// Limits: what is too much is refused, by each road, and what fits is given.
pub(super) fn a_read_of_too_many_bytes_is_refused(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let lines = (1..=20).map(|n| world.logging(live, n, Level::Info)).collect();
    world.turn(lines)?;
    let bytes: usize = world.logs(live.task, Level::Info)?.iter().map(|l| l.message.len()).sum();
    let own = world.get(live.task)?.def.data.map_or(0, |data| data.as_str().len());
    let logs = Some(WithLogs { level_max: Level::Info });
    let id = live.task.id;
    for (room, code) in [(0, None), (1, Some(Code::TooLarge))] {
        let bytes_max = own + bytes - room;
        let got = world.reader()?.get(id, logs, bytes_max);
        assert_eq!(got.err().map(|error| error.code()), code, "get");
        let find = Find { logs, bytes_max, ..find("{}")? };
        let found = world.reader()?.find(&find, &|| false);
        assert_eq!(found.err().map(|error| error.code()), code, "find");
    }
    assert!(world.reader()?.get(id, None, own)?.is_some(), "without its logs it is small");
    Ok(())
}

/// Limits: the tasks of one answer are counted together.
pub(super) fn a_find_of_too_many_bytes_is_refused(world: &mut World) -> Result<()> {
    world.add_many(vec![with_data("[\"0123456789\"]"); 50])?;
    for (limit, sort, code) in [
        (None, None, Some(Code::TooLarge)),
        (None, Some("{\"data.0\":1}"), Some(Code::TooLarge)),
        (Some(40), None, Some(Code::TooLarge)),
        (Some(20), Some("{\"data.0\":1}"), None),
        (Some(20), None, None),
    ] {
        let sort = sort.map(Sort::parse).transpose()?;
        let find = Find { limit, sort, bytes_max: 14 * 30, ..find("{}")? };
        let found = world.reader()?.find(&find, &|| false);
        assert_eq!(found.err().map(|error| error.code()), code, "{limit:?}");
    }
    Ok(())
}

/// I-16: `exists` says what `count` says.
pub(super) fn a_task_exists_if_one_is_counted(world: &mut World) -> Result<()> {
    let exists = |world: &mut World, query: &str| {
        let query = Query::parse(query)?;
        world.reader()?.exists(&query, &|| false)
    };
    assert!(!exists(world, "{}")?);
    library(world)?;
    for (query, expected) in QUERIES {
        assert_eq!(exists(world, query)?, !expected.is_empty(), "{query}");
    }
    Ok(())
}

/// A long read ends when nobody wants it any more.
pub(super) fn a_cancelled_read_ends_with_closed(world: &mut World) -> Result<()> {
    world.add_many(vec![with_data("{\"n\":1}"); 3_500])?;
    let query = Query::parse("{\"data.n\":{\"$gte\":0}}")?;
    for patience in [0, 1] {
        let asked = AtomicU32::new(0);
        let cancelled = || asked.fetch_add(1, Ordering::Relaxed) >= patience;
        let find = Find { query: query.clone(), ..find("{}")? };
        let found = world.reader()?.find(&find, &cancelled).map(|found| found.len());
        assert_eq!(found.map_err(|error| error.code()), Err(Code::Closed));
        let count = world.reader()?.count(&query, &|| true);
        assert_eq!(count.map_err(|error| error.code()), Err(Code::Closed));
        let exists = world.reader()?.exists(&query, &|| true);
        assert_eq!(exists.map_err(|error| error.code()), Err(Code::Closed));
    }
    assert_eq!(world.count("{\"data.n\":1}")?, 3_500);
    Ok(())
}
