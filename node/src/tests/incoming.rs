//! What partners offer where an administrator looks at it first.

use interdocket_sync::id::ShareId;
use interdocket_sync::refusal::Refusal;

use crate::access::Permission;
use crate::actions::partner::{self, Inbound, Kind};
use crate::actions::share::{self, Direction, Reason, Share, Status};
use crate::actions::{Caller, Error, ErrorKind, Run as _, case, evidence, external};
use crate::store::table;
use crate::tests::bench::{Bench, caller, only, pair, settle, to};

/// North, whose shares wait at south for an administrator; and Bob there, whom north names.
struct Waiting {
    north: Bench,
    south: Bench,
    bob: Caller,
}

impl Waiting {
    async fn new() -> Self {
        let (north, south) = pair().await;
        let bob = caller(&south.person("Bob", "").await.unwrap());
        inbound(&south, Inbound::Finalise).await;
        north.case("1/26").await;
        north.evidence("1/26", "canary.txt", b"one").await;
        Self { north, south, bob }
    }

    async fn copy(&self) -> ShareId {
        let copy = share::Copy {
            case: "1/26".into(),
            to: vec![to("south", &["Bob"])],
            evidence: Vec::new(),
            folders: Vec::new(),
            targets: None,
            message: "as agreed".into(),
            attachments: None,
        };
        let share = only(self.north.change(copy).await.unwrap()).id;
        self.deliver(share).await;
        share
    }

    /// Brings both sides all that the other says, and no files.
    async fn deliver(&self, share: ShareId) {
        loop {
            let sent = self.north.deliver(&self.south, share).await;
            let answered = self.south.deliver(&self.north, share).await;
            if sent.is_none() && answered.is_none() {
                return;
            }
        }
    }

    async fn finalise(
        &self,
        share: ShareId,
        case: Option<&str>,
        access: &[&str],
        who: &Caller,
    ) -> Result<Share, Error> {
        let finalise = share::Finalise {
            share,
            case: case.map(Into::into),
            access: access.iter().map(|&name| name.into()).collect(),
        };
        finalise.run(&self.south.node, who).await
    }

    async fn pending(&self, who: &Caller) -> Vec<Share> {
        let list = share::List {
            pending: true,
            ..share::List::default()
        };
        list.run(&self.south.node, who).await.unwrap().shares
    }

    fn admin(&self) -> Caller {
        self.south.node.owner()
    }

    async fn cases(&self, who: &Caller) -> Vec<String> {
        let list = case::List {
            after: None,
            limit: None,
        };
        let page = list.run(&self.south.node, who).await.unwrap();
        page.cases.into_iter().map(|case| case.number).collect()
    }
}

async fn inbound(at: &Bench, inbound: Inbound) {
    let set = partner::SetInbound {
        partner: "north".into(),
        inbound,
    };
    assert_eq!(at.change(set).await.unwrap().inbound, inbound);
}

