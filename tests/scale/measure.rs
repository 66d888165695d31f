//! What work costs on a node that is filled: medians, in milliseconds.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use interdocket_node::actions::evidence::{self, Taken};
use interdocket_node::actions::{Caller, Way, case, exchange, metadata, share, user};
use interdocket_node::node::Node;
use interdocket_node::store::view::View;
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::id::{EvidenceId, ShareId};

use crate::{Failed, LARGE, PARTNER, SMALL, SOMEBODY, caller, on};

/// How often each work is done.
const ROUNDS: usize = 21;
/// Items that are chosen of the large case.
const CHOSEN: usize = 10;

/// Starts the node of a directory, works on it, and prints what that costs.
pub(crate) fn measure(data: &Path) -> Result<(), Failed> {
    let began = Instant::now();
    on(data, async |node| {
        say("start", began.elapsed().as_secs_f64() * 1e3);
        memory("memory after start, MiB")?;
        let bench = Bench::new(node).await?;
        bench.cases().await?;
        bench.evidence().await?;
        bench.shares().await?;
        memory("memory at the end, MiB")
    })
}

fn say(name: &str, value: f64) {
    println!("{name}\t{value}");
}

/// Says how much memory this process has for itself.
fn memory(name: &str) -> Result<(), Failed> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let anonymous = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = anonymous.and_then(|line| line.split_whitespace().next());
    say(name, kib.ok_or("no RssAnon")?.parse::<f64>()? / 1024.0);
    Ok(())
}

/// Does work several times, and says what it took in the middle.
async fn often<R>(
    name: &str,
    mut work: impl AsyncFnMut(usize) -> Result<R, Failed>,
) -> Result<Vec<R>, Failed> {
    let (mut taken, mut done) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let began = Instant::now();
        done.push(work(round).await?);
        taken.push(began.elapsed().as_secs_f64() * 1e3);
    }
    taken.sort_by(f64::total_cmp);
    say(name, taken[ROUNDS / 2]);
    Ok(done)
}

struct Bench {
    node: Node,
    owner: Caller,
    somebody: Caller,
    /// The item in the middle of the large case.
    middle: EvidenceId,
    /// Items from there on.
    items: Vec<EvidenceId>,
}

