//! What the engine reports, in the log.

use peerwright_engine::{Event, session::Carrier};

/// Writes an event to the log, as loud as it deserves.
pub(crate) fn log(event: &Event) {
    match event {
        Event::PeerConnected { peer, link, outbound } => tracing::info!(%peer, link = link.0, outbound, "a link is up"),
        Event::LinkClosed { peer, link, reason } => tracing::info!(%peer, link = link.0, %reason, "closed a link"),
        Event::LinkLost { peer, link, reason } => tracing::info!(%peer, link = link.0, %reason, "lost a link"),
        Event::DialFailed { address, reason, failures } => {
            tracing::debug!(%address, %reason, failures, "a dial came to nothing");
        }
        Event::BreakerChanged { address, peer, carrier, change } => {
            let (from, to) = (change.from.label(), change.to.label());
            let (peer, guards) = (peer.map(tracing::field::display), carrier.map_or("peer", Carrier::label));
            tracing::info!(%address, peer, guards, from, to, reason = change.reason, "a breaker changed");
        }
        Event::CarrierChanged { peer, step } => {
            let (from, to) = (step.from.label(), step.to.label());
            tracing::info!(%peer, from, to, reason = step.reason.label(), "a link goes on by another carrier");
        }
        Event::NeighbourJoined { peer, link } => tracing::debug!(%peer, link = link.0, "a peer is a neighbour"),
        Event::NeighbourLeft { peer, link, reason } => {
            tracing::debug!(%peer, link = link.0, %reason, "a peer is a neighbour no longer");
        }
        Event::OwnAddress { address } => tracing::debug!(%address, "an address is this node's own"),
        Event::PeerBanned { ban } => {
            tracing::info!(subject = %ban.subject, expires_at = ban.expires_at, "somebody is banned");
        }
        Event::PeerUnbanned { subject, expired } => tracing::info!(%subject, expired, "somebody is no longer banned"),
        Event::PeerDiscovered { peer } => tracing::debug!(%peer, "a peer is known"),
        Event::ScoreChanged { peer, score, rating, cause } => {
            tracing::debug!(%peer, score, %rating, cause, "a peer's score changed");
        }
        Event::Misbehaved { peer, kind, times } => tracing::warn!(%peer, %kind, times, "a peer misbehaved"),
        Event::AutoBanned { ban } => {
            let (peer, reason, expires, count) = (ban.peer, ban.reason, ban.expires, ban.count);
            tracing::warn!(%peer, %reason, expires, count, evidence = %ban.evidence, "banned a peer for what it did");
        }
        Event::BanWithheld { peer, kind, reason } => {
            tracing::warn!(%peer, %kind, %reason, "a peer has earned a ban and is not banned");
        }
        Event::DuplicateIdentity { origin, incarnation } => {
            tracing::error!(
                ?origin,
                incarnation,
                "two processes use one node's key; two nodes must not share a volume"
            );
        }
        Event::Equivocation { origin, incarnation, sequence, .. } => {
            tracing::error!(?origin, incarnation, sequence, "a node has signed two histories; it is spread no more");
        }
        Event::BadSignature { peer, .. } => tracing::warn!(%peer, "a peer passed on what does not verify"),
        Event::MalformedFrame { peer } => tracing::warn!(%peer, "a peer sent a frame that cannot be read"),
        Event::UnsupportedFrame { peer, version, kind } => {
            tracing::debug!(%peer, version, kind, "a peer sent a frame that this version does not know");
        }
        Event::Dropped { what } => tracing::debug!(what, "dropped, sync will bring it again where it matters"),
        Event::CaughtUp { peer, messages, took, first } => {
            tracing::debug!(%peer, messages, millis = took.as_millis(), first, "caught up with a peer");
        }
        Event::HeartbeatSent { peer, sequence } => tracing::trace!(%peer, sequence, "sent a heartbeat"),
        Event::HeartbeatRejected { peer, reason } => tracing::debug!(%peer, %reason, "did not take a heartbeat"),
        Event::StoreFailed { operation } => tracing::warn!(operation, "the engine heard of a failure of the store"),
        Event::SubscriptionChanged { register, subscribed } => {
            tracing::info!(%register, subscribed, "a subscription changed");
        }
        Event::RegisterAdvertised { peer, register, dockets } => {
            tracing::debug!(%peer, %register, dockets, "a peer holds a register");
        }
        Event::RegisterWithdrawn { peer, register, cause } => {
            tracing::debug!(%peer, %register, cause = cause.label(), "a peer's word of a register counts no longer");
        }
        Event::ReadinessChanged { readiness } => tracing::info!(?readiness, "the engine's readiness changed"),
        Event::MemberJoined { peer } => tracing::debug!(%peer, "a member is known"),
        Event::MemberUpdated { peer, incarnation } => tracing::debug!(%peer, incarnation, "a member has changed"),
        Event::MemberUnreachable { peer, accusers } => tracing::warn!(%peer, accusers, "a member is unreachable"),
        Event::MemberReachable { peer } => tracing::info!(%peer, "a member is reachable again"),
        Event::MemberDead { peer } => tracing::warn!(%peer, "a member is dead"),
        Event::MemberLeft { peer } => tracing::info!(%peer, "a member has left"),
        Event::MemberRetired { peer } => tracing::info!(%peer, "an identity is retired"),
        Event::Refuted { version } => tracing::info!(version, "others did not reach this node, and it has answered"),
        Event::ServiceStatusChanged { status } => tracing::info!(%status, "the service status changed"),
        Event::Drained => tracing::info!("everything accepted is with the peers"),
    }
}
