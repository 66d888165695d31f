//! What a partner gives back, and what is believed of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use interdocket_proto::v1;
use interdocket_proto::v1::delivery_client::DeliveryClient;
use interdocket_proto::v1::delivery_server::{Delivery, DeliveryServer};
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::receipt::Countersignature;
use interdocket_sync::refusal::Refusal;
use prost::Message as _;
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::{Own, give, list, recover};
use crate::actions::evidence;
use crate::actions::partner::{self, Kind};
use crate::actions::share::{self, Mode};
use crate::actions::{Way, exchange};
use crate::event::{Event, NodeRestored};
use crate::federation::exchange::Exchange;
use crate::federation::history::revocation_proof;
use crate::federation::lease::{self, Lender};
use crate::keyring::{Key, KeyId};
use crate::store::table;
use crate::tests::bench::{Bench, noon, only, pair, settle, to};

type Lie = fn(&mut v1::RecoverReply);

/// An honest node but for what it gives back, which is changed on its way.
struct Liar {
    honest: Exchange,
    lie: Arc<Mutex<Lie>>,
    calls: Arc<Mutex<u32>>,
}

#[tonic::async_trait]
impl Delivery for Liar {
    async fn connect(
        &self,
        request: Request<v1::ConnectRequest>,
    ) -> Result<Response<v1::ConnectReply>, Status> {
        self.honest.connect(request).await
    }

    async fn deliver(
        &self,
        request: Request<v1::DeliverRequest>,
    ) -> Result<Response<v1::DeliverReply>, Status> {
        self.honest.deliver(request).await
    }

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
        *self.calls.lock().unwrap() += 1;
        let mut reply = self.honest.recover(request).await?;
        let lie = *self.lie.lock().unwrap();
        lie(reply.get_mut());
        Ok(reply)
    }
}

fn batch(reply: &mut v1::RecoverReply) -> Option<&mut v1::Batch> {
    reply.batch.as_mut()
}

/// North, restored to before it disclosed the second item, and south, which has both.
async fn restored() -> (Bench, Bench, ShareId) {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, share).await;
    let past = north.twin();
    north.evidence("1/26", "b.txt", b"two").await;
    let add = share::Add {
        share,
        evidence: Vec::new(),
    };
    north.change(add).await.unwrap();
    settle(&north, &south, share).await;
    let back = NodeRestored {
        made_at: noon(),
        above: 0,
    };
    past.events(vec![Event::NodeRestored(back)]).await.unwrap();
    (past, south, share)
}

