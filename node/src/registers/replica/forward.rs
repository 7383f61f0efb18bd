//! Beginning a register at its newest docket: for who holds what is committed from now on.
//!
//! ```text
//! docket 0 ── skip ──▶ control docket ── skip ──▶ control docket ── skip ──▶ the newest: the first that is stored
//!    who governs        who governs from here      ...
//! ```
//!
//! Nothing between is fetched. That the newest docket belongs to this register and follows those before it, its history
//! root says: it covers all dockets before it, and a proof shows that they begin with what is known here.

use super::{Ended, Replica, govern, source::SourceStream};
use peerwright_encoding::Reader;
use peerwright_ledger::{CertifiedHeader, Chain, ConsistencyProof, DocketRefused, Frontier};
use peerwright_proto::v1::{HistoryRequest, HistoryResponse, follow_request::Kind};
use std::time::Duration;
use tokio::time::timeout;

/// A source that has to read all its headers answers in this time.
const HISTORY_WITHIN: Duration = Duration::from_secs(120);

/// Dockets that govern the register, at most: who has more is followed from docket 0 on.
const MOST_CONTROLS: usize = 4_096;

impl Replica {
    /// The chain right before the source's newest docket; `None` where that is docket 0.
    pub(super) async fn begin_forward(&self, stream: &mut SourceStream) -> Result<Option<Chain>, Ended> {
        let Some(newest) = stream.holds.end.checked_sub(1).filter(|newest| *newest > 0) else { return Ok(None) };
        let newest = one_header(stream, newest).await?;
        let mut controls = Vec::new();
        let mut before = newest.header;
        while before.last_control > 0 {
            if before.last_control >= before.number || controls.len() >= MOST_CONTROLS {
                let refused = DocketRefused::LastControl { expected: 0, found: before.last_control };
                return Err(Ended::refused(&before, refused));
            }
            let control = one_header(stream, before.last_control).await?;
            before = control.header;
            controls.push(control);
        }
        let genesis = one_header(stream, 0).await?;
        let (mut chain, _) = govern(&self.registers, stream, self.register, None, genesis).await?;
        for control in controls.into_iter().rev() {
            chain = self.skip(stream, chain, &control).await?;
            (chain, _) = govern(&self.registers, stream, self.register, Some(chain), control).await?;
        }
        self.skip(stream, chain, &newest).await.map(Some)
    }

    /// Leaves out what lies before a docket.
    async fn skip(&self, stream: &mut SourceStream, mut chain: Chain, to: &CertifiedHeader) -> Result<Chain, Ended> {
        let (history, proof) = stream.history(chain.history().size(), to.header.number).await?;
        let skipped = chain.skip_to(&to.header, &to.certificate, history, &proof);
        skipped.map_err(|refused| Ended::refused(&to.header, refused))?;
        Ok(chain)
    }
}

impl SourceStream {
    /// Asks for the tree over the first `later` dockets, and that it begins with the first `earlier`.
    pub(super) async fn history(&mut self, earlier: u64, later: u64) -> Result<(Frontier, ConsistencyProof), Ended> {
        self.ask(Kind::History(HistoryRequest { earlier, later })).await?;
        let answering = async {
            loop {
                if let Some(history) = self.next().await?.history {
                    break Ok::<_, Ended>(history);
                }
            }
        };
        let HistoryResponse { history, proof } =
            timeout(HISTORY_WITHIN, answering).await.map_err(|_| Ended::Silent)??;
        let read = || {
            let (mut tree, mut path) = (Reader::new(&history), Reader::new(&proof));
            let read = (Frontier::read(&mut tree)?, ConsistencyProof::read(&mut path)?);
            tree.finish()?;
            path.finish()?;
            Ok(read)
        };
        read().map_err(|error| Ended::Malformed(error, history.clone()))
    }
}

async fn one_header(stream: &mut SourceStream, number: u64) -> Result<CertifiedHeader, Ended> {
    stream.headers(number, 1).await?.pop_front().ok_or(Ended::Short)
}
