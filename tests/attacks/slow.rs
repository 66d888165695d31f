//! A lying partner that takes its time: what it opened is not held for it.

use std::io;
use std::time::{Duration, Instant};

use interdocket_node::federation::tls;
use interdocket_tests::world::{case, copy, delivered, digests};
use interdocket_tests::{files, node};

use crate::field::{Field, Figures};
use crate::frame::{
    DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, SETTINGS, WINDOW, call, frame, message,
    stream,
};
use crate::liar::{Liar, Line};

/// Something slow that is done on one connection, until that ends.
struct Slow {
    name: &'static str,
    act: fn(&mut Line, &[u8]) -> io::Result<()>,
}

const SLOW: [Slow; 5] = [
    Slow {
        name: "says nothing",
        act: |line, _| line.linger(LONG),
    },
    Slow {
        name: "says one byte",
        act: |line, _| {
            line.send(&PREFACE[..1])?;
            line.linger(LONG)
        },
    },
    Slow {
        name: "drips a preface",
        act: |line, _| {
            for byte in PREFACE {
                line.send(&[*byte])?;
                line.linger(Duration::from_secs(1))?;
            }
            line.linger(LONG)
        },
    },
    Slow {
        name: "never reads",
        act: |line, read| unread(line, read, &[]),
    },
    Slow {
        name: "never reads, and seems alive",
        act: |line, read| unread(line, read, &frame(PING, 1, 0, &ALIVE)),
    },
];

/// Asks for a file again and again, with room for all of it, and never takes anything of it.
fn unread(line: &mut Line, read: &[u8], alive: &[u8]) -> io::Result<()> {
    line.greet(true)?;
    line.send(&frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]))?;
    line.send(&frame(WINDOW, 0, 0, &[0x7f, 0, 0, 0]))?;
    line.deaf();
    let length = u32::try_from(read.len()).unwrap();
    for n in 0..8 {
        line.send(&frame(HEADERS, END_HEADERS, stream(n), &call(READ, &[])))?;
        let asked = message(length, false, read);
        line.send(&frame(DATA, END_STREAM, stream(n), &asked))?;
    }
    let begun = Instant::now();
    while begun.elapsed() < LONG {
        line.send(alive)?;
        line.linger(Duration::from_secs(1))?;
    }
    Ok(())
}

/// A request for a file of a share with south, who has it already.
fn request(field: &mut Field) -> Vec<u8> {
    let film = field.world.path("film.bin");
    files::noise(&film, 32, 99);
    case(&field.north, "2026-0", &[&film]);
    field.south.start();
    let id = copy(&field.north, "2026-0", &field.south);
    delivered(&field.north, &field.south, &id);
    field.south.stop();
    let listed = field.north.call(&["evidence", "list", "2026-0"]);
    let digest = node::text(&listed["evidence"][0]["files"][0]["blake3"]);
    assert_eq!(digests(&field.north, "2026-0").len(), 1);
    // Transfer.Read: field 1 is the share, 2 the files, 2.1 a file's digest.
    let [share, digest] = [id.replace('-', ""), digest].map(|text| hex(&text));
    [&[0x0a, 16][..], &share, &[0x12, 34, 0x0a, 32], &digest].concat()
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(byte).collect()
}

/// fault C4, fault C8
#[test]
fn connection_that_says_nothing_or_is_never_read_from_ends() {
    let mut field = Field::new();
    let read = request(&mut field);
    field.deliver();
    println!("\n{}", Figures::HEAD);
    let figures = field.measure(|field| {
        let attackers = SLOW.map(|slow| {
            let (liar, read) = (field.liar(), read.clone());
            std::thread::spawn(move || {
                let mut line = liar.dial(tls::FORWARD).unwrap();
                let begun = Instant::now();
                let ended = (slow.act)(&mut line, &read);
                (slow.name, begun.elapsed(), ended)
            })
        });
        let took = field.deliver();
        let ends = attackers.map(|attacker| {
            let (name, after, ended) = attacker.join().unwrap();
            assert!(ended.is_err(), "{name}: goes on after {after:?}");
            format!("{name} {} s", after.as_secs())
        });
        (took, ends.join(", "))
    });
    figures.show("slow connections");
    figures.bounded("slow connections");
}

/// fault C4, S19: calls whose bytes do not come are given up, and take little meanwhile.
#[test]
fn calls_that_never_come_whole_are_given_up_and_take_little() {
    let mut field = Field::new();
    field.deliver();
    println!("\n{}", Figures::HEAD);
    let figures = field.measure(|field| {
        let attackers = [(); 6].map(|()| {
            let liar = field.liar();
            std::thread::spawn(move || halves(&liar))
        });
        let took = field.deliver();
        let given_up = attackers.map(|attacker| {
            let after = attacker.join().unwrap().unwrap();
            format!("{} s", after.as_secs())
        });
        (took, format!("given up after {}", given_up.join(", ")))
    });
    figures.show("half calls");
    figures.bounded("half calls");
}

/// Opens as many calls as there may be, and sends all but the last bytes of each as far as there is room; says
/// when all were given up.
fn halves(liar: &Liar) -> io::Result<Duration> {
    let mut line = liar.dial(tls::FORWARD)?;
    line.greet(true)?;
    for n in 0..STREAMS {
        line.send(&frame(HEADERS, END_HEADERS, stream(n), &call(DELIVER, &[])))?;
    }
    let begun = Instant::now();
    if let Err(full) = fill(&mut line)
        && full.kind() != io::ErrorKind::TimedOut
    {
        return Err(full);
    }
    while line.given_up() < STREAMS as usize {
        let given_up = line.given_up();
        assert!(
            begun.elapsed() < LONG,
            "{given_up} of the calls are given up"
        );
        line.linger(Duration::from_millis(500))?;
    }
    Ok(begun.elapsed())
}

fn fill(line: &mut Line) -> io::Result<()> {
    let part = vec![0; 16 * 1024 - 5];
    for n in 0..STREAMS {
        line.data(stream(n), &message(1 << 20, false, &part))?;
        for _ in 1..63 {
            line.data(stream(n), &part)?;
        }
    }
    Ok(())
}

const READ: &str = "/interdocket.v1.Transfer/Read";
const DELIVER: &str = "/interdocket.v1.Delivery/Deliver";
/// Calls on one connection.
const STREAMS: u32 = 64;
/// What hyper asks with whether somebody is there.
const ALIVE: [u8; 8] = [0x3b, 0x7c, 0xdb, 0x7a, 0x0b, 0x87, 0x16, 0xb4];
/// Longer than any of this may go on.
const LONG: Duration = Duration::from_secs(100);
