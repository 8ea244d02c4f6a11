//! Schedules as they are stored: what is to be added when, and how far that has come.
//!
//! A schedule is a row with a timer at its next tick. A tick makes a task, or is used up without
//! one; either way the row moves on in the same commit.
//!
//! # Promises
//! - The ticks of a schedule only grow, whatever the clock and whoever changes it do: so no tick
//!   makes a second task, also when its first one has been removed.
//! - A spec that says what the stored one says changes nothing.
//!
//! # Left to others
//! Which moments a spec names, and which of them are missed: [`crate::schedule`]. What a tick does:
//! the engine.
//!
//! Proof: the tests below; `proof/tests/engine/schedules.rs`, `conformance::schedules`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::error::{Code, Error, Result};
use crate::id::{Seq, TaskId};
use crate::json::write_string;
use crate::limits::{SCHEDULE_BYTES_MAX, SCHEDULE_ID_BYTES_MAX};
use crate::schedule::{Due, Overlap, ScheduleSpec};
use crate::task::SharedOptions;
use crate::time::WallMs;
use crate::timer::{Timer, TimerKind};

/// The number of a schedule: that of the commit that made it, times 16,384, and a small number.
/// Never used twice. Fits a JavaScript safe integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScheduleNo(pub u64);

/// How many schedules one commit can make: more than a turn has calls.
pub const SCHEDULES_PER_BATCH: u64 = 16_384;

impl ScheduleNo {
    /// The n-th schedule of a batch.
    pub const fn new(batch: u64, n: u64) -> Self {
        debug_assert!(n < SCHEDULES_PER_BATCH, "the number runs into that of the next batch");
        Self(batch * SCHEDULES_PER_BATCH + n)
    }
}

/// How a schedule is looked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScheduleName {
    /// By what its caller calls it.
    Id(Arc<str>),
    /// By its number.
    No(ScheduleNo),
}

/// Checks what a caller calls a schedule.
///
/// # Errors
/// `Invalid` or `TooLarge` at `id`.
pub fn check_id(id: &str) -> Result<()> {
    if id.is_empty() {
        return Err(Error::invalid("id", "must be a string that is not empty"));
    }
    if id.len() > SCHEDULE_ID_BYTES_MAX {
        let text = format!("is longer than {SCHEDULE_ID_BYTES_MAX} bytes");
        return Err(Error::at(Code::TooLarge, "id", text));
    }
    Ok(())
}

/// What somebody wants of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// When, and what.
    pub spec: ScheduleSpec,
    /// What holds for its tasks where neither they nor their operation say anything: the options
    /// of the tasker that says so. So a tick makes the same task in whatever process it falls due.
    pub defaults: SharedOptions,
}

/// The task that a schedule made last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastTask {
    /// The tick that it was made for, or the moment at which somebody triggered it.
    pub at: WallMs,
    /// Which one; it may have been removed since.
    pub id: TaskId,
}

/// A schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Its number.
    pub no: ScheduleNo,
    /// What its caller calls it.
    pub id: Arc<str>,
    /// 1 when it is stored for the first time, one more with each change.
    pub version: u32,
    /// When, and what.
    pub wanted: Wanted,
    /// From where `every` counts, if it says no `startAt`.
    pub anchor: WallMs,
    /// Its next tick; nothing once it is over.
    pub next_at: Option<WallMs>,
    /// The last task that it made, if it has made one.
    pub last: Option<LastTask>,
    /// How many tasks its ticks have made.
    pub made: u64,
    /// Since when it is paused, if it is.
    pub paused_at: Option<WallMs>,
}

impl Schedule {
    /// One that is stored for the first time.
    pub fn new(no: ScheduleNo, id: Arc<str>, wanted: Wanted, now: WallMs) -> Self {
        let next_at = wanted.spec.first(now, now);
        let (last, paused_at) = (None, None);
        Self { no, id, version: 1, wanted, anchor: now, next_at, last, made: 0, paused_at }
    }

