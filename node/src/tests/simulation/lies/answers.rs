//! Lies in answers: what a partner may reply to an honest call.

use interdocket_proto::v1;
use interdocket_proto::v1::deliver_reply::Outcome;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::wire::refusal;
use prost::Message as _;

use super::super::net::Method;
use super::super::site::Process;
use super::super::world::World;

/// A lie that is told by an answer.
pub(super) struct Reply {
    /// What the partner does, in words.
    pub(super) name: &'static str,
    /// Its row in the catalogue of faults.
    pub(super) row: &'static str,
    /// What was asked.
    pub(super) to: Method,
    how: How,
}

/// How an answer is changed.
enum How {
    /// To another message.
    Told(fn(&[u8]) -> Vec<u8>),
    /// Into a refusal.
    Refused(Refusal),
    /// Pieces of a file, each.
    Pieces(fn(v1::Piece) -> Vec<v1::Piece>),
}

const fn told(
    name: &'static str,
    row: &'static str,
    to: Method,
    how: fn(&[u8]) -> Vec<u8>,
) -> Reply {
    let how = How::Told(how);
    Reply { name, row, to, how }
}

const fn read(
    name: &'static str,
    row: &'static str,
    how: fn(v1::Piece) -> Vec<v1::Piece>,
) -> Reply {
    Reply {
        name,
        row,
        to: Method::Read,
        how: How::Pieces(how),
    }
}

/// Every lie that is told by an answer.
pub(super) const REPLIES: &[Reply] = &[
    told(
        "gives a receipt that nobody signed",
        "A13",
        Method::Deliver,
        |bytes| receipt(bytes, |receipt| receipt.signature = vec![0; 64].into()),
    ),
    told(
        "gives a receipt for something else",
        "A9",
        Method::Deliver,
        |bytes| {
            receipt(bytes, |receipt| {
                let other = v1::Countersigned {
                    head: vec![7; 32].into(),
                    at: 0,
                };
                receipt.statement = other.encode_to_vec().into();
            })
        },
    ),
    told("neither takes nor refuses", "C3", Method::Deliver, |_| {
        v1::DeliverReply { outcome: None }.encode_to_vec()
    }),
    told(
        "misses the first entry for ever",
        "A12",
        Method::Deliver,
        |_| refuses(Refusal::Gap { expected: 1 }),
    ),
    told(
        "misses an entry that nobody wrote",
        "A12",
        Method::Deliver,
        |_| refuses(Refusal::Gap { expected: u64::MAX }),
    ),
    told("calls an honest log a fork", "A9", Method::Deliver, |_| {
        refuses(Refusal::Fork)
    }),
    told(
        "says that it knows no such share",
        "A6",
        Method::Deliver,
        |_| refuses(Refusal::NotShared),
    ),
    told("answers with noise", "C3", Method::Deliver, |_| {
        vec![0xFF; 40]
    }),
    told(
        "shows a head that its partner never signed",
        "E7",
        Method::Connect,
        |bytes| {
            let mut reply = v1::ConnectReply::decode(bytes).unwrap_or_default();
            if let Some(witness) = &mut reply.witness {
                let mut head = v1::Head::decode(witness.head.clone()).unwrap_or_default();
                head.count += 5;
                head.incarnation += 5;
                witness.head = head.encode_to_vec().into();
            }
            reply.encode_to_vec()
        },
    ),
    told(
        "speaks of a format and a life that there are not",
        "B9",
        Method::Connect,
        |_| {
            let reply = v1::ConnectReply {
                formats: vec![77],
                incarnation: u64::MAX,
                at: i64::MIN,
                version: "v".repeat(9999),
                ..Default::default()
            };
            reply.encode_to_vec()
        },
    ),
    told(
        "receives a revocation without a signature",
        "A13",
        Method::Revoke,
        |_| {
            let receipt = Some(v1::Countersignature::default());
            v1::RevokeReply { receipt }.encode_to_vec()
        },
    ),
    told(
        "lends keys that are none, for shares that are none",
        "A13",
        Method::Renew,
        |bytes| {
            let mut reply = v1::RenewReply::decode(bytes).unwrap_or_default();
            reply.leases.push(v1::Lease {
                share: vec![7; 16].into(),
                key: vec![1; 32].into(),
                seconds: u32::MAX,
            });
            reply
                .leases
                .iter_mut()
                .for_each(|lease| lease.seconds = u32::MAX);
            reply.encode_to_vec()
        },
    ),
    Reply {
        name: "refuses what it takes",
        row: "C9",
        to: Method::Deliver,
        how: How::Refused(Refusal::Busy),
    },
    Reply {
        name: "suspends nobody and says so",
        row: "C4",
        to: Method::Renew,
        how: How::Refused(Refusal::Suspended),
    },
    read("sends other bytes", "C1", |mut piece| {
        let mut data = piece.data.to_vec();
        data.iter_mut().for_each(|byte| *byte ^= 1);
        piece.data = data.into();
        vec![piece]
    }),
    read("sends every piece twice", "C3", |piece| {
        vec![piece.clone(), piece]
    }),
    read("sends without end", "C2", |mut piece| {
        piece.data = vec![7; 4096].into();
        vec![piece]
    }),
    read("leaves pieces out", "C3", |_| Vec::new()),
    read("sends files that nobody asked for", "C3", |mut piece| {
        piece.file = u32::MAX;
        vec![piece]
    }),
    read("says that its bytes are damaged", "C4", |mut piece| {
        piece.data.clear();
        piece.refusal = Some(refusal::write(Refusal::Damaged));
        vec![piece]
    }),
];

fn receipt(bytes: &[u8], change: impl FnOnce(&mut v1::Countersignature)) -> Vec<u8> {
    let mut reply = v1::DeliverReply::decode(bytes).unwrap_or_default();
    if let Some(Outcome::Receipt(receipt)) = &mut reply.outcome {
        change(receipt);
    }
    reply.encode_to_vec()
}

fn refuses(refused: Refusal) -> Vec<u8> {
    let outcome = Some(Outcome::Refusal(refusal::write(refused)));
    v1::DeliverReply { outcome }.encode_to_vec()
}

/// The lie that an answer of this node is changed by, if any.
fn chosen(world: &World, me: &Process, method: Method) -> Option<&'static Reply> {
    if world.lying.site.get() != Some(me.site) {
        return None;
    }
    let place = match world.lying.only.get() {
        Some(place) => place,
        None if world.calm.get() || !world.chance(150) => return None,
        None => usize::try_from(world.below(REPLIES.len() as u64)).ok()?,
    };
    REPLIES.get(place).filter(|reply| reply.to == method)
}

/// An answer as it is sent: as it should be, but where its node lies.
pub(in super::super) fn answered(
    world: &World,
    me: &Process,
    method: Method,
    honest: Result<Vec<u8>, Refusal>,
) -> Result<Vec<u8>, Refusal> {
    let (Ok(bytes), Some(lie)) = (&honest, chosen(world, me, method)) else {
        return honest;
    };
    world.note(format_args!(
        "{} answers: {}",
        world.sites[me.site].name, lie.name
    ));
    match &lie.how {
        How::Told(told) => Ok(told(bytes)),
        How::Refused(refused) => Err(*refused),
        How::Pieces(_) => honest,
    }
}

/// A piece of a file as it is sent.
pub(in super::super) fn piece(world: &World, me: &Process, honest: v1::Piece) -> Vec<v1::Piece> {
    match chosen(world, me, Method::Read).map(|lie| &lie.how) {
        Some(How::Pieces(change)) => change(honest),
        _ => vec![honest],
    }
}
