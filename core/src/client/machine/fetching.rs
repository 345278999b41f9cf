//! What becomes of files: which is fetched next, and what follows when one does not come (SPEC 2.13, 5.5).

use super::super::journal::Line;
use super::super::said::Said;
use super::super::settings::Millis;
use super::super::step::{Answer, Failure, Fetch, FileNo, Step, Trouble, Unfetched};
use super::super::url;
use super::downloads::State;
use super::token::Ready;
use super::{Client, Earliest, Stage, links};

/// How often a fresh URL is asked for one file.
const MOST_RENEWALS: u32 = 2;
/// Tries of what is wrong by itself rather than by its way here: other lines than counted, or no records.
const MOST_WRONG: u32 = 4;
/// All tries of one file, of which each but the last ones made some progress.
const MOST_TRIES: u32 = 10_000;
/// Rounds of failures without a success, for each attempt that the settings allow, after which a host is given up.
const ROUNDS_EACH: u32 = 2;
/// Reasons that are told at the end.
const REASONS: usize = 3;

/// What to make of a file that did not come.
struct Miss {
    told: String,
    /// How often it is tried.
    most: u32,
    /// What the server asks to wait.
    asked: Option<Millis>,
    /// Whether the host is to be asked for less at once.
    is_busy: bool,
}

impl Client {
    /// The file that may begin now, or what it needs first.
    pub(super) fn next_fetch(&mut self, now: Millis, until: &mut Earliest) -> Option<Step> {
        if self.stage != Stage::Job {
            return None;
        }
        if let Some(due) = self.files.next_due() {
            until.at(due);
        }
        if let Some(step) = self.next_onward(now, until) {
            return Some(step);
        }
        // Where URLs have died, all others have, too: none is tried in vain while fresh ones are on their way.
        let is_refreshed_soon = self.job.is_complete && self.talk.is_some();
        if is_refreshed_soon && self.walk.useless == 0 && self.walk.strikes == 0 {
            return None;
        }
        let ready = self.grant.ready(now);
        let (trust, needed) = (&self.trust, self.job.files_need_token());
        let needs = |url: &str| needed && trust.sends(url, 0);
        let held = match ready {
            Ready::Yes(number) => Some(number),
            _ => None,
        };
        let found = self.files.next_ready(|file| held.is_some() || !needs(&file.listed.url));
        let Some(file) = found else {
            self.files.next_ready(|_| true)?;
            return self.get_token(ready, until);
        };
        let token = held.filter(|_| needs(&self.files.all()[file].listed.url));
        self.files.begin(file, token);
        self.fetch(file, token)
    }

    fn next_onward(&mut self, now: Millis, until: &mut Earliest) -> Option<Step> {
        let file = self.files.next_onward()?;
        let flight = self.files.flight(file)?;
        let target = flight.at.as_deref().unwrap_or_default();
        let needs = self.job.files_need_token() && self.trust.sends(target, flight.hops);
        let token = match self.grant.ready(now) {
            _ if !needs => None,
            Ready::Yes(number) => Some(number),
            other => return self.get_token(other, until),
        };
        self.files.go_onward(file, token);
        self.fetch(file, token)
    }

    fn get_token(&mut self, ready: Ready, until: &mut Earliest) -> Option<Step> {
        match ready {
            Ready::Ask => {
                self.grant.ask();
                Some(Step::Authorize)
            }
            Ready::Later(due) => {
                until.at(due);
                None
            }
            Ready::Yes(_) | Ready::Asked => None,
        }
    }

    fn fetch(&self, number: FileNo, token: Option<u64>) -> Option<Step> {
        let file = self.files.file(number)?;
        let flight = self.files.flight(number)?;
        let listed = &file.listed;
        // Whether headers of blocks count is not said anywhere (SPEC 2.13).
        let is_counted = !self.settings.ignore_counts && self.job.organized_by.is_none();
        Some(Step::Fetch(Fetch {
            file: number,
            kind: listed.kind,
            type_name: listed.type_name.clone(),
            url: flight.at.clone().unwrap_or_else(|| listed.url.clone()),
            with_token: token.is_some(),
            count: listed.count.filter(|_| is_counted),
            size: listed.size,
            attempt: file.total + 1,
        }))
    }

    pub(super) fn fetched(&mut self, number: FileNo, receipt: String) {
        if self.files.end(number).is_none() {
            return;
        }
        if self.files.file(number).is_some_and(|file| file.renewals > 0) {
            self.walk.useless = 0;
        }
        self.lines.push_back(Line::Safe(number, receipt.clone()));
        self.files.keep(number, receipt);
    }

