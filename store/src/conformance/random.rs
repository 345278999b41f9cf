//! Random operations on a store and on the model at once: the answers have to be the same.

use std::fmt::Debug;
use std::time::Duration;

use super::Model;
use crate::{
    Asker, Bounds, Claim, Client, Error, Folder, Kind, Lease, Listing, NewJob, Progress, Secret, Store, StoredFile,
    Time,
};

/// Numbers from a seed (splitmix64).
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn small(&mut self, end: u32) -> u32 {
        u32::try_from(self.below(u64::from(end))).unwrap_or(0)
    }
}

/// What there is to draw from; small, so that calls meet.
struct World {
    dice: Dice,
    now: Time,
    jobs: u64,
    files: u64,
    leases: Vec<Lease>,
}

impl World {
    /// A job that is likely to exist, or not.
    fn job(&mut self) -> String {
        let newest = self.jobs + 1;
        let far = self.dice.below(newest.min(12));
        format!("job-{}", newest - far)
    }

    fn owner(&mut self) -> String {
        format!("client-{}", self.dice.below(3))
    }

    /// A lease that was given, at times with something wrong in it.
    fn lease(&mut self) -> Lease {
        let made_up = Lease {
            job: self.job(),
            attempt: 1,
            holder: "nobody".to_owned(),
        };
        if self.leases.is_empty() {
            return made_up;
        }
        let recent = self.leases.len().min(5) as u64;
        let far = usize::try_from(self.dice.below(recent)).unwrap_or(0);
        let mut lease = self.leases[self.leases.len() - 1 - far].clone();
        match self.dice.below(20) {
            0 => lease.holder.push('?'),
            1 => lease.attempt += 1,
            2 => return made_up,
            _ => {}
        }
        lease
    }

    fn file(&mut self) -> StoredFile {
        self.files += u64::from(self.dice.below(8) != 0);
        let number = self.files;
        let name = if self.dice.below(8) == 0 {
            self.dice.below(3)
        } else {
            number
        };
        StoredFile {
            id: format!("file-{number}"),
            name: format!("Observation.{name}.ndjson"),
            folder: [Folder::Output, Folder::Deleted, Folder::Error][usize::try_from(number % 3).unwrap_or(0)],
            resource_type: number.is_multiple_of(2).then(|| "Observation".to_owned()),
            continues_in: number.is_multiple_of(5).then(|| "Observation.0.ndjson".to_owned()),
            count: number * 7,
            bytes: number * 1000,
            sha256: [number.to_le_bytes()[0]; 32],
        }
    }

    /// Mostly forward a little; now and then far, and back.
    fn pass_time(&mut self) {
        let step = match self.dice.below(40) {
            0 => 100_000,
            1 => -100_000,
            2 => -300,
            3..10 => 700,
            _ => 20,
        };
        self.now.0 += step;
    }

    fn asker<'a>(&mut self, owner: &'a str) -> Asker<'a> {
        if self.dice.below(2) == 0 {
            Asker::Server
        } else {
            Asker::Owner(owner)
        }
    }

    fn span(&mut self) -> Duration {
        Duration::from_millis(self.dice.below(2000))
    }
}

fn same<T: PartialEq + Debug>(what: &str, theirs: Result<T, Error>, ours: Result<T, Error>) -> Option<T> {
    let kind = |answer: &Result<T, Error>| answer.as_ref().err().map(Error::kind);
    match (theirs, ours) {
        (Ok(theirs), Ok(ours)) => {
            assert_eq!(theirs, ours, "{what}: the store's answer, and the model's");
            Some(theirs)
        }
        (theirs, ours) => {
            assert_eq!(kind(&theirs), kind(&ours), "{what}: the store's error, and the model's");
            None
        }
    }
}

/// Runs `steps` random operations, among them jumps of the clock, and compares all answers. The store has to be empty.
///
/// # Panics
///
/// Where an answer differs; the message names the seed and the step.
pub async fn compare(store: &dyn Store, seed: u64, steps: u32) {
    let model = Model::default();
    let mut world = World {
        dice: Dice(seed),
        now: Time(1_700_000_000_000),
        jobs: 0,
        files: 0,
        leases: Vec::new(),
    };
    for step in 0..steps {
        world.pass_time();
        let what = format!("seed {seed}, step {step}");
        match world.dice.below(24) {
            0..10 => work(store, &model, &mut world, &what).await,
            10..14 => clients(store, &model, &mut world, &what).await,
            14..17 => sweep(store, &model, &mut world, &what).await,
            _ => hand_in(store, &model, &mut world, &what).await,
        }
        look(store, &model, &mut world, &what).await;
    }
}

