//! The contract of a store, kept by Redis: one server for each process of tests, one prefix for
//! each case. Behind it what only a server has: owners that are silent, and a server that dies.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{IdSource, LaneId, OperationId, Seq};
use tasker_core::query::Query;
use tasker_core::read::Find;
use tasker_core::reader::Reader;
use tasker_core::state::{Counts, State};
use tasker_core::store::{Batch, Change, Commit, Head, Lookups, Operation, Start, Store};
use tasker_core::task::{NewTask, Priority, TaskEnd};
use tasker_core::time::WallMs;
use tasker_proof::conformance::Backend;
use tasker_proof::redis_keys::Keys;
use tasker_proof::redis_server::RedisServer;
use tasker_redis::link::{Location, Settings};
use tasker_redis::{Options, RedisStore, open};

fn new_keys() -> Result<Box<dyn Backend>> {
    Ok(Box::new(Keys::new()?))
}

tasker_proof::conformance!(new_keys);

/// Where a process of [`a_process_that_runs_a_task`] finds the store.
const ADDRESS: &str = "TASKER_TEST_ADDRESS";

fn at(server: &RedisServer) -> Result<Location> {
    Location::parse(&server.url())
}

fn next(store: &dyn Store, head: Head, changes: Vec<Change>) -> Batch {
    let Head { number, seq_next, lane_next, counts } = head;
    let (owner, at, notes) = (store.owner(), WallMs(0), Vec::new());
    Batch { number: number + 1, owner, at, seq_next, lane_next, counts, changes, notes }
}

fn commit(store: &mut RedisStore, changes: Vec<Change>) -> Result<Commit> {
    let head = store.begin_read()?.head()?;
    let batch = next(store, head, changes);
    Ok(store.begin(&Lookups::default)?.commit(&batch))
}

fn io(error: std::io::Error) -> Error {
    Error::new(Code::Io, "a process of a test").with_source(error)
}

/// Opens a store, starts a task, says so and waits to be killed.
#[test]
#[ignore = "a process of another test"]
fn a_process_that_runs_a_task() -> Result<()> {
    let Ok(address) = std::env::var(ADDRESS) else { return Ok(()) };
    let (mut store, _reader) = open(&Location::parse(&address)?, &Options::default())?;
    let (seq, lane, at) = (Seq(1), LaneId::new(OperationId(1), 0), WallMs(1));
    let mut ids = IdSource::new(store.id_key(), [1; 32]);
    let (id, run, def) = (ids.task(seq, at), ids.run(at), NewTask::new("read"));
    let start = Some(Start { run, attempt: 1, at });
    let changes = vec![
        Change::Operation(Operation::new(OperationId(1), "read").into()),
        Change::Add { seq, id, lane, def, at, start },
    ];
    let mut counts = Counts::default();
    counts.enter(State::Running);
    let head = store.begin_read()?.head()?;
    let batch = Batch { seq_next: Seq(2), counts, ..next(&store, head, changes) };
    let committed = store.begin(&Lookups::default)?.commit(&batch);
    assert!(matches!(committed, Commit::Committed), "{committed:?}");
    let mut output = std::io::stdout();
    output.write_all(b"it runs\n").and_then(|()| output.flush()).map_err(io)?;
    std::io::stdin().read_to_end(&mut Vec::new()).map(drop).map_err(io)
}

