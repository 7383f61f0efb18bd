//! Members: what comes in of them, and what is passed on.

use super::{Engine, Turn};
use crate::{
    Class, CloseReason, Event, LinkId, MemberState, Output, Statement, Token,
    bounds::MAX_FRAME_STATEMENTS,
    frame::Frame,
    membership::{Edition, Job, Known, MemberRecord, Pledge, Sight, Status, fingerprint},
    timers::Timer,
};
use bytes::Bytes;
use peerwright_secure::PeerId;
use std::{net::SocketAddr, sync::Arc};

/// A statement that came and that is not known here.
struct Fresh<'b> {
    bytes: &'b [u8],
    /// A copy that another engine of this process keeps, and its fingerprint.
    shared: Option<(Bytes, u64)>,
}

impl Engine {
    /// Says for the first time in this life who this node is.
    pub(super) fn begin_membership(&mut self, turn: &mut Turn<'_>) {
        let record = MemberRecord {
            key: self.own_key,
            edition: Edition { incarnation: self.config.incarnation, version: 1 },
            role: self.config.role,
            status: Status::Alive,
            address: self.config.advertised,
        };
        self.members.declare(record, &self.config.key);
        self.members.next_comparison = turn.now + self.random.around(self.config.membership.reconcile_interval);
        self.timers.set(Timer::Reconcile, self.members.next_comparison);
    }

    /// Where this node takes links has changed.
    pub(super) fn advertise(&mut self, turn: &mut Turn<'_>, address: Option<SocketAddr>) {
        self.config.advertised = address;
        if self.members.own.as_ref().is_some_and(|own| own.record.address != address) {
            self.declare(turn, |record| record.address = address);
        }
    }

    /// Replaces what this node says of itself, and tells everybody. Gives the version.
    pub(super) fn declare(&mut self, turn: &mut Turn<'_>, change: impl FnOnce(&mut MemberRecord)) -> u32 {
        let Some(own) = self.members.own.as_ref() else { return 0 };
        let mut record = own.record;
        record.edition.version = record.edition.version.saturating_add(1);
        change(&mut record);
        let (number, fingerprint) = self.members.declare(record, &self.config.key);
        self.spread_record(turn, number, fingerprint, 0, true);
        record.edition.version
    }

    /// This node is about to close its links for good.
    pub(super) fn say_goodbye(&mut self, turn: &mut Turn<'_>) {
        self.declare(turn, |record| record.status = Status::Leaving);
        self.flush_spread(turn);
    }

    pub(super) fn members_link_up(&mut self, turn: &mut Turn<'_>, link: LinkId, peer: PeerId, outbound: bool) {
        self.members.spread.link_up(link);
        self.members.certified.insert(peer);
        self.detector.status_is_due = true;
        if let Some(own) = self.members.own.as_ref().map(|own| own.number) {
            self.send_records(turn, link, &[own], Class::Control);
        }
        self.reached(turn, link, peer);
        // One end is enough to find what differs.
        if outbound {
            self.compare_soon(turn, link);
        }
    }

    pub(super) fn members_link_down(&mut self, turn: &mut Turn<'_>, link: LinkId, peer: &PeerId) {
        let bit = self.members.spread.link_down(link);
        self.members.verifying.link_down(bit);
        self.members.fresh.remove(&link);
        if self.members.wanted.link_down(link, bit) {
            self.compare_with_another(turn);
        }
        self.members.served.remove(&link);
        self.detector.status_is_due = true;
        if self.members.table.of_peer(peer).is_none_or(|known| known.state.is_gone()) {
            self.members.certified.remove(peer);
        }
        if self.members.session.take_if(|session| session.link == link).is_some() && !self.members.fresh.is_empty() {
            self.timers.set(Timer::Reconcile, turn.now);
        }
    }

    /// Records came. What is known costs one look each; the rest goes to the verifier, all of a frame at once.
    pub(super) fn records(&mut self, turn: &mut Turn<'_>, link: LinkId, statements: &[&[u8]]) {
        let (mut fresh, mut known, mut gone, mut malformed) = (Vec::new(), Vec::new(), Vec::new(), None);
        let index = self.members.table.index().clone();
        let index = index.lock();
        let counters = &mut self.counters.members;
        // All of one look-up before any of the next: the processor then waits for the memory of many at once.
        let members: Vec<_> = statements.iter().map(|statement| index.number_of_subject(statement)).collect();
        for (statement, member) in statements.iter().zip(members) {
            match self.members.table.sight(&index, statement, member) {
                Sight::Newer => {
                    let shared = member.and_then(|member| index.latest(member, statement));
                    let shared = shared.map(|(_, row)| (row.bytes.clone(), row.fingerprint));
                    fresh.push(Fresh { bytes: statement, shared });
                }
                Sight::Known(number) => known.push(number),
                Sight::Older(_) => counters.duplicates += 1,
                Sight::Gone(number) => {
                    counters.refused_gone += 1;
                    gone.push(number);
                }
                Sight::Conflict => counters.conflicts += 1,
                Sight::Unsupported => counters.unsupported += 1,
                Sight::Malformed => malformed = Some(*statement),
            }
        }
        counters.duplicates += known.len() as u64;
        self.members.spread.has(&self.members.table, &known, link);
        drop(index);
        if let Some(statement) = malformed {
            return self.malformed(turn, link, statement);
        }
        self.in_session(turn.now, link);
        self.tell_gone(turn, link, &gone);
        if !fresh.is_empty() {
            self.verify_statements(turn, link, &fresh, Statement::Record);
        }
    }