/// OE-50: nobody but administrators sees that there is something, no file is asked for, and nobody else takes it.
#[tokio::test]
async fn what_waits_is_seen_by_nobody_until_an_administrator_takes_it() {
    let waiting = Waiting::new().await;
    let (share, bob) = (waiting.copy().await, &waiting.bob);
    for node in [&waiting.north, &waiting.south] {
        assert_eq!(node.shown(share).status, Status::Pending);
        node.rebuilds().await;
    }
    assert_eq!(waiting.cases(bob).await, [""; 0]);
    assert_eq!(waiting.cases(&waiting.admin()).await, [""; 0]);
    assert!(waiting.pending(bob).await.is_empty());
    let hidden = share::Show { share }.run(&waiting.south.node, bob).await;
    assert_eq!(hidden.unwrap_err().kind, ErrorKind::NotFound);
    let denied = waiting.finalise(share, None, &["Bob"], bob).await;
    assert_eq!(denied.unwrap_err().kind, ErrorKind::Forbidden);
    let decline = share::Decline {
        share,
        reason: Reason::Unneeded,
    };
    let denied = decline.run(&waiting.south.node, bob).await;
    assert_eq!(denied.unwrap_err().kind, ErrorKind::Forbidden);
    let fetched = waiting
        .south
        .node
        .read(move |view| Ok(view.page(&table::FETCH, &(), None, 9)?.len()));
    assert_eq!(fetched.await.unwrap(), 0);
    let [pending] = &waiting.pending(&waiting.admin()).await[..] else {
        panic!("one share waits");
    };
    assert_eq!(pending.case_number.as_deref(), Some("1/26"));
    assert_eq!(
        (pending.message.as_str(), pending.listed.evidence),
        ("as agreed", 1)
    );

    let taken = waiting
        .finalise(share, None, &["Bob"], &waiting.admin())
        .await
        .unwrap();
    assert_eq!(
        (taken.status, taken.case_number.as_deref()),
        (Status::Processing, Some("1/26"))
    );
    settle(&waiting.north, &waiting.south, share).await;
    for node in [&waiting.north, &waiting.south] {
        assert_eq!(node.shown(share).status, Status::Complete);
        node.rebuilds().await;
    }
    assert_eq!(waiting.cases(bob).await, ["1/26"]);
    let show = case::Show {
        case: "1/26".into(),
    };
    let seen = show.run(&waiting.south.node, bob).await.unwrap();
    assert_eq!(
        (seen.evidence, &seen.assignees[..]),
        (1, &["Bob".to_owned()][..])
    );
    let again = waiting.finalise(share, None, &[], &waiting.admin()).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::Conflict);
    // What comes later by the same share is an update of what was taken.
    waiting.north.evidence("1/26", "two.txt", b"two").await;
    let add = share::Add {
        share,
        evidence: Vec::new(),
    };
    waiting.north.change(add).await.unwrap();
    settle(&waiting.north, &waiting.south, share).await;
    assert_eq!(waiting.south.listed(share).len(), 2);
}

/// OE-50: an administrator says who works on it, whomever its owner names; then and later.
#[tokio::test]
async fn only_whom_an_administrator_names_sees_what_was_taken() {
    let waiting = Waiting::new().await;
    let carl = caller(&waiting.south.person("Carl", "").await.unwrap());
    let share = waiting.copy().await;
    waiting
        .finalise(share, None, &["Carl"], &waiting.admin())
        .await
        .unwrap();
    settle(&waiting.north, &waiting.south, share).await;
    assert_eq!(waiting.cases(&waiting.bob).await, [""; 0]);
    assert_eq!(waiting.cases(&carl).await, ["1/26"]);
    let dan = caller(&waiting.south.person("Dan", "").await.unwrap());
    let reshare = share::Reshare {
        share,
        recipients: vec!["Dan".into()],
        evidence: Vec::new(),
        message: String::new(),
    };
    waiting.north.change(reshare).await.unwrap();
    settle(&waiting.north, &waiting.south, share).await;
    assert_eq!(waiting.south.shown(share).recipients, ["Bob", "Dan"]);
    assert_eq!(waiting.cases(&dan).await, [""; 0]);
}

/// OE-50: the evidence of a copy goes into a case that is here; the case stays as it was.
#[tokio::test]
async fn copy_is_put_into_a_case_that_is_here() {
    let waiting = Waiting::new().await;
    waiting.south.case("S-7").await;
    waiting.south.evidence("S-7", "own.txt", b"own").await;
    let share = waiting.copy().await;
    let nowhere = waiting
        .finalise(share, Some("S-8"), &[], &waiting.admin())
        .await;
    assert_eq!(nowhere.unwrap_err().kind, ErrorKind::NotFound);
    let close = case::Close { case: "S-7".into() };
    waiting.south.change(close).await.unwrap();
    let closed = waiting
        .finalise(share, Some("S-7"), &[], &waiting.admin())
        .await;
    assert_eq!(closed.unwrap_err().kind, ErrorKind::Conflict);
    let reopen = case::Reopen { case: "S-7".into() };
    waiting.south.change(reopen).await.unwrap();
    waiting
        .finalise(share, Some("S-7"), &["Bob"], &waiting.admin())
        .await
        .unwrap();
    settle(&waiting.north, &waiting.south, share).await;
    assert_eq!(waiting.cases(&waiting.admin()).await, ["S-7"]);
    let list = evidence::List {
        case: "S-7".into(),
        uncategorised: false,
        after: None,
        limit: None,
    };
    let items = list
        .run(&waiting.south.node, &waiting.bob)
        .await
        .unwrap()
        .evidence;
    let of_north = items.iter().filter(|item| item.origin.is_some()).count();
    assert_eq!((items.len(), of_north), (2, 1));
    let show = case::Show { case: "S-7".into() };
    let kept = show.run(&waiting.south.node, &waiting.bob).await.unwrap();
    assert_eq!((kept.title.as_str(), kept.origin), ("A case", None));
    waiting.south.rebuilds().await;
    assert_eq!(waiting.north.shown(share).status, Status::Complete);
}

