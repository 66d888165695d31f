//! What people do: commands at every node, with what they were told kept by the oracle.

use std::collections::BTreeSet;
use std::rc::Rc;

use interdocket_sync::blob::Sha256;
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::share::Hold;

use super::oracle::{Case, Deal, Item, Reach, within};
use super::serve::kim;
use super::site::Process;
use super::start::{change, enable};
use super::tap::Canary;
use super::vault::digest;
use super::world::{SECOND, World};
use crate::actions::evidence::Taken;
use crate::actions::partner::{self, Kind, OrganisationRole};
use crate::actions::{Change, Error, ErrorKind, Way, case, evidence, share};
use crate::store::table;
use crate::tests::bench::{only, to};

/// How it went, for the oracle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// Nothing happened.
    Refused,
    /// Nobody can say.
    Unsure,
}

/// One node's people, until it stops.
struct People<'a> {
    world: &'a Rc<World>,
    me: &'a Rc<Process>,
}

/// People work at a node.
pub(super) async fn people(world: &Rc<World>, me: &Rc<Process>) {
    let people = People { world, me };
    loop {
        let wait = world.between(SECOND / 20, 8 * SECOND);
        world.sleep(wait).await;
        if world.calm.get() {
            return;
        }
        if me.partners().is_empty() {
            continue;
        }
        people.one().await;
    }
}

/// An administrator puts right what people stopped, and nothing else: all the rest settles by itself.
pub(super) async fn repair(world: &Rc<World>, me: &Rc<Process>) {
    world.sleep(SECOND).await;
    if me.suspects() {
        let confirmed = super::start::confirm(world, me).await;
        confirmed.expect("nothing fails any more");
    }
    let partners = me.read(|view| view.page(&table::PARTNER, &(), None, usize::MAX));
    for (id, known) in partners.expect("nothing fails any more") {
        let partner = world.site(id).name;
        if known.state == partner::State::Suspended {
            let partner = partner.to_owned();
            let pair = (me.site, world.site(id).number);
            world.standing.borrow_mut().undo(pair);
            let resumed = change(world, me, partner::Resume { partner }).await;
            resumed.expect("nothing fails any more");
        }
        if known.send.is_empty() {
            let pair = (me.site, world.site(id).number);
            world.standing.borrow_mut().partners.remove(&pair);
            let enabled = enable(world, me, partner, true).await;
            enabled.expect("nothing fails any more");
        }
    }
    let shares = me.read(|view| view.page(&table::SHARE, &(), None, usize::MAX));
    for (share, of) in shares.expect("nothing fails any more") {
        let ours = of.header.owner == me.id && of.header.suspended;
        if ours && of.header.open_to_owner() {
            world.standing.borrow_mut().shares.remove(&share);
            // It waits where it is recovered first.
            while let Err(error) = change(world, me, share::Resume { share }).await {
                let name = world.sites[me.site].name;
                world.note(format_args!("{name} can't resume {share}: {error}"));
                let now = me.read(|view| view.get(&table::SHARE, &share));
                let now = now.expect("nothing fails any more");
                if now.is_none_or(|of| of.header.hold != Hold::Recovering) {
                    break;
                }
                world.sleep(20 * SECOND).await;
            }
        }
    }
}

