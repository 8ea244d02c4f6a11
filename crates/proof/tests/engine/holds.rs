//! Holds: what comes up and matches one waits until it is over.

use serde_json::{Value, json};
use tasker_core::condition::Conditions;
use tasker_core::error::Code;
use tasker_core::hold::{HeldBy, HoldId, HoldQuery};
use tasker_core::id::TaskId;
use tasker_core::limits::{HOLD_MS_MAX, HOLDS_MAX};
use tasker_core::patch::Patch;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{AfterQueueTimeout, Cause, Json, Priority, QueueTimeout, StartTime};
use tasker_core::time::WallMs;
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, PostponeOptions, Question, Ticket, Update};

use crate::bench::{self, Bench};

const HOUR: u64 = 3_600_000;
const BY: HeldBy = HeldBy { pid: 7, task: None };

fn holding(ticket: Ticket, query: &str, until: WallMs) -> Input {
    Input::Hold(ticket, HoldQuery::read(query).unwrap(), until, BY)
}

/// A hold for so long.
fn hold(bench: &mut Bench, query: &str, ms: u64) -> HoldId {
    let until = bench.wall().plus(ms);
    match bench.call(|ticket| holding(ticket, query, until)) {
        Effect::Answer(_, Answer::Number(id)) => HoldId(id),
        other => panic!("{other:?}"),
    }
}

fn release(bench: &mut Bench, id: HoldId) -> bool {
    match bench.call(|ticket| Input::ReleaseHold(ticket, id)) {
        Effect::Answer(_, Answer::Flag(was_live)) => was_live,
        other => panic!("{other:?}"),
    }
}