/// OE-50: the owner is told why, of a closed set; nothing of it is kept in a case, and nothing more is said.
#[tokio::test]
async fn what_is_declined_is_over_and_its_owner_knows_why() {
    let waiting = Waiting::new().await;
    let share = waiting.copy().await;
    let decline = share::Decline {
        share,
        reason: Reason::Misdirected,
    };
    waiting.south.change(decline.clone()).await.unwrap();
    waiting.deliver(share).await;
    for node in [&waiting.north, &waiting.south] {
        let shown = node.shown(share);
        assert_eq!((shown.status, shown.behind), (Status::Declined, 0));
        assert_eq!(shown.declined, Some(Reason::Misdirected));
        node.rebuilds().await;
    }
    assert!(waiting.pending(&waiting.admin()).await.is_empty());
    let add = share::Add {
        share,
        evidence: Vec::new(),
    };
    let over = waiting.north.change(add).await.unwrap_err();
    assert!(over.message.contains("declined"), "{over}");
    for outcome in [
        waiting.south.change(decline).await,
        waiting.finalise(share, None, &[], &waiting.admin()).await,
    ] {
        assert_eq!(outcome.unwrap_err().kind, ErrorKind::Conflict);
    }
    assert_eq!(waiting.cases(&waiting.admin()).await, [""; 0]);
}

/// Its owner stopped it while it waited: there is nothing to be taken any more.
#[tokio::test]
async fn what_was_cancelled_while_it_waited_waits_no_more() {
    let waiting = Waiting::new().await;
    let share = waiting.copy().await;
    waiting.north.change(share::Cancel { share }).await.unwrap();
    waiting.deliver(share).await;
    assert!(waiting.pending(&waiting.admin()).await.is_empty());
    let late = waiting.finalise(share, None, &[], &waiting.admin()).await;
    assert_eq!(late.unwrap_err().kind, ErrorKind::Conflict);
    assert_eq!(waiting.south.shown(share).status, Status::Cancelled);
    waiting.south.rebuilds().await;
}

/// OE-51: what goes either way, and what waits, is listed for whoever takes it.
#[tokio::test]
async fn shares_are_listed_by_direction_and_by_what_waits() {
    let waiting = Waiting::new().await;
    let first = waiting.copy().await;
    let second = waiting.copy().await;
    waiting
        .finalise(first, None, &[], &waiting.admin())
        .await
        .unwrap();
    waiting.south.case("S-7").await;
    waiting.south.evidence("S-7", "own.txt", b"own").await;
    let sent = waiting.south.copy("S-7", "north").await.unwrap().id;
    let south = &waiting.south;
    let ids = async |list: share::List| -> Vec<ShareId> {
        let page = list.run(&south.node, &south.node.owner()).await.unwrap();
        page.shares.iter().map(|share| share.id).collect()
    };
    let way = |direction| share::List {
        direction: Some(direction),
        ..share::List::default()
    };
    assert_eq!(ids(way(Direction::Received)).await, [first, second]);
    assert_eq!(ids(way(Direction::Sent)).await, [sent]);
    let pending = |partner: Option<&str>, case: Option<&str>| share::List {
        pending: true,
        partner: partner.map(Into::into),
        case: case.map(Into::into),
        ..share::List::default()
    };
    assert_eq!(ids(pending(None, None)).await, [second]);
    assert_eq!(ids(pending(Some("north"), None)).await, [second]);
    assert_eq!(ids(pending(None, Some("S-7"))).await, []);
    // Whoever may take what waits sees it, and nothing else by that.
    let mut clerk = waiting.bob.clone();
    clerk.permissions.insert(Permission::ShareFinalise);
    let seen: Vec<ShareId> = waiting
        .pending(&clerk)
        .await
        .iter()
        .map(|share| share.id)
        .collect();
    assert_eq!(seen, [second]);
    let hidden = share::Show { share: first }.run(&south.node, &clerk).await;
    assert_eq!(hidden.unwrap_err().kind, ErrorKind::NotFound);
    waiting
        .finalise(second, None, &["Bob"], &clerk)
        .await
        .unwrap();
}

