//! Which job is next, and whose.

use std::time::Duration;

use sqlx::{Row, Sqlite, SqliteConnection, Transaction};

use super::SqliteStore;
use super::row::{self, job_columns, stored};
use crate::{Claim, Claimed, Error, Lease, Progress, Result, Time, Turn};

/// Whether the lease of a running job has run out at `?1`: it is over, or it was last renewed further in the future than
/// it is long.
macro_rules! run_out {
    () => {
        "(lease_until <= ?1 OR beat - (lease_until - beat) > ?1)"
    };
}
pub(super) use run_out;

/// Jobs that have lost as many leases as they may.
const GIVE_UP: &str = concat!(
    "UPDATE job SET state = 'failed', since = ?1, lost = lost + 1, holder = NULL, beat = NULL, lease_until = NULL, \
     failure = 'the worker of this job fell silent, again and again', expires = ?3 \
     WHERE state = 'running' AND lost + 1 >= ?2 AND ",
    run_out!(),
    " RETURNING seq, id"
);

/// Of each owner the oldest job that can be claimed; of the owners the one with the fewest running jobs, then the one
/// that has waited longest for its turn.
const NEXT: &str = concat!(
    "WITH open AS (SELECT owner, MIN(seq) AS seq FROM \
     (SELECT owner, MIN(seq) AS seq FROM job WHERE state = 'accepted' GROUP BY owner \
     UNION ALL SELECT owner, seq FROM job WHERE state = 'running' AND ",
    run_out!(),
    ") GROUP BY owner) \
     SELECT seq FROM open ORDER BY \
     (SELECT COUNT(*) FROM job WHERE job.owner = open.owner AND state = 'running' AND NOT ",
    run_out!(),
    "), (SELECT MAX(turn) FROM job WHERE job.owner = open.owner), seq LIMIT 1"
);

const TAKE: &str = concat!(
    "UPDATE job SET lost = lost + (state = 'running'), state = 'running', since = ?1, attempt = attempt + 1, \
     turn = (SELECT MAX(turn) + 1 FROM job), holder = ?2, beat = ?1, lease_until = ?3, bytes_done = 0, bytes_total = 0 \
     WHERE seq = ?4 RETURNING ",
    job_columns!()
);

const KICK_OFF: &str = "SELECT text FROM document WHERE job = ?1 AND kind = 'kick_off'";

const RENEW: &str = "UPDATE job SET beat = ?1, lease_until = ?2, bytes_done = ?3, bytes_total = ?4 \
                     WHERE id = ?5 AND state = 'running' AND attempt = ?6 AND holder = ?7";

const RELEASE: &str = "UPDATE job SET since = CASE state WHEN 'running' THEN ?1 ELSE since END, \
                       state = CASE state WHEN 'running' THEN 'accepted' ELSE state END, \
                       holder = NULL, beat = NULL, lease_until = NULL \
                       WHERE id = ?2 AND attempt = ?3 AND holder = ?4";

/// A lease without length has run out at every time, even if the clock is set back.
const ABANDON: &str = concat!(
    "UPDATE job SET beat = ?1, lease_until = ?1 WHERE state IN ('running', 'cancelled') AND holder <> ?2 AND NOT ",
    run_out!()
);

impl SqliteStore {
    pub(super) async fn claim_next(&self, claim: &Claim) -> Result<Turn> {
        let mut change = self.begin().await?;
        let given_up = give_up(&mut change, claim).await?;
        let next: Option<i64> = sqlx::query_scalar(NEXT)
            .bind(claim.now.0)
            .fetch_optional(&mut *change)
            .await?;
        let claimed = match next {
            Some(seq) => Some(take(&mut change, seq, claim).await?),
            None => None,
        };
        change.commit().await?;
        Ok(Turn { claimed, given_up })
    }

    pub(super) async fn renew(&self, lease: &Lease, progress: Progress, length: Duration, now: Time) -> Result<()> {
        let query = sqlx::query(RENEW)
            .bind(now.0)
            .bind(now.plus(length).0)
            .bind(stored(progress.done)?)
            .bind(stored(progress.total)?)
            .bind(&lease.job)
            .bind(lease.attempt)
            .bind(&lease.holder);
        held(query.execute(&self.write).await?.rows_affected())
    }

    pub(super) async fn end_leases(&self, holder: &str, now: Time) -> Result<u64> {
        let query = sqlx::query(ABANDON).bind(now.0).bind(holder);
        Ok(query.execute(&self.write).await?.rows_affected())
    }

    pub(super) async fn give_back(&self, lease: &Lease, now: Time) -> Result<()> {
        let query = sqlx::query(RELEASE)
            .bind(now.0)
            .bind(&lease.job)
            .bind(lease.attempt)
            .bind(&lease.holder);
        held(query.execute(&self.write).await?.rows_affected())
    }
}

/// Whether a change that asks for the lease has found it.
pub(super) fn held(rows: u64) -> Result<()> {
    if rows == 0 { Err(Error::lost()) } else { Ok(()) }
}

/// Fails if the lease is not the job's present one.
pub(super) async fn must_hold(connection: &mut SqliteConnection, lease: &Lease) -> Result<()> {
    let query = sqlx::query("SELECT 1 FROM job WHERE id = ?1 AND state = 'running' AND attempt = ?2 AND holder = ?3")
        .bind(&lease.job)
        .bind(lease.attempt)
        .bind(&lease.holder);
    held(u64::from(query.fetch_optional(connection).await?.is_some()))
}

async fn give_up(change: &mut Transaction<'static, Sqlite>, claim: &Claim) -> Result<Vec<String>> {
    let query = sqlx::query(GIVE_UP)
        .bind(claim.now.0)
        .bind(claim.max_attempts)
        .bind(claim.failed_expires.0);
    let mut given_up = Vec::new();
    for row in query.fetch_all(&mut **change).await? {
        given_up.push((row.try_get::<i64, _>("seq")?, row.try_get::<String, _>("id")?));
    }
    given_up.sort_unstable();
    Ok(given_up.into_iter().map(|(_, id)| id).collect())
}

async fn take(change: &mut Transaction<'static, Sqlite>, seq: i64, claim: &Claim) -> Result<Claimed> {
    let query = sqlx::query(TAKE)
        .bind(claim.now.0)
        .bind(&claim.holder)
        .bind(claim.now.plus(claim.lease).0)
        .bind(seq);
    let row = query.fetch_one(&mut **change).await?;
    let job = row::job(&row)?;
    let lease = Lease {
        job: job.id.clone(),
        attempt: job.attempt,
        holder: claim.holder.clone(),
    };
    let kick_off = sqlx::query_scalar(KICK_OFF)
        .bind(&job.id)
        .fetch_one(&mut **change)
        .await?;
    Ok(Claimed { job, kick_off, lease })
}
