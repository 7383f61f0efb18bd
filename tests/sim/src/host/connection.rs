//! The host's connections: reliable, in order, once.
//!
//! ```text
//!  Dial ──Connect (1.5 round trips: TCP, TLS, Hello)──▶ LinkUp at the dialled side
//!  LinkUp at the dialling side ◀──Connected (half a round trip)──┘
//!  Send ──Frame: latency + jitter; a lost packet is sent again and all behind it waits──▶ Input::Frame
//!  Close ──Closed──▶ LinkDown; a frame for a connection that is not known is answered with a reset
//! ```
//!
//! What is sent into a cut waits in the sender's kernel and arrives after the cut has healed, unless one of the two has
//! given the connection up by then.

use super::{Context, Host, hostile::spread_message};
use crate::{
    event::{EndId, HostId, What, heard},
    faults::Fault,
    invariants,
    pool::Number,
    random::micros,
    world::{World, host_at, is_astray, socket_of},
};
use bytes::Bytes;
use peerwright_engine::{CloseReason, DialFailure, DownReason, Input, LinkId, Micros};
use peerwright_secure::PeerId;
use std::{collections::VecDeque, net::SocketAddr, sync::PoisonError, time::Duration};

/// The shell gives a dial up after so long.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// The first repetition of a lost packet comes two round trips and this later (the tail loss probe of Linux).
const PROBE_DELAY: Duration = Duration::from_millis(10);
/// Further repetitions wait for this, doubled each time.
const REPEAT_DELAY: Duration = Duration::from_millis(200);
/// What is not repeated more often arrives.
const MOST_REPEATS: u32 = 6;
/// Bytes of one packet.
const PACKET: usize = 1_400;
/// Bytes that wait for a cut to heal on one link before the shell ends it as overloaded.
const MOST_WAITING: usize = 8 * 1024 * 1024;
/// Kinds of frames that mean the same on any link: messages, records, accusations, proofs, offers of records.
const ECHOED_KINDS: [u8; 6] = [7, 19, 24, 25, 18, 32];
/// Frames of them that a connection remembers.
const ECHOED: usize = 16;
/// After a cut, the kernels notice within so long.
const NOTICED_WITHIN: Duration = Duration::from_secs(2);

/// One end of a connection that is up.
#[derive(Debug)]
pub(super) struct End {
    pub id: EndId,
    pub host: HostId,
    far: EndId,
    peer: PeerId,
    latency: Duration,
    /// When the last thing sent arrives: nothing overtakes it.
    last_arrival: Micros,
    /// What was sent into a cut.
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    /// More was sent into a cut than waits there: the link ends, as the engine hears next, and nothing goes out any more.
    is_full: bool,
    /// The last frames of the kinds that an echo repeats, if there are echoes.
    recent: VecDeque<Bytes>,
}

/// A dial that is not answered.
#[derive(Debug)]
pub(super) struct Dial {
    end: EndId,
    socket: SocketAddr,
}

impl Host {
    pub(super) fn dial(&mut self, context: &mut Context<'_>, socket: SocketAddr) {
        self.check(context, invariants::dials::allowed(socket));
        context.figures.astray += u64::from(is_astray(socket));
        self.last_end += 1;
        let end = self.last_end;
        self.dials.push(Dial { end, socket });
        self.later(context, DIAL_TIMEOUT, What::DialTimeout { end });
        let Some(to) = host_at(socket).filter(|to| *to < context.world.hosts) else { return };
        if context.world.cuts.apply(self.id, to) || context.world.cuts.apply(to, self.id) {
            return;
        }
        let latency = context.world.latency(self.id, to);
        let what = What::Connect { end, peer: self.peer, incarnation: self.incarnation };
        self.cause(context, context.now + latency * 3, to, what);
    }

    pub(super) fn dial_timed_out(&mut self, context: &mut Context<'_>, end: EndId) {
        self.dial_failed(context, end, DialFailure::Timeout);
    }

    pub(super) fn dial_refused(&mut self, context: &mut Context<'_>, end: EndId, banned: bool) {
        self.dial_failed(context, end, if banned { DialFailure::Banned } else { DialFailure::Unreachable });
    }

    fn dial_failed(&mut self, context: &mut Context<'_>, end: EndId, reason: DialFailure) {
        let Some(dial) = self.take_dial(end) else { return };
        self.input(context, Input::DialFailed { address: dial.socket, reason });
    }

    fn take_dial(&mut self, end: EndId) -> Option<Dial> {
        let place = self.dials.iter().position(|dial| dial.end == end)?;
        Some(self.dials.swap_remove(place))
    }