/// I-5: a process that is killed says nothing, and is taken for dead when its lease is over.
#[test]
fn the_runs_of_a_process_that_was_killed_are_orphans_when_its_lease_is_over() -> Result<()> {
    let server = RedisServer::start(&[])?;
    let program = std::env::current_exe().map_err(io)?;
    let mut child = Command::new(program)
        .args(["--exact", "a_process_that_runs_a_task", "--ignored", "--nocapture"])
        .env(ADDRESS, server.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(io)?;
    let output = child.stdout.take().ok_or_else(|| Error::bug("a child without an output"))?;
    let mut lines = BufReader::new(output).lines().map_while(std::result::Result::ok);
    assert!(lines.any(|line| line.ends_with("it runs")));

    let options = Options { lease: Duration::from_millis(1_500), ..Options::default() };
    let (mut store, _reader) = open(&at(&server)?, &options)?;
    store.refresh_owners()?;
    assert!(store.is_shared());
    assert!(store.begin_read()?.orphans()?.is_empty(), "it lives");
    child.kill().and_then(|()| child.wait()).map_err(io)?;
    while store.begin_read()?.orphans()?.is_empty() {
        store.refresh_owners()?;
    }
    assert!(!store.is_shared());
    Box::new(store).close()
}

/// I-2
#[test]
fn a_transaction_that_another_one_overtook_is_not_committed() -> Result<()> {
    let server = RedisServer::start(&[])?;
    let options = Options { turn: Duration::from_millis(1), ..Options::default() };
    let (mut one, _) = open(&at(&server)?, &options)?;
    let (mut two, _) = open(&at(&server)?, &options)?;
    let head = one.begin_read()?.head()?;
    let (late, first) = (next(&one, head, Vec::new()), next(&two, head, Vec::new()));
    let transaction = one.begin(&Lookups::default)?;
    // Its turn is over at once, so the other one need not wait for it.
    assert!(matches!(two.begin(&Lookups::default)?.commit(&first), Commit::Committed));
    assert!(matches!(transaction.commit(&late), Commit::Overtaken));
    let mut again = one.begin(&Lookups::default)?;
    assert!(again.has_news());
    assert_eq!(again.journal(0, 9)?.len(), 1);
    let batch = Batch { number: 2, ..late };
    assert!(matches!(again.commit(&batch), Commit::Committed));
    Ok(())
}

/// I-1, I-2: what was acknowledged is there when the server is back, and the owner goes on.
#[test]
fn a_server_that_dies_and_comes_back_has_all_that_was_committed() -> Result<()> {
    let mut server = RedisServer::start(&["appendfsync always"])?;
    let (mut store, _reader) = open(&at(&server)?, &Options::default())?;
    for _ in 0..5 {
        assert!(matches!(commit(&mut store, Vec::new())?, Commit::Committed));
    }
    server.kill();
    let lost = store.begin(&Lookups::default).map(drop);
    assert_eq!(lost.err().map(|error| error.code()), Some(Code::Busy));
    server.restart()?;
    assert_eq!(store.begin_read()?.head()?.number, 5);
    assert!(matches!(commit(&mut store, Vec::new())?, Commit::Committed));
    Box::new(store).close()
}

/// Waits for an answer of a server that does not run.
fn wait_in_vain(server: &RedisServer) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port()))?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    stream.write_all(b"PING\r\n")?;
    match stream.read(&mut [0; 16]) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(()),
        answered => answered.map(drop),
    }
}

/// I-2: it was written or it was not, and its owner knows which and goes on.
#[test]
fn what_became_of_a_commit_that_nobody_answered_is_found_out() -> Result<()> {
    let server = RedisServer::start(&[])?;
    let settings = Settings { reply_timeout: Duration::from_millis(100), ..Settings::default() };
    let options = Options { settings, ..Options::default() };
    let (mut store, _reader) = open(&at(&server)?, &options)?;
    for _ in 0..3 {
        let head = store.begin_read()?.head()?;
        let batch = next(&store, head, Vec::new());
        let transaction = store.begin(&Lookups::default)?;
        server.freeze()?;
        let committed = std::thread::scope(|scope| {
            let thaw = || wait_in_vain(&server).map_err(io).and_then(|()| server.thaw());
            let thawing = scope.spawn(thaw);
            let committed = transaction.commit(&batch);
            thawing.join().map_err(|_| Error::bug("the server was not thawed"))??;
            Ok::<_, Error>(committed)
        })?;
        let number = store.begin_read()?.head()?.number;
        match committed {
            Commit::Committed => assert_eq!(number, batch.number),
            Commit::NotCommitted(error) => {
                assert_eq!((number, error.code()), (head.number, Code::Busy));
            }
            other => return Err(Error::bug(format!("{other:?}"))),
        }
        assert!(matches!(commit(&mut store, Vec::new())?, Commit::Committed));
    }
    Box::new(store).close()
}

