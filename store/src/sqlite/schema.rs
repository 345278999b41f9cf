//! The schema, its versions, and the way from one to the next.

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::{Error, Kind, Result};

/// What leads from each version to the next; the first makes version 1. One that was released is never changed.
const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/1.sql")];

/// The version that this program reads and writes.
const VERSION: i64 = MIGRATIONS.len() as i64;

/// Says in the file's head whose database it is ("fhjs").
const APPLICATION: i64 = 0x6668_6a73;

/// Whether there is nothing to do. Fails for what this program must not touch.
pub(super) async fn is_current(connection: &mut SqliteConnection) -> Result<bool> {
    let found = match version(connection).await {
        // What it is told by is read piece by piece, and another process may have made the schema between two of them.
        // After that all pieces are there.
        Err(error) if error.kind() == Kind::Foreign => version(connection).await?,
        found => found?,
    };
    Ok(found == VERSION)
}

/// Brings the database to the present version, in one transaction.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<()> {
    let mut change = connection.begin_with("BEGIN IMMEDIATE").await?;
    // Another process may have done it meanwhile.
    let found = usize::try_from(version(&mut change).await?).unwrap_or(0);
    for (step, sql) in MIGRATIONS.iter().enumerate().skip(found) {
        sqlx::raw_sql(*sql).execute(&mut *change).await?;
        let head = format!(
            "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {}",
            step + 1
        );
        sqlx::raw_sql(AssertSqlSafe(head)).execute(&mut *change).await?;
    }
    change.commit().await?;
    Ok(())
}

/// The version of the schema that is there; 0 for an empty file.
async fn version(connection: &mut SqliteConnection) -> Result<i64> {
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *connection)
        .await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await?;
    let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema")
        .fetch_one(&mut *connection)
        .await?;
    let empty = application == 0 && version == 0 && tables == 0;
    if application != APPLICATION && !empty {
        return Err(Error::new(Kind::Foreign, "the file is a database, and no job store"));
    }
    if version > VERSION {
        let text =
            format!("the job store has schema {version}, made by a later version; this one knows up to {VERSION}");
        return Err(Error::new(Kind::Newer, text));
    }
    Ok(version)
}
