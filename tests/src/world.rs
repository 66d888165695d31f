//! A world of nodes, and what people do in it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::node::{Node, text};
use crate::site::Site;
use crate::wait::until;

/// Where everything of one test lies; it goes with the test.
#[derive(Debug)]
pub struct World {
    home: tempfile::TempDir,
}

/// Whether partners can dial a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// They can.
    Dialable,
    /// Only the node itself can dial.
    Hidden,
}

impl World {
    /// Begins an empty world.
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        let home = tempfile::Builder::new()
            .prefix("interdocket-story-")
            .tempdir();
        Self {
            home: home.expect("a temporary folder can be made"),
        }
    }

    /// A path in the world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Makes a node that does not run yet.
    pub fn make(&self, name: &'static str, reach: Reach) -> Node {
        Self::make_at(&self.path(name), name, reach)
    }

    /// Makes a node in a folder that does not exist yet.
    pub fn make_at(data: &Path, name: &'static str, reach: Reach) -> Node {
        Node::init(data, name, reach)
    }

    /// Makes and starts a node.
    pub fn node(&self, name: &'static str, reach: Reach) -> Node {
        let mut node = self.make(name, reach);
        node.start();
        node
    }

    /// Makes two nodes that are paired and may send each other copies; the first can be dialled.
    pub fn pair(&self) -> (Node, Node) {
        let north = self.node("north", Reach::Dialable);
        let south = self.node("south", Reach::Hidden);
        pair(&north, &south);
        enable(&north, &south);
        (north, south)
    }
}

/// Has an organisation take part in everything.
pub fn take_part(node: &impl Site) {
    let every = FEATURES.split(' ');
    let enable: Vec<_> = ["feature", "enable"].into_iter().chain(every).collect();
    node.call(&enable);
}

/// Every feature.
const FEATURES: &str = "case_share case_sharing_by_reference new_ui_case_shares_management \
                        advanced_sharing configurable_case_retention";

/// Has two organisations that take part in everything go through the ceremony, up to contact.
pub fn pair<S: Site>(inviter: &S, accepter: &S) {
    take_part(inviter);
    take_part(accepter);
    meet(inviter, accepter);
    inviter.call(&["partner", "confirm", accepter.id(), "--yes"]);
    accepter.call(&["partner", "confirm", inviter.id(), "--yes"]);
    contact(inviter, accepter);
}

/// Has two organisations meet, up to the words that both see.
pub fn meet<S: Site>(inviter: &S, accepter: &S) {
    let invitation = text(&inviter.call(&["partner", "invite"])["invitation"]);
    let there = accepter.call(&["partner", "accept", &invitation]);
    let here = until("the inviter sees the words", || {
        let partner = inviter.try_call(&["partner", "show", accepter.id()]).ok()?;
        partner["words"].is_array().then_some(partner)
    });
    assert_eq!(here["words"], there["words"], "both see the same words");
    assert_eq!(here["state"], "unconfirmed");
    assert_eq!(there["state"], "unconfirmed");
}

/// Enables copies both ways.
pub fn enable<S: Site>(one: &S, other: &S) {
    for (node, partner) in [(one, other), (other, one)] {
        let partner = partner.id();
        node.call(&[
            "partner",
            "enable",
            partner,
            "--send=copy",
            "--send=reference",
            "--send=advanced",
            "--receive=copy",
            "--receive=reference",
            "--receive=advanced",
        ]);
    }
}

/// Waits until both have contact.
pub fn contact<S: Site>(one: &S, other: &S) {
    for (node, partner) in [(one, other), (other, one)] {
        until(
            &format!("{} has contact with {}", node.name(), partner.name()),
            || {
                let shown = node.call(&["partner", "show", partner.id()]);
                (shown["connected"] == true).then_some(())
            },
        );
    }
}

/// Makes a case of files and folders.
pub fn case(node: &impl Site, number: &str, paths: &[&Path]) {
    node.call(&["case", "create", number, "--title", "Fire at the harbour"]);
    add(node, number, paths);
}

/// Adds files and folders to a case.
pub fn add(node: &impl Site, number: &str, paths: &[&Path]) -> Value {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let mut arguments = vec!["evidence", "add", number];
    arguments.extend(paths.iter().map(String::as_str));
    node.call(&arguments)
}

/// Shares a copy of a case, and gives the share's id.
pub fn copy<S: Site>(owner: &S, number: &str, partner: &S) -> String {
    only(&owner.call(&["share", "copy", number, "--partner", partner.id()]))
}

/// Shares copies of a case with partners as one set, and gives the shares' ids.
pub fn copies<S: Site, const N: usize>(owner: &S, number: &str, partners: [&S; N]) -> [String; N] {
    let mut offer = vec!["share", "copy", number];
    for partner in partners {
        offer.extend(["--partner", partner.id()]);
    }
    let made = owner.call(&offer);
    for (partner, share) in partners
        .iter()
        .zip(made["shares"].as_array().expect("a list"))
    {
        assert_eq!(share["partner"], partner.id(), "one for each, in order");
    }
    std::array::from_fn(|number| text(&made["shares"][number]["id"]))
}

/// The id of the share of a set that was made with one partner.
pub fn only(made: &Value) -> String {
    let shares = made["shares"].as_array().expect("a list");
    assert_eq!(shares.len(), 1, "{made}");
    text(&shares[0]["id"])
}

/// Shows a share.
pub fn share(node: &impl Site, id: &str) -> Value {
    node.call(&["share", "show", id])
}

/// Waits until the partner has stated that it holds everything of a share, and the owner knows; then
/// compares the digests at both ends, and gives the share as the owner sees it.
pub fn delivered<S: Site>(owner: &S, partner: &S, id: &str) -> Value {
    let there = until(&format!("share {id} is complete at both ends"), || {
        let here = share(owner, id);
        let there = partner.try_call(&["share", "show", id]).ok()?;
        let whole = [&here, &there]
            .iter()
            .all(|share| share["status"] == "complete");
        (whole && here["behind"] == 0 && there["behind"] == 0).then_some(there)
    });
    let here = share(owner, id);
    assert_eq!(
        here["listed"], here["stored"],
        "all of it is stored: {here}"
    );
    assert!(
        !here["receipts"].as_array().is_some_and(Vec::is_empty),
        "there are receipts"
    );
    let sent = digests(owner, &text(&here["case"]));
    assert_eq!(
        sent,
        digests(partner, &text(&there["case"])),
        "the same at both ends"
    );
    here
}

/// Every file of a case with its place, size and digests, in order.
pub fn digests(node: &impl Site, case: &str) -> Vec<String> {
    let listed = node.call(&["evidence", "list", case]);
    let items = listed["evidence"].as_array().expect("a list");
    let mut files: Vec<_> = items.iter().flat_map(files).collect();
    files.sort();
    files
}

fn files(item: &Value) -> Vec<String> {
    let files = item["files"].as_array().expect("a list");
    let shown = files.iter().map(|file| {
        let [name, size, blake3, sha256] =
            ["name", "size", "blake3", "sha256"].map(|key| &file[key]);
        format!("{}/{name} {size} {blake3} {sha256}", item["folder"])
    });
    shown.collect()
}

/// Has a node verify its journal and read everything that it stores.
pub fn whole(node: &impl Site) {
    let verified = node.call(&["audit", "verify"]);
    assert_eq!(verified["damaged"], Value::Array(Vec::new()), "{verified}");
    let checked = node.call(&["check"]);
    assert_eq!(checked["problems"], Value::Array(Vec::new()), "{checked}");
}
