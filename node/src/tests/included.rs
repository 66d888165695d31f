//! Evidence in several cases: one item, whatever case it is looked at from, and one record at whoever it is shared
//! with, who learns of no case but the shared ones.

use chrono::TimeDelta;
use interdocket_sync::id::{EvidenceId, ShareId};

use crate::access::Permission;
use crate::actions::evidence::{self, Evidence, Exclude, Include};
use crate::actions::partner::{self, Inbound, Kind};
use crate::actions::share::{self, Attachment, Mode, Reason, Status};
use crate::actions::{Caller, Error, ErrorKind, Run as _, case, feature, retention, settings};
use crate::erase::pass;
use crate::features::Feature::ConfigurableCaseRetention;
use crate::store::table;
use crate::tests::bench::{Bench, caller, only, pair, settle, to};
use crate::tests::erase::{kept, sweep, tells, tombstone};
use crate::tests::retention::{case_of, delete, due, items, policy, retain};

const FIRST: &str = "1/26";
const SECOND: &str = "canary-number";

fn include(case: &str, item: EvidenceId, folder: &str) -> Include {
    Include {
        case: case.into(),
        evidence: vec![item],
        folder: folder.into(),
    }
}

fn exclude(case: &str, item: EvidenceId) -> Exclude {
    Exclude {
        case: case.into(),
        evidence: vec![item],
    }
}

/// A node's case with an item that is in another case as well, in a folder.
async fn both(at: &Bench) -> EvidenceId {
    for number in [FIRST, SECOND] {
        at.case(number).await;
    }
    let edit = case::Edit {
        case: SECOND.into(),
        number: None,
        title: Some("canary-title".into()),
        description: Some("canary-description".into()),
    };
    at.change(edit).await.unwrap();
    let item = at.evidence(FIRST, "a.txt", b"the same in both").await.id;
    let included = at.change(include(SECOND, item, "canary-folder")).await;
    assert_eq!(included.unwrap().evidence, 1);
    item
}

