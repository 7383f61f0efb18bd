//! Checks what the API server's rules check too, for the day when they did not run: nothing is built from a network that
//! fails here. Pure.

use std::collections::BTreeSet;

use kube::ResourceExt;
use peerwright_crds::{NodeGroup, PeerNetwork, Storage};

use super::database::{Database, DatabaseInvalid};

/// A network that can be built.
#[derive(Clone, Debug)]
pub struct ValidNetwork<'a> {
    /// The network.
    pub network: &'a PeerNetwork,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID.
    pub uid: String,
    /// Image of its nodes.
    pub image: String,
    /// Where its nodes keep their registers, unless that is on their volumes.
    pub database: Option<Database<'a>>,
}

/// What is wrong with a network, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Not an object of an API server.
    #[error("the network has no {0}: only objects read from an API server can be built")]
    Incomplete(&'static str),
    /// The network's name makes no Service name.
    #[error("metadata.name `{0}`: write a lower-case letter, then letters, digits and dashes, at most 24 in all")]
    Name(String),
    /// A group's name makes no StatefulSet name.
    #[error(
        "spec.nodeGroups: `{0}` is no group name: a lower-case letter, then letters, digits and dashes, at most 16"
    )]
    GroupName(String),
    /// Two groups share a name.
    #[error("spec.nodeGroups: `{0}` is there twice: write each name once")]
    GroupTwice(String),
    /// No groups, or too many.
    #[error("spec.nodeGroups: there are {0}: write 1 to 8")]
    Groups(usize),
    /// A group's number of nodes is out of its range.
    #[error("spec.nodeGroups[{group}].replicas is {replicas}: write 1 to 100")]
    Replicas {
        /// The group.
        group: String,
        /// What was written.
        replicas: i32,
    },
    /// The volumes have no size.
    #[error("spec.storage.size is empty: write a quantity, as in 1Gi")]
    Size,
    /// The database is not described.
    #[error(transparent)]
    Database(#[from] DatabaseInvalid),
}

/// Checks a network. `image` is what its nodes are to run.
///
/// # Errors
/// The first thing that is wrong.
pub fn validate(network: &PeerNetwork, image: String) -> Result<ValidNetwork<'_>, Invalid> {
    let name = network.name_any();
    if !is_label(&name, 24) {
        return Err(Invalid::Name(name));
    }
    let namespace = network.namespace().ok_or(Invalid::Incomplete("namespace"))?;
    let uid = network.uid().ok_or(Invalid::Incomplete("UID"))?;
    check_groups(&network.spec.node_groups)?;
    check_storage(&network.spec.storage)?;
    let database = network.spec.storage.postgres.as_ref().map(Database::of).transpose()?;
    Ok(ValidNetwork { network, name, namespace, uid, image, database })
}

/// The image of a network's nodes: what the network names, else what it first got, else what its nodes run now (the
/// status was lost), else this operator's default.
pub fn resolve_image(network: &PeerNetwork, running: Option<String>, default: &str) -> String {
    let kept = || network.status.as_ref().and_then(|status| status.image.clone());
    network.spec.image.clone().or_else(kept).or(running).unwrap_or_else(|| default.to_owned())
}

fn check_groups(groups: &[NodeGroup]) -> Result<(), Invalid> {
    if !(1..=8).contains(&groups.len()) {
        return Err(Invalid::Groups(groups.len()));
    }
    let mut names = BTreeSet::new();
    for group in groups {
        if !is_label(&group.name, 16) {
            return Err(Invalid::GroupName(group.name.clone()));
        }
        if !names.insert(&group.name) {
            return Err(Invalid::GroupTwice(group.name.clone()));
        }
        if !(1..=100).contains(&group.replicas) {
            return Err(Invalid::Replicas { group: group.name.clone(), replicas: group.replicas });
        }
    }
    Ok(())
}

fn check_storage(storage: &Storage) -> Result<(), Invalid> {
    if storage.size.is_empty() { Err(Invalid::Size) } else { Ok(()) }
}

/// A DNS-1035 label of at most `longest` characters.
fn is_label(text: &str, longest: usize) -> bool {
    text.len() <= longest
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::network::testing::network;
    use peerwright_crds::Postgres;

    fn refused(change: impl FnOnce(&mut PeerNetwork)) -> Invalid {
        let mut network = network("demo", &[("peer", 3)]);
        change(&mut network);
        validate(&network, "node:1".to_owned()).unwrap_err()
    }

    #[test]
    fn a_network_as_in_the_examples_is_valid() {
        let network = network("demo", &[("peer", 3), ("edge", 100)]);
        let valid = validate(&network, "node:1".to_owned()).unwrap();
        assert_eq!((valid.name.as_str(), valid.namespace.as_str(), valid.image.as_str()), ("demo", "shop", "node:1"));
    }

    #[test]
    fn what_makes_no_names_is_refused() {
        assert_eq!(refused(|network| network.metadata.name = Some("Demo".into())), Invalid::Name("Demo".into()));
        let long = "a".repeat(25);
        assert_eq!(refused(|network| network.metadata.name = Some(long.clone())), Invalid::Name(long));
        let group = refused(|network| network.spec.node_groups[0].name = "peer-".into());
        assert_eq!(group, Invalid::GroupName("peer-".into()));
        assert_eq!(refused(|network| network.metadata.uid = None), Invalid::Incomplete("UID"));
    }

    #[test]
    fn groups_are_counted_and_named_once() {
        assert_eq!(refused(|network| network.spec.node_groups.clear()), Invalid::Groups(0));
        let twice = refused(|network| {
            let again = network.spec.node_groups[0].clone();
            network.spec.node_groups.push(again);
        });
        assert_eq!(twice, Invalid::GroupTwice("peer".into()));
        let none = refused(|network| network.spec.node_groups[0].replicas = 0);
        assert_eq!(none, Invalid::Replicas { group: "peer".into(), replicas: 0 });
        assert_eq!(refused(|network| network.spec.storage.size.clear()), Invalid::Size);
    }

    #[test]
    fn a_database_that_says_nothing_is_refused() {
        let refused = refused(|network| network.spec.storage.postgres = Some(Postgres::default()));
        assert_eq!(refused, Invalid::Database(DatabaseInvalid::Tls));
    }

    #[test]
    fn an_upgrade_of_the_operator_keeps_the_image() {
        let mut network = network("demo", &[("peer", 3)]);
        assert_eq!(resolve_image(&network, None, "node:2"), "node:2");
        assert_eq!(resolve_image(&network, Some("node:0".into()), "node:2"), "node:0");
        network.status.get_or_insert_default().image = Some("node:1".into());
        assert_eq!(resolve_image(&network, Some("node:0".into()), "node:2"), "node:1");
        network.spec.image = Some("node:3".into());
        assert_eq!(resolve_image(&network, Some("node:0".into()), "node:2"), "node:3");
    }
}
