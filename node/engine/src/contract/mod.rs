//! The contract with the driver: what goes in, what comes out, and how much of anything there may be.

mod advertisement;
mod ban;
mod config;
mod connections;
mod event;
mod heartbeat;
mod identifiers;
mod input;
mod micros;
mod misbehaviour;
mod mutant;
mod output;
mod reason;
mod tuning;
mod view;

pub use advertisement::{
    Advertisement, AdvertisementSettings, AdvertisementStatistics, AdvertisementView, Audience, HolderState,
    HolderView, HolderWord, WithdrawalCause,
};
pub use ban::{BanRecord, BanView, PeerCertificate};
pub use config::Config;
pub use connections::ConnectionSettings;
pub use event::Event;
pub use heartbeat::{HeartbeatFault, ROUND_TRIP_CLASSES, RoundTrips};
pub use identifiers::{Address, AddressSource, Held, LinkId, MessageRange, Policy, PolicyLimits, Role, Token};
pub use input::{BodyRefused, Input, StoreFailed};
pub use micros::Micros;
pub use misbehaviour::{AutoBan, EvidenceDigest, Offence};
pub use mutant::Mutant;
pub(crate) use mutant::is_mutant;
pub use output::{Class, Output, Outputs};
pub use reason::{
    CloseReason, DepartureReason, DialFailure, DialRefusal, DownReason, Misbehaviour, Protection, Rating,
    SubmitRefusal, WithheldReason,
};
pub use tuning::Tuning;
pub use view::{
    AddressView, BanStatistics, Direction, DirectoryStatistics, GossipStatistics, LinkStatistics, MemberStatistics,
    MemberView, PeerView, Readiness, RegisterView, ScoreView, Statistics, StoreStatistics, SubmitStatistics,
    SyncStatistics,
};
