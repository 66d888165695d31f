//! The ways in which a guest stops reading, each at once.

use chrono::TimeDelta;

use super::{
    court, disclose, get, guest, list, make, nothing, portal, read, refused, show, update,
};
use crate::actions::disclosure::{self, DisclosureId, Status};
use crate::actions::share::Attachment;
use crate::actions::signin::Enrol;
use crate::actions::{ErrorKind, Run as _, case, decide, evidence, retention, user};
use crate::event::{Event, NodeRestored};
use crate::store::table;
use crate::tests::bench::Bench;
use crate::tests::erase::{kept, sweep, tells};
use crate::tests::retention::delete;
use crate::tests::signin;

async fn stood(at: &Bench, id: DisclosureId) -> disclosure::Disclosure {
    let show = disclosure::Show {
        disclosure: id,
        after: None,
        limit: None,
    };
    let shown = show.run(&at.node, &at.node.owner()).await.unwrap();
    shown.disclosure
}

/// What ends it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Ended,
    Expired,
    Disabled,
    Off,
    Deleted,
}

const HOW: [How; 5] = [
    How::Ended,
    How::Expired,
    How::Disabled,
    How::Off,
    How::Deleted,
];

/// Also a file that is being read: nothing of it leaves but what was on its way.
#[tokio::test]
async fn whatever_ends_a_disclosure_ends_it_at_once_in_the_middle_of_a_file() {
    const SIZE: usize = 16 << 20;
    for how in HOW {
        let (court, _, dee) = court().await;
        let large = court.evidence("1/26", "large.bin", &vec![7; SIZE]).await.id;
        let made = disclosure::Make {
            evidence: vec![large],
            days: (how == How::Expired).then_some(1),
            ..make("Dee")
        };
        let id = disclose(&court, made).await.unwrap().id;
        let mut opened = court
            .node
            .open_disclosed(&dee, get(id, large, 0))
            .await
            .unwrap();
        let first = opened.bytes.recv().await.unwrap().unwrap();
        match how {
            How::Ended => drop(
                court
                    .change(disclosure::End { disclosure: id })
                    .await
                    .unwrap(),
            ),
            How::Expired => court.pass(24 * 3600),
            How::Disabled => {
                let disable = user::Disable { user: "Dee".into() };
                court.change(disable).await.unwrap();
            }
            How::Off => portal(&court, false).await,
            How::Deleted => {
                court.change(delete(large)).await.unwrap();
                sweep(&court).await;
            }
        }
        let (mut read, mut cut) = (first.len(), false);
        while let Some(piece) = opened.bytes.recv().await {
            match piece {
                Ok(piece) => read += piece.len(),
                Err(_) => cut = true,
            }
        }
        assert!(cut && read < SIZE, "{how:?}: {read}");
        if how != How::Deleted {
            nothing(&court, &dee, id, large).await;
        }
    }
}

#[tokio::test]
async fn an_ended_disclosure_never_comes_back_and_others_go_on() {
    let (court, item, dee) = court().await;
    let eve = guest(&court, "Eve").await;
    let both = disclosure::Make {
        guests: vec!["Dee".into(), " eve ".into()],
        ..make("")
    };
    let id = disclose(&court, both).await.unwrap().id;
    let other = disclose(&court, make("Dee")).await.unwrap().id;
    show(&court, &eve, id).await.unwrap();
    let end = disclosure::End { disclosure: id };
    let ended = court.change(end.clone()).await.unwrap();
    assert_eq!(ended.status, Status::Ended);
    assert_eq!(court.change(end).await.unwrap().ended_at, ended.ended_at);
    nothing(&court, &eve, id, item.id).await;
    refused(show(&court, &dee, id).await.map(drop), ErrorKind::NotFound);
    show(&court, &dee, other).await.unwrap();
    refused(update(&court, id, &[], &[]).await, ErrorKind::Conflict);
    let court = court.crash(2);
    nothing(&court, &eve, id, item.id).await;
    assert_eq!(list(&court, &dee).await.unwrap().len(), 1);
    court.rebuilds().await;
}

#[tokio::test]
async fn days_are_counted_and_bounded() {
    let (court, item, dee) = court().await;
    for days in [0, 3651] {
        let made = disclosure::Make {
            days: Some(days),
            ..make("Dee")
        };
        refused(disclose(&court, made).await, ErrorKind::Invalid);
    }
    let made = disclosure::Make {
        days: Some(2),
        ..make("Dee")
    };
    let id = disclose(&court, made).await.unwrap().id;
    court.later(TimeDelta::hours(47));
    show(&court, &dee, id).await.unwrap();
    court.later(TimeDelta::hours(1));
    nothing(&court, &dee, id, item.id).await;
    assert_eq!(stood(&court, id).await.status, Status::Expired);
    refused(update(&court, id, &[], &[]).await, ErrorKind::Conflict);
}

/// Nobody learns from how they are refused that they are a guest, or that there is a portal.
#[tokio::test]
async fn guests_sign_in_only_where_there_is_a_portal_and_are_refused_like_anybody_else() {
    let (court, ..) = court().await;
    let enrol = Enrol { user: "Dee".into() };
    let code = enrol
        .run(&court.node, &court.node.owner())
        .await
        .unwrap()
        .code;
    let enrolling = signin::try_in(&court, "Dee", &code, "")
        .await
        .unwrap()
        .secret;
    let enrolling = court.node.authenticate(&enrolling).unwrap();
    let early = list(&court, &enrolling).await;
    assert_eq!(early.unwrap_err().kind, ErrorKind::Forbidden);
    let (secret, phone, _) = signin::enrol(&court, "Dee").await;
    phone.sign_in(&court, "Dee").await.unwrap();
    portal(&court, false).await;
    let off = phone.sign_in(&court, "Dee").await.err().unwrap();
    let nobody = signin::try_in(&court, "nobody", "wrong", "000000").await;
    assert_eq!(off, nobody.err().unwrap());
    assert!(court.node.authenticate(&secret).is_err());
    crate::jobs::people::sessions(&court.node).await.unwrap();
    portal(&court, true).await;
    let over = court.node.authenticate(&secret).is_err();
    assert!(over, "the session ended with the portal");
    phone.sign_in(&court, "Dee").await.unwrap();
}

