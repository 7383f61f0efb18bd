//! Whether a content makes a new snapshot, and of which version. Pure.

use peerwright_snapshot::Version;

/// Epochs and revisions that nodes claim beyond these are not believed: a lie must not use up the numbers.
const BELIEVABLE: Version = Version { epoch: 1 << 32, revision: 1 << 48 };

/// What is known when a content is to be published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Version and content digest of the valid snapshot in the ConfigMap.
    pub(crate) stored: Option<(Version, [u8; 32])>,
    /// The highest version that anybody is known to have seen.
    pub(crate) seen: Version,
    /// The highest epoch that was ever begun.
    pub(crate) epoch: u64,
}

/// What to do with the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The stored snapshot says just this.
    Keep,
    /// Write a snapshot of this version.
    Write(Version),
}

/// Without a valid stored snapshot a new epoch begins. A stored one that is older than what was seen was put back by
/// hand: what follows goes on behind what was seen. Else the revision rises with the digest.
pub(crate) fn decide(known: Known, content_digest: [u8; 32]) -> Decision {
    match known.stored {
        None => Decision::Write(Version { epoch: known.epoch.max(known.seen.epoch).saturating_add(1), revision: 1 }),
        Some((stored, _)) if stored < known.seen => Decision::Write(next_revision(known.seen)),
        Some((_, digest)) if digest == content_digest => Decision::Keep,
        Some((stored, _)) => Decision::Write(next_revision(stored)),
    }
}

/// A version that a node says it has, if it can be.
pub(crate) fn believable(claimed: Version) -> Option<Version> {
    (claimed.epoch <= BELIEVABLE.epoch && claimed.revision <= BELIEVABLE.revision).then_some(claimed)
}

const fn next_revision(version: Version) -> Version {
    Version { epoch: version.epoch, revision: version.revision.saturating_add(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [u8; 32] = [1; 32];
    const B: [u8; 32] = [2; 32];

    fn version(epoch: u64, revision: u64) -> Version {
        Version { epoch, revision }
    }

    #[test]
    fn version_follows_what_is_stored_and_seen() {
        let stored = |epoch, revision| Some((version(epoch, revision), A));
        let cases = [
            ("the very first", Known::default(), Decision::Write(version(1, 1))),
            ("unchanged", Known { stored: stored(3, 7), seen: version(3, 7), epoch: 3 }, Decision::Keep),
            ("unchanged, nodes behind", Known { stored: stored(3, 7), seen: version(3, 2), epoch: 3 }, Decision::Keep),
            ("lost", Known { stored: None, seen: version(3, 7), epoch: 3 }, Decision::Write(version(4, 1))),
            (
                "lost with the table",
                Known { stored: None, seen: version(3, 7), epoch: 0 },
                Decision::Write(version(4, 1)),
            ),
            (
                "lost before any node",
                Known { stored: None, seen: version(0, 0), epoch: 5 },
                Decision::Write(version(6, 1)),
            ),
            ("put back", Known { stored: stored(3, 5), seen: version(3, 7), epoch: 3 }, Decision::Write(version(3, 8))),
            (
                "put back by an epoch",
                Known { stored: stored(2, 9), seen: version(3, 1), epoch: 3 },
                Decision::Write(version(3, 2)),
            ),
        ];
        for (name, known, decision) in cases {
            assert_eq!(decide(known, A), decision, "{name}");
        }
    }

    #[test]
    fn changed_content_raises_the_revision_by_one() {
        let known = Known { stored: Some((version(3, 7), A)), seen: version(3, 6), epoch: 3 };

        assert_eq!(decide(known, B), Decision::Write(version(3, 8)));
    }

    #[test]
    fn absurd_claims_are_not_believed() {
        assert_eq!(believable(version(4, 1000)), Some(version(4, 1000)));
        assert_eq!(believable(version(u64::MAX, 1)), None);
        assert_eq!(believable(version(1, u64::MAX)), None);
    }
}
