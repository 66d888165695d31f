//! Actions that need more than the tables: the journal, connections, or what was last seen of a
//! partner.

use std::collections::BTreeSet;

use interdocket_sync::identity::OrganisationId;
use interdocket_sync::refusal::Fault;

use super::audit::{BodyState, Record, Verified};
use super::decide::{self, broken};
use super::partner::{Finding, Findings, Kind, Partner, State};
use super::{Caller, Error, ErrorKind, Query, Run, audit, feature, node, partner, people, share};
use crate::access::Permission;
use crate::actions::evidence::trail;
use crate::event::{Entry, Event};
use crate::features::{self, Features};
use crate::federation::history;
use crate::journal::{Body, Position};
use crate::keyring::Keyring;
use crate::node::{Node, Seen};
use crate::store::entity::Known;
use crate::store::table;
use crate::store::view::View;

impl Run for node::Status {
    async fn run(self, of: &Node, caller: &Caller) -> Result<node::Node, Error> {
        of.permit(caller, &self).await?;
        let own = of.read(|view| Ok(view.get(&table::NODE, &())?)).await?;
        let own = own.ok_or_else(|| broken("the node's own record is missing"))?;
        let parts = of.parts();
        let space = parts.blobs.space();
        let space = space.map_err(|error| Error::new(ErrorKind::Unavailable, error.to_string()))?;
        let head = parts.journal.head();
        let expiries = parts.keys.expiries();
        Ok(node::Node {
            organisation: own.organisation,
            name: own.name,
            role: own.role,
            features: own.features,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            clock_suspect: own.suspect,
            storage: node::Storage {
                free_bytes: space.free,
                reserve_bytes: space.reserve,
                refused_bytes: space.refused,
            },
            records: head.count,
            head: interdocket_sync::blob::Sha256(head.hash).to_string(),
            federation: parts.config.federation.listen.to_string(),
            pairing: parts.config.pairing.listen.to_string(),
            api: parts.config.api.listen.to_string(),
            operational_expires_at: expiries.operational,
            tls_expires_at: expiries.tls,
        })
    }
}

impl Run for partner::List {
    async fn run(self, node: &Node, caller: &Caller) -> Result<partner::Partners, Error> {
        let mut listed = node.query(caller, self).await?;
        for partner in &mut listed.partners {
            contact(node, partner);
        }
        Ok(listed)
    }
}

impl Run for partner::Show {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Partner, Error> {
        let mut shown = node.query(caller, self).await?;
        contact(node, &mut shown);
        Ok(shown)
    }
}

/// Adds what only the process knows.
fn contact(node: &Node, partner: &mut Partner) {
    partner.connected = connected(node, partner.id);
    partner.last_contact = node.last_seen(partner.id).heard;
}

fn connected(node: &Node, partner: OrganisationId) -> bool {
    node.parts()
        .transport
        .registry()
        .contacts()
        .get(&partner)
        .is_some_and(|links| *links > 0)
}

impl Run for partner::Doctor {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Findings, Error> {
        node.permit(caller, &self).await?;
        let show = partner::Show {
            partner: self.partner,
        };
        let now = node.parts().clock.now();
        let who = caller.clone();
        let partner = node.read(move |view| show.answer(view, &who, now)).await?;
        let seen = node.last_seen(partner.id);
        let dialled = match (&partner.state, &partner.address) {
            (State::Active, Some(_)) => Some(node.parts().transport.probe(partner.id).await),
            _ => None,
        };
        let tolerance = i64::from(node.parts().config.clock.tolerance_seconds.get());
        let on = node.read(feature::of).await?;
        let mut findings = vec![trust(&partner), enabled(&partner), features(&on, &partner)];
        findings.extend(dialled.map(|dialled| reach(&partner, dialled)));
        findings.push(link(&partner, connected(node, partner.id), &seen));
        let suspect = node
            .read(|view| Ok(crate::node::timely(view).err()))
            .await?;
        findings.extend(suspect.map(|error| own_clock(&error)));
        findings.extend(clock(&seen, tolerance));
        findings.extend(past(&seen));
        findings.extend(refused(&seen));
        let other = partner.id;
        let recovering = node.read(move |view| {
            let rows = view.page(&table::RECOVER, &other, None, usize::MAX)?;
            Ok(rows.len())
        });
        findings.extend(recover(recovering.await?));
        findings.push(behind(&partner));
        Ok(Findings {
            healthy: findings.iter().all(|finding| finding.ok),
            findings,
        })
    }
}

