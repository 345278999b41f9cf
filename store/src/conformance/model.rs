//! A store that is slow, obvious and in memory: what the others are compared with.
//!
//! Every question is answered by going through all there is, with the rules written as they are told in
//! [`JobStore`](crate::JobStore). It survives nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{
    Asker, Bounds, Cancelled, Claim, Claimed, Client, ClientStore, Error, Job, JobStore, Kind, Lease, Listing, NewJob,
    Progress, Reply, Result, Rubbish, Secret, State, StoredFile, Submitted, Tally, Time, Turn,
};

/// See the module.
#[derive(Debug, Default)]
pub struct Model {
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    /// In the order in which they were handed in.
    jobs: Vec<Entry>,
    turns: u64,
    clients: Vec<Client>,
    used: Vec<(String, String, Time)>,
    secrets: BTreeMap<String, Secret>,
}

#[derive(Debug)]
struct Entry {
    job: Job,
    kick_off: String,
    beat: Time,
    turn: u64,
    purged: u32,
    /// Of all attempts, each with its number.
    files: Vec<(u32, StoredFile)>,
}

impl Entry {
    fn run_out(&self, now: Time) -> bool {
        let until = self.job.lease_until.expect("a running job has a lease");
        let length = until.0 - self.beat.0;
        now >= until || self.beat.0 - length > now.0
    }

    fn active(&self) -> bool {
        matches!(self.job.state, State::Accepted | State::Running)
    }

    fn silent(&self, now: Time) -> bool {
        self.job.state == State::Running && self.run_out(now)
    }

    fn enter(&mut self, state: State, now: Time) {
        self.job.state = state;
        self.job.since = now;
    }

    fn let_go(&mut self) {
        self.job.holder = None;
        self.job.lease_until = None;
    }

    fn listed(&self, listing: Listing) -> bool {
        self.job.state == State::Complete || (listing == Listing::SoFar && self.job.state == State::Running)
    }

    fn present(&self) -> impl Iterator<Item = &StoredFile> {
        self.files
            .iter()
            .filter(|(attempt, _)| *attempt == self.job.attempt)
            .map(|(_, file)| file)
    }

    /// The last attempt whose folder nobody uses.
    fn top(&self, now: Time) -> u32 {
        let in_use = match self.job.state {
            State::Complete | State::Running => true,
            State::Cancelled => self.job.holder.is_some() && !self.run_out(now),
            State::Accepted | State::Failed | State::Expired => false,
        };
        self.job.attempt - u32::from(in_use)
    }
}

impl All {
    fn find(&mut self, id: &str, asker: Asker<'_>) -> Option<&mut Entry> {
        self.jobs
            .iter_mut()
            .find(|entry| entry.job.id == id && asker.sees(&entry.job.owner))
    }

    fn held(&mut self, lease: &Lease, states: &[State]) -> Result<&mut Entry> {
        self.find(&lease.job, Asker::Server)
            .filter(|entry| states.contains(&entry.job.state))
            .filter(|entry| entry.job.attempt == lease.attempt && entry.job.holder.as_ref() == Some(&lease.holder))
            .ok_or_else(Error::lost)
    }

    fn submit(&mut self, job: &NewJob, bounds: Bounds, now: Time) -> Result<Submitted> {
        let active = self
            .jobs
            .iter()
            .filter(|entry| entry.job.owner == job.owner && entry.active())
            .count() as u64;
        if active >= u64::from(bounds.per_owner) {
            return Ok(Submitted::OwnerBusy { active });
        }
        let queued = self
            .jobs
            .iter()
            .filter(|entry| entry.job.state == State::Accepted)
            .count() as u64;
        if queued >= u64::from(bounds.queued) {
            return Ok(Submitted::QueueFull { queued });
        }
        if self.find(&job.id, Asker::Server).is_some() {
            return Err(Error::new(Kind::Exists, "taken"));
        }
        let NewJob {
            id,
            owner,
            profile,
            url,
            kick_off,
            transaction_time,
        } = job.clone();
        let job = Job {
            id,
            owner,
            profile,
            url,
            created: now,
            transaction_time,
            state: State::Accepted,
            since: now,
            attempt: 0,
            lost: 0,
            holder: None,
            lease_until: None,
            progress: Progress::default(),
            report: None,
            failure: None,
            expires: None,
        };
        self.jobs.push(Entry {
            job,
            kick_off,
            beat: now,
            turn: 0,
            purged: 0,
            files: Vec::new(),
        });
        Ok(Submitted::Accepted)
    }

