//! The files of an export, and which of them may begin now: how many at once each server likes is learned.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::super::journal::Listed;
use super::super::settings::Millis;
use super::super::step::FileNo;
use super::super::url;
use super::host::Host;
use crate::names::Named;
use crate::order::Map;
use crate::sink::FileKind;

/// Where a file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It may begin as soon as there is room for it.
    Ready,
    /// It waits before it is tried again.
    Later,
    /// It is under way.
    Active,
    /// Its URL is refused; the manifest is asked for a fresh one.
    Stale,
    /// It is complete and safe.
    Safe,
    /// It has been given up.
    Lost,
}

/// A file, with what has become of it.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) listed: Listed,
    pub(super) state: State,
    /// The host of its URL; `None` where that cannot be fetched at all.
    host: Option<usize>,
    /// Attempts since the last that made progress.
    pub(super) tries: u32,
    /// All attempts that failed.
    pub(super) total: u32,
    /// How often a fresh URL was asked for.
    pub(super) renewals: u32,
    /// The walk over the manifest that its URL is from.
    pub(super) walk: u32,
    /// The walk, and the page of it, that listed it last.
    seen: (u32, usize),
    /// The token that was refused for it last.
    pub(super) refused: Option<u64>,
    /// The driver's facts, once it is safe.
    pub(super) receipt: Option<String>,
    /// What was wrong last.
    pub(super) why: Option<String>,
}

/// A file under way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    /// Number of its start among all starts.
    pub(super) began: u64,
    pub(super) token: Option<u64>,
    pub(super) hops: u32,
    /// The target of the last redirect, where there was one.
    pub(super) at: Option<String>,
    /// The walk that the URL is from.
    pub(super) walk: u32,
}

/// Hosts or files by the time when something is due, the next one first.
type Queue = BinaryHeap<Reverse<(Millis, usize)>>;

/// All files, and who may begin.
#[derive(Clone, Debug)]
pub(super) struct Downloads {
    files: Vec<File>,
    hosts: Vec<Host>,
    by_origin: Named<usize>,
    /// Hosts with files that are ready, and room for one more, each in its turn; and some that have none any more.
    open: VecDeque<usize>,
    active: Map<FileNo, Flight>,
    /// Redirected: they go on in the place that they have.
    onward: VecDeque<FileNo>,
    later: Queue,
    held: Queue,
    /// By a hash of list and URL: the URLs themselves would be kept twice.
    seen: Named<FileNo>,
    stale: usize,
    safe: usize,
    lost: usize,
    starts: u64,
    parallel: usize,
}

impl Downloads {
    pub(super) fn new(parallel: usize) -> Downloads {
        Downloads {
            files: Vec::new(),
            hosts: Vec::new(),
            by_origin: Named::default(),
            open: VecDeque::new(),
            active: Map::default(),
            onward: VecDeque::new(),
            later: Queue::new(),
            held: Queue::new(),
            seen: Named::default(),
            stale: 0,
            safe: 0,
            lost: 0,
            starts: 0,
            parallel: parallel.max(1),
        }
    }

    /// Takes in a file; `wrong` says why its URL cannot be fetched.
    pub(super) fn add(&mut self, listed: Listed, wrong: Option<&'static str>, walk: u32) -> FileNo {
        let file = self.files.len();
        self.seen.slot_with(&hash(listed.kind, &listed.url), || file);
        self.files.push(File {
            listed,
            state: State::Later,
            host: None,
            tries: 0,
            total: 0,
            renewals: 0,
            walk,
            seen: (0, 0),
            refused: None,
            receipt: None,
            why: None,
        });
        match wrong {
            None => self.enlist(file, false),
            Some(why) => self.lose(file, why.to_owned()),
        }
        file
    }

