//! Who waits for whom, who lapses, and timers.

use tasker_core::id::Seq;
use tasker_core::store::Change;

use super::Held;
use crate::ask::to;
use crate::bytes::seq_at;
use crate::keys;
use crate::overlay::Overlay;

impl Overlay {
    #[expect(clippy::wildcard_enum_match_arm, reason = "`apply` hands over no other")]
    pub(super) fn wait(&mut self, change: &Change) -> Held {
        match change {
            Change::DependOn { seq, dependencies } => {
                for (dependency, is_met) in dependencies.iter() {
                    let (there, back) = both(*dependency, *seq);
                    self.add_entry(keys::NEEDED, there.clone());
                    self.add_entry(keys::NEEDS, back.clone());
                    if !is_met {
                        self.add_entry(keys::OPEN, there);
                        self.add_entry(keys::OPEN_OF, back);
                    }
                }
            }
            Change::Met { dependency, dependents } => {
                for entry in self.entries(keys::OPEN, &dependency.0.to_be_bytes()) {
                    let dependent = seq_at(&entry, 8)?;
                    if dependents.contains(&dependent) {
                        self.drop_entry(keys::OPEN_OF, both(*dependency, dependent).1);
                        self.drop_entry(keys::OPEN, entry);
                    }
                }
            }
            Change::LetGo { seq } => {
                for entry in self.entries(keys::NEEDS, &seq.0.to_be_bytes()) {
                    let (there, back) = both(seq_at(&entry, 8)?, *seq);
                    self.drop_entry(keys::NEEDED, there.clone());
                    self.drop_entry(keys::OPEN, there);
                    self.drop_entry(keys::OPEN_OF, back);
                    self.drop_entry(keys::NEEDS, entry);
                }
            }
            Change::Lapses { seq, operation, lapses } => {
                let entry = keys::lapsing(*operation, *seq);
                if *lapses {
                    self.add_entry(keys::LAPSING, entry);
                } else {
                    self.drop_entry(keys::LAPSING, entry);
                }
            }
            Change::Timer { timer, .. } => self.timer(*timer),
            Change::Fired(last) => {
                let args = vec![b"-".to_vec(), to(&keys::timer(*last))];
                self.write("ZREMRANGEBYLEX", keys::TIMERS, args);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A dependency as seen from either side.
fn both(dependency: Seq, dependent: Seq) -> (Vec<u8>, Vec<u8>) {
    (keys::pair(dependency.0, dependent.0), keys::pair(dependent.0, dependency.0))
}