fn finding(subject: &str, ok: bool, finding: impl Into<String>, advice: &str) -> Finding {
    let advice = (!ok).then(|| advice.to_owned());
    Finding {
        subject: subject.into(),
        ok,
        finding: finding.into(),
        advice,
    }
}

fn trust(partner: &Partner) -> Finding {
    let (text, advice) = match partner.state {
        State::Active => ("trusted here", ""),
        State::Unconfirmed => (
            "the words were not confirmed here yet",
            "compare the words with its administrator, then: interdocket partner confirm NAME",
        ),
        State::Suspended => (
            "suspended here",
            "to go on with it: interdocket partner resume NAME",
        ),
    };
    finding("trust", partner.state == State::Active, text, advice)
}

fn enabled(partner: &Partner) -> Finding {
    let any = !partner.send.is_empty() || !partner.receive.is_empty();
    let names = |kinds: &BTreeSet<Kind>| {
        let names = kinds.iter().map(|kind| match kind {
            Kind::Reference => "references",
            Kind::Copy => "copies",
            Kind::Advanced => "advanced shares",
        });
        let names: Vec<&str> = names.collect();
        match names.is_empty() {
            true => "nothing".to_owned(),
            false => names.join(", "),
        }
    };
    let text = format!(
        "{} may be sent, {} received",
        names(&partner.send),
        names(&partner.receive)
    );
    finding(
        "kinds",
        any,
        text,
        "interdocket partner enable NAME --send copy --receive copy",
    )
}

/// Whether both sides have what the kinds need that are enabled; nothing enabled yet, what each kind needs.
fn features(on: &Features, partner: &Partner) -> Finding {
    let mut kinds: BTreeSet<&Kind> = partner.send.union(&partner.receive).collect();
    if kinds.is_empty() {
        kinds.insert(&Kind::Copy);
    }
    let needed: Features = kinds
        .into_iter()
        .flat_map(|kind| features::needed(*kind))
        .copied()
        .collect();
    let lacks = |who: &str, on: &Features| {
        let names: Vec<&str> = needed.difference(on).map(|lacks| lacks.name()).collect();
        (!names.is_empty()).then(|| format!("{who} has not enabled {}", names.join(", ")))
    };
    let own = lacks("this organisation", on);
    let other = partner.features.as_ref();
    let other = other.and_then(|said| lacks("it", said));
    let missing: Vec<String> = own.into_iter().chain(other).collect();
    let text = match (missing.is_empty(), &partner.features) {
        (false, _) => missing.join("; "),
        (true, None) => "on here; it has not said which it has".to_owned(),
        (true, Some(_)) => "on at both sides".to_owned(),
    };
    let advice = "have the administrator of that side enable them: interdocket feature enable NAME";
    finding("features", missing.is_empty(), text, advice)
}

fn reach(partner: &Partner, dialled: Result<(), String>) -> Finding {
    let address = partner.address.as_deref().unwrap_or_default();
    match dialled {
        Ok(()) => finding(
            "dialling",
            true,
            format!("{address} answers as this partner"),
            "",
        ),
        Err(reason) => finding(
            "dialling",
            false,
            format!("{address}: {reason}"),
            "check that its node runs and that its federation port can be reached from here; \
             where it refuses the certificate, ask its administrator whether it has confirmed the \
             pairing, or has suspended or removed this organisation",
        ),
    }
}

