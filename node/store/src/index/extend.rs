//! Makes the index behind the head.

use super::{Row, Run, State, Stretch, Tables, merge};
use crate::{StoreError, TransactionPlace, chain::Chain, checker::checked_ids, codec::from_ordered};

/// So many dockets or transactions above the index are worth a run; fewer are found by reading their ids.
const MIN_RUN_DOCKETS: u64 = 1_024;
const MIN_RUN_TRANSACTIONS: u64 = 16_384;
/// A run is made of at most so many transactions (a single docket may have more) ...
const MAX_RUN_TRANSACTIONS: i64 = 131_072;
/// ... and dockets.
const MAX_RUN_DOCKETS: i64 = 16_384;

/// Whether there is enough for a run.
pub(super) fn is_due(chain: &Chain) -> bool {
    chain.unindexed_dockets >= MIN_RUN_DOCKETS || chain.unindexed_transactions >= MIN_RUN_TRANSACTIONS
}

/// Indexes dockets above the index; how many rows that wrote. `None` when the next docket's ids are corrupt.
pub(crate) async fn extend<T: Tables>(tables: &mut T, chain: &mut Chain) -> Result<Option<usize>, StoreError> {
    let from = chain.unindexed_from();
    if from > chain.held.head {
        return Ok(Some(0));
    }
    let wanted =
        Stretch { from, through: chain.held.head, max_dockets: MAX_RUN_DOCKETS, max_ids: MAX_RUN_TRANSACTIONS };
    let (mut rows, mut dockets) = (Vec::new(), 0);
    let mut last = None;
    for (number, checksum, ids) in tables.ids_between(chain.id, wanted).await? {
        let number = from_ordered(number);
        let Ok(ids) = checked_ids(chain.held.register, number, checksum, ids) else { break };
        let places = (0..).map(|position| TransactionPlace { number, position });
        rows.extend(ids.iter().zip(places).map(|(id, place)| Row::new(id, place)));
        last = Some(number);
        dockets += 1;
    }
    let Some(last) = last else { return Ok(None) };
    rows.sort_unstable();
    let run = tables.insert_run(chain.id, Run { level: 0, first: from, last, state: State::Live }).await?;
    tables.insert_chunks(run, &rows).await?;
    chain.indexed(last, dockets, rows.len() as u64);
    tables.save(chain).await?;
    merge::begin(tables, chain.id).await?;
    Ok(Some(rows.len()))
}
