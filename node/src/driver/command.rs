//! What the rest of the node asks of the driver.

use crate::api::{Gone, View};
use bytes::Bytes;
use peerwright_engine::{
    AdvertisementView, BanRecord, Engine, Held, HolderView, MemberView, Micros, ServiceStatus, SubmitRefusal,
    breaker::BreakerStatistics,
};
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_secure::PeerId;
use tokio::sync::{mpsc, oneshot};

/// How many commands wait for the driver. Full: submissions are refused as `overloaded`, everything else waits.
const WAITING: usize = 1_024;

/// One thing asked of the driver.
#[derive(Debug)]
pub enum Command {
    /// Publish a transaction that was checked with the ledger.
    Submit {
        /// Its register.
        register: RegisterId,
        /// Its id.
        id: TransactionId,
        /// Its encoding.
        transaction: Bytes,
        /// Answered when it is durable here, or refused.
        reply: oneshot::Sender<Result<(), SubmitRefusal>>,
    },
    /// The bans of this node alone, the whole list.
    LocalBans {
        /// The list.
        bans: Vec<BanRecord>,
        /// Answered when the engine has closed the links.
        done: oneshot::Sender<()>,
    },
    /// Lift a ban that this node has made by itself.
    LiftAutoBan {
        /// The banned peer.
        peer: PeerId,
        /// Answered when it is lifted.
        done: oneshot::Sender<()>,
    },
    /// A peer gave this node what does not verify, beside its link.
    Misbehaved {
        /// The peer.
        peer: PeerId,
        /// The bytes that show it.
        evidence: Bytes,
    },
    /// The store lets go of these messages.
    LetGo {
        /// Which.
        gone: Vec<Held>,
    },
    /// Forget the failures of a peer.
    ResetFailures {
        /// The peer.
        peer: PeerId,
        /// Takes how many dials had failed in a row.
        reply: oneshot::Sender<u32>,
    },
    /// Show the engine's view of itself.
    View {
        /// Takes the view.
        reply: oneshot::Sender<View>,
    },
    /// Show the members that the engine knows.
    Members {
        /// Takes them, and whether enough peers are healthy.
        reply: oneshot::Sender<(ServiceStatus, Vec<MemberView>)>,
    },
    /// Show what peers say they hold.
    Advertisements {
        /// Takes it.
        reply: oneshot::Sender<Vec<AdvertisementView>>,
    },
    /// Show who may hold a register.
    Holders {
        /// The register.
        register: RegisterId,
        /// Takes them.
        reply: oneshot::Sender<Vec<HolderView>>,
    },
    /// Finish.
    Drain {
        /// Answered when everything accepted is with the links, and they are closed.
        done: oneshot::Sender<()>,
    },
}

/// Sends commands.
#[derive(Debug, Clone)]
pub struct Commands(mpsc::Sender<Command>);

impl Commands {
    /// A sender and what the driver receives from.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Command>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }

    /// Hands a transaction to the engine.
    pub async fn submit(
        &self,
        register: RegisterId,
        id: TransactionId,
        transaction: Bytes,
    ) -> Result<(), SubmitRefusal> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(Command::Submit { register, id, transaction, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SubmitRefusal::Overloaded,
            mpsc::error::TrySendError::Closed(_) => SubmitRefusal::Draining,
        })?;
        answer.await.unwrap_or(Err(SubmitRefusal::Draining))
    }

    /// Gives the engine the bans of this node alone.
    pub async fn apply_local_bans(&self, bans: Vec<BanRecord>) -> Result<(), Gone> {
        self.ask(|done| Command::LocalBans { bans, done }).await
    }

    /// Lifts a ban that this node has made by itself.
    pub async fn lift_auto_ban(&self, peer: PeerId) -> Result<(), Gone> {
        self.ask(|done| Command::LiftAutoBan { peer, done }).await
    }

    /// Reports what a peer has given that does not verify, with the bytes that show it.
    pub async fn misbehaved(&self, peer: PeerId, evidence: Bytes) -> Result<(), Gone> {
        self.0.send(Command::Misbehaved { peer, evidence }).await.map_err(|_| Gone)
    }

    /// Tells the engine of which messages the store lets go.
    pub async fn let_go(&self, gone: Vec<Held>) -> Result<(), Gone> {
        self.0.send(Command::LetGo { gone }).await.map_err(|_| Gone)
    }

    /// Forgets the failures of a peer, and says how many dials had failed in a row.
    pub async fn reset_failures(&self, peer: PeerId) -> Result<u32, Gone> {
        self.ask(|reply| Command::ResetFailures { peer, reply }).await
    }

    /// The engine's view of itself.
    pub async fn view(&self) -> Result<View, Gone> {
        self.ask(|reply| Command::View { reply }).await
    }

    /// Whether enough peers are healthy, and the members that the engine knows.
    pub async fn members(&self) -> Result<(ServiceStatus, Vec<MemberView>), Gone> {
        self.ask(|reply| Command::Members { reply }).await
    }

    /// What peers say they hold.
    pub async fn advertisements(&self) -> Result<Vec<AdvertisementView>, Gone> {
        self.ask(|reply| Command::Advertisements { reply }).await
    }

    /// Who may hold a register, as far as the engine knows.
    pub async fn holders(&self, register: RegisterId) -> Result<Vec<HolderView>, Gone> {
        self.ask(|reply| Command::Holders { register, reply }).await
    }

    /// Returns when everything accepted is with the links, and they are closed.
    pub async fn drain(&self) -> Result<(), Gone> {
        self.ask(|done| Command::Drain { done }).await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.0.send(command(reply)).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }
}

pub(super) fn view(engine: &Engine, breakers: BreakerStatistics, now: Micros) -> View {
    View {
        now,
        peers: engine.peers(),
        addresses: engine.addresses(),
        bans: engine.bans(),
        auto_bans: engine.auto_bans(),
        scores: engine.scores(),
        registers: engine.registers(),
        statistics: engine.statistics(),
        breakers,
    }
}
