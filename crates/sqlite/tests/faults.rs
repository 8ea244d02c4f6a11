//! Damage to files: right answers or a clear refusal, never a crash, never a wrong row.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod hand;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hand::{Hand, LANE, aborted, def, done, folder, line, names, progress, try_open};
use tasker_core::document;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::LaneId;
use tasker_core::json;
use tasker_core::query::Query;
use tasker_core::queue::QueueKey;
use tasker_core::read::{Find, WithLogs};
use tasker_core::reader::Reader;
use tasker_core::state::State;
use tasker_core::store::{Change, Lane, Lookups, Operation, Store, WindowQuery};
use tasker_core::task::{AttemptEnd, Level};

const PAGE: usize = 4_096;

/// The texts of all tasks, by number.
type Tasks = BTreeMap<u64, String>;

/// Chance from a number (splitmix64).
struct Rng(u64);

impl Rng {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % end as u64) as usize
    }
}

/// Adds tasks of every kind, some wider than a page, all with this mark in their data.
fn fill(hand: &mut Hand, operations: std::ops::Range<u16>, mark: &str) {
    for id in operations {
        let lane = hand.lane(id, &format!("read-{id}"));
        for n in 0..12 {
            let data = format!(r#"{{"mark":"{mark}","n":{n},"text":"{}"}}"#, "x".repeat(n * 900));
            let task = hand.add(&lane, def(&data, n as f64));
            match n % 4 {
                0 => {}
                1 => hand.end(task, None, aborted()),
                2 => {
                    let run = hand.start(task, 1);
                    let (seq, progress) = (task.seq, progress(1.0));
                    let told = Change::Progress { seq, lane: LANE, run, progress };
                    let release = hand.releasing(task.seq, run, AttemptEnd::Lost);
                    hand.turn(vec![told, release]);
                }
                _ => {
                    let run = hand.start(task, 1);
                    let line = line(1, Level::Info);
                    let log = Change::Log { seq: task.seq, lane: LANE, run, line };
                    let end = hand.ending(task.seq, Some(run), done());
                    hand.turn(vec![log, end]);
                }
            }
        }
    }
}

fn everything() -> Find {
    let logs = Some(WithLogs { level_max: Level::Debug });
    Find { logs, ..Find::all(Query::all()) }
}

fn tasks(reader: &mut dyn Reader) -> Result<Tasks> {
    let found = reader.find(&everything(), &|| false)?;
    let count = found.len();
    let text = |found| {
        let mut text = String::new();
        document::write_json(found, None, &mut text, usize::MAX).map(|()| text)
    };
    let tasks: Result<Tasks> =
        found.iter().map(|found| Ok((found.task.seq.0, text(found)?))).collect();
    let tasks = tasks?;
    assert_eq!(tasks.len(), count, "a task came twice");
    Ok(tasks)
}

/// Opens a file and reads all that an engine and a user read.
fn read_all(path: &Path) -> Result<Tasks> {
    let (mut store, mut reader) = try_open(path)?;
    let mut transaction = store.begin(&Lookups::default)?;
    transaction.head()?;
    transaction.orphans()?;
    let query = |Operation { id, name, .. }| {
        let lane = Lane { id: LaneId::new(id, 0), operation: name };
        WindowQuery { lane, from: QueueKey::FIRST, tasks_max: 100 }
    };
    let lanes = transaction.operations()?.into_iter().map(query);
    transaction.windows(&lanes.collect::<Vec<_>>(), usize::MAX)?;
    transaction.heads(LaneId(0), usize::MAX)?;
    drop(transaction);
    let tasks = tasks(&mut reader)?;
    for state in State::ALL {
        let query = format!(r#"{{"state":"{}","attempt":{{"$gte":0}}}}"#, state.as_str());
        reader.count(&Query::parse(&query)?, &|| false)?;
    }
    Ok(tasks)
}

/// A sound file: its bytes and its tasks.
fn sound() -> (Vec<u8>, Tasks) {
    let (_folder, path) = folder();
    let mut hand = Hand::open(&path);
    fill(&mut hand, 1..3, "own");
    hand.close();
    let bytes = fs::read(&path).unwrap();
    (bytes, read_all(&path).unwrap())
}

/// What a damaged file gives. If it is refused, it must lie there as it was.
fn read_damaged(bytes: &[u8]) -> Result<Tasks> {
    let (folder, path) = folder();
    fs::write(&path, bytes).unwrap();
    let opened = try_open(&path).map(drop);
    if opened.is_err() {
        assert_eq!(fs::read(&path).unwrap(), bytes, "a refused file was touched: {opened:?}");
        let left = names(folder.path()).into_iter().filter(|name| name.contains("-owner-"));
        assert_eq!(left.count(), 0, "{opened:?}");
    }
    fs::write(&path, bytes).unwrap();
    read_all(&path)
}

/// A refusal that a damaged file may meet: what the header says may be wrong too.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::Corrupt | Code::Version | Code::ReadOnly | Code::Unsupported | Code::Locked
    )
}

