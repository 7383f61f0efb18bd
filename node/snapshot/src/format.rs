//! The payload's version-1 encoding, and its limits.

use crate::{Api, Ban, Content, Role, Settings, Snapshot, Subscription};
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::{BanSubject, PeerId, sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Most bans in a snapshot.
pub const MAX_BANS: usize = 8192;
/// Most bytes of bans in a snapshot: as many as `MAX_BANS` of peer ids take. SPIFFE ids are longer, so fewer of them may
/// fit; [`ban_bytes`] says what one takes.
pub const MAX_BANS_BYTES: usize = MAX_BANS * (1 + 32 + 1 + 8);
/// Most retired ids in a snapshot.
pub const MAX_RETIRED: usize = 256;
/// Most subscriptions in a snapshot.
pub const MAX_SUBSCRIPTIONS: usize = 4096;
/// Most trust anchors in a snapshot.
pub const MAX_TRUST: usize = 8;
/// The longest trust anchor, DER.
pub const MAX_TRUST_CERTIFICATE_BYTES: usize = 8 * 1024;
/// Most subjects with a role.
pub const MAX_ACCESS: usize = 256;
/// The longest JSON Web Key Set.
pub const MAX_JWKS_BYTES: usize = 64 * 1024;
/// The longest network UID; Kubernetes makes them of 36 characters.
pub const MAX_NETWORK_UID_BYTES: usize = 64;
/// The longest trust domain, issuer and subject.
pub const MAX_TEXT_BYTES: usize = 512;

const FORMAT: u8 = 1;

impl Snapshot {
    /// The canonical payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(FORMAT).text(&self.network_uid).u64(self.epoch).u64(self.revision);
        write_content(&mut writer, &self.content);
        writer.finish()
    }

    /// Reads a payload; accepts only what [`Snapshot::encode`] writes within the limits.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        match reader.u8("snapshot format")? {
            FORMAT => {}
            value => return Err(DecodeError::Unknown { what: "snapshot format", value: value.into() }),
        }
        let snapshot = Self {
            network_uid: reader.text(MAX_NETWORK_UID_BYTES, "network UID")?.to_owned(),
            epoch: reader.u64("epoch")?,
            revision: reader.u64("revision")?,
            content: read_content(&mut reader)?,
        };
        reader.finish()?;
        Ok(snapshot)
    }
}

impl Content {
    /// SHA-256 of the content's encoding. The revision rises exactly when this changes.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut writer = Writer::new();
        write_content(&mut writer, self);
        sha256(writer.as_slice())
    }
}

fn write_content(writer: &mut Writer, content: &Content) {
    let bans: Vec<_> = content.bans.iter().collect();
    let retired: Vec<_> = content.retired.iter().collect();
    let subscriptions: Vec<_> = content.subscriptions.iter().collect();
    let access: Vec<_> = content.api.access.iter().collect();
    writer
        .text(&content.trust_domain)
        .list(&bans, |writer, (subject, ban)| write_ban(writer, subject, **ban))
        .list(&retired, |writer, peer| {
            writer.raw(peer.as_bytes());
        })
        .list(&subscriptions, |writer, subscription| {
            writer.raw(&subscription.register);
        })
        .u32(content.settings.heartbeat_interval_seconds)
        .u32(content.settings.max_transaction_bytes)
        .u32(content.settings.transaction_ttl_seconds)
        .list(&content.trust, |writer, certificate| {
            writer.bytes(certificate);
        })
        .text(&content.api.issuer)
        .bytes(&content.api.jwks)
        .u8(role_byte(content.api.anonymous_role))
        .list(&access, |writer, (subject, role)| {
            writer.text(subject).u8(role_byte(**role));
        });
}

fn write_ban(writer: &mut Writer, subject: &BanSubject, ban: Ban) {
    subject.write(writer);
    writer.option(ban.expires_at, |writer, end| {
        writer.u64(end);
    });
}

/// How many of [`MAX_BANS_BYTES`] a ban takes.
#[must_use]
pub fn ban_bytes(subject: &BanSubject, ban: Ban) -> usize {
    let mut writer = Writer::new();
    write_ban(&mut writer, subject, ban);
    writer.as_slice().len()
}