fn link(partner: &Partner, up: bool, seen: &Seen) -> Finding {
    let heard = seen.heard.map_or_else(
        || "not heard from since this node was started".to_owned(),
        |at| format!("last heard from {}", at.format("%Y-%m-%d %H:%M:%S UTC")),
    );
    let text = if up {
        format!("connected; {heard}")
    } else {
        format!("no connection; {heard}")
    };
    let advice = match partner.address {
        Some(_) => "this node keeps trying; the line above says what stands in the way",
        None => {
            "only the partner can dial: check that its node runs, and that it can reach the \
                 federation port that this node advertises"
        }
    };
    finding("contact", up, text, advice)
}

fn own_clock(error: &Error) -> Finding {
    let advice = "set the clock of this machine right, then: interdocket confirm-clock";
    finding("own clock", false, error.to_string(), advice)
}

fn clock(seen: &Seen, tolerance: i64) -> Option<Finding> {
    let skew = seen.skew?.num_seconds();
    let text = format!("its clock differs by {skew} seconds");
    let advice = "set the clock of the node that is wrong: certificates and times depend on it";
    Some(finding("clock", skew.abs() <= tolerance, text, advice))
}

fn past(seen: &Seen) -> Option<Finding> {
    let times = seen.incarnation?.saturating_sub(1);
    let often = match times {
        1 => "once".to_owned(),
        times => format!("{times} times"),
    };
    let text = format!("its node came back from a backup, or its machine was set back, {often}");
    (times > 0).then(|| finding("past", true, text, ""))
}

fn refused(seen: &Seen) -> Option<Finding> {
    let (share, refusal) = seen.refused.iter().next()?;
    let text = format!("it refused share {share}: {refusal}");
    let advice = match refusal.fault() {
        Fault::Nobody => {
            "ask its administrator to enable what is missing; this node tries again by itself"
        }
        Fault::Asked | Fault::Asking => {
            "look at the logs of both nodes, and whether both run the newest release"
        }
    };
    Some(finding("shares", false, text, advice))
}

fn recover(shares: usize) -> Option<Finding> {
    let wait = decide::count(shares as u64, "share waits", "shares wait");
    let text = format!("{wait} for what it holds of them: this node was restored");
    let advice = "it gives that back as soon as there is contact; for a share that it can't give \
                  back: interdocket share release SHARE";
    (shares > 0).then(|| finding("restore", false, text, advice))
}

fn behind(partner: &Partner) -> Finding {
    let since = partner.behind_since.map_or_else(String::new, |at| {
        format!(" since {}", at.format("%Y-%m-%d %H:%M:%S UTC"))
    });
    let wait = decide::count(partner.behind, "change waits", "changes wait");
    let text = format!("{wait} for it{since}");
    let advice = "they are delivered as soon as there is contact";
    finding("delivery", partner.behind == 0, text, advice)
}

impl Run for share::List {
    async fn run(self, node: &Node, caller: &Caller) -> Result<share::Page, Error> {
        let mut page = node.query(caller, self).await?;
        for share in &mut page.shares {
            share.refused(&node.last_seen(share.partner));
        }
        Ok(page)
    }
}

impl Run for share::Show {
    async fn run(self, node: &Node, caller: &Caller) -> Result<share::Share, Error> {
        node.permit(caller, &self).await?;
        let of = node.clone();
        let now = node.parts().clock.now();
        node.read(move |view| {
            let mut shown = share::shown(view, self.share, now)?;
            shown.refused(&of.last_seen(shown.partner));
            shown.reshares = share::reshares(view, self.share)?;
            let journal = &of.parts().journal;
            if let Some(shown) = &mut shown.revocation {
                let proof = history::revocation_proof(view, journal, self.share)?;
                if let Some((said, countersignature)) = proof {
                    shown.prove(&said, countersignature.as_ref());
                }
            }
            shown.fork = history::fork(view, journal, self.share)?;
            let receipts = history::receipts(view, journal, self.share)?;
            shown.receipts = receipts.iter().map(share::Receipt::of).collect();
            Ok(shown)
        })
        .await
    }
}

