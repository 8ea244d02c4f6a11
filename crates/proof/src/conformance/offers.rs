//! What each owner offers: the others see it, and a dead one offers it until it is buried.

use std::sync::Arc;

use tasker_core::error::Result;
use tasker_core::id::{LaneId, OwnerId, Seq};
use tasker_core::journal::{Transition, unpack};
use tasker_core::store::{Change, Offers};
use tasker_core::transition::TransitionKind;

use super::world::World;

fn names(names: &[&str]) -> Offers {
    Arc::new(names.iter().map(|name| Arc::from(*name)).collect())
}

fn offer(world: &mut World, offered: &[&str]) -> Result<()> {
    world.turn(vec![Change::Offer(names(offered))])
}

fn remote(world: &mut World) -> Result<Vec<(OwnerId, Offers)>> {
    world.inside(|store| store.remote_offers())
}

fn unburied(world: &mut World) -> Result<Vec<OwnerId>> {
    world.inside(|store| store.unburied())
}

/// Nothing comes from nowhere.
pub(super) fn who_has_said_nothing_offers_nothing(world: &mut World) -> Result<()> {
    world.open_another()?;
    for _ in 0..2 {
        assert_eq!((remote(world)?, unburied(world)?), (Vec::new(), Vec::new()));
        world.swap();
    }
    Ok(())
}

/// F-8: each time it replaces what was offered before.
pub(super) fn what_an_owner_offers_is_seen_by_the_others_and_not_by_itself(
    world: &mut World,
) -> Result<()> {
    world.open_another()?;
    let one = world.store()?.owner();
    let odd = ["", "a \"b\"\n'; --", "read", "ü"];
    for offered in [&["read", "write"][..], &["write"], &odd] {
        offer(world, offered)?;
        assert!(remote(world)?.is_empty(), "these are ours");
        world.swap();
        assert_eq!(remote(world)?, [(one, names(offered))]);
        assert!(unburied(world)?.is_empty(), "it lives");
        world.swap();
    }
    offer(world, &[])?;
    world.swap();
    assert!(remote(world)?.is_empty());
    Ok(())
}

/// F-8: with the step of the journal by which others learn of it, and which is of no task.
pub(super) fn a_change_of_offers_is_told_in_the_journal(world: &mut World) -> Result<()> {
    world.open_another()?;
    let dead = world.store()?.owner();
    offer(world, &["read"])?;
    world.swap();
    world.lose_other()?;
    world.turn(vec![Change::Bury(dead)])?;
    let entries = world.inside(|store| store.journal(0, 9))?;
    let steps = entries.iter().flat_map(|entry| unpack(&entry.transitions));
    let (seq, lane, kind) = (Seq(0), LaneId(0), TransitionKind::Owners);
    let step = Transition { seq, lane, kind, priority: None };
    assert_eq!(steps.collect::<Result<Vec<_>>>()?, [step, step]);
    Ok(())
}

/// The others keep what they know of it until the journal tells them of its end.
pub(super) fn a_dead_owner_offers_what_it_offered_until_it_is_buried(
    world: &mut World,
) -> Result<()> {
    world.open_another()?;
    let dead = world.store()?.owner();
    offer(world, &["read"])?;
    world.swap();
    world.lose_other()?;
    for _ in 0..2 {
        assert_eq!(remote(world)?, [(dead, names(&["read"]))]);
        assert_eq!(unburied(world)?, [dead]);
        // A commit that does not bury it does not forget it.
        world.turn(Vec::new())?;
    }
    world.turn(vec![Change::Bury(dead)])?;
    assert_eq!((remote(world)?, unburied(world)?), (Vec::new(), Vec::new()));
    world.assert_fenced(vec![Change::Bury(dead)]);
    Ok(())
}

/// F-1: whoever opens the file next finds it.
pub(super) fn who_opens_finds_what_the_dead_have_offered(world: &mut World) -> Result<()> {
    let first = world.store()?.owner();
    offer(world, &["read"])?;
    world.crash()?;
    let second = world.store()?.owner();
    offer(world, &["write"])?;
    world.crash()?;
    assert_eq!(unburied(world)?, [first, second]);
    assert_eq!(remote(world)?, [(first, names(&["read"])), (second, names(&["write"]))]);
    world.turn(vec![Change::Bury(first)])?;
    assert_eq!(unburied(world)?, [second]);
    assert_eq!(remote(world)?, [(second, names(&["write"]))]);
    Ok(())
}

/// I-4, I-5: neither of both is forgotten with the other.
pub(super) fn a_dead_owner_is_buried_and_its_runs_are_recovered(world: &mut World) -> Result<()> {
    for is_buried_first in [true, false] {
        offer(world, &["read"])?;
        let (dead, live) = (world.store()?.owner(), world.running()?);
        world.crash()?;
        let (burial, loss) = (vec![Change::Bury(dead)], vec![world.losing(live, 1)]);
        let steps = if is_buried_first { [burial, loss] } else { [loss, burial] };
        for (at, step) in steps.into_iter().enumerate() {
            let left = (world.orphans()?.len(), unburied(world)?.len());
            let is_whole = at == 0;
            let expected = if is_whole {
                (1, 1)
            } else if is_buried_first {
                (1, 0)
            } else {
                (0, 1)
            };
            assert_eq!(left, expected);
            world.turn(step)?;
        }
        assert_eq!((world.orphans()?.len(), unburied(world)?.len()), (0, 0));
    }
    Ok(())
}

/// I-14: one that closes in good order has taken back what it offered, and leaves nothing.
pub(super) fn who_offers_nothing_any_more_leaves_nothing_to_bury(world: &mut World) -> Result<()> {
    offer(world, &["read"])?;
    offer(world, &[])?;
    world.reopen()?;
    assert_eq!((remote(world)?, unburied(world)?), (Vec::new(), Vec::new()));
    offer(world, &["read"])?;
    world.reopen()?;
    assert_eq!(unburied(world)?.len(), 1, "who could not take it back is as if he had died");
    Ok(())
}