    /// When, and what.
    pub fn spec(&self) -> &ScheduleSpec {
        &self.wanted.spec
    }

    /// Says something else of it; whether that changes anything. Its count, its last task and its
    /// pause stay; `every` counts from anew only if the rule is another one.
    pub fn change(&mut self, wanted: Wanted, now: WallMs) -> bool {
        if wanted == self.wanted {
            return false;
        }
        let is_same_rule = wanted.spec.has_rule_of(&self.wanted.spec);
        self.wanted = wanted;
        if !is_same_rule {
            self.anchor = now;
        }
        let spec = &self.wanted.spec;
        // The moment before its next tick, or the last one that must not come again.
        let before = self.next_at.filter(|_| is_same_rule).map(|at| WallMs(at.0.saturating_sub(1)));
        let next_at = match (before, self.last) {
            (Some(before), _) => spec.next(self.anchor, before),
            (None, Some(last)) if last.at >= now => spec.next(self.anchor, last.at),
            (None, _) => spec.first(self.anchor, now),
        };
        self.next_at = next_at.filter(|_| !self.is_used_up());
        true
    }

    /// Its ticks pass without a task from now on; whether that changes anything.
    pub fn pause(&mut self, now: WallMs) -> bool {
        let changes = self.paused_at.is_none();
        self.paused_at.get_or_insert(now);
        changes
    }

    /// It goes on with its next tick after now; whether that changes anything.
    pub fn resume(&mut self, now: WallMs) -> bool {
        let was_paused = self.paused_at.take().is_some();
        if was_paused && self.next_at.is_some_and(|at| at <= now) {
            self.next_at = self.spec().next(self.anchor, now);
        }
        was_paused
    }

    /// What is due of it, if anything is: not while it is paused.
    pub fn due(&self, now: WallMs) -> Option<Due> {
        let at = self.next_at.filter(|at| *at <= now && self.paused_at.is_none())?;
        Some(self.spec().due(self.anchor, at, now))
    }

    /// What is due has been dealt with, and this tick is the next one.
    pub fn move_on(&mut self, next_at: Option<WallMs>) {
        debug_assert!(
            next_at.is_none_or(|next| self.next_at.is_some_and(|at| next > at)),
            "the ticks of a schedule grow"
        );
        self.next_at = next_at.filter(|_| !self.is_used_up());
    }

    /// A task was made, for a tick or by hand. If the clock was set back since the one before, its
    /// moment counts, so that no tick comes again.
    pub fn made(&mut self, LastTask { at, id }: LastTask, is_tick: bool) {
        let at = self.last.map_or(at, |last| last.at.max(at));
        self.last = Some(LastTask { at, id });
        self.made += u64::from(is_tick);
    }

    /// Whether it has made as many tasks as it was to make.
    pub fn is_used_up(&self) -> bool {
        self.spec().limit.is_some_and(|limit| self.made >= u64::from(limit))
    }

    /// When to look at it next; nothing while it is paused, and once it is over.
    pub fn timer(&self) -> Option<Timer> {
        let at = self.next_at.filter(|_| self.paused_at.is_none())?;
        Some(Timer { at, kind: TimerKind::Schedule, seq: Seq(self.no.0) })
    }

    /// Its next ticks, at most so many, as far as they are known: a paused one has none, and the
    /// limit ends them.
    pub fn next_times(&self, max: usize) -> Vec<WallMs> {
        let limit = self.spec().limit.map_or(u64::MAX, u64::from);
        let left = limit.saturating_sub(self.made);
        let max = max.min(usize::try_from(left).unwrap_or(usize::MAX));
        let first = self.next_at.filter(|_| self.paused_at.is_none());
        let next = |at: &WallMs| self.spec().next(self.anchor, *at);
        std::iter::successors(first, next).take(max).collect()
    }

