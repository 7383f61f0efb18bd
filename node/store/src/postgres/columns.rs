//! Rows as tuples.

use crate::StoreError;
use tokio_postgres::{
    Row,
    types::{FromSqlOwned, WrongType},
};

/// What a row is read as.
pub(super) trait Columns: Sized {
    /// Takes the columns in their order.
    fn read(row: &Row) -> Result<Self, StoreError>;
}

fn column<T: FromSqlOwned>(row: &Row, place: usize) -> Result<T, StoreError> {
    row.try_get(place).map_err(|error| {
        let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<WrongType>());
        StoreError::Damaged(format!("column {place}: {}", cause.map_or(error.to_string(), ToString::to_string)))
    })
}

macro_rules! tuples {
    ($($($column:ident $place:tt)+;)+) => {
        $(
            impl<$($column: FromSqlOwned),+> Columns for ($($column,)+) {
                fn read(row: &Row) -> Result<Self, StoreError> {
                    Ok(($(column::<$column>(row, $place)?,)+))
                }
            }
        )+
    };
}

tuples! {
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10;
}