fn read_bans(reader: &mut Reader<'_>) -> Result<BTreeMap<BanSubject, Ban>, DecodeError> {
    const BANS: &str = "bans";
    let before = reader.remaining();
    let bans = read_map(reader, MAX_BANS, BANS, |reader| {
        let subject = BanSubject::read(reader)?;
        Ok((subject, Ban { expires_at: reader.option("ban expiry", |reader| reader.u64("ban expiry"))? }))
    })?;
    let length = before.saturating_sub(reader.remaining() + size_of::<u32>());
    if length > MAX_BANS_BYTES {
        return Err(DecodeError::TooLong { what: BANS, length: length as u64, limit: MAX_BANS_BYTES as u64 });
    }
    Ok(bans)
}

fn read_content(reader: &mut Reader<'_>) -> Result<Content, DecodeError> {
    Ok(Content {
        trust_domain: reader.text(MAX_TEXT_BYTES, "trust domain")?.to_owned(),
        bans: read_bans(reader)?,
        retired: read_retired(reader)?,
        subscriptions: read_subscriptions(reader)?,
        settings: Settings {
            heartbeat_interval_seconds: reader.u32("heartbeat interval")?,
            max_transaction_bytes: reader.u32("transaction size")?,
            transaction_ttl_seconds: reader.u32("transaction ttl")?,
        },
        trust: reader.list(MAX_TRUST, "trust anchors", |reader| {
            reader.bytes(MAX_TRUST_CERTIFICATE_BYTES, "trust anchor").map(<[u8]>::to_vec)
        })?,
        api: Api {
            issuer: reader.text(MAX_TEXT_BYTES, "token issuer")?.to_owned(),
            jwks: reader.bytes(MAX_JWKS_BYTES, "key set")?.to_vec(),
            anonymous_role: read_role(reader)?,
            access: read_map(reader, MAX_ACCESS, "access", |reader| {
                Ok((reader.text(MAX_TEXT_BYTES, "subject")?.to_owned(), read_role(reader)?))
            })?,
        },
    })
}

fn read_retired(reader: &mut Reader<'_>) -> Result<BTreeSet<PeerId>, DecodeError> {
    let retired = read_map(reader, MAX_RETIRED, "retired ids", |reader| {
        Ok((PeerId::from_bytes(reader.array("retired id")?), ()))
    })?;
    Ok(retired.into_keys().collect())
}

fn read_subscriptions(reader: &mut Reader<'_>) -> Result<BTreeSet<Subscription>, DecodeError> {
    let registers = read_map(reader, MAX_SUBSCRIPTIONS, "subscriptions", |reader| {
        Ok((Subscription { register: reader.array("register")? }, ()))
    })?;
    Ok(registers.into_keys().collect())
}

/// A list in ascending order of its keys, none twice.
fn read_map<K: Ord, V>(
    reader: &mut Reader<'_>,
    limit: usize,
    what: &'static str,
    read: impl FnMut(&mut Reader<'_>) -> Result<(K, V), DecodeError>,
) -> Result<BTreeMap<K, V>, DecodeError> {
    let items = reader.list(limit, what, read)?;
    if !items.is_sorted_by(|(earlier, _), (later, _)| earlier < later) {
        return Err(DecodeError::Invalid("a list in a snapshot is not in ascending order"));
    }
    Ok(items.into_iter().collect())
}

const fn role_byte(role: Role) -> u8 {
    match role {
        Role::None => 0,
        Role::Reader => 1,
        Role::Writer => 2,
        Role::Moderator => 3,
        Role::Admin => 4,
    }
}

fn read_role(reader: &mut Reader<'_>) -> Result<Role, DecodeError> {
    match reader.u8("role")? {
        0 => Ok(Role::None),
        1 => Ok(Role::Reader),
        2 => Ok(Role::Writer),
        3 => Ok(Role::Moderator),
        4 => Ok(Role::Admin),
        value => Err(DecodeError::Unknown { what: "role", value: value.into() }),
    }
}
