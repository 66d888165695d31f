//! A way between two nodes that is long, narrow, or breaks: connections to a node go through a proxy on this
//! machine.
//!
//! Invariant: bytes that arrive are those that were sent, in order; what breaks is the connection.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use socket2::SockRef;

/// How a way is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// How long every byte takes, in each direction.
    pub(crate) delay: Duration,
    /// How many bytes go through in a second, on each connection and in each direction.
    pub(crate) rate: u64,
    /// After how many bytes in one direction a connection is reset.
    pub(crate) reset: u64,
}

/// Opens a way from an address of this machine to a node, and gives its port.
pub(crate) fn open(here: &str, there: SocketAddr, weather: Weather) -> u16 {
    let listener = TcpListener::bind((here, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // It goes on until the process that runs the test ends: nothing is dialled through it by then.
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(client), Ok(server)) = (client, TcpStream::connect(there)) else {
                continue;
            };
            let ends = [(&client, &server), (&server, &client)];
            for (from, to) in ends.map(|(from, to)| (from.try_clone(), to.try_clone())) {
                let (Ok(from), Ok(to)) = (from, to) else {
                    continue;
                };
                direction(from, to, weather);
            }
        }
    });
    port
}

/// Moves bytes in one direction, until the connection ends or is reset.
fn direction(mut from: TcpStream, to: TcpStream, weather: Weather) {
    let (send, arrive) = sync_channel(QUEUE);
    std::thread::spawn(move || deliver(to, &arrive, weather));
    std::thread::spawn(move || {
        let mut through = 0;
        let mut bytes = vec![0; PIECE];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            through += count as u64;
            if through > weather.reset {
                // Both ends see it: what was under way is gone.
                let _ = SockRef::from(&from).set_linger(Some(Duration::ZERO));
                break;
            }
            let due = Instant::now() + weather.delay;
            if send.send((due, bytes[..count].to_vec())).is_err() {
                break;
            }
        }
        // What has ended cannot be shut down.
        let _ = from.shutdown(std::net::Shutdown::Both);
    });
}

fn deliver(mut to: TcpStream, arrive: &Receiver<(Instant, Vec<u8>)>, weather: Weather) {
    for (due, bytes) in arrive {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_secs_f64(
            bytes.len() as f64 / weather.rate as f64,
        ));
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// Bytes that are moved at once.
const PIECE: usize = 16 * 1024;
/// Pieces that are under way.
const QUEUE: usize = 64;
