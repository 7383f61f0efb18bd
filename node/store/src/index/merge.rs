//! Merges the runs of the index, some rows at a time.

use super::{
    Merging, Row, Run, State, Tables,
    run::{self, Merge},
};
use crate::StoreError;

/// So many runs of one level become one of the next.
const FAN_IN: i64 = 16;

/// Begins to merge the oldest runs of the lowest level that has enough, unless a merge is under way.
pub(super) async fn begin<T: Tables>(tables: &mut T, chain: i64) -> Result<(), StoreError> {
    let Some(level) = tables.full_level(chain, FAN_IN).await? else { return Ok(()) };
    let (first, last) = tables.oldest(chain, level, FAN_IN).await?;
    tables.insert_run(chain, Run { level: level + 1, first, last, state: State::Building }).await?;
    Ok(())
}

/// Merges on, about so many rows; whether there was anything to merge.
pub(super) async fn merge<T: Tables>(tables: &mut T, rows: usize) -> Result<bool, StoreError> {
    let Some(merging) = tables.merging().await? else { return Ok(false) };
    let Some(mut merge) = open(tables, &merging).await? else {
        return give_up(tables, &merging).await;
    };
    let mut batch: Vec<Row> = Vec::with_capacity(T::SENT_TOGETHER.min(rows));
    let mut written = 0;
    while let Some((row, ended)) = merge.pop() {
        if let Some(input) = ended
            && let Some(run) = merging.inputs.get(input)
            && let Some(next) = tables.chunk_after(*run, Some(row)).await?
        {
            let Some(next) = next.checked(*run) else {
                return give_up(tables, &merging).await;
            };
            merge.read(input, next, None);
        }
        if row.place.number >= merging.held_from {
            batch.push(row);
        }
        if batch.len() == T::SENT_TOGETHER {
            tables.insert_chunks(merging.run, &batch).await?;
            written += batch.len();
            batch.clear();
            if written >= rows {
                // The next step begins behind the last chunk that is written.
                return Ok(true);
            }
        }
    }
    tables.insert_chunks(merging.run, &batch).await?;
    finish(tables, &merging).await?;
    Ok(true)
}

async fn give_up<T: Tables>(tables: &mut T, merging: &Merging) -> Result<bool, StoreError> {
    tracing::warn!(chain = merging.chain, "the disk has changed the index by transaction; it is made again");
    tables.drop_index(merging.chain).await?;
    Ok(true)
}

/// Opens the inputs behind what is written already; `None` when a chunk is corrupt.
async fn open<T: Tables>(tables: &mut T, merging: &Merging) -> Result<Option<Merge>, StoreError> {
    let after = match tables.chunk_at(merging.run, Row::LAST).await? {
        None => None,
        Some(written) => match written.checked(merging.run) {
            Some(entries) => run::last_row(&entries),
            None => return Ok(None),
        },
    };
    let mut merge = Merge::new(merging.inputs.len());
    for (input, run) in merging.inputs.iter().enumerate() {
        // The chunk in which the row lies, then the one after it when the row is its last.
        let mut found = match after {
            Some(after) => tables.chunk_at(*run, after).await?,
            None => None,
        };
        if found.is_none() {
            found = tables.chunk_after(*run, None).await?;
        }
        while let Some(read) = found {
            let Some(entries) = read.checked(*run) else { return Ok(None) };
            let last = run::last_row(&entries);
            found = match last {
                Some(last) if !merge.read(input, entries, after) => tables.chunk_after(*run, Some(last)).await?,
                _ => None,
            };
        }
    }
    Ok(Some(merge))
}

/// From here on the merged run answers.
async fn finish<T: Tables>(tables: &mut T, merging: &Merging) -> Result<(), StoreError> {
    for input in &merging.inputs {
        tables.set_state(*input, State::Dropped).await?;
    }
    tables.set_state(merging.run, State::Live).await?;
    begin(tables, merging.chain).await
}
