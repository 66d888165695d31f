//! What must hold after any fault: all that was answered is there, and what is shown is whole.
//!
//! Invariant: it asks the node that runs, as people do, and believes files by their bytes only.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use interdocket_tests::Node;
use interdocket_tests::files::Chance;
use interdocket_tests::node::text;
use interdocket_tests::socket;
use interdocket_tests::wait::within;
use serde_json::{Value, json};

use crate::load::{Evidence, Fact};

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// What was answered and is not there.
    pub(crate) missing: Vec<String>,
    /// What may never be, whatever happened: wrong bytes, a revocation undone.
    pub(crate) wrong: Vec<String>,
    /// What the node itself says is damaged.
    pub(crate) problems: Vec<String>,
}

impl Verdict {
    /// Asks a node.
    ///
    /// # Errors
    /// Where it does not answer, or not what it should.
    pub(crate) fn of(node: &Node, facts: &[Fact], chance: &mut Chance) -> io::Result<Self> {
        let mut verdict = Self::default();
        let held = Held::of(node)?;
        for fact in facts {
            held.judge(fact, &mut verdict);
        }
        let checked = ask(node, "POST", "/v0/node/check")?;
        let verified = ask(node, "POST", "/v0/audit/verify")?;
        for said in [&checked["problems"], &verified["damaged"]] {
            let said = said.as_array().ok_or_else(|| unexpected(said))?;
            verdict.problems.extend(said.iter().map(text));
        }
        let files: Vec<_> = facts.iter().filter_map(evidence).collect();
        for _ in 0..READ.min(files.len()) {
            let place = chance.below(files.len() as u64);
            verdict.read(node, files[usize::try_from(place).expect("it is small")])?;
        }
        Ok(verdict)
    }

    /// Whether nothing at all is to be seen of the fault.
    pub(crate) fn clean(&self) -> bool {
        self.missing.is_empty() && self.wrong.is_empty() && self.problems.is_empty()
    }

