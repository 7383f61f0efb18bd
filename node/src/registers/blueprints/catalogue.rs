//! What the system register's dockets say of blueprints. Pure.
//!
//! A blueprint is told by transactions whose metadata name it: the action `publish` with its definition as the first
//! payload, and the action `deprecate`. Its version is the number of the docket that told of it last. All else that the
//! register has is passed over.

use crate::registers::MatchedDocket;
use peerwright_ledger::{DocketHeader, Refusal, Transaction, TransactionId};
use peerwright_secure::NodePublicKey;
use std::collections::BTreeMap;

/// Longest name of a blueprint.
pub(crate) const MAX_BLUEPRINT_NAME: usize = 255;
/// Blueprints that a node shows; further ones are in the register and are passed over.
pub const MAX_BLUEPRINTS: usize = 10_000;

/// What a transaction does with a blueprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Publish,
    Deprecate,
}

impl Act {
    /// As the transaction's metadata have it.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Deprecate => "deprecate",
        }
    }
}

/// What became of a blueprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Published,
    Updated,
    Deprecated,
}

impl Change {
    /// As REST writes it.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Updated => "updated",
            Self::Deprecated => "deprecated",
        }
    }
}

/// A transaction that tells of a blueprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) name: String,
    pub(crate) act: Act,
    /// The docket, and the transaction's place in it.
    pub(crate) version: u64,
    pub(crate) position: u32,
    /// When the docket was sealed, unix microseconds.
    pub(crate) at_micros: u64,
    /// Who signed it, and for whom.
    pub(crate) publisher: NodePublicKey,
    pub(crate) subject: Option<String>,
    /// SHA-256 of the definition, and its length.
    pub(crate) checksum: [u8; 32],
    pub(crate) bytes: usize,
    pub(crate) transaction: TransactionId,
}

/// A blueprint as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blueprint {
    /// The version that told of it first.
    pub(crate) first_version: u64,
    /// What told of it last.
    pub(crate) last: Told,
    /// What told of its definition last.
    pub(crate) definition: (u64, u32),
}

impl Blueprint {
    pub(crate) fn is_active(&self) -> bool {
        self.last.act == Act::Publish
    }
}

/// All blueprints, as far as the register was read.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    blueprints: BTreeMap<String, Blueprint>,
    /// The docket that is read next.
    pub(super) next: u64,
    /// Blueprints beyond [`MAX_BLUEPRINTS`] that were told of.
    pub(super) passed_over: u64,
}

/// Whether a blueprint may be called so: letters, digits, `-` and `_`.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=MAX_BLUEPRINT_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// What a docket tells of blueprints, in its order.
pub(crate) fn told(docket: &MatchedDocket) -> Result<Vec<Told>, Refusal> {
    let header = DocketHeader::decode(&docket.header.header)?;
    let mut told = Vec::new();
    for matched in &docket.transactions {
        let transaction = Transaction::decode(matched.encoded.clone())?;
        let body = transaction.body();
        let acts = [Act::Publish, Act::Deprecate];
        let act = acts.into_iter().find(|act| body.metadata.action.as_deref() == Some(act.label()));
        let name = body.metadata.blueprint.as_deref().filter(|name| is_name(name));
        let (Some(act), Some(name)) = (act, name) else { continue };
        let definition = body.payloads.first();
        if act == Act::Publish && definition.is_none() {
            continue;
        }
        told.push(Told {
            name: name.to_owned(),
            act,
            version: header.number,
            position: matched.position,
            at_micros: header.sealed_at_micros,
            publisher: body.author,
            subject: body.subject.clone(),
            checksum: definition.map(|definition| *definition.hash()).unwrap_or_default(),
            bytes: definition.map_or(0, |definition| definition.data().len()),
            transaction: matched.id,
        });
    }
    Ok(told)
}

impl Catalogue {
    /// Takes the next docket.
    pub(super) fn take(&mut self, number: u64, told: Vec<Told>) {
        for one in told {
            self.tell(one);
        }
        self.next = number.saturating_add(1);
    }

