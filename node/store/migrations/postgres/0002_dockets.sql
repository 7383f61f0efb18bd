-- Dockets of registers, the index by transaction that is made from them, and the log of the sealing group. Numbers of
-- dockets and indexes of the log have 64 bits: they are stored with the top bit flipped, as in the first migration.
-- Checksums are of the bytes beside them and of the place where they belong, so that exchanged rows are found as well.

-- What is held of a register: the dockets `first` to `head`, without a hole.
CREATE TABLE chains (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- NULL: purged, and its rows are on their way out.
    register BYTEA UNIQUE,
    first BIGINT NOT NULL,
    -- Rows are there from this number on; those below `first` are on their way out.
    lowest BIGINT NOT NULL,
    head BIGINT NOT NULL,
    head_hash BYTEA NOT NULL,
    -- From `first` to here every docket has its certificate. NULL: the first has none.
    certified BIGINT,
    -- The index reaches so far. NULL: nowhere.
    indexed BIGINT,
    -- Dockets and transactions above that.
    unindexed_dockets BIGINT NOT NULL,
    unindexed_transactions BIGINT NOT NULL,
    transactions BIGINT NOT NULL,
    body_bytes BIGINT NOT NULL
) WITH (fillfactor = 50);

-- What a verifier needs to go on behind the head.
CREATE TABLE checkpoints (
    chain BIGINT PRIMARY KEY,
    checksum BIGINT NOT NULL,
    bytes BYTEA NOT NULL
) WITH (fillfactor = 50);
ALTER TABLE checkpoints ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE dockets (
    chain BIGINT NOT NULL,
    number BIGINT NOT NULL,
    -- SHA-256 of the header, and so its checksum too.
    hash BYTEA NOT NULL,
    transactions BIGINT NOT NULL,
    body_bytes BIGINT NOT NULL,
    header BYTEA NOT NULL,
    certificate_checksum BIGINT,
    certificate BYTEA,
    PRIMARY KEY (chain, number)
);
ALTER TABLE dockets ALTER COLUMN header SET STORAGE EXTERNAL, ALTER COLUMN certificate SET STORAGE EXTERNAL;

-- Apart from the headers, which are read in ranges and change when the certificate comes.
CREATE TABLE docket_bodies (
    chain BIGINT NOT NULL,
    number BIGINT NOT NULL,
    ids_checksum BIGINT NOT NULL,
    body_checksum BIGINT NOT NULL,
    -- The ids of the transactions, 32 bytes each, in the order of the body.
    ids BYTEA NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (chain, number)
);
ALTER TABLE docket_bodies ALTER COLUMN ids SET STORAGE EXTERNAL, ALTER COLUMN body SET STORAGE EXTERNAL;

-- A run holds where the transactions of the dockets `first` to `last` are, sorted by id.
-- States: 0 being merged from the runs of the level below that lie in it; 1 in use; 2 on its way out.
CREATE TABLE index_runs (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain BIGINT NOT NULL,
    level BIGINT NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    state BIGINT NOT NULL
);
CREATE INDEX index_runs_by_chain ON index_runs (chain, state, level, last);
CREATE INDEX index_runs_by_state ON index_runs (state) WHERE state <> 1;

-- Rows of 28 bytes: the first 16 bytes of the id, docket number, position; in their order. `first` is the first row.
CREATE TABLE index_chunks (
    run BIGINT NOT NULL,
    first BYTEA NOT NULL,
    checksum BIGINT NOT NULL,
    entries BYTEA NOT NULL,
    PRIMARY KEY (run, first)
);
ALTER TABLE index_chunks ALTER COLUMN entries SET STORAGE EXTERNAL;

CREATE TABLE sealing_log (
    entry BIGINT PRIMARY KEY,
    checksum BIGINT NOT NULL,
    bytes BYTEA NOT NULL
);
ALTER TABLE sealing_log ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- 'purged' and 'applied' with an index, 'vote' with none.
CREATE TABLE sealing_states (
    name TEXT PRIMARY KEY,
    entry BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    bytes BYTEA NOT NULL
);
