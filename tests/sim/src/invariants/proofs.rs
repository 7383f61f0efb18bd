//! Who has signed two histories is known to all in the end, once one knows.

use super::{Broken, holds};
use peerwright_secure::NodePublicKey;
use std::collections::BTreeSet;

/// Who is convicted by any node.
pub(crate) fn union<'n>(nodes: impl Iterator<Item = &'n BTreeSet<NodePublicKey>>) -> BTreeSet<NodePublicKey> {
    nodes.flatten().copied().collect()
}

/// One node holds a proof against each of them, unless it is its own.
pub(crate) fn known(
    own: NodePublicKey,
    convicted: &BTreeSet<NodePublicKey>,
    all: &BTreeSet<NodePublicKey>,
) -> Result<(), Broken> {
    let lacking = all.iter().find(|origin| **origin != own && !convicted.contains(origin));
    holds("proofs", lacking.is_none(), || format!("the node has no proof against {lacking:?}, and others have one"))
}
