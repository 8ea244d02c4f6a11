//! A server of Redis for one test, with settings of its own.
//!
//! # Promises
//! - [`RedisServer::start`] returns when the server answers, and after a restart it has the same
//!   port and the same folder.
//! - [`RedisServer::kill`] is `kill -9`, and returns when the process is gone.
//! - The server dies with the process of the test, however that one ends: a shell holds a pipe to
//!   it and kills the server when the pipe closes.
//! - Without a server on this machine the error says what to install.
//!
//! It speaks to the server by itself, so that it needs no client crate, and it stands alone:
//! `tests/link/main.rs` of the crate `redis` takes this file in by its path.
//!
//! Proof: `crates/redis/tests/link/server.rs`.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use tasker_core::error::{Code, Error, Result};
use tempfile::TempDir;

/// Which program to start; `redis-server` if it is not set.
const PROGRAM_SETTING: &str = "TASKER_REDIS_SERVER";

/// Starts the server in the background, tells its process id and kills it when its own input ends.
const SHELL: &str = "\"$@\" </dev/null 2>&1 & p=$!; echo \"pid $p\"; exec >/dev/null 2>&1; \
    read -r _; kill -9 $p; wait $p";

/// Ports that no outgoing connection of this machine gets, so that a restart finds its port free.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How many ports are tried before it is said that there is none.
const ATTEMPTS_MAX: usize = 100;

/// What every test wants, and a test may set again.
const SETTINGS: [&str; 6] = [
    "bind 127.0.0.1",
    "save \"\"",
    "appendonly yes",
    "appendfsync everysec",
    "enable-debug-command yes",
    "repl-diskless-sync-delay 0",
];

/// What a server and a sentinel say when they are up.
const READY: [&str; 2] = ["Ready to accept connections", "+monitor master"];

/// A server that runs, or that a test has killed.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    lines: Vec<String>,
    is_sentinel: bool,
    running: Option<Running>,
}

impl RedisServer {
    /// Starts a server in a new folder. `lines` are lines of its configuration; they win over what
    /// it has by itself: an append-only file with `everysec`, no snapshots, `DEBUG` allowed.
    /// `{port}` in them is its port.
    ///
    /// # Errors
    /// `Io` if it is not installed, does not take a line or finds no port.
    pub fn start(lines: &[&str]) -> Result<Self> {
        Self::start_as(lines, false)
    }

    /// Starts a sentinel, which watches the primary that these lines name.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_sentinel(lines: &[&str]) -> Result<Self> {
        Self::start_as(lines, true)
    }

    fn start_as(lines: &[&str], is_sentinel: bool) -> Result<Self> {
        let folder = tempfile::tempdir();
        let folder = folder.map_err(|e| io("no folder for a server").with_source(e))?;
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        let mut server = Self { folder, port: 0, lines, is_sentinel, running: None };
        for _ in 0..ATTEMPTS_MAX {
            server.port = free_port();
            match server.restart() {
                // Somebody else was faster.
                Err(error) if error.message().contains("Address already in use") => {}
                other => return other.map(|()| server),
            }
        }
        Err(io("no port is free for a server"))
    }

    /// Starts it again, on the same port and with the same folder.
    ///
    /// # Errors
    /// `Io` if it does not come up.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        let config = self.folder.path().join("redis.conf");
        let own = [format!("port {}", self.port), format!("dir \"{}\"", self.path().display())];
        // A sentinel takes the first of them only.
        let count = if self.is_sentinel { 1 } else { SETTINGS.len() };
        let lines = SETTINGS[..count].iter().map(|line| (*line).to_owned()).chain(own);
        let lines: Vec<_> = lines.chain(self.lines.iter().cloned()).collect();
        let text = (lines.join("\n") + "\n").replace("{port}", &self.port.to_string());
        std::fs::write(&config, text)
            .map_err(|e| io("the configuration cannot be written").with_source(e))?;
        self.running = Some(Running::start(&config, self.is_sentinel)?);
        Ok(())
    }

    /// Starts it again with other lines of configuration.
    ///
    /// # Errors
    /// `Io` if it does not come up.
    pub fn restart_with(&mut self, lines: &[&str]) -> Result<()> {
        self.lines = lines.iter().map(|line| (*line).to_owned()).collect();
        self.restart()
    }

    /// `kill -9`; returns when the process is gone.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Stops the process where it stands; connections stay open and nothing is answered.
    ///
    /// # Errors
    /// `Io` if it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.signal("STOP")
    }

    /// Lets it go on after `freeze`.
    ///
    /// # Errors
    /// `Io` if it does not run.
    pub fn thaw(&self) -> Result<()> {
        self.signal("CONT")
    }

    fn signal(&self, name: &str) -> Result<()> {
        let running = self.running.as_ref().ok_or_else(|| io("the server does not run"))?;
        let sent = Command::new("kill").args([&format!("-{name}"), &running.pid]).status();
        match sent {
            Ok(status) if status.success() => Ok(()),
            other => Err(io(&format!("the signal {name} was not sent ({other:?})"))),
        }
    }

    /// The port, which stays the same for life.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder with its files.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `redis://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Sends one command on a connection of its own and returns the reply: a text or a number as
    /// it is, the parts of an array one a line, nothing for nil.
    ///
    /// # Errors
    /// `Io` with the server's words if it refuses, or if it does not answer.
    pub fn send(&self, words: &[&str]) -> Result<String> {
        self.send_all(&[words])
    }

    /// Sends some commands on one connection and returns the last reply.
    ///
    /// # Errors
    /// As `send`, for the first that fails.
    pub fn send_all(&self, commands: &[&[&str]]) -> Result<String> {
        let cut = |e: std::io::Error| io("the server did not answer").with_source(e);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = BufReader::new(TcpStream::connect(address).map_err(cut)?);
        let mut last = String::new();
        for words in commands {
            stream.get_mut().write_all(&encoded(words)).map_err(cut)?;
            last = reply(&mut stream).map_err(cut)?.map_err(|words| io(&words))?;
        }
        Ok(last)
    }
}

