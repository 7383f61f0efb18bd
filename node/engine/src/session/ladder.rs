//! Which carrier a link uses: the best that works.
//!
//! ```text
//!  stream      one gRPC stream each way                 ▲ probed every 60 s
//!    │ 3 deaths in 60 s, or not offered there           │
//!  unary       gRPC calls, one batch in flight each way │
//!    │ likewise                                         │
//!  https       POST with long poll over HTTP/1.1        │
//! ```
//!
//! The dialling end climbs; the other follows. A carrier that was climbed to and dies within the time in which deaths are
//! counted is left at once: what killed it before still does.

use super::settings::SessionSettingsRefused;
use crate::Micros;
use std::{collections::VecDeque, time::Duration};

/// What carries the frames of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    /// A bidirectional gRPC stream.
    Stream,
    /// Unary gRPC calls.
    Unary,
    /// HTTPS POST over HTTP/1.1.
    Https,
}

impl Carrier {
    /// Best first.
    pub const ALL: [Self; 3] = [Self::Stream, Self::Unary, Self::Https];

    /// As a metric label and an option's value.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Unary => "unary",
            Self::Https => "https",
        }
    }

    /// The carrier that has this label.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|carrier| carrier.label() == label)
    }

    /// Its place in [`Carrier::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Stream => 0,
            Self::Unary => 1,
            Self::Https => 2,
        }
    }
}

/// When a ladder goes down and up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LadderSettings {
    /// So many deaths of a carrier are too many: 1 to 20.
    pub deaths: usize,
    /// The time in which they are counted: 1 s to 1 h.
    pub within: Duration,
    /// How often a better carrier is tried: 1 s to 1 h.
    pub probe: Duration,
}

impl Default for LadderSettings {
    fn default() -> Self {
        Self { deaths: 3, within: Duration::from_secs(60), probe: Duration::from_secs(60) }
    }
}

impl LadderSettings {
    /// Checks every range.
    pub fn check(&self) -> Result<(), SessionSettingsRefused> {
        if !(1..=20).contains(&self.deaths) {
            return Err(SessionSettingsRefused::Deaths(self.deaths));
        }
        let range = Duration::from_secs(1)..=Duration::from_secs(3_600);
        match [self.within, self.probe].into_iter().find(|time| !range.contains(time)) {
            Some(time) => Err(SessionSettingsRefused::Time(time)),
            None => Ok(()),
        }
    }
}

/// Why the carrier changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepReason {
    /// It died too often.
    Died,
    /// It is not to be had there.
    Refused,
    /// A better one was tried and works.
    Probed,
}

impl StepReason {
    /// As a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Died => "died",
            Self::Refused => "refused",
            Self::Probed => "probed",
        }
    }
}

/// From one carrier to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The carrier before.
    pub from: Carrier,
    /// The carrier from now on.
    pub to: Carrier,
    /// Why.
    pub reason: StepReason,
}

/// The carriers to one peer.
#[derive(Debug, Clone)]
pub struct Ladder {
    settings: LadderSettings,
    /// The carriers that may be used, best first.
    allowed: Vec<Carrier>,
    /// The one in use: a place in `allowed`.
    rung: usize,
    /// When the one in use died lately, at most `settings.deaths` of them.
    deaths: VecDeque<Micros>,
    /// When it was climbed to.
    climbed: Option<Micros>,
    next_probe: Option<Micros>,
}

impl Ladder {
    /// Begins with the best of the allowed carriers. Without any, all are allowed: a node must be able to talk.
    #[must_use]
    pub fn new(settings: LadderSettings, allowed: &[Carrier]) -> Self {
        let mut allowed = if allowed.is_empty() { Carrier::ALL.to_vec() } else { allowed.to_vec() };
        allowed.sort_unstable();
        allowed.dedup();
        Self { settings, allowed, rung: 0, deaths: VecDeque::new(), climbed: None, next_probe: None }
    }

    /// Goes by `settings` from the next death or trial on.
    pub fn tune(&mut self, settings: LadderSettings) {
        self.settings = settings;
    }

    /// The carrier in use.
    #[must_use]
    pub fn carrier(&self) -> Carrier {
        self.allowed.get(self.rung).copied().unwrap_or(Carrier::Stream)
    }

    /// Better ones than the one in use, best first.
    pub fn better(&self) -> impl Iterator<Item = Carrier> + '_ {
        self.allowed.iter().take(self.rung).copied()
    }

    /// The carrier in use and those below it, in the order in which they are to be tried.
    pub fn from_here(&self) -> impl Iterator<Item = Carrier> + '_ {
        self.allowed.iter().skip(self.rung).copied()
    }

    /// A carrier that worked has died although its peer lives.
    pub fn died(&mut self, now: Micros, carrier: Carrier) -> Option<Step> {
        if carrier != self.carrier() {
            return None;
        }
        while self.deaths.front().is_some_and(|death| now.since(*death) >= self.settings.within) {
            self.deaths.pop_front();
        }
        self.deaths.push_back(now);
        let on_probation = self.climbed.is_some_and(|climbed| now.since(climbed) < self.settings.within);
        if self.deaths.len() >= self.settings.deaths || on_probation {
            self.deaths.clear();
            return self.down(now, StepReason::Died);
        }
        None
    }

    /// The carrier in use is not to be had at the peer.
    pub fn refused(&mut self, now: Micros, carrier: Carrier) -> Option<Step> {
        if carrier == self.carrier() { self.down(now, StepReason::Refused) } else { None }
    }

    fn down(&mut self, now: Micros, reason: StepReason) -> Option<Step> {
        let from = self.carrier();
        self.climbed = None;
        if self.rung + 1 >= self.allowed.len() {
            // The last one stays, but the better ones deserve another look.
            self.next_probe = (self.rung > 0).then(|| now + self.settings.probe);
            return None;
        }
        self.rung += 1;
        self.deaths.clear();
        self.next_probe = Some(now + self.settings.probe);
        Some(Step { from, to: self.carrier(), reason })
    }

    /// When better carriers are to be tried; `None` on the best.
    #[must_use]
    pub fn next_probe(&self) -> Option<Micros> {
        self.next_probe
    }

    /// No better carrier works yet.
    pub fn probe_failed(&mut self, now: Micros) {
        self.next_probe = (self.rung > 0).then(|| now + self.settings.probe);
    }

    /// A better carrier works and is in use from now on.
    pub fn climbed(&mut self, now: Micros, carrier: Carrier) -> Option<Step> {
        let from = self.carrier();
        let rung = self.allowed.iter().position(|allowed| *allowed == carrier)?;
        if rung >= self.rung {
            return None;
        }
        self.rung = rung;
        self.deaths.clear();
        self.climbed = Some(now);
        self.next_probe = (rung > 0).then(|| now + self.settings.probe);
        Some(Step { from, to: carrier, reason: StepReason::Probed })
    }

    /// The peer's process has restarted, so the deaths seen were not the carrier's fault.
    pub fn forgive(&mut self) {
        self.deaths.clear();
    }
}