/// F-14
#[test]
fn a_lost_page_gives_the_right_tasks_or_corrupt() {
    let (bytes, truth) = sound();
    let mut dice = Rng(4_711);
    let mut corrupt = 0;
    for start in (0..bytes.len()).step_by(PAGE) {
        let noise = (0..PAGE).map(|_| dice.below(256) as u8).collect();
        for (kind, page) in [("zeros", vec![0; PAGE]), ("noise", noise)] {
            let mut damaged = bytes.clone();
            damaged[start..start + PAGE].copy_from_slice(&page);
            match read_damaged(&damaged) {
                Ok(tasks) => assert_eq!(tasks, truth, "page {} is {kind}", start / PAGE),
                Err(error) => {
                    assert!(is_refusal(&error), "page {} is {kind}: {error}", start / PAGE);
                    corrupt += 1;
                }
            }
        }
    }
    assert!(corrupt > bytes.len() / PAGE, "only {corrupt} lost pages were noticed");
}

/// F-14: SQLite keeps no checksums, so a bit within a value may change that value unseen. It never
/// makes a task come twice, under another uuid, or as text that is not JSON.
#[test]
fn a_flipped_bit_never_crashes_and_never_makes_up_a_task() {
    let (bytes, truth) = sound();
    let given = std::env::var("TASKER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
    println!("TASKER_SEED={seed}");
    let mut dice = Rng(seed);
    for n in 0..300 {
        // One in four in the header, where most of it matters.
        let at = dice.below(if n % 4 == 0 { 100 } else { bytes.len() });
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << dice.below(8);
        match read_damaged(&damaged) {
            Ok(tasks) => {
                let made_up = tasks.keys().filter(|seq| !truth.contains_key(seq)).count();
                assert_eq!(made_up, 0, "seed {seed}, byte {at}");
                let broken = tasks.values().find(|text| !json::is_json(text));
                assert_eq!(broken, None, "seed {seed}, byte {at}");
            }
            Err(error) => assert!(is_refusal(&error), "seed {seed}, byte {at}: {error}"),
        }
    }
}

/// F-14: a name of a table, a type of a column, the condition of an index.
#[test]
fn a_flipped_bit_in_the_schema_gives_the_right_tasks_or_corrupt() {
    let (bytes, truth) = sound();
    let says = |page: &[u8]| page.windows(7).any(|bytes| bytes == b"CREATE ");
    let pages = bytes.chunks(PAGE).enumerate().filter(|(n, page)| *n == 0 || says(page));
    let all = pages.flat_map(|(n, _)| (n * PAGE..(n + 1) * PAGE).step_by(29));
    let mut refused = 0;
    for at in all.filter(|at| *at >= 100) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        match read_damaged(&damaged) {
            Ok(tasks) => assert_eq!(tasks, truth, "byte {at}"),
            Err(error) => {
                assert_eq!(error.code(), Code::Corrupt, "byte {at}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 20, "only {refused} flipped bits of the schema were noticed");
}

/// F-14
#[test]
fn conditions_that_no_version_has_written_are_corrupt() {
    let (bytes, _) = sound();
    let (_folder, path) = folder();
    for conditions in ["[7]", r#"[{"scope":"running","query":{"seq":1},"limit":0}]"#] {
        fs::write(&path, &bytes).unwrap();
        let change = format!(r#"UPDATE tasks SET options = '{{"concurrency":{conditions}}}'"#);
        rusqlite::Connection::open(&path).unwrap().execute_batch(&change).unwrap();
        let error = read_all(&path).expect_err(conditions);
        assert_eq!(error.code(), Code::Corrupt, "{conditions}: {error}");
    }
}

/// F-14: without the condition of an index, or without the index, tasks would be passed over.
#[test]
fn a_file_with_other_indexes_than_ours_is_refused_and_one_with_more_is_not() {
    let (bytes, truth) = sound();
    let (_folder, path) = folder();
    for (change, is_refused) in [
        ("DROP INDEX ready", true),
        ("DROP INDEX ready; CREATE INDEX ready ON tasks (lane_id)", true),
        ("CREATE INDEX mine ON tasks (created_at); CREATE TABLE other (a)", false),
    ] {
        fs::write(&path, &bytes).unwrap();
        rusqlite::Connection::open(&path).unwrap().execute_batch(change).unwrap();
        match read_all(&path) {
            Ok(tasks) => assert!(!is_refused && tasks == truth, "{change}"),
            Err(error) => {
                assert!(is_refused && error.code() == Code::Corrupt, "{change}: {error}");
                assert!(error.message().contains("ready"), "{change}: {error}");
            }
        }
    }
}

/// F-14
#[test]
fn a_file_cut_anywhere_gives_the_right_tasks_or_corrupt() {
    let (bytes, truth) = sound();
    let inside = (1..bytes.len()).step_by(PAGE / 2 + 7);
    for length in inside.chain([1, 2, 15, 16, 99, 100, PAGE - 1, PAGE]) {
        match read_damaged(&bytes[..length]) {
            // The last pages hold nothing that is asked for.
            Ok(tasks) => assert!(tasks == truth && length + 2 * PAGE > bytes.len(), "{length}"),
            Err(error) => assert_eq!(error.code(), Code::Corrupt, "{length} bytes: {error}"),
        }
    }
}

/// A file whose process was killed: the main file, its log, and the tasks after each commit that
/// only the log holds; the first are those of the main file alone.
struct Killed {
    file: Vec<u8>,
    log: Vec<u8>,
    commits: Vec<Tasks>,
}

fn killed(mark: &str) -> Killed {
    let (folder, path) = folder();
    let mut hand = Hand::open(&path);
    fill(&mut hand, 1..2, mark);
    hand.close();
    let mut hand = Hand::open(&path);
    let file = fs::read(&path).unwrap();
    let mut commits = vec![tasks(&mut hand.reader).unwrap()];
    let lane = hand.lane(2, "later");
    for n in 0..5 {
        let data = format!(r#"{{"mark":"{mark}","later":{n}}}"#);
        hand.add(&lane, def(&data, 0.0));
        commits.push(tasks(&mut hand.reader).unwrap());
    }
    let log = fs::read(folder.path().join("tasks.db-wal")).unwrap();
    Killed { file, log, commits }
}

fn read_with_log(file: &[u8], log: &[u8]) -> Result<Tasks> {
    let (folder, path) = folder();
    fs::write(&path, file).unwrap();
    fs::write(folder.path().join("tasks.db-wal"), log).unwrap();
    read_all(&path)
}

/// Which commit of its own the file stands at, for a log that lies beside it.
fn commit_at(own: &Killed, log: &[u8]) -> Option<usize> {
    let tasks = read_with_log(&own.file, log).unwrap();
    own.commits.iter().position(|commit| *commit == tasks)
}

/// F-15
#[test]
fn a_file_whose_log_is_lost_or_damaged_stands_at_one_of_its_commits() {
    let own = killed("own");
    assert_eq!(commit_at(&own, &own.log), Some(own.commits.len() - 1), "the whole log");
    for none in [&b""[..], b"this is no log", &[0; 8_192]] {
        assert_eq!(commit_at(&own, none), Some(0), "no log");
    }
    let mut before = 0;
    for length in (0..own.log.len()).step_by(PAGE / 2 + 3) {
        let at = commit_at(&own, &own.log[..length]).expect("a log that was cut");
        assert!(at >= before, "a longer log holds as many commits");
        before = at;
        let mut flipped = own.log.clone();
        flipped[length] ^= 4;
        assert_eq!(commit_at(&own, &flipped), Some(at), "byte {length} of the log flipped");
    }
    assert!(before + 2 >= own.commits.len(), "the cuts came near the end");
}

/// F-15
#[test]
fn a_file_copied_without_its_log_has_what_it_had_when_the_log_was_written_back() {
    let own = killed("own");
    let (_folder, path) = folder();
    fs::write(&path, &own.file).unwrap();
    assert_eq!(read_all(&path).unwrap(), own.commits[0]);
}

/// F-15: SQLite itself would mix the two files without a word.
#[test]
fn the_log_of_another_file_is_refused_and_nothing_of_it_is_written() {
    let (own, other) = (killed("own"), killed("another"));
    let (folder, path) = folder();
    let log = folder.path().join("tasks.db-wal");
    fs::write(&path, &own.file).unwrap();
    fs::write(&log, &other.log).unwrap();
    let error = try_open(&path).map(drop).unwrap_err();
    assert_eq!(error.code(), Code::Corrupt, "{error}");
    assert!(error.message().contains("-wal"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), own.file, "the file was touched");
    assert_eq!(fs::read(&log).unwrap(), other.log, "the log was touched");
    // With its own log nothing is lost.
    fs::write(&log, &own.log).unwrap();
    fs::remove_file(folder.path().join("tasks.db-shm")).unwrap();
    assert_eq!(Some(&read_all(&path).unwrap()), own.commits.last());
}

/// I-18: a newer file is refused before its log is touched, too.
#[test]
fn a_newer_file_with_a_log_keeps_both() {
    let own = killed("own");
    let (folder, path) = folder();
    let mut newer = own.file.clone();
    newer[60..64].copy_from_slice(&9_u32.to_be_bytes());
    let log = folder.path().join("tasks.db-wal");
    fs::write(&path, &newer).unwrap();
    fs::write(&log, &own.log).unwrap();
    assert_eq!(try_open(&path).map(drop).unwrap_err().code(), Code::Version);
    assert_eq!((fs::read(&path).unwrap(), fs::read(&log).unwrap()), (newer, own.log));
}
