//! Who is alive: suspicions, probes, accusations and verdicts.

use super::{Draining, Engine, Turn};
use crate::{
    Address, Class, CloseReason, Event, LinkId, MemberState, Micros, Output,
    addresses::may_dial,
    bounds::{MAX_SUSPICIONS, PAUSE},
    detector::{Accusation, Heard, ProbeAnswer, ServiceStatus, Stage, Suspicion, status},
    frame::Frame,
    links::Pulse,
    membership::{Known, MemberRecord, Status},
    timers::Timer,
};
use bytes::Bytes;
use peerwright_encoding::DecodeError;
use peerwright_secure::{NodePublicKey, PeerId};
use std::net::SocketAddr;

/// A pause of this process that others may have noticed is answered before they say so. Its marks against itself.
const PAUSE_MARKS: u8 = 2;

/// Links, suspicions and probes.
impl Engine {
    /// A timer that should have run out long ago has not: this process was paused, or starved. What peers sent meanwhile
    /// has not been read yet, so their silence proves nothing.
    pub(super) fn notice_pause(&mut self, turn: &mut Turn<'_>) {
        let Some(late) = self.armed.map(|at| turn.now.since(at)).filter(|late| *late > PAUSE) else { return };
        if std::mem::replace(&mut self.detector.is_catching_up, true) {
            return;
        }
        self.armed = None;
        self.counters.members.pauses += 1;
        for link in self.links.ids() {
            if let Some(state) = self.links.get_mut(link) {
                state.last_heard = turn.now;
            }
        }
        self.detector.suspicions.clear();
        self.timers.cancel(Timer::Suspicion);
        self.detector.health.worse(turn.now, PAUSE_MARKS);
        if late > self.config.detection.suspicion_after {
            self.declare(turn, |_| {});
        }
    }

    pub(super) fn look_at_link(&mut self, turn: &mut Turn<'_>, link: LinkId) {
        let multiplier = self.detector.health.multiplier(turn.now);
        let Some(state) = self.links.get(link) else { return };
        let (peer, settings) = (state.peer, self.config.detection);
        match state.pulse(turn.now, &settings, multiplier) {
            Pulse::Ended => return self.close(turn, link, CloseReason::Unreachable),
            Pulse::Suspect => self.suspect(turn, peer, Some(link)),
            Pulse::Idle => self.send(turn, link, &Frame::Keepalive { sent: turn.now.0 }, Class::Control),
            Pulse::Alive => {}
        }
        if let Some(state) = self.links.get(link) {
            let at = state.next_look(turn.now, &settings, multiplier);
            self.timers.set(Timer::Link(link), at);
        }
    }

    /// A peer's connection broke. It is dialled at once, unless it breaks again and again.
    pub(super) fn lost(&mut self, turn: &mut Turn<'_>, peer: PeerId, had_settled: bool) {
        self.suspect(turn, peer, None);
        let is_dialled = had_settled && self.dial_to_probe(turn, &peer, None);
        if let Some(suspicion) = self.detector.suspicions.get_mut(&peer) {
            suspicion.is_direct_way_lost = !is_dialled;
            if suspicion.is_hopeless() && had_settled {
                self.end_suspicion(turn, &peer);
            }
        }
    }

    /// A peer is not heard, or its connection broke: finds out whether anybody else hears it.
    pub(super) fn suspect(&mut self, turn: &mut Turn<'_>, peer: PeerId, link: Option<LinkId>) {
        if let Some(state) = link.and_then(|link| self.links.get_mut(link)) {
            state.suspect_from = turn.now + self.config.detection.suspicion_after;
        }
        let is_watched = self.members.table.of_peer(&peer).is_some_and(|known| known.state == MemberState::Alive);
        if !is_watched
            || self.draining != Draining::No
            || self.bans.is_banned(&peer)
            || self.detector.suspicions.contains_key(&peer)
            || self.detector.suspicions.len() >= MAX_SUSPICIONS
        {
            return;
        }
        self.counters.members.suspicions += 1;
        let probe = self.next_token().0;
        let waiting = self.ask_others(turn, &peer, probe);
        if let Some(link) = link {
            self.send(turn, link, &Frame::Keepalive { sent: turn.now.0 }, Class::Control);
        }
        let due = turn.now + self.config.detection.probe_timeout * self.detector.health.multiplier(turn.now);
        let asked = waiting.len();
        let suspicion = Suspicion { probe, since: turn.now, due, waiting, asked, is_direct_way_lost: false };
        self.detector.suspicions.insert(peer, suspicion);
        self.timers.set_no_later(Timer::Suspicion, due);
    }

