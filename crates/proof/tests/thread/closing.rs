//! Reads that are under way when the handle closes.

use std::sync::mpsc::{Receiver, Sender, channel};

use tasker_core::changes::Looking;
use tasker_core::error::{Code, Result};
use tasker_core::id::TaskId;
use tasker_core::read::{Found, LogsPart, LogsRead, Step, WithLogs};
use tasker_core::reader::{Reader, Search};
use tasker_core::schedules::Schedule;
use tasker_core::store::{Operation, Store};
use tasker_engine::effect::Answer;
use tasker_engine::input::{Input, StopOptions};
use tasker_engine::thread::Read;
use tasker_proof::faulty_store::{Call, FaultyStore, Hooks};

use super::{PATIENCE, answer, anything, code, folder, open, sqlite};

/// Opens a gate as soon as the store is closed.
struct OpensGate(Sender<()>);

impl Hooks for OpensGate {
    fn before(&mut self, call: Call) -> Result<()> {
        if call == Call::Close {
            // Nobody may wait there any more.
            let _ = self.0.send(());
        }
        Ok(())
    }
}

/// A reader that counts nothing before the gate is open.
struct GatedReader(Option<Receiver<()>>, Box<dyn Reader>);

#[rustfmt::skip]
impl Reader for GatedReader {
    fn another(&self) -> Option<Box<dyn Reader>> { self.1.another() }
    fn get(&mut self, id: TaskId, logs: Option<WithLogs>, max: usize) -> Result<Option<Found>> {
        self.1.get(id, logs, max)
    }
    fn logs(&mut self, id: TaskId, part: LogsPart) -> Result<Option<LogsRead>> {
        self.1.logs(id, part)
    }
    fn operations(&mut self) -> Result<Vec<Operation>> { self.1.operations() }
    fn schedules(&mut self, from: &str, max: usize) -> Result<Vec<Schedule>> {
        self.1.schedules(from, max)
    }
    fn step(&mut self, search: &mut Search) -> Result<Step> {
        if let Some(gate) = self.0.take() {
            gate.recv_timeout(PATIENCE).expect("the store is closed");
        }
        self.1.step(search)
    }
    fn changes(&mut self, look: Looking<'_>) -> Result<()> { self.1.changes(look) }
    fn rest(&mut self, search: Option<&mut Search>) { self.1.rest(search); }
}

#[test]
fn reads_that_were_asked_before_a_close_are_answered() {
    let (_folder, place) = folder();
    let (sender, gate) = channel();
    let (tasker, receiver) = open(Box::new(move || {
        let (store, reader) = sqlite(place)()?;
        let store: Box<dyn Store> = Box::new(FaultyStore::new(store, OpensGate(sender)));
        let reader: Box<dyn Reader> = Box::new(GatedReader(Some(gate), reader));
        Ok((store, reader))
    }));
    for ticket in 1..=20 {
        tasker.read(ticket, Read::Count(anything()));
    }
    tasker.submit([Input::Close(21, StopOptions::default())]);
    for ticket in 1..=20 {
        let Ok(Answer::Json(count)) = answer(&receiver, ticket) else { panic!("read {ticket}") };
        assert_eq!(count, "0");
    }
    assert!(matches!(answer(&receiver, 21), Ok(Answer::Done)));
    tasker.read(22, Read::Count(anything()));
    assert_eq!(code(answer(&receiver, 22)), Code::Closed);
}
