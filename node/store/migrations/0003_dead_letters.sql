-- Transactions that this node accepted and that no docket will hold. AUTOINCREMENT, because a position is a cursor that
-- clients keep. Their bytes are with the messages.
CREATE TABLE dead_letters (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    register BLOB NOT NULL,
    id BLOB NOT NULL,
    reason TEXT NOT NULL,
    died_at INTEGER NOT NULL,
    UNIQUE (register, id)
) STRICT;
CREATE INDEX dead_letters_by_position ON dead_letters (register, position);

-- A program of the second schema passes this table over and does no harm.
INSERT INTO records (name, value) VALUES ('readable_by', 2);
