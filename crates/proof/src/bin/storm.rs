//! `storm [--kills 300] [--processes 3] [--seed 1]`: kills real processes and looks at what is
//! left.
//!
//! Exits with 1 if anything is wrong. The same program is the worker: `storm worker …`.

use std::io::Write;
use std::process::ExitCode;

use tasker_core::error::{Error, Result};
use tasker_core::watch::Position;
use tasker_proof::storm::{Orders, Plan, storm, work};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // Nobody is left to tell if this fails.
            let _ = writeln!(std::io::stderr(), "{error:?}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["worker", folder, worker, seed, task, watched] => {
            let (worker, seed) = (number(worker)? as u32, number(seed)?);
            let (drains, watched) = (*task == "drain", Position::parse(watched)?);
            work(Orders { folder: folder.into(), worker, seed, drains, watched })?;
            Ok(true)
        }
        options => blow(options),
    }
}

fn blow(options: &[&str]) -> Result<bool> {
    let program = std::env::current_exe();
    let program = program.map_err(|e| Error::bug("this program has no path").with_source(e))?;
    let seed = u64::from(std::process::id());
    let mut plan = Plan { program, seed, kills: 300, processes: 1 };
    for pair in options.chunks(2) {
        match *pair {
            ["--kills", kills] => plan.kills = number(kills)? as u32,
            ["--processes", processes] => plan.processes = number(processes)?.max(1) as u32,
            ["--seed", seed] => plan.seed = number(seed)?,
            _ => {
                let usage = "storm [--kills 300] [--processes 3] [--seed 1]";
                return Err(Error::invalid("arguments", usage));
            }
        }
    }
    let report = storm(plan)?;
    // The exit code says it as well.
    let _ = write!(std::io::stdout(), "{report}");
    Ok(report.violations.is_empty())
}

fn number(text: &str) -> Result<u64> {
    text.parse().map_err(|_| Error::invalid(text, "is not a number"))
}
