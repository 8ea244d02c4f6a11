//! The gates of rate limits and of circuit breakers, and the lanes into which tasks are sorted by
//! value.

use tasker_core::circuit::{Circuit, Phase, Turned};
use tasker_core::error::Result;
use tasker_core::id::{LaneId, OperationId, Seq};
use tasker_core::journal::{Transition, unpack};
use tasker_core::rate::Arrival;
use tasker_core::store::{Change, GATES_SWEPT_MAX, GateChange, GateId, GatesLeft};
use tasker_core::time::WallMs;
use tasker_core::transition::TransitionKind;

use super::world::{Task, World, read, with_priority};

fn gate(operation: u16, key: &str) -> GateId {
    (OperationId(operation), key.into())
}

fn arrival(at: i64, part: u32) -> Arrival {
    Arrival { at: WallMs(at), part, parts: if part == 0 { 1 } else { 7 } }
}

fn arriving(gate: &GateId, arrival: Arrival) -> Change {
    Change::Gate(GateChange::Arrive(gate.clone(), arrival))
}

fn sweeping(operation: u16, now: i64) -> Change {
    Change::Gate(GateChange::Sweep(OperationId(operation), WallMs(now)))
}

fn left(world: &mut World, operation: u16, now: i64) -> Result<GatesLeft> {
    world.inside(|store| store.gates_left(OperationId(operation), WallMs(now)))
}

/// A task is put into another lane.
pub(super) fn sorting(world: &World, task: Task, lane: LaneId) -> Change {
    let (Task { seq, lane: from, .. }, priority) = (task, world.priority(task));
    Change::Sort { seq, lane, from, priority }
}

/// I-1, I-6.
pub(super) fn an_arrival_comes_back_and_the_last_one_counts(world: &mut World) -> Result<()> {
    let gates = [gate(1, ""), gate(1, "\"é\""), gate(2, ""), gate(65_535, "[\"a\"]"), gate(2, "7")];
    assert_eq!(world.inside(|store| store.gates(&gates))?, [None; 5]);
    let first = [arrival(-5, 6), arrival(7, 1), arrival(1_800_000_000_000, 0), arrival(0, 0)];
    let changes = gates.iter().zip(first).map(|(gate, arrival)| arriving(gate, arrival));
    world.turn(changes.collect())?;
    world.turn(vec![arriving(&gates[1], arrival(9, 0)), arriving(&gates[1], arrival(8, 2))])?;
    for _ in 0..2 {
        let [one, _, three, four] = first.map(Some);
        let stored = world.inside(|store| store.gates(&gates))?;
        assert_eq!(stored, [one, Some(arrival(8, 2)), three, four, None]);
        world.crash()?;
    }
    Ok(())
}

pub(super) fn gates_that_rest_are_forgotten_and_no_others(world: &mut World) -> Result<()> {
    assert_eq!(left(world, 1, 9)?, GatesLeft::Nothing);
    let gates = [gate(1, "a"), gate(1, "b"), gate(1, "c"), gate(2, "a")];
    let arrivals = [arrival(5, 0), arrival(9, 3), arrival(20, 0), arrival(5, 0)];
    let changes = gates.iter().zip(arrivals).map(|(gate, arrival)| arriving(gate, arrival));
    world.turn(changes.collect())?;
    assert_eq!(left(world, 1, 10)?, GatesLeft::Busy(WallMs(21)));
    assert_eq!(left(world, 1, 9)?, GatesLeft::Busy(WallMs(10)), "its last part is not over");
    world.turn(vec![sweeping(1, 10)])?;
    let [.., three, four] = arrivals.map(Some);
    assert_eq!(world.inside(|store| store.gates(&gates))?, [None, None, three, four]);
    world.turn(vec![sweeping(1, 21), sweeping(7, 21)])?;
    assert_eq!(left(world, 1, 21)?, GatesLeft::Nothing);
    assert_eq!(world.inside(|store| store.gates(&gates))?, [None, None, None, four]);
    Ok(())
}

pub(super) fn gates_that_rest_are_forgotten_some_at_a_time(world: &mut World) -> Result<()> {
    let names = (0..=GATES_SWEPT_MAX).map(|n| gate(1, &n.to_string()));
    world.turn(names.map(|gate| arriving(&gate, arrival(1, 0))).collect())?;
    assert_eq!(left(world, 1, 9)?, GatesLeft::Resting);
    world.turn(vec![sweeping(1, 9)])?;
    assert_eq!(left(world, 1, 9)?, GatesLeft::Nothing, "the next sweep takes the rest");
    let kept = world.inside(|store| {
        let names: Vec<GateId> = (0..=GATES_SWEPT_MAX).map(|n| gate(1, &n.to_string())).collect();
        Ok(store.gates(&names)?.into_iter().flatten().count())
    })?;
    assert_eq!(kept, 1);
    Ok(())
}

/// I-7.
pub(super) fn a_sorted_task_keeps_its_place_and_has_another_lane(world: &mut World) -> Result<()> {
    let tasks = [world.add(read())?, world.add(with_priority(1.0)?)?, world.add(read())?];
    let lane = LaneId::new(tasks[0].lane.operation(), 5);
    for task in [tasks[0], tasks[1]] {
        let change = sorting(world, task, lane);
        world.turn(vec![change])?;
    }
    for _ in 0..2 {
        assert_eq!(world.queue_of(lane)?, [tasks[1].seq.0, tasks[0].seq.0]);
        assert_eq!(world.queue()?, [tasks[2].seq.0]);
        assert_eq!(world.find("{}", None)?, [tasks[1].seq.0, tasks[0].seq.0, tasks[2].seq.0]);
        world.crash()?;
    }
    world.start(Task { lane, ..tasks[0] })?;
    assert_eq!(world.queue_of(lane)?, [tasks[1].seq.0]);
    Ok(())
}