    /// The file of that list that has been listed with this URL before. Where two URLs have one hash, only the first of them is
    /// found.
    pub(super) fn listed_before(&self, kind: FileKind, target: &str) -> Option<FileNo> {
        let file = *self.seen.get(&hash(kind, target))?;
        let listed = &self.files[file].listed;
        (listed.kind == kind && listed.url == target).then_some(file)
    }

    /// It is listed on a page of a walk. `true` where another page of that walk has listed it.
    pub(super) fn see(&mut self, file: FileNo, walk: u32, page: usize) -> bool {
        let before = std::mem::replace(&mut self.files[file].seen, (walk, page));
        before.0 == walk && before.1 != page
    }

    /// Gives a file its URL anew. One that waited for that begins next.
    pub(super) fn renew(&mut self, file: FileNo, target: &str, walk: u32) {
        let found = &mut self.files[file];
        if found.listed.url != target {
            target.clone_into(&mut found.listed.url);
            found.walk = walk;
            let (is_ready, was) = (found.state == State::Ready, found.host);
            if is_ready && self.host_of(file) != was {
                self.enlist(file, false);
            }
        }
        if self.files[file].state == State::Stale {
            self.enlist(file, true);
        }
    }

    fn host_of(&mut self, file: FileNo) -> Option<usize> {
        let origin = url::origin(&self.files[file].listed.url)?;
        let host = *self.by_origin.slot_with(&origin, || {
            self.hosts.push(Host::new(self.parallel));
            self.hosts.len() - 1
        });
        Some(host)
    }

    /// Puts a file among those of its host that are ready.
    fn enlist(&mut self, file: FileNo, first: bool) {
        let Some(host) = self.host_of(file) else {
            return self.lose(file, "it is no http or https URL".to_owned());
        };
        self.files[file].host = Some(host);
        if let Some(why) = &self.hosts[host].is_dead {
            return self.lose(file, why.clone());
        }
        self.set(file, State::Ready);
        let queue = &mut self.hosts[host].ready;
        if first {
            queue.push_front(file)
        } else {
            queue.push_back(file)
        }
        self.look_at(host);
    }

    /// What is due by now becomes ready.
    pub(super) fn wake(&mut self, now: Millis) {
        while let Some((_, file)) = pop_due(&mut self.later, now) {
            self.enlist(file, true);
        }
        while let Some((until, host)) = pop_due(&mut self.held, now) {
            if self.hosts[host].hold == Some(until) {
                self.hosts[host].hold = None;
                self.look_at(host);
            }
        }
    }

    /// When something is due that is not yet.
    pub(super) fn next_due(&self) -> Option<Millis> {
        let next = [&self.later, &self.held].into_iter().filter_map(BinaryHeap::peek);
        next.map(|Reverse((due, _))| *due).min()
    }

    /// A file that goes on where a redirect led it.
    pub(super) fn next_onward(&self) -> Option<FileNo> {
        self.onward.front().copied()
    }

    /// Sends it on.
    pub(super) fn go_onward(&mut self, file: FileNo, token: Option<u64>) {
        self.onward.retain(|&waiting| waiting != file);
        if let Some(flight) = self.active.get_mut(&file) {
            flight.token = token;
        }
    }

    /// The next file that may begin, of a host that passes: each host in its turn.
    pub(super) fn next_ready(&mut self, passes: impl Fn(&File) -> bool) -> Option<FileNo> {
        if self.active.len() >= self.parallel {
            return None;
        }
        for _ in 0..self.open.len() {
            let host = *self.open.front()?;
            let file = self.front_of(host);
            if let Some(file) = file.filter(|&file| passes(&self.files[file])) {
                return Some(file);
            }
            self.next_turn();
        }
        None
    }

    /// The host whose turn it was goes behind the others, or out.
    fn next_turn(&mut self) {
        let Some(host) = self.open.pop_front() else { return };
        self.hosts[host].is_open = false;
        self.look_at(host);
    }

