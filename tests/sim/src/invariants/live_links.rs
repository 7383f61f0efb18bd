//! A frame is sent on links that are up only, and a link that is over is not closed again. What the engine shows as its
//! links are connections that its driver has.

use super::{Broken, holds};
use peerwright_engine::{Engine, LinkId};

/// A frame was sent on a link that the driver does not have.
pub(crate) fn dead_link(link: LinkId) -> Result<(), Broken> {
    Err(Broken::new("live_links", format!("a frame on {link:?}, which is not up")))
}

/// A link was closed that the driver does not have.
pub(crate) fn closed_twice(link: LinkId) -> Result<(), Broken> {
    Err(Broken::new("live_links", format!("{link:?} was closed, and was not up")))
}

/// Every link that the engine shows is a connection.
pub(crate) fn all_known(engine: &Engine, is_up: impl Fn(LinkId) -> bool) -> Result<(), Broken> {
    let dead = engine.peers().into_iter().find(|view| !is_up(view.link));
    holds("live_links", dead.is_none(), || format!("the engine shows a link that is over: {dead:?}"))
}
