-- Dockets of registers, the index by transaction that is made from them, and the log of the sealing group. Numbers of
-- dockets and indexes of the log have 64 bits: they are stored with the top bit flipped, as in the first migration.
-- Checksums are of the bytes beside them and of the place where they belong, so that exchanged rows are found as well.

-- What is held of a register: the dockets `first` to `head`, without a hole.
CREATE TABLE chains (
    id INTEGER PRIMARY KEY,
    -- NULL: purged, and its rows are on their way out.
    register BLOB UNIQUE,
    first INTEGER NOT NULL,
    -- Rows are there from this number on; those below `first` are on their way out.
    lowest INTEGER NOT NULL,
    head INTEGER NOT NULL,
    head_hash BLOB NOT NULL,
    -- From `first` to here every docket has its certificate. NULL: the first has none.
    certified INTEGER,
    -- The index reaches so far. NULL: nowhere.
    indexed INTEGER,
    -- Dockets and transactions above that.
    unindexed_dockets INTEGER NOT NULL,
    unindexed_transactions INTEGER NOT NULL,
    transactions INTEGER NOT NULL,
    body_bytes INTEGER NOT NULL
) STRICT;

-- What a verifier needs to go on behind the head.
CREATE TABLE checkpoints (
    chain INTEGER PRIMARY KEY REFERENCES chains (id),
    checksum INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE dockets (
    id INTEGER PRIMARY KEY,
    chain INTEGER NOT NULL REFERENCES chains (id),
    number INTEGER NOT NULL,
    -- SHA-256 of the header, and so its checksum too.
    hash BLOB NOT NULL,
    transactions INTEGER NOT NULL,
    body_bytes INTEGER NOT NULL,
    header BLOB NOT NULL,
    certificate_checksum INTEGER,
    certificate BLOB,
    UNIQUE (chain, number)
) STRICT;

-- Apart from the headers, which are read in ranges and change when the certificate comes.
CREATE TABLE docket_bodies (
    docket INTEGER PRIMARY KEY REFERENCES dockets (id),
    ids_checksum INTEGER NOT NULL,
    body_checksum INTEGER NOT NULL,
    -- The ids of the transactions, 32 bytes each, in the order of the body.
    ids BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- A run holds where the transactions of the dockets `first` to `last` are, sorted by id.
-- States: 0 being merged from the runs of the level below that lie in it; 1 in use; 2 on its way out.
CREATE TABLE index_runs (
    id INTEGER PRIMARY KEY,
    chain INTEGER NOT NULL REFERENCES chains (id),
    level INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    state INTEGER NOT NULL
) STRICT;
CREATE INDEX index_runs_by_chain ON index_runs (chain, state, level, last);
CREATE INDEX index_runs_by_state ON index_runs (state) WHERE state <> 1;

-- Rows of 28 bytes: the first 16 bytes of the id, docket number, position; in their order. `first` is the first row.
CREATE TABLE index_chunks (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES index_runs (id),
    first BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    entries BLOB NOT NULL,
    UNIQUE (run, first)
) STRICT;

CREATE TABLE sealing_log (
    entry INTEGER PRIMARY KEY,
    checksum INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;

-- 'purged' and 'applied' with an index, 'vote' with none.
CREATE TABLE sealing_states (
    name TEXT NOT NULL PRIMARY KEY,
    entry INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT, WITHOUT ROWID;
