//! The portal: guests read exactly what was disclosed to them, for as long as they may, and nothing else.

mod ends;

use interdocket_sync::id::EvidenceId;

use crate::access::{ADMINISTRATOR, GUEST};
use crate::actions::disclosure::{self, Disclosure, DisclosureId, Status};
use crate::actions::evidence::{self, AddNote, Evidence, Purpose};
use crate::actions::partner::OrganisationRole::{Investigation, Justice};
use crate::actions::portal::{self, Item};
use crate::actions::share::Attachment;
use crate::actions::{
    Caller, Error, ErrorKind, Run as _, case, external, group, metadata, people, role, settings,
    share, target, token, user,
};
use crate::event::Event;
use crate::jobs::watermark::look;
use crate::tests::bench::{Bench, caller, only, settle, to};
use crate::tests::erase::{kept, tells};
use crate::tests::retention::items;
use crate::tests::signin;

async fn portal(at: &Bench, on: bool) {
    let set = settings::Set {
        disclosure_portal: Some(on),
        ..settings::Set::default()
    };
    at.change(set).await.unwrap();
}

async fn person(at: &Bench, name: &str, role: &str) -> Result<user::User, Error> {
    let add = user::Add {
        name: name.into(),
        role: role.into(),
        email: String::new(),
        badge: String::new(),
    };
    at.change(add).await
}

/// A guest, as they call while they are signed in.
async fn guest(at: &Bench, name: &str) -> Caller {
    caller(&person(at, name, GUEST).await.unwrap())
}

/// A node with a portal, a case with an item, and the guest Dee.
async fn court() -> (Bench, Evidence, Caller) {
    let court = Bench::of("court", Justice);
    portal(&court, true).await;
    let dee = guest(&court, "Dee").await;
    court.case("1/26").await;
    let item = court.evidence("1/26", "a.mp4", b"moving pictures").await;
    (court, item, dee)
}

fn make(guest: &str) -> disclosure::Make {
    disclosure::Make {
        case: "1/26".into(),
        guests: vec![guest.into()],
        days: None,
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: None,
    }
}

async fn disclose(at: &Bench, make: disclosure::Make) -> Result<Disclosure, Error> {
    make.run(&at.node, &at.node.owner()).await
}

async fn update(
    at: &Bench,
    id: DisclosureId,
    evidence: &[EvidenceId],
    folders: &[&str],
) -> Result<Disclosure, Error> {
    let update = disclosure::Update {
        disclosure: id,
        evidence: evidence.to_vec(),
        folders: folders.iter().map(|&folder| folder.into()).collect(),
    };
    update.run(&at.node, &at.node.owner()).await
}

async fn list(at: &Bench, who: &Caller) -> Result<Vec<portal::Disclosure>, Error> {
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let limit = Some(1);
        let page = portal::List { after, limit }.run(&at.node, who).await?;
        listed.extend(page.disclosures);
        after = page.next;
        if after.is_none() {
            return Ok(listed);
        }
    }
}

async fn show(at: &Bench, who: &Caller, id: DisclosureId) -> Result<portal::Shown, Error> {
    let mut show = portal::Show {
        disclosure: id,
        after: None,
        limit: Some(1),
    };
    let mut shown = show.clone().run(&at.node, who).await?;
    while shown.next.is_some() {
        show.after = shown.next.take();
        let page = show.clone().run(&at.node, who).await?;
        shown.items.extend(page.items);
        shown.next = page.next;
    }
    Ok(shown)
}

fn get(id: DisclosureId, evidence: EvidenceId, file: u32) -> portal::Get {
    portal::Get {
        disclosure: id,
        evidence,
        file,
        purpose: Purpose::Download,
    }
}

/// All bytes of a file, or why they ended early.
async fn read(
    at: &Bench,
    who: &Caller,
    get: portal::Get,
) -> Result<Result<Vec<u8>, String>, Error> {
    let mut opened = at.node.open_disclosed(who, get).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = opened.bytes.recv().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    assert_eq!(bytes.len() as u64, opened.size);
    Ok(Ok(bytes))
}

/// Nothing is there for somebody: not in a list, not by id, no file.
async fn nothing(at: &Bench, who: &Caller, id: DisclosureId, evidence: EvidenceId) {
    assert_eq!(list(at, who).await.unwrap(), []);
    for error in [
        show(at, who, id).await.err().unwrap(),
        read(at, who, get(id, evidence, 0)).await.err().unwrap(),
    ] {
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    }
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Error>, kind: ErrorKind) -> Error {
    let error = answer.unwrap_err();
    assert_eq!(error.kind, kind, "{error}");
    error
}

