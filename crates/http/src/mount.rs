//! The service behind a server of the user's own: requests come as texts, and are answered by
//! their tickets, on one thread for all of them.
//!
//! # Promises
//! - Each request is answered once, unless it is dropped: then what waited for it is gone, as if
//!   its connection had broken.
//! - A close answers what is under way, waits for it no longer than [`CLOSE_TIMEOUT`], and refuses
//!   what comes after it until the mount is opened again.
//!
//! # Left to others
//! Connections, heads, and how slowly they may come: the server's that mounts it.
//!
//! Proof: `__test__/contract/http-mount.test.mjs`.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;

use hyper::body::{Body, Bytes, Frame};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method as Verb, Request};
use parking_lot::Mutex;
use serde::Deserialize;
use tasker_core::definition::Defaults;
use tasker_core::error::{Error, Result};
use tasker_core::json::write_string;
use tasker_engine::thread::Handle as EngineHandle;
use tokio::runtime::Handle as RuntimeHandle;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::format::Format;
use crate::limits::CLOSE_TIMEOUT;
use crate::process::Process;
use crate::refusal::{Reason, Refusal};
use crate::server::{no_server, runtime};
use crate::service::{Answer, Route, Service, beside, closed, health, refused};

/// The head of a request, JSON.
#[derive(Deserialize)]
struct Head {
    verb: String,
    /// The path, perhaps with a query.
    target: String,
    /// How the server was called, if no header says it.
    host: Option<String>,
    /// Names and values in turn.
    headers: Vec<String>,
}

/// Whether it must be known who sends a request to answer it; nothing if there is nothing at its
/// path. `target` may have a query.
pub fn needs_access(verb: &str, target: &str) -> Option<bool> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    Some(match Route::of(path)? {
        Route::Rpc => verb == Verb::POST.as_str(),
        Route::Metrics => verb == Verb::GET.as_str() || verb == Verb::HEAD.as_str(),
        Route::Live | Route::Ready => false,
    })
}

/// The answer to a request when the engine is gone.
pub fn answer_closed(head: &str) -> String {
    let (route, headers) = match read(head, Incoming::new().1) {
        Ok(request) => (Route::of(request.uri().path()), request.into_parts().0.headers),
        Err(_) => (None, HeaderMap::new()),
    };
    let refusal = closed();
    let word = refusal.reason.code();
    written(match route {
        Some(Route::Live) => health((false, format!("closed {word}"))),
        Some(Route::Ready) => health((false, word.to_owned())),
        Some(Route::Rpc | Route::Metrics) | None => refuse(&refusal, &headers),
    })
}

fn refuse(refusal: &Refusal, headers: &HeaderMap) -> Answer {
    refused(refusal, headers, Format::of_answer(headers, Format::of_body(headers).ok()))
}

/// A request of which this is the head.
///
/// # Errors
/// `Unreadable`.
fn read(head: &str, body: Incoming) -> Served<Request<Incoming>> {
    let unreadable = || Refusal::new(Reason::Unreadable, "the head of the request cannot be read");
    let head: Head = serde_json::from_str(head).map_err(|_| unreadable())?;
    let mut request = Request::new(body);
    *request.method_mut() = Verb::from_bytes(head.verb.as_bytes()).map_err(|_| unreadable())?;
    *request.uri_mut() = head.target.parse().map_err(|_| unreadable())?;
    let headers = request.headers_mut();
    // What HTTP/2 says of the request itself stands among its headers.
    let pairs = head.headers.chunks_exact(2).filter(|pair| !pair[0].starts_with(':'));
    for pair in pairs {
        let name = HeaderName::from_bytes(pair[0].as_bytes()).map_err(|_| unreadable())?;
        let value = HeaderValue::from_bytes(pair[1].as_bytes()).map_err(|_| unreadable())?;
        headers.append(name, value);
    }
    if let Some(host) = head.host
        && !headers.contains_key(HOST)
    {
        headers.insert(HOST, HeaderValue::from_str(&host).map_err(|_| unreadable())?);
    }
    Ok(request)
}

type Served<T> = std::result::Result<T, Refusal>;

/// An answer as a text: `[status, [name, value, …], body]`.
fn written(answer: Answer) -> String {
    let (parts, mut body) = answer.into_parts();
    let mut out = format!("[{},[", parts.status.as_u16());
    for (n, (name, value)) in parts.headers.iter().enumerate() {
        out.push_str(if n == 0 { "" } else { "," });
        write_string(name.as_str(), &mut out);
        out.push(',');
        write_string(value.to_str().unwrap_or_default(), &mut out);
    }
    out.push_str("],");
    // A whole body is there at once.
    let mut context = Context::from_waker(Waker::noop());
    let frame = Pin::new(&mut body).poll_frame(&mut context);
    let bytes = match frame {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        _ => Bytes::new(),
    };
    write_string(&String::from_utf8_lossy(&bytes), &mut out);
    out.push(']');
    out
}

/// A body that comes in parts; an empty one is its end.
#[derive(Debug)]
struct Incoming {
    parts: UnboundedReceiver<Bytes>,
    is_over: bool,
}

