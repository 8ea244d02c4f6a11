//! Eight tasks in every state there is, for the cases that look for some of them.

use tasker_core::error::{Error, Result};
use tasker_core::id::Seq;
use tasker_core::task::NewTask;

use super::world::{Task, World, done, failed, json, of, read, with_priority};

/// A library of eight tasks in every state there is.
pub(super) fn library(world: &mut World) -> Result<()> {
    let books = ["dune", "emma", "dune", "ubik"];
    for (i, book) in books.into_iter().enumerate() {
        let data = json(&format!("{{\"book\":\"{book}\",\"n\":{i},\"tags\":[{i},\"x\"]}}"));
        world.add(NewTask { data: Some(data), ..with_priority(i as f64)? })?;
    }
    world.add_many(vec![of("write"), of("write"), read(), of("write")])?;
    let task = world.library_task(1)?;
    world.start(task)?;
    for (seq, outcome) in [(3, done()), (5, failed()), (8, done())] {
        let task = world.library_task(seq)?;
        let live = world.start(task)?;
        world.end(live, outcome)?;
    }
    let task = world.library_task(6)?;
    let abort = world.aborting(task);
    world.turn(vec![abort])
}

impl World {
    fn library_task(&mut self, seq: u64) -> Result<Task> {
        let seq = Seq(seq);
        let brief = self.brief(seq)?;
        let brief = brief.ok_or_else(|| Error::bug("the library lacks a task"))?;
        Ok(Task { seq, lane: brief.lane, id: brief.id })
    }
}