async fn hand_in(store: &dyn Store, model: &dyn Store, world: &mut World, what: &str) {
    let now = world.now;
    if world.dice.below(4) == 0 {
        let (id, owner) = (world.job(), world.owner());
        let asker = world.asker(&owner);
        same(
            &format!("{what}, cancel"),
            store.cancel(&id, asker, now).await,
            model.cancel(&id, asker, now).await,
        );
        return;
    }
    world.jobs += u64::from(world.dice.below(10) != 0);
    let job = NewJob {
        id: format!("job-{}", world.jobs),
        owner: world.owner(),
        profile: "ig".to_owned(),
        url: format!("http://localhost/$export?{}", world.jobs),
        kick_off: format!("{{\"n\":{}}}", world.jobs),
        transaction_time: Time(now.0 - 5),
    };
    let bounds = Bounds {
        queued: 2 + world.dice.small(8),
        per_owner: 1 + world.dice.small(6),
    };
    same(
        &format!("{what}, submit"),
        store.submit(&job, bounds, now).await,
        model.submit(&job, bounds, now).await,
    );
}

async fn work(store: &dyn Store, model: &dyn Store, world: &mut World, what: &str) {
    let (now, lease, span) = (world.now, world.lease(), world.span());
    let expires = now.plus(span);
    match world.dice.below(14) {
        0..4 => {
            let claim = Claim {
                now,
                holder: format!("worker-{}", world.dice.below(3)),
                lease: span,
                max_attempts: 1 + world.dice.small(4),
                failed_expires: expires,
            };
            let turn = same(
                &format!("{what}, claim"),
                store.claim(&claim).await,
                model.claim(&claim).await,
            );
            world
                .leases
                .extend(turn.and_then(|turn| turn.claimed).map(|claimed| claimed.lease));
        }
        4 => {
            let progress = Progress {
                done: world.dice.below(100),
                total: 100,
            };
            let theirs = store.heartbeat(&lease, progress, span, now).await;
            same(
                &format!("{what}, heartbeat"),
                theirs,
                model.heartbeat(&lease, progress, span, now).await,
            );
        }
        5..9 => {
            let file = world.file();
            let theirs = store.add_file(&lease, &file).await;
            same(
                &format!("{what}, add_file"),
                theirs,
                model.add_file(&lease, &file).await,
            );
        }
        9 => {
            let theirs = store.complete(&lease, "{}", expires, now).await;
            same(
                &format!("{what}, complete"),
                theirs,
                model.complete(&lease, "{}", expires, now).await,
            );
        }
        10 => {
            let theirs = store.fail(&lease, "no", expires, now).await;
            same(
                &format!("{what}, fail"),
                theirs,
                model.fail(&lease, "no", expires, now).await,
            );
        }
        11..13 => work_of_many(store, model, world, what).await,
        _ => {
            same(
                &format!("{what}, release"),
                store.release(&lease, now).await,
                model.release(&lease, now).await,
            );
        }
    }
}

/// What concerns several files or jobs.
async fn work_of_many(store: &dyn Store, model: &dyn Store, world: &mut World, what: &str) {
    let (now, lease) = (world.now, world.lease());
    if world.dice.below(2) == 0 {
        let files: Vec<_> = (0..1 + world.dice.below(3)).map(|_| world.file()).collect();
        let theirs = store.add_files(&lease, &files).await;
        same(
            &format!("{what}, add_files"),
            theirs,
            model.add_files(&lease, &files).await,
        );
    } else {
        let holder = format!("worker-{}", world.dice.below(3));
        same(
            &format!("{what}, abandon"),
            store.abandon(&holder, now).await,
            model.abandon(&holder, now).await,
        );
    }
}

