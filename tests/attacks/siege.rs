//! Strangers at the gate: connections and handshakes as many and as fast as they can.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use interdocket_node::federation::tls;
use interdocket_tests::wait::until;
use interdocket_tests::world::contact;
use interdocket_tests::{Node, Reach};
use socket2::{Domain, Socket, Type};

use crate::field::{Field, Figures};
use crate::liar::Liar;

/// What a stranger does with a connection; it is held until the next hundred.
struct Siege {
    name: &'static str,
    /// Addresses that strangers come from.
    sources: u32,
    knock: fn(TcpStream, &Liar) -> io::Result<TcpStream>,
}

const SIEGES: [Siege; 4] = [
    Siege {
        name: "silent connections",
        sources: 1,
        knock: |socket, _| Ok(socket),
    },
    Siege {
        name: "silent, of many sources",
        sources: 250,
        knock: |socket, _| Ok(socket),
    },
    Siege {
        name: "half handshakes",
        sources: 250,
        knock: |mut socket, _| {
            // The beginning of a hello of 512 bytes.
            socket.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])?;
            Ok(socket)
        },
    },
    Siege {
        name: "handshakes without end",
        sources: 250,
        knock: |mut socket, stranger| {
            let mut hands = stranger.hello(tls::FORWARD);
            while hands.is_handshaking() {
                hands.complete_io(&mut socket)?;
            }
            let _ = socket.read(&mut [0; 64])?;
            Ok(socket)
        },
    },
];

/// Opens a connection from an own address in 127/8.
fn from(source: u32, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let host = u8::try_from(source % 250 + 1).unwrap();
    socket.bind(&SocketAddr::from(([127, 9, 0, host], 0)).into())?;
    socket.connect_timeout(&address.into(), Duration::from_secs(1))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    Ok(socket.into())
}

fn besiege(siege: &Siege, stranger: &Liar, stop: &AtomicBool, knocks: &AtomicUsize) {
    let mut held: Vec<TcpStream> = Vec::new();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        if held.len() >= 100 {
            held.remove(0);
        }
        let knocked = from(n % siege.sources, stranger.address)
            .and_then(|socket| (siege.knock)(socket, stranger));
        knocks.fetch_add(1, Ordering::Relaxed);
        held.extend(knocked.ok());
    }
}

/// Has the honest partner dial anew and deliver while strangers knock; gives how long that took.
fn under(field: &mut Field, nobody: &Node, siege: &'static Siege) -> (Duration, String) {
    let (stop, knocks) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let strangers: Vec<_> = (0..THREADS)
        .map(|_| {
            let stranger = Liar::of(nobody, &field.north, Utc::now());
            let (stop, knocks) = (Arc::clone(&stop), Arc::clone(&knocks));
            std::thread::spawn(move || besiege(siege, &stranger, &stop, &knocks))
        })
        .collect();
    field.harbour.stop();
    until("the siege has begun", || {
        (knocks.load(Ordering::Relaxed) > 300).then_some(())
    });
    field.harbour.start();
    let begun = Instant::now();
    contact(&field.north, &field.harbour);
    let back = begun.elapsed();
    let took = field.deliver();
    stop.store(true, Ordering::Relaxed);
    for stranger in strangers {
        stranger.join().unwrap();
    }
    let knocks = knocks.load(Ordering::Relaxed);
    (
        took,
        format!("{knocks} knocks; back after {} ms", back.as_millis()),
    )
}

/// fault B13, L5, S19: a partner that has to dial anew is let in all the same.
#[test]
fn partner_comes_in_while_strangers_besiege_the_port() {
    let mut field = Field::new();
    let nobody = field.world.make("nobody", Reach::Hidden);
    field.deliver();
    println!("\n{}", Figures::HEAD);
    for siege in &SIEGES {
        let figures = field.measure(|field| under(field, &nobody, siege));
        figures.show(siege.name);
        figures.bounded(siege.name);
    }
}

/// Attackers at once.
const THREADS: usize = 3;
