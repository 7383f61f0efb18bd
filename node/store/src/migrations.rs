//! Which migrations of a database are yet to run: the same in both.

use crate::StoreError;

/// Name and statements. The first has version 1.
pub(crate) type Released = (&'static str, &'static str);
/// Version and checksum of one that was run.
pub(crate) type Applied = (i64, Vec<u8>);

/// One that is yet to run.
pub(crate) struct Outstanding {
    pub(crate) version: i64,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
    pub(crate) checksum: Vec<u8>,
}

/// The version of the last one.
pub(crate) fn last(released: &[Released]) -> i64 {
    i64::try_from(released.len()).unwrap_or(i64::MAX)
}

/// The highest version that was run and is not among those released: a later program's.
pub(crate) fn newer(applied: &[Applied], released: &[Released]) -> Option<i64> {
    applied.iter().map(|(version, _)| *version).max().filter(|newest| *newest > last(released))
}

/// Those that were not run; refuses a store in which others were run in their place.
pub(crate) fn outstanding(
    applied: &[Applied],
    released: &[Released],
    checksum: impl Fn(&str) -> Vec<u8>,
) -> Result<Vec<Outstanding>, StoreError> {
    let mut outstanding = Vec::new();
    for (version, (name, sql)) in (1i64..).zip(released) {
        let checksum = checksum(sql);
        match applied.iter().find(|(applied, _)| *applied == version) {
            Some((_, found)) if *found == checksum => {}
            Some(_) => {
                return Err(StoreError::Damaged(format!("migration {version} is not the one that was released")));
            }
            None => outstanding.push(Outstanding { version, name, sql, checksum }),
        }
    }
    Ok(outstanding)
}
