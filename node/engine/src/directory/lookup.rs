//! One search for the nodes nearest to a place.
//!
//! ```text
//!            ┌── path 0: the nearest not asked ── ask ── answered: nearer ones ──┐
//!   start ───┼── path 1                                                         ├──▶ all paths have asked their nearest
//!            └── path 2     no node is asked on two paths                       ┘
//! ```
//!
//! Each path has one question under way, so three nodes are asked at once. A path ends when it has asked the nearest that it
//! has heard of, or its share of questions: lies cost the path that believes them its share, and
//! no more. Anybody may name anybody as a holder; who is named by most of the nearest that answered comes first, for those are
//! the ones that holders have told.

use super::Place;
use crate::{
    bounds::{BUCKET_CONTACTS, LOOKUP_PATHS, MAX_HOLDERS_TOLD, MAX_PATH_HEARD, PATH_QUESTIONS, PATH_WIDTH, TOLD_NODES},
    frame::Contact,
};
use peerwright_secure::PeerId;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask this node.
    Ask(Contact),
    /// Answers are under way.
    Wait,
    /// There is nothing more to ask.
    Done,
}

#[derive(Debug, Default)]
struct Path {
    /// By distance: who the path has heard of, and whether it has answered.
    heard: BTreeMap<[u8; 32], (Contact, bool)>,
    asking: Option<PeerId>,
    questions: usize,
}

/// A search under way.
#[derive(Debug)]
pub(crate) struct Lookup {
    place: Place,
    own: PeerId,
    paths: Vec<Path>,
    /// Everybody that was asked, on whatever path.
    asked: BTreeSet<PeerId>,
    /// Who was named as a holder, and how far away those are that said so.
    holders: BTreeMap<PeerId, (Contact, BTreeSet<[u8; 32]>)>,
}

impl Lookup {
    /// A search that begins with the nodes that are known to be nearest.
    pub(crate) fn new(place: Place, own: PeerId, known: &[Contact]) -> Self {
        let mut paths: Vec<Path> = (0..LOOKUP_PATHS).map(|_| Path::default()).collect();
        for (number, contact) in known.iter().enumerate() {
            let number = number % LOOKUP_PATHS;
            if let Some(path) = paths.get_mut(number).filter(|_| contact.peer != own) {
                path.heard.insert(place.distance(&contact.peer), (*contact, false));
            }
        }
        Self { place, own, paths, asked: BTreeSet::new(), holders: BTreeMap::new() }
    }

    /// Whom to ask now. `Ask` counts as asked from here on.
    pub(crate) fn step(&mut self) -> Step {
        let mut waits = false;
        for path in &mut self.paths {
            if path.asking.is_some() {
                waits = true;
                continue;
            }
            if path.questions >= PATH_QUESTIONS {
                continue;
            }
            // Another path may have asked it meanwhile: then it is that path's.
            let asked = &self.asked;
            path.heard.retain(|_, (contact, answered)| *answered || !asked.contains(&contact.peer));
            let next = path.heard.values().take(PATH_WIDTH).find(|(_, answered)| !answered);
            if let Some((contact, _)) = next {
                path.asking = Some(contact.peer);
                path.questions += 1;
                self.asked.insert(contact.peer);
                return Step::Ask(*contact);
            }
        }
        if waits { Step::Wait } else { Step::Done }
    }

    fn path_of(&mut self, peer: &PeerId) -> Option<&mut Path> {
        self.paths.iter_mut().find(|path| path.asking.as_ref() == Some(peer))
    }

    /// A node has answered.
    pub(crate) fn answered(&mut self, peer: &PeerId, holders: &[Contact], nearer: &[Contact]) {
        let (place, own) = (self.place, self.own);
        let Some(path) = self.path_of(peer) else { return };
        path.asking = None;
        if let Some((_, answered)) = path.heard.get_mut(&place.distance(peer)) {
            *answered = true;
        }
        for contact in nearer.iter().take(BUCKET_CONTACTS).filter(|contact| contact.peer != own) {
            path.heard.entry(place.distance(&contact.peer)).or_insert((*contact, false));
        }
        while path.heard.len() > MAX_PATH_HEARD {
            path.heard.pop_last();
        }
        for holder in holders.iter().take(MAX_HOLDERS_TOLD).filter(|holder| holder.peer != own) {
            let (_, said_by) = self.holders.entry(holder.peer).or_insert_with(|| (*holder, BTreeSet::new()));
            said_by.insert(place.distance(peer));
        }
    }

    /// A node does not answer.
    pub(crate) fn failed(&mut self, peer: &PeerId) {
        let distance = self.place.distance(peer);
        if let Some(path) = self.path_of(peer) {
            path.asking = None;
            path.heard.remove(&distance);
        }
    }

    /// The nodes that answered and are the nearest, the nearest first.
    pub(crate) fn nearest(&self, count: usize) -> Vec<Contact> {
        let answered = self.paths.iter().flat_map(|path| path.heard.iter()).filter(|(_, (_, answered))| *answered);
        let nearest: BTreeMap<_, _> = answered.map(|(distance, (contact, _))| (*distance, *contact)).collect();
        nearest.into_values().take(count).collect()
    }

    /// Who holds the register, as far as was said, and how many of the nearest that answered say so: those first of whom
    /// most do.
    pub(crate) fn holders(&self) -> Vec<(usize, Contact)> {
        let nearest: BTreeSet<_> =
            self.nearest(TOLD_NODES).iter().map(|contact| self.place.distance(&contact.peer)).collect();
        let count = |said_by: &BTreeSet<[u8; 32]>| said_by.intersection(&nearest).count();
        let mut holders: Vec<_> = self.holders.values().map(|(holder, by)| (count(by), *holder)).collect();
        holders.sort_by_key(|(words, _)| Reverse(*words));
        holders
    }
}
