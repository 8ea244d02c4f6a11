//! A power cut: what was acknowledged is there, and what was under way is there whole or not at
//! all (I-1, I-2).
//!
//! An engine works on a real file. Of the file before and after each of its commits and of its
//! checkpoints, images are made as a power cut could have left them: of the sectors that were
//! written meanwhile some have come to the disk, others have not, one perhaps in part, and the file
//! is as long as it was, as it became, or in between. Each image is opened as any file, and what it
//! holds is compared with what the file held at those moments.
//!
//! What SQLite brings to the disk first is on it first: the log before the database. A file with
//! durability `process` may lose its last commits, and nothing else.
//!
//! `TASKER_IMAGES=n` makes about n images, `TASKER_SEED=n` repeats one history.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]
#![allow(clippy::print_stdout, reason = "a test that fails says its seed")]

#[path = "power/history.rs"]
mod history;
#[path = "power/image.rs"]
mod image;

use std::sync::Arc;

use tasker_core::store::Store;
use tasker_core::task::NewTask;
use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::Input;
use tasker_engine::turn::Engine;
use tasker_proof::rng::Rng;
use tasker_sqlite::Durability;
use tempfile::TempDir;

use crate::history::{History, Moment, SETTINGS, dump, open};
use crate::image::{Image, Tear};

/// Images of one history, about.
const IMAGES: usize = 200;

#[derive(Debug, Default)]
struct Tally {
    images: usize,
    /// Those that hold what the file held before, and after.
    before: usize,
    after: usize,
    /// Those that are neither the file before nor the file after, byte for byte.
    torn: usize,
    checkpoints: usize,
    /// Those that lost commits that nobody has promised to keep.
    lost: usize,
}

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    let tally = histories(Durability::Full);
    assert_eq!(tally.lost, 0, "{tally:?}");
    assert!(tally.before > 0 && tally.after > 0, "{tally:?}");
}

#[test]
fn a_file_with_durability_process_loses_at_most_its_last_commits() {
    let tally = histories(Durability::Process);
    assert!(tally.lost > 0, "nothing was cut that could be: {tally:?}");
}

fn histories(durability: Durability) -> Tally {
    let images = number("TASKER_IMAGES").unwrap_or(1_200);
    let first = number("TASKER_SEED").unwrap_or(1);
    let mut tally = Tally::default();
    for seed in first.. {
        println!("TASKER_SEED={seed}");
        play(seed as u64, durability, &mut tally);
        if tally.images >= images || number("TASKER_SEED").is_some() {
            break;
        }
    }
    println!("{durability:?}: {tally:?}");
    assert!(tally.torn > 0 && tally.checkpoints > 0, "{tally:?}");
    tally
}

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// One history with its images.
fn play(seed: u64, durability: Durability, tally: &mut Tally) {
    let mut rng = Rng::new(seed);
    let mut history = History::new(seed, durability);
    let end = tally.images + IMAGES;
    while tally.images < end {
        tally.checkpoints += usize::from(history.step().is_checkpoint);
        for tear in Tear::ALL {
            let moments = history.unsynced();
            let oldest = moments.len() - 2;
            // What nobody has synced may be lost from the last checkpoint on.
            let oldest = match durability {
                Durability::Full => oldest,
                Durability::Process => rng.below(oldest + 1),
            };
            let moments = &moments[oldest..];
            let (old, new) = (&moments[0].image, &moments[moments.len() - 1].image);
            let image = old.torn(new, tear, &mut rng);
            tally.torn += usize::from(image != *old && image != *new);
            tally.images += 1;
            judge(&image, (tear, moments), tally);
        }
    }
}

/// An image holds what the file held at one of these moments, is sound, and can be worked with.
fn judge(image: &Image, (tear, moments): (Tear, &[Moment]), tally: &mut Tally) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tasks.db");
    image.write(&path);
    let (store, mut reader) = open(&path, Durability::Process);
    let held = dump(reader.as_mut());
    let verified = reader.verify(Arc::new(|| false)).unwrap();
    assert_eq!(verified.faults, [""; 0], "{tear:?}");
    let found = moments.iter().rposition(|moment| moment.dump == held);
    let Some(found) = found else { panic!("{tear:?}: what it holds was never so\n{held}") };
    let last = moments.len() - 1;
    match tear {
        Tear::Nothing => assert_eq!(held, moments[0].dump),
        Tear::Database | Tear::Everything => assert_eq!(held, moments[last].dump, "{tear:?}"),
        Tear::Cut | Tear::Holes | Tear::Sector => {}
    }
    tally.before += usize::from(found == 0);
    tally.after += usize::from(found == last);
    tally.lost += usize::from(found + 1 < last);
    assert_works(store);
}

/// An engine recovers what ran, and takes a task.
fn assert_works(store: Box<dyn Store>) {
    let now = Now { wall: WallMs(1_700_000_100_000), mono: MonoMs(0) };
    let (mut engine, _) = Engine::open(store, SETTINGS, [7; 32], now).unwrap();
    let mut effects = Vec::new();
    engine.turn(vec![Input::Add(1, NewTask::new("a"))], now, &mut effects);
    let is_added = |effect: &Effect| matches!(effect, Effect::Answer(1, Answer::Task(_)));
    assert!(effects.iter().any(is_added), "{effects:?}");
}
