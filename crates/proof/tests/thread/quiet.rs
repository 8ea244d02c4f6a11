//! A clock that a test moves: when it is quiet, and time that goes by inside the engine.

use std::sync::atomic::{AtomicBool, Ordering};

use tasker_core::store::{Batch, Commit, Transaction};
use tasker_core::time::MonoMs;
use tasker_engine::quiet::Travel;
use tasker_sqlite::TestFolder;

use super::*;

const BEGIN: WallMs = WallMs(1_900_000_000_000);

/// Handles on one file, by one clock.
struct Place {
    folder: TestFolder,
    clock: Arc<VirtualClock>,
}

/// What is said when it is quiet.
#[derive(Debug, PartialEq)]
struct Quiet {
    next_ms: Option<u64>,
    moments: u64,
    has_told: bool,
}

impl Place {
    fn new() -> Self {
        let folder = TestFolder::make(1).unwrap();
        Self { folder, clock: Arc::new(VirtualClock::beside_real_time(BEGIN)) }
    }

    fn open(&self) -> (Opened, Receiver<Effect>) {
        let opened = open_with_clock(sqlite(self.folder.location()), self.clock.clone());
        opened.0.submit([Input::Assign(1, "a".into(), None), Input::Start(2)]);
        assert!(answer(&opened.1, 2).is_ok());
        opened
    }

    /// Time may go by until so long after the beginning.
    fn travel(&self, ms: u64, is_unheard: bool) -> Travel {
        let clock = Arc::clone(&self.clock);
        Travel { clock, until: BEGIN.plus(ms), moments_max: u64::MAX, is_unheard }
    }
}

fn quiet(tasker: &Client, receiver: &Receiver<Effect>, travel: Option<Travel>) -> (u64, Quiet) {
    tasker.await_quiet(9, travel);
    let Ok(Answer::Json(text)) = answer(receiver, 9) else { panic!("it is quiet at last") };
    let parts = text.trim_matches(['[', ']']).split(',').collect::<Vec<_>>();
    let next = parts[1].parse::<i64>().ok().map(|at| WallMs(at).ms_since(BEGIN));
    let (moments, has_told) = (parts[2].parse().unwrap(), parts[3] == "true");
    (parts[0].parse().unwrap(), Quiet { next_ms: next, moments, has_told })
}

fn delayed(ms: u64) -> NewTask {
    let mut task = task("a");
    task.options.start_time = Some(StartTime::After(ms));
    task
}

#[test]
fn time_goes_by_until_something_is_told_and_no_further_than_asked() {
    let place = Place::new();
    let (tasker, receiver) = place.open();
    tasker.submit([Input::Add(3, delayed(HOUR)), Input::Add(4, delayed(3 * HOUR))]);
    assert!(answer(&receiver, 4).is_ok());
    // The answers to the adds may have been told before this was asked for.
    let (_, first) = quiet(&tasker, &receiver, None);
    assert_eq!((first.next_ms, first.moments), (Some(HOUR), 0));
    tasker.await_quiet(9, Some(place.travel(2 * HOUR, false)));
    let slot = start(&receiver).slot;
    let Ok(Answer::Json(text)) = answer(&receiver, 9) else { panic!("it is quiet at last") };
    assert!(text.ends_with(",1,true]"), "{text}");
    assert_eq!(place.clock.now().wall, BEGIN.plus(HOUR));
    tasker.submit([Input::Settle(slot, Settlement::Returned(None))]);
    let (_, told) = quiet(&tasker, &receiver, Some(place.travel(2 * HOUR, false)));
    assert!(told.has_told, "its end may have been heard");
    let (_, last) = quiet(&tasker, &receiver, Some(place.travel(2 * HOUR, false)));
    assert_eq!(last, Quiet { next_ms: Some(3 * HOUR), moments: 0, has_told: false });
    assert_eq!(place.clock.now().wall, BEGIN.plus(HOUR));
}

#[test]
fn an_end_that_nobody_hears_does_not_hold_time_up() {
    let place = Place::new();
    let (tasker, receiver) = place.open();
    tasker.submit([Input::Add(3, task("a")), Input::Add(4, delayed(HOUR))]);
    let slot = start(&receiver).slot;
    // Whatever has been told by now is behind it.
    quiet(&tasker, &receiver, None);
    tasker.submit([Input::Settle(slot, Settlement::Returned(None))]);
    tasker.await_quiet(9, Some(place.travel(2 * HOUR, true)));
    assert_ne!(start(&receiver).slot, slot);
    assert!(answer(&receiver, 9).is_ok());
    assert_eq!(place.clock.now().wall, BEGIN.plus(HOUR));
}

