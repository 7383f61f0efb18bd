//! The payload's version-1 encoding, and its limits.

use crate::{
    Api, Ban, Content, Group, MAX_SETTINGS, NodeRole, ReplicaMode, Role, Settings, Snapshot, Subscription, Succession,
    Topology,
};
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
/// Most node groups in a snapshot.
pub const MAX_GROUPS: usize = 64;
/// Most hubs in a snapshot.
pub const MAX_HUBS: usize = 1024;
/// Most sealers in a snapshot.
pub const MAX_SEALERS: usize = 5;
/// Most subscriptions in a snapshot.
pub const MAX_SUBSCRIPTIONS: usize = 4096;
/// Most bytes of subscriptions in a snapshot: more than [`MAX_SUBSCRIPTIONS`] take that every node holds. Names of node
/// groups take more, so fewer of them may fit; [`subscription_bytes`] says what one takes.
pub const MAX_SUBSCRIPTIONS_BYTES: usize = 92 * 1024;
/// Most registers that are being purged.
pub const MAX_PURGES: usize = 256;
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
    let groups: Vec<_> = content.groups.iter().collect();
    let sealers: Vec<_> = content.sealers.iter().collect();
    let founders: Vec<_> = content.founders.iter().collect();
    let subscriptions: Vec<_> = content.subscriptions.iter().collect();
    let purges: Vec<_> = content.purges.iter().collect();
    let settings: Vec<_> = content.settings.numbers().iter().collect();
    let access: Vec<_> = content.api.access.iter().collect();
    writer
        .text(&content.trust_domain)
        .list(&bans, |writer, (subject, ban)| write_ban(writer, subject, **ban))
        .list(&retired, |writer, peer| {
            writer.raw(peer.as_bytes());
        })
        .list(&groups, |writer, (name, group)| {
            writer.text(name).u8(node_role_byte(group.role)).u32(group.nodes);
        })
        .u8(topology_byte(content.topology))
        .list(&content.hubs, |writer, peer| {
            writer.raw(peer.as_bytes());
        })
        .list(&sealers, |writer, peer| {
            writer.raw(peer.as_bytes());
        })
        .list(&founders, |writer, peer| {
            writer.raw(peer.as_bytes());
        })
        .list(&subscriptions, |writer, (register, subscription)| write_subscription(writer, register, subscription))
        .list(&purges, |writer, register| {
            writer.raw(register.as_slice());
        })
        .option(content.system, |writer, register| {
            writer.raw(&register);
        })
        .list(&settings, |writer, (number, value)| {
            writer.u16(**number).u64(**value);
        })
        .list(&content.trust, |writer, certificate| {
            writer.bytes(certificate);
        })
        .text(&content.api.issuer)
        .bytes(&content.api.jwks)
        .u8(role_byte(content.api.anonymous_role))
        .list(&access, |writer, (subject, role)| {
            writer.text(subject).u8(role_byte(**role));
        });
    // A network that has never lost its sealers has the content that it had before there was a word for that.
    if content.generation > 0 || content.succession.is_some() {
        writer.u64(content.generation).option(content.succession, |writer, of| {
            writer.u64(of.generation).raw(of.survivor.as_bytes());
        });
    }
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

fn write_subscription(writer: &mut Writer, register: &[u8; 16], subscription: &Subscription) {
    let groups: Vec<_> = subscription.groups.iter().collect();
    writer.raw(register).u8(replica_mode_byte(subscription.mode)).list(&groups, |writer, group| {
        writer.text(group);
    });
}

/// How many of [`MAX_SUBSCRIPTIONS_BYTES`] a subscription takes.
#[must_use]
pub fn subscription_bytes(subscription: &Subscription) -> usize {
    let mut writer = Writer::new();
    write_subscription(&mut writer, &[0; 16], subscription);
    writer.as_slice().len()
}

fn read_bans(reader: &mut Reader<'_>) -> Result<BTreeMap<BanSubject, Ban>, DecodeError> {
    read_within(reader, MAX_BANS_BYTES, "bans", |reader, what| {
        read_map(reader, MAX_BANS, what, |reader| {
            let subject = BanSubject::read(reader)?;
            Ok((subject, Ban { expires_at: reader.option("ban expiry", |reader| reader.u64("ban expiry"))? }))
        })
    })
}

/// A list that is bounded by the bytes of its items too.
fn read_within<T>(
    reader: &mut Reader<'_>,
    limit: usize,
    what: &'static str,
    read: impl FnOnce(&mut Reader<'_>, &'static str) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let before = reader.remaining();
    let list = read(reader, what)?;
    let length = before.saturating_sub(reader.remaining() + size_of::<u32>());
    if length > limit {
        return Err(DecodeError::TooLong { what, length: length as u64, limit: limit as u64 });
    }
    Ok(list)
}

