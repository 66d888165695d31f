//! What people do at a node: pair with every other one, then share, read and revoke until faults stop; then
//! an administrator puts right what people stopped, and nothing else.

mod pair;
mod read;

use std::rc::Rc;
use std::time::Duration;

use interdocket_sync::id::ShareId;

pub(super) use self::pair::known;
use super::World;
use super::oracle::Deal;
use super::site::Site;
use crate::actions::evidence::Upload;
use crate::actions::node::ConfirmClock;
use crate::actions::partner::{self, Kind, State};
use crate::actions::share::{self, Mode};
use crate::actions::{Change, Error, Run as _, case, evidence, external};
use crate::node::{Node, timely};
use crate::store::{entity, table};
use crate::tests::bench::{only, to};

/// Works until the process ends or everything was put right.
pub(super) async fn work(world: Rc<World>, number: usize, node: Node) {
    let people = People {
        world,
        number,
        node,
    };
    people.pair().await;
    if let Some(scene) = people.world.scene {
        return scene(people).await;
    }
    loop {
        let pause = people.world.below(4000) + 100;
        people.sleep(pause).await;
        match people.world.calm.get() {
            true => people.repair().await,
            false => people.one().await,
        }
    }
}

/// The people of a node that runs.
pub(super) struct People {
    pub(super) world: Rc<World>,
    pub(super) number: usize,
    pub(super) node: Node,
}

impl People {
    pub(super) fn site(&self) -> &Site {
        &self.world.sites[self.number]
    }

    pub(super) async fn sleep(&self, millis: usize) {
        tokio::time::sleep(Duration::from_millis(millis as u64)).await;
    }

    /// Notes how something went.
    pub(super) fn told<R>(&self, what: &str, went: Result<R, Error>) -> Option<R> {
        self.world.oracle.borrow_mut().figures.commands += 1;
        let (log, name) = (&self.world.log, self.site().name);
        match went {
            Ok(done) => {
                let count = self.node.parts().journal.head().count;
                log.note(name, format_args!("{what}: done by record {count}"));
                Some(done)
            }
            Err(error) => {
                log.note(name, format_args!("{what}: {:?}: {error}", error.kind));
                None
            }
        }
    }

    pub(super) async fn change<A: Change>(&self, action: A) -> Option<A::Reply> {
        let went = self.node.change(&self.node.owner(), action).await;
        self.told(A::NAME, went)
    }

    async fn one(&self) {
        match self.world.below(100) {
            0..28 => self.add().await,
            28..34 => self.case().await,
            34..44 => self.share(Kind::Copy).await,
            44..58 => self.share(Kind::Advanced).await,
            58..65 => self.share(Kind::Reference).await,
            65..72 => self.revoke().await,
            72..77 => self.pause().await,
            77..81 => self.edit().await,
            81..84 => self.withdraw().await,
            84..87 => self.import().await,
            87..90 => self.suspend().await,
            _ => self.read().await,
        }
        if self.world.below(3) == 0 {
            self.confirm().await;
        }
    }

    async fn confirm(&self) {
        if self.node.read(timely).await.is_err() {
            self.change(ConfirmClock {}).await;
        }
    }

    async fn case(&self) {
        let number = format!("{}/{}", self.site().name, self.world.below(1_000_000));
        let create = case::Create {
            number: number.clone(),
            title: "A case".into(),
            description: String::new(),
            targets: Vec::new(),
        };
        if self.change(create).await.is_some() {
            let made = (self.number, number);
            self.world.oracle.borrow_mut().cases.push(made);
        }
    }

    fn some_case(&self) -> Option<String> {
        let oracle = self.world.oracle.borrow();
        let own = oracle.cases.iter().filter(|(of, _)| *of == self.number);
        let own: Vec<&String> = own.map(|(_, number)| number).collect();
        own.get(self.world.below(own.len().max(1)))
            .map(|number| (*number).clone())
    }

