//! Reads the syntax of JavaScript's patterns, with what browsers allow without the flag `u`.

use std::collections::BTreeSet;

use regex_syntax::hir::ClassUnicode;

use super::ast::Ast;
use super::{Fault, Flags, case, class};
use crate::limits::PATTERN_DEPTH_MAX;

/// Takes a pattern apart.
pub(super) fn parse(source: &str, flags: Flags) -> Result<Ast, Fault> {
    let chars: Vec<char> = source.chars().collect();
    let groups = Groups::of(&chars);
    let mut parser = Parser { chars, at: 0, depth: 0, flags, groups, names: BTreeSet::new() };
    let ast = parser.either()?;
    match parser.peek() {
        None => Ok(ast),
        Some(_) => Err(parser.fault("there is a ) without a (")),
    }
}

/// The capturing groups of a pattern: they decide whether `\1` and `\k` refer to one.
struct Groups {
    count: u32,
    has_names: bool,
}

impl Groups {
    fn of(chars: &[char]) -> Self {
        let (mut count, mut has_names, mut is_in_class) = (0, false, false);
        let mut at = 0;
        while let Some(c) = chars.get(at) {
            match c {
                '\\' => at += 1,
                '[' => is_in_class = true,
                ']' => is_in_class = false,
                '(' if !is_in_class => match chars.get(at + 1..).unwrap_or_default() {
                    ['?', '<', '=' | '!', ..] => {}
                    ['?', '<', ..] => (count, has_names) = (count + 1, true),
                    ['?', ..] => {}
                    _ => count += 1,
                },
                _ => {}
            }
            at += 1;
        }
        Self { count, has_names }
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: usize,
    flags: Flags,
    groups: Groups,
    names: BTreeSet<String>,
}

/// What an escape stands for.
enum Escape {
    Char(char),
    Set(ClassUnicode),
}

/// How often a part is repeated.
type Times = (u32, Option<u32>);

impl Parser {
    fn fault(&self, what: &str) -> Fault {
        format!("is no pattern of JavaScript that can be searched for: {what} (at {})", self.at)
    }

    fn peek(&self) -> Option<char> {
        self.ahead(0)
    }

    fn ahead(&self, count: usize) -> Option<char> {
        self.chars.get(self.at + count).copied()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }

    /// Whether `text` comes next, which is taken then.
    fn takes(&mut self, text: &str) -> bool {
        let is_next = text.chars().enumerate().all(|(i, c)| self.ahead(i) == Some(c));
        self.at += if is_next { text.chars().count() } else { 0 };
        is_next
    }

    fn either(&mut self) -> Result<Ast, Fault> {
        let mut parts = vec![self.concat()?];
        while self.takes("|") {
            parts.push(self.concat()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Ast::Either(parts) })
    }

    fn concat(&mut self) -> Result<Ast, Fault> {
        let mut parts = Vec::new();
        while let Some(c) = self.peek() {
            if matches!(c, '|' | ')') {
                break;
            }
            let part = self.term()?;
            parts.push(self.repeated(part)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Ast::Concat(parts) })
    }

    fn term(&mut self) -> Result<Ast, Fault> {
        match self.take() {
            Some('^') => Ok(Ast::Start),
            Some('$') => Ok(Ast::End),
            Some('.') if self.flags.has_dot_all => Ok(Ast::Class(class::any())),
            Some('.') => Ok(Ast::Class(class::others(class::line_ends()))),
            Some('(') => self.group(),
            Some('[') => self.class(),
            Some('\\') => self.escape(),
            Some('*' | '+' | '?') => Err(self.fault("there is nothing to repeat")),
            Some('{') => self.brace(),
            Some(']' | '}') if self.flags.is_unicode => {
                Err(self.fault("with the flag u a bracket is written with a \\ before it"))
            }
            Some(c) => Ok(self.char(c)),
            None => Ok(Ast::Concat(Vec::new())),
        }
    }