    /// Accusations came.
    pub(super) fn accusations(&mut self, turn: &mut Turn<'_>, link: LinkId, statements: &[&[u8]]) {
        let mut fresh = Vec::new();
        for statement in statements {
            match self.is_news(statement) {
                Ok(true) => fresh.push(Fresh { bytes: statement, shared: None }),
                Ok(false) => {}
                Err(_) => return self.malformed(turn, link, statement),
            }
        }
        if !fresh.is_empty() {
            self.verify_statements(turn, link, &fresh, Statement::Accusation);
        }
    }

    fn verify_statements(
        &mut self,
        turn: &mut Turn<'_>,
        link: LinkId,
        statements: &[Fresh<'_>],
        of: fn(Bytes) -> Statement,
    ) {
        let mut job = Job { link, since: turn.now, statements: Vec::with_capacity(statements.len()) };
        let unknown = statements.iter().filter(|fresh| fresh.shared.is_none());
        let mut rest = Bytes::from(unknown.map(|fresh| fresh.bytes).collect::<Vec<_>>().concat());
        for Fresh { bytes, shared } in statements {
            let (statement, fingerprint) = match shared {
                Some((bytes, fingerprint)) => (of(bytes.clone()), *fingerprint),
                None => {
                    let bytes = rest.split_to(bytes.len());
                    let fingerprint = fingerprint(&bytes);
                    let statement = of(bytes);
                    if !statement.is_readable() {
                        self.members.verifying.abandon(&job);
                        return self.malformed(turn, link, statement.bytes());
                    }
                    (statement, fingerprint)
                }
            };
            if !self.members.verifying.has_room() {
                self.dropped(turn, "statements_full");
                break;
            }
            if self.members.verifying.begin(fingerprint) {
                let has = self.members.wanted.came(fingerprint);
                job.statements.push(Pledge { statement, fingerprint, has });
            } else {
                self.counters.members.duplicates += 1;
            }
        }
        if !job.statements.is_empty() {
            let token = self.next_token();
            let statements = job.statements.iter().map(|pledge| pledge.statement.clone()).collect();
            self.members.verifying.sent(token, job);
            turn.out.push(Output::VerifyStatements { token, link, statements });
        }
    }

    pub(super) fn statements_verified(&mut self, turn: &mut Turn<'_>, token: Token, valid: bool) {
        let Some(job) = self.members.verifying.take(token) else { return };
        if !valid {
            // Nobody passes on what does not verify.
            self.counters.members.invalid += 1;
            let said: Vec<&[u8]> = job.statements.iter().map(|pledge| pledge.statement.bytes().as_ref()).collect();
            return self.convict_link(turn, job.link, None, &said.concat());
        }
        for pledge in &job.statements {
            match &pledge.statement {
                Statement::Record(bytes) => self.record(turn, job.link, bytes, pledge),
                Statement::Accusation(bytes) => self.accusation(turn, Some(job.link), bytes),
            }
        }
    }

    /// A record verified.
    fn record(&mut self, turn: &mut Turn<'_>, link: LinkId, bytes: &Bytes, pledge: &Pledge) {
        let (sight, member, shared) = {
            let index = self.members.table.index().lock();
            let member = index.number_of_subject(bytes);
            let sight = self.members.table.sight(&index, bytes, member);
            let latest =
                member.and_then(|member| Some((index.latest(member, bytes)?.1.record, index.member(member)?.peer)));
            (sight, member, latest)
        };
        if sight != Sight::Newer {
            self.counters.members.duplicates += 1;
            return;
        }
        let read = || MemberRecord::decode(bytes).ok().map(|record| (record, PeerId::of(&record.key)));
        let Some((record, peer)) = shared.or_else(read) else { return };
        if record.key == self.own_key {
            // A former life of this node is older than what is known; so this is another process.
            let incarnation = record.edition.incarnation;
            return turn.out.event(Event::DuplicateIdentity { origin: self.own_key, incarnation });
        }
        if self.members.retired.contains(&peer) {
            self.counters.members.refused_gone += 1;
            return;
        }
        let is_known = member.is_some_and(|member| self.members.table.knows(member));
        if !is_known && self.members.table.is_full() && !self.make_room_for(&peer) {
            self.counters.members.refused_full += 1;
            return;
        }
        self.counters.members.accepted += 1;
        let (number, before) = self.members.table.put(record, bytes, pledge.fingerprint);
        let was_accused = self.settle_case(turn, number, &record, before.as_ref());
        self.tell_change(turn, peer, &record, before.as_ref());
        if record.status == Status::Leaving {
            self.members.certified.remove(&peer);
            self.detector.cases.left(turn.now, number, turn.now + self.config.membership.remember_gone);
            self.await_cases();
        }
        self.detector.status_is_due |= self.members.certified.contains(&peer) || record.status == Status::Leaving;
        let has = pledge.has | self.members.spread.mask(Some(link));
        self.spread_record(turn, number, pledge.fingerprint, has, was_accused || record.status == Status::Leaving);
    }

    fn tell_change(&mut self, turn: &mut Turn<'_>, peer: PeerId, record: &MemberRecord, before: Option<&Known>) {
        let was_present = before.is_some_and(|before| !before.state.is_gone());
        match (record.status, before) {
            (Status::Leaving, _) if was_present => turn.out.event(Event::MemberLeft { peer }),
            (Status::Leaving, _) => {}
            (Status::Alive, Some(before)) if was_present => {
                if before.state == MemberState::Unreachable {
                    turn.out.event(Event::MemberReachable { peer });
                }
                let said = |record: &MemberRecord| (record.edition.incarnation, record.role, record.address);
                if said(&before.record) != said(record) {
                    turn.out.event(Event::MemberUpdated { peer, incarnation: record.edition.incarnation });
                }
            }
            (Status::Alive, _) => {
                turn.out.event(Event::MemberJoined { peer });
                // Somebody to dial, where neighbours lack.
                self.redial(turn);
            }
        }
    }

    /// Whether room was made for a member: only for one with a live link, whom this node has certified.
    fn make_room_for(&mut self, newcomer: &PeerId) -> bool {
        if self.links.of_peer(newcomer).is_none() {
            return false;
        }
        let least = {
            let index = self.members.table.index().lock();
            let hearsay = |(peer, number): &(PeerId, u32)| {
                !self.members.certified.contains(peer) && !self.members.is_own(*number)
            };
            index
                .by_peer()
                .filter(hearsay)
                .filter(|(_, number)| self.members.table.known(&index, *number).is_some())
                .last()
        };
        if let Some((_, number)) = least {
            self.forget_member(number);
        }
        least.is_some()
    }

    pub(super) fn forget_member(&mut self, number: u32) {
        self.detector.cases.close(number);
        self.members.spread.forget(&mut self.members.table, number);
        self.members.table.forget(number);
    }

    /// Ids that stand for nobody any more.
    pub(super) fn retire(&mut self, turn: &mut Turn<'_>, retired: &[PeerId]) {
        self.members.retired = retired.iter().copied().collect();
        for peer in retired {
            if let Some(known) = self.members.table.of_peer(peer).filter(|known| !self.members.is_own(known.number)) {
                self.forget_member(known.number);
                self.members.certified.remove(peer);
                turn.out.event(Event::MemberRetired { peer: *peer });
            }
            if let Some(link) = self.links.of_peer(peer) {
                self.close(turn, link, CloseReason::Retired);
            }
        }
        self.detector.status_is_due = true;
    }

    pub(super) fn send_records(&mut self, turn: &mut Turn<'_>, link: LinkId, members: &[u32], class: Class) {
        for some in members.chunks(MAX_FRAME_STATEMENTS) {
            let frame = {
                let (index, table) = (self.members.table.index().lock(), &self.members.table);
                let statements = some.iter().filter_map(|number| table.bytes(&index, *number)).collect();
                Frame::Records { statements }.encode()
            };
            self.send_encoded(turn, link, frame, class);
        }
    }

    /// A neighbour speaks of members that are gone: it is told why.
    pub(super) fn tell_gone(&mut self, turn: &mut Turn<'_>, link: LinkId, gone: &[u32]) {
        let left: Vec<u32> = gone
            .iter()
            .copied()
            .filter(|number| self.detector.cases.get(*number).is_some_and(|case| case.evidence.is_none()))
            .collect();
        self.send_records(turn, link, &left, Class::Gossip);
        let evidence = |number: &u32| self.detector.cases.get(*number).and_then(|case| case.evidence.clone());
        let dead: Vec<Arc<[u8]>> = gone.iter().filter_map(evidence).collect();
        for some in dead.chunks(MAX_FRAME_STATEMENTS) {
            let statements = some.iter().map(AsRef::as_ref).collect();
            self.send(turn, link, &Frame::Accusations { statements }, Class::Gossip);
        }
    }
}
