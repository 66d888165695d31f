//! What work costs on a node that holds much: as much as on one that holds little.

use interdocket_sync::id::{EvidenceId, ShareId};

use crate::actions::{Caller, Run, audit, case, evidence, metadata, retention, share, target};
use crate::tests::bench::{Bench, caller, only, to};

/// A node with a case that has much of everything.
struct Filled {
    north: Bench,
    items: Vec<EvidenceId>,
    share: ShareId,
}

/// The number of that case.
const CASE: &str = "1/26";
/// What is listed at once.
const PAGE: Option<u32> = Some(5);

impl Filled {
    /// With so many users and cases, and so many items of one case and shares of it that are over.
    async fn new(size: usize) -> Self {
        let (north, south) = (Bench::new("north"), Bench::new("south"));
        north.trust(&south, None).await;
        north.enable("south", true, false).await;
        north.case(CASE).await;
        let mut items = Vec::new();
        for place in 0..size {
            let name = format!("{place}.txt");
            items.push(north.evidence(CASE, &name, name.as_bytes()).await.id);
            north.case(&format!("{place}/25")).await;
            let name = format!("Somebody {place}");
            north.person(&name, "").await.unwrap();
            let share = only(north.change(copy(&items[..1])).await.unwrap()).id;
            north.change(share::Cancel { share }).await.unwrap();
        }
        let share = only(north.change(copy(&items[..1])).await.unwrap()).id;
        Self {
            north,
            items,
            share,
        }
    }

    /// Somebody who works on that case and no other one.
    async fn kim(&self) -> Caller {
        let kim = self.north.person("Kim", "").await.unwrap();
        let access = case::Access {
            case: CASE.into(),
            add: vec!["Kim".into()],
            remove: Vec::new(),
        };
        self.north.change(access).await.unwrap();
        caller(&kim)
    }

    /// What somebody who works on a case does all day.
    async fn day(&self) -> Vec<Touched> {
        let mut kim = Day::of(self, self.kim().await);
        let (case, item) = (CASE.to_owned(), self.items[2]);
        let after = None;
        kim.does("list cases", case::List { after, limit: PAGE })
            .await;
        let show = case::Show { case: case.clone() };
        kim.does("show the case", show).await;
        kim.does("list evidence", list(None)).await;
        let after = Some(self.items[4].to_string());
        kim.does("list more evidence", list(after)).await;
        let show = evidence::Show {
            evidence: item,
            confidential: false,
        };
        kim.does("show evidence", show).await;
        kim.does("describe the case", describe_case()).await;
        kim.does("describe evidence", describe(item)).await;
        kim.does("tag evidence", tag(item)).await;
        let note = evidence::AddNote {
            evidence: item,
            text: "late".into(),
        };
        kim.does("note something", note).await;
        kim.does("add a target", add_target()).await;
        kim.does("list targets", target::List { case }).await;
        kim.does("share a copy", copy(&self.items[3..5])).await;
        let share = self.share;
        kim.does("show a share", share::Show { share }).await;
        kim.touched
    }

    /// The same of an administrator.
    async fn administrators_day(&self) -> Vec<Touched> {
        let mut owner = Day::of(self, self.north.node.owner());
        let evidence = self.items[1];
        let reason = || "an appeal".to_owned();
        let show = audit::Show {
            limit: PAGE,
            ..audit::Show::default()
        };
        owner.does("read the audit", show).await;
        let hold = retention::HoldEvidence {
            evidence,
            reason: reason(),
        };
        owner.does("hold evidence", hold).await;
        let release = retention::ReleaseEvidence {
            evidence,
            reason: reason(),
        };
        owner.does("release it", release).await;
        let delete = retention::DeleteEvidence {
            evidence,
            reason: reason(),
        };
        owner.does("delete it", delete).await;
        let (after, limit) = (None, PAGE);
        let due = retention::Due { after, limit };
        owner.does("list what is due", due).await;
        owner.touched
    }
}

/// What was done, and what of the database that touched.
type Touched = (&'static str, u64);

struct Day<'a> {
    at: &'a Bench,
    who: Caller,
    touched: Vec<Touched>,
}

impl<'a> Day<'a> {
    fn of(at: &'a Filled, who: Caller) -> Self {
        Self {
            at: &at.north,
            who,
            touched: Vec::new(),
        }
    }

    async fn does<A: Run>(&mut self, name: &'static str, action: A) {
        let before = self.at.engine.touched();
        action.run(&self.at.node, &self.who).await.unwrap();
        self.touched.push((name, self.at.engine.touched() - before));
    }
}

fn list(after: Option<String>) -> evidence::List {
    evidence::List {
        case: CASE.into(),
        uncategorised: false,
        after,
        limit: PAGE,
    }
}

fn describe_case() -> case::Edit {
    case::Edit {
        case: CASE.into(),
        number: None,
        title: Some("Anew".into()),
        description: None,
    }
}

fn describe(evidence: EvidenceId) -> evidence::Edit {
    evidence::Edit {
        evidence,
        title: Some("Anew".into()),
        folder: Some("scene".into()),
        case: None,
        fields: Default::default(),
    }
}

fn tag(evidence: EvidenceId) -> evidence::Tag {
    evidence::Tag {
        evidence,
        kind: metadata::Kind::Tag,
        add: vec!["night".into()],
        remove: Vec::new(),
    }
}

fn add_target() -> target::Add {
    target::Add {
        case: CASE.into(),
        name: "Rae Lind".into(),
        description: String::new(),
    }
}

fn copy(items: &[EvidenceId]) -> share::Copy {
    share::Copy {
        case: CASE.into(),
        to: vec![to("south", &[])],
        evidence: items.to_vec(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: None,
    }
}

#[tokio::test]
async fn what_people_do_touches_as_much_however_much_there_is() {
    let (small, large) = (Filled::new(10).await, Filled::new(60).await);
    assert_eq!(small.day().await, large.day().await);
    assert_eq!(
        small.administrators_day().await,
        large.administrators_day().await
    );
}
