//! What the store says, compared with what is expected, or taken over where nobody can know it.

use tasker_core::read::Found;

use super::Oracle;

impl Oracle {
    /// Compares with all that is stored (I-1, I-2, I-3, I-13, I-19).
    pub(crate) fn compare(&mut self, stored: &[Found]) {
        assert_eq!(stored.len(), self.tasks.len(), "I-1, I-2");
        for found in stored {
            let task = self.tasks.get_mut(&found.task.id).expect("I-2: from nowhere");
            task.compare(found);
        }
    }

    /// Takes the store's word after a commit whose fate was open; `uuids` may have come of it.
    pub(crate) fn resolve(&mut self, stored: &[Found], uuids: &[String]) {
        let mut stored: Vec<&Found> = stored.iter().collect();
        stored.sort_by_key(|found| found.task.seq);
        // A batch is on disk whole or not at all, and its keys with it.
        let is_new = |found: &&Found| uuids.contains(&found.task.id.0.to_string());
        let is_committed = stored.iter().any(is_new);
        self.open_keys.retain(|_, was_committed| is_committed || *was_committed);
        self.open_keys.values_mut().for_each(|was_committed| *was_committed = true);
        for found in stored {
            let id = found.task.id;
            if !self.tasks.contains_key(&id) {
                assert!(uuids.contains(&id.0.to_string()), "I-2: from nowhere");
                let mut def = found.task.def.clone();
                if found.task.state.is_final() {
                    // It has ended since, and what it depended on may be gone.
                    def.options.depends_on = None;
                }
                self.enter(id, def);
                self.tasks.get_mut(&id).unwrap().created_at = found.task.created_at;
            }
            let me = self.me;
            let task = self.tasks.get_mut(&id).unwrap();
            // It may have ended since, as soon as a process opened: what it was given stays.
            if task.priorities.contains(&found.task.def.priority) {
                task.def.priority = found.task.def.priority;
            }
            let is_remote = task.run.is_some_and(|(process, _)| process != me);
            if (!task.state.is_final() || task.is_end_supposed()) && !is_remote {
                task.adopt(found);
                self.adopt_hold(id);
            }
        }
        self.reach_dependents(true);
    }
}
