//! The bans that this node makes by itself, as the store keeps them and as the operator hears of them.
//!
//! ```text
//! engine ── KeepAutoBans ──▶ driver ──▶ handshakes
//!   │                          └──────▶ store ── at the next start ──▶ engine, handshakes
//!   └──── those in force ──▶ heartbeat digest ──▶ operator: a PeerBan, if the network says so
//! ```

use bytes::Bytes;
use peerwright_engine::{AutoBan, EvidenceDigest, Misbehaviour, Offence};
use peerwright_proto::v1::AutoBanReport;
use peerwright_secure::BanSubject;
use peerwright_snapshot::Ban;
use peerwright_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, collections::BTreeMap};

pub(crate) const DOCUMENT: &str = "automatic-bans";

/// The bans of this node's former life.
pub(crate) async fn load(store: &dyn Store) -> Result<Vec<AutoBan>, StoreError> {
    match store.document(DOCUMENT).await? {
        Some(document) => read(&document).map_err(StoreError::Damaged),
        None => Ok(Vec::new()),
    }
}

/// The bans in force, for the handshake.
pub(crate) fn in_force(bans: &[AutoBan], now_unix_seconds: u64) -> BTreeMap<BanSubject, Ban> {
    let in_force = bans.iter().filter(|ban| ban.is_in_force(now_unix_seconds));
    in_force.map(|ban| (ban.peer.into(), Ban { expires_at: ban.expires })).collect()
}

/// Bans that the operator is told of.
const MAX_REPORTED: usize = 256;

/// The bans in force, for the operator, by peer; of too many the newest.
pub(crate) fn reports(bans: &[AutoBan], now_unix_seconds: u64) -> Vec<AutoBanReport> {
    let mut in_force: Vec<&AutoBan> = bans.iter().filter(|ban| ban.is_in_force(now_unix_seconds)).collect();
    in_force.sort_by_key(|ban| Reverse(ban.since));
    in_force.truncate(MAX_REPORTED);
    in_force.sort_by_key(|ban| ban.peer);
    let report = |ban: &AutoBan| AutoBanReport {
        peer_id: Bytes::copy_from_slice(ban.peer.as_bytes()),
        reason: ban.reason.label().to_owned(),
        evidence: Bytes::copy_from_slice(ban.evidence.as_bytes()),
        since: ban.since,
        expires_at: ban.expires.unwrap_or_default(),
        count: ban.count,
    };
    in_force.into_iter().map(report).collect()
}

/// The bans as the store keeps them.
pub(crate) fn document(bans: &[AutoBan]) -> Result<Bytes, StoreError> {
    let rows: Vec<BanRow> = bans.iter().map(BanRow::from).collect();
    serde_json::to_vec(&rows).map(Bytes::from).map_err(|error| StoreError::Unreadable(error.to_string()))
}

fn read(document: &[u8]) -> Result<Vec<AutoBan>, String> {
    let rows: Vec<BanRow> = serde_json::from_slice(document).map_err(|error| error.to_string())?;
    rows.into_iter().map(AutoBan::try_from).collect()
}

#[derive(Serialize, Deserialize)]
struct BanRow {
    peer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    reason: String,
    evidence: String,
    since: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifted: Option<u64>,
    offences: Vec<OffenceRow>,
}

#[derive(Serialize, Deserialize)]
struct OffenceRow {
    at: u64,
    kind: String,
    evidence: String,
}

impl From<&AutoBan> for BanRow {
    fn from(ban: &AutoBan) -> Self {
        let row = |offence: &Offence| OffenceRow {
            at: offence.at,
            kind: offence.kind.label().to_owned(),
            evidence: offence.evidence.to_string(),
        };
        Self {
            peer: ban.peer.to_string(),
            group: ban.group.clone(),
            reason: ban.reason.label().to_owned(),
            evidence: ban.evidence.to_string(),
            since: ban.since,
            expires: ban.expires,
            count: ban.count,
            lifted: ban.lifted,
            offences: ban.offences.iter().map(row).collect(),
        }
    }
}