fn copy(case: &str, attachments: Option<&[Attachment]>) -> share::Copy {
    share::Copy {
        case: case.into(),
        to: vec![to("south", &[])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: attachments.map(|chosen| chosen.iter().copied().collect()),
    }
}

/// Shares a case by copy, and has it delivered.
async fn copied(north: &Bench, south: &Bench, case: &str) -> ShareId {
    let share = only(north.change(copy(case, None)).await.unwrap()).id;
    settle(north, south, share).await;
    assert_eq!(north.shown(share).status, Status::Complete);
    share
}

async fn shown(at: &Bench, item: EvidenceId, who: &Caller) -> Result<Evidence, Error> {
    let show = evidence::Show {
        evidence: item,
        confidential: false,
    };
    show.run(&at.node, who).await
}

/// The numbers and folders of the cases that somebody is shown.
fn places(item: &Evidence) -> Vec<(&str, &str)> {
    let cases = item.cases.iter();
    let mut places: Vec<_> = cases
        .map(|case| (case.number.as_str(), case.folder.as_str()))
        .collect();
    places.sort_unstable();
    places
}

/// How many items, files and blobs a node has.
fn counts(at: &Bench) -> [usize; 3] {
    let reading = at.node.parts().store.read();
    let view = reading.view();
    [
        view.page(&table::EVIDENCE, &(), None, 99).unwrap().len(),
        view.page(&table::FILE, &(), None, 99).unwrap().len(),
        view.page(&table::BLOB, &(), None, 99).unwrap().len(),
    ]
}

#[tokio::test]
async fn item_is_the_same_in_all_its_cases_and_has_a_folder_in_each() {
    let north = Bench::new("north");
    let item = both(&north).await;
    let owner = north.node.owner();
    let seen = shown(&north, item, &owner).await.unwrap();
    assert_eq!(places(&seen), [(FIRST, ""), (SECOND, "canary-folder")]);
    assert_eq!(items(&north, SECOND)[0].folder, "canary-folder");
    assert_eq!(items(&north, FIRST)[0].folder, "");
    let edit = |case: Option<&str>, folder: &str| evidence::Edit {
        evidence: item,
        title: None,
        folder: Some(folder.into()),
        case: case.map(Into::into),
        fields: Default::default(),
    };
    let unclear = north.change(edit(None, "calls")).await.unwrap_err();
    assert_eq!(unclear.kind, ErrorKind::Invalid);
    let moved = north.change(edit(Some(FIRST), "calls")).await.unwrap();
    assert_eq!(
        places(&moved),
        [(FIRST, "calls"), (SECOND, "canary-folder")]
    );
    let retitle = evidence::Edit {
        evidence: item,
        title: Some("One title".into()),
        folder: None,
        case: None,
        fields: Default::default(),
    };
    north.change(retitle).await.unwrap();
    for number in [FIRST, SECOND] {
        assert_eq!(items(&north, number)[0].title, "One title");
        assert_eq!(
            (
                case_of(&north, number).evidence,
                case_of(&north, number).bytes
            ),
            (1, 16)
        );
    }
    assert_eq!(counts(&north), [1, 1, 1]);
    north.change(exclude(FIRST, item)).await.unwrap();
    assert!(items(&north, FIRST).is_empty());
    assert_eq!(
        (
            case_of(&north, FIRST).evidence,
            case_of(&north, FIRST).bytes
        ),
        (0, 0)
    );
    let last = north.change(exclude(SECOND, item)).await.unwrap_err();
    assert_eq!(last.kind, ErrorKind::Conflict);
    assert!(last.hints[0].contains("evidence delete"));
    let absent = north.change(exclude(FIRST, item)).await.unwrap_err();
    assert_eq!(absent.kind, ErrorKind::NotFound);
    north.rebuilds().await;
}

/// Whoever reaches one of its cases reaches it, and is shown only the cases that they reach.
#[tokio::test]
async fn cases_out_of_reach_are_neither_shown_nor_lost_to() {
    let north = Bench::new("north");
    let item = both(&north).await;
    let other = north.evidence(SECOND, "b.txt", b"only there").await.id;
    let kim = caller(&north.person("Kim", "").await.unwrap());
    let access = case::Access {
        case: FIRST.into(),
        add: vec!["Kim".into()],
        remove: Vec::new(),
    };
    north.change(access).await.unwrap();
    let seen = shown(&north, item, &kim).await.unwrap();
    assert_eq!(places(&seen), [(FIRST, "")]);
    assert!(!serde_json::to_string(&seen).unwrap().contains("canary"));
    // To Kim it is the last case, and what Kim does not reach can't be put anywhere.
    let lost = exclude(FIRST, item).run(&north.node, &kim).await;
    assert_eq!(lost.unwrap_err().kind, ErrorKind::Conflict);
    let unknown = include(FIRST, other, "").run(&north.node, &kim).await;
    assert_eq!(unknown.unwrap_err().kind, ErrorKind::NotFound);
    let elsewhere = include(SECOND, item, "").run(&north.node, &kim).await;
    assert_eq!(elsewhere.unwrap_err().kind, ErrorKind::NotFound);
    // A hold on a case that Kim does not reach keeps it; why is nothing to Kim.
    let hold = retention::HoldCase {
        case: SECOND.into(),
        reason: "canary-reason".into(),
    };
    north.change(hold).await.unwrap();
    let mut clerk = kim.clone();
    clerk.permissions.insert(Permission::EvidenceDelete);
    let refused = delete(item).run(&north.node, &clerk).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict);
    assert!(!refused.message.contains("canary"));
    assert_eq!(shown(&north, item, &kim).await.unwrap().hold, None);
}

/// Where only some people change a case, one of them in any case that they reach changes what is in it.
#[tokio::test]
async fn who_may_change_one_case_of_it_may_change_an_item() {
    let north = Bench::new("north");
    let item = both(&north).await;
    let [kim, lee] = ["Kim", "Lee"];
    let mut callers = Vec::new();
    for name in [kim, lee] {
        callers.push(caller(&north.person(name, "").await.unwrap()));
        let access = case::Access {
            case: FIRST.into(),
            add: vec![name.into()],
            remove: Vec::new(),
        };
        north.change(access).await.unwrap();
    }
    let assign = case::Assign {
        case: SECOND.into(),
        users: vec![kim.into()],
    };
    north.change(assign).await.unwrap();
    let restrict = settings::Set {
        restrict_edit: Some(true),
        ..settings::Set::default()
    };
    north.change(restrict).await.unwrap();
    let note = evidence::AddNote {
        evidence: item,
        text: "seen".into(),
    };
    assert!(note.clone().run(&north.node, &callers[0]).await.is_ok());
    let refused = note.run(&north.node, &callers[1]).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    assert!(!refused.message.contains("canary"));
}

