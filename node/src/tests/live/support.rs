//! Nodes that keep up with each other, and what tests ask of them.

use std::time::Duration;

use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::share::Facts as _;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::actions;
use crate::actions::evidence;
use crate::actions::partner::{self, Kind};
use crate::actions::share::{self, Mode, Share, Status};
use crate::federation::serve;
use crate::federation::texts::Texts;
use crate::store::project::ShareFacts;
use crate::store::table;
use crate::tests::bench::{Bench, only, to};

/// Nodes that keep up with each other until the test ends.
pub(super) struct Live {
    stop: CancellationToken,
    tasks: TaskTracker,
    _guard: DropGuard,
}

impl Live {
    pub(super) fn new() -> Self {
        let stop = CancellationToken::new();
        Self {
            _guard: stop.clone().drop_guard(),
            stop,
            tasks: TaskTracker::new(),
        }
    }

    /// Ends it: on return nothing is under way any more.
    pub(super) async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Has two paired nodes keep up with each other.
    pub(super) fn follow(&self, one: &Bench, other: &Bench) {
        self.keep(one, other);
        self.keep(other, one);
    }

    /// Has a node do its part of keeping up with a partner.
    pub(super) fn keep(&self, node: &Bench, partner: &Bench) {
        serve::partner(&node.node, partner.id(), &self.tasks, &self.stop);
    }

    /// Pairs two nodes, enables everything, and has them keep up with each other; the first can be
    /// dialled.
    pub(super) async fn pair(&self, owner: &Bench, other: &Bench, mode: Mode, import: bool) {
        introduce(owner, other, mode, import).await;
        self.follow(owner, other);
    }
}

/// Pairs two nodes and enables everything; the first can be dialled.
pub(super) async fn introduce(owner: &Bench, other: &Bench, mode: Mode, import: bool) {
    let address = owner.serve(serve::routes(&owner.node)).await;
    owner.trust(other, None).await;
    other.trust(owner, Some(address)).await;
    for (node, partner) in [(owner, other), (other, owner)] {
        let kinds = [Kind::Reference, Kind::Copy, Kind::Advanced];
        let enable = partner::Enable {
            partner: partner.name.into(),
            send: kinds.into(),
            receive: kinds.into(),
        };
        node.change(enable).await.unwrap();
    }
    let policy = partner::SetPolicy {
        partner: other.name.into(),
        mode,
        download: true,
        import,
        onward: false,
    };
    owner.change(policy).await.unwrap();
}

/// Has a node that came back dial its partner, with everything enabled.
pub(super) async fn meet(past: &Bench, other: &Bench, live: &Live) {
    let address = other.serve(serve::routes(&other.node)).await;
    past.trust(other, Some(address)).await;
    let kinds = [Kind::Reference, Kind::Copy, Kind::Advanced];
    let enable = partner::Enable {
        partner: other.name.into(),
        send: kinds.into(),
        receive: kinds.into(),
    };
    past.change(enable).await.unwrap();
    live.follow(past, other);
}

pub(super) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}

pub(super) async fn advanced(owner: &Bench, with: &Bench, case: &str) -> Share {
    let advanced = share::Advanced {
        case: case.into(),
        to: vec![to(with.name, &["Sol Reyes"])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        units: Vec::new(),
        message: String::new(),
    };
    only(owner.change(advanced).await.unwrap())
}

pub(super) fn status(node: &Bench, share: ShareId) -> Option<Status> {
    node.holds(share).then(|| node.shown(share).status)
}

/// Items that this node holds sealed, all parts of which are recorded.
pub(super) fn sealed(node: &Bench, share: ShareId) -> usize {
    let reading = node.node.parts().store.read();
    let rows = reading.view().page(&table::SEALED, &share, None, 10_000);
    rows.unwrap().len()
}

pub(super) fn evidence_of(node: &Bench, number: &str) -> Vec<evidence::Evidence> {
    let reading = node.node.parts().store.read();
    let list = evidence::List {
        case: number.into(),
        uncategorised: false,
        after: None,
        limit: None,
    };
    let now = node.node.parts().clock.now();
    let page = actions::Query::answer(&list, &reading.view(), &node.node.owner(), now);
    page.map(|page| page.evidence).unwrap_or_default()
}

pub(super) fn title(node: &Bench, share: ShareId, evidence: EvidenceId) -> Option<String> {
    let reading = node.node.parts().store.read();
    let facts = ShareFacts::new(reading.view(), share);
    let fact = facts.item(evidence)?;
    let seal = node.node.seal(share)?;
    let journal = &node.node.parts().journal;
    let mut texts = Texts::new(reading.view(), journal, share, Some(&seal));
    Some(texts.item(evidence, &fact).unwrap()?.title)
}
