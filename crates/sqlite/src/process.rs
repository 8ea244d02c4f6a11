//! Which process this is, and which copy of tasker in it.
//!
//! A pid alone says little: containers reuse small ones, and one process may hold two copies of the
//! addon, each with a SQLite of its own, which would lose each other's locks on a file (F-9).
//!
//! Proof: the tests below, `tests/shared.rs`.

use std::fs;
use std::sync::OnceLock;

use tasker_core::error::Result;

use crate::temporary::random;

/// The facts of a process that tell it from every other, as far as the system gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// The start of the machine, and the space in which the pid counts.
    pub(crate) boot_id: String,
    pub(crate) pid: u32,
    /// In ticks since the start of the machine.
    pub(crate) started_at: Option<i64>,
}

impl Process {
    pub(crate) fn current() -> Process {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let started_at = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| ticks(&stat));
        let boot_id = format!("{} {}", boot.trim(), space.display());
        Process { boot_id, pid: std::process::id(), started_at }
    }
}

/// A process and the copy of tasker in it, as a line of a lock file.
pub(crate) fn line() -> Result<String> {
    Ok(format!("{}\n{:016x}\n", stem(), image()?))
}

/// Whether a line was written by another copy of tasker in this very process.
pub(crate) fn is_other_copy(line: &str) -> bool {
    let mut parts = line.lines();
    parts.next() == Some(&stem())
        && parts.next().is_some_and(|token| image().is_ok_and(|own| token != format!("{own:016x}")))
}

fn stem() -> String {
    let Process { boot_id, pid, started_at } = Process::current();
    format!("{boot_id} {pid} {}", started_at.unwrap_or_default())
}

/// A random number of this copy of tasker: a second copy has its own.
fn image() -> Result<u64> {
    static IMAGE: OnceLock<u64> = OnceLock::new();
    if let Some(token) = IMAGE.get() {
        return Ok(*token);
    }
    let token = random()?;
    Ok(*IMAGE.get_or_init(|| token))
}

/// When a process started, in ticks since boot: the 22nd field, counted after the name in brackets.
fn ticks(stat: &str) -> Option<i64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_process_is_read_behind_a_name_with_brackets() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(ticks(stat), Some(4711));
    }

    #[test]
    fn only_another_copy_in_this_process_is_another_copy() {
        let own = line().unwrap();
        assert!(!is_other_copy(&own), "our own line");
        let (stem, _) = own.split_once('\n').unwrap();
        assert!(is_other_copy(&format!("{stem}\n0123456789abcdef\n")), "another image here");
        assert!(!is_other_copy("elsewhere 1 2\n0123456789abcdef\n"), "another process");
        assert!(!is_other_copy(""), "an empty file");
    }
}
