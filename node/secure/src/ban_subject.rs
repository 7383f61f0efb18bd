//! Whom a ban is about.
//!
//! ```text
//! kind          names                                   is matched
//! peerId        a node key, whatever it is called       at the handshake, on live links, before a dial
//! spiffeId      a name, whatever key it comes with      at the handshake, on live links
//! fingerprint   one certificate                         at the handshake, on live links
//! cidr          a range of addresses                    at accept, for whoever does not prove to be a member
//! ```

use crate::{Cidr, Fingerprint, MAX_SPIFFE_ID_BYTES, PeerId, SpiffeId};
use peerwright_encoding::{DecodeError, Reader, Writer};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};
use thiserror::Error;

/// The longest encoding of a subject.
pub const MAX_BAN_SUBJECT_BYTES: usize = 1 + 4 + MAX_SPIFFE_ID_BYTES;

/// Text that names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a ban's subject is peerId:<64 hex digits>, spiffeId:spiffe://<trust domain>/node/<namespace>/<node>, \
     fingerprint:<64 hex digits> or cidr:<address>/<length>"
)]
pub struct NotABanSubject;

/// Whom a ban is about. In text `<kind>:<value>`, as in `cidr:203.0.113.0/24`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BanSubject {
    /// The peer with this node key.
    Peer(PeerId),
    /// The member of this name.
    Spiffe(SpiffeId),
    /// Whoever shows this certificate.
    Fingerprint(Fingerprint),
    /// Whoever comes from these addresses and is no member.
    Range(Cidr),
}

impl BanSubject {
    /// The kind, as custom resources and REST call it, and as a metric label.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Peer(_) => "peerId",
            Self::Spiffe(_) => "spiffeId",
            Self::Fingerprint(_) => "fingerprint",
            Self::Range(_) => "cidr",
        }
    }

    /// What is named, without the kind.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Peer(peer) => peer.to_string(),
            Self::Spiffe(spiffe) => spiffe.to_string(),
            Self::Fingerprint(fingerprint) => fingerprint.to_string(),
            Self::Range(range) => range.to_string(),
        }
    }

    /// The subject of this kind and value.
    pub fn new(kind: &str, value: &str) -> Result<Self, NotABanSubject> {
        let subject = match kind {
            "peerId" => value.parse().map(Self::Peer).ok(),
            "spiffeId" => value.parse().map(Self::Spiffe).ok(),
            "fingerprint" => value.parse().map(Self::Fingerprint).ok(),
            "cidr" => value.parse().map(Self::Range).ok(),
            _ => None,
        };
        subject.ok_or(NotABanSubject)
    }

    /// Whether this names the member with these three. A range names no member.
    #[must_use]
    pub fn names(&self, peer: &PeerId, spiffe: &SpiffeId, fingerprint: &Fingerprint) -> bool {
        match self {
            Self::Peer(banned) => banned == peer,
            Self::Spiffe(banned) => banned == spiffe,
            Self::Fingerprint(banned) => banned == fingerprint,
            Self::Range(_) => false,
        }
    }

    /// Adds the canonical encoding: a byte for the kind, then the value.
    pub fn write(&self, writer: &mut Writer) {
        match self {
            Self::Peer(peer) => writer.u8(0).raw(peer.as_bytes()),
            Self::Spiffe(spiffe) => writer.u8(1).text(&spiffe.to_string()),
            Self::Fingerprint(fingerprint) => writer.u8(2).raw(fingerprint.as_bytes()),
            Self::Range(range) => match range.first() {
                IpAddr::V4(first) => writer.u8(3).raw(&first.octets()).u8(range.length()),
                IpAddr::V6(first) => writer.u8(4).raw(&first.octets()).u8(range.length()),
            },
        };
    }

    /// Reads what [`BanSubject::write`] wrote, and nothing else.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const SUBJECT: &str = "banned subject";
        let range = |first, reader: &mut Reader<'_>| {
            let length = reader.u8(SUBJECT)?;
            let range = Cidr::new(first, length).map(Self::Range);
            range.map_err(|_| DecodeError::Invalid("a banned range has bits behind its length"))
        };
        match reader.u8(SUBJECT)? {
            0 => Ok(Self::Peer(PeerId::from_bytes(reader.array(SUBJECT)?))),
            1 => {
                let text = reader.text(MAX_SPIFFE_ID_BYTES, SUBJECT)?;
                let spiffe = text.parse().map(Self::Spiffe);
                spiffe.map_err(|_| DecodeError::Invalid("a banned SPIFFE id is not a member's name"))
            }
            2 => Ok(Self::Fingerprint(Fingerprint::from_bytes(reader.array(SUBJECT)?))),
            3 => range(IpAddr::V4(Ipv4Addr::from(reader.array::<4>(SUBJECT)?)), reader),
            4 => range(IpAddr::V6(Ipv6Addr::from(reader.array::<16>(SUBJECT)?)), reader),
            value => Err(DecodeError::Unknown { what: "kind of banned subject", value: value.into() }),
        }
    }
}

impl From<PeerId> for BanSubject {
    fn from(peer: PeerId) -> Self {
        Self::Peer(peer)
    }
}

impl fmt::Display for BanSubject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.kind(), self.value())
    }
}

impl FromStr for BanSubject {
    type Err = NotABanSubject;

    fn from_str(text: &str) -> Result<Self, NotABanSubject> {
        let (kind, value) = text.split_once(':').ok_or(NotABanSubject)?;
        Self::new(kind, value)
    }
}
