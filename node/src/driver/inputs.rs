//! What links say and what the rest of the node asks, as inputs of the engine.

use super::{Command, Driver, command};
use crate::{
    link::LinkEvent,
    mutant::{Mutant, is_mutant},
    telemetry::PEER_PORT,
    tls::Direction,
};
use peerwright_engine::{DialFailure, Input, LinkId, PeerCertificate, Token};
use peerwright_secure::MemberCertificate;
use std::sync::Arc;

impl Driver {
    pub(super) fn take_link_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Up { link, queue, member, incarnation, outbound, address } => {
                let (peer, node) = (member.peer_id, member.spiffe.node());
                tracing::debug!(%peer, node, link = link.0, outbound, "Hello was answered");
                self.links.insert(link, queue);
                self.link_count.send_replace(self.links.len());
                self.take(Input::LinkUp { link, peer, incarnation, outbound, address: Some(address) });
                // Bans and audiences may name what the connection has proved of the peer.
                self.take_certificate(Some(link), &member);
            }
            LinkEvent::Frame { link, payload } => {
                // A frame that was on its way when the engine closed the link.
                if self.links.contains_key(&link) {
                    self.take(Input::Frame { link, bytes: &payload });
                }
            }
            LinkEvent::Down { link, reason } => {
                if self.forget_link(link).is_some() {
                    self.take(Input::LinkDown { link, reason });
                }
            }
            LinkEvent::DialFailed { address, reason, code } => {
                if !matches!(reason, DialFailure::Unreachable | DialFailure::Timeout | DialFailure::BreakerOpen) {
                    self.telemetry.handshake_refused(PEER_PORT, Direction::Outbound.label(), code);
                }
                self.take(Input::DialFailed { address, reason });
            }
        }
    }

    fn take_certificate(&mut self, of: Option<LinkId>, member: &MemberCertificate) {
        let certificate = PeerCertificate { spiffe: member.spiffe.clone(), fingerprint: member.fingerprint };
        self.take(Input::Certificate { of, certificate });
    }

    pub(super) fn take_own_certificate(&mut self, own: Option<Arc<MemberCertificate>>) {
        if let Some(own) = own {
            self.take_certificate(None, &own);
        }
    }

    pub(super) fn take_command(&mut self, command: Command) {
        match command {
            Command::Submit { register, id, transaction, reply } => {
                let token = Token(self.next_token);
                self.next_token += 1;
                if is_mutant(Mutant::AnswersUnstored) {
                    let _ = reply.send(Ok(()));
                } else {
                    self.replies.insert(token, reply);
                }
                self.take(Input::Submit { token, register, id, transaction });
            }
            Command::LocalBans { bans, done } => {
                self.take(Input::LocalBans(bans));
                // Whoever asked may have left.
                let _ = done.send(());
            }
            Command::LiftAutoBan { peer, done } => {
                self.take(Input::LiftAutoBan { peer });
                let _ = done.send(());
            }
            Command::LetGo { gone } => self.take(Input::Gone(gone)),
            Command::Misbehaved { peer, evidence } => self.take(Input::Misbehaved { peer, evidence }),
            Command::ResetFailures { peer, reply } => {
                let rows = self.engine.addresses().into_iter().filter(|row| row.peer == Some(peer));
                let previous = rows.map(|row| row.failures).max().unwrap_or(0);
                // A dial that an open breaker refuses is none.
                self.dialler.paths().reset(&peer);
                self.take(Input::ResetFailures { peer });
                let _ = reply.send(previous);
            }
            Command::View { reply } => {
                let breakers = self.dialler.paths().statistics();
                drop(reply.send(command::view(&self.engine, breakers, self.clock.now())));
            }
            Command::Members { reply } => drop(reply.send((self.engine.service_status(), self.engine.members()))),
            Command::Advertisements { reply } => drop(reply.send(self.engine.advertisements())),
            Command::Holders { register, reply } => drop(reply.send(self.engine.holders(&register))),
            Command::Drain { done } => {
                self.drained.push(done);
                self.take(Input::Drain);
                self.tell_drained();
            }
        }
    }
}
