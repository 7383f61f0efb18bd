//! Which peer id belongs to which volume claim. Pure; [`Members`](super::Members) keeps it in a ConfigMap.

use std::collections::BTreeMap;

use peerwright_secure::PeerId;
use peerwright_snapshot::MAX_RETIRED;
use serde::{Deserialize, Serialize};

use super::Refusal;

/// Key of the entry with the highest epoch ever used; a claim's UID never looks like it.
const EPOCH: &str = "epoch";
/// Key of the entry with the retired ids.
const RETIRED: &str = "retired";

/// One member: a node with its key on a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRecord {
    /// The peer whose key is on the claim.
    pub peer_id: PeerId,
    /// The pod that uses the claim.
    pub pod: String,
}

/// The members of one network, by the UID of their volume claim, and the highest snapshot epoch ever used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberTable {
    claims: BTreeMap<String, MemberRecord>,
    /// Ids whose pods came back with another key on a new claim, the oldest first; at most [`MAX_RETIRED`].
    retired: Vec<PeerId>,
    epoch: u64,
}

/// How a row is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row {
    peer_id: String,
    pod: String,
}

impl MemberTable {
    /// The peer id of the node that runs as `pod`.
    #[must_use]
    pub fn peer_id_of(&self, pod: &str) -> Option<PeerId> {
        self.claims.values().find(|record| record.pod == pod).map(|record| record.peer_id)
    }

    /// Every member, in the order of their claims' UIDs.
    pub fn members(&self) -> impl Iterator<Item = &MemberRecord> {
        self.claims.values()
    }

    /// Ids that stand for nobody any more.
    pub fn retired(&self) -> impl Iterator<Item = PeerId> {
        self.retired.iter().copied()
    }

    /// The highest snapshot epoch that was ever begun.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Records that a snapshot epoch begins. True when the table changed.
    pub fn raise_epoch(&mut self, epoch: u64) -> bool {
        let raised = epoch > self.epoch;
        self.epoch = self.epoch.max(epoch);
        raised
    }

    /// Admits a peer on a claim. The first key that a claim shows stays its key; a pod that comes with a new claim
    /// replaces its old row, because that claim is gone, and with another key its old id is retired. True when the table
    /// changed.
    ///
    /// # Errors
    /// [`Refusal::IdentityChanged`] when the claim has another peer id, or another pod's claim has this one.
    pub fn admit(&mut self, claim_uid: &str, pod: &str, peer_id: PeerId) -> Result<bool, Refusal> {
        let record = MemberRecord { peer_id, pod: pod.to_owned() };
        match self.claims.get(claim_uid) {
            Some(known) if *known == record => return Ok(false),
            Some(known) if known.peer_id != peer_id => return Err(Refusal::IdentityChanged),
            _ => {}
        }
        let copied =
            |(uid, known): (&String, &MemberRecord)| uid != claim_uid && known.pod != pod && known.peer_id == peer_id;
        if self.claims.iter().any(copied) {
            return Err(Refusal::IdentityChanged);
        }
        let of_pod = self.claims.values().filter(|known| known.pod == pod).map(|known| known.peer_id);
        let replaced: Vec<PeerId> = of_pod.filter(|old| *old != peer_id).collect();
        self.retired.retain(|old| *old != peer_id && !replaced.contains(old));
        self.retired.extend(replaced);
        let surplus = self.retired.len().saturating_sub(MAX_RETIRED);
        self.retired.drain(..surplus);
        self.claims.retain(|_, known| known.pod != pod);
        self.claims.insert(claim_uid.to_owned(), record);
        Ok(true)
    }

    /// The table as a ConfigMap's data.
    #[must_use]
    pub fn to_data(&self) -> BTreeMap<String, String> {
        let rows = self.claims.iter().map(|(uid, record)| {
            let row = Row { peer_id: record.peer_id.to_string(), pod: record.pod.clone() };
            (uid.clone(), serde_json::to_string(&row).unwrap_or_default())
        });
        let retired: Vec<String> = self.retired.iter().map(ToString::to_string).collect();
        let retired = (!retired.is_empty()).then(|| (RETIRED.to_owned(), retired.join(",")));
        rows.chain([(EPOCH.to_owned(), self.epoch.to_string())]).chain(retired).collect()
    }

    /// Reads a ConfigMap's data; `Err` names the entry that is not what [`to_data`](Self::to_data) writes.
    ///
    /// # Errors
    /// The key of the damaged entry.
    pub fn from_data(data: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut table = Self::default();
        for (key, value) in data {
            if key == EPOCH {
                table.epoch = value.parse().map_err(|_| key.clone())?;
                continue;
            }
            if key == RETIRED {
                let ids: Result<_, _> = value.split(',').map(str::parse).collect();
                table.retired = ids.map_err(|_| key.clone())?;
                continue;
            }
            let row: Row = serde_json::from_str(value).map_err(|_| key.clone())?;
            let peer_id = row.peer_id.parse().map_err(|_| key.clone())?;
            table.claims.insert(key.clone(), MemberRecord { peer_id, pod: row.pod });
        }
        Ok(table)
    }
}

#[cfg(test)]
#[path = "member_table_tests.rs"]
mod tests;
