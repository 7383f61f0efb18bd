//! Chunks that peers have asked for and the store has not given yet.

use crate::{LinkId, Token, bounds::MAX_SERVED_CHUNKS};
use peerwright_ledger::TransactionId;
use std::collections::BTreeMap;

/// A chunk that is being read for a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Served {
    pub link: LinkId,
    pub id: TransactionId,
    pub offset: u32,
}

/// All chunks that are being read.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    reads: BTreeMap<Token, Served>,
}

impl Serving {
    /// A chunk is read under `token`; `false` when the link has too many already.
    pub(crate) fn begin(&mut self, token: Token, served: Served) -> bool {
        let of_link = self.reads.values().filter(|read| read.link == served.link).count();
        if of_link >= MAX_SERVED_CHUNKS {
            return false;
        }
        self.reads.insert(token, served);
        true
    }

    /// The store has answered.
    pub(crate) fn end(&mut self, token: Token) -> Option<Served> {
        self.reads.remove(&token)
    }
}
