//! Bodies above 32 KiB: announced by a message, fetched in chunks from who announced it, stored, and only then is the
//! message stored and passed on.
//!
//! ```text
//! verified announcement ─▶ waiting ─▶ fetching from one holder, a window of chunks ─▶ whole ─▶ StoreBody ─▶ done
//!                                      │  gone, silent, link lost: the next holder from the beginning
//!                                      └─ no holder left: given up, sync brings the message again
//! ```
//!
//! A body comes from one holder alone, so that one that does not verify convicts its link.

mod serving;
#[cfg(test)]
mod tests;

pub(crate) use serving::{Served, Serving};

use crate::{
    LinkId, Micros, Token,
    bounds::{CHUNK_BYTES, CHUNK_WINDOW, MAX_ACTIVE_FETCHES, MAX_FETCH_HOLDERS, MAX_FETCH_MESSAGES, MAX_FETCHES},
    gossip::Candidate,
};
use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId};
use std::collections::{BTreeMap, VecDeque};

/// A piece to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkWanted {
    pub link: LinkId,
    pub register: RegisterId,
    pub id: TransactionId,
    pub offset: u32,
    pub length: u32,
}

/// What a chunk led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ChunkTaken {
    /// It was not asked for.
    Unwanted,
    /// More is to come: these pieces are to be asked for.
    More(Vec<ChunkWanted>),
    /// The body is whole and to be stored.
    Whole { register: RegisterId, bytes: Bytes },
}

#[derive(Debug)]
enum State {
    Waiting,
    Fetching { source: LinkId, next: u32, chunks: BTreeMap<u32, Bytes>, received: u32, deadline: Micros },
    Storing { source: LinkId, token: Token },
}

#[derive(Debug)]
struct Fetch {
    register: RegisterId,
    size: u32,
    messages: Vec<Candidate>,
    holders: VecDeque<LinkId>,
    state: State,
}

/// Every body that is needed.
#[derive(Debug, Default)]
pub(crate) struct Fetches {
    by_id: BTreeMap<TransactionId, Fetch>,
    /// There was no room for one, and half of them have not ended since.
    are_too_many: bool,
}

impl Fetches {
    /// A verified message announces a body; whoever brought the message holds it. Says whether there was room.
    pub(crate) fn want(&mut self, id: TransactionId, size: u32, candidate: Candidate) -> bool {
        let is_known = self.by_id.contains_key(&id);
        if !is_known && self.by_id.len() >= MAX_FETCHES {
            self.are_too_many = true;
            return false;
        }
        let register = candidate.message.body().register;
        let fetch = self.by_id.entry(id).or_insert_with(|| Fetch {
            register,
            size,
            messages: Vec::new(),
            holders: VecDeque::new(),
            state: State::Waiting,
        });
        // An id names one body: an announcement of another size or register is false, whoever signed it.
        if fetch.messages.len() >= MAX_FETCH_MESSAGES || fetch.size != size || fetch.register != register {
            return false;
        }
        for link in &candidate.links {
            fetch.add_holder(*link);
        }
        fetch.messages.push(candidate);
        true
    }

    /// The link announced the body too.
    pub(crate) fn add_holder(&mut self, id: &TransactionId, link: LinkId) {
        if let Some(fetch) = self.by_id.get_mut(id) {
            fetch.add_holder(link);
        }
    }

    /// Starts what may start, with links that may be asked about the register as sources: the pieces to ask for. Fetches
    /// that nobody may be asked for end; their messages are given up.
    pub(crate) fn start(
        &mut self,
        deadline: Micros,
        may_ask: impl Fn(LinkId, &RegisterId) -> bool,
    ) -> (Vec<ChunkWanted>, Vec<Candidate>) {
        let (mut wanted, mut orphans) = (Vec::new(), Vec::new());
        let mut active = self.by_id.values().filter(|fetch| !matches!(fetch.state, State::Waiting)).count();
        let waiting: Vec<TransactionId> =
            self.by_id.iter().filter(|(_, fetch)| matches!(fetch.state, State::Waiting)).map(|(id, _)| *id).collect();
        for id in waiting {
            let Some(fetch) = self.by_id.get_mut(&id) else { continue };
            fetch.holders.retain(|link| may_ask(*link, &fetch.register));
            if fetch.holders.is_empty() {
                orphans.extend(self.by_id.remove(&id).into_iter().flat_map(|fetch| fetch.messages));
            } else if active < MAX_ACTIVE_FETCHES
                && let Some(source) = fetch.holders.pop_front()
            {
                active += 1;
                fetch.state = State::Fetching { source, next: 0, chunks: BTreeMap::new(), received: 0, deadline };
                for _ in 0..CHUNK_WINDOW {
                    wanted.extend(fetch.next_chunk(id));
                }
            }
        }
        (wanted, orphans)
    }