/// AE-042, AE-084, AJ-32, Q10: two cases, each shared, are two cases at the partner, with one record and one file.
#[tokio::test]
async fn item_of_two_shared_cases_is_one_record_at_the_partner() {
    let (north, south) = pair().await;
    let item = both(&north).await;
    let one = copied(&north, &south, FIRST).await;
    let here = south.became(one, item).unwrap();
    let title = evidence::Edit {
        evidence: here,
        title: Some("Exhibit 1".into()),
        folder: Some("trial".into()),
        case: None,
        fields: Default::default(),
    };
    south.change(title).await.unwrap();
    let two = copied(&north, &south, SECOND).await;
    assert_eq!(south.became(two, item), Some(here));
    assert_eq!(counts(&south), [1, 1, 1]);
    let cases = [one, two].map(|share| south.shown(share).case.unwrap());
    assert_ne!(cases[0], cases[1]);
    let owner = south.node.owner();
    let seen = shown(&south, here, &owner).await.unwrap();
    assert_eq!(places(&seen), [(FIRST, "trial"), (SECOND, "canary-folder")]);
    assert_eq!(seen.title, "Exhibit 1", "what is here is the receiver's");
    for number in [FIRST, SECOND] {
        assert_eq!(
            (
                case_of(&south, number).evidence,
                case_of(&south, number).bytes
            ),
            (1, 16)
        );
    }
    for node in [&north, &south] {
        node.rebuilds().await;
    }
    // A file that only the second share brings is added, and those that are here are not doubled.
    let trail = Some(&[Attachment::AuditTrail][..]);
    let three = only(north.change(copy(FIRST, trail)).await.unwrap());
    north.node.prepare(three.id).await.unwrap();
    settle(&north, &south, three.id).await;
    assert_eq!(south.became(three.id, item), Some(here));
    assert_eq!(counts(&south), [1, 2, 2]);
    south.rebuilds().await;
}

/// AE-084: of a case that is not shared nothing arrives: no id, number, title or folder, also not in what goes along.
#[tokio::test]
async fn share_of_one_case_tells_nothing_of_the_others() {
    let (north, south) = pair().await;
    let item = both(&north).await;
    let hidden = case_of(&north, SECOND).id;
    let all = [
        Attachment::AuditTrail,
        Attachment::Notes,
        Attachment::Markers,
    ];
    let share = only(north.change(copy(FIRST, Some(&all))).await.unwrap()).id;
    north.node.prepare(share).await.unwrap();
    settle(&north, &south, share).await;
    let arrived = kept(&south);
    assert!(
        tells(&arrived, b"evidence added"),
        "the audit trail is there"
    );
    for canary in [
        "canary",
        "put into a case",
        "taken out",
        &hidden.to_string(),
    ] {
        assert!(!tells(&arrived, canary.as_bytes()), "{canary}");
    }
    assert!(!tells(&arrived, hidden.as_bytes()));
    let here = south.became(share, item).unwrap();
    let owner = south.node.owner();
    let seen = shown(&south, here, &owner).await.unwrap();
    assert_eq!(places(&seen), [(FIRST, "")]);
}

