//! The files of a job's attempts.

use sqlx::SqliteConnection;

use super::SqliteStore;
use super::claim::must_hold;
use super::row::{self, file_columns, job_columns, stored};
use crate::{Asker, Error, Job, Kind, Lease, Listing, Result, StoredFile};

/// What is listed: files of the present attempt of a job that is complete, or, if `?2`, runs.
macro_rules! listed {
    () => {
        " FROM file CROSS JOIN job ON job.id = file.job AND job.attempt = file.attempt \
         WHERE (state = 'complete' OR (?2 AND state = 'running'))"
    };
}

const LIST: &str = concat!(
    "SELECT file.number, ",
    file_columns!(),
    listed!(),
    " AND file.job = ?1 AND file.attempt = (SELECT attempt FROM job WHERE id = ?1) AND file.number > ?3 \
     ORDER BY file.number LIMIT ?4"
);

const FIND: &str = concat!(
    "SELECT ",
    job_columns!(),
    ", ",
    file_columns!(),
    listed!(),
    " AND file.id = ?1 AND (?3 IS NULL OR job.owner = ?3)"
);

const SAME_NAME: &str = concat!(
    "SELECT ",
    file_columns!(),
    " FROM file WHERE job = ?1 AND attempt = ?2 AND folder = ?3 AND name = ?4"
);

const INSERT: &str = "INSERT INTO file (job, attempt, number, id, name, folder, resource_type, continues_in, count, bytes, \
                      sha256) VALUES (?1, ?2, (SELECT COALESCE(MAX(number), 0) + 1 FROM file WHERE job = ?1 AND attempt = ?2), \
                      ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

impl SqliteStore {
    pub(super) async fn insert_files(&self, lease: &Lease, files: &[StoredFile]) -> Result<()> {
        let mut change = self.begin().await?;
        must_hold(&mut change, lease).await?;
        for file in files {
            insert(&mut change, lease, file).await?;
        }
        change.commit().await?;
        Ok(())
    }

    pub(super) async fn list_files(
        &self,
        id: &str,
        listing: Listing,
        after: u32,
        limit: u32,
    ) -> Result<Vec<(u32, StoredFile)>> {
        let query = sqlx::query(LIST)
            .bind(id)
            .bind(listing == Listing::SoFar)
            .bind(after)
            .bind(limit);
        let rows = query.fetch_all(&self.read).await?;
        rows.iter()
            .map(|row| Ok((row::number(row, "number")?, row::file(row)?)))
            .collect()
    }

    pub(super) async fn find_file(
        &self,
        file: &str,
        listing: Listing,
        asker: Asker<'_>,
    ) -> Result<Option<(Job, StoredFile)>> {
        let query = sqlx::query(FIND)
            .bind(file)
            .bind(listing == Listing::SoFar)
            .bind(asker.owner());
        let row = query.fetch_optional(&self.read).await?;
        row.map(|row| Ok((row::job(&row)?, row::file(&row)?))).transpose()
    }
}

async fn insert(change: &mut SqliteConnection, lease: &Lease, file: &StoredFile) -> Result<()> {
    let (count, bytes) = (stored(file.count)?, stored(file.bytes)?);
    let same_name = sqlx::query(SAME_NAME)
        .bind(&lease.job)
        .bind(lease.attempt)
        .bind(file.folder.name())
        .bind(&file.name)
        .fetch_optional(&mut *change)
        .await?;
    if let Some(row) = same_name {
        // A worker that did not hear the answer asks once more.
        return if row::file(&row)? == *file {
            Ok(())
        } else {
            Err(Error::new(Kind::Exists, "another file of this attempt has this name"))
        };
    }
    sqlx::query(INSERT)
        .bind(&lease.job)
        .bind(lease.attempt)
        .bind(&file.id)
        .bind(&file.name)
        .bind(file.folder.name())
        .bind(&file.resource_type)
        .bind(&file.continues_in)
        .bind(count)
        .bind(bytes)
        .bind(&file.sha256[..])
        .execute(&mut *change)
        .await?;
    Ok(())
}
