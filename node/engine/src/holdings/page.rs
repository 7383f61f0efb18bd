//! What is held, row by row, for a peer that asks for it page by page.

use super::{Holdings, Stream};
use crate::{
    Held,
    bounds::{MAX_PAGE_RANGES, MAX_PAGE_ROWS, MAX_ROW_RANGES},
    frame::Cursor,
};
use peerwright_ledger::RegisterId;
use std::collections::BTreeSet;

impl Cursor {
    /// The stream and number behind which the next page begins.
    pub(crate) fn place(&self) -> (Stream, u64) {
        let stream = Stream { register: self.register, origin: self.origin, incarnation: self.incarnation };
        (stream, self.register_sequence)
    }

    /// The end of a row.
    pub(crate) fn behind(row: &Held) -> Self {
        Self {
            register: row.register,
            origin: row.origin,
            incarnation: row.incarnation,
            register_sequence: row.ranges.last().map_or(u64::MAX, |(_, to)| *to),
        }
    }
}

impl Holdings {
    /// The rows of `registers` behind `after`, as many as one page takes, and whether there are more: what a peer can have.
    /// Registers that are not held, or of which the store has not told yet, have none.
    pub(crate) fn page(&self, registers: &[RegisterId], after: Option<&Cursor>) -> (Vec<Held>, bool) {
        let after = after.map(Cursor::place);
        let asked: BTreeSet<RegisterId> = registers.iter().copied().collect();
        let (mut rows, mut room) = (Vec::new(), MAX_PAGE_RANGES);
        for register in asked {
            if after.is_some_and(|(stream, _)| register < stream.register) {
                continue;
            }
            let Some(holding) = self.registers.get(&register).filter(|holding| holding.loaded) else { continue };
            let first = match after {
                Some((stream, _)) if stream.register == register => Some((stream.origin, stream.incarnation)),
                _ => None,
            };
            let streams = match first {
                Some(first) => holding.there.range(first..),
                None => holding.there.range(..),
            };
            for ((origin, incarnation), ranges) in streams {
                let stream = Stream { register, origin: *origin, incarnation: *incarnation };
                let behind = after.filter(|(place, _)| *place == stream).map_or(0, |(_, sequence)| sequence);
                let mut rest = ranges.as_slice().iter().copied().filter(|(_, to)| *to > behind).peekable();
                while rest.peek().is_some() {
                    if rows.len() >= MAX_PAGE_ROWS || room == 0 {
                        return (rows, true);
                    }
                    let ranges: Vec<(u64, u64)> = rest.by_ref().take(MAX_ROW_RANGES.min(room)).collect();
                    room -= ranges.len();
                    rows.push(Held { register, origin: *origin, incarnation: *incarnation, ranges });
                }
            }
        }
        (rows, false)
    }
}