    fn claim(&mut self, claim: &Claim) -> Turn {
        let now = claim.now;
        let mut given_up = Vec::new();
        for entry in &mut self.jobs {
            if entry.silent(now) && entry.job.lost + 1 >= claim.max_attempts {
                entry.enter(State::Failed, now);
                entry.let_go();
                entry.job.lost += 1;
                entry.job.failure = Some("the worker of this job fell silent, again and again".to_owned());
                entry.job.expires = Some(claim.failed_expires);
                given_up.push(entry.job.id.clone());
            }
        }
        let next = (0..self.jobs.len())
            .filter(|&at| self.jobs[at].job.state == State::Accepted || self.jobs[at].silent(now))
            .min_by_key(|&at| {
                let theirs = || {
                    self.jobs
                        .iter()
                        .filter(|entry| entry.job.owner == self.jobs[at].job.owner)
                };
                let running = theirs()
                    .filter(|entry| entry.job.state == State::Running && !entry.run_out(now))
                    .count();
                (running, theirs().map(|entry| entry.turn).max(), at)
            });
        let Some(at) = next else {
            return Turn {
                claimed: None,
                given_up,
            };
        };
        self.turns += 1;
        let entry = &mut self.jobs[at];
        entry.job.lost += u32::from(entry.job.state == State::Running);
        entry.enter(State::Running, now);
        entry.turn = self.turns;
        entry.beat = now;
        entry.job.attempt += 1;
        entry.job.holder = Some(claim.holder.clone());
        entry.job.lease_until = Some(now.plus(claim.lease));
        entry.job.progress = Progress::default();
        let lease = Lease {
            job: entry.job.id.clone(),
            attempt: entry.job.attempt,
            holder: claim.holder.clone(),
        };
        Turn {
            claimed: Some(Claimed {
                job: entry.job.clone(),
                kick_off: entry.kick_off.clone(),
                lease,
            }),
            given_up,
        }
    }

    fn heartbeat(&mut self, lease: &Lease, progress: Progress, length: Duration, now: Time) -> Result<()> {
        let entry = self.held(lease, &[State::Running])?;
        entry.beat = now;
        entry.job.lease_until = Some(now.plus(length));
        entry.job.progress = progress;
        Ok(())
    }

    fn add_file(&mut self, lease: &Lease, file: &StoredFile) -> Result<()> {
        let id_taken = self
            .jobs
            .iter()
            .any(|entry| entry.files.iter().any(|(_, other)| other.id == file.id));
        let entry = self.held(lease, &[State::Running])?;
        let mut same_name = entry
            .present()
            .filter(|other| other.folder == file.folder && other.name == file.name);
        match same_name.next() {
            Some(other) if other == file => return Ok(()),
            Some(_) => return Err(Error::new(Kind::Exists, "taken")),
            None => drop(same_name),
        }
        if id_taken {
            return Err(Error::new(Kind::Exists, "taken"));
        }
        entry.files.push((lease.attempt, file.clone()));
        Ok(())
    }

    fn add_files(&mut self, lease: &Lease, files: &[StoredFile]) -> Result<()> {
        let before = self.held(lease, &[State::Running])?.files.len();
        for file in files {
            if let Err(error) = self.add_file(lease, file) {
                self.held(lease, &[State::Running])?.files.truncate(before);
                return Err(error);
            }
        }
        Ok(())
    }

    fn settle(&mut self, lease: &Lease, state: State, text: &str, expires: Time, now: Time) -> Result<()> {
        let entry = self.held(lease, &[State::Running])?;
        entry.enter(state, now);
        entry.let_go();
        entry.job.expires = Some(expires);
        let place = if state == State::Complete {
            &mut entry.job.report
        } else {
            &mut entry.job.failure
        };
        *place = Some(text.to_owned());
        Ok(())
    }

    fn release(&mut self, lease: &Lease, now: Time) -> Result<()> {
        let entry = self.held(lease, &[State::Running, State::Cancelled])?;
        entry.let_go();
        if entry.job.state == State::Running {
            entry.enter(State::Accepted, now);
        }
        Ok(())
    }

    fn abandon(&mut self, holder: &str, now: Time) -> u64 {
        let mut ended = 0;
        for entry in &mut self.jobs {
            let of_another = entry.job.holder.as_ref().is_some_and(|other| other != holder);
            if of_another && !entry.run_out(now) {
                entry.beat = now;
                entry.job.lease_until = Some(now);
                ended += 1;
            }
        }
        ended
    }

    fn cancel(&mut self, id: &str, asker: Asker<'_>, now: Time) -> Result<Cancelled> {
        let entry = self.find(id, asker).ok_or_else(Error::unknown)?;
        let before = entry.job.state;
        if matches!(before, State::Cancelled | State::Expired) {
            return Ok(Cancelled::Gone);
        }
        entry.enter(State::Cancelled, now);
        Ok(Cancelled::Now(before))
    }

