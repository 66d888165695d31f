//! Who guesses: wrong tries by the network that they come from, in memory and bounded.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Wrong tries from networks: since when, how many.
#[derive(Default)]
pub struct Networks(Mutex<BTreeMap<IpAddr, (Duration, u32)>>);

impl Networks {
    /// Whether so few tries from an address were wrong that another one is looked at.
    pub fn admits(&self, from: Option<IpAddr>, now: Duration) -> bool {
        let Some(from) = from.map(network) else {
            return true;
        };
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, (since, _)| now.saturating_sub(*since) < WINDOW);
        held.get(&from).is_none_or(|(_, tries)| *tries < TRIES_MAX)
    }

    /// Counts a wrong try from an address.
    pub fn wrong(&self, from: Option<IpAddr>, now: Duration) {
        let Some(from) = from.map(network) else {
            return;
        };
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has more addresses than that has to wait for a place like everybody else.
        if held.len() < NETWORKS_MAX || held.contains_key(&from) {
            let (_, tries) = held.entry(from).or_insert((now, 0));
            *tries = tries.saturating_add(1);
        }
    }
}

/// Whose addresses count as one: of IPv6, what a household or a machine is given.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
        v4 => v4,
    }
}

/// The time in which wrong tries count.
pub(super) const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Wrong tries from one address: an office behind one has some, and a guesser few.
const TRIES_MAX: u32 = 50;
/// Addresses that are counted.
const NETWORKS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn wrong_tries_from_one_network_wait_and_others_do_not() {
        let networks = Networks::default();
        let from = |text: &str| Some(text.parse().unwrap());
        for number in 0..TRIES_MAX {
            assert!(networks.admits(from("2001:db8::1"), MINUTE));
            networks.wrong(from(&format!("2001:db8::{number:x}")), MINUTE);
        }
        assert!(!networks.admits(from("2001:db8::ffff"), MINUTE));
        assert!(networks.admits(from("2001:db8:0:1::1"), MINUTE));
        assert!(networks.admits(None, MINUTE));
        assert!(networks.admits(from("2001:db8::1"), MINUTE * 16));
        for number in 0..2 * NETWORKS_MAX as u32 {
            networks.wrong(Some(IpAddr::V4(number.into())), MINUTE);
        }
        assert!(networks.0.lock().unwrap().len() <= NETWORKS_MAX);
    }
}
