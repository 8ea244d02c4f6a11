//! Rust and TypeScript list the same messages and commands, with the same members.

use std::fmt;

use crate::repository::file;
use crate::verdict;

/// A message or a command as one side lists it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    word: String,
    members: Vec<Member>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    name: String,
    /// `?` if it may be left out, `|null` if it may be `null`.
    how: &'static str,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.word)?;
        self.members.iter().try_for_each(|Member { name, how }| write!(f, " {name}{how}"))
    }
}

#[test]
fn both_sides_of_the_bridge_know_the_same_messages() {
    let rust = braced(&uncommented("src/message.rs"), "enum Message<'a> {");
    let rust = split(&rust, ",").iter().map(|variant| rust_message(variant)).collect();
    let ts =
        union("ts/messages.ts", "type Message =").iter().map(|text| ts_message(text)).collect();
    compare("message", rust, ts, true);
}

#[test]
fn both_sides_of_the_bridge_know_the_same_commands() {
    for (rust, ts) in
        [("enum Command<'a> {", "type Command ="), ("enum ReadCommand<'a> {", "type ReadCommand =")]
    {
        let rust = braced(&uncommented("src/command.rs"), rust);
        let rust = split(&rust, ",").iter().map(|variant| rust_kind(variant, None)).collect();
        let ts = union("ts/commands.ts", ts).iter().map(|text| ts_command(text)).collect();
        compare("command", rust, ts, false);
    }
}

#[test]
fn both_sides_of_the_bridge_know_the_same_ways_to_settle() {
    let rust = braced(&uncommented("src/calls.rs"), "enum How {");
    let rust = split(&rust, ",").iter().map(|variant| rust_kind(variant, None)).collect();
    let ts = union("ts/commands.ts", "type How =").into_iter();
    let ts = ts.map(|word| Kind { word: unquoted(&word), members: Vec::new() }).collect();
    compare("outcome", rust, ts, false);
}

/// Members of a message cross in order, those of a command by name.
fn compare(what: &str, mut rust: Vec<Kind>, mut ts: Vec<Kind>, is_ordered: bool) {
    for kinds in [&mut rust, &mut ts] {
        kinds.sort();
        if !is_ordered {
            kinds.iter_mut().for_each(|kind| kind.members.sort());
        }
    }
    assert!(rust.len() > 1 && ts.len() > 1, "no {what}s were found");
    let missing = |here: &[Kind], there: &[Kind], side: &str| -> Vec<String> {
        let only = here.iter().filter(|kind| !there.contains(kind));
        only.map(|kind| format!("{what} in {side} only: {kind}")).collect()
    };
    verdict(missing(&rust, &ts, "Rust").into_iter().chain(missing(&ts, &rust, "TypeScript")));
}

/// A file without its lines of comments and attributes, and without indents.
fn uncommented(path: &str) -> String {
    let lines = file(path).text.lines().map(str::trim);
    let is_code = |line: &&str| !["//", "/*", "*", "#["].iter().any(|mark| line.starts_with(mark));
    lines.filter(is_code).collect::<Vec<_>>().join("\n")
}

/// What stands in the braces that `head` opens.
fn braced(text: &str, head: &str) -> String {
    let (_, rest) = text.split_once(head).unwrap_or_else(|| panic!("{head} is missing"));
    let end = split_at_depth(rest, |c, depth| c == '}' && depth == 0);
    rest[..end].to_owned()
}

/// The members of a union type, up to the next declaration.
fn union(path: &str, head: &str) -> Vec<String> {
    let text = uncommented(path);
    let (_, rest) = text.split_once(head).unwrap_or_else(|| panic!("{head} is missing"));
    let rest = rest.split("\nexport ").next().unwrap_or_default();
    split(rest, "|")
}

/// Splits at signs that stand outside of all brackets; leaves out what is empty.
fn split(text: &str, signs: &str) -> Vec<String> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let end = split_at_depth(rest, |c, depth| signs.contains(c) && depth == 0);
        parts.push(rest[..end].trim().to_owned());
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Where a sign stands for which `is_it` holds, given how many brackets are open before it.
fn split_at_depth(text: &str, is_it: impl Fn(char, usize) -> bool) -> usize {
    let mut depth = 0_usize;
    for (i, c) in text.char_indices() {
        if is_it(c, depth) {
            return i;
        }
        match c {
            '{' | '(' | '[' | '<' => depth += 1,
            '}' | ')' | ']' | '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text.len()
}

/// `Name "word" { member: Type, … }`
fn rust_message(variant: &str) -> Kind {
    let word = variant.split('"').nth(1).map(str::to_owned);
    rust_kind(variant, word)
}

/// `Name { member: Type, … }`; without a word of its own the name is the word.
fn rust_kind(variant: &str, word: Option<String>) -> Kind {
    let name = variant.split([' ', '\n', '{']).next().unwrap_or_default();
    let word = word.unwrap_or_else(|| name[..1].to_lowercase() + &name[1..]);
    let members = if variant.contains('{') { braced(variant, "{") } else { String::new() };
    let member = |text: String| {
        let (name, of) = text.split_once(':').expect("a member has a type");
        let of = of.trim();
        let is = |wrapper| of.starts_with(wrapper);
        let how = if is("Option<") {
            "?"
        } else if is("Nullable<") {
            "|null"
        } else {
            ""
        };
        Member { name: camel(name), how }
    };
    Kind { word, members: split(&members, ",").into_iter().map(member).collect() }
}

/// `['word', member: type, member?: type]`
fn ts_message(text: &str) -> Kind {
    let inner = text.trim_start_matches('[').trim_end_matches(']');
    let mut parts = split(inner, ",").into_iter();
    let word = unquoted(&parts.next().unwrap_or_default());
    Kind { word, members: parts.map(|part| ts_member(&part)).collect() }
}

/// `{ do: 'word'; member: type; member?: type }`
fn ts_command(text: &str) -> Kind {
    let inner = text.trim_start_matches('{').trim_end_matches('}').trim();
    let mut parts = split(inner, ";\n").into_iter();
    let word = unquoted(&parts.next().unwrap_or_default());
    Kind { word, members: parts.map(|part| ts_member(&part)).collect() }
}

fn ts_member(text: &str) -> Member {
    let (name, of) = text.split_once(':').expect("a member has a type");
    let is_optional = name.ends_with('?');
    let how = if is_optional {
        "?"
    } else if of.contains("null") {
        "|null"
    } else {
        ""
    };
    Member { name: name.trim_end_matches('?').to_owned(), how }
}

/// What stands between the quotes.
fn unquoted(text: &str) -> String {
    text.split('\'').nth(1).unwrap_or_default().to_owned()
}

fn camel(name: &str) -> String {
    let mut parts = name.trim().split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| name + &part[..1].to_uppercase() + &part[1..])
}
