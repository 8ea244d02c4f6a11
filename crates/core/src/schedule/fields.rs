//! What a cron may say, field by field.
//!
//! # Promises
//! - What is written is one of the forms of the guide's table, or an error with the path `cron`
//!   that says what to write: no form that a reader may understand in two ways gets by.
//! - One spelling comes out: fields in capitals with one blank between them, numbers for names.
//!
//! Proof: the tests of `schedule`.

use crate::error::{Code, Error, Result};
use crate::limits::CRON_BYTES_MAX;

/// A cron that was read.
pub(super) struct Fields {
    /// As it was written, in one spelling.
    pub(super) text: String,
    /// The same, with six fields and numbers for all names.
    pub(super) numbers: String,
    /// Whether the minutes or the seconds have a `*` or a step.
    pub(super) has_steps: bool,
}

/// What a field may say.
struct Field {
    name: &'static str,
    low: u8,
    high: u8,
    /// Names of values, from the lowest on.
    names: &'static [&'static str],
}

const fn of(name: &'static str, low: u8, high: u8) -> Field {
    Field { name, low, high, names: &[] }
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const SECOND: usize = 0;
const MINUTE: usize = 1;
const DAY_OF_MONTH: usize = 3;
const DAY_OF_WEEK: usize = 5;

const FIELDS: [Field; 6] = [
    of("second", 0, 59),
    of("minute", 0, 59),
    of("hour", 0, 23),
    of("day of the month", 1, 31),
    Field { names: &MONTHS, ..of("month", 1, 12) },
    Field { names: &WEEKDAYS, ..of("day of the week", 0, 7) },
];

/// Each short form with its fields.
const SHORT_FORMS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// What is wrong with a cron.
pub(super) fn refused(what: impl std::fmt::Display) -> Error {
    Error::invalid("cron", what)
}

/// Reads a cron as it is written.
pub(super) fn read(text: &str) -> Result<Fields> {
    if text.len() > CRON_BYTES_MAX {
        let message = format!("is longer than {CRON_BYTES_MAX} bytes");
        return Err(Error::at(Code::TooLarge, "cron", message));
    }
    let small = text.trim().to_ascii_lowercase();
    if small.starts_with('@') {
        let form = SHORT_FORMS.iter().find(|(form, _)| *form == small);
        let (form, fields) = form.ok_or_else(|| {
            let known = SHORT_FORMS.map(|(form, _)| form).join(", ");
            refused(format!("{small:?} is not known; there are {known}"))
        })?;
        return Ok(Fields { text: (*form).to_owned(), ..of_fields(fields)? });
    }
    of_fields(&text.to_ascii_uppercase())
}

fn of_fields(text: &str) -> Result<Fields> {
    let given: Vec<&str> = text.split_ascii_whitespace().collect();
    let all: Vec<&str> = match given.len() {
        5 => std::iter::once("0").chain(given.iter().copied()).collect(),
        6 => given.clone(),
        count => {
            let what = "minute, hour, day of the month, month, day of the week, with the second \
                        before them if it is to be said";
            return Err(refused(format!("has {count} fields; write 5 or 6: {what}")));
        }
    };
    let mut numbers = Vec::with_capacity(FIELDS.len());
    for (at, (text, field)) in all.iter().zip(&FIELDS).enumerate() {
        numbers.push(field_numbers(text, field, at)?);
    }
    debug_assert_eq!(numbers.len(), FIELDS.len(), "a field was lost");
    let has_steps = [SECOND, MINUTE].iter().any(|at| numbers[*at].contains(['*', '/']));
    Ok(Fields { text: given.join(" "), numbers: numbers.join(" "), has_steps })
}

/// A field with numbers for names.
fn field_numbers(text: &str, field: &Field, at: usize) -> Result<String> {
    let is_day = at == DAY_OF_MONTH || at == DAY_OF_WEEK;
    if text == "*" || text == "*/1" || (text == "?" && is_day) {
        return Ok("*".to_owned());
    }
    let items: Vec<&str> = text.split(',').collect();
    if items.contains(&"L") && items.contains(&"LW") {
        let what = "L and LW exclude each other; make two schedules";
        return Err(refused(format!("{text:?}: {what}")));
    }
    let numbers = items.iter().map(|item| item_numbers(item, field, at));
    Ok(numbers.collect::<Result<Vec<_>>>()?.join(","))
}

/// One item of a list.
fn item_numbers(item: &str, field: &Field, at: usize) -> Result<String> {
    let special = match at {
        DAY_OF_MONTH => day_of_month(item, field)?,
        DAY_OF_WEEK => day_of_week(item, field)?,
        _ => None,
    };
    if let Some(special) = special {
        return Ok(special);
    }
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (item, None),
    };
    let (numbers, count) = match (range, range.split_once('-')) {
        ("*", _) if step.is_some() => ("*".to_owned(), field.high - field.low + 1),
        (_, Some((first, last))) => {
            let low = field.value(first)?;
            let high = field.value(last)?;
            // Sunday is the first day of the week or, at the end of a range, the last.
            let high = if at == DAY_OF_WEEK && high == 0 { 7 } else { high };
            if low > high {
                let around = format!("{low}-{},{}-{high}", field.high, field.low);
                return Err(refused(format!("{item:?} runs backwards; write {around:?}")));
            }
            (format!("{low}-{high}"), high - low + 1)
        }
        _ if step.is_some() => {
            let what = format!("write {range}-{}/{}", field.high, step.unwrap_or_default());
            return Err(refused(format!("{item:?}: a step follows * or a range; {what}")));
        }
        _ => (field.value(range)?.to_string(), 1),
    };
    let Some(step) = step else { return Ok(numbers) };
    let known = number(step).filter(|step| (1..=count).contains(step));
    let step = known.ok_or_else(|| {
        let what = format!("a step from 1 to {count}; for longer ones use `every`");
        refused(format!("{item:?} of the field {}: write {what}", field.name))
    })?;
    Ok(format!("{numbers}/{step}"))
}

