//! The one queue between the callers' threads and the engine's.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tasker_core::error::{Error, Result};
use tokio::sync::Notify;

use crate::input::{Input, Inputs, Ticket};
use crate::quiet::AskedQuiet;

/// How much one turn takes in, in tasks: it bounds how long a commit takes, and so how long other
/// owners wait for the lock.
const TURN_WEIGHT_MAX: usize = 8_192;
const TURN_WEIGHT_SHARED_MAX: usize = 2_048;

#[derive(Debug, Default)]
struct Pending {
    inputs: VecDeque<Input>,
    /// Who asks to hear when it is quiet.
    quiets: VecDeque<AskedQuiet>,
    closed: Option<Error>,
}

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    queue: Mutex<Pending>,
    notifier: Notify,
}

impl Inbox {
    /// Takes calls in. When the engine is closed, gives the tickets to refuse and the error.
    pub(crate) fn push(
        &self,
        inputs: impl IntoIterator<Item = Input>,
    ) -> Option<(Vec<Ticket>, Error)> {
        let mut queue = self.queue.lock();
        if let Some(error) = queue.closed.clone() {
            let tickets = inputs.into_iter().filter_map(|input| input.ticket()).collect();
            return Some((tickets, error));
        }
        queue.inputs.extend(inputs);
        drop(queue);
        self.notifier.notify_one();
        None
    }

    /// Takes in who asks to hear when it is quiet.
    ///
    /// # Errors
    /// Why the engine is closed.
    pub(crate) fn ask_quiet(&self, asked: AskedQuiet) -> Result<()> {
        let mut queue = self.queue.lock();
        if let Some(error) = queue.closed.clone() {
            return Err(error);
        }
        queue.quiets.push_back(asked);
        drop(queue);
        self.notifier.notify_one();
        Ok(())
    }

    /// Whether somebody asks for quiet, and nothing else waits.
    pub(crate) fn asks_only_for_quiet(&self) -> bool {
        let queue = self.queue.lock();
        queue.inputs.is_empty() && !queue.quiets.is_empty()
    }

    /// Who asked first to hear when it is quiet.
    pub(crate) fn asked_quiet(&self) -> Option<AskedQuiet> {
        self.queue.lock().quiets.front().cloned()
    }

    /// Who asked first has been told.
    pub(crate) fn forget_quiet(&self) {
        self.queue.lock().quiets.pop_front();
    }

    /// Takes nothing in any more; the tickets of what waits, to be refused. Whoever comes later is
    /// told `error` by `push`.
    pub(crate) fn close(&self, error: &Error) -> Vec<Ticket> {
        let mut queue = self.queue.lock();
        queue.closed = Some(error.clone());
        let quiets: Vec<Ticket> = queue.quiets.drain(..).map(|asked| asked.ticket).collect();
        let calls = queue.inputs.drain(..).filter_map(|input| input.ticket());
        calls.chain(quiets).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.lock().inputs.is_empty()
    }

    pub(crate) async fn wait(&self) {
        self.notifier.notified().await;
    }
}

impl Inputs for &Inbox {
    fn each(&self, see: &mut dyn FnMut(&Input)) {
        self.queue.lock().inputs.iter().for_each(see);
    }

    /// All that waits, up to what one turn should take.
    fn take(&mut self, is_shared: bool) -> Vec<Input> {
        let weight_max = if is_shared { TURN_WEIGHT_SHARED_MAX } else { TURN_WEIGHT_MAX };
        let mut queue = self.queue.lock();
        let mut weight = 0;
        let mut count = 0;
        for input in &queue.inputs {
            weight += input.weight();
            if count > 0 && weight > weight_max {
                break;
            }
            count += 1;
        }
        queue.inputs.drain(..count).collect()
    }
}
