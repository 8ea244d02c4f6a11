//! Tasks that executors outside take: polls, claims, runs and leases.

use serde_json::{Value, json};
use tasker_core::batching::Batching;
use tasker_core::circuit::CircuitBreaker;
use tasker_core::condition::Conditions;
use tasker_core::error::Code;
use tasker_core::executor::Executor;
use tasker_core::id::{RunId, TaskId};
use tasker_core::operation::OperationOptions;
use tasker_core::rate::RateLimit;
use tasker_core::retry;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{
    AfterQueueTimeout, Cause, Level, Progress, QueueTimeout, TaskEnd, TaskRecord, Unsaid,
};
use tasker_core::time::WallMs;
use tasker_engine::effect::{Answer, Claim, Effect};
use tasker_engine::input::{Input, Poll, Question, Record, RetryOptions, Ticket};

use crate::bench::{self, Bench, reason};

const CLAIM_MS: u64 = 10_000;
const LEASE_MS: u64 = 120_000;
const RETRY_MS: u64 = 10_000;
const MINUTE: u64 = 60_000;

fn options() -> OperationOptions {
    OperationOptions { executor: Some(Executor::default()), ..OperationOptions::default() }
}

fn define(bench: &mut Bench, name: &str, options: OperationOptions) {
    let answer = bench.call(|ticket| Input::Define(ticket, name.into(), options));
    assert!(matches!(answer, Effect::Answer(_, Answer::Done)), "{answer:?}");
}

/// An engine that nobody has started, and whose operation `a` has an executor.
fn served() -> Bench {
    let mut bench = Bench::new(1);
    define(&mut bench, "a", options());
    bench
}

fn poll(max: usize, wait_ms: u64) -> Poll {
    Poll { operations: Some(vec!["a".into()]), max, wait_ms, name: Some("one".into()) }
}

/// What came for a ticket, if something did.
fn claims_for(effects: &[Effect], wanted: Ticket) -> Option<Vec<Claim>> {
    effects.iter().find_map(|effect| match effect {
        Effect::Answer(ticket, Answer::Claims(claims)) if *ticket == wanted => Some(claims.clone()),
        _ => None,
    })
}

/// Asks once for tasks.
fn take(bench: &mut Bench, max: usize) -> Vec<Claim> {
    match bench.call(|ticket| Input::Poll(ticket, poll(max, 0))) {
        Effect::Answer(_, Answer::Claims(claims)) => claims,
        other => panic!("{other:?}"),
    }
}

/// Begins to wait for tasks; the ticket.
fn wait_for(bench: &mut Bench, poll: Poll) -> Ticket {
    let ticket = bench.ticket();
    let effects = bench.turn(vec![Input::Poll(ticket, poll)]);
    assert_eq!(claims_for(&effects, ticket), None, "it is answered at once");
    ticket
}

fn begin(bench: &mut Bench, claim: &Claim) -> WallMs {
    match bench.call(|ticket| Input::Begin(ticket, claim.id, claim.run)) {
        Effect::Answer(_, Answer::Lease(until)) => until,
        other => panic!("{other:?}"),
    }
}

/// A task that takes from its operation what it does not say.
fn add(bench: &mut Bench) -> TaskId {
    bench.add_with("a", |def| def.unsaid = Unsaid::RETRY)
}

/// A task that an executor runs.
fn running(bench: &mut Bench) -> Claim {
    add(bench);
    let claim = take(bench, 1).remove(0);
    begin(bench, &claim);
    claim
}

fn settle(bench: &mut Bench, claim: &Claim, settlement: Settlement) -> Effect {
    bench.call(|ticket| Input::SettleOutside(ticket, claim.id, claim.run, settlement))
}

fn refusal(effect: &Effect) -> Option<Code> {
    match effect {
        Effect::Refuse(_, error) => Some(error.code()),
        _ => None,
    }
}

fn record(bench: &Bench, id: TaskId) -> TaskRecord {
    bench.get(id).task
}

