//! A share between two nodes, of which one may lie: whatever is let in, its writer could have written
//! honestly, and what is kept is what all of it amounts to.

use std::collections::BTreeMap;

use interdocket_proto::v1;
use prost::Message as _;

use super::harness::Input;
use crate::evidence::Item;
use crate::id::EvidenceId;
use crate::limits;
use crate::log::entry::{
    Body, DeclineReason, Entry, ItemChange, Place, Purged, RecallAnswer, Reshared, StoredItem, hash,
};
use crate::log::{Point, Side};
use crate::refusal::Refusal;
use crate::share::apply::{apply, open};
use crate::share::decide::{Command, decide};
use crate::share::status::status;
use crate::share::{BlobFact, Fact, Header, Hold, Key, Kind, Mode, Policy, Totals};
use crate::testing::{
    LIVE, Node, Pair, SYNCHRONISED, actor, at, evidence, item, metadata, offered, reference,
    reshared, revocation, stored,
};

/// Plays what the bytes say.
pub(super) fn share(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let kind = KINDS[input.below(KINDS.len())]();
    let liar = [None, Some(Side::Owner), Some(Side::Partner)][input.below(3)];
    let mut game = Game {
        pair: Pair::of(kind),
        liar,
        sent: Vec::new(),
    };
    run(&mut game.pair.owner, Command::Offer(offered()));
    for _ in 0..96 {
        if input.is_empty() {
            break;
        }
        game.step(&mut input);
    }
    game.end();
}

const KINDS: [fn() -> Kind; 5] = [
    || Kind::Copy,
    reference,
    || LIVE,
    || SYNCHRONISED,
    || {
        Kind::Advanced(Policy {
            mode: Mode::Synchronised,
            download: false,
            import: false,
            onward: false,
        })
    },
];

struct Game {
    pair: Pair,
    liar: Option<Side>,
    sent: Vec<(Side, Vec<u8>)>,
}

impl Game {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(8) {
            0..3 => {
                let command = command(input);
                run(self.pair.ends(command.side()).0, command);
            }
            3 => self.send(input),
            4 => {
                let at = input.below(self.sent.len());
                if let Some((side, bytes)) = self.sent.get(at).cloned() {
                    self.deliver(side, &bytes);
                }
            }
            5 if self.pair.owner.header.revoked => self.pair.partner.revoked(&revocation()),
            5 => {}
            6 => self.lie(input),
            _ => {
                let at = input.below(self.sent.len());
                if let Some((side, mut bytes)) = self.sent.get(at).cloned() {
                    let place = input.number() as usize % bytes.len();
                    bytes[place] ^= input.byte();
                    self.deliver(side, &bytes);
                }
            }
        }
    }

    /// Brings what the reader misses.
    fn send(&mut self, input: &mut Input<'_>) {
        let side = [Side::Owner, Side::Partner][input.below(2)];
        let back = input.below(4) as u64;
        let most = 1 + input.below(16);
        let (writer, reader) = self.pair.ends(side);
        let next = reader.header.log(side).point.count + 1;
        let batch = writer.batch(next.saturating_sub(back).max(1), most);
        if let Some(bytes) = batch {
            self.deliver(side, &bytes);
            self.sent.push((side, bytes));
        }
    }

    /// The reader of a log takes a message, whoever made it.
    fn deliver(&mut self, side: Side, bytes: &[u8]) {
        let honest = self.liar.is_none();
        let (_, reader) = self.pair.ends(side);
        let before = reader.clone();
        let taken = reader.take(bytes);
        let held = reader.header.hold != before.header.hold;
        match taken {
            Err(_) | Ok(0) if !held => assert_eq!(*reader, before),
            Err(_) => panic!("a message that was refused holds a share"),
            Ok(0) => {
                let mut unheld = reader.clone();
                unheld.header.hold = before.header.hold;
                assert_eq!(unheld, before);
            }
            Ok(_) => {
                assert_ne!(before.header.hold, Hold::Frozen);
                folded(reader);
            }
        }
        assert!(!before.header.revoked || reader.header.revoked);
        assert!(!honest || reader.header.hold == Hold::Free);
        let new = before.header.log(side).point.count + 1;
        let reader = reader.clone();
        for (_, entry) in reader.entries.range((side, new)..=(side, u64::MAX)) {
            could(&reader, entry);
        }
    }

    /// Signs what nobody decided, and brings it.
    fn lie(&mut self, input: &mut Input<'_>) {
        let Some(side) = self.liar else {
            return;
        };
        let (writer, reader) = self.pair.ends(side);
        let mut after = reader.header.log(side).point;
        if input.below(16) == 15 {
            after.count = input.number();
        }
        let mut entries = Vec::new();
        for _ in 0..=input.below(3) {
            let entry = forged(reader, side, after, input);
            after = entry.0;
            entries.push(entry.1);
        }
        let mut head = writer.head(after);
        match input.below(16) {
            13 => head.incarnation = input.number(),
            14 => head.point.count = input.number(),
            15 => head.owner = head.partner,
            _ => {}
        }
        let head = head.sign(&writer.organisation);
        let head = v1::SignedHead::decode(head.bytes.as_slice()).ok();
        let share = reader.header.share.as_bytes().to_vec().into();
        let terms = (reader.header.owner_log.point.count == 0)
            .then(|| v1::SignedTerms::decode(reader.terms.bytes.as_slice()).ok());
        let batch = v1::Batch {
            share,
            terms: terms.flatten(),
            entries,
            head,
        };
        let bytes = batch.encode_to_vec();
        self.deliver(side, &bytes);
        self.sent.push((side, bytes));
    }

    /// Honest ends come to the same; a liar's reader keeps what it let in.
    fn end(&mut self) {
        match self.liar {
            None => self.pair.exchange(),
            Some(side) => folded(self.pair.ends(side).1),
        }
        for node in [&self.pair.owner, &self.pair.partner] {
            counted(&node.header, &node.facts);
            for seconds in [0, 7 * 86_400, 1 << 40] {
                let _ = status(&node.header, 0, at(seconds));
            }
        }
    }
}

