//! Notifications by a datagram socket beside the lock file.

use std::fs;
use std::net::Shutdown;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use tasker_core::store::Waker;

use super::{socket_of, spawn};

/// The notifier of one owner.
#[derive(Debug)]
pub(crate) struct Notifier {
    socket: UnixDatagram,
    path: PathBuf,
    sender: UnixDatagram,
    thread: Option<JoinHandle<()>>,
}

impl Notifier {
    /// Binds a socket beside a lock file; nothing where the system has none left, or where the path
    /// is too long for an address.
    pub(crate) fn bind(lock_file: &Path) -> Option<Notifier> {
        let path = socket_of(lock_file);
        let socket = UnixDatagram::bind(&path).ok()?;
        let sender = UnixDatagram::unbound().ok()?;
        sender.set_nonblocking(true).ok()?;
        share(&path, lock_file);
        Some(Notifier { socket, path, sender, thread: None })
    }

    /// Calls `waker` for each notification.
    pub(crate) fn listen(&mut self, waker: Waker) {
        let Ok(socket) = self.socket.try_clone() else { return };
        self.thread = spawn(move || {
            let mut byte = [0];
            // A shut socket reads nothing.
            while matches!(socket.recv(&mut byte), Ok(1)) {
                waker();
            }
        });
    }

    /// Whether a notification would be heard.
    pub(crate) fn is_listening(&self) -> bool {
        self.thread.is_some()
    }

    /// Notifies the owner with this lock file.
    pub(crate) fn notify(&self, lock_file: &Path) {
        // Its owner may be gone, or have more notifications than it can read: both are fine.
        let _ = self.sender.send_to(&[1], socket_of(lock_file));
    }
}

/// Lets everyone send to it who may use the lock file, as far as the system lets us.
fn share(socket: &Path, lock_file: &Path) {
    let (Ok(own), Ok(model)) = (fs::symlink_metadata(socket), fs::metadata(lock_file)) else {
        return;
    };
    // Root's sockets go to the owner, who may write to them as they are. To set a mode by the path
    // would follow a link, which root must not do in a folder of others.
    if own.uid() == model.uid() && own.uid() != 0 {
        let _ = fs::set_permissions(socket, fs::Permissions::from_mode(model.mode() & 0o777));
    } else {
        let _ = lchown(socket, Some(model.uid()), Some(model.gid()));
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        // Wakes the thread, which ends.
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.path);
    }
}
