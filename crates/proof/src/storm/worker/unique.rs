//! Adds with keys that all workers share: of two that come at once one finds the task of the other.

use tasker_core::id::TaskId;
use tasker_core::key::{OnConflict, Unique, UniqueWhile};
use tasker_engine::effect::Added;
use tasker_engine::input::Input;

use super::super::line::{Key, Line};
use super::{Call, Moment, Worker};
use crate::rng::Rng;

/// So few that most adds find one taken.
const KEYS: usize = 12;

impl Rng {
    fn unique(&mut self) -> Unique {
        let holds = [UniqueWhile::New, UniqueWhile::Unfinished, UniqueWhile::Always];
        let hold = self.one_of(&holds);
        // Those that are never free again have names of their own.
        let is_always = hold == UniqueWhile::Always;
        let key = format!("{}{}", if is_always { "always " } else { "" }, self.below(KEYS));
        let ttl_ms = (!is_always && self.once_in(8)).then_some(1 + self.below(50) as u64);
        Unique { key: key.into(), hold, ttl_ms, on_conflict: self.one_of(OnConflict::ALL) }
    }
}

impl Worker {
    /// Adds a task that says a key which other workers say too.
    pub(super) fn add_unique(&mut self) {
        let key = self.key(1);
        let mut def = self.rng.definition(key);
        (def.operation, def.is_attached) = ("read".into(), false);
        def.options.unique = Some(self.rng.unique().into());
        self.try_call(Call::AddUnique(key), |ticket| Input::Add(ticket, def));
    }

    pub(super) fn added_unique(&mut self, key: Key, adds: &[(TaskId, Added)], begun: &Moment) {
        for (id, added) in adds {
            match added {
                Added::New => self.added(key, &[*id], begun),
                Added::Known | Added::Duplicate | Added::Replaced => {
                    self.tell(Line::Earlier(*id));
                    self.tasks.push(*id);
                }
            }
        }
    }
}
