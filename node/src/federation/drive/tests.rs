//! Delivering to a partner that lies or holds back.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use interdocket_proto::v1::delivery_server::{Delivery, DeliveryServer};
use tonic::Response;
use tonic::service::Routes;

use super::*;
use crate::actions::partner::Kind as Enabled;
use crate::federation::exchange::Exchange;
use crate::tests::bench::Bench;

/// How a partner answers what concerns one share.
#[derive(Debug, Clone, Copy)]
enum Mode {
    Busy,
    OtherReceipt,
    NoOutcome,
    GapForEver,
    /// It takes what comes; meanwhile the owner's clock jumps.
    ClockJumps,
}

#[derive(Clone)]
struct Liar {
    honest: Exchange,
    greeted: Arc<AtomicU64>,
    delivered: Arc<AtomicU64>,
    owner: Node,
    lies: Arc<Mutex<Option<(ShareId, Mode)>>>,
    before: Arc<Mutex<Option<v1::Countersignature>>>,
}

#[tonic::async_trait]
impl Delivery for Liar {
    async fn revoke(
        &self,
        request: Request<v1::RevokeRequest>,
    ) -> Result<Response<v1::RevokeReply>, Status> {
        self.honest.revoke(request).await
    }

    async fn list_shares(
        &self,
        request: Request<v1::ListSharesRequest>,
    ) -> Result<Response<v1::ListSharesReply>, Status> {
        self.honest.list_shares(request).await
    }

    async fn recover(
        &self,
        request: Request<v1::RecoverRequest>,
    ) -> Result<Response<v1::RecoverReply>, Status> {
        self.honest.recover(request).await
    }

    async fn connect(
        &self,
        request: Request<v1::ConnectRequest>,
    ) -> Result<Response<v1::ConnectReply>, Status> {
        self.greeted.fetch_add(1, Ordering::SeqCst);
        self.honest.connect(request).await
    }

    async fn deliver(
        &self,
        request: Request<v1::DeliverRequest>,
    ) -> Result<Response<v1::DeliverReply>, Status> {
        self.delivered.fetch_add(1, Ordering::SeqCst);
        let share = request.get_ref().batch.as_ref().unwrap().share.clone();
        let lie = *self.lies.lock().unwrap();
        let mode = lie.filter(|(about, _)| about.as_bytes()[..] == share[..]);
        let outcome = match mode.map(|(_, mode)| mode) {
            None => {
                let reply = self.honest.deliver(request).await?;
                if let Some(Outcome::Receipt(receipt)) = &reply.get_ref().outcome {
                    *self.before.lock().unwrap() = Some(receipt.clone());
                }
                return Ok(reply);
            }
            Some(Mode::ClockJumps) => {
                let reply = self.honest.deliver(request).await;
                let expected = crate::tests::bench::noon();
                let says = expected - chrono::TimeDelta::days(1);
                let jumped = crate::event::ClockSuspected { says, expected };
                crate::jobs::suspect(&self.owner, jumped).await.unwrap();
                return reply;
            }
            Some(Mode::Busy) => {
                let details = refusal::write(Refusal::Busy).encode_to_vec();
                let code = tonic::Code::FailedPrecondition;
                return Err(Status::with_details(code, "", details.into()));
            }
            Some(Mode::OtherReceipt) => self.before.lock().unwrap().clone().map(Outcome::Receipt),
            Some(Mode::NoOutcome) => None,
            Some(Mode::GapForEver) => {
                let gap = Refusal::Gap { expected: 1 };
                Some(Outcome::Refusal(refusal::write(gap)))
            }
        };
        Ok(Response::new(v1::DeliverReply { outcome }))
    }
}

/// What drives a partner, before it has said hello.
fn drive(node: &Bench, partner: &Bench) -> Drive {
    Drive {
        node: node.node.clone(),
        partner: partner.id(),
        held: BTreeMap::new(),
        told: BTreeSet::new(),
        recover: None,
        greeted: false,
        knocks: Default::default(),
    }
}

/// North has two shares for south, which may lie about the first.
async fn two() -> (Bench, Bench, Drive, Liar, [ShareId; 2]) {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let liar = Liar {
        honest: Exchange::new(south.node.clone()),
        greeted: Arc::default(),
        delivered: Arc::default(),
        owner: north.node.clone(),
        lies: Arc::default(),
        before: Arc::default(),
    };
    let address = south
        .serve(Routes::new(DeliveryServer::new(liar.clone())))
        .await;
    north.trust(&south, Some(address)).await;
    south.trust(&north, None).await;
    let mut shares = Vec::new();
    for number in ["1/26", "2/26"] {
        north.case(number).await;
        north.evidence(number, "a.bin", b"one").await;
        shares.push(north.copy(number, "south").await.unwrap().id);
    }
    shares.sort_unstable();
    let drive = drive(&north, &south);
    let shares = shares.try_into().unwrap();
    (north, south, drive, liar, shares)
}

