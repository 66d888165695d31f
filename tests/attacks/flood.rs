//! Frames as fast as they can be sent, on connections of a lying partner.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use interdocket_node::federation::tls;
use interdocket_tests::wait::until;

use crate::field::{Field, Figures};
use crate::frame::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RESET, SETTINGS,
    WINDOW, call, frame, message, stream,
};
use crate::liar::Liar;

/// Frames that are sent on a connection until that ends.
struct Flood {
    name: &'static str,
    /// Who serves there: the node, or the attacker, whom the node calls.
    serves: Serves,
    /// The n-th bytes.
    bytes: fn(u32) -> Vec<u8>,
    /// How often they are sent.
    times: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Serves {
    Node,
    Attacker,
}

const fn flood(name: &'static str, times: u32, bytes: fn(u32) -> Vec<u8>) -> Flood {
    Flood {
        name,
        serves: Serves::Node,
        bytes,
        times,
    }
}

const fn answers(name: &'static str, bytes: fn(u32) -> Vec<u8>) -> Flood {
    Flood {
        name,
        serves: Serves::Attacker,
        bytes,
        times: ENDLESS,
    }
}

fn opened(n: u32, flags: u8) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream(n), &call(READ, &[]))
}

/// The first call, once, and then other frames.
fn after(n: u32, then: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    if n == 0 { opened(0, 0) } else { then() }
}

/// One list of headers that never ends.
fn endless(n: u32, part: &[u8]) -> Vec<u8> {
    match n {
        0 => frame(HEADERS, END_STREAM, 1, &call(READ, &[])),
        _ => frame(CONTINUATION, 0, 1, part),
    }
}

const FLOODS: [Flood; 18] = [
    flood("rapid reset", 10_000, |n| {
        let reset = frame(RESET, 0, stream(n), &[0, 0, 0, 8]);
        [opened(n, END_STREAM), reset].concat()
    }),
    flood("resets that the node makes", 10_000, |n| {
        [opened(n, 0), frame(WINDOW, 0, stream(n), &[0; 4])].concat()
    }),
    flood("continuation", ENDLESS, |n| {
        endless(n, &call(READ, &[]).repeat(40))
    }),
    flood("empty continuation", ENDLESS, |n| endless(n, &[])),
    flood("long header lists", ENDLESS, |n| {
        let headers = call(READ, &[("x-padding", LONG); 150]);
        frame(HEADERS, END_STREAM | END_HEADERS, stream(n), &headers)
    }),
    flood("10,000 streams", 10_000, |n| opened(n, 0)),
    flood("100,000 streams", 100_000, |n| opened(n, 0)),
    flood("empty data", ENDLESS, |n| {
        after(n, || frame(DATA, 0, 1, &[]))
    }),
    flood("data of one byte", ENDLESS, |n| {
        after(n, || frame(DATA, 0, 1, &[0]))
    }),
    flood("ping", ENDLESS, |n| {
        frame(PING, 0, 0, &u64::from(n).to_be_bytes())
    }),
    flood("answers to no ping", ENDLESS, |n| {
        frame(PING, ACK, 0, &u64::from(n).to_be_bytes())
    }),
    flood("settings", ENDLESS, |_| {
        frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])
    }),
    flood("window updates", ENDLESS, |_| {
        frame(WINDOW, 0, 0, &[0, 0, 0, 1])
    }),
    flood("priority", ENDLESS, |n| {
        frame(PRIORITY, 0, stream(n), &[0, 0, 0, 0, 1])
    }),
    flood("compressed calls", 10_000, |n| {
        let headers = call(READ, &[("grpc-encoding", "gzip")]);
        let open = frame(HEADERS, END_HEADERS, stream(n), &headers);
        let bomb = message(8, true, &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
        [open, frame(DATA, END_STREAM, stream(n), &bomb)].concat()
    }),
    answers("ping, to a caller", |n| {
        frame(PING, 0, 0, &u64::from(n).to_be_bytes())
    }),
    answers("settings, to a caller", |_| {
        frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])
    }),
    answers("continuation, to a caller", |n| {
        endless(n, &call(READ, &[]).repeat(40))
    }),
];

/// Floods until told to stop, on a new connection where one ends; keeps how long each lasted, and why it ended.
fn attack(liar: &Liar, flood: &Flood, stop: &AtomicBool, ends: &Mutex<Vec<(Duration, String)>>) {
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        if let Err(error) = once(liar, flood, stop) {
            let end = (begun.elapsed(), error.to_string());
            ends.lock().unwrap().push(end);
        }
    }
}

fn once(liar: &Liar, flood: &Flood, stop: &AtomicBool) -> io::Result<()> {
    let mut line = match flood.serves {
        Serves::Node => liar.dial(tls::FORWARD)?,
        Serves::Attacker => liar.dial(tls::REVERSE)?,
    };
    line.greet(flood.serves == Serves::Node)?;
    let mut n = 0;
    while n < flood.times && !stop.load(Ordering::Relaxed) {
        let next = (n + 64).min(flood.times);
        let bytes: Vec<u8> = (n..next).flat_map(flood.bytes).collect();
        line.send(&bytes)?;
        n = next;
    }
    line.linger(Duration::from_secs(1))
}

/// Has the honest partner deliver under a flood, and gives how long that took, and how many connections ended, the
/// first of them when and why.
fn under(field: &mut Field, flood: &'static Flood) -> (Duration, String) {
    let (stop, ends) = (Arc::<AtomicBool>::default(), Arc::default());
    let lines = match flood.serves {
        Serves::Node => LINES,
        // A new one takes the place of the one before.
        Serves::Attacker => 1,
    };
    let attackers: Vec<_> = (0..lines)
        .map(|_| {
            let (liar, stop, ends) = (field.liar(), Arc::clone(&stop), Arc::clone(&ends));
            std::thread::spawn(move || attack(&liar, flood, &stop, &ends))
        })
        .collect();
    let took = field.deliver();
    let ended = until(&format!("{}: a connection ends", flood.name), || {
        let ends = ends.lock().unwrap();
        let (after, why) = ends.first()?;
        Some(format!(
            "{} end, after {} ms: {why}",
            ends.len(),
            after.as_millis()
        ))
    });
    stop.store(true, Ordering::Relaxed);
    for attacker in attackers {
        attacker.join().unwrap();
    }
    (took, ended)
}

/// fault C6, fault C7, L5, S19
#[test]
fn flood_of_a_lying_partner_ends_costs_little_and_disturbs_nobody() {
    let mut field = Field::new();
    field.deliver();
    println!("\n{}", Figures::HEAD);
    let calm = field.measure(|field| (field.deliver(), String::new()));
    calm.show("(none)");
    for flood in &FLOODS {
        let figures = field.measure(|field| under(field, flood));
        figures.show(flood.name);
        figures.bounded(flood.name);
    }
}

const READ: &str = "/interdocket.v1.Transfer/Read";
/// Until somebody has enough.
const ENDLESS: u32 = u32::MAX / 4;
/// Connections that flood at once.
const LINES: usize = 3;
/// A long text.
const LONG: &str =
    "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy";
