//! Keeps the outbox: reads back what this node has published, settles what has expired, and hands in what takes long.
//!
//! ```text
//! own messages behind the mark ─▶ Outbox ─▶ expired? a docket of a later time proves it ─▶ dead letter
//!                                    └────▶ due? ─▶ HandIn ─▶ sealed, taken | refused ────▶ dead letter
//! ```

mod read_back;
mod settle;

use super::hand_in::HandIn;
use crate::{member::Membership, registers::Registers};
use peerwright_store::Store;
use std::{sync::Arc, time::Duration};

/// Looked whether something is due or has expired, and which registers are to be watched.
const TICK: Duration = Duration::from_millis(200);

/// Keeps the outbox of a node.
pub(crate) struct OutboxKeeper {
    pub(crate) registers: Registers,
    pub(crate) messages: Arc<dyn Store>,
    pub(crate) membership: Arc<Membership>,
    /// The life of this process.
    pub(crate) incarnation: u64,
    pub(crate) hand_in: HandIn,
}

impl OutboxKeeper {
    /// Runs until it is dropped.
    pub(crate) async fn run(self) {
        tokio::join!(self.read(), self.settle());
    }
}