/// A process with its shell. When it is dropped, both are gone.
struct Running {
    shell: Child,
    pid: String,
    log: Arc<Mutex<String>>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = self.log.lock().map(|log| log.clone()).unwrap_or_default();
        write!(f, "process {}, which says:\n{log}", self.pid)
    }
}

impl Running {
    fn start(config: &Path, is_sentinel: bool) -> Result<Running> {
        let program = std::env::var(PROGRAM_SETTING);
        let program = program.unwrap_or_else(|_| "redis-server".to_owned());
        require(&program)?;
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", SHELL, "sh", &program]).arg(config);
        let shell = shell.args(is_sentinel.then_some("--sentinel"));
        let shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = shell.spawn().map_err(|e| io("no shell").with_source(e))?;
        let output = shell.stdout.take().ok_or_else(|| io("the shell has no output"))?;
        let (log, (told, heard)) = (Arc::<Mutex<String>>::default(), channel());
        let mut running = Running { shell, pid: String::new(), log: Arc::clone(&log) };
        let reading = thread::Builder::new().name("redis-server-log".into());
        reading
            .spawn(move || read_log(output, &log, &told))
            .map_err(|e| io("no thread for the log of a server").with_source(e))?;
        running.wait_until_ready(&heard)?;
        Ok(running)
    }

    fn wait_until_ready(&mut self, heard: &Receiver<String>) -> Result<()> {
        let mut is_ready = false;
        for line in heard {
            match line.strip_prefix("pid ") {
                Some(pid) => self.pid = pid.to_owned(),
                None => is_ready |= READY.iter().any(|ready| line.contains(ready)),
            }
            if is_ready && !self.pid.is_empty() {
                return Ok(());
            }
        }
        Err(io(&format!("the server did not start: {self:?}")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let ended = self.shell.wait();
        debug_assert!(ended.is_ok(), "the shell is a child of ours");
    }
}

/// Keeps what the server says, and tells it as long as somebody listens.
fn read_log(output: impl Read, log: &Mutex<String>, told: &Sender<String>) {
    for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
        if let Ok(mut log) = log.lock() {
            log.push_str(&line);
            log.push('\n');
        }
        // Nobody listens when it is up.
        told.send(line).unwrap_or_default();
    }
}

/// Refuses if there is no such program.
fn require(program: &str) -> Result<()> {
    let version = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    version.map(drop).map_err(|e| {
        let how = "install it (`apt-get install redis-server`, `brew install redis`) or name \
            another program such as valkey-server";
        io(&format!("{program} is not there; {how} in {PROGRAM_SETTING}")).with_source(e)
    })
}

/// A port nobody listens at just now; another one at each call.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let count = PORTS.end - PORTS.start;
    let start = (std::process::id().wrapping_mul(7_919) % u32::from(count)) as u16;
    let port = || {
        let place = u32::from(start) + u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        PORTS.start + (place % u32::from(count)) as u16
    };
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (0..count).map(|_| port()).find(is_free).unwrap_or(PORTS.start)
}

/// A command as the server reads it.
fn encoded(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
    }
    bytes
}

/// One reply, or the words with which the server refuses.
fn reply(stream: &mut impl BufRead) -> std::io::Result<std::result::Result<String, String>> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let line = line.trim_end();
    let Some((kind, rest)) = line.split_at_checked(1) else {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    };
    let count = || rest.parse::<i64>().map_err(std::io::Error::other);
    match kind {
        "-" => Ok(Err(rest.to_owned())),
        "$" => {
            let Ok(length) = usize::try_from(count()?) else { return Ok(Ok(String::new())) };
            let mut bytes = vec![0; length + 2];
            stream.read_exact(&mut bytes)?;
            bytes.truncate(length);
            Ok(Ok(String::from_utf8_lossy(&bytes).into_owned()))
        }
        "*" => {
            let parts: std::io::Result<Vec<_>> = (0..count()?).map(|_| reply(stream)).collect();
            let parts: std::result::Result<Vec<_>, _> = parts?.into_iter().collect();
            Ok(parts.map(|parts| parts.join("\n")))
        }
        _ => Ok(Ok(rest.to_owned())),
    }
}

fn io(message: &str) -> Error {
    Error::new(Code::Io, message)
}
