//! Statements, each prepared once for a connection.

use crate::StoreError;
use rusqlite::{Connection, Params, Row, types::FromSql};
use std::ops::ControlFlow;

/// What is read of a row: its columns, in a tuple.
pub(super) trait Columns: for<'r> TryFrom<&'r Row<'r>, Error = rusqlite::Error> {}

impl<T> Columns for T where T: for<'r> TryFrom<&'r Row<'r>, Error = rusqlite::Error> {}

pub(super) trait Statements {
    /// Takes one row after the other, until no more is wanted.
    fn each<T: Columns>(
        &self,
        statement: &'static str,
        values: impl Params,
        take: impl FnMut(T) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError>;

    /// How many rows it has changed.
    fn run(&self, statement: &'static str, values: impl Params) -> Result<u64, StoreError>;

    fn all<T: Columns>(&self, statement: &'static str, values: impl Params) -> Result<Vec<T>, StoreError> {
        let mut rows = Vec::new();
        self.each(statement, values, |row| {
            rows.push(row);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rows)
    }

    /// Every row is asked for: a statement that writes has then written.
    fn optional<T: Columns>(&self, statement: &'static str, values: impl Params) -> Result<Option<T>, StoreError> {
        Ok(self.all(statement, values)?.pop())
    }

    /// The one row that there always is.
    fn one<T: Columns>(&self, statement: &'static str, values: impl Params) -> Result<T, StoreError> {
        let row = self.optional(statement, values)?;
        row.ok_or_else(|| StoreError::Damaged("a row that is always there is missing".to_owned()))
    }

    /// As [`Statements::all`], of rows of one column.
    fn values<T: FromSql>(&self, statement: &'static str, values: impl Params) -> Result<Vec<T>, StoreError> {
        Ok(self.all(statement, values)?.into_iter().map(|(value,)| value).collect())
    }

    /// As [`Statements::optional`], of rows of one column.
    fn optional_value<T: FromSql>(
        &self,
        statement: &'static str,
        values: impl Params,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.optional(statement, values)?.map(|(value,)| value))
    }

    /// As [`Statements::one`], of rows of one column.
    fn value<T: FromSql>(&self, statement: &'static str, values: impl Params) -> Result<T, StoreError> {
        let (value,) = self.one(statement, values)?;
        Ok(value)
    }
}

impl Statements for Connection {
    fn each<T: Columns>(
        &self,
        statement: &'static str,
        values: impl Params,
        mut take: impl FnMut(T) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.prepare_cached(statement)?;
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            if take(T::try_from(row)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn run(&self, statement: &'static str, values: impl Params) -> Result<u64, StoreError> {
        Ok(self.prepare_cached(statement)?.execute(values)? as u64)
    }
}
