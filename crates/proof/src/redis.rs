//! A database of Redis under a prefix of its own, for the cases of the conformance suite.
//!
//! The server is started by the first case of a process and dies with the process: a shell waits
//! for the end of its input, which is the process's end however that comes.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tasker_core::error::{Code, Error, Result};
use tasker_redis::{Location, Options};

use crate::conformance::{Backend, Handle};

/// Starts a server, and ends it when nobody holds the other end of the input any more.
const WATCH: &str = r#"
folder=$(mktemp -d) || exit 1
cd "$folder" || exit 1
"$0" --bind 127.0.0.1 --port "$1" --save '' --appendonly yes --appendfsync everysec 2>&1 &
server=$!
exec >/dev/null
read -r line
kill -9 $server
wait $server 2>/dev/null
rm -rf "$folder"
"#;

/// How often a port is tried that somebody else may take meanwhile.
const TRIES: u32 = 5;

/// A server that runs as long as this process.
struct Server {
    url: String,
    _shell: Child,
    _input: Option<ChildStdin>,
}

static SERVER: OnceLock<Result<Server>> = OnceLock::new();

/// A prefix without a store.
#[derive(Debug)]
pub struct Keys(Location);

impl Keys {
    /// A new prefix.
    ///
    /// # Errors
    /// `Io` if no server can be started; the message says what to install.
    pub fn new() -> Result<Self> {
        static CASES: AtomicU32 = AtomicU32::new(0);
        let server = SERVER.get_or_init(start).as_ref().map_err(Clone::clone)?;
        let case = CASES.fetch_add(1, Ordering::Relaxed);
        Location::new(&server.url, &format!("case-{case}")).map(Self)
    }
}

impl Backend for Keys {
    fn open(&self) -> Result<Handle> {
        let (store, reader) = tasker_redis::open(&self.0, Options::default())?;
        Ok(Handle { store: Box::new(store), reader: Box::new(reader) })
    }
}

fn start() -> Result<Server> {
    let program = std::env::var("TASKER_REDIS_SERVER").unwrap_or_else(|_| "redis-server".into());
    let is_there = Command::new(&program).arg("--version").stdout(Stdio::null()).status();
    if !is_there.is_ok_and(|status| status.success()) {
        let text = format!(
            "`{program}` cannot be started: install the package redis-server or valkey-server, or \
             name the program in TASKER_REDIS_SERVER"
        );
        return Err(Error::new(Code::Io, text));
    }
    for _ in 0..TRIES {
        if let Some(server) = try_start(&program)? {
            return Ok(server);
        }
    }
    Err(Error::new(Code::Io, "the server does not start, whatever its port"))
}

/// Nothing if the server ends before it is ready, because the port was taken.
fn try_start(program: &str) -> Result<Option<Server>> {
    let io = |error| Error::new(Code::Io, "no server for a test").with_source(error);
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).map_err(io)?;
    let mut shell = Command::new("sh")
        .args(["-c", WATCH, program, &port.port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(io)?;
    let input = shell.stdin.take();
    let Some(output) = shell.stdout.take() else { return Ok(None) };
    let mut lines = BufReader::new(output).lines();
    let is_ready = lines
        .by_ref()
        .map_while(std::result::Result::ok)
        .any(|line| line.contains("eady to accept connections"));
    if !is_ready {
        return Ok(None);
    }
    // What it says besides is read, so that it can go on talking.
    std::thread::spawn(move || lines.map_while(std::result::Result::ok).for_each(drop));
    let url = format!("redis://{port}");
    Ok(Some(Server { url, _shell: shell, _input: input }))
}
