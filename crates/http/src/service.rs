//! One service for all that a server does: requests go in, answers come out.
//!
//! It looks at the end of the path only, so it stands behind any prefix.
//!
//! # Promises
//! - What is refused is told with its status, in the format that is accepted, and has changed
//!   nothing.
//! - Every answer says that it is not to be kept, and no header of CORS is ever sent.
//!
//! Proof: `__test__/contract/http.test.mjs`,
//! `__test__/contract/http-attacks.test.mjs`.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method as Verb, Request, Response, StatusCode};
use parking_lot::Mutex;
use tasker_core::definition::{Defaults, Operations};
use tasker_core::error::{Code, Result};
use tasker_engine::thread::{Handle, Moment};
use tokio::task::spawn_blocking;

use crate::access::Access;
use crate::body::{self, Bodies};
use crate::calls::Engine;
use crate::context::{Closing, Context, Shared};
use crate::format::Format;
use crate::gate::{Hosts, WrongTokens, check_site};
use crate::health::{Health, Verdict};
use crate::load::Load;
use crate::metrics;
use crate::names::Names;
use crate::process::Process;
use crate::refusal::{Reason, Refusal};
use crate::rpc::Calls;
use crate::settings::Settings;
use crate::token::{Tokens, Who};

/// Bytes of a body or an answer from which on it is read or written beside the other requests.
const LARGE_BYTES: usize = 64 * 1024;

/// What a server answers with.
pub type Answer = Response<Full<Bytes>>;

/// Who sends a request, if that is known; `serve` says so, and so may who mounts the service.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// The service.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    entrance: Entrance,
    bodies: Arc<Bodies>,
    load: Arc<Load>,
    process: Arc<Process>,
    health: Health,
}

/// How it is known who asks.
enum Entrance {
    /// By a token. The name by which the server is called is looked at, too.
    Tokens { hosts: Hosts, tokens: Tokens, wrong_tokens: WrongTokens },
    /// The server around it says so, with an [`Access`]. Its host is its own affair.
    Mounted,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Rpc,
    Live,
    Ready,
    Metrics,
}

impl Route {
    /// What a path is called where requests are counted, also if nothing stands there.
    fn label(path: &str) -> &'static str {
        match Self::of(path) {
            Some(Self::Rpc) => "rpc",
            Some(Self::Live) => "health/live",
            Some(Self::Ready) => "health/ready",
            Some(Self::Metrics) => "metrics",
            None => "other",
        }
    }

    pub(crate) fn of(path: &str) -> Option<Self> {
        let routes = [
            ("/rpc", Self::Rpc),
            ("/health/live", Self::Live),
            ("/health/ready", Self::Ready),
            ("/metrics", Self::Metrics),
        ];
        routes.into_iter().find_map(|(end, route)| path.ends_with(end).then_some(route))
    }
}

impl Service {
    /// A service of an open engine. `defaults` hold for tasks that it adds; `process` is what
    /// others know of this process, too.
    ///
    /// # Errors
    /// `Limit` if the engine has had too many clients.
    pub fn new(
        handle: &Handle,
        settings: Settings,
        defaults: Defaults,
        process: Option<Arc<Process>>,
    ) -> Result<Self> {
        let Settings { host, port, tokens, hosts, .. } = settings;
        let (hosts, wrong_tokens) = (Hosts::new(host, port, hosts), WrongTokens::default());
        Self::with(handle, Entrance::Tokens { hosts, tokens, wrong_tokens }, defaults, process)
    }

    /// The same for a server of the user's own: each request has an [`Access`], and no token is
    /// looked at.
    ///
    /// # Errors
    /// `Limit` if the engine has had too many clients.
    pub fn mounted(
        handle: &Handle,
        defaults: Defaults,
        process: Option<Arc<Process>>,
    ) -> Result<Self> {
        Self::with(handle, Entrance::Mounted, defaults, process)
    }

