-- Numbers that a peer chooses (incarnations, sequences) use all 64 bits: they are stored with the top bit flipped, so
-- that the signed order of BIGINT is their order. No foreign keys: one process writes, and a check for each row costs it
-- more than the row.

-- One row: which start of a process holds the schema, and how many transactions its writers have committed. Every
-- transaction that writes names its generation here; what a lost connection has committed is read from `writes`.
CREATE TABLE holder (
    only_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    generation BIGINT NOT NULL,
    writes BIGINT NOT NULL
) WITH (fillfactor = 10);
INSERT INTO holder (generation, writes) VALUES (0, 0);

-- 'network_uid' (text), 'incarnation' (number, flipped) and 'readable_by' (number).
CREATE TABLE records (
    name TEXT PRIMARY KEY,
    text TEXT,
    number BIGINT
);

-- Small documents of the node itself, by name.
CREATE TABLE documents (
    name TEXT PRIMARY KEY,
    bytes BYTEA NOT NULL
);

CREATE TABLE registers (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    register BYTEA NOT NULL UNIQUE,
    messages BIGINT NOT NULL DEFAULT 0,
    transactions BIGINT NOT NULL DEFAULT 0
);

-- One life of one origin's process.
CREATE TABLE lives (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin BYTEA NOT NULL,
    incarnation BIGINT NOT NULL,
    UNIQUE (origin, incarnation)
);

-- What one life publishes in one register.
CREATE TABLE streams (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    register BIGINT NOT NULL,
    life BIGINT NOT NULL,
    UNIQUE (register, life)
);

CREATE TABLE messages (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream BIGINT NOT NULL,
    register_sequence BIGINT NOT NULL,
    life BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    bytes BYTEA NOT NULL,
    UNIQUE (stream, register_sequence),
    UNIQUE (life, sequence)
);
-- Signed and often encrypted bytes: trying to compress them only costs time, here and below.
ALTER TABLE messages ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- The register sequences held of a stream, both ends inclusive; neighbours are merged.
CREATE TABLE ranges (
    stream BIGINT NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    PRIMARY KEY (stream, first)
);

-- Derived from the messages: where each transaction is. A position is never given twice: it is a cursor that clients
-- keep.
CREATE TABLE transactions (
    position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    register BIGINT NOT NULL,
    id BYTEA NOT NULL,
    message BIGINT NOT NULL,
    entry BIGINT NOT NULL,
    size BIGINT NOT NULL,
    stored_at BIGINT NOT NULL,
    UNIQUE (register, id)
);
CREATE INDEX transactions_by_position ON transactions (register, position);

-- Bodies of transactions that their messages only announce.
CREATE TABLE bodies (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    register BIGINT NOT NULL,
    transaction_id BYTEA NOT NULL UNIQUE,
    size BIGINT NOT NULL
);
CREATE INDEX bodies_by_register ON bodies (register);

CREATE TABLE body_chunks (
    body BIGINT NOT NULL,
    number BIGINT NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (body, number)
);
ALTER TABLE body_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;
