//! A partner that lies: it holds the keys of an organisation that was paired, and says what it likes.
//!
//! Invariant: nothing here blocks for ever.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use interdocket_node::clock::System;
use interdocket_node::federation::tls::{Tls, Wall};
use interdocket_node::keys::{Keys, Pins};
use interdocket_sync::identity::OrganisationId;
use interdocket_tests::Node;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use crate::frame;

/// The keys of a partner in the hands of an attacker.
#[derive(Clone)]
pub(crate) struct Liar {
    tls: Tls,
    victim: OrganisationId,
    pub(crate) address: SocketAddr,
}

/// A connection of an attacker.
pub(crate) struct Line {
    tls: ClientConnection,
    socket: TcpStream,
    received: Vec<u8>,
    /// Bytes that came in all.
    pub(crate) heard: usize,
    /// Frames that came and say what becomes of a call: not settings, pings or windows.
    pub(crate) frames: Vec<frame::Read>,
    reads: bool,
    greeted: bool,
    /// Bytes of data that the other side takes by now.
    room: usize,
}

impl Liar {
    /// Takes the keys of a partner of the victim's; its certificate is issued at this moment, and valid for
    /// seven days from then.
    pub(crate) fn of(partner: &Node, victim: &Node, issued: DateTime<Utc>) -> Self {
        let keys = Keys::open(&partner.data.join("keys"), issued).unwrap();
        let whom = Keys::open(&victim.data.join("keys"), issued).unwrap();
        let pins = Pins::default();
        pins.set(whom.organisation(), whom.root_der()).unwrap();
        Self {
            tls: Tls {
                leaf: keys.tls(),
                pins,
                clock: Arc::new(Wall(Arc::new(System))),
            },
            victim: whom.organisation(),
            address: victim.federation,
        }
    }

    /// Begins to shake hands under an application protocol.
    pub(crate) fn hello(&self, protocol: &[u8]) -> ClientConnection {
        let config = self.tls.client(self.victim, protocol).unwrap();
        let name = ServerName::try_from("partner.invalid").unwrap();
        ClientConnection::new(Arc::new(config), name).unwrap()
    }

    /// Opens a connection under an application protocol.
    pub(crate) fn dial(&self, protocol: &[u8]) -> io::Result<Line> {
        let socket = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        socket.set_nonblocking(true)?;
        let mut line = Line {
            tls: self.hello(protocol),
            socket,
            received: Vec::new(),
            heard: 0,
            frames: Vec::new(),
            reads: true,
            greeted: false,
            room: 0xffff,
        };
        let begun = Instant::now();
        while line.tls.is_handshaking() {
            line.pump()?;
            if begun.elapsed() > PATIENCE {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(line)
    }
}

impl Line {
    /// Reads nothing from here on: what is sent to it stays where it is.
    pub(crate) fn deaf(&mut self) {
        self.reads = false;
    }

    /// Says how it speaks, as one that calls or is called, and answers from then on what keeps the connection up.
    pub(crate) fn greet(&mut self, calls: bool) -> io::Result<()> {
        self.greeted = true;
        let said = if calls {
            frame::PREFACE
        } else {
            &frame::frame(frame::SETTINGS, 0, 0, &[])
        };
        self.send(said)
    }

    /// Sends data on a stream as soon as there is room for it.
    pub(crate) fn data(&mut self, stream: u32, payload: &[u8]) -> io::Result<()> {
        let begun = Instant::now();
        while self.room < payload.len() {
            self.pump()?;
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "there is no room"));
            }
        }
        self.room -= payload.len();
        self.send(&frame::frame(frame::DATA, 0, stream, payload))
    }

    /// Sends bytes, and reads meanwhile.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let begun = Instant::now();
        for part in bytes.chunks(16 * 1024) {
            self.tls.writer().write_all(part)?;
            while self.tls.wants_write() {
                self.pump()?;
                if begun.elapsed() > PATIENCE {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "nothing is taken"));
                }
            }
        }
        self.pump()
    }

    /// How many calls were ended by the other side.
    pub(crate) fn given_up(&self) -> usize {
        let ended = |read: &&frame::Read| {
            read.0 == frame::RESET || (read.0 == frame::HEADERS && read.1 & frame::END_STREAM != 0)
        };
        let streams = self.frames.iter().filter(ended).map(|read| read.2);
        streams.collect::<BTreeSet<_>>().len()
    }

    /// Reads and answers what keeps the connection up, for a while or until it ends.
    pub(crate) fn linger(&mut self, time: Duration) -> io::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.pump()?;
        }
        Ok(())
    }

    /// Moves what can be moved now; rests where that is nothing.
    fn pump(&mut self) -> io::Result<()> {
        let wrote = self.tls.wants_write() && moved(self.tls.write_tls(&mut self.socket))?;
        if !self.reads {
            self.probe()?;
        }
        let read = self.reads && self.read()?;
        if !wrote && !read {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Sees whether the other side is gone, without taking anything of what it sent: it may end in good order, too.
    fn probe(&self) -> io::Result<()> {
        let mut ends = [PollFd::new(&self.socket, PollFlags::RDHUP)];
        poll(&mut ends, Some(&Timespec::default()))?;
        if ends[0].revents().is_empty() {
            return Ok(());
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    fn read(&mut self) -> io::Result<bool> {
        let got = match self.tls.read_tls(&mut self.socket) {
            Ok(0) => return Err(self.goodbye()),
            other => moved(other)?,
        };
        if !got {
            return Ok(false);
        }
        let state = self.tls.process_new_packets().map_err(io::Error::other)?;
        let mut bytes = vec![0; state.plaintext_bytes_to_read()];
        self.tls.reader().read_exact(&mut bytes)?;
        self.heard += bytes.len();
        self.received.extend(bytes);
        let mut answer = Vec::new();
        while let Some(read) = frame::next(&mut self.received) {
            match read {
                (frame::PING, 0, _, payload) => {
                    answer.extend(frame::frame(frame::PING, frame::ACK, 0, &payload));
                }
                (frame::SETTINGS, 0, ..) => {
                    answer.extend(frame::frame(frame::SETTINGS, frame::ACK, 0, &[]));
                }
                (frame::WINDOW, _, 0, more) => {
                    let more = more.try_into().map_or(0, u32::from_be_bytes);
                    self.room += usize::try_from(more).unwrap();
                }
                (frame::PING | frame::SETTINGS | frame::WINDOW, ..) => {}
                (frame::GOAWAY, ..) => return Err(io::Error::other(said(&read.3))),
                _ if self.frames.len() < KEPT => self.frames.push(read),
                _ => {}
            }
        }
        if self.greeted {
            self.tls.writer().write_all(&answer)?;
        }
        Ok(true)
    }

    fn goodbye(&self) -> io::Error {
        io::Error::new(io::ErrorKind::UnexpectedEof, "closed")
    }
}

/// What a GOAWAY says.
fn said(payload: &[u8]) -> String {
    let code = payload.get(7).copied().unwrap_or_default();
    let text = String::from_utf8_lossy(payload.get(8..).unwrap_or_default());
    format!("GOAWAY {code} {text}").trim_end().to_owned()
}

/// Whether bytes moved; that none could is no error.
fn moved(result: io::Result<usize>) -> io::Result<bool> {
    match result {
        Ok(bytes) => Ok(bytes > 0),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// How long anything may take that does not wait by itself.
const PATIENCE: Duration = Duration::from_secs(10);
/// Frames that are kept.
const KEPT: usize = 1024;