    /// The first file of a host that may begin there; what has moved to another host is dropped on the way.
    fn front_of(&mut self, host: usize) -> Option<FileNo> {
        let queue = &mut self.hosts[host].ready;
        while let Some(&file) = queue.front() {
            let found = &self.files[file];
            if found.state == State::Ready && found.host == Some(host) {
                return self.hosts[host].has_room().then_some(file);
            }
            queue.pop_front();
        }
        None
    }

    /// Begins a file that [`Self::next_ready`] named.
    pub(super) fn begin(&mut self, file: FileNo, token: Option<u64>) {
        let Some(host) = self.files[file].host else { return };
        self.set(file, State::Active);
        self.starts += 1;
        let flight = Flight {
            began: self.starts,
            token,
            hops: 0,
            at: None,
            walk: self.files[file].walk,
        };
        self.active.insert(file, flight);
        self.hosts[host].ready.pop_front();
        self.hosts[host].active += 1;
        self.next_turn();
    }

    /// Follows a redirect of a file under way.
    pub(super) fn redirect(&mut self, file: FileNo, target: String) {
        if let Some(flight) = self.active.get_mut(&file) {
            flight.at = Some(target);
            flight.hops += 1;
            self.onward.push_back(file);
        }
    }

    /// Takes a file from those under way.
    pub(super) fn end(&mut self, file: FileNo) -> Option<Flight> {
        let flight = self.active.remove(&file)?;
        self.onward.retain(|&waiting| waiting != file);
        if let Some(host) = self.files[file].host {
            self.hosts[host].active -= 1;
            self.look_at(host);
        }
        Some(flight)
    }

    /// All under way are of no account any more.
    pub(super) fn drop_active(&mut self) {
        let active: Vec<FileNo> = self.active.iter().map(|(file, _)| *file).collect();
        for file in active {
            self.end(file);
            self.enlist(file, true);
        }
    }

    /// It is complete: its host may have one more at once, after as many as it has now.
    pub(super) fn keep(&mut self, file: FileNo, receipt: String) {
        self.set(file, State::Safe);
        let found = &mut self.files[file];
        found.why = None;
        found.receipt = Some(receipt);
        self.safe += 1;
        if let Some(host) = found.host {
            self.hosts[host].succeeded(self.parallel);
            self.look_at(host);
        }
    }

    /// It was safe before.
    pub(super) fn restore(&mut self, file: FileNo, receipt: String) {
        if self.files[file].state == State::Ready {
            self.set(file, State::Safe);
            self.files[file].receipt = Some(receipt);
            self.safe += 1;
        }
    }

    /// It was safe, and is not any more. `false` where it was not.
    pub(super) fn forget(&mut self, file: FileNo) -> bool {
        let found = self.files.get_mut(file).filter(|found| found.state == State::Safe);
        let Some(found) = found else { return false };
        found.receipt = None;
        self.safe -= 1;
        // What is safe is never lost; and its host may have been given up.
        self.set(file, State::Later);
        self.enlist(file, true);
        true
    }

    /// It begins next.
    pub(super) fn put_first(&mut self, file: FileNo) {
        self.enlist(file, true);
    }

    /// It begins then.
    pub(super) fn put_off(&mut self, file: FileNo, due: Millis) {
        self.set(file, State::Later);
        self.later.push(Reverse((due, file)));
    }

    /// It waits for a fresh URL.
    pub(super) fn make_stale(&mut self, file: FileNo) {
        self.set(file, State::Stale);
    }

    /// It is given up.
    pub(super) fn lose(&mut self, file: FileNo, why: String) {
        if !matches!(self.files[file].state, State::Lost | State::Safe) {
            self.set(file, State::Lost);
            self.files[file].why = Some(why);
            self.lost += 1;
        }
    }

    fn set(&mut self, file: FileNo, state: State) {
        let found = &mut self.files[file];
        self.stale += usize::from(state == State::Stale);
        self.stale -= usize::from(found.state == State::Stale);
        found.state = state;
    }

