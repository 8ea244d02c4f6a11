//! The bytes of a connection, watched: how long a client may take, and where a head says two
//! lengths.
//!
//! # Promises
//! - A head comes within [`HEAD_TIMEOUT`], a connection without a request ends after
//!   [`IDLE_TIMEOUT`], and so does one whose client reads nothing of its answer for
//!   [`ANSWER_TIMEOUT`].
//! - A head with both `Content-Length` and `Transfer-Encoding` is seen, in whichever order they
//!   stand: the parser of hyper takes the first away.
//!
//! # Left to others
//! Reading heads is hyper's work; how fast a body must come is `body`'s.
//!
//! Proof: the tests below, `__test__/contract/http-attacks.test.mjs`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits::{ANSWER_TIMEOUT, HEAD_BYTES_MAX, HEAD_TIMEOUT, IDLE_TIMEOUT};

/// What the bytes of a connection and its requests know of each other.
#[derive(Default)]
pub(crate) struct Exchange {
    /// Whether a request is being carried out.
    is_busy: AtomicBool,
    has_both_lengths: AtomicBool,
}

impl Exchange {
    /// Whether a head said two lengths.
    pub(crate) fn has_both_lengths(&self) -> bool {
        self.has_both_lengths.load(Ordering::Relaxed)
    }

    /// A request begins; it is over when what this gives is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        self.is_busy.store(true, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }
}

/// A request that is being carried out.
pub(crate) struct Busy(Arc<Exchange>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.is_busy.store(false, Ordering::Relaxed);
    }
}

/// Where in a message the next byte is.
enum Place {
    /// In a head, of which this has come.
    Head(Vec<u8>),
    /// In a body, of which so much is left.
    Body(u64),
    /// In what is followed by no other head.
    Last,
}

/// A connection.
pub(crate) struct Wire<S> {
    stream: S,
    exchange: Arc<Exchange>,
    place: Place,
    /// Since when it waits for what it waits for: the rest of a head, or the next one.
    since: Instant,
    has_had_head: bool,
    reading: Option<Pin<Box<Sleep>>>,
    /// Set while the client takes nothing.
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> Wire<S> {
    pub(crate) fn new(stream: S, exchange: Arc<Exchange>) -> Self {
        let (place, since) = (Place::Head(Vec::new()), Instant::now());
        let (reading, writing) = (None, None);
        Self { stream, exchange, place, since, has_had_head: false, reading, writing }
    }

    /// Looks at bytes that have come.
    fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match &mut self.place {
                Place::Last => return,
                Place::Body(left) => {
                    let count = (bytes.len() as u64).min(*left);
                    *left -= count;
                    bytes = bytes.get(count as usize..).unwrap_or_default();
                    if *left == 0 {
                        self.place = Place::Head(Vec::new());
                    }
                }
                Place::Head(head) => {
                    if head.is_empty() {
                        self.since = Instant::now();
                    }
                    let count = extend(head, bytes);
                    bytes = bytes.get(count..).unwrap_or_default();
                    if let Some(lengths) = lengths(head) {
                        self.end_head(lengths);
                    } else if head.len() > HEAD_BYTES_MAX {
                        self.place = Place::Last;
                    }
                }
            }
        }
    }

    fn end_head(&mut self, Lengths { is_chunked, length }: Lengths) {
        self.has_had_head = true;
        if is_chunked && length.is_some() {
            self.exchange.has_both_lengths.store(true, Ordering::Relaxed);
        }
        self.place = match length {
            _ if is_chunked => Place::Last,
            Some(Some(0)) | None => Place::Head(Vec::new()),
            Some(Some(length)) => Place::Body(length),
            Some(None) => Place::Last,
        };
    }

    /// Until when the next bytes must come, if they must.
    fn deadline(&self) -> Option<Instant> {
        match &self.place {
            Place::Head(head) if !head.is_empty() || !self.has_had_head => {
                Some(self.since + HEAD_TIMEOUT)
            }
            _ if self.exchange.is_busy.load(Ordering::Relaxed) => None,
            _ => Some(self.since + IDLE_TIMEOUT),
        }
    }
}

/// Adds the rest of a head to what has come of it: how many bytes that are.
fn extend(head: &mut Vec<u8>, bytes: &[u8]) -> usize {
    for (n, byte) in bytes.iter().enumerate() {
        // Empty lines before a request are none of it.
        if !(head.is_empty() && b"\r\n".contains(byte)) {
            head.push(*byte);
        }
        if is_complete(head) || head.len() > HEAD_BYTES_MAX {
            return n + 1;
        }
    }
    bytes.len()
}

fn is_complete(head: &[u8]) -> bool {
    head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n")
}

/// What a head says of the length of its body.
struct Lengths {
    is_chunked: bool,
    /// What `Content-Length` says, if it is there; nothing if that is no number.
    length: Option<Option<u64>>,
}