/// A command that is refused leaves no trace.
fn run(node: &mut Node, command: Command) {
    let before = node.clone();
    if node.run(command).is_err() {
        node.now = before.now;
        assert_eq!(*node, before);
    }
}

fn command(input: &mut Input<'_>) -> Command {
    let kind = input.below(22);
    let mut numbers = || -> Vec<u8> { (0..=input.below(3)).map(|_| input.byte() % 6).collect() };
    match kind {
        0 => Command::Add(numbers().into_iter().map(item).collect()),
        1 => Command::Change(numbers().into_iter().map(change).collect()),
        2 => Command::Withdraw(numbers().into_iter().map(id).collect()),
        3 => Command::Store(numbers().into_iter().map(stored).collect()),
        4 => Command::Import(numbers().into_iter().map(stored).collect()),
        5 => Command::ChangeCase(actor(), offered().info),
        6 => Command::ChangeRecipients(actor(), offered().recipients),
        7 => Command::Grant(actor()),
        8 => Command::Suspend(actor()),
        9 => Command::Resume(actor()),
        10 => Command::Revoke(actor()),
        11 => Command::End(actor()),
        12 => Command::Cancel(actor()),
        13 => Command::Purge(Totals::default()),
        14 => Command::ShareOnward(actor(), Vec::new()),
        15 => Command::Accept(None),
        16 => Command::Offer(offered()),
        17 => Command::List(actor()),
        18 => Command::Reshare(actor(), reshared("Bea")),
        19 => Command::Recall(actor(), "Sealed by the court".into()),
        20 => Command::AnswerRecall(actor(), answer(input.below(2) == 0)),
        _ => Command::Decline(actor(), DeclineReason::Unclear),
    }
}

fn id(number: u8) -> EvidenceId {
    evidence(number.into())
}

fn change(number: u8) -> ItemChange {
    ItemChange {
        evidence: id(number),
        title: "Renamed".into(),
        folder: "Elsewhere".into(),
        metadata: metadata(number ^ 3),
    }
}

