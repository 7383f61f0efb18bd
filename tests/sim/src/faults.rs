//! What goes wrong. Each fault ends by itself or with the safety phase, and a network that follows the design survives
//! any mixture of them: what was acknowledged is lost only with the volume that held it alone.

mod apply;

pub(crate) use apply::{Change, apply, heal};

use crate::{options::Options, random::Random};
use std::time::Duration;

/// A process that ends in order has given what it accepted to its neighbours within this time.
pub(crate) const DRAINED: Duration = Duration::from_millis(900);

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The network falls into two sides.
    Partition,
    /// Nothing that one node sends arrives, or nothing that is sent to it.
    OneWay,
    /// A process is killed and started again: its peers' connections are reset.
    Crash,
    /// A process ends in order and is started again: it says goodbye first.
    Leave,
    /// A machine loses power and comes back: its peers hear nothing.
    PowerLoss,
    /// A process stands still for 5 s and more.
    Pause,
    /// A wall clock is ahead, or is set back.
    Clock,
    /// The counter of incarnations is lost with a restart.
    CounterLost,
    /// A volume is rolled back to an earlier image, with a restart.
    RolledBack,
    /// One connection is reset.
    Reset,
    /// A store fails for a while.
    StoreFails,
    /// A node is banned by everybody's policy for a while.
    Ban,
    /// A second process with a node's key runs for a while, and perhaps with a copy of its volume.
    Clone,
    /// What a node sends to every second host takes much longer for a while: it comes behind what others say later.
    Detour,
    /// A connection is reset, and the next one between the two begins with what was last said on it.
    Echo,
}

impl Fault {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Partition,
        Self::OneWay,
        Self::Crash,
        Self::Leave,
        Self::PowerLoss,
        Self::Pause,
        Self::Clock,
        Self::CounterLost,
        Self::RolledBack,
        Self::Reset,
        Self::StoreFails,
        Self::Ban,
        Self::Clone,
        Self::Detour,
        Self::Echo,
    ];
}

/// What is going to change, and how long after the begin of the safety phase.
pub(crate) fn plan(options: &Options) -> Vec<(Duration, Change)> {
    let mut random = Random::new(options.seed, 2);
    let mut plan = Vec::new();
    let mut at = Duration::ZERO;
    while !options.faults.is_empty() {
        at += random.between(Duration::ZERO, options.fault_every * 2);
        if at >= options.safety {
            break;
        }
        let fault = options.faults[random.place(options.faults.len())];
        for (delay, change) in draw(fault, options, &mut random) {
            plan.push((at + delay, change));
        }
    }
    plan.retain(|(at, _)| *at < options.safety);
    plan.sort_by_key(|(at, _)| *at);
    plan
}

/// One fault: what it changes, and how long after its begin.
fn draw(fault: Fault, options: &Options, random: &mut Random) -> Vec<(Duration, Change)> {
    let seconds = Duration::from_secs;
    let host = u32::try_from(random.below(options.nodes.into())).unwrap_or(0);
    let while_ = random.between(seconds(1), seconds(40));
    let now = Duration::ZERO;
    match fault {
        Fault::Partition => {
            let share = random.below(1_000_000);
            let sides = (0..options.nodes).map(|_| u8::from(random.below(1_000_000) < share)).collect();
            vec![(now, Change::Partition(sides)), (while_, Change::HealCuts)]
        }
        Fault::OneWay => {
            let cut = if random.chance(500_000) { Change::Mute(host) } else { Change::Deafen(host) };
            vec![(now, cut), (while_, Change::HealCuts)]
        }
        Fault::Crash => vec![(now, Change::Kill(host)), (while_, Change::Start(host))],
        Fault::Leave => {
            vec![(now, Change::Drain(host)), (DRAINED, Change::Kill(host)), (while_, Change::Start(host))]
        }
        Fault::PowerLoss => vec![(now, Change::PowerOff(host)), (while_, Change::Start(host))],
        Fault::Pause => vec![(now, Change::Pause(host, random.between(seconds(5), seconds(20))))],
        Fault::Clock => {
            let ahead = i64::try_from(random.below(120_000_000)).unwrap_or(0) - 60_000_000;
            vec![(now, Change::SetClock(host, ahead))]
        }
        Fault::CounterLost => {
            vec![(now, Change::Kill(host)), (now, Change::LoseCounter(host)), (seconds(1), Change::Start(host))]
        }
        Fault::RolledBack => vec![
            (now, Change::TakeImage(host)),
            (while_, Change::Kill(host)),
            (while_, Change::RollBack(host)),
            (while_ + seconds(1), Change::Start(host)),
        ],
        Fault::Reset => vec![(now, Change::BreakConnection(host, random.place(1_000)))],
        Fault::StoreFails => vec![(now, Change::StoreFails(host, true)), (while_, Change::StoreFails(host, false))],
        Fault::Ban => vec![(now, Change::Ban(host)), (while_, Change::Unban(host))],
        Fault::Clone => {
            let with_volume = random.chance(500_000);
            vec![(now, Change::Clone { host, with_volume }), (while_, Change::EndClone)]
        }
        Fault::Detour => {
            let longer = random.between(Duration::from_millis(100), seconds(3));
            vec![(now, Change::Detour(host, longer)), (while_, Change::HealCuts)]
        }
        Fault::Echo => vec![(now, Change::Echo(host, random.place(1_000)))],
    }
}
