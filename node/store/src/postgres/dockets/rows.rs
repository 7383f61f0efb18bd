//! Writes the rows of dockets: a few one by one, all sent together; many with `COPY`.

use crate::{StoreError, codec::ordered, postgres::session::Session, prepared::PreparedDocket};
use futures::{future::try_join_all, try_join};
use tokio_postgres::types::Type;

/// From so many dockets on `COPY` is worth its two further round trips.
const COPIED: usize = 16;

/// A docket and the chain that it belongs to.
pub(super) struct NewRow {
    pub(super) chain: i64,
    pub(super) prepared: PreparedDocket,
}

impl NewRow {
    fn number(&self) -> i64 {
        ordered(self.prepared.docket.number)
    }
}

pub(super) async fn insert(session: &Session, rows: &[NewRow]) -> Result<(), StoreError> {
    if rows.len() < COPIED {
        let headers = try_join_all(rows.iter().map(|row| insert_header(session, row)));
        try_join!(headers, try_join_all(rows.iter().map(|row| insert_body(session, row))))?;
        return Ok(());
    }
    copy_headers(session, rows).await?;
    copy_bodies(session, rows).await
}

async fn insert_header(session: &Session, row: &NewRow) -> Result<(), StoreError> {
    let prepared = &row.prepared;
    session
        .execute(
            "INSERT INTO dockets (chain, number, hash, transactions, body_bytes, header, certificate_checksum, certificate)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                &row.chain,
                &row.number(),
                &prepared.hash.as_bytes().as_slice(),
                &prepared.transactions().cast_signed(),
                &prepared.body_bytes().cast_signed(),
                &prepared.docket.header.as_ref(),
                &prepared.certificate_checksum,
                &prepared.docket.certificate.as_deref(),
            ],
        )
        .await?;
    Ok(())
}

async fn insert_body(session: &Session, row: &NewRow) -> Result<(), StoreError> {
    let prepared = &row.prepared;
    session
        .execute(
            "INSERT INTO docket_bodies (chain, number, ids_checksum, body_checksum, ids, body)
             VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                &row.chain,
                &row.number(),
                &prepared.ids_checksum,
                &prepared.body_checksum,
                &prepared.ids,
                &prepared.docket.body.as_ref(),
            ],
        )
        .await?;
    Ok(())
}

/// The numbers of a row, which `COPY` borrows.
struct Numbers<'r> {
    row: &'r NewRow,
    number: i64,
    hash: &'r [u8],
    transactions: i64,
    body_bytes: i64,
    header: &'r [u8],
    certificate: Option<&'r [u8]>,
    body: &'r [u8],
}

impl<'r> From<&'r NewRow> for Numbers<'r> {
    fn from(row: &'r NewRow) -> Self {
        let prepared = &row.prepared;
        Self {
            row,
            number: row.number(),
            hash: prepared.hash.as_bytes(),
            transactions: prepared.transactions().cast_signed(),
            body_bytes: prepared.body_bytes().cast_signed(),
            header: &prepared.docket.header,
            certificate: prepared.docket.certificate.as_deref(),
            body: &prepared.docket.body,
        }
    }
}

async fn copy_headers(session: &Session, rows: &[NewRow]) -> Result<(), StoreError> {
    let rows: Vec<Numbers<'_>> = rows.iter().map(Numbers::from).collect();
    session
        .copy(
            "COPY dockets (chain, number, hash, transactions, body_bytes, header, certificate_checksum, certificate)
             FROM STDIN BINARY",
            &[Type::INT8, Type::INT8, Type::BYTEA, Type::INT8, Type::INT8, Type::BYTEA, Type::INT8, Type::BYTEA],
            &rows,
            |row| {
                [
                    &row.row.chain,
                    &row.number,
                    &row.hash,
                    &row.transactions,
                    &row.body_bytes,
                    &row.header,
                    &row.row.prepared.certificate_checksum,
                    &row.certificate,
                ]
            },
        )
        .await
}

async fn copy_bodies(session: &Session, rows: &[NewRow]) -> Result<(), StoreError> {
    let rows: Vec<Numbers<'_>> = rows.iter().map(Numbers::from).collect();
    session
        .copy(
            "COPY docket_bodies (chain, number, ids_checksum, body_checksum, ids, body) FROM STDIN BINARY",
            &[Type::INT8, Type::INT8, Type::INT8, Type::INT8, Type::BYTEA, Type::BYTEA],
            &rows,
            |row| {
                let prepared = &row.row.prepared;
                [&row.row.chain, &row.number, &prepared.ids_checksum, &prepared.body_checksum, &prepared.ids, &row.body]
            },
        )
        .await
}