/// An entry that a liar makes, and where the log is then.
fn forged(reader: &Node, side: Side, after: Point, input: &mut Input<'_>) -> (Point, v1::Entry) {
    let place = Place {
        share: reader.header.share,
        side,
        after,
        other: seen(reader, side.other(), input),
        at: at(i64::from(input.byte())),
    };
    let body = body(reader, side, input);
    let entry = Entry::new(&place, body, [7; 16]);
    let mut message = v1::Entry::decode(entry.bytes.as_slice()).unwrap_or_default();
    let mut header = v1::EntryHeader::decode(message.header).unwrap_or_default();
    match input.below(16) {
        12 => header.critical = false,
        13 => header.r#type = input.number() as i32,
        14 => header.previous = vec![input.byte(); 32].into(),
        15 => (message.salt, message.body, message.texts) = Default::default(),
        _ => {}
    }
    let header = header.encode_to_vec();
    let point = Point {
        count: after.count.saturating_add(1),
        hash: hash(&header),
    };
    message.header = header.into();
    (point, message)
}

/// What a liar says that it has seen of the other log.
fn seen(reader: &Node, side: Side, input: &mut Input<'_>) -> Point {
    let point = reader.header.log(side).point;
    let count = match input.below(8) {
        0..6 => return point,
        6 => point.count.saturating_sub(input.byte().into()),
        _ => input.number(),
    };
    let known = reader.entries.get(&(side, count)).map(|entry| entry.hash);
    Point {
        count,
        hash: known.unwrap_or_default(),
    }
}

/// What a liar says: of the types of its log, about things that are listed or not.
fn body(reader: &Node, side: Side, input: &mut Input<'_>) -> Body {
    let kind = input.below(16);
    let mut numbers = || -> Vec<u8> { (0..input.below(4)).map(|_| input.byte() % 6).collect() };
    let update = reader.header.update;
    match (side, kind) {
        (Side::Owner, 0) => Body::EvidenceAdded(numbers().into_iter().map(item).collect()),
        (Side::Owner, 1) => Body::EvidenceChanged(numbers().into_iter().map(change).collect()),
        (Side::Owner, 2) => Body::EvidenceWithdrawn(numbers().into_iter().map(id).collect()),
        (Side::Owner, 3) => Body::Listed(actor(), update.wrapping_add(input.below(3) as u32)),
        (Side::Owner, 4) => Body::Ended(actor()),
        (Side::Owner, 5) => Body::Cancelled(actor()),
        (Side::Owner, 6) => Body::CaseChanged(actor(), offered().info),
        (Side::Owner, 7) => Body::RecipientsChanged(actor(), Vec::new()),
        (Side::Owner, 8) => Body::ImportGranted(actor()),
        (Side::Owner, 9) => Body::Suspended(actor()),
        (Side::Owner, 10) => Body::Resumed(actor()),
        (Side::Owner, 11) => Body::EvidenceAdded(numbers().into_iter().map(bent).collect()),
        (Side::Owner, 12) => Body::Revoked(actor()),
        (Side::Owner, 13) => Body::RecallAsked(actor(), String::new()),
        (Side::Owner, _) => {
            let recipients = vec!["Cem".to_owned(); 1 + input.below(limits::RECIPIENTS_MAX)];
            Body::Reshared(
                actor(),
                Reshared {
                    recipients,
                    message: String::new(),
                },
            )
        }
        (Side::Partner, 0..4) => Body::Stored(numbers().into_iter().map(stored).collect()),
        (Side::Partner, 4..8) => Body::Imported(numbers().into_iter().map(stored).collect()),
        (Side::Partner, 8) => Body::Accepted(None),
        (Side::Partner, 9) => Body::SharedOnward(actor(), Vec::new()),
        (Side::Partner, 10) => Body::Stored(vec![StoredItem {
            evidence: id(1),
            files: Vec::new(),
        }]),
        (Side::Partner, 11) => Body::Purged(Purged::default()),
        (Side::Partner, 12) => Body::Purged(Purged {
            erased: Totals::default(),
            kept: reader.header.imported,
        }),
        (Side::Partner, 13) => Body::Declined(actor(), DeclineReason::Unneeded),
        (Side::Partner, _) => Body::RecallAnswered(actor(), answer(input.below(2) == 0)),
    }
}

