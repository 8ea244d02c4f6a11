//! All watches of a handle: who has heard everything, who has not, and what to do next.
//!
//! Those that have heard everything and ask for more stand in a *group*: they share each page of
//! the journal. One to which a page means something is answered, and comes back into the group when
//! it asks again and has caught up.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::error::{Code, Error, Result};
use crate::id::{IdKey, OperationId, Seq};
use crate::query::Fields;
use crate::read::{Step as SearchStep, cancelled_read};
use crate::search::Search;
use crate::task::TaskRecord;

use super::filter::{WatchFilter, WatchNo};
use super::index::Index;
use super::judge::Watch;
use super::look::{Look, Tasks};
use super::position::Position;
use super::snapshot::Snapshot;
use super::step::{Step, steps};
use crate::changes::{Changes, Stand, WatchedBatch};

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// With the tasks that match by then.
    Snapshot,
    /// Behind this.
    Position(Position),
}

/// Commits that are read at once.
const BATCHES_MAX: usize = 256;
/// Steps with which a piece of work ends, after the commit in which they stand.
const STEPS_MAX: u64 = 2_000;

/// The answer to one who has asked: what has changed, or why nothing more will come.
pub type Told = (u64, Result<String>);

/// All watches.
#[derive(Debug)]
pub struct Watches {
    /// The secret under which sequence numbers are folded into uuids.
    key: IdKey,
    all: BTreeMap<WatchNo, Watch>,
    /// Those that have asked and have not heard everything; the first is next.
    apart: VecDeque<WatchNo>,
    group: Group,
    operations: FxHashMap<OperationId, Arc<str>>,
    told: Vec<Told>,
    /// The last commit that a look has seen.
    seen: u64,
    /// Whether the last piece of work was the group's.
    was_group: bool,
}

/// Those that have asked and have heard everything up to a commit.
#[derive(Debug, Default)]
struct Group {
    /// That commit.
    batch: u64,
    index: Index,
    len: usize,
    /// What any of them looks at, and some that have gone.
    fields: Fields,
}

impl Watches {
    /// None yet, of a database with this key.
    pub fn new(key: IdKey) -> Self {
        Self {
            key,
            all: BTreeMap::new(),
            apart: VecDeque::new(),
            group: Group::default(),
            operations: FxHashMap::default(),
            told: Vec::new(),
            seen: 0,
            was_group: false,
        }
    }

    /// One more.
    pub fn add(&mut self, no: WatchNo, filter: WatchFilter, from: From) {
        let position = match from {
            From::Snapshot => None,
            From::Position(position) => Some(position),
        };
        let mut watch = Watch::new(filter, position);
        watch.alone.insert(no, &watch.query, self.key);
        let old = self.all.insert(no, watch);
        debug_assert!(old.is_none(), "watch {no} is added twice");
    }

    /// One less. Gives who waits for it: nobody is told.
    pub fn remove(&mut self, no: WatchNo) -> Option<u64> {
        let watch = self.all.remove(&no)?;
        if let Some(at) = self.apart.iter().position(|other| *other == no) {
            self.apart.remove(at);
        } else if watch.asked.is_some() {
            self.group.leave(no, &watch, self.key);
        }
        watch.asked
    }

    /// Somebody waits for what a watch has to tell: `by` is told once.
    pub fn ask(&mut self, no: WatchNo, by: u64) {
        match self.all.get_mut(&no) {
            Some(watch) if watch.asked.is_none() => {
                watch.asked = Some(by);
                self.apart.push_back(no);
            }
            Some(_) | None => {
                let error = Error::new(Code::Closed, "the watch has gone, or is asked already");
                self.told.push((by, Err(error)));
            }
        }
    }

    /// Somebody waits no longer.
    pub fn give_up(&mut self, by: u64) {
        let asked = self.all.iter().find(|(_, watch)| watch.asked == Some(by));
        let Some(no) = asked.map(|(no, _)| *no) else { return };
        let Some(watch) = self.all.get_mut(&no) else { return };
        watch.asked = None;
        if let Some(at) = self.apart.iter().position(|other| *other == no) {
            self.apart.remove(at);
        } else {
            watch.position = Position::behind(self.group.batch);
            self.group.leave(no, watch, self.key);
        }
        self.told.push((by, Err(cancelled_read())));
    }

