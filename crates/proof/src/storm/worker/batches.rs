//! A worker takes several tasks in one call of a runner, of some operations.

use tasker_core::batching::Batching;
use tasker_core::operation::OperationOptions;
use tasker_engine::input::Input;

use super::{Call, Worker};

impl Worker {
    /// A runner for an operation, as its worker takes its tasks: each by itself, or several at
    /// once, for which it waits or not. Others on the file may do it in another way.
    pub(super) fn assign(&mut self, operation: &str, options: Option<OperationOptions>) {
        let batching = self.rng.once_in(2).then(|| {
            let wait_ms = self.rng.one_of(&[0, 2, 20]);
            Batching { max: 2 + self.rng.below(4) as u32, wait_ms }
        });
        let name = operation.into();
        self.call(Call::Other, |ticket| match batching {
            Some(batching) => Input::AssignBatch(ticket, name, options, batching),
            None => Input::Assign(ticket, name, options),
        });
    }
}