/// fault B10
#[tokio::test]
async fn nothing_is_delivered_once_the_clock_is_suspected() {
    let (_north, _south, mut drive, liar, [first, _]) = two().await;
    *liar.lies.lock().unwrap() = Some((first, Mode::ClockJumps));
    assert!(drive.pass().await.is_ok());
    // The offer was under way; what would be disclosed behind it waits, and so does the other share.
    assert_eq!(liar.delivered.load(Ordering::SeqCst), 1);
}

/// fault C8, fault A9
#[tokio::test]
async fn a_share_that_a_partner_lies_about_does_not_hold_up_the_next() {
    for mode in [
        Mode::Busy,
        Mode::OtherReceipt,
        Mode::NoOutcome,
        Mode::GapForEver,
    ] {
        let (north, _south, mut drive, liar, [first, second]) = two().await;
        *liar.lies.lock().unwrap() = Some((second, Mode::Busy));
        drive.pass().await.unwrap();
        drive.held.clear();
        let proven = north.receipted(first);
        assert!(proven > 0);
        north.evidence("1/26", "b.bin", b"two").await;
        *liar.lies.lock().unwrap() = Some((first, mode));
        let add = |share| actions::share::Add {
            share,
            evidence: Vec::new(),
        };
        north.change(add(first)).await.unwrap();
        drive.pass().await.unwrap();
        assert_eq!(north.receipted(second), 3, "{mode:?}");
        assert!(north.shown(second).behind == 0, "{mode:?}");
    }
}

/// Offers, entries and revocations of what is not known wait; what a partner holds is revoked at once.
///
/// fault C5
#[tokio::test]
async fn a_partner_that_sent_too_much_comes_later_and_revokes_what_it_gave_all_the_same() {
    let (north, south, mut drive, liar, _) = two().await;
    let enable = actions::partner::Enable {
        partner: "north".into(),
        send: Default::default(),
        receive: [Enabled::Copy, Enabled::Advanced].into(),
    };
    south.change(enable).await.unwrap();
    let first = offered(&north).await;
    drive.pass().await.unwrap();
    assert!(south.holds(first));
    let second = offered(&north).await;
    liar.honest.spend(north.id());
    drive.pass().await.unwrap();
    assert!(drive.held.contains_key(&second) && !south.holds(second));
    drive.held.clear();
    for share in [first, second] {
        let revoke = actions::share::Revoke { share };
        north.change(revoke).await.unwrap();
    }
    drive.pass().await.unwrap();
    let state = |share| north.shown(share).revocation.unwrap().state;
    assert_eq!(state(first), actions::share::RevocationState::Received);
    assert_ne!(state(second), actions::share::RevocationState::Received);
    assert!(drive.held.contains_key(&second));
}

/// A receipt for another head than was delivered proves nothing.
#[tokio::test]
async fn a_receipt_for_something_else_is_not_taken() {
    let (north, _south, mut drive, liar, [first, second]) = two().await;
    *liar.lies.lock().unwrap() = Some((second, Mode::OtherReceipt));
    drive.pass().await.unwrap();
    assert!(north.receipted(first) > 0);
    assert_eq!(north.receipted(second), 0);
    assert!(drive.held.contains_key(&second));
}

/// Two nodes that hold each other's shares back don't greet each other for ever.
#[tokio::test]
async fn what_is_held_back_is_no_reason_to_greet_again() {
    let (north, south, mut drive, liar, _) = two().await;
    south.enable("north", true, false).await;
    for _ in 0..5 {
        drive.pass().await.unwrap();
    }
    assert_eq!(drive.held.len(), 2);
    assert_eq!(liar.greeted.load(Ordering::SeqCst), 1);
    assert!(drive.retry().is_some());
    drop(north);
}

/// A partner that came back from a backup gets everything that it lacks, in one pass.
#[tokio::test]
async fn a_partner_that_lost_entries_gets_all_of_them_again() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    north.trust(&south, None).await;
    south.trust(&north, None).await;
    north.case("1/26").await;
    north.evidence("1/26", "0.bin", b"zero").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    assert!(north.deliver(&south, share).await.is_some());
    let restored = south.twin();
    for number in 1..9_u8 {
        north
            .evidence("1/26", &format!("{number}.bin"), &[number])
            .await;
        let add = actions::share::Add {
            share,
            evidence: Vec::new(),
        };
        north.change(add).await.unwrap();
        while north.deliver(&south, share).await.is_some() {}
    }
    let honest = DeliveryServer::new(Exchange::new(restored.node.clone()));
    let address = restored.serve(Routes::new(honest)).await;
    north.evidence("1/26", "9.bin", &[9]).await;
    let add = actions::share::Add {
        share,
        evidence: Vec::new(),
    };
    north.trust(&restored, Some(address)).await;
    north.change(add).await.unwrap();
    let mut drive = drive(&north, &south);
    drive.pass().await.unwrap();
    assert_eq!(restored.wanted(share).len(), 10);
    assert_eq!(north.shown(share).behind, 0);
}

