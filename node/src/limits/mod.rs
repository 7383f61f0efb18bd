//! How much one identity may ask of this node in a minute.
//!
//! ```text
//!  call ─▶ who asks ─▶ profile ─▶ allowance: requests, bytes, transactions ─▶ size, signature, handler
//!                                     │ one of them is used up
//!                                     └─▶ rate_limited, with the time to wait; nothing is taken from any of them
//! ```
//!
//! What is counted is what an identity asks for or authors: REST by the token's subject, or by address without one;
//! gRPC by the peer id. Frames that a peer forwards and what it replicates are not: the session's window bounds those.
//!
//! A used-up allowance comes back evenly over a minute, so nobody gains by waiting for a minute to begin.

mod meter;
mod settings;
#[cfg(test)]
mod tests;

pub use settings::{Allowance, LimitSettings, LimitSettingsRefused};

use crate::driver::Clock;
use arc_swap::ArcSwap;
use meter::Meter;
use peerwright_engine::Micros;
use peerwright_secure::PeerId;
use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The most identities of one kind that are watched. Full: those who have used nothing lately are forgotten, and when
/// there are none, whoever is not among them is refused.
const MOST_ACCOUNTS: usize = 4_096;
/// What a watched identity is refused for when the table has no room.
const NO_ROOM_WAIT: Duration = Duration::from_secs(1);

/// By which allowance an identity is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// A member of the network.
    Member,
    /// A member that dials and is not dialled.
    Edge,
    /// An application or a person.
    External,
}

impl Profile {
    /// As a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Edge => "edge",
            Self::External => "external",
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    /// A member, by its certificate.
    Member(PeerId),
    /// A member of a group with the role edge, by its certificate.
    Edge(PeerId),
    /// The subject of a token.
    Subject(String),
    /// Somebody without one. Of IPv6 the first 64 bits count: a network gives a host as many addresses as it likes.
    Address(IpAddr),
}

impl Asker {
    /// Who has shown nothing but an address.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        })
    }

    /// By which allowance it is measured.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        match self {
            Self::Member(_) => Profile::Member,
            Self::Edge(_) => Profile::Edge,
            Self::Subject(_) | Self::Address(_) => Profile::External,
        }
    }

    const fn kind(&self) -> usize {
        match self {
            Self::Member(_) => 0,
            Self::Edge(_) => 1,
            Self::Subject(_) => 2,
            Self::Address(_) => 3,
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Calls.
    Requests,
    /// Bytes that came and went.
    Bytes,
    /// Transactions handed in.
    Transactions,
}

impl Measure {
    /// As a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Bytes => "bytes",
            Self::Transactions => "transactions",
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ask {
    /// Calls.
    pub requests: u64,
    /// Bytes.
    pub bytes: u64,
    /// Transactions.
    pub transactions: u64,
}

impl Ask {
    const fn measures(self) -> [(Measure, u64); 3] {
        use Measure::{Bytes, Requests, Transactions};
        [(Requests, self.requests), (Bytes, self.bytes), (Transactions, self.transactions)]
    }
}

/// Somebody has asked for too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// Of whom.
    pub profile: Profile,
    /// Of what.
    pub measure: Measure,
    /// When there is room for what was asked.
    pub retry_after: Duration,
}

/// What every identity has asked for lately.
#[derive(Debug)]
pub struct RateLimits {
    settings: ArcSwap<LimitSettings>,
    clock: Clock,
    /// Each kind of identity has a table of its own, so that addresses cannot crowd out members.
    accounts: Mutex<[BTreeMap<Asker, [Meter; 3]>; 4]>,
}

impl RateLimits {
    /// Nobody has asked for anything yet.
    #[must_use]
    pub fn new(settings: LimitSettings) -> Self {
        Self { settings: ArcSwap::from_pointee(settings), clock: Clock::start(), accounts: Mutex::default() }
    }

    /// How much is allowed now.
    #[must_use]
    pub fn settings(&self) -> LimitSettings {
        **self.settings.load()
    }

    /// Allows as much from now on; what is used stays used.
    pub fn tune(&self, settings: LimitSettings) {
        self.settings.store(Arc::new(settings));
    }

    /// Takes everything that is asked for from the asker's allowance, or nothing.
    pub fn take(&self, asker: &Asker, ask: Ask) -> Result<(), Limited> {
        self.take_at(self.clock.now(), asker, ask)
    }

    /// Takes what was given without having been asked for, such as the bytes of an answer, even when there is not as much.
    pub fn charge(&self, asker: &Asker, ask: Ask) {
        let (now, allowance) = (self.clock.now(), self.settings.load().of(asker.profile()));
        let mut accounts = self.accounts();
        let meters = accounts.get_mut(asker.kind()).and_then(|table| table.get_mut(asker));
        if let Some(meters) = meters {
            add(meters, now, allowance, ask);
        }
    }

    fn take_at(&self, now: Micros, asker: &Asker, ask: Ask) -> Result<(), Limited> {
        let profile = asker.profile();
        let allowance = self.settings.load().of(profile);
        let mut accounts = self.accounts();
        let Some(table) = accounts.get_mut(asker.kind()) else { return Ok(()) };
        let mut meters = match table.get(asker).copied() {
            Some(meters) => meters,
            None if has_room(table, now, allowance) => <[Meter; 3]>::default(),
            None => return Err(Limited { profile, measure: Measure::Requests, retry_after: NO_ROOM_WAIT }),
        };
        for (meter, (measure, units)) in meters.iter().zip(ask.measures()) {
            let wait = allowance.per_minute(measure).and_then(|per_minute| meter.wait(now, per_minute, units));
            if let Some(retry_after) = wait {
                return Err(Limited { profile, measure, retry_after });
            }
        }
        add(&mut meters, now, allowance, ask);
        table.insert(asker.clone(), meters);
        Ok(())
    }

    fn accounts(&self) -> MutexGuard<'_, [BTreeMap<Asker, [Meter; 3]>; 4]> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(meters: &mut [Meter; 3], now: Micros, allowance: Allowance, ask: Ask) {
    for (meter, (measure, units)) in meters.iter_mut().zip(ask.measures()) {
        if let Some(per_minute) = allowance.per_minute(measure) {
            meter.add(now, per_minute, units);
        }
    }
}

fn has_room(table: &mut BTreeMap<Asker, [Meter; 3]>, now: Micros, allowance: Allowance) -> bool {
    if table.len() >= MOST_ACCOUNTS {
        let measures = Ask::default().measures();
        table.retain(|_, meters| {
            meters.iter().zip(measures).any(|(meter, (measure, _))| {
                allowance.per_minute(measure).is_some_and(|per_minute| !meter.is_empty(now, per_minute))
            })
        });
    }
    table.len() < MOST_ACCOUNTS
}
