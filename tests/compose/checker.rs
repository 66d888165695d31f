//! An outside checker: asks every node over HTTPS what it says of each share, and compares.
//!
//! Invariant: it takes no node's word for another's, and has nothing but an address, a root and an
//! auditor's token for each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use interdocket_tests::https;
use interdocket_tests::wait::until;
use serde_json::Value;

/// A node to ask.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What the story calls it.
    pub(crate) name: &'static str,
    /// The organisation's root, as a PEM file.
    pub(crate) root: PathBuf,
    /// Where the API is served.
    pub(crate) api: SocketAddr,
    /// An auditor's token.
    pub(crate) token: String,
}

/// What the checker has to say against the nodes.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// What may never be, whatever is cut, late or down.
    pub(crate) wrong: Vec<String>,
    /// What has to come about once all can reach each other.
    pub(crate) waiting: Vec<String>,
}

/// What one node says.
#[derive(Debug)]
struct Statement {
    name: &'static str,
    organisation: String,
    shares: BTreeMap<String, Share>,
    damaged: Vec<String>,
}

/// What one node says of one share.
#[derive(Debug)]
struct Share {
    shown: Value,
    /// Place, size and digests of every file of the share's case.
    files: BTreeSet<String>,
}

/// Asks every node twice, and compares.
pub(crate) fn check(nodes: &[Asked]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut ask = || {
        let mut statements = Vec::new();
        for node in nodes {
            match state(node) {
                Ok(statement) => statements.push(statement),
                Err(error) => verdict.waiting.push(format!("{}: {error}", node.name)),
            }
        }
        statements
    };
    // An owner's older word is held against a partner's newer one, so that what moves in between is
    // never taken for a contradiction.
    let (earlier, later) = (ask(), ask());
    verdict.compare(&earlier, &later);
    verdict
}

/// Waits until the checker has nothing to say; shows what it has to say where that takes too long.
pub(crate) fn agreed(ask: impl Fn() -> Vec<Asked>) {
    until("all nodes say the same", || {
        let verdict = check(&ask());
        verdict.holds();
        if !verdict.waiting.is_empty() {
            eprintln!("{verdict}");
        }
        verdict.waiting.is_empty().then_some(())
    });
}

/// Every share as its owner says, with what its partner says.
fn pairs<'a>(
    owners: &'a [Statement],
    partners: &'a [Statement],
) -> impl Iterator<Item = (&'a Statement, &'a str, &'a Share, &'a Statement)> {
    owners.iter().flat_map(move |owner| {
        let sent = owner.shares.iter().filter(|(_, share)| share.is_sent());
        sent.filter_map(move |(id, share)| {
            let partner = partners
                .iter()
                .find(|one| one.organisation == share.partner())?;
            Some((owner, id.as_str(), share, partner))
        })
    })
}

impl Verdict {
    /// Panics where something is wrong.
    pub(crate) fn holds(&self) {
        assert!(self.wrong.is_empty(), "{self}");
    }

    /// Compares what all said with what all said afterwards.
    fn compare(&mut self, earlier: &[Statement], later: &[Statement]) {
        for statement in later {
            for damage in &statement.damaged {
                self.wrong(format!("{}: {damage}", statement.name));
            }
        }
        for (owner, id, share, partner) in pairs(earlier, later) {
            self.contradictions(id, owner, share, partner);
        }
        for (owner, id, share, partner) in pairs(later, later) {
            self.unsettled(id, owner, share, partner);
        }
        self.strays(later);
    }

