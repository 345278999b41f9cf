//! What time does to jobs: they expire, their folders are deleted, they are forgotten.

use sqlx::Row;

use super::SqliteStore;
use super::claim::run_out;
use super::row;
use crate::{Error, Kind, Result, Rubbish, State, Time};

const EXPIRE: &str = "UPDATE job SET state = 'expired', since = ?1 WHERE seq IN \
                      (SELECT seq FROM job WHERE state IN ('complete', 'failed') AND expires <= ?1 \
                      ORDER BY expires, seq LIMIT ?2) RETURNING expires, seq, id";

/// `top` is the last attempt that is no longer in use.
const RUBBISH: &str = concat!(
    "SELECT id, purged, top FROM (SELECT id, seq, purged, attempt - (state IN ('complete', 'running') \
     OR (state = 'cancelled' AND holder IS NOT NULL AND NOT ",
    run_out!(),
    ")) AS top FROM job) WHERE top > purged ORDER BY seq LIMIT ?2"
);

const FORGET: &str = "DELETE FROM job WHERE seq IN (SELECT seq FROM job WHERE state IN ('cancelled', 'expired') \
                      AND since < ?1 AND purged >= attempt ORDER BY seq LIMIT ?2)";

impl SqliteStore {
    pub(super) async fn expire_some(&self, now: Time, limit: u32) -> Result<Vec<String>> {
        let mut expired = Vec::new();
        for row in sqlx::query(EXPIRE)
            .bind(now.0)
            .bind(limit)
            .fetch_all(&self.write)
            .await?
        {
            let order = (row.try_get::<i64, _>("expires")?, row.try_get::<i64, _>("seq")?);
            expired.push((order, row.try_get::<String, _>("id")?));
        }
        expired.sort_unstable();
        Ok(expired.into_iter().map(|(_, id)| id).collect())
    }

    pub(super) async fn list_rubbish(&self, now: Time, limit: u32) -> Result<Vec<Rubbish>> {
        let rows = sqlx::query(RUBBISH)
            .bind(now.0)
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
        let one = |row: &_| -> Result<Rubbish> {
            let purged: u32 = row::number(row, "purged")?;
            Ok(Rubbish {
                job: row.try_get("id")?,
                from: purged + 1,
                to: row::number(row, "top")?,
            })
        };
        rows.iter().map(one).collect()
    }

    pub(super) async fn purged(&self, job: &str, to: u32) -> Result<()> {
        let mut change = self.begin().await?;
        let found = sqlx::query("SELECT state, attempt FROM job WHERE id = ?1")
            .bind(job)
            .fetch_optional(&mut *change);
        let Some(row) = found.await? else { return Ok(()) };
        let in_use = matches!(row::state(&row)?, State::Complete | State::Running);
        if to > row::number::<u32>(&row, "attempt")?.saturating_sub(u32::from(in_use)) {
            return Err(Error::new(
                Kind::Invalid,
                "an attempt that is in use cannot have been purged",
            ));
        }
        sqlx::query("UPDATE job SET purged = MAX(purged, ?1) WHERE id = ?2")
            .bind(to)
            .bind(job)
            .execute(&mut *change)
            .await?;
        sqlx::query("DELETE FROM file WHERE job = ?1 AND attempt <= ?2")
            .bind(job)
            .bind(to)
            .execute(&mut *change)
            .await?;
        change.commit().await?;
        Ok(())
    }

    pub(super) async fn forget_some(&self, before: Time, limit: u32) -> Result<u64> {
        Ok(sqlx::query(FORGET)
            .bind(before.0)
            .bind(limit)
            .execute(&self.write)
            .await?
            .rows_affected())
    }
}