    /// Reads a file: its bytes, or a refusal.
    pub(crate) fn read(&mut self, node: &Node, file: &Evidence) -> io::Result<()> {
        let path = format!("/v0/evidence/{}/files/0", file.id);
        match socket::call(&node.data, "GET", &path, b"") {
            Ok((200, bytes)) if bytes == file.bytes() => Ok(()),
            Ok((200, _)) => {
                self.wrong
                    .push(format!("{file:?} is read as something else"));
                Ok(())
            }
            Ok((status, _)) => {
                self.missing.push(format!("{file:?} is refused: {status}"));
                Ok(())
            }
            // What is found out on the way cuts the answer off.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.missing.push(format!("{file:?} is cut off"));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

fn evidence(fact: &Fact) -> Option<&Evidence> {
    match fact {
        Fact::Evidence(evidence) => Some(evidence),
        _ => None,
    }
}

/// All that a node shows of what a load makes.
struct Held {
    cases: BTreeMap<String, Value>,
    files: BTreeMap<String, Value>,
    users: Vec<String>,
    shares: BTreeMap<String, Value>,
}

impl Held {
    fn of(node: &Node) -> io::Result<Self> {
        let (mut cases, mut files, mut shares) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for case in pages(node, "/v0/cases", "cases")? {
            let id = text(&case["id"]);
            if case["evidence"] != 0 {
                let listed = pages(node, &format!("/v0/cases/{id}/evidence"), "evidence")?;
                files.extend(listed.into_iter().map(|item| (text(&item["id"]), item)));
            }
            cases.insert(text(&case["number"]), case);
        }
        for share in pages(node, "/v0/shares", "shares")? {
            shares.insert(text(&share["id"]), share);
        }
        let users = ask(node, "GET", "/v0/users")?;
        let users = users["users"]
            .as_array()
            .ok_or_else(|| unexpected(&users))?;
        let users = users.iter().map(|user| text(&user["name"])).collect();
        Ok(Self {
            cases,
            files,
            users,
            shares,
        })
    }

    fn judge(&self, fact: &Fact, verdict: &mut Verdict) {
        let there = match fact {
            Fact::Case { number, title } => self.cases.get(number).is_some_and(|case| {
                let shown = case["title"]
                    .as_str()
                    .and_then(|title| title.parse::<u64>().ok());
                shown.is_some_and(|shown| shown >= *title)
            }),
            Fact::Closed { number } => self
                .cases
                .get(number)
                .is_some_and(|case| case["state"] == "closed"),
            Fact::Evidence(file) => self.files.get(&file.id).is_some_and(|item| {
                let shown = &item["files"][0];
                shown["size"] == file.size && shown["blake3"] == file.blake3.as_str()
            }),
            Fact::User(name) => self.users.contains(name),
            Fact::Share(id) => self.shares.contains_key(id),
            Fact::Revoked(id) => match self.shares.get(id) {
                Some(share) if share["status"] != "revoked" => {
                    verdict
                        .wrong
                        .push(format!("a revocation is undone: {share}"));
                    true
                }
                share => share.is_some(),
            },
            Fact::Stored { share, items } => self
                .shares
                .get(share)
                .is_some_and(|share| self::items(share) >= *items || share["status"] == "revoked"),
        };
        if !there {
            verdict.missing.push(format!("{fact:?}"));
        }
    }
}

fn pages(node: &Node, path: &str, of: &str) -> io::Result<Vec<Value>> {
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let mut page = ask(node, "GET", &format!("{path}?limit=1000{after}"))?;
        match page[of].take() {
            Value::Array(items) => found.extend(items),
            other => return Err(unexpected(&other)),
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(found),
        }
    }
}

fn ask(node: &Node, method: &str, path: &str) -> io::Result<Value> {
    let body = (method == "POST").then(|| json!({}));
    match node.ask(method, path, body.as_ref())? {
        (200, page) => Ok(page),
        (status, page) => Err(io::Error::other(format!("{path}: {status} {page}"))),
    }
}

fn unexpected(value: &Value) -> io::Error {
    io::Error::other(format!("not what was asked for: {value}"))
}

/// What an owner has its partners' statements of: they signed that they stored it, or that they took a revocation.
///
/// # Errors
/// Where it does not answer.
pub(crate) fn proven(owner: &Node) -> io::Result<Vec<Fact>> {
    let mut facts = Vec::new();
    for share in pages(owner, "/v0/shares", "shares")? {
        let (id, items) = (text(&share["id"]), items(&share));
        match (items, told(&share)) {
            // One that was revoked before its offer was sent is known to its owner only.
            (0, _) => {}
            (_, true) => facts.push(Fact::Revoked(id)),
            (_, false) => facts.push(Fact::Stored { share: id, items }),
        }
    }
    Ok(facts)
}

/// Whether everything that was shared has arrived.
///
/// # Errors
/// What has not.
pub(crate) fn arrived(owner: &Node, partner: &Node, facts: &[Fact]) -> Result<(), String> {
    for fact in facts {
        let Fact::Share(id) = fact else { continue };
        let path = format!("/v0/shares/{id}");
        let [here, there] = [owner, partner].map(|node| node.ask("GET", &path, None));
        let (Ok((200, here)), Ok((status, there))) = (here, there) else {
            return Err(format!("nobody tells of {id}"));
        };
        // One that was revoked before its offer was sent is known here only.
        if here["status"] == "revoked" && status == 404 && told(&here) {
            continue;
        }
        let same = here["status"] == there["status"] && here["status"] != "processing";
        if !same || here["behind"] != 0 || there["behind"] != 0 {
            return Err(format!("{here} {there}"));
        }
    }
    Ok(())
}

/// How many items of a share its partner stated that it stored.
fn items(share: &Value) -> u64 {
    share["stored"]["evidence"].as_u64().unwrap_or(0)
}

/// Whether the partner has countersigned the revocation of a share.
fn told(share: &Value) -> bool {
    let state = &share["revocation"]["state"];
    state == "received" || state == "purged"
}

/// Waits until everything that was shared has arrived.
pub(crate) fn settle(owner: &Node, partner: &Node, facts: &[Fact]) {
    if let Err(late) = within(PATIENCE, || arrived(owner, partner, facts)) {
        panic!("this does not arrive: {late}");
    }
}

/// As long as what was shared may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many files are read by their bytes; `check` reads all of them too.
const READ: usize = 3;
