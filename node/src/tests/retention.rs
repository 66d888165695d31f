//! How long evidence is kept: policies of the organisation that holds it, and nobody else's; legal holds; what is
//! shown before anything is deleted.

use chrono::{DateTime, TimeDelta, Utc};
use interdocket_sync::id::EvidenceId;

use crate::access::{Permission, Permissions};
use crate::actions::case::{self, Case};
use crate::actions::evidence::{self, Evidence};
use crate::actions::partner::OrganisationRole::{self, Investigation, Justice};
use crate::actions::retention::{self, FOREVER};
use crate::actions::{Caller, ErrorKind, Query as _, Run as _, audit, feature, settings, share};
use crate::erase::pass;
use crate::event::{Event, Why};
use crate::features::Feature::ConfigurableCaseRetention;
use crate::store::table;
use crate::tests::bench::{Bench, caller, only, settle, to};
use crate::tests::erase::tombstone;

const YEAR: u32 = 365;

/// Two organisations that trust each other; the first has a case with an item.
pub(super) async fn two(role: OrganisationRole) -> (Bench, Bench, EvidenceId) {
    let (north, south) = (Bench::new("north"), Bench::of("south", role));
    north.trust(&south, None).await;
    south.trust(&north, None).await;
    north.case("1/26").await;
    let item = north.evidence("1/26", "a.mp4", b"moving pictures").await;
    (north, south, item.id)
}

pub(super) async fn policy(at: &Bench, name: &str, days: u32) {
    let name = name.to_owned();
    at.change(retention::Add { name, days }).await.unwrap();
}

async fn default(at: &Bench, policy: Option<&str>) {
    let policy = policy.map(ToOwned::to_owned);
    at.change(retention::SetDefault { policy }).await.unwrap();
}

pub(super) fn retain(case: &str, policy: &str) -> retention::Retain {
    retention::Retain {
        case: case.into(),
        policy: policy.into(),
    }
}

pub(super) fn delete(evidence: EvidenceId) -> retention::DeleteEvidence {
    retention::DeleteEvidence {
        evidence,
        reason: "taken twice".into(),
    }
}

