//! The figures that the node offers to Prometheus.
//!
//! Invariant: a label's values are a closed set, or the ids of paired organisations, so the number
//! of series is bounded and no name that a stranger chose becomes a label. Units are in the names.
//! Who may read them, and the page that serves them, are not here.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry, Unit};

/// Every figure of one node. A clone counts into the same figures.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Records appended to the journal.
    pub journal_records: Counter,
    /// Frames appended to the journal; each is one sync and holds one record or many.
    pub journal_appends: Counter,
    /// How long the journal's sync took, in seconds.
    pub journal_sync: Histogram,
    /// The journal position that the store stands for, in records.
    pub store_position: Gauge,
    /// Bytes of blobs that passed to or from partners.
    pub blob_bytes: Family<Way, Counter>,
    /// Transfers of blobs that came to an end.
    pub transfers: Family<Transfer, Counter>,
    /// Open connections to partners.
    pub links: Family<Partner, Gauge>,
    /// Changes that wait until a partner can take them.
    pub behind: Family<Partner, Gauge>,
    /// Refusals given to partners or got from them.
    pub refusals: Family<Refusal, Counter>,
    /// When the TLS certificate in use ends, in seconds since 1970.
    pub certificate_end: Gauge,
    /// Free space where the data directory is, in bytes.
    pub disk_free: Gauge,
    /// 1 while the machine's clock is not trusted, else 0.
    pub clock_suspect: Gauge,
    /// Files that this node holds and found damaged.
    pub blobs_damaged: Gauge,
    /// Actions that were asked for over the API, which the command line uses as well.
    pub requests: Family<Request, Counter>,
    registry: Arc<Registry>,
}

impl Metrics {
    /// Registers every figure, those without a name of a partner, refusal or action at nought.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("interdocket");
        let r = &mut registry;
        // From 50 µs, a flush into a cache with a battery, to 1.6 s, a disk in trouble.
        let sync = Histogram::new(exponential_buckets(0.000_05, 2.0, 16));
        let metrics = Self {
            journal_records: add(
                r,
                "journal_records",
                "Records appended to the journal",
                None,
            ),
            journal_appends: add(r, "journal_appends", "Frames synced to the journal", None),
            journal_sync: put(
                r,
                "journal_sync",
                "Time of a sync",
                Some(Unit::Seconds),
                sync,
            ),
            store_position: add(r, "store_position", "Journal position of the store", None),
            blob_bytes: add(r, "blob", "Bytes of blobs on the wire", Some(Unit::Bytes)),
            transfers: add(r, "transfers", "Transfers of blobs that ended", None),
            links: add(r, "links", "Open connections to partners", None),
            behind: add(r, "behind", "Changes that wait for a partner", None),
            refusals: add(r, "refusals", "Refusals given or got", None),
            certificate_end: add(
                r,
                "certificate_not_after",
                "End of the TLS certificate in use, since 1970",
                Some(Unit::Seconds),
            ),
            disk_free: add(r, "disk_free", "Free space for data", Some(Unit::Bytes)),
            clock_suspect: add(r, "clock_suspect", "1 while the clock is not trusted", None),
            blobs_damaged: add(r, "blobs_damaged", "Files that are damaged here", None),
            requests: add(r, "requests", "Actions asked for", None),
            registry: Arc::new(registry),
        };
        for direction in Direction::ALL {
            metrics.blob_bytes.get_or_create_owned(&Way { direction });
            for outcome in Outcome::ALL {
                metrics
                    .transfers
                    .get_or_create_owned(&Transfer { direction, outcome });
            }
        }
        metrics
    }

    /// Writes all figures as `OpenMetrics` text, which Prometheus reads.
    pub fn encode(&self) -> String {
        let mut page = String::new();
        text::encode(&mut page, &self.registry).expect("a string takes every write");
        page
    }

    /// Drops the figures of an organisation that is no longer a partner.
    pub fn forget(&self, partner: &str) {
        let partner = Partner {
            partner: partner.to_owned(),
        };
        self.behind.remove(&partner);
        self.links.remove(&partner);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Which way something went, seen from this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the partner to here.
    In,
    /// From here to the partner.
    Out,
}

/// How something that was asked for ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// As asked.
    Done,
    /// The machine or the connection failed.
    Failed,
    /// A rule, a right or the partner said no.
    Refused,
}

/// The label of figures by direction.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Way {
    /// Which way.
    pub direction: Direction,
}

/// The labels of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Transfer {
    /// Which way the bytes went.
    pub direction: Direction,
    /// How it ended.
    pub outcome: Outcome,
}

/// The label of figures by partner.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Partner {
    /// The partner's organisation id.
    pub partner: String,
}

/// The label of refusals.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Refusal {
    /// The refusal's word.
    pub kind: &'static str,
}

/// The labels of requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Request {
    /// The action's name.
    pub action: &'static str,
    /// How it ended.
    pub outcome: Outcome,
}

impl Direction {
    const ALL: [Self; 2] = [Self::In, Self::Out];
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Done, Self::Failed, Self::Refused];
}

impl EncodeLabelValue for Direction {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::In => "in",
            Self::Out => "out",
        })
    }
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Refused => "refused",
        })
    }
}

fn add<M>(registry: &mut Registry, name: &str, help: &str, unit: Option<Unit>) -> M
where
    M: Metric + Clone + Default,
{
    put(registry, name, help, unit, M::default())
}

fn put<M>(registry: &mut Registry, name: &str, help: &str, unit: Option<Unit>, metric: M) -> M
where
    M: Metric + Clone,
{
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, metric.clone()),
        None => registry.register(name, help, metric.clone()),
    }
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_closed_sets_are_there_from_the_start() {
        let page = Metrics::new().encode();
        for name in [
            "journal_records",
            "journal_appends",
            "journal_sync_seconds",
            "store_position",
            "blob_bytes",
            "transfers",
            "certificate_not_after_seconds",
            "disk_free_bytes",
        ] {
            assert!(
                page.contains(&format!("# HELP interdocket_{name} ")),
                "{name} in {page}"
            );
        }
        assert!(page.ends_with("# EOF\n"));
    }

    #[test]
    fn clones_count_into_the_same_figures() {
        let metrics = Metrics::new();
        let clone = metrics.clone();
        clone.journal_records.inc_by(3);
        clone.journal_sync.observe(0.000_2);
        let refused = Transfer {
            direction: Direction::In,
            outcome: Outcome::Refused,
        };
        clone.transfers.get_or_create(&refused).inc();
        clone
            .blob_bytes
            .get_or_create(&Way {
                direction: Direction::Out,
            })
            .inc_by(4096);
        let page = metrics.encode();
        for line in [
            "interdocket_journal_records_total 3",
            "interdocket_journal_sync_seconds_count 1",
            "interdocket_transfers_total{direction=\"in\",outcome=\"refused\"} 1",
            "interdocket_blob_bytes_total{direction=\"out\"} 4096",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} in {page}");
        }
    }

    #[test]
    fn removed_partner_leaves_no_series() {
        let metrics = Metrics::new();
        let partner = Partner {
            partner: "harbour".to_owned(),
        };
        metrics.links.get_or_create(&partner).set(1);
        metrics.behind.get_or_create(&partner).set(7);
        assert!(metrics.encode().contains("harbour"));
        metrics.forget("harbour");
        assert!(!metrics.encode().contains("harbour"));
    }
}
