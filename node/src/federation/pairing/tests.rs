//! Pairing over loopback: both ends of the ceremony, and strangers at the port.

use std::sync::Mutex;

use interdocket_sync::pairing::{Address, Inviter, Role, Secret};
use uuid::Uuid;

use super::*;
use crate::federation::tests::world::{Node, noon, soon};

/// One invitation, kept in memory.
struct Shelf {
    inviter: Mutex<Inviter>,
    me: Profile,
    paired: Mutex<Option<Candidate>>,
}

#[tonic::async_trait]
impl Ceremony for Shelf {
    async fn begin(&self, request: v1::BeginRequest) -> Result<v1::BeginResponse, Refusal> {
        let mut inviter = self.inviter.lock().unwrap();
        if request.invitation != inviter.id().as_bytes()[..] {
            return Err(Refusal::Invitation(Dead::Unknown));
        }
        let (next, answer) = inviter.begin(&request, &self.me, [2; 32], &Unpinned, noon());
        *inviter = next;
        answer
    }

    async fn reveal(&self, request: v1::RevealRequest) -> Result<v1::RevealResponse, Refusal> {
        let mut inviter = self.inviter.lock().unwrap();
        let (next, revealed) = inviter.reveal(&request, &Unpinned, noon());
        *inviter = next;
        let revealed = revealed?;
        *self.paired.lock().unwrap() = Some(revealed.candidate);
        Ok(revealed.response)
    }
}

/// A node that has made an invitation and waits at its pairing port.
struct Inviting {
    node: Node,
    shelf: Arc<Shelf>,
    invitation: Invitation,
    stop: CancellationToken,
}