    /// Asks some neighbours, drawn by lot among those that were heard lately, to probe a member.
    fn ask_others(&mut self, turn: &mut Turn<'_>, subject: &PeerId, number: u64) -> Vec<LinkId> {
        let settings = self.config.detection;
        let is_of_use = |link: &LinkId| {
            self.links.get(*link).is_some_and(|link| link.peer != *subject && !link.is_silent(turn.now, &settings))
        };
        let mut candidates: Vec<LinkId> = self.active_links().iter().copied().filter(is_of_use).collect();
        let mut asked = Vec::new();
        while asked.len() < settings.indirect_probes && !candidates.is_empty() {
            let lot = usize::try_from(self.random.below(candidates.len() as u64)).unwrap_or(0);
            asked.push(candidates.swap_remove(lot));
        }
        for link in &asked {
            self.counters.members.probes += 1;
            self.send(turn, *link, &Frame::Probe { number, subject: *subject }, Class::Control);
        }
        asked
    }

    /// Whether a dial to a member was begun, or is under way, to see whether it is alive.
    fn dial_to_probe(&mut self, turn: &mut Turn<'_>, peer: &PeerId, asker: Option<(LinkId, u64)>) -> bool {
        let known = self.members.table.of_peer(peer).filter(|known| !known.state.is_gone());
        let Some(socket) = known.and_then(|known| known.record.address) else { return false };
        if self.draining != Draining::No || self.bans.is_banned(peer) || self.bans.is_banned(&self.own) {
            return false;
        }
        // A member's own word is a stranger's, unless it was met there.
        let is_safe = may_dial(&socket, &self.config.addresses.own_ranges).is_ok();
        if !is_safe && self.book.peer_at(&socket) != Some(*peer) {
            return false;
        }
        let Some(is_new) = self.detector.asked.begin(turn.now, *peer, socket, asker) else { return false };
        if is_new && !self.book.is_dialling(&socket) {
            turn.out.push(Output::Dial { address: Address { host: socket.ip().to_string(), socket } });
        }
        true
    }

    /// A neighbour asks whether this node reaches a member.
    pub(super) fn probe(&mut self, turn: &mut Turn<'_>, link: LinkId, number: u64, subject: PeerId) {
        let settings = self.config.detection;
        let has_live_link = self
            .links
            .of_peer(&subject)
            .and_then(|link| self.links.get(link))
            .is_some_and(|link| turn.now.since(link.last_heard) <= settings.suspicion_after);
        if subject == self.own || has_live_link {
            return self.send(turn, link, &Frame::Probed { number, answer: ProbeAnswer::Alive }, Class::Control);
        }
        if !self.dial_to_probe(turn, &subject, Some((link, number))) {
            self.send(turn, link, &Frame::Probed { number, answer: ProbeAnswer::Unknown }, Class::Control);
        }
    }

    /// A neighbour answers a probe.
    pub(super) fn probed(&mut self, turn: &mut Turn<'_>, link: LinkId, number: u64, answer: ProbeAnswer) {
        let found = self.detector.suspicions.iter_mut().find(|(_, suspicion)| suspicion.probe == number);
        let Some((peer, suspicion)) = found.filter(|(_, suspicion)| suspicion.waiting.contains(&link)) else { return };
        let peer = *peer;
        suspicion.waiting.retain(|waiting| *waiting != link);
        if answer == ProbeAnswer::Alive {
            self.detector.suspicions.remove(&peer);
        } else if suspicion.is_hopeless() {
            self.end_suspicion(turn, &peer);
        }
    }