/// A body whose end did not come.
#[derive(Debug)]
struct BrokenOff;

impl Incoming {
    fn new() -> (UnboundedSender<Bytes>, Self) {
        let (sender, parts) = unbounded_channel();
        (sender, Self { parts, is_over: false })
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BrokenOff>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        self.parts.poll_recv(cx).map(|part| {
            self.is_over = part.as_ref().is_none_or(Bytes::is_empty);
            match part {
                Some(part) if part.is_empty() => None,
                Some(part) => Some(Ok(Frame::data(part))),
                None => Some(Err(BrokenOff)),
            }
        })
    }
}

/// A request that is under way.
struct Call {
    /// Nobody waits for it any more.
    gone: CancellationToken,
    /// Where the rest of its body goes.
    body: Option<UnboundedSender<Bytes>>,
}

/// The requests that are under way, by their tickets.
#[derive(Default)]
struct Calls {
    open: Mutex<BTreeMap<u64, Call>>,
    /// Told when one of them is over.
    over: Notify,
}

impl Calls {
    fn take(&self, ticket: u64) {
        self.open.lock().remove(&ticket);
        self.over.notify_waiters();
    }

    /// Takes those up to this ticket.
    fn take_until(&self, last: u64) -> BTreeMap<u64, Call> {
        let mut open = self.open.lock();
        let later = open.split_off(&(last + 1));
        std::mem::replace(&mut *open, later)
    }

    /// Waits until those up to this ticket are over.
    async fn end(&self, last: u64) {
        loop {
            let over = self.over.notified();
            let first = self.open.lock().first_key_value().map(|(ticket, _)| *ticket);
            if first.is_none_or(|first| first > last) {
                return;
            }
            over.await;
        }
    }
}

type Answered = Arc<dyn Fn(u64, String) + Send + Sync>;

/// Takes a request off the list when it is over, however that was; one that panics is answered.
struct UnderWay {
    calls: Arc<Calls>,
    ticket: u64,
    /// Absent when nothing more is owed.
    answered: Option<Answered>,
}

