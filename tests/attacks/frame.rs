//! Frames of HTTP/2, written by hand, and read as far as an attacker has to.

/// How HTTP/2 begins: the preface and empty settings.
pub(crate) const PREFACE: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The number of a client's n-th stream.
pub(crate) fn stream(n: u32) -> u32 {
    2 * n + 1
}

/// The headers of a call, as RFC 7541 writes them without a table.
pub(crate) fn call(path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    // POST, http, and a path, a name and a type in full.
    let mut headers = vec![0x83, 0x86, 0x04];
    headers.extend(text(path));
    headers.push(0x01);
    headers.extend(text("partner.invalid"));
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")]
        .iter()
        .chain(more)
    {
        headers.push(0x00);
        headers.extend(text(name));
        headers.extend(text(value));
    }
    headers
}

/// A text below 127 bytes.
fn text(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 127);
    [&[length], text.as_bytes()].concat()
}

/// A gRPC message that claims this many bytes, and has those given.
pub(crate) fn message(claimed: u32, compressed: bool, bytes: &[u8]) -> Vec<u8> {
    [&[u8::from(compressed)], &claimed.to_be_bytes()[..], bytes].concat()
}

/// A frame that was read: its kind, flags, stream and payload.
pub(crate) type Read = (u8, u8, u32, Vec<u8>);

/// Takes the next whole frame from the front of what was received.
pub(crate) fn next(received: &mut Vec<u8>) -> Option<Read> {
    let head: [u8; 9] = received.get(..9)?.try_into().unwrap();
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let end = 9 + usize::try_from(length).unwrap();
    let payload = received.get(9..end)?.to_vec();
    received.drain(..end);
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some((head[3], head[4], stream, payload))
}
