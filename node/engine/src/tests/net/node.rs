//! One node: its engine while it runs, and what outlives it.

use super::{MemoryStore, REGISTER, address_of};
use crate::{
    Advertisement, AutoBan, Class, Config, Engine, Event, Input, LinkId, Micros, Output, Policy, StoreFailed,
    SubmitRefusal, Token,
};
use peerwright_secure::{NodeKey, PeerId};
use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

/// One node.
pub(crate) struct Node {
    pub(crate) key: NodeKey,
    pub(crate) socket: SocketAddr,
    pub(crate) policy: Policy,
    pub(crate) engine: Option<Engine>,
    pub(crate) incarnation: u64,
    /// Rises with each start: what was meant for an earlier life does not reach this one.
    pub(crate) life: u64,
    pub(crate) armed: Option<Micros>,
    pub(crate) links: BTreeSet<LinkId>,
    pub(crate) store: MemoryStore,
    /// What it holds for everybody to know.
    pub(crate) advertised: Vec<Advertisement>,
    /// How often it was asked what that is.
    pub(crate) advertisements_read: usize,
    /// Addresses that the engine wants back in its next life.
    pub(crate) anchors: Vec<SocketAddr>,
    pub(crate) accepted: Vec<Token>,
    pub(crate) refused: Vec<(Token, SubmitRefusal)>,
    pub(crate) events: Vec<(Micros, Event)>,
    /// Class and kind of every frame sent.
    pub(crate) sent_frames: Vec<(Class, u8)>,
    /// The automatic bans that were last to be kept.
    pub(crate) auto_bans: Vec<AutoBan>,
    /// Kinds of frames that the node neither says nor understands: it is an older one.
    pub(crate) unknown_kinds: &'static [u8],
    /// The verifier gives no answers.
    pub(crate) verifier_is_dead: bool,
    /// Changes the settings of the next life.
    pub(crate) configure: fn(&mut Config),
    seed: u64,
}

impl Node {
    pub(super) fn new(index: usize, seed: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&(index as u64 + 1).to_be_bytes());
        Self {
            key: NodeKey::from_seed(key),
            socket: address_of(index).socket,
            policy: Policy { registers: vec![REGISTER], ..Policy::default() },
            engine: None,
            incarnation: 0,
            life: 0,
            armed: None,
            links: BTreeSet::new(),
            store: MemoryStore::default(),
            advertised: Vec::new(),
            advertisements_read: 0,
            anchors: Vec::new(),
            accepted: Vec::new(),
            refused: Vec::new(),
            events: Vec::new(),
            sent_frames: Vec::new(),
            auto_bans: Vec::new(),
            unknown_kinds: &[],
            verifier_is_dead: false,
            configure: |_| {},
            seed: seed.wrapping_mul(1_000).wrapping_add(index as u64),
        }
    }

    pub(super) fn begin_life(&mut self, now: Micros) {
        self.incarnation = now.0.max(self.incarnation + 1);
        self.life += 1;
        self.armed = None;
        let mut config = Config::new(self.key.clone(), self.incarnation, self.seed.wrapping_add(self.life));
        config.advertised = Some(self.socket);
        config.addresses.own_ranges = vec!["10.0.0.0/8".parse().unwrap()];
        (self.configure)(&mut config);
        self.engine = Some(Engine::new(config));
    }

    pub(crate) fn begin_life_without_policy(&mut self) {
        self.begin_life(Micros(1));
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.key.peer_id()
    }

    /// What the store or the verifier answer, and when. What is written is durable at once, so a crash before the answer
    /// leaves more than was told, never less.
    pub(super) fn answer(&mut self, question: Output) -> Option<(Duration, Input<'static>)> {
        let millis = Duration::from_millis;
        let failed = self.store.fails;
        let answer = match question {
            Output::Verify { token, message, .. } => {
                if self.verifier_is_dead {
                    return None;
                }
                (millis(1), Input::Verified { token, valid: message.verify().is_ok() })
            }
            Output::VerifyStatements { token, statements, .. } => {
                if self.verifier_is_dead {
                    return None;
                }
                let valid = statements.iter().all(crate::Statement::holds);
                (millis(1), Input::StatementsVerified { token, valid })
            }
            Output::Append { token, messages } => {
                (millis(3), Input::Appended { token, result: self.store.append(&messages) })
            }
            Output::ReadHeld { token, registers } => {
                let result = if failed { Err(StoreFailed) } else { Ok(self.store.held(&registers)) };
                (millis(2), Input::Held { token, result })
            }
            Output::ReadAdvertisements { token } => {
                self.advertisements_read += 1;
                let result = if failed { Err(StoreFailed) } else { Ok(self.advertised.clone()) };
                (millis(2), Input::Advertisements { token, result })
            }
            Output::ReadMessages { token, ranges, max_messages, max_bytes } => {
                let messages = self.store.read(&ranges, max_messages, max_bytes);
                (millis(2), Input::Read { token, result: if failed { Err(StoreFailed) } else { Ok(messages) } })
            }
            Output::StoreBody { token, id, bytes, .. } => {
                (millis(5), Input::BodyStored { token, result: self.store.put_body(id, bytes) })
            }
            Output::ReadChunk { token, id, offset, length, .. } => {
                (millis(1), Input::Chunk { token, bytes: self.store.chunk(&id, offset, length) })
            }
            other => panic!("not a question: {other:?}"),
        };
        Some(answer)
    }
}