    /// The numbers of all.
    pub fn numbers(&self) -> Vec<WatchNo> {
        self.all.keys().copied().collect()
    }

    /// Whether there is no watch.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether something can be told, or may be if this is the last commit.
    pub fn has_work(&self, last: u64) -> bool {
        !self.apart.is_empty() || self.is_group_behind(last)
    }

    /// The search that goes on next, before anything else is looked at.
    pub fn search(&mut self, last: u64) -> Option<&mut Search> {
        if self.is_group_due(last) {
            return None;
        }
        let next = self.apart.front()?;
        self.all.get_mut(next)?.snapshot.as_mut()?.search()
    }

    /// What a step of that search has brought.
    pub fn found(&mut self, step: SearchStep) {
        let Some(next) = self.apart.front() else { return };
        if let Some(snapshot) = self.all.get_mut(next).and_then(|one| one.snapshot.as_mut()) {
            snapshot.take(step);
        }
        self.apart.rotate_left(1);
        self.was_group = false;
    }

    /// Whether it is the group's turn.
    fn is_group_due(&self, last: u64) -> bool {
        self.is_group_behind(last) && (self.apart.is_empty() || !self.was_group)
    }

    /// Whether there is something that the group has not heard; `last` may be older than a look.
    fn is_group_behind(&self, last: u64) -> bool {
        self.group.len > 0 && self.group.batch < last.max(self.seen)
    }

    /// Does a bounded piece of work in one state of the store.
    ///
    /// # Errors
    /// `Corrupt` or `Io`; then call [`Watches::fail`].
    pub fn look(&mut self, changes: &mut dyn Changes) -> Result<()> {
        let stand = changes.stand()?;
        self.seen = stand.number;
        self.gather(stand);
        self.was_group = self.is_group_due(stand.number);
        if self.was_group {
            return self.look_for_group(changes, stand);
        }
        let Some(no) = self.apart.pop_front() else { return Ok(()) };
        let Some(mut watch) = self.all.remove(&no) else { return Ok(()) };
        let looked = self.look_for_one(&mut watch, changes, stand);
        if !watch.page.is_empty() {
            if let Some(by) = watch.asked.take() {
                self.told.push((by, Ok(watch.page.take())));
            }
        } else if matches!(looked, Ok(true)) {
            self.group.enter(no, &watch, self.key);
        } else {
            self.apart.push_back(no);
        }
        self.all.insert(no, watch);
        looked.map(drop)
    }

    /// Those that stand where the group does join it, before that goes on.
    fn gather(&mut self, stand: Stand) {
        let Watches { all, apart, group, key, .. } = self;
        for no in apart.iter() {
            let known_until = all.get_mut(no).map(|watch| &mut watch.known_until);
            known_until.map(|known_until| known_until.get_or_insert(stand.number));
        }
        let plain = |no: &WatchNo| {
            let watch = all.get(no).filter(|watch| watch.snapshot.is_none())?;
            let Position { batch, step, told } = watch.position;
            (step.is_none() && told.is_none() && batch <= stand.number).then_some((batch, watch))
        };
        if group.len == 0
            && let Some(furthest) = apart.iter().filter_map(plain).map(|(batch, _)| batch).max()
        {
            group.batch = furthest;
        }
        apart.retain(|no| match plain(no) {
            Some((batch, watch)) if batch == group.batch => {
                group.enter(*no, watch, *key);
                false
            }
            _ => true,
        });
    }

    /// What has been told since it was asked last.
    pub fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// Nothing can be read: all who wait are told so, and the watches are over.
    pub fn fail(&mut self, error: &Error) {
        let asked = std::mem::take(&mut self.all).into_values().filter_map(|one| one.asked);
        self.told.extend(asked.map(|by| (by, Err(error.clone()))));
        self.apart.clear();
        self.group = Group::default();
    }

