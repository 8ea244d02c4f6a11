//! Which kind of file system a folder lies on.
//!
//! # Promises
//! - A folder on a network file system that Linux names is refused (F-17): the write-ahead log
//!   needs locks that hold and memory that all processes share, which no such file system gives.
//!
//! # Left to others
//! Folders that a program copies elsewhere (sync folders) look like any other. On macOS and Windows
//! nothing is detected.
//!
//! Proof: the tests below; `__test__/process/disk.test.mjs` on a real mount.

#[cfg(unix)]
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use tasker_core::error::{Code, Error, Result};

/// File systems that lie on another machine, as the kernel calls them.
const NETWORK: &[&str] = &[
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "orangefs",
    "pvfs2",
    "smb3",
    "smbfs",
];
/// Programs behind a FUSE mount that fetch its files from another machine.
const NETWORK_FUSE: &[&str] = &[
    "blobfuse",
    "blobfuse2",
    "ceph",
    "ceph-fuse",
    "curlftpfs",
    "davfs",
    "davfs2",
    "gcsfuse",
    "glusterfs",
    "goofys",
    "gvfsd-fuse",
    "juicefs",
    "mount-s3",
    "mountpoint-s3",
    "rclone",
    "s3fs",
    "seaweedfs",
    "smbnetfs",
    "sshfs",
];

/// Refuses a folder, by its one name, if it lies on a network file system.
///
/// # Errors
/// `Unsupported`, with the kind of file system and where it is mounted.
pub(crate) fn refuse_network(folder: &Path) -> Result<()> {
    // Only Linux has this file. Without it nothing is known, and nothing is refused.
    let Ok(text) = fs::read("/proc/self/mountinfo") else { return Ok(()) };
    match network_below(folder, &text) {
        None => Ok(()),
        Some(mount) => Err(Error::new(
            Code::Unsupported,
            format!(
                "{} lies on a network file system ({} at {}), where locks and shared memory do \
                 not hold; use a folder on a disk of this machine",
                folder.display(),
                mount.kind,
                mount.point.display()
            ),
        )),
    }
}

/// A mounted file system.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    point: PathBuf,
    kind: String,
}

/// The mount that holds the folder, if it is one of a network file system.
fn network_below(folder: &Path, mountinfo: &[u8]) -> Option<Mount> {
    let lines = mountinfo.split(|byte| *byte == b'\n');
    let holding = lines.filter_map(mount).filter(|mount| folder.starts_with(&mount.point));
    // The deepest one holds it; of several on one folder the last covers the others.
    let mount = holding.max_by_key(|mount| mount.point.components().count())?;
    is_network(&mount.kind).then_some(mount)
}

fn is_network(kind: &str) -> bool {
    match kind.strip_prefix("fuse.") {
        Some(program) => NETWORK_FUSE.contains(&program),
        None => NETWORK.contains(&kind),
    }
}

/// A line of mountinfo: the fifth field is the place, the first after ` - ` the kind.
fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let point = name(&plain(fields.nth(4)?));
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some(Mount { point, kind: String::from_utf8_lossy(kind).into_owned() })
}

/// A field without its escapes: `\040` stands for a space, and so on.
fn plain(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = field;
    while let Some((byte, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| *byte == b'\\').and_then(octal);
        plain.push(code.unwrap_or(*byte));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    plain
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(unix)]
fn name(bytes: &[u8]) -> PathBuf {
    <OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn name(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = r"22 27 0:21 / /proc rw,relatime shared:12 - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
90 27 0:45 / /srv/nfs rw,relatime shared:50 master:3 - nfs4 files:/export rw,vers=4.2,hard
91 27 0:46 / /srv/share rw,relatime - cifs //files/share rw,vers=3.1.1,username=nobody
92 27 0:47 / /srv/over\040ssh\134there rw,nosuid - fuse.sshfs ada@there:/ rw,user_id=0
93 90 254:1 / /srv/nfs/local rw,relatime shared:51 - xfs /dev/vdb1 rw
94 27 0:48 / /mnt/c rw,noatime - 9p C:\134 rw,aname=drvfs,trans=fd
95 27 0:49 / /data/photos rw - fuse.mergerfs /a:/b rw
96 27 0:50 / /twice rw - ext4 /dev/vdc1 rw
97 96 0:51 / /twice rw - nfs files:/twice rw
98 27 0:52 /docker/volume /volume rw,relatime shared:1 - overlay overlay rw,lowerdir=/a";

    fn kind(folder: &str) -> Option<String> {
        network_below(Path::new(folder), MOUNTINFO.as_bytes()).map(|mount| mount.kind)
    }

    /// F-17
    #[test]
    fn a_folder_on_a_network_file_system_is_found_by_its_mount() {
        let cases = [
            ("/srv/nfs", "nfs4"),
            ("/srv/nfs/a/b", "nfs4"),
            ("/srv/share/queue", "cifs"),
            (r"/srv/over ssh\there/tasks", "fuse.sshfs"),
            ("/mnt/c/work", "9p"),
            ("/twice/covered", "nfs"),
        ];
        for (folder, expected) in cases {
            assert_eq!(kind(folder).as_deref(), Some(expected), "{folder}");
        }
    }

    #[test]
    fn a_folder_of_this_machine_is_taken_whatever_is_mounted_around_it() {
        let local = ["/", "/srv", "/srv/nfs2", "/srv/nfs/local/a", "/data/photos", "/volume/x"];
        for folder in local {
            assert_eq!(kind(folder), None, "{folder}");
        }
    }

    #[test]
    fn text_that_is_no_mountinfo_refuses_nothing() {
        for text in
            ["", "\n\n", "nfs", "1 2 3 4 / rw", "1 2 3 4 / rw -", r"1 2 3 4 /\ rw - nfs a b"]
        {
            assert_eq!(network_below(Path::new("/srv"), text.as_bytes()), None, "{text}");
        }
    }
}
