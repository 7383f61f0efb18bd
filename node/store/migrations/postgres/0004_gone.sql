-- The register sequences of a stream that were let go of, both ends inclusive, because dockets hold their transactions;
-- neighbours are merged. They stay in `ranges`. A program of the third schema passes this table over and does no harm: it
-- tells others of messages that it cannot give, and the rows of a stream that it purges name a stream that never comes
-- back.
CREATE TABLE gone (
    stream BIGINT NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    PRIMARY KEY (stream, first)
);
