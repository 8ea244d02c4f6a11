//! Watching tasks in a world: what a watch has told, put together, is what a query finds.
//!
//! Each watch has a reader of its own pace: it lags behind, goes on from a position, or begins when
//! the world is old.

use std::collections::{BTreeMap, BTreeSet};

use tasker_core::changes::Changes;
use tasker_core::id::IdKey;
use tasker_core::query::{Query, Value};
use tasker_core::read::{Find, Found};
use tasker_core::reader::Reader;
use tasker_core::state::State;
use tasker_core::task::TaskRecord;
use tasker_core::watch::{From, Position, WatchFilter, WatchNo, Watches};
use tasker_engine::turn::Engine;

use super::World;

/// What is watched, and whether it may go on from a position: not where it is judged when it is
/// read, for then nobody knows what was told.
const QUERIES: [(&str, bool); 10] = [
    ("{}", true),
    (r#"{"operation":"a"}"#, true),
    (r#"{"status":"running"}"#, true),
    (r#"{"state":"ready"}"#, true),
    (r#"{"state":{"$in":["delayed","paused","blocked"]}}"#, true),
    (r#"{"status":{"$nin":["new","running"]},"seq":{"$mod":[2,1]}}"#, true),
    (r#"{"priority":{"$gt":0}}"#, true),
    (r#"{"data":{"$exists":true},"operation":{"$in":["b","c"]}}"#, false),
    (r#"{"attempt":{"$gt":1}}"#, false),
    (r#"{"endedAt":{"$exists":false},"isPausing":{"$exists":false}}"#, false),
];

/// What watches have told: a change, and the state of its task by that.
pub(crate) type Told = BTreeSet<(Box<str>, Box<str>)>;

/// Fails if no watch has told some change in some state.
pub(crate) fn assert_complete(told: &Told) {
    let is_possible = |change: &str, state: State| match change {
        "ended" | "removed" => state.is_final(),
        "changed" => !state.is_final() && state != State::Claimed,
        _ => state != State::Claimed,
    };
    let changes = ["entered", "changed", "ended", "left", "removed"].into_iter();
    let all = changes.flat_map(|change| State::ALL.iter().map(move |state| (change, *state)));
    let possible = all.filter(|(change, state)| is_possible(change, *state));
    let possible: Told =
        possible.map(|(change, state)| (change.into(), state.as_str().into())).collect();
    assert_eq!(*told, possible, "watches tell each change in each state that it may lead to");
}

/// What is known of a task that matches: its status, state and priority.
type Known = [Value; 3];

/// The watches of a world.
#[derive(Debug)]
pub(super) struct Watchers {
    watches: Watches,
    watchers: Vec<Watcher>,
    numbers: u64,
    pub(super) told: Told,
}

/// One of them.
#[derive(Clone, Debug, Default)]
struct Watcher {
    number: WatchNo,
    waits: bool,
    position: Option<Position>,
    tasks: BTreeMap<Box<str>, Known>,
}

impl Default for Watchers {
    fn default() -> Self {
        let watches = Watches::new(IdKey(0));
        let watchers = vec![Watcher::default(); QUERIES.len()];
        Self { watches, watchers, numbers: 1, told: Told::new() }
    }
}

impl World {
    /// Some watches go on; once in a while all of them, and then they know what a query finds.
    pub(super) fn watch(&mut self) {
        if self.wide.is_some() || self.mine().reader.is_none() || !self.rng.once_in(3) {
            return;
        }
        if self.watchers.numbers == 1 {
            let key = self.mine().engine.as_ref().map(Engine::id_key);
            self.watchers.watches = Watches::new(key.unwrap_or(IdKey(0)));
        }
        let is_whole = self.rng.once_in(4);
        for at in 0..QUERIES.len() {
            if is_whole || self.rng.once_in(3) {
                self.ask_watch(at);
            }
        }
        let World { watchers, processes, me, .. } = self;
        let Some(reader) = processes[*me].reader.as_deref_mut() else { return };
        watchers.go_on(reader, is_whole);
        if is_whole {
            watchers.compare(reader);
        }
    }

    /// A watch waits for what it has to tell. It may go on with a new number first.
    fn ask_watch(&mut self, at: usize) {
        let (query, may_resume) = QUERIES[at];
        let again = self.rng.once_in(8);
        let watchers = &mut self.watchers;
        let watcher = &mut watchers.watchers[at];
        let from = match watcher.position {
            Some(position) if again && may_resume && !watcher.waits => Some(position),
            _ => None,
        };
        if watcher.number == 0 || from.is_some() {
            watchers.watches.remove(watcher.number);
            watcher.number = watchers.numbers;
            watchers.numbers += 1;
            let filter = WatchFilter { query: Query::parse(query).unwrap(), fields: None };
            let from = from.map_or(From::Snapshot, From::Position);
            watchers.watches.add(watcher.number, filter, from);
        }
        if !watcher.waits {
            watcher.waits = true;
            watchers.watches.ask(watcher.number, at as u64);
        }
    }
}

impl Watchers {
    /// Works until there is nothing to do; asks again, if all is to be told.
    fn go_on(&mut self, reader: &mut dyn Reader, is_whole: bool) {
        let mut last = 0;
        let mut stand = |changes: &mut dyn Changes| {
            last = changes.stand()?.number;
            Ok(())
        };
        reader.changes(&mut stand).unwrap();
        while self.watches.has_work(last) {
            if let Some(search) = self.watches.search(last) {
                let step = reader.step(search).unwrap();
                reader.rest(Some(search));
                self.watches.found(step);
            } else {
                reader.changes(&mut |changes| self.watches.look(changes)).unwrap();
            }
            for (at, text) in self.watches.take_told() {
                let watcher = &mut self.watchers[at as usize];
                watcher.hear(&text.unwrap(), &mut self.told);
                watcher.waits = is_whole;
                if is_whole {
                    self.watches.ask(watcher.number, at);
                }
            }
        }
    }

    /// All have been told everything.
    fn compare(&self, reader: &mut dyn Reader) {
        for (watcher, (query, _)) in self.watchers.iter().zip(QUERIES) {
            let found = reader.find(&Find::all(Query::parse(query).unwrap()), &|| false).unwrap();
            let found = found.into_iter().map(|Found { task, .. }| {
                let [status, state] = [task.status().as_str(), task.state.as_str()];
                let known = [Value::text(status), Value::text(state), priority(&task)];
                (task.id.0.to_string().into(), known)
            });
            let found: BTreeMap<Box<str>, Known> = found.collect();
            assert_eq!(watcher.tasks, found, "{query} has told another story");
        }
    }
}

/// As it stands in JSON.
fn priority(task: &TaskRecord) -> Value {
    let priority = task.def.priority.get();
    match priority {
        f64::INFINITY => Value::text("Infinity"),
        f64::NEG_INFINITY => Value::text("-Infinity"),
        // JSON has no other zero.
        number => Value::Number(number + 0.0),
    }
}

impl Watcher {
    fn hear(&mut self, text: &str, told: &mut Told) {
        let Value::Array(entries) = Value::from_json(text).unwrap() else { panic!("{text}") };
        assert!(!entries.is_empty(), "an answer without a change");
        for entry in entries {
            let Value::Array(members) = entry else { panic!("{text}") };
            self.hear_one(&members, told);
        }
    }

    fn hear_one(&mut self, members: &[Value], told: &mut Told) {
        let [position, _at, uuid, _, change, status, state, priority, task] = members else {
            panic!("a gap, and nothing was trimmed: {members:?}");
        };
        let (position, uuid, change) = (text(position), text(uuid), text(change));
        self.position = Some(Position::parse(&position).unwrap());
        told.insert((change.clone(), text(state)));
        let known = [status.clone(), state.clone(), priority.clone()];
        let before = match &*change {
            "entered" | "changed" | "ended" => self.tasks.insert(uuid.clone(), known),
            _ => self.tasks.remove(&uuid),
        };
        match &*change {
            "entered" => assert_eq!(before, None, "{uuid} has entered before"),
            // Of a task that came and went meanwhile only this is known.
            "removed" => assert_eq!(task, &Value::Null, "it is there"),
            _ => assert!(before.is_some(), "{uuid} has {change} and was not there"),
        }
        let has_ended = ["done", "failed", "aborted"].contains(&&*text(status));
        assert!(&*change != "ended" || has_ended, "{uuid} ended, and has not");
    }
}

fn text(value: &Value) -> Box<str> {
    match value {
        Value::String(text) => text.clone(),
        other => panic!("no text: {other:?}"),
    }
}
