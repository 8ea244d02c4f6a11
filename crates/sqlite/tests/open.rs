//! Opening: whose file it is, what is refused, what is left behind.
#![allow(clippy::unwrap_used)]

mod hand;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use hand::{Hand, def, done, folder, names, try_open};
use rusqlite::Connection;
use tasker_core::error::{Code, Error};
use tasker_core::reader::Reader;
use tasker_core::store::{Lookups, Store};
use tasker_sqlite::{Location, Options, open};

fn refusal(path: &Path) -> Error {
    try_open(path).map(drop).unwrap_err()
}

#[test]
fn a_new_file_is_made_and_found_again() {
    let (_folder, path) = folder();
    let mut hand = Hand::open(&path);
    let lane = hand.lane(1, "read-book");
    let task = hand.add(&lane, def(r#"{"book":"dune"}"#, 2.0));
    let key = hand.store.id_key();
    hand.close();

    let mut hand = Hand::open(&path);
    assert_eq!(hand.store.id_key(), key);
    assert_eq!((hand.seq_next, hand.counts.total()), (2, 1));
    let found = hand.reader.get(task.id, None, usize::MAX).unwrap().unwrap();
    assert_eq!(found.task.def, def(r#"{"book":"dune"}"#, 2.0));
    hand.close();
}

#[test]
fn closing_leaves_the_database_and_nothing_else() {
    let (folder, path) = folder();
    let mut hand = Hand::open(&path);
    let lane = hand.lane(1, "read-book");
    hand.add(&lane, def("1", 0.0));
    hand.close();
    assert_eq!(names(folder.path()), ["tasks.db"]);
}

#[test]
fn the_file_carries_our_mark_and_its_version() {
    let (_folder, path) = folder();
    Hand::open(&path).close();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(&bytes[68..72], b"Tskr");
    assert_eq!(&bytes[60..64], &[0, 0, 0, 1]);
    assert_eq!(&bytes[64..68], &[0, 0, 0, 1], "incremental vacuum, set before the first table");
}

/// Makes a file, refuses to open it, and says how; the file and its folder must be as before.
fn refused_untouched(make: impl Fn(&Path)) -> Error {
    let (folder, path) = folder();
    make(&path);
    let (bytes, before) = (fs::read(&path).unwrap(), names(folder.path()));
    let error = refusal(&path);
    assert_eq!(fs::read(&path).unwrap(), bytes, "the file was touched");
    assert_eq!(names(folder.path()), before, "something was left beside the file");
    error
}

/// I-18
#[test]
fn a_file_of_a_newer_tasker_is_refused_untouched() {
    let error = refused_untouched(|path| {
        Hand::open(path).close();
        let other = Connection::open(path).unwrap();
        other.pragma_update(None, "user_version", 99).unwrap();
    });
    assert_eq!(error.code(), Code::Version);
    assert!(error.message().contains("99"), "{error}");
}

/// F-14
#[test]
fn a_database_of_another_program_is_refused_untouched() {
    for mode in ["delete", "wal"] {
        for id in [0, 7] {
            let error = refused_untouched(|path| {
                let other = Connection::open(path).unwrap();
                other.pragma_update(None, "journal_mode", mode).unwrap();
                other.pragma_update(None, "application_id", id).unwrap();
                other.execute_batch("CREATE TABLE theirs (x)").unwrap();
            });
            assert_eq!(error.code(), Code::Corrupt, "{mode} {id}");
        }
    }
}

/// F-14
#[test]
fn what_is_not_a_database_is_refused_untouched() {
    let texts = [b"hello".to_vec(), vec![0; 8192], b"SQLite format 3\0 and then nothing".to_vec()];
    for text in texts {
        let error = refused_untouched(|path| fs::write(path, &text).unwrap());
        assert_eq!(error.code(), Code::Corrupt, "{error}");
    }
}

#[test]
fn an_empty_file_is_taken_as_new() {
    let (_folder, path) = folder();
    fs::write(&path, "").unwrap();
    let mut hand = Hand::open(&path);
    assert_eq!(hand.lane(1, "read-book").id.0, 1);
    hand.close();
}

/// I-18: killed before the first table.
#[test]
fn a_file_with_nothing_but_a_header_is_taken_as_new() {
    let (_folder, path) = folder();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA page_size = 4096; PRAGMA auto_vacuum = 2").unwrap();
    drop(other);
    assert_eq!(fs::metadata(&path).unwrap().len(), 4_096);
    let mut hand = Hand::open(&path);
    assert_eq!(hand.lane(1, "read-book").id.0, 1);
    hand.close();
}

/// I-18: killed while the tables were written.
#[test]
fn a_file_whose_making_was_cut_is_made_again() {
    let (folder, path) = folder();
    let cut = folder.path().join("cut.db");
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch(
            "PRAGMA page_size = 4096; PRAGMA auto_vacuum = 2; PRAGMA cache_size = 1;
             PRAGMA cache_spill = 1; BEGIN IMMEDIATE; PRAGMA application_id = 1416850290;
             CREATE TABLE half (x); INSERT INTO half SELECT randomblob(4000)
             FROM (WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 50)
             SELECT i FROM n);",
        )
        .unwrap();
    fs::copy(&path, &cut).unwrap();
    fs::copy(folder.path().join("tasks.db-journal"), folder.path().join("cut.db-journal")).unwrap();
    assert!(fs::metadata(&cut).unwrap().len() > 0, "some pages were written before the cut");
    let mut hand = Hand::open(&cut);
    assert_eq!(hand.lane(1, "read-book").id.0, 1);
    hand.close();
}

#[test]
fn a_missing_folder_and_a_folder_as_file_say_so() {
    let (folder, path) = folder();
    let error = refusal(&folder.path().join("no/such/tasks.db"));
    assert_eq!(error.code(), Code::Io);
    assert!(error.message().contains("no/such"), "{error}");
    fs::create_dir(&path).unwrap();
    let error = refusal(&path);
    assert_eq!(error.code(), Code::Io);
    assert!(error.message().contains("folder"), "{error}");
}

/// F-11. Root may write anywhere, but not where the kernel keeps its own files.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_is_read_only() {
    let error = refusal(Path::new("/sys/kernel/tasks.db"));
    assert_eq!(error.code(), Code::ReadOnly, "{error}");
}

/// F-18
#[cfg(unix)]
#[test]
fn a_file_under_a_second_name_is_locked() {
    let (folder, path) = folder();
    let hand = Hand::open(&path);
    let (soft, hard) = (folder.path().join("soft.db"), folder.path().join("hard.db"));
    std::os::unix::fs::symlink(&path, &soft).unwrap();
    assert_eq!(refusal(&soft).code(), Code::Locked);
    assert_eq!(refusal(&soft).facts().pid, Some(std::process::id()));
    fs::hard_link(&path, &hard).unwrap();
    assert_eq!(refusal(&hard).code(), Code::Locked);
    fs::remove_file(&hard).unwrap();
    hand.close();
    Hand::open(&soft).close();
}

/// F-18
#[cfg(unix)]
#[test]
fn a_file_that_was_replaced_while_open_takes_no_more_turns() {
    let (folder, path) = folder();
    let mut hand = Hand::open(&path);
    fs::rename(&path, folder.path().join("away.db")).unwrap();
    assert_eq!(hand.store.begin(&Lookups::default).map(drop).unwrap_err().code(), Code::Io);
    fs::write(&path, "another").unwrap();
    assert_eq!(hand.store.begin(&Lookups::default).map(drop).unwrap_err().code(), Code::Io);
}

/// F-9: looking at the file must not drop the locks that SQLite holds in this process.
#[cfg(target_os = "linux")]
#[test]
fn a_refused_open_leaves_the_locks_of_the_first_handle() {
    use std::os::unix::fs::MetadataExt;
    let (_folder, path) = folder();
    let hand = Hand::open(&path);
    let mine = format!(":{} ", fs::metadata(&path).unwrap().ino());
    let locks = || {
        let all = fs::read_to_string("/proc/locks").unwrap();
        let mine: Vec<&str> =
            all.lines().filter(|line| line.contains("POSIX") && line.contains(&mine)).collect();
        mine.len()
    };
    let before = locks();
    assert!(before > 0, "an open database in WAL mode holds a shared lock");
    assert_eq!(refusal(&path).code(), Code::Locked);
    assert_eq!(locks(), before);
    hand.close();
}

#[test]
fn a_database_in_memory_works_like_a_file() {
    let mut hand = Hand::in_memory();
    let lane = hand.lane(1, "read-book");
    let task = hand.add(&lane, def("[1]", 0.0));
    let run = hand.start(task, 1);
    hand.store.maintain(true).unwrap();
    hand.end(task, Some(run), done());
    assert_eq!(hand.find(r#"{"status":"done"}"#, None, None), [1]);
    hand.close();
}

#[test]
fn two_databases_in_memory_are_apart() {
    let (mut one, mut two) = (Hand::in_memory(), Hand::in_memory());
    one.lane(1, "read-book");
    assert!(two.store.begin_read().unwrap().operations().unwrap().is_empty());
}

/// Also the child of `a_database_in_memory_leaves_nothing_behind`, which has it wait to be killed.
#[test]
fn a_database_in_memory_takes_tasks() {
    let mut hand = Hand::in_memory();
    let lane = hand.lane(1, "read-book");
    hand.add(&lane, def("1", 0.0));
    if std::env::var_os("WAIT_TO_BE_KILLED").is_some() {
        hand::wait_to_be_killed();
    }
}

#[cfg(unix)]
#[test]
fn a_database_in_memory_leaves_nothing_behind() {
    let (folder, _) = folder();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["a_database_in_memory_takes_tasks", "--exact", "--nocapture"])
        .env("WAIT_TO_BE_KILLED", "yes")
        .env("TMPDIR", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("open")));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
}

#[test]
fn a_path_with_odd_letters_is_opened_as_it_is() {
    let (folder, _) = folder();
    let path = folder.path().join("a b?c#d%41é&mode=ro.db");
    Hand::open(&path).close();
    Hand::open(&path).close();
    assert_eq!(names(folder.path()), ["a b?c#d%41é&mode=ro.db"]);
}

#[test]
fn full_durability_opens_too() {
    let (_folder, path) = folder();
    let mut hand = Hand::on(open(&Location::file(path).unwrap(), Options::default()).unwrap());
    hand.lane(1, "read-book");
    hand.close();
}