    fn with(
        handle: &Handle,
        entrance: Entrance,
        defaults: Defaults,
        process: Option<Arc<Process>>,
    ) -> Result<Self> {
        let process = process.unwrap_or_default();
        let shared = Shared {
            engine: Engine::connect(handle)?,
            names: Names::default(),
            defaults,
            operations: Mutex::new(Operations::default()),
            closing: Closing::default(),
        };
        Ok(Self(Arc::new(Inner {
            shared: Arc::new(shared),
            entrance,
            load: Arc::default(),
            bodies: Arc::default(),
            health: Health::new(Arc::clone(&process.pulse)),
            process,
        })))
    }

    /// From now on it is not ready, and nothing waits.
    pub fn close(&self) {
        self.0.shared.closing.begin();
    }

    /// Takes a close back.
    pub(crate) fn reopen(&self) {
        self.0.shared.closing.take_back();
    }

    /// Refuses a request whose head says two lengths.
    pub(crate) fn two_lengths(&self, path: &str, headers: &HeaderMap) -> Answer {
        let message = "a request has Content-Length or Transfer-Encoding, not both";
        let format = Format::of_answer(headers, Format::of_body(headers).ok());
        let answer = refused(&Refusal::new(Reason::Unreadable, message), headers, format);
        self.0.process.answered(Route::label(path), answer.status(), None);
        answer
    }

    /// Answers one request.
    pub async fn answer<B>(self, request: Request<B>) -> Answer
    where
        B: Body + Unpin,
    {
        let began = Moment::now();
        let (parts, body) = request.into_parts();
        let format = Format::of_answer(&parts.headers, Format::of_body(&parts.headers).ok());
        let mut answer = match self.0.respond(&parts, body, format).await {
            Ok(answer) => answer,
            Err(refusal) => refused(&refusal, &parts.headers, format),
        };
        let is_poll = answer.extensions_mut().remove::<Polled>().is_some();
        let began = (!is_poll).then_some(began);
        self.0.process.answered(Route::label(parts.uri.path()), answer.status(), began);
        answer
    }
}

impl Inner {
    async fn respond<B>(&self, parts: &Parts, body: B, format: Format) -> Served<Answer>
    where
        B: Body + Unpin,
    {
        let host = match &self.entrance {
            Entrance::Tokens { hosts, .. } => hosts.check(&parts.uri, &parts.headers)?,
            Entrance::Mounted => {
                let host = parts.headers.get(header::HOST);
                host.and_then(|host| host.to_str().ok()).unwrap_or_default()
            }
        };
        let route = Route::of(parts.uri.path()).ok_or_else(|| {
            let message =
                "there is nothing here; there are rpc, metrics, health/live, health/ready";
            Refusal::new(Reason::UnknownPath, message)
        })?;
        if route == Route::Rpc {
            return self.rpc(parts, body, (format, host)).await;
        }
        check_verb(parts, &[Verb::GET, Verb::HEAD])?;
        let Shared { engine, closing, .. } = &*self.shared;
        match route {
            Route::Rpc | Route::Metrics => {
                check_site(&parts.headers, host)?;
                let who = self.who(parts)?;
                let (kind, text) =
                    metrics::text(engine, &self.process, &parts.headers, who).await?;
                Ok(answer(StatusCode::OK, kind, text))
            }
            Route::Ready => Ok(health(self.health.ready(engine, closing.has_begun()).await)),
            Route::Live => Ok(health(self.health.live(engine).await)),
        }
    }