    /// A chunk came.
    pub(crate) fn chunk(
        &mut self,
        link: LinkId,
        id: TransactionId,
        offset: u32,
        bytes: &[u8],
        deadline: Micros,
    ) -> ChunkTaken {
        let Some(fetch) = self.by_id.get_mut(&id) else { return ChunkTaken::Unwanted };
        let (size, register) = (fetch.size, fetch.register);
        let State::Fetching { source, next, chunks, received, deadline: until } = &mut fetch.state else {
            return ChunkTaken::Unwanted;
        };
        let is_asked_for = *source == link && offset < *next && offset.is_multiple_of(CHUNK_BYTES);
        let length = CHUNK_BYTES.min(size.saturating_sub(offset));
        if !is_asked_for || chunks.contains_key(&offset) || u32::try_from(bytes.len()) != Ok(length) {
            return ChunkTaken::Unwanted;
        }
        chunks.insert(offset, Bytes::copy_from_slice(bytes));
        *received += length;
        *until = deadline;
        if *received < size {
            return ChunkTaken::More(fetch.next_chunk(id).into_iter().collect());
        }
        let whole: Vec<u8> = chunks.values().flat_map(|chunk| chunk.iter().copied()).collect();
        ChunkTaken::Whole { register, bytes: whole.into() }
    }

    /// A whole body went to the store.
    pub(crate) fn storing(&mut self, id: &TransactionId, token: Token) {
        if let Some(fetch) = self.by_id.get_mut(id)
            && let State::Fetching { source, .. } = fetch.state
        {
            fetch.state = State::Storing { source, token };
        }
    }

    /// The store has answered: the messages that waited for the body, and who served it.
    pub(crate) fn stored(&mut self, token: Token) -> Option<(Vec<Candidate>, LinkId)> {
        let is_it = |fetch: &Fetch| matches!(fetch.state, State::Storing { token: storing, .. } if storing == token);
        let id = self.by_id.iter().find(|(_, fetch)| is_it(fetch)).map(|(id, _)| *id)?;
        let fetch = self.by_id.remove(&id)?;
        match fetch.state {
            State::Storing { source, .. } => Some((fetch.messages, source)),
            State::Waiting | State::Fetching { .. } => None,
        }
    }

    /// The body is not what was announced: the messages that waited for it look for another holder.
    pub(crate) fn retry(&mut self, token: Token) -> Option<(LinkId, TransactionId)> {
        let is_it = |fetch: &Fetch| matches!(fetch.state, State::Storing { token: storing, .. } if storing == token);
        let (id, fetch) = self.by_id.iter_mut().find(|(_, fetch)| is_it(fetch))?;
        let State::Storing { source, .. } = std::mem::replace(&mut fetch.state, State::Waiting) else { return None };
        Some((source, *id))
    }

    /// The link does not have the body after all.
    pub(crate) fn gone(&mut self, link: LinkId, id: &TransactionId) {
        if let Some(fetch) = self.by_id.get_mut(id) {
            fetch.leave(|source, _| source == link);
        }
    }

    /// The link has ended.
    pub(crate) fn link_ended(&mut self, link: LinkId) {
        for fetch in self.by_id.values_mut() {
            fetch.leave(|source, _| source == link);
        }
    }

    /// Leaves sources that have been silent for too long, and names them.
    pub(crate) fn leave_overdue(&mut self, now: Micros) -> Vec<LinkId> {
        let overdue = self.by_id.values_mut().filter_map(|fetch| fetch.leave(|_, deadline| deadline <= now));
        overdue.collect()
    }

    /// When a source will have been silent for too long.
    pub(crate) fn next_deadline(&self) -> Option<Micros> {
        let deadlines = self.by_id.values().filter_map(|fetch| match fetch.state {
            State::Fetching { deadline, .. } => Some(deadline),
            State::Waiting | State::Storing { .. } => None,
        });
        deadlines.min()
    }

    /// Whether nothing is to be pulled that may need another body.
    pub(crate) fn are_too_many(&self) -> bool {
        self.are_too_many
    }

    /// Whether there is room again since there was none. Said once.
    pub(crate) fn take_relief(&mut self) -> bool {
        let is_relief = self.are_too_many && self.by_id.len() <= MAX_FETCHES / 2;
        self.are_too_many &= !is_relief;
        is_relief
    }

    pub(crate) fn count(&self) -> usize {
        self.by_id.len()
    }
}

impl Fetch {
    fn add_holder(&mut self, link: LinkId) {
        let is_source = match self.state {
            State::Fetching { source, .. } | State::Storing { source, .. } => source == link,
            State::Waiting => false,
        };
        if !is_source && !self.holders.contains(&link) && self.holders.len() < MAX_FETCH_HOLDERS {
            self.holders.push_back(link);
        }
    }

    fn next_chunk(&mut self, id: TransactionId) -> Option<ChunkWanted> {
        let State::Fetching { source, next, .. } = &mut self.state else { return None };
        let offset = *next;
        let length = CHUNK_BYTES.min(self.size.saturating_sub(offset));
        if length == 0 {
            return None;
        }
        *next = offset.saturating_add(CHUNK_BYTES);
        Some(ChunkWanted { link: *source, register: self.register, id, offset, length })
    }

    fn leave(&mut self, must_leave: impl Fn(LinkId, Micros) -> bool) -> Option<LinkId> {
        let State::Fetching { source, deadline, .. } = self.state else { return None };
        if !must_leave(source, deadline) {
            return None;
        }
        self.state = State::Waiting;
        Some(source)
    }
}