    async fn add(&self) {
        let Some(case) = self.some_case() else {
            return self.case().await;
        };
        let size = match self.world.below(20) {
            0 => 0,
            1..=14 => self.world.below(5000),
            15..=18 => 200_000 + self.world.below(200_000),
            _ => 1_000_000 + self.world.below(2_000_000),
        };
        let byte = self.world.below(256) as u8;
        let bytes: Vec<u8> = (0..size).map(|place| (place / 977) as u8 ^ byte).collect();
        let request = Upload {
            case,
            name: format!("{size}.bin"),
            folder: ["", "scene"][self.world.below(2)].into(),
            title: None,
        };
        let (body, arriving) = tokio::sync::mpsc::channel(1);
        body.try_send(Ok(bytes.into()))
            .expect("there is room for one");
        drop(body);
        let owner = self.node.owner();
        let went = self.node.upload_evidence(&owner, request, arriving).await;
        if let Some(added) = self.told("evidence.add", went) {
            let taken = (self.number, added.id);
            self.world.oracle.borrow_mut().evidence.push(taken);
        }
    }

    fn some_evidence(&self) -> Option<interdocket_sync::id::EvidenceId> {
        let oracle = self.world.oracle.borrow();
        let own = oracle.evidence.iter().filter(|(of, _)| *of == self.number);
        let own: Vec<_> = own.map(|(_, evidence)| *evidence).collect();
        own.get(self.world.below(own.len().max(1))).copied()
    }

    async fn edit(&self) {
        if let Some(evidence) = self.some_evidence() {
            let title = format!("Title {}", self.world.below(1000));
            let edit = evidence::Edit {
                evidence,
                title: Some(title),
                folder: None,
                case: None,
                fields: Default::default(),
            };
            self.change(edit).await;
        }
    }

    fn some_partner(&self) -> &Site {
        let others = self.world.sites.len() - 1;
        let number = self.world.below(others);
        let number = if number < self.number {
            number
        } else {
            number + 1
        };
        &self.world.sites[number]
    }

    async fn share(&self, kind: Kind) {
        let (partner, Some(case)) = (self.some_partner(), self.some_case()) else {
            return;
        };
        let (to, none) = (vec![to(partner.name, &["Kim"])], Vec::new);
        let made = match kind {
            Kind::Copy => {
                self.change(share::Copy {
                    case,
                    to,
                    evidence: none(),
                    folders: Vec::new(),
                    targets: None,
                    message: String::new(),
                    attachments: None,
                })
                .await
            }
            Kind::Reference => {
                self.change(share::Reference {
                    case,
                    to,
                    days: 1,
                    evidence: none(),
                    folders: Vec::new(),
                    targets: None,
                    message: String::new(),
                })
                .await
            }
            Kind::Advanced => {
                self.change(share::Advanced {
                    case,
                    to,
                    evidence: none(),
                    folders: Vec::new(),
                    units: Vec::new(),
                    targets: None,
                    message: String::new(),
                })
                .await
            }
        };
        if let Some(made) = made.map(only) {
            let deal = Deal {
                owner: self.number,
                partner: partner.number,
                kind,
                live: made.policy.is_none_or(|policy| policy.mode == Mode::Live),
                revoked: None,
            };
            self.world.log.note(
                self.site().name,
                format_args!("shares with {}: {kind:?} {}", partner.name, made.id),
            );
            self.world.oracle.borrow_mut().deals.insert(made.id, deal);
        }
    }

    /// A share that was not revoked, made here or, where `here` says so, made for here.
    fn some_share(&self, here: bool, kinds: &[Kind]) -> Option<ShareId> {
        let oracle = self.world.oracle.borrow();
        let fits = |deal: &Deal| {
            let site = if here { deal.partner } else { deal.owner };
            site == self.number && deal.revoked.is_none() && kinds.contains(&deal.kind)
        };
        let fitting = oracle.deals.iter().filter(|(_, deal)| fits(deal));
        let fitting: Vec<ShareId> = fitting.map(|(share, _)| *share).collect();
        fitting.get(self.world.below(fitting.len().max(1))).copied()
    }

