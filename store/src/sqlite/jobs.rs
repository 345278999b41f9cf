//! The life of a job: handed in, settled, cancelled, looked up.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::SqliteStore;
use super::claim::held;
use super::row::{self, job_columns};
use crate::{
    Asker, Bounds, Cancelled, Claim, Error, Job, JobStore, Lease, Listing, NewJob, Progress, Reply, Result, Rubbish,
    State, StoredFile, Submitted, Tally, Time, Turn,
};

const INSERT: &str = "INSERT INTO job (id, seq, owner, profile, created, transaction_time, state, since, url) \
                      VALUES (?1, (SELECT COALESCE(MAX(seq), 0) + 1 FROM job), ?2, ?3, ?4, ?5, 'accepted', ?4, ?6)";

const KICK_OFF: &str = "SELECT text FROM document JOIN job ON job.id = document.job \
                        WHERE job.id = ?1 AND kind = 'kick_off' AND (?2 IS NULL OR owner = ?2)";

const SETTLE: &str = "UPDATE job SET state = ?1, since = ?2, expires = ?3, failure = ?4, holder = NULL, beat = NULL, \
                      lease_until = NULL WHERE id = ?5 AND state = 'running' AND attempt = ?6 AND holder = ?7";

/// How a worker's attempt ended.
#[derive(Clone, Copy)]
enum Outcome<'a> {
    Report(&'a str),
    Failure(&'a str),
}

async fn document(change: &mut SqliteConnection, job: &str, kind: &str, text: &str) -> Result<()> {
    let query = sqlx::query("INSERT INTO document (job, kind, text) VALUES (?1, ?2, ?3)")
        .bind(job)
        .bind(kind)
        .bind(text);
    query.execute(change).await?;
    Ok(())
}

impl SqliteStore {
    async fn insert(&self, job: &NewJob, bounds: Bounds, now: Time) -> Result<Submitted> {
        let mut change = self.begin().await?;
        let active: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM job WHERE owner = ?1 AND state IN ('accepted', 'running')")
                .bind(&job.owner)
                .fetch_one(&mut *change)
                .await?;
        if active >= i64::from(bounds.per_owner) {
            return Ok(Submitted::OwnerBusy {
                active: active.unsigned_abs(),
            });
        }
        let queued: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM job WHERE state = 'accepted'")
            .fetch_one(&mut *change)
            .await?;
        if queued >= i64::from(bounds.queued) {
            return Ok(Submitted::QueueFull {
                queued: queued.unsigned_abs(),
            });
        }
        sqlx::query(INSERT)
            .bind(&job.id)
            .bind(&job.owner)
            .bind(&job.profile)
            .bind(now.0)
            .bind(job.transaction_time.0)
            .bind(&job.url)
            .execute(&mut *change)
            .await?;
        document(&mut change, &job.id, "kick_off", &job.kick_off).await?;
        change.commit().await?;
        Ok(Submitted::Accepted)
    }

    async fn settle(&self, lease: &Lease, outcome: Outcome<'_>, expires: Time, now: Time) -> Result<()> {
        let (state, failure) = match outcome {
            Outcome::Report(_) => (State::Complete, None),
            Outcome::Failure(text) => (State::Failed, Some(text)),
        };
        let mut change = self.begin().await?;
        let query = sqlx::query(SETTLE)
            .bind(state.name())
            .bind(now.0)
            .bind(expires.0)
            .bind(failure)
            .bind(&lease.job)
            .bind(lease.attempt)
            .bind(&lease.holder);
        held(query.execute(&mut *change).await?.rows_affected())?;
        if let Outcome::Report(text) = outcome {
            document(&mut change, &lease.job, "report", text).await?;
        }
        change.commit().await?;
        Ok(())
    }

    async fn cancel_one(&self, id: &str, asker: Asker<'_>, now: Time) -> Result<Cancelled> {
        let mut change = self.begin().await?;
        let row = sqlx::query("SELECT state FROM job WHERE id = ?1 AND (?2 IS NULL OR owner = ?2)")
            .bind(id)
            .bind(asker.owner())
            .fetch_optional(&mut *change)
            .await?
            .ok_or_else(Error::unknown)?;
        let before = row::state(&row)?;
        if matches!(before, State::Cancelled | State::Expired) {
            return Ok(Cancelled::Gone);
        }
        // The lease stays: its end says when the worker has certainly been told.
        sqlx::query("UPDATE job SET state = 'cancelled', since = ?1 WHERE id = ?2")
            .bind(now.0)
            .bind(id)
            .execute(&mut *change)
            .await?;
        change.commit().await?;
        Ok(Cancelled::Now(before))
    }

    async fn find(&self, id: &str, asker: Asker<'_>) -> Result<Option<Job>> {
        const FIND: &str = concat!(
            "SELECT ",
            job_columns!(),
            " FROM job WHERE id = ?1 AND (?2 IS NULL OR owner = ?2)"
        );
        let row = sqlx::query(FIND)
            .bind(id)
            .bind(asker.owner())
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(row::job).transpose()
    }

    async fn newest(&self, asker: Asker<'_>, limit: u32) -> Result<Vec<Job>> {
        const LIST: &str = concat!(
            "SELECT ",
            job_columns!(),
            " FROM job WHERE ?1 IS NULL OR owner = ?1 ORDER BY seq DESC LIMIT ?2"
        );
        let rows = sqlx::query(LIST)
            .bind(asker.owner())
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(row::job).collect()
    }

    async fn count(&self) -> Result<Tally> {
        let mut tally = Tally::default();
        for row in sqlx::query("SELECT state, COUNT(*) AS jobs FROM job GROUP BY state")
            .fetch_all(&self.read)
            .await?
        {
            tally.0[row::state(&row)? as usize] = row::number(&row, "jobs")?;
        }
        Ok(tally)
    }
}

impl JobStore for SqliteStore {
    fn submit<'a>(&'a self, job: &'a NewJob, bounds: Bounds, now: Time) -> Reply<'a, Submitted> {
        Box::pin(self.insert(job, bounds, now))
    }

    fn claim<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Turn> {
        Box::pin(self.claim_next(claim))
    }

    fn heartbeat<'a>(&'a self, lease: &'a Lease, progress: Progress, length: Duration, now: Time) -> Reply<'a, ()> {
        Box::pin(self.renew(lease, progress, length, now))
    }

    fn add_file<'a>(&'a self, lease: &'a Lease, file: &'a StoredFile) -> Reply<'a, ()> {
        Box::pin(self.insert_files(lease, std::slice::from_ref(file)))
    }

    fn add_files<'a>(&'a self, lease: &'a Lease, files: &'a [StoredFile]) -> Reply<'a, ()> {
        Box::pin(self.insert_files(lease, files))
    }

    fn complete<'a>(&'a self, lease: &'a Lease, report: &'a str, expires: Time, now: Time) -> Reply<'a, ()> {
        Box::pin(self.settle(lease, Outcome::Report(report), expires, now))
    }

    fn fail<'a>(&'a self, lease: &'a Lease, failure: &'a str, expires: Time, now: Time) -> Reply<'a, ()> {
        Box::pin(self.settle(lease, Outcome::Failure(failure), expires, now))
    }

    fn release<'a>(&'a self, lease: &'a Lease, now: Time) -> Reply<'a, ()> {
        Box::pin(self.give_back(lease, now))
    }

    fn abandon<'a>(&'a self, holder: &'a str, now: Time) -> Reply<'a, u64> {
        Box::pin(self.end_leases(holder, now))
    }

    fn cancel<'a>(&'a self, id: &'a str, asker: Asker<'a>, now: Time) -> Reply<'a, Cancelled> {
        Box::pin(self.cancel_one(id, asker, now))
    }

    fn get<'a>(&'a self, id: &'a str, asker: Asker<'a>) -> Reply<'a, Option<Job>> {
        Box::pin(self.find(id, asker))
    }

    fn kick_off<'a>(&'a self, id: &'a str, asker: Asker<'a>) -> Reply<'a, Option<String>> {
        Box::pin(async move {
            let query = sqlx::query_scalar(KICK_OFF).bind(id).bind(asker.owner());
            Ok(query.fetch_optional(&self.read).await?)
        })
    }

    fn list<'a>(&'a self, asker: Asker<'a>, limit: u32) -> Reply<'a, Vec<Job>> {
        Box::pin(self.newest(asker, limit))
    }

    fn files<'a>(&'a self, id: &'a str, listing: Listing, after: u32, limit: u32) -> Reply<'a, Vec<(u32, StoredFile)>> {
        Box::pin(self.list_files(id, listing, after, limit))
    }

    fn file<'a>(&'a self, file: &'a str, listing: Listing, asker: Asker<'a>) -> Reply<'a, Option<(Job, StoredFile)>> {
        Box::pin(self.find_file(file, listing, asker))
    }

    fn tally(&self) -> Reply<'_, Tally> {
        Box::pin(self.count())
    }

    fn expire(&self, now: Time, limit: u32) -> Reply<'_, Vec<String>> {
        Box::pin(self.expire_some(now, limit))
    }

    fn rubbish(&self, now: Time, limit: u32) -> Reply<'_, Vec<Rubbish>> {
        Box::pin(self.list_rubbish(now, limit))
    }

    fn mark_purged<'a>(&'a self, job: &'a str, to: u32) -> Reply<'a, ()> {
        Box::pin(self.purged(job, to))
    }

    fn forget(&self, before: Time, limit: u32) -> Reply<'_, u64> {
        Box::pin(self.forget_some(before, limit))
    }
}