    /// Its JSON document, as `findSchedules` gives it.
    pub fn document(&self) -> String {
        let mut text = String::from("{\"id\":");
        write_string(&self.id, &mut text);
        // Writing to a String cannot fail.
        let mut member = |word: &str, value: &dyn std::fmt::Display| {
            let _ = write!(text, ",\"{word}\":{value}");
        };
        for (word, value) in members(self.spec().text()) {
            member(&word, &value);
        }
        if let Some(at) = self.next_at.filter(|_| self.paused_at.is_none()) {
            member("nextAt", &at.0);
        }
        let times = self.next_times(NEXT_TIMES);
        let times: Vec<String> = times.iter().map(|at| at.0.to_string()).collect();
        member("nextTimes", &format!("[{}]", times.join(",")));
        if let Some(LastTask { at, id }) = self.last {
            member("lastAt", &at.0);
            member("lastTask", &format!("\"{}\"", id.0));
        }
        member("made", &self.made);
        if let Some(at) = self.paused_at {
            member("pausedAt", &at.0);
        }
        text.push('}');
        text
    }
}

/// How many of its next ticks a document has.
const NEXT_TIMES: usize = 5;

/// The members of a spec, which was read before.
fn members(text: &str) -> Vec<(String, &RawValue)> {
    let all: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
    debug_assert!(!all.is_empty(), "a spec is an object: {text}");
    all.into_iter().collect()
}

/// The text of a spec.
///
/// # Errors
/// `TooLarge` at `task`, which alone can be so long.
pub fn check_length(text: &str) -> Result<()> {
    if text.len() > SCHEDULE_BYTES_MAX {
        let text = format!("makes the schedule longer than {SCHEDULE_BYTES_MAX} bytes of JSON");
        return Err(Error::at(Code::TooLarge, "task", text));
    }
    Ok(())
}

/// What `updateSchedule` changes of a spec; what it does not name stays.
#[derive(Clone, Debug)]
pub struct SchedulePatch {
    members: BTreeMap<String, Box<RawValue>>,
}

impl SchedulePatch {
    /// Reads what `updateSchedule` is given.
    ///
    /// # Errors
    /// `Invalid` if it is no object, or names nothing.
    pub fn read(text: &str) -> Result<Self> {
        let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text)
            .map_err(|e| Error::invalid("patch", "must be an object").with_source(e))?;
        if members.is_empty() {
            let text = "changes nothing; name what is to be another, as addSchedule takes it";
            return Err(Error::invalid("patch", text));
        }
        Ok(Self { members })
    }

    /// The task that it names, if it names one.
    pub fn task(&self) -> Option<&str> {
        self.members.get("task").map(|task| task.get())
    }

    /// The text of a spec with what it changes. A member that is `false` goes; a `cron` takes the
    /// place of an `every`, and the other way round.
    pub fn applied_to(&self, spec: &ScheduleSpec) -> String {
        let mut all: BTreeMap<String, &RawValue> = members(spec.text()).into_iter().collect();
        let rules: [(&str, &[&str]); 2] = [("cron", &["every"]), ("every", &["cron", "timezone"])];
        for (word, others) in rules {
            if self.members.contains_key(word) {
                all.retain(|word, _| !others.contains(&&**word));
            }
        }
        for (word, value) in &self.members {
            match value.get() {
                "false" => all.remove(word),
                _ => all.insert(word.clone(), value),
            };
        }
        let member = |(word, value): (&String, &&RawValue)| {
            let mut text = String::new();
            write_string(word, &mut text);
            format!("{text}:{value}")
        };
        let all: Vec<String> = all.iter().map(member).collect();
        format!("{{{}}}", all.join(","))
    }
}

/// Whether a tick makes a task, for what has become of the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastState {
    /// There is none, or it has ended, or it is not there any more.
    Over,
    /// It has never run, and has not ended.
    Waiting,
    /// It runs, or is to be tried again.
    Begun,
}

/// What a tick does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickRule {
    /// It is used up without a task.
    Skip,
    /// It makes a task.
    Make,
    /// It makes a task that waits until the last one has ended, however it ends.
    MakeBehind,
    /// It makes a task, and the last one is aborted.
    MakeInstead,
}