/// What is deleted at the receiver with one case stays in the other; when it is gone neither share brings it back, and
/// a new one does.
#[tokio::test]
async fn item_goes_with_the_last_case_that_has_it() {
    let (north, south) = pair().await;
    let item = both(&north).await;
    let one = copied(&north, &south, FIRST).await;
    let two = copied(&north, &south, SECOND).await;
    let here = south.became(one, item).unwrap();
    let whole = |case: &str| retention::DeleteCase {
        case: case.into(),
        reason: "expunged".into(),
    };
    south.change(whole(SECOND)).await.unwrap();
    sweep(&south).await;
    assert_eq!(counts(&south), [1, 1, 1]);
    let owner = south.node.owner();
    let seen = shown(&south, here, &owner).await.unwrap();
    assert_eq!(places(&seen), [(FIRST, "")]);
    for (key, value) in south.tables() {
        assert!(!tells(&[key, value], b"canary-folder"));
    }
    south.rebuilds().await;
    south.change(whole(FIRST)).await.unwrap();
    sweep(&south).await;
    assert_eq!(counts(&south), [0, 0, 0]);
    let erased = tombstone(&south, here);
    let mut brought = erased.brought.clone();
    brought.sort_unstable();
    let mut both = vec![one, two];
    both.sort_unstable();
    assert_eq!(brought, both);
    south.rebuilds().await;
    for share in [one, two] {
        north.evidence(FIRST, "later.txt", b"later").await;
        settle(&north, &south, share).await;
        assert_eq!(south.wanted(share), []);
        assert_eq!(counts(&south), [0, 0, 0]);
    }
    let three = copied(&north, &south, SECOND).await;
    let anew = south.became(three, item).unwrap();
    assert_ne!(anew, here);
    assert_eq!(counts(&south), [1, 1, 1]);
    south.rebuilds().await;
    let south = south.crash(1);
    south.rebuilds().await;
}

/// An item that was deleted by itself leaves all its cases, and a share that had not brought it yet still does.
#[tokio::test]
async fn deleted_item_is_not_brought_back_by_the_share_that_brought_it() {
    let (north, south) = pair().await;
    let item = both(&north).await;
    let one = copied(&north, &south, FIRST).await;
    let here = south.became(one, item).unwrap();
    south.change(delete(here)).await.unwrap();
    sweep(&south).await;
    let two = copied(&north, &south, SECOND).await;
    let anew = south.became(two, item).unwrap();
    assert_eq!((south.became(one, item), anew != here), (Some(here), true));
    assert_eq!(items(&south, SECOND).len(), 1);
    assert!(items(&south, FIRST).is_empty());
    south.rebuilds().await;
}

/// What an owner erases is gone from every case and share of it, also of a case that it had been taken out of.
#[tokio::test]
async fn nothing_is_left_of_an_item_in_any_case_that_it_was_in() {
    let (north, south) = pair().await;
    let item = both(&north).await;
    let edit = evidence::Edit {
        evidence: item,
        title: Some("secret-title".into()),
        folder: None,
        case: None,
        fields: Default::default(),
    };
    north.change(edit).await.unwrap();
    copied(&north, &south, SECOND).await;
    north.change(exclude(SECOND, item)).await.unwrap();
    north.rebuilds().await;
    north.change(delete(item)).await.unwrap();
    sweep(&north).await;
    for (key, value) in north.tables() {
        assert!(!tells(&[key, value], b"secret-title"));
    }
    assert_eq!(tombstone(&north, item).cases.len(), 2);
    north.rebuilds().await;
    let north = north.crash(3);
    north.rebuilds().await;
}

/// AE-067, Q19: that which keeps it longest counts, and a hold on any of its cases.
#[tokio::test]
async fn item_is_kept_as_long_as_any_of_its_cases_keeps_it() {
    let north = Bench::new("north");
    let features = [ConfigurableCaseRetention].into();
    north.change(feature::Enable { features }).await.unwrap();
    let item = both(&north).await;
    policy(&north, "a month", 30).await;
    policy(&north, "a year", 365).await;
    north.change(retain(FIRST, "a month")).await.unwrap();
    let owner = north.node.owner();
    let until = async || shown(&north, item, &owner).await.unwrap().retention_until;
    assert_eq!(until().await, None, "the other case keeps it for ever");
    north.later(TimeDelta::days(60));
    pass(&north.node, true).await.unwrap();
    assert!(due(&north, &owner).is_empty());
    north.change(retain(SECOND, "a year")).await.unwrap();
    let dated = shown(&north, item, &owner).await.unwrap().uploaded_at;
    assert_eq!(until().await, Some(dated + TimeDelta::days(365)));
    let hold = retention::HoldCase {
        case: FIRST.into(),
        reason: "appeal".into(),
    };
    north.change(hold).await.unwrap();
    let held = north.change(exclude(FIRST, item)).await.unwrap_err();
    assert_eq!(held.kind, ErrorKind::Conflict);
    north.later(TimeDelta::days(400));
    sweep(&north).await;
    sweep(&north).await;
    assert_eq!(counts(&north), [1, 1, 1]);
    let release = retention::ReleaseCase {
        case: FIRST.into(),
        reason: "over".into(),
    };
    north.change(release).await.unwrap();
    sweep(&north).await;
    sweep(&north).await;
    assert_eq!(counts(&north), [0, 0, 0]);
    north.rebuilds().await;
}