    async fn rpc<B>(&self, parts: &Parts, body: B, (format, host): (Format, &str)) -> Served<Answer>
    where
        B: Body + Unpin,
    {
        check_verb(parts, &[Verb::POST])?;
        check_site(&parts.headers, host)?;
        let who = self.who(parts)?;
        let read_as = Format::of_body(&parts.headers)?;
        let body = body::read(body, read_as.bytes_max(), &self.bodies).await?;
        let context = self.context(who);
        let role = who.role;
        let length = body.bytes.len();
        let calls =
            beside(length, move || Calls::read(&read_as.read(&body.bytes)?, role)).await??;
        let are_polls = calls.are_polls();
        let under_way = if are_polls { None } else { self.load.begin(&who.name) };
        let (status, json) = if under_way.is_some() || are_polls {
            calls.carry_out(context).await
        } else {
            calls.refuse(&Refusal::overloaded("too many requests of yours are under way"))
        };
        let text = beside(json.len(), move || format.write(json)).await?;
        let mut answer = answer(status, format.content_type(), text);
        if are_polls {
            answer.extensions_mut().insert(Polled);
        }
        Ok(answer)
    }

    /// Who asks.
    fn who<'r>(&'r self, parts: &'r Parts) -> Served<&'r Who> {
        match &self.entrance {
            Entrance::Tokens { tokens, wrong_tokens, .. } => {
                let from = parts.extensions.get::<Peer>().map(|peer| peer.0);
                wrong_tokens.check(tokens, &parts.headers, from)
            }
            // Its server goes on, so who polls would come again at once.
            Entrance::Mounted if self.shared.closing.has_begun() => Err(closed()),
            Entrance::Mounted => Access::who(parts.extensions.get()),
        }
    }

    fn context(&self, who: &Who) -> Context {
        let (shared, load) = (Arc::clone(&self.shared), Arc::clone(&self.load));
        Context { shared, who: who.clone(), load }
    }
}

/// Marks the answer to calls that do nothing but ask for tasks.
#[derive(Clone, Copy)]
struct Polled;

type Served<T> = std::result::Result<T, Refusal>;

/// Does something large beside the other requests, and something small at once.
pub(crate) async fn beside<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Served<T> {
    if bytes < LARGE_BYTES {
        return Ok(work());
    }
    let done = spawn_blocking(work).await;
    done.map_err(|_| Refusal::overloaded("the body could not be read"))
}

fn check_verb(parts: &Parts, verbs: &[Verb]) -> Served<()> {
    if verbs.contains(&parts.method) {
        return Ok(());
    }
    let names: Vec<&str> = verbs.iter().map(Verb::as_str).collect();
    let message = format!("only {} is answered here", names.join(", "));
    Err(Refusal::new(Reason::WrongVerb, message))
}

pub(crate) fn health((is_well, words): Verdict) -> Answer {
    let status = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(status, "text/plain; charset=utf-8", words + "\n")
}

fn answer(status: StatusCode, content_type: &'static str, text: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// The tasker that a server mounts is closed, or stopped.
pub(crate) fn closed() -> Refusal {
    Refusal::new(Reason::Engine(Code::Closed), "the tasker is closed or stopped")
}

pub(crate) fn refused(refusal: &Refusal, headers: &HeaderMap, format: Format) -> Answer {
    let mut json = String::new();
    refusal.write(&mut json);
    let mut answer = answer(refusal.reason.status(), format.content_type(), format.write(json));
    let mut insert = |name: HeaderName, value: &'static str| {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    };
    match refusal.reason {
        Reason::WrongVerb => insert(header::ALLOW, "POST"),
        // A browser that is asked for Basic opens a box of its own.
        Reason::Unauthorized if headers.contains_key("sec-fetch-mode") => {
            insert(header::WWW_AUTHENTICATE, "Bearer");
        }
        Reason::Unauthorized => insert(header::WWW_AUTHENTICATE, "Basic realm=\"tasker\""),
        Reason::Overloaded | Reason::TooManyWrongTokens => insert(header::RETRY_AFTER, "1"),
        _ => {}
    }
    // What was not read of the body must not be taken for another request.
    if matches!(
        refusal.reason,
        Reason::Unreadable | Reason::TooLarge | Reason::TooSlow | Reason::WrongHost
    ) {
        insert(header::CONNECTION, "close");
    }
    answer
}

impl<B> tower_service::Service<Request<B>> for Service
where
    B: Body + Unpin + Send + 'static,
    B::Data: Send,
    B::Error: Send,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}