/// Shares north's case with Bob at south, and has all of it delivered.
async fn copied(north: &Bench, south: &Bench) -> share::Share {
    let copy = share::Copy {
        case: "1/26".into(),
        to: vec![to("south", &["Bob"])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: Default::default(),
    };
    let share = only(north.change(copy).await.unwrap());
    settle(north, south, share.id).await;
    share
}

pub(super) fn case_of(at: &Bench, number: &str) -> Case {
    let reading = at.node.parts().store.read();
    let show = case::Show {
        case: number.into(),
    };
    let now = at.node.parts().clock.now();
    show.answer(&reading.view(), &at.node.owner(), now).unwrap()
}

pub(super) fn items(at: &Bench, number: &str) -> Vec<Evidence> {
    listed(at, number, false)
}

fn listed(at: &Bench, number: &str, uncategorised: bool) -> Vec<Evidence> {
    let reading = at.node.parts().store.read();
    let list = evidence::List {
        case: number.into(),
        uncategorised,
        after: None,
        limit: None,
    };
    let now = at.node.parts().clock.now();
    let page = list.answer(&reading.view(), &at.node.owner(), now);
    page.unwrap().evidence
}

pub(super) fn due(at: &Bench, who: &Caller) -> Vec<retention::Subject> {
    let reading = at.node.parts().store.read();
    let now = at.node.parts().clock.now();
    let (mut due, mut after) = (Vec::new(), None);
    loop {
        let limit = Some(1);
        let page = retention::Due { after, limit };
        let page = page.answer(&reading.view(), who, now).unwrap();
        due.extend(page.due);
        after = page.next;
        if after.is_none() {
            return due;
        }
    }
}

fn after(at: DateTime<Utc>, days: u32) -> Option<DateTime<Utc>> {
    Some(at + TimeDelta::days(days.into()))
}

/// Somebody who works on cases and also holds these.
async fn person(at: &Bench, name: &str, more: &[Permission]) -> Caller {
    let user = at.person(name, "").await.unwrap();
    let mut who = caller(&user);
    let more: Permissions = more.iter().copied().collect();
    who.permissions.extend(more);
    who
}

async fn switch(at: &Bench, on: bool) {
    let features = [ConfigurableCaseRetention].into();
    match on {
        true => at.change(feature::Enable { features }).await.map(drop),
        false => at.change(feature::Disable { features }).await.map(drop),
    }
    .unwrap();
}

/// AE-061, AJ-43: what came as a copy has no category, and is found by that.
#[tokio::test]
async fn what_was_received_is_found_as_uncategorised() {
    let (north, south, item) = two(Justice).await;
    let tag = evidence::Tag {
        evidence: item,
        kind: crate::actions::metadata::Kind::Category,
        add: vec!["Homicide".into()],
        remove: Vec::new(),
    };
    north.change(tag.clone()).await.unwrap();
    assert!(listed(&north, "1/26", true).is_empty());
    copied(&north, &south).await;
    let found = listed(&south, "1/26", true);
    assert_eq!(found.len(), 1);
    let evidence = found[0].id;
    south
        .change(evidence::Tag { evidence, ..tag })
        .await
        .unwrap();
    assert!(listed(&south, "1/26", true).is_empty());
    assert_eq!(items(&south, "1/26").len(), 1);
}

/// AE-062, AE-063, AE-068, AE-077, AJ-44, AJ-45
#[tokio::test]
async fn received_case_gets_the_default_of_who_receives_it_and_none_where_there_is_none() {
    for role in [Investigation, Justice] {
        for own in [Some("5 years"), None] {
            let (north, south, item) = two(role).await;
            policy(&north, "20 years", 20 * YEAR).await;
            north.change(retain("1/26", "20 years")).await.unwrap();
            policy(&south, "5 years", 5 * YEAR).await;
            default(&south, own).await;
            let recorded = "2026-01-02T03:04:05+01:00";
            let edit = evidence::Edit {
                evidence: item,
                title: None,
                folder: None,
                case: None,
                fields: [("recorded_on".to_owned(), Some(recorded.to_owned()))].into(),
            };
            north.change(edit).await.unwrap();
            north.later(TimeDelta::days(3));
            south.later(TimeDelta::days(9));
            copied(&north, &south).await;
            let recorded: DateTime<Utc> = recorded.parse().unwrap();
            let theirs = &items(&north, "1/26")[0];
            assert_eq!(theirs.retention_until, after(recorded, 20 * YEAR));
            let (case, item) = (case_of(&south, "1/26"), &items(&south, "1/26")[0]);
            let until = own.and_then(|_| after(recorded, 5 * YEAR));
            assert_eq!(case.retention.as_deref(), Some(own.unwrap_or(FOREVER)));
            assert_eq!(case.retention_until, until);
            assert_eq!(item.retention_until, until);
            // What becomes of the source governs nothing here.
            north.later(TimeDelta::days(21 * 365));
            pass(&north.node, true).await.unwrap();
            north.later(TimeDelta::days(8));
            pass(&north.node, true).await.unwrap();
            assert!(items(&north, "1/26").is_empty());
            assert_eq!(items(&south, "1/26")[0].retention_until, until);
            assert_eq!(case_of(&south, "1/26"), case);
            north.rebuilds().await;
            south.rebuilds().await;
        }
    }
}

/// AE-064, AE-065, AE-077, AJ-46
#[tokio::test]
async fn retention_is_changed_by_who_may_and_nobody_else() {
    for role in [Investigation, Justice] {
        let (north, south, _) = two(role).await;
        let bob = person(&south, "Bob", &[Permission::CaseRetention]).await;
        let kim = caller(&south.person("Kim", "").await.unwrap());
        policy(&south, "2 years", 2 * YEAR).await;
        copied(&north, &south).await;
        let access = case::Access {
            case: "1/26".into(),
            add: vec!["Kim".into()],
            remove: Vec::new(),
        };
        south.change(access).await.unwrap();
        let refused = retain("1/26", "2 years").run(&south.node, &kim).await;
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Forbidden);
        let case = case_of(&south, "1/26");
        assert_eq!(case.retention.as_deref(), Some(FOREVER));
        let changed = retain("1/26", "2 Years").run(&south.node, &bob).await;
        let changed = changed.unwrap();
        assert_eq!(changed.retention.as_deref(), Some("2 years"));
        let uploaded = items(&south, "1/26")[0].uploaded_at;
        assert_eq!(changed.retention_until, after(uploaded, 2 * YEAR));
        let records = audit::Show {
            about: Some("1/26".into()),
            after: None,
            limit: None,
        };
        let records = records.run(&south.node, &south.node.owner()).await;
        let records = records.unwrap().records;
        let by = records
            .iter()
            .find(|record| record.event == "retention of a case set");
        assert_eq!(by.unwrap().actor, Some(bob.actor));
        south.rebuilds().await;
    }
}

