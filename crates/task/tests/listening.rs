//! The HTTP server of an executor.

#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;
use task::TaskExecutor;

#[tokio::test]
async fn a_server_answers_and_closes() {
    let executor = TaskExecutor::new();
    let server = executor.listen(&json!({ "port": 0 })).unwrap();
    let (address, token) = (server.address(), server.token().unwrap().to_owned());
    let asked = tokio::task::spawn_blocking(move || {
        let body = r#"{"method":"awf.task/poll","params":{"taskDefinitions":["a"]}}"#;
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "POST /rpc HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = asked.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(r#""resources":[]"#), "{answer}");
    server.close().await;
    let wrong = executor.listen(&json!({ "port": "x" })).unwrap_err();
    assert_eq!(wrong.code(), Some("TASKER_INVALID"));
}
