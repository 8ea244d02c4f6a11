//! How owners wake each other.
//!
//! A notification says only that something was committed; what it was stands in the journal. One
//! that is lost costs a delay, never a task: owners that are not alone also poll.
//!
//! On Linux an owner watches its own lock file, and to notify it is to open that file for writing
//! and to close it (`watch.rs`). So nothing lies in the folder that a copy of it would trip over,
//! whoever may write the database may notify, and containers with a network of their own hear each
//! other. Elsewhere on Unix it is a datagram socket beside the lock file (`socket.rs`). On Windows
//! there is nothing, and owners poll.
//!
//! # Promises
//! - To notify never blocks and never fails: an owner that does not listen polls.
//! - The thread that listens is joined, and what was made is removed, when the notifier is dropped
//!   (I-14).
//!
//! Proof: the tests below, `tests/shared.rs`.

use std::path::{Path, PathBuf};

use crate::location::beside;

#[cfg(all(unix, any(test, not(target_os = "linux"))))]
mod socket;
#[cfg(target_os = "linux")]
mod watch;

#[cfg(target_os = "linux")]
pub(crate) use watch::Notifier;

#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) use socket::Notifier;

#[cfg(not(unix))]
pub(crate) use silent::Notifier;

/// How the name of a socket goes on after that of its lock file.
pub(crate) const SUFFIX: &str = "-notify";

/// The socket beside a lock file, where there are sockets.
pub(crate) fn socket_of(lock_file: &Path) -> PathBuf {
    beside(lock_file, SUFFIX)
}

/// The thread of a notifier.
#[cfg(unix)]
fn spawn(listening: impl FnOnce() + Send + 'static) -> Option<std::thread::JoinHandle<()>> {
    let thread = std::thread::Builder::new().name("tasker-notifier".into());
    thread.stack_size(64 * 1024).spawn(listening).ok()
}

#[cfg(not(unix))]
mod silent {
    use std::path::Path;

    use tasker_core::store::Waker;

    /// No notifier: owners poll.
    #[derive(Debug)]
    pub(crate) struct Notifier;

    impl Notifier {
        pub(crate) fn bind(_lock_file: &Path) -> Option<Notifier> {
            None
        }
        pub(crate) fn listen(&mut self, _waker: Waker) {}
        pub(crate) fn is_listening(&self) -> bool {
            false
        }
        pub(crate) fn notify(&self, _lock_file: &Path) {}
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, File};
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    /// Two owners, of which one notifies the other, by one kind of notifier.
    macro_rules! wakes {
        ($name:ident, $notifier:ty) => {
            #[test]
            fn $name() {
                let folder = tempfile::tempdir().unwrap();
                let [one, two] = ["a-owner-1", "a-owner-2"].map(|name| folder.path().join(name));
                let _held = [&one, &two].map(|path| File::create(path).unwrap());
                let sender = <$notifier>::bind(&one).unwrap();
                let mut listener = <$notifier>::bind(&two).unwrap();
                assert!(!listener.is_listening());
                let (wake, woken) = channel();
                listener.listen(Arc::new(move || wake.send(()).unwrap_or_default()));
                assert!(listener.is_listening());

                sender.notify(&two);
                woken.recv().unwrap();
                sender.notify(&folder.path().join("nobody"));
                drop(File::open(&two).unwrap());
                sender.notify(&two);
                woken.recv().unwrap();

                fs::remove_file(&two).unwrap();
                drop(listener);
                assert!(woken.iter().count() <= 2, "its thread is gone");
                drop(sender);
                let left: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
                assert_eq!(left.len(), 1, "{left:?}");
            }
        };
    }

    #[cfg(target_os = "linux")]
    wakes!(one_that_watches_its_lock_file_is_woken, super::watch::Notifier);
    wakes!(one_with_a_socket_is_woken, super::socket::Notifier);
}