    fn files(&mut self, id: &str, listing: Listing, after: u32, limit: u32) -> Vec<(u32, StoredFile)> {
        let Some(entry) = self.find(id, Asker::Server).filter(|entry| entry.listed(listing)) else {
            return Vec::new();
        };
        let numbered = (1..).zip(entry.present().cloned());
        numbered
            .filter(|(number, _)| *number > after)
            .take(limit as usize)
            .collect()
    }

    fn file(&self, id: &str, listing: Listing, asker: Asker<'_>) -> Option<(Job, StoredFile)> {
        let mut seen = self
            .jobs
            .iter()
            .filter(|entry| asker.sees(&entry.job.owner) && entry.listed(listing));
        seen.find_map(|entry| Some((entry.job.clone(), entry.present().find(|file| file.id == id)?.clone())))
    }

    fn expire(&mut self, now: Time, limit: u32) -> Vec<String> {
        let over = |entry: &Entry| {
            let settled = matches!(entry.job.state, State::Complete | State::Failed);
            entry.job.expires.filter(|expires| settled && *expires <= now)
        };
        let mut expired: Vec<(Time, usize)> = self
            .jobs
            .iter()
            .enumerate()
            .filter_map(|(at, entry)| Some((over(entry)?, at)))
            .collect();
        expired.sort_unstable();
        expired.truncate(limit as usize);
        let mut ids = Vec::new();
        for (_, at) in expired {
            self.jobs[at].enter(State::Expired, now);
            ids.push(self.jobs[at].job.id.clone());
        }
        ids
    }

    fn rubbish(&self, now: Time, limit: u32) -> Vec<Rubbish> {
        let one = |entry: &Entry| Rubbish {
            job: entry.job.id.clone(),
            from: entry.purged + 1,
            to: entry.top(now),
        };
        self.jobs
            .iter()
            .map(one)
            .filter(|rubbish| rubbish.from <= rubbish.to)
            .take(limit as usize)
            .collect()
    }

    fn mark_purged(&mut self, job: &str, to: u32) -> Result<()> {
        let Some(entry) = self.find(job, Asker::Server) else {
            return Ok(());
        };
        let in_use = matches!(entry.job.state, State::Complete | State::Running);
        if to > entry.job.attempt - u32::from(in_use) {
            return Err(Error::new(Kind::Invalid, "in use"));
        }
        entry.purged = entry.purged.max(to);
        entry.files.retain(|(attempt, _)| *attempt > to);
        Ok(())
    }

    fn forget(&mut self, before: Time, limit: u32) -> u64 {
        let mut left = limit;
        let jobs = self.jobs.len();
        self.jobs.retain(|entry| {
            let gone = matches!(entry.job.state, State::Cancelled | State::Expired) && entry.job.since < before;
            let forgotten = gone && entry.purged >= entry.job.attempt && left > 0;
            left -= u32::from(forgotten);
            !forgotten
        });
        (jobs - self.jobs.len()) as u64
    }
}

impl Model {
    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer that is there already.
fn ready<'a, T: Send + 'a>(answer: Result<T>) -> Reply<'a, T> {
    Box::pin(std::future::ready(answer))
}

impl JobStore for Model {
    fn submit<'a>(&'a self, job: &'a NewJob, bounds: Bounds, now: Time) -> Reply<'a, Submitted> {
        ready(self.lock().submit(job, bounds, now))
    }

    fn claim<'a>(&'a self, claim: &'a Claim) -> Reply<'a, Turn> {
        ready(Ok(self.lock().claim(claim)))
    }

    fn heartbeat<'a>(&'a self, lease: &'a Lease, progress: Progress, length: Duration, now: Time) -> Reply<'a, ()> {
        ready(self.lock().heartbeat(lease, progress, length, now))
    }

