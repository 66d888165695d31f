//! People at work on a node: several at once, who note what they were answered.
//!
//! Invariant: what is noted was answered before, and can only grow: titles count up, what is closed or
//! revoked stays so. So it can be looked for after any fault. One seed gives one course for each of
//! them; how they interleave is left to the machine.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use interdocket_tests::files::Chance;
use interdocket_tests::node::text;
use interdocket_tests::socket;
use serde_json::{Value, json};

/// Something that a node answered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fact {
    /// There is a case, its title counts at least so far.
    Case { number: String, title: u64 },
    /// A case was closed.
    Closed { number: String },
    /// A file is in a case.
    Evidence(Evidence),
    /// There is a user.
    User(String),
    /// A case was shared.
    Share(String),
    /// A share was revoked.
    Revoked(String),
    /// A partner stated that it stored so many items of a share.
    Stored { share: String, items: u64 },
}

/// A file in a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) number: String,
    pub(crate) id: String,
    pub(crate) seed: u64,
    pub(crate) size: u64,
    pub(crate) blake3: String,
}

impl Evidence {
    /// Its bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        bytes(self.seed, self.size)
    }
}

/// A fact, and how far a log of the node's calls was when it was answered.
#[derive(Debug, Clone)]
pub(crate) struct Noted {
    pub(crate) at: u64,
    pub(crate) fact: Fact,
}

/// What several people noted of one stretch of work.
#[derive(Debug, Default)]
pub(crate) struct Notebook {
    pub(crate) noted: Vec<Noted>,
    /// What was refused, with the reason.
    pub(crate) refused: Vec<String>,
}

/// How people work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work<'a> {
    /// The data directory of their node.
    pub(crate) data: &'a Path,
    /// What their cases are called; no two stretches of work on one node have the same.
    pub(crate) name: &'a str,
    /// With whom they share.
    pub(crate) partner: Option<&'a str>,
    /// How many they are.
    pub(crate) people: u64,
    /// What each of them does at most.
    pub(crate) steps: u64,
    pub(crate) seed: u64,
}

impl Work<'_> {
    /// Has them work until they are done, are told to stop, or the node does not answer any more.
    pub(crate) fn run(self, stop: &AtomicBool, place: &(dyn Fn() -> u64 + Sync)) -> Notebook {
        let notebook = Mutex::new(Notebook::default());
        std::thread::scope(|scope| {
            for number in 0..self.people {
                let notebook = &notebook;
                scope.spawn(move || {
                    let mut person = Person::new(self, number);
                    for _ in 0..self.steps {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        match person.step() {
                            Ok(Ok(facts)) => {
                                notebook.lock().unwrap().noted.extend(
                                    facts.into_iter().map(|fact| Noted { at: place(), fact }),
                                )
                            }
                            Ok(Err(refused)) => notebook.lock().unwrap().refused.push(refused),
                            Err(_) => return,
                        }
                    }
                });
            }
        });
        notebook.into_inner().unwrap()
    }

    /// Has them do all of it on a node that nothing happens to.
    pub(crate) fn done(self) -> Vec<Fact> {
        let notebook = self.run(&AtomicBool::new(false), &|| 0);
        assert!(notebook.refused.is_empty(), "{:?}", notebook.refused);
        notebook.noted.into_iter().map(|noted| noted.fact).collect()
    }
}

/// One of them.
struct Person<'a> {
    work: Work<'a>,
    name: String,
    chance: Chance,
    count: u64,
    /// Their open cases, and how far their titles count.
    cases: BTreeMap<String, u64>,
    /// Those of them that have evidence.
    filled: Vec<String>,
    /// Advanced shares that go on.
    shares: Vec<String>,
}

/// What a step led to: facts, or a refusal in words.
type Step = io::Result<Result<Vec<Fact>, String>>;

impl<'a> Person<'a> {
    fn new(work: Work<'a>, number: u64) -> Self {
        Self {
            work,
            name: format!("{}-{number}", work.name),
            chance: Chance::new(work.seed * 31 + number),
            count: 0,
            cases: BTreeMap::new(),
            filled: Vec::new(),
            shares: Vec::new(),
        }
    }

    fn step(&mut self) -> Step {
        self.count += 1;
        let some = self.some();
        match (self.chance.below(20), some) {
            (0..3, _) | (_, None) => self.create(),
            (3..6, Some(case)) => self.edit(case),
            (6..14, Some(case)) => self.add(case),
            (14, _) => self.user(),
            (15, Some(case)) => self.close(case),
            (16, Some(case)) => self.share(&case, "copy"),
            (17 | 18, Some(case)) => self.share(&case, "advanced"),
            _ => self.revoke(),
        }
    }

