//! Where a node can be dialled: a host and a port, in one spelling.
//!
//! What looks like a number is an address in its plain form or nothing: octal, hexadecimal and
//! shortened forms mean different hosts to different programs. Which addresses are allowed is the
//! node's decision.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A host, by name or number, and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    host: String,
    port: u16,
}

/// A text that is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an address: host:port is expected, such as node.north.example:7701 or [2001:db8::1]:7701"
)]
pub struct ParseAddressError;

impl Address {
    /// The host, by name or number, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, never 0.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let (host, port) = text.rsplit_once(':').ok_or(ParseAddressError)?;
        let decimal = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
        let port = port
            .parse()
            .ok()
            .filter(|_| decimal)
            .ok_or(ParseAddressError)?;
        let host = match host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            Some(inner) => inner
                .parse::<Ipv6Addr>()
                .map_err(|_| ParseAddressError)?
                .to_string(),
            None => name(host).ok_or(ParseAddressError)?,
        };
        Ok(Self { host, port })
    }
}

impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl From<(IpAddr, u16)> for Address {
    fn from((host, port): (IpAddr, u16)) -> Self {
        Self {
            host: host.to_string(),
            port,
        }
    }
}

/// A DNS name in lower case, or an IPv4 address.
fn name(host: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(letter);
    if host.len() > 253 || !host.split('.').all(label) || host.starts_with('-') {
        return None;
    }
    let last = host.rsplit('.').next()?;
    let number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    (!number || host.parse::<Ipv4Addr>().is_ok()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        let same = [
            "node.north.example:7701",
            "192.0.2.1:1",
            "[2001:db8::1]:65535",
        ];
        for text in same {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("NORTH:1".parse(), "north:1".parse::<Address>());
        assert_eq!(
            "[2001:DB8:0::1]:1".parse(),
            "[2001:db8::1]:1".parse::<Address>()
        );
    }

    /// fault B11
    #[test]
    fn what_programs_read_differently_is_no_address() {
        let wrong = [
            "north",
            "north:0",
            "north:01",
            "north:+1",
            "north:70000",
            ":1",
            "0177.0.0.1:1",
            "127.1:1",
            "2130706433:1",
            "0x7f.0.0.1:1",
            "127.0.0.0x1:1",
            "2001:db8::1:1",
            "[::1:1",
            "a b:1",
            "http://north:1",
            "north/x:1",
            "user@north:1",
            "-north:1",
            "north..example:1",
            "[fe80::1%eth0]:1",
            "nörth:1",
        ];
        for text in wrong {
            assert_eq!(text.parse::<Address>(), Err(ParseAddressError), "{text}");
        }
    }
}