/// What a partner may do to what it gives back.
fn lies() -> [(&'static str, Lie); 9] {
    [
        ("a body is another", |reply| {
            if let Some(batch) = batch(reply) {
                batch.entries[0].body = b"another".to_vec().into();
            }
        }),
        ("a body is missing", |reply| {
            if let Some(batch) = batch(reply) {
                batch.entries[0].body = Default::default();
                batch.entries[0].salt = Default::default();
            }
        }),
        ("an entry is missing", |reply| {
            if let Some(batch) = batch(reply) {
                batch.entries.clear();
            }
        }),
        ("the head is not signed by us", |reply| {
            if let Some(head) = batch(reply).and_then(|batch| batch.head.as_mut()) {
                head.signature = vec![0; 64].into();
            }
        }),
        ("the head is another's", |reply| {
            if let Some(head) = batch(reply).and_then(|batch| batch.head.as_mut()) {
                let mut said = v1::Head::decode(head.head.clone()).unwrap();
                said.side = v1::Side::Partner.into();
                head.head = said.encode_to_vec().into();
            }
        }),
        ("it was not countersigned", |reply| reply.receipt = None),
        ("the countersignature is of something else", |reply| {
            if let Some(receipt) = &mut reply.receipt {
                receipt.statement = v1::Countersigned::default().encode_to_vec().into();
            }
        }),
        ("a revocation that nobody signed", |reply| {
            reply.revocation = Some(v1::SignedRevocation::default());
        }),
        ("another share", |reply| {
            if let Some(batch) = batch(reply) {
                batch.share = vec![7; 16].into();
            }
        }),
    ]
}

/// fault E7, fault A9
#[tokio::test]
async fn nothing_that_a_partner_changed_on_its_way_back_is_believed() {
    let (past, south, share) = restored().await;
    let liar = Liar {
        honest: Exchange::new(south.node.clone()),
        lie: Arc::new(Mutex::new(|_| {})),
        calls: Arc::default(),
    };
    let (told, calls) = (Arc::clone(&liar.lie), Arc::clone(&liar.calls));
    let address = south.serve(Routes::new(DeliveryServer::new(liar))).await;
    past.trust(&south, Some(address)).await;
    let client = DeliveryClient::new(past.node.parts().transport.channel(south.id()));
    let before = past.tables();
    for (what, lie) in lies() {
        *told.lock().unwrap() = lie;
        let node = &past.node;
        let clean = recover(node, south.id(), &client).await.unwrap();
        assert!(!clean, "{what}");
        assert_eq!(
            past.shown(share).status,
            share::Status::Recovering,
            "{what}"
        );
        assert_eq!(past.shown(share).listed.evidence, 1, "{what}");
    }
    assert!(past.tables().len() >= before.len());
    // Nor is it asked for ever by one who always gives the same.
    *told.lock().unwrap() = |_| {};
    *calls.lock().unwrap() = 0;
    assert!(recover(&past.node, south.id(), &client).await.unwrap());
    assert_eq!(past.shown(share).listed.evidence, 2);
    assert!(*calls.lock().unwrap() < 10);
    assert_eq!(past.tables(), past.rebuilt());
}

/// fault E7
#[tokio::test]
async fn an_offer_that_no_partner_ever_had_goes_on_after_a_restore() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    let back = NodeRestored {
        made_at: noon(),
        above: 0,
    };
    north.events(vec![Event::NodeRestored(back)]).await.unwrap();
    let honest = DeliveryServer::new(Exchange::new(south.node.clone()));
    let address = south.serve(Routes::new(honest)).await;
    north.trust(&south, Some(address)).await;
    let client = DeliveryClient::new(north.node.parts().transport.channel(south.id()));
    assert!(recover(&north.node, south.id(), &client).await.unwrap());
    settle(&north, &south, share).await;
    assert_eq!(south.shown(share).status, share::Status::Complete);
}

fn asked(share: ShareId) -> v1::RecoverRequest {
    v1::RecoverRequest {
        share: share.as_bytes().to_vec().into(),
        ..Default::default()
    }
}

/// What a node gives back to another, entry by entry; what it answers at last.
fn given(
    from: &Bench,
    to: &Bench,
    share: ShareId,
) -> (Vec<v1::Entry>, Result<v1::RecoverReply, Refusal>) {
    let reading = from.node.parts().store.read();
    let view = reading.view();
    let mut request = asked(share);
    let mut entries = Vec::new();
    loop {
        let reply = give(&Own::of(&from.node), &view, to.id(), request.clone()).unwrap();
        let batch = match &reply {
            Ok(v1::RecoverReply {
                batch: Some(batch), ..
            }) => batch.clone(),
            _ => return (entries, reply),
        };
        let head = v1::Head::decode(batch.head.unwrap().head).unwrap();
        match head.side() {
            v1::Side::Owner => {
                (request.owner_count, request.owner_hash) = (head.count, head.hash);
            }
            _ => (request.partner_count, request.partner_hash) = (head.count, head.hash),
        }
        entries.extend(batch.entries);
    }
}