    /// Whether a watch has heard everything.
    fn look_for_one(
        &mut self,
        watch: &mut Watch,
        changes: &mut dyn Changes,
        stand: Stand,
    ) -> Result<bool> {
        if watch.snapshot.as_mut().is_some_and(|snapshot| snapshot.search().is_some()) {
            return Ok(false);
        }
        if let Some(told) = watch.position.told
            && watch.snapshot.is_none()
        {
            if watch.position.batch == 0 {
                watch.position = Position::behind(stand.number);
                watch.position.told = Some(told);
            }
            watch.snapshot = Some(Snapshot::begin(&watch.query, told, stand.number)?);
            return Ok(false);
        }
        let is_alone = self.group.len == 0;
        let until =
            if is_alone || watch.snapshot.is_some() { stand.number } else { self.group.batch };
        let mut tasks = Tasks::new(changes, &mut self.operations);
        if !catch_up(watch, &mut tasks, (until, stand))? || !watch.page.is_empty() {
            return Ok(false);
        }
        if let Some(snapshot) = watch.snapshot.take() {
            tell_snapshot(watch, snapshot, &mut tasks, stand)?;
            return Ok(false);
        }
        if is_alone {
            self.group.batch = until;
        }
        Ok(watch.position == Position::behind(self.group.batch))
    }

    fn look_for_group(&mut self, changes: &mut dyn Changes, stand: Stand) -> Result<()> {
        let key = self.key;
        let batches = changes.batches(self.group.batch, BATCHES_MAX)?;
        if batches.first().is_none_or(|first| first.number != self.group.batch + 1) {
            self.group_meets_gap(stand);
            return Ok(());
        }
        let mut tasks = Tasks::new(changes, &mut self.operations);
        let (mut done, mut concerned) = (0, Vec::new());
        for batch in &batches {
            for step in steps(batch) {
                let step = (batch, &step?);
                let who = (&mut self.all, &mut self.group, &mut concerned);
                done += take_for_group(who, step, (&mut tasks, key))?;
            }
            self.group.batch = batch.number;
            if done >= STEPS_MAX {
                break;
            }
        }
        concerned.sort_unstable();
        concerned.dedup();
        for no in concerned {
            let Some(watch) = self.all.get_mut(&no) else { continue };
            // One whose page is full has left by itself.
            if !watch.page.is_full() {
                self.group.leave(no, watch, key);
                watch.position = Position::behind(self.group.batch);
            }
            if let Some(by) = watch.asked.take() {
                self.told.push((by, Ok(watch.page.take())));
            }
        }
        Ok(())
    }

    fn group_meets_gap(&mut self, stand: Stand) {
        let apart = &self.apart;
        let grouped =
            self.all.iter_mut().filter(|(no, one)| one.asked.is_some() && !apart.contains(no));
        for (no, watch) in grouped {
            self.group.leave(*no, watch, self.key);
            meet_gap(watch, stand);
            if let Some(by) = watch.asked.take() {
                self.told.push((by, Ok(watch.page.take())));
            }
        }
    }
}

impl Group {
    fn enter(&mut self, no: WatchNo, watch: &Watch, key: IdKey) {
        if self.len == 0 {
            self.fields = Fields::NONE;
        }
        self.fields = self.fields.and(watch.looks_at());
        self.index.insert(no, &watch.query, key);
        self.len += 1;
    }

    fn leave(&mut self, no: WatchNo, watch: &Watch, key: IdKey) {
        self.index.remove(no, &watch.query, key);
        debug_assert!(self.len > 0, "watch {no} leaves a group in which it was not");
        self.len = self.len.saturating_sub(1);
    }
}