impl UnderWay {
    fn end(mut self, text: Option<String>) {
        if let (Some(answered), Some(text)) = (self.answered.take(), text) {
            answered(self.ticket, text);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(answered) = self.answered.take() {
            let refusal = Refusal::from(Error::bug("a request panicked"));
            answered(self.ticket, written(refuse(&refusal, &HeaderMap::new())));
        }
        self.calls.take(self.ticket);
    }
}

/// A service that is mounted.
pub struct Mount {
    service: Service,
    answered: Answered,
    calls: Arc<Calls>,
    runtime: RuntimeHandle,
    stop: CancellationToken,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Mount {
    /// Begins. `answered` is called with the ticket of each request and the text of its answer:
    /// `[status, [name, value, …], body]`.
    ///
    /// # Errors
    /// `Io` if there is no thread for it, `Limit` if the engine has had too many clients.
    pub fn open(
        handle: &EngineHandle,
        defaults: Defaults,
        process: Option<Arc<Process>>,
        answered: impl Fn(u64, String) + Send + Sync + 'static,
    ) -> Result<Self> {
        let service = Service::mounted(handle, defaults, process)?;
        let runtime = runtime().map_err(|error| no_server(&error))?;
        let (own, stop) = (runtime.handle().clone(), CancellationToken::new());
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("tasker-http".into())
            .spawn(move || {
                runtime.block_on(stopped.cancelled());
                runtime.shutdown_background();
            })
            .map_err(|error| no_server(&error))?;
        let (answered, calls) = (Arc::new(answered), Arc::default());
        Ok(Self { service, answered, calls, runtime: own, stop, thread: Mutex::new(Some(thread)) })
    }

    /// Requests are answered again after a close.
    pub fn reopen(&self) {
        self.service.reopen();
    }

    /// Begins to answer a request. `access` says what it may, if that is known; without a `body`
    /// it is fed.
    pub fn ask(&self, ticket: u64, head: &str, access: Option<Access>, body: Option<Vec<u8>>) {
        let (sender, incoming) = Incoming::new();
        let rest = match body {
            Some(bytes) => {
                // The other end is here.
                let _ = sender.send(bytes.into()).and_then(|()| sender.send(Bytes::new()));
                None
            }
            None => Some(sender),
        };
        let gone = CancellationToken::new();
        let call = Call { gone: gone.clone(), body: rest };
        self.calls.open.lock().insert(ticket, call);
        let (calls, answered) = (Arc::clone(&self.calls), Some(Arc::clone(&self.answered)));
        let under_way = UnderWay { calls, ticket, answered };
        let (request, service) = (read(head, incoming), self.service.clone());
        self.runtime.spawn(async move {
            let answer = async {
                let answer = match request {
                    Ok(mut request) => {
                        access.map(|access| request.extensions_mut().insert(access));
                        service.answer(request).await
                    }
                    Err(refusal) => refuse(&refusal, &HeaderMap::new()),
                };
                let length = answer.body().size_hint().lower() as usize;
                beside(length, move || written(answer)).await
            };
            let refused = |refusal| written(refuse(&refusal, &HeaderMap::new()));
            let text = tokio::select! {
                answer = answer => Some(answer.unwrap_or_else(refused)),
                () = gone.cancelled() => None,
            };
            under_way.end(text);
        });
    }

    /// The next part of a body, an empty one at its end, or none if it has broken off; whether more
    /// of it is wanted.
    pub fn feed(&self, ticket: u64, part: Option<Vec<u8>>) -> bool {
        let mut open = self.calls.open.lock();
        let Some(call) = open.get_mut(&ticket) else { return false };
        let is_wanted = part.zip(call.body.as_ref()).is_some_and(|(part, body)| {
            let is_last = part.is_empty();
            // Whoever read it may have refused it by now.
            body.send(part.into()).is_ok() && !is_last
        });
        if !is_wanted {
            call.body = None;
        }
        is_wanted
    }

    /// Nobody waits for a request any more.
    pub fn forget(&self, ticket: u64) {
        if let Some(call) = self.calls.open.lock().get(&ticket) {
            call.gone.cancel();
        }
    }

    /// Answers what is under way, polls that wait with nothing, and refuses what comes after;
    /// `done` is called when that is over.
    pub fn close(&self, done: impl FnOnce() + Send + 'static) {
        self.service.close();
        let (calls, answered) = (Arc::clone(&self.calls), Arc::clone(&self.answered));
        // Those that come after are none of its own: it may be open again by then.
        let last = calls.open.lock().last_key_value().map_or(0, |(ticket, _)| *ticket);
        self.runtime.spawn(async move {
            if timeout(CLOSE_TIMEOUT, calls.end(last)).await.is_err() {
                for (ticket, call) in calls.take_until(last) {
                    call.gone.cancel();
                    answered(ticket, written(refuse(&closed(), &HeaderMap::new())));
                }
            }
            done();
        });
    }

    /// Ends at once, and waits for that; nothing is answered any more.
    pub fn shutdown(&self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.lock().take() {
            // A panic of the thread ends the mount, and nothing else.
            let _ = thread.join();
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.shutdown();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_known_to_answer_is_seen_by_the_end_of_the_path() {
        for (verb, target, expected) in [
            ("POST", "/rpc", Some(true)),
            ("POST", "/a/b/rpc?x=/health/live", Some(true)),
            // It is refused whoever asks.
            ("OPTIONS", "/rpc", Some(false)),
            ("GET", "/a/health/live", Some(false)),
            ("POST", "/health/ready#x", Some(false)),
            ("POST", "/rpc/", None),
            ("POST", "/rpcs", None),
            ("GET", "/?x=/rpc", None),
            ("GET", "", None),
        ] {
            assert_eq!(needs_access(verb, target), expected, "{verb} {target}");
        }
    }

    fn head(headers: &str) -> String {
        format!(r#"{{"verb":"POST","target":"/rpc","host":"b","headers":[{headers}]}}"#)
    }

    #[test]
    fn a_head_is_read_with_its_headers() {
        let read = |headers: &str| read(&head(headers), Incoming::new().1);
        let host = |headers: &str| read(headers).unwrap().headers()[HOST].clone();
        assert_eq!(host(""), "b");
        assert_eq!(host(r#"":authority","c""#), "b");
        assert_eq!(host(r#""Host","a","Accept","x""#), "a");
        for wrong in [r#""a b","c""#, r#""a","b\r\nc: d""#, r#""","b""#] {
            assert_eq!(read(wrong).unwrap_err().reason, Reason::Unreadable, "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_body_without_its_end_is_none() {
        let read = |parts: &'static [&'static str]| async move {
            let (sender, body) = Incoming::new();
            parts.iter().for_each(|part| sender.send(Bytes::from(*part)).unwrap());
            drop(sender);
            let read = crate::body::read(body, 100, &Arc::default()).await;
            read.map(|held| held.bytes).map_err(|refusal| refusal.reason)
        };
        assert_eq!(read(&["a: 1\n", "b: 2", ""]).await.unwrap(), b"a: 1\nb: 2");
        assert_eq!(read(&[""]).await.unwrap(), b"");
        assert_eq!(read(&["a: 1\n"]).await, Err(Reason::Unreadable));
        assert_eq!(read(&[]).await, Err(Reason::Unreadable));
    }

    #[test]
    fn an_answer_of_what_is_closed_has_its_format() {
        let yaml = answer_closed(&head(r#""accept","text/yaml""#));
        assert!(yaml.starts_with("[503,[\"content-type\",\"text/yaml"), "{yaml}");
        assert!(yaml.ends_with(r#"tasker is closed or stopped\"\n"]"#), "{yaml}");
        let live = answer_closed(&head("").replace("/rpc", "/health/live"));
        assert!(live.ends_with(r#""closed TASKER_CLOSED\n"]"#), "{live}");
        assert!(answer_closed("").starts_with("[503,"));
    }
}
