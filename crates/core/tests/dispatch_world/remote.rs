//! What other processes do.

use tasker_core::condition::Scope;
use tasker_core::id::{LaneId, OwnerId};

use super::history::Task;
use super::{World, define, document, id};

impl World {
    /// Another process adds: in lanes of which nothing is known here, or in those that are there.
    pub(super) fn add_remote(&mut self, adds: &[Task], is_own: bool) {
        for task in adds {
            let (place, operation) = (task.0, id(task.0.0));
            let plain = LaneId::new(operation, 0);
            let key = self.truth.add(define(&self.rules, *task), plain, place.1);
            let value = self.truth.value(operation, key.seq);
            let known = self.truth.known_lane(place, value.as_ref()).filter(|_| !is_own);
            let lane = match (place.1, &value) {
                (0, None) => plain,
                _ => known.unwrap_or_else(|| self.truth.new_lane(place, value.as_ref())),
            };
            self.truth.queue.insert(key, lane);
            self.dispatch.enter(lane, key);
        }
        self.dispatch.commit();
    }

    pub(super) fn attach_remote(&mut self, adds: &[Task]) {
        for ((operation, _), priority, data) in adds {
            let lane = LaneId::attached(id(*operation), OwnerId(7));
            let def = define(&self.rules, ((*operation, 0), *priority, *data));
            let key = self.truth.add(def, lane, 0);
            self.dispatch.enter(lane, key);
        }
        self.dispatch.commit();
    }

    pub(super) fn start_remote(&mut self, n: usize) {
        let first = self.truth.queue.iter().nth(n).map(|(key, lane)| (*key, *lane));
        let Some((key, lane)) = first else { return };
        let operation = lane.operation();
        if self.truth.tokens(operation, key.seq, self.now) == 0
            || !self.truth.is_let_start(operation, key.seq, self.now)
        {
            return;
        }
        self.truth.circuits.batch += 1;
        self.truth.take(operation, key.seq, self.now);
        let turned = self.truth.pass(operation, key.seq, self.now);
        self.truth.queue.remove(&key);
        self.truth.remote.push((lane, key.seq));
        self.dispatch.leave(lane, key);
        let document = document(&self.truth.defs[&key.seq], Scope::Running);
        let document = Some(&document).filter(|_| self.dispatch.tracks_runs());
        self.dispatch.begin_remote_run(operation, key.seq, document);
        if turned.is_some() {
            self.dispatch.note_circuit_elsewhere(operation);
        }
        self.dispatch.commit();
    }
}