/// What a tick does, by the rule of its schedule and what has become of the last task.
pub fn tick_rule(overlap: Overlap, last: LastState) -> TickRule {
    match (overlap, last) {
        (Overlap::Allow, _) | (_, LastState::Over) => TickRule::Make,
        (Overlap::Skip, LastState::Waiting | LastState::Begun)
        | (Overlap::Queue, LastState::Waiting) => TickRule::Skip,
        (Overlap::Queue, LastState::Begun) => TickRule::MakeBehind,
        (Overlap::Replace, LastState::Waiting | LastState::Begun) => TickRule::MakeInstead,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn wanted(text: &str) -> Wanted {
        let spec = ScheduleSpec::read(text).unwrap();
        Wanted { spec, defaults: SharedOptions::default() }
    }

    fn every(minutes: u32, more: &str) -> Wanted {
        let task = r#""task":{"operation":"a"}"#;
        wanted(&format!(r#"{{"every":"{minutes}m",{task}{more}}}"#))
    }

    fn schedule(wanted: Wanted, now: i64) -> Schedule {
        Schedule::new(ScheduleNo::new(2, 1), "mail".into(), wanted, WallMs(now))
    }

    fn last(at: i64) -> LastTask {
        LastTask { at: WallMs(at), id: TaskId(uuid::Uuid::from_u128(3)) }
    }

    #[test]
    fn it_has_a_timer_until_it_is_paused_or_over() {
        let mut one = schedule(every(1, r#","limit":1"#), 5);
        let at = one.next_at.unwrap();
        let timer = Timer { at, kind: TimerKind::Schedule, seq: Seq(one.no.0) };
        assert_eq!(one.timer(), Some(timer));
        assert!(one.pause(WallMs(6)) && !one.pause(WallMs(7)));
        assert_eq!((one.timer(), one.paused_at), (None, Some(WallMs(6))));
        assert!(one.resume(WallMs(8)) && !one.resume(WallMs(8)));
        assert_eq!(one.timer(), Some(timer));
        one.made(last(at.0), true);
        one.move_on(Some(at.plus(1)));
        assert_eq!((one.timer(), one.next_at, one.made), (None, None, 1));
    }

    #[test]
    fn what_it_misses_while_it_is_paused_does_not_come_again() {
        let mut one = schedule(every(1, ""), 0);
        one.pause(WallMs(1));
        assert_eq!(one.due(WallMs(10 * MINUTE)), None);
        one.resume(WallMs(10 * MINUTE + 5));
        assert_eq!(one.next_at, Some(WallMs(11 * MINUTE)));
        let mut back = schedule(every(1, ""), 10 * MINUTE);
        back.pause(WallMs(10 * MINUTE));
        let next = back.next_at;
        back.resume(WallMs(0));
        assert_eq!(back.next_at, next, "a clock that was set back brings no tick again");
    }

    #[test]
    fn what_says_the_same_changes_nothing_and_another_rule_begins_anew() {
        let mut one = schedule(every(10, ""), 7);
        one.made(last(7), true);
        let before = one.clone();
        assert!(!one.change(every(10, ""), WallMs(99)));
        assert_eq!(one, before);
        assert!(one.change(every(10, r#","limit":9"#), WallMs(99)));
        assert_eq!((one.anchor, one.next_at), (before.anchor, before.next_at));
        assert!(one.change(every(5, ""), WallMs(MINUTE)));
        assert_eq!((one.anchor, one.made, one.last), (WallMs(MINUTE), 1, before.last));
        let mut ahead = schedule(every(10, ""), 0);
        ahead.made(last(50 * MINUTE), true);
        ahead.change(every(5, ""), WallMs(0));
        assert_eq!(ahead.next_at, Some(WallMs(55 * MINUTE)), "no tick comes again");
        // Nor after a trigger while the clock was set back.
        ahead.made(last(MINUTE), false);
        ahead.change(every(6, ""), WallMs(2 * MINUTE));
        assert_eq!(ahead.next_at, Some(WallMs(56 * MINUTE)));
    }

    #[test]
    fn a_greater_limit_lets_it_go_on_and_a_smaller_one_ends_it() {
        let mut one = schedule(every(1, r#","limit":1"#), 0);
        one.made(last(0), true);
        one.move_on(Some(WallMs(2 * MINUTE)));
        assert_eq!(one.next_at, None);
        one.change(every(1, r#","limit":2"#), WallMs(3 * MINUTE + 5));
        assert_eq!(one.next_at, Some(WallMs(4 * MINUTE)));
        one.change(every(1, r#","limit":1"#), WallMs(3 * MINUTE + 5));
        assert_eq!(one.next_at, None);
    }

    #[test]
    fn a_trigger_counts_for_no_limit() {
        let mut one = schedule(every(1, r#","limit":1"#), 0);
        one.made(last(7), false);
        assert_eq!((one.made, one.is_used_up(), one.last), (0, false, Some(last(7))));
    }

    #[test]
    fn a_patch_replaces_members_and_takes_them_out() {
        let spec = every(1, r#","limit":1"#).spec;
        let patched = |text: &str| {
            let text = SchedulePatch::read(text).unwrap().applied_to(&spec);
            ScheduleSpec::read(&text)
        };
        assert_eq!(patched(r#"{"limit":false}"#).unwrap(), every(1, "").spec);
        assert_eq!(patched(r#"{"every":"2m"}"#).unwrap(), every(2, r#","limit":1"#).spec);
        assert!(patched(r#"{"cron":"* * * * *"}"#).unwrap().text().contains("cron"));
        for (text, path) in [("7", "patch"), ("{}", "patch")] {
            let error = SchedulePatch::read(text).unwrap_err();
            assert_eq!(error.facts().path.as_deref(), Some(path), "{text}");
        }
        assert!(patched(r#"{"task":false}"#).is_err());
    }

    #[test]
    fn its_document_is_json() {
        let mut one = schedule(every(1, r#","limit":4"#), 0);
        one.made(last(7), true);
        let document: serde_json::Value = serde_json::from_str(&one.document()).unwrap();
        assert_eq!(document["id"], "mail");
        assert_eq!((&document["made"], &document["limit"]), (&1.into(), &4.into()));
        assert_eq!(document["nextTimes"].as_array().unwrap().len(), 3, "as many as are left");
        assert_eq!(document["nextAt"], document["nextTimes"][0]);
        assert_eq!(document["lastTask"], "00000000-0000-0000-0000-000000000003");
        one.pause(WallMs(9));
        let document: serde_json::Value = serde_json::from_str(&one.document()).unwrap();
        assert_eq!((document.get("nextAt"), &document["pausedAt"]), (None, &9.into()));
    }

    #[test]
    fn overlap_decides_by_what_has_become_of_the_last_task() {
        use LastState::{Begun, Over, Waiting};
        use TickRule::{Make, MakeBehind, MakeInstead, Skip};
        for (overlap, rules) in [
            (Overlap::Skip, [Make, Skip, Skip]),
            (Overlap::Queue, [Make, Skip, MakeBehind]),
            (Overlap::Replace, [Make, MakeInstead, MakeInstead]),
            (Overlap::Allow, [Make; 3]),
        ] {
            assert_eq!([Over, Waiting, Begun].map(|last| tick_rule(overlap, last)), rules);
        }
    }

    #[test]
    fn an_id_is_a_text_within_its_limit() {
        assert!(check_id(&"x".repeat(SCHEDULE_ID_BYTES_MAX)).is_ok());
        assert_eq!(check_id("").unwrap_err().code(), Code::Invalid);
        let long = "x".repeat(SCHEDULE_ID_BYTES_MAX + 1);
        assert_eq!(check_id(&long).unwrap_err().code(), Code::TooLarge);
    }
}
