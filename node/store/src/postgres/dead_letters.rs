//! Dead letters: a small table of their own.

use super::{readers::Readers, session::Session};
use crate::{
    DeadLetter, ListedDeadLetter, MAX_DEAD_LETTERS, StoreError,
    codec::{key, limit, position},
    rows::{DeadLetterRow, dead_letter},
};
use peerwright_ledger::{RegisterId, TransactionId};

pub(super) async fn bury(
    session: &Session,
    letters: &[DeadLetter],
) -> Result<Vec<(RegisterId, TransactionId)>, StoreError> {
    for letter in letters {
        exhume(session, &[(letter.register, letter.id)]).await?;
        session
            .execute(
                "INSERT INTO dead_letters (register, id, reason, died_at) VALUES ($1, $2, $3, $4)",
                &[
                    &letter.register.as_bytes().as_slice(),
                    &letter.id.as_bytes().as_slice(),
                    &letter.reason,
                    &letter.died_at.cast_signed(),
                ],
            )
            .await?;
    }
    let mut gone: Vec<(i64, Vec<u8>, Vec<u8>)> = session
        .all(
            "DELETE FROM dead_letters WHERE position <=
             (SELECT position FROM dead_letters ORDER BY position DESC LIMIT 1 OFFSET $1)
             RETURNING position, register, id",
            &[&i64::from(MAX_DEAD_LETTERS)],
        )
        .await?;
    gone.sort_unstable();
    let gone = gone.into_iter();
    gone.map(|(_, register, id)| Ok((RegisterId::from_bytes(key(register)?), TransactionId::from_bytes(key(id)?))))
        .collect()
}

pub(super) async fn exhume(session: &Session, letters: &[(RegisterId, TransactionId)]) -> Result<u64, StoreError> {
    let (registers, ids): (Vec<&[u8]>, Vec<&[u8]>) =
        letters.iter().map(|(register, id)| (register.as_bytes().as_slice(), id.as_bytes().as_slice())).unzip();
    session
        .execute(
            "DELETE FROM dead_letters USING unnest($1::BYTEA[], $2::BYTEA[]) AS asked (register, id)
             WHERE dead_letters.register = asked.register AND dead_letters.id = asked.id",
            &[&registers, &ids],
        )
        .await
}

pub(super) async fn purge(session: &Session, register: RegisterId) -> Result<(), StoreError> {
    session.execute("DELETE FROM dead_letters WHERE register = $1", &[&register.as_bytes().as_slice()]).await?;
    Ok(())
}

pub(super) async fn find(
    readers: &Readers,
    register: RegisterId,
    id: TransactionId,
) -> Result<Option<DeadLetter>, StoreError> {
    let row: Option<(String, i64)> = readers
        .optional(
            "SELECT reason, died_at FROM dead_letters WHERE register = $1 AND id = $2",
            &[&register.as_bytes().as_slice(), &id.as_bytes().as_slice()],
        )
        .await?;
    Ok(row.map(|(reason, died_at)| DeadLetter { register, id, reason, died_at: died_at.cast_unsigned() }))
}

pub(super) async fn list(
    readers: &Readers,
    register: RegisterId,
    after: Option<u64>,
    max: usize,
) -> Result<Vec<ListedDeadLetter>, StoreError> {
    let rows: Vec<DeadLetterRow> = readers
        .all(
            "SELECT position, id, reason, died_at FROM dead_letters WHERE register = $1 AND position > $2
             ORDER BY position LIMIT $3",
            &[&register.as_bytes().as_slice(), &position(after), &limit(max)],
        )
        .await?;
    rows.into_iter().map(|row| dead_letter(register, row)).collect()
}
