//! Calls about schedules: triggers, removals, and several of them in one turn.

use tasker_core::error::Code;
use tasker_core::schedule::Overlap;
use tasker_core::state::State;
use tasker_core::task::Cause;
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::Input;

use crate::bench::Bench;
use crate::schedules::{
    MINUTE, add, adding, code, pause, remove, settle, states, stored, tasks, ticks, trigger,
    updating,
};

#[test]
fn a_trigger_adds_a_task_now_and_uses_no_tick() {
    let mut bench = Bench::started(9);
    add(&mut bench, "mail", r#","limit":1"#);
    let id = trigger(&mut bench, "mail", None).unwrap();
    let task = bench.get(id).task;
    assert_eq!((task.state, task.def.options.scheduled_at), (State::Running, None));
    assert!(task.def.options.schedule_id.is_some());
    // The overlap holds for it, unless it says otherwise.
    assert_eq!(trigger(&mut bench, "mail", None), None);
    let other = trigger(&mut bench, "mail", Some(Overlap::Allow)).unwrap();
    assert_eq!(bench.state(other), State::Running);
    let queued = trigger(&mut bench, "mail", Some(Overlap::Queue)).unwrap();
    assert_eq!(bench.state(queued), State::Blocked);
    let instead = trigger(&mut bench, "mail", Some(Overlap::Replace)).unwrap();
    assert_eq!((bench.state(queued), bench.state(instead)), (State::Aborted, State::Running));
    assert_eq!(stored(&bench, "mail").unwrap().made, 0);
    settle(&mut bench);
    settle(&mut bench);
    settle(&mut bench);
    bench.advance(MINUTE);
    assert_eq!(ticks(&bench), [1]);
    // Also when it is over, or paused.
    settle(&mut bench);
    pause(&mut bench, "mail", true);
    assert!(trigger(&mut bench, "mail", None).is_some());
}

#[test]
fn two_triggers_in_one_turn_are_as_one_after_the_other() {
    let mut bench = Bench::started(9);
    add(&mut bench, "mail", "");
    let call = |bench: &mut Bench, overlap| {
        let tickets = [bench.ticket(), bench.ticket()];
        let input = |ticket| Input::TriggerSchedule(ticket, "mail".into(), overlap);
        let effects = bench.turn(tickets.map(input).into());
        let made = |effect: &Effect| match effect {
            Effect::Answer(_, Answer::Found(made)) => Some(*made),
            _ => None,
        };
        effects.iter().filter_map(made).collect::<Vec<_>>()
    };
    let made = call(&mut bench, None);
    assert!(made.len() == 2 && made[0].is_some() && made[1].is_none(), "{made:?}");
    let made = call(&mut bench, Some(Overlap::Replace));
    assert_eq!(made[0], made[1], "the one of this very commit is new enough");
    assert_eq!(tasks(&bench).len(), 2);
    assert_eq!(bench.signals(), [(1, Cause::Replaced)]);
}

#[test]
fn nothing_is_known_of_a_schedule_that_is_not_there() {
    let mut bench = Bench::started(9);
    assert!(!remove(&mut bench, "mail"));
    for input in [
        |ticket| Input::PauseSchedule(ticket, "mail".into(), true),
        |ticket| Input::TriggerSchedule(ticket, "mail".into(), None),
        |ticket| updating(ticket, "mail", r#"{"limit":1}"#),
    ] {
        assert_eq!(code(&bench.call(input)), Code::NotFound);
    }
}

#[test]
fn a_schedule_that_is_removed_ticks_no_more_and_its_tasks_stay() {
    let mut bench = Bench::started(9);
    add(&mut bench, "mail", "");
    bench.advance(MINUTE);
    bench.wait(MINUTE);
    assert!(remove(&mut bench, "mail"));
    assert!(!remove(&mut bench, "mail"));
    assert_eq!((ticks(&bench), states(&bench)), (vec![1], vec![State::Running]));
    assert!(add(&mut bench, "mail", ""));
    let schedule = stored(&bench, "mail").unwrap();
    assert_eq!((schedule.made, schedule.last), (0, None), "it is another one");
}

#[test]
fn calls_about_one_schedule_in_one_turn_see_one_another() {
    let mut bench = Bench::started(9);
    let mut tickets = (0..7).map(|_| bench.ticket()).collect::<Vec<_>>().into_iter();
    let mut ticket = || tickets.next().unwrap();
    let effects = bench.turn(vec![
        adding(ticket(), "mail", ""),
        adding(ticket(), "mail", ""),
        Input::PauseSchedule(ticket(), "mail".into(), true),
        Input::RemoveSchedule(ticket(), "mail".into()),
        Input::PauseSchedule(ticket(), "mail".into(), true),
        adding(ticket(), "mail", ""),
        updating(ticket(), "mail", r#"{"limit":5}"#),
    ]);
    let flags: Vec<Option<bool>> = effects
        .iter()
        .map(|effect| match effect {
            Effect::Answer(_, Answer::Flag(flag)) => Some(*flag),
            _ => None,
        })
        .collect();
    let yes = Some(true);
    assert_eq!(flags, [yes, Some(false), yes, yes, None, yes, yes]);
    let schedule = stored(&bench, "mail").unwrap();
    assert_eq!((schedule.paused_at, schedule.spec().limit), (None, Some(5)));
    bench.advance(MINUTE);
    assert_eq!(ticks(&bench), [1]);
}