    fn wrong(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// What an owner may never say if the partner says what it says afterwards.
    fn contradictions(&mut self, id: &str, owner: &Statement, share: &Share, partner: &Statement) {
        let (from, to) = (owner.name, partner.name);
        let Some(there) = partner.shares.get(id) else {
            if share.stored() > 0 {
                self.wrong(format!(
                    "{id}: {from} says that {to} holds {} files, {to} does not know the share",
                    share.stored()
                ));
            }
            return;
        };
        if there.is_sent() || there.partner() != owner.organisation {
            self.wrong(format!("{id}: {to} does not say that {from} is its owner"));
        }
        if share.is_revoked_there() && there.shown["status"] != "revoked" {
            self.wrong(format!(
                "{id}: {from} says that {to} has the revocation, {to} says {}",
                there.shown["status"]
            ));
        }
        if share.stored() > there.stored() {
            self.wrong(format!(
                "{id}: {from} says that {to} holds {} files, {to} says {}",
                share.stored(),
                there.stored()
            ));
        }
        for (place, hash) in share.receipts() {
            if there.receipts().get(&place).is_some_and(|it| *it != hash) {
                self.wrong(format!(
                    "{id}: {from} and {to} have receipts for different {place}"
                ));
            }
        }
        let strange = there.files.difference(&share.files);
        // Files may have come to the owner's case since, and may not have been read whole by then.
        for file in strange.filter(|_| share.shown["status"] == "complete") {
            self.wrong(format!("{id}: {to} holds what {from} has not: {file}"));
        }
    }

    /// What differs, and will not once everything was delivered.
    fn unsettled(&mut self, id: &str, owner: &Statement, share: &Share, partner: &Statement) {
        let Some(there) = partner.shares.get(id) else {
            let (from, to) = (owner.name, partner.name);
            self.waiting
                .push(format!("{id}: {from} shares it, {to} does not know it"));
            return;
        };
        for field in ["kind", "status", "listed", "stored"] {
            let (here, there) = (&share.shown[field], &there.shown[field]);
            if here != there {
                self.waiting.push(format!(
                    "{id}: {field}: {} says {here}, {} says {there}",
                    owner.name, partner.name
                ));
            }
        }
        if share.shown["revocation"]["state"] == "unknown" {
            self.waiting.push(format!(
                "{id}: {} has revoked it, {} has not said that it knows",
                owner.name, partner.name
            ));
        }
        for (name, share) in [(owner.name, share), (partner.name, there)] {
            let (behind, since) = (&share.shown["behind"], &share.shown["behind_since"]);
            if *behind != 0 {
                self.waiting
                    .push(format!("{id}: {name} is behind by {behind} since {since}"));
            }
        }
        if share.receipts() != there.receipts() {
            self.waiting.push(format!(
                "{id}: {} has receipts for {:?}, {} for {:?}",
                owner.name,
                share.receipts(),
                partner.name,
                there.receipts()
            ));
        }
        if there.shown["status"] == "complete" && there.files.len() as u64 != there.stored() {
            self.waiting.push(format!(
                "{id}: {} says it holds {} files and lists {}",
                partner.name,
                there.stored(),
                there.files.len()
            ));
        }
    }

    /// Shares that were received from a node which does not know them.
    fn strays(&mut self, statements: &[Statement]) {
        for here in statements {
            for (id, share) in here.shares.iter().filter(|(_, share)| !share.is_sent()) {
                let owner = statements
                    .iter()
                    .find(|one| one.organisation == share.partner());
                if owner.is_some_and(|owner| !owner.shares.contains_key(id)) {
                    self.wrong(format!(
                        "{id}: {} received it, its owner does not know it",
                        here.name
                    ));
                }
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for what in &self.wrong {
            writeln!(f, "wrong: {what}")?;
        }
        for what in &self.waiting {
            writeln!(f, "waiting: {what}")?;
        }
        Ok(())
    }
}

impl Share {
    fn is_sent(&self) -> bool {
        self.shown["direction"] == "sent"
    }

    /// Whether the owner says that the partner has acknowledged a revocation.
    fn is_revoked_there(&self) -> bool {
        ["received", "purged"]
            .iter()
            .any(|state| self.shown["revocation"]["state"] == *state)
    }

    fn partner(&self) -> &str {
        self.shown["partner"].as_str().unwrap()
    }

    fn stored(&self) -> u64 {
        self.shown["stored"]["files"].as_u64().unwrap()
    }

    /// The hash at each place of each log up to which there is a receipt.
    fn receipts(&self) -> BTreeMap<String, &str> {
        let receipts = self.shown["receipts"].as_array();
        let places = receipts.into_iter().flatten().map(|receipt| {
            let place = format!("{}'s log at {}", receipt["log"], receipt["count"]);
            (place, receipt["hash"].as_str().unwrap())
        });
        places.collect()
    }
}

impl Asked {
    fn get(&self, path: &str) -> Result<Value, String> {
        self.call(path, None)
    }

    fn call(&self, path: &str, body: Option<&str>) -> Result<Value, String> {
        let (status, answer) = https::call(&self.root, self.api, Some(&self.token), path, body)?;
        if status != 200 {
            return Err(format!("{path}: {status} {answer}"));
        }
        Ok(answer)
    }

    /// Every element of a list that comes in pages.
    fn all(&self, path: &str, list: &str) -> Result<Vec<Value>, String> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let mut page = self.get(&format!("{path}?limit=1000{after}"))?;
            all.append(page[list].as_array_mut().ok_or("a list is missing")?);
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(all),
            }
        }
    }
}

