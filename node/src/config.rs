//! The configuration of a node: one file in its data directory, every setting commented.
//!
//! Invariant: what is not understood is refused, with its line, before anything starts. Secrets are
//! not here: they lie sealed in `keys/`.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};

use interdocket_sync::pairing::Address;
use serde::{Deserialize, Serialize};

use crate::actions::partner::OrganisationRole;
use crate::{log, run};

/// The name of the configuration file in the data directory.
pub const FILE: &str = "interdocket.toml";

/// Everything that an administrator sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whose node this is.
    pub organisation: Organisation,
    /// Connections with partners.
    pub federation: Federation,
    /// Pairing with new partners.
    pub pairing: Listener,
    /// The API over HTTPS; the local socket is always there.
    pub api: Api,
    /// Figures for Prometheus; served nowhere where left out.
    pub metrics: Option<Listener>,
    /// The node's own log lines.
    #[serde(default)]
    pub log: Log,
    /// What is stored.
    #[serde(default)]
    pub store: Store,
    /// The clock.
    #[serde(default)]
    pub clock: Clock,
    /// Leases.
    #[serde(default)]
    pub lease: Lease,
    /// Watermarks.
    #[serde(default)]
    pub watermark: Watermark,
}

/// Whose node this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// The name that partners see first; they may give it another.
    pub name: String,
    /// What the organisation does.
    pub role: OrganisationRole,
}

/// Connections with partners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Federation {
    /// Where partners' connections are accepted.
    pub listen: SocketAddr,
    /// The `host:port` that partners dial; none where they cannot, and this node dials them.
    pub advertise: Option<String>,
    /// Whether partners may have private and loopback addresses.
    #[serde(default)]
    pub allow_private: bool,
}

/// The API over HTTPS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Address and port.
    pub listen: SocketAddr,
    /// The `host:port` by which people reach it, for links that they are given; `listen` where left out.
    pub advertise: Option<Address>,
}

/// Where something is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Address and port.
    pub listen: SocketAddr,
}

/// The node's own log lines, on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text` for people, `json` for programs.
    pub format: log::Format,
    /// The least level that is written: `error`, `warn`, `info`, `debug` or `trace`; or directives
    /// such as `info,interdocket_node::federation=debug`.
    pub level: String,
}

/// What is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// Memory that the database keeps pages in, bytes.
    pub cache_bytes: NonZeroU64,
    /// Free space on the disk below which nothing more is taken in, bytes.
    pub reserve_bytes: u64,
}

/// The clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clock {
    /// How far the clock may jump, or differ from a partner's, before times are doubted. Seconds.
    pub tolerance_seconds: NonZeroU32,
}

/// What this node lends to partners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lease {
    /// How long a partner without contact can read what an advanced share brought it. Seconds.
    pub seconds: NonZeroU32,
}

/// What is drawn into renditions of video that was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watermark {
    /// The program that draws: a path, or a name that is looked up in `PATH`.
    pub ffmpeg: String,
}

impl Default for Watermark {
    fn default() -> Self {
        Self {
            ffmpeg: "ffmpeg".to_owned(),
        }
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self {
            seconds: LEASE_SECONDS,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: log::Format::Text,
            level: "info".to_owned(),
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            cache_bytes: CACHE_BYTES,
            reserve_bytes: RESERVE_BYTES,
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            tolerance_seconds: TOLERANCE_SECONDS,
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is none.
    #[error(
        "there is no node in {}; make one: interdocket init --data {} --name NAME",
        .0.display(), .0.display()
    )]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It does not make sense.
    #[error("{}, line {line}{}: {message}", path.display(), field.as_ref().map(|field| format!(", `{field}`")).unwrap_or_default())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The setting, with its section, where the line has one.
        field: Option<String>,
        /// What is wrong with it.
        message: String,
    },
}