fn answer(granted: bool) -> RecallAnswer {
    RecallAnswer {
        granted,
        reason: String::new(),
    }
}

/// An item with the files of another.
fn bent(number: u8) -> Item {
    Item {
        evidence: id(number ^ 1),
        ..item(number)
    }
}

/// What is kept is what both logs amount to.
fn folded(node: &Node) {
    let (mut header, facts) = node.fold();
    header.hold = node.header.hold;
    header.revoked |= node.header.revoked;
    for log in [Side::Owner, Side::Partner] {
        header.log_mut(log).incarnation = node.header.log(log).incarnation;
    }
    assert_eq!((&header, &facts), (&node.header, &node.facts));
    counted(&header, &facts);
}

/// Every sum is that of the facts.
fn counted(header: &Header, facts: &BTreeMap<Key, Fact>) {
    let mut sums = [Totals::default(); 3];
    let mut uses: BTreeMap<_, u64> = BTreeMap::new();
    for (key, fact) in facts {
        let (Key::Item(evidence), Fact::Item(item)) = (key, fact) else {
            continue;
        };
        let listed = item.withdrawn == 0;
        let stored = listed && item.stored != 0;
        for (sum, counts) in sums.iter_mut().zip([listed, stored, item.imported != 0]) {
            let sign = u64::from(counts);
            sum.evidence += sign;
            sum.files += sign * u64::from(item.files);
            sum.bytes += sign * item.bytes;
        }
        for place in 0..item.files {
            if let (true, Some(Fact::File(file))) =
                (listed, facts.get(&Key::File(*evidence, place)))
            {
                *uses.entry(file.blake3).or_default() += 1;
            }
        }
    }
    assert_eq!(sums, [header.listed, header.stored, header.imported]);
    for (key, fact) in facts {
        if let (Key::Blob(digest), Fact::Blob(BlobFact { uses: kept, .. })) = (key, fact) {
            assert_eq!(*kept, uses.get(digest).copied().unwrap_or_default());
        }
    }
}

/// Its writer, where it had seen what the entry says that it had, would have written it when told to.
fn could(node: &Node, entry: &Entry) {
    let Some(command) = wanted(&entry.body) else {
        return;
    };
    let mut header = open(&node.terms);
    let mut facts = BTreeMap::new();
    for other in node.entries.values() {
        let own = other.side == entry.side;
        let before = own && other.number < entry.number;
        if before || (!own && other.number <= entry.other.count) {
            let (next, puts) = apply(&header, &facts, other, 1);
            header = next;
            facts.extend(puts);
        }
    }
    match entry.body {
        // What came by itself stands in no log.
        Body::Purged(_) => header.revoked = node.header.revoked,
        // Since when it was suspended for its writer is not kept.
        Body::SharedOnward(..) => header.suspended = false,
        _ => {}
    }
    let written = decide(&header, &facts, command, entry.at, &mut || [7; 16]);
    let same = |written: Vec<Entry>| {
        written
            .iter()
            .any(|by| sorted(&by.body) == sorted(&entry.body))
    };
    let same = written.map(same);
    assert_eq!(
        same,
        Ok::<bool, Refusal>(true),
        "{:?} in {header:?}",
        entry.body
    );
}

