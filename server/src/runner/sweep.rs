//! What time does to jobs: they expire, their folders go, they are forgotten. A bounded number of them at a time.

use std::sync::Arc;
use std::time::Duration;

use fhirehose_store::{Asker, Result, Store, Time};

use super::{Inner, stopped};
use crate::outputs::Outputs;

/// Most jobs of each kind in a round; the others have their turn in the next.
const MOST: u32 = 500;

/// However it is set, the store has other things to do.
const SHORTEST: Duration = Duration::from_millis(10);

/// Folders of jobs that nobody knows are left by nothing but mishaps: they are looked for in one round of so many.
const ROUNDS: u64 = 60;

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Jobs whose time is over.
    pub expired: usize,
    /// Jobs of which folders were removed.
    pub purged: usize,
    /// Jobs whose folders could not go yet, since files of them are being sent or the system says no.
    pub kept: usize,
    /// Jobs that nobody remembers any more.
    pub forgotten: u64,
}

/// One round. Jobs that have been over for longer than `remembers` are forgotten.
///
/// # Errors
/// The store fails; the next round goes on.
pub async fn round(store: &dyn Store, outputs: &Outputs, remembers: Duration, now: Time) -> Result<Swept> {
    let mut swept = Swept {
        expired: store.expire(now, MOST).await?.len(),
        ..Swept::default()
    };
    for rubbish in store.rubbish(now, MOST).await? {
        if outputs.is_held(&rubbish.job) {
            swept.kept += 1;
            continue;
        }
        match outputs.remove(&rubbish.job, rubbish.from..=rubbish.to).await {
            Ok(()) => {
                store.mark_purged(&rubbish.job, rubbish.to).await?;
                swept.purged += 1;
            }
            Err(error) => {
                tracing::warn!(job = rubbish.job, %error, "the files of a job cannot be removed");
                swept.kept += 1;
            }
        }
    }
    let before = Time(
        now.0
            .saturating_sub(i64::try_from(remembers.as_millis()).unwrap_or(i64::MAX)),
    );
    swept.forgotten = store.forget(before, MOST).await?;
    Ok(swept)
}

/// Removes folders of jobs that the store does not know; returns how many.
///
/// # Errors
/// The store fails.
pub async fn strays(store: &dyn Store, outputs: &Outputs) -> Result<usize> {
    let jobs = outputs.jobs().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the folder of all jobs cannot be read");
        Vec::new()
    });
    let mut removed = 0;
    for job in jobs {
        // A folder is made after its job was stored, so it is no new one.
        if outputs.is_held(&job) || store.get(&job, Asker::Server).await?.is_some() {
            continue;
        }
        match outputs.remove_all(&job).await {
            Ok(()) => removed += 1,
            Err(error) => tracing::warn!(job, %error, "the folder of an unknown job cannot be removed"),
        }
    }
    Ok(removed)
}

/// Sweeps until the runner stops.
pub(super) async fn forever(inner: Arc<Inner>) {
    let setting = inner.setting.clone();
    let (store, outputs) = (&*setting.store, &*setting.outputs);
    let mut stopping = inner.stopping.subscribe();
    let mut ticks = tokio::time::interval(setting.sweeps.max(SHORTEST));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for number in 0_u64.. {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stopped(&mut stopping) => return,
        }
        match round(store, outputs, setting.remembers, inner.now()).await {
            Ok(swept) if swept != Swept::default() => tracing::info!(
                expired = swept.expired,
                purged = swept.purged,
                kept = swept.kept,
                forgotten = swept.forgotten,
                "swept"
            ),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cannot sweep; trying again"),
        }
        if number % ROUNDS == 0
            && let Err(error) = strays(store, outputs).await
        {
            tracing::warn!(%error, "cannot look for folders of unknown jobs; trying again");
        }
    }
}