fn kinds(item: &Item) -> Vec<evidence::FileKind> {
    item.files.iter().map(|file| file.kind).collect()
}

/// AJ-17
#[tokio::test]
async fn guest_signs_in_and_sees_exactly_what_was_disclosed() {
    let (court, item, _) = court().await;
    let hidden = court.evidence("1/26", "hidden.txt", b"not for dee").await;
    let made = disclosure::Make {
        evidence: vec![item.id],
        message: "For the defence".into(),
        ..make("Dee")
    };
    let id = disclose(&court, made).await.unwrap().id;
    let (secret, ..) = signin::enrol(&court, "Dee").await;
    let dee = court.node.authenticate(&secret).unwrap();
    let listed = list(&court, &dee).await.unwrap();
    assert_eq!(listed.len(), 1);
    let given = &listed[0];
    assert_eq!((given.disclosure, given.evidence), (id, 1));
    assert_eq!(given.organisation, "court");
    assert_eq!(given.message, "For the defence");
    let shown = show(&court, &dee, id).await.unwrap();
    assert_eq!(&shown.disclosure, given);
    let [seen] = <[Item; 1]>::try_from(shown.items).unwrap();
    assert_eq!((seen.evidence, seen.title.as_str()), (item.id, "a.mp4"));
    let bytes = read(&court, &dee, get(id, item.id, 0)).await.unwrap();
    assert_eq!(bytes.unwrap(), b"moving pictures");
    let other = read(&court, &dee, get(id, hidden.id, 0)).await;
    refused(other, ErrorKind::NotFound);
    let beyond = read(&court, &dee, get(id, item.id, 1)).await;
    refused(beyond, ErrorKind::NotFound);
    // The court sees the same.
    let show = disclosure::Show {
        disclosure: id,
        after: None,
        limit: None,
    };
    let own = show.run(&court.node, &court.node.owner()).await.unwrap();
    assert_eq!((own.items, own.next), (vec![seen], None));
    assert_eq!(own.disclosure.status, Status::Active);
    court.rebuilds().await;
}

/// An item of which all sorts of things are said.
async fn described(at: &Bench, evidence: EvidenceId) {
    let fields = [("device_serial", "X81"), ("fleet2_mount", "dashboard")];
    let field = |(name, text): (&str, &str)| (name.to_owned(), Some(text.to_owned()));
    let edit = evidence::Edit {
        evidence,
        title: Some("The quay".into()),
        folder: Some("scene".into()),
        case: None,
        fields: fields.map(field).into(),
    };
    at.change(edit).await.unwrap();
    for (kind, text) in [
        (metadata::Kind::Category, "Arson"),
        (metadata::Kind::Tag, "night"),
    ] {
        let tag = evidence::Tag {
            evidence,
            kind,
            add: vec![text.into()],
            remove: Vec::new(),
        };
        at.change(tag).await.unwrap();
    }
    let target = target::Add {
        case: "1/26".into(),
        name: "Rae Lind".into(),
        description: "Skipper".into(),
    };
    at.change(target).await.unwrap();
}

/// AJ-17
#[tokio::test]
async fn guest_is_told_what_a_copy_would_have_and_nothing_else() {
    let (court, item, dee) = court().await;
    let south = Bench::of("south", Investigation);
    court.trust(&south, None).await;
    south.trust(&court, None).await;
    described(&court, item.id).await;
    let id = disclose(&court, make("Dee")).await.unwrap().id;
    let share = court.copy("1/26", "south").await.unwrap().id;
    settle(&court, &south, share).await;
    let copied = items(&south, "1/26").remove(0);

    let shown = show(&court, &dee, id).await.unwrap();
    let case = &shown.disclosure.case;
    assert_eq!(
        (case.number.as_str(), case.targets[0].name.as_str()),
        ("1/26", "Rae Lind")
    );
    let seen = &shown.items[0];
    assert_eq!((&seen.title, &seen.folder), (&copied.title, &copied.folder));
    assert_eq!(
        (seen.title.as_str(), seen.folder.as_str()),
        ("The quay", "scene")
    );
    assert_eq!(seen.added_by, copied.added_by);
    assert_eq!(seen.metadata, copied.metadata);
    assert!(seen.metadata.fields.contains_key("device_serial"));
    assert!(!seen.metadata.fields.contains_key("fleet2_mount"));
    assert!(seen.metadata.categories.is_empty());
    assert_eq!(seen.metadata.tags.len(), 2);
    let copied: Vec<_> = copied.files.iter().map(|file| file.blake3).collect();
    let seen: Vec<_> = seen.files.iter().map(|file| file.blake3).collect();
    assert_eq!(seen, copied);
}

