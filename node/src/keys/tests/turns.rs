//! Two organisations whose keys are renewed, handed over and lost sight of in any order, and one who stole a key.
//!
//! Invariant: partners that meet let each other in, whatever either did since they last met, and nobody lets in
//! who has only what a root that was handed over had.

use proptest::prelude::*;

use super::*;

/// What happens next; `bool` says to which of the two.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Days pass, and both renew what is due.
    Days(u8),
    /// A root hands over to another.
    HandOver(bool),
    /// A new operational key is certified.
    Certify(bool),
    /// The node starts anew, with what it has on disk and what it recorded of the other.
    Restart(bool),
    /// They meet; where that is cut off at one side, only the other learns from it.
    Meet(Option<bool>),
    /// Somebody copies all keys of one, that of its root as well.
    Steal(bool),
    /// Who did that dials the other, with what can be made of them.
    Pretend(bool),
}

struct Side {
    organisation: Organisation,
    root: PathBuf,
    roots: usize,
    /// What the other side is known by here, and the newest root that is on record.
    pins: Pins,
    later: Option<Vec<u8>>,
    /// The root that is known at the other side, by its number.
    known: usize,
    stolen: Option<(Organisation, usize)>,
}

impl Side {
    fn new(name: &str) -> Self {
        let organisation = organisation(name);
        Self {
            root: organisation.path.join("root.key"),
            organisation,
            roots: 0,
            pins: Pins::default(),
            later: None,
            known: 0,
            stolen: None,
        }
    }

    fn keys(&self) -> &Keys {
        &self.organisation.keys
    }

    /// Knows the other side by what is on record of it.
    fn pin(&mut self, other: &Keys) {
        self.pins = pinned(other);
        if let Some(later) = &self.later {
            self.pins.follow(other.organisation(), later).unwrap();
        }
    }

    fn hand_over(&mut self, now: DateTime<Utc>) {
        let to = self
            .organisation
            .path
            .join(format!("root-{}.key", self.roots + 1));
        let Ok(successor) = self.keys().successor(&self.root, &to, now) else {
            return assert_eq!(self.roots, usize::from(issue::SUCCESSORS));
        };
        self.keys().hand_over(&successor, now).unwrap();
        // The newest root is where the node looks for it.
        fs::rename(to, &self.root).unwrap();
        self.roots += 1;
    }

    /// All that is in the folder of keys, elsewhere.
    fn copy(&self, now: DateTime<Utc>) -> Organisation {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        file::directory(&path).unwrap();
        for (name, secret) in self.keys().copy().unwrap() {
            file::write(&path.join(name), &secret).unwrap();
        }
        let keys = Keys::open(&path, now).unwrap();
        Organisation {
            _dir: dir,
            path,
            keys,
        }
    }

    /// Judges who connects, in either role.
    fn judge(&self, shown: &CertifiedKey, now: DateTime<Utc>) -> Result<Behind, Unverified> {
        let at = std::time::Duration::from_secs(now.timestamp().unsigned_abs());
        let at = UnixTime::since_unix_epoch(at);
        let [leaf, above @ ..] = &shown.cert[..] else {
            return Err(Unverified::Chain);
        };
        let client = self.pins.check(leaf, above, Usage::Client, at);
        assert_eq!(client, self.pins.check(leaf, above, Usage::Server, at));
        client
    }
}

struct Pair {
    sides: [Side; 2],
    now: DateTime<Utc>,
}

impl Pair {
    fn new() -> Self {
        let mut sides = ["north", "south"].map(Side::new);
        let [north, south] = &mut sides;
        north.pin(south.keys());
        south.pin(north.keys());
        Self { sides, now: noon() }
    }

    fn both(&mut self, first: bool) -> (&mut Side, &mut Side) {
        let [north, south] = &mut self.sides;
        if first {
            (north, south)
        } else {
            (south, north)
        }
    }