fn ask(bench: &mut Bench, question: Question) -> Value {
    match bench.call(|ticket| Input::Ask(ticket, question)) {
        Effect::Answer(_, Answer::Json(text)) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn add_of(bench: &mut Bench, account: u32, priority: f64) -> TaskId {
    bench.add_with("a", |def| {
        def.data = Some(Json::trusted(&format!(r#"{{"account":{account}}}"#)));
        def.priority = Priority::new(priority).unwrap();
    })
}

#[test]
fn what_matches_waits_until_the_hold_is_over_and_the_rest_goes_on() {
    let mut bench = Bench::started(9);
    hold(&mut bench, r#"{"data.account":7}"#, HOUR);
    let held = [add_of(&mut bench, 7, 0.0), add_of(&mut bench, 7, 5.0)];
    let other = add_of(&mut bench, 8, 0.0);
    assert_eq!(bench.starts(), [other]);
    for id in held {
        let task = bench.get(id).task;
        assert_eq!((task.state, task.attempt), (State::Delayed, 0));
        assert_eq!(task.def.options.run_at(), Some(bench.wall().plus(HOUR)));
    }
    bench.advance(HOUR - 1);
    assert_eq!(bench.starts(), [other]);
    bench.advance(1);
    assert_eq!(bench.starts(), [other, held[1], held[0]], "they come by priority");
    assert!(bench.memory().holds.is_empty(), "nothing is left of it");
    assert_eq!(bench.wait_ms(), None);
}

#[test]
fn a_release_lets_them_go_and_those_that_run_were_never_touched() {
    let mut bench = Bench::started(9);
    let runs = add_of(&mut bench, 7, 0.0);
    let id = hold(&mut bench, r#"{"data.account":7}"#, HOUR);
    let held = add_of(&mut bench, 7, 0.0);
    assert_eq!((bench.state(runs), bench.state(held)), (State::Running, State::Delayed));
    assert!(release(&mut bench, id));
    assert_eq!(bench.starts(), [runs, held]);
    assert_eq!(bench.get(held).task.def.options.run_at(), Some(bench.wall()));
    assert!(!release(&mut bench, id), "it is over");
    assert!(!release(&mut bench, HoldId(1)), "it never was");
    assert!(bench.memory().holds.is_empty());
}

#[test]
fn a_hold_is_in_force_in_the_turn_that_makes_it_and_releases_it() {
    let mut bench = Bench::started(9);
    let (one, two) = (bench.ticket(), bench.ticket());
    let until = bench.wall().plus(HOUR);
    let id = HoldId::new(bench.batches() + 1, 0);
    bench.turn(vec![Input::Add(one, bench::def("a")), holding(two, "{}", until)]);
    assert!(bench.starts().is_empty());
    assert_eq!(bench.memory().holds.0[0].id, id);
    let (one, two, three) = (bench.ticket(), bench.ticket(), bench.ticket());
    let hold = holding(two, r#"{"operation":"a"}"#, until);
    let again = Input::ReleaseHold(three, HoldId::new(bench.batches() + 1, 0));
    bench.turn(vec![Input::ReleaseHold(one, id), hold, again]);
    assert_eq!(bench.starts().len(), 1);
    assert!(bench.memory().holds.is_empty());
}

#[test]
fn what_a_runner_is_in_the_middle_of_is_not_held() {
    let mut bench = Bench::started(1);
    let id = add_of(&mut bench, 7, 0.0);
    hold(&mut bench, r#"{"data.account":7}"#, HOUR);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.state(id), State::Done);
}

#[test]
fn nothing_passes_what_a_held_task_only_seemed_to_hold_up() {
    let mut bench = Bench::new(2);
    bench.call(Input::Start);
    let exclusive = r#"[{"scope":"running","query":{"tags":"book"},"limit":0}]"#;
    let conditions = Conditions::read(exclusive, "concurrency").unwrap();
    let mut add = |tag: &str, priority: f64, has_conditions: bool| {
        bench.add_with("a", |def| {
            def.priority = Priority::new(priority).unwrap();
            def.options.tags = Some(Json::trusted(&format!(r#"["{tag}"]"#)));
            def.options.label = Some(Json::trusted(&format!(r#""{priority}""#)));
            if has_conditions {
                def.options.conditions = conditions.clone();
            }
        })
    };
    // The writer closes the door for the readers behind it, and is held itself.
    let writer = add("book", 10.0, true);
    let readers = [add("book", 9.0, false), add("book", 8.0, false)];
    let last = add("other", 1.0, false);
    hold(&mut bench, r#"{"label":"10"}"#, HOUR);
    bench.assign("a", None);
    assert_eq!(bench.starts(), readers);
    assert_eq!((bench.state(writer), bench.state(last)), (State::Delayed, State::Ready));
}

#[test]
fn of_several_holds_the_one_that_is_over_last_counts() {
    let mut bench = Bench::started(9);
    hold(&mut bench, "{}", HOUR);
    let long = hold(&mut bench, r#"{"operation":"a"}"#, 3 * HOUR);
    let short = hold(&mut bench, "{}", 2 * HOUR);
    let id = bench.add("a", 0.0);
    assert_eq!(bench.get(id).task.def.options.run_at(), Some(bench.wall().plus(3 * HOUR)));
    release(&mut bench, long);
    assert_eq!(bench.state(id), State::Delayed, "another one holds it now");
    assert_eq!(bench.get(id).task.def.options.run_at(), Some(bench.wall().plus(2 * HOUR)));
    release(&mut bench, short);
    assert_eq!(bench.get(id).task.def.options.run_at(), Some(bench.wall().plus(HOUR)));
    bench.advance(HOUR);
    assert_eq!(bench.starts(), [id]);
}

#[test]
fn a_hold_outlives_its_process_and_is_seen_by_all() {
    let mut bench = Bench::started(9);
    let mut neighbour = bench.beside(9);
    let id = hold(&mut bench, "{}", HOUR);
    neighbour.assign("a", None);
    let held = neighbour.add("a", 0.0);
    assert_eq!(neighbour.state(held), State::Delayed);
    bench.crash();
    assert_eq!(bench.memory().holds.0.len(), 1);
    assert!(release(&mut bench, id));
    neighbour.look();
    assert_eq!(neighbour.starts(), [held]);
}

#[test]
fn a_hold_that_was_released_is_over_for_a_clock_that_is_behind() {
    let mut bench = Bench::started(9);
    let mut behind = bench.beside(9);
    let id = hold(&mut bench, "{}", HOUR);
    let held = bench.add("a", 0.0);
    behind.set_back(10 * HOUR as i64);
    behind.assign("a", None);
    let (ticket, other) = (bench.ticket(), bench.ticket());
    // It dies between the release and what follows from it.
    bench.turn_once(vec![Input::ReleaseHold(ticket, id), Input::Unassign(other, "a".into())]);
    assert_eq!(bench.state(held), State::Delayed);
    bench.die();
    behind.look();
    assert_eq!(behind.starts(), [held]);
    assert!(behind.memory().holds.is_empty());
}

/// The timers that fire in the turn of a release are forgotten, and not what the release calls for.
#[test]
fn a_release_beside_timers_that_fire_is_not_forgotten_with_them() {
    let mut bench = Bench::started(9);
    let id = hold(&mut bench, "{}", HOUR);
    let held = bench.add("a", 0.0);
    let due = bench.add_with("a", |def| def.options.start_time = Some(StartTime::After(5)));
    bench.wait(5);
    assert!(release(&mut bench, id));
    assert_eq!(bench.starts(), [due, held]);
}

#[test]
fn nothing_is_left_of_a_hold_that_was_over_when_it_was_made_beside_timers_that_fire() {
    let mut bench = Bench::started(9);
    let until = bench.wall().plus(2);
    let due = bench.add_with("a", |def| def.options.start_time = Some(StartTime::After(5)));
    bench.wait(5);
    bench.call(|ticket| holding(ticket, "{}", until));
    assert_eq!(bench.starts(), [due]);
    assert!(bench.memory().holds.is_empty());
}

#[test]
fn many_are_held_and_freed_in_portions_that_a_crash_does_not_stop() {
    let mut bench = Bench::new(5_000);
    bench.call(Input::Start);
    hold(&mut bench, r#"{"operation":"a"}"#, HOUR);
    let tasks = |n: usize| (0..n).map(|_| bench::def("a")).collect();
    let ticket = bench.ticket();
    bench.turn(vec![Input::AddMany(ticket, tasks(2_500))]);
    let count = |bench: &Bench, state| bench.memory().counts.get(state);
    let ticket = bench.ticket();
    let mut turns = bench.turn_once(vec![Input::Assign(ticket, "a".into(), None)]);
    let mut seen = vec![count(&bench, State::Delayed)];
    while turns.0 == tasker_engine::turn::Next::Again {
        turns = bench.turn_once(Vec::new());
        seen.push(count(&bench, State::Delayed));
    }
    assert_eq!(seen, [1_024, 2_048, 2_500]);
    let id = bench.memory().holds.0[0].id;
    let (ticket, other) = (bench.ticket(), bench.ticket());
    bench.turn_once(vec![Input::ReleaseHold(ticket, id), Input::Unassign(other, "a".into())]);
    bench.turn_once(Vec::new());
    assert_eq!(count(&bench, State::Delayed), 2_500 - 1_024);
    bench.crash();
    bench.call(Input::Start);
    bench.assign("a", None);
    assert_eq!((count(&bench, State::Delayed), bench.starts().len()), (0, 2_500));
    assert!(bench.memory().holds.is_empty());
}

#[test]
fn a_held_task_that_is_paused_is_held_anew_when_it_is_put_back() {
    let mut bench = Bench::started(9);
    let id = hold(&mut bench, "{}", HOUR);
    let held = bench.add("a", 0.0);
    bench.call(|ticket| Input::Pause(ticket, held));
    bench.advance(HOUR / 2);
    bench.call(|ticket| Input::Resume(ticket, held));
    let task = bench.get(held).task;
    assert_eq!(
        (task.state, task.def.options.run_at()),
        (State::Delayed, Some(bench.wall().plus(HOUR / 2)))
    );
    bench.call(|ticket| Input::Pause(ticket, held));
    release(&mut bench, id);
    assert_eq!(bench.state(held), State::Paused);
    bench.call(|ticket| Input::Resume(ticket, held));
    assert_eq!(bench.starts(), [held], "nothing is left of the hold");
}

#[test]
fn a_held_task_that_is_put_off_has_a_start_time_of_its_own() {
    let mut bench = Bench::started(9);
    let id = hold(&mut bench, "{}", HOUR);
    let held = bench.add("a", 0.0);
    let options = PostponeOptions { delay_ms: Some(HOUR / 2), reason: bench::json() };
    bench.call(|ticket| Input::PostponeTask(ticket, held, options));
    release(&mut bench, id);
    assert_eq!(bench.state(held), State::Delayed, "it waits for its start time");
    bench.advance(HOUR / 2);
    assert_eq!(bench.starts(), [held]);
}

#[test]
fn a_held_task_is_aborted_prioritized_and_times_out_like_any_that_waits() {
    let mut bench = Bench::started(1);
    let id = hold(&mut bench, "{}", HOUR);
    let aborted = bench.add("a", 0.0);
    let reason = bench::reason(Cause::User);
    bench.call(|ticket| Input::Abort(ticket, aborted, reason));
    assert_eq!(bench.state(aborted), State::Aborted);
    let late = bench.add_with("a", |def| {
        let (then, ends_at) = (AfterQueueTimeout::Abort, None);
        def.options.queue_timeout = Some(QueueTimeout { after_ms: 9, then, ends_at });
    });
    let (low, high) = (bench.add("a", 0.0), bench.add("a", 0.0));
    let to = Priority::new(5.0).unwrap();
    bench.call(|ticket| Input::Prioritize(ticket, high, to));
    bench.advance(9);
    assert_eq!(bench.outcome(late).unwrap().cause(), Some(Cause::QueueTimeout));
    release(&mut bench, id);
    assert_eq!(bench.starts(), [high]);
    assert_eq!(bench.state(low), State::Ready);
}

#[test]
fn what_becomes_due_or_is_given_back_comes_up_and_is_held() {
    let mut bench = Bench::started(9);
    let later = bench.add_with("a", |def| def.options.start_time = Some(StartTime::After(50)));
    let runs = bench.add("a", 0.0);
    hold(&mut bench, "{}", HOUR);
    let options = PostponeOptions { delay_ms: None, reason: bench::json() };
    bench.call(|ticket| Input::PostponeTask(ticket, runs, options));
    bench.advance(50);
    for id in [later, runs] {
        let task = bench.get(id).task;
        assert_eq!((task.state, task.attempt), (State::Delayed, 0));
        assert!(task.def.options.is_held());
    }
    bench.advance(HOUR);
    assert_eq!(bench.starts(), [runs, later, runs]);
}

#[test]
fn too_many_and_too_long_holds_are_refused_with_the_path() {
    let mut bench = Bench::started(1);
    let refused = |bench: &mut Bench, ms: u64| {
        let until = bench.wall().plus(ms);
        match bench.call(|ticket| holding(ticket, "{}", until)) {
            Effect::Refuse(_, error) => (error.code(), error.facts().path.clone()),
            other => panic!("{other:?}"),
        }
    };
    let path = |path: &str| Some(path.to_owned());
    assert_eq!(refused(&mut bench, HOLD_MS_MAX + 1), (Code::Invalid, path("until")));
    let first = hold(&mut bench, "{}", HOLD_MS_MAX);
    for _ in 1..HOLDS_MAX {
        hold(&mut bench, "{}", HOUR);
    }
    let batches = bench.batches();
    assert_eq!(refused(&mut bench, HOUR), (Code::Limit, path("query")));
    assert_eq!(bench.batches(), batches, "it wrote nothing");
    release(&mut bench, first);
    hold(&mut bench, "{}", HOUR);
    // One whose moment has passed is over as it comes.
    bench.advance(HOUR);
    let over = hold(&mut bench, "{}", 0);
    assert!(!release(&mut bench, over));
}

#[test]
fn an_explanation_names_every_hold_and_the_list_has_the_live_ones() {
    let mut bench = Bench::started(1);
    let query = r#"{"data.account":7}"#;
    let (one, until) = (hold(&mut bench, query, HOUR), bench.wall().plus(HOUR).0);
    let other = hold(&mut bench, r#"{"operation":"b"}"#, 2 * HOUR);
    let facts = json!({
        "id": one.0, "query": { "data.account": 7 }, "since": bench.wall().0, "until": until,
        "by": { "pid": 7 },
    });
    let holds = ask(&mut bench, Question::Holds);
    assert_eq!((&holds[0], holds[1]["id"].as_u64()), (&facts, Some(other.0)));
    let held = add_of(&mut bench, 7, 0.0);
    let mut reason = facts;
    reason["reason"] = json!("hold");
    let explained = ask(&mut bench, Question::Task(held));
    assert_eq!((&explained["reasons"], &explained["runnable"]), (&json!([reason]), &json!(false)));
    // One that has not come up says so too.
    let unserved = bench.add("b", 0.0);
    let explained = ask(&mut bench, Question::Task(unserved));
    let words: Vec<_> = explained["reasons"].as_array().unwrap().iter().collect();
    assert_eq!((&words[0]["reason"], &words[1]["reason"]), (&json!("hold"), &json!("no-runner")));
    bench.advance(HOUR);
    assert_eq!(ask(&mut bench, Question::Holds).as_array().unwrap().len(), 1);
    // What it looks at may change; what is held waits all the same, and says until when.
    let third = hold(&mut bench, r#"{"priority":0,"operation":"a"}"#, HOUR);
    bench.settle_oldest(Settlement::Returned(None));
    let moved = bench.add("a", 0.0);
    let to = Priority::new(5.0).unwrap();
    bench.call(|ticket| Input::Prioritize(ticket, moved, to));
    let until = bench.wall().plus(HOUR).0;
    let expected = json!([{ "reason": "start-time", "until": until, "cause": "hold" }]);
    assert_eq!(ask(&mut bench, Question::Task(moved))["reasons"], expected);
    release(&mut bench, third);
    assert_eq!(bench.state(moved), State::Running);
}

#[test]
fn a_commit_that_fails_leaves_no_hold_and_holds_nothing() {
    let mut bench = Bench::started(9);
    bench.fail_next(Code::Full);
    let until = bench.wall().plus(HOUR);
    let refused = bench.call(|ticket| holding(ticket, "{}", until));
    assert!(matches!(refused, Effect::Refuse(..)), "{refused:?}");
    assert!(bench.memory().holds.is_empty());
    let id = bench.add("a", 0.0);
    assert_eq!(bench.starts(), [id]);
    let id = hold(&mut bench, "{}", HOUR);
    bench.fail_next(Code::Full);
    bench.call(|ticket| Input::ReleaseHold(ticket, id));
    assert_eq!(bench.memory().holds.live(bench.wall()).count(), 1);
}

#[test]
fn a_held_task_that_is_updated_stays_held_unless_it_gets_a_start_time() {
    let mut bench = Bench::started(9);
    let id = hold(&mut bench, "{}", HOUR);
    let tasks = [bench.add("a", 0.0), bench.add("a", 0.0), bench.add("a", 0.0)];
    let patches = [r#"{"label":"new"}"#, r#"{"queueTimeout":9}"#, r#"{"delay":7200000}"#];
    for (task, patch) in tasks.into_iter().zip(patches) {
        let update = Update { patch: Patch::read(patch).unwrap(), only_if: None };
        bench.call(|ticket| Input::Update(ticket, task, Box::new(update)));
        assert_eq!(bench.state(task), State::Delayed);
    }
    let held = tasks.map(|task| bench.get(task).task.def.options.is_held());
    assert_eq!(held, [true, true, false]);
    bench.advance(9);
    assert_eq!(bench.outcome(tasks[1]).unwrap().cause(), Some(Cause::QueueTimeout));
    release(&mut bench, id);
    assert_eq!(bench.starts(), [tasks[0]]);
    bench.advance(2 * HOUR);
    assert_eq!(bench.starts(), [tasks[0], tasks[2]]);
}

/// A random world found it: the store does not know of the priority yet.
#[test]
fn a_task_that_comes_up_with_a_new_priority_is_held_by_that() {
    let mut bench = Bench::started(1);
    let runs = add_of(&mut bench, 7, 0.0);
    let waits = add_of(&mut bench, 7, 0.0);
    hold(&mut bench, r#"{"priority":{"$gte":1}}"#, HOUR);
    let ticket = bench.ticket();
    bench.turn(vec![
        Input::Settle(1, Settlement::Returned(None)),
        Input::Prioritize(ticket, waits, Priority::new(5.0).unwrap()),
    ]);
    assert_eq!((bench.starts(), bench.state(waits)), (vec![runs], State::Delayed));
}

#[test]
fn what_a_hold_takes_out_is_not_counted_ahead() {
    let mut bench = Bench::started(1);
    let running = add_of(&mut bench, 8, 9.0);
    add_of(&mut bench, 7, 8.0);
    add_of(&mut bench, 8, 7.0);
    add_of(&mut bench, 7, 6.0);
    let last = add_of(&mut bench, 8, 5.0);
    let ahead = |bench: &mut Bench| {
        let said = ask(bench, Question::Task(last));
        let reasons = said["reasons"].as_array().unwrap();
        let order = reasons.iter().find(|reason| reason["reason"] == "order");
        order.map(|order| order["ahead"].clone())
    };
    assert_eq!(ahead(&mut bench), Some(json!(3)));
    let id = hold(&mut bench, r#"{"data.account":7}"#, HOUR);
    assert_eq!((bench.starts(), ahead(&mut bench)), (vec![running], Some(json!(1))));
    release(&mut bench, id);
    hold(&mut bench, "{}", HOUR);
    assert_eq!(ahead(&mut bench), None, "nothing ahead of it starts");
}
