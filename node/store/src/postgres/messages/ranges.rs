//! The register sequences that are held of each stream, and those that were let go of, as ranges that never touch.

use crate::{
    StoreError,
    codec::{from_ordered, ordered},
    postgres::session::Session,
};
use futures::try_join;
use std::collections::{BTreeMap, BTreeSet};

/// Both ends inclusive.
type Range = (u64, u64);

/// Adds register sequences to the ranges of streams, none of which was held before.
pub(super) async fn add(session: &Session, added: BTreeMap<i64, Vec<u64>>) -> Result<(), StoreError> {
    let runs = runs_of(added);
    if runs.is_empty() {
        return Ok(());
    }
    let neighbours = neighbours(session, &runs).await?;
    let (mut gone, mut made) = (Vec::new(), Vec::new());
    for (stream, runs) in runs {
        let neighbours = neighbours.get(&stream).cloned().unwrap_or_default();
        let joined = join(runs.into_iter().chain(neighbours.iter().copied()).collect());
        let begins: BTreeSet<u64> = joined.iter().map(|(first, _)| *first).collect();
        gone.extend(
            neighbours.iter().filter(|(first, _)| !begins.contains(first)).map(|(first, _)| (stream, ordered(*first))),
        );
        made.extend(joined.into_iter().map(|(first, last)| (stream, ordered(first), ordered(last))));
    }
    try_join!(remove(session, gone), put(session, made))?;
    Ok(())
}

/// Adds register sequences to what was let go of streams.
pub(super) async fn add_gone(session: &Session, removed: BTreeMap<i64, Vec<u64>>) -> Result<(), StoreError> {
    let mut runs = runs_of(removed);
    if runs.is_empty() {
        return Ok(());
    }
    let (streams, befores, nexts) = columns(&runs, |(first, last)| (first.saturating_sub(1), last.saturating_add(1)));
    let touched: Vec<(i64, i64, i64)> = session
        .all(
            "DELETE FROM gone USING unnest($1::BIGINT[], $2::BIGINT[], $3::BIGINT[]) AS asked (stream, before, next)
             WHERE gone.stream = asked.stream AND gone.first <= asked.next AND gone.last >= asked.before
             RETURNING gone.stream, gone.first, gone.last",
            &[&streams, &befores, &nexts],
        )
        .await?;
    for (stream, first, last) in touched {
        runs.entry(stream).or_default().push((from_ordered(first), from_ordered(last)));
    }
    let joined = runs.into_iter().map(|(stream, runs)| (stream, join(runs))).collect();
    let (streams, firsts, lasts) = columns(&joined, |run| run);
    session
        .execute(
            "INSERT INTO gone (stream, first, last) SELECT * FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BIGINT[])",
            &[&streams, &firsts, &lasts],
        )
        .await?;
    Ok(())
}

fn runs_of(sequences: BTreeMap<i64, Vec<u64>>) -> BTreeMap<i64, Vec<Range>> {
    let run = |sequences: Vec<u64>| join(sequences.into_iter().map(|sequence| (sequence, sequence)).collect());
    sequences.into_iter().map(|(stream, sequences)| (stream, run(sequences))).collect()
}

/// Streams and two numbers of each of their runs, as arrays.
fn columns(runs: &BTreeMap<i64, Vec<Range>>, numbers: impl Fn(Range) -> Range) -> (Vec<i64>, Vec<i64>, Vec<i64>) {
    let rows = runs.iter().flat_map(|(stream, runs)| runs.iter().map(|run| (*stream, numbers(*run))));
    rows.map(|(stream, (low, high))| (stream, ordered(low), ordered(high))).collect()
}

/// Sorted, with those that touch or overlap made one.
fn join(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut joined: Vec<Range> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match joined.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => joined.push((first, last)),
        }
    }
    joined
}

/// The ranges that touch a run.
async fn neighbours(
    session: &Session,
    runs: &BTreeMap<i64, Vec<Range>>,
) -> Result<BTreeMap<i64, BTreeSet<Range>>, StoreError> {
    let (mut streams, mut firsts, mut nexts) = (Vec::new(), Vec::new(), Vec::new());
    for (stream, (first, last)) in runs.iter().flat_map(|(stream, runs)| runs.iter().map(move |run| (stream, run))) {
        streams.push(*stream);
        firsts.push(ordered(*first));
        nexts.push(last.checked_add(1).map(ordered));
    }
    let rows: Vec<(i64, i64, i64)> = session
        .all(
            "SELECT asked.stream, touching.first, touching.last
             FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BIGINT[]) AS asked (stream, first, next)
             CROSS JOIN LATERAL (
                 (SELECT first, last FROM ranges WHERE stream = asked.stream AND first < asked.first
                  ORDER BY first DESC LIMIT 1)
                 UNION ALL (SELECT first, last FROM ranges WHERE stream = asked.stream AND first = asked.next)
             ) AS touching",
            &[&streams, &firsts, &nexts],
        )
        .await?;
    let mut touching: BTreeMap<i64, BTreeSet<Range>> = BTreeMap::new();
    for (stream, first, last) in rows {
        // The range before need not touch; then it comes out as it went in.
        touching.entry(stream).or_default().insert((from_ordered(first), from_ordered(last)));
    }
    Ok(touching)
}

async fn remove(session: &Session, gone: Vec<(i64, i64)>) -> Result<(), StoreError> {
    if gone.is_empty() {
        return Ok(());
    }
    let (streams, firsts): (Vec<i64>, Vec<i64>) = gone.into_iter().unzip();
    session
        .execute(
            "DELETE FROM ranges USING unnest($1::BIGINT[], $2::BIGINT[]) AS gone (stream, first)
             WHERE ranges.stream = gone.stream AND ranges.first = gone.first",
            &[&streams, &firsts],
        )
        .await?;
    Ok(())
}

async fn put(session: &Session, made: Vec<(i64, i64, i64)>) -> Result<(), StoreError> {
    let streams: Vec<i64> = made.iter().map(|range| range.0).collect();
    let firsts: Vec<i64> = made.iter().map(|range| range.1).collect();
    let lasts: Vec<i64> = made.iter().map(|range| range.2).collect();
    session
        .execute(
            "INSERT INTO ranges (stream, first, last) SELECT * FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BIGINT[])
             ON CONFLICT (stream, first) DO UPDATE SET last = excluded.last",
            &[&streams, &firsts, &lasts],
        )
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn joined_ranges_hold_the_same_numbers_and_never_touch(numbers in prop::collection::btree_set(0u64..60, 0..60)) {
            let joined = join(numbers.iter().map(|number| (*number, *number)).collect());
            let held: BTreeSet<u64> = joined.iter().flat_map(|(first, last)| *first..=*last).collect();
            prop_assert_eq!(held, numbers);
            prop_assert!(joined.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }
}