    /// A dial ended that was to see whether somebody is alive. `reached` is who answered.
    pub(super) fn probe_dial_ended(&mut self, turn: &mut Turn<'_>, address: &SocketAddr, reached: Option<&PeerId>) {
        let Some((peer, askers)) = self.detector.asked.ended(address) else { return };
        let answer = if reached == Some(&peer) { ProbeAnswer::Alive } else { ProbeAnswer::Silent };
        for (link, number) in askers {
            self.send(turn, link, &Frame::Probed { number, answer }, Class::Control);
        }
        if answer == ProbeAnswer::Alive {
            self.detector.suspicions.remove(&peer);
        } else if let Some(suspicion) = self.detector.suspicions.get_mut(&peer) {
            suspicion.is_direct_way_lost |= self.links.of_peer(&peer).is_none();
            if suspicion.is_hopeless() {
                self.end_suspicion(turn, &peer);
            }
        }
    }

    /// Suspicions whose time for answers is over.
    pub(super) fn suspicions_due(&mut self, turn: &mut Turn<'_>) {
        let is_due = |suspicion: &Suspicion| suspicion.due <= turn.now;
        let due: Vec<PeerId> =
            self.detector.suspicions.iter().filter(|(_, one)| is_due(one)).map(|(peer, _)| *peer).collect();
        for peer in due {
            self.end_suspicion(turn, &peer);
        }
        match self.detector.suspicions.values().map(|suspicion| suspicion.due).min() {
            Some(at) => self.timers.set(Timer::Suspicion, at),
            None => self.timers.cancel(Timer::Suspicion),
        }
    }

    /// Accuses a peer that nobody reached, unless it was heard meanwhile.
    fn end_suspicion(&mut self, turn: &mut Turn<'_>, peer: &PeerId) {
        let Some(suspicion) = self.detector.suspicions.remove(peer) else { return };
        let heard = self.links.of_peer(peer).and_then(|link| self.links.get(link)).map(|link| link.last_heard);
        if heard.is_some_and(|at| at > suspicion.since) {
            return;
        }
        let has_fallen_silent = |link: &LinkId| {
            let heard = self.links.get(*link).map(|link| link.last_heard);
            heard.is_none_or(|at| turn.now.since(at) >= self.config.detection.suspicion_after)
        };
        if suspicion.is_lonely(has_fallen_silent) {
            self.detector.health.worse(turn.now, 1);
        }
        let Some(known) = self.members.table.of_peer(peer).filter(|known| known.state == MemberState::Alive) else {
            return;
        };
        let accuser = beginning(&self.own_key);
        if self.detector.cases.hear(known.number, accuser) != Heard::News {
            return;
        }
        self.counters.members.accused += 1;
        let said = Accusation { subject: known.record.key, edition: known.record.edition, accuser: self.own_key };
        let bytes = said.sign(&self.config.key);
        self.accusation(turn, None, &bytes);
    }

    /// A link to a member is up: it is alive, and hears what others say of it.
    pub(super) fn reached(&mut self, turn: &mut Turn<'_>, link: LinkId, peer: PeerId) {
        self.detector.suspicions.remove(&peer);
        let Some(known) = self.members.table.of_peer(&peer) else { return };
        if known.state == MemberState::Left {
            return;
        }
        let evidence = self.detector.cases.close(known.number).and_then(|case| case.evidence);
        if let Some(evidence) = evidence {
            self.send(turn, link, &Frame::Accusations { statements: vec![&evidence] }, Class::Control);
        }
        match self.members.table.set_state(known.number, MemberState::Alive) {
            Some(MemberState::Unreachable) => turn.out.event(Event::MemberReachable { peer }),
            Some(_) => turn.out.event(Event::MemberJoined { peer }),
            None => {}
        }
        self.await_cases();
    }
}

