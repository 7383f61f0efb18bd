//! Why something ended or was refused. Each reason has one label, which is also what a metric and the wire say.

use std::fmt;

macro_rules! labelled {
    ($(#[$outer:meta])* pub enum $name:ident { $($(#[$inner:meta])* $variant:ident => $label:literal,)+ }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$inner])* $variant,)+ }

        impl $name {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The reason in one word: metric label and text on the wire.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }

            /// The reason that has this label.
            #[must_use]
            pub fn from_label(label: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.label() == label)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.label())
            }
        }
    };
}

labelled! {
    /// Why the engine closes a link. The driver sends the label as Goodbye.
    pub enum CloseReason {
        /// The peer is banned, or this node is.
        Banned => "banned",
        /// The peer was convicted lately and is kept away for a while.
        Paused => "paused",
        /// A better link to the same peer lives.
        Duplicate => "duplicate",
        /// The link is to this node itself.
        Own => "self",
        /// A link of an older process of this peer.
        Superseded => "superseded",
        /// This node has as many links as it keeps.
        Full => "full",
        /// Nothing was heard for too long.
        Unreachable => "unreachable",
        /// The peer has a new identity, and this one stands for nobody any more.
        Retired => "retired",
        /// The link was to see whether the peer is alive, and it is.
        Probed => "probed",
        /// The peer passed on a message, or served a body, that does not verify.
        BadSignature => "bad_signature",
        /// The peer sent a frame of a known kind that cannot be read.
        Malformed => "malformed",
        /// This node is shutting down.
        Draining => "draining",
        /// This node has no policy yet, so it does not know who is banned.
        Starting => "starting",
        /// The link was made to find a neighbour, and one of the two has no room for another.
        Unneeded => "unneeded",
        /// The link is no neighbour's and was not used for long.
        Idle => "idle",
    }
}

labelled! {
    /// Why a link is a neighbour's no longer.
    pub enum DepartureReason {
        /// The link ended.
        LinkEnded => "link_ended",
        /// The peer took it out of its view.
        Demoted => "demoted",
        /// This node had more neighbours than it keeps.
        Surplus => "surplus",
        /// A peer that lacked neighbours took its place.
        MadeRoom => "made_room",
        /// A better peer took its place.
        Replaced => "replaced",
    }
}

labelled! {
    /// Why a link ended, as the driver saw it.
    pub enum DownReason {
        /// The peer said Goodbye because one of the two is banned.
        Banned => "banned",
        /// The peer said Goodbye: it keeps another link to this node.
        Duplicate => "duplicate",
        /// The peer said Goodbye for another reason.
        Goodbye => "goodbye",
        /// The connection broke and no other took its place in time.
        Broken => "broken",
        /// The certificate that the peer showed has expired.
        Expired => "expired",
        /// The peer took what was sent too slowly and the link's queue overflowed.
        Overload => "overload",
    }
}

labelled! {
    /// Why a dial came to nothing.
    pub enum DialFailure {
        /// Nobody answered there.
        Unreachable => "unreachable",
        /// The handshake failed: certificate, trust, versions.
        Handshake => "handshake",
        /// The peer there is banned, or bans this node.
        Banned => "banned",
        /// It took too long.
        Timeout => "timeout",
        /// It was not tried: the breaker of the peer, or of all its carriers, is open after earlier failures.
        BreakerOpen => "breaker_open",
    }
}

labelled! {
    /// Why a transaction was not taken.
    pub enum SubmitRefusal {
        /// Too much waits already; the client may try again later.
        Overloaded => "overloaded",
        /// This node is shutting down.
        Draining => "draining",
        /// This node is not a member yet: it does not know what it is to hold. Said by the shell, before there is an engine.
        WaitingForOperator => "waiting_for_operator",
        /// This node does not hold the register.
        NotSubscribed => "not_subscribed",
        /// The transaction is longer than the network accepts.
        TooLarge => "too_large",
        /// This node is banned.
        Banned => "banned",
        /// The store fails. What was submitted may still become accepted later.
        Store => "store_failed",
    }
}

labelled! {
    /// What a score is called.
    pub enum Rating {
        /// 80 points and more.
        Excellent => "excellent",
        /// 60 points and more.
        Good => "good",
        /// 40 points and more.
        Fair => "fair",
        /// 20 points and more.
        Poor => "poor",
        /// Less.
        VeryPoor => "very_poor",
    }
}

impl Rating {
    /// What a score is called.
    #[must_use]
    pub const fn of(score: u8) -> Self {
        match score {
            80.. => Self::Excellent,
            60.. => Self::Good,
            40.. => Self::Fair,
            20.. => Self::Poor,
            _ => Self::VeryPoor,
        }
    }
}

labelled! {
    /// What a peer has done that no peer should.
    pub enum Misbehaviour {
        /// It brought what does not verify, or a frame that cannot be read.
        InvalidMessage => "invalid_message",
        /// It sent or asked for more than its limits allow.
        Spam => "spam",
        /// It broke the protocol as no honest peer would.
        ProtocolViolation => "protocol_violation",
        /// It has signed what proves its malice to anybody.
        MaliciousContent => "malicious_content",
    }
}

labelled! {
    /// What protects a peer from being banned without a person having said so.
    pub enum Protection {
        /// It is a declared seed.
        Seed => "seed",
        /// It is a hub.
        Hub => "hub",
        /// It seals dockets.
        Sealer => "sealer",
    }
}

impl From<Protection> for WithheldReason {
    fn from(protection: Protection) -> Self {
        match protection {
            Protection::Seed => Self::Seed,
            Protection::Hub => Self::Hub,
            Protection::Sealer => Self::Sealer,
        }
    }
}

labelled! {
    /// Why a peer that has earned a ban is not banned.
    pub enum WithheldReason {
        /// As many of its group as may be are banned already.
        GroupShare => "group_share",
        /// It is a declared seed.
        Seed => "seed",
        /// It is a hub.
        Hub => "hub",
        /// It seals dockets.
        Sealer => "sealer",
        /// There are as many automatic bans as are kept.
        Full => "full",
    }
}

labelled! {
    /// Why an address that a peer has named is not dialled.
    pub enum DialRefusal {
        /// It is somewhere inside a private network.
        Private => "private",
        /// It leads back to this machine.
        Loopback => "loopback",
        /// It is valid on one cable only.
        LinkLocal => "link_local",
        /// Cloud machines ask for their credentials there.
        Metadata => "metadata",
        /// It names a group of machines.
        Multicast => "multicast",
        /// It names no machine.
        Unspecified => "unspecified",
        /// It is kept for other purposes, or hides another address inside.
        Reserved => "reserved",
        /// Its port is another service's.
        LowPort => "low_port",
    }
}
