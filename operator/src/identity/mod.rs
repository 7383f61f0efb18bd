//! Who is who: the install root, one certificate authority a network, and the rules by which a pod becomes a member.
//!
//! ```text
//! token + CSR -> TokenReview -> Claims ─┐
//!        API server -> pod, claim, set -> PodFacts ─┼─> authorize -> Member -> member table -> leaf
//!                      controllers -> NetworkFacts ─┘
//! ```
//!
//! Keys stay in Secrets of the operator's own namespace, named by network UID. [`authorize`] is pure; what it needs is
//! gathered by [`evidence`].

mod authorities;
mod authority;
mod authorize;
pub(crate) mod calls;
pub mod evidence;
#[cfg(test)]
pub(crate) mod fake_api;
#[cfg(test)]
pub(crate) mod fixtures;
mod install_root;
mod issue;
mod member_table;
mod members;
mod network;
mod networks;
mod refusal;
pub mod request;
mod trust;

pub use authorities::{Authorities, AuthorityError};
pub use authority::{Authority, LEAF_LIFETIME};
pub use authorize::{Claims, ControllerFacts, Member, PodFacts, StatefulSetFacts, authorize};
pub use calls::CallError;
pub use install_root::{InstallRoot, InstallRootError, ServingCertificate};
pub use issue::IssueError;
pub use member_table::{MemberRecord, MemberTable};
pub use members::{Members, MembersError};
pub use network::{GroupFacts, NetworkFacts, NetworkKey};
pub use networks::{KnownNetwork, Networks};
pub use refusal::{REFUSAL_METADATA, Refusal};
pub use trust::{MemberIdentity, Trust};

/// Labels of what identity keeps in the operator's namespace.
pub(crate) fn operator_labels() -> std::collections::BTreeMap<String, String> {
    [("app.kubernetes.io/name", "peerwright-operator"), ("app.kubernetes.io/managed-by", "peerwright-operator")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Seconds since the Unix epoch.
#[must_use]
pub fn unix_now() -> i64 {
    jiff::Timestamp::now().as_second()
}
