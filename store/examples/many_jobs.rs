//! Fills a store: `many_jobs FILE COUNT` takes the youngest complete job in it and adds so many like it.
//!
//! For measurements of a server whose store is full; the jobs have the files of the first in the store, not on the disk.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use fhirehose_store::sqlite::{Options, SqliteStore};
use fhirehose_store::{Asker, Bounds, Claim, JobStore, Listing, NewJob, State, StoredFile, Submitted};

const BOUNDS: Bounds = Bounds {
    queued: u32::MAX,
    per_owner: u32::MAX,
};

/// A month: none of them expires before it is measured.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

async fn fill(path: &Path, count: usize) -> Result<(), Box<dyn Error>> {
    let store = SqliteStore::open(path, &Options::default()).await?;
    let jobs = store.list(Asker::Server, 100).await?;
    let first = jobs.into_iter().find(|job| job.state == State::Complete);
    let first = first.ok_or("there is no complete job in the store")?;
    let kick_off = store.kick_off(&first.id, Asker::Server).await?.unwrap_or_default();
    let files = store.files(&first.id, Listing::Settled, 0, 1000).await?;
    let report = first.report.clone().unwrap_or_default();
    let now = first.since;
    let claim = Claim {
        now,
        holder: "many-jobs".to_owned(),
        lease: KEPT,
        max_attempts: 3,
        failed_expires: now.plus(KEPT),
    };
    for number in 0..count {
        let job = NewJob {
            id: format!("made-{number}"),
            owner: first.owner.clone(),
            profile: first.profile.clone(),
            url: first.url.clone(),
            kick_off: kick_off.clone(),
            transaction_time: first.transaction_time,
        };
        if store.submit(&job, BOUNDS, now).await? != Submitted::Accepted {
            return Err("a job is not accepted".into());
        }
        let claimed = store.claim(&claim).await?.claimed.ok_or("no job waits")?;
        let own = files.iter().map(|(_, file)| StoredFile {
            id: format!("{}-{number}", file.id),
            ..file.clone()
        });
        store.add_files(&claimed.lease, &own.collect::<Vec<_>>()).await?;
        store.complete(&claimed.lease, &report, now.plus(KEPT), now).await?;
    }
    store.close().await;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut given = std::env::args().skip(1);
    let (Some(path), Some(count)) = (given.next(), given.next()) else {
        writeln!(std::io::stderr(), "usage: many_jobs FILE COUNT; nothing was filled")?;
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(fill(Path::new(&path), count.parse()?))
}
