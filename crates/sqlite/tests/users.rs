//! Several users and several containers on one file: what one of them leaves beside it locks no
//! other out, and each hears of the others.
//!
//! Only root may become another user, so these tests need root and say so where they have it not.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod hand;

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use hand::{Hand, names, share};
use tasker_core::store::Store;
use tempfile::TempDir;

/// The user of the service, and two more who share a group.
const SERVICE: u32 = 61_001;
const ADA: u32 = 61_002;
const BOB: u32 = 61_003;
const GROUP: u32 = 61_004;

/// Where a child finds its database; in this process it is not set.
const DATABASE: &str = "TASKER_TEST_DATABASE";

/// A folder for several users, with a copy of this program that all of them may run.
struct Shared {
    _folder: TempDir,
    program: PathBuf,
    data: PathBuf,
    database: PathBuf,
}

impl Shared {
    /// A database of this owner, group and mode; nothing where we are not root.
    fn new(user: u32, group: u32, mode: u32) -> Option<Shared> {
        let folder = tempfile::tempdir().unwrap();
        if folder.path().metadata().unwrap().uid() != 0 {
            println!("left out: only root may become another user");
            return None;
        }
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let program = folder.path().join("program");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let database = data.join("tasks.db");
        Hand::beside(&database).close();
        for (path, mode) in [(&data, 0o775), (&database, mode)] {
            chown(path, Some(user), Some(group)).unwrap();
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        Some(Shared { _folder: folder, program, data, database })
    }

    /// Opens the database as another user, adds a task and waits, or says why it could not.
    fn open_as(&self, user: u32, group: u32) -> Other {
        self.start(Command::new(&self.program).uid(user).gid(group))
    }

    fn start(&self, program: &mut Command) -> Other {
        let mut child = program
            .args(["child", "--exact", "--nocapture", "--ignored"])
            .env(DATABASE, &self.database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.split_once("child: ").map(|(_, said)| said.to_owned()));
        Other { child, said: said.unwrap() }
    }

    /// Opens the database in a network of its own, as a container does.
    #[cfg(target_os = "linux")]
    fn open_in_another_network(&self) -> Other {
        let mut command = Command::new("unshare");
        self.start(command.arg("--net").arg(&self.program))
    }

    /// Owner, group and mode of what lies beside the database.
    fn beside(&self) -> Vec<(String, u32, u32, u32)> {
        let others = names(&self.data).into_iter().filter(|name| name != "tasks.db");
        let facts = others.map(|name| {
            let facts = fs::symlink_metadata(self.data.join(&name)).unwrap();
            (name, facts.uid(), facts.gid(), facts.mode() & 0o777)
        });
        facts.collect()
    }
}

/// A process of another user that has the database open, unless it says why not.
struct Other {
    child: Child,
    said: String,
}

impl Other {
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Not a test: what the other users run.
#[test]
#[ignore = "started by the tests of this file"]
fn child() {
    let Some(database) = std::env::var_os(DATABASE) else { return };
    let opened = share(Path::new(&database)).map(Hand::on);
    let said = match &opened {
        Ok(_) => "open".into(),
        Err(error) => format!("{} {error}", error.code().as_str()),
    };
    std::io::stdout().write_all(format!("\nchild: {said}\n").as_bytes()).unwrap();
    if let Ok(mut hand) = opened {
        hand.catch_up();
        hand.turn(Vec::new());
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn what_root_leaves_after_a_crash_locks_the_service_out_of_nothing() {
    let Some(shared) = Shared::new(SERVICE, SERVICE, 0o644) else { return };
    let root = shared.open_as(0, 0);
    assert_eq!(root.said, "open");
    for (name, user, group, mode) in shared.beside() {
        assert_eq!((user, group, mode), (SERVICE, SERVICE, 0o644), "{name}");
    }
    let service = shared.open_as(SERVICE, SERVICE);
    assert_eq!(service.said, "open", "while root has it open");
    service.kill();
    root.kill();
    let service = shared.open_as(SERVICE, SERVICE);
    assert_eq!(service.said, "open", "after root has crashed");
    service.kill();
}

#[test]
fn users_of_one_group_share_a_file_that_the_group_may_write() {
    let Some(shared) = Shared::new(ADA, GROUP, 0o660) else { return };
    let ada = shared.open_as(ADA, GROUP);
    let bob = shared.open_as(BOB, GROUP);
    assert_eq!((&*ada.said, &*bob.said), ("open", "open"));
    let users = shared.beside();
    for (name, _, group, mode) in &users {
        assert_eq!((*group, *mode), (GROUP, 0o660), "{name}");
    }
    assert!(users.iter().any(|(_, user, ..)| *user == BOB), "{users:?}");
    ada.kill();
    bob.kill();
    let bob = shared.open_as(BOB, GROUP);
    assert_eq!(bob.said, "open", "after both have crashed");
    bob.kill();
}

#[test]
fn a_file_of_another_user_that_may_not_be_opened_is_named_with_its_owner_and_mode() {
    let Some(shared) = Shared::new(SERVICE, SERVICE, 0o644) else { return };
    let lock = shared.data.join("tasks.db-lock");
    File::create(&lock).unwrap();
    fs::set_permissions(&lock, Permissions::from_mode(0o600)).unwrap();
    let service = shared.open_as(SERVICE, SERVICE);
    let facts = "tasks.db-lock belongs to user 0 and group 0 with mode 600";
    for part in ["TASKER_READ_ONLY", "cannot be opened", facts, "tasks.db"] {
        assert!(service.said.contains(part), "{}", service.said);
    }
    service.kill();
}

#[test]
fn a_log_of_another_user_that_may_not_be_written_is_named() {
    let Some(shared) = Shared::new(SERVICE, SERVICE, 0o644) else { return };
    let root = shared.open_as(0, 0);
    root.kill();
    let wal = shared.data.join("tasks.db-wal");
    chown(&wal, Some(0), Some(0)).unwrap();
    fs::set_permissions(&wal, Permissions::from_mode(0o600)).unwrap();
    let service = shared.open_as(SERVICE, SERVICE);
    let facts = "tasks.db-wal belongs to user 0 and group 0 with mode 600";
    assert!(service.said.contains(facts), "{}", service.said);
    service.kill();
}

#[test]
fn a_folder_that_may_not_be_written_is_named_with_its_owner_and_mode() {
    let Some(shared) = Shared::new(SERVICE, SERVICE, 0o644) else { return };
    chown(&shared.data, Some(0), Some(0)).unwrap();
    let service = shared.open_as(SERVICE, SERVICE);
    for part in ["TASKER_READ_ONLY", "cannot be made", "data belongs to user 0 and group 0"] {
        assert!(service.said.contains(part), "{}", service.said);
    }
    service.kill();
}

/// Where everybody may write, systems refuse to open a file of another user with `O_CREAT`.
#[test]
fn a_sticky_folder_of_everybody_works_too() {
    let Some(shared) = Shared::new(ADA, GROUP, 0o666) else { return };
    fs::set_permissions(&shared.data, Permissions::from_mode(0o1777)).unwrap();
    let lock = shared.data.join("tasks.db-lock");
    File::create(&lock).unwrap();
    chown(&lock, Some(BOB), Some(GROUP)).unwrap();
    let ada = shared.open_as(ADA, GROUP);
    assert_eq!(ada.said, "open");
    ada.kill();
}

/// An owner that is alone does not poll, so it must hear of a newcomer.
#[test]
fn an_owner_hears_of_one_of_another_user() {
    let Some(shared) = Shared::new(ADA, GROUP, 0o660) else { return };
    let woken = listening(&shared);
    let bob = shared.open_as(BOB, GROUP);
    assert_eq!(bob.said, "open");
    woken.recv().unwrap();
    bob.kill();
}

#[cfg(target_os = "linux")]
#[test]
fn an_owner_hears_of_one_in_another_network() {
    let Some(shared) = Shared::new(SERVICE, SERVICE, 0o644) else { return };
    let woken = listening(&shared);
    let other = shared.open_in_another_network();
    assert_eq!(other.said, "open");
    woken.recv().unwrap();
    other.kill();
}

/// What an owner hears that has the database for itself and does not poll.
fn listening(shared: &Shared) -> Receiver<()> {
    let mut alone = Hand::beside(&shared.database);
    let (wake, woken) = channel();
    alone.store.set_waker(Arc::new(move || wake.send(()).unwrap_or_default()));
    assert_eq!(alone.store.poll_interval_ms(), None);
    // As long as the process: its end is not what is tried here.
    std::mem::forget(alone);
    woken
}
