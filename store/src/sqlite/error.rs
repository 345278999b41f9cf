//! What SQLite's and sqlx's errors mean.

use sqlx::error::DatabaseError;

use crate::{Error, Kind};

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => of_database(&**database),
            // Our own calls hold the only connection that writes.
            sqlx::Error::PoolTimedOut => Error::new(Kind::Locked, "the job store has too much to do"),
            sqlx::Error::PoolClosed => Error::new(Kind::Access, "the job store is closed"),
            sqlx::Error::Io(io) => Error::new(Kind::Io, format!("the job store cannot be read or written: {io}")),
            // The texts of these name columns and types, not contents.
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Error::new(
                Kind::Corrupt,
                format!("the job store holds what it should not: {error}"),
            ),
            _ => Error::new(Kind::Other, format!("the job store failed: {error}")),
        }
    }
}

/// By the primary result code, which is the low byte of the extended one.
fn of_database(error: &dyn DatabaseError) -> Error {
    if error.is_unique_violation() {
        return Error::new(Kind::Exists, "another record has this id or name");
    }
    let code = error.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or(0);
    let (kind, text) = match code & 0xff {
        5 | 6 => (Kind::Locked, "the job store is locked by another process"),
        8 => (Kind::ReadOnly, "the job store can only be read"),
        10 if code >> 8 == 13 => (Kind::Full, "there is no space left for the job store"),
        10 => (Kind::Io, "reading or writing the job store failed"),
        11 => (Kind::Corrupt, "the job store is damaged"),
        13 => (Kind::Full, "there is no space left for the job store"),
        14 => (Kind::Access, "the job store cannot be opened"),
        3 | 23 => (Kind::Access, "the job store may not be opened"),
        26 => (Kind::Corrupt, "the file is no database"),
        19 => (Kind::Invalid, "the job store refused a value"),
        _ => (Kind::Other, "the job store failed"),
    };
    // SQLite's own text names tables and columns, not contents.
    Error::new(kind, format!("{text} (SQLite {code}: {})", error.message()))
}