/// AJ-17
#[tokio::test]
async fn without_a_portal_nobody_is_a_guest_and_nothing_is_disclosed() {
    for role in [Justice, Investigation] {
        let court = Bench::of("court", role);
        court.case("1/26").await;
        court.evidence("1/26", "a.txt", b"a").await;
        let roles = async || {
            let list = role::List {}.run(&court.node, &court.node.owner()).await;
            let roles = list.unwrap().roles.into_iter();
            roles.map(|role| role.name).any(|name| name == GUEST)
        };
        assert!(!roles().await);
        let early = refused(person(&court, "Dee", GUEST).await, ErrorKind::Conflict);
        assert!(early.hints[0].contains("--disclosure-portal"), "{early:?}");
        portal(&court, true).await;
        assert!(roles().await);
        guest(&court, "Dee").await;
        portal(&court, false).await;
        assert!(!roles().await);
        let error = refused(disclose(&court, make("Dee")).await, ErrorKind::Conflict);
        assert!(error.hints[0].contains("--disclosure-portal"), "{error:?}");
        portal(&court, true).await;
        let id = disclose(&court, make("Dee")).await.unwrap().id;
        portal(&court, false).await;
        refused(update(&court, id, &[], &[]).await, ErrorKind::Conflict);
    }
}

#[tokio::test]
async fn a_disclosure_stays_as_it_was_and_grows_only_by_updates() {
    let (court, item, dee) = court().await;
    let id = disclose(&court, make("Dee")).await.unwrap().id;
    let first = show(&court, &dee, id).await.unwrap();
    let edit = evidence::Edit {
        evidence: item.id,
        title: Some("Another title".into()),
        folder: None,
        case: None,
        fields: Default::default(),
    };
    court.change(edit).await.unwrap();
    let late = court.evidence("1/26", "b.txt", b"later").await;
    let again = show(&court, &dee, id).await.unwrap();
    assert_eq!(again.items, first.items);
    assert_eq!(first.items[0].title, "a.mp4");
    let unread = read(&court, &dee, get(id, late.id, 0)).await;
    refused(unread, ErrorKind::NotFound);

    let updated = update(&court, id, &[], &[]).await.unwrap();
    assert_eq!(updated.evidence, 2);
    let shown = show(&court, &dee, id).await.unwrap();
    assert_eq!(shown.disclosure.evidence, 2);
    assert_eq!(
        (&shown.items[0], &shown.items[1].title),
        (&first.items[0], &"b.txt".into())
    );
    let bytes = read(&court, &dee, get(id, late.id, 0)).await.unwrap();
    assert_eq!(bytes.unwrap(), b"later");
    // What is there already is not disclosed twice.
    let same = update(&court, id, &[item.id], &[]).await.unwrap();
    assert_eq!(same.evidence, 2);
    let court = court.crash(3);
    assert_eq!(show(&court, &dee, id).await.unwrap().items, shown.items);
    court.rebuilds().await;
}

#[tokio::test]
async fn an_update_without_names_takes_what_was_chosen_first_and_nothing_beside() {
    let (court, item, dee) = court().await;
    let put = async |name: &str, folder: &str| {
        let id = court.evidence("1/26", name, name.as_bytes()).await.id;
        let edit = evidence::Edit {
            evidence: id,
            title: None,
            folder: Some(folder.into()),
            case: None,
            fields: Default::default(),
        };
        court.change(edit).await.unwrap();
        id
    };
    let inside = put("inside.txt", "scene/quay").await;
    put("outside.txt", "lab").await;
    let folders = disclosure::Make {
        folders: vec!["scene".into()],
        ..make("Dee")
    };
    let scene = disclose(&court, folders).await.unwrap().id;
    let selected = disclosure::Make {
        evidence: vec![item.id],
        ..make("Dee")
    };
    let selected = disclose(&court, selected).await.unwrap().id;
    let more = put("more.txt", "scene").await;
    update(&court, scene, &[], &[]).await.unwrap();
    let ids = async |id| -> Vec<EvidenceId> {
        let shown = show(&court, &dee, id).await.unwrap();
        shown.items.iter().map(|item| item.evidence).collect()
    };
    assert_eq!(ids(scene).await, [inside, more]);
    let unnamed = update(&court, selected, &[], &[]).await;
    refused(unnamed, ErrorKind::Invalid);
    update(&court, selected, &[], &["lab"]).await.unwrap();
    assert_eq!(ids(selected).await.len(), 2);
    let foreign = court.case("2/26").await;
    let elsewhere = court.evidence(&foreign.number, "x.txt", b"x").await.id;
    let elsewhere = update(&court, selected, &[elsewhere], &[]).await;
    refused(elsewhere, ErrorKind::NotFound);
}

