//! `Certify`: a token and a signed request become a leaf.
//!
//! Cheapest checks first: rate, bounds and signatures cost nobody else anything; then the API server is asked about
//! token and pod; then [`authorize`], the ban, the member table, and the leaf.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use kube::Client;
use peerwright_proto::v1::{CertifyRequest, CertifyResponse};
use peerwright_secure::sha256;
use tokio::sync::Semaphore;

use super::{duty::Duty, rate::RateLimit, registry::NodeRegistry};
use crate::{
    identity::{
        CallError, Claims, KnownNetwork, Member, Members, MembersError, Networks, PodFacts, Refusal, authorize,
        evidence::{claimed_audiences, inspect_pod, review_token},
        request::{CertificateRequest, MAX_TOKEN_BYTES},
        unix_now,
    },
    policy::{SnapshotFeeds, bans_node},
};

/// Requests that ask the API server at once; further ones are refused and come back.
const MAX_IN_FLIGHT: usize = 32;

/// Issues leaves.
pub(super) struct Certifier {
    client: Client,
    networks: Arc<Networks>,
    members: Arc<Members>,
    feeds: Arc<SnapshotFeeds>,
    registry: Arc<NodeRegistry>,
    duty: Duty,
    rate: Mutex<RateLimit>,
    in_flight: Semaphore,
}

impl Certifier {
    pub(super) fn new(
        client: Client,
        networks: Arc<Networks>,
        members: Arc<Members>,
        feeds: Arc<SnapshotFeeds>,
        registry: Arc<NodeRegistry>,
        duty: Duty,
    ) -> Self {
        let (rate, in_flight) = (Mutex::new(RateLimit::default()), Semaphore::new(MAX_IN_FLIGHT));
        Self { client, networks, members, feeds, registry, duty, rate, in_flight }
    }

    /// Answers one call.
    pub(super) async fn certify(&self, from: IpAddr, call: CertifyRequest) -> Result<CertifyResponse, Refusal> {
        if !self.rate.lock().unwrap_or_else(PoisonError::into_inner).allow(from, Instant::now()) {
            return Err(Refusal::Overloaded);
        }
        let _permit = self.in_flight.try_acquire().map_err(|_| Refusal::Overloaded)?;
        if call.token.is_empty() || call.token.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::TokenInvalid);
        }
        let request = CertificateRequest::check(
            &call.csr,
            &call.node_public_key,
            &call.binding_signature,
            &call.proof_signature,
        )?;
        let claims = self.claims(&call.token).await?;
        let pod = inspect_pod(&self.client, &claims).await.map_err(unavailable)?;
        let (network, member) = self.authorized(&claims, pod.as_ref())?;
        request.prove(&call.token, &network.facts.key.uid)?;
        self.issue(&network, &member, &request).await
    }

    /// What the API server vouches for. It is asked for one audience: the one that the token says it is for.
    async fn claims(&self, token: &str) -> Result<Claims, Refusal> {
        let audiences = claimed_audiences(token).ok_or(Refusal::TokenInvalid)?;
        let candidates = self.networks.by_audience(&audiences);
        let audience = candidates.first().map(|known| known.facts.certify_audience.as_str());
        let audience = audience.ok_or(Refusal::AudienceMismatch)?;
        let claims = review_token(&self.client, token, audience).await.map_err(unavailable)?;
        let claims = claims.ok_or(Refusal::TokenInvalid)?;
        // Pods of other namespaces are not asked about: there may be no right to, and they are no members.
        let is_near = candidates.iter().any(|network| network.facts.key.namespace == claims.namespace);
        if is_near { Ok(claims) } else { Err(Refusal::NotAMember) }
    }

    /// The network that the pod is a member of. Two networks may share a trust domain; each is asked.
    fn authorized(&self, claims: &Claims, pod: Option<&PodFacts>) -> Result<(Arc<KnownNetwork>, Member), Refusal> {
        let mut candidates = self.networks.by_audience(&claims.audiences);
        // A network of the pod's own namespace says more about what is wrong.
        candidates.sort_by_key(|network| network.facts.key.namespace != claims.namespace);
        let mut refused = None;
        for network in candidates {
            match authorize(claims, pod, &network.facts) {
                Ok(member) => return Ok((network, member)),
                Err(refusal) => refused = refused.or(Some(refusal)),
            }
        }
        Err(refused.unwrap_or(Refusal::AudienceMismatch))
    }

    async fn issue(
        &self,
        network: &KnownNetwork,
        member: &Member,
        request: &CertificateRequest,
    ) -> Result<CertifyResponse, Refusal> {
        let (key, peer_id) = (&network.facts.key, request.peer_id());
        // Without the snapshot nobody knows who is banned.
        let published = self.feeds.current(&key.uid).ok_or(Refusal::CaUnavailable)?;
        let now = u64::try_from(unix_now()).unwrap_or_default();
        // A banned certificate may be replaced: that is what its ban is for.
        if bans_node(&published.snapshot, &key.namespace, &member.pod, Some(peer_id), None, now) {
            return Err(Refusal::Banned);
        }
        if network.key_lost {
            return Err(Refusal::CaUnavailable);
        }
        let admitted = self.members.admit(&key.uid, member, peer_id).await;
        let is_new = admitted.map_err(|error| match error {
            MembersError::Refused(refusal) => refusal,
            MembersError::Call(CallError::NotLeading) => Refusal::NotLeader,
            error => {
                tracing::error!(network = key.name, namespace = key.namespace, %error, "cannot record a member");
                Refusal::CaUnavailable
            }
        })?;
        if is_new {
            tracing::info!(network = key.name, namespace = key.namespace, pod = member.pod, %peer_id, "member admitted");
            self.registry.notify(key);
        }
        if !self.duty.is_on() {
            return Err(Refusal::NotLeader);
        }
        let issued = network
            .authority
            .issue_leaf(&network.facts, &member.pod, request.public_key(), request.binding(), SystemTime::now())
            .map_err(|error| {
                tracing::error!(network = key.name, namespace = key.namespace, %error, "cannot issue a leaf");
                Refusal::CaUnavailable
            })?;
        self.registry.leaf_issued(&key.uid, &member.pod, &sha256(&issued.certificate));
        let trust: Vec<Bytes> = network.authority.trust_der().into_iter().map(Bytes::from).collect();
        let chain = [Bytes::copy_from_slice(&issued.certificate)].into_iter().chain(trust.iter().cloned());
        Ok(CertifyResponse { chain: chain.collect(), trust, snapshot: published.bytes.clone() })
    }
}

fn unavailable(error: CallError) -> Refusal {
    tracing::warn!(%error, "no evidence about a node that asks for a certificate");
    Refusal::CaUnavailable
}

#[cfg(test)]
#[path = "certify_tests.rs"]
mod tests;
