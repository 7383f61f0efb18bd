//! What a member says of itself, signed.
//!
//! ```text
//! format u8 = 1 | node key 32 | incarnation u64 | version u32 | role u8 | status u8
//!   | address: 0, or 4 | IPv4 4 | port u16, or 6 | IPv6 16 | port u16
//!   | signature 64 over all before it
//! ```
//!
//! 112 to 130 bytes. A record has one encoding: an IPv4 address written as IPv6, port 0 and unknown values are refused.

use crate::{Role, membership::MAX_STATEMENT_BYTES};
use bytes::Bytes;
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::{Context, NodeKey, NodePublicKey, Signature, sha256};
use std::net::{IpAddr, SocketAddr};

/// The format that is written, and the only one read.
pub(crate) const RECORD_FORMAT: u8 = 1;

/// A statement ends with its signature.
pub(crate) const SIGNATURE_BYTES: usize = 64;

const _: () = assert!(1 + 32 + 8 + 4 + 1 + 1 + 1 + 16 + 2 + SIGNATURE_BYTES <= MAX_STATEMENT_BYTES);

/// Whether a member means to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Alive,
    Leaving,
}

/// A member's life, and which of its own statements about it is newest. A higher place replaces a lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edition {
    /// The life of the member's process.
    pub incarnation: u64,
    /// Rises within a life: with each change of address, each refutation, and when the member leaves.
    pub version: u32,
}

/// What a member says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemberRecord {
    pub key: NodePublicKey,
    pub edition: Edition,
    pub role: Role,
    pub status: Status,
    /// Where it takes links; `None` when it does not know, or takes none.
    pub address: Option<SocketAddr>,
}

impl MemberRecord {
    /// The record as it travels.
    pub(crate) fn sign(&self, key: &NodeKey) -> Bytes {
        let mut writer = Writer::with_capacity(MAX_STATEMENT_BYTES);
        writer.u8(RECORD_FORMAT).raw(self.key.as_bytes());
        writer.u64(self.edition.incarnation).u32(self.edition.version);
        writer.u8(role_code(self.role)).u8(match self.status {
            Status::Alive => 0,
            Status::Leaving => 1,
        });
        match self.address.map(|address| (address.ip().to_canonical(), address.port())) {
            None => writer.u8(0),
            Some((IpAddr::V4(ip), port)) => writer.u8(4).raw(&ip.octets()).u16(port),
            Some((IpAddr::V6(ip), port)) => writer.u8(6).raw(&ip.octets()).u16(port),
        };
        sealed(writer, key, Context::Member)
    }

    /// Reads a record; whether its member signed it, [`holds`] says.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let format = reader.u8("record format")?;
        if format != RECORD_FORMAT {
            return Err(DecodeError::Unknown { what: "record format", value: format.into() });
        }
        let record = Self {
            key: NodePublicKey::from_bytes(reader.array("member's key")?),
            edition: Edition { incarnation: reader.u64("incarnation")?, version: reader.u32("version")? },
            role: role_of_code(reader.u8("role")?)?,
            status: match reader.u8("status")? {
                0 => Status::Alive,
                1 => Status::Leaving,
                other => return Err(DecodeError::Unknown { what: "status", value: other.into() }),
            },
            address: address(&mut reader)?,
        };
        reader.array::<SIGNATURE_BYTES>("signature")?;
        reader.finish()?;
        Ok(record)
    }
}

const fn role_code(role: Role) -> u8 {
    match role {
        Role::Peer => 0,
        Role::Hub => 1,
        Role::Router => 2,
        Role::Edge => 3,
    }
}

fn role_of_code(code: u8) -> Result<Role, DecodeError> {
    match code {
        0 => Ok(Role::Peer),
        1 => Ok(Role::Hub),
        2 => Ok(Role::Router),
        3 => Ok(Role::Edge),
        other => Err(DecodeError::Unknown { what: "role", value: other.into() }),
    }
}

fn address(reader: &mut Reader<'_>) -> Result<Option<SocketAddr>, DecodeError> {
    let ip = match reader.u8("address family")? {
        0 => return Ok(None),
        4 => IpAddr::from(reader.array::<4>("IPv4 address")?),
        6 => IpAddr::from(reader.array::<16>("IPv6 address")?),
        other => return Err(DecodeError::Unknown { what: "address family", value: other.into() }),
    };
    let port = reader.u16("port")?;
    if port == 0 || ip != ip.to_canonical() {
        return Err(DecodeError::Invalid("an address has port 0 or could be written in another way"));
    }
    Ok(Some(SocketAddr::new(ip, port)))
}

/// What was written, and behind it the signature of `key` over it.
pub(crate) fn sealed(mut writer: Writer, key: &NodeKey, context: Context) -> Bytes {
    let signature = key.sign(context, writer.as_slice());
    writer.raw(signature.as_bytes());
    writer.finish().into()
}

