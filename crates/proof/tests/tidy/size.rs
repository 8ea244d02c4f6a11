//! How long things may be.

use crate::repository::{File, files, sizes};
use crate::source::{Language, closing, identifiers, line_of};
use crate::verdict;

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 700;
const COLUMNS_MAX: usize = 100;
const FILE_BYTES_MAX: u64 = 512 * 1024;

fn sources() -> impl Iterator<Item = &'static File> {
    let is_source = |file: &&File| matches!(file.language, Language::Rust | Language::Script);
    files().iter().filter(is_source)
}

#[test]
fn no_file_is_longer_than_700_lines() {
    let long = sources().filter(|file| file.text.lines().count() > FILE_LINES_MAX);
    verdict(long.map(|file| format!("{}: too long", file.path)));
}

#[test]
fn no_line_is_wider_than_100_columns() {
    let wide = |file: &'static File| {
        let lines = (1..).zip(file.text.lines());
        let wide = lines.filter(|(_, line)| line.chars().count() > COLUMNS_MAX);
        wide.map(|(n, _)| format!("{}:{n}: too wide", file.path))
    };
    verdict(sources().flat_map(wide));
}

#[test]
fn no_function_is_longer_than_70_lines() {
    let mut faults = Vec::new();
    for file in sources() {
        let functions = match file.language {
            Language::Rust => rust_functions(file.code()),
            _ => script_functions(file.code()),
        };
        for (from, to) in functions {
            let first = line_of(file.code(), from);
            let lines = line_of(file.code(), to) - first + 1;
            if lines > FUNCTION_LINES_MAX {
                faults.push(format!("{}:{first}: a function of {lines} lines", file.path));
            }
        }
    }
    verdict(faults);
}

#[test]
fn no_file_is_a_burden() {
    let big = sizes().into_iter().filter(|(_, bytes)| *bytes > FILE_BYTES_MAX);
    verdict(big.map(|(path, bytes)| format!("{path}: {bytes} bytes")));
}

/// From `fn` to the end of the body.
fn rust_functions(code: &str) -> Vec<(usize, usize)> {
    let starts = identifiers(code).filter(|(_, word)| *word == "fn").map(|(at, _)| at);
    starts.filter_map(|start| Some((start, closing(code, body(code, start)?)))).collect()
}

/// The brace that opens the body of the function at `start`, unless it has none.
fn body(code: &str, start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, c) in code[start..].char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '{' if depth == 0 => return Some(start + i),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// From the head of a function to the end of its body. A block that groups tests is no function.
fn script_functions(code: &str) -> Vec<(usize, usize)> {
    let braces = code.char_indices().filter(|(_, c)| *c == '{').map(|(at, _)| at);
    braces.filter_map(|open| Some((head(code, open)?, closing(code, open)))).collect()
}

const NOT_FUNCTIONS: [&str; 7] = ["if", "for", "while", "switch", "catch", "await", "with"];

/// Where the function begins whose body opens here, if it is one.
fn head(code: &str, open: usize) -> Option<usize> {
    let before = code[..open].trim_end();
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    if before.ends_with("=>") {
        let is_group = before[line..].trim_start().starts_with("describe(");
        return (!is_group).then_some(line);
    }
    let close = before[line..].rfind(')').map(|at| line + at)?;
    let is_type = |c: char| c.is_alphanumeric() || " :<>[]|.,_".contains(c);
    if !code[close + 1..open].chars().all(is_type) {
        return None;
    }
    let start = opening(code, close)?;
    let name = code[..start].trim_end();
    let word = name.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    (!NOT_FUNCTIONS.contains(&word)).then_some(start)
}

/// The parenthesis that the one at `close` closes.
fn opening(code: &str, close: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, c) in code[..=close].char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return Some(i);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found() {
        let rust = "fn a<T>(x: [u8; 3]) -> T\nwhere T: B {\n if x { y }\n}\ntrait C { fn d(); }\n";
        let lines: Vec<_> =
            rust_functions(rust).iter().map(|f| line_of(rust, f.1) - line_of(rust, f.0)).collect();
        assert_eq!(lines, [3]);
        let script = "class A {\n m(a: B): C<D> {\n  if (a) { b() }\n }\n}\nf(async () => {\n})\n";
        let starts: Vec<_> =
            script_functions(script).iter().map(|f| line_of(script, f.0)).collect();
        assert_eq!(starts, [2, 6]);
    }
}