    fn add_file<'a>(&'a self, lease: &'a Lease, file: &'a StoredFile) -> Reply<'a, ()> {
        ready(self.lock().add_file(lease, file))
    }

    fn add_files<'a>(&'a self, lease: &'a Lease, files: &'a [StoredFile]) -> Reply<'a, ()> {
        ready(self.lock().add_files(lease, files))
    }

    fn abandon<'a>(&'a self, holder: &'a str, now: Time) -> Reply<'a, u64> {
        ready(Ok(self.lock().abandon(holder, now)))
    }

    fn complete<'a>(&'a self, lease: &'a Lease, report: &'a str, expires: Time, now: Time) -> Reply<'a, ()> {
        ready(self.lock().settle(lease, State::Complete, report, expires, now))
    }

    fn fail<'a>(&'a self, lease: &'a Lease, failure: &'a str, expires: Time, now: Time) -> Reply<'a, ()> {
        ready(self.lock().settle(lease, State::Failed, failure, expires, now))
    }

    fn release<'a>(&'a self, lease: &'a Lease, now: Time) -> Reply<'a, ()> {
        ready(self.lock().release(lease, now))
    }

    fn cancel<'a>(&'a self, id: &'a str, asker: Asker<'a>, now: Time) -> Reply<'a, Cancelled> {
        ready(self.lock().cancel(id, asker, now))
    }

    fn get<'a>(&'a self, id: &'a str, asker: Asker<'a>) -> Reply<'a, Option<Job>> {
        ready(Ok(self.lock().find(id, asker).map(|entry| entry.job.clone())))
    }

    fn kick_off<'a>(&'a self, id: &'a str, asker: Asker<'a>) -> Reply<'a, Option<String>> {
        ready(Ok(self.lock().find(id, asker).map(|entry| entry.kick_off.clone())))
    }

    fn list<'a>(&'a self, asker: Asker<'a>, limit: u32) -> Reply<'a, Vec<Job>> {
        let all = self.lock();
        let seen = all
            .jobs
            .iter()
            .rev()
            .map(|entry| &entry.job)
            .filter(|job| asker.sees(&job.owner));
        ready(Ok(seen.take(limit as usize).cloned().collect()))
    }

    fn files<'a>(&'a self, id: &'a str, listing: Listing, after: u32, limit: u32) -> Reply<'a, Vec<(u32, StoredFile)>> {
        ready(Ok(self.lock().files(id, listing, after, limit)))
    }

    fn file<'a>(&'a self, file: &'a str, listing: Listing, asker: Asker<'a>) -> Reply<'a, Option<(Job, StoredFile)>> {
        ready(Ok(self.lock().file(file, listing, asker)))
    }

    fn tally(&self) -> Reply<'_, Tally> {
        let mut tally = Tally::default();
        for entry in &self.lock().jobs {
            tally.0[entry.job.state as usize] += 1;
        }
        ready(Ok(tally))
    }

    fn expire(&self, now: Time, limit: u32) -> Reply<'_, Vec<String>> {
        ready(Ok(self.lock().expire(now, limit)))
    }

    fn rubbish(&self, now: Time, limit: u32) -> Reply<'_, Vec<Rubbish>> {
        ready(Ok(self.lock().rubbish(now, limit)))
    }

    fn mark_purged<'a>(&'a self, job: &'a str, to: u32) -> Reply<'a, ()> {
        ready(self.lock().mark_purged(job, to))
    }

    fn forget(&self, before: Time, limit: u32) -> Reply<'_, u64> {
        ready(Ok(self.lock().forget(before, limit)))
    }
}

impl ClientStore for Model {
    fn add_client<'a>(&'a self, client: &'a Client) -> Reply<'a, ()> {
        let clients = &mut self.lock().clients;
        if clients
            .iter()
            .any(|other| other.id == client.id || other.name == client.name)
        {
            return ready(Err(Error::new(Kind::Exists, "taken")));
        }
        clients.push(client.clone());
        clients.sort_by(|a, b| a.name.cmp(&b.name));
        ready(Ok(()))
    }

    fn remove_client<'a>(&'a self, id: &'a str) -> Reply<'a, bool> {
        let clients = &mut self.lock().clients;
        let before = clients.len();
        clients.retain(|client| client.id != id);
        ready(Ok(clients.len() < before))
    }

    fn client<'a>(&'a self, id: &'a str) -> Reply<'a, Option<Client>> {
        ready(Ok(self.lock().clients.iter().find(|client| client.id == id).cloned()))
    }

    fn clients(&self) -> Reply<'_, Vec<Client>> {
        ready(Ok(self.lock().clients.clone()))
    }

    fn use_jti<'a>(&'a self, client: &'a str, jti: &'a str, expires: Time, now: Time) -> Reply<'a, bool> {
        let used = &mut self.lock().used;
        used.retain(|(.., expires)| *expires > now);
        let first = !used.iter().any(|(other, text, _)| other == client && text == jti);
        if first {
            used.push((client.to_owned(), jti.to_owned(), expires));
        }
        ready(Ok(first))
    }

    fn secret<'a>(&'a self, name: &'a str, fresh: &'a Secret) -> Reply<'a, Secret> {
        ready(Ok(self
            .lock()
            .secrets
            .entry(name.to_owned())
            .or_insert_with(|| fresh.clone())
            .clone()))
    }

    fn replace_secret<'a>(&'a self, name: &'a str, fresh: &'a Secret) -> Reply<'a, ()> {
        self.lock().secrets.insert(name.to_owned(), fresh.clone());
        ready(Ok(()))
    }
}
