//! Copies that go on: updates that their owner chooses, and people who join later.

use interdocket_sync::id::{EvidenceId, ShareId};

use crate::actions::partner::OrganisationRole;
use crate::actions::share::{self, Status, UpdatePage, UpdateState};
use crate::actions::{Caller, Error, ErrorKind, Run as _, case, evidence, group};
use crate::event::Event;
use crate::store::table;
use crate::tests::bench::{Bench, caller, only, settle, to};

const ROLES: [OrganisationRole; 2] = [OrganisationRole::Investigation, OrganisationRole::Justice];

/// A copy of a case with one item, for Kim at south; and whom south knows.
struct Copied {
    north: Bench,
    south: Bench,
    share: ShareId,
    kim: Caller,
    lee: Caller,
}

impl Copied {
    async fn new(role: OrganisationRole) -> Self {
        let (north, south) = (Bench::of("north", role), Bench::of("south", role));
        north.trust(&south, None).await;
        south.trust(&north, None).await;
        let kim = caller(&south.person("Kim", "").await.unwrap());
        let lee = caller(&south.person("Lee", "").await.unwrap());
        north.case("1/26").await;
        north.evidence("1/26", "one.txt", b"the first").await;
        let made = north.change(copy(&["Kim"])).await;
        let share = only(made.unwrap()).id;
        let copied = Self {
            north,
            south,
            share,
            kim,
            lee,
        };
        copied.settle().await;
        copied
    }

    async fn settle(&self) {
        settle(&self.north, &self.south, self.share).await;
    }

    async fn update(&self, evidence: Vec<EvidenceId>) -> Result<share::Share, Error> {
        let share = self.share;
        self.north.change(share::Add { share, evidence }).await
    }

    async fn reshare(
        &self,
        names: &[&str],
        evidence: Vec<EvidenceId>,
    ) -> Result<share::Share, Error> {
        let reshare = share::Reshare {
            share: self.share,
            recipients: names.iter().map(|&name| name.into()).collect(),
            evidence,
            message: "please look".into(),
        };
        self.north.change(reshare).await
    }

    /// The updates of which somebody is told, by number and title.
    async fn told(&self, who: &Caller) -> Vec<(u32, String)> {
        let page = self.updates(who, None, None).await.unwrap();
        let told = |update: share::Update| {
            assert_eq!(update.state, UpdateState::Stored);
            (update.number, update.title)
        };
        page.updates.into_iter().map(told).collect()
    }

    async fn updates(
        &self,
        who: &Caller,
        after: Option<String>,
        limit: Option<u32>,
    ) -> Result<UpdatePage, Error> {
        let share = self.share;
        let updates = share::Updates {
            share,
            after,
            limit,
        };
        updates.run(&self.south.node, who).await
    }

    /// The case at south and its evidence, as somebody there sees them.
    async fn seen(&self, who: &Caller) -> Result<(case::Case, Vec<EvidenceId>), Error> {
        let show = case::Show {
            case: "1/26".into(),
        };
        let case = show.run(&self.south.node, who).await?;
        let list = evidence::List {
            case: "1/26".into(),
            uncategorised: false,
            after: None,
            limit: None,
        };
        let page = list.run(&self.south.node, who).await?;
        let ids = page.evidence.into_iter().map(|item| item.id).collect();
        Ok((case, ids))
    }

    /// How many blobs, items and cases south has.
    fn holds(&self) -> [usize; 3] {
        let reading = self.south.node.parts().store.read();
        let view = reading.view();
        [
            view.page(&table::BLOB, &(), None, 99).unwrap().len(),
            view.page(&table::EVIDENCE, &(), None, 99).unwrap().len(),
            view.page(&table::CASE, &(), None, 99).unwrap().len(),
        ]
    }
}

fn copy(recipients: &[&str]) -> share::Copy {
    share::Copy {
        case: "1/26".into(),
        to: vec![to("south", recipients)],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: None,
    }
}

fn titles(told: &[(u32, &str)]) -> Vec<(u32, String)> {
    let told = told.iter().map(|&(number, title)| (number, title.into()));
    told.collect()
}