    fn step(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Days(days) => {
                self.now += Duration::days(days.into());
                for side in &self.sides {
                    let renewal = side.keys().renew(self.now).unwrap();
                    assert!(!renewal.root_needed, "the newest root is here");
                }
            }
            Step::HandOver(first) => self.both(first).0.hand_over(now),
            Step::Certify(first) => {
                let side = self.both(first).0;
                let root = fs::read_to_string(&side.root).unwrap();
                side.keys().certify(&root, now).unwrap();
            }
            Step::Restart(first) => {
                let (side, other) = self.both(first);
                side.organisation.keys = Keys::open(&side.organisation.path, now).unwrap();
                side.pin(other.keys());
            }
            Step::Meet(cut) => {
                for first in [true, false] {
                    self.meet(first, cut != Some(first));
                }
            }
            Step::Steal(first) => {
                let side = self.both(first).0;
                side.stolen = Some((side.copy(now), side.roots));
            }
            Step::Pretend(first) => self.pretend(first),
        }
    }

    /// One side dials and is let in; the other learns which root it has by now, unless it is cut off.
    fn meet(&mut self, first: bool, learns: bool) {
        let now = self.now;
        let (side, other) = self.both(first);
        let behind = other.judge(&side.keys().tls().current(), now).unwrap();
        assert_eq!(behind.organisation, side.keys().organisation());
        assert_eq!(
            behind.later.is_some(),
            side.known < side.roots,
            "news are news"
        );
        // What was signed counts by the first root, whenever that was.
        let signer = side.keys().signer();
        let signature = signer.sign(b"head");
        verify(
            &other.pins,
            side.keys(),
            signer.certificates(),
            &signature,
            now,
        )
        .unwrap();
        if let Some(later) = behind.later.filter(|_| learns) {
            other.later = Some(later.to_vec());
            other.pin(side.keys());
            side.known = side.roots;
        }
    }

    /// What was stolen lets in as long as nothing newer was seen of the root, and not a moment longer, whatever is
    /// certified by it or handed over to from it.
    fn pretend(&mut self, first: bool) {
        let now = self.now;
        let (side, other) = self.both(first);
        let Some((thief, root)) = side.stolen.take_if(|(_, root)| *root < side.known) else {
            return;
        };
        let old = thief.path.join("root.key");
        let pem = fs::read_to_string(&old).unwrap();
        thief.keys.certify(&pem, now).unwrap();
        let refused = Err(Unverified::Chain);
        assert_eq!(
            other.judge(&thief.keys.tls().current(), now),
            refused,
            "root {root}"
        );
        let own = thief.path.join("own.key");
        let Ok(successor) = thief.keys.successor(&old, &own, now) else {
            return;
        };
        thief.keys.hand_over(&successor, now).unwrap();
        assert_eq!(
            other.judge(&thief.keys.tls().current(), now),
            refused,
            "root {root}"
        );
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let side = any::<bool>;
    let step = prop_oneof![
        2 => (1..60_u8).prop_map(Step::Days),
        2 => side().prop_map(Step::HandOver),
        1 => side().prop_map(Step::Certify),
        1 => side().prop_map(Step::Restart),
        4 => proptest::option::of(side()).prop_map(Step::Meet),
        1 => side().prop_map(Step::Steal),
        2 => side().prop_map(Step::Pretend),
    ];
    proptest::collection::vec(step, 2..6)
}

proptest! {
    // Ten times a hundred interleavings between two meetings.
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 32, ..ProptestConfig::default() })]

    /// fault B7
    #[test]
    fn keys_that_turn_in_any_order_lock_nobody_out_and_no_thief_in(
        rounds in proptest::collection::vec(steps(), 10)
    ) {
        let mut pair = Pair::new();
        for steps in rounds {
            for step in steps {
                pair.step(step);
            }
            pair.step(Step::Meet(None));
            for first in [true, false] {
                pair.step(Step::Pretend(first));
            }
        }
    }
}