impl TryFrom<BanRow> for AutoBan {
    type Error = String;

    fn try_from(row: BanRow) -> Result<Self, String> {
        let offence =
            |row: OffenceRow| Ok(Offence { at: row.at, kind: kind(&row.kind)?, evidence: digest(&row.evidence)? });
        Ok(Self {
            group: row.group,
            peer: row.peer.parse().map_err(|error| format!("{error}"))?,
            reason: kind(&row.reason)?,
            evidence: digest(&row.evidence)?,
            since: row.since,
            expires: row.expires,
            count: row.count,
            lifted: row.lifted,
            offences: row.offences.into_iter().map(offence).collect::<Result<_, String>>()?,
        })
    }
}

fn kind(label: &str) -> Result<Misbehaviour, String> {
    Misbehaviour::from_label(label).ok_or_else(|| format!("there is no offence called {label:?}"))
}

fn digest(text: &str) -> Result<EvidenceDigest, String> {
    text.parse().map_err(|error| format!("{error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{MAX_REPORTED, document, in_force, load, reports};
    use peerwright_engine::{AutoBan, EvidenceDigest, Misbehaviour, Offence};
    use peerwright_secure::PeerId;
    use peerwright_store::{Memory, Store, StoreError};

    fn ban(number: u8, expires: Option<u64>) -> AutoBan {
        AutoBan {
            peer: PeerId::from_bytes([number; 32]),
            group: Some("demo-peer".to_owned()),
            reason: Misbehaviour::Spam,
            evidence: EvidenceDigest::from_bytes([9; 32]),
            since: 100,
            expires,
            count: 2,
            lifted: None,
            offences: vec![Offence { at: 99, kind: Misbehaviour::Spam, evidence: EvidenceDigest::from_bytes([8; 32]) }],
        }
    }

    #[tokio::test]
    async fn bans_are_read_back_as_they_were_kept() {
        let store = Memory::new("uid");
        assert_eq!(load(&store).await.unwrap(), []);
        let bans = [ban(1, Some(200)), AutoBan { lifted: Some(150), ..ban(2, None) }];
        store.put_document(super::DOCUMENT, document(&bans).unwrap()).await.unwrap();
        assert_eq!(load(&store).await.unwrap(), bans);
    }

    #[tokio::test]
    async fn a_document_of_something_else_stops_the_start() {
        let store = Memory::new("uid");
        for damaged in [&b"[]x"[..], br#"[{"peer":"x"}]"#, b"{}"] {
            store.put_document(super::DOCUMENT, damaged.into()).await.unwrap();
            assert!(matches!(load(&store).await, Err(StoreError::Damaged(_))));
        }
    }

    #[test]
    fn the_operator_hears_of_the_newest_bans_in_force() {
        let many = (0..300_u32).map(|number| {
            let mut peer = [0; 32];
            peer[..4].copy_from_slice(&number.to_be_bytes());
            AutoBan { peer: PeerId::from_bytes(peer), since: number.into(), ..ban(0, None) }
        });
        let over = ban(1, Some(200));
        let bans: Vec<AutoBan> = many.chain([over]).collect();
        let reports = reports(&bans, 400);
        assert_eq!(reports.len(), MAX_REPORTED);
        assert_eq!(reports.iter().map(|report| report.since).min(), Some(44));
        let first = &reports[0];
        assert_eq!((first.reason.as_str(), first.expires_at, first.count), ("spam", 0, 2));
        assert_eq!((first.peer_id.len(), first.evidence.len()), (32, 32));
    }

    #[test]
    fn the_handshake_refuses_whose_ban_is_in_force() {
        let bans = [ban(1, Some(200)), ban(2, Some(300)), AutoBan { lifted: Some(150), ..ban(3, None) }];
        let refused: Vec<_> = in_force(&bans, 250).into_keys().collect();
        assert_eq!(refused, [PeerId::from_bytes([2; 32]).into()]);
    }
}