/// What was set later does not let in what waits, and what is direct is taken at once.
#[tokio::test]
async fn what_waits_goes_on_waiting_when_the_partner_is_taken_directly_again() {
    let waiting = Waiting::new().await;
    let share = waiting.copy().await;
    inbound(&waiting.south, Inbound::Direct).await;
    waiting.north.evidence("1/26", "two.txt", b"two").await;
    let add = share::Add {
        share,
        evidence: Vec::new(),
    };
    waiting.north.change(add).await.unwrap();
    waiting.deliver(share).await;
    assert_eq!(waiting.south.shown(share).status, Status::Pending);
    let direct = waiting.copy().await;
    settle(&waiting.north, &waiting.south, direct).await;
    assert_eq!(waiting.south.shown(direct).status, Status::Complete);
    assert_eq!(waiting.cases(&waiting.bob).await, ["1/26"]);
    let south = waiting.south.crash(2);
    assert_eq!(south.shown(share).status, Status::Pending);
}

/// What lives waits as well: its recipients do not see it before, and it is for them alone.
#[tokio::test]
async fn reference_waits_and_is_then_for_those_whom_it_names() {
    let waiting = Waiting::new().await;
    for (at, other) in [(&waiting.north, "south"), (&waiting.south, "north")] {
        let enable = partner::Enable {
            partner: other.into(),
            send: [Kind::Reference].into(),
            receive: [Kind::Reference].into(),
        };
        at.change(enable).await.unwrap();
    }
    let reference = share::Reference {
        case: "1/26".into(),
        to: vec![to("south", &["Bob"])],
        days: 7,
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
    };
    let share = only(waiting.north.change(reference).await.unwrap()).id;
    waiting.deliver(share).await;
    let external = async |who: &Caller| {
        let list = external::List::default();
        list.run(&waiting.south.node, who)
            .await
            .unwrap()
            .external
            .len()
    };
    assert_eq!(
        (
            external(&waiting.bob).await,
            external(&waiting.admin()).await
        ),
        (0, 0)
    );
    let show = external::Show {
        share,
        after: None,
        limit: None,
    };
    let hidden = show.run(&waiting.south.node, &waiting.bob).await;
    assert_eq!(hidden.unwrap_err().kind, ErrorKind::NotFound);
    let named = waiting
        .finalise(share, None, &["Bob"], &waiting.admin())
        .await;
    assert_eq!(named.unwrap_err().kind, ErrorKind::Conflict);
    waiting
        .finalise(share, None, &[], &waiting.admin())
        .await
        .unwrap();
    waiting.deliver(share).await;
    assert_eq!(external(&waiting.bob).await, 1);
    assert_eq!(waiting.north.shown(share).status, Status::Active);
    // What an administrator of this node does not let in at all is still refused.
    let none = partner::Enable {
        partner: "north".into(),
        send: Default::default(),
        receive: Default::default(),
    };
    waiting.south.change(none).await.unwrap();
    let copy = waiting.north.copy("1/26", "south").await;
    assert!(
        copy.is_err() || {
            let id = copy.unwrap().id;
            waiting.north.deliver(&waiting.south, id).await == Some(Err(Refusal::NotEnabled))
        }
    );
}
