//! The first tables of `docs/internals/interplay.md`, held against the engine: each verb that is
//! built, on a task in each state that is built, reached in each way.
//!
//! # Promises
//! - Every built cell is driven through the engine on one database of the store under test, which
//!   fills with what the cells before have left; new state, answer and what is told are those of
//!   the page.
//! - A verb or a state that is built is not marked as later, and what is marked as built is there.
//! - The page and `core::state` name the same transitions.
//!
//! # Left to others
//! Many tasks at once, faults and crashes in between: `tests/random`, which uses each verb in each
//! state too.
//!
//! Proof: `tests/model.rs`, `tests/sqlite.rs`.

mod page;
mod stage;
mod verbs;
mod ways;

use tasker_core::error::{Error, Result};

use super::Backend;
use stage::{Outcome, Stage};
use verbs::{BuiltVerb, VERBS};
use ways::Way;

pub use page::{Cell, cells};

/// Drives every built cell.
///
/// # Errors
/// Names each cell that is not as the page says.
pub fn check(lab: fn() -> Result<Box<dyn Backend>>) -> Result<()> {
    let lab = lab()?;
    // While somebody has it open, nobody who opens it has to read what all before have written.
    let _bystander = lab.open()?;
    let (mut faults, mut number) = (Vec::new(), 0);
    for cell in cells()?.iter().filter(|cell| cell.is_built()) {
        let Some(verb) = VERBS.iter().find(|verb| verb.name == cell.verb) else { continue };
        let ways = ways::ways(cell.state).iter();
        for way in ways.filter(|way| !verb.is_attached || way.keeps_attachment()) {
            number += 1;
            let seen = drive(verb, cell, way, Stage::new(lab.as_ref(), number)?)?;
            if !is_as_said(cell, &seen) {
                let (said, seen) = (cell.parts.join(" · "), seen.join(" · "));
                let (verb, state, way) = (cell.verb, cell.state, way.name);
                faults.push(format!("{verb} × {state} ({way}): said {said}, seen {seen}"));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::bug(faults.join("\n"))) }
}

/// Brings a task into the state of a cell and uses the verb on it.
fn drive(verb: &BuiltVerb, cell: &Cell, way: &Way, mut stage: Stage<'_>) -> Result<Outcome> {
    if !ways::is_nowhere(cell.state) {
        let mut def = stage.definition();
        def.options.start_time = way.start_time;
        (verb.define)(&mut def);
        def.is_attached = verb.is_attached;
        if way.is_blocked || verb.is_dependent {
            stage.depend(&mut def, !way.is_blocked)?;
        }
        ways::enter(&mut stage, def, verb.losses)?;
        (way.take)(&mut stage)?;
    }
    let before = stage.place()?;
    let is_there = before.is_none_or(|place| cell.state.starts_with(place));
    assert!(is_there, "{} leads to {before:?}, not to {}", way.name, cell.state);
    stage.forget();
    let ticket = (verb.act)(&mut stage)?;
    let outcome = stage.outcome(before, ticket)?;
    stage.let_go();
    Ok(outcome)
}

/// Whether each part is one of those that the page names.
fn is_as_said(cell: &Cell, seen: &Outcome) -> bool {
    let mut parts = cell.parts.iter().zip(seen);
    parts.all(|(said, seen)| said.split(" or ").any(|said| said == seen))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tasker_core::state::State;
    use tasker_core::transition::{After, TRANSITIONS};

    use super::*;

    #[test]
    fn a_row_is_marked_as_built_if_its_verb_is() {
        let said: BTreeSet<_> = cells().unwrap().iter().map(|c| (c.verb, c.has_verb)).collect();
        let built: BTreeSet<_> = VERBS.iter().map(|verb| verb.name).collect();
        let named: BTreeSet<_> = said.iter().map(|(verb, _)| *verb).collect();
        assert!(built.is_subset(&named), "no row: {:?}", built.difference(&named));
        let wrong: Vec<_> =
            said.iter().filter(|(verb, has)| built.contains(verb) != *has).collect();
        assert!(wrong.is_empty(), "built or later? {wrong:?}");
    }

    #[test]
    fn a_column_is_marked_as_built_if_there_is_a_way_into_its_state() {
        let cells = cells().unwrap();
        let named: BTreeSet<_> = cells.iter().map(|cell| (cell.state, cell.has_state)).collect();
        let is_wrong = |(state, has): &&(&str, bool)| ways::ways(state).is_empty() == *has;
        let wrong: Vec<_> = named.iter().filter(is_wrong).collect();
        assert!(wrong.is_empty(), "built or later? {wrong:?}");
        for state in State::ALL {
            assert!(named.iter().any(|(name, _)| *name == state.as_str()), "no column: {state:?}");
        }
    }

    #[test]
    fn every_table_has_every_column_and_each_cell_once() {
        let cells = cells().unwrap();
        let columns: BTreeSet<_> = cells.iter().map(|cell| cell.state).collect();
        let verbs: BTreeSet<_> = cells.iter().map(|cell| cell.verb).collect();
        let places: BTreeSet<_> = cells.iter().map(|cell| (cell.verb, cell.state)).collect();
        assert_eq!(cells.len(), places.len(), "a cell stands twice");
        assert_eq!(cells.len(), verbs.len() * columns.len(), "a table lacks a column");
    }

    #[test]
    fn the_page_and_the_table_of_transitions_agree() {
        let cells = cells().unwrap();
        let base = |name: &'static str| name.split(',').next().unwrap_or(name);
        let known: Vec<_> = State::ALL.iter().map(|state| state.as_str()).collect();
        let moves = cells.iter().flat_map(|cell| {
            let to = cell.parts[0].split(" or ").map(base);
            to.map(move |to| (base(cell.state), to))
        });
        let moves = moves.filter(|(from, to)| known.contains(from) && known.contains(to));
        let said: BTreeSet<_> = moves.filter(|(from, to)| from != to).collect();
        let decided = TRANSITIONS.iter().flat_map(|rule| {
            let After::Becomes(to) = rule.after else { return Vec::new() };
            rule.from.iter().map(|from| (from.as_str(), to.as_str())).collect()
        });
        let decided = decided.filter(|(from, to)| known.contains(from) && from != to);
        let decided = decided.collect::<BTreeSet<_>>();
        let unsaid: Vec<_> = decided.difference(&said).collect();
        assert!(unsaid.is_empty(), "no cell: {unsaid:?}");
        // A commit may make two, as that of a task which starts in the moment when it is due.
        let is_two = |(from, to): &(&str, &str)| {
            decided.iter().any(|(one, via)| one == from && decided.contains(&(via, to)))
        };
        let undecided: Vec<_> = said.difference(&decided).filter(|pair| !is_two(pair)).collect();
        assert!(undecided.is_empty(), "not in the table: {undecided:?}");
    }
}