/// What is deleted is gone for guests as well, with what was made to go along with it; the disclosure says so.
#[tokio::test]
async fn deleted_evidence_is_gone_from_disclosures_which_say_how_much_is() {
    let (court, item, dee) = court().await;
    let gone = court
        .evidence("1/26", "canary-name.txt", b"canary-bytes")
        .await
        .id;
    let note = evidence::AddNote {
        evidence: gone,
        text: "canary-note".into(),
    };
    court.change(note).await.unwrap();
    let with = disclosure::Make {
        attachments: Some(Attachment::ALL.into()),
        ..make("Dee")
    };
    let id = disclose(&court, with).await.unwrap().id;
    let twice = disclose(&court, make("Dee")).await.unwrap().id;
    let shown = show(&court, &dee, id).await.unwrap();
    assert!(shown.items.iter().any(|item| item.files.len() == 3));
    assert!(tells(&kept(&court), b"canary-note"));
    court.change(delete(gone)).await.unwrap();
    sweep(&court).await;
    for id in [id, twice] {
        let shown = show(&court, &dee, id).await.unwrap();
        let ids: Vec<_> = shown.items.iter().map(|item| item.evidence).collect();
        assert_eq!((ids, shown.disclosure.evidence), (vec![item.id], 1));
        let stood = stood(&court, id).await;
        assert_eq!((stood.evidence, stood.deleted), (2, 1));
        let file = read(&court, &dee, get(id, gone, 0)).await;
        refused(file, ErrorKind::NotFound);
    }
    let kept = kept(&court);
    for canary in ["canary-name", "canary-bytes", "canary-note"] {
        assert!(!tells(&kept, canary.as_bytes()), "{canary}");
    }
    court.rebuilds().await;
    let court = court.crash(2);
    assert_eq!(show(&court, &dee, id).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn a_deleted_case_is_gone_from_the_portal_and_nothing_is_said_of_it() {
    let (court, item, dee) = court().await;
    let edit = case::Edit {
        case: "1/26".into(),
        number: None,
        title: Some("canary-title".into()),
        description: None,
    };
    court.change(edit).await.unwrap();
    let made = disclosure::Make {
        message: "canary-message".into(),
        ..make("Dee")
    };
    let id = disclose(&court, made).await.unwrap().id;
    assert!(tells(&kept(&court), b"canary-message"));
    let delete = retention::DeleteCase {
        case: "1/26".into(),
        reason: "It is over".into(),
    };
    court.change(delete).await.unwrap();
    sweep(&court).await;
    let gone = court
        .node
        .read(|view| Ok(decide::case(view, "1/26").is_err()));
    assert!(gone.await.unwrap());
    nothing(&court, &dee, id, item.id).await;
    let stood = stood(&court, id).await;
    assert_eq!((stood.status, stood.case_number), (Status::Deleted, None));
    assert_eq!((stood.evidence, stood.deleted), (1, 1));
    let kept = kept(&court);
    for canary in ["canary-title", "canary-message"] {
        assert!(!tells(&kept, canary.as_bytes()), "{canary}");
    }
    court.rebuilds().await;
}

/// A backup does not know what was ended since: nobody reads before an administrator looked.
#[tokio::test]
async fn after_a_restore_the_portal_is_off_until_an_administrator_sets_it_up_again() {
    let (court, item, dee) = court().await;
    let id = disclose(&court, make("Dee")).await.unwrap().id;
    let restored = NodeRestored {
        made_at: court.node.parts().clock.now(),
        above: 0,
    };
    court
        .events(vec![Event::NodeRestored(restored)])
        .await
        .unwrap();
    nothing(&court, &dee, id, item.id).await;
    portal(&court, true).await;
    show(&court, &dee, id).await.unwrap();
}

/// What can't be told any more because a record can't be read is closed, and nothing else is.
#[tokio::test]
async fn what_is_said_of_a_damaged_record_is_closed_for_guests() {
    let (court, item, dee) = court().await;
    let id = disclose(&court, make("Dee")).await.unwrap().id;
    let court = court.erased(item.id.uuid());
    let reading = court.node.parts().store.read();
    assert!(reading.view().has(&table::LOST, &item.id.uuid()).unwrap());
    drop(reading);
    assert!(show(&court, &dee, id).await.unwrap().items.is_empty());
    refused(
        read(&court, &dee, get(id, item.id, 0)).await,
        ErrorKind::NotFound,
    );
}

/// fault C5: each look is a record, so there are so many in an hour.
#[tokio::test]
async fn a_guest_who_looked_too_often_is_told_to_come_later_and_leaves_no_record() {
    let (court, item, dee) = court().await;
    let id = disclose(&court, make("Dee")).await.unwrap().id;
    let parts = court.node.parts();
    while parts
        .moment
        .looks
        .admits(dee.actor.id, parts.clock.elapsed())
    {}
    let before = court.about(id.uuid()).len();
    refused(
        show(&court, &dee, id).await.map(drop),
        ErrorKind::Unavailable,
    );
    let file = read(&court, &dee, get(id, item.id, 0)).await;
    refused(file, ErrorKind::Unavailable);
    assert_eq!(court.about(id.uuid()).len(), before);
    court.pass(3600);
    show(&court, &dee, id).await.unwrap();
}