/// Those of a head, if it is complete.
fn lengths(head: &[u8]) -> Option<Lengths> {
    if !is_complete(head) {
        return None;
    }
    let mut lengths = Lengths { is_chunked: false, length: None };
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            lengths.is_chunked = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let value = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            lengths.length = Some(value);
        }
    }
    Some(lengths)
}

/// Whether this moment has come; wakes then.
fn is_over(timer: &mut Option<Pin<Box<Sleep>>>, at: Instant, cx: &mut Context<'_>) -> bool {
    let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
    if timer.deadline() != at {
        timer.as_mut().reset(at);
    }
    timer.as_mut().poll(cx).is_ready()
}

fn timed_out<T>(what: &'static str) -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, what)))
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buffer) {
            read?;
            let new = buffer.filled().get(before..).unwrap_or_default();
            self.see(new);
            return Poll::Ready(Ok(()));
        }
        let this = &mut *self;
        match this.deadline() {
            Some(at) if is_over(&mut this.reading, at, cx) => timed_out("no request came"),
            _ => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    /// What a write came to; a client that takes nothing is not waited for.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let now = Instant::now();
        if let Poll::Ready(written) = write(Pin::new(&mut self.stream), cx) {
            self.writing = None;
            // What a head waits for is not put off by an answer to an earlier one.
            if !matches!(&self.place, Place::Head(head) if !head.is_empty()) {
                self.since = now;
            }
            return Poll::Ready(written);
        }
        let at = self.writing.as_ref().map_or(now + ANSWER_TIMEOUT, |timer| timer.deadline());
        if is_over(&mut self.writing, at, cx) {
            timed_out("no answer was read")
        } else {
            Poll::Pending
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.written(cx, |stream, cx| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::Duration;

    use super::*;

    fn wire() -> (Wire<DuplexStream>, DuplexStream, Arc<Exchange>) {
        let (ours, theirs) = duplex(1 << 20);
        let exchange = Arc::new(Exchange::default());
        (Wire::new(ours, Arc::clone(&exchange)), theirs, exchange)
    }

    fn seen(chunks: &[&str]) -> bool {
        let (mut wire, _theirs, exchange) = wire();
        chunks.iter().for_each(|chunk| wire.see(chunk.as_bytes()));
        exchange.has_both_lengths()
    }

    #[tokio::test]
    async fn two_lengths_are_seen_wherever_they_stand() {
        let te = "Transfer-Encoding: chunked\r\n";
        let cl = "Content-Length: 4\r\n";
        let head = |headers: &str| format!("POST /rpc HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        let (first, second) = (head(&format!("{te}{cl}")), head(&format!("{cl}{te}")));
        assert!(seen(&[&first]) && seen(&[&second]));
        let letters: Vec<String> = first.chars().map(String::from).collect();
        assert!(seen(&letters.iter().map(String::as_str).collect::<Vec<_>>()));
        assert!(seen(&[&head(cl), "abcd\r\n", &second]), "behind another request");
        assert!(seen(&[&second.replace("\r\n", "\n")]), "with bare line feeds");
        assert!(!seen(&[&head(te)]) && !seen(&[&head(cl), "abcd", &head(cl)]));
        let length = format!("Content-Length: {}\r\n", te.len() + cl.len());
        assert!(!seen(&[&head(&length), &format!("{te}{cl}"), &head("")]), "a body is no head");
    }

    async fn ends_after(wire: &mut Wire<DuplexStream>) -> u64 {
        let start = Instant::now();
        let mut bytes = [0; 64];
        let error = loop {
            if let Err(error) = wire.read(&mut bytes).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_and_an_idle_connection_has_more() {
        let (mut quiet, _keep, _) = wire();
        assert_eq!(ends_after(&mut quiet).await, 10);
        let (mut slow, mut client, _) = wire();
        client.write_all(b"POST /rpc HTTP/1.1\r\nHost:").await.unwrap();
        assert_eq!(ends_after(&mut slow).await, 10);
        let (mut idle, mut client, _) = wire();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert_eq!(ends_after(&mut idle).await, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_carried_out_is_waited_for() {
        let (mut wire, mut client, exchange) = wire();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let busy = exchange.begin();
        let mut bytes = [0; 64];
        assert!(wire.read(&mut bytes).await.unwrap() > 0);
        let waited = tokio::time::timeout(Duration::from_secs(600), wire.read(&mut bytes)).await;
        assert!(waited.is_err(), "it was cut off");
        drop(busy);
        wire.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        assert_eq!(ends_after(&mut wire).await, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_let_go() {
        let (ours, _theirs) = duplex(16);
        let mut wire = Wire::new(ours, Arc::default());
        let start = Instant::now();
        let error = wire.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed().as_secs()), (io::ErrorKind::TimedOut, 30));
    }
}
