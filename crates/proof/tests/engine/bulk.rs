//! The same for many tasks: each is met as if it had been named alone.

use tasker_core::id::{Seq, TaskId};
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::Cause;
use tasker_engine::effect::{Answer, BulkOutcome, Effect, Skipped};
use tasker_engine::input::{Bulk, BulkVerb, Input, RetryOptions};

use crate::bench::{Bench, reason};

/// One that waits, one that runs, one that is done, and the number of none.
fn four(bench: &mut Bench) -> ([TaskId; 3], Vec<Seq>) {
    let done = bench.add("a", 0.0);
    bench.settle_oldest(Settlement::Returned(None));
    let (running, waiting) = (bench.add("a", 0.0), bench.add("a", 0.0));
    let ids = [waiting, running, done];
    let mut seqs = ids.map(|id| bench.get(id).task.seq).to_vec();
    seqs.push(Seq(999));
    (ids, seqs)
}

fn bulk(bench: &mut Bench, seqs: &[Seq], verb: BulkVerb, is_dry: bool) -> BulkOutcome {
    let bulk = Bulk { seqs: seqs.to_vec(), verb, is_dry };
    match bench.call(|ticket| Input::Bulk(ticket, bulk)) {
        Effect::Answer(_, Answer::Bulk(outcome)) => outcome,
        other => panic!("{other:?}"),
    }
}

fn outcome(changed: u64, skipped: &[(Skipped, u64)]) -> BulkOutcome {
    BulkOutcome { changed, skipped: skipped.iter().copied().collect() }
}

#[test]
fn each_verb_meets_each_task_and_a_dry_run_says_the_same_and_changes_nothing() {
    let abort = || BulkVerb::Abort(reason(Cause::User));
    let retry = || BulkVerb::Retry(RetryOptions::default());
    let ended = outcome(2, &[(Skipped::NotFound, 1), (Skipped::Ended, 1)]);
    let not_ended = outcome(1, &[(Skipped::NotFound, 1), (Skipped::NotEnded, 2)]);
    let verbs: [(&dyn Fn() -> BulkVerb, BulkOutcome); 3] =
        [(&abort, ended), (&retry, not_ended.clone()), (&|| BulkVerb::Remove, not_ended)];
    for (verb, expected) in verbs {
        let mut bench = Bench::started(1);
        let (ids, seqs) = four(&mut bench);
        let before = bench.batches();
        assert_eq!(bulk(&mut bench, &seqs, verb(), true), expected);
        assert_eq!(bench.batches(), before, "nothing was to be written");
        assert_eq!(ids.map(|id| bench.state(id)), [State::Ready, State::Running, State::Done]);
        assert_eq!(bulk(&mut bench, &seqs, verb(), false), expected);
        assert_eq!(bench.batches(), before + 1, "in one commit");
    }
}

#[test]
fn an_abort_of_many_ends_what_waits_and_fires_the_signals_of_what_runs() {
    let mut bench = Bench::started(1);
    let ([waiting, running, _], seqs) = four(&mut bench);
    bulk(&mut bench, &seqs, BulkVerb::Abort(reason(Cause::User)), false);
    assert_eq!((bench.state(waiting), bench.state(running)), (State::Aborted, State::Running));
    assert_eq!(bench.signals(), [(2, Cause::User)]);
}

#[test]
fn calls_of_one_turn_come_one_after_the_other() {
    let mut bench = Bench::started(1);
    let (_, seqs) = four(&mut bench);
    let [first, second] = [(); 2].map(|()| bench.ticket());
    let remove = || Bulk { seqs: seqs.clone(), verb: BulkVerb::Remove, is_dry: false };
    let effects = bench.turn(vec![Input::Bulk(first, remove()), Input::Bulk(second, remove())]);
    let outcomes: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Answer(_, Answer::Bulk(outcome)) => Some(outcome.clone()),
            _ => None,
        })
        .collect();
    let skipped = |gone| [(Skipped::NotFound, gone), (Skipped::NotEnded, 2)];
    assert_eq!(outcomes, [outcome(1, &skipped(1)), outcome(0, &skipped(2))]);
}