    /// Somebody dials this host.
    pub(super) fn connect(
        &mut self,
        context: &mut Context<'_>,
        from: HostId,
        far: EndId,
        peer: PeerId,
        incarnation: u64,
    ) {
        if !self.is_powered || context.world.cuts.apply(self.id, from) {
            return;
        }
        let latency = context.world.latency(self.id, from);
        let banned = context.world.options.bans_at_handshake && self.bans(&peer);
        if self.engine.is_none() || banned {
            return self.cause(context, context.now + latency, from, What::Refused { end: far, banned });
        }
        self.last_end += 1;
        let end = self.last_end;
        let arrival = context.now + latency;
        self.ends.push(new_end(end, from, far, peer, latency, arrival));
        self.echo(context, from);
        let what = What::Connected { end: far, far: end, peer: self.peer, incarnation: self.incarnation };
        self.cause(context, arrival, from, what);
        let mut address = socket_of(from);
        address.set_port(32_768 + u16::try_from(end % 28_000).unwrap_or(0));
        let link = LinkId(end.into());
        self.input(context, Input::LinkUp { link, peer, incarnation, outbound: false, address: Some(address) });
    }

    /// A dial of this host was answered.
    pub(super) fn connected(
        &mut self,
        context: &mut Context<'_>,
        from: HostId,
        end: EndId,
        far: EndId,
        peer: PeerId,
        incarnation: u64,
    ) {
        let Some(dial) = self.take_dial(end) else { return self.reset(context, from, far) };
        let latency = context.world.latency(self.id, from);
        let place = self.ends.partition_point(|other| other.id < end);
        self.ends.insert(place, new_end(end, from, far, peer, latency, context.now));
        self.echo(context, from);
        let link = LinkId(end.into());
        self.input(context, Input::LinkUp { link, peer, incarnation, outbound: true, address: Some(dial.socket) });
    }

    pub(super) fn send(&mut self, context: &mut Context<'_>, link: LinkId, bytes: Bytes) {
        if self.withholds(&bytes) {
            return;
        }
        context.figures.sent(&bytes);
        let Some(place) = self.end(link) else {
            return self.check(context, invariants::live_links::dead_link(link));
        };
        self.check(context, invariants::bans::frame_to(&self.policy, &self.ends[place].peer));
        let bytes = self.twisted(context, bytes);
        let bytes = self.as_told_to(context, place, bytes);
        if context.world.options.faults.contains(&Fault::Echo) && ECHOED_KINDS.iter().any(|kind| bytes[1] == *kind) {
            let recent = &mut self.ends[place].recent;
            recent.truncate(ECHOED - 1);
            recent.push_front(bytes.clone());
        }
        self.transmit(context, place, bytes);
    }

    /// Says again to a host what was last said to it on a connection that broke, whether it had come or not.
    fn echo(&mut self, context: &mut Context<'_>, host: HostId) {
        let Some(place) = self.echoes.iter().position(|(to, _)| *to == host) else { return };
        let (_, frames) = self.echoes.swap_remove(place);
        for bytes in frames.into_iter().rev() {
            if let Some(place) = self.ends.iter().rposition(|end| end.host == host) {
                self.transmit(context, place, bytes);
            }
        }
    }

    pub(super) fn transmit(&mut self, context: &mut Context<'_>, place: usize, bytes: Bytes) {
        let world = context.world;
        let end = &mut self.ends[place];
        if end.is_full {
            return;
        }
        if world.cuts.apply(self.id, end.host) {
            end.waiting_bytes += bytes.len();
            end.waiting.push(bytes);
            if end.waiting_bytes > MOST_WAITING {
                end.is_full = true;
                end.waiting.clear();
                let end = end.id;
                self.later(context, Duration::ZERO, What::Closed { end, reason: DownReason::Overload });
            }
            return;
        }
        let mut travel = end.latency + self.random.between(Duration::ZERO, world.options.jitter);
        travel += world.cuts.detour(self.id, end.host);
        if world.options.loss > 0 {
            // Each round sends again what the last one lost.
            let (mut packets, mut repeats) = (bytes.len().div_ceil(PACKET), 0);
            while repeats < MOST_REPEATS && packets > 0 {
                packets = (0..packets).filter(|_| self.random.chance(world.options.loss)).count();
                if packets > 0 {
                    let is_first = repeats == 0;
                    travel += if is_first { end.latency * 4 + PROBE_DELAY } else { REPEAT_DELAY * (1 << repeats) / 2 };
                    repeats += 1;
                    context.figures.lost_packets += packets as u64;
                }
            }
        }
        let arrival = end.last_arrival.max(context.now + travel);
        end.last_arrival = arrival;
        let (to, what) = (end.host, What::Frame { end: end.far, far: end.id, bytes });
        self.cause(context, arrival, to, what);
    }

    pub(super) fn close(&mut self, context: &mut Context<'_>, link: LinkId, reason: CloseReason) {
        let Some(place) = self.end(link) else {
            return self.check(context, invariants::live_links::closed_twice(link));
        };
        let end = self.ends.remove(place);
        if !context.world.cuts.apply(self.id, end.host) {
            let at = end.last_arrival.max(context.now + end.latency);
            self.cause(context, at, end.host, What::Closed { end: end.far, reason: heard(reason) });
        }
    }

