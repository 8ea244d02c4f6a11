//! Several handles on one file: who hears of whom, who waits for whom, and what is left (F-8, F-9).
#![allow(clippy::unwrap_used)]

mod hand;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use hand::{Hand, LANE, Task, def, done, folder, names, share, try_open};
use tasker_core::error::{Code, Error};
use tasker_core::id::{OperationId, RunId, Seq};
use tasker_core::journal::{Transition, unpack};
use tasker_core::store::{Batch, Change, Commit, Head, Lookups, ReadTransaction, Store};
use tasker_core::task::{AbortReason, AttemptEnd, Cause, Json, Priority};
use tasker_core::time::WallMs;
use tasker_core::transition::TransitionKind;
use tasker_sqlite::SqliteStore;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(120);

/// Two handles on one new file that have heard all there is.
fn two(path: &Path) -> (Hand, Hand) {
    let (mut one, two) = (Hand::beside(path), Hand::beside(path));
    one.catch_up();
    (one, two)
}

fn inside<T>(hand: &mut Hand, look: impl FnOnce(&mut dyn ReadTransaction) -> T) -> T {
    look(hand.store.begin(&Lookups::default).unwrap().as_mut())
}

fn orphans(hand: &mut Hand) -> Vec<Seq> {
    inside(hand, |store| store.orphans().unwrap().iter().map(|orphan| orphan.seq).collect())
}

/// A task that waits, and its run in this handle.
fn running(hand: &mut Hand) -> (Task, RunId) {
    hand.catch_up();
    let lane = tasker_core::store::Lane { id: LANE, operation: "read-book".into() };
    let task = hand.add(&lane, def("1", 0.0));
    (task, hand.start(task, 1))
}

/// Sockets of an owner. Not everyone can copy a folder with a socket in it, and Linux needs none.
const SOCKETS: usize = if cfg!(unix) && !cfg!(target_os = "linux") { 1 } else { 0 };

/// What is beside the database, by what it is: lock files of owners, sockets, fair locks.
fn beside(folder: &Path) -> (usize, usize, usize) {
    let names = names(folder);
    let count = |is: &dyn Fn(&str) -> bool| names.iter().filter(|name| is(name)).count();
    let sockets = count(&|name| name.ends_with("-notify"));
    (
        count(&|name| name.contains("-owner-")) - sockets,
        sockets,
        count(&|name| name.ends_with("-lock")),
    )
}

/// Rings of a handle.
fn rings(hand: &mut Hand) -> Receiver<()> {
    let (sender, receiver) = channel();
    // A test that has heard enough has gone.
    hand.store.set_waker(Arc::new(move || sender.send(()).unwrap_or_default()));
    receiver
}

#[test]
fn news_are_told_once_and_not_for_what_one_did_oneself() {
    let (_folder, path) = folder();
    let (mut one, mut two) = two(&path);
    let news = |hand: &mut Hand| hand.store.begin(&Lookups::default).unwrap().has_news();
    assert_eq!([news(&mut one), news(&mut two)], [false, false]);
    one.lane(1, "read-book");
    assert_eq!([news(&mut one), news(&mut two), news(&mut two)], [false, true, false]);
    one.lane(2, "write-book");
    assert!(two.store.begin_read().unwrap().has_news(), "a look hears it too");
    assert!(!news(&mut two), "what a look has told is not told again");
    one.store.maintain(true).unwrap();
    two.catch_up();
    two.lane(3, "burn-book");
    assert_eq!([news(&mut two), news(&mut one)], [false, true]);
}

/// I-5
#[test]
fn an_owner_of_whom_nothing_can_be_said_counts_as_living() {
    let (folder, path) = folder();
    let mut one = Hand::beside(&path);
    one.catch_up();
    let before = names(folder.path());
    let two = Hand::beside(&path);
    let is_lock = |name: &String| name.contains("-owner-") && !name.ends_with("-notify");
    let is_other = |name: &String| is_lock(name) && !before.contains(name);
    let locks: Vec<PathBuf> =
        names(folder.path()).into_iter().filter(is_other).map(|n| folder.path().join(n)).collect();
    assert_eq!(locks.len(), 1);
    let hidden: Vec<PathBuf> =
        (0..locks.len()).map(|n| folder.path().join(n.to_string())).collect();
    for (path, hidden) in locks.iter().zip(&hidden) {
        fs::rename(path, hidden).unwrap();
        fs::create_dir(path).unwrap();
    }
    let mut snapshot = one.store.begin_read().unwrap();
    assert!(snapshot.has_news() && snapshot.orphans().unwrap().is_empty());
    drop(snapshot);
    for (path, hidden) in locks.iter().zip(&hidden) {
        fs::remove_dir(path).unwrap();
        fs::rename(hidden, path).unwrap();
    }
    assert!(one.store.poll_interval_ms().is_some(), "the new owner is known");
    two.close();
}