    async fn revoke(&self) {
        let Some(share) = self.some_share(false, &[Kind::Advanced, Kind::Reference]) else {
            return;
        };
        if self.change(share::Revoke { share }).await.is_some() {
            let now = self.world.log.now();
            let mut oracle = self.world.oracle.borrow_mut();
            let deal = oracle.deals.get_mut(&share);
            deal.expect("it was made").revoked = Some(now);
        }
    }

    async fn pause(&self) {
        let Some(share) = self.some_share(false, &[Kind::Advanced, Kind::Reference, Kind::Copy])
        else {
            return;
        };
        self.change(share::Suspend { share }).await;
        let pause = self.world.below(8000);
        self.sleep(pause).await;
        self.change(share::Resume { share }).await;
    }

    async fn withdraw(&self) {
        let (share, evidence) = (
            self.some_share(false, &[Kind::Advanced]),
            self.some_evidence(),
        );
        if let (Some(share), Some(evidence)) = (share, evidence) {
            let evidence = vec![evidence];
            self.change(share::Withdraw { share, evidence }).await;
        }
    }

    async fn import(&self) {
        let Some(share) = self.some_share(true, &[Kind::Advanced]) else {
            return;
        };
        let import = external::Import {
            share,
            evidence: Vec::new(),
        };
        let went = import.run(&self.node, &read::kim()).await;
        self.told("external.import", went);
    }

    /// Suspends a partner for a while: it is cut within a second (B6).
    async fn suspend(&self) {
        let other = self.some_partner();
        let partner = || other.name.to_owned();
        let suspended = self.change(partner::Suspend { partner: partner() }).await;
        self.sleep(1000).await;
        let contacts = self.node.parts().transport.registry().contacts();
        if suspended.is_some() && contacts.contains_key(&other.id) {
            let name = self.site().name;
            let what = format!(
                "{name} is connected with {}, which it suspended",
                other.name
            );
            self.world.log.fail(what);
        }
        let pause = self.world.below(5000);
        self.sleep(pause).await;
        self.change(partner::Resume { partner: partner() }).await;
    }

    /// Enables everything with a partner.
    async fn enable(&self, node: &Node, with: &Site) -> Result<(), Error> {
        let kinds = [Kind::Reference, Kind::Copy, Kind::Advanced];
        let enable = partner::Enable {
            partner: with.name.into(),
            send: kinds.into(),
            receive: kinds.into(),
        };
        let mode = [Mode::Live, Mode::Synchronised][self.world.below(2)];
        let policy = partner::SetPolicy {
            partner: with.name.into(),
            mode,
            download: true,
            import: true,
            onward: false,
        };
        node.change(&node.owner(), enable).await?;
        node.change(&node.owner(), policy).await.map(drop)
    }

    /// Resumes what people suspended, and confirms the clock.
    async fn repair(&self) {
        self.confirm().await;
        let known = self
            .node
            .read(|view| Ok(view.page(&table::PARTNER, &(), None, usize::MAX)?));
        for (_, partner) in known.await.unwrap_or_default() {
            if partner.state == State::Suspended {
                let partner = partner.name;
                self.change(partner::Resume { partner }).await;
            }
        }
        let held = self
            .node
            .read(|view| Ok(view.page(&table::SHARE, &(), None, usize::MAX)?));
        let me = self.site().id;
        let ours = |share: &entity::Share| {
            let header = &share.header;
            header.owner == me && header.suspended && header.open_to_owner()
        };
        for (share, held) in held.await.unwrap_or_default() {
            if ours(&held) {
                self.change(share::Resume { share }).await;
            }
        }
    }
}