/// Each attachment is chosen by itself, as that of a copy.
#[tokio::test]
async fn what_goes_along_is_what_was_chosen() {
    let (court, item, dee) = court().await;
    let note = AddNote {
        evidence: item.id,
        text: "The plate can be read".into(),
    };
    court.change(note).await.unwrap();
    let plain = disclose(&court, make("Dee")).await.unwrap();
    assert_eq!(plain.attachments, [Attachment::Markers].into());
    let chosen = disclosure::Make {
        attachments: Some([Attachment::Notes, Attachment::AuditTrail].into()),
        ..make("Dee")
    };
    let chosen = disclose(&court, chosen).await.unwrap().id;
    let shown = show(&court, &dee, plain.id).await.unwrap();
    assert_eq!(kinds(&shown.items[0]), [evidence::FileKind::Original]);
    let shown = show(&court, &dee, chosen).await.unwrap();
    let with = [
        evidence::FileKind::Original,
        evidence::FileKind::AuditTrail,
        evidence::FileKind::Notes,
    ];
    assert_eq!(kinds(&shown.items[0]), with);
    let notes = read(&court, &dee, get(chosen, item.id, 2)).await.unwrap();
    let notes = String::from_utf8(notes.unwrap()).unwrap();
    assert!(notes.contains("The plate can be read"), "{notes}");
    let trail = read(&court, &dee, get(chosen, item.id, 1)).await.unwrap();
    let trail = String::from_utf8(trail.unwrap()).unwrap();
    assert!(trail.contains("evidence added"), "{trail}");
    court.rebuilds().await;
}

/// Of video that came from somebody else, guests get what people here do.
#[tokio::test]
async fn received_video_has_its_watermark_for_guests_too() {
    const FFMPEG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/watermark/ffmpeg");
    let north = Bench::new("north");
    let court = Bench::of("court", Justice);
    north.trust(&court, None).await;
    court.trust(&north, None).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.mp4", b"moving pictures").await;
    let share = north.copy("1/26", "court").await.unwrap().id;
    settle(&north, &court, share).await;
    portal(&court, true).await;
    let dee = guest(&court, "Dee").await;
    let item = items(&court, "1/26").remove(0).id;
    let before = disclose(&court, make("Dee")).await.unwrap().id;
    let stop = tokio_util::sync::CancellationToken::new();
    look(&court.node, FFMPEG, &stop).await.unwrap();
    let after = disclose(&court, make("Dee")).await.unwrap().id;

    let beside = show(&court, &dee, before).await.unwrap().items.remove(0);
    assert_eq!(beside.files[0].watermark.as_deref(), Some("From north"));
    let drawn = show(&court, &dee, after).await.unwrap().items.remove(0);
    let file = &drawn.files[0];
    assert_eq!(
        (file.name.as_str(), &file.watermark),
        ("a.watermark.mkv", &None)
    );
    let bytes = read(&court, &dee, get(after, item, 0)).await.unwrap();
    let bytes = bytes.unwrap();
    assert!(bytes.starts_with(b"moving picturesFrom north"));
    assert_eq!(file.blake3.0, *blake3::hash(&bytes).as_bytes());
    court.rebuilds().await;
}