    fn char(&self, c: char) -> Ast {
        Ast::Class(case::closed(class::one(c), self.flags))
    }

    /// A `{` that repeats nothing: without the flag `u` a character, unless it looks as if it did.
    fn brace(&mut self) -> Result<Ast, Fault> {
        self.at -= 1;
        if self.flags.is_unicode || self.times_in_braces()?.is_some() {
            return Err(self.fault("there is nothing to repeat"));
        }
        self.at += 1;
        Ok(self.char('{'))
    }

    fn repeated(&mut self, part: Ast) -> Result<Ast, Fault> {
        let times = match self.peek() {
            Some('*') => Some((0, None)),
            Some('+') => Some((1, None)),
            Some('?') => Some((0, Some(1))),
            Some('{') => return self.repeated_in_braces(part),
            _ => None,
        };
        let Some(times) = times else { return Ok(part) };
        self.at += 1;
        self.repeat(part, times)
    }

    fn repeated_in_braces(&mut self, part: Ast) -> Result<Ast, Fault> {
        match self.times_in_braces()? {
            Some(times) => self.repeat(part, times),
            None if self.flags.is_unicode => Err(self.fault("these braces repeat nothing")),
            None => Ok(part),
        }
    }

    fn repeat(&mut self, part: Ast, (min, max): Times) -> Result<Ast, Fault> {
        if part.is_assertion() {
            return Err(self.fault("there is nothing to repeat"));
        }
        self.takes("?"); // as few as possible
        Ok(Ast::Repeat { part: Box::new(part), min, max })
    }

    /// Takes `{n}`, `{n,}` or `{n,m}`; takes nothing if something else comes.
    fn times_in_braces(&mut self) -> Result<Option<Times>, Fault> {
        let begin = self.at;
        self.at += 1;
        let min = self.number();
        let max = if self.takes(",") { self.number() } else { min };
        let (Some(min), true) = (min, self.takes("}")) else {
            self.at = begin;
            return Ok(None);
        };
        if max.is_some_and(|max| max < min) {
            return Err(self.fault("the numbers in the braces are out of order"));
        }
        Ok(Some((min, max)))
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            self.at += 1;
            number = Some(number.unwrap_or(0_u32).saturating_mul(10).saturating_add(digit));
        }
        number
    }

    fn group(&mut self) -> Result<Ast, Fault> {
        if self.takes("?=") || self.takes("?!") || self.takes("?<=") || self.takes("?<!") {
            return Err(self.fault("looking ahead or behind takes more than linear time"));
        }
        if self.takes("?<") {
            self.name()?;
        } else if self.peek() == Some('?') && !self.takes("?:") {
            return Err(self.fault("there is no such group"));
        }
        if self.depth == PATTERN_DEPTH_MAX {
            return Err(self.fault(&format!("groups nest at most {PATTERN_DEPTH_MAX} deep")));
        }
        self.depth += 1;
        let inner = self.either()?;
        self.depth -= 1;
        if !self.takes(")") {
            return Err(self.fault("a ) is missing"));
        }
        // Even if it holds one assertion alone, it may be repeated.
        Ok(if inner.is_assertion() { Ast::Concat(vec![inner]) } else { inner })
    }

    fn name(&mut self) -> Result<(), Fault> {
        let mut name = String::new();
        loop {
            match self.take() {
                Some('>') if !name.is_empty() => break,
                Some(c) if c == '$' || c == '_' || c.is_alphabetic() => name.push(c),
                Some(c) if c.is_alphanumeric() && !name.is_empty() => name.push(c),
                _ => return Err(self.fault("this is no name of a group")),
            }
        }
        if !self.names.insert(name) {
            return Err(self.fault("two groups have one name"));
        }
        Ok(())
    }

