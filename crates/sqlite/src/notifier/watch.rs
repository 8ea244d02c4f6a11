//! Notifications by watching the own lock file (inotify).

use std::io::PipeWriter;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, inotify, open};
use tasker_core::store::Waker;

use super::spawn;

/// Bytes for the events of one look; those that do not fit come with the next.
const EVENT_BYTES: usize = 4_096;

/// The notifier of one owner.
#[derive(Debug)]
pub(crate) struct Notifier {
    /// The watch, until the thread takes it.
    watch: Option<OwnedFd>,
    listener: Option<Listener>,
}

#[derive(Debug)]
struct Listener {
    /// As soon as this is closed the thread ends.
    end: PipeWriter,
    thread: JoinHandle<()>,
}

impl Notifier {
    /// Begins to watch a lock file; nothing where the system has no watch left.
    pub(crate) fn bind(lock_file: &Path) -> Option<Notifier> {
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC).ok()?;
        // Not for opens that only read: to ask whether an owner lives must not wake it.
        inotify::add_watch(&watch, lock_file, inotify::WatchFlags::CLOSE_WRITE).ok()?;
        Some(Notifier { watch: Some(watch), listener: None })
    }

    /// Calls `waker` for each notification; several at once count as one.
    pub(crate) fn listen(&mut self, waker: Waker) {
        let Some(watch) = self.watch.take() else { return };
        let Ok((ended, end)) = std::io::pipe() else { return };
        let listening = move || {
            let mut events = [0; EVENT_BYTES];
            loop {
                let mut ready = [
                    PollFd::new(&watch, PollFlags::IN),
                    // With its writer closed it is ready in any case.
                    PollFd::new(&ended, PollFlags::empty()),
                ];
                match poll(&mut ready, None) {
                    Err(rustix::io::Errno::INTR) => continue,
                    Ok(_) if ready[1].revents().is_empty() => {}
                    _ => return,
                }
                if !matches!(rustix::io::read(&watch, &mut events), Ok(1..)) {
                    return;
                }
                waker();
            }
        };
        self.listener = spawn(listening).map(|thread| Listener { end, thread });
    }

    /// Whether a notification would be heard.
    pub(crate) fn is_listening(&self) -> bool {
        self.listener.as_ref().is_some_and(|listener| !listener.thread.is_finished())
    }

    /// Notifies the owner with this lock file.
    pub(crate) fn notify(&self, lock_file: &Path) {
        // Its owner may be gone, and with it the file. What else lies there must not stop us.
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        drop(open(lock_file, flags, Mode::empty()));
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        if let Some(Listener { end, thread }) = self.listener.take() {
            drop(end);
            let _ = thread.join();
        }
    }
}