impl Run for audit::Show {
    async fn run(self, node: &Node, caller: &Caller) -> Result<audit::Page, Error> {
        node.permit(caller, &self).await?;
        let all = caller.permissions.contains(&Permission::AuditConfidential);
        let of = node.clone();
        node.read(move |view| {
            let limit = decide::limit(self.limit)?;
            let after = self.after.unwrap_or(0);
            let rows: Vec<(u64, u64)> = match &self.about {
                None => view.page(&table::POSITION, &(), Some(&after), limit)?,
                Some(about) => {
                    let subject = subject(view, about)?;
                    let rows =
                        view.page(&table::ABOUT, &subject, Some(&(subject, after)), limit)?;
                    rows.into_iter()
                        .map(|((_, seq), ())| {
                            Ok((seq, view.get(&table::POSITION, &seq)?.unwrap_or(0)))
                        })
                        .collect::<Result<_, Error>>()?
                }
            };
            let next = (rows.len() == limit)
                .then(|| rows.last().map(|(seq, _)| *seq))
                .flatten();
            let mut records = Vec::with_capacity(rows.len());
            for (seq, offset) in rows {
                let read = of.parts().journal.read(Position { seq, offset });
                let read = read.map_err(|error| broken(&error.to_string()))?;
                records.push(shown(read, &of.parts().keyring, all));
            }
            Ok(audit::Page { records, next })
        })
        .await
    }
}

/// What is meant, as the index has ids: an id, a case's number, or a partner's or user's name.
fn subject(view: &View<'_>, about: &str) -> Result<uuid::Uuid, Error> {
    if let Ok(organisation) = about.parse::<OrganisationId>() {
        return Ok(crate::event::subject(organisation));
    }
    if let Ok(id) = about.parse() {
        return Ok(id);
    }
    let name = about.to_owned();
    if let Some(case) = view.get(&table::CASE_NUMBER, &name)? {
        return Ok(case.uuid());
    }
    if let Some(partner) = view.get(&table::PARTNER_NAME, &name)? {
        return Ok(crate::event::subject(partner));
    }
    if let Some(role) = view.get(&table::ROLE, &people::called(about))? {
        return Ok(role.id);
    }
    match people::known(view, about)? {
        Some(Known::User(id) | Known::Group(id)) => Ok(id),
        None => {
            let message = format!("there is no case, partner, role, user or group \"{about}\"");
            Err(Error::new(ErrorKind::NotFound, message).hint(
                "give a case's number, the name of a partner, role, user or group, or any id",
            ))
        }
    }
}

/// A record as it is shown; what is confidential only to who may see `all`.
fn shown(record: crate::journal::Record, keyring: &Keyring, all: bool) -> Record {
    let (entry, body) = match &record.body {
        Body::Open(bytes) => (Entry::read(bytes, keyring).ok(), BodyState::Whole),
        Body::Erased => (None, BodyState::Erased),
        Body::Damaged => (None, BodyState::Damaged),
    };
    let hidden = |entry: &Entry| trail::activity(&entry.event).1;
    let (entry, body) = match entry {
        Some(entry) if !all && hidden(&entry) => (None, BodyState::Confidential),
        entry => (entry, body),
    };
    Record {
        number: record.position.seq,
        at: record.at,
        event: Event::name(record.kind).to_owned(),
        details: entry
            .as_ref()
            .and_then(|entry| serde_json::to_value(&entry.event).ok()),
        way: entry.as_ref().map(|entry| entry.way),
        actor: entry.and_then(|entry| entry.actor),
        body,
    }
}

impl Run for audit::Verify {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Verified, Error> {
        node.permit(caller, &self).await?;
        let of = node.clone();
        node.blocking(move || {
            let verified = of.parts().journal.verify(true);
            let report = verified.map_err(|error| broken(&error.to_string()))?;
            Ok(Verified {
                records: report.head.count,
                head: interdocket_sync::blob::Sha256(report.head.hash).to_string(),
                erased: report.erased,
                damaged: report.lines().collect(),
            })
        })
        .await
    }
}