/// The last day of a month, its last weekday, or the weekday next to a day.
fn day_of_month(item: &str, field: &Field) -> Result<Option<String>> {
    Ok(match item {
        "L" | "LW" => Some(item.to_owned()),
        _ => match item.strip_suffix('W') {
            Some(day) => Some(format!("{}W", field.value(day)?)),
            None => None,
        },
    })
}

/// The n-th or the last of a day of the week in a month.
fn day_of_week(item: &str, field: &Field) -> Result<Option<String>> {
    let (day, nth) = match (item.split_once('#'), item.strip_suffix('L')) {
        (Some(split), _) => split,
        (None, Some(day)) if !day.is_empty() => (day, "L"),
        _ => return Ok(None),
    };
    if nth != "L" && !number(nth).is_some_and(|nth| (1..=5).contains(&nth)) {
        return Err(refused(format!("{item:?}: write #1 to #5 after a day, or #L for the last")));
    }
    Ok(Some(format!("{}#{nth}", field.value(day)?)))
}

impl Field {
    /// The number of a value.
    fn value(&self, text: &str) -> Result<u8> {
        let named = self.names.iter().position(|name| *name == text);
        let named = named.map(|at| self.low + at as u8);
        let known = named.or_else(|| number(text)).filter(|n| (self.low..=self.high).contains(n));
        known.ok_or_else(|| {
            let Field { name, low, high, names } = self;
            let first_last = [names.first(), names.last()];
            let words = match first_last {
                [Some(first), Some(last)] => format!(" or {first} to {last}"),
                _ => String::new(),
            };
            refused(format!("{text:?} is no {name}; write {low} to {high}{words}"))
        })
    }
}

/// A number without a sign.
fn number(text: &str) -> Option<u8> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}
