//! A proxy between a link and its server that cuts replies, swallows them and holds them back.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::redis_server::RedisServer;

/// What happens to replies.
#[derive(Debug, Default)]
struct Plan {
    /// How many bytes still come through before the connection is cut, and how often this is done.
    cut: Option<(usize, usize)>,
    /// How many bytes come through before the rest waits until the client speaks.
    hold: Option<usize>,
    /// How many times clients have spoken.
    spoken: usize,
    /// Connections that are muted: their replies are swallowed.
    muted: usize,
    /// How many connections there were.
    accepted: usize,
}

/// Passes bytes on as long as it is told nothing else.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    plan: Shared,
}

type Shared = Arc<(Mutex<Plan>, Condvar)>;

impl Proxy {
    pub(crate) fn before(server: &RedisServer) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (port, plan) = (listener.local_addr().unwrap().port(), Shared::default());
        let (to, shared) = (server.port(), Arc::clone(&plan));
        // It ends with the test process.
        spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                pass(client, to, &shared);
            }
        });
        Proxy { port, plan }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// How many connections there were.
    pub(crate) fn accepted(&self) -> usize {
        self.plan.0.lock().unwrap().accepted
    }

    /// Lets this many bytes of replies through and cuts the connection then; so often.
    pub(crate) fn cut_after(&self, bytes: usize, times: usize) {
        self.plan.0.lock().unwrap().cut = Some((bytes, times));
    }

    /// Lets this many bytes of what comes next through, and the rest when the client speaks.
    pub(crate) fn hold_after(&self, bytes: usize) {
        self.plan.0.lock().unwrap().hold = Some(bytes);
    }

    /// Swallows the replies on all connections that there are now.
    pub(crate) fn mute(&self) {
        let mut plan = self.plan.0.lock().unwrap();
        plan.muted = plan.accepted;
    }
}

fn spawn(run: impl FnOnce() + Send + 'static) {
    thread::Builder::new().spawn(run).unwrap();
}

fn pass(client: TcpStream, to: u16, plan: &Shared) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else { return };
    let number = {
        let mut plan = plan.0.lock().unwrap();
        plan.accepted += 1;
        plan.accepted
    };
    let (mut from, mut into) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let shared = Arc::clone(plan);
    spawn(move || {
        let mut buffer = [0; 4_096];
        // Either end may go at any moment.
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            shared.0.lock().unwrap().spoken += 1;
            shared.1.notify_all();
            if into.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        into.shutdown(Shutdown::Both).unwrap_or_default();
    });
    let plan = Arc::clone(plan);
    spawn(move || {
        replies(&server, &client, &plan, number);
        client.shutdown(Shutdown::Both).unwrap_or_default();
        server.shutdown(Shutdown::Both).unwrap_or_default();
    });
}

fn replies(mut server: &TcpStream, mut client: &TcpStream, shared: &Shared, number: usize) {
    let mut buffer = [0; 4_096];
    let mut budget = None;
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        let mut plan = shared.0.lock().unwrap();
        if number <= plan.muted {
            continue;
        }
        if let (None, Some((bytes, times))) = (budget, plan.cut) {
            budget = Some(bytes);
            plan.cut = (times > 1).then_some((bytes, times - 1));
        }
        if let Some(bytes) = plan.hold.take() {
            client.write_all(&buffer[..bytes]).unwrap();
            let before = plan.spoken;
            let spoken = shared.1.wait_while(plan, |plan| plan.spoken == before);
            drop(spoken.unwrap());
            client.write_all(&buffer[bytes..count]).unwrap();
            continue;
        }
        drop(plan);
        let through = budget.map_or(count, |left: usize| left.min(count));
        if client.write_all(&buffer[..through]).is_err() {
            return;
        }
        budget = budget.map(|left| left - through);
        if budget == Some(0) {
            return;
        }
    }
}
