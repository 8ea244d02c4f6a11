//! The servers that `listen` has opened: numbers for JavaScript, answers by their tickets. And what
//! is mounted in servers of the user's: a ticket for each request.
//!
//! # Promises
//! - `unlisten` is answered when nothing is left of its server, however it ended.
//!
//! Proof: `__test__/contract/http-listen.test.mjs`, `__test__/contract/http-mount.test.mjs`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tasker_core::definition::Defaults;
use tasker_core::error::{Code, Error, Result};
use tasker_core::json::write_string;
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::Ticket;
use tasker_engine::thread::{Handle, Sink};
use tasker_http::mount::Mount;
use tasker_http::server::Server;
use tasker_http::settings::Settings;
use tasker_http::{Access, Process};

use crate::effect_queue::EffectQueue;

/// Who waits for the end of a server.
#[derive(Default)]
struct End {
    is_over: bool,
    waiting: Vec<Ticket>,
}

struct Open {
    server: Server,
    end: Arc<Mutex<End>>,
}

/// The servers of a handle.
#[derive(Default)]
pub(crate) struct Servers {
    all: Mutex<(u64, BTreeMap<u64, Open>)>,
    mount: Mutex<Option<Mount>>,
    pub(crate) process: Arc<Process>,
}

/// A request that came through a server of the user's.
pub(crate) struct Asked<'a> {
    pub(crate) head: &'a str,
    /// What it may, if that is known.
    pub(crate) access: Option<&'a str>,
    /// Its body, unless that is fed.
    pub(crate) body: Option<Vec<u8>>,
}

impl Servers {
    /// Opens one; the answer is its number, where it listens, and its token.
    ///
    /// # Errors
    /// `Invalid` with the path of the option, `Io` if it cannot listen there.
    pub(crate) fn listen(
        &self,
        options: &str,
        handle: &Handle,
        defaults: Defaults,
        effects: &Arc<EffectQueue>,
    ) -> Result<String> {
        let settings = Settings::read(options)?;
        let (end, effects) = (Arc::<Mutex<End>>::default(), Arc::clone(effects));
        let ending = Arc::clone(&end);
        // It tells of itself as long as a server is there.
        let beats = self.process.awaits_beats();
        let ended = move || {
            drop(beats);
            let mut end = ending.lock();
            end.is_over = true;
            let done = |ticket| Effect::Answer(ticket, Answer::Done);
            effects.deliver(end.waiting.drain(..).map(done).collect());
        };
        let process = Some(Arc::clone(&self.process));
        let server = Server::listen(handle, settings, defaults, process, ended)?;
        let mut all = self.all.lock();
        all.1.retain(|_, open| !open.end.lock().is_over);
        all.0 += 1;
        let number = all.0;
        let text = described(number, &server);
        all.1.insert(number, Open { server, end });
        Ok(text)
    }

    /// Closes one; whether it is over by now. If not, the ticket is answered when it is.
    ///
    /// # Errors
    /// `Invalid` if the text is no number.
    pub(crate) fn unlisten(&self, ticket: Ticket, number: &str) -> Result<bool> {
        let wrong = |_| Error::invalid("server", "must be the number that `listen` gave");
        let number: u64 = number.parse().map_err(wrong)?;
        let all = self.all.lock();
        let Some(open) = all.1.get(&number) else { return Ok(true) };
        open.server.close();
        let mut end = open.end.lock();
        if !end.is_over {
            end.waiting.push(ticket);
        }
        Ok(end.is_over)
    }

    /// Requests may come through servers of the user's from now on.
    ///
    /// # Errors
    /// `Io` if there is no thread for it, `Limit` if the engine has had too many clients.
    pub(crate) fn mount(
        &self,
        handle: &Handle,
        defaults: Defaults,
        effects: &Arc<EffectQueue>,
    ) -> Result<()> {
        let mut mount = self.mount.lock();
        if let Some(mount) = &*mount {
            mount.reopen();
            return Ok(());
        }
        let effects = Arc::clone(effects);
        let answered = move |ticket, text| {
            effects.deliver(vec![Effect::Answer(ticket, Answer::Json(text))]);
        };
        *mount = Some(Mount::open(handle, defaults, Some(Arc::clone(&self.process)), answered)?);
        Ok(())
    }

    /// Begins to answer a request.
    ///
    /// # Errors
    /// `Closed` if nothing is mounted, `Invalid` if nobody knows such an access.
    pub(crate) fn ask(&self, ticket: Ticket, asked: Asked<'_>) -> Result<()> {
        let access = asked.access.map(Access::read).transpose()?;
        let mount = self.mount.lock();
        let mount = mount.as_ref().ok_or_else(|| Error::new(Code::Closed, "nothing is mounted"))?;
        mount.ask(ticket, asked.head, access, asked.body);
        // It comes from the event loop, so that goes round.
        self.process.beat();
        Ok(())
    }

    /// The next part of the body of a request, an empty one at its end, or none if it has broken
    /// off; whether more is wanted.
    pub(crate) fn feed(&self, ticket: Ticket, part: Option<Vec<u8>>) -> bool {
        self.mount.lock().as_ref().is_some_and(|mount| mount.feed(ticket, part))
    }

    /// Nobody waits for the answer to a request any more.
    pub(crate) fn forget(&self, ticket: Ticket) {
        if let Some(mount) = &*self.mount.lock() {
            mount.forget(ticket);
        }
    }

    /// Answers the requests that are under way, and refuses others; then answers the ticket.
    pub(crate) fn unmount(&self, ticket: Ticket, effects: &Arc<EffectQueue>) {
        let effects = Arc::clone(effects);
        let done = move || effects.deliver(vec![Effect::Answer(ticket, Answer::Done)]);
        match &*self.mount.lock() {
            Some(mount) => mount.close(done),
            None => done(),
        }
    }

    /// Ends all of them at once.
    pub(crate) fn shutdown(&self) {
        let mount = self.mount.lock().take();
        drop(mount);
        let all = std::mem::take(&mut self.all.lock().1);
        // Each waits for its thread.
        drop(all);
    }
}

fn described(number: u64, server: &Server) -> String {
    let address = server.address();
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) if ip.is_unspecified() => "[::1]".to_owned(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let port = address.port();
    let mut text = format!(r#"{{"number":{number},"port":{port},"url":"http://{host}:{port}""#);
    if let Some(token) = server.token() {
        text.push_str(r#","token":"#);
        write_string(token, &mut text);
    }
    text + "}"
}