/// Who has to know it looks when another owner has started a task.
pub(super) fn what_becomes_of_a_gate_is_told_to_nobody(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    let before = world.inside(|store| Ok(store.head()?.number))?;
    let lane = LaneId::new(task.lane.operation(), 5);
    world.turn(vec![arriving(&gate(1, ""), arrival(5, 0)), sweeping(1, 9)])?;
    let sort = sorting(world, task, lane);
    world.turn(vec![sort])?;
    let entries = world.inside(|store| store.journal(before, 9))?;
    let steps = entries.iter().flat_map(|entry| unpack(&entry.transitions));
    let step = |kind, lane| Transition {
        seq: task.seq,
        lane,
        kind,
        priority: Some(tasker_core::task::Priority::default()),
    };
    let expected = [step(TransitionKind::Leave, task.lane), step(TransitionKind::Sort, lane)];
    assert_eq!(steps.collect::<Result<Vec<_>>>()?, expected);
    Ok(())
}

/// One of each phase.
fn circuits() -> [Circuit; 4] {
    let circuit = |since, rests_at, phase| Circuit { since, rests_at: WallMs(rests_at), phase };
    let probes = vec![Seq(7), Seq(1 << 40)];
    [
        circuit(0, -5, Phase::Closed(vec![WallMs(-9), WallMs(1_800_000_000_000)])),
        circuit(1 << 40, 7, Phase::Closed(Vec::new())),
        circuit(3, 1_800_000_000_000, Phase::Open(WallMs(-1))),
        circuit(4, 0, Phase::HalfOpen { probes, succeeded: 9 }),
    ]
}

fn turning(gate: &GateId, circuit: &Circuit, turned: Option<Turned>) -> Change {
    Change::Gate(GateChange::Turn(gate.clone(), Box::new(circuit.clone()), turned))
}

/// I-1.
pub(super) fn a_circuit_comes_back_and_the_last_one_counts(world: &mut World) -> Result<()> {
    let gates = [gate(1, ""), gate(1, "\"é\""), gate(2, ""), gate(65_535, "[1]"), gate(2, "7")];
    assert_eq!(world.inside(|store| store.circuits(&gates))?, [const { None }; 5]);
    let first = circuits();
    let changes = gates.iter().zip(&first).map(|(gate, one)| turning(gate, one, None));
    world.turn(changes.collect())?;
    // The tokens of a key are another thing.
    world.turn(vec![arriving(&gates[0], arrival(5, 0)), turning(&gates[1], &first[2], None)])?;
    for _ in 0..2 {
        let [one, two, three, four] = first.clone().map(Some);
        assert_ne!(two, three);
        let stored = world.inside(|store| store.circuits(&gates))?;
        assert_eq!(stored, [one, three.clone(), three, four, None]);
        let arrivals = world.inside(|store| store.gates(&gates))?;
        assert_eq!(arrivals, [Some(arrival(5, 0)), None, None, None, None]);
        world.crash()?;
    }
    Ok(())
}

pub(super) fn circuits_that_rest_are_forgotten_with_the_other_gates(
    world: &mut World,
) -> Result<()> {
    let gates = [gate(1, "a"), gate(1, "b"), gate(2, "a")];
    let circuit = |rests_at| Circuit { rests_at: WallMs(rests_at), ..circuits()[0].clone() };
    world.turn(vec![
        turning(&gates[0], &circuit(5), None),
        turning(&gates[1], &circuit(20), None),
        turning(&gates[2], &circuit(5), None),
        arriving(&gates[0], arrival(9, 0)),
    ])?;
    assert_eq!(left(world, 1, 6)?, GatesLeft::Busy(WallMs(10)));
    assert_eq!(left(world, 1, 10)?, GatesLeft::Busy(WallMs(21)));
    world.turn(vec![sweeping(1, 10)])?;
    let [two, three] = [circuit(20), circuit(5)].map(Some);
    assert_eq!(world.inside(|store| store.circuits(&gates))?, [None, two, three]);
    assert_eq!(world.inside(|store| store.gates(&gates))?, [None; 3]);
    Ok(())
}

/// Who has to know that a circuit has turned hears which operation it is.
pub(super) fn a_turn_of_a_circuit_is_told_and_nothing_else_of_it(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    let before = world.inside(|store| Ok(store.head()?.number))?;
    let (gate, [circuit, ..]) = ((task.lane.operation(), "7".into()), circuits());
    let turns = [Turned::Opened, Turned::HalfOpened, Turned::Closed];
    let changes = turns.map(|turned| turning(&gate, &circuit, Some(turned)));
    world.turn(changes.into())?;
    world.turn(vec![turning(&gate, &circuit, None)])?;
    let entries = world.inside(|store| store.journal(before, 9))?;
    let steps = entries.iter().flat_map(|entry| unpack(&entry.transitions));
    let kinds = [
        TransitionKind::CircuitOpened,
        TransitionKind::CircuitHalfOpened,
        TransitionKind::CircuitClosed,
    ];
    let lane = LaneId::new(gate.0, 0);
    let step = |kind| Transition { seq: Seq(0), lane, kind, priority: None };
    assert_eq!(steps.collect::<Result<Vec<_>>>()?, kinds.map(step));
    Ok(())
}
