//! The body of a request, read whole: how long it may be, and how long it may take.
//!
//! # Promises
//! - A body is counted as it comes, so one that never ends costs no more than its limit.
//! - All bodies together take [`BODIES_BYTES_MAX`] at most; the first bytes of each are free, so
//!   that a small one is read whatever others do.
//! - One that comes too slowly is given up.
//!
//! Proof: the tests below, `__test__/contract/http-attacks.test.mjs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt;
use hyper::body::{Body, Buf};
use tokio::time::{Duration, Instant, timeout_at};

use crate::limits::{BODIES_BYTES_MAX, BODY_BYTES_PER_SECOND_MIN, BODY_GRACE, BODY_TIMEOUT};
use crate::refusal::{Reason, Refusal};

/// Bytes of each body that are not counted.
const FREE_BYTES: usize = 4 * 1024;

/// Bytes that all bodies take by now.
#[derive(Default)]
pub(crate) struct Bodies(AtomicUsize);

/// What one body takes of them.
struct Share {
    bodies: Arc<Bodies>,
    bytes: usize,
}

impl Share {
    /// Takes more; whether there was room.
    fn grow(&mut self, bytes: usize) -> bool {
        let before = self.bodies.0.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        before + bytes <= BODIES_BYTES_MAX
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.bodies.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A body that has come, which counts until it is dropped.
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    _share: Share,
}

/// Reads a body of so many bytes at most. What is longer is read on for as much again and thrown
/// away, so that a client which writes before it reads hears why.
///
/// # Errors
/// `TooLarge`, `TooSlow`, `Overloaded`, or `Unreadable` if the connection broke.
pub(crate) async fn read<B>(
    mut body: B,
    bytes_max: usize,
    bodies: &Arc<Bodies>,
) -> Result<Held, Refusal>
where
    B: Body + Unpin,
{
    let start = Instant::now();
    let mut share = Share { bodies: Arc::clone(bodies), bytes: 0 };
    let (mut bytes, mut count, mut refusal) = (Vec::new(), 0, None);
    if body.size_hint().lower() > bytes_max as u64 {
        refusal = Some(too_large(bytes_max));
    }
    loop {
        let frame = timeout_at(deadline(start, count), body.frame()).await;
        let frame = match frame {
            Err(_) => return Err(refusal.unwrap_or_else(too_slow)),
            Ok(None) => break,
            Ok(Some(frame)) => frame.map_err(|_| broken())?,
        };
        let Ok(mut data) = frame.into_data() else { continue };
        count += data.remaining();
        if refusal.is_none() && count > bytes_max {
            (bytes, refusal) = (Vec::new(), Some(too_large(bytes_max)));
        }
        if count > 2 * bytes_max {
            break;
        }
        let counted = count.saturating_sub(FREE_BYTES).saturating_sub(share.bytes);
        if refusal.is_none() && !share.grow(counted) {
            (bytes, refusal) = (Vec::new(), Some(Refusal::overloaded("too many bodies")));
        }
        while refusal.is_none() && data.has_remaining() {
            let chunk = data.chunk();
            bytes.extend_from_slice(chunk);
            let length = chunk.len();
            data.advance(length);
        }
    }
    refusal.map_or(Ok(Held { bytes, _share: share }), Err)
}

/// Until when the next bytes must come of a body of which so many have come.
fn deadline(start: Instant, bytes: usize) -> Instant {
    let fast_enough = Duration::from_millis(bytes as u64 * 1_000 / BODY_BYTES_PER_SECOND_MIN);
    start + BODY_TIMEOUT.min(BODY_GRACE + fast_enough)
}

fn too_large(bytes_max: usize) -> Refusal {
    Refusal::new(Reason::TooLarge, format!("the body is longer than {bytes_max} bytes"))
}

fn too_slow() -> Refusal {
    Refusal::new(Reason::TooSlow, "the body came too slowly")
}

fn broken() -> Refusal {
    Refusal::new(Reason::Unreadable, "the body broke off")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::{Bytes, Frame};
    use tokio::time::{Sleep, sleep};

    use super::*;

    /// A body of so many chunks, one after each pause.
    struct Dripping {
        left: usize,
        chunk: usize,
        pause: Duration,
        next: Pin<Box<Sleep>>,
    }

    fn dripping(left: usize, chunk: usize, pause_ms: u64) -> Dripping {
        let pause = Duration::from_millis(pause_ms);
        Dripping { left, chunk, pause, next: Box::pin(sleep(pause)) }
    }

    impl Body for Dripping {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            if self.next.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.left -= 1;
            self.next = Box::pin(sleep(self.pause));
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b' '; self.chunk])))))
        }
    }

    async fn reason(body: Dripping, bytes_max: usize) -> Option<Reason> {
        let read = read(body, bytes_max, &Arc::default()).await;
        read.err().map(|refusal| refusal.reason)
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_body_passes_and_one_byte_more_does_not() {
        let held = read(dripping(10, 10, 1), 100, &Arc::default()).await.unwrap();
        assert_eq!(held.bytes.len(), 100);
        assert_eq!(reason(dripping(101, 1, 1), 100).await, Some(Reason::TooLarge));
        assert_eq!(reason(dripping(usize::MAX, 9, 1), 100).await, Some(Reason::TooLarge));
        assert_eq!(reason(dripping(1, 201, 1), 100).await, Some(Reason::TooLarge), "at once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_given_up() {
        for (chunk, pause_ms, expected) in [
            (1, 1_000, Some(Reason::TooSlow)),
            (100, 1_000, Some(Reason::TooSlow)),
            (2_048, 1_000, None),
            (1 << 20, 4_000, None),
        ] {
            let body = dripping(25_000 / pause_ms as usize, chunk, pause_ms);
            assert_eq!(reason(body, 1 << 30).await, expected, "{chunk} each {pause_ms} ms");
        }
        assert_eq!(reason(dripping(35, 1 << 20, 1_000), 1 << 30).await, Some(Reason::TooSlow));
    }

    #[tokio::test(start_paused = true)]
    async fn all_bodies_together_have_a_limit_and_small_ones_pass() {
        let bodies = Arc::new(Bodies::default());
        let most = BODIES_BYTES_MAX + FREE_BYTES;
        let held = read(dripping(1, most, 1), most, &bodies).await.unwrap();
        let refused = read(dripping(1, FREE_BYTES + 1, 1), most, &bodies).await.err().unwrap();
        assert_eq!(refused.reason, Reason::Overloaded);
        assert!(read(dripping(1, FREE_BYTES, 1), most, &bodies).await.is_ok());
        drop(held);
        assert!(read(dripping(1, FREE_BYTES + 1, 1), most, &bodies).await.is_ok());
    }
}