    /// An escape outside of a class.
    fn escape(&mut self) -> Result<Ast, Fault> {
        match self.peek() {
            Some('b') => return Ok(self.boundary(false)),
            Some('B') => return Ok(self.boundary(true)),
            Some('k') if self.flags.is_unicode || self.groups.has_names => {
                return Err(self.fault(BACK_REFERENCE));
            }
            Some('1'..='9') => {
                let begin = self.at;
                let is_group = self.number().is_some_and(|number| number <= self.groups.count);
                if is_group || self.flags.is_unicode {
                    return Err(self.fault(BACK_REFERENCE));
                }
                self.at = begin;
            }
            _ => {}
        }
        Ok(match self.escaped(false)? {
            Escape::Char(c) => self.char(c),
            Escape::Set(set) => Ast::Class(case::closed(set, self.flags)),
        })
    }

    fn boundary(&mut self, is_negated: bool) -> Ast {
        self.at += 1;
        Ast::Boundary { is_negated }
    }

    /// What comes after a `\`, but for what stands only outside of a class.
    fn escaped(&mut self, is_in_class: bool) -> Result<Escape, Fault> {
        let Some(c) = self.take() else { return Err(self.fault("a \\ stands at the end")) };
        if let Some(set) = self.set(c)? {
            return Ok(Escape::Set(set));
        }
        Ok(Escape::Char(match c {
            't' => '\t',
            'n' => '\n',
            'v' => '\u{b}',
            'f' => '\u{c}',
            'r' => '\r',
            'b' if is_in_class => '\u{8}',
            '-' if is_in_class => '-',
            'c' => self.control(is_in_class)?,
            'x' => match self.hex(2) {
                Some(code) => self.code(code)?,
                None => self.itself('x')?,
            },
            'u' => self.unicode()?,
            '0' if self.flags.is_unicode => match self.peek() {
                Some('0'..='9') => return Err(self.fault("there is no such escape")),
                _ => '\0',
            },
            '0'..='7' if !self.flags.is_unicode => self.octal(c)?,
            _ => self.itself(c)?,
        }))
    }

    /// A set that has a letter, such as `\d`.
    fn set(&mut self, letter: char) -> Result<Option<ClassUnicode>, Fault> {
        let has_folded = self.flags.ignores_case && self.flags.is_unicode;
        Ok(Some(match letter {
            'd' => class::digits(),
            'D' => class::others(class::digits()),
            's' => class::spaces(),
            'S' => class::others(class::spaces()),
            'w' => class::word(has_folded),
            'W' => class::others(class::word(has_folded)),
            'p' | 'P' if self.flags.is_unicode => {
                let set = self.property()?;
                if letter == 'P' { class::others(set) } else { set }
            }
            _ => return Ok(None),
        }))
    }

    fn property(&mut self) -> Result<ClassUnicode, Fault> {
        let mut name = String::new();
        if self.takes("{") {
            while let Some(c) = self.take().filter(|c| *c != '}') {
                name.push(c);
            }
        }
        class::property(&name).ok_or_else(|| self.fault("there is no such property"))
    }

    /// An escaped character that stands for itself; with the flag `u` only if it needs to.
    fn itself(&self, c: char) -> Result<char, Fault> {
        if self.flags.is_unicode && !"^$\\.*+?()[]{}|/".contains(c) {
            return Err(self.fault("with the flag u there is no such escape"));
        }
        Ok(c)
    }

    /// `\cJ`; what is none is a `\` and then a `c`.
    fn control(&mut self, is_in_class: bool) -> Result<char, Fault> {
        let is_control = |c: &char| {
            let is_more = is_in_class && !self.flags.is_unicode;
            c.is_ascii_alphabetic() || is_more && (c.is_ascii_digit() || *c == '_')
        };
        match self.peek().filter(is_control) {
            Some(c) => {
                self.at += 1;
                Ok(char::from(c as u8 % 32))
            }
            None if self.flags.is_unicode => Err(self.fault("there is no such escape")),
            None => {
                self.at -= 1;
                Ok('\\')
            }
        }
    }