/// I-5: without its lock file an owner is dead for the others.
#[test]
fn an_owner_whose_lock_file_was_removed_does_nothing_more() {
    let (folder, path) = folder();
    let mut one = Hand::beside(&path);
    one.lane(1, "read-book");
    let is_lock = |name: &&String| name.contains("-owner-") && !name.ends_with("-notify");
    let name = names(folder.path()).iter().find(is_lock).unwrap().clone();
    fs::remove_file(folder.path().join(name)).unwrap();
    let error = one.store.begin(&Lookups::default).map(drop).unwrap_err();
    assert_eq!(error.code(), Code::Io);
    assert!(error.message().contains("was removed"), "{error}");
    assert_eq!(one.store.begin_read().map(drop).unwrap_err().code(), Code::Io);
}

#[test]
fn the_journal_says_who_did_what_since_a_batch() {
    let (_folder, path) = folder();
    let (mut one, mut two) = two(&path);
    let lane = one.lane(1, "read-book");
    let task = one.add(&lane, def("1", 0.0));
    two.catch_up();
    two.start(task, 1);
    let entries = inside(&mut one, |store| store.journal(0, usize::MAX).unwrap());
    let owners: Vec<_> = entries.iter().map(|entry| (entry.number, entry.owner)).collect();
    let (first, second) = (one.store.owner(), two.store.owner());
    assert_eq!(owners, [(1, first), (2, first), (3, second)]);
    let transitions: Vec<Transition> =
        entries.iter().flat_map(|entry| unpack(&entry.transitions).map(Result::unwrap)).collect();
    let priority = Some(Priority::default());
    let transition = |kind| Transition { seq: task.seq, lane: LANE, kind, priority };
    let (seq, kind) = (Seq(0), TransitionKind::Operation);
    let operation = Transition { seq, lane: LANE, kind, priority: None };
    let of_task = [TransitionKind::Add, TransitionKind::Start].map(transition);
    assert_eq!(transitions, [operation, of_task[0], of_task[1]]);
    let numbers = |after, max| {
        move |store: &mut dyn ReadTransaction| {
            let entries = store.journal(after, max).unwrap();
            entries.iter().map(|entry| entry.number).collect::<Vec<_>>()
        }
    };
    assert_eq!(inside(&mut one, numbers(1, 1)), [2]);
    assert!(inside(&mut one, numbers(3, 9)).is_empty());
}

#[test]
fn a_journal_is_kept_for_a_minute_and_says_so_where_it_does_not_reach_back() {
    let (_folder, path) = folder();
    let mut one = Hand::beside(&path);
    let fill = |hand: &mut Hand| (0..2_100).for_each(|_| hand.turn(Vec::new()));
    fill(&mut one);
    one.store.maintain(true).unwrap();
    let young = inside(&mut one, |store| store.journal(0, usize::MAX).unwrap());
    assert_eq!(young.len(), 2_100, "none is older than a minute");
    one.clock += 60_001;
    one.turn(Vec::new());
    (0..3).for_each(|_| one.store.maintain(true).unwrap());
    let kept = inside(&mut one, |store| store.journal(0, usize::MAX).unwrap());
    assert!(kept[0].number > 1, "the oldest that it keeps");
    let last = inside(&mut one, |store| store.head().unwrap().number);
    assert_eq!(inside(&mut one, |s| s.journal(last - 1, 9).unwrap()).len(), 1);
    assert_eq!(inside(&mut one, |s| s.journal(last, 9).unwrap()), Vec::new());
    let _two = Hand::beside(&path);
    one.catch_up();
    fill(&mut one);
    one.store.maintain(true).unwrap();
    let entries = inside(&mut one, |store| store.journal(last, usize::MAX).unwrap());
    assert_eq!(entries.len(), 2_100);
}