    fn some(&mut self) -> Option<String> {
        let count = self.cases.len() as u64;
        let place = self.chance.below(count.max(1));
        self.cases
            .keys()
            .nth(usize::try_from(place).unwrap())
            .cloned()
    }

    fn create(&mut self) -> Step {
        let number = format!("{}-{}", self.name, self.count);
        let asked = self.post("/v0/cases", &json!({"number": number, "title": "0"}))?;
        Ok(asked.map(|_| {
            self.cases.insert(number.clone(), 0);
            vec![Fact::Case { number, title: 0 }]
        }))
    }

    fn edit(&mut self, number: String) -> Step {
        let title = self.cases[&number] + 1;
        // Counted on whatever the answer: one that got lost may have been carried out.
        self.cases.insert(number.clone(), title);
        let change = json!({"title": title.to_string()});
        let asked = self.post(&format!("/v0/cases/{number}/edit"), &change)?;
        Ok(asked.map(|_| vec![Fact::Case { number, title }]))
    }

    fn add(&mut self, number: String) -> Step {
        let size = match self.chance.below(6) {
            0 => 270_000 + self.chance.below(500_000),
            _ => self.chance.below(40_000),
        };
        let seed = self.chance.next();
        let path = format!("/v0/cases/{number}/files?name={}-{}", self.name, self.count);
        let asked = self.send(&path, &bytes(seed, size))?;
        Ok(asked.map(|added| {
            self.filled.push(number.clone());
            let (id, blake3) = (text(&added["id"]), text(&added["files"][0]["blake3"]));
            vec![Fact::Evidence(Evidence {
                number,
                id,
                seed,
                size,
                blake3,
            })]
        }))
    }

    fn user(&self) -> Step {
        let name = format!("User {}-{}", self.name, self.count);
        let asked = self.post("/v0/users", &json!({"name": name, "role": "auditor"}))?;
        Ok(asked.map(|_| vec![Fact::User(name)]))
    }

    fn close(&mut self, number: String) -> Step {
        self.cases.remove(&number);
        self.filled.retain(|filled| *filled != number);
        let asked = self.post(&format!("/v0/cases/{number}/close"), &json!({}))?;
        Ok(asked.map(|_| vec![Fact::Closed { number }]))
    }

    fn share(&mut self, case: &str, kind: &str) -> Step {
        let Some(partner) = self.work.partner else {
            return self.create();
        };
        if !self.filled.iter().any(|filled| filled == case) {
            return self.add(case.to_owned());
        }
        let people = if kind == "copy" {
            json!([])
        } else {
            json!(["Kim"])
        };
        let to = json!([{"partner": partner, "recipients": people}]);
        let (path, request) = match kind {
            "copy" => (format!("/v0/cases/{case}/copies"), json!({"to": to})),
            _ => (ADVANCED.to_owned(), json!({"case": case, "to": to})),
        };
        let asked = self.post(&path, &request)?;
        Ok(asked.map(|made| {
            let id = text(&made["shares"][0]["id"]);
            if kind == "advanced" {
                self.shares.push(id.clone());
            }
            vec![Fact::Share(id)]
        }))
    }

    fn revoke(&mut self) -> Step {
        let Some(id) = self.shares.pop() else {
            return self.create();
        };
        let asked = self.post(&format!("/v0/shares/{id}/revoke"), &json!({}))?;
        Ok(asked.map(|_| vec![Fact::Revoked(id)]))
    }

    fn post(&self, path: &str, body: &Value) -> io::Result<Result<Value, String>> {
        self.send(path, body.to_string().as_bytes())
    }

    fn send(&self, path: &str, body: &[u8]) -> io::Result<Result<Value, String>> {
        let (status, page) = socket::call(self.work.data, "POST", path, body)?;
        let page: Value = serde_json::from_slice(&page).map_err(io::Error::other)?;
        Ok(match status {
            200 => Ok(page),
            _ => Err(format!("{path}: {status} {page}")),
        })
    }
}

const ADVANCED: &str = "/v0/shares/advanced";

/// Bytes that look like chance and follow from a seed.
fn bytes(seed: u64, size: u64) -> Vec<u8> {
    let mut chance = Chance::new(seed);
    let words = size.div_ceil(8);
    let mut bytes: Vec<u8> = (0..words)
        .flat_map(|_| chance.next().to_le_bytes())
        .collect();
    bytes.truncate(usize::try_from(size).unwrap());
    bytes
}
