//! Tasks by number: in both directions, within bounds, over gaps of what was asked for.

use tasker_core::error::Result;
use tasker_core::id::Seq;
use tasker_core::query::{Query, Sort};
use tasker_core::range::Range;
use tasker_core::read::Find;
use tasker_core::store::Change;
use tasker_core::time::WallMs;

use super::library::library;
use super::world::{World, aborted, done, failed, find, of, with_data};
use crate::rng::Rng;

const QUERIES: &[&str] = &[
    "{}",
    "{\"operation\":\"write\"}",
    "{\"status\":\"new\"}",
    "{\"status\":{\"$in\":[\"done\",\"running\"]}}",
    "{\"data.book\":\"dune\"}",
    "{\"endedAt\":{\"$gte\":{\"$date\":0}}}",
    "{\"endedAt\":null,\"operation\":\"read\"}",
    "{\"seq\":{\"$gt\":2,\"$lte\":7}}",
    "{\"seq\":{\"$in\":[8,3,5]}}",
    "{\"operation\":\"none\"}",
];

impl World {
    fn by_number(
        &mut self,
        query: &str,
        seqs: (u64, u64),
        (direction, skip, limit): (&str, u64, Option<u64>),
    ) -> Result<Vec<u64>> {
        let seqs = Range { low: Seq(seqs.0), high: Seq(seqs.1) };
        let sort = Some(Sort::parse(&format!("{{\"seq\":{direction}}}"))?);
        let find = Find { seqs, sort, skip, limit, ..find(query)? };
        let found = self.reader()?.find(&find, &|| false)?;
        Ok(found.iter().map(|found| found.task.seq.0).collect())
    }
}

/// Each way to ask gives the same tasks as the one that asks for all.
pub(super) fn tasks_by_number_come_in_both_directions_and_within_bounds(
    world: &mut World,
) -> Result<()> {
    library(world)?;
    for query in QUERIES {
        let mut all = world.find(query, None)?;
        all.sort_unstable();
        for (low, high) in [(1, u64::MAX), (3, 6), (1, 1), (8, 9), (9, 100), (5, 4)] {
            let within = all.iter().copied().filter(|seq| (low..=high).contains(seq));
            let upwards: Vec<u64> = within.collect();
            let downwards: Vec<u64> = upwards.iter().rev().copied().collect();
            for (direction, whole) in [("1", upwards), ("-1", downwards)] {
                for (skip, limit) in [(0, None), (0, Some(1)), (1, Some(2)), (3, None), (20, None)]
                {
                    let found = world.by_number(query, (low, high), (direction, skip, limit))?;
                    let rest = whole.iter().copied().skip(skip as usize);
                    let expected: Vec<u64> = rest.take(limit.unwrap_or(99) as usize).collect();
                    let what = (query, low, high, direction, skip, limit);
                    assert_eq!(found, expected, "{what:?}");
                }
            }
        }
    }
    Ok(())
}

/// More tasks than a page has, and data of more bytes than a page may have.
pub(super) fn many_and_large_tasks_come_by_number(world: &mut World) -> Result<()> {
    world.add_many(vec![with_data("1"); 2_300])?;
    let large = format!("\"{}\"", "x".repeat(1_500_000));
    world.add_many(vec![with_data(&large); 7])?;
    let all: Vec<u64> = (1..=2_307).collect();
    let back: Vec<u64> = all.iter().rev().copied().collect();
    for query in ["{}", "{\"data\":{\"$exists\":true}}"] {
        assert_eq!(world.by_number(query, (1, u64::MAX), ("1", 0, None))?, all, "{query}");
        assert_eq!(world.by_number(query, (1, u64::MAX), ("-1", 0, None))?, back, "{query}");
        let newest = world.by_number(query, (1, u64::MAX), ("-1", 2, Some(4)))?;
        assert_eq!(newest, back[2..6], "{query}");
    }
    Ok(())
}

/// Where the numbers of tasks begin, far apart, as if those between had been removed.
const BEGINS: &[u64] = &[1, 4_090, 9_000, 12_280, 40_000, 1_000_000];