impl Bench {
    async fn new(node: Node) -> Result<Self, Failed> {
        let owner = node.owner();
        let find = user::List {
            find: Some(SOMEBODY.into()),
            ..user::List::default()
        };
        let found = node.query(&owner, find).await?.users;
        let somebody = caller(found.first().ok_or("nobody is there")?)?;
        let mut ids = Vec::new();
        let mut after = None;
        loop {
            let page = node.query(&owner, list(after, 1000)).await?;
            ids.extend(page.evidence.iter().map(|item| item.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let items = ids.split_off(ids.len() / 2);
        Ok(Self {
            node,
            owner,
            somebody,
            middle: items[0],
            items,
        })
    }

    async fn cases(&self) -> Result<(), Failed> {
        let list = |after| case::List { after, limit: None };
        let first = often("100 cases, the first", async |_| {
            Ok(self.node.query(&self.owner, list(None)).await?.cases)
        });
        first.await?;
        let middle = self.middle_case().await?;
        let pages = often("100 cases, in the middle", async |_| {
            let page = list(Some(middle.clone()));
            Ok(self.node.query(&self.owner, page).await?.cases.len())
        });
        pages.await?;
        let reached = often("10 cases of somebody who has access to 10", async |_| {
            Ok(self
                .node
                .query(&self.somebody, list(None))
                .await?
                .cases
                .len())
        });
        reached.await?;
        for (name, number) in [("a case of 9 items", SMALL), ("a case of N items", LARGE)] {
            let name = format!("show {name}");
            let shown = often(&name, async |_| {
                let show = case::Show {
                    case: number.into(),
                };
                Ok(self
                    .node
                    .query(&self.somebody_or_owner(number), show)
                    .await?)
            });
            shown.await?;
        }
        often("describe a case anew", async |round| {
            let edit = case::Edit {
                case: SMALL.into(),
                number: None,
                title: Some(format!("Title {round}")),
                description: None,
            };
            Ok(self.node.change(&self.owner, edit).await?)
        })
        .await?;
        often("make a case", async |round| {
            let create = case::Create {
                number: format!("NEW-{round}"),
                title: "New".into(),
                description: String::new(),
                targets: Vec::new(),
            };
            Ok(self.node.change(&self.owner, create).await?)
        })
        .await?;
        Ok(())
    }

    fn somebody_or_owner(&self, number: &str) -> Caller {
        match number {
            SMALL => self.somebody.clone(),
            _ => self.owner.clone(),
        }
    }

    /// The id of the case in the middle of all.
    async fn middle_case(&self) -> Result<String, Failed> {
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let limit = Some(1000);
            let list = case::List { after, limit };
            let page = self.node.query(&self.owner, list).await?;
            ids.extend(page.cases.iter().map(|case| case.id));
            after = page.next;
            if after.is_none() {
                return Ok(ids[ids.len() / 2].to_string());
            }
        }
    }

    async fn evidence(&self) -> Result<(), Failed> {
        for (name, after) in [("the first", None), ("in the middle", Some(self.middle))] {
            let after = after.map(|id| id.to_string());
            let name = format!("100 items of N, {name}");
            let listed = often(&name, async |_| {
                let page = list(after.clone(), 100);
                Ok(self.node.query(&self.owner, page).await?.evidence.len())
            });
            listed.await?;
        }
        often("show an item", async |round| {
            let id = self.items[round];
            let view =
                self.node
                    .decide(Some(self.owner.actor.clone()), Way::Token, move |context| {
                        evidence::trail::view(context, id, false)
                    });
            Ok(view.await?)
        })
        .await?;
        often("describe an item anew", async |round| {
            let edit = evidence::Edit {
                evidence: self.items[round],
                title: Some(format!("Title {round}")),
                folder: None,
                case: None,
                fields: BTreeMap::new(),
            };
            Ok(self.node.change(&self.owner, edit).await?)
        })
        .await?;
        often("tag an item", async |round| {
            let tag = evidence::Tag {
                evidence: self.items[round],
                kind: metadata::Kind::Tag,
                add: vec!["night".into()],
                remove: Vec::new(),
            };
            Ok(self.node.change(&self.owner, tag).await?)
        })
        .await?;
        often("add an item to a case of N", async |_| {
            let taken = Taken {
                case: LARGE.into(),
                name: "one-more.mp4".into(),
                folder: String::new(),
                title: None,
                size: 1 << 20,
                blake3: Digest([0; 32]),
                sha256: Sha256([0; 32]),
                place: None,
            };
            let decided = self
                .node
                .decide(Some(self.owner.actor.clone()), Way::Token, |context| {
                    taken.decide(context)
                });
            Ok(decided.await?)
        })
        .await?;
        Ok(())
    }

    async fn shares(&self) -> Result<(), Failed> {
        let shares = often("offer a copy of a case of 9 items", async |_| {
            self.copy(SMALL, Vec::new()).await
        });
        let shares = shares.await?;
        often("disclose it", async |round| {
            self.disclose(shares[round]).await
        })
        .await?;
        let shares = often("offer a copy of 10 items of N", async |_| {
            self.copy(LARGE, self.items[..CHOSEN].to_vec()).await
        });
        let shares = shares.await?;
        often("disclose them", async |round| {
            self.disclose(shares[round]).await
        })
        .await?;
        often("show a share", async |round| {
            let (share, now) = (shares[round], chrono::Utc::now());
            let shown = move |view: &View<'_>| share::shown(view, share, now);
            Ok(self.node.read(shown).await?)
        })
        .await?;
        let began = Instant::now();
        let all = self.copy(LARGE, Vec::new()).await?;
        say(
            "offer a copy of a case of N items",
            began.elapsed().as_secs_f64() * 1e3,
        );
        let began = Instant::now();
        self.disclose(all).await?;
        say(
            "disclose its first batch",
            began.elapsed().as_secs_f64() * 1e3,
        );
        Ok(())
    }

    async fn copy(&self, case: &str, items: Vec<EvidenceId>) -> Result<ShareId, Failed> {
        let copy = share::Copy {
            case: case.into(),
            to: vec![share::To {
                partner: PARTNER.into(),
                recipients: Vec::new(),
            }],
            evidence: items,
            folders: Vec::new(),
            targets: None,
            message: String::new(),
            attachments: Some([].into()),
        };
        let made = self.node.change(&self.owner, copy).await?;
        let made = made.shares.first().ok_or("no share was made")?;
        Ok(made.id)
    }

    async fn disclose(&self, share: ShareId) -> Result<bool, Failed> {
        let disclosed = self.node.decide(None, Way::Timer, move |context| {
            exchange::disclose(context, share)
        });
        Ok(disclosed.await?)
    }
}

fn list(after: Option<String>, limit: u32) -> evidence::List {
    evidence::List {
        case: LARGE.into(),
        after,
        limit: Some(limit),
        uncategorised: false,
    }
}
