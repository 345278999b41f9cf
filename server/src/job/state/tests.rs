//! Every transition, and random histories in which workers die, come back and clocks jump.

use super::*;

const TERMS: Terms = Terms {
    lease: Duration::from_secs(30),
    most_losses: 3,
    expires: Duration::from_secs(3600),
};

fn claim(worker: &str) -> Event {
    Event::Claim {
        worker: worker.to_owned(),
    }
}

const fn beat(attempt: u32, done: u64) -> Event {
    Event::Heartbeat {
        attempt,
        done,
        total: 100,
    }
}

fn fail(attempt: u32, may_pass: bool) -> Event {
    Event::Fail {
        attempt,
        message: "the disk is full".to_owned(),
        may_pass,
    }
}

const SWEEP: Event = Event::Sweep { in_use: false };

/// After all of these, each at its second.
#[track_caller]
fn after(events: &[(u64, Event)]) -> Job {
    let mut job = Job::default();
    for (second, event) in events {
        job = job.step(event, Time(second * 1000), &TERMS).expect("legal");
    }
    job
}

fn at(job: &Job, second: u64, event: &Event) -> Result<Job, Illegal> {
    job.step(event, Time(second * 1000), &TERMS)
}

#[test]
fn accepted_running_complete_expired() {
    let job = Job::default();
    assert_eq!(job.shown(), Shown::Working { percent: None });
    let running = after(&[(0, claim("a")), (5, beat(1, 40))]);
    assert_eq!(running.shown(), Shown::Working { percent: Some(40) });
    assert!(running.is_unfinished() && running.keeps(1));
    let done = at(&running, 9, &Event::Settle { attempt: 1 }).expect("legal");
    assert_eq!(done.shown(), Shown::Done);
    assert!(!done.is_unfinished() && done.keeps(1) && !done.keeps(2));
    assert_eq!(at(&done, 3608, &SWEEP), Err(Illegal::Nothing));
    let gone = at(&done, 3609, &SWEEP).expect("due");
    assert_eq!(gone.state, State::Expired);
    assert_eq!(gone.shown(), Shown::Gone);
    assert!(!gone.keeps(1));
}

#[test]
fn all_is_done_only_when_it_is_settled() {
    let job = after(&[(0, claim("a")), (1, beat(1, 100))]);
    assert_eq!(job.shown(), Shown::Working { percent: Some(99) });
    let job = after(&[(0, claim("a"))]);
    assert_eq!(job.shown(), Shown::Working { percent: Some(0) });
}

#[test]
fn a_lease_keeps_others_away_until_it_lapses() {
    let job = after(&[(0, claim("a")), (20, beat(1, 1))]);
    assert_eq!(at(&job, 49, &claim("b")), Err(Illegal::Leased));
    assert!(!job.is_free(Time(49_000), &TERMS) && job.is_free(Time(50_000), &TERMS));
    let taken = at(&job, 50, &claim("b")).expect("lapsed");
    assert_eq!((taken.attempts, taken.losses), (2, 1));
    for late in [
        beat(1, 2),
        Event::Settle { attempt: 1 },
        fail(1, false),
        Event::Release { attempt: 1 },
    ] {
        assert_eq!(at(&taken, 51, &late), Err(Illegal::Stale), "{late:?}");
    }
    // Whoever was silent for long and is still wanted goes on.
    assert!(at(&job, 500, &beat(1, 2)).is_ok());
}

#[test]
fn a_clock_that_was_set_back_does_not_make_a_lease_longer() {
    let job = after(&[(1000, claim("a"))]);
    assert_eq!(at(&job, 980, &claim("b")), Err(Illegal::Leased));
    assert!(at(&job, 970, &claim("b")).is_ok());
    assert!(at(&job, 0, &SWEEP).is_ok_and(|job| job.state == State::Accepted));
}

#[test]
fn lost_attempts_are_counted_and_the_last_one_ends_the_job() {
    let job = after(&[
        (0, claim("a")),
        (30, SWEEP),
        (31, claim("b")),
        (61, SWEEP),
        (62, claim("c")),
    ]);
    assert_eq!((job.attempts, job.losses), (3, 2));
    assert_eq!(at(&job, 92, &claim("d")), Err(Illegal::Exhausted));
    let failed = at(&job, 92, &SWEEP).expect("due");
    assert!(matches!(
        &failed.state,
        State::Failed {
            failure: Failure::Lost,
            ..
        }
    ));
    assert_eq!(failed.shown(), Shown::Broken);
    assert_eq!(at(&failed, 93, &claim("d")), Err(Illegal::Ended));
}