/// Accusations and verdicts.
impl Engine {
    /// Whether an accusation is worth its verification.
    pub(super) fn is_news(&self, bytes: &[u8]) -> Result<bool, DecodeError> {
        let said = match Accusation::decode(bytes) {
            // A newer format.
            Err(DecodeError::Unknown { what: "accusation format", .. }) => return Ok(false),
            read => read?,
        };
        Ok(self.weigh(&said).is_some())
    }

    /// The accused member as it is known, when the accusation is about what is known of it, and is news.
    fn weigh(&self, said: &Accusation) -> Option<Known> {
        let known = self.members.table.of_key(&said.subject)?;
        if known.record.edition != said.edition || said.subject == said.accuser {
            return None;
        }
        if self.members.is_own(known.number) {
            return Some(known);
        }
        let accuser = self.members.table.of_key(&said.accuser).filter(|accuser| !accuser.state.is_gone())?;
        let is_heard = known.state == MemberState::Alive
            && self.detector.cases.hear(known.number, beginning(&accuser.record.key)) == Heard::News;
        is_heard.then_some(known)
    }

    /// An accusation verified, or is this node's own.
    pub(super) fn accusation(&mut self, turn: &mut Turn<'_>, from: Option<LinkId>, bytes: &Bytes) {
        let Ok(said) = Accusation::decode(bytes) else { return };
        let Some(known) = self.weigh(&said) else { return };
        if self.members.is_own(known.number) {
            return self.refute(turn, &PeerId::of(&said.accuser));
        }
        self.counters.members.accusations += u64::from(from.is_some());
        let standing = self.config.detection.standing_among(self.members.table.present());
        let index = self.members.table.index();
        let evidence = || index.share(bytes);
        self.detector.cases.accuse(turn.now, known.number, beginning(&said.accuser), standing, evidence);
        self.await_cases();
        self.members.spread.accusation(bytes.clone(), from);
        self.await_spread(turn, true);
        // Who is accused hears it from here at once when there is a link, and can answer.
        let subject = self.links.of_peer(&PeerId::of(&said.subject)).filter(|link| Some(*link) != from);
        if let Some(link) = subject {
            self.send(turn, link, &Frame::Accusations { statements: vec![bytes] }, Class::Control);
        }
    }

    /// This node was accused, and answers. If the accuser has had a link here all the while, this node may have been slow;
    /// if not, a cable was cut, which says nothing of this node.
    fn refute(&mut self, turn: &mut Turn<'_>, accuser: &PeerId) {
        if self.draining == Draining::Done {
            return;
        }
        self.counters.members.refutations += 1;
        let link = self.links.of_peer(accuser).and_then(|link| self.links.get(link));
        if link.is_some_and(|link| turn.now.since(link.since) > self.config.detection.suspicion_after) {
            self.detector.health.worse(turn.now, 1);
        }
        let version = self.declare(turn, |_| {});
        turn.out.event(Event::Refuted { version });
    }

    /// A newer record of a member came: what it was accused of is over. Gives whether it was accused.
    pub(super) fn settle_case(
        &mut self,
        turn: &mut Turn<'_>,
        number: u32,
        record: &MemberRecord,
        before: Option<&Known>,
    ) -> bool {
        let Some(case) = self.detector.cases.close(number) else { return false };
        self.await_cases();
        let is_same_life = before.is_some_and(|before| {
            before.record.edition.incarnation == record.edition.incarnation && record.status == Status::Alive
        });
        // What has stood for its time was so: others did not hear the member either.
        let was_early = case.stage == Stage::Accused;
        if was_early && is_same_life && case.accusers().contains(&beginning(&self.own_key)) {
            self.counters.members.false_alarms += 1;
            self.detector.health.worse(turn.now, 1);
        }
        true
    }

