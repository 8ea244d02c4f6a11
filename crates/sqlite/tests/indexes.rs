//! Indexes of own fields: that they leave out nothing, who keeps them, and what a kill leaves.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod hand;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use hand::{Hand, def, done, folder};
use rusqlite::Connection;
use tasker_core::error::Code;
use tasker_core::index::{self, IndexPath};
use tasker_core::query::Query;
use tasker_core::read::{QueryExplanation, SearchedBy};
use tasker_core::reader::Reader;
use tasker_core::store::{Change, Lane};
use tasker_core::task::{Json, NewTask};

fn paths(paths: &[&str]) -> Vec<IndexPath> {
    paths.iter().map(|path| IndexPath::new(path).unwrap()).collect()
}

fn declare(hand: &mut Hand, list: &[&str]) {
    hand.store.declare_indexes(&paths(list)).unwrap();
}

fn explain(hand: &mut Hand, query: &str) -> QueryExplanation {
    hand.reader.explain(&Query::parse(query).unwrap(), &|| false).unwrap()
}

/// What narrows a search, as its word.
fn by(hand: &mut Hand, query: &str) -> Option<String> {
    explain(hand, query).by.map(|by| by.as_str().to_owned())
}

/// The own indexes of a file, by name.
fn names(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let text = "SELECT name FROM sqlite_schema WHERE name LIKE 'own:%' ORDER BY name";
    let mut statement = connection.prepare(text).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(|name| name.unwrap()).collect()
}

/// Adds tasks with these data, all in one turn.
fn add(hand: &mut Hand, lane: &Lane, all: &[String]) {
    let changes: Vec<Change> = all.iter().map(|data| hand.adding(lane, def(data, 0.0)).1).collect();
    hand.turn(changes);
}

/// Chance from a number (splitmix64).
struct Rng(u64);

impl Rng {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % end as u64) as usize
    }

    fn one_of(&mut self, of: &[&str]) -> String {
        of[self.below(of.len())].to_owned()
    }
}

/// Values that are easily taken for one another.
const SCALARS: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-0.0",
    "1",
    "1.0",
    "1e0",
    "-1",
    "0.1",
    "1e-320",
    "5e-324",
    "9007199254740992",
    "9007199254740993",
    "9007199254740994",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "1e20",
    "100000000000000000000",
    "1.7e308",
    "1e400",
    "-1e400",
    "0.30000000000000004",
    "0.3",
    "123456789.12345679",
    r#""""#,
    r#""1""#,
    r#""a""#,
    r#""A""#,
    r#""ab""#,
    r#""a\u0000b""#,
    r#""a\u0000c""#,
    r#""\ud800""#,
    r#""\uD800""#,
    r#""\ufffd""#,
    r#""a\ud83d""#,
    r#""\ud83d\ude00""#,
    r#""😀""#,
    r#""é""#,
    r#""\u00e9""#,
    r#""e\u0301""#,
    r#""null""#,
    r#""true""#,
    r#""[1]""#,
    r#""{}""#,
    r#""a'b""#,
    r#""a\"b""#,
    r#""a\\ud""#,
    r#""C:\\users""#,
    r#""line\nbreak""#,
    r#""\/""#,
    r#""x'00'""#,
    r#""ÿ""#,
];