/// AE-066, AE-067, AJ-47
#[tokio::test]
async fn without_the_feature_everything_is_kept_until_it_is_deleted_by_hand() {
    for role in [Investigation, Justice] {
        let (north, south, _) = two(role).await;
        policy(&south, "1 day", 1).await;
        south.case("7/26").await;
        south.change(retain("7/26", "1 day")).await.unwrap();
        south.evidence("7/26", "own.txt", b"own").await;
        switch(&south, false).await;
        default(&south, Some("1 day")).await;
        copied(&north, &south).await;
        for number in ["1/26", "7/26"] {
            let case = case_of(&south, number);
            assert_eq!((case.retention, case.retention_until), (None, None));
            let refused = south.change(retain(number, "1 day")).await.unwrap_err();
            assert_eq!(refused.kind, ErrorKind::Conflict);
        }
        south.later(TimeDelta::days(3650));
        pass(&south.node, true).await.unwrap();
        south.later(TimeDelta::days(3650));
        pass(&south.node, true).await.unwrap();
        assert_eq!(items(&south, "7/26").len(), 1);
        let kept = items(&south, "1/26");
        assert_eq!(kept.len(), 1);
        south.change(delete(kept[0].id)).await.unwrap();
        south.later(TimeDelta::days(8));
        pass(&south.node, true).await.unwrap();
        assert!(items(&south, "1/26").is_empty());
        // Nothing waited for the day when it is on again but what somebody chose.
        switch(&south, true).await;
        assert_eq!(case_of(&south, "1/26").retention.as_deref(), Some(FOREVER));
        assert_eq!(case_of(&south, "7/26").retention.as_deref(), Some("1 day"));
        south.rebuilds().await;
    }
}

/// AE-076
#[tokio::test]
async fn that_something_is_queued_for_deletion_stays_where_it_is() {
    let (north, south, item) = two(Investigation).await;
    north.change(delete(item)).await.unwrap();
    assert!(items(&north, "1/26")[0].queued_for_deletion_on.is_some());
    copied(&north, &south).await;
    let here = &items(&south, "1/26")[0];
    assert_eq!(here.queued_for_deletion_on, None);
    assert!(due(&south, &south.node.owner()).is_empty());
}

/// AE-047, AE-048, AJ-21, Q15
#[tokio::test]
async fn partner_manages_its_copy_and_what_it_deleted_does_not_come_back() {
    for role in [Investigation, Justice] {
        let (north, south, _) = two(role).await;
        south.person("Bob", "").await.unwrap();
        south.person("Kim", "").await.unwrap();
        let share = copied(&north, &south).await.id;
        let before = (case_of(&north, "1/26"), items(&north, "1/26"));
        let assign = case::Assign {
            case: "1/26".into(),
            users: vec!["Kim".into()],
        };
        south.change(assign).await.unwrap();
        policy(&south, "2 years", 2 * YEAR).await;
        south.change(retain("1/26", "2 years")).await.unwrap();
        let gone = items(&south, "1/26")[0].id;
        south.change(delete(gone)).await.unwrap();
        south.later(TimeDelta::days(8));
        pass(&south.node, true).await.unwrap();
        assert!(items(&south, "1/26").is_empty());
        assert_eq!((case_of(&north, "1/26"), items(&north, "1/26")), before);
        // The owner was told that it was stored, and sends what is new only.
        assert_eq!(north.shown(share).status, share::Status::Complete);
        north.evidence("1/26", "b.mp4", b"more pictures").await;
        let add = share::Add {
            share,
            evidence: Vec::new(),
        };
        north.change(add).await.unwrap();
        settle(&north, &south, share).await;
        let here = items(&south, "1/26");
        assert_eq!(here.len(), 1);
        assert_eq!(here[0].title, "b.mp4");
        south.rebuilds().await;
        // The whole case goes, and what is new for it is not taken any more.
        let whole = retention::DeleteCase {
            case: "1/26".into(),
            reason: "not ours".into(),
        };
        south.change(whole).await.unwrap();
        south.later(TimeDelta::days(8));
        pass(&south.node, true).await.unwrap();
        let reading = south.node.parts().store.read();
        let cases = reading.view().page(&table::CASE, &(), None, 9).unwrap();
        assert!(cases.is_empty());
        drop(reading);
        north.evidence("1/26", "c.mp4", b"most pictures").await;
        let add = share::Add {
            share,
            evidence: Vec::new(),
        };
        north.change(add).await.unwrap();
        settle(&north, &south, share).await;
        assert!(south.wanted(share).is_empty());
        north.change(share::End { share }).await.unwrap();
        settle(&north, &south, share).await;
        assert_eq!(items(&north, "1/26").len(), 3);
        south.rebuilds().await;
        north.rebuilds().await;
    }
}