    pub(super) fn await_cases(&mut self) {
        match self.detector.cases.next_due() {
            Some(at) => self.timers.set(Timer::Case, at),
            None => self.timers.cancel(Timer::Case),
        }
    }

    /// Brings further the cases whose time has come.
    pub(super) fn cases_due(&mut self, turn: &mut Turn<'_>) {
        let due = self.detector.cases.take_due(turn.now);
        let mut due: Vec<(PeerId, u32)> = {
            let index = self.members.table.index().lock();
            due.into_iter().filter_map(|number| Some((index.member(number)?.peer, number))).collect()
        };
        due.sort_unstable();
        for (peer, number) in due {
            match self.detector.cases.get(number).map(|case| (case.stage, case.since)) {
                Some((Stage::Accused, since)) => self.judge(turn, &peer, number, since),
                Some((Stage::Unreachable, _)) => self.bury(turn, peer, number),
                Some((Stage::Gone, _)) => self.forget_member(number),
                None => {}
            }
        }
        self.await_cases();
    }

    /// An accusation has stood for its time.
    fn judge(&mut self, turn: &mut Turn<'_>, peer: &PeerId, number: u32, since: Micros) {
        let settings = self.config.detection;
        let present = self.members.table.present();
        let link = self.links.of_peer(peer);
        // Who is heard here is alive, whatever others say; it was told and will answer them.
        if link.and_then(|link| self.links.get(link)).is_some_and(|link| link.last_heard > since) {
            let again = turn.now + settings.standing_among(present);
            return self.detector.cases.advance(number, Stage::Accused, again);
        }
        let accusers = self.detector.cases.get(number).map_or(0, |case| case.accusers().len());
        self.detector.cases.advance(number, Stage::Unreachable, turn.now + settings.dead_after_among(present));
        self.members.table.set_state(number, MemberState::Unreachable);
        self.counters.members.became_unreachable += 1;
        self.detector.status_is_due |= self.members.certified.contains(peer);
        turn.out.event(Event::MemberUnreachable { peer: *peer, accusers });
        if let Some(link) = link {
            self.close(turn, link, CloseReason::Unreachable);
        }
    }

    /// An unreachable member has not answered for its time.
    fn bury(&mut self, turn: &mut Turn<'_>, peer: PeerId, number: u32) {
        self.counters.members.died += 1;
        self.members.table.set_state(number, MemberState::Dead);
        self.detector.status_is_due |= self.members.certified.remove(&peer);
        let until = turn.now + self.config.membership.remember_gone;
        self.detector.cases.advance(number, Stage::Gone, until);
        turn.out.event(Event::MemberDead { peer });
    }

    /// Whether a peer that this node has certified is of use now.
    pub(super) fn is_healthy(&self, peer: &PeerId) -> bool {
        let is_reached = self.links.of_peer(peer).is_some()
            || self.members.table.of_peer(peer).is_some_and(|known| known.state == MemberState::Alive);
        is_reached && !self.bans.is_banned(peer)
    }

    /// How many certified peers there are that are not banned, and how many of them are healthy.
    pub(super) fn healthy_peers(&self) -> (usize, usize) {
        let known = self.members.certified.iter().filter(|peer| !self.bans.is_banned(peer));
        (known.clone().filter(|peer| self.is_healthy(peer)).count(), known.count())
    }

    /// Looks whether there are enough healthy peers, when something happened that may have changed it.
    pub(super) fn look_at_status(&mut self, turn: &mut Turn<'_>) {
        if !std::mem::take(&mut self.detector.status_is_due) {
            return;
        }
        let (healthy, known) = self.healthy_peers();
        let now: ServiceStatus = status(healthy, known, self.config.detection.minimum_healthy_peers);
        if std::mem::replace(&mut self.detector.status, now) != now {
            turn.out.event(Event::ServiceStatusChanged { status: now });
        }
    }
}

/// How an accuser is remembered.
fn beginning(key: &NodePublicKey) -> u64 {
    key.as_bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}
