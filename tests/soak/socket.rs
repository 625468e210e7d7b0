//! Which process is at the other end of a connection. All Envoys of a gateway listen on one port, among which the kernel deals
//! out connections; who wants a certain Envoy has to look. And how many connections a server has.

use std::fs;
use std::net::{SocketAddr, SocketAddrV4};

/// A state of the kernel's table.
const ESTABLISHED: &str = "01";

/// Whether `process` holds the far end of the connection from `near` to `far`, both on this machine.
pub fn is_held_by(process: u32, near: SocketAddr, far: SocketAddr) -> bool {
    let (SocketAddr::V4(near), SocketAddr::V4(far)) = (near, far) else {
        return false;
    };
    // The far end's local address is `far`.
    let ends = [hexadecimal(far), hexadecimal(near)];
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let inode = table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let same = ends.iter().all(|end| fields.next() == Some(end));
        // After these: state, queues, timer, retransmits, user, time-out.
        same.then(|| fields.nth(6)).flatten()
    });
    let Some(inode) = inode else { return false };
    let wanted = format!("socket:[{inode}]");
    let Ok(descriptors) = fs::read_dir(format!("/proc/{process}/fd")) else {
        return false;
    };
    let mut links = descriptors.filter_map(|one| fs::read_link(one.ok()?.path()).ok());
    links.any(|link| link.as_os_str() == wanted.as_str())
}

/// How many connections to this address of this machine are established.
pub fn established(at: SocketAddr) -> usize {
    let SocketAddr::V4(at) = at else { return 0 };
    let at = hexadecimal(at);
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let is_one = |line: &&str| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next() == Some(&at) && fields.nth(1) == Some(ESTABLISHED)
    };
    table.lines().filter(is_one).count()
}

/// As the kernel writes it: the address as it lies in memory.
fn hexadecimal(address: SocketAddrV4) -> String {
    let ip = u32::from_ne_bytes(address.ip().octets());
    format!("{ip:08X}:{:04X}", address.port())
}