fn scalar(rng: &mut Rng) -> String {
    match rng.below(12) {
        0 => format!(r#""{}{}""#, "é".repeat(126), rng.one_of(&["", "x", "xy", "xyz", "xz", "y"])),
        1 => format!("{}", rng.below(4)),
        2 => format!(r#""{}""#, rng.below(4)),
        _ => rng.one_of(SCALARS),
    }
}

fn value(rng: &mut Rng, depth: usize) -> String {
    let inner = |rng: &mut Rng| value(rng, depth + 1);
    match rng.below(if depth > 2 { 6 } else { 10 }) {
        6 => {
            let items: Vec<_> = (0..rng.below(3)).map(|_| inner(rng)).collect();
            format!("[{}]", items.join(","))
        }
        7..=9 => object(rng, depth),
        _ => scalar(rng),
    }
}

/// Names, each once, in any order, some of them written with escapes.
fn object(rng: &mut Rng, depth: usize) -> String {
    let mut members = Vec::new();
    for names in [&["a", r"\u0061"][..], &["b", "b"], &["0"], &["o'k"], &["é", r"\u00e9"]] {
        if rng.below(3) > 0 {
            let name = rng.one_of(names);
            let member = format!(r#""{name}":{}"#, value(rng, depth + 1));
            members.insert(rng.below(members.len() + 1), member);
        }
    }
    format!("{{{}}}", members.join(","))
}

const PATHS: [&str; 8] =
    ["data", "data.a", "data.b", "data.a.b", "data.a.0", "data.o'k", "data.é.a", "data.b.b.a"];

fn test(rng: &mut Rng) -> String {
    let operand = |rng: &mut Rng| value(rng, 2);
    match rng.below(14) {
        0..=2 => operand(rng),
        3 => format!(r#"{{"$eq":{}}}"#, operand(rng)),
        4 => format!(r#"{{"$gt":{}}}"#, operand(rng)),
        5 => format!(r#"{{"$gte":{}}}"#, operand(rng)),
        6 => format!(r#"{{"$lt":{}}}"#, operand(rng)),
        7 => format!(r#"{{"$lte":{}}}"#, operand(rng)),
        8 => format!(r#"{{"$gte":{},"$lt":{}}}"#, operand(rng), operand(rng)),
        9 => {
            let items: Vec<_> = (0..rng.below(4)).map(|_| operand(rng)).collect();
            format!(r#"{{"$in":[{}]}}"#, items.join(","))
        }
        10 => format!(r#"{{"$exists":{}}}"#, rng.one_of(&["true", "false"])),
        11 => format!(r#"{{"$ne":{}}}"#, operand(rng)),
        12 => format!(r#"{{"$all":[{},{}]}}"#, operand(rng), operand(rng)),
        _ => {
            rng.one_of(&[r#"{"$size":1}"#, r#"{"$type":"string"}"#, r#"{"$elemMatch":{"$gt":0}}"#])
        }
    }
}

fn query(rng: &mut Rng) -> String {
    let part = |rng: &mut Rng| {
        let path = rng.one_of(&PATHS);
        format!("{path:?}:{}", test(rng))
    };
    match rng.below(6) {
        0 => format!(r#"{{"$and":[{{{}}},{{{}}}]}}"#, part(rng), part(rng)),
        1 => format!(r#"{{"$or":[{{{}}},{{{}}}]}}"#, part(rng), part(rng)),
        2 => format!(r#"{{"status":"new",{}}}"#, part(rng)),
        _ => format!("{{{}}}", part(rng)),
    }
}

/// The same tasks with indexes and without give the same answers, whatever is asked.
#[test]
fn an_index_leaves_out_nothing() {
    let seed = std::env::var("TASKER_SEED").map_or(1, |seed| seed.parse().unwrap());
    let rounds = std::env::var("TASKER_WORLDS").map_or(8, |rounds| rounds.parse().unwrap());
    println!("TASKER_SEED={seed} TASKER_WORLDS={rounds}");
    let (mut used, mut asked, mut matched) = (0, 0, 0);
    for round in 0..rounds {
        let mut rng = Rng(seed * 1_000_003 + round);
        let (mut plain, mut indexed) = (Hand::in_memory(), Hand::in_memory());
        declare(&mut indexed, &PATHS);
        let data: Vec<_> = (0..150).map(|_| value(&mut rng, 0)).collect();
        for hand in [&mut plain, &mut indexed] {
            let lane = hand.lane(1, "read-book");
            add(hand, &lane, &data);
            hand.add(&lane, NewTask::new("read-book"));
        }
        for _ in 0..150 {
            let query = query(&mut rng);
            let sort = [None, Some(r#"{"seq":1}"#), Some(r#"{"seq":-1}"#), Some(r#"{"data.a":1}"#)];
            let sort = sort[rng.below(sort.len())];
            let limit = [None, Some(1), Some(5)][rng.below(3)];
            let found = plain.find(&query, sort, limit);
            let facts = format!("round {round}: {query} {sort:?} {limit:?}");
            assert_eq!(indexed.find(&query, sort, limit), found, "{facts}");
            assert_eq!(indexed.count(&query), plain.count(&query), "{facts}");
            let explained = explain(&mut indexed, &query);
            assert_eq!(explained.matched, plain.count(&query), "{facts}");
            assert!(explained.declare.is_empty(), "{facts}");
            assert_eq!(explain(&mut plain, &query).matched, explained.matched, "{facts}");
            used += u32::from(matches!(explained.by, Some(SearchedBy::Index(_))));
            (asked, matched) = (asked + 1, matched + explained.matched);
        }
    }
    println!("{used} of {asked} queries by an index, {matched} matches");
    assert!(used * 2 > asked && matched > asked.into(), "the cases say little");
}

/// An id and a label are options of a task, and are indexed as data is.
#[test]
fn an_id_and_a_label_can_be_indexed() {
    let mut hand = Hand::in_memory();
    declare(&mut hand, &["id", "id.n", "label"]);
    let lane = hand.lane(1, "read-book");
    for n in 0..40 {
        let mut def = def("1", 0.0);
        let id = if n % 2 == 0 { format!("{n}") } else { format!(r#"{{"n":{n}}}"#) };
        def.options.id = Some(Json::trusted(&id));
        def.options.label = Some(Json::trusted(&format!(r#""label {}""#, n % 10)));
        hand.add(&lane, def);
    }
    assert_eq!(hand.find(r#"{"id":4}"#, None, None), [5]);
    assert_eq!(hand.find(r#"{"id":{"n":7}}"#, None, None), [8]);
    assert_eq!(hand.find(r#"{"id.n":9}"#, None, None), [10]);
    assert_eq!(hand.find(r#"{"label":"label 3"}"#, None, None), [4, 14, 24, 34]);
    let used = [r#"{"id":4}"#, r#"{"id.n":9}"#, r#"{"label":"label 3"}"#].map(|q| by(&mut hand, q));
    assert_eq!(used, ["id", "id.n", "label"].map(|word| Some(word.to_owned())));
}

#[test]
fn an_explanation_says_what_was_read_and_what_to_declare() {
    let mut hand = Hand::in_memory();
    declare(&mut hand, &["data.book"]);
    let lane = hand.lane(1, "read-book");
    let data: Vec<_> = (0..500).map(|n| format!(r#"{{"book":"b{}","n":{n}}}"#, n % 100)).collect();
    add(&mut hand, &lane, &data);
    let found =
        explain(&mut hand, r#"{"data.book":"b7","data.n":{"$lt":200},"operation":"read-book"}"#);
    assert_eq!(found.by, Some(SearchedBy::Index(paths(&["data.book"]).remove(0))));
    assert_eq!((found.decided, found.matched), (5, 2));
    assert_eq!(found.read, 10, "five entries and five tasks");
    assert_eq!(found.declare, paths(&["data.n"]));
    let plain = explain(&mut hand, r#"{"data.n":7,"data.m":{"$ne":1}}"#);
    assert_eq!((plain.decided, plain.matched), (500, 1));
    assert_eq!((plain.by, plain.declare), (None, paths(&["data.n"])));
    assert_eq!(by(&mut hand, r#"{"status":"new"}"#).as_deref(), Some("status"));
    assert_eq!(by(&mut hand, r#"{"seq":{"$in":[1,2]}}"#).as_deref(), Some("seq"));
    assert_eq!(by(&mut hand, r#"{"seq":{"$gt":400},"status":"done"}"#).as_deref(), Some("blocks"));
    assert_eq!(
        explain(&mut hand, "{}").to_json(),
        r#"{"index":null,"read":1000,"decided":500,"matched":500,"declare":[]}"#
    );
}

/// Where most tasks have the value, it costs more to read the index than the first tasks.
#[test]
fn an_index_that_names_most_tasks_is_given_up() {
    let mut hand = Hand::in_memory();
    declare(&mut hand, &["data.a", "data.b"]);
    let lane = hand.lane(1, "read-book");
    for part in 0..4 {
        let data: Vec<_> =
            (0..2_500).map(|n| format!(r#"{{"a":1,"b":{}}}"#, part * 2_500 + n)).collect();
        add(&mut hand, &lane, &data);
    }
    let found = explain(&mut hand, r#"{"data.a":1}"#);
    assert_eq!((found.by, found.matched), (None, 10_000));
    let both = explain(&mut hand, r#"{"data.a":1,"data.b":{"$gte":9990}}"#);
    assert_eq!((both.by.unwrap().as_str(), both.matched), ("data.b", 10));
    let newest = hand.find(r#"{"data.a":1}"#, Some(r#"{"seq":-1}"#), Some(3));
    assert_eq!(newest, [10_000, 9_999, 9_998]);
    assert_eq!(hand.find(r#"{"data.b":{"$gte":8000}}"#, None, None).len(), 2_000);
}

/// Ends and starts of tasks do not touch an index of their data.
#[test]
fn a_task_is_found_by_its_data_in_every_state() {
    let mut hand = Hand::in_memory();
    declare(&mut hand, &["data"]);
    let lane = hand.lane(1, "read-book");
    let task = hand.add(&lane, def(r#""x""#, 0.0));
    assert_eq!(hand.find(r#"{"data":"x","status":"new"}"#, None, None), [1]);
    let run = hand.start(task, 1);
    assert_eq!(hand.find(r#"{"data":"x","status":"running"}"#, None, None), [1]);
    hand.end(task, Some(run), done());
    assert_eq!(hand.find(r#"{"data":"x","status":"done"}"#, None, None), [1]);
}

#[test]
fn an_index_stays_while_a_living_owner_declares_it() {
    let (_folder, path) = folder();
    let (mut one, mut two) = (Hand::beside(&path), Hand::beside(&path));
    declare(&mut one, &["data.a", "data.b"]);
    declare(&mut two, &["data.b", "data.c"]);
    assert_eq!(names(&path), ["own:data.a", "own:data.b", "own:data.c"]);
    let query = r#"{"data.a":1}"#;
    assert_eq!(by(&mut two, query).as_deref(), Some("data.a"), "whoever has declared it");
    one.close();
    assert_eq!(names(&path).len(), 3, "nothing is dropped as somebody leaves");
    declare(&mut two, &["data.c"]);
    assert_eq!(names(&path), ["own:data.c"]);
    two.close();
    let mut silent = Hand::beside(&path);
    assert_eq!(by(&mut silent, r#"{"data.c":1}"#).as_deref(), Some("data.c"), "it stays for good");
    declare(&mut silent, &[]);
    assert_eq!((names(&path), by(&mut silent, r#"{"data.c":1}"#)), (Vec::new(), None));
    silent.close();
}

#[test]
fn an_index_is_made_and_dropped_beside_one_that_adds() {
    let (_folder, path) = folder();
    let (mut one, mut two) = (Hand::beside(&path), Hand::beside(&path));
    let lane = one.lane(1, "read-book");
    for n in 0..30 {
        if n % 3 == 0 {
            declare(&mut two, if n % 2 == 0 { &["data.n"] } else { &[] });
        }
        one.add(&lane, def(&format!(r#"{{"n":{n}}}"#), 0.0));
        assert_eq!(two.find(&format!(r#"{{"data.n":{n}}}"#), None, None), [n + 1]);
        assert_eq!(one.find(&format!(r#"{{"data.n":{n}}}"#), None, None), [n + 1]);
    }
    one.close();
    two.close();
    let audit = tasker_sqlite::audit(&path).unwrap();
    assert!(audit.faults.is_empty(), "{:?}", audit.faults);
}

/// Also the child of the next test, which has it wait while its index is not committed.
#[test]
fn a_kill_in_the_making_of_an_index() {
    let Some(path) = std::env::var_os("TASKER_TEST_INDEX") else { return };
    let mut hand = Hand::beside(Path::new(&path));
    declare(&mut hand, &["data.n"]);
    let connection = Connection::open(&path).unwrap();
    let text = "SELECT sql FROM sqlite_schema WHERE name = 'own:data.n'";
    let made: String = connection.query_row(text, [], |row| row.get(0)).unwrap();
    let making = made.replace("data.n", "data.m").replace(r#"."n""#, r#"."m""#);
    connection.execute_batch(&format!("BEGIN IMMEDIATE; {making}")).unwrap();
    hand::wait_to_be_killed();
}

#[test]
fn a_kill_leaves_an_index_whole_or_not_at_all() {
    let (_folder, path) = folder();
    let mut hand = Hand::beside(&path);
    let lane = hand.lane(1, "read-book");
    add(&mut hand, &lane, &(0..100).map(|n| format!(r#"{{"n":{n}}}"#)).collect::<Vec<_>>());
    hand.close();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "a_kill_in_the_making_of_an_index"])
        .env("TASKER_TEST_INDEX", &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("open")));
    child.kill().unwrap();
    child.wait().unwrap();
    let mut hand = Hand::beside(&path);
    assert_eq!(names(&path), ["own:data.n"]);
    assert_eq!(by(&mut hand, r#"{"data.n":7}"#).as_deref(), Some("data.n"));
    declare(&mut hand, &["data.n", "data.m"]);
    assert_eq!(by(&mut hand, r#"{"data.m":7}"#).as_deref(), Some("data.m"));
    assert_eq!(hand.find(r#"{"data.n":7}"#, None, None), [8]);
    hand.close();
    assert!(tasker_sqlite::audit(&path).unwrap().faults.is_empty());
}

/// An index of our name and another text is of another version: nothing is read from it.
#[test]
fn an_index_with_another_text_is_not_read_and_is_made_anew() {
    let (_folder, path) = folder();
    let mut hand = Hand::beside(&path);
    let lane = hand.lane(1, "read-book");
    hand.add(&lane, def(r#"{"n":1}"#, 0.0));
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE INDEX \"own:data.n\" ON tasks (seq) WHERE seq < 0").unwrap();
    assert_eq!(hand.find(r#"{"data.n":1}"#, None, None), [1]);
    assert_eq!(by(&mut hand, r#"{"data.n":1}"#), None);
    declare(&mut hand, &["data.n"]);
    assert_eq!(by(&mut hand, r#"{"data.n":1}"#).as_deref(), Some("data.n"));
    hand.close();
}

/// F-14
#[test]
fn a_schema_that_is_damaged_at_an_index_is_refused() {
    let (_folder, path) = folder();
    let mut hand = Hand::beside(&path);
    declare(&mut hand, &["data.n"]);
    hand.close();
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "PRAGMA writable_schema = 1;
         UPDATE sqlite_schema SET sql = 'CREATE INDEX broken ON (' WHERE name = 'own:data.n'",
        )
        .unwrap();
    drop(connection);
    let before = std::fs::read(&path).unwrap();
    assert_eq!(hand::share(&path).unwrap_err().code(), Code::Corrupt);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

/// Whoever opens the file with another program can write it, and the index is right afterwards.
#[test]
fn another_program_keeps_an_index_right() {
    let (_folder, path) = folder();
    let mut hand = Hand::beside(&path);
    declare(&mut hand, &["data.n"]);
    let lane = hand.lane(1, "read-book");
    hand.add(&lane, def(r#"{"n":1}"#, 0.0));
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("UPDATE tasks SET data = '{\"n\":2}'").unwrap();
    assert_eq!(hand.find(r#"{"data.n":2}"#, None, None), [1]);
    assert_eq!(hand.find(r#"{"data.n":1}"#, None, None), Vec::<u64>::new());
    let sound: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    hand.close();
}

#[test]
fn the_option_is_read_from_json() {
    assert_eq!(index::read(r#"["data.book","id"]"#).unwrap(), paths(&["data.book", "id"]));
}