/// I-6
#[test]
fn runs_elsewhere_are_those_of_the_others_whether_they_live_or_not() {
    let (_folder, path) = folder();
    let (mut one, mut two) = two(&path);
    one.lane(1, "read-book");
    let (task, run) = running(&mut one);
    running(&mut one);
    running(&mut two);
    let elsewhere = |hand: &mut Hand| inside(hand, |store| store.remote_runs().unwrap());
    assert_eq!(elsewhere(&mut one), [(LANE, 1)]);
    assert_eq!(elsewhere(&mut two), [(LANE, 2)]);
    one.catch_up();
    one.end(task, Some(run), done());
    assert_eq!(elsewhere(&mut two), [(LANE, 1)]);
    drop(two);
    one.store.refresh_owners().unwrap();
    assert_eq!(elsewhere(&mut one), [(LANE, 1)], "until it is recovered");
}

#[test]
fn an_abort_that_was_asked_for_is_found_by_its_run_alone_and_the_first_reason_stays() {
    let (_folder, path) = folder();
    let (mut one, mut two) = two(&path);
    one.lane(1, "read-book");
    let (task, run) = running(&mut one);
    let asked = |hand: &mut Hand, run| {
        inside(hand, |store| store.abort_requests(&[(task.seq, run)]).unwrap().remove(0))
    };
    let reason = |text: &str| AbortReason { cause: Cause::User, reason: Json::trusted(text) };
    assert_eq!(asked(&mut one, run), None);
    for text in ["1", "2"] {
        two.catch_up();
        let abort = reason(text);
        two.turn(vec![Change::RequestAbort { seq: task.seq, lane: LANE, run, abort }]);
    }
    assert_eq!(asked(&mut one, run), Some(reason("1")));
    one.catch_up();
    let release = one.releasing(task.seq, run, AttemptEnd::Lost);
    one.turn(vec![release]);
    let second = one.start(task, 2);
    assert_eq!(asked(&mut one, second), None);
}

/// I-5
#[test]
fn the_living_are_met_and_the_dead_are_found_by_the_next_look() {
    let (_folder, path) = folder();
    let mut one = Hand::beside(&path);
    let _rings = rings(&mut one);
    one.catch_up();
    one.lane(1, "read-book");
    assert_eq!(one.store.poll_interval_ms(), None, "alone, and would hear of another");
    let mut two = Hand::beside(&path);
    let (task, _) = running(&mut two);
    assert!(one.store.begin_read().unwrap().has_news());
    assert!(one.store.poll_interval_ms().is_some());
    one.store.refresh_owners().unwrap();
    assert!(orphans(&mut one).is_empty(), "it lives");
    drop(two);
    assert!(orphans(&mut one).is_empty(), "nobody has looked yet");
    one.store.refresh_owners().unwrap();
    assert_eq!(orphans(&mut one), [task.seq]);
    assert!(one.store.poll_interval_ms().is_some(), "its run is not given back yet");
}

#[cfg(unix)]
#[test]
fn an_owner_is_woken_by_an_open_a_commit_and_a_close_of_another() {
    let (_folder, path) = folder();
    let mut one = Hand::beside(&path);
    let rings = rings(&mut one);
    let mut two = Hand::beside(&path);
    rings.recv_timeout(PATIENCE).unwrap();
    two.lane(1, "read-book");
    rings.recv_timeout(PATIENCE).unwrap();
    two.close();
    rings.recv_timeout(PATIENCE).unwrap();
    one.close();
    assert!(rings.recv_timeout(PATIENCE).is_err(), "the listener is gone with its handle");
}

/// Longer than the address of a socket may be.
#[cfg(target_os = "linux")]
#[test]
fn a_very_long_path_rings_too() {
    let (folder, _) = folder();
    let deep = ["a", "b", "c", "d"].map(|letter| letter.repeat(60)).iter().collect::<PathBuf>();
    let deep = folder.path().join(deep);
    fs::create_dir_all(&deep).unwrap();
    let path = deep.join("tasks.db");
    let mut one = Hand::beside(&path);
    let rings = rings(&mut one);
    let two = Hand::beside(&path);
    rings.recv_timeout(PATIENCE).unwrap();
    two.close();
    one.close();
    assert_eq!(names(&deep), ["tasks.db"]);
}

