//! A pattern, taken apart.

use regex_syntax::hir::ClassUnicode;

/// A pattern or a part of one.
#[derive(Clone, Debug)]
pub(super) enum Ast {
    /// One character of these.
    Class(ClassUnicode),
    /// `^`
    Start,
    /// `$`
    End,
    /// `\b`, or `\B` if it is negated.
    Boundary { is_negated: bool },
    /// A part, so many times. Whether it prefers more or less of them makes no difference here.
    Repeat { part: Box<Ast>, min: u32, max: Option<u32> },
    /// One after the other.
    Concat(Vec<Ast>),
    /// One of them.
    Either(Vec<Ast>),
}

impl Ast {
    /// Whether it looks at a place and takes no character, so that it cannot be repeated.
    pub(super) fn is_assertion(&self) -> bool {
        match self {
            Ast::Start | Ast::End | Ast::Boundary { .. } => true,
            Ast::Class(_) | Ast::Repeat { .. } | Ast::Concat(_) | Ast::Either(_) => false,
        }
    }
}
