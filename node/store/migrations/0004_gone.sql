-- The register sequences of a stream that were let go of, both ends inclusive, because dockets hold their transactions;
-- neighbours are merged. They stay in `ranges`. A program of the third schema passes this table over and does no harm: it
-- tells others of messages that it cannot give. It does not know that a stream's rows go before the stream, hence the
-- cascade.
CREATE TABLE gone (
    stream INTEGER NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (stream, first)
) STRICT, WITHOUT ROWID;