/// Tasks far apart, of two operations, added and ended at moments in no order.
fn scattered(world: &mut World, rng: &mut Rng) -> Result<()> {
    for begin in BEGINS {
        world.number_from(Seq(world.seq_next().0.max(*begin)));
        for _ in 0..14 {
            let operation = if rng.once_in(3) { "write" } else { "read" };
            let (task, mut changes) = world.adding(of(operation));
            if let Some(Change::Add { at, .. }) = changes.last_mut() {
                *at = WallMs(rng.below(60) as i64);
            }
            world.turn(changes)?;
            if rng.once_in(3) {
                continue;
            }
            let live = world.start(task)?;
            if rng.once_in(5) {
                continue;
            }
            let outcome = match rng.below(6) {
                0 => failed(),
                1 => aborted(),
                _ => done(),
            };
            let mut end = world.ending(live, outcome.clone());
            if let Change::End { at, .. } = &mut end {
                *at = WallMs(rng.below(60) as i64);
            }
            world.turn(vec![end])?;
            if rng.once_in(8) {
                let reopening = world.reopening(task, &outcome);
                world.turn(vec![reopening])?;
            }
        }
    }
    Ok(())
}

/// In which order, as it is asked for, and so that nothing but a look at all tasks gives it.
const SORTS: &[(Option<&str>, Option<&str>)] = &[
    (None, None),
    (Some("{\"seq\":-1}"), Some("{\"attemptsLeftOut\":1,\"seq\":-1}")),
    (Some("{\"createdAt\":1}"), Some("{\"attemptsLeftOut\":1,\"createdAt\":1}")),
    (Some("{\"createdAt\":-1}"), Some("{\"attemptsLeftOut\":1,\"createdAt\":-1}")),
    (Some("{\"endedAt\":1}"), Some("{\"attemptsLeftOut\":1,\"endedAt\":1}")),
    (Some("{\"endedAt\":-1}"), Some("{\"attemptsLeftOut\":1,\"endedAt\":-1}")),
    (
        Some("{\"endedAt\":-1,\"operation\":1}"),
        Some("{\"attemptsLeftOut\":1,\"endedAt\":-1,\"operation\":1}"),
    ),
];

const LISTS: &[&str] = &[
    "{}",
    "{\"status\":\"failed\"}",
    "{\"status\":{\"$in\":[\"failed\",\"aborted\",\"done\"]}}",
    "{\"operation\":\"write\"}",
    "{\"operation\":\"write\",\"status\":\"done\"}",
    "{\"createdAt\":{\"$gte\":{\"$date\":20},\"$lt\":{\"$date\":30}}}",
    "{\"endedAt\":{\"$gte\":{\"$date\":40}}}",
    "{\"seq\":{\"$gt\":4095,\"$lte\":12285}}",
    "{\"status\":\"new\",\"operation\":\"read\"}",
];

/// Each list that ends early gives the first of the whole list, whatever is left out on the way.
fn lists_begin_as_the_whole(world: &mut World) -> Result<()> {
    for query in LISTS {
        for (sort, slow) in SORTS {
            let whole = world.find(query, *slow)?;
            assert_eq!(world.find(query, *sort)?, whole, "{query} {sort:?}");
            for (skip, limit) in [(0, 1), (0, 3), (2, 5), (10, 20)] {
                let sort = sort.map(Sort::parse).transpose()?;
                let what = format!("{query} {sort:?} {skip} {limit}");
                let asked = Find { sort, skip, limit: Some(limit), ..find(query)? };
                let found = world.reader()?.find(&asked, &|| false)?;
                let found: Vec<u64> = found.iter().map(|found| found.task.seq.0).collect();
                let rest = whole.iter().copied().skip(skip as usize);
                assert_eq!(found, rest.take(limit as usize).collect::<Vec<_>>(), "{what}");
            }
        }
        let found = world.find(query, None)?.len() as u64;
        assert_eq!(world.count(query)?, found, "{query}");
        let exists = world.reader()?.exists(&Query::parse(query)?, &|| false)?;
        assert_eq!(exists, found > 0, "{query}");
    }
    Ok(())
}

/// Before housekeeping and after it, and with more that has come since.
pub(super) fn lists_of_tasks_far_apart_begin_as_the_whole(world: &mut World) -> Result<()> {
    for seed in 0..3 {
        scattered(world, &mut Rng::new(seed))?;
        lists_begin_as_the_whole(world)?;
        world.store()?.maintain(true)?;
        lists_begin_as_the_whole(world)?;
        world.number_from(Seq(world.seq_next().0 + 5_000));
    }
    Ok(())
}
