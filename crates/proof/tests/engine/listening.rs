//! Listening to the logs of a task: who is told that there is more, and when.

use tasker_core::id::TaskId;
use tasker_core::rules::Settlement;
use tasker_core::task::{Cause, Level};
use tasker_engine::client_id::ClientId;
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, Record, Ticket};

use crate::bench::{Bench, reason};

/// The ticket of the first wait, which names the listener.
const LISTENER: Ticket = 1_000;

fn wait(id: TaskId, ticket: Ticket) -> Input {
    Input::AwaitLogs(ticket, id, LISTENER)
}

/// Whether a wait was answered.
fn is_told(effects: &[Effect], ticket: Ticket) -> bool {
    let is_it = |effect: &Effect| matches!(effect, Effect::Answer(t, Answer::Done) if *t == ticket);
    effects.iter().filter(|effect| is_it(effect)).count() == 1
}

fn line(slot: u64) -> Input {
    let (level, at, fields) = (Level::Info, None, None);
    Input::Record(slot, Record::Log { level, at, message: "x".into(), fields })
}

/// A listener that has read everything and waits with this ticket.
fn listening(bench: &mut Bench, id: TaskId, ticket: Ticket) {
    assert!(is_told(&bench.turn(vec![wait(id, LISTENER)]), LISTENER), "a new one reads at once");
    assert!(!is_told(&bench.turn(vec![wait(id, ticket)]), ticket));
}

#[test]
fn a_line_of_the_same_process_and_the_end_of_its_task_are_told() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    listening(&mut bench, id, 1_001);
    assert!(is_told(&bench.turn(vec![line(1)]), 1_001));
    assert!(!is_told(&bench.turn(vec![wait(id, 1_002)]), 1_002), "that line was told");
    let effects = bench.turn(vec![Input::Settle(1, Settlement::Returned(None))]);
    assert!(is_told(&effects, 1_002));
}

#[test]
fn what_comes_while_the_listener_reads_answers_its_next_wait() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    bench.turn(vec![wait(id, LISTENER)]);
    bench.turn(vec![line(1), line(1)]);
    assert!(is_told(&bench.turn(vec![wait(id, 1_001)]), 1_001));
    // In one turn with the line: it may have been read before.
    assert!(is_told(&bench.turn(vec![wait(id, 1_002), line(1)]), 1_002));
}

/// I-11
#[test]
fn lines_ends_and_removals_of_another_process_are_told() {
    let mut one = Bench::new(1);
    let mut two = one.beside(1);
    two.assign("a", None);
    let id = one.add("a", 0.0);
    two.look();
    listening(&mut one, id, 1_001);
    two.turn(vec![line(1)]);
    assert!(is_told(&one.look(), 1_001));
    one.turn(vec![wait(id, 1_002)]);
    two.settle_oldest(Settlement::Returned(None));
    assert!(is_told(&one.look(), 1_002));
    one.turn(vec![wait(id, 1_003)]);
    two.call(|ticket| Input::Remove(ticket, id));
    assert!(is_told(&one.look(), 1_003));
}

#[test]
fn a_task_that_ends_without_a_run_or_is_removed_here_is_told() {
    let mut bench = Bench::new(1);
    let id = bench.add("a", 0.0);
    listening(&mut bench, id, 1_001);
    let effects = bench.turn(vec![Input::Abort(7, id, reason(Cause::User))]);
    assert!(is_told(&effects, 1_001));
    bench.turn(vec![wait(id, 1_002)]);
    assert!(is_told(&bench.turn(vec![Input::Remove(8, id)]), 1_002));
}

#[test]
fn one_that_has_left_is_told_nothing() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    listening(&mut bench, id, 1_001);
    bench.turn(vec![Input::CancelAwait(9, LISTENER)]);
    assert!(!is_told(&bench.turn(vec![line(1)]), 1_001));
    listening(&mut bench, id, 1_002);
    bench.turn(vec![Input::Leave(ClientId::FIRST)]);
    assert!(bench.memory().log_listeners.is_empty());
}
