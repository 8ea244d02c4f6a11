//! Tasks that end when the last tasker stops that offers their operation.

use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::key::{OnConflict, Unique, UniqueWhile};
use tasker_core::patch::Patch;
use tasker_core::retry;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{Cause, NewTask, OnStop, OnStopWaiting, StartTime, TaskEnd};
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, RetryOptions, StopOptions, Ticket, Update};
use tasker_engine::turn::Next;

use crate::bench::{Bench, def, json, reason};

const HOUR_MS: u64 = 3_600_000;
const STOP_MS: u64 = 1_000;

fn lapse(def: &mut NewTask) {
    def.options.on_stop_waiting = OnStopWaiting::Abort;
}

fn add_with(bench: &mut Bench, change: impl FnOnce(&mut NewTask)) -> TaskId {
    bench.add_with("a", |def| {
        lapse(def);
        change(def);
    })
}

/// One that waits, for the operation is paused.
fn add(bench: &mut Bench) -> TaskId {
    add_with(bench, |_| ())
}

/// A process that has a runner for operation `a`, of which nothing starts.
fn idle() -> Bench {
    let mut bench = Bench::started(9);
    bench.call(|ticket| Input::PauseOperation(ticket, "a".into(), true));
    bench
}

/// Another one like it.
fn beside(bench: &Bench) -> Bench {
    let mut other = bench.beside(9);
    other.assign("a", None);
    other
}

fn stopping(ticket: Ticket, on_stop: OnStop) -> Input {
    let options = StopOptions { on_stop: Some(on_stop), timeout_ms: Some(STOP_MS) };
    Input::Stop(ticket, options)
}

fn stop(bench: &mut Bench) -> Vec<Effect> {
    let ticket = bench.ticket();
    bench.turn(vec![stopping(ticket, OnStop::Wait)])
}

fn has_lapsed(bench: &Bench, id: TaskId) -> bool {
    matches!(bench.outcome(id), Some(TaskEnd::Aborted(Cause::Stop, _)))
}

fn ended(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::TaskEnded(..))).count()
}

#[test]
fn who_stops_last_ends_what_waits_and_no_sooner() {
    let mut one = idle();
    let mut two = beside(&one);
    let first = add_with(&mut one, |def| def.operation = "b".into());
    let waiting = [
        add(&mut one),
        add_with(&mut one, |def| def.options.start_time = Some(StartTime::After(HOUR_MS))),
        add_with(&mut one, |def| {
            let (on, on_failure) = (vec![Dependency::Task(first)], OnFailure::Abort);
            let all = Dependencies { on, on_failure, is_list: false };
            def.options.depends_on = Some(all.into());
        }),
        add(&mut one),
    ];
    one.call(|ticket| Input::Pause(ticket, waiting[3]));
    let kept = one.add("a", 0.0);
    stop(&mut one);
    assert!(waiting.iter().all(|id| !has_lapsed(&one, *id)), "the other one offers it");
    let effects = stop(&mut two);
    assert_eq!(ended(&effects), waiting.len());
    assert!(waiting.iter().all(|id| has_lapsed(&two, *id)));
    assert_eq!((two.state(kept), two.state(first)), (State::Ready, State::Ready));
    assert_eq!(two.waits(), 0, "what depended on others has let go of them");
}

#[test]
fn a_close_is_a_stop() {
    let mut bench = idle();
    let id = add(&mut bench);
    let ticket = bench.ticket();
    let effects = bench.turn(vec![Input::Close(ticket, StopOptions::default())]);
    assert!(matches!(effects.last(), Some(Effect::Closed(None))), "{effects:?}");
    assert_eq!(ended(&effects), 1);
    assert!(has_lapsed(&bench, id));
}

#[test]
fn a_crash_and_a_runner_that_goes_are_no_stop() {
    let mut bench = idle();
    let id = add(&mut bench);
    bench.crash();
    assert_eq!(bench.state(id), State::Ready);
    bench.call(Input::Start);
    bench.assign("a", None);
    bench.call(|ticket| Input::Unassign(ticket, "a".into()));
    stop(&mut bench);
    assert_eq!(bench.state(id), State::Ready, "who stops does not offer it");
    bench.assign("a", None);
    stop(&mut bench);
    assert_eq!(bench.state(id), State::Ready, "who stops is not started");
}

#[test]
fn what_runs_when_the_stop_begins_stays_whatever_becomes_of_it() {
    for on_stop in [OnStop::Postpone, OnStop::Wait] {
        let mut bench = Bench::started(2);
        let id = add_with(&mut bench, |def| {
            def.options.retry = retry::read("3", "retry").ok().map(Into::into);
        });
        let halts = add(&mut bench);
        bench.call(|ticket| Input::Pause(ticket, halts));
        let waits = add(&mut bench);
        let ticket = bench.ticket();
        bench.turn(vec![stopping(ticket, on_stop)]);
        if on_stop == OnStop::Wait {
            bench.settle_oldest(Settlement::Threw(json()));
            bench.advance(STOP_MS);
        }
        assert_eq!((bench.state(id), bench.state(halts)), (State::Ready, State::Paused));
        assert!(has_lapsed(&bench, waits));
        // The next stop meets them as any that wait.
        bench.call(|ticket| Input::PauseOperation(ticket, "a".into(), true));
        bench.call(Input::Start);
        stop(&mut bench);
        assert!(has_lapsed(&bench, id) && has_lapsed(&bench, halts));
    }
}