impl Config {
    /// Makes the configuration of a new node.
    pub fn new(init: &run::Init) -> Self {
        Self {
            organisation: Organisation {
                name: init.name.clone(),
                role: init.role,
            },
            federation: Federation {
                listen: init.federation,
                advertise: init.advertise.clone(),
                allow_private: init.allow_private,
            },
            pairing: Listener {
                listen: init.pairing,
            },
            api: Api {
                listen: init.api,
                advertise: None,
            },
            metrics: init.metrics.map(|listen| Listener { listen }),
            log: Log::default(),
            store: Store::default(),
            clock: Clock::default(),
            lease: Lease::default(),
            watermark: Watermark::default(),
        }
    }

    /// Reads the configuration in a data directory.
    ///
    /// # Errors
    /// [`Error`] where there is none, it cannot be read, or a line of it makes no sense.
    pub fn load(data: &Path) -> Result<Self, Error> {
        match Self::read(&data.join(FILE)) {
            Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(Error::Missing(data.to_owned()))
            }
            read => read,
        }
    }

    /// Reads a configuration.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let path = path.to_owned();
        let text = fs::read_to_string(&path).map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a configuration that lies there.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a line of it makes no sense.
    pub(crate) fn parse(text: &str, path: PathBuf) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let (line, field) = place(text, start);
            Error::Invalid {
                path,
                line,
                field,
                message: error.message().to_owned(),
            }
        })
    }

    /// Writes the configuration with a comment at every setting.
    pub fn render(&self) -> String {
        let quote = |text: &str| toml::Value::from(text).to_string();
        let role = match self.organisation.role {
            OrganisationRole::Investigation => "investigation",
            OrganisationRole::Justice => "justice",
        };
        let format = match self.log.format {
            log::Format::Text => "text",
            log::Format::Json => "json",
        };
        let advertise = match &self.federation.advertise {
            Some(advertise) => format!("advertise = {}", quote(advertise)),
            None => "# advertise = \"node.example.org:7400\"".to_owned(),
        };
        let metrics = match &self.metrics {
            Some(metrics) => format!("[metrics]\n# Where.\nlisten = \"{}\"", metrics.listen),
            None => "# [metrics]\n# listen = \"127.0.0.1:7403\"".to_owned(),
        };
        let value = |place: &str| match place {
            "name" => quote(&self.organisation.name),
            "role" => role.to_owned(),
            "federation" => self.federation.listen.to_string(),
            "advertise" => advertise.clone(),
            "allow_private" => self.federation.allow_private.to_string(),
            "pairing" => self.pairing.listen.to_string(),
            "api" => self.api.listen.to_string(),
            "api_advertise" => match &self.api.advertise {
                Some(address) => format!("advertise = \"{address}\""),
                None => "# advertise = \"cases.example.org:443\"".to_owned(),
            },
            "metrics" => metrics.clone(),
            "format" => format.to_owned(),
            "level" => quote(&self.log.level),
            "cache_bytes" => self.store.cache_bytes.to_string(),
            "reserve_bytes" => self.store.reserve_bytes.to_string(),
            "tolerance" => self.clock.tolerance_seconds.to_string(),
            "lease" => self.lease.seconds.to_string(),
            "ffmpeg" => quote(&self.watermark.ffmpeg),
            other => unreachable!("the template has no place {other}"),
        };
        // In one pass, so that nothing in a value is taken for a place.
        let mut text = String::new();
        let mut rest = TEMPLATE;
        while let Some((before, after)) = rest.split_once('{') {
            let (place, after) = after.split_once('}').unwrap_or((after, ""));
            text += before;
            text += &value(place);
            rest = after;
        }
        text + rest
    }
}