impl Drop for Inviting {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn profile(node: &Node) -> Profile {
    Profile {
        root: node.keys.root_der().to_vec(),
        name: node.keys.name().to_owned(),
        role: Role::Investigation,
        address: Some(node.address.clone()),
    }
}

async fn inviting(name: &str) -> Inviting {
    let node = Node::start(name).await;
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let address: Address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let invitation = Invitation {
        id: Uuid::from_bytes([7; 16]),
        secret: Secret::from_random([9; 16]),
        address,
        organisation: node.organisation(),
        fingerprint: Sha256::digest(node.keys.root_der()).into(),
        expires: noon() + interdocket_sync::pairing::LIFETIME,
    };
    let shelf = Arc::new(Shelf {
        inviter: Mutex::new(Inviter::new(&invitation)),
        me: profile(&node),
        paired: Mutex::default(),
    });
    let stop = CancellationToken::new();
    let inviting = Inviting {
        node,
        shelf,
        invitation,
        stop,
    };
    let port = port(
        &inviting.node,
        listener,
        inviting.shelf.clone(),
        inviting.stop.clone(),
    );
    tokio::spawn(port);
    inviting
}

fn port(
    node: &Node,
    listener: Listener,
    shelf: Arc<Shelf>,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send + 'static {
    let (keys, clock) = (Arc::clone(&node.keys), node.clock.clone());
    async move { serve(listener, &keys, clock, shelf, stop).await.unwrap() }
}

async fn accepted(south: &Node, invitation: Invitation) -> Result<Candidate, Error> {
    let limits = Limits {
        private: true,
        ..Limits::default()
    };
    let (me, signer) = (profile(south), south.keys.signer());
    soon(accept(
        invitation,
        &me,
        &signer,
        south.clock.clone(),
        &limits,
    ))
    .await
}

#[tokio::test]
async fn two_nodes_pair_and_see_the_same_words() {
    let (north, south) = (inviting("north").await, Node::start("south").await);
    let seen = accepted(&south, north.invitation.clone()).await.unwrap();
    let stored = north.shelf.paired.lock().unwrap().clone().unwrap();
    assert_eq!(seen.organisation, north.node.organisation());
    assert_eq!(seen.profile, profile(&north.node));
    assert_eq!(stored.organisation, south.organisation());
    assert_eq!(stored.profile, profile(&south));
    assert_eq!(spell(seen.words), spell(stored.words));
    let pins = Pins::default();
    pins.set(stored.organisation, &stored.profile.root).unwrap();
}

/// fault B4
#[tokio::test]
async fn a_node_whose_root_the_invitation_does_not_name_is_not_talked_to() {
    let (north, south) = (inviting("north").await, Node::start("south").await);
    let harbour = inviting("harbour").await;
    let mut invitation = north.invitation.clone();
    invitation.address = harbour.invitation.address.clone();
    let refused = accepted(&south, invitation).await;
    assert!(
        matches!(refused, Err(Error::Dial(dial::Error::Handshake(..)))),
        "{refused:?}"
    );
    assert!(harbour.shelf.inviter.lock().unwrap().dead(noon()).is_none());
}

/// fault B1
#[tokio::test]
async fn a_stranger_sees_the_same_refusal_whatever_the_reason() {
    let (north, south) = (inviting("north").await, Node::start("south").await);
    let (mut unknown, mut wrong) = (north.invitation.clone(), north.invitation.clone());
    unknown.id = Uuid::from_bytes([8; 16]);
    wrong.secret = Secret::from_random([8; 16]);
    let mut told = Vec::new();
    for invitation in [unknown, wrong] {
        told.push(accepted(&south, invitation).await.unwrap_err());
    }
    accepted(&south, north.invitation.clone()).await.unwrap();
    told.push(
        accepted(&south, north.invitation.clone())
            .await
            .unwrap_err(),
    );
    for error in told {
        assert!(matches!(error, Error::Refused), "{error:?}");
    }
}

/// fault B2
#[tokio::test]
async fn a_source_that_guesses_is_not_let_in_again() {
    let (north, south) = (inviting("north").await, Node::start("south").await);
    let mut unknown = north.invitation.clone();
    unknown.id = Uuid::from_bytes([8; 16]);
    for _ in 0..10 {
        let refused = accepted(&south, unknown.clone()).await;
        assert!(matches!(refused, Err(Error::Refused)), "{refused:?}");
    }
    let refused = accepted(&south, north.invitation.clone()).await;
    assert!(matches!(refused, Err(Error::Dial(_))), "{refused:?}");
}

#[tokio::test]
async fn an_accepter_with_the_key_of_another_is_refused() {
    let (north, south) = (inviting("north").await, Node::start("south").await);
    let other = Node::start("harbour").await;
    let limits = Limits {
        private: true,
        ..Limits::default()
    };
    let (me, signer) = (profile(&south), other.keys.signer());
    let invitation = north.invitation.clone();
    let refused = soon(accept(
        invitation,
        &me,
        &signer,
        south.clock.clone(),
        &limits,
    ))
    .await;
    assert!(matches!(refused, Err(Error::Refused)), "{refused:?}");
    assert!(north.shelf.paired.lock().unwrap().is_none());
}

/// fault B9
#[tokio::test]
async fn the_two_ports_do_not_answer_for_each_other() {
    let (north, south) = (inviting("north").await, Node::start("south").await);
    south.expect(&north.node, Some(north.invitation.address.clone()));
    let partner = north.node.organisation();
    let dialled = dial::dial(&south.transport, partner, tls::FORWARD);
    assert!(soon(dialled).await.is_err());
    let mut invitation = north.invitation.clone();
    invitation.address = north.node.address.clone();
    assert!(accepted(&south, invitation).await.is_err());
}

/// fault B11
#[tokio::test]
async fn an_invitation_does_not_lead_inside_unless_the_configuration_allows_it() {
    let (north, south) = (inviting("north").await, Node::start("south").await);
    let (me, signer) = (profile(&south), south.keys.signer());
    let (invitation, clock) = (north.invitation.clone(), south.clock.clone());
    let refused = soon(accept(invitation, &me, &signer, clock, &Limits::default())).await;
    assert!(
        matches!(refused, Err(Error::Dial(dial::Error::Refused(_)))),
        "{refused:?}"
    );
}

#[test]
fn words_are_of_the_list_that_people_know() {
    let spelled = Words::try_from([0, 1, 2046, 2047]).unwrap();
    assert_eq!(spell(spelled), ["abandon", "ability", "zone", "zoo"]);
}