/// AE-040, AJ-14, AO-30, AO-31: what a copy could still get is said with it, and goes only when its owner says so.
#[tokio::test]
async fn new_evidence_is_offered_for_a_copy_and_goes_when_its_owner_says_so() {
    for role in ROLES {
        let copied = Copied::new(role).await;
        assert_eq!(copied.north.shown(copied.share).lacks, 0);
        let new = copied.north.evidence("1/26", "two.txt", b"new").await.id;
        assert_eq!(copied.north.shown(copied.share).lacks, 1);
        copied.settle().await;
        assert_eq!(copied.holds(), [1, 1, 1], "nothing goes by itself");
        assert_eq!(copied.north.shown(copied.share).updates, 1);
        let waiting = copied.update(Vec::new()).await.unwrap();
        assert_eq!((waiting.lacks, waiting.status), (0, Status::Processing));
        copied.settle().await;
        assert_eq!(copied.holds(), [2, 2, 1]);
        for node in [&copied.north, &copied.south] {
            let shown = node.shown(copied.share);
            assert_eq!((shown.updates, shown.status), (2, Status::Complete));
            assert_eq!(shown.lacks, 0);
        }
        // Once more, it is what the copy has already: it is left out.
        copied.update(vec![new]).await.unwrap();
        copied.settle().await;
        assert_eq!(copied.north.shown(copied.share).updates, 2);
    }
}

/// AJ-02, AJ-29 to AJ-32: the share goes on under its id, its log says who joined, and nothing is sent again.
#[tokio::test]
async fn reshare_gives_more_people_the_same_case_and_sends_nothing_again() {
    for role in ROLES {
        let copied = Copied::new(role).await;
        let hidden = copied.seen(&copied.lee).await.unwrap_err();
        assert_eq!(hidden.kind, ErrorKind::NotFound);
        let (before, held) = (copied.seen(&copied.kim).await.unwrap(), copied.holds());
        let shown = copied.reshare(&["Lee"], Vec::new()).await.unwrap();
        assert_eq!(
            (shown.id, &shown.recipients[..]),
            (copied.share, &["Kim".to_owned(), "Lee".into()][..])
        );
        while let Some(delivered) = copied.north.deliver(&copied.south, copied.share).await {
            delivered.unwrap();
        }
        assert_eq!(
            copied.south.wanted(copied.share),
            [],
            "no file is asked for"
        );
        assert_eq!(copied.holds(), held);
        let (case, items) = copied.seen(&copied.lee).await.unwrap();
        assert_eq!((case.id, &items), (before.0.id, &before.1));
        assert_eq!(copied.seen(&copied.kim).await.unwrap().1, items);
        assert_eq!(case.assignees, ["Kim"], "whose it is stays");
        for node in [&copied.north, &copied.south] {
            assert_eq!(node.shares(), [copied.share]);
            let show = share::Show {
                share: copied.share,
            };
            let shown = show.run(&node.node, &node.node.owner()).await.unwrap();
            assert_eq!(shown.status, Status::Complete);
            let [reshare] = &shown.reshares[..] else {
                panic!("{:?}", shown.reshares);
            };
            assert_eq!(reshare.recipients, ["Lee"]);
            assert_eq!(
                (reshare.by.as_str(), reshare.message.as_str()),
                ("administrator", "please look")
            );
            assert_eq!(reshare.after_update, 1);
            // It stands behind the offer, in one log that both have signed for.
            let receipts = shown
                .receipts
                .iter()
                .filter(|receipt| receipt.log == "owner");
            assert!(receipts.map(|receipt| receipt.count).max() >= Some(reshare.entry));
            node.rebuilds().await;
        }
    }
}

/// AJ-23
#[tokio::test]
async fn people_and_evidence_are_added_in_one_decision() {
    for role in ROLES {
        let copied = Copied::new(role).await;
        let new = copied.north.evidence("1/26", "two.txt", b"new").await.id;
        let left = copied.north.evidence("1/26", "three.txt", b"left").await.id;
        let head = copied.north.node.parts().journal.head().count;
        copied.reshare(&["Lee"], vec![new]).await.unwrap();
        let records = copied.north.about(copied.share.uuid());
        let last: Vec<_> = records.iter().rev().take(2).collect();
        assert!(
            matches!(last[..], [Event::ShareWidened(_), Event::LogWritten(_)]),
            "{last:?}"
        );
        assert_eq!(copied.north.node.parts().journal.head().count, head + 2);
        copied.settle().await;
        assert_eq!(copied.seen(&copied.lee).await.unwrap().1.len(), 2);
        assert_eq!(copied.told(&copied.lee).await, titles(&[(2, "two.txt")]));
        assert_eq!(copied.south.became(copied.share, left), None);
        copied.south.rebuilds().await;
    }
}

