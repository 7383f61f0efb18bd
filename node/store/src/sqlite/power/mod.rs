//! Power is lost, and the disk fails: what was answered is there afterwards, nothing is there by half, and the store opens
//! without help.
//!
//! ```text
//!  Life: store ═ the same operations ═ model          state after each operation
//!          └─ recorded disk ─▶ history ─ moment, loss ─▶ image ─▶ the ordinary store opens it
//!                                                                 └─ its state is the model's after what was answered,
//!                                                                    or after some of what was under way
//! ```
//!
//! Lives that are drawn follow from a seed; `PEERWRIGHT_POWER_SEEDS=n` draws more of them. Of an image that is not as it has
//! to be, a test names seed, moment and loss, and leaves the folder where it is.

mod faults;
mod image;
mod life;
mod lost;
mod state;
mod steps;