/// Whether `key` signed all of `statement` but its end, which is the signature.
pub(crate) fn holds(key: &NodePublicKey, context: Context, statement: &[u8]) -> bool {
    let Some((signed, signature)) = statement.split_last_chunk::<SIGNATURE_BYTES>() else { return false };
    key.verify(context, signed, &Signature::from_bytes(*signature)).is_ok()
}

/// What tells two statements apart: the beginning of the SHA-256 of all their bytes.
pub(crate) fn fingerprint(statement: &[u8]) -> u64 {
    let digest = sha256(statement);
    digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::{Edition, MemberRecord, RECORD_FORMAT, Status, holds, role_of_code};
    use crate::{Role, membership::MAX_STATEMENT_BYTES};
    use peerwright_secure::{Context, NodeKey};
    use proptest::prelude::*;
    use std::net::{IpAddr, SocketAddr};

    fn key() -> NodeKey {
        NodeKey::from_seed([7; 32])
    }

    fn record(address: Option<SocketAddr>) -> MemberRecord {
        MemberRecord {
            key: key().public(),
            edition: Edition { incarnation: 0x0102_0304_0506_0708, version: 9 },
            role: Role::Hub,
            status: Status::Leaving,
            address,
        }
    }

    #[test]
    fn the_format_is_this_one() {
        let bytes = record(Some("10.1.2.3:5000".parse().unwrap())).sign(&key());
        let (signed, signature) = bytes.split_at(bytes.len() - 64);
        let expected = [
            [RECORD_FORMAT].as_slice(),
            key().public().as_bytes(),
            &[1, 2, 3, 4, 5, 6, 7, 8],
            &[0, 0, 0, 9],
            &[1, 1],
            &[4, 10, 1, 2, 3, 0x13, 0x88],
        ]
        .concat();
        assert_eq!(signed, expected);
        assert_eq!(peerwright_encoding::to_lower_hex(&peerwright_secure::sha256(&bytes)), GOLDEN);
        assert_eq!(signature.len(), 64);
    }

    /// SHA-256 of the whole record above: Ed25519 signatures are deterministic.
    const GOLDEN: &str = "3b04e1b2c318c95ec6668331aa60acfae46829dfb762d8d1e9dc428fec50fb3e";

    #[test]
    fn a_record_is_at_most_a_hundred_and_sixty_bytes() {
        let longest = record(Some("[2001:db8::1]:65535".parse().unwrap())).sign(&key());
        assert!(longest.len() <= MAX_STATEMENT_BYTES.min(160), "{}", longest.len());
        assert_eq!(record(None).sign(&key()).len(), 112);
    }

    #[test]
    fn a_signature_is_for_these_bytes_and_this_purpose() {
        let bytes = record(None).sign(&key());
        assert!(holds(&key().public(), Context::Member, &bytes));
        assert!(!holds(&key().public(), Context::Accusation, &bytes));
        assert!(!holds(&NodeKey::from_seed([8; 32]).public(), Context::Member, &bytes));
        let mut changed = bytes.to_vec();
        changed[44] ^= 1;
        assert!(!holds(&key().public(), Context::Member, &changed));
        assert!(!holds(&key().public(), Context::Member, &bytes[..10]));
    }

    #[test]
    fn an_address_has_one_encoding() {
        let mapped: SocketAddr = "[::ffff:10.0.0.1]:5000".parse().unwrap();
        let bytes = record(Some(mapped)).sign(&key());
        let read = MemberRecord::decode(&bytes).unwrap();
        assert_eq!(read.address, Some(SocketAddr::new(mapped.ip().to_canonical(), 5000)));
        let IpAddr::V6(ip) = mapped.ip() else { panic!() };
        let mut written = bytes[..47].to_vec();
        written.push(6);
        written.extend_from_slice(&ip.octets());
        written.extend_from_slice(&[0x13, 0x88]);
        written.extend_from_slice(&[0; 64]);
        assert!(MemberRecord::decode(&written).is_err());
    }

    proptest! {
        #[test]
        fn what_is_signed_is_read(
            incarnation: u64, version: u32, role in 0..4u8, leaving: bool, ip: Option<IpAddr>, port in 1..=u16::MAX,
        ) {
            let record = MemberRecord {
                key: key().public(),
                edition: Edition { incarnation, version },
                role: role_of_code(role).unwrap(),
                status: if leaving { Status::Leaving } else { Status::Alive },
                address: ip.map(|ip| SocketAddr::new(ip.to_canonical(), port)),
            };
            prop_assert_eq!(MemberRecord::decode(&record.sign(&key())), Ok(record));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic_and_what_it_reads_has_one_encoding(
            bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(4), any::<u8>()], 0..180),
        ) {
            if let Ok(record) = MemberRecord::decode(&bytes) {
                prop_assert_eq!(&record.sign(&key())[..bytes.len() - 64], &bytes[..bytes.len() - 64]);
            }
        }
    }
}
