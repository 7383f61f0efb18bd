//! In the end every node knows of each of its peers what that peer would say of itself now, and nothing else.

use super::Broken;
use crate::host::Host;
use peerwright_engine::{Advertisement, AdvertisementView};

/// What a host has heard of a peer is what the peer holds.
pub(crate) fn as_they_are(host: &Host, heard: &[AdvertisementView], peer: &Host) -> Result<(), Broken> {
    let views = heard.iter().filter(|view| view.peer == peer.peer);
    let heard: Vec<&Advertisement> = views.map(|view| &view.advertisement).collect();
    let told = peer.advertised();
    if told.iter().eq(heard.iter().copied()) {
        return Ok(());
    }
    let is_heard = |row: &&Advertisement| heard.contains(row);
    let lacking = told.iter().find(|row| !is_heard(row));
    let other = lacking.or_else(|| heard.iter().copied().find(|row| !told.contains(row)));
    let detail =
        format!("heard {} registers of node {}, which tells {}; one is {other:?}", heard.len(), peer.id, told.len());
    Err(Broken { host: host.id, ..Broken::new("advertised", detail) })
}
