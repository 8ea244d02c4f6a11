//! The server of the tests does what it promises.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::redis_server::RedisServer;
use crate::started;

#[test]
fn a_server_keeps_its_port_and_its_data() {
    let mut server = started(&[]);
    let port = server.port();
    assert_eq!(server.send(&["set", "k", "v"]).unwrap(), "OK");
    server.kill();
    server.send(&["get", "k"]).unwrap_err();
    server.restart().unwrap();
    assert_eq!(server.port(), port);
    assert_eq!(server.send(&["get", "k"]).unwrap(), "v");
}

#[test]
fn a_server_has_the_lines_of_the_test() {
    let mut server = started(&["maxmemory 123mb"]);
    assert_eq!(server.send(&["config", "get", "maxmemory"]).unwrap(), "maxmemory\n128974848");
    server.restart_with(&["appendfsync always"]).unwrap();
    assert_eq!(server.send(&["config", "get", "appendfsync"]).unwrap(), "appendfsync\nalways");
    let error = RedisServer::start(&["nonsense yes"]).unwrap_err();
    assert!(error.message().contains("nonsense"), "{error}");
}

/// A process of its own with a server, which says its port and then waits for ever.
#[test]
#[ignore = "other tests start it"]
fn lonely() {
    let server = started(&[]);
    // Not by `println!`, which the harness might keep for itself.
    writeln!(std::io::stdout(), "\nport {}", server.port()).unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn lonely_process() -> Command {
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["server::lonely", "--exact", "--ignored", "--nocapture"]);
    process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    process
}

#[test]
fn a_server_dies_with_the_process_of_its_test() {
    let mut process = lonely_process().spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port = lines.find_map(|line| line.strip_prefix("port ").map(str::to_owned)).unwrap();
    let mut connection = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    // Nobody closes it but the end of the server.
    let end = connection.read(&mut [0]);
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

#[test]
fn a_missing_server_says_what_to_install() {
    let missing = lonely_process().env("TASKER_REDIS_SERVER", "no-such-server").output().unwrap();
    let said = String::from_utf8_lossy(&missing.stderr).into_owned()
        + &String::from_utf8_lossy(&missing.stdout);
    assert!(!missing.status.success());
    assert!(said.contains("apt-get install redis-server"), "{said}");
}