    fn tell(&mut self, told: Told) {
        let is_full = self.blueprints.len() >= MAX_BLUEPRINTS;
        match self.blueprints.get_mut(&told.name) {
            Some(known) => {
                if told.act == Act::Publish {
                    known.definition = (told.version, told.position);
                }
                known.last = told;
            }
            // Nothing ends that has not begun.
            None if told.act == Act::Deprecate => {}
            None if is_full => self.passed_over += 1,
            None => {
                let blueprint = Blueprint {
                    first_version: told.version,
                    definition: (told.version, told.position),
                    last: told.clone(),
                };
                self.blueprints.insert(told.name, blueprint);
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Blueprint> {
        self.blueprints.get(name)
    }

    /// Those that are newer than a version, the oldest first: so many, and all that share the last one's version.
    pub(super) fn newer(&self, than: Option<u64>, limit: usize) -> Vec<Blueprint> {
        let is_newer = |blueprint: &&Blueprint| than.is_none_or(|than| blueprint.last.version > than);
        let mut newer: Vec<&Blueprint> = self.blueprints.values().filter(is_newer).collect();
        newer.sort_by_key(|blueprint| (blueprint.last.version, blueprint.last.position));
        let last = newer.get(limit.saturating_sub(1)).map(|blueprint| blueprint.last.version);
        newer
            .into_iter()
            .take_while(|blueprint| last.is_none_or(|last| blueprint.last.version <= last))
            .cloned()
            .collect()
    }

    /// How many are active, and how many are deprecated.
    pub(super) fn count(&self) -> (usize, usize) {
        let active = self.blueprints.values().filter(|blueprint| blueprint.is_active()).count();
        (active, self.blueprints.len() - active)
    }

    /// What a docket that was taken has changed, as it was then.
    pub(super) fn changes(&self, told: &[Told]) -> Vec<(Change, Told)> {
        let mut begun = Vec::new();
        let mut change = |told: &Told| {
            let known = self.blueprints.get(&told.name)?;
            let is_first = known.first_version == told.version && !begun.contains(&told.name);
            match told.act {
                Act::Publish if is_first => {
                    begun.push(told.name.clone());
                    Some(Change::Published)
                }
                Act::Publish => Some(Change::Updated),
                // It came before the first.
                Act::Deprecate if known.first_version > told.version || is_first => None,
                Act::Deprecate => Some(Change::Deprecated),
            }
        };
        let changes: Vec<_> = told.iter().map(&mut change).collect();
        changes.into_iter().zip(told).filter_map(|(change, told)| Some((change?, told.clone()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Act, Catalogue, Change, MAX_BLUEPRINTS, Told, is_name};
    use peerwright_ledger::TransactionId;
    use peerwright_secure::NodePublicKey;

    fn told(version: u64, position: u32, name: &str, act: Act) -> Told {
        Told {
            name: name.to_owned(),
            act,
            version,
            position,
            at_micros: version,
            publisher: NodePublicKey::from_bytes([1; 32]),
            subject: None,
            checksum: [0; 32],
            bytes: 0,
            transaction: TransactionId::from_bytes([0; 32]),
        }
    }

    fn names(catalogue: &Catalogue, than: Option<u64>, limit: usize) -> Vec<(String, u64)> {
        let newer = catalogue.newer(than, limit).into_iter();
        newer.map(|blueprint| (blueprint.last.name, blueprint.last.version)).collect()
    }

    #[test]
    fn a_blueprint_is_published_updated_deprecated_and_published_again() {
        let mut catalogue = Catalogue::default();
        let steps = [
            (1, Act::Deprecate, None, None),
            (2, Act::Publish, Some(Change::Published), Some(true)),
            (3, Act::Publish, Some(Change::Updated), Some(true)),
            (5, Act::Deprecate, Some(Change::Deprecated), Some(false)),
            (8, Act::Publish, Some(Change::Updated), Some(true)),
        ];
        for (version, act, change, is_active) in steps {
            let said = vec![told(version, 0, "loan", act)];
            catalogue.take(version, said.clone());
            let changes: Vec<Change> = catalogue.changes(&said).into_iter().map(|(change, _)| change).collect();
            assert_eq!((changes, catalogue.next), (Vec::from_iter(change), version + 1));
            let known = catalogue.get("loan");
            assert_eq!(known.map(super::Blueprint::is_active), is_active);
            assert_eq!(known.map(|known| known.last.version), is_active.map(|_| version));
        }
        let known = catalogue.get("loan").unwrap();
        assert_eq!((known.first_version, known.definition, catalogue.count()), (2, (8, 0), (1, 0)));
        // Whoever reads from the beginning later hears the same.
        let again = [told(1, 0, "loan", Act::Deprecate), told(2, 0, "loan", Act::Publish)];
        let changes: Vec<Change> = catalogue.changes(&again).into_iter().map(|(change, _)| change).collect();
        assert_eq!(changes, [Change::Published]);
    }

    #[test]
    fn what_a_deprecated_one_was_is_kept() {
        let mut catalogue = Catalogue::default();
        catalogue.take(4, vec![told(4, 1, "loan", Act::Publish), told(4, 2, "loan", Act::Deprecate)]);
        let known = catalogue.get("loan").unwrap();
        assert_eq!((known.definition, known.last.position, known.is_active()), ((4, 1), 2, false));
        assert_eq!(catalogue.count(), (0, 1));
    }

    #[test]
    fn newer_ones_come_in_the_order_of_their_versions_and_no_page_splits_a_docket() {
        let mut catalogue = Catalogue::default();
        for (version, of_it) in [(1, vec!["d"]), (2, vec!["c", "b"]), (3, vec!["a"])] {
            let said = (0..).zip(of_it).map(|(position, name)| told(version, position, name, Act::Publish)).collect();
            catalogue.take(version, said);
        }
        let named = |names: &[(&str, u64)]| {
            names.iter().map(|(name, version)| ((*name).to_owned(), *version)).collect::<Vec<_>>()
        };
        assert_eq!(names(&catalogue, None, 100), named(&[("d", 1), ("c", 2), ("b", 2), ("a", 3)]));
        assert_eq!(names(&catalogue, None, 2), named(&[("d", 1), ("c", 2), ("b", 2)]));
        assert_eq!(names(&catalogue, Some(2), 2), named(&[("a", 3)]));
        assert_eq!(names(&catalogue, Some(3), 2), []);
    }

    #[test]
    fn so_many_are_shown_and_no_more() {
        let mut catalogue = Catalogue::default();
        let many = (0..=MAX_BLUEPRINTS).map(|number| told(1, 0, &format!("b{number}"), Act::Publish)).collect();
        catalogue.take(1, many);
        assert_eq!((catalogue.count(), catalogue.passed_over), ((MAX_BLUEPRINTS, 0), 1));
        catalogue.take(2, vec![told(2, 0, "b0", Act::Publish)]);
        assert_eq!(catalogue.get("b0").unwrap().last.version, 2);
    }

    #[test]
    fn names_are_letters_digits_dashes_and_underscores() {
        assert!(["a", "register-creation-v1", "A_9"].into_iter().all(is_name) && is_name(&"x".repeat(255)));
        assert!(!["", "a b", "a.b", "ä", "a/b"].into_iter().any(is_name) && !is_name(&"x".repeat(256)));
    }
}
