//! Figures of the store, by looking at every task.

use std::collections::BTreeMap;

use serde_json::Value;
use tasker_core::state::{Phase, State};

use super::Oracle;

impl Oracle {
    /// Figures, until they are compared.
    pub(crate) fn take_figures(&mut self) -> Vec<String> {
        std::mem::take(&mut self.figures)
    }

    /// As many tasks of each operation are told to be in each state as are in it, and as many to
    /// wait as wait; and as many processes as live, if that is known.
    pub(crate) fn compare_figures(&self, text: &str, living: Option<usize>) {
        let told: Value = serde_json::from_str(text).unwrap();
        if let Some(living) = living {
            assert_eq!(told["store"]["processes"], living, "{text}");
        }
        let mut counts: BTreeMap<(&str, State), u64> = BTreeMap::new();
        for task in self.tasks.values() {
            *counts.entry((&task.def.operation, task.state)).or_default() += 1;
        }
        let operations = told["operations"].as_object().unwrap();
        for (name, operation) in operations {
            let count = |state: State| counts.get(&(name, state)).copied().unwrap_or(0);
            for state in State::ALL {
                let told = &operation["store"]["tasks"][state.as_str()];
                assert_eq!(*told, count(*state), "{name} {state:?} {text}");
            }
            let waiting = operation["store"]["waiting"].as_object().unwrap().values();
            let waiting: u64 = waiting.filter_map(Value::as_u64).sum();
            let all = State::ALL.iter().filter(|state| state.phase() == Phase::Waiting);
            assert_eq!(waiting, all.map(|state| count(*state)).sum::<u64>(), "{name} {text}");
        }
        for (name, _) in counts.keys() {
            assert!(operations.contains_key(*name), "{name} is left out: {text}");
        }
    }
}
