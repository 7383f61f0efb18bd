//! Looks transactions up: in the runs of the index, then among the ids of the dockets above them.

use super::{
    Stretch, Tables,
    run::{first_row, look_up},
};
use crate::{
    Seen, StoreError, TransactionPlace,
    chain::Chain,
    checker::{IdsRow, checked_ids},
    codec::from_ordered,
};
use peerwright_ledger::{RegisterId, TransactionId};
use std::collections::{BTreeMap, BTreeSet};

/// Dockets above the index whose ids are read at once ...
const TAIL_DOCKETS: i64 = 256;
/// ... unless these are more.
const TAIL_IDS: i64 = 16_384;

type Places = BTreeMap<TransactionId, TransactionPlace>;

/// Where transactions are, in the order of their ids; `None` when the disk has changed the index. All is to be read from
/// one state of the store: runs are merged and dropped meanwhile.
pub(crate) async fn find_all<T: Tables>(
    tables: &mut T,
    register: RegisterId,
    ids: &[TransactionId],
    seen: Seen,
) -> Result<Option<Vec<Option<TransactionPlace>>>, StoreError> {
    let nowhere = || Ok(Some(vec![None; ids.len()]));
    let Some(chain) = tables.chain(register).await? else { return nowhere() };
    let Some(last) = chain.held.last(seen) else { return nowhere() };
    let mut found = Places::new();
    let mut lacking: BTreeSet<TransactionId> = ids.iter().copied().collect();
    let asked: Vec<TransactionId> = lacking.iter().copied().collect();
    for asked in asked.chunks(T::ASKED_TOGETHER) {
        let Some(candidates) = in_runs(tables, &chain, asked).await? else { return Ok(None) };
        among(tables, &chain, candidates, last, &mut found).await?;
    }
    lacking.retain(|id| !found.contains_key(id));
    in_tail(tables, &chain, lacking, last, &mut found).await?;
    Ok(Some(ids.iter().map(|id| found.get(id).copied()).collect()))
}

/// Where the index says that they may be, in the order of the places; `None` when a chunk is corrupt.
async fn in_runs<T: Tables>(
    tables: &mut T,
    chain: &Chain,
    ids: &[TransactionId],
) -> Result<Option<BTreeSet<(TransactionPlace, TransactionId)>>, StoreError> {
    let mut candidates = BTreeSet::new();
    for (run, chunk) in tables.chunks_of(chain.id, ids).await? {
        let Some(mut entries) = chunk.checked(run) else { return Ok(None) };
        for id in ids {
            candidates.extend(look_up(&entries, id).map(|place| (place, *id)));
        }
        // Rows of one id may begin in the chunk before.
        while let Some(first) = first_row(&entries)
            && let Some(id) = ids.iter().find(|id| first.may_be(id))
            && let Some(before) = tables.chunk_before(run, first).await?
        {
            let Some(before) = before.checked(run) else { return Ok(None) };
            candidates.extend(look_up(&before, id).map(|place| (place, *id)));
            entries = before;
        }
    }
    Ok(Some(candidates))
}

/// Of the candidates that really are the place, the lowest of each.
async fn among<T: Tables>(
    tables: &mut T,
    chain: &Chain,
    candidates: BTreeSet<(TransactionPlace, TransactionId)>,
    last: u64,
    found: &mut Places,
) -> Result<(), StoreError> {
    let mut dockets: BTreeMap<u64, Vec<(u32, TransactionId)>> = BTreeMap::new();
    for (place, id) in candidates {
        if (chain.held.first..=last).contains(&place.number) {
            dockets.entry(place.number).or_default().push((place.position, id));
        }
    }
    let dockets: Vec<_> = dockets.into_iter().collect();
    for dockets in dockets.chunks(T::ASKED_TOGETHER) {
        let numbers: Vec<u64> = dockets.iter().map(|(number, _)| *number).collect();
        let mut rows: BTreeMap<u64, IdsRow> = BTreeMap::new();
        for row in tables.ids_of(chain.id, &numbers).await? {
            rows.insert(from_ordered(row.0), row);
        }
        for (number, candidates) in dockets {
            if candidates.iter().all(|(_, id)| found.contains_key(id)) {
                continue;
            }
            let (checksum, ids) = rows.remove(number).map_or((None, None), |(_, checksum, ids)| (checksum, ids));
            let ids = checked_ids(chain.held.register, *number, checksum, ids)?;
            for (position, id) in candidates {
                if ids.get(*position as usize) == Some(id) {
                    found.entry(*id).or_insert(TransactionPlace { number: *number, position: *position });
                }
            }
        }
    }
    Ok(())
}

/// Looks through the dockets above the index, until nothing lacks.
async fn in_tail<T: Tables>(
    tables: &mut T,
    chain: &Chain,
    mut lacking: BTreeSet<TransactionId>,
    last: u64,
    found: &mut Places,
) -> Result<(), StoreError> {
    let mut from = Some(chain.unindexed_from());
    while let Some(begin) = from.filter(|from| *from <= last && !lacking.is_empty()) {
        let wanted = Stretch { from: begin, through: last, max_dockets: TAIL_DOCKETS, max_ids: TAIL_IDS };
        let rows = tables.ids_between(chain.id, wanted).await?;
        from = rows.last().and_then(|(number, ..)| from_ordered(*number).checked_add(1));
        for (number, checksum, ids) in rows {
            if lacking.is_empty() {
                break;
            }
            let number = from_ordered(number);
            let ids = checked_ids(chain.held.register, number, checksum, ids)?;
            for (position, id) in (0..).zip(&ids) {
                if lacking.remove(id) {
                    found.insert(*id, TransactionPlace { number, position });
                }
            }
        }
    }
    Ok(())
}