/// I-1: a script that broke off behind its first write is taken for a commit by nobody.
#[test]
fn a_commit_that_broke_off_is_damage_and_no_commit_follows_it() -> Result<()> {
    let server = RedisServer::start(&[])?;
    let (mut store, _reader) = open(&at(&server)?, &Options::default())?;
    let (mut other, _reader) = open(&at(&server)?, &Options::default())?;
    let operation = Change::Operation(Operation::new(OperationId(1), "read").into());
    assert!(matches!(commit(&mut store, vec![operation])?, Commit::Committed));
    // The key of the totals, which no commit reads and each add writes.
    server.send(&["SET", "{tasker}to", "no hash"])?;
    let (seq, lane, at) = (Seq(1), LaneId::new(OperationId(1), 0), WallMs(1));
    let id = IdSource::new(store.id_key(), [1; 32]).task(seq, at);
    let add = Change::Add { seq, id, lane, def: NewTask::new("read"), at, start: None };
    let mut counts = Counts::default();
    counts.enter(State::Ready);
    let head = store.begin_read()?.head()?;
    let batch = Batch { seq_next: Seq(2), counts, ..next(&store, head, vec![add]) };
    let broken = store.begin(&Lookups::default)?.commit(&batch);
    assert!(matches!(broken, Commit::Unknown(_)), "{broken:?}");
    let later = commit(&mut other, Vec::new())?;
    let is_damage = matches!(&later, Commit::NotCommitted(error) if error.code() == Code::Corrupt);
    assert!(is_damage, "{later:?}");
    Ok(())
}

/// F-10: nothing new, but what runs may end, and the others go on hearing of us.
#[test]
fn a_full_server_takes_the_end_of_a_run_and_no_new_task() -> Result<()> {
    let server = RedisServer::start(&[])?;
    let (mut store, _reader) = open(&at(&server)?, &Options::default())?;
    let (mut other, _reader) = open(&at(&server)?, &Options::default())?;
    let operation = Change::Operation(Operation::new(OperationId(1), "read").into());
    assert!(matches!(commit(&mut store, vec![operation])?, Commit::Committed));
    let (lane, at, priority) = (LaneId::new(OperationId(1), 0), WallMs(1), Priority::default());
    let mut ids = IdSource::new(store.id_key(), [1; 32]);
    let run = ids.run(at);
    let mut adding = |head: &mut Head| {
        let seq = head.seq_next;
        head.seq_next = Seq(seq.0 + 1);
        head.counts.enter(State::Running);
        let (id, def) = (ids.task(seq, at), NewTask::new("read"));
        Change::Add { seq, id, lane, def, at, start: Some(Start { run, attempt: 1, at }) }
    };
    insist(&mut store, &mut adding)?;
    server.send(&["CONFIG", "SET", "maxmemory", "1"])?;
    let head = store.begin_read()?.head()?;
    let refused = insist(&mut store, &mut adding);
    assert!(refused.is_err(), "there is no room for it");
    assert_eq!(store.begin_read()?.head()?, head, "nothing of it was written");
    insist(&mut store, &mut |head| {
        head.counts.shift(State::Running, State::Done);
        let (run, outcome) = (Some(run), TaskEnd::Done(None));
        Change::End { seq: Seq(1), lane, priority, run, outcome, at }
    })?;
    assert_eq!(other.begin_read()?.states(&[Seq(1)])?[0].map(|task| task.1), Some(State::Done));
    server.send(&["CONFIG", "SET", "maxmemory", "0"])?;
    insist(&mut other, &mut adding)
}

/// F-15: what is under the prefix and is no store is not touched.
#[test]
fn keys_of_others_and_stores_of_other_versions_are_refused() -> Result<()> {
    let server = RedisServer::start(&[])?;
    let code = || Ok(open(&at(&server)?, &Options::default()).err().map(|error| error.code()));
    server.send(&["HSET", "{tasker}h", "colour", "red"])?;
    assert_eq!(code()?, Some(Code::Corrupt));
    server.send(&["HSET", "{tasker}h", "v", "2"])?;
    assert_eq!(code()?, Some(Code::Version));
    server.send(&["DEL", "{tasker}h"])?;
    assert_eq!(code()?, None);
    Ok(())
}

