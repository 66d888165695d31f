//! Reading what stays at its owner: a recipient looks at files, and nothing arrives after a revocation but
//! what was under way (A3).

use std::rc::Rc;
use std::time::Duration;

use interdocket_sync::id::ShareId;
use uuid::Uuid;

use super::People;
use crate::access::INVESTIGATOR;
use crate::actions::external::{Get, Show};
use crate::actions::partner::Kind;
use crate::actions::{Actor, Caller, Progress, Run as _, Way};
use crate::intake::Opened;
use crate::tests::bench::holds;

/// Who is named as a recipient everywhere.
pub(super) fn kim() -> Caller {
    Caller {
        actor: Actor {
            id: Uuid::from_u128(7),
            name: "Kim".into(),
            badge: String::new(),
        },
        permissions: holds(INVESTIGATOR),
        way: Way::Token,
        session: None,
        progress: Progress::default(),
    }
}

impl People {
    pub(super) async fn read(&self) {
        let Some(share) = self.some_share(true, &[Kind::Reference, Kind::Advanced]) else {
            return;
        };
        let show = Show {
            share,
            after: None,
            limit: None,
        };
        let shown = show.run(&self.node, &kim()).await;
        let Some(shown) = self.told("external.show", shown) else {
            return;
        };
        let with_files = shown.items.iter().filter(|item| !item.files.is_empty());
        let with_files: Vec<_> = with_files.collect();
        let Some(item) = with_files.get(self.world.below(with_files.len().max(1))) else {
            return;
        };
        let get = Get {
            share,
            evidence: item.evidence,
            file: 0,
            from: 0,
            to: None,
            download: self.world.below(2) == 0,
        };
        let opened = self.node.open_external(&kim(), get).await;
        if let Some(opened) = self.told("external.get", opened) {
            let reader = Self {
                world: Rc::clone(&self.world),
                number: self.number,
                node: self.node.clone(),
            };
            let slow = self.world.below(3) == 0;
            tokio::task::spawn_local(async move { reader.drain(share, opened, slow).await });
        }
    }

    async fn drain(&self, share: ShareId, mut opened: Opened, slow: bool) {
        let mut bytes = 0;
        let end = loop {
            match opened.bytes.recv().await {
                None => break "whole".to_owned(),
                Some(Err(error)) => break error.to_string(),
                Some(Ok(piece)) => bytes += piece.len() as u64,
            }
            let (links, now) = (&self.world.links, self.world.log.now());
            links.borrow_mut().take(self.number, now);
            if slow {
                let pause = self.world.below(4000);
                self.sleep(pause).await;
            } else {
                self.late(share);
            }
        };
        let short = end == "whole" && bytes != opened.size;
        if short {
            self.world
                .log
                .fail(format!("a file of {share} ended early"));
        }
        self.world.oracle.borrow_mut().figures.reads += 1;
        let (log, name) = (&self.world.log, self.site().name);
        log.note(name, format_args!("read {bytes} bytes of {share}: {end}"));
    }

    /// Nothing arrives long after a revocation, over a network that held nothing back.
    fn late(&self, share: ShareId) {
        let oracle = self.world.oracle.borrow();
        let Some(deal) = oracle.deals.get(&share) else {
            return;
        };
        let Some(revoked) = deal.revoked.filter(|_| deal.live) else {
            return;
        };
        let now = self.world.log.now();
        // What is in the windows of HTTP/2 goes out a part at a time.
        let under_way = self.world.plan.latency * 20 + Duration::from_millis(500);
        let clean = self
            .world
            .links
            .borrow()
            .clean_since(deal.owner, deal.partner);
        if clean.is_some_and(|since| since < revoked) && now > revoked + under_way {
            let late = now.saturating_sub(revoked);
            let what = format!("A3: bytes of {share} arrive {late:?} after it was revoked");
            self.world.log.fail(what);
        }
    }
}