fn explain(bench: &mut Bench, id: TaskId) -> Value {
    match bench.call(|ticket| Input::Ask(ticket, Question::Task(id))) {
        Effect::Answer(_, Answer::Json(text)) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn done() -> Settlement {
    Settlement::Returned(None)
}

fn failed() -> Settlement {
    Settlement::Threw(bench::json())
}

#[test]
fn a_task_is_given_to_one_poll_begins_and_is_done() {
    let mut bench = served();
    let id = add(&mut bench);
    assert_eq!(bench.state(id), State::Ready, "nobody asks for it");
    let claims = take(&mut bench, 9);
    assert_eq!((claims.len(), claims[0].id, claims[0].attempt), (1, id, 0));
    assert_eq!(claims[0].data, Some(bench::json()));
    assert_eq!(claims[0].until, bench.wall().plus(CLAIM_MS));
    assert_eq!(bench.state(id), State::Claimed);
    assert_eq!(take(&mut bench, 9), [], "it is given once");
    let ticket = bench.ticket();
    let effects = bench.turn(vec![Input::Begin(ticket, id, claims[0].run)]);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Began(other) if *other == id)));
    assert_eq!(bench.state(id), State::Running);
    let task = record(&bench, id);
    assert_eq!((task.attempt, task.attempts[0].run), (1, claims[0].run));
    let answer = settle(&mut bench, &claims[0], Settlement::Returned(Some(bench::json())));
    assert!(matches!(answer, Effect::Answer(_, Answer::Done)), "{answer:?}");
    assert_eq!(record(&bench, id).outcome, Some(TaskEnd::Done(Some(bench::json()))));
    assert!(bench.starts().is_empty(), "no runner of this process had it");
}

#[test]
fn a_poll_that_waits_is_served_in_the_turn_that_adds_a_task() {
    let mut bench = served();
    let ticket = wait_for(&mut bench, poll(5, MINUTE));
    let (one, two) = (bench.ticket(), bench.ticket());
    let adds = vec![Input::Add(one, bench::def("a")), Input::Add(two, bench::def("a"))];
    let before = bench.batches();
    let effects = bench.turn(adds);
    assert_eq!(claims_for(&effects, ticket).map(|claims| claims.len()), Some(2));
    assert_eq!(bench.batches(), before + 1, "in the commit of the adds");
}

#[test]
fn so_many_tasks_wake_so_many_polls_and_the_first_that_came_first() {
    let mut bench = served();
    let tickets: Vec<Ticket> = (0..5).map(|_| wait_for(&mut bench, poll(1, MINUTE))).collect();
    let adds = (0..3).map(|_| (bench.ticket(), bench::def("a")));
    let adds: Vec<Input> = adds.map(|(ticket, def)| Input::Add(ticket, def)).collect();
    let effects = bench.turn(adds);
    let woken: Vec<bool> =
        tickets.iter().map(|ticket| claims_for(&effects, *ticket).is_some()).collect();
    assert_eq!(woken, [true, true, true, false, false]);
    let numbers: Vec<u64> = tickets[..3]
        .iter()
        .flat_map(|ticket| claims_for(&effects, *ticket).unwrap())
        .map(|claim| bench.get(claim.id).task.seq.0)
        .collect();
    assert_eq!(numbers, [1, 2, 3], "the oldest task goes to who has waited longest");
    // Who has left is passed over.
    bench.call(|ticket| Input::Unpoll(ticket, tickets[3]));
    let ticket = bench.ticket();
    let effects = bench.turn(vec![Input::Add(ticket, bench::def("a"))]);
    assert_eq!(claims_for(&effects, tickets[3]), None);
    assert!(claims_for(&effects, tickets[4]).is_some());
}

#[test]
fn a_poll_without_operations_gets_tasks_of_all_that_have_an_executor() {
    let mut bench = served();
    define(&mut bench, "b", options());
    bench.add("c", 9.0);
    let (low, high) = (add(&mut bench), bench.add("b", 1.0));
    let all = Poll { operations: None, ..poll(5, 0) };
    let answer = bench.call(|ticket| Input::Poll(ticket, all));
    let Effect::Answer(_, Answer::Claims(claims)) = answer else { panic!("{answer:?}") };
    let ids: Vec<TaskId> = claims.iter().map(|claim| claim.id).collect();
    assert_eq!(ids, [high, low], "in the order of the queue");
    let none = Poll { operations: Some(Vec::new()), ..poll(5, MINUTE) };
    let answer = bench.call(|ticket| Input::Poll(ticket, none));
    assert!(matches!(answer, Effect::Answer(_, Answer::Claims(claims)) if claims.is_empty()));
}