/// AO-40
#[tokio::test]
async fn what_its_owner_deletes_stays_with_who_has_a_copy() {
    let (north, south, _) = two(Investigation).await;
    south.person("Bob", "").await.unwrap();
    let share = copied(&north, &south).await.id;
    north.change(share::End { share }).await.unwrap();
    settle(&north, &south, share).await;
    let before = (case_of(&south, "1/26"), items(&south, "1/26"));
    let whole = retention::DeleteCase {
        case: "1/26".into(),
        reason: "over".into(),
    };
    north.change(whole).await.unwrap();
    north.later(TimeDelta::days(8));
    pass(&north.node, true).await.unwrap();
    let reading = north.node.parts().store.read();
    let cases = reading.view().page(&table::CASE, &(), None, 9).unwrap();
    assert!(cases.is_empty());
    assert_eq!((case_of(&south, "1/26"), items(&south, "1/26")), before);
}

/// Q19: the hold beats policy and people, of what was received as well.
#[tokio::test]
async fn what_is_on_legal_hold_is_deleted_by_nobody() {
    let (north, south, _) = two(Investigation).await;
    policy(&south, "1 day", 1).await;
    default(&south, Some("1 day")).await;
    copied(&north, &south).await;
    let item = items(&south, "1/26")[0].id;
    let hold = retention::HoldCase {
        case: "1/26".into(),
        reason: "Appeal 4 R 7/26".into(),
    };
    south.change(delete(item)).await.unwrap();
    let held = south.change(hold).await.unwrap().hold.unwrap();
    assert_eq!(held.reason, "Appeal 4 R 7/26");
    assert_eq!(items(&south, "1/26")[0].hold.as_ref(), Some(&held));
    let refused = south.change(delete(item)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict);
    let whole = || retention::DeleteCase {
        case: "1/26".into(),
        reason: "expunged".into(),
    };
    assert!(south.change(whole()).await.is_err());
    assert!(due(&south, &south.node.owner())[0].held);
    let year = TimeDelta::days(YEAR.into());
    south.later(year);
    pass(&south.node, true).await.unwrap();
    assert_eq!(items(&south, "1/26").len(), 1);
    // One item held by itself outlives the case's hold, and keeps the case.
    let own = retention::HoldEvidence {
        evidence: item,
        reason: "Exhibit A".into(),
    };
    south.change(own).await.unwrap();
    let release = retention::ReleaseCase {
        case: "1/26".into(),
        reason: "over".into(),
    };
    south.change(release).await.unwrap();
    south.change(whole()).await.unwrap();
    south.later(year);
    pass(&south.node, true).await.unwrap();
    assert_eq!(
        items(&south, "1/26")[0].hold.as_ref().unwrap().reason,
        "Exhibit A"
    );
    south.rebuilds().await;
    let release = retention::ReleaseEvidence {
        evidence: item,
        reason: "over".into(),
    };
    south.change(release).await.unwrap();
    pass(&south.node, true).await.unwrap();
    let reading = south.node.parts().store.read();
    assert!(
        reading
            .view()
            .page(&table::CASE, &(), None, 9)
            .unwrap()
            .is_empty()
    );
    drop(reading);
    south.rebuilds().await;
}