    /// A file that was safe is not there any more: whatever has been thought to be the end was none.
    pub(super) fn gone(&mut self, number: FileNo) {
        if !self.files.forget(number) {
            return;
        }
        self.lines.push_back(Line::Gone(number));
        if self.is_cancelled {
            return;
        }
        if self.job.is_deleted {
            return self.end_without_files();
        }
        if self.end == Some(Step::Done) {
            self.end = None;
        }
        if self.stage == Stage::Delete {
            // An answer to a deletion that is under way is passed over; the files then tell whether it worked.
            self.stage = Stage::Job;
            self.talk = None;
        }
    }

    pub(super) fn end_without_files(&mut self) {
        let total = self.files.all().len();
        let gone = total - self.files.safe();
        let message = format!(
            "{gone} of {total} files had been fetched and are not on the disk any more, and the job is deleted at the server: \
             they cannot be fetched again; begin a new export"
        );
        self.fail("files-gone", &message, false);
    }

    pub(super) fn unfetched(&mut self, number: FileNo, why: Unfetched<'_>, progress: bool, now: Millis) {
        if self.files.flight(number).is_none() {
            return;
        }
        if progress {
            self.made_progress(number);
        }
        match why {
            Unfetched::Disk => {
                let message = "files cannot be stored here: no room, or no right to write; mend that, then resume";
                self.fail("disk", message, true);
            }
            Unfetched::Answer(answer) => self.fetch_answered(number, &answer, now),
            Unfetched::Trouble(trouble) => {
                let attempts = self.settings.attempts.max(1);
                let is_wrong = matches!(trouble, Trouble::Count | Trouble::Content | Trouble::TooLarge);
                let miss = Miss {
                    told: trouble.told().to_owned(),
                    most: if is_wrong { attempts.min(MOST_WRONG) } else { attempts },
                    asked: None,
                    // Fewer at once need less here, too.
                    is_busy: matches!(trouble, Trouble::Connect | Trouble::Room),
                };
                self.missed(number, miss, now);
            }
        }
    }

    fn made_progress(&mut self, number: FileNo) {
        self.files.count_progress(number);
        if let Some(file) = self.files.file_mut(number) {
            file.tries = 0;
        }
    }

    fn fetch_answered(&mut self, number: FileNo, answer: &Answer<'_>, now: Millis) {
        if links::is_redirect(answer.status) {
            return self.fetch_redirected(number, answer, now);
        }
        let told = format!("status {}{}", answer.status, Said::read(answer.body).tail());
        if answer.status == 401 {
            return self.fetch_refused(number, told, now);
        }
        if let Some(file) = self.files.file_mut(number) {
            file.refused = None;
        }
        // A store tells with 400 or 403 that a signature has died.
        if matches!(answer.status, 400..=499) && !matches!(answer.status, 408 | 416 | 425 | 429) {
            return self.turned_away(number, told, now);
        }
        let miss = Miss {
            told,
            most: self.settings.attempts.max(1),
            asked: self.asked_wait(answer, now),
            is_busy: matches!(answer.status, 429 | 503),
        };
        self.missed(number, miss, now);
    }

    fn fetch_redirected(&mut self, number: FileNo, answer: &Answer<'_>, now: Millis) {
        let (Some(flight), Some(file)) = (self.files.flight(number), self.files.file(number)) else {
            return;
        };
        let from = flight.at.as_deref().unwrap_or(&file.listed.url);
        match links::redirected(answer, from, flight.hops) {
            Ok(target) => self.files.redirect(number, target),
            Err(why) => {
                let miss = Miss {
                    told: why.to_owned(),
                    most: self.settings.attempts.clamp(1, MOST_WRONG),
                    asked: None,
                    is_busy: false,
                };
                self.missed(number, miss, now);
            }
        }
    }

    /// A 401: once more with a fresh token; then its URL is taken for dead.
    fn fetch_refused(&mut self, number: FileNo, told: String, now: Millis) {
        let token = self.files.flight(number).and_then(|flight| flight.token);
        if let (Some(token), Some(file)) = (token, self.files.file_mut(number))
            && file.refused.is_none()
        {
            file.refused = Some(token);
            self.grant.refused(token);
            self.files.end(number);
            self.files.put_first(number);
            return;
        }
        let told = match (token, self.settings.has_token && self.job.files_need_token()) {
            (None, true) => format!("{told}; its origin is not one that may have the token"),
            _ => told,
        };
        self.turned_away(number, told, now);
    }

