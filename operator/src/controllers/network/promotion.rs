//! Makes PeerBans of bans that enough nodes have made by themselves, where the network says so.

use std::collections::{BTreeMap, BTreeSet};

use peerwright_crds::{PeerNetwork, PromotedBan};
use peerwright_secure::PeerId;

use super::{build::owner, children::Children, uid_of};
use crate::{
    cache::{Decoded, ObjectKey, prune},
    controllers::Context,
    identity::unix_now,
    policy::promotion::{Decision, Situation, decide},
};

/// The rows of the status, and when to look again, Unix seconds.
pub(super) struct Promoted {
    pub(super) rows: Vec<PromotedBan>,
    pub(super) next_end: Option<u64>,
}

/// Makes what is to be made and takes away what has ended. A ban comes before its row: one whose row was not written is
/// found again.
pub(super) async fn promote(
    network: &PeerNetwork,
    banned: &BTreeSet<String>,
    children: &mut Children<'_>,
    context: &Context,
) -> Promoted {
    let (uid, key, parts) = (uid_of(network), ObjectKey::of(network), &context.parts);
    let member = |pod: String| Some((pod.clone(), parts.members.peer_id_of(&uid, &pod)?));
    let members: BTreeMap<String, PeerId> = network.node_names().into_iter().filter_map(member).collect();
    let (bans, reports) = (parts.caches.bans_of(&key), parts.registry.report(&uid));
    let now = u64::try_from(unix_now()).unwrap_or_default();
    let situation = Situation { network, bans: &bans, reports: &reports, members: &members, banned, now };
    let Decision { kept: mut rows, ended, made, next_end } = decide(&situation);
    for row in ended {
        let live = bans.iter().find(|ban| ban.metadata.name.as_ref() == Some(&row.peer_ban));
        let is_deleted = match live {
            Some(ban) => children.take(parts.writer.delete(ban.as_ref()).await).is_some(),
            None => true,
        };
        if !is_deleted {
            rows.push(row);
        }
    }
    for (mut ban, row) in made {
        ban.metadata.owner_references = Some(vec![owner(network)]);
        tracing::warn!(network = %key, peer = row.peer_id, ban = row.peer_ban, "nodes have banned a peer: promoted");
        if let Some(mut written) = children.take(parts.writer.apply(&ban).await) {
            prune::metadata(&mut written);
            parts.caches.bans.wrote(Decoded::from(written));
            rows.push(row);
        }
    }
    rows.sort_by(|one, other| one.peer_id.cmp(&other.peer_id));
    Promoted { rows, next_end }
}
