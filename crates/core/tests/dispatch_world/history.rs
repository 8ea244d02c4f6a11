//! What happens to a queue, at random.

use proptest::prelude::*;

pub(crate) const OPERATIONS: usize = 3;
/// Kinds of tasks of each operation; those of the first kind have no conditions.
pub(crate) const KINDS: usize = 4;

/// An operation, and which of its kinds.
pub(crate) type Place = (usize, usize);

/// What is said of an operation: its limit, whether it is paused, which of [`RATES`] and of
/// [`CIRCUITS`] it has, and whether it has an executor.
pub(crate) type Said = (usize, Option<u8>, bool, usize, usize, bool);

/// How often tasks may start. A whole burst takes as long to come back for all of them, so that no
/// change of one leaves an arrival too far ahead: what comes of that the engine's tests try.
pub(crate) const RATES: [Option<&str>; 7] = [
    None,
    Some(r#"{"limit":1,"per":10,"burst":2}"#),
    Some(r#"{"limit":3,"per":20,"burst":3}"#),
    Some(r#"{"limit":1,"per":20,"by":"data.k"}"#),
    Some(r#"{"limit":2,"per":10,"burst":4,"by":"data.k"}"#),
    Some(r#"{"limit":1,"per":10,"burst":2,"by":"data.t"}"#),
    Some(r#"{"limit":1,"per":20,"by":"data.m.x.0.y"}"#),
];

/// When circuits open. For the same time, as above.
pub(crate) const CIRCUITS: [Option<&str>; 5] = [
    None,
    Some(r#"{"failures":1,"within":20,"openFor":12}"#),
    Some(r#"{"failures":2,"within":40,"openFor":12,"probes":3}"#),
    Some(r#"{"failures":1,"within":9,"openFor":12,"by":"data.k"}"#),
    Some(r#"{"failures":2,"within":60,"openFor":12,"by":"data.k","probes":2}"#),
];

/// A task: where it belongs, its priority, and which of [`DATA`] it has.
pub(crate) type Task = (Place, i8, usize);

/// What tasks are about.
pub(crate) const DATA: [&str; 8] = [
    r#"{"k":0}"#,
    r#"{"k":1,"t":1}"#,
    r#"{"k":2,"t":[0,1,1]}"#,
    r#"{"k":0,"t":[1,2],"m":null}"#,
    r#"{"k":[0,1],"t":[],"m":7}"#,
    r#"{"k":1,"t":[[1],2]}"#,
    r#"{"m":{"x":[{"y":0},{"y":1}]}}"#,
    "[]",
];

/// What conditions count. Those on what stands ahead cannot look at the last two.
const QUERIES: [&str; 16] = [
    r#"{}"#,
    r#"{"data.k":0}"#,
    r#"{"data.k":1}"#,
    r#"{"operation":"operation 0"}"#,
    r#"{"operation":"operation 1","data.k":1}"#,
    r#"{"data.t":1}"#,
    r#"{"data.t":1,"data.k":2}"#,
    r#"{"data.t":2,"data.k":0}"#,
    r#"{"data.t":{"$in":[0,1]}}"#,
    r#"{"data.t":{"$in":[0,1]},"data.k":{"$in":[0,2]}}"#,
    r#"{"data.m":null}"#,
    r#"{"data.m.x.y":1}"#,
    r#"{"$or":[{"data.k":2},{"data.t":2}]}"#,
    r#"{"data.t":[]}"#,
    r#"{"priority":{"$gte":1}}"#,
    r#"{"data.k":0,"priority":{"$lt":1}}"#,
];

/// The conditions of a kind, as their text.
pub(crate) type Rules = String;

fn condition() -> impl Strategy<Value = String> {
    let limit = prop_oneof![6 => 0..3_i64, 1 => Just(-1)];
    let scope = prop_oneof![
        (Just("running"), 0..QUERIES.len()),
        (Just("before-queued"), 0..QUERIES.len() - 2),
    ];
    (scope, limit).prop_map(|((scope, query), limit)| {
        let query = QUERIES[query];
        format!(r#"{{"scope":"{scope}","query":{query},"limit":{limit}}}"#)
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    prop::collection::vec(condition(), 1..4).prop_map(|all| format!("[{}]", all.join(",")))
}

/// The conditions of each kind but the first, for each operation.
pub(crate) type AllRules = Vec<Vec<Rules>>;

fn all_rules() -> impl Strategy<Value = AllRules> {
    let of_one = || prop::collection::vec(rules(), KINDS - 1);
    let each = prop::collection::vec(of_one(), OPERATIONS);
    // Several operations that stand at the same counters.
    let same = of_one().prop_map(|rules| vec![rules; OPERATIONS]);
    prop_oneof![1 => each, 1 => same]
}

/// What one turn does before it starts what it can.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn {
    /// Tasks that enter.
    pub(crate) adds: Vec<Task>,
    /// So many of the oldest runs fail.
    pub(crate) fails: usize,
    /// So many of the oldest runs then end.
    pub(crate) ends: usize,
    /// So many of the oldest runs then are given back.
    pub(crate) releases: usize,
    /// So many of the oldest tasks that executors have end, and so many are then given back.
    pub(crate) settles: (usize, usize),
    /// The n-th ready tasks leave the queue.
    pub(crate) leaves: Vec<usize>,
    /// The n-th ready task gets this priority.
    pub(crate) moves: Vec<(usize, i8)>,
    /// The n-th ready task is about this from now on.
    pub(crate) updates: Vec<(usize, usize)>,
    /// Operations that other processes start, or do not any more.
    pub(crate) offers: Vec<(usize, bool)>,
    /// Operations that are paused or not and have this limit from now on.
    pub(crate) says: Vec<Said>,
    /// The tasks of this operation wait for a batch in this turn, if it has some.
    pub(crate) awaits: Option<usize>,
    /// So many of the picks are taken back.
    pub(crate) unpicks: usize,
    /// So much time has gone by before.
    pub(crate) ms: i64,
    pub(crate) is_committed: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Turn(Turn),
    /// An operation gets a runner, perhaps one with so many threads, and how many tasks it takes at
    /// once.
    Runner(usize, Option<u32>, u32),
    NoRunner(usize),
    /// One waits for so many tasks of these operations, or of all that have an executor.
    Poll(Option<Vec<usize>>, usize),
    /// The n-th of those who wait goes.
    Unpoll(usize),
    /// An operation passes for served by executors, or does not.
    Polled(usize, bool),
    /// What another process says of an operation.
    RemoteSays(Said),
    Started(bool),
    /// Tasks that another process adds, in lanes of its own or in those that are there.
    RemoteAdd(Vec<Task>, bool),
    /// Tasks that are attached to another process.
    RemoteAttach(Vec<Task>),
    /// The n-th ready task starts in another process.
    RemoteStart(usize),
    /// So many runs of an operation end in other processes; whether they fail.
    RemoteEnd(usize, u32, bool),
    /// All that mirrors the store is read anew.
    Reload,
}

fn place() -> impl Strategy<Value = Place> {
    (0..OPERATIONS, 0..KINDS)
}

fn adds() -> impl Strategy<Value = Vec<Task>> {
    prop::collection::vec((place(), -2..3_i8, 0..DATA.len()), 0..12)
}

fn said() -> impl Strategy<Value = Said> {
    let rate = prop_oneof![2 => Just(0), 3 => 0..RATES.len()];
    let circuit = prop_oneof![2 => Just(0), 3 => 0..CIRCUITS.len()];
    let is_outside = prop::bool::weighted(0.3);
    (
        0..OPERATIONS,
        prop::option::of(1..4_u8),
        prop::bool::weighted(0.25),
        rate,
        circuit,
        is_outside,
    )
}

fn turn() -> impl Strategy<Value = Turn> {
    let says = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(said(), 1..4)];
    let leaves = prop::collection::vec(0..40_usize, 0..3);
    let moves = prop::collection::vec((0..40_usize, -2..3_i8), 0..4);
    let updates = prop_oneof![
        3 => Just(Vec::new()),
        1 => prop::collection::vec((0..40_usize, 0..DATA.len()), 1..4),
    ];
    let offers = prop_oneof![
        3 => Just(Vec::new()),
        1 => prop::collection::vec((0..OPERATIONS, any::<bool>()), 1..3),
    ];
    let unpicks = prop_oneof![3 => Just(0), 1 => 1..3_usize];
    let ms = prop_oneof![1 => Just(0), 2 => 1..15_i64];
    let awaits = prop::option::weighted(0.2, 0..OPERATIONS);
    let fails = prop_oneof![2 => Just(0), 1 => 1..4_usize];
    let settles = (0..4_usize, prop_oneof![2 => Just(0), 1 => 1..3_usize]);
    let runs = (fails, 0..5_usize, prop_oneof![2 => Just(0), 1 => 1..3_usize], settles);
    let changes = (leaves, moves, updates);
    (adds(), runs, changes, offers, says, (unpicks, ms, awaits), prop::bool::weighted(0.75))
        .prop_map(
            |(
                adds,
                (fails, ends, releases, settles),
                (leaves, moves, updates),
                offers,
                says,
                (unpicks, ms, awaits),
                is_committed,
            )| Turn {
                adds,
                fails,
                ends,
                releases,
                settles,
                leaves,
                moves,
                updates,
                offers,
                says,
                awaits,
                unpicks,
                ms,
                is_committed,
            },
        )
}

fn step() -> impl Strategy<Value = Step> {
    let batch = prop_oneof![2 => Just(1), 1 => 2..5_u32];
    prop_oneof![
        10 => turn().prop_map(Step::Turn),
        3 => (0..OPERATIONS, prop::option::weighted(0.3, 1..4_u32), batch)
            .prop_map(|(operation, threads, size)| Step::Runner(operation, threads, size)),
        2 => said().prop_map(Step::RemoteSays),
        1 => (0..OPERATIONS).prop_map(Step::NoRunner),
        1 => prop::bool::weighted(0.8).prop_map(Step::Started),
        2 => (adds(), any::<bool>()).prop_map(|(adds, is_own)| Step::RemoteAdd(adds, is_own)),
        1 => adds().prop_map(Step::RemoteAttach),
        2 => (0..40_usize).prop_map(Step::RemoteStart),
        2 => (0..OPERATIONS, 1..4_u32, prop::bool::weighted(0.4))
            .prop_map(|(o, n, fails)| Step::RemoteEnd(o, n, fails)),
        3 => (prop::option::weighted(0.7, prop::collection::vec(0..OPERATIONS, 1..3)), 1..6_usize)
            .prop_map(|(operations, tasks)| Step::Poll(operations, tasks)),
        1 => (0..4_usize).prop_map(Step::Unpoll),
        1 => (0..OPERATIONS, any::<bool>()).prop_map(|(o, is_polled)| Step::Polled(o, is_polled)),
        1 => Just(Step::Reload),
    ]
}

/// What happens, the conditions of all tasks, and how tiny the limit, the windows and their reads
/// are.
pub(crate) type History = (Vec<Step>, AllRules, (u32, usize, usize));

pub(crate) fn history() -> impl Strategy<Value = History> {
    let sizes = (1..8_u32, 1..9_usize, 1..4_usize);
    (prop::collection::vec(step(), 1..60), all_rules(), sizes)
}
