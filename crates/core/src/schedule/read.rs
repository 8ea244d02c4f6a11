//! Reads a schedule, as it is given and as it is stored.
//!
//! Proof: the tests of `schedule`.

use std::fmt::Write;

use super::calendar::Calendar;
use super::cron::Cron;
use super::zone::Zone;
use super::{Missed, Overlap, Rule, ScheduleSpec};
use crate::argument;
use crate::error::{Error, Result};
use crate::json;
use crate::limits::SCHEDULE_EVERY_MS_MIN;
use crate::members::Members;

/// What a schedule may say.
const KNOWN: &str = "cron, every, timezone, task, overlap, missed, jitter, startAt, endAt, limit";

impl ScheduleSpec {
    /// Reads a schedule: a JSON object with `cron` or `every`, `task`, and what else there is.
    ///
    /// # Errors
    /// `Invalid` or `TooLarge` with the path of the member, such as `cron`.
    pub fn read(text: &str) -> Result<Self> {
        let mut members = Members::of_argument(text, "schedule")?;
        let cron = members.optional("cron", cron)?;
        let every = members.optional("every", every)?;
        let zone = members.optional("timezone", timezone)?;
        let rule = match (cron, every, zone) {
            (Some(cron), None, zone) => {
                let zone = zone.map_or_else(utc, Ok)?;
                Rule::Cron(Box::new(Calendar { cron, zone }))
            }
            (None, Some(ms), None) => Rule::Every(ms),
            (None, Some(_), Some(_)) => {
                let text = "says nothing of `every`, which counts milliseconds; leave it out";
                return Err(Error::invalid("timezone", text));
            }
            (Some(_), Some(_), _) => {
                return Err(Error::invalid("every", "excludes `cron`; say one of the two"));
            }
            (None, None, _) => {
                let text = "is missing; say `cron`, such as '0 9 * * *', or `every`, such as '15m'";
                return Err(Error::invalid("cron", text));
            }
        };
        let overlap = |text: &str, path: &str| argument::word(text, path, Overlap::WORDS);
        let missed = |text: &str, path: &str| argument::word(text, path, Missed::WORDS);
        let limit = |text: &str, path: &str| argument::count(text, path, u32::MAX);
        let mut spec = Self {
            rule,
            overlap: members.optional("overlap", overlap)?.unwrap_or_default(),
            missed: members.optional("missed", missed)?.unwrap_or_default(),
            jitter_ms: members
                .optional("jitter", argument::duration_or_off)?
                .flatten()
                .unwrap_or(0),
            start_at: members.optional("startAt", argument::moment)?,
            end_at: members.optional("endAt", argument::moment)?,
            limit: members.optional("limit", limit)?,
            task: members.required("task", task)?.into(),
            text: "".into(),
        };
        members.end(KNOWN)?;
        spec.check_span()?;
        spec.text = spec.written().into();
        Ok(spec)
    }

    /// Refuses an end before the beginning, and one before the first tick.
    fn check_span(&self) -> Result<()> {
        let (Some(start), Some(end)) = (self.start_at, self.end_at) else { return Ok(()) };
        let wrong = if end < start {
            "is before `startAt`"
        } else if self.first(start, start).is_none() {
            "is before the first time of this schedule after `startAt`"
        } else {
            return Ok(());
        };
        Err(Error::invalid("endAt", wrong))
    }

    /// Its text. What is said by default is written too: another default of a later version does
    /// not change what is stored.
    fn written(&self) -> String {
        let mut text = "{".to_owned();
        match &self.rule {
            Rule::Cron(calendar) => {
                text.push_str(r#""cron":"#);
                json::write_string(calendar.cron.text(), &mut text);
                text.push_str(r#","timezone":"#);
                json::write_string(calendar.zone.name(), &mut text);
            }
            Rule::Every(ms) => push(&mut text, format_args!(r#""every":{ms}"#)),
        }
        let (overlap, missed) = (self.overlap.as_str(), self.missed.as_str());
        push(&mut text, format_args!(r#","overlap":"{overlap}","missed":"{missed}""#));
        if self.jitter_ms > 0 {
            push(&mut text, format_args!(r#","jitter":{}"#, self.jitter_ms));
        }
        if let Some(start) = self.start_at {
            push(&mut text, format_args!(r#","startAt":{}"#, start.0));
        }
        if let Some(end) = self.end_at {
            push(&mut text, format_args!(r#","endAt":{}"#, end.0));
        }
        if let Some(limit) = self.limit {
            push(&mut text, format_args!(r#","limit":{limit}"#));
        }
        push(&mut text, format_args!(r#","task":{}}}"#, self.task));
        text
    }
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(what);
}

/// Reads a `cron`.
pub(super) fn cron(text: &str, path: &str) -> Result<Cron> {
    let text = argument::as_text(text)
        .ok_or_else(|| Error::invalid(path, "must be a string, such as '0 9 * * MON-FRI'"))?;
    Cron::read(&text)
}

/// Reads a `timezone`.
pub(super) fn timezone(text: &str, path: &str) -> Result<Zone> {
    let named = argument::as_text(text).and_then(|name| Zone::named(&name));
    named.ok_or_else(|| {
        let text = "must be the name of a time zone, such as 'Europe/Berlin', or 'UTC'";
        Error::invalid(path, text)
    })
}

/// The zone that counts if none is said.
pub(super) fn utc() -> Result<Zone> {
    Zone::named("UTC").ok_or_else(|| Error::bug("the time zones have no UTC"))
}

fn every(text: &str, path: &str) -> Result<u64> {
    let ms = argument::duration(text, path)?;
    if ms < SCHEDULE_EVERY_MS_MIN {
        let text = format!("must be at least {SCHEDULE_EVERY_MS_MIN} ms: each time is a commit");
        return Err(Error::invalid(path, text));
    }
    Ok(ms)
}

fn task(text: &str, path: &str) -> Result<Box<str>> {
    text.starts_with('{').then(|| text.into()).ok_or_else(|| {
        Error::invalid(path, "must be what addTask takes, such as { operation: 'report' }")
    })
}
