//! What both sides are to the load.

use futures::future::BoxFuture;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Side {
    /// Peer nodes of this project, each transaction in a message of its own.
    Ours,
    /// The same with the defaults, which let transactions wait two milliseconds for company in one message.
    Batching,
    /// Hosts of libp2p-gossipsub.
    Rival,
}

impl Side {
    /// As `probe` takes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Batching => "batching",
            Self::Rival => "rival",
        }
    }
}

/// A network that runs in this process.
pub(crate) trait Network {
    /// Resolves when every node has the neighbours that it is going to have.
    fn settled(&self) -> BoxFuture<'_, ()>;

    /// Has a node sign and publish a payload. Does not wait; what is refused is told to the recorder.
    fn publish(&self, node: usize, payload: Vec<u8>);

    /// How many neighbours a node has, on average.
    fn degree(&self) -> BoxFuture<'_, f64>;

    /// What has come so far; `None` when nobody counts it.
    fn copies(&self) -> BoxFuture<'_, Option<Copies>>;
}

/// Messages that nodes have got from others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Copies {
    pub(crate) first: u64,
    pub(crate) again: u64,
}

impl Copies {
    /// Copies that came again for each that came first, since then.
    pub(crate) fn again_since(self, before: Self) -> f64 {
        let of = |now: u64, before: u64| now.saturating_sub(before) as f64;
        of(self.again, before.again) / of(self.first, before.first).max(1.0)
    }
}
