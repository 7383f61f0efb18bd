//! What a host says it holds: a pure function of its volume, so that it can be asked for at any time. Each message that is
//! stored adds to one register, and after some of them others become public and private.

use super::{Context, Host};
use peerwright_engine::{Advertisement, HolderState, Input};
use peerwright_ledger::RegisterId;

/// Registers that a host may say it holds: two thirds of them take more than one frame.
const REGISTERS: u32 = 120;
/// So many messages later it says so of others.
const CHANGED_EVERY: u32 = 16;

impl Host {
    /// What it would say if it were asked now.
    pub(crate) fn advertised(&self) -> Vec<Advertisement> {
        let held = self.store.volume.messages.count();
        let is_public = |number: &u32| !(held / CHANGED_EVERY + number).is_multiple_of(3);
        (0..REGISTERS).filter(is_public).map(|number| row(number, held)).collect()
    }

    /// Tells the engine that this may be something else now.
    pub(super) fn advertise(&mut self, context: &mut Context<'_>, at_once: bool) {
        if context.world.options.advertises {
            self.input(context, Input::HoldingsChanged { at_once });
        }
    }
}

fn row(number: u32, held: u32) -> Advertisement {
    Advertisement {
        register: RegisterId::from_bytes(u128::from(number).to_be_bytes()),
        first: 0,
        dockets: 1 + u64::from(if number == 1 { held } else { held / CHANGED_EVERY }),
        state: HolderState::FullReplica,
        name: String::new(),
        description: String::new(),
    }
}