#[test]
fn a_poll_that_waits_long_enough_gets_nothing_and_a_close_answers_the_rest() {
    let mut bench = served();
    let short = wait_for(&mut bench, poll(1, 500));
    let long = wait_for(&mut bench, poll(1, MINUTE));
    assert_eq!(bench.wait_ms(), Some(500), "the engine turns then");
    let effects = bench.advance(500);
    assert_eq!(claims_for(&effects, short), Some(Vec::new()));
    assert_eq!(claims_for(&effects, long), None);
    let ticket = bench.ticket();
    let effects = bench.turn(vec![Input::Close(ticket, Default::default())]);
    assert_eq!(claims_for(&effects, long), Some(Vec::new()));
}

#[test]
fn who_closes_offers_nothing_to_executors_any_more() {
    let mut bench = served();
    wait_for(&mut bench, poll(1, MINUTE));
    bench.look();
    assert_eq!(bench.memory().offers.iter().count(), 1, "somebody polls");
    let other = Bench::on(bench.disk(), 1);
    assert!(other.memory().dispatch.is_offered("a"));
    bench.call(|ticket| Input::Close(ticket, Default::default()));
    drop(bench);
    let last = Bench::on(other.disk(), 1);
    assert!(!last.memory().dispatch.is_offered("a"));
}

#[test]
fn what_was_given_back_is_ready_at_once_and_counts_no_attempt() {
    let mut bench = served();
    let id = add(&mut bench);
    let claim = take(&mut bench, 1).remove(0);
    let ticket = wait_for(&mut bench, poll(1, MINUTE));
    let effects = bench.turn(vec![Input::GiveBack(vec![(id, claim.run)])]);
    let next = claims_for(&effects, ticket).expect("who waits gets it").remove(0);
    assert_eq!((next.id, next.attempt), (id, 0));
    assert_ne!(next.run, claim.run);
    // An old claim gives nothing back.
    bench.turn(vec![Input::GiveBack(vec![(id, claim.run)])]);
    assert_eq!(bench.state(id), State::Claimed);
}

#[test]
fn a_call_under_another_run_or_in_another_state_is_refused_and_changes_nothing() {
    let mut bench = served();
    let id = add(&mut bench);
    let claim = take(&mut bench, 1).remove(0);
    let other = Claim { run: RunId(id.0), ..claim.clone() };
    let unknown = Claim { id: bench::unknown_task(), ..claim.clone() };
    let renew = |ticket, claim: &Claim| Input::Renew(ticket, claim.id, claim.run, None);
    let begin_of = |ticket, claim: &Claim| Input::Begin(ticket, claim.id, claim.run);
    let before = bench.batches();
    for (claim, code) in [(&other, Code::Fenced), (&unknown, Code::NotFound)] {
        let answer = bench.call(|ticket| begin_of(ticket, claim));
        assert_eq!(refusal(&answer), Some(code));
        assert_eq!(refusal(&bench.call(|ticket| renew(ticket, claim))), Some(code));
        assert_eq!(refusal(&settle(&mut bench, claim, done())), Some(code));
    }
    // It has not begun.
    assert_eq!(refusal(&bench.call(|ticket| renew(ticket, &claim))), Some(Code::Conflict));
    assert_eq!(refusal(&settle(&mut bench, &claim, done())), Some(Code::Conflict));
    assert_eq!((bench.batches(), bench.state(id)), (before, State::Claimed));
    begin(&mut bench, &claim);
    let again = bench.call(|ticket| begin_of(ticket, &claim));
    assert_eq!(refusal(&again), Some(Code::Conflict));
    settle(&mut bench, &claim, done());
    assert_eq!(refusal(&settle(&mut bench, &claim, done())), Some(Code::Fenced));
    assert_eq!(bench.state(id), State::Done);
}

