//! Rows and the records that they stand for.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::{Error, Folder, Job, Kind, Progress, Result, State, StoredFile, Time};

/// The columns that [`job`] reads.
macro_rules! job_columns {
    () => {
        "job.id, owner, profile, created, transaction_time, state, since, job.attempt, lost, holder, lease_until, \
         bytes_done, bytes_total, expires, url, failure, \
         (SELECT text FROM document WHERE document.job = job.id AND kind = 'report') AS report"
    };
}

/// The columns that [`file`] reads.
macro_rules! file_columns {
    () => {
        "file.id AS file_id, file.name, folder, resource_type, continues_in, count, bytes, sha256"
    };
}

pub(super) use {file_columns, job_columns};

/// A number as SQLite stores it.
pub(super) fn stored(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| Error::new(Kind::Invalid, "the number is too large for the job store"))
}

/// A number as it was stored.
pub(super) fn number<N: TryFrom<i64>>(row: &SqliteRow, column: &str) -> Result<N> {
    N::try_from(row.try_get::<i64, _>(column)?).map_err(|_| damaged(column))
}

fn damaged(column: &str) -> Error {
    Error::new(Kind::Corrupt, format!("the job store holds a {column} that cannot be"))
}

fn time(row: &SqliteRow, column: &str) -> Result<Option<Time>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Time))
}

/// The state in a row.
pub(super) fn state(row: &SqliteRow) -> Result<State> {
    State::from_name(row.try_get("state")?).ok_or_else(|| damaged("state"))
}

/// The job in a row.
pub(super) fn job(row: &SqliteRow) -> Result<Job> {
    Ok(Job {
        id: row.try_get("id")?,
        owner: row.try_get("owner")?,
        profile: row.try_get("profile")?,
        url: row.try_get("url")?,
        created: Time(row.try_get("created")?),
        transaction_time: Time(row.try_get("transaction_time")?),
        state: state(row)?,
        since: Time(row.try_get("since")?),
        attempt: number(row, "attempt")?,
        lost: number(row, "lost")?,
        holder: row.try_get("holder")?,
        lease_until: time(row, "lease_until")?,
        progress: Progress {
            done: number(row, "bytes_done")?,
            total: number(row, "bytes_total")?,
        },
        report: row.try_get("report")?,
        failure: row.try_get("failure")?,
        expires: time(row, "expires")?,
    })
}

/// The file in a row.
pub(super) fn file(row: &SqliteRow) -> Result<StoredFile> {
    Ok(StoredFile {
        id: row.try_get("file_id")?,
        name: row.try_get("name")?,
        folder: Folder::from_name(row.try_get("folder")?).ok_or_else(|| damaged("folder"))?,
        resource_type: row.try_get("resource_type")?,
        continues_in: row.try_get("continues_in")?,
        count: number(row, "count")?,
        bytes: number(row, "bytes")?,
        sha256: row
            .try_get::<&[u8], _>("sha256")?
            .try_into()
            .map_err(|_| damaged("sha256"))?,
    })
}
