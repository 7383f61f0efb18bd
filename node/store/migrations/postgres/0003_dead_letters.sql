-- Transactions that this node accepted and that no docket will hold. A position is a cursor that clients keep. Their bytes
-- are with the messages.
CREATE TABLE dead_letters (
    position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    register BYTEA NOT NULL,
    id BYTEA NOT NULL,
    reason TEXT NOT NULL,
    died_at BIGINT NOT NULL,
    UNIQUE (register, id)
);
CREATE INDEX dead_letters_by_position ON dead_letters (register, position);

-- A program of the second schema passes this table over and does no harm.
INSERT INTO records (name, number) VALUES ('readable_by', 2);
