//! From JavaScript's pattern to one of the crate `regex`, of a few forms of its syntax only.

use std::fmt::Write;

use regex_syntax::hir::ClassUnicode;

use super::ast::Ast;
use super::{Flags, class};

/// The pattern that is found where the given one is found.
pub(super) fn pattern(ast: &Ast, flags: Flags) -> String {
    let mut lowering = Lowering { flags, out: String::new() };
    lowering.part(ast, Edges { is_first: true, is_last: true });
    lowering.out
}

/// Whether a part is the first or the last thing of each match.
#[derive(Clone, Copy)]
struct Edges {
    is_first: bool,
    is_last: bool,
}

struct Lowering {
    flags: Flags,
    out: String,
}

impl Lowering {
    fn part(&mut self, ast: &Ast, edges: Edges) {
        match ast {
            Ast::Class(set) => self.set(set),
            Ast::Start => self.line_edge(r"\A", edges.is_first, "(?m:^)"),
            Ast::End => self.line_edge(r"\z", edges.is_last, "(?m:$)"),
            Ast::Boundary { is_negated: false } => self.out.push_str(r"(?-u:\b)"),
            Ast::Boundary { is_negated: true } => self.out.push_str(r"(?-u:\B)"),
            Ast::Repeat { part, min, max } => {
                self.grouped(&[part], Edges { is_first: false, is_last: false });
                self.times(*min, *max);
            }
            Ast::Concat(parts) => {
                let last = parts.len().saturating_sub(1);
                for (index, part) in parts.iter().enumerate() {
                    let is_first = edges.is_first && index == 0;
                    self.part(part, Edges { is_first, is_last: edges.is_last && index == last });
                }
            }
            Ast::Either(parts) => self.grouped(&parts.iter().collect::<Vec<_>>(), edges),
        }
    }

    /// One of some parts, in a group.
    fn grouped(&mut self, parts: &[&Ast], edges: Edges) {
        for (index, part) in parts.iter().enumerate() {
            self.out.push_str(if index == 0 { "(?:" } else { "|" });
            self.part(part, edges);
        }
        self.out.push(')');
    }

    /// `regex` knows one end of a line, ECMAScript four. As nobody asks where a match begins or
    /// ends, it may as well take the end of the line with it. Elsewhere only `\n` ends a line.
    fn line_edge(&mut self, of_text: &str, is_edge: bool, of_line: &str) {
        match (self.flags.is_multiline, is_edge) {
            (false, _) => self.out.push_str(of_text),
            (true, false) => self.out.push_str(of_line),
            (true, true) => {
                self.out.push_str("(?:");
                self.out.push_str(of_text);
                self.out.push('|');
                self.set(&class::line_ends());
                self.out.push(')');
            }
        }
    }

    fn times(&mut self, min: u32, max: Option<u32>) {
        // Writing to a String cannot fail.
        let _ = match max {
            Some(max) => write!(self.out, "{{{min},{max}}}"),
            None => write!(self.out, "{{{min},}}"),
        };
    }

    /// By numbers, so that no character means anything else.
    fn set(&mut self, set: &ClassUnicode) {
        if set.ranges().is_empty() {
            return self.out.push_str(r"[^\x{0}-\x{10FFFF}]");
        }
        self.out.push('[');
        for range in set.ranges() {
            let (low, high) = (u32::from(range.start()), u32::from(range.end()));
            // Writing to a String cannot fail.
            let _ = write!(self.out, r"\x{{{low:X}}}-\x{{{high:X}}}");
        }
        self.out.push(']');
    }
}
