//! Dead letters: a small table of their own.

use super::statements::Statements as _;
use crate::{
    DeadLetter, ListedDeadLetter, MAX_DEAD_LETTERS, StoreError,
    codec::{key, limit, position},
    rows::{DeadLetterRow, dead_letter},
};
use peerwright_ledger::{RegisterId, TransactionId};
use rusqlite::{Connection, params};

pub(super) fn bury(
    connection: &Connection,
    letters: &[DeadLetter],
) -> Result<Vec<(RegisterId, TransactionId)>, StoreError> {
    for letter in letters {
        exhume(connection, &[(letter.register, letter.id)])?;
        connection.run(
            "INSERT INTO dead_letters (register, id, reason, died_at) VALUES (?1, ?2, ?3, ?4)",
            params![
                letter.register.as_bytes(),
                letter.id.as_bytes(),
                letter.reason.as_str(),
                letter.died_at.cast_signed()
            ],
        )?;
    }
    let mut gone: Vec<(i64, Vec<u8>, Vec<u8>)> = connection.all(
        "DELETE FROM dead_letters WHERE position <=
         (SELECT position FROM dead_letters ORDER BY position DESC LIMIT 1 OFFSET ?1) RETURNING position, register, id",
        params![i64::from(MAX_DEAD_LETTERS)],
    )?;
    gone.sort_unstable();
    let gone = gone.into_iter();
    gone.map(|(_, register, id)| Ok((RegisterId::from_bytes(key(register)?), TransactionId::from_bytes(key(id)?))))
        .collect()
}

pub(super) fn exhume(connection: &Connection, letters: &[(RegisterId, TransactionId)]) -> Result<u64, StoreError> {
    let mut gone = 0;
    for (register, id) in letters {
        gone += connection.run(
            "DELETE FROM dead_letters WHERE register = ?1 AND id = ?2",
            params![register.as_bytes(), id.as_bytes()],
        )?;
    }
    Ok(gone)
}

pub(super) fn purge(connection: &Connection, register: RegisterId) -> Result<(), StoreError> {
    connection.run("DELETE FROM dead_letters WHERE register = ?1", params![register.as_bytes()])?;
    Ok(())
}

pub(super) fn find(
    connection: &Connection,
    register: RegisterId,
    id: TransactionId,
) -> Result<Option<DeadLetter>, StoreError> {
    let row: Option<(String, i64)> = connection.optional(
        "SELECT reason, died_at FROM dead_letters WHERE register = ?1 AND id = ?2",
        params![register.as_bytes(), id.as_bytes()],
    )?;
    Ok(row.map(|(reason, died_at)| DeadLetter { register, id, reason, died_at: died_at.cast_unsigned() }))
}

pub(super) fn list(
    connection: &Connection,
    register: RegisterId,
    after: Option<u64>,
    max: usize,
) -> Result<Vec<ListedDeadLetter>, StoreError> {
    let rows: Vec<DeadLetterRow> = connection.all(
        "SELECT position, id, reason, died_at FROM dead_letters WHERE register = ?1 AND position > ?2
         ORDER BY position LIMIT ?3",
        params![register.as_bytes(), position(after), limit(max)],
    )?;
    rows.into_iter().map(|row| dead_letter(register, row)).collect()
}
