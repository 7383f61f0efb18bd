//! What the writer does behind everything else, a step at a time: removes the rows of dockets that were let go, extends
//! the index, merges its runs. A step is a database transaction of its own, so it delays a write by little and never
//! fails one.

use super::{Tables, extend, merge};
use crate::StoreError;
use std::collections::BTreeSet;

/// Rows that one step merges at least: about a megabyte ...
const MERGE_ROWS: usize = 36_864;
/// ... and so many for each row that it has added, so that the index keeps up with whatever is written: a row passes few
/// levels.
const MERGE_ROWS_EACH: usize = 4;
/// Dockets that one step removes at most ...
pub(crate) const REMOVED_DOCKETS: i64 = 256;
/// ... unless their bodies have more bytes.
pub(crate) const REMOVED_BYTES: i64 = 8 << 20;
/// Chunks of the index that one step removes at most.
pub(crate) const REMOVED_CHUNKS: i64 = 512;

/// What is to be done behind the writes.
#[derive(Debug)]
pub(crate) struct Upkeep {
    /// Whether there may be something to do.
    pub(crate) pending: bool,
    /// Registers whose next docket the index cannot read, until a docket is replaced.
    stuck: BTreeSet<i64>,
}

impl Upkeep {
    /// A store that was just opened may have anything left over.
    pub(crate) const fn new() -> Self {
        Self { pending: true, stuck: BTreeSet::new() }
    }

    /// Dockets were written.
    pub(crate) fn look_again(&mut self, replaced: bool) {
        self.pending = true;
        if replaced {
            self.stuck.clear();
        }
    }

    /// A bit of everything that there is to do; `pending` says whether there may be more.
    pub(crate) async fn step<T: Tables>(&mut self, tables: &mut T) -> Result<(), StoreError> {
        let removed = tables.remove_dockets().await? | tables.remove_runs().await?;
        let added = self.extend_index(tables).await?;
        let merge_rows = MERGE_ROWS.max(MERGE_ROWS_EACH * added.unwrap_or_default());
        let merged = merge::merge(tables, merge_rows).await?;
        self.pending = removed || added.is_some() || merged;
        Ok(())
    }

    /// Extends the index of one register that has enough to index; how many rows that wrote.
    async fn extend_index<T: Tables>(&mut self, tables: &mut T) -> Result<Option<usize>, StoreError> {
        let chains = tables.chains().await?;
        let due = chains.into_iter().find(|chain| extend::is_due(chain) && !self.stuck.contains(&chain.id));
        let Some(mut chain) = due else { return Ok(None) };
        let added = extend::extend(tables, &mut chain).await?;
        if added.is_none() {
            let number = chain.unindexed_from();
            tracing::warn!(register = %chain.held.register, number, "the index waits for a docket that the disk has changed");
            self.stuck.insert(chain.id);
        }
        Ok(Some(added.unwrap_or_default()))
    }
}