#[test]
fn the_end_of_a_run_is_a_moment_too() {
    let place = Place::new();
    let (tasker, receiver) = place.open();
    let mut limited = task("a");
    limited.options.run_timeout_ms = Some(HOUR);
    tasker.submit([Input::Add(3, limited)]);
    let slot = start(&receiver).slot;
    assert_eq!(quiet(&tasker, &receiver, None).1.next_ms, Some(HOUR));
    tasker.await_quiet(9, Some(place.travel(HOUR, true)));
    assert_eq!(timed_out(&receiver), slot);
}

#[test]
fn it_is_quiet_when_it_knows_what_others_have_committed() {
    let place = Place::new();
    let (first, of_first) = place.open();
    let (second, of_second) = place.open();
    for n in 0..20 {
        second.submit([Input::Add(3, delayed(HOUR + n))]);
        assert!(answer(&of_second, 3).is_ok());
        let (at_second, _) = quiet(&second, &of_second, None);
        let (at_first, said) = quiet(&first, &of_first, None);
        assert_eq!((at_first, said.next_ms), (at_second, Some(HOUR)));
    }
}

#[test]
fn what_a_dead_owner_left_is_recovered_before_it_is_quiet() {
    let place = Place::new();
    let (first, of_first) = place.open();
    let (second, of_second) = place.open();
    first.submit([Input::Add(3, task("a"))]);
    start(&of_first);
    drop(first);
    second.await_quiet(9, None);
    start(&of_second);
    assert!(answer(&of_second, 9).is_ok());
}

#[test]
fn housekeeping_goes_on_while_the_clock_stands() {
    let place = Place::new();
    let (first, of_first) = place.open();
    let (second, of_second) = place.open();
    first.submit([Input::Add(3, task("b")), Input::Assign(4, "b".into(), None)]);
    let Ok(Answer::Task(id)) = answer(&of_first, 3) else { panic!("the task is added") };
    second.submit([Input::AwaitEnd(5, id)]);
    let slot = start(&of_first).slot;
    first.submit([Input::Settle(slot, Settlement::Returned(None))]);
    // Nobody asks the second one anything: it looks by itself.
    assert!(matches!(answer(&of_second, 5), Ok(Answer::Ended(_))));
    assert_eq!(place.clock.now(), Now { wall: BEGIN, mono: MonoMs(0) });
}

#[test]
fn whoever_waits_for_quiet_hears_of_the_close() {
    let place = Place::new();
    let (tasker, receiver) = place.open();
    tasker.submit([Input::Close(3, StopOptions::default())]);
    assert!(answer(&receiver, 3).is_ok());
    tasker.await_quiet(9, None);
    assert_eq!(code(answer(&receiver, 9)), Code::Closed);
}

/// Refuses commits as long as it is told to.
#[derive(Clone, Default)]
struct FullDisk(Arc<AtomicBool>);

impl Hooks for FullDisk {
    fn commit(&mut self, transaction: Box<dyn Transaction + '_>, batch: &Batch) -> Commit {
        match self.0.load(Ordering::SeqCst) {
            true => Commit::NotCommitted(Error::new(Code::Full, "the disk is full")),
            false => transaction.commit(batch),
        }
    }
}

/// F-10
#[test]
fn it_is_not_quiet_while_the_store_cannot_be_written_and_time_goes_by_again_when_it_can() {
    let (place, disk) = (Place::new(), FullDisk::default());
    let location = place.folder.location();
    let hooks = disk.clone();
    let opener: Opener = Box::new(move || {
        let (store, reader) = sqlite(location)()?;
        Ok((Box::new(FaultyStore::new(store, hooks)), reader))
    });
    let (tasker, receiver) = open_with_clock(opener, place.clock.clone());
    tasker.submit([
        Input::Assign(1, "a".into(), None),
        Input::Start(2),
        Input::Add(3, delayed(HOUR)),
    ]);
    assert!(answer(&receiver, 3).is_ok());
    quiet(&tasker, &receiver, None);

    disk.0.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        tasker.await_quiet(9, Some(place.travel(2 * HOUR, false)));
        assert_eq!(code(answer(&receiver, 9)), Code::Io);
    }
    disk.0.store(false, Ordering::SeqCst);
    loop {
        tasker.await_quiet(9, Some(place.travel(2 * HOUR, false)));
        if answer(&receiver, 9).is_ok() {
            break;
        }
    }
    assert_eq!(place.clock.now().wall, BEGIN.plus(HOUR));
}
