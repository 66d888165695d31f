//! A node that is made up, for tests: it gives fixed answers on a local socket.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::DateTime;
use interdocket_sync::id::{CaseId, EvidenceId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use uuid::Uuid;

use super::Context;
use super::client::Client;
use super::out::Out;
use crate::actions::{case, evidence, metadata};
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

/// An empty case, as a node shows it.
pub(super) fn case() -> Vec<u8> {
    json(&case::Case {
        id: CaseId::new(Uuid::nil()),
        number: "1".into(),
        title: String::new(),
        description: String::new(),
        state: case::State::Open,
        created_at: DateTime::UNIX_EPOCH,
        created_by: None,
        assignees: Vec::new(),
        evidence: 0,
        bytes: 0,
        origin: None,
        access: Vec::new(),
        tags: Vec::new(),
        retention: None,
        retention_until: None,
        hold: None,
        queued_for_deletion_on: None,
    })
}

/// An item of evidence with these files, as a node shows it.
pub(super) fn item(files: Vec<evidence::File>) -> Vec<u8> {
    json(&evidence::Evidence {
        id: EvidenceId::new(Uuid::nil()),
        cases: Vec::new(),
        title: String::new(),
        folder: String::new(),
        added_at: DateTime::UNIX_EPOCH,
        uploaded_at: DateTime::UNIX_EPOCH,
        added_by: metadata::Value {
            text: "kim".into(),
            organisation: None,
        },
        metadata: metadata::Metadata::default(),
        provenance: BTreeMap::new(),
        files,
        renditions: Vec::new(),
        origin: None,
        retention_until: None,
        hold: None,
        queued_for_deletion_on: None,
    })
}

fn json(shown: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(shown).unwrap()
}