impl People<'_> {
    async fn one(&self) {
        match self.world.below(100) {
            0..26 => self.add().await,
            26..30 => self.case().await,
            30..38 => self.share(Kind::Copy).await,
            38..50 => self.share(Kind::Advanced).await,
            50..55 => self.share(Kind::Reference).await,
            55..61 => self.widen().await,
            61..66 => self.narrow().await,
            66..74 => self.edit().await,
            74..76 => self.describe().await,
            76..80 => self.recipients().await,
            80..85 => self.pause().await,
            85..90 => self.revoke().await,
            90..92 => self.end().await,
            92..94 => self.suspend().await,
            94..96 => self.import().await,
            96..98 => {
                if let Some((_, share)) = self.their_deal() {
                    super::onward::share(self.world, self.me, share).await;
                }
            }
            _ => super::read::read(self.world, self.me).await,
        }
    }

    /// Runs a command; says how it went.
    async fn run<A: Change>(&self, action: A) -> (Outcome, Option<A::Reply>) {
        self.world.trace.borrow_mut().figures.commands += 1;
        let name = self.world.sites[self.me.site].name;
        match change(self.world, self.me, action).await {
            Ok(reply) => {
                self.world.note(format_args!("{name} did {}", A::NAME));
                (Outcome::Done, Some(reply))
            }
            Err(error) => {
                self.world
                    .note(format_args!("{name} did not {}: {error}", A::NAME));
                (outcome(&error), None)
            }
        }
    }

    fn some<T: Copy>(&self, of: &[T]) -> Option<T> {
        let place = self.world.below(of.len() as u64);
        of.get(usize::try_from(place).ok()?).copied()
    }

    /// A case of this node's own.
    fn own_case(&self) -> Option<usize> {
        let oracle = self.world.oracle.borrow();
        let cases = oracle.cases.iter().enumerate();
        let own = cases.filter(|(_, case)| case.site == self.me.site);
        let own: Vec<usize> = own.map(|(place, _)| place).collect();
        drop(oracle);
        self.some(&own)
    }

    /// A share of this node's own that somebody was told of.
    fn own_deal(&self, kinds: &[Kind]) -> Option<(usize, ShareId)> {
        let oracle = self.world.oracle.borrow();
        let deals = oracle.deals.iter().enumerate();
        let own =
            deals.filter(|(_, deal)| deal.owner == self.me.site && kinds.contains(&deal.kind));
        let own: Vec<(usize, ShareId)> = own
            .filter_map(|(place, deal)| Some((place, deal.share?)))
            .collect();
        drop(oracle);
        self.some(&own)
    }

    async fn case(&self) {
        let number = {
            let mut oracle = self.world.oracle.borrow_mut();
            let own = oracle.cases.iter();
            if own.filter(|case| case.site == self.me.site).count() >= 3 {
                return;
            }
            let number = Canary::Case(oracle.cases.len()).text();
            oracle.cases.push(Case {
                site: self.me.site,
                number: number.clone(),
            });
            number
        };
        let create = case::Create {
            title: format!("About {number}"),
            description: format!("All of {number}"),
            number,
            targets: Vec::new(),
        };
        self.run(create).await;
    }

    async fn add(&self) {
        let Some(case) = self.own_case() else {
            return self.case().await;
        };
        let folder = self.some(&FOLDERS).expect("there are some").to_owned();
        let (number, taken) = {
            let mut oracle = self.world.oracle.borrow_mut();
            let number = oracle.items.len();
            let text = Canary::Item(number).text();
            // Some bytes everybody has from somewhere.
            let common = self.world.chance(150);
            // Now and then the same bytes come again.
            let twin = oracle.items.last().filter(|last| last.case == case);
            let twin = twin.filter(|_| self.world.chance(100));
            let content = twin.map_or(number, |twin| twin.content);
            let length = 1 + (content * 7) % 100;
            let bytes = match common {
                true => format!("A form, version {}. ", content % 3).repeat(9),
                false => Canary::Item(content).text().repeat(length),
            };
            let bytes = bytes.into_bytes();
            let blake3 = digest(&bytes);
            let held = self.me.read(|view| view.has(&table::BLOB, &blake3));
            let place = match held {
                Ok(true) => None,
                _ => match self.me.vault.commit(bytes.clone()) {
                    Some(placed) => Some(placed.place),
                    None => return,
                },
            };
            oracle.items.push(Item {
                site: self.me.site,
                case,
                id: None,
                content,
                digest: blake3,
                folder: Some(folder.clone()),
                folders: [folder.clone()].into(),
                title: Some(text.clone()),
                lost: false,
            });
            let taken = Taken {
                case: oracle.cases[case].number.clone(),
                name: format!("{text}.txt"),
                folder,
                title: Some(text),
                size: bytes.len() as u64,
                blake3,
                sha256: Sha256(blake3.0),
                place,
            };
            (number, taken)
        };
        let decided = self
            .me
            .decide(self.world, Some(kim()), Way::Socket, |context| {
                taken.decide(context)
            });
        self.world.trace.borrow_mut().figures.commands += 1;
        let added = decided.await;
        let name = self.world.sites[self.me.site].name;
        self.world.note(format_args!(
            "{name} added item {number}: {:?}",
            added.as_ref().ok().map(|added| added.id)
        ));
        if let Ok(added) = added {
            self.world.oracle.borrow_mut().items[number].id = Some(added.id);
        }
    }

    async fn share(&self, kind: Kind) {
        let (Some(case), Some(partner)) = (self.own_case(), self.some(&self.me.partners())) else {
            return;
        };
        let other = self.world.site(partner);
        let justice = [self.world.sites[self.me.site].role, other.role];
        if kind == Kind::Reference && justice.contains(&OrganisationRole::Justice) {
            return;
        }
        let reach = match self.world.below(3) {
            0 => Reach::Entire,
            1 => Reach::Folder(self.some(&FOLDERS).expect("there are some").to_owned()),
            _ => Reach::Selected,
        };
        let (number, place, chosen) = {
            let oracle = self.world.oracle.borrow();
            let items = oracle.items.iter().enumerate();
            let items = items.filter(|(_, item)| item.case == case && item.id.is_some());
            let chosen: BTreeSet<usize> = items
                .filter(|(_, item)| match &reach {
                    Reach::Entire => true,
                    Reach::Folder(folder) => {
                        item.folder.as_ref().is_some_and(|of| within(of, folder))
                    }
                    Reach::Selected => self.world.chance(500),
                })
                .map(|(place, _)| place)
                .collect();
            let place = oracle.deals.len();
            (oracle.cases[case].number.clone(), place, chosen)
        };
        if reach == Reach::Selected && chosen.is_empty() {
            return;
        }
        self.note_deal(kind, case, other.number, &reach, &chosen);
        let named = self.named(&reach, &chosen);
        let (outcome, id) = self.offer(kind, number, other.name.to_owned(), named).await;
        let name = self.world.sites[self.me.site].name;
        self.world.note(format_args!(
            "{name} made {kind:?} {id:?} of {reach:?} with {chosen:?}"
        ));
        self.deal(place, |deal| {
            deal.share = id;
            if outcome == Outcome::Refused {
                deal.may.clear();
            }
        });
        if let Some(share) = id {
            self.world
                .standing
                .borrow_mut()
                .name(share, Some(vec!["kim".to_owned()]));
        }
        if let Some(share) = id.filter(|_| kind != Kind::Copy && self.world.chance(250)) {
            // Somebody sees at once that it was a mistake.
            let wait = self.world.between(0, 2 * SECOND);
            self.world.sleep(wait).await;
            self.over(place, share).await;
        }
    }

    async fn offer(
        &self,
        kind: Kind,
        case: String,
        partner: String,
        (evidence, folders): Named,
    ) -> (Outcome, Option<ShareId>) {
        let (to, message) = (vec![to(&partner, &["kim"])], String::new());
        let (outcome, made) = match kind {
            Kind::Copy => {
                let copy = share::Copy {
                    case,
                    to,
                    evidence,
                    folders,
                    targets: None,
                    message,
                    attachments: None,
                };
                self.run(copy).await
            }
            Kind::Advanced => {
                let advanced = share::Advanced {
                    units: Vec::new(),
                    case,
                    to,
                    evidence,
                    folders,
                    targets: None,
                    message,
                };
                self.run(advanced).await
            }
            Kind::Reference => {
                let reference = share::Reference {
                    case,
                    to,
                    days: 90,
                    evidence,
                    folders,
                    targets: None,
                    message,
                };
                self.run(reference).await
            }
        };
        (outcome, made.map(|made| only(made).id))
    }

    fn note_deal(
        &self,
        kind: Kind,
        case: usize,
        partner: usize,
        reach: &Reach,
        chosen: &BTreeSet<usize>,
    ) {
        let mut oracle = self.world.oracle.borrow_mut();
        let mut may = chosen.clone();
        let mut unsure = BTreeSet::new();
        // What nobody was told of may be there all the same.
        if *reach != Reach::Selected {
            for (place, item) in oracle.items.iter().enumerate() {
                if item.case == case && (item.id.is_none() || item.folder.is_none()) {
                    may.insert(place);
                    unsure.insert(place);
                }
            }
        }
        oracle.deals.push(Deal {
            owner: self.me.site,
            partner,
            kind,
            case,
            reach: reach.clone(),
            share: None,
            may,
            must: chosen.clone(),
            unsure,
            revoked: false,
            stopped: false,
            wanted: false,
            lost: false,
        });
    }

    fn named(&self, reach: &Reach, chosen: &BTreeSet<usize>) -> Named {
        let oracle = self.world.oracle.borrow();
        match reach {
            Reach::Entire => (Vec::new(), Vec::new()),
            Reach::Folder(folder) => (Vec::new(), vec![folder.clone()]),
            Reach::Selected => {
                let ids = chosen.iter().filter_map(|place| oracle.items[*place].id);
                (ids.collect(), Vec::new())
            }
        }
    }

    /// Adds an item to what was chosen.
    async fn widen(&self) {
        let Some((place, share)) = self.own_deal(&[Kind::Copy, Kind::Advanced, Kind::Reference])
        else {
            return;
        };
        let found = {
            let oracle = self.world.oracle.borrow();
            let deal = &oracle.deals[place];
            let selected = deal.kind == Kind::Copy || deal.reach == Reach::Selected;
            let items = oracle.items.iter().enumerate();
            let items = items.filter(|(_, item)| selected && item.case == deal.case);
            let items: Vec<_> = items
                .filter_map(|(number, item)| Some((number, item.id?)))
                .collect();
            drop(oracle);
            self.some(&items)
        };
        let Some((item, id)) = found else {
            return;
        };
        let sure = self.deal(place, |deal| {
            deal.may.insert(item);
            !deal.must.contains(&item) && deal.unsure.insert(item)
        });
        let evidence = vec![id];
        let (outcome, _) = self.run(share::Add { share, evidence }).await;
        self.world
            .note(format_args!("that was {share} with item {item}"));
        self.deal(place, |deal| match outcome {
            Outcome::Done => {
                deal.must.insert(item);
                deal.unsure.remove(&item);
            }
            Outcome::Refused if sure => {
                deal.unsure.remove(&item);
            }
            _ => {}
        });
    }

    /// Takes an item out of what was chosen.
    async fn narrow(&self) {
        let Some((place, share)) = self.own_deal(&[Kind::Advanced, Kind::Reference]) else {
            return;
        };
        let found = {
            let oracle = self.world.oracle.borrow();
            let deal = &oracle.deals[place];
            let selected = deal.reach == Reach::Selected;
            let items = deal.must.iter().filter(|_| selected);
            let items: Vec<_> = items
                .filter_map(|item| Some((*item, oracle.items[*item].id?)))
                .collect();
            drop(oracle);
            self.some(&items)
        };
        let Some((item, id)) = found else {
            return;
        };
        let sure = self.deal(place, |deal| deal.unsure.insert(item));
        let evidence = vec![id];
        let (outcome, _) = self.run(share::Withdraw { share, evidence }).await;
        self.world
            .note(format_args!("that was {share} without item {item}"));
        self.deal(place, |deal| match outcome {
            Outcome::Done => {
                deal.must.remove(&item);
                deal.unsure.remove(&item);
            }
            Outcome::Refused if sure => {
                deal.unsure.remove(&item);
            }
            Outcome::Refused | Outcome::Unsure => {}
        });
    }

    fn deal<R>(&self, place: usize, change: impl FnOnce(&mut Deal) -> R) -> R {
        change(&mut self.world.oracle.borrow_mut().deals[place])
    }

    async fn edit(&self) {
        let found = {
            let oracle = self.world.oracle.borrow();
            let items = oracle.items.iter().enumerate();
            let own = items.filter(|(_, item)| item.site == self.me.site);
            let own: Vec<_> = own
                .filter_map(|(number, item)| Some((number, item.id?)))
                .collect();
            drop(oracle);
            self.some(&own)
        };
        let Some((item, evidence)) = found else {
            return;
        };
        let folder = self.some(&FOLDERS).expect("there are some").to_owned();
        let title = format!(
            "{} again {}",
            Canary::Item(item).text(),
            self.world.below(99)
        );
        let before = {
            let mut oracle = self.world.oracle.borrow_mut();
            let of = &mut oracle.items[item];
            of.folders.insert(folder.clone());
            (of.folder.take(), of.title.take())
        };
        let edit = evidence::Edit {
            evidence,
            title: Some(title.clone()),
            folder: Some(folder.clone()),
            case: None,
            fields: Default::default(),
        };
        let (outcome, _) = self.run(edit).await;
        let mut oracle = self.world.oracle.borrow_mut();
        let of = &mut oracle.items[item];
        match outcome {
            Outcome::Done => (of.folder, of.title) = (Some(folder), Some(title)),
            Outcome::Refused => (of.folder, of.title) = before,
            Outcome::Unsure => {}
        }
    }

    async fn describe(&self) {
        let Some(case) = self.own_case() else {
            return;
        };
        let number = self.world.oracle.borrow().cases[case].number.clone();
        let edit = case::Edit {
            title: Some(format!("More about {number}")),
            case: number,
            number: None,
            description: None,
        };
        self.run(edit).await;
    }

    async fn recipients(&self) {
        if let Some((_, share)) = self.own_deal(&[Kind::Advanced, Kind::Reference]) {
            let recipients = match self.world.chance(300) {
                true => Vec::new(),
                false => vec!["kim".to_owned(), "ada".to_owned()],
            };
            let named = recipients.clone();
            self.world.standing.borrow_mut().name(share, None);
            let (outcome, _) = self.run(share::Recipients { share, recipients }).await;
            if outcome == Outcome::Done {
                self.world.standing.borrow_mut().name(share, Some(named));
            }
        }
    }

    async fn pause(&self) {
        let Some((_, share)) = self.own_deal(&[Kind::Copy, Kind::Advanced, Kind::Reference]) else {
            return;
        };
        match self.world.chance(400) {
            true => {
                let (outcome, _) = self.run(share::Suspend { share }).await;
                if outcome == Outcome::Done {
                    self.world.standing.borrow_mut().shares.insert(share);
                }
            }
            false => {
                self.world.standing.borrow_mut().shares.remove(&share);
                self.run(share::Resume { share }).await;
            }
        }
    }

    async fn revoke(&self) {
        let Some((place, share)) = self.own_deal(&[Kind::Advanced, Kind::Reference]) else {
            return;
        };
        self.over(place, share).await;
    }

    async fn over(&self, place: usize, share: ShareId) {
        self.deal(place, |deal| deal.stopped = true);
        let (outcome, _) = self.run(share::Revoke { share }).await;
        self.deal(place, |deal| {
            deal.revoked |= outcome == Outcome::Done;
        });
    }

    async fn end(&self) {
        let Some((place, share)) = self.own_deal(&[Kind::Copy]) else {
            return;
        };
        if self.world.chance(500) {
            self.run(share::End { share }).await;
            return;
        }
        self.deal(place, |deal| deal.stopped = true);
        self.run(share::Cancel { share }).await;
    }

    /// Cuts a partner off for a while, or disables all that is sent to and taken from it.
    async fn suspend(&self) {
        let Some(other) = self.some(&self.me.partners()) else {
            return;
        };
        let partner = self.world.site(other).name.to_owned();
        let wait = self.world.between(SECOND, 30 * SECOND);
        let pair = (self.me.site, self.world.site(other).number);
        if self.world.chance(500) {
            // Whether it works does not matter: both are undone.
            if enable(self.world, self.me, &partner, false).await.is_ok() {
                self.world.standing.borrow_mut().partners.insert(pair);
            }
            self.world.sleep(wait).await;
            self.world.standing.borrow_mut().partners.remove(&pair);
            let _ = enable(self.world, self.me, &partner, true).await;
            return;
        }
        let suspend = partner::Suspend {
            partner: partner.clone(),
        };
        if self.run(suspend).await.0 == Outcome::Done {
            let mut standing = self.world.standing.borrow_mut();
            standing.partners.insert(pair);
            standing.cut.insert(pair);
        }
        self.world.sleep(wait).await;
        self.world.standing.borrow_mut().undo(pair);
        self.run(partner::Resume { partner }).await;
    }

    /// An advanced share that is for this node.
    fn their_deal(&self) -> Option<(usize, ShareId)> {
        let oracle = self.world.oracle.borrow();
        let deals = oracle.deals.iter().enumerate();
        let theirs =
            deals.filter(|(_, deal)| deal.partner == self.me.site && deal.kind == Kind::Advanced);
        let theirs: Vec<_> = theirs
            .filter_map(|(place, deal)| Some((place, deal.share?)))
            .collect();
        drop(oracle);
        self.some(&theirs)
    }

    /// Has something imported that is shared with this node.
    async fn import(&self) {
        let Some((place, share)) = self.their_deal() else {
            return;
        };
        self.deal(place, |deal| deal.wanted = true);
        let asked = self
            .me
            .decide(self.world, Some(kim()), Way::Socket, move |context| {
                crate::actions::exchange::ask(context, share, "kim".into(), Vec::new())
            });
        let asked = asked.await.is_ok();
        let name = self.world.sites[self.me.site].name;
        self.world
            .note(format_args!("{name} wants {share} imported: {asked}"));
    }
}

/// Items and folders, as they are named in a command.
type Named = (Vec<EvidenceId>, Vec<String>);

fn outcome(error: &Error) -> Outcome {
    match error.kind {
        ErrorKind::Unavailable => Outcome::Unsure,
        _ => Outcome::Refused,
    }
}

const FOLDERS: [&str; 3] = ["", "Scene", "Scene/Photos"];
