//! `Endorse`: the word of the network's authority over registers, for the sealer that is to go on without the others.
//!
//! A person has ordered that, by a `PeerOperation`, and the snapshot in force says so. Signed is a docket that names that
//! one sealer and nothing else, of whatever register: who takes the docket checks where it stands, and that the register
//! has this authority.

use std::collections::BTreeSet;

use peerwright_ledger::{DocketBody, DocketHeader, endorse as sign, named_sealers};
use peerwright_proto::v1::{EndorseRequest, EndorseResponse};
use peerwright_secure::PeerId;

use crate::{
    identity::{KnownNetwork, MemberIdentity, Refusal},
    policy::Published,
};

/// Signs, or says why not.
pub(super) fn endorse(
    member: &MemberIdentity,
    network: &KnownNetwork,
    published: Option<&Published>,
    request: EndorseRequest,
) -> Result<EndorseResponse, Refusal> {
    let published = published.filter(|_| !network.key_lost).ok_or(Refusal::CaUnavailable)?;
    let ordered = published.snapshot.content.succession.filter(|order| order.survivor == member.peer_id);
    let order = ordered.ok_or(Refusal::NotOrdered)?;
    let header = DocketHeader::decode(&request.header).map_err(|_| Refusal::Malformed)?;
    let body = DocketBody::decode(request.body).map_err(|_| Refusal::Malformed)?;
    let sealers = named_sealers(&body).map_err(|_| Refusal::Malformed)?;
    if sealers.iter().map(PeerId::of).collect::<BTreeSet<_>>() != BTreeSet::from([order.survivor]) {
        return Err(Refusal::NotOrdered);
    }
    let certificate = sign(&header, &body, &sealers, &network.authority.over_registers());
    let certificate = certificate.map_err(|_| Refusal::Malformed)?;
    tracing::warn!(
        network = member.network.name,
        pod = member.pod,
        register = %header.register,
        docket = header.number,
        "a sealer goes on alone by the network's authority"
    );
    Ok(EndorseResponse { certificate: certificate.encode().into() })
}

#[cfg(test)]
#[path = "endorse_tests.rs"]
mod tests;
