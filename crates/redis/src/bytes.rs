//! How values are packed: a version, then numbers of few bytes and texts with their length.
//!
//! What is ordered by the server is packed so that bytes sort as values do: `sortable` and
//! `descending` below.
//!
//! # Promises
//! - Every value comes back as it was written. Bytes that nobody wrote are `Corrupt`, those of a
//!   newer tasker `Version`; neither is a panic.
//!
//! Proof: the tests below.

use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{RunId, Seq, TaskId};
use tasker_core::json::is_json;
use tasker_core::task::{Json, Priority};
use tasker_core::time::WallMs;
use uuid::Uuid;

/// The version of all that is packed.
pub(crate) const VERSION: u8 = 1;

/// Damage.
pub(crate) fn corrupt(what: &str) -> Error {
    Error::new(Code::Corrupt, format!("the data on the server is damaged: {what}"))
}

/// A value that is being packed.
#[derive(Debug)]
pub(crate) struct Packer(Vec<u8>);

impl Packer {
    /// Begins with the version.
    pub(crate) fn new() -> Self {
        Self(vec![VERSION])
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn byte(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    /// Seven bits a byte.
    pub(crate) fn number(&mut self, value: u64) -> &mut Self {
        let mut left = value;
        while left >= 0x80 {
            self.0.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.byte(left as u8)
    }

    /// Small numbers of either sign take few bytes.
    pub(crate) fn moment(&mut self, at: WallMs) -> &mut Self {
        self.number(((at.0 << 1) ^ (at.0 >> 63)) as u64)
    }

    pub(crate) fn fixed(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64).fixed(bytes)
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// What may be absent.
    pub(crate) fn maybe<T>(
        &mut self,
        value: Option<T>,
        put: impl for<'p> FnOnce(&'p mut Self, T) -> &'p mut Self,
    ) -> &mut Self {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            put(self, value);
        }
        self
    }
}

/// A value that is being read.
#[derive(Debug)]
pub(crate) struct Unpacker<'b>(&'b [u8]);

impl<'b> Unpacker<'b> {
    /// Reads the version.
    pub(crate) fn new(bytes: &'b [u8]) -> Result<Self> {
        let mut unpacker = Self(bytes);
        match unpacker.byte()? {
            VERSION => Ok(unpacker),
            0 => Err(corrupt("a value without a version")),
            _ => Err(Error::new(Code::Version, "a newer tasker has written to this store")),
        }
    }