/// Asks one node for everything.
fn state(node: &Asked) -> Result<Statement, String> {
    let organisation = node.get("/v0/node")?["organisation"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let mut shares = BTreeMap::new();
    for listed in node.all("/v0/shares", "shares")? {
        let id = listed["id"].as_str().unwrap_or_default().to_owned();
        let shown = node.get(&format!("/v0/shares/{id}"))?;
        // What a partner only follows is no case of its own.
        let files = match shown["case"].as_str() {
            Some(case) => files(&node.all(&format!("/v0/cases/{case}/evidence"), "evidence")?),
            None => BTreeSet::new(),
        };
        shares.insert(id, Share { shown, files });
    }
    let verified = node.call("/v0/audit/verify", Some("{}"))?;
    let damaged = verified["damaged"].as_array().cloned().unwrap_or_default();
    Ok(Statement {
        name: node.name,
        organisation,
        shares,
        damaged: damaged.iter().map(Value::to_string).collect(),
    })
}

fn files(items: &[Value]) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for item in items {
        for file in item["files"].as_array().into_iter().flatten() {
            let [name, size, blake3, sha256] =
                ["name", "size", "blake3", "sha256"].map(|key| &file[key]);
            let folder = &item["folder"];
            files.insert(format!("{folder}/{name} {size} {blake3} {sha256}"));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FILE: &str = "scene/quay.jpg 7 b3 sha";

    /// A share that is complete, as one side shows it.
    fn share(direction: &str, partner: &str) -> Value {
        json!({
            "direction": direction,
            "partner": partner,
            "kind": "copy",
            "status": "complete",
            "listed": {"files": 1},
            "stored": {"files": 1},
            "behind": 0,
            "receipts": [{"log": "owner", "count": 3, "hash": "aa"}],
        })
    }

    fn statement(name: &'static str, shares: &[(&str, Value)]) -> Statement {
        let share = |(id, shown): &(&str, Value)| {
            let files = BTreeSet::from([FILE.to_owned()]);
            let shown = shown.clone();
            ((*id).to_owned(), Share { shown, files })
        };
        Statement {
            name,
            organisation: name.to_owned(),
            shares: shares.iter().map(share).collect(),
            damaged: Vec::new(),
        }
    }

    /// The verdict where the owner and then the partner say something else than they should.
    fn verdict(owner: impl Fn(&mut Value), partner: impl Fn(&mut Value)) -> Verdict {
        let (mut sent, mut received) = (share("sent", "south"), share("received", "north"));
        owner(&mut sent);
        partner(&mut received);
        let said = [
            statement("north", &[("S", sent)]),
            statement("south", &[("S", received)]),
        ];
        let mut verdict = Verdict::default();
        verdict.compare(&said, &said);
        verdict
    }

    #[test]
    fn nodes_that_agree_are_left_alone() {
        let verdict = verdict(|_| {}, |_| {});
        assert!(
            verdict.wrong.is_empty() && verdict.waiting.is_empty(),
            "{verdict}"
        );
    }

    #[test]
    fn every_claim_that_the_partner_does_not_bear_out_is_wrong() {
        for (owner, partner) in [
            (json!({"stored": {"files": 2}}), json!({})),
            (json!({"revocation": {"state": "received"}}), json!({})),
            (json!({"revocation": {"state": "purged"}}), json!({})),
            (
                json!({}),
                json!({"receipts": [{"log": "owner", "count": 3, "hash": "bb"}]}),
            ),
            (json!({}), json!({"direction": "sent"})),
        ] {
            let change = |with: &Value| {
                let with = with.as_object().unwrap().clone();
                move |share: &mut Value| share.as_object_mut().unwrap().extend(with.clone())
            };
            let verdict = verdict(change(&owner), change(&partner));
            assert!(!verdict.wrong.is_empty(), "{owner} {partner}");
        }
    }

    #[test]
    fn what_differs_without_a_contradiction_waits() {
        for with in [
            json!({"status": "processing"}),
            json!({"behind": 2}),
            json!({"receipts": []}),
            json!({"revocation": {"state": "unknown"}}),
        ] {
            let change = |share: &mut Value| {
                let with = with.as_object().unwrap().clone();
                share.as_object_mut().unwrap().extend(with);
            };
            let verdict = verdict(change, |_| {});
            assert!(verdict.wrong.is_empty(), "{verdict}");
            assert!(!verdict.waiting.is_empty(), "{with}");
        }
    }

    #[test]
    fn strange_files_damage_and_shares_without_an_owner_are_wrong() {
        let whole = || {
            [
                statement("north", &[("S", share("sent", "south"))]),
                statement("south", &[("S", share("received", "north"))]),
            ]
        };
        let wrong = |said: [Statement; 2]| {
            let mut verdict = Verdict::default();
            verdict.compare(&said, &said);
            assert!(!verdict.wrong.is_empty(), "{said:?}");
        };
        let mut strange = whole();
        let files = &mut strange[1].shares.get_mut("S").unwrap().files;
        files.clear();
        files.insert("scene/quay.jpg 7 other sha".to_owned());
        wrong(strange);
        let mut damaged = whole();
        damaged[1].damaged.push("record 7".to_owned());
        wrong(damaged);
        let mut forgotten = whole();
        forgotten[0].shares.clear();
        wrong(forgotten);
    }
}