/// An advanced share of north's, with its offer written and not sent.
async fn offered(north: &Bench) -> ShareId {
    let enable = actions::partner::Enable {
        partner: "south".into(),
        send: [Enabled::Copy, Enabled::Advanced].into(),
        receive: Default::default(),
    };
    north.change(enable).await.unwrap();
    let policy = actions::partner::SetPolicy {
        partner: "south".into(),
        mode: actions::share::Mode::Synchronised,
        download: true,
        import: false,
        onward: false,
    };
    north.change(policy).await.unwrap();
    let offer = actions::share::Advanced {
        case: "1/26".into(),
        to: vec![crate::tests::bench::to("south", &["Kim"])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        units: Vec::new(),
        message: String::new(),
    };
    let made = north.change(offer).await.unwrap();
    crate::tests::bench::only(made).id
}

/// fault A3, fault A4: the partner would refuse entries without their lease, and the revocation would wait
/// as long as for something that a person has to look at.
#[tokio::test]
async fn entries_that_were_read_before_a_revocation_stay_unsent() {
    let (north, south, mut drive, ..) = two().await;
    let share = offered(&north).await;
    let batch = north.batch(share, None).unwrap();
    let revoke = actions::share::Revoke { share };
    north.change(revoke).await.unwrap();
    // It was read before; that much was judged is known only after.
    let judged = north.node.judged();
    let next = drive.deliver(share, batch, judged).await.unwrap();
    assert!(matches!(next, Next::Again));
    assert!(!south.holds(share));
    drive.pass().await.unwrap();
    assert!(drive.held.is_empty());
    let shown = north.shown(share).revocation.unwrap();
    assert_eq!(shown.state, actions::share::RevocationState::Received);
}

/// fault A4
#[tokio::test]
async fn a_revocation_does_not_wait_for_what_was_refused_before() {
    let (north, _south, mut drive, liar, _) = two().await;
    let share = offered(&north).await;
    *liar.lies.lock().unwrap() = Some((share, Mode::NoOutcome));
    drive.pass().await.unwrap();
    assert!(drive.held.contains_key(&share));
    let revoke = actions::share::Revoke { share };
    north.change(revoke).await.unwrap();
    drive.pass().await.unwrap();
    let shown = north.shown(share).revocation.unwrap();
    assert_eq!(shown.state, actions::share::RevocationState::Received);
}

/// A log that is held back does not say that its share is over, and nothing else of it is sent either.
///
/// fault A3, fault E7
#[tokio::test]
async fn an_offer_that_was_revoked_while_it_was_held_back_stays_unsent() {
    let (north, south, mut drive, liar, _) = two().await;
    let share = offered(&north).await;
    let back = crate::event::NodeRestored {
        made_at: crate::tests::bench::noon(),
        above: 0,
    };
    let back = crate::event::Event::NodeRestored(back);
    north.events(vec![back]).await.unwrap();
    north
        .change(actions::share::Revoke { share })
        .await
        .unwrap();
    *liar.lies.lock().unwrap() = Some((share, Mode::GapForEver));
    drive.pass().await.unwrap();
    assert!(drive.held.is_empty(), "it was delivered");
    assert!(!south.holds(share));
    let shown = north.shown(share);
    let state = shown.revocation.unwrap().state;
    assert_eq!(state, actions::share::RevocationState::Received);
    assert_eq!(shown.behind, 0);
}

/// A partner whose machine was set back to before the offer is told the share from its beginning.
///
/// fault E7
#[tokio::test]
async fn an_offer_that_a_partner_lost_is_told_once_more() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    north.trust(&south, None).await;
    south.trust(&north, None).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let past = south.twin();
    let share = north.copy("1/26", "south").await.unwrap().id;
    while north.deliver(&south, share).await.is_some() {}
    let honest = DeliveryServer::new(Exchange::new(past.node.clone()));
    let address = past.serve(Routes::new(honest)).await;
    north.trust(&past, Some(address)).await;
    north.evidence("1/26", "b.bin", b"two").await;
    let add = actions::share::Add {
        share,
        evidence: Vec::new(),
    };
    north.change(add).await.unwrap();
    let mut drive = drive(&north, &south);
    drive.pass().await.unwrap();
    assert_eq!(past.shown(share).listed.evidence, 2);
}