/// fault A5
#[tokio::test]
async fn a_partner_is_given_back_what_it_had_and_nothing_else() {
    let (north, south) = pair().await;
    let harbour = Bench::new("harbour");
    north.trust(&harbour, None).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, share).await;
    let (before, end) = given(&north, &south, share);
    assert!(end.unwrap().revocation.is_none());
    north.evidence("1/26", "canary.txt", b"two").await;
    let add = share::Add {
        share,
        evidence: Vec::new(),
    };
    north.change(add).await.unwrap();
    assert!(north.disclose(share).await.unwrap());
    let (after, _) = given(&north, &south, share);
    assert_eq!(after, before, "what was written and not delivered stays");
    let (nothing, refused) = given(&north, &harbour, share);
    assert!(nothing.is_empty());
    assert_eq!(refused.unwrap_err(), Refusal::NotShared);
    let unknown = ShareId::new(uuid::Uuid::from_u128(7));
    let (_, refused) = given(&north, &south, unknown);
    assert_eq!(refused.unwrap_err(), Refusal::NotShared);
}

/// An offer that waits, revoked or not, is nothing that its partner learns of by asking.
#[tokio::test]
async fn what_a_partner_was_not_offered_yet_is_not_listed_and_not_given() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let told = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, told).await;
    let waits = north.copy("1/26", "south").await.unwrap().id;
    let listed = |node: &Bench, other: &Bench| {
        let reading = node.node.parts().store.read();
        list(&reading.view(), other.id(), None).unwrap().shares
    };
    let only = [told.as_bytes().to_vec()];
    assert_eq!(listed(&north, &south), only);
    assert_eq!(listed(&south, &north), only);
    let (nothing, refused) = given(&north, &south, waits);
    assert!(nothing.is_empty());
    assert_eq!(refused.unwrap_err(), Refusal::NotShared);
}

/// North and south, and an advanced share of north's that is not on its way yet.
async fn advanced() -> (Bench, Bench, ShareId) {
    let (north, south, _) = enabled().await;
    let share = shared(&north, Vec::new(), Vec::new()).await;
    (north, south, share)
}

/// Shares what is chosen of the case as it goes on.
async fn shared(north: &Bench, evidence: Vec<EvidenceId>, folders: Vec<String>) -> ShareId {
    let advanced = share::Advanced {
        case: "1/26".into(),
        to: vec![to("south", &["Sol Reyes"])],
        evidence,
        folders,
        targets: None,
        units: Vec::new(),
        message: String::new(),
    };
    only(north.change(advanced).await.unwrap()).id
}

/// North and south, between which advanced shares are enabled, and an item of evidence in a case of north's.
async fn enabled() -> (Bench, Bench, EvidenceId) {
    let (north, south) = pair().await;
    for (node, other) in [(&north, "south"), (&south, "north")] {
        let enable = partner::Enable {
            partner: other.into(),
            send: [Kind::Advanced].into(),
            receive: [Kind::Advanced].into(),
        };
        node.change(enable).await.unwrap();
    }
    let policy = partner::SetPolicy {
        partner: "south".into(),
        mode: Mode::Live,
        download: true,
        import: true,
        onward: false,
    };
    north.change(policy).await.unwrap();
    north.case("1/26").await;
    let evidence = north.evidence("1/26", "a.txt", b"one").await.id;
    (north, south, evidence)
}

/// fault A5
#[tokio::test]
async fn of_a_revoked_or_suspended_advanced_share_no_entry_is_given_back() {
    let (north, south, share) = advanced().await;
    settle(&north, &south, share).await;
    north.change(share::Suspend { share }).await.unwrap();
    let (nothing, refused) = given(&north, &south, share);
    assert!(nothing.is_empty());
    assert_eq!(refused.unwrap_err(), Refusal::State);
    north.change(share::Revoke { share }).await.unwrap();
    let (nothing, end) = given(&north, &south, share);
    assert!(nothing.is_empty());
    let end = end.unwrap();
    assert!(end.revocation.is_some() && end.lease.is_none());
}

/// South takes north's revocation of a share.
async fn told(north: &Bench, south: &Bench, share: ShareId) {
    let said = {
        let reading = north.node.parts().store.read();
        let proof = revocation_proof(&reading.view(), &north.node.parts().journal, share);
        proof.unwrap().unwrap().0
    };
    let taken = south.node.decide(None, Way::Partner, move |context| {
        exchange::receive(context, &said)
    });
    taken.await.unwrap();
}