#[test]
fn giving_a_job_back_is_no_loss() {
    let mut events = Vec::new();
    for attempt in 1..=10 {
        events.push((u64::from(attempt), claim("a")));
        events.push((u64::from(attempt), Event::Release { attempt }));
    }
    let job = after(&events);
    assert_eq!((job.attempts, job.losses), (10, 0));
    assert_eq!(job.state, State::Accepted);
    assert!((1..=10).all(|attempt| !job.keeps(attempt)));
}

#[test]
fn failures_that_may_pass_are_tried_again() {
    let job = after(&[(0, claim("a")), (1, fail(1, true))]);
    assert_eq!((&job.state, job.losses), (&State::Accepted, 1));
    let job = after(&[(0, claim("a")), (1, fail(1, false))]);
    let State::Failed { failure, expires } = job.state.clone() else {
        panic!("failed")
    };
    assert_eq!(failure, Failure::Told("the disk is full".into()));
    assert_eq!(expires, Time(3_601_000));
    assert!(at(&job, 3601, &SWEEP).is_ok_and(|job| job.state == State::Expired));
}

#[test]
fn a_deleted_job_is_gone_at_once_and_for_good() {
    let settled = [(0, claim("a")), (1, Event::Settle { attempt: 1 })];
    for events in [
        &[][..],
        &[(0, claim("a"))],
        &settled,
        &[(0, claim("a")), (1, fail(1, false))],
    ] {
        let job = at(&after(events), 2, &Event::Cancel).expect("legal");
        assert_eq!(job.shown(), Shown::Gone);
        assert!(!job.keeps(1) && !job.is_unfinished());
        let all = [
            claim("b"),
            beat(1, 1),
            Event::Settle { attempt: 1 },
            fail(1, true),
            Event::Release { attempt: 1 },
            Event::Cancel,
            SWEEP,
        ];
        for event in all {
            assert_eq!(at(&job, 3, &event), Err(Illegal::Gone), "{event:?}");
        }
    }
}

#[test]
fn an_end_cannot_be_ended_again() {
    let job = after(&[(0, claim("a")), (1, Event::Settle { attempt: 1 })]);
    for event in [Event::Settle { attempt: 1 }, fail(1, true), beat(1, 1), claim("b")] {
        assert_eq!(at(&job, 2, &event), Err(Illegal::Ended), "{event:?}");
    }
}

#[test]
fn files_in_use_are_not_pulled_away() {
    let job = after(&[(0, claim("a")), (1, Event::Settle { attempt: 1 })]);
    let in_use = Event::Sweep { in_use: true };
    assert_eq!(at(&job, 9999, &in_use), Err(Illegal::Nothing));
    assert!(at(&job, 9999, &SWEEP).is_ok());
    assert!(at(&job, 9999, &Event::Cancel).is_ok(), "its client may");
}

#[test]
fn a_job_is_written_down_and_read_again() {
    let settled = (1, Event::Settle { attempt: 1 });
    for events in [
        &[][..],
        &[(0, claim("a"))],
        &[(0, claim("a")), settled],
        &[(0, claim("a")), (1, fail(1, false))],
    ] {
        let job = after(events);
        let text = serde_json::to_string(&job).expect("plain data");
        assert_eq!(serde_json::from_str::<Job>(&text).ok(), Some(job), "{text}");
    }
}

/// Numbers that look random and are the same in each run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Workers as they are: they have an attempt or none, and may be dead.
struct World {
    random: Random,
    job: Job,
    now: u64,
    /// Attempts that some worker, living or not, still believes in.
    believed: Vec<u32>,
    settled: Vec<u32>,
    numbers: Vec<u32>,
}

impl World {
    fn new(seed: u64) -> World {
        World {
            random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            job: Job::default(),
            now: 1_000_000,
            believed: Vec::new(),
            settled: Vec::new(),
            numbers: Vec::new(),
        }
    }