/// A case that is deleted takes nothing with it that another case has.
#[tokio::test]
async fn deleted_case_erases_only_what_is_in_no_other_case() {
    let north = Bench::new("north");
    let item = both(&north).await;
    let alone = north.evidence(FIRST, "b.txt", b"only here").await.id;
    let whole = retention::DeleteCase {
        case: FIRST.into(),
        reason: "expunged".into(),
    };
    north.change(whole).await.unwrap();
    sweep(&north).await;
    assert_eq!(counts(&north), [1, 1, 1]);
    let owner = north.node.owner();
    let seen = shown(&north, item, &owner).await.unwrap();
    assert_eq!(places(&seen), [(SECOND, "canary-folder")]);
    let gone = shown(&north, alone, &owner).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
    north.rebuilds().await;
    north.crash(1).rebuilds().await;
}

/// Evidence that is put into a shared case is new evidence of that case, in the folder where it lies there.
#[tokio::test]
async fn what_is_put_into_a_shared_case_is_new_evidence_of_it() {
    let (north, south) = pair().await;
    for number in [FIRST, SECOND] {
        north.case(number).await;
    }
    let item = north.evidence(FIRST, "a.txt", b"from the first").await.id;
    north.evidence(SECOND, "b.txt", b"of the second").await;
    let copy = copied(&north, &south, SECOND).await;
    north.change(include(SECOND, item, "calls")).await.unwrap();
    let unsaid = north.shown(copy);
    assert_eq!((unsaid.behind, south.listed(copy).len()), (0, 1));
    let update = share::Add {
        share: copy,
        evidence: Vec::new(),
    };
    north.change(update).await.unwrap();
    settle(&north, &south, copy).await;
    assert_eq!(south.listed(copy).len(), 2);
    let here = south.became(copy, item).unwrap();
    let mut listed = items(&south, SECOND).into_iter();
    assert_eq!(listed.find(|one| one.id == here).unwrap().folder, "calls");
    // What was chosen and not told yet is not told where it was taken out meanwhile.
    let late = north.evidence(FIRST, "c.txt", b"late").await.id;
    north.change(include(SECOND, late, "")).await.unwrap();
    let update = share::Add {
        share: copy,
        evidence: vec![late],
    };
    north.change(update).await.unwrap();
    north.change(exclude(SECOND, late)).await.unwrap();
    settle(&north, &south, copy).await;
    assert_eq!(south.became(copy, late), None);
    assert_eq!(north.shown(copy).behind, 0);
    for node in [&north, &south] {
        node.rebuilds().await;
    }
}

