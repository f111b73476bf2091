//! How many connections are open, in all and from each address, so that no stranger holds all places.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The open connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: Mutex<Open>,
    freed: Notify,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// A connection's place; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    network: IpAddr,
}

impl Connections {
    /// Waits until fewer than `most` are open.
    pub(super) async fn until_below(&self, most: usize) {
        loop {
            let freed = self.freed.notified();
            if self.open().all < most {
                return;
            }
            freed.await;
        }
    }

    /// A place for a connection from an address; none if the address has `most` already.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Place> {
        let network = network(address);
        let mut open = self.open();
        let of_network = open.by_network.entry(network).or_default();
        if *of_network >= most {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *of_network += 1;
        open.all += 1;
        Some(Place { connections: self.clone(), network })
    }

    /// How many are open, and how many were refused since the start.
    pub(super) fn counts(&self) -> (usize, u64) {
        (self.open().all, self.refused.load(Ordering::Relaxed))
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        open.all -= 1;
        if let Some(of_network) = open.by_network.get_mut(&self.network) {
            *of_network -= 1;
            if *of_network == 0 {
                open.by_network.remove(&self.network);
            }
        }
        drop(open);
        self.connections.freed.notify_one();
    }
}

/// What one client has at its disposal: an IPv4 address, or the 64 lower bits of IPv6 addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share() {
        let connections = Arc::new(Connections::default());
        let enter = |address: &str| connections.enter(address.parse().unwrap(), 2);
        let held = [enter("10.0.0.1"), enter("::ffff:10.0.0.1"), enter("2001:db8::1"), enter("2001:db8::2:3")];
        assert!(held.iter().all(Option::is_some));
        assert!(enter("10.0.0.1").is_none() && enter("2001:db8::4").is_none());
        assert!(enter("10.0.0.2").is_some() && enter("2001:db8:0:1::1").is_some());
        assert_eq!(connections.counts(), (4, 2));
        drop(held);
        assert_eq!(connections.counts(), (0, 2));
        assert!(connections.open().by_network.is_empty());
    }
}