    /// All is read.
    pub(crate) fn end(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(corrupt("a value that is too long")) }
    }

    pub(crate) fn fixed(&mut self, length: usize) -> Result<&'b [u8]> {
        let (taken, left) =
            self.0.split_at_checked(length).ok_or_else(|| corrupt("a value that is too short"))?;
        self.0 = left;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        Ok(self.fixed(1)?[0])
    }

    pub(crate) fn number(&mut self) -> Result<u64> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(corrupt("a number that is too long"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    pub(crate) fn small(&mut self) -> Result<u32> {
        u32::try_from(self.number()?).map_err(|_| corrupt("a number that is too great"))
    }

    pub(crate) fn moment(&mut self) -> Result<WallMs> {
        let value = self.number()?;
        Ok(WallMs((value >> 1) as i64 ^ -((value & 1) as i64)))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.fixed(N)?.try_into().map_err(|_| corrupt("a value that is too short"))
    }

    pub(crate) fn run(&mut self) -> Result<RunId> {
        Ok(RunId(Uuid::from_bytes(self.array()?)))
    }

    pub(crate) fn task(&mut self) -> Result<TaskId> {
        Ok(TaskId(Uuid::from_bytes(self.array()?)))
    }

    pub(crate) fn float(&mut self) -> Result<f64> {
        Ok(f64::from_bits(u64::from_be_bytes(self.array()?)))
    }

    pub(crate) fn priority(&mut self) -> Result<Priority> {
        Priority::new(self.float()?).map_err(|_| corrupt("a priority that is not a number"))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'b [u8]> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        self.fixed(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'b str> {
        str::from_utf8(self.bytes()?).map_err(|_| corrupt("a text that is none"))
    }

    pub(crate) fn json(&mut self) -> Result<Json> {
        json(self.bytes()?)
    }

    pub(crate) fn maybe<T>(
        &mut self,
        take: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<Option<T>> {
        match self.byte()? {
            0 => Ok(None),
            1 => take(self).map(Some),
            _ => Err(corrupt("a flag that is none")),
        }
    }
}

/// JSON text as it was stored. It is spliced into other texts unread, so damage must not pass here.
pub(crate) fn json(bytes: &[u8]) -> Result<Json> {
    let text = str::from_utf8(bytes).ok().filter(|text| is_json(text));
    text.map(Json::trusted).ok_or_else(|| corrupt("broken JSON"))
}

/// A moment whose bytes sort by time.
pub(crate) fn sortable(at: WallMs) -> [u8; 8] {
    (at.0 as u64 ^ (1 << 63)).to_be_bytes()
}

pub(crate) fn from_sortable(bytes: [u8; 8]) -> WallMs {
    WallMs((u64::from_be_bytes(bytes) ^ (1 << 63)) as i64)
}

/// A priority whose bytes sort the greatest first.
pub(crate) fn descending(priority: Priority) -> [u8; 8] {
    let bits = priority.get().to_bits();
    let ascending = if bits >> 63 == 0 { bits | (1 << 63) } else { !bits };
    (!ascending).to_be_bytes()
}

pub(crate) fn from_descending(bytes: [u8; 8]) -> Result<Priority> {
    let ascending = !u64::from_be_bytes(bytes);
    let bits = if ascending >> 63 == 1 { ascending & !(1 << 63) } else { !ascending };
    Priority::new(f64::from_bits(bits)).map_err(|_| corrupt("a place that is no number"))
}

/// Eight bytes of an entry.
pub(crate) fn eight(entry: &[u8], at: usize) -> Result<[u8; 8]> {
    let part = entry.get(at..at + 8).and_then(|part| part.try_into().ok());
    part.ok_or_else(|| corrupt("an entry that is too short"))
}

/// The number that stands in an entry.
pub(crate) fn seq_at(entry: &[u8], at: usize) -> Result<Seq> {
    Ok(Seq(u64::from_be_bytes(eight(entry, at)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_moments_come_back() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut packer = Packer::new();
            packer.number(value).moment(WallMs(value as i64));
            let bytes = packer.done();
            let mut unpacker = Unpacker::new(&bytes).unwrap();
            assert_eq!(unpacker.number().unwrap(), value);
            assert_eq!(unpacker.moment().unwrap(), WallMs(value as i64));
            unpacker.end().unwrap();
        }
    }

    #[test]
    fn bytes_sort_as_what_they_stand_for() {
        let moments = [i64::MIN, -5, -1, 0, 1, 7, i64::MAX].map(WallMs);
        assert!(moments.map(sortable).is_sorted());
        assert_eq!(moments.map(sortable).map(from_sortable), moments);
        let priorities = [f64::INFINITY, 1e300, 2.5, 1.0, f64::MIN_POSITIVE, 0.0, -0.5, -1e9];
        let priorities = priorities.map(|value| Priority::new(value).unwrap());
        assert!(priorities.map(descending).is_sorted());
        for priority in priorities.into_iter().chain([Priority::MIN, Priority::MAX]) {
            assert_eq!(from_descending(descending(priority)).unwrap(), priority);
        }
    }

    /// F-14
    #[test]
    fn damaged_bytes_are_told_of() {
        assert_eq!(Unpacker::new(&[]).err().map(|error| error.code()), Some(Code::Corrupt));
        assert_eq!(Unpacker::new(&[9]).err().map(|error| error.code()), Some(Code::Version));
        let long = [VERSION, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255];
        assert!(Unpacker::new(&long).unwrap().number().is_err());
        assert!(Unpacker::new(&long).unwrap().text().is_err());
        assert!(json(b"{").is_err() && json(&[0xff]).is_err());
        assert!(Unpacker::new(&long).unwrap().end().is_err());
        assert!(eight(b"short", 0).is_err() && seq_at(b"123456789", 2).is_err());
    }
}