/// fault E7, fault A5
#[tokio::test]
async fn a_revocation_that_overtook_its_offer_is_given_back_and_nothing_goes_out() {
    let (north, south, share) = advanced().await;
    let past = north.twin();
    north.change(share::Revoke { share }).await.unwrap();
    told(&north, &south, share).await;
    let client = back(&past, &south).await;
    assert!(recover(&past.node, south.id(), &client).await.unwrap());
    let shown = past.shown(share);
    assert_eq!(shown.status, share::Status::Revoked);
    let state = shown.revocation.map(|revocation| revocation.state);
    assert_eq!(state, Some(share::RevocationState::Received));
    assert_eq!(past.tables(), past.rebuilt());
    // Nor does the partner forget it where its past came back.
    let reading = past.node.parts().store.read();
    let listed = list(&reading.view(), south.id(), None).unwrap().shares;
    assert_eq!(listed, [share.as_bytes().to_vec()]);
    let (nothing, end) = given(&past, &south, share);
    assert!(nothing.is_empty() && end.unwrap().revocation.is_some());
}

/// A node finds itself restored, and can call another one that serves.
async fn back(past: &Bench, other: &Bench) -> DeliveryClient<Channel> {
    let back = NodeRestored {
        made_at: noon(),
        above: 0,
    };
    past.events(vec![Event::NodeRestored(back)]).await.unwrap();
    let honest = DeliveryServer::new(Exchange::new(other.node.clone()));
    let address = other.serve(Routes::new(honest)).await;
    past.trust(other, Some(address)).await;
    DeliveryClient::new(past.node.parts().transport.channel(other.id()))
}

/// A node has erased what was here of a revoked share, and states it.
async fn purged(node: &Bench, share: ShareId) {
    let purged = node.node.decide(None, Way::Timer, move |context| {
        exchange::purge(context, share)
    });
    purged.await.unwrap();
}

/// It would be another log than the one its owner has.
///
/// fault E7, fault A9
#[tokio::test]
async fn a_partner_that_lost_its_log_of_a_revoked_share_writes_no_other() {
    let (north, south, share) = advanced().await;
    settle(&north, &south, share).await;
    let past = south.twin();
    north.change(share::Revoke { share }).await.unwrap();
    told(&north, &south, share).await;
    purged(&south, share).await;
    let count = |node: &Bench| {
        let reading = node.node.parts().store.read();
        let held = reading.view().get(&table::SHARE, &share).unwrap().unwrap();
        held.header.partner_log.point.count
    };
    let before = count(&past);
    assert!(count(&south) > before);
    let client = back(&past, &north).await;
    assert!(recover(&past.node, north.id(), &client).await.unwrap());
    purged(&past, share).await;
    assert_eq!(count(&past), before);
    assert_eq!(past.shown(share).status, share::Status::Revoked);
    assert_eq!(past.tables(), past.rebuilt());
}

/// How many shares of a partner a node waits for that it does not hold.
fn missing(node: &Bench, partner: &Bench) -> usize {
    let reading = node.node.parts().store.read();
    let rows = reading.view().page(&table::RECOVER, &partner.id(), None, 9);
    rows.unwrap().len()
}

