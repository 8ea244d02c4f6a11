//! Tasks by number: in both directions, within bounds, over gaps of what was asked for.

use tasker_core::error::Result;
use tasker_core::id::Seq;
use tasker_core::query::Sort;
use tasker_core::range::Range;
use tasker_core::read::Find;

use super::library::library;
use super::world::{World, find, with_data};

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
