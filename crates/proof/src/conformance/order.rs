//! In which order tasks are found, and which part of them.

use tasker_core::error::Result;
use tasker_core::query::Sort;
use tasker_core::read::Find;

use super::library::library;
use super::world::{World, find, read, with_priority};

/// Waiting tasks in queue order, then running by start, then ended by end.
pub(super) fn the_default_order_is_waiting_running_ended(world: &mut World) -> Result<()> {
    library(world)?;
    assert_eq!(world.find("{}", None)?, [4, 2, 7, 1, 3, 5, 8, 6]);
    world.crash()?;
    assert_eq!(world.find("{}", None)?, [4, 2, 7, 1, 3, 5, 8, 6]);
    Ok(())
}

/// Runs that began later stand later, whatever their tasks' age.
pub(super) fn running_tasks_stand_in_the_order_of_their_starts(world: &mut World) -> Result<()> {
    let tasks = world.add_many(vec![read(), with_priority(5.0)?, read()])?;
    for i in [2, 0, 1] {
        world.start(tasks[i])?;
    }
    assert_eq!(world.find("{}", None)?, [3, 1, 2]);
    Ok(())
}

/// Engine fields and data, both ways.
pub(super) fn a_sort_decides_the_order(world: &mut World) -> Result<()> {
    library(world)?;
    let sorts: &[(&str, &str, &[u64])] = &[
        ("{}", "{\"seq\":1}", &[1, 2, 3, 4, 5, 6, 7, 8]),
        ("{}", "{\"seq\":-1}", &[8, 7, 6, 5, 4, 3, 2, 1]),
        ("{\"data.n\":{\"$gte\":0}}", "{\"data.n\":-1}", &[4, 3, 2, 1]),
        ("{\"data.n\":{\"$gte\":0}}", "{\"data.book\":1,\"data.n\":-1}", &[3, 1, 2, 4]),
        ("{\"operation\":\"write\"}", "{\"endedAt\":-1}", &[6, 8, 5]),
        ("{\"seq\":{\"$lte\":4}}", "{\"data.book\":1,\"seq\":1}", &[1, 3, 2, 4]),
    ];
    for (query, sort, expected) in sorts {
        assert_eq!(world.find(query, Some(sort))?, *expected, "{query} {sort}");
    }
    Ok(())
}

/// Equal elements keep the default order.
pub(super) fn a_sort_is_stable(world: &mut World) -> Result<()> {
    library(world)?;
    assert_eq!(world.find("{}", Some("{\"operation\":1}"))?, [4, 2, 7, 1, 3, 5, 8, 6]);
    assert_eq!(world.find("{}", Some("{\"operation\":-1}"))?, [5, 8, 6, 4, 2, 7, 1, 3]);
    Ok(())
}

/// Every cut of every order is that part of the whole.
pub(super) fn skip_and_limit_cut_a_part_of_the_whole(world: &mut World) -> Result<()> {
    library(world)?;
    for query in ["{}", "{\"operation\":\"read\"}", "{\"data.tags\":\"x\"}"] {
        for sort in [None, Some("{\"priority\":-1}"), Some("{\"data.n\":1}")] {
            let whole = world.find(query, sort)?;
            for skip in [0, 1, 3, 8, 100] {
                for limit in [Some(1), Some(2), Some(8), None] {
                    let cut = world.cut(query, sort, (skip, limit))?;
                    let rest = whole.iter().skip(skip).copied();
                    let expected: Vec<_> = rest.take(limit.unwrap_or(100)).collect();
                    assert_eq!(cut, expected, "{query} {sort:?} {skip} {limit:?}");
                }
            }
        }
    }
    Ok(())
}

impl World {
    fn cut(
        &mut self,
        query: &str,
        sort: Option<&str>,
        (skip, limit): (usize, Option<usize>),
    ) -> Result<Vec<u64>> {
        let (skip, limit) = (skip as u64, limit.map(|limit| limit as u64));
        let sort = sort.map(Sort::parse).transpose()?;
        let find = Find { sort, skip, limit, ..find(query)? };
        let found = self.reader()?.find(&find, &|| false)?;
        Ok(found.iter().map(|found| found.task.seq.0).collect())
    }
}