/// Who of the guests looked at what is on record before they are told anything, and found by case and evidence.
#[tokio::test]
async fn the_audit_says_which_guest_looked_at_what_and_who_was_refused() {
    let (court, item, dee) = court().await;
    let id = disclose(&court, make("Dee")).await.unwrap().id;
    show(&court, &dee, id).await.unwrap();
    read(&court, &dee, get(id, item.id, 0))
        .await
        .unwrap()
        .unwrap();
    let play = portal::Get {
        purpose: Purpose::Playback,
        ..get(id, item.id, 0)
    };
    read(&court, &dee, play).await.unwrap().unwrap();
    for about in [item.cases[0].case.uuid(), id.uuid()] {
        let events = court.about(about);
        let viewed = events.iter();
        let viewed = viewed.filter(|event| matches!(event, Event::DisclosureViewed(_)));
        assert_eq!(viewed.count(), 1);
        let opened = events.iter().filter_map(|event| match event {
            Event::DisclosureOpened(opened) => Some((opened.evidence, opened.purpose)),
            _ => None,
        });
        let purposes = [Purpose::Download, Purpose::Playback];
        assert!(opened.eq(purposes.map(|purpose| (item.id, purpose))));
    }
    let trail = evidence::Trail { evidence: item.id };
    let trail = trail.run(&court.node, &court.node.owner()).await.unwrap();
    let did: Vec<(&str, &str)> = trail
        .events
        .iter()
        .map(|event| (event.user.as_str(), event.activity.as_str()))
        .collect();
    assert_eq!(did[1].1, "evidence disclosed");
    let guests = [
        ("Dee", "file downloaded by a guest"),
        ("Dee", "video played by a guest"),
    ];
    assert_eq!(did[2..], guests);
    // Another guest, and a user who may do everything else, find nothing.
    let eve = guest(&court, "Eve").await;
    let ada = caller(&person(&court, "Ada", ADMINISTRATOR).await.unwrap());
    for stranger in [&eve, &ada] {
        nothing(&court, stranger, id, item.id).await;
    }
    let amy = caller(&court.person("Amy", "").await.unwrap());
    refused(list(&court, &amy).await, ErrorKind::Forbidden);
}

/// A guest has nothing of what people of the organisation have, by whatever way it could be given.
#[tokio::test]
async fn guests_are_nobody_of_the_organisation_and_never_become() {
    let (court, item, dee) = court().await;
    court.person("Amy", "").await.unwrap();
    disclose(&court, make("Dee")).await.unwrap();
    let name = || "Dee".to_owned();
    let role = |user: &str, role: &str| user::Edit {
        user: user.into(),
        name: None,
        role: Some(role.into()),
        email: None,
        badge: None,
    };
    for (user, other) in [("Dee", ADMINISTRATOR), ("Amy", GUEST)] {
        refused(court.change(role(user, other)).await, ErrorKind::Conflict);
    }
    let add = group::Add {
        name: "Defence".into(),
        kind: Default::default(),
    };
    court.change(add).await.unwrap();
    let edit = group::Edit {
        group: "Defence".into(),
        add: vec![name()],
        remove: Vec::new(),
    };
    refused(court.change(edit).await, ErrorKind::Conflict);
    let access = case::Access {
        case: "1/26".into(),
        add: vec![name()],
        remove: Vec::new(),
    };
    refused(court.change(access).await, ErrorKind::Conflict);
    let assign = case::Assign {
        case: "1/26".into(),
        users: vec![name()],
    };
    refused(court.change(assign).await, ErrorKind::Conflict);
    let add = token::Add {
        user: name(),
        days: None,
    };
    refused(court.change(add).await, ErrorKind::Conflict);
    let assignable = case::Assignable {
        case: "1/26".into(),
        find: None,
        after: None,
        limit: None,
    };
    let found = assignable.run(&court.node, &court.node.owner()).await;
    let found = found.unwrap().people.into_iter().map(|person| person.name);
    assert_eq!(found.collect::<Vec<_>>(), ["Amy"]);
    // What is for users is not for guests, nor the other way round.
    refused(disclose(&court, make("Amy")).await, ErrorKind::Conflict);
    refused(disclose(&court, make("Bob")).await, ErrorKind::NotFound);
    let nobody = disclosure::Make {
        guests: Vec::new(),
        ..make("Dee")
    };
    refused(disclose(&court, nobody).await, ErrorKind::Invalid);

    let show = case::Show {
        case: "1/26".into(),
    };
    refused(show.run(&court.node, &dee).await, ErrorKind::Forbidden);
    let show = evidence::Show {
        evidence: item.id,
        confidential: false,
    };
    refused(show.run(&court.node, &dee).await, ErrorKind::Forbidden);
    let list = external::List::default().run(&court.node, &dee).await;
    refused(list.map(drop), ErrorKind::Forbidden);
}