/// Who is dead and has not been found to be.
#[test]
fn the_dead_keep_nothing_that_waits() {
    let mut one = idle();
    let two = beside(&one);
    let id = add(&mut one);
    two.die();
    stop(&mut one);
    assert!(has_lapsed(&one, id));
}

#[test]
fn who_comes_while_they_end_keeps_the_rest() {
    let mut one = idle();
    let mut two = one.beside(9);
    let id = add(&mut one);
    let ticket = one.ticket();
    let (next, effects) = one.turn_once(vec![stopping(ticket, OnStop::Wait)]);
    assert_eq!((next, effects.len()), (Next::Again, 0), "it has not ended yet");
    two.assign("a", None);
    one.turn(Vec::new());
    assert_eq!(one.state(id), State::Ready);
    stop(&mut two);
    assert!(has_lapsed(&two, id));
}

#[test]
fn what_comes_with_the_stop_ends_and_what_comes_later_waits() {
    let mut bench = idle();
    let (t, u) = (bench.ticket(), bench.ticket());
    let mut new = def("a");
    lapse(&mut new);
    let inputs = vec![stopping(t, OnStop::Wait), Input::Add(u, new.clone())];
    let (next, effects) = bench.turn_once(inputs);
    let [Effect::Answer(_, Answer::Task(with))] = effects[..] else { panic!("{effects:?}") };
    assert_eq!(next, Next::Again);
    let ticket = bench.ticket();
    let effects = bench.turn(vec![Input::Add(ticket, new)]);
    let Effect::Answer(_, Answer::Task(later)) = effects[0] else { panic!("{effects:?}") };
    assert!(has_lapsed(&bench, with));
    assert_eq!(bench.state(later), State::Ready);
}

/// I-1: whoever is killed meanwhile.
#[test]
fn many_end_in_portions_and_a_crash_leaves_the_rest_waiting() {
    let mut bench = idle();
    let ticket = bench.ticket();
    let mut new = def("a");
    lapse(&mut new);
    bench.turn(vec![Input::AddMany(ticket, vec![new; 2_500])]);
    let ticket = bench.ticket();
    let (next, _) = bench.turn_once(vec![stopping(ticket, OnStop::Wait)]);
    assert_eq!(next, Next::Again);
    let (_, effects) = bench.turn_once(Vec::new());
    assert_eq!(ended(&effects), 1_024);
    bench.crash();
    let waiting = |bench: &Bench| bench.memory().counts.get(State::Ready);
    assert_eq!(waiting(&bench), 2_500 - 1_024);
    bench.assign("a", None);
    bench.call(Input::Start);
    let effects = stop(&mut bench);
    assert_eq!((ended(&effects), waiting(&bench)), (2_500 - 1_024, 0));
    assert!(matches!(effects.last(), Some(Effect::Answer(_, Answer::Done))), "when all have");
}

#[test]
fn a_stop_that_cannot_write_gives_up_with_its_timeout() {
    let mut bench = idle();
    let id = add(&mut bench);
    let ticket = bench.ticket();
    bench.turn_once(vec![stopping(ticket, OnStop::Wait)]);
    bench.fail_next(Code::Full);
    assert!(bench.turn(Vec::new()).is_empty(), "it waits for the disk");
    bench.fail_next(Code::Full);
    let effects = bench.advance(STOP_MS);
    assert!(matches!(effects[..], [Effect::Answer(_, Answer::Done)]), "{effects:?}");
    bench.turn(Vec::new());
    assert_eq!(bench.state(id), State::Ready);
}

#[test]
fn what_a_task_says_last_counts() {
    let mut bench = idle();
    let update = |bench: &mut Bench, id, word: &str| {
        let patch = Patch::read(&format!(r#"{{"onStopWaiting":"{word}"}}"#)).unwrap();
        let update = Update { patch, only_if: None };
        bench.call(|ticket| Input::Update(ticket, id, Box::new(update)));
    };
    let (stays, goes) = (add(&mut bench), bench.add("a", 0.0));
    update(&mut bench, stays, "keep");
    update(&mut bench, goes, "abort");
    let unique = |lapses: bool| {
        let (key, hold, ttl_ms) = ("k".into(), UniqueWhile::Unfinished, None);
        let on_conflict = OnConflict::Replace;
        let mut def = def("a");
        def.options.unique = Some(Unique { key, hold, ttl_ms, on_conflict }.into());
        if lapses {
            lapse(&mut def);
        }
        def
    };
    let ticket = bench.ticket();
    let effects = bench.turn(vec![Input::Add(ticket, unique(true))]);
    let Effect::Answer(_, Answer::Adds(adds)) = &effects[0] else { panic!("{effects:?}") };
    let (replaced, _) = adds[0];
    bench.call(|ticket| Input::Add(ticket, unique(false)));
    let again = add(&mut bench);
    bench.call(|ticket| Input::Abort(ticket, again, reason(Cause::User)));
    bench.call(|ticket| Input::Retry(ticket, again, RetryOptions::default()));
    stop(&mut bench);
    assert_eq!((bench.state(stays), bench.state(replaced)), (State::Ready, State::Ready));
    assert!(has_lapsed(&bench, goes) && has_lapsed(&bench, again));
}
