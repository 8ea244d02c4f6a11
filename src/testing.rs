//! The place of a user's test: a file of its own, a clock that stands, a seed.
//!
//! # Promises
//! - The folder of the file goes with [`NativeTest::close`], or with the environment.
//!
//! Proof: `__test__/contract/testing.test.mjs`, `__test__/process/testing.test.mjs`.

#![allow(clippy::needless_pass_by_value, reason = "the border hands texts over by value")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use napi::bindgen_prelude::{Either, Function};
use napi::{CleanupEnvHook, Env};
use napi_derive::napi;
use parking_lot::Mutex;
use tasker_core::error::{Code, Error};
use tasker_core::time::WallMs;
use tasker_engine::clock::Clock;
use tasker_engine::virtual_clock::VirtualClock;
use tasker_sqlite::TestFolder;

use crate::error;
use crate::native::{InTest, Native, open_with};

struct Place {
    folder: Mutex<Option<TestFolder>>,
    clock: Arc<VirtualClock>,
    seed: u64,
    /// Engines that were opened in it.
    opened: AtomicU64,
}

/// The place of a test, as `ts/` sees it.
#[napi]
pub struct NativeTest {
    place: Arc<Place>,
    hook: Option<CleanupEnvHook<Weak<Place>>>,
}

/// Makes the place of a test whose clock stands at `now`, in milliseconds since 1970; the JSON text
/// of an error if there is no folder for its file.
#[napi(catch_unwind)]
pub(crate) fn open_test(env: Env, seed: f64, now: f64) -> napi::Result<Either<NativeTest, String>> {
    let seed = seed as u64;
    let folder = match TestFolder::make(seed) {
        Ok(folder) => folder,
        Err(error) => return Ok(Either::B(error::text(&error))),
    };
    let clock = Arc::new(VirtualClock::beside_real_time(WallMs(now as i64)));
    let folder = Mutex::new(Some(folder));
    let place = Arc::new(Place { folder, clock, seed, opened: AtomicU64::new(0) });
    // Node runs the hooks of what was opened later first: the engines have let go of the file.
    let end = |place: Weak<Place>| {
        if let Some(place) = place.upgrade() {
            place.folder.lock().take();
        }
    };
    let hook = env.add_env_cleanup_hook(Arc::downgrade(&place), end)?;
    Ok(Either::A(NativeTest { place, hook: Some(hook) }))
}

/// A seed of 32 bytes for each engine of a test.
fn seed_of(seed: u64, engine: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&engine.to_le_bytes());
    bytes
}

#[napi]
impl NativeTest {
    /// Opens an engine on the file of the test.
    #[napi(catch_unwind)]
    pub fn open(
        &self,
        env: Env,
        options: String,
        notifier: Function<'_, (), ()>,
    ) -> napi::Result<Either<Native, String>> {
        let place = &self.place;
        let location = place.folder.lock().as_ref().map(TestFolder::location);
        let Some(location) = location else {
            let closed = Error::new(Code::Closed, "the test is closed; open a new one");
            return Ok(Either::B(error::text(&closed)));
        };
        let engine = place.opened.fetch_add(1, Ordering::Relaxed);
        let (clock, seed) = (Arc::clone(&place.clock), seed_of(place.seed, engine));
        open_with(env, &options, notifier, Some(InTest { location, clock, seed }))
    }

    /// The time by its clock, in milliseconds since 1970.
    #[napi(catch_unwind)]
    pub fn now(&self) -> f64 {
        self.place.clock.now().wall.0 as f64
    }

    /// Lets time go by until this moment.
    #[napi(catch_unwind)]
    pub fn advance_to(&self, at: f64) {
        self.place.clock.advance_to(WallMs(at as i64));
    }

    /// Removes the file; every engine on it has been closed.
    #[napi(catch_unwind)]
    pub fn close(&mut self, env: Env) -> napi::Result<()> {
        self.place.folder.lock().take();
        match self.hook.take() {
            Some(hook) => env.remove_env_cleanup_hook(hook),
            None => Ok(()),
        }
    }
}
