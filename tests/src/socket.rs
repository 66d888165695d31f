//! Calls of a node's API over its local socket, as bytes.
//!
//! Invariant: a call ends, and an answer that was cut off is an error.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Calls the node of a data directory; gives the status and the answer's body.
///
/// # Errors
/// Where nobody answers, or not to the end, or not in time.
pub fn call(data: &Path, method: &str, path: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = UnixStream::connect(data.join("api.sock"))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut page = Vec::new();
    stream.read_to_end(&mut page)?;
    parse(&page).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn parse(page: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = page.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&page[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let found = name.eq_ignore_ascii_case("content-length");
        found.then(|| value.trim().parse::<usize>().ok())?
    });
    let body = page[end + 4..].to_vec();
    (length == Some(body.len())).then_some((status, body))
}

/// How long a node may be silent.
const LIMIT: Duration = Duration::from_secs(60);
