//! The index by transaction, in whatever database it lies: made behind the head, merged, looked up, and let go.
//!
//! ```text
//!  ids of dockets ── extend ──▶ runs of level 0 ── merge, 16 into one ──▶ runs of the next level ── ...
//!  find: the runs, a chunk of each ── then the ids of the dockets above them
//! ```
//!
//! What is done is decided here; a database only reads and writes its [`Tables`].

mod extend;
mod find;
mod merge;
mod run;
mod upkeep;

pub(crate) use extend::extend;
pub(crate) use find::find_all;
pub(crate) use run::Row;
pub(crate) use upkeep::{REMOVED_BYTES, REMOVED_CHUNKS, REMOVED_DOCKETS, Upkeep};

use crate::{StoreError, chain::Chain, checker::IdsRow, checksum::Checked};
use peerwright_ledger::{RegisterId, TransactionId};

/// What the index is made from and where it lies.
pub(crate) trait Tables {
    /// So many ids, or dockets, are worth being asked for together.
    const ASKED_TOGETHER: usize;
    /// So many rows of the index are worth being sent together: whole chunks.
    const SENT_TOGETHER: usize;

    /// The row of a register.
    async fn chain(&mut self, register: RegisterId) -> Result<Option<Chain>, StoreError>;

    /// Those of all registers, in the order of their ids.
    async fn chains(&mut self) -> Result<Vec<Chain>, StoreError>;

    async fn save(&mut self, chain: &Chain) -> Result<(), StoreError>;

    /// The ids of these dockets, in their order; a docket that is missing is left out.
    async fn ids_of(&mut self, chain: i64, numbers: &[u64]) -> Result<Vec<IdsRow>, StoreError>;

    /// The ids of dockets in their order, until a budget ends; the first is given even when it alone is above it.
    async fn ids_between(&mut self, chain: i64, wanted: Stretch) -> Result<Vec<IdsRow>, StoreError>;

    /// Removes some dockets of a register that was purged or trimmed; whether there were any.
    async fn remove_dockets(&mut self) -> Result<bool, StoreError>;

    /// Removes some chunks of a run that was merged or dropped; whether there were any.
    async fn remove_runs(&mut self) -> Result<bool, StoreError>;

    /// Gives the index of a register up, to be made again.
    async fn drop_index(&mut self, chain: i64) -> Result<(), StoreError>;

    /// Begins a run; answers its id.
    async fn insert_run(&mut self, chain: i64, run: Run) -> Result<i64, StoreError>;

    async fn set_state(&mut self, run: i64, state: State) -> Result<(), StoreError>;

    /// The lowest level of a register that has so many runs in use, unless a merge is under way there.
    async fn full_level(&mut self, chain: i64, runs: i64) -> Result<Option<i64>, StoreError>;

    /// First and last docket of the so many oldest runs of a level.
    async fn oldest(&mut self, chain: i64, level: i64, runs: i64) -> Result<(u64, u64), StoreError>;

    /// The oldest merge that is under way.
    async fn merging(&mut self) -> Result<Option<Merging>, StoreError>;

    /// Writes rows, which are sorted, as [`NewChunk`]s.
    async fn insert_chunks(&mut self, run: i64, rows: &[Row]) -> Result<(), StoreError>;

    /// Of each run in use, the last chunk that begins at or before the last row that an id may have, with the run. A
    /// chunk that serves several ids may be given once.
    async fn chunks_of(&mut self, chain: i64, ids: &[TransactionId]) -> Result<Vec<(i64, Chunk)>, StoreError>;

    /// The last chunk of a run that begins at or before a row.
    async fn chunk_at(&mut self, run: i64, row: Row) -> Result<Option<Chunk>, StoreError>;

    /// The last chunk of a run that begins before a row.
    async fn chunk_before(&mut self, run: i64, row: Row) -> Result<Option<Chunk>, StoreError>;

    /// The first chunk of a run that begins behind a row; with none, the first of all.
    async fn chunk_after(&mut self, run: i64, row: Option<Row>) -> Result<Option<Chunk>, StoreError>;
}

/// Dockets of a register, and how many of them one call reads at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) from: u64,
    /// Inclusive.
    pub(crate) through: u64,
    pub(crate) max_dockets: i64,
    pub(crate) max_ids: i64,
}

/// What a run is used for, as the migration names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Building = 0,
    Live = 1,
    Dropped = 2,
}

impl State {
    pub(crate) const fn number(self) -> i64 {
        self as i64
    }
}

/// A run that begins: where the transactions of these dockets are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) level: i64,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) state: State,
}

/// A merge that is under way.
#[derive(Debug)]
pub(crate) struct Merging {
    pub(crate) run: i64,
    pub(crate) chain: i64,
    /// Dockets below were let go meanwhile.
    pub(crate) held_from: u64,
    pub(crate) inputs: Vec<i64>,
}

/// A chunk to write.
#[derive(Debug)]
pub(crate) struct NewChunk {
    /// Its first row.
    pub(crate) first: Vec<u8>,
    pub(crate) checksum: i64,
    pub(crate) entries: Vec<u8>,
}

impl NewChunk {
    /// The chunks of a run that hold these rows.
    pub(crate) fn all(run: i64, rows: &[Row]) -> impl Iterator<Item = Self> {
        rows.chunks(run::CHUNK_ROWS).map(move |rows| {
            let entries = run::encode(rows);
            let first = rows.first().map(Row::encode).unwrap_or_default();
            Self { first, checksum: Checked::Chunk(run).checksum(&entries), entries }
        })
    }
}

/// A chunk that was read.
#[derive(Debug)]
pub(crate) struct Chunk {
    checksum: i64,
    entries: Vec<u8>,
}

impl From<(i64, Vec<u8>)> for Chunk {
    fn from((checksum, entries): (i64, Vec<u8>)) -> Self {
        Self { checksum, entries }
    }
}

impl Chunk {
    /// Its rows, unless the disk has changed them.
    fn checked(self, run: i64) -> Option<Vec<u8>> {
        (Checked::Chunk(run).checksum(&self.entries) == self.checksum).then_some(self.entries)
    }
}
