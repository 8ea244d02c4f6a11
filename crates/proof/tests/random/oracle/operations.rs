//! What is said of operations, and by whom.

use std::sync::Arc;

use tasker_core::condition::Conditions;
use tasker_core::document::for_conditions;
use tasker_core::operation::{OperationOptions, OperationRecord, WHOLE_STORE};
use tasker_core::query::Fields;
use tasker_core::store::Operation;
use tasker_core::task::NewTask;
use tasker_core::time::WallMs;
use tasker_engine::client_id::ClientId;
use tasker_engine::effect::Answer;
use tasker_engine::input::Ticket;

use super::Oracle;

/// Who runs an operation in a process.
#[derive(Debug)]
pub(super) struct Runner {
    /// The call that assigned it.
    pub(super) ticket: Ticket,
    /// The options with which it came, once they are on disk.
    pub(super) options: Option<OperationOptions>,
}

impl Runner {
    /// Whose it is.
    pub(super) fn client(&self) -> ClientId {
        ClientId::of(self.ticket)
    }
}

impl Oracle {
    pub(super) fn operation(&mut self, name: Arc<str>) -> &mut OperationRecord {
        self.operations.entry(name).or_default()
    }

    /// What is said of an operation.
    pub(crate) fn said(&self, name: &str) -> OperationRecord {
        self.operations.get(name).cloned().unwrap_or_default()
    }

    /// Something was said of an operation, or of all: then it is told what that has replaced.
    pub(super) fn defined(&mut self, name: Arc<str>, options: OperationOptions, answer: &Answer) {
        let before = self.said(WHOLE_STORE).in_force().conditions;
        let replaced = before.filter(|before| {
            &*name == WHOLE_STORE
                && !before.is_empty()
                && options.conditions.as_ref() != Some(before)
        });
        match (answer, &replaced) {
            (Answer::Done, None) => {}
            (Answer::Json(text), Some(before)) => {
                assert!(text.starts_with(&format!("[{},[", before.text())), "{text} {before:?}");
            }
            other => panic!("{other:?}"),
        }
        self.say(name, |record| record.defined = options);
    }

    fn say(&mut self, name: Arc<str>, say: impl FnOnce(&mut OperationRecord)) {
        let (old, batch) = (self.said(&name), self.batch());
        let record = self.operation(name);
        say(record);
        let lanes_from = record.lanes_from;
        record.follow(&old, batch, lanes_from);
    }

    /// Gives a task what is said of its operation, and of all.
    pub(super) fn complete(&self, def: &mut NewTask) {
        let said = self.said(&def.operation).in_force();
        said.complete(def);
        let of_all = self.said(WHOLE_STORE).in_force().conditions;
        let templates = [of_all, said.conditions].into_iter().flatten();
        let task = for_conditions(def, Fields::ALL).unwrap();
        let resolved = templates.map(|template| template.resolve(&task, "conditions").unwrap());
        let all =
            resolved.fold(Conditions::NONE, |all, more| all.and(&more, "conditions").unwrap());
        let all = all.and(def.conditions(), "concurrency").unwrap();
        if all != *def.conditions() {
            def.options.own_conditions = Some(def.conditions().count());
            def.options.conditions = all;
        }
    }

    /// Compares what is said of operations with what is stored.
    pub(crate) fn compare_operations(&self, stored: &[Operation]) {
        for name in self.operations.keys() {
            assert!(stored.iter().any(|one| one.name == *name), "{name} is forgotten");
        }
        for Operation { name, record, .. } in stored {
            // Which lanes are older than a path is the engine's affair.
            let (version, lanes_from) = (record.version, record.lanes_from);
            let said = OperationRecord { version, lanes_from, ..self.said(name) };
            let paused_at = record.paused_at.map(|_| WallMs(0));
            assert_eq!(OperationRecord { paused_at, ..record.clone() }, said, "{name}");
            assert!(record.version > 0);
        }
    }

    /// Takes the store's word after a commit whose fate was open.
    pub(crate) fn resolve_operations(&mut self, stored: Vec<Operation>) {
        for Operation { name, record, .. } in stored {
            let paused_at = record.paused_at.map(|_| WallMs(0));
            self.operations.insert(name, OperationRecord { paused_at, version: 0, ..record });
        }
    }

    /// A runner has come with options, which are on disk.
    pub(super) fn assigned(&mut self, ticket: Ticket, name: Arc<str>, options: OperationOptions) {
        if let Some(runner) = self.mine().runners.get_mut(&name)
            && runner.ticket == ticket
        {
            runner.options = Some(options.clone());
        }
        self.say(name, |record| record.assigned = options);
    }

    /// Without its options there is no runner.
    pub(super) fn not_assigned(&mut self, ticket: Ticket, name: &str) {
        let me = self.mine();
        if me.runners.get(name).is_some_and(|runner| runner.ticket == ticket) {
            me.runners.remove(name);
        }
    }

    /// An operation was paused or resumed; `is_changed` is the answer.
    pub(super) fn paused(&mut self, name: Arc<str>, pauses: bool, is_changed: bool) {
        let was_paused = self.said(&name).paused_at.is_some();
        assert_eq!(is_changed, was_paused != pauses, "{name}");
        if is_changed {
            self.operation(name).paused_at = pauses.then_some(WallMs(0));
        }
    }

    /// It is told that another process has said otherwise.
    pub(super) fn disagree(&self, name: &str, (ours, theirs): (u32, u32)) {
        let own = self.me().runners.get(name).and_then(|runner| runner.options.as_ref());
        let is_so = own.is_some_and(|own| *own != self.said(name).assigned);
        assert!(is_so && ours < theirs, "{name} {own:?} {:?}", self.said(name));
    }
}