/// Partners neither learn of guests nor reach them.
#[tokio::test]
async fn a_guest_is_nobody_to_partners_and_no_recipient_of_what_they_share() {
    let (court, _, dee) = court().await;
    let north = Bench::new("north");
    north.trust(&court, None).await;
    court.trust(&north, None).await;
    let known = court.node.read(|view| people::name(view, "dee")).await;
    assert_eq!(known.unwrap(), None);
    north.case("7/26").await;
    north.evidence("7/26", "x.txt", b"x").await;
    let copy = share::Copy {
        case: "7/26".into(),
        to: vec![to("court", &["Dee"])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: None,
    };
    let share = only(north.change(copy).await.unwrap()).id;
    settle(&north, &court, share).await;
    let show = case::Show {
        case: "7/26".into(),
    };
    let received = show.run(&court.node, &court.node.owner()).await.unwrap();
    assert!(received.access.is_empty() && received.assignees.is_empty());
    assert_eq!(list(&court, &dee).await.unwrap(), []);
    // A disclosure is nothing that federation knows of.
    let id = disclose(&court, make("Dee")).await.unwrap().id;
    assert!(!court.holds(interdocket_sync::id::ShareId::new(id.uuid())));
    court.rebuilds().await;
}

/// Who may disclose a case sees its disclosures, and nobody else learns of them.
#[tokio::test]
async fn disclosures_are_seen_and_made_by_who_reaches_the_case() {
    let (court, _, _) = court().await;
    let amy = caller(&court.person("Amy", "").await.unwrap());
    let id = disclose(&court, make("Dee")).await.unwrap().id;
    let list = disclosure::List::default();
    let seen = list.clone().run(&court.node, &amy).await.unwrap();
    assert_eq!((seen.disclosures, seen.next), (Vec::new(), None));
    let end = disclosure::End { disclosure: id };
    let hidden = court.node.change(&amy, end.clone()).await;
    refused(hidden, ErrorKind::NotFound);
    refused(
        make("Dee").run(&court.node, &amy).await,
        ErrorKind::NotFound,
    );
    let access = case::Access {
        case: "1/26".into(),
        add: vec!["Amy".into()],
        remove: Vec::new(),
    };
    court.change(access).await.unwrap();
    make("Dee").run(&court.node, &amy).await.unwrap();
    let seen = list.run(&court.node, &amy).await.unwrap();
    assert_eq!(seen.disclosures.len(), 2);
    assert_eq!(seen.disclosures[1].made_by.as_deref(), Some("Amy"));
    let ended = court.node.change(&amy, end).await.unwrap();
    assert_eq!(ended.status, Status::Ended);
}

/// What guests of another case did with an item is nothing to whom it is given as one of this case.
#[tokio::test]
async fn audit_trail_that_goes_along_tells_of_no_guest_of_another_case() {
    let (court, item, dee) = court().await;
    let south = Bench::of("south", Investigation);
    court.trust(&south, None).await;
    south.trust(&court, None).await;
    court.case("2/26").await;
    let include = evidence::Include {
        case: "2/26".into(),
        evidence: vec![item.id],
        folder: String::new(),
    };
    court.change(include).await.unwrap();
    let quill = guest(&court, "Quill").await;
    for (case, name, who) in [("1/26", "Quill", &quill), ("2/26", "Dee", &dee)] {
        let make = disclosure::Make {
            case: case.into(),
            ..make(name)
        };
        let id = disclose(&court, make).await.unwrap().id;
        let opened = read(&court, who, get(id, item.id, 0)).await;
        opened.unwrap().unwrap();
    }
    let copy = share::Copy {
        case: "1/26".into(),
        to: vec![to("south", &[])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: Some([Attachment::AuditTrail].into()),
    };
    let share = only(court.change(copy).await.unwrap()).id;
    settle(&court, &south, share).await;
    let given = kept(&south);
    assert!(tells(&given, b"Quill") && tells(&given, b"by a guest"));
    assert!(!tells(&given, b"Dee"));
    let trail = evidence::Trail { evidence: item.id };
    let here = trail.run(&court.node, &court.node.owner()).await.unwrap();
    assert!(here.events.iter().any(|event| event.user == "Dee"));
}