/// The line of a place in the file, and the setting on it.
fn place(text: &str, start: usize) -> (usize, Option<String>) {
    let before = text.get(..start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let here = text.lines().nth(line - 1).unwrap_or_default();
    let key = here.split_once('=').map(|(key, _)| key.trim());
    let section = text.lines().take(line).filter_map(section).last();
    let field = match (section, key) {
        (Some(section), Some(key)) => Some(format!("{section}.{key}")),
        (None, Some(key)) => Some(key.to_owned()),
        (section, None) => section.map(str::to_owned),
    };
    (line, field)
}

fn section(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix('[')?.split(']').next()?;
    Some(name.trim())
}

const TEMPLATE: &str = include_str!("config/interdocket.toml");

/// Enough for the inner nodes of some million records; the database takes about twice that.
const CACHE_BYTES: NonZeroU64 = NonZeroU64::new(64 << 20).expect("it is not zero");

/// Room for the journal to go on, and for an administrator to make more.
const RESERVE_BYTES: u64 = 1 << 30;

/// Clocks that are kept right are closer; one that is set by hand is farther off sooner or later.
const TOLERANCE_SECONDS: NonZeroU32 = NonZeroU32::new(300).expect("it is not zero");
/// A quarter of an hour.
const LEASE_SECONDS: NonZeroU32 = NonZeroU32::new(900).unwrap();

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::new(&run::Init {
            data: PathBuf::new(),
            name: "North \"Police\" {level}\n".to_owned(),
            role: OrganisationRole::Investigation,
            federation: ([0, 0, 0, 0], 7400).into(),
            pairing: ([0, 0, 0, 0], 7401).into(),
            api: ([127, 0, 0, 1], 7402).into(),
            metrics: None,
            advertise: None,
            allow_private: false,
        })
    }

    fn load(text: &str) -> Result<Config, Error> {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join(FILE), text).unwrap();
        Config::load(data.path())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let plain = config();
        assert_eq!(load(&plain.render()).unwrap(), plain);
        let mut full = plain;
        full.organisation.role = OrganisationRole::Justice;
        full.federation.advertise = Some("{name}.example:7400".to_owned());
        full.federation.allow_private = true;
        full.metrics = Some(Listener {
            listen: ([127, 0, 0, 1], 7403).into(),
        });
        full.log.format = log::Format::Json;
        full.log.level = "debug".to_owned();
        full.store.reserve_bytes = 7;
        assert_eq!(load(&full.render()).unwrap(), full);
    }

    #[test]
    fn example_in_deploy_is_what_init_writes() {
        let mut example = config();
        example.organisation.name = "North Police".to_owned();
        example.federation.advertise = Some("node.north.example:7400".to_owned());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/interdocket.toml");
        assert_eq!(fs::read_to_string(path).unwrap(), example.render());
    }

    #[test]
    fn every_setting_is_commented() {
        let text = config().render();
        let lines: Vec<_> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            if line.contains(" = ") {
                assert!(lines[number - 1].starts_with("# "), "{line}");
            }
        }
    }

    #[test]
    fn mistakes_are_named_with_line_and_setting() {
        let text = config().render();
        let misspelt = text.replace("reserve_bytes =", "reserve_byte =");
        let error = load(&misspelt).unwrap_err().to_string();
        let line = text
            .lines()
            .position(|line| line.starts_with("reserve_bytes"))
            .unwrap()
            + 1;
        assert!(
            error.contains(&format!("line {line}, `store.reserve_byte`")),
            "{error}"
        );

        let wrong = text.replace("127.0.0.1:7402", "localhost");
        let error = load(&wrong).unwrap_err().to_string();
        assert!(error.contains("`api.listen`"), "{error}");
    }

    #[test]
    fn settings_that_are_left_out_have_defaults() {
        let text = config().render();
        let (needed, _) = text.split_once("# Lines that").unwrap();
        assert_eq!(load(needed).unwrap(), config());
    }

    #[test]
    fn missing_configuration_says_what_to_do() {
        let data = tempfile::tempdir().unwrap();
        let error = Config::load(data.path()).unwrap_err().to_string();
        assert!(error.contains("interdocket init"), "{error}");
    }
}