/// It would be accepted anew, which is another log than the one its owner has.
///
/// fault E7, fault A9
#[tokio::test]
async fn what_is_suspended_comes_back_when_it_goes_on_and_is_not_accepted_anew() {
    let (north, south, share) = advanced().await;
    let keyring = &north.node.parts().keyring;
    keyring
        .ensure(KeyId::lease(share), |key| key.fill(7))
        .unwrap();
    let past = south.twin();
    settle(&north, &south, share).await;
    north.change(share::Suspend { share }).await.unwrap();
    settle(&north, &south, share).await;
    let client = back(&past, &north).await;
    assert!(!recover(&past.node, north.id(), &client).await.unwrap());
    assert_eq!((past.holds(share), missing(&past, &north)), (false, 1));
    let receive = partner::Enable {
        partner: "north".into(),
        send: [].into(),
        receive: [Kind::Advanced].into(),
    };
    past.change(receive).await.unwrap();
    let offer = north.batch(share, Some(1)).unwrap();
    let taken = past.take(north.id(), offer).await.unwrap();
    assert_eq!(taken.unwrap_err(), Refusal::Busy);
    north.change(share::Resume { share }).await.unwrap();
    assert!(recover(&past.node, north.id(), &client).await.unwrap());
    assert_eq!((past.receipted(share), missing(&past, &north)), (1, 0));
    assert_eq!(past.tables(), past.rebuilt());
}

/// fault E7
#[tokio::test]
async fn what_is_revoked_before_it_comes_back_is_not_waited_for() {
    let (north, south, share) = advanced().await;
    let past = south.twin();
    settle(&north, &south, share).await;
    north.change(share::Suspend { share }).await.unwrap();
    let client = back(&past, &north).await;
    assert!(!recover(&past.node, north.id(), &client).await.unwrap());
    north.change(share::Revoke { share }).await.unwrap();
    assert!(recover(&past.node, north.id(), &client).await.unwrap());
    assert_eq!((past.holds(share), missing(&past, &north)), (false, 0));
    assert_eq!(past.tables(), past.rebuilt());
}

/// What a node shows another one when it connects.
fn witnessed(node: &Bench, other: &Bench) -> Vec<v1::WitnessedRevocation> {
    let reading = node.node.parts().store.read();
    let journal = &node.node.parts().journal;
    let shown = super::witnesses(&reading.view(), journal, other.id());
    shown.unwrap().revocations
}

fn incarnation(node: &Bench) -> u64 {
    let reading = node.node.parts().store.read();
    crate::federation::exchange::incarnation(&reading.view()).unwrap()
}

/// North has revoked a share of south's, and knows that south knows.
async fn revoked(north: &Bench, south: &Bench, share: ShareId) {
    north.change(share::Revoke { share }).await.unwrap();
    told(north, south, share).await;
    let reply = witnessed(south, north).remove(0);
    let receipt = reply.receipt.unwrap().encode_to_vec();
    let receipt = Countersignature::read(&receipt).unwrap();
    let proven = north.node.decide(None, Way::Timer, move |context| {
        exchange::revocation_countersigned(context, share, &receipt)
    });
    proven.await.unwrap();
}

/// Both are machines that were set back, and do not know.
///
/// fault E7, fault A6
#[tokio::test]
async fn a_forgotten_revocation_counts_as_soon_as_there_is_contact() {
    let (north, south, share) = advanced().await;
    let harbour = Bench::new("harbour");
    for node in [&north, &south] {
        node.trust(&harbour, None).await;
    }
    settle(&north, &south, share).await;
    let pasts = [north.twin(), south.twin()];
    revoked(&north, &south, share).await;
    for (past, other) in pasts.iter().zip([&south, &north]) {
        assert_ne!(past.shown(share).status, share::Status::Revoked);
        let before = incarnation(past);
        let door = past.node.door(harbour.id());
        let knocked = door.borrow().news;
        for _ in 0..2 {
            for shown in witnessed(other, past) {
                super::forgotten(&past.node, other.id(), shown)
                    .await
                    .unwrap();
            }
        }
        assert_eq!(past.shown(share).status, share::Status::Revoked);
        assert_eq!(incarnation(past), before + 1);
        assert_eq!(door.borrow().news, knocked + 1, "everybody is asked");
        assert_eq!(past.tables(), past.rebuilt());
    }
}

