//! Whatever peers name, no node dials outside the network's own addresses, nor another service's port.

use super::{Broken, holds};
use crate::world::network;
use std::net::SocketAddr;

/// An engine wants an address dialled.
pub(crate) fn allowed(socket: SocketAddr) -> Result<(), Broken> {
    let is_own = network().is_some_and(|network| network.contains(socket.ip()));
    holds("dials", is_own && socket.port() >= 1_024, || format!("{socket} was dialled"))
}
