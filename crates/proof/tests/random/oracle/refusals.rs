//! Calls that are refused: whether that is fair, and what may have happened all the same.

use tasker_core::error::{Code, Error};
use tasker_engine::input::Ticket;

use super::{Asked, Oracle};

impl Oracle {
    /// A call was refused.
    pub(super) fn refused(&mut self, ticket: Ticket, error: &Error) {
        let asked = self.mine().asked.remove(&ticket).expect("a call is answered once");
        let me = self.me();
        let closes = me.stopping.as_ref().is_some_and(|stopping| stopping.closes);
        let named = match &asked {
            Asked::Abort(id, _)
            | Asked::Prioritize(id, _)
            | Asked::Retry(id, _)
            | Asked::Remove(id)
            | Asked::Update(id, _)
            | Asked::Postpone(id, _)
            | Asked::PauseTask(id)
            | Asked::ResumeTask(id)
            | Asked::Explain(id)
            | Asked::Watch(id) => Some(*id),
            _ => None,
        };
        let is_gone = named.is_some_and(|id| self.may_be_gone(id));
        let me = self.mine();
        let is_fair = match error.code() {
            Code::NotFound => is_gone || self.may_be_unknown(&asked),
            Code::Duplicate => self.may_be_duplicate(&asked),
            Code::Unsupported => self.may_be_unsupported(&asked),
            Code::Conflict => matches!(asked, Asked::Else | Asked::Assign(..)),
            Code::Closed => closes || me.is_closed,
            code => [me.hit, me.close_fault].contains(&Some(code)),
        };
        assert!(is_fair, "refused {asked:?} with {error:?}");
        if let Asked::Assign(name, _) = &asked {
            self.not_assigned(ticket, name);
        }
        if let (Asked::Prioritize(id, to), Code::Unknown) = (&asked, error.code())
            && let Some(task) = self.tasks.get_mut(id)
        {
            task.priorities.push(*to);
        }
        if let (Asked::Remove(id), Code::Unknown) = (&asked, error.code())
            && let Some(task) = self.tasks.get_mut(id)
        {
            task.is_doubtful = true;
        }
        if let (Asked::Once(defs), Code::Unknown) = (&asked, error.code()) {
            let fresh = defs.iter().filter(|(key, _)| !self.keys.contains_key(key));
            for (key, _) in fresh {
                self.open_keys.entry(*key).or_insert(false);
            }
        }
    }
}
