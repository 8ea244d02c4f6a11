//! Keys of tasks, and tasks that go with theirs.

use tasker_core::id::Seq;
use tasker_core::key::{KEYS_SWEPT_MAX, KeyKind};
use tasker_core::limits::KEYS_KEPT_MS;
use tasker_core::state::State;
use tasker_core::store::{Change, KeyHolder};
use tasker_core::time::WallMs;

use super::Held;
use crate::bytes::{corrupt, sortable};
use crate::keys;
use crate::overlay::Overlay;
use crate::packed;

impl Overlay {
    #[expect(clippy::wildcard_enum_match_arm, reason = "`apply` hands over no other")]
    pub(super) fn keyed(&mut self, change: &Change) -> Held {
        match change {
            Change::Key { key, seq, kind, until, had_by } => {
                let Some(id) = self.row(*seq)?.map(|row| row.id) else { return Ok(false) };
                let (seq, kind, until) = (*seq, *kind, *until);
                self.give_key(&key.bytes(), KeyHolder { seq, id, kind, until }, *had_by)
            }
            Change::SweepKeys(now) => self.sweep_keys(*now),
            Change::Purge { seq, from, at, .. } => self.purge_task(*seq, *from, *at),
            _ => Ok(false),
        }
    }

    fn give_key(&mut self, key: &[u8], holder: KeyHolder, had_by: Option<Seq>) -> Held {
        let before = self.cell(keys::KEYS, key)?.map(packed::read_holder).transpose()?;
        if let Some(before) = before {
            if Some(before.seq) != had_by {
                return Ok(false);
            }
            self.drop_entry(keys::KEYS_OF, key_of(&before, key));
            if let Some(until) = before.until {
                self.drop_entry(keys::KEYS_UNTIL, [&sortable(until), key].concat());
            }
        }
        self.put(keys::KEYS, key, Some(packed::holder(&holder)));
        self.add_entry(keys::KEYS_OF, key_of(&holder, key));
        Ok(true)
    }

    /// Forgets keys of removed tasks whose time is over.
    fn sweep_keys(&mut self, now: WallMs) -> Held {
        let entries = self.entries(keys::KEYS_UNTIL, b"");
        let over = entries.into_iter().take_while(|entry| entry.get(..8) <= Some(&sortable(now)));
        for entry in over.take(KEYS_SWEPT_MAX) {
            let Some(key) = entry.get(8..) else {
                return Err(corrupt("a key without the end of its time"));
            };
            self.put(keys::KEYS, key, None);
            self.drop_entry(keys::KEYS_UNTIL, entry);
        }
        Ok(true)
    }

    /// An ended task goes; the keys of outbox rows stay for a while.
    fn purge_task(&mut self, seq: Seq, from: State, at: WallMs) -> Held {
        let row = self.in_state(seq, from)?.filter(|row| row.state.is_final());
        let Some(id) = row.map(|row| row.id) else { return Ok(false) };
        for entry in self.entries(keys::KEYS_OF, &seq.0.to_be_bytes()) {
            let kind = entry.get(8).copied().and_then(KeyKind::from_code);
            let kind = kind.ok_or_else(|| corrupt("an unknown kind of key"))?;
            let key = entry[9..].to_vec();
            if kind == KeyKind::Idempotency {
                let until = at.plus(KEYS_KEPT_MS);
                let holder = KeyHolder { seq, id, kind, until: Some(until) };
                self.put(keys::KEYS, &key, Some(packed::holder(&holder)));
                self.add_entry(keys::KEYS_UNTIL, [&sortable(until), key.as_slice()].concat());
            } else {
                self.put(keys::KEYS, &key, None);
            }
            self.drop_entry(keys::KEYS_OF, entry);
        }
        self.purge(seq)?;
        Ok(true)
    }
}

fn key_of(holder: &KeyHolder, key: &[u8]) -> Vec<u8> {
    [&holder.seq.0.to_be_bytes(), [holder.kind.code()].as_slice(), key].concat()
}