async fn sweep(store: &dyn Store, model: &dyn Store, world: &mut World, what: &str) {
    let (now, limit) = (world.now, world.dice.small(4));
    match world.dice.below(5) {
        0 => {
            same(
                &format!("{what}, expire"),
                store.expire(now, limit).await,
                model.expire(now, limit).await,
            );
        }
        1 => {
            let before = Time(now.0 - 500);
            same(
                &format!("{what}, forget"),
                store.forget(before, limit).await,
                model.forget(before, limit).await,
            );
        }
        2 => {
            let (job, to) = (world.job(), world.dice.small(4));
            let theirs = store.mark_purged(&job, to).await;
            same(
                &format!("{what}, mark_purged"),
                theirs,
                model.mark_purged(&job, to).await,
            );
        }
        _ => {
            let found = same(
                &format!("{what}, rubbish"),
                store.rubbish(now, limit).await,
                model.rubbish(now, limit).await,
            );
            for rubbish in found.unwrap_or_default() {
                let theirs = store.mark_purged(&rubbish.job, rubbish.to).await;
                let done = same(
                    &format!("{what}, purge"),
                    theirs,
                    model.mark_purged(&rubbish.job, rubbish.to).await,
                );
                assert!(done.is_some(), "{what}: what is named as rubbish can be purged");
            }
        }
    }
}

async fn clients(store: &dyn Store, model: &dyn Store, world: &mut World, what: &str) {
    let now = world.now;
    let id = format!("client-{}", world.dice.below(4));
    match world.dice.below(5) {
        0 => {
            let client = Client {
                id: id.clone(),
                name: format!("name-{}", world.dice.below(4)),
                jwks: "keys.json".to_owned(),
                scopes: "system/*.rs".to_owned(),
                added: now,
            };
            same(
                &format!("{what}, add_client"),
                store.add_client(&client).await,
                model.add_client(&client).await,
            );
        }
        1 => {
            same(
                &format!("{what}, remove_client"),
                store.remove_client(&id).await,
                model.remove_client(&id).await,
            );
        }
        2 => {
            let (name, fresh) = (
                format!("key-{}", world.dice.below(3)),
                Secret(vec![world.dice.below(256) as u8; 32]),
            );
            if world.dice.below(4) == 0 {
                let theirs = store.replace_secret(&name, &fresh).await;
                same(
                    &format!("{what}, replace_secret"),
                    theirs,
                    model.replace_secret(&name, &fresh).await,
                );
            }
            same(
                &format!("{what}, secret"),
                store.secret(&name, &fresh).await,
                model.secret(&name, &fresh).await,
            );
        }
        _ => {
            let (jti, expires) = (format!("jti-{}", world.dice.below(4)), now.plus(world.span()));
            let theirs = store.use_jti(&id, &jti, expires, now).await;
            same(
                &format!("{what}, use_jti"),
                theirs,
                model.use_jti(&id, &jti, expires, now).await,
            );
        }
    }
    same(
        &format!("{what}, client"),
        store.client(&id).await,
        model.client(&id).await,
    );
    same(
        &format!("{what}, clients"),
        store.clients().await,
        model.clients().await,
    );
}

/// Whatever was done: all that can be asked gives the same answer.
async fn look(store: &dyn Store, model: &dyn Store, world: &mut World, what: &str) {
    let (id, owner, limit, after) = (world.job(), world.owner(), world.dice.small(5), world.dice.small(3));
    let asker = world.asker(&owner);
    let listing = if world.dice.below(2) == 0 {
        Listing::Settled
    } else {
        Listing::SoFar
    };
    let file = format!("file-{}", world.files - world.dice.below(1 + world.files.min(9)));
    let everything = store.list(Asker::Server, u32::MAX).await;
    same(
        &format!("{what}, all jobs"),
        everything,
        model.list(Asker::Server, u32::MAX).await,
    );
    same(
        &format!("{what}, list"),
        store.list(asker, limit).await,
        model.list(asker, limit).await,
    );
    same(
        &format!("{what}, get"),
        store.get(&id, asker).await,
        model.get(&id, asker).await,
    );
    same(
        &format!("{what}, kick_off"),
        store.kick_off(&id, asker).await,
        model.kick_off(&id, asker).await,
    );
    let theirs = store.files(&id, listing, after, 9).await;
    same(
        &format!("{what}, files"),
        theirs,
        model.files(&id, listing, after, 9).await,
    );
    let theirs = store.file(&file, listing, asker).await;
    same(
        &format!("{what}, file"),
        theirs,
        model.file(&file, listing, asker).await,
    );
    let tally = same(&format!("{what}, tally"), store.tally().await, model.tally().await);
    assert!(tally.is_some(), "{what}: reading never fails");
    let unknown = store
        .cancel("no such job", Asker::Server, world.now)
        .await
        .map_err(|error| error.kind());
    assert_eq!(unknown, Err(Kind::Unknown), "{what}");
}
