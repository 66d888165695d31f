//! A node that is made up, for tests: it gives fixed answers on a local socket.

use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use super::Context;
use super::client::Client;
use super::out::Out;
use crate::web;

/// A status, and a body that is sent whole.
pub(super) type Answer = (&'static str, Vec<u8>);

/// Answers every request on the socket of a data directory by its first line and body.
pub(super) fn serve(data: &Path, answer: impl Fn(&str) -> Answer + Send + 'static) {
    let path = data.join(web::SOCKET);
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 8192];
            let length = stream.read(&mut request).await.unwrap();
            let (status, body) = answer(&String::from_utf8_lossy(&request[..length]));
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
        }
    });
}

/// What a command has at hand, with a data directory.
pub(super) fn context(data: &Path) -> Context {
    Context {
        data: data.to_owned(),
        client: Client::new(data.to_owned()),
        out: Out::new(true),
    }
}
