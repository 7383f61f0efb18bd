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

    /// Copies that came again for each message that a node got first, since the start; `None` when nobody counts them.
    fn copies(&self) -> BoxFuture<'_, Option<f64>>;
}