/// What is about to be deleted shows for as long as was set, with when and why, to who reaches it.
#[tokio::test]
async fn what_is_due_is_shown_before_it_is_deleted_and_can_be_kept() {
    let (north, _south, item) = two(Investigation).await;
    let bob = person(&north, "Bob", &[]).await;
    let owner = north.node.owner();
    policy(&north, "30 days", 30).await;
    north.change(retain("1/26", "30 days")).await.unwrap();
    north.case("2/26").await;
    let other = north.evidence("2/26", "b.txt", b"two").await.id;
    let until = items(&north, "1/26")[0].retention_until.unwrap();
    pass(&north.node, true).await.unwrap();
    assert!(due(&north, &owner).is_empty());
    north.later(TimeDelta::days(25));
    pass(&north.node, true).await.unwrap();
    let asked = north.change(delete(other)).await.unwrap();
    let shown = due(&north, &owner);
    let brief = |due: &retention::Subject| (due.evidence, due.by.clone(), due.reason.clone());
    assert_eq!(
        shown.iter().map(brief).collect::<Vec<_>>(),
        [
            (Some(item), None, "retention policy".to_owned()),
            (
                Some(other),
                Some(owner.actor.name.clone()),
                "taken twice".to_owned()
            ),
        ]
    );
    assert!(due(&north, &bob).is_empty());
    // Seen a few days late: it is shown for as long as everything else all the same.
    let days = (shown[0].on - until).num_days();
    assert!((1..=2).contains(&days), "{days}");
    assert_eq!(Some(shown[1].on), asked.queued_for_deletion_on);
    // What policy deletes is kept by another policy; what somebody deletes is taken back.
    let keep = |evidence| retention::KeepEvidence {
        evidence,
        reason: "needed".into(),
    };
    assert!(north.change(keep(item)).await.is_err());
    let kept = north.change(keep(other)).await.unwrap();
    assert_eq!(kept.queued_for_deletion_on, None);
    north.change(retain("1/26", FOREVER)).await.unwrap();
    assert!(due(&north, &owner).is_empty());
    north.later(TimeDelta::days(8));
    pass(&north.node, true).await.unwrap();
    assert_eq!(items(&north, "1/26").len(), 1);
    assert_eq!(items(&north, "1/26")[0].queued_for_deletion_on, None);
    north.change(retain("1/26", "30 days")).await.unwrap();
    pass(&north.node, true).await.unwrap();
    north.later(TimeDelta::days(8));
    pass(&north.node, true).await.unwrap();
    assert!(items(&north, "1/26").is_empty());
    assert_eq!(items(&north, "2/26").len(), 1);
    assert_eq!(tombstone(&north, item).why, Why::Retention);
    north.rebuilds().await;
}

/// With no days in between, what is deleted by hand is gone at once.
#[tokio::test]
async fn nothing_is_deleted_by_a_clock_that_nobody_trusts() {
    let (north, _south, item) = two(Investigation).await;
    let set = settings::Set {
        deletion_days: Some(0),
        disclosure_portal: None,
        ..settings::Set::default()
    };
    north.change(set).await.unwrap();
    north.change(delete(item)).await.unwrap();
    let suspected = crate::event::ClockSuspected {
        says: north.node.parts().clock.now(),
        expected: north.node.parts().clock.now(),
    };
    north
        .events(vec![Event::ClockSuspected(suspected)])
        .await
        .unwrap();
    pass(&north.node, true).await.unwrap();
    assert_eq!(items(&north, "1/26").len(), 1);
    north
        .change(crate::actions::node::ConfirmClock {})
        .await
        .unwrap();
    pass(&north.node, true).await.unwrap();
    assert!(items(&north, "1/26").is_empty());
}

/// What a partner says of when it was recorded makes it no younger than its coming here.
#[tokio::test]
async fn evidence_from_the_future_is_kept_no_longer_than_from_when_it_came() {
    let (north, south, item) = two(Investigation).await;
    let edit = evidence::Edit {
        evidence: item,
        title: None,
        folder: None,
        case: None,
        fields: [(
            "recorded_on".to_owned(),
            Some("9000-01-01T00:00:00Z".to_owned()),
        )]
        .into(),
    };
    north.change(edit).await.unwrap();
    policy(&south, "1 day", 1).await;
    default(&south, Some("1 day")).await;
    copied(&north, &south).await;
    let here = &items(&south, "1/26")[0];
    assert_eq!(here.retention_until, after(here.added_at, 1));
}
