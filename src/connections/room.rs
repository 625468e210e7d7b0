//! Places for connections: in all, and for each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// All places.
#[derive(Debug)]
pub struct Rooms {
    all: usize,
    address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place; given up when dropped.
#[derive(Debug)]
pub struct Room {
    rooms: Arc<Rooms>,
    address: IpAddr,
}

/// Why there is no place: all, or all of an address, are taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("{0} connections to this port are open, and no more are allowed")]
    All(usize),
    #[error(
        "{0} connections from {1} to this port are open, and no more are allowed from one address"
    )]
    Address(usize, IpAddr),
}

impl Rooms {
    /// That many in all, and for each address.
    pub fn new(all: usize, address: usize) -> Self {
        Self {
            all,
            address: address.min(all),
            taken: Mutex::default(),
        }
    }

    /// A place, or why there is none.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Result<Room, Full> {
        let address = address.to_canonical();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.all {
            return Err(Full::All(self.all));
        }
        let of_address = taken.by_address.entry(address).or_default();
        if *of_address >= self.address {
            return Err(Full::Address(self.address, address));
        }
        *of_address += 1;
        taken.all += 1;
        Ok(Room {
            rooms: self.clone(),
            address,
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let taken = self.rooms.taken.lock();
        let mut taken = taken.unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(of_address) = taken.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}
