//! Messages that wait for their verdict.

use super::Place;
use crate::{
    LinkId, Micros, Token,
    bounds::{MAX_CANDIDATES, MAX_VERIFYING, MAX_VERIFYING_PER_LINK},
};
use peerwright_ledger::{
    Message,
    message::{PredecessorName, predecessor_name},
};
use std::{collections::BTreeMap, time::Duration};

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// Spread, and to be passed on this often.
    Gossip {
        /// How often it may be passed on.
        hops: u8,
    },
    /// Pulled.
    Sync,
}

/// A message that waits for its verdict.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub message: Message,
    /// The links that brought these very bytes, in the order in which they did.
    pub links: Vec<LinkId>,
    /// How often it may be passed on, if it came by gossip.
    pub hops: Option<u8>,
    /// The link that it was pulled from.
    pub pulled_from: Option<LinkId>,
    /// When it was given to the verifier.
    pub since: Micros,
}

impl Candidate {
    fn join(&mut self, link: LinkId, path: Path) {
        if !self.links.contains(&link) {
            self.links.push(link);
        }
        match path {
            Path::Gossip { hops } => self.hops = self.hops.max(Some(hops)),
            Path::Sync => self.pulled_from = self.pulled_from.or(Some(link)),
        }
    }
}

/// What became of a message that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offered {
    /// It is to be verified.
    Verify,
    /// The same bytes are being verified: the link is remembered.
    Joined,
    /// There is no room.
    Full,
}

/// All messages that wait.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// Boxed: a tree has room for several in a node, and mostly there is one.
    waiting: BTreeMap<Token, Box<Candidate>>,
    by_place: BTreeMap<Place, Vec<Token>>,
    by_name: BTreeMap<PredecessorName, Token>,
    by_first_link: BTreeMap<LinkId, usize>,
}

impl Candidates {
    /// Adds a message under `token`, or joins it with the same bytes from elsewhere.
    pub(crate) fn offer(&mut self, now: Micros, token: Token, message: &Message, link: LinkId, path: Path) -> Offered {
        let place = Place::from(message);
        let rivals = self.by_place.get(&place).map_or(&[] as &[Token], Vec::as_slice);
        for rival in rivals {
            if let Some(candidate) = self.waiting.get_mut(rival)
                && candidate.message.id() == message.id()
            {
                candidate.join(link, path);
                return Offered::Joined;
            }
        }
        let of_link = self.by_first_link.get(&link).copied().unwrap_or(0);
        if rivals.len() >= MAX_CANDIDATES || self.waiting.len() >= MAX_VERIFYING || of_link >= MAX_VERIFYING_PER_LINK {
            return Offered::Full;
        }
        let mut candidate =
            Candidate { message: message.clone(), links: Vec::new(), hops: None, pulled_from: None, since: now };
        candidate.join(link, path);
        self.waiting.insert(token, Box::new(candidate));
        self.by_place.entry(place).or_default().push(token);
        self.by_name.insert(predecessor_name(&message.id()), token);
        self.by_first_link.insert(link, of_link + 1);
        Offered::Verify
    }

    /// Takes out the message whose verdict has come.
    pub(crate) fn take(&mut self, token: Token) -> Option<Candidate> {
        let candidate = self.waiting.remove(&token)?;
        self.by_name.remove(&predecessor_name(&candidate.message.id()));
        let place = Place::from(&candidate.message);
        if let Some(rivals) = self.by_place.get_mut(&place) {
            rivals.retain(|rival| *rival != token);
            if rivals.is_empty() {
                self.by_place.remove(&place);
            }
        }
        if let Some(link) = candidate.links.first()
            && let Some(count) = self.by_first_link.get_mut(link)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_first_link.remove(link);
            }
        }
        Some(*candidate)
    }

    /// The messages whose verdict has not come for so long that it never will.
    pub(crate) fn overdue(&self, now: Micros, limit: Duration) -> Vec<Token> {
        self.waiting
            .iter()
            .filter(|(_, candidate)| now.since(candidate.since) >= limit)
            .map(|(token, _)| *token)
            .collect()
    }

    /// The message that waits under this name.
    pub(crate) fn named(&self, name: &PredecessorName) -> Option<&Message> {
        self.by_name.get(name).and_then(|token| self.waiting.get(token)).map(|candidate| &candidate.message)
    }

    /// Whether a message for this place waits.
    pub(crate) fn awaits(&self, place: &Place) -> bool {
        self.by_place.contains_key(place)
    }

    pub(crate) fn count(&self) -> usize {
        self.waiting.len()
    }
}
