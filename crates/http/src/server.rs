//! A server: one thread of its own, which answers while the event loop is blocked.
//!
//! # Promises
//! - It listens before `listen` returns, and at a port that is taken it does not begin.
//! - A close answers what is under way, waits for it no longer than [`CLOSE_TIMEOUT`], and leaves
//!   neither thread nor port behind.
//!
//! Proof: `__test__/contract/http-listen.test.mjs`.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tasker_core::definition::Defaults;
use tasker_core::error::{Code, Error, Result};
use tasker_engine::thread::Handle;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::limits::{CLOSE_TIMEOUT, CONNECTIONS_MAX, HEAD_BYTES_MAX, HEADERS_MAX};
use crate::process::Process;
use crate::service::{Answer, Peer, Service};
use crate::settings::Settings;
use crate::wire::{Exchange, Wire};

/// Threads that read large bodies.
const BLOCKING_THREADS_MAX: usize = 2;
/// How long to wait after a connection could not be taken, for there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What a connection hears for which there is no room.
const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\
    retry-after: 1\r\nconnection: close\r\n\r\n";

/// An open server.
pub struct Server {
    address: SocketAddr,
    token: Option<String>,
    stop: Stop,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How a server ends.
#[derive(Clone, Default)]
struct Stop {
    /// It answers what is under way, and ends.
    soon: CancellationToken,
    /// It ends.
    now: CancellationToken,
}

impl Server {
    /// Listens, and serves an open engine, for a process of which others may know more. `ended` is
    /// called when nothing is left of the server.
    ///
    /// # Errors
    /// `Io` at `port` or `host` if it cannot listen there.
    pub fn listen(
        handle: &Handle,
        mut settings: Settings,
        defaults: Defaults,
        process: Option<Arc<Process>>,
        ended: impl FnOnce() + Send + 'static,
    ) -> Result<Self> {
        let listener = bind(SocketAddr::new(settings.host, settings.port))?;
        let address = listener.local_addr().map_err(|error| no_server(&error))?;
        settings.port = address.port();
        let token = settings.token.take();
        let service = Service::new(handle, settings, defaults, process)?;
        let stop = Stop::default();
        let stopping = stop.clone();
        let thread = std::thread::Builder::new()
            .name("tasker-http".into())
            .spawn(move || {
                run(listener, service, &stopping);
                ended();
            })
            .map_err(|error| no_server(&error))?;
        Ok(Self { address, token, stop, thread: Mutex::new(Some(thread)) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its token, if it has one alone.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Takes no more connections, answers what is under way, and ends.
    pub fn close(&self) {
        self.stop.soon.cancel();
    }

    /// Ends at once, and waits for that.
    pub fn shutdown(&self) {
        self.stop.now.cancel();
        if let Some(thread) = self.thread.lock().take() {
            // A panic of the thread ends the server, and nothing else.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            let message = format!("{address} is in use; give another port, or 0 for a free one");
            Error::at(Code::Io, "port", message).with_source(error)
        }
        io::ErrorKind::PermissionDenied => {
            let message = format!("this process may not listen at {}", address.port());
            Error::at(Code::Io, "port", message).with_source(error)
        }
        _ => {
            let message = format!("this machine cannot listen at {}", address.ip());
            Error::at(Code::Io, "host", message).with_source(error)
        }
    })?;
    listener.set_nonblocking(true).map_err(|error| no_server(&error))?;
    Ok(listener)
}

pub(crate) fn no_server(error: &io::Error) -> Error {
    Error::new(Code::Io, format!("the server cannot begin: {error}"))
}

/// What carries out requests on the thread that waits for it.
pub(crate) fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name("tasker-http-body")
        .build()
}

fn run(listener: TcpListener, service: Service, stop: &Stop) {
    match runtime() {
        Ok(runtime) => {
            let served = async {
                tokio::select! {
                    () = serve(listener, service, &stop.soon) => {}
                    () = stop.now.cancelled() => {}
                }
            };
            runtime.block_on(served);
            runtime.shutdown_background();
        }
        Err(error) => tracing::error!("the server cannot begin: {error}"),
    }
}

async fn serve(listener: TcpListener, service: Service, stop: &CancellationToken) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("the server cannot begin: {error}"),
    };
    let (mut connections, room) = (JoinSet::new(), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match Arc::clone(&room).try_acquire_owned() {
                    Ok(permit) => {
                        let (service, stop) = (service.clone(), stop.clone());
                        connections.spawn(async move {
                            connection(stream, peer, service, &stop).await;
                            drop(permit);
                        });
                    }
                    // Nothing is owed to it: it may hear why or not.
                    Err(_) => drop(stream.try_write(NO_ROOM)),
                },
                Err(error) => {
                    tracing::warn!("no connection can be taken: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    service.close();
    let ended = async { while connections.join_next().await.is_some() {} };
    // What has not ended by then is dropped with the set.
    let _ = timeout(CLOSE_TIMEOUT, ended).await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    service: Service,
    stop: &CancellationToken,
) {
    // Without it an answer would wait for the acknowledgement of an earlier one.
    let _ = stream.set_nodelay(true);
    let exchange = Arc::new(Exchange::default());
    let io = TokioIo::new(Wire::new(stream, Arc::clone(&exchange)));
    let answers = service_fn(move |request: Request<Incoming>| {
        let (service, exchange) = (service.clone(), Arc::clone(&exchange));
        async move { Ok::<_, Infallible>(exchanged(service, exchange, peer, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // `wire` has times of its own.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(io, answers);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection broke: {error}");
    }
}

async fn exchanged(
    service: Service,
    exchange: Arc<Exchange>,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Answer {
    let _busy = exchange.begin();
    if exchange.has_both_lengths() {
        return service.two_lengths(request.uri().path(), request.headers());
    }
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    request.extensions_mut().insert(Peer(peer.ip().to_canonical()));
    let is_old = request.version() != Version::HTTP_11;
    let mut answer = service.answer(request).await;
    // Behind a body without a length nothing else is read: a proxy may have taken its end for
    // something else.
    if is_chunked || is_old {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}