/// AJ-25, AJ-26
#[tokio::test]
async fn who_joins_later_is_told_of_what_comes_after() {
    for role in ROLES {
        let copied = Copied::new(role).await;
        copied.north.evidence("1/26", "two.txt", b"second").await;
        copied.update(Vec::new()).await.unwrap();
        copied.settle().await;
        copied.reshare(&["Lee"], Vec::new()).await.unwrap();
        copied.settle().await;
        assert_eq!(copied.told(&copied.lee).await, []);
        let earlier = titles(&[(1, "one.txt"), (2, "two.txt")]);
        assert_eq!(copied.told(&copied.kim).await, earlier);
        copied.north.evidence("1/26", "three.txt", b"third").await;
        copied.update(Vec::new()).await.unwrap();
        copied.settle().await;
        assert_eq!(copied.told(&copied.lee).await, titles(&[(3, "three.txt")]));
        let all = copied.told(&copied.kim).await;
        assert_eq!(all.len(), 3);
        // The case is theirs together, all the same.
        assert_eq!(copied.seen(&copied.lee).await.unwrap().1.len(), 3);
        // Page by page it is the same, and no page leads into what came before they joined.
        let page = copied.updates(&copied.kim, None, Some(1)).await.unwrap();
        assert_eq!((page.joined_after, page.updates.len()), (0, 1));
        let rest = copied.updates(&copied.kim, page.next.clone(), None).await;
        assert_eq!(rest.unwrap().updates.len(), 2);
        let theirs = copied.updates(&copied.lee, page.next, None).await.unwrap();
        assert_eq!((theirs.joined_after, theirs.updates.len()), (2, 1));
        let nonsense = copied.updates(&copied.lee, Some("x".into()), None).await;
        assert_eq!(nonsense.unwrap_err().kind, ErrorKind::Invalid);
    }
}

/// Whoever is a recipient by several names has what the earliest of them has.
#[tokio::test]
async fn who_was_in_a_group_from_the_start_is_told_of_everything() {
    let copied = Copied::new(OrganisationRole::Investigation).await;
    let add = group::Add {
        name: "Detectives".into(),
        kind: group::Kind::Group,
    };
    copied.south.change(add).await.unwrap();
    let members = group::Edit {
        group: "Detectives".into(),
        add: vec!["Lee".into()],
        remove: Vec::new(),
    };
    copied.south.change(members).await.unwrap();
    copied.reshare(&["Detectives"], Vec::new()).await.unwrap();
    copied.settle().await;
    copied.north.evidence("1/26", "two.txt", b"second").await;
    copied.update(Vec::new()).await.unwrap();
    copied.settle().await;
    copied.reshare(&["Lee"], Vec::new()).await.unwrap();
    copied.settle().await;
    assert_eq!(copied.told(&copied.lee).await, titles(&[(2, "two.txt")]));
}

/// The partner says who works on its case: naming somebody again gives them nothing back.
#[tokio::test]
async fn whom_the_partner_took_off_its_case_is_not_let_in_again_by_its_owner() {
    let copied = Copied::new(OrganisationRole::Investigation).await;
    let off = case::Access {
        case: "1/26".into(),
        add: Vec::new(),
        remove: vec!["Kim".into()],
    };
    copied.south.change(off).await.unwrap();
    let again = copied.reshare(&["kim"], Vec::new()).await.unwrap_err();
    assert_eq!(again.kind, ErrorKind::Conflict);
    // An owner that does not ask its own node first says it all the same.
    copied
        .reshare(&["Lee", "Nobody"], Vec::new())
        .await
        .unwrap();
    copied.settle().await;
    let seen = copied.seen(&copied.kim).await.unwrap_err();
    assert_eq!(seen.kind, ErrorKind::NotFound);
    assert!(copied.seen(&copied.lee).await.is_ok());
}

