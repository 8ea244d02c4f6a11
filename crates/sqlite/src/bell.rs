//! How owners wake each other: a datagram socket beside the lock file of each.
//!
//! A datagram says only that something was committed; what it was stands in the journal. One that
//! is lost costs a delay, never a task: owners that are not alone look by themselves too.
//!
//! # Promises
//! - Ringing never blocks and never fails: an owner that does not listen looks later.
//! - The thread that listens is joined and the socket removed when the bell is dropped (I-14).
//!
//! Proof: `tests/shared.rs`.

use std::path::{Path, PathBuf};

#[cfg(unix)]
pub(crate) use unix::Bell;

#[cfg(not(unix))]
pub(crate) use silent::Bell;

/// How the name of a bell goes on after that of its lock file.
pub(crate) const SUFFIX: &str = "-bell";

/// The bell beside a lock file.
pub(crate) fn beside(lock_file: &Path) -> PathBuf {
    crate::location::beside(lock_file, SUFFIX)
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, File};
    use std::net::Shutdown;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixDatagram;
    use std::path::{Path, PathBuf};
    use std::thread::JoinHandle;

    use tasker_core::store::Waker;

    use super::beside;

    /// What the address of a socket may be long, on the strictest system.
    const ADDRESS_BYTES_MAX: usize = 100;

    /// The bell of one owner.
    #[derive(Debug)]
    pub(crate) struct Bell {
        socket: UnixDatagram,
        path: PathBuf,
        folder: Folder,
        sender: UnixDatagram,
        listener: Option<JoinHandle<()>>,
    }

    impl Bell {
        /// Hangs a bell beside a lock file; nothing where the system has no room for one.
        pub(crate) fn hang(lock_file: &Path) -> Option<Bell> {
            let path = beside(lock_file);
            let folder = Folder::of(&path)?;
            let socket = UnixDatagram::bind(folder.address(&path)?).ok()?;
            let sender = UnixDatagram::unbound().ok()?;
            sender.set_nonblocking(true).ok()?;
            Some(Bell { socket, path, folder, sender, listener: None })
        }

        /// Calls `wake` for each datagram.
        pub(crate) fn listen(&mut self, wake: Waker) {
            let Ok(socket) = self.socket.try_clone() else { return };
            let listening = move || {
                let mut byte = [0];
                // A shut socket reads nothing.
                while matches!(socket.recv(&mut byte), Ok(1)) {
                    wake();
                }
            };
            let named = std::thread::Builder::new().name("tasker-bell".into());
            self.listener = named.stack_size(64 * 1024).spawn(listening).ok();
        }

        /// Whether somebody would hear it.
        pub(crate) fn is_heard(&self) -> bool {
            self.listener.is_some()
        }

        /// Rings the bell of the owner with this lock file.
        pub(crate) fn ring(&self, lock_file: &Path) {
            if let Some(address) = self.folder.address(&beside(lock_file)) {
                // Its owner may be gone, or have more wakes than it can read: both are fine.
                let _ = self.sender.send_to(&[1], address);
            }
        }
    }

    impl Drop for Bell {
        fn drop(&mut self) {
            // Wakes the thread, which ends.
            let _ = self.socket.shutdown(Shutdown::Both);
            if let Some(listener) = self.listener.take() {
                let _ = listener.join();
            }
            let _ = fs::remove_file(&self.path);
        }
    }

    /// The folder of the sockets, held open where paths may be too long for an address.
    #[derive(Debug)]
    struct Folder(Option<File>);

    impl Folder {
        fn of(path: &Path) -> Option<Folder> {
            if path.as_os_str().len() <= ADDRESS_BYTES_MAX {
                return Some(Folder(None));
            }
            if !cfg!(target_os = "linux") {
                return None;
            }
            File::open(path.parent()?).ok().map(|folder| Folder(Some(folder)))
        }

        /// A name of this path that is short enough.
        fn address(&self, path: &Path) -> Option<PathBuf> {
            let Some(folder) = &self.0 else { return Some(path.to_owned()) };
            let short = format!("/proc/self/fd/{}", folder.as_raw_fd());
            let address = Path::new(&short).join(path.file_name()?);
            (address.as_os_str().len() <= ADDRESS_BYTES_MAX).then_some(address)
        }
    }
}

#[cfg(not(unix))]
mod silent {
    use std::path::Path;

    use tasker_core::store::Waker;

    /// No bell: owners look by themselves.
    #[derive(Debug)]
    pub(crate) struct Bell;

    impl Bell {
        pub(crate) fn hang(_lock_file: &Path) -> Option<Bell> {
            None
        }
        pub(crate) fn listen(&mut self, _wake: Waker) {}
        pub(crate) fn is_heard(&self) -> bool {
            false
        }
        pub(crate) fn ring(&self, _lock_file: &Path) {}
    }
}
