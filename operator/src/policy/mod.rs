//! From objects to the signed snapshot that the nodes obey.
//!
//! ```text
//! PeerNetwork, PeerBans, RegisterSubscriptions, PeerOperations, members, trust, keys of the token issuer
//!    └─ compile (pure) ─> Content + a verdict for each ban and subscription
//!                            └─ Publisher ─> ConfigMap (commit point) ─> SnapshotFeeds ─> streams of the nodes
//! ```

mod bans;
mod compile;
mod decide;
mod feeds;
mod issuer;
mod jwks;
pub mod promotion;
mod publish;
mod settings;
mod stored;
mod subscriptions;
mod succession;
mod system;

pub use bans::{BanSource, BanVerdict, Leaves, bans_node};
pub use compile::{Compiled, Inputs, compile};
pub use feeds::{Published, SnapshotFeeds};
pub use issuer::{IssuerError, TokenIssuers};
pub use jwks::{JwksInvalid, TokenIssuer};
pub use publish::{Publication, PublishError, Publisher, Request};
pub use subscriptions::{SubscriptionVerdict, is_placed_on};
pub use succession::begun;
