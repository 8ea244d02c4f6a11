//! The conditions of a new task: those of the whole store, those of its operation, and its own.
//!
//! # Promises
//! - All of them add up, and are fixed when the task is added: what is said later concerns later
//!   tasks.
//! - A task whose operation and store say nothing costs a look, and its data is not read.
//!
//! # Left to others
//! Which lane they lead to: `add`. What they count: `core::dispatch`.
//!
//! Proof: `proof/tests/engine/templates.rs`, `__test__/contract/templates.test.mjs`.

use tasker_core::condition::{Conditions, Template};
use tasker_core::document;
use tasker_core::error::Result;
use tasker_core::id::{LaneId, OperationId};
use tasker_core::operation::WHOLE_STORE;
use tasker_core::query::Fields;
use tasker_core::task::NewTask;

use crate::draft::Planner;

impl Planner<'_> {
    /// What is said of all tasks of the store.
    pub(crate) fn find_rules(&mut self) {
        let id = self.dispatch.operation(WHOLE_STORE);
        let options = id.and_then(|id| self.dispatch.options(id));
        self.draft.rules = options.and_then(|options| options.conditions.clone());
    }

    /// All conditions of a new task of this operation, if the store knows that.
    pub(crate) fn conditions_of(
        &self,
        def: &NewTask,
        operation: Option<OperationId>,
    ) -> Result<Conditions> {
        let rules = self.draft.rules.as_ref();
        let options = operation.and_then(|id| self.dispatch.options(id));
        let template = options.and_then(|options| options.conditions.as_ref());
        if rules.is_none() && template.is_none() {
            return Ok(def.conditions().clone());
        }
        let templates = [rules, template].into_iter().flatten();
        let fields = templates.clone().map(Template::fields).fold(Fields::NONE, Fields::and);
        let task = document::for_conditions(def, fields)?;
        let mut all = Conditions::NONE;
        for template in templates {
            all = all.and(&template.resolve(&task, "conditions")?, "conditions")?;
        }
        all.and(def.conditions(), "concurrency")
    }

    /// The tasks of this turn's lane have these conditions.
    pub(crate) fn note_conditions(&mut self, lane: LaneId, conditions: Conditions) {
        self.draft.conditions.insert(lane, conditions);
    }

    /// A task that enters a lane has its conditions from then on.
    pub(crate) fn fix_conditions(&self, lane: LaneId, def: &mut NewTask) {
        let all = self.draft.conditions.get(&lane);
        debug_assert!(all.is_some(), "nothing is known of the conditions of {lane:?}");
        if let Some(all) = all.filter(|all| *all != def.conditions()) {
            def.options.own_conditions = Some(def.conditions().count());
            def.options.conditions = all.clone();
        }
    }
}