/// AJ-30: what does not hold is said before anything is recorded, with what to do.
#[tokio::test]
async fn reshare_that_does_not_hold_changes_nothing() {
    let copied = Copied::new(OrganisationRole::Investigation).await;
    let before = copied.north.tables();
    let many: Vec<String> = (0..16).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let nowhere = EvidenceId::new(uuid::Uuid::from_u128(9));
    for (names, evidence, kind) in [
        (&[][..], Vec::new(), ErrorKind::Conflict),
        (&["KIM "][..], Vec::new(), ErrorKind::Conflict),
        (&many[..], Vec::new(), ErrorKind::Invalid),
        (&["Lee"][..], vec![nowhere], ErrorKind::NotFound),
    ] {
        let error = copied.reshare(names, evidence).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(!error.hints.is_empty(), "{error}");
    }
    let recipients = share::Recipients {
        share: copied.share,
        recipients: Vec::new(),
    };
    let error = copied.north.change(recipients).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    let share = copied.share;
    let theirs = share::Reshare {
        share,
        recipients: vec!["Lee".into()],
        evidence: Vec::new(),
        message: String::new(),
    };
    let error = copied.south.change(theirs).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(copied.north.tables() == before, "nothing was recorded");
    copied.north.change(share::End { share }).await.unwrap();
    let over = copied.reshare(&["Lee"], Vec::new()).await.unwrap_err();
    assert_eq!(over.kind, ErrorKind::Conflict);
}

/// AO-33, AE-042, AJ-32: a new share is a case of its own, with the record and the bytes that are here.
#[tokio::test]
async fn new_share_of_the_same_case_is_another_case_with_the_same_evidence() {
    for role in ROLES {
        let copied = Copied::new(role).await;
        let made = copied.north.change(copy(&["Lee"])).await.unwrap();
        let second = only(made).id;
        settle(&copied.north, &copied.south, second).await;
        assert_eq!(copied.holds(), [1, 1, 2]);
        let cases = [copied.share, second].map(|share| copied.south.shown(share).case);
        assert_ne!(cases[0], cases[1]);
        assert_eq!(copied.north.shown(second).status, Status::Complete);
    }
}

/// AE-047, AJ-21, but for retention and deletion: who works on a copy, who it is assigned to and where its evidence lies, the partner says.
#[tokio::test]
async fn copy_is_assigned_and_filed_by_its_partner_without_its_owner() {
    for role in ROLES {
        let copied = Copied::new(role).await;
        let (south, kim) = (&copied.south, &copied.kim);
        let access = case::Access {
            case: "1/26".into(),
            add: vec!["Lee".into()],
            remove: Vec::new(),
        };
        access.run(&south.node, kim).await.unwrap();
        let assign = case::Assign {
            case: "1/26".into(),
            users: vec!["Lee".into(), "Kim".into()],
        };
        let assigned = assign.run(&south.node, kim).await.unwrap();
        assert_eq!(assigned.assignees, ["Lee", "Kim"]);
        let item = copied.seen(kim).await.unwrap().1[0];
        let file = evidence::Edit {
            evidence: item,
            title: None,
            folder: Some("trial/exhibits".into()),
            case: None,
            fields: Default::default(),
        };
        let filed = file.run(&south.node, kim).await.unwrap();
        assert_eq!(filed.folder, "trial/exhibits");
        let sent = copied.north.shown(copied.share);
        assert_eq!((sent.behind, sent.status), (0, Status::Complete));
        // An update leaves all that as it is.
        copied.north.evidence("1/26", "two.txt", b"second").await;
        copied.update(Vec::new()).await.unwrap();
        copied.settle().await;
        let (case, items) = copied.seen(&copied.lee).await.unwrap();
        assert_eq!(
            (&case.assignees[..], items.len()),
            (&assigned.assignees[..], 2)
        );
        let show = evidence::Show {
            evidence: item,
            confidential: false,
        };
        let kept = show.run(&south.node, kim).await.unwrap();
        assert_eq!(kept.folder, "trial/exhibits");
    }
}

/// OE-57: what is suspended keeps what was set, and what it missed goes as soon as it is resumed.
#[tokio::test]
async fn suspended_copy_gets_what_it_missed_when_it_is_resumed() {
    let copied = Copied::new(OrganisationRole::Investigation).await;
    let (share, north) = (copied.share, &copied.north);
    north.change(share::Suspend { share }).await.unwrap();
    copied.settle().await;
    for node in [north, &copied.south] {
        assert_eq!(node.shown(share).status, Status::Suspended);
    }
    north.evidence("1/26", "two.txt", b"second").await;
    copied.update(Vec::new()).await.unwrap();
    copied.settle().await;
    assert_eq!(copied.holds(), [1, 1, 1]);
    let refused = copied.reshare(&["Lee"], Vec::new()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict);
    north.change(share::Resume { share }).await.unwrap();
    copied.settle().await;
    assert_eq!(copied.holds(), [2, 2, 1]);
    let shown = north.shown(share);
    assert_eq!(
        (shown.status, &shown.recipients[..]),
        (Status::Complete, &["Kim".to_owned()][..])
    );
}