/// One commit on the newest state, however often others are faster.
fn insist(store: &mut RedisStore, plan: &mut dyn FnMut(&mut Head) -> Change) -> Result<()> {
    loop {
        let owner = store.owner();
        let mut transaction = store.begin(&Lookups::default)?;
        let mut head = transaction.head()?;
        let change = plan(&mut head);
        let Head { number, seq_next, lane_next, counts } = head;
        let (at, changes, notes) = (WallMs(0), vec![change], Vec::new());
        let number = number + 1;
        let batch = Batch { number, owner, at, seq_next, lane_next, counts, changes, notes };
        match transaction.commit(&batch) {
            Commit::Committed => return Ok(()),
            Commit::Overtaken => {}
            other => return Err(Error::bug(format!("{other:?}"))),
        }
    }
}

/// Adds tasks, starts them and ends them, each in a commit of its own.
fn work(location: &Location, tasks: u64) -> Result<()> {
    let (mut store, _reader) = open(location, &Options::default())?;
    let mut ids = IdSource::new(store.id_key(), [store.owner().0 as u8; 32]);
    let (lane, at, priority) = (LaneId::new(OperationId(1), 0), WallMs(1), Priority::default());
    for _ in 0..tasks {
        let mut seq = Seq(0);
        insist(&mut store, &mut |head| {
            seq = head.seq_next;
            head.seq_next = Seq(seq.0 + 1);
            head.counts.enter(State::Ready);
            let (id, def) = (ids.task(seq, at), NewTask::new("read"));
            Change::Add { seq, id, lane, def, at, start: None }
        })?;
        let run = ids.run(at);
        insist(&mut store, &mut |head| {
            head.counts.shift(State::Ready, State::Running);
            let start = Start { run, attempt: 1, at };
            Change::Start { seq, lane, priority, start, is_due: false }
        })?;
        insist(&mut store, &mut |head| {
            head.counts.shift(State::Running, State::Done);
            let (run, outcome) = (Some(run), TaskEnd::Done(None));
            Change::End { seq, lane, priority, run, outcome, at }
        })?;
    }
    Box::new(store).close()
}

/// I-2, I-13: and whoever reads meanwhile finds each task once, wherever it stands by then.
#[test]
fn owners_that_write_at_once_lose_nothing() -> Result<()> {
    const TASKS: u64 = 60;
    let server = RedisServer::start(&[])?;
    let location = at(&server)?;
    let (mut store, mut reader) = open(&location, &Options::default())?;
    let operation = Change::Operation(Operation::new(OperationId(1), "read").into());
    assert!(matches!(commit(&mut store, vec![operation])?, Commit::Committed));
    let all = Find::all(Query::parse("{\"priority\":0}")?);
    let most = std::thread::scope(|scope| -> Result<usize> {
        let writers = [(); 3].map(|()| scope.spawn(|| work(&location, TASKS)));
        let mut most = 0;
        while writers.iter().any(|writer| !writer.is_finished()) {
            let found = reader.find(&all, &|| false)?;
            let seqs: BTreeSet<_> = found.iter().map(|found| found.task.seq).collect();
            assert_eq!(seqs.len(), found.len(), "a task was found twice");
            most = most.max(found.len());
        }
        for writer in writers {
            writer.join().map_err(|_| Error::bug("a writer panicked"))??;
        }
        Ok(most)
    })?;
    assert!(most as u64 <= 3 * TASKS);
    assert_eq!(reader.find(&all, &|| false)?.len() as u64, 3 * TASKS);
    let mut look = store.begin_read()?;
    let (head, entries) = (look.head()?, look.journal(0, usize::MAX)?);
    assert_eq!((head.number, head.counts.get(State::Done)), (1 + 9 * TASKS, 3 * TASKS));
    let numbers: Vec<_> = entries.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=head.number).collect::<Vec<_>>());
    Ok(())
}