    pub(super) fn frame(&mut self, context: &mut Context<'_>, from: HostId, end: EndId, far: EndId, bytes: &Bytes) {
        let link = LinkId(end.into());
        if self.end(link).is_none() {
            return self.reset(context, from, far);
        }
        self.learn(context, bytes);
        self.sender = Some(from);
        self.is_taken_in = false;
        self.input(context, Input::Frame { link, bytes });
        self.sender = None;
        if !self.is_taken_in && self.engine.is_some() {
            self.is_known(context, bytes);
        }
    }

    /// A frame came that led to no verification. If a message that holds is in it, the engine takes it for known.
    fn is_known(&mut self, context: &mut Context<'_>, frame: &[u8]) {
        let Some((header, encoded)) = spread_message(context, frame) else { return };
        if header.origin == self.key.public()
            || !context.world.is_sound(&header.origin)
            || header.expires_at_micros <= self.wall(context.now).0
        {
            return;
        }
        let pool = context.world.pool.read().unwrap_or_else(PoisonError::into_inner);
        let holds = |number: &Number| pool.entry(*number).message.encoded() == &encoded;
        let Some(number) = pool.named(&header).filter(holds) else { return };
        let was_judged =
            self.judged.contains(number) || self.store.volume.messages.contains(number) || pool.is_below_floor(number);
        drop(pool);
        self.check(context, invariants::exact::is_known(number, was_judged));
    }

    pub(super) fn closed(&mut self, context: &mut Context<'_>, end: EndId, reason: DownReason) {
        let link = LinkId(end.into());
        if let Some(place) = self.end(link) {
            self.ends.remove(place);
            self.input(context, Input::LinkDown { link, reason });
        }
    }

    /// Tells another host that this one knows nothing of a connection.
    fn reset(&mut self, context: &mut Context<'_>, to: HostId, far: EndId) {
        if self.is_powered && !context.world.cuts.apply(self.id, to) {
            let at = context.now + context.world.latency(self.id, to);
            self.cause(context, at, to, What::Closed { end: far, reason: DownReason::Broken });
        }
    }

    /// Ends every connection: with resets as when a process is killed, or without a word as when the power fails.
    pub(super) fn lose_connections(&mut self, context: &mut Context<'_>, with_resets: bool) {
        self.dials.clear();
        for end in std::mem::take(&mut self.ends) {
            if with_resets {
                self.reset(context, end.host, end.far);
            }
        }
    }

    /// Breaks one connection, as a middlebox does: both ends hear of it. With `echo` the next one between the two begins
    /// with what was said on this one.
    pub(crate) fn break_connection(&mut self, context: &mut Context<'_>, choice: usize, echo: bool) {
        let Some(place) = choice.checked_rem(self.ends.len()) else { return };
        let (end, host, far) = (self.ends[place].id, self.ends[place].host, self.ends[place].far);
        if echo {
            self.echoes.push((host, std::mem::take(&mut self.ends[place].recent)));
        }
        self.reset(context, host, far);
        self.closed(context, end, DownReason::Broken);
    }

    /// After a cut has healed: what waited in the kernel is sent again.
    pub(crate) fn send_waiting(&mut self, context: &mut Context<'_>) {
        for place in 0..self.ends.len() {
            let end = &mut self.ends[place];
            if end.waiting.is_empty() || context.world.cuts.apply(self.id, end.host) {
                continue;
            }
            let noticed = context.now + self.random.between(Duration::ZERO, NOTICED_WITHIN);
            end.last_arrival = end.last_arrival.max(noticed + end.latency);
            end.waiting_bytes = 0;
            for bytes in std::mem::take(&mut end.waiting) {
                self.transmit(context, place, bytes);
            }
        }
    }

    /// The hosts that this one is connected to.
    pub(crate) fn linked_to(&self) -> Vec<HostId> {
        self.ends.iter().map(|end| end.host).collect()
    }

    /// The other ends of the links that gossip spreads on, and how many microseconds away they are.
    pub(crate) fn active_neighbours(&self, world: &World) -> Vec<(HostId, u64)> {
        self.ends.iter().map(|end| (end.host, micros(world.latency(self.id, end.host)))).collect()
    }

    fn bans(&self, peer: &PeerId) -> bool {
        !self.policy.bans.is_empty() && invariants::bans::is_banned(&self.policy, peer)
    }
}

fn new_end(id: EndId, host: HostId, far: EndId, peer: PeerId, latency: Duration, last_arrival: Micros) -> End {
    let (waiting, recent) = (Vec::new(), VecDeque::new());
    End { id, host, far, peer, latency, last_arrival, waiting, waiting_bytes: 0, is_full: false, recent }
}
