//! Another program that has the file open for a moment, through the port alone, and adds tasks to
//! lanes of its own, with conditions and without.

use tasker_core::condition::Conditions;
use tasker_core::id::{IdSource, LaneId, OperationId, Seq};
use tasker_core::state::State;
use tasker_core::store::{Batch, Change, Commit, Lookups, Operation, Store};
use tasker_core::task::{NewTask, Unsaid};
use tasker_proof::conformance::Handle;

use super::{OPERATIONS, World};

/// Lanes of each operation beside the plain one.
const LANES: u64 = 4;
const TASKS_MAX: usize = LANES as usize;

impl World {
    /// A stranger comes, adds some tasks in one batch, and goes.
    pub(super) fn add_by_stranger(&mut self) {
        let Handle { mut store, reader } = self.lab.open().unwrap();
        drop(reader);
        let conditions: Vec<Conditions> = (0..LANES).map(|_| self.conditions()).collect();
        let tasks = (0..=self.rng.below(TASKS_MAX)).map(|at| {
            // The tasks of a lane have one value where a rate limit is by value.
            let lane = match self.has_rates {
                true => (at as u64 + 1) % (1 + LANES),
                false => self.rng.throw() % (1 + LANES),
            };
            let mut def = self.def();
            let of_lane = lane.checked_sub(1).map(|at| conditions[at as usize].clone());
            def.options.conditions = of_lane.unwrap_or_default();
            (def.options.start_time, def.options.queue_timeout) = (None, None);
            // It takes no keys.
            def.options.unique = None;
            // It decides everything itself.
            def.unsaid = Unsaid::NONE;
            (def, lane)
        });
        let tasks: Vec<(NewTask, u64)> = tasks.collect();
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.rng.throw().to_le_bytes());
        let mut ids = IdSource::new(store.id_key(), seed);
        self.oracle.key = Some(store.id_key());
        let batch = self.batch(store.as_mut(), &mut ids, &tasks);
        let committed = store.begin(&Lookups::default).unwrap().commit(&batch);
        assert!(matches!(committed, Commit::Committed), "{committed:?}");
        let adds = batch.changes.iter().filter_map(|change| match change {
            Change::Add { id, lane, def, .. } => Some((*id, def.clone(), lane.n())),
            _ => None,
        });
        adds.for_each(|(id, def, lane)| self.oracle.enter_in_lane(id, def, lane));
        store.close().unwrap();
    }

    /// These tasks, and the operations that are new with them.
    fn batch(&self, store: &mut dyn Store, ids: &mut IdSource, tasks: &[(NewTask, u64)]) -> Batch {
        let mut transaction = store.begin_read().unwrap();
        let (head, known) = (transaction.head().unwrap(), transaction.operations().unwrap());
        drop(transaction);
        // An operation comes with its first task.
        let is_used = |name: &&str| tasks.iter().any(|(def, _)| *def.operation == **name);
        let is_new = |name: &&str| known.iter().all(|one| *one.name != **name);
        let new = OPERATIONS.into_iter().filter(|name| is_used(name) && is_new(name));
        let numbers = (known.len() as u16 + 1..).map(OperationId);
        let new = numbers.zip(new).map(|(id, name)| Operation::new(id, name));
        let new: Vec<Operation> = new.collect();
        let (at, mut counts) = (self.now().wall, head.counts);
        let number_of = |def: &NewTask| {
            let all = known.iter().chain(&new);
            all.clone().find(|one| one.name == def.operation).unwrap().id
        };
        let adds = (head.seq_next.0..).zip(tasks).map(|(seq, (def, n))| {
            counts.enter(State::Ready);
            let n = n.checked_sub(1).map_or(0, |n| head.lane_next + n);
            let (seq, lane) = (Seq(seq), LaneId::new(number_of(def), n));
            let (id, def, start) = (ids.task(seq, at), def.clone(), None);
            Change::Add { seq, id, lane, def, at, start }
        });
        let adds: Vec<Change> = adds.collect();
        let operations = new.into_iter().map(|operation| Change::Operation(operation.into()));
        let seq_next = Seq(head.seq_next.0 + adds.len() as u64);
        let lapses = adds.iter().filter_map(|change| match change {
            Change::Add { seq, lane, def, .. } if def.lapses() => {
                let operation = lane.operation();
                Some(Change::Lapses { seq: *seq, operation, lapses: true })
            }
            _ => None,
        });
        let lapses: Vec<Change> = lapses.collect();
        let changes = operations.chain(adds).chain(lapses).collect();
        let lane_next = head.lane_next + LANES;
        let (number, owner) = (head.number + 1, store.owner());
        let notes = Vec::new();
        Batch { number, owner, at, seq_next, lane_next, counts, changes, notes }
    }
}