    /// Some event, legal or not.
    fn event(&mut self) -> Event {
        let count = self.believed.len() as u64;
        let attempt = if count > 0 && self.random.below(8) > 0 {
            self.believed[self.random.below(count) as usize]
        } else {
            self.random.below(12) as u32
        };
        match self.random.below(40) {
            0..=9 => claim("w"),
            10..=19 => beat(attempt, self.random.below(120)),
            20..=21 => Event::Release { attempt },
            22..=23 => Event::Settle { attempt },
            24..=25 => fail(attempt, self.random.below(4) > 0),
            26 if self.random.below(6) == 0 => Event::Cancel,
            _ => Event::Sweep {
                in_use: self.random.below(2) == 0,
            },
        }
    }

    fn step(&mut self, event: &Event) {
        let before = self.job.clone();
        let result = before.step(event, Time(self.now), &TERMS);
        match (&result, event) {
            (Ok(job), Event::Claim { .. }) => {
                // Numbers only rise: no folder is ever used twice.
                assert!(self.numbers.iter().all(|number| *number < job.attempts));
                self.numbers.push(job.attempts);
                self.believed.push(job.attempts);
            }
            (Ok(_), Event::Settle { attempt }) => self.settled.push(*attempt),
            _ => {}
        }
        if let Ok(job) = result {
            self.job = job;
        }
        self.check(&before);
    }

    fn check(&self, before: &Job) {
        let job = &self.job;
        assert!(self.settled.len() <= 1, "settled twice: {:?}", self.settled);
        if let State::Complete { attempt, .. } = &job.state {
            assert_eq!(self.settled, [*attempt], "what is listed was settled");
        }
        assert!(job.losses <= TERMS.most_losses && job.losses <= job.attempts);
        let kept = (0..=job.attempts + 1).filter(|number| job.keeps(*number)).count();
        assert!(kept <= 1, "output of two attempts is kept");
        let is_gone = |job: &Job| job.shown() == Shown::Gone;
        assert!(!is_gone(before) || before == job, "what is gone stays as it is");
        let has_ended = |job: &Job| matches!(job.state, State::Complete { .. } | State::Failed { .. });
        assert!(
            !has_ended(before) || has_ended(job) || is_gone(job),
            "an end is left for good only"
        );
    }

    /// One honest worker from here on; everybody else is dead, and the clock runs. The job comes to an end.
    fn run_out(&mut self) {
        for _ in 0..100 {
            if !self.job.is_unfinished() {
                return;
            }
            self.now += 31_000;
            self.step(&SWEEP);
            self.step(&claim("honest"));
            let attempt = self.job.attempts;
            self.step(&Event::Settle { attempt });
        }
        panic!("the job never ends: {:?}", self.job);
    }
}

#[test]
fn no_history_loses_a_job_or_settles_two_attempts() {
    let mut ends = [0_u32; 4];
    for seed in 1..=3000 {
        let mut world = World::new(seed);
        let steps = world.random.below(60);
        for _ in 0..steps {
            let event = world.event();
            world.step(&event);
            // Mostly on, sometimes far on, sometimes back.
            world.now = match world.random.below(20) {
                0 => world.now + 3_700_000,
                1 => world.now.saturating_sub(world.random.below(100_000)),
                2..=5 => world.now + 31_000,
                _ => world.now + world.random.below(5000),
            };
        }
        world.run_out();
        ends[match world.job.state {
            State::Complete { .. } => 0,
            State::Failed { .. } => 1,
            State::Cancelled => 2,
            _ => 3,
        }] += 1;
    }
    assert!(
        ends.iter().all(|count| *count > 20),
        "histories are too much alike: {ends:?}"
    );
}

/// A worker runs a job in steps; it is killed after the n-th, for every n, and another comes after the lease.
#[test]
fn a_kill_at_any_moment_loses_nothing() {
    let script = |attempt: u32| {
        [
            claim("a"),
            beat(attempt, 10),
            beat(attempt, 90),
            Event::Settle { attempt },
        ]
    };
    for killed_after in 0..=4_usize {
        let mut world = World::new(1);
        for event in script(1).iter().take(killed_after) {
            world.step(event);
            world.now += 1000;
        }
        world.now += 30_000;
        let attempt = world.job.attempts + 1;
        for event in &script(attempt) {
            world.step(event);
        }
        assert_eq!(world.settled.len(), 1, "killed after {killed_after}");
        assert_eq!(world.job.shown(), Shown::Done);
        // The dead one comes back and has nothing more to say.
        let before = world.job.clone();
        for event in &script(1)[1..] {
            world.step(event);
        }
        assert_eq!(world.job, before);
    }
}