#[test]
fn a_handle_that_wants_the_file_alone_is_refused_and_refuses_others() {
    let (folder, path) = folder();
    for is_first_alone in [false, true] {
        let first = if is_first_alone { Hand::open(&path) } else { Hand::beside(&path) };
        let before = names(folder.path());
        let second = if is_first_alone { share(&path) } else { try_open(&path) };
        let error = second.map(drop).unwrap_err();
        assert_eq!((error.code(), error.facts().pid), (Code::Locked, Some(std::process::id())));
        assert_eq!(names(folder.path()), before, "the refused handle left something");
        first.close();
    }
    Hand::beside(&path).close();
    Hand::open(&path).close();
}

#[test]
fn lock_files_sockets_and_the_fair_lock_go_with_the_last_handle() {
    let (folder, path) = folder();
    let (mut one, two) = two(&path);
    one.lane(1, "read-book");
    assert_eq!(beside(folder.path()), (2, 2 * SOCKETS, 1));
    two.close();
    assert_eq!(beside(folder.path()), (1, SOCKETS, 1));
    one.close();
    assert_eq!(names(folder.path()), ["tasks.db"]);
}

/// A process that opens the file and waits to be killed.
fn neighbour(path: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["a_neighbour_opens_the_file_and_adds_a_task", "--exact", "--nocapture"])
        .env("NEIGHBOUR_ON", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("open")));
    child
}

/// Also the child of the tests below, which have it wait to be killed.
#[test]
fn a_neighbour_opens_the_file_and_adds_a_task() {
    let (_folder, own) = folder();
    let path = std::env::var_os("NEIGHBOUR_ON").map(PathBuf::from);
    let mut hand = Hand::beside(path.as_ref().unwrap_or(&own));
    let lane = hand.lane(1, "read-book");
    let task = hand.add(&lane, def("1", 0.0));
    hand.start(task, 1);
    if path.is_some() {
        hand::wait_to_be_killed();
    }
}

/// F-1
#[cfg(unix)]
#[test]
fn what_a_killed_process_leaves_beside_the_file_is_swept_with_its_last_run() {
    let (folder, path) = folder();
    let mut child = neighbour(&path);
    assert_eq!(beside(folder.path()), (1, SOCKETS, 1));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(beside(folder.path()), (1, SOCKETS, 1));
    let mut hand = Hand::beside(&path);
    let orphan = inside(&mut hand, |store| store.orphans().unwrap()).remove(0);
    let release = hand.releasing(orphan.seq, orphan.run, AttemptEnd::Lost);
    hand.turn(vec![release]);
    assert_eq!(beside(folder.path()), (1, SOCKETS, 1), "our own");
    hand.close();
    assert_eq!(names(folder.path()), ["tasks.db"]);
}