/// fault A13
#[tokio::test]
async fn a_revocation_that_is_not_proven_does_not_set_a_node_back() {
    let (north, south, share) = advanced().await;
    settle(&north, &south, share).await;
    let past = south.twin();
    revoked(&north, &south, share).await;
    let before = incarnation(&past);
    let honest = witnessed(&north, &south).remove(0);
    let mut unsigned = honest.clone();
    unsigned.revocation.as_mut().unwrap().signature = vec![0; 64].into();
    let mut unproven = honest.clone();
    unproven.receipt.as_mut().unwrap().signature = vec![0; 64].into();
    let mut alone = honest;
    alone.receipt = None;
    for shown in [unsigned, unproven, alone] {
        super::forgotten(&past.node, north.id(), shown)
            .await
            .unwrap();
        assert_ne!(past.shown(share).status, share::Status::Revoked);
        assert_eq!(incarnation(&past), before);
    }
}

/// Another key would open nothing of what the partner has sealed.
///
/// fault E7
#[tokio::test]
async fn an_owner_gets_back_the_key_that_its_share_is_sealed_under() {
    let (north, south, share) = advanced().await;
    let (past, later) = (north.twin(), north.twin());
    settle(&north, &south, share).await;
    let client = back(&past, &south).await;
    assert!(!recover(&past.node, south.id(), &client).await.unwrap());
    assert_eq!(past.shown(share).status, share::Status::Recovering);
    let key = |node: &Bench| node.node.parts().keyring.key(KeyId::lease(share));
    assert!(key(&past).is_none());
    let renewed = {
        let reading = past.node.parts().store.read();
        let shares = [share.as_bytes().to_vec().into()];
        let lender = Lender::of(&past.node);
        lease::renewed(lender, &reading.view(), south.id(), &shares).unwrap()
    };
    assert_eq!((renewed.leases.len(), renewed.recovering.len()), (0, 1));
    let (leases, now) = {
        let parts = south.node.parts();
        (&parts.moment.leases, parts.clock.elapsed())
    };
    leases.lend(share, Key::new([7; 32]), now, Duration::from_secs(600));
    for past in [&past, &later] {
        let client = back(past, &south).await;
        assert!(recover(&past.node, south.id(), &client).await.unwrap());
        assert_eq!(key(past), Some(Key::new([7; 32])));
        assert_ne!(past.shown(share).status, share::Status::Recovering);
    }
}

/// What comes back says that it is listed: it is not, any more.
///
/// fault E7
#[tokio::test]
async fn what_is_taken_out_while_a_share_is_recovered_is_withdrawn_after() {
    for by_folder in [false, true] {
        let (north, south, evidence) = enabled().await;
        let share = match by_folder {
            true => shared(&north, Vec::new(), vec!["".into()]).await,
            false => shared(&north, vec![evidence], Vec::new()).await,
        };
        let past = north.twin();
        settle(&north, &south, share).await;
        assert_eq!(south.shown(share).listed.evidence, 1);
        let (leases, now) = {
            let parts = south.node.parts();
            (&parts.moment.leases, parts.clock.elapsed())
        };
        leases.lend(share, Key::new([7; 32]), now, Duration::from_secs(600));
        let client = back(&past, &south).await;
        let send = partner::Enable {
            partner: "south".into(),
            send: [Kind::Advanced].into(),
            receive: [].into(),
        };
        past.change(send).await.unwrap();
        match by_folder {
            true => {
                let elsewhere = evidence::Edit {
                    evidence,
                    title: None,
                    folder: Some("elsewhere".into()),
                    case: None,
                    fields: Default::default(),
                };
                past.change(elsewhere).await.map(drop).unwrap();
            }
            false => {
                let evidence = vec![evidence];
                let withdraw = share::Withdraw { share, evidence };
                past.change(withdraw).await.map(drop).unwrap();
            }
        }
        assert!(recover(&past.node, south.id(), &client).await.unwrap());
        settle(&past, &south, share).await;
        assert_eq!(south.shown(share).listed.evidence, 0);
        assert_eq!(past.tables(), past.rebuilt());
    }
}
