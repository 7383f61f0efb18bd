//! What to do about the Lease: pure decisions on what was last seen of it.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::api::ObjectMeta;
use tokio::time::Instant;

use super::LEASE_DURATION;

/// The Lease as last seen, and since when it has looked like that *by our clock*. Times in the Lease are written for
/// people: another machine's clock decides nothing.
#[derive(Clone, Debug)]
pub(super) struct Observation {
    pub(super) lease: Lease,
    pub(super) unchanged_since: Instant,
}

/// What a candidate does next.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Write this: it takes or renews the lease, and fails if the Lease changed since it was read.
    Write(Box<Lease>),
    /// Somebody else holds it.
    Wait,
}

impl Observation {
    /// Takes in what was read. The wait for a silent holder starts anew whenever the Lease changed.
    pub(super) fn update(seen: Option<Self>, lease: Lease, now: Instant) -> Self {
        match seen {
            Some(seen) if seen.lease.metadata.resource_version == lease.metadata.resource_version => seen,
            _ => Self { lease, unchanged_since: now },
        }
    }

    /// Decides for `identity`.
    pub(super) fn step(&self, identity: &str, now: Instant, wall: Timestamp) -> Step {
        let spec = self.lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let mine = holder == identity;
        let valid_for = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let silent_for = now.saturating_duration_since(self.unchanged_since);
        if !holder.is_empty() && !mine && silent_for <= valid_for.map_or(LEASE_DURATION, Duration::from_secs) {
            return Step::Wait;
        }
        let acquired = if mine { spec.acquire_time } else { Some(MicroTime(wall)) };
        let transitions = spec.lease_transitions.unwrap_or(0).saturating_add(i32::from(!mine));
        Step::Write(Box::new(Lease {
            metadata: self.lease.metadata.clone(),
            spec: Some(LeaseSpec {
                acquire_time: acquired,
                lease_transitions: Some(transitions),
                ..held(identity, wall)
            }),
        }))
    }

    /// The Lease given up by `identity`, or nothing when it is not theirs.
    pub(super) fn released(&self, identity: &str, wall: Timestamp) -> Option<Lease> {
        let spec = self.lease.spec.as_ref().filter(|spec| spec.holder_identity.as_deref() == Some(identity))?;
        let spec = LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            renew_time: Some(MicroTime(wall)),
            ..spec.clone()
        };
        Some(Lease { metadata: self.lease.metadata.clone(), spec: Some(spec) })
    }
}

/// The Lease that the first candidate ever creates.
pub(super) fn first(name: &str, identity: &str, wall: Timestamp) -> Lease {
    Lease {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        spec: Some(LeaseSpec {
            acquire_time: Some(MicroTime(wall)),
            lease_transitions: Some(0),
            ..held(identity, wall)
        }),
    }
}

fn held(identity: &str, wall: Timestamp) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
        renew_time: Some(MicroTime(wall)),
        ..LeaseSpec::default()
    }
}