fn read_content(reader: &mut Reader<'_>) -> Result<Content, DecodeError> {
    let mut content = Content {
        trust_domain: reader.text(MAX_TEXT_BYTES, "trust domain")?.to_owned(),
        bans: read_bans(reader)?,
        retired: read_peers(reader, MAX_RETIRED, "retired ids")?,
        groups: read_groups(reader)?,
        topology: read_topology(reader)?,
        hubs: read_hubs(reader)?,
        sealers: read_peers(reader, MAX_SEALERS, "sealers")?,
        founders: read_peers(reader, MAX_SEALERS, "founders")?,
        subscriptions: read_subscriptions(reader)?,
        purges: read_set(reader, MAX_PURGES, "purges", |reader| reader.array("register"))?,
        system: reader.option("system register", |reader| reader.array("system register"))?,
        settings: Settings::from_numbers(read_map(reader, MAX_SETTINGS, "settings", |reader| {
            Ok((reader.u16("setting")?, reader.u64("setting's value")?))
        })?),
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
        ..Content::default()
    };
    if reader.remaining() > 0 {
        read_generation(reader, &mut content)?;
    }
    if content.purges.iter().any(|register| content.subscriptions.contains_key(register)) {
        return Err(DecodeError::Invalid("a register in a snapshot is subscribed and purged"));
    }
    let is_whole = |register| content.subscriptions.get(register) == Some(&Subscription::default());
    if !content.system.as_ref().is_none_or(is_whole) {
        return Err(DecodeError::Invalid("the system register in a snapshot is not held whole by every node"));
    }
    Ok(content)
}

fn read_generation(reader: &mut Reader<'_>, content: &mut Content) -> Result<(), DecodeError> {
    content.generation = reader.u64("generation of the sealers")?;
    content.succession = reader.option("succession", |reader| {
        let generation = reader.u64("generation of a succession")?;
        Ok(Succession { generation, survivor: PeerId::from_bytes(reader.array("survivor")?) })
    })?;
    if content.succession.is_some_and(|of| of.generation <= content.generation) {
        return Err(DecodeError::Invalid("a group of sealers in a snapshot is followed by an earlier one"));
    }
    if (content.generation, content.succession) == (0, None) {
        return Err(DecodeError::Invalid("the first group of sealers is named in a snapshot"));
    }
    Ok(())
}

fn read_peers(reader: &mut Reader<'_>, limit: usize, what: &'static str) -> Result<BTreeSet<PeerId>, DecodeError> {
    read_set(reader, limit, what, |reader| reader.array(what).map(PeerId::from_bytes))
}

/// In the order in which they are preferred, none twice.
fn read_hubs(reader: &mut Reader<'_>) -> Result<Vec<PeerId>, DecodeError> {
    let hubs = reader.list(MAX_HUBS, "hubs", |reader| reader.array("hubs").map(PeerId::from_bytes))?;
    if hubs.iter().collect::<BTreeSet<_>>().len() < hubs.len() {
        return Err(DecodeError::Invalid("a hub in a snapshot is named twice"));
    }
    Ok(hubs)
}

fn read_groups(reader: &mut Reader<'_>) -> Result<BTreeMap<String, Group>, DecodeError> {
    read_map(reader, MAX_GROUPS, "node groups", |reader| {
        let name = reader.text(MAX_TEXT_BYTES, "node group")?.to_owned();
        Ok((name, Group { role: read_node_role(reader)?, nodes: reader.u32("nodes of a group")? }))
    })
}

fn read_subscriptions(reader: &mut Reader<'_>) -> Result<BTreeMap<[u8; 16], Subscription>, DecodeError> {
    read_within(reader, MAX_SUBSCRIPTIONS_BYTES, "subscriptions", |reader, what| {
        read_map(reader, MAX_SUBSCRIPTIONS, what, |reader| {
            let register = reader.array("register")?;
            let mode = read_replica_mode(reader)?;
            let groups = read_set(reader, MAX_GROUPS, "placement", |reader| {
                reader.text(MAX_TEXT_BYTES, "node group").map(str::to_owned)
            })?;
            Ok((register, Subscription { mode, groups }))
        })
    })
}

/// Items in ascending order, none twice.
fn read_set<T: Ord>(
    reader: &mut Reader<'_>,
    limit: usize,
    what: &'static str,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<BTreeSet<T>, DecodeError> {
    Ok(read_map(reader, limit, what, |reader| Ok((read(reader)?, ())))?.into_keys().collect())
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

const fn topology_byte(topology: Topology) -> u8 {
    match topology {
        Topology::Mesh => 0,
        Topology::Hub => 1,
    }
}

fn read_topology(reader: &mut Reader<'_>) -> Result<Topology, DecodeError> {
    match reader.u8("topology")? {
        0 => Ok(Topology::Mesh),
        1 => Ok(Topology::Hub),
        value => Err(DecodeError::Unknown { what: "topology", value: value.into() }),
    }
}

const fn node_role_byte(role: NodeRole) -> u8 {
    match role {
        NodeRole::Peer => 0,
        NodeRole::Hub => 1,
        NodeRole::Router => 2,
        NodeRole::Edge => 3,
    }
}

fn read_node_role(reader: &mut Reader<'_>) -> Result<NodeRole, DecodeError> {
    match reader.u8("role of a group")? {
        0 => Ok(NodeRole::Peer),
        1 => Ok(NodeRole::Hub),
        2 => Ok(NodeRole::Router),
        3 => Ok(NodeRole::Edge),
        value => Err(DecodeError::Unknown { what: "role of a group", value: value.into() }),
    }
}

const fn replica_mode_byte(mode: ReplicaMode) -> u8 {
    match mode {
        ReplicaMode::FullReplica => 0,
        ReplicaMode::ForwardOnly => 1,
    }
}

fn read_replica_mode(reader: &mut Reader<'_>) -> Result<ReplicaMode, DecodeError> {
    match reader.u8("mode of a subscription")? {
        0 => Ok(ReplicaMode::FullReplica),
        1 => Ok(ReplicaMode::ForwardOnly),
        value => Err(DecodeError::Unknown { what: "mode of a subscription", value: value.into() }),
    }
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