#[test]
fn of_two_that_settle_a_run_in_one_turn_the_first_is_done() {
    let mut bench = served();
    let claim = running(&mut bench);
    let (one, two) = (bench.ticket(), bench.ticket());
    let settling = |ticket, how| Input::SettleOutside(ticket, claim.id, claim.run, how);
    let effects = bench.turn(vec![settling(one, done()), settling(two, failed())]);
    assert!(effects.iter().any(|it| matches!(it, Effect::Answer(ticket, _) if *ticket == one)));
    let refused = effects.iter().find_map(|effect| match effect {
        Effect::Refuse(ticket, error) if *ticket == two => Some(error.code()),
        _ => None,
    });
    assert_eq!(refused, Some(Code::Fenced));
    assert_eq!(bench.state(claim.id), State::Done);
}

#[test]
fn a_whole_life_in_one_turn_counts_its_attempt_and_can_be_run_again() {
    let mut bench = served();
    let id = add(&mut bench);
    let claim = take(&mut bench, 1).remove(0);
    let tickets = [bench.ticket(), bench.ticket(), bench.ticket(), bench.ticket()];
    bench.turn(vec![
        Input::Begin(tickets[0], id, claim.run),
        Input::SettleOutside(tickets[1], id, claim.run, failed()),
        Input::Retry(tickets[2], id, RetryOptions::default()),
        Input::Poll(tickets[3], poll(1, MINUTE)),
    ]);
    assert_eq!(bench.state(id), State::Claimed, "it is taken anew");
    let task = record(&bench, id);
    assert_eq!((task.attempt, task.attempts.len()), (1, 1));
}

#[test]
fn a_claim_that_is_over_makes_its_task_ready_and_counts_nothing() {
    let mut bench = served();
    let id = add(&mut bench);
    let claim = take(&mut bench, 1).remove(0);
    assert_eq!(bench.wait_ms(), Some(CLAIM_MS));
    bench.advance(CLAIM_MS - 1);
    assert_eq!(bench.state(id), State::Claimed);
    bench.advance(1);
    assert_eq!(bench.state(id), State::Ready);
    let late = bench.call(|ticket| Input::Begin(ticket, id, claim.run));
    assert_eq!(refusal(&late), Some(Code::Fenced));
    let next = take(&mut bench, 1).remove(0);
    assert_eq!((next.id, next.attempt), (id, 0));
}

#[test]
fn a_heartbeat_keeps_a_lease_and_silence_is_a_failure() {
    let mut bench = served();
    let claim = running(&mut bench);
    bench.advance(LEASE_MS - 1);
    let renewed = bench.call(|ticket| Input::Renew(ticket, claim.id, claim.run, None));
    let until = bench.wall().plus(LEASE_MS);
    assert!(matches!(renewed, Effect::Answer(_, Answer::Lease(at)) if at == until));
    bench.advance(LEASE_MS - 1);
    assert_eq!(bench.state(claim.id), State::Running);
    bench.advance(1);
    assert_eq!(bench.state(claim.id), State::Delayed, "there is another attempt, later");
    bench.advance(RETRY_MS);
    let next = take(&mut bench, 1).remove(0);
    assert_eq!((next.id, next.attempt), (claim.id, 1));
    begin(&mut bench, &next);
    bench.advance(LEASE_MS);
    let task = record(&bench, claim.id);
    assert_eq!((task.state, task.attempt), (State::Failed, 2));
    assert_eq!(task.outcome.unwrap().cause(), Some(Cause::Lease));
    let late = settle(&mut bench, &next, done());
    assert_eq!(refusal(&late), Some(Code::Fenced));
}