/// An advanced share follows what its case has: by the folder there, and whatever other cases have.
#[tokio::test]
async fn advanced_share_covers_what_lies_in_its_folders_of_its_case() {
    let (north, south) = pair().await;
    for (at, other) in [(&north, "south"), (&south, "north")] {
        let enable = partner::Enable {
            partner: other.into(),
            send: [Kind::Advanced].into(),
            receive: [Kind::Advanced].into(),
        };
        at.change(enable).await.unwrap();
    }
    let policy = partner::SetPolicy {
        partner: "south".into(),
        mode: Mode::Synchronised,
        download: true,
        import: true,
        onward: false,
    };
    north.change(policy).await.unwrap();
    for number in [FIRST, SECOND] {
        north.case(number).await;
    }
    let item = north.evidence(FIRST, "a.txt", b"one").await.id;
    let advanced = share::Advanced {
        case: SECOND.into(),
        to: vec![to("south", &["Bob"])],
        evidence: Vec::new(),
        folders: vec!["scene".into()],
        targets: None,
        units: Vec::new(),
        message: String::new(),
    };
    let share = only(north.change(advanced).await.unwrap()).id;
    let waits = || {
        let reading = north.node.parts().store.read();
        reading.view().has(&table::WAITING, &(share, item)).unwrap()
    };
    north.change(include(SECOND, item, "other")).await.unwrap();
    assert!(!waits(), "the folder is not shared");
    north
        .change(include(SECOND, item, "scene/phone"))
        .await
        .unwrap();
    assert!(waits());
    while north.disclose(share).await.unwrap() {}
    assert_eq!((waits(), north.shown(share).listed.evidence), (false, 1));
    // The folder that it has in the other case is nothing to this share.
    north
        .change(include(FIRST, item, "elsewhere"))
        .await
        .unwrap();
    assert!(!waits());
    let edit = evidence::Edit {
        evidence: item,
        title: Some("A title".into()),
        folder: None,
        case: None,
        fields: Default::default(),
    };
    north.change(edit).await.unwrap();
    assert!(waits(), "what is said of it concerns all its shares");
    while north.disclose(share).await.unwrap() {}
    north.change(exclude(SECOND, item)).await.unwrap();
    assert!(waits());
    while north.disclose(share).await.unwrap() {}
    assert_eq!((waits(), north.shown(share).listed.evidence), (false, 0));
    north.rebuilds().await;
}

/// What waits for an administrator, or was declined, touches nothing that another share brought.
#[tokio::test]
async fn share_that_waits_or_is_declined_leaves_the_record_as_it_is() {
    let (north, south) = pair().await;
    let item = both(&north).await;
    let one = copied(&north, &south, FIRST).await;
    let here = south.became(one, item).unwrap();
    let owner = south.node.owner();
    let before = shown(&south, here, &owner).await.unwrap();
    let set = partner::SetInbound {
        partner: "north".into(),
        inbound: Inbound::Finalise,
    };
    south.change(set).await.unwrap();
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let share = only(north.change(copy(SECOND, None)).await.unwrap()).id;
        while north.deliver(&south, share).await == Some(Ok(())) {}
        assert!(south.holds(share));
        assert_eq!(south.became(share, item), None);
        waiting.push(share);
    }
    assert_eq!(shown(&south, here, &owner).await.unwrap(), before);
    let decline = share::Decline {
        share: waiting[0],
        reason: Reason::Misdirected,
    };
    south.change(decline).await.unwrap();
    assert_eq!(shown(&south, here, &owner).await.unwrap(), before);
    // Put into the very case that has it already, it is in that once.
    let finalise = share::Finalise {
        share: waiting[1],
        case: Some(FIRST.into()),
        access: Vec::new(),
    };
    finalise.run(&south.node, &owner).await.unwrap();
    settle(&north, &south, waiting[1]).await;
    assert_eq!(north.shown(waiting[1]).status, Status::Complete);
    assert_eq!(shown(&south, here, &owner).await.unwrap(), before);
    assert_eq!(counts(&south), [1, 1, 1]);
    assert_eq!(case_of(&south, FIRST).evidence, 1);
    south.rebuilds().await;
}

/// What a partner shares again and again makes nothing larger than it can be: the next record stands beside the first.
#[tokio::test]
async fn record_without_room_for_another_case_stays_as_it_is() {
    let (north, south) = pair().await;
    let item = both(&north).await;
    let one = copied(&north, &south, FIRST).await;
    let here = south.became(one, item).unwrap();
    for number in 1..evidence::CASES_MAX {
        let number = format!("S-{number}");
        south.case(&number).await;
        south.change(include(&number, here, "")).await.unwrap();
    }
    south.case("S-0").await;
    let full = south.change(include("S-0", here, "")).await.unwrap_err();
    assert_eq!(full.kind, ErrorKind::Conflict);
    let two = copied(&north, &south, SECOND).await;
    let beside = south.became(two, item).unwrap();
    assert_ne!(beside, here);
    south.change(delete(beside)).await.unwrap();
    south.change(exclude("S-1", here)).await.unwrap();
    sweep(&south).await;
    let three = copied(&north, &south, SECOND).await;
    assert_eq!(south.became(three, item), Some(here));
    south.rebuilds().await;
}
