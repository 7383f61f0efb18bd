//! Dead letters: a small table of their own.

use crate::{
    DeadLetter, ListedDeadLetter, MAX_DEAD_LETTERS, StoreError,
    codec::{key, limit, position},
    rows::{DeadLetterRow, dead_letter},
};
use peerwright_ledger::{RegisterId, TransactionId};
use sqlx::{SqliteConnection, SqlitePool};

pub(super) async fn bury(
    connection: &mut SqliteConnection,
    letters: &[DeadLetter],
) -> Result<Vec<(RegisterId, TransactionId)>, StoreError> {
    for letter in letters {
        exhume(connection, &[(letter.register, letter.id)]).await?;
        sqlx::query("INSERT INTO dead_letters (register, id, reason, died_at) VALUES ($1, $2, $3, $4)")
            .bind(letter.register.as_bytes().as_slice())
            .bind(letter.id.as_bytes().as_slice())
            .bind(letter.reason.as_str())
            .bind(letter.died_at.cast_signed())
            .execute(&mut *connection)
            .await?;
    }
    let mut gone: Vec<(i64, Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "DELETE FROM dead_letters WHERE position <=
         (SELECT position FROM dead_letters ORDER BY position DESC LIMIT 1 OFFSET $1) RETURNING position, register, id",
    )
    .bind(i64::from(MAX_DEAD_LETTERS))
    .fetch_all(connection)
    .await?;
    gone.sort_unstable();
    let gone = gone.into_iter();
    gone.map(|(_, register, id)| Ok((RegisterId::from_bytes(key(register)?), TransactionId::from_bytes(key(id)?))))
        .collect()
}

pub(super) async fn exhume(
    connection: &mut SqliteConnection,
    letters: &[(RegisterId, TransactionId)],
) -> Result<u64, StoreError> {
    let mut gone = 0;
    for (register, id) in letters {
        gone += sqlx::query("DELETE FROM dead_letters WHERE register = $1 AND id = $2")
            .bind(register.as_bytes().as_slice())
            .bind(id.as_bytes().as_slice())
            .execute(&mut *connection)
            .await?
            .rows_affected();
    }
    Ok(gone)
}

pub(super) async fn purge(connection: &mut SqliteConnection, register: RegisterId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM dead_letters WHERE register = $1")
        .bind(register.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn find(
    readers: &SqlitePool,
    register: RegisterId,
    id: TransactionId,
) -> Result<Option<DeadLetter>, StoreError> {
    let row: Option<(String, i64)> =
        sqlx::query_as("SELECT reason, died_at FROM dead_letters WHERE register = $1 AND id = $2")
            .bind(register.as_bytes().to_vec())
            .bind(id.as_bytes().to_vec())
            .fetch_optional(readers)
            .await?;
    Ok(row.map(|(reason, died_at)| DeadLetter { register, id, reason, died_at: died_at.cast_unsigned() }))
}

pub(super) async fn list(
    readers: &SqlitePool,
    register: RegisterId,
    after: Option<u64>,
    max: usize,
) -> Result<Vec<ListedDeadLetter>, StoreError> {
    let rows: Vec<DeadLetterRow> = sqlx::query_as(
        "SELECT position, id, reason, died_at FROM dead_letters WHERE register = $1 AND position > $2
         ORDER BY position LIMIT $3",
    )
    .bind(register.as_bytes().to_vec())
    .bind(position(after))
    .bind(limit(max))
    .fetch_all(readers)
    .await?;
    rows.into_iter().map(|row| dead_letter(register, row)).collect()
}
