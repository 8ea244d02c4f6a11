//! Source text taken apart: code with its comments and literals blanked, and the literals.

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    Script,
    Sql,
    Other,
}

impl Language {
    pub(crate) fn of(path: &str) -> Self {
        match path.rsplit('.').next().unwrap_or_default() {
            "rs" => Language::Rust,
            "ts" | "mts" | "cts" | "js" | "mjs" | "cjs" => Language::Script,
            "sql" => Language::Sql,
            _ => Language::Other,
        }
    }
}

/// A text taken apart. `code` has the line breaks and columns of the text.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) code: String,
    pub(crate) literals: Vec<(usize, String)>,
}

struct Scanner {
    text: Vec<char>,
    at: usize,
    line: usize,
    language: Language,
    /// For each open `${` of a template: the braces open inside it.
    templates: Vec<usize>,
    parts: Parts,
}

/// Takes a text apart.
pub(crate) fn parts(text: &str, language: Language) -> Parts {
    let text = text.chars().collect();
    let (templates, parts) = (Vec::new(), Parts::default());
    let mut scanner = Scanner { text, at: 0, line: 1, language, templates, parts };
    while scanner.at < scanner.text.len() {
        scanner.step();
    }
    scanner.parts
}

impl Scanner {
    fn peek(&self, ahead: usize) -> char {
        self.text.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn has(&self, word: &str) -> bool {
        word.chars().enumerate().all(|(i, c)| self.peek(i) == c)
    }

    fn take(&mut self, is_code: bool) -> char {
        let c = self.peek(0);
        self.at += 1;
        self.line += usize::from(c == '\n');
        self.parts.code.push(if is_code || c == '\n' { c } else { ' ' });
        c
    }

    fn step(&mut self) {
        let is_sql = self.language == Language::Sql;
        let comment = if is_sql { "--" } else { "//" };
        match self.peek(0) {
            _ if self.has(comment) => self.skip_until("\n"),
            _ if !is_sql && self.has("/*") => self.block_comment(),
            '"' => self.literal('"'),
            '\'' if self.language == Language::Rust => self.quote(),
            '\'' => self.literal('\''),
            'r' if self.language == Language::Rust && self.is_raw() => self.raw(),
            '`' if self.language == Language::Script => self.template(),
            '/' if self.language == Language::Script && self.is_pattern() => self.pattern(),
            '{' if !self.templates.is_empty() => self.brace(1),
            '}' if !self.templates.is_empty() => self.brace(-1),
            _ => drop(self.take(true)),
        }
    }

    fn skip_until(&mut self, end: &str) {
        while self.at < self.text.len() && !self.has(end) {
            self.take(false);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.text.len() {
            if self.has("/*") {
                depth += 1;
                self.take(false);
            } else if self.has("*/") {
                depth -= 1;
                self.take(false);
            }
            self.take(false);
            if depth == 0 || (self.language == Language::Script && self.has_ended("*/")) {
                return;
            }
        }
    }

    fn has_ended(&self, end: &str) -> bool {
        let from = self.at.saturating_sub(end.len());
        self.text[from..self.at].iter().copied().eq(end.chars())
    }

    fn literal(&mut self, quote: char) {
        let (line, mut text) = (self.line, String::new());
        self.take(true);
        while self.at < self.text.len() && self.peek(0) != quote {
            if self.peek(0) == '\\' {
                text.push(self.take(false));
            }
            text.push(self.take(false));
        }
        self.take(true);
        self.parts.literals.push((line, text));
    }

    /// A character, or the start of a lifetime.
    fn quote(&mut self) {
        let is_character = self.peek(1) == '\\' || self.peek(2) == '\'';
        self.take(true);
        if is_character {
            let escaped = self.take(false) == '\\';
            if escaped {
                self.take(false);
            }
            self.skip_until("'");
            self.take(true);
        }
    }

    fn is_raw(&self) -> bool {
        let before = self.text.get(self.at.wrapping_sub(1)).copied().unwrap_or(' ');
        let mut i = 1;
        while self.peek(i) == '#' {
            i += 1;
        }
        let is_word = before.is_alphanumeric() && before != 'b' && before != 'c';
        self.peek(i) == '"' && !is_word && before != '_'
    }

    fn raw(&mut self) {
        let line = self.line;
        let mut end = "\"".to_owned();
        while self.take(true) != '"' {
            if self.peek(0) == '#' {
                end.push('#');
            }
        }
        let from = self.at;
        self.skip_until(&end);
        let text = self.text[from..self.at].iter().collect();
        self.parts.literals.push((line, text));
        for _ in 0..end.len() {
            self.take(true);
        }
    }

    fn template(&mut self) {
        let (line, mut text) = (self.line, String::new());
        self.take(true);
        while self.at < self.text.len() && self.peek(0) != '`' && !self.has("${") {
            if self.peek(0) == '\\' {
                text.push(self.take(false));
            }
            text.push(self.take(false));
        }
        if self.has("${") {
            self.take(false);
            self.take(true);
            self.templates.push(0);
        } else {
            self.take(true);
        }
        self.parts.literals.push((line, text));
    }

    fn brace(&mut self, change: isize) {
        let depth = self.templates.pop().unwrap_or_default();
        if change < 0 && depth == 0 {
            return self.template();
        }
        self.templates.push(depth.saturating_add_signed(change));
        self.take(true);
    }

    /// Whether a slash begins a regular expression: it stands where a value is expected.
    fn is_pattern(&self) -> bool {
        let code = self.parts.code.trim_end();
        let word: String = code.chars().rev().take_while(|c| c.is_alphanumeric()).collect();
        let is_keyword = ["nruter", "foepyt", "esac"].contains(&word.as_str());
        is_keyword || code.is_empty() || code.ends_with(|c| "(,=:[!&|?{};+~<>".contains(c))
    }

    fn pattern(&mut self) {
        let mut in_class = false;
        self.take(true);
        while self.at < self.text.len() && (in_class || self.peek(0) != '/') {
            match self.take(false) {
                '\\' => drop(self.take(false)),
                '[' => in_class = true,
                ']' => in_class = false,
                '\n' => return,
                _ => {}
            }
        }
        self.take(true);
    }
}

/// The place after the bracket that closes the one at `open`.
pub(crate) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (i, c) in code[open..].char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return open + i + 1;
        }
    }
    code.len()
}

/// The line of a place in a text, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The identifiers of blanked code, with their places.
pub(crate) fn identifiers(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let mut at = 0;
    std::iter::from_fn(move || {
        at += code[at..].find(is_part)?;
        let from = at;
        at += code[at..].find(|c| !is_part(c)).unwrap_or(code.len() - at);
        Some((from, &code[from..at]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_is_taken_apart() {
        let text =
            "let a = \"x{\\\"\"; // {\nlet b: &'a str = r#\"}\"#; /* { /* */ */ let c = '{';";
        let parts = parts(text, Language::Rust);
        assert!(!parts.code.contains(['{', '}']), "{}", parts.code);
        assert!(parts.code.contains("let b: &'a str") && parts.code.contains("let c"));
        let literals: Vec<_> = parts.literals.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(literals, ["x{\\\"", "}"]);
    }

    #[test]
    fn script_is_taken_apart() {
        let text = "const a = `{ ${f(`}`, { b: 1 })} {`; // {\nconst c = /[/{]\\//.test('{');";
        let parts = parts(text, Language::Script);
        assert_eq!(parts.code.matches('{').count(), parts.code.matches('}').count());
        assert!(parts.code.contains("test(") && parts.code.contains("b: 1"), "{}", parts.code);
    }
}