    /// `\101`, up to `\377`.
    fn octal(&mut self, first: char) -> Result<char, Fault> {
        let mut code = first.to_digit(8).unwrap_or(0);
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
            if code * 8 + digit > 0o377 {
                break;
            }
            code = code * 8 + digit;
            self.at += 1;
        }
        self.code(code)
    }

    /// So many hexadecimal digits; takes nothing if there are fewer.
    fn hex(&mut self, count: usize) -> Option<u32> {
        let digits = self.chars.get(self.at..self.at + count)?;
        let code = digits.iter().try_fold(0, |code, c| Some(code * 16 + c.to_digit(16)?))?;
        self.at += count;
        Some(code)
    }

    /// What comes after `\u`; two halves of a surrogate pair are one character.
    fn unicode(&mut self) -> Result<char, Fault> {
        if self.flags.is_unicode && self.takes("{") {
            return self.braced();
        }
        let Some(code) = self.hex(4) else {
            return self.itself('u');
        };
        let begin = self.at;
        if (0xd800..0xdc00).contains(&code) && self.takes("\\u") {
            if let Some(low) = self.hex(4).filter(|low| (0xdc00..0xe000).contains(low)) {
                return self.code(0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00));
            }
            self.at = begin;
        }
        self.code(code)
    }

    fn braced(&mut self) -> Result<char, Fault> {
        let mut code = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(16)) {
            self.at += 1;
            code = Some(code.unwrap_or(0_u32).saturating_mul(16).saturating_add(digit));
        }
        match code.filter(|code| *code <= 0x10_ffff && self.peek() == Some('}')) {
            Some(code) => {
                self.at += 1;
                self.code(code)
            }
            None => Err(self.fault("there is no such character")),
        }
    }

    fn code(&self, code: u32) -> Result<char, Fault> {
        let half = "half a surrogate pair cannot be searched for";
        char::from_u32(code).ok_or_else(|| self.fault(half))
    }

    /// A class, after its `[`.
    fn class(&mut self) -> Result<Ast, Fault> {
        let is_negated = self.takes("^");
        let mut set = ClassUnicode::empty();
        loop {
            if self.takes("]") {
                break;
            }
            let low = self.class_atom()?;
            if self.peek() != Some('-') || matches!(self.ahead(1), Some(']') | None) {
                add(&mut set, &low);
                continue;
            }
            self.at += 1;
            let high = self.class_atom()?;
            self.add_range(&mut set, &low, &high)?;
        }
        let set = case::closed(set, self.flags);
        Ok(Ast::Class(if is_negated { class::others(set) } else { set }))
    }

    fn class_atom(&mut self) -> Result<Escape, Fault> {
        match self.take() {
            Some('\\') => self.escaped(true),
            Some(c) => Ok(Escape::Char(c)),
            None => Err(self.fault("a ] is missing")),
        }
    }

    /// From one to another; without the flag `u` a set beside a `-` makes that a character.
    fn add_range(&self, set: &mut ClassUnicode, low: &Escape, high: &Escape) -> Result<(), Fault> {
        match (low, high) {
            (Escape::Char(low), Escape::Char(high)) if low <= high => {
                class::add(set, &class::of(&[(*low, *high)]));
            }
            (Escape::Char(_), Escape::Char(_)) => {
                return Err(self.fault("a range of a class is out of order"));
            }
            _ if self.flags.is_unicode => {
                return Err(self.fault("a range of a class goes from character to character"));
            }
            _ => {
                add(set, low);
                add(set, high);
                class::add(set, &class::one('-'));
            }
        }
        Ok(())
    }
}

const BACK_REFERENCE: &str = "referring back to a group takes more than linear time";

fn add(set: &mut ClassUnicode, escape: &Escape) {
    match escape {
        Escape::Char(c) => class::add(set, &class::one(*c)),
        Escape::Set(other) => class::add(set, other),
    }
}
