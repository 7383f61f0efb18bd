//! What nodes say they hold of registers: what this node tells, and what it was told.
//!
//! ```text
//! a change, a link that comes up, a minute later ─▶ due ─▶ ReadAdvertisements ─▶ the store's truth of this moment
//!   ─▶ all of it to links that are owed that, to the others what differs from what they were told last
//! frames of peers ─▶ Heard: each row until its time is over, its peer withdraws it, leaves it out, or is banned
//! ```
//!
//! Nothing that was read before is told later: a claim is as old as its frame. Private registers never come here, for the
//! driver reads only what is public.

mod heard;
#[cfg(test)]
mod tests;
mod told;

pub(crate) use heard::{Heard, Taken};
pub(crate) use told::{Changes, Told};