/// What an honest writer would be told for it.
fn wanted(body: &Body) -> Option<Command> {
    Some(match body.clone() {
        Body::Offered(_, offered) => Command::Offer(offered),
        Body::EvidenceAdded(items) => Command::Add(items),
        Body::Listed(actor, _) => Command::List(actor),
        Body::Ended(actor) => Command::End(actor),
        Body::Cancelled(actor) => Command::Cancel(actor),
        Body::EvidenceChanged(changes) => Command::Change(changes),
        Body::EvidenceWithdrawn(ids) => Command::Withdraw(ids),
        Body::CaseChanged(actor, info) => Command::ChangeCase(actor, info),
        Body::RecipientsChanged(actor, names) => Command::ChangeRecipients(actor, names),
        Body::ImportGranted(actor) => Command::Grant(actor),
        Body::Suspended(actor) => Command::Suspend(actor),
        Body::Resumed(actor) => Command::Resume(actor),
        Body::Revoked(actor) => Command::Revoke(actor),
        Body::Accepted(actor) => Command::Accept(actor),
        Body::Stored(items) => Command::Store(items),
        Body::Imported(items) => Command::Import(items),
        Body::Purged(purged) => Command::Purge(purged.erased),
        Body::SharedOnward(actor, names) => Command::ShareOnward(actor, names),
        Body::Reshared(actor, said) => Command::Reshare(actor, said),
        Body::RecallAsked(actor, reason) => Command::Recall(actor, reason),
        Body::RecallAnswered(actor, answer) => Command::AnswerRecall(actor, answer),
        Body::Declined(actor, reason) => Command::Decline(actor, reason),
        Body::Unread => return None,
    })
}

/// What is withdrawn together has no order.
fn sorted(body: &Body) -> Body {
    let mut body = body.clone();
    if let Body::EvidenceWithdrawn(ids) = &mut body {
        ids.sort();
    }
    body
}

/// Openings from which the mutations go on: offered, listed, accepted and stored, in each kind.
#[cfg(test)]
#[expect(clippy::too_many_lines, reason = "a line or two for each seed")]
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    const LISTED: [u8; 14] = [0, 0, 2, 1, 2, 4, 0, 17, 3, 0, 0, 9, 0, 15];
    const STORED: [u8; 14] = [3, 1, 0, 9, 0, 3, 2, 1, 2, 4, 3, 1, 0, 9];
    let opening = |kind: u8, liar: u8| [&[kind, liar][..], &LISTED, &STORED].concat();
    let lies = |kind: u8, liar: u8, lies: &[u8]| {
        let each = lies
            .iter()
            .flat_map(|lie| [6, 0, 0, 0, 0, *lie, 2, 1, 2, 0, 0]);
        [opening(kind, liar), each.collect()].concat()
    };
    vec![
        (
            "copy",
            [opening(0, 0), vec![0, 11, 3, 0, 0, 9, 0, 12]].concat(),
        ),
        (
            "recalled",
            [
                opening(0, 0),
                vec![0, 18, 0, 19, 3, 0, 0, 9, 0, 20, 0, 3, 1, 0, 9, 0, 19],
            ]
            .concat(),
        ),
        ("declined", vec![0, 0, 3, 0, 0, 9, 0, 21, 3, 1, 0, 9, 0, 0]),
        (
            "reference",
            vec![
                1, 0, 3, 0, 0, 9, 0, 15, 3, 1, 0, 9, 0, 8, 0, 9, 0, 10, 3, 0, 0, 9, 5, 0, 13,
            ],
        ),
        (
            "live",
            [
                opening(2, 0),
                vec![0, 7, 3, 0, 0, 9, 0, 4, 1, 1, 2, 3, 1, 0, 9],
            ]
            .concat(),
        ),
        (
            "synchronised",
            [
                opening(3, 0),
                vec![0, 7, 0, 2, 0, 1, 0, 0, 0, 1, 0, 10, 5, 3, 0, 0, 9, 0, 13],
            ]
            .concat(),
        ),
        (
            "closed",
            [
                opening(4, 0),
                vec![0, 1, 0, 1, 0, 5, 0, 6, 0, 14, 4, 0, 4, 1],
            ]
            .concat(),
        ),
        (
            "liar-owner-copy",
            lies(0, 1, &[0, 3, 4, 5, 7, 9, 10, 11, 12, 13, 14]),
        ),
        (
            "liar-owner",
            lies(3, 1, &[0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12]),
        ),
        (
            "liar-partner-copy",
            lies(0, 2, &[0, 1, 8, 9, 10, 12, 13, 14]),
        ),
        (
            "liar-partner",
            [
                opening(3, 2),
                vec![0, 7],
                lies(3, 2, &[0, 4, 8, 9, 10, 11, 12])[2..].to_vec(),
            ]
            .concat(),
        ),
    ]
}