    /// No fresh URLs will come.
    pub(super) fn lose_stale(&mut self, why: &str) {
        for file in 0..self.files.len() {
            if self.files[file].state != State::Stale {
                continue;
            }
            let own = self.files[file].why.take().unwrap_or_default();
            self.lose(file, format!("{own}; {why}"));
        }
    }

    /// A start that failed at a host: `true` when there have been so many rounds without any success that the host is given
    /// up. Failures of starts that were made before the last counted one are of the same round.
    pub(super) fn count_miss(&mut self, file: FileNo, began: u64, most: u32) -> bool {
        let starts = self.starts;
        self.files[file]
            .host
            .is_some_and(|host| self.hosts[host].missed(began, starts, most))
    }

    /// Some of it came: the host is alive.
    pub(super) fn count_progress(&mut self, file: FileNo) {
        if let Some(host) = self.files[file].host {
            self.hosts[host].misses = 0;
        }
    }

    /// The host wants fewer at once, and none before then.
    pub(super) fn slow_down(&mut self, file: FileNo, began: u64, until: Millis) {
        let Some(host) = self.files[file].host else { return };
        let starts = self.starts;
        let found = &mut self.hosts[host];
        found.slowed(began, starts);
        if found.hold.is_none_or(|hold| hold < until) {
            found.hold = Some(until);
            self.held.push(Reverse((until, host)));
        }
        self.look_at(host);
    }

    /// Gives up the host of a file, and all that waits for it.
    pub(super) fn lose_host(&mut self, file: FileNo, why: &str) {
        let Some(host) = self.files[file].host else { return };
        self.hosts[host].is_dead = Some(why.to_owned());
        let ready = std::mem::take(&mut self.hosts[host].ready);
        let later = self.later.iter().map(|Reverse((_, file))| *file);
        let later: Vec<FileNo> = later.filter(|&file| self.files[file].host == Some(host)).collect();
        self.later
            .retain(|Reverse((_, file))| self.files[*file].host != Some(host));
        for file in ready.into_iter().chain(later) {
            let found = &self.files[file];
            if matches!(found.state, State::Ready | State::Later) && found.host == Some(host) {
                self.lose(file, why.to_owned());
            }
        }
        self.look_at(host);
    }

    /// Puts a host that may begin one among those that may.
    fn look_at(&mut self, host: usize) {
        let found = &mut self.hosts[host];
        if found.has_room() && !found.is_open {
            found.is_open = true;
            self.open.push_back(host);
        }
    }

    pub(super) fn file(&self, file: FileNo) -> Option<&File> {
        self.files.get(file)
    }

    pub(super) fn file_mut(&mut self, file: FileNo) -> Option<&mut File> {
        self.files.get_mut(file)
    }

    pub(super) fn flight(&self, file: FileNo) -> Option<&Flight> {
        self.active.get(&file)
    }

    pub(super) fn all(&self) -> &[File] {
        &self.files
    }

    pub(super) fn active(&self) -> usize {
        self.active.len()
    }

    pub(super) fn safe(&self) -> usize {
        self.safe
    }

    pub(super) fn lost(&self) -> usize {
        self.lost
    }

    pub(super) fn has_stale(&self) -> bool {
        self.stale > 0
    }

    /// Whether each is safe or given up.
    pub(super) fn is_settled(&self) -> bool {
        self.safe + self.lost == self.files.len()
    }
}

/// FNV-1a: what is found by it is compared in full.
fn hash(kind: FileKind, text: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let bytes = [kind as u8].into_iter().chain(text.bytes());
    format!("{:016x}", bytes.fold(0xcbf2_9ce4_8422_2325, step))
}

/// Takes out what is due by now.
fn pop_due(queue: &mut Queue, now: Millis) -> Option<(Millis, usize)> {
    let Reverse((due, _)) = queue.peek()?;
    if *due > now {
        return None;
    }
    queue.pop().map(|Reverse(found)| found)
}
