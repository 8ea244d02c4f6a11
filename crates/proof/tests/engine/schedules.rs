//! Schedules: each tick makes one task at most, and what it makes is decided in its own commit.

use tasker_core::condition::Conditions;
use tasker_core::definition::{self, Operations};
use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::operation::OperationOptions;
use tasker_core::query::Query;
use tasker_core::read::Find;
use tasker_core::reader::Reader as _;
use tasker_core::rules::Settlement;
use tasker_core::schedule::{Overlap, ScheduleSpec};
use tasker_core::schedules::{Schedule, SchedulePatch, Wanted};
use tasker_core::state::State;
use tasker_core::task::{Cause, SharedOptions, StartTime, TaskEnd, TaskRecord};
use tasker_core::time::WallMs;
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, NewSchedule, ScheduleUpdate, Ticket};
use tasker_proof::faulty_store::Call;

use crate::bench::{self, Bench};

pub(crate) const MINUTE: u64 = 60_000;
const TASK: &str = r#"{"operation":"a","data":{"n":1}}"#;

fn new_schedule(more: &str, task: &str) -> Box<NewSchedule> {
    let text = format!(r#"{{"every":"1m","task":{task}{more}}}"#);
    let (spec, defaults) = (ScheduleSpec::read(&text).unwrap(), SharedOptions::default());
    let queues = spec.overlap == Overlap::Queue;
    let names = &mut Operations::default();
    let task = definition::of_schedule(task, queues, &defaults, names).unwrap();
    Box::new(NewSchedule { wanted: Wanted { spec, defaults }, task })
}

pub(crate) fn adding(ticket: Ticket, id: &str, more: &str) -> Input {
    Input::AddSchedule(ticket, id.into(), new_schedule(more, TASK))
}

pub(crate) fn flag(answer: &Effect) -> bool {
    match answer {
        Effect::Answer(_, Answer::Flag(flag)) => *flag,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn code(answer: &Effect) -> Code {
    match answer {
        Effect::Refuse(_, error) => error.code(),
        other => panic!("{other:?}"),
    }
}

/// Whether that changed anything.
pub(crate) fn add(bench: &mut Bench, id: &str, more: &str) -> bool {
    flag(&bench.call(|ticket| adding(ticket, id, more)))
}

fn add_task(bench: &mut Bench, id: &str, more: &str, task: &str) -> bool {
    let new = new_schedule(more, task);
    flag(&bench.call(|ticket| Input::AddSchedule(ticket, id.into(), new)))
}

pub(crate) fn pause(bench: &mut Bench, id: &str, pauses: bool) -> bool {
    flag(&bench.call(|ticket| Input::PauseSchedule(ticket, id.into(), pauses)))
}

pub(crate) fn updating(ticket: Ticket, id: &str, patch: &str) -> Input {
    let patch = SchedulePatch::read(patch).unwrap();
    let update = ScheduleUpdate { patch, defaults: SharedOptions::default(), task: None };
    Input::UpdateSchedule(ticket, id.into(), Box::new(update))
}

fn update(bench: &mut Bench, id: &str, patch: &str) -> bool {
    flag(&bench.call(|ticket| updating(ticket, id, patch)))
}

pub(crate) fn trigger(bench: &mut Bench, id: &str, overlap: Option<Overlap>) -> Option<TaskId> {
    match bench.call(|ticket| Input::TriggerSchedule(ticket, id.into(), overlap)) {
        Effect::Answer(_, Answer::Found(made)) => made,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn remove(bench: &mut Bench, id: &str) -> bool {
    flag(&bench.call(|ticket| Input::RemoveSchedule(ticket, id.into())))
}

pub(crate) fn stored(bench: &Bench, id: &str) -> Option<Schedule> {
    let mut reader = bench.disk().reader();
    reader.schedules(id, 1).unwrap().pop().filter(|one| &*one.id == id)
}

/// All tasks, by number.
pub(crate) fn tasks(bench: &Bench) -> Vec<TaskRecord> {
    let mut reader = bench.disk().reader();
    let found = reader.find(&Find::all(Query::all()), &|| false).unwrap();
    let mut tasks: Vec<_> = found.into_iter().map(|found| found.task).collect();
    tasks.sort_by_key(|task| task.seq);
    tasks
}

/// The ticks that have made tasks, in minutes after the bench began.
pub(crate) fn ticks(bench: &Bench) -> Vec<i64> {
    let ticks = tasks(bench).into_iter().filter_map(|task| task.def.options.scheduled_at);
    ticks.map(|at| (at.0 - 1_700_000_000_000) / MINUTE as i64).collect()
}

pub(crate) fn states(bench: &Bench) -> Vec<State> {
    tasks(bench).iter().map(|task| task.state).collect()
}

pub(crate) fn settle(bench: &mut Bench) {
    bench.settle_oldest(Settlement::Returned(None));
}

#[test]
fn each_tick_adds_a_task_that_says_which_it_is() {
    let mut bench = Bench::started(9);
    assert!(add(&mut bench, "mail é", ""));
    assert_eq!(bench.next_timer(), Some(bench.wall().plus(MINUTE)));
    bench.advance(MINUTE - 1);
    assert!(bench.starts().is_empty());
    let effects = bench.advance(1);
    let [task] = &tasks(&bench)[..] else { panic!() };
    let is_told = |effect: &Effect| matches!(effect, Effect::Added(id) if *id == task.id);
    assert!(effects.iter().any(is_told), "{effects:?}");
    assert_eq!((bench.starts(), task.state), (vec![task.id], State::Running));
    let options = &task.def.options;
    assert_eq!(options.schedule_id.as_ref().unwrap().as_str(), r#""mail é""#);
    assert_eq!(options.scheduled_at, Some(bench.wall()));
    assert_eq!((options.start_time, options.run_at()), (None, None));
    let schedule = stored(&bench, "mail é").unwrap();
    assert_eq!((schedule.made, schedule.last.unwrap().id), (1, task.id));
    settle(&mut bench);
    bench.advance(MINUTE);
    assert_eq!(ticks(&bench), [1, 2]);
}

/// The commit that makes a task moves its schedule on.
#[test]
fn a_tick_is_one_commit_and_a_crash_before_it_makes_the_tick_come_again() {
    let mut bench = Bench::started(9);
    add(&mut bench, "mail", "");
    let before = bench.batches();
    bench.fail_next(Code::Full);
    bench.advance(MINUTE);
    assert_eq!((bench.batches(), ticks(&bench)), (before, vec![]));
    bench.crash();
    bench.turn(Vec::new());
    assert_eq!((bench.batches(), ticks(&bench)), (before + 1, vec![1]));
    bench.crash();
    bench.turn(Vec::new());
    assert_eq!(ticks(&bench), [1]);
}

#[test]
fn what_was_said_before_changes_nothing_and_writes_nothing() {
    let mut bench = Bench::started(9);
    assert!(add(&mut bench, "mail", ""));
    bench.advance(MINUTE / 2);
    let (before, schedule) = (bench.batches(), stored(&bench, "mail"));
    assert!(!add(&mut bench, "mail", r#","overlap":"skip""#), "that is the default");
    assert_eq!((bench.batches(), stored(&bench, "mail")), (before, schedule));
    assert!(add(&mut bench, "mail", r#","overlap":"allow""#));
    bench.advance(MINUTE / 2);
    assert_eq!(ticks(&bench), [1], "the phase is that of the first one");
}

/// I-2: ten processes that say the same have one schedule, and it ticks once.
#[test]
fn processes_share_a_schedule_and_a_neighbour_that_was_faster_leaves_nothing_to_do() {
    let mut bench = Bench::started(9);
    let mut neighbour = bench.beside(9);
    assert!(add(&mut bench, "mail", ""));
    assert!(!add(&mut neighbour, "mail", ""));
    assert_eq!(neighbour.next_timer(), Some(neighbour.wall().plus(MINUTE)));
    for _ in 0..3 {
        bench.wait(MINUTE);
        neighbour.wait(MINUTE);
        neighbour.turn(Vec::new());
        bench.turn(Vec::new());
        settle(&mut bench);
    }
    assert_eq!(ticks(&bench), [1, 2, 3]);
    assert_eq!(tasks(&bench).len(), 3);
}

#[test]
fn an_engine_that_is_not_started_ticks_too() {
    let mut bench = Bench::new(9);
    add(&mut bench, "mail", "");
    bench.advance(MINUTE);
    assert_eq!((ticks(&bench), states(&bench)), (vec![1], vec![State::Ready]));
}

#[test]
fn a_schedule_that_skips_has_no_second_task_and_uses_its_ticks_up() {
    let mut bench = Bench::started(9);
    add(&mut bench, "mail", "");
    for _ in 0..3 {
        bench.advance(MINUTE);
    }
    assert_eq!((ticks(&bench), stored(&bench, "mail").unwrap().made), (vec![1], 1));
    settle(&mut bench);
    assert_eq!(ticks(&bench), [1], "what was used up is not made up for");
    bench.advance(MINUTE);
    assert_eq!(ticks(&bench), [1, 4]);
    // In the turn in which the last one ends.
    bench.wait(MINUTE);
    settle(&mut bench);
    assert_eq!(ticks(&bench), [1, 4, 5]);
}

#[test]
fn a_schedule_that_queues_has_one_task_that_waits_for_the_one_before() {
    let mut bench = Bench::started(9);
    add(&mut bench, "mail", r#","overlap":"queue""#);
    for _ in 0..4 {
        bench.advance(MINUTE);
    }
    assert_eq!(ticks(&bench), [1, 2]);
    assert_eq!(states(&bench), [State::Running, State::Blocked]);
    // However the one before ends.
    bench.settle_oldest(Settlement::Threw(bench::json()));
    assert_eq!(states(&bench), [State::Failed, State::Running]);
    bench.advance(MINUTE);
    assert_eq!(ticks(&bench), [1, 2, 5]);
    assert_eq!(states(&bench), [State::Failed, State::Running, State::Blocked]);
    settle(&mut bench);
    settle(&mut bench);
    assert_eq!(states(&bench), [State::Failed, State::Done, State::Done]);
}

#[test]
fn one_that_nobody_starts_counts_as_the_one_that_waits() {
    let mut bench = Bench::new(9);
    add(&mut bench, "mail", r#","overlap":"queue""#);
    bench.advance(MINUTE);
    bench.advance(MINUTE);
    assert_eq!((ticks(&bench), states(&bench)), (vec![1], vec![State::Ready]));
}

#[test]
fn a_schedule_that_replaces_aborts_the_one_before() {
    let mut bench = Bench::started(9);
    add(&mut bench, "mail", r#","overlap":"replace""#);
    bench.advance(MINUTE);
    bench.advance(MINUTE);
    assert_eq!((ticks(&bench), bench.signals()), (vec![1, 2], &[(1, Cause::Replaced)][..]));
    assert_eq!(states(&bench), [State::Running; 2], "until its runner hears of it");
    bench.settle_oldest(Settlement::Threw(bench::json()));
    let first = tasks(&bench).remove(0);
    assert!(matches!(first.outcome, Some(TaskEnd::Aborted(Cause::Replaced, _))), "{first:?}");
    // One that waits ends at once.
    bench.call(|ticket| Input::Unassign(ticket, "a".into()));
    bench.advance(MINUTE);
    bench.advance(MINUTE);
    let all = [State::Aborted, State::Running, State::Aborted, State::Ready];
    assert_eq!(states(&bench), all);
}

#[test]
fn a_task_that_becomes_due_in_the_turn_that_replaces_it_ends() {
    let mut bench = Bench::new(9);
    let task = r#"{"operation":"a","delay":"1m"}"#;
    add_task(&mut bench, "mail", r#","overlap":"replace""#, task);
    bench.advance(MINUTE);
    assert_eq!(states(&bench), [State::Delayed]);
    bench.advance(MINUTE);
    assert_eq!(states(&bench), [State::Aborted, State::Delayed]);
}

#[test]
fn a_schedule_that_allows_it_has_as_many_as_there_are() {
    let mut bench = Bench::started(9);
    add(&mut bench, "mail", r#","overlap":"allow""#);
    for _ in 0..3 {
        bench.advance(MINUTE);
    }
    assert_eq!((ticks(&bench), states(&bench)), (vec![1, 2, 3], vec![State::Running; 3]));
}

/// I-2: `next_at` is the word, and no task has to be there for it.
#[test]
fn a_removed_task_leaves_its_tick_used_up() {
    let mut bench = Bench::started(9);
    let task = r#"{"operation":"a","retention":1}"#;
    add_task(&mut bench, "mail", "", task);
    bench.advance(MINUTE);
    settle(&mut bench);
    bench.advance(MINUTE - 1);
    assert_eq!(tasks(&bench).len(), 0);
    bench.crash();
    bench.turn(Vec::new());
    assert_eq!(tasks(&bench).len(), 0);
    bench.advance(1);
    assert_eq!(ticks(&bench), [2], "and the next one finds nothing in its way");
}

#[test]
fn what_was_missed_is_made_once_or_not_at_all_or_all_of_it() {
    for (missed, expected) in [("once", vec![90]), ("skip", vec![]), ("all", (1..=90).collect())] {
        let mut bench = Bench::new(9);
        add(&mut bench, "mail", &format!(r#","overlap":"allow","missed":"{missed}""#));
        bench.wait(90 * MINUTE + MINUTE / 2);
        if missed == "skip" {
            bench.set_wall(bench.wall().plus(MINUTE / 2 - 1));
            // The last one is no more than a minute late.
            bench.turn(Vec::new());
            assert_eq!(ticks(&bench), [90]);
            continue;
        }
        bench.turn(Vec::new());
        assert_eq!(ticks(&bench), expected, "{missed}");
        bench.advance(MINUTE / 2);
        assert_eq!(ticks(&bench).last(), Some(&91), "{missed}");
    }
}

#[test]
fn of_ticks_that_replace_one_another_the_last_makes_a_task() {
    let mut bench = Bench::new(9);
    add(&mut bench, "mail", r#","overlap":"replace","missed":"all""#);
    bench.advance(5 * MINUTE);
    assert_eq!(ticks(&bench), [5]);
}

/// One turn makes about a thousand, and the next ones the rest.
#[test]
fn what_many_schedules_have_missed_comes_in_portions_and_once() {
    let mut bench = Bench::new(9);
    for n in 0..4 {
        add(&mut bench, &format!("mail {n}"), r#","overlap":"allow","missed":"all""#);
    }
    bench.wait(700 * MINUTE);
    let before = bench.batches();
    bench.turn(Vec::new());
    let all = ticks(&bench);
    assert_eq!((all.len(), bench.batches() - before), (2_800, 2));
    assert!((1..=700).all(|tick| all.iter().filter(|one| **one == tick).count() == 4));
}

#[test]
fn more_schedules_than_a_turn_looks_at_all_tick() {
    let mut bench = Bench::new(9);
    let inputs = (0..600).map(|n| adding(bench.ticket(), &format!("{n}"), "")).collect();
    bench.turn(inputs);
    bench.advance(MINUTE);
    assert_eq!(ticks(&bench), vec![1; 600]);
}

#[test]
fn a_limit_counts_tasks_and_then_it_is_over_and_stays() {
    let mut bench = Bench::started(9);
    add(&mut bench, "mail", r#","limit":2"#);
    bench.advance(MINUTE);
    bench.advance(MINUTE);
    assert_eq!(stored(&bench, "mail").unwrap().made, 1, "a tick without a task does not count");
    settle(&mut bench);
    bench.advance(MINUTE);
    assert_eq!(ticks(&bench), [1, 3]);
    let schedule = stored(&bench, "mail").unwrap();
    assert_eq!((schedule.made, schedule.next_at), (2, None));
    assert_eq!(bench.next_timer(), None);
    settle(&mut bench);
    assert!(update(&mut bench, "mail", r#"{"limit":3}"#));
    bench.advance(MINUTE);
    assert_eq!(ticks(&bench), [1, 3, 4]);
}

#[test]
fn nothing_comes_after_the_end() {
    let mut bench = Bench::started(9);
    let end = bench.wall().plus(2 * MINUTE);
    add(&mut bench, "mail", &format!(r#","overlap":"allow","endAt":{}"#, end.0));
    bench.advance(9 * MINUTE);
    assert_eq!((ticks(&bench), bench.next_timer()), (vec![2], None));
}

#[test]
fn a_paused_schedule_misses_its_ticks_and_goes_on_with_the_next() {
    let mut bench = Bench::started(9);
    add(&mut bench, "mail", r#","overlap":"allow","missed":"all""#);
    assert!(pause(&mut bench, "mail", true));
    assert!(!pause(&mut bench, "mail", true));
    bench.advance(5 * MINUTE + 7);
    assert!(ticks(&bench).is_empty());
    assert!(pause(&mut bench, "mail", false));
    assert!(!pause(&mut bench, "mail", false));
    assert!(ticks(&bench).is_empty());
    bench.advance(MINUTE - 7);
    assert_eq!(ticks(&bench), [6]);
    // In the turn in which it is due, the pause comes first.
    bench.wait(MINUTE);
    pause(&mut bench, "mail", true);
    assert_eq!(ticks(&bench), [6]);
}

#[test]
fn adding_it_again_ends_no_pause() {
    let mut bench = Bench::started(9);
    add(&mut bench, "mail", "");
    pause(&mut bench, "mail", true);
    assert!(!add(&mut bench, "mail", ""));
    assert!(add(&mut bench, "mail", r#","overlap":"allow""#));
    bench.advance(MINUTE);
    assert!(ticks(&bench).is_empty());
    assert!(stored(&bench, "mail").unwrap().paused_at.is_some());
}

#[test]
fn an_update_keeps_what_it_does_not_name_and_another_rule_begins_anew() {
    let mut bench = Bench::started(9);
    add(&mut bench, "mail", r#","overlap":"allow""#);
    bench.advance(MINUTE + 20_000);
    assert!(update(&mut bench, "mail", r#"{"every":"2m"}"#));
    assert!(!update(&mut bench, "mail", r#"{"every":"2m"}"#));
    let schedule = stored(&bench, "mail").unwrap();
    assert_eq!(schedule.next_at, Some(bench.wall().plus(2 * MINUTE)));
    assert_eq!((schedule.made, schedule.spec().overlap), (1, Overlap::Allow));
    let answer = bench.call(|ticket| updating(ticket, "mail", r#"{"every":"x"}"#));
    assert_eq!(code(&answer), Code::Invalid);
    let answer = bench.call(|ticket| updating(ticket, "mail", r#"{"task":{"data":1}}"#));
    let Effect::Refuse(_, error) = answer else { panic!() };
    assert_eq!(error.facts().path.as_deref(), Some("task.operation"));
    assert_eq!(stored(&bench, "mail"), Some(schedule));
}

#[test]
fn a_duplicate_uses_the_tick_up() {
    let mut bench = Bench::started(9);
    let task = r#"{"operation":"a","unique":{"key":"k","onConflict":"reject"}}"#;
    add_task(&mut bench, "mail", r#","overlap":"allow""#, task);
    bench.advance(MINUTE);
    let effects = bench.advance(MINUTE);
    assert_eq!(ticks(&bench), [1]);
    let refused = effects.iter().any(|effect| {
        matches!(effect, Effect::TickRefused(_, _, error) if error.code() == Code::Duplicate)
    });
    assert!(refused, "{effects:?}");
    let task = r#"{"operation":"a","unique":{"key":"k"}}"#;
    add_task(&mut bench, "mail", r#","overlap":"allow""#, task);
    let effects = bench.advance(MINUTE);
    assert!(!effects.iter().any(|one| matches!(one, Effect::TickRefused(..))), "{effects:?}");
    let first = tasks(&bench).remove(0).id;
    assert_eq!(trigger(&mut bench, "mail", None), Some(first), "the earlier one");
    settle(&mut bench);
    bench.advance(MINUTE);
    assert_eq!(ticks(&bench), [1, 4]);
    assert_eq!(stored(&bench, "mail").unwrap().made, 2);
}

/// I-2: what is made and triggered in one turn knows the keys that others have.
#[test]
fn a_trigger_in_the_turn_of_its_schedule_finds_the_holder_of_its_key() {
    let mut bench = Bench::started(9);
    let task = r#"{"operation":"a","unique":{"key":"k"}}"#;
    let def = new_schedule("", task).task;
    let answer = bench.call(|ticket| Input::Add(ticket, def));
    let Effect::Answer(_, Answer::Adds(added)) = answer else { panic!() };
    let (one, two) = (bench.ticket(), bench.ticket());
    let new = Input::AddSchedule(one, "mail".into(), new_schedule("", task));
    let effects = bench.turn(vec![new, Input::TriggerSchedule(two, "mail".into(), None)]);
    let found = |effect: &Effect| match effect {
        Effect::Answer(_, Answer::Found(id)) => *id,
        _ => None,
    };
    assert_eq!(effects.iter().find_map(found), Some(added[0].0));
    assert_eq!(tasks(&bench).len(), 1);
}

#[test]
fn a_task_that_the_store_refuses_uses_its_tick_up_and_the_schedule_goes_on() {
    let mut bench = Bench::started(9);
    let gone = bench.add("a", 0.0);
    let task = format!(r#"{{"operation":"a","dependsOn":["{}"]}}"#, gone.0);
    add_task(&mut bench, "mail", "", &task);
    settle(&mut bench);
    bench.call(|ticket| Input::Remove(ticket, gone));
    let effects = bench.advance(MINUTE);
    let refused = effects.iter().find_map(|effect| match effect {
        Effect::TickRefused(id, tick, error) => Some((id.to_string(), *tick, error.code())),
        _ => None,
    });
    assert_eq!(refused, Some(("mail".into(), bench.wall(), Code::NotFound)));
    let schedule = stored(&bench, "mail").unwrap();
    assert_eq!((schedule.made, schedule.next_at), (0, Some(bench.wall().plus(MINUTE))));
    let answer = bench.call(|ticket| Input::TriggerSchedule(ticket, "mail".into(), None));
    assert_eq!(code(&answer), Code::NotFound);
}

#[test]
fn jitter_and_delay_put_the_start_off_and_not_the_tick() {
    let mut bench = Bench::started(9);
    let task = r#"{"operation":"a","delay":1000}"#;
    add_task(&mut bench, "mail", r#","jitter":"30s""#, task);
    bench.advance(MINUTE);
    let task = tasks(&bench).remove(0);
    let tick = bench.wall();
    assert_eq!((task.state, task.def.options.scheduled_at), (State::Delayed, Some(tick)));
    let spec = stored(&bench, "mail").unwrap().wanted.spec;
    let wait = 1_000 + spec.jitter("mail", tick);
    assert_eq!(task.def.options.start_time, Some(StartTime::Delayed(tick.plus(wait))));
    bench.advance(wait);
    assert_eq!(bench.starts(), [task.id]);
    // A delay by hand counts from then on, without jitter.
    settle(&mut bench);
    let id = trigger(&mut bench, "mail", None).unwrap();
    let start = bench.get(id).task.def.options.run_at();
    assert_eq!(start, Some(bench.wall().plus(1_000)));
}

#[test]
fn a_task_takes_from_its_operation_what_holds_when_it_is_made() {
    let mut bench = Bench::started(9);
    add(&mut bench, "mail", "");
    let options = OperationOptions { priority: Some(bench::priority(7.0)), ..Default::default() };
    bench.call(|ticket| Input::Define(ticket, "a".into(), options));
    bench.advance(MINUTE);
    assert_eq!(tasks(&bench)[0].def.priority, bench::priority(7.0));
}

/// Of the tasker that said so, in whatever process the tick comes.
#[test]
fn a_task_has_the_defaults_with_which_its_schedule_was_made() {
    let mut bench = Bench::started(9);
    let mut new = new_schedule("", TASK);
    new.wanted.defaults.run_timeout_ms = Some(7_000);
    bench.call(|ticket| Input::AddSchedule(ticket, "mail".into(), new));
    bench.crash();
    bench.advance(MINUTE);
    assert_eq!(tasks(&bench)[0].def.options.run_timeout_ms, Some(7_000));
}

#[test]
fn a_task_has_the_conditions_that_its_definition_says() {
    let mut bench = Bench::started(9);
    let text = r#"[{"scope":"running","query":{"data.n":1},"limit":0}]"#;
    let task = format!(r#"{{"operation":"a","data":{{"n":1}},"concurrency":{text}}}"#);
    add_task(&mut bench, "mail", r#","overlap":"allow""#, &task);
    bench.advance(MINUTE);
    bench.advance(MINUTE);
    assert_eq!(states(&bench), [State::Running, State::Ready]);
    let conditions = Conditions::read(text, "concurrency").unwrap();
    assert_eq!(*tasks(&bench)[0].def.conditions(), conditions);
}

#[test]
fn a_clock_that_is_set_back_brings_no_tick_again() {
    let mut bench = Bench::started(9);
    add(&mut bench, "mail", r#","overlap":"allow""#);
    bench.advance(MINUTE);
    bench.set_back(30_000);
    for _ in 0..3 {
        bench.advance(10_000);
    }
    assert_eq!(ticks(&bench), [1]);
    bench.advance(MINUTE);
    assert_eq!(ticks(&bench), [1, 2]);
    bench.set_back(90_000);
    assert!(add(&mut bench, "mail", r#","overlap":"skip""#));
    pause(&mut bench, "mail", true);
    pause(&mut bench, "mail", false);
    bench.advance(90_000);
    assert_eq!(ticks(&bench), [1, 2]);
    let next = stored(&bench, "mail").unwrap().next_at;
    assert_eq!(next, Some(WallMs(1_700_000_000_000).plus(3 * MINUTE)));
}

#[test]
fn a_neighbour_whose_clock_is_ahead_makes_the_tick_and_it_is_made_once() {
    let mut bench = Bench::started(9);
    let mut ahead = bench.beside(9);
    add(&mut bench, "mail", r#","overlap":"allow""#);
    ahead.advance(MINUTE);
    assert_eq!(ticks(&bench), [1]);
    bench.advance(MINUTE);
    assert_eq!(ticks(&bench), [1]);
    ahead.advance(MINUTE);
    bench.advance(MINUTE);
    assert_eq!(ticks(&bench), [1, 2]);
}

#[test]
fn a_tick_of_a_paused_operation_waits_and_a_hold_holds_it() {
    let mut bench = Bench::started(9);
    bench.call(|ticket| Input::PauseOperation(ticket, "a".into(), true));
    add(&mut bench, "mail", "");
    bench.advance(MINUTE);
    assert_eq!(states(&bench), [State::Ready]);
    bench.call(|ticket| Input::PauseOperation(ticket, "a".into(), false));
    assert_eq!(states(&bench), [State::Running]);
}

#[test]
fn a_look_that_fails_makes_the_tick_wait_and_no_more() {
    for call in [Call::Schedules, Call::CountSchedules] {
        let mut bench = Bench::started(9);
        if call == Call::CountSchedules {
            bench.fail_call(call, Code::Busy);
            assert_eq!(code(&bench.call(|ticket| adding(ticket, "mail", ""))), Code::Busy);
            assert_eq!(stored(&bench, "mail"), None);
            continue;
        }
        add(&mut bench, "mail", "");
        bench.fail_call(call, Code::Busy);
        bench.advance(MINUTE);
        assert!(ticks(&bench).is_empty());
        bench.advance(100);
        assert_eq!(ticks(&bench), [1]);
    }
}

#[test]
fn a_program_without_schedules_asks_for_none() {
    let mut bench = Bench::started(9);
    bench.add_with("a", |def| def.options.start_time = Some(StartTime::After(5)));
    bench.fail_call(Call::Schedules, Code::Busy);
    bench.advance(5);
    assert_eq!(bench.starts().len(), 1);
}
