//! Makes a history that fails shorter, until no step of it can be left out.

use std::cell::Cell;
use std::sync::Once;

/// Fewer of these steps that fail as well: leaving out any one of them, the history passes.
/// `fails` says of some of the steps, in order, whether they fail.
pub(crate) fn shrink(steps: Vec<usize>, mut fails: impl FnMut(&[usize]) -> bool) -> Vec<usize> {
    let mut left = steps;
    // Large parts first: most of a history has nothing to do with its end.
    let mut size = left.len().div_ceil(2);
    while size > 0 {
        let (mut at, mut is_shorter) = (0, false);
        while at < left.len() {
            let end = left.len().min(at + size);
            let rest = [&left[..at], &left[end..]].concat();
            if fails(&rest) {
                (left, is_shorter) = (rest, true);
            } else {
                at = end;
            }
        }
        size = match (size, is_shorter) {
            (1, true) => 1,
            (1, false) => 0,
            _ => size.div_ceil(2),
        };
    }
    left
}

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Panics of this thread print nothing meanwhile.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                usual(info);
            }
        }));
    });
    let before = IS_QUIET.replace(true);
    let done = work();
    IS_QUIET.set(before);
    done
}

#[test]
fn what_is_left_of_a_history_fails_and_nothing_of_it_can_be_left_out() {
    let fails_with = |needed: &'static [usize]| {
        move |steps: &[usize]| needed.iter().all(|step| steps.contains(step))
    };
    let all: Vec<usize> = (0..80).collect();
    for needed in [&[][..], &[0], &[79], &[3, 4, 41], &[0, 20, 40, 60, 79]] {
        assert_eq!(shrink(all.clone(), fails_with(needed)), needed);
    }
    // A step may only be in the way of another one.
    let left = shrink(all, |steps| steps.contains(&7) && (!steps.contains(&5) || steps.len() < 9));
    assert_eq!(left, [7]);
}