#[test]
fn a_lease_that_is_over_is_a_failure_whatever_the_retry_is_on() {
    let mut bench = served();
    let policy = retry::read(r#"{"attempts":2,"on":["timeout"]}"#, "retry").unwrap();
    let id = bench.add_with("a", |def| def.options.retry = Some(policy.into()));
    let claim = take(&mut bench, 1).remove(0);
    begin(&mut bench, &claim);
    bench.advance(LEASE_MS);
    assert_eq!(bench.state(id), State::Ready);
}

#[test]
fn what_an_executor_reports_as_failed_is_final_unless_its_operation_says_otherwise() {
    let mut bench = served();
    let claim = running(&mut bench);
    settle(&mut bench, &claim, failed());
    assert_eq!(
        record(&bench, claim.id).outcome,
        Some(TaskEnd::Failed(Cause::Error, bench::json()))
    );
    let executor = Some(Executor { retry_on_fail: true, ..Executor::default() });
    define(&mut bench, "a", OperationOptions { executor, ..options() });
    let claim = running(&mut bench);
    settle(&mut bench, &claim, failed());
    assert_eq!(bench.state(claim.id), State::Delayed);
}

#[test]
fn what_an_executor_says_renews_its_lease_and_is_stored() {
    let mut bench = served();
    let claim = running(&mut bench);
    bench.advance(1_000);
    let progress = Progress { current: 1.0, total: Some(2.0), unit: None };
    let line = |message: &str| Record::Log {
        level: Level::Info,
        at: None,
        message: message.into(),
        fields: None,
    };
    let said = [Record::Progress(progress.clone()), line("one"), line("two")];
    let renew = |(ticket, said)| Input::Renew(ticket, claim.id, claim.run, Some(said));
    // In one turn, and one more in the next.
    let effects = bench.turn((901..).zip(said).map(renew).collect());
    let is_lease = |effect: &&Effect| matches!(effect, Effect::Answer(_, Answer::Lease(_)));
    assert_eq!(effects.iter().filter(is_lease).count(), 3, "{effects:?}");
    bench.turn(vec![renew((904, line("three")))]);
    assert_eq!(record(&bench, claim.id).progress, Some(progress));
    let lines = bench.get(claim.id).logs.unwrap();
    let told: Vec<_> = lines.iter().map(|line| (line.n, line.attempt, &*line.message)).collect();
    assert_eq!(told, [(1, 1, "one"), (2, 1, "two"), (3, 1, "three")]);
}

#[test]
fn claims_and_runs_count_for_limits_and_conditions_and_take_no_place() {
    let mut bench = Bench::started(1);
    let limited = OperationOptions { concurrency: Some(2), ..options() };
    define(&mut bench, "b", limited);
    for _ in 0..3 {
        bench.add("b", 0.0);
    }
    let of_b = Poll { operations: Some(vec!["b".into()]), ..poll(9, 0) };
    let answer = bench.call(|ticket| Input::Poll(ticket, of_b.clone()));
    let Effect::Answer(_, Answer::Claims(claims)) = answer else { panic!("{answer:?}") };
    assert_eq!(claims.len(), 2, "two at once");
    let none = r#"[{"scope":"running","query":{"operation":"b"},"limit":0}]"#;
    let none = Conditions::read(none, "concurrency").unwrap();
    let held = bench.add_with("a", |def| def.options.conditions = none);
    let free = bench.add("a", -1.0);
    assert_eq!(bench.starts(), [free], "the place of the process is free");
    bench.settle_oldest(done());
    for claim in &claims {
        begin(&mut bench, claim);
        settle(&mut bench, claim, done());
    }
    assert_eq!(bench.starts(), [free, held]);
    let answer = bench.call(|ticket| Input::Poll(ticket, of_b));
    assert!(matches!(answer, Effect::Answer(_, Answer::Claims(claims)) if claims.len() == 1));
}

#[test]
fn a_paused_operation_gives_nothing_out_and_a_resume_wakes_who_waits() {
    let mut bench = served();
    bench.call(|ticket| Input::PauseOperation(ticket, "a".into(), true));
    let id = add(&mut bench);
    let ticket = wait_for(&mut bench, poll(1, MINUTE));
    let resume = bench.ticket();
    let effects = bench.turn(vec![Input::PauseOperation(resume, "a".into(), false)]);
    let claims = claims_for(&effects, ticket).expect("it is served in that turn");
    assert_eq!(claims[0].id, id);
}

#[test]
fn a_delayed_task_is_given_out_in_the_turn_in_which_it_is_due() {
    let mut bench = served();
    let id = bench.add_with("a", |def| {
        def.options.start_time = Some(tasker_core::task::StartTime::After(1_000));
    });
    let ticket = wait_for(&mut bench, poll(1, MINUTE));
    let effects = bench.advance(1_000);
    assert_eq!(claims_for(&effects, ticket).unwrap()[0].id, id);
}

#[test]
fn an_abort_ends_what_an_executor_has_at_once() {
    let mut bench = served();
    let id = add(&mut bench);
    let claimed = take(&mut bench, 1).remove(0);
    let ran = running(&mut bench);
    for claim in [&claimed, &ran] {
        let abort = |ticket| Input::Abort(ticket, claim.id, reason(Cause::User));
        let answer = bench.call(abort);
        assert!(matches!(answer, Effect::Answer(_, Answer::Flag(true))), "{answer:?}");
        assert_eq!(bench.state(claim.id), State::Aborted);
        assert_eq!(refusal(&settle(&mut bench, claim, done())), Some(Code::Fenced));
    }
    assert_eq!(record(&bench, id).attempt, 0);
    bench.advance(LEASE_MS);
    assert_eq!(bench.state(ran.id), State::Aborted, "its lease is nobody's");
}

#[test]
fn what_an_executor_has_is_not_paused_put_off_or_changed() {
    let mut bench = served();
    add(&mut bench);
    let claimed = take(&mut bench, 1).remove(0);
    let ran = running(&mut bench);
    for claim in [&claimed, &ran] {
        let calls: [fn(Ticket, TaskId) -> Input; 4] = [
            Input::Pause,
            Input::Resume,
            |ticket, id| Input::Prioritize(ticket, id, bench::priority(7.0)),
            |ticket, id| Input::Retry(ticket, id, RetryOptions::default()),
        ];
        for call in calls {
            let answer = bench.call(|ticket| call(ticket, claim.id));
            assert!(matches!(answer, Effect::Answer(_, Answer::Flag(false))), "{answer:?}");
        }
    }
}

#[test]
fn a_queue_timeout_waits_for_a_claim_and_counts_when_that_is_over() {
    let mut bench = served();
    let timeout = QueueTimeout { after_ms: 5_000, then: AfterQueueTimeout::Abort, ends_at: None };
    let id = bench.add_with("a", |def| def.options.queue_timeout = Some(timeout));
    take(&mut bench, 1);
    bench.advance(5_000);
    assert_eq!(bench.state(id), State::Claimed);
    bench.advance(CLAIM_MS);
    let task = record(&bench, id);
    assert_eq!(task.outcome.and_then(|end| end.cause()), Some(Cause::QueueTimeout));
}

#[test]
fn leases_outlive_the_process_and_are_no_longer_than_they_were() {
    let mut bench = served();
    let claim = running(&mut bench);
    bench.wait(1_000);
    bench.crash();
    assert_eq!(bench.state(claim.id), State::Running, "nobody's run is lost");
    let renewed = bench.call(|ticket| Input::Renew(ticket, claim.id, claim.run, None));
    assert!(matches!(renewed, Effect::Answer(..)), "{renewed:?}");
    // The clock was set back while no process was there: no lease is longer for that.
    bench.set_back(3_600_000);
    bench.crash();
    bench.advance(LEASE_MS);
    assert_eq!(bench.state(claim.id), State::Delayed);
}

#[test]
fn a_clock_that_is_set_ends_no_lease_too_early_nor_keeps_one() {
    for ms in [-3_600_000, 3_600_000] {
        let mut bench = served();
        let claim = running(&mut bench);
        bench.set_back(ms);
        bench.advance(LEASE_MS - 1);
        assert_eq!(bench.state(claim.id), State::Running, "{ms}");
        bench.advance(1);
        assert_ne!(bench.state(claim.id), State::Running, "{ms}");
    }
}

#[test]
fn of_two_processes_any_serves_and_one_ends_a_lease() {
    let mut one = served();
    let mut two = one.beside(1);
    let id = add(&mut one);
    let claim = take(&mut two, 1).remove(0);
    begin(&mut one, &claim);
    // What one hears of a run, the other need not be told.
    two.look();
    one.wait(LEASE_MS - 1);
    two.wait(LEASE_MS - 1);
    one.call(|ticket| Input::Renew(ticket, id, claim.run, None));
    two.advance(1);
    assert_eq!(two.state(id), State::Running, "it was renewed elsewhere");
    one.wait(LEASE_MS);
    two.wait(LEASE_MS);
    two.turn(Vec::new());
    one.turn(Vec::new());
    assert_eq!(one.state(id), State::Delayed, "once");
    assert_eq!(record(&one, id).attempts.len(), 1);
}

#[test]
fn a_poll_hears_of_a_task_that_another_process_adds() {
    let mut one = served();
    let mut two = one.beside(1);
    let ticket = wait_for(&mut two, poll(1, MINUTE));
    let id = add(&mut one);
    let effects = two.look();
    assert_eq!(claims_for(&effects, ticket).unwrap()[0].id, id);
    one.look();
    two.die();
    one.turn(Vec::new());
    assert_eq!(one.state(id), State::Claimed, "a death takes no claim along");
}

#[test]
fn an_operation_has_a_runner_or_executors() {
    let mut bench = Bench::started(1);
    let define_a = |ticket| Input::Define(ticket, "a".into(), options());
    assert_eq!(refusal(&bench.call(define_a)), Some(Code::Conflict));
    define(&mut bench, "b", options());
    let assign = |ticket| Input::Assign(ticket, "b".into(), None);
    assert_eq!(refusal(&bench.call(assign)), Some(Code::Conflict));
    let with_both = |ticket| Input::Assign(ticket, "c".into(), Some(options()));
    assert_eq!(refusal(&bench.call(with_both)), Some(Code::Invalid));
    let mut def = bench::def("b");
    def.is_attached = true;
    let attached = bench.call(|ticket| Input::Add(ticket, def));
    assert_eq!(refusal(&attached), Some(Code::Unsupported));
}

#[test]
fn a_claim_takes_a_token_that_nothing_gives_back() {
    let mut bench = Bench::new(1);
    let rate = RateLimit::read(r#"{"limit":2,"per":1000,"burst":2}"#, "rateLimit").unwrap();
    let rate_limit = Some(rate.into());
    define(&mut bench, "a", OperationOptions { rate_limit, ..options() });
    let ids: Vec<TaskId> = (0..3).map(|_| add(&mut bench)).collect();
    let claims = take(&mut bench, 9);
    assert_eq!(claims.iter().map(|claim| claim.id).collect::<Vec<_>>(), ids[..2]);
    bench.turn(vec![Input::GiveBack(vec![(ids[0], claims[0].run)])]);
    let ticket = wait_for(&mut bench, poll(9, MINUTE));
    assert_eq!(bench.state(ids[0]), State::Ready);
    let effects = bench.advance(1_000);
    assert!(claims_for(&effects, ticket).is_some(), "the tokens of the next second");
    assert_eq!(bench.state(ids[0]), State::Claimed);
}

#[test]
fn executors_take_one_task_of_an_operation_whose_runner_would_wait_for_a_batch() {
    let mut one = Bench::new(1);
    let mut two = Bench::on(one.disk(), 1);
    let batching = Batching { max: 3, wait_ms: MINUTE };
    two.call(|ticket| Input::AssignBatch(ticket, "a".into(), None, batching));
    define(&mut one, "a", options());
    let id = add(&mut one);
    // It has not heard of that yet, or is refused: its runner gets nothing either way.
    let (start, ask) = (two.ticket(), two.ticket());
    let effects = two.turn(vec![Input::Start(start), Input::Poll(ask, poll(3, 0))]);
    assert_eq!(claims_for(&effects, ask).map(|claims| claims[0].id), Some(id));
    assert!(two.starts().is_empty());
    assert_eq!(refusal(&two.call(Input::Start)), Some(Code::Conflict));
    let more = |ticket| Input::AssignBatch(ticket, "b".into(), Some(options()), batching);
    assert_eq!(refusal(&two.call(more)), Some(Code::Invalid));
    let breaker = CircuitBreaker::read(r#"{"failures":2,"within":9,"openFor":9}"#, "b").unwrap();
    let guarded = OperationOptions { circuit_breaker: Some(breaker.into()), ..options() };
    let define_c = |ticket| Input::Define(ticket, "c".into(), guarded);
    assert_eq!(refusal(&two.call(define_c)), Some(Code::Unsupported));
}

#[test]
fn an_operation_passes_for_served_for_a_minute_after_a_poll() {
    let mut one = served();
    let mut two = one.beside(1);
    let before = r#"[{"scope":"before-queued","query":{"operation":"a"},"limit":0}]"#;
    let before = Conditions::read(before, "concurrency").unwrap();
    two.assign("b", None);
    one.call(|ticket| Input::PauseOperation(ticket, "a".into(), false));
    let limited = OperationOptions { concurrency: Some(1), ..options() };
    define(&mut one, "a", limited);
    one.add("a", 5.0);
    one.add("a", 5.0);
    take(&mut one, 1);
    let behind = two.add_with("b", |def| def.options.conditions = before);
    two.look();
    assert!(two.starts().is_empty(), "executors will take what stands ahead");
    one.wait(MINUTE);
    one.turn(Vec::new());
    two.look();
    assert_eq!(two.starts(), [behind], "nobody asks for that any more");
}

#[test]
fn an_explanation_says_who_has_a_task_or_that_nobody_asks() {
    let mut bench = served();
    let id = add(&mut bench);
    let said = explain(&mut bench, id);
    assert_eq!(
        said["reasons"],
        json!([{ "reason": "executor", "what": "poll", "operation": "a" }])
    );
    let at = bench.wall();
    let claim = take(&mut bench, 1).remove(0);
    let until = at.plus(CLAIM_MS).0;
    let reason = json!({ "reason": "executor", "what": "begin", "until": until, "by": "one" });
    assert_eq!(explain(&mut bench, id)["reasons"], json!([reason]));
    let other = add(&mut bench);
    let last = json!({
        "reason": "executor", "what": "poll", "operation": "a", "lastPollAt": at.0
    });
    assert_eq!(explain(&mut bench, other)["reasons"], json!([last]));
    let until = begin(&mut bench, &claim);
    let said = explain(&mut bench, id);
    assert_eq!(said["executor"], json!({ "until": until.0, "by": "one" }));
    assert_eq!(said["reasons"], json!([]));
}

#[test]
fn a_disk_that_is_full_leaves_who_waits_and_answers_who_does_not() {
    let mut bench = served();
    let id = add(&mut bench);
    bench.fail_next(Code::Full);
    let (now, later) = (bench.ticket(), bench.ticket());
    let (_, effects) =
        bench.turn_once(vec![Input::Poll(now, poll(1, 0)), Input::Poll(later, poll(1, MINUTE))]);
    assert_eq!(claims_for(&effects, now), Some(Vec::new()));
    assert_eq!(claims_for(&effects, later), None);
    let effects = bench.advance(100);
    assert_eq!(claims_for(&effects, later).unwrap()[0].id, id);
}

#[test]
fn a_run_timeout_ends_the_run_of_an_executor_that_is_heard_of() {
    let mut bench = served();
    let id = bench.add_with("a", |def| def.options.run_timeout_ms = Some(LEASE_MS + 1));
    let claim = take(&mut bench, 1).remove(0);
    begin(&mut bench, &claim);
    bench.advance(LEASE_MS - 1);
    bench.call(|ticket| Input::Renew(ticket, id, claim.run, None));
    bench.advance(2);
    let task = record(&bench, id);
    assert_eq!(task.outcome.and_then(|end| end.cause()), Some(Cause::RunTimeout));
}

#[test]
fn a_client_that_goes_polls_no_more() {
    let mut bench = served();
    let ticket = wait_for(&mut bench, poll(1, MINUTE));
    bench.turn(vec![Input::Leave(tasker_engine::client_id::ClientId::of(ticket))]);
    let id = add(&mut bench);
    assert_eq!(bench.state(id), State::Ready);
}