/// Tells a step to those in the group whom it concerns; how much work that was.
fn take_for_group(
    (all, group, concerned): (&mut BTreeMap<WatchNo, Watch>, &mut Group, &mut Vec<WatchNo>),
    (batch, step): (&WatchedBatch, &Step),
    (tasks, key): (&mut Tasks<'_>, IdKey),
) -> Result<u64> {
    let operation = tasks.operation(step.lane.operation())?;
    if !group.index.concerns(step.seq, &operation) {
        return Ok(0);
    }
    let mut read = |seq| tasks.task(seq);
    let mut look = Look::new(step, operation, group.fields, &mut read);
    let found = group.index.find(&mut look)?;
    let position = Position { batch: batch.number, step: Some(step.n), told: None };
    for no in &found {
        let Some(watch) = all.get_mut(no) else { continue };
        watch.take(&mut look, position, batch.at)?;
        if watch.page.is_empty() {
            continue;
        }
        concerned.push(*no);
        if watch.page.is_full() {
            group.leave(*no, watch, key);
        }
    }
    Ok(1 + found.len() as u64)
}

/// Goes on with one watch, up to a commit at most; whether it has come there.
fn catch_up(
    watch: &mut Watch,
    tasks: &mut Tasks<'_>,
    (until, stand): (u64, Stand),
) -> Result<bool> {
    let Position { batch, step, .. } = watch.position;
    let (after, mut behind) = match step {
        Some(_) => (batch.saturating_sub(1), step),
        None => (batch, None),
    };
    // A position of another file, or of one that was replaced by an older copy.
    let is_ahead = batch > stand.number;
    if after >= until && !is_ahead {
        return Ok(after == until || watch.position.batch <= until);
    }
    let batches = if is_ahead { Vec::new() } else { tasks.changes.batches(after, BATCHES_MAX)? };
    if batches.first().is_none_or(|first| first.number != after + 1) {
        meet_gap(watch, stand);
        return Ok(false);
    }
    let mut done = 0;
    for one in batches.iter().take_while(|one| one.number <= until) {
        for step in steps(one) {
            let step = step?;
            if behind.is_some_and(|behind| step.n <= behind) {
                continue;
            }
            done += 1;
            take_alone(watch, tasks, one, &step)?;
            if watch.page.is_full() {
                return Ok(false);
            }
        }
        behind = None;
        watch.position = Position { batch: one.number, step: None, ..watch.position };
        if done >= STEPS_MAX {
            break;
        }
    }
    Ok(watch.position.batch == until)
}

/// Tells a step to one watch. What its snapshot has not come to is told by that.
fn take_alone(
    watch: &mut Watch,
    tasks: &mut Tasks<'_>,
    batch: &WatchedBatch,
    step: &Step,
) -> Result<()> {
    let told = watch.position.told;
    if told.is_some_and(|told| step.seq > told) {
        if let Some(snapshot) = &mut watch.snapshot {
            snapshot.touch(batch.number, step.seq);
        }
        return Ok(());
    }
    let operation = tasks.operation(step.lane.operation())?;
    if !watch.alone.concerns(step.seq, &operation) {
        return Ok(());
    }
    let position = Position { batch: batch.number, step: Some(step.n), told };
    let fields = watch.looks_at();
    let mut read = |seq| tasks.task(seq);
    let mut look = Look::new(step, operation, fields, &mut read);
    if watch.alone.find(&mut look)?.is_empty() {
        return Ok(());
    }
    watch.take(&mut look, position, batch.at)
}

/// Tells a page of the tasks that match now. The last one of all stands behind the snapshot, so
/// that who goes on from it hears every change.
fn tell_snapshot(
    watch: &mut Watch,
    snapshot: Snapshot,
    tasks: &mut Tasks<'_>,
    stand: Stand,
) -> Result<()> {
    let told = watch.position.told.unwrap_or(Seq(0));
    let behind = |told| Position { told, ..Position::behind(stand.number) };
    let (page, end) = snapshot.into_page();
    let mut next: Option<Arc<TaskRecord>> = None;
    for seq in page.filter(|seq| *seq > told) {
        let Some(task) = tasks.task(seq)? else { continue };
        if !watch.matches_now(&task)? {
            continue;
        }
        if let Some(one) = next.replace(task) {
            watch.enter(&one, behind(Some(one.seq)), stand.at)?;
            if watch.page.is_full() {
                return Ok(());
            }
        }
    }
    if let Some(last) = next {
        watch.enter(&last, behind(end), stand.at)?;
    }
    watch.position = behind(end);
    Ok(())
}

/// What comes next is not known any more: the watch begins anew.
fn meet_gap(watch: &mut Watch, stand: Stand) {
    watch.begin_anew(stand.number);
    watch.page.push_gap(watch.position, stand.at);
}
