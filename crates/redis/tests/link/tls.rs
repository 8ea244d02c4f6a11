//! A server that speaks TLS, with a certificate that the system trusts or not.

use std::path::Path;
use std::process::Command;

use tasker_core::error::Code;
use tasker_redis::link::Link;

use crate::{append_x, at, patient, settings, started, text};

/// Where the process of a test finds the port of its server.
const PORT: &str = "TASKER_TEST_PORT";

fn openssl(folder: &Path, line: &str) {
    let run = Command::new("openssl").args(line.split(' ')).current_dir(folder).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

/// An authority and a certificate of it for `localhost`.
fn certify(folder: &Path) {
    let key = "-newkey rsa:2048 -nodes -keyout";
    openssl(folder, &format!("req -x509 {key} ca.key -out ca.pem -days 2 -subj /CN=authority"));
    openssl(folder, &format!("req {key} key.pem -out request.pem -subj /CN=localhost"));
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost").unwrap();
    let signed = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem";
    openssl(folder, &format!("x509 -req -in request.pem {signed}"));
}

/// A process of its own, because what the system trusts is a matter of its environment.
#[test]
#[ignore = "another test starts it"]
fn trusting() {
    let port = std::env::var(PORT).unwrap();
    let mut link = Link::open(&at(&format!("rediss://localhost:{port}")), patient()).unwrap();
    assert_eq!(append_x(&mut link).unwrap(), text("x"));
}

#[test]
fn a_certificate_must_be_one_that_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let path = |name| folder.path().join(name).display().to_string();
    let server = started(&[
        "port 0",
        "tls-port {port}",
        "tls-auth-clients no",
        &format!("tls-ca-cert-file {}", path("ca.pem")),
        &format!("tls-cert-file {}", path("cert.pem")),
        &format!("tls-key-file {}", path("key.pem")),
    ]);
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["tls::trusting", "--exact", "--ignored"]);
    process.env(PORT, server.port().to_string()).env("SSL_CERT_FILE", path("ca.pem"));
    let trusting = process.output().unwrap();
    assert!(trusting.status.success(), "{}", String::from_utf8_lossy(&trusting.stdout));

    let error = Link::open(&at(&format!("rediss://localhost:{}", server.port())), settings());
    assert_eq!(error.unwrap_err().code(), Code::Busy);
}
