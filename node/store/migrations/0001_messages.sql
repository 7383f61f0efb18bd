-- Numbers that a peer chooses (incarnations, sequences) use all 64 bits: they are stored with the top bit flipped, so
-- that SQLite's signed order is their order.

-- 'network_uid' (text) and 'incarnation' (flipped).
CREATE TABLE records (
    name TEXT NOT NULL PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Small documents of the node itself, by name.
CREATE TABLE documents (
    name TEXT NOT NULL PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE registers (
    id INTEGER PRIMARY KEY,
    register BLOB NOT NULL UNIQUE,
    messages INTEGER NOT NULL DEFAULT 0,
    transactions INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One life of one origin's process.
CREATE TABLE lives (
    id INTEGER PRIMARY KEY,
    origin BLOB NOT NULL,
    incarnation INTEGER NOT NULL,
    UNIQUE (origin, incarnation)
) STRICT;

-- What one life publishes in one register.
CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    register INTEGER NOT NULL REFERENCES registers (id),
    life INTEGER NOT NULL REFERENCES lives (id),
    UNIQUE (register, life)
) STRICT;

CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams (id),
    register_sequence INTEGER NOT NULL,
    life INTEGER NOT NULL REFERENCES lives (id),
    sequence INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (stream, register_sequence),
    UNIQUE (life, sequence)
) STRICT;

-- The register sequences held of a stream, both ends inclusive; neighbours are merged.
CREATE TABLE ranges (
    stream INTEGER NOT NULL REFERENCES streams (id),
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (stream, first)
) STRICT, WITHOUT ROWID;

-- Derived from the messages: where each transaction is. AUTOINCREMENT, because a position is a cursor that clients keep.
-- `message` goes without a foreign key: it would want an index of its own, and both go together, by register.
CREATE TABLE transactions (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    register INTEGER NOT NULL REFERENCES registers (id),
    id BLOB NOT NULL,
    message INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    size INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    UNIQUE (register, id)
) STRICT;
CREATE INDEX transactions_by_position ON transactions (register, position);

-- Bodies of transactions that their messages only announce.
CREATE TABLE bodies (
    id INTEGER PRIMARY KEY,
    register INTEGER NOT NULL REFERENCES registers (id),
    transaction_id BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL
) STRICT;
CREATE INDEX bodies_by_register ON bodies (register);

CREATE TABLE body_chunks (
    body INTEGER NOT NULL REFERENCES bodies (id),
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (body, number)
) STRICT;
