//! Carries out what the engine asks.

use super::{Clock, Driver, events::log, storage::Job, verifier::Question};
use crate::auto_bans;
use peerwright_engine::{AutoBan, Class, CloseReason, Event, LinkId, Output};
use std::net::SocketAddr;

impl Driver {
    /// Does everything that the engine has put out, in order.
    pub(super) fn perform(&mut self) {
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain() {
            self.do_one(output);
        }
        // The emptied list keeps its room for the next turn.
        self.outputs = outputs;
        self.storage.flush();
    }

    fn do_one(&mut self, output: Output) {
        match output {
            Output::Dial { address } => {
                self.tasks.spawn(self.dialler.clone().run(address));
            }
            Output::Close { link, reason } => self.close(link, reason),
            Output::Send { link, bytes, class } => self.send(link, bytes, class),
            Output::ArmTimer { at } => self.armed = Some(at),
            Output::Verify { token, link, message } => self.verifier.push(token, link, Question::Message(message)),
            Output::VerifyStatements { token, link, statements } => {
                self.verifier.push(token, link, Question::Statements(statements));
            }
            Output::Append { token, messages } => self.storage.push(Job::Append { token, messages }),
            Output::ReadHeld { token, registers } => self.storage.push(Job::ReadHeld { token, registers }),
            Output::ReadAdvertisements { token } => {
                let (registers, membership) = (self.registers.clone(), self.membership.clone());
                self.storage.push(Job::ReadAdvertisements { token, registers, membership });
            }
            Output::ReadMessages { token, ranges, max_messages, max_bytes } => {
                self.storage.push(Job::ReadMessages { token, ranges, max_messages, max_bytes });
            }
            Output::StoreBody { token, register, id, bytes } => {
                self.storage.push(Job::StoreBody { token, register, id, bytes });
            }
            Output::ReadChunk { token, id, offset, length, .. } => {
                self.storage.push(Job::ReadChunk { token, id, offset, length });
            }
            Output::KeepAutoBans { bans } => self.keep_auto_bans(&bans),
            Output::Anchors { addresses } => self.keep_neighbours(addresses),
            Output::Accepted { token } => self.reply(token, Ok(())),
            Output::Refused { token, reason } => self.reply(token, Err(reason)),
            Output::Event(event) => self.note(&event),
        }
    }

    /// Handshakes are refused at once; the document follows.
    fn keep_auto_bans(&mut self, bans: &[AutoBan]) {
        self.membership.replace_automatic_bans(auto_bans::in_force(bans, Clock::wall().seconds()));
        match auto_bans::document(bans) {
            Ok(bytes) => self.storage.push(Job::PutDocument { name: auto_bans::DOCUMENT, bytes }),
            Err(error) => tracing::error!(%error, "automatic bans cannot be written down"),
        }
    }

    fn close(&mut self, link: LinkId, reason: CloseReason) {
        if let Some(queue) = self.forget_link(link) {
            let at_once = matches!(reason, CloseReason::Banned | CloseReason::BadSignature | CloseReason::Malformed);
            queue.close(reason.label(), at_once);
        }
    }

    fn send(&mut self, link: LinkId, bytes: bytes::Bytes, class: Class) {
        let Some(queue) = self.links.get(&link) else { return };
        if queue.push(class, bytes).is_err()
            && let Some(queue) = self.forget_link(link)
        {
            queue.close("overload", true);
            self.overloaded.push_back(link);
        }
    }

    /// Lost with a failing disk: then the next start finds others.
    fn keep_neighbours(&self, addresses: Vec<SocketAddr>) {
        let membership = self.membership.clone();
        self.tasks.spawn_blocking(move || {
            if let Err(error) = membership.keep_neighbours(&addresses) {
                tracing::warn!(%error, "good neighbours are not kept for the next start");
            }
        });
    }

    fn reply(&mut self, token: peerwright_engine::Token, result: Result<(), peerwright_engine::SubmitRefusal>) {
        if let Some(reply) = self.replies.remove(&token) {
            // Whoever asked may have left; the transaction stays accepted.
            let _ = reply.send(result);
        }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::ReadinessChanged { readiness } => {
                self.readiness.send_replace(Some(*readiness));
            }
            Event::Drained => {
                self.is_drained = true;
                self.tell_drained();
            }
            Event::PeerConnected { .. } => self.registers.source_news.linked(),
            Event::RegisterAdvertised { register, .. } => self.registers.source_news.advertised(*register),
            _ => {}
        }
        log(event);
        self.telemetry.event(event);
    }
}
