//! What the fuzz targets of all crates share: how bytes become choices, and the smoke run, which holds every
//! claim over the corpus and over a fixed number of mutations of it.
//!
//! One seed is one run: the mutations follow from the corpus alone. Included by path where targets are, since
//! sync takes no other crate of this workspace. What libFuzzer adds is in `main.rs` beside it.

/// The target's name, its claims about any bytes, and how many bytes it may hold at once besides
/// [`HELD_EACH`] for each byte that it was given: a length that is only stated sets nothing aside.
pub type Target = (&'static str, fn(&[u8]), usize);

/// Memory for each byte of input: what is decoded is kept as it came and as what it means, a few times over.
pub const HELD_EACH: usize = 64;

/// Bytes as a row of choices; past their end all are 0.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// One of so many, from 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    /// A number of any size: small ones are near, and so are the largest.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..=0xdf => small.into(),
            wide @ 0xe0..=0xef => (0..8).fold(u64::from(wide & 1), |number, _| {
                number << 8 | u64::from(self.byte())
            }),
            high => u64::MAX - u64::from(high & 0x0f),
        }
    }

    /// At most so many bytes, as many as the next byte says.
    pub(crate) fn some(&mut self, most: usize) -> &'a [u8] {
        let count = usize::from(self.byte()).min(most).min(self.0.len());
        let (some, rest) = self.0.split_at(count);
        self.0 = rest;
        some
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
pub(crate) mod smoke {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::{HELD_EACH, Target};

    /// Holds a target's claims over its corpus and mutations of it. With `INTERDOCKET_CORPUS=write` it
    /// writes the seeds that are missing there first; else one that is missing fails.
    pub(crate) fn run((name, claims, held): Target, seeds: Vec<(&str, Vec<u8>)>, mutations: usize) {
        let folder = folder(name);
        for (seed, bytes) in seeds {
            let path = folder.join(seed);
            if !path.exists() && option_env!("INTERDOCKET_CORPUS") == Some("write") {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&path, bytes).unwrap();
            }
            assert!(path.exists(), "{path:?}: run with INTERDOCKET_CORPUS=write");
        }
        let corpus = corpus(&folder);
        for (file, bytes) in &corpus {
            hold(name, file, claims, held, bytes);
        }
        let all: Vec<&Vec<u8>> = corpus.values().collect();
        let mut chance = Chance(blake3::hash(name.as_bytes()).as_bytes()[0].into());
        for turn in 0..mutations {
            let bytes = mutate(&mut chance, all[turn % all.len()], &all);
            hold(name, &format!("mutation {turn}"), claims, held, &bytes);
        }
    }

    fn hold(name: &str, what: &str, claims: fn(&[u8]), held: usize, bytes: &[u8]) {
        let told = Told(name, what, bytes);
        let peak = allocation_counter::measure(|| claims(bytes)).bytes_max;
        let most = held + HELD_EACH * bytes.len();
        assert!(peak <= most as u64, "{peak} bytes held, at most {most}");
        std::mem::forget(told);
    }

    /// Says what was held when a claim fails: the bytes are the reproduction.
    struct Told<'a>(&'a str, &'a str, &'a [u8]);

    impl Drop for Told<'_> {
        fn drop(&mut self) {
            let path = std::env::temp_dir().join(format!("fuzz-{}", self.0));
            let kept = fs::write(&path, self.2).is_ok();
            let place = if kept { path.as_path() } else { Path::new("-") };
            // A test's own word beside its panic.
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!(
                    "{}: {} fails; kept in {}\n",
                    self.0,
                    self.1,
                    place.display()
                ),
            );
        }
    }

    fn folder(name: &str) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        root.join("tests/fuzz/corpus").join(name)
    }

    fn corpus(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
        let corpus: BTreeMap<String, Vec<u8>> = files
            .map(|file| {
                let name = file.file_name().into_string().unwrap();
                (name, fs::read(file.path()).unwrap())
            })
            .collect();
        assert!(!corpus.is_empty(), "{folder:?} is empty");
        corpus
    }

    /// Numbers that follow from a seed: splitmix64.
    struct Chance(u64);

    impl Chance {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ mixed >> 31
        }

        fn below(&mut self, end: usize) -> usize {
            usize::try_from(self.next() % end.max(1) as u64).unwrap()
        }
    }

    /// A few changes of the kinds that find what length fields, repetition and cuts do.
    fn mutate(chance: &mut Chance, bytes: &[u8], all: &[&Vec<u8>]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=chance.below(4) {
            let at = chance.below(bytes.len());
            let to = at + chance.below((bytes.len() - at).min(64) + 1);
            match chance.below(8) {
                0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
                1 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][chance.below(5)],
                2 if at < bytes.len() => bytes[at] = bytes[at].wrapping_add(1),
                3 => drop(bytes.drain(at..to)),
                4 => bytes.truncate(at),
                5 => drop(bytes.splice(at..at, bytes[at..to].to_vec())),
                6 => {
                    let other = all[chance.below(all.len())];
                    let from = chance.below(other.len());
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
                _ => {
                    let more = chance.next().to_le_bytes();
                    bytes.splice(at..at, more[..1 + chance.below(8)].iter().copied());
                }
            }
        }
        bytes
    }
}