    /// The URL is refused: a fresh one may help.
    fn turned_away(&mut self, number: FileNo, told: String, now: Millis) {
        let Some(flight) = self.files.end(number) else { return };
        let is_dead = self.miss_host(number, flight.began);
        let walk = self.walk.number;
        let Some(file) = self.files.file_mut(number) else {
            return;
        };
        file.total += 1;
        file.refused = None;
        file.why = Some(told.clone());
        if file.walk > flight.walk {
            // A fresh one has come meanwhile.
            self.files.put_first(number);
        } else if let Some(barred) = &self.walk.is_barred {
            let told = format!("{told}; {}", barred.message);
            self.files.lose(number, told);
        } else if file.renewals >= MOST_RENEWALS {
            self.files.lose(number, told.clone());
        } else {
            if file.renewals > 0 && self.walk.useless_walk != walk {
                self.walk.useless_walk = walk;
                self.walk.useless += 1;
            }
            file.renewals += 1;
            self.files.make_stale(number);
            self.look_at_first_page();
        }
        if is_dead {
            self.lose_host(number, &told);
        }
        self.files.wake(now);
    }

    /// While the job runs the walk stands at the last page; fresh URLs are had from the first one on.
    fn look_at_first_page(&mut self) {
        if self.job.is_complete {
            return;
        }
        let waits = self
            .talk
            .as_ref()
            .filter(|talk| talk.flight.is_none())
            .map(|talk| talk.due);
        match waits {
            Some(due) => self.begin_walk(due),
            None => self.walk.from_start = true,
        }
    }

    /// It did not come, and may come another time.
    fn missed(&mut self, number: FileNo, miss: Miss, now: Millis) {
        let Some(flight) = self.files.end(number) else { return };
        let is_dead = self.miss_host(number, flight.began);
        let Some(file) = self.files.file_mut(number) else {
            return;
        };
        file.tries += 1;
        file.total += 1;
        file.why = Some(miss.told.clone());
        let (tries, total) = (file.tries, file.total);
        let own = self.growing(tries);
        let due = now + miss.asked.map_or(own, |asked| asked.max(own));
        if miss.is_busy {
            self.files.slow_down(number, flight.began, due);
        }
        if tries >= miss.most || total >= MOST_TRIES {
            self.files.lose(number, format!("{} ({total} tries)", miss.told));
        } else {
            self.files.put_off(number, due);
        }
        if is_dead {
            self.lose_host(number, &miss.told);
        }
    }

    fn miss_host(&mut self, number: FileNo, began: u64) -> bool {
        let most = self.settings.attempts.max(1).saturating_mul(ROUNDS_EACH);
        self.files.count_miss(number, began, most)
    }

    fn lose_host(&mut self, number: FileNo, told: &str) {
        let place = self
            .files
            .file(number)
            .map(|file| url::shown(&file.listed.url))
            .unwrap_or_default();
        let why = format!("given up with its server, which gave nothing any more; last, for {place}: {told}");
        self.files.lose_host(number, &why);
    }

    /// Fresh URLs cannot be had: what waits for one is lost, and the others go on.
    pub(super) fn bar_refresh(&mut self, failure: Failure) {
        self.talk = None;
        self.files.lose_stale(&failure.message);
        self.walk.is_barred = Some(failure);
    }

    /// All files are safe or given up.
    pub(super) fn finish_files(&mut self, now: Millis) {
        let unusable: usize = self.job.unusable.iter().sum();
        let lost = self.files.lost();
        if lost == 0 && unusable == 0 {
            return self.finish(now);
        }
        let total = self.files.all().len();
        let mut message = format!("{lost} of {total} files could not be fetched");
        if unusable > 0 {
            message.push_str(&format!(
                "; {unusable} entries of the manifest name nothing that can be fetched"
            ));
        }
        let lost = self.files.all().iter().filter(|file| file.state == State::Lost);
        for file in lost.take(REASONS) {
            let type_name = file.listed.type_name.as_deref().unwrap_or("no type");
            let why = file.why.as_deref().unwrap_or_default();
            message.push_str(&format!("; {type_name}, {}: {why}", url::shown(&file.listed.url)));
        }
        let (code, resumable) = match &self.walk.is_barred {
            Some(barred) => (barred.code, barred.resumable),
            None => ("files-missing", true),
        };
        self.fail(code, &message, resumable);
    }
}