/// I-5
#[cfg(unix)]
#[test]
fn a_neighbour_that_is_killed_is_found_dead_by_one_look() {
    let (_folder, path) = folder();
    let mut one = Hand::beside(&path);
    let mut child = neighbour(&path);
    one.store.refresh_owners().unwrap();
    one.catch_up();
    assert!(orphans(&mut one).is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    one.store.refresh_owners().unwrap();
    assert_eq!(orphans(&mut one), [Seq(1)]);
}

/// F-9
#[cfg(target_os = "linux")]
#[test]
fn a_second_copy_of_tasker_in_this_process_is_refused_before_it_touches_the_file() {
    let (folder, path) = folder();
    let hand = Hand::open(&path);
    let is_lock = |name: &&String| name.contains("-owner-") && !name.ends_with("-notify");
    let lock = names(folder.path()).iter().find(is_lock).unwrap().clone();
    let line = fs::read_to_string(folder.path().join(lock)).unwrap();
    hand.close();
    let (own, bytes) = (line.lines().next().unwrap(), fs::read(&path).unwrap());
    let forged = folder.path().join("tasks.db-owner-0123456789abcdef");
    fs::write(&forged, format!("{own}\n0123456789abcdef\n")).unwrap();
    let held = File::open(&forged).unwrap();
    held.lock().unwrap();
    let before = names(folder.path());
    for error in [share(&path).map(drop), try_open(&path).map(drop)].map(Result::unwrap_err) {
        assert_eq!(error.code(), Code::FileShared, "{error}");
    }
    assert_eq!((names(folder.path()), fs::read(&path).unwrap()), (before, bytes));
    drop(held);
    Hand::open(&path).close();
    assert_eq!(names(folder.path()), ["tasks.db"], "a copy that is gone is in nobody's way");
}

/// F-9
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_something_else_in_this_process_has_open_is_refused() {
    let (folder, path) = folder();
    Hand::open(&path).close();
    let (bytes, stream) = (fs::read(&path).unwrap(), File::open(&path).unwrap());
    let error = share(&path).map(drop).unwrap_err();
    assert_eq!(error.code(), Code::FileShared, "{error}");
    assert_eq!((names(folder.path()), fs::read(&path).unwrap()), (vec!["tasks.db".into()], bytes));
    drop(stream);
    let (one, two) = two(&path);
    one.close();
    two.close();
}

/// One commit.
fn turn(store: &mut SqliteStore) -> Result<(), Error> {
    let owner = store.owner();
    let mut transaction = store.begin(&Lookups::default)?;
    let Head { number, seq_next, lane_next, counts } = transaction.head()?;
    let (number, at, changes) = (number + 1, WallMs(0), Vec::new());
    let notes = Vec::new();
    let batch = Batch { number, owner, at, seq_next, lane_next, counts, changes, notes };
    match transaction.commit(&batch) {
        Commit::Committed => Ok(()),
        other => Err(Error::bug(format!("{other:?}"))),
    }
}

/// F-8: this test does not end if three that never stop asking could keep the fourth out. How long
/// one waits is what `npm run bench:processes` prints.
#[test]
fn of_four_handles_under_full_load_none_starves() {
    let (folder, path) = folder();
    let mut hands: Vec<Hand> = (0..4).map(|_| Hand::beside(&path)).collect();
    for hand in &mut hands {
        hand.store.refresh_owners().unwrap();
    }
    let is_over = AtomicBool::new(false);
    let work = |hand: &mut Hand| {
        turn(&mut hand.store).unwrap();
        hand.store.maintain(false).unwrap();
    };
    let mut meek = hands.swap_remove(0);
    std::thread::scope(|scope| {
        let is_over = &is_over;
        for mut greedy in hands {
            scope.spawn(move || {
                while !is_over.load(Ordering::Acquire) {
                    work(&mut greedy);
                }
                greedy.close();
            });
        }
        (0..200).for_each(|_| work(&mut meek));
        is_over.store(true, Ordering::Release);
    });
    meek.close();
    assert_eq!(names(folder.path()), ["tasks.db"]);
}

/// F-8
#[test]
fn opens_and_closes_of_four_threads_at_once_never_fail() {
    let (folder, path) = folder();
    std::thread::scope(|scope| {
        for n in 0..4_u32 {
            let path = path.clone();
            scope.spawn(move || {
                for round in 0..50 {
                    let opened = share(&path);
                    let (mut store, reader) = opened
                        .unwrap_or_else(|error| panic!("thread {n}, round {round}: {error:?}"));
                    turn(&mut store).unwrap();
                    drop(reader);
                    Box::new(store).close().unwrap();
                }
            });
        }
    });
    assert_eq!(names(folder.path()), ["tasks.db"]);
    let mut hand = Hand::open(&path);
    assert_eq!(inside(&mut hand, |store| store.head().unwrap().number), 200);
    assert!(inside(&mut hand, |store| store.operations().unwrap()).is_empty());
    hand.close();
}

/// I-8: numbers are not given twice, whoever writes.
#[test]
fn operations_and_numbers_of_one_handle_are_known_to_the_other() {
    let (_folder, path) = folder();
    let (mut one, mut two) = two(&path);
    let lane = one.lane(1, "read-book");
    one.add(&lane, def("1", 0.0));
    two.catch_up();
    assert_eq!((two.seq_next, two.counts.total()), (2, 1));
    assert_eq!(inside(&mut two, |store| store.operations().unwrap()[0].id), OperationId(1));
    let task = two.add(&lane, def("2", 0.0));
    assert_eq!(task.seq, Seq(2));
}
