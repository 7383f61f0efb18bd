//! What a signature is for.

/// The purpose of a signature. It is signed with the message, so a signature made for one purpose fails for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// An author's signature of a transaction's id.
    Transaction,
    /// An origin's signature of a gossip message's digest.
    Message,
    /// A node key's signature of the TLS key that speaks for it.
    TlsBinding,
    /// A node key's proof in a certificate request.
    Enrollment,
    /// The operator's signature of a snapshot's digest.
    Snapshot,
    /// A member's signature of what it says of itself.
    Member,
    /// A member's signature that it does not reach another.
    Accusation,
    /// A sealer's signature of a docket's hash.
    Docket,
    /// The signature of a docket's hash by its register's authority, which may replace the sealers.
    DocketAuthority,
    /// What a member of a register's roster signs of the register's first record.
    Attestation,
    /// A vote for a change of a register's roster or policy.
    Governance,
}

impl Context {
    /// What is signed in front of the message: ends with a zero byte, which no name contains, so no context's prefix
    /// begins another's.
    pub(crate) const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Transaction => b"peerwright/v1/transaction\0",
            Self::Message => b"peerwright/v1/message\0",
            Self::TlsBinding => b"peerwright/v1/tls-binding\0",
            Self::Enrollment => b"peerwright/v1/enrollment\0",
            Self::Snapshot => b"peerwright/v1/snapshot\0",
            Self::Member => b"peerwright/v1/member\0",
            Self::Accusation => b"peerwright/v1/accusation\0",
            Self::Docket => b"peerwright/v1/docket\0",
            Self::DocketAuthority => b"peerwright/v1/docket-authority\0",
            Self::Attestation => b"peerwright/v1/attestation\0",
            Self::Governance => b"peerwright/v1/governance\0",
        }
    }
}
