//! The tables of `docs/internals/interplay.md`, taken apart.

use tasker_core::error::{Error, Result};

const PAGE: &str = include_str!("../../../../../docs/internals/interplay.md");

/// Begins each table of verbs.
const HEAD: &str = "| verb | comes |";

/// What a verb does to a task in one state, as the page says it.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// The name of the row.
    pub verb: &'static str,
    /// Whether the verb is built.
    pub has_verb: bool,
    /// The state of the task, or what else a column is about.
    pub state: &'static str,
    /// Whether a task can be in this state.
    pub has_state: bool,
    /// The new state, the answer, what is told.
    pub parts: [&'static str; 3],
}

impl Cell {
    /// Whether all of it is built.
    pub fn is_built(&self) -> bool {
        self.has_verb && self.has_state
    }
}

/// Every cell. A column that is about several states gives one cell for each.
///
/// # Errors
/// Names the line that is no row of a table.
pub fn cells() -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    let mut lines = PAGE.lines();
    while let Some(head) = lines.find(|line| line.starts_with(HEAD)) {
        let _separator = lines.next();
        let columns = columns(head, lines.next().unwrap_or_default())?;
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            row(line, &columns, &mut cells)?;
        }
    }
    Ok(cells)
}

/// What stands above a column, and whether it is built.
type Column = (&'static str, bool);

fn columns(names: &'static str, marks: &'static str) -> Result<Vec<Column>> {
    let (names, marks) = (texts(names), texts(marks));
    if names.len() != marks.len() {
        return Err(Error::bug("a column has no mark, or a mark no column"));
    }
    let pairs = names.into_iter().zip(marks).skip(2);
    pairs.map(|(name, mark)| Ok((name, is_now(mark)?))).collect()
}

fn row(line: &'static str, columns: &[Column], cells: &mut Vec<Cell>) -> Result<()> {
    let texts = texts(line);
    if texts.len() != columns.len() + 2 {
        return Err(Error::bug(format!("{} texts in {line}", texts.len())));
    }
    let (verb, has_verb) = (texts[0].trim_matches('`'), is_now(texts[1])?);
    for (text, (names, has_state)) in texts[2..].iter().zip(columns) {
        let parts: Vec<_> = text.split(" · ").collect();
        let &[to, answer, told] = &parts[..] else {
            return Err(Error::bug(format!("{verb} × {names}: {text} has not three parts")));
        };
        let (has_state, parts) = (*has_state, [to, answer, told]);
        let states = names.split(" / ");
        cells.extend(states.map(|state| Cell { verb, has_verb, state, has_state, parts }));
    }
    Ok(())
}

/// The texts between the bars of a line.
fn texts(line: &'static str) -> Vec<&'static str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

fn is_now(mark: &str) -> Result<bool> {
    match mark {
        "now" => Ok(true),
        _ if mark.starts_with("later: ") => Ok(false),
        _ => Err(Error::bug(format!("{mark:?} says neither now nor later"))),
    }
}
