//! Pages of the manifest: the files that they list, and how one leads to the next (SPEC 2.11, 2.12).

use super::super::journal::{Entry, Line, Listed, Page};
use super::super::manifest::{Item, Manifest};
use super::super::settings::Millis;
use super::super::step::{Answer, FileNo, What};
use super::downloads::State;
use super::matching::{self, Matched, Whole};
use super::talk::Talk;
use super::{Client, failure, links};
use crate::sink::FileKind;

/// Most pages of a manifest.
const MOST_PAGES: usize = 10_000;
/// Most files of an export.
const MOST_FILES: usize = 1_000_000;
/// Walks over a manifest that is another one than before, after which it is believed.
const MOST_DIFFERENT: u32 = 4;

/// How often everything is fetched anew, because of fresh URLs that cannot be told apart.
const MOST_ANEW: u32 = 2;

/// What a page is taken for.
enum Taken {
    Whole,
    /// It cannot be taken before the job has ended.
    Later,
    /// All pages are to be seen again from the first one on.
    Anew,
}

/// An item of a page, and what is wrong with its URL.
struct Found {
    listed: Listed,
    wrong: Option<&'static str>,
}

impl Client {
    pub(super) fn page_came(&mut self, manifest: Manifest, answer: &Answer<'_>, is_final: bool, now: Millis) {
        let from = self.talk.as_ref().map(|talk| talk.at.clone()).unwrap_or_default();
        let next = manifest.next.clone();
        self.walk.went_well();
        if self.is_too_long(&manifest) {
            let message = format!("the manifest has more than {MOST_FILES} files");
            return self.give_up_call(failure("bad-page", &message, false), now);
        }
        let manifest = self.plain(manifest);
        match self.take_page(manifest, &from, is_final) {
            Ok(Taken::Whole) => {}
            Ok(Taken::Later) => return self.wait_to_poll(answer, now),
            Ok(Taken::Anew) => return self.begin_walk(now),
            Err(why) => return self.differs(why, now),
        }
        let Some(next) = next else {
            return self.last_page_came(answer, is_final, now);
        };
        let target = match links::named(&from, &next) {
            Ok((target, _)) => target,
            Err(why) => {
                let message = format!("the next page of the manifest cannot be asked for: {why}");
                return self.give_up_call(failure("bad-page", &message, true), now);
            }
        };
        if !self.walk.urls.insert(target.clone()) {
            let message = "the pages of the manifest lead back to one that was there before";
            return self.give_up_call(failure("bad-page", message, true), now);
        }
        self.walk.is_whole &= is_final;
        self.walk.page += 1;
        if self.walk.page >= MOST_PAGES {
            let message = format!("the manifest has more than {MOST_PAGES} pages");
            return self.give_up_call(failure("bad-page", &message, false), now);
        }
        self.talk = Some(Talk::new(What::Page, target, now));
    }

    /// Whether there would be too many files with those of a page, most of which are known where the page is.
    fn is_too_long(&self, manifest: &Manifest) -> bool {
        let known = self.job.pages.get(self.walk.page).map_or(0, Vec::len);
        let others = self.files.all().len().saturating_sub(known);
        others + manifest.files.len() > MOST_FILES
    }

    fn last_page_came(&mut self, answer: &Answer<'_>, is_final: bool, now: Millis) {
        if self.walk.is_whole && is_final {
            if self.walk.page + 1 < self.job.pages.len() {
                return self.differs("pages that were there are missing", now);
            }
            if self.files.all().len() < self.job.least {
                return self.differs("files that were there are missing", now);
            }
            return self.end_walk();
        }
        self.walk.differs = 0;
        // The chain of a running job has ended. It is complete when every page of it, the first one too, is final.
        self.walk.from_start |= is_final;
        self.wait_to_poll(answer, now);
    }

    fn end_walk(&mut self) {
        self.talk = None;
        self.walk.differs = 0;
        self.walk.polls = 0;
        if !self.job.is_complete {
            self.job.is_complete = true;
            self.lines.push_back(Line::Complete);
        }
    }

    /// The manifest is another one than before: it is asked for again, since proxies and restarting servers err.
    pub(super) fn differs(&mut self, why: &str, now: Millis) {
        self.walk.differs += 1;
        let differs = self.walk.differs;
        if differs >= MOST_DIFFERENT {
            let message = format!("the manifest is another one than before, {differs} times: {why}");
            return self.give_up_call(failure("manifest-changed", &message, true), now);
        }
        let wait = self.growing(differs);
        self.begin_walk(now + wait);
    }

    /// Takes in a page that is new, or takes over the URLs of one that is known. The error says what is not as it was; then
    /// nothing has changed.
    fn take_page(&mut self, manifest: Manifest, from: &str, is_final: bool) -> Result<Taken, &'static str> {
        if self.job.has_facts {
            if manifest.transaction_time != self.job.transaction_time {
                return Err("transactionTime differs");
            }
            if manifest.organized_by != self.job.organized_by {
                return Err("outputOrganizedBy differs");
            }
        }
        let number = self.walk.page;
        if self.job.is_complete && number >= self.job.pages.len() {
            return Err("there are more pages");
        }
        let found: Vec<Found> = manifest.files.iter().map(|item| self.found(item, from)).collect();
        let mut matched = self.matched(&found, manifest.next.is_none())?;
        if self.job.is_complete && matched.places.iter().any(Option::is_none) {
            return Err("there are more files");
        }
        if !self.may_stay(&matched, manifest.next.is_none()) {
            let waits = self.files.has_stale();
            let is_often = self.walk.anew >= MOST_ANEW;
            if !is_final && (!waits || is_often) {
                return Ok(Taken::Later);
            }
            if is_often {
                return Err("its files have other URLs, and cannot be told apart");
            }
            self.begin_anew();
            if number > 0 {
                return Ok(Taken::Anew);
            }
            matched = Matched::all_new(found.len());
        }
        let is_known = number < self.job.pages.len();
        self.take_facts(&manifest, number);
        let entries = self.take_files(found, &matched);
        let is_news = !is_known || entries.iter().any(|entry| matches!(entry, Entry::New(_)));
        if is_news {
            self.walk.polls = 0;
            let job = &self.job;
            self.lines.push_back(Line::Page(Page {
                number,
                transaction_time: job.transaction_time.clone(),
                request: job.request.clone(),
                organized_by: job.organized_by.clone(),
                requires_access_token: job.requires_access_token,
                unusable: manifest.unusable,
                entries,
            }));
        }
        Ok(Taken::Whole)
    }

    fn matched(&self, found: &[Found], is_last: bool) -> Result<Matched, &'static str> {
        let number = self.walk.page;
        let Some(known) = self.job.pages.get(number) else {
            return Ok(Matched::all_new(found.len()));
        };
        let listed = |&file: &FileNo| self.files.file(file).map(|known| (file, &known.listed));
        let known: Vec<(FileNo, &Listed)> = known.iter().filter_map(listed).collect();
        let found: Vec<&Listed> = found.iter().map(|found| &found.listed).collect();
        let whole = Whole {
            is_one_page: self.is_one_page(is_last),
            is_single: &|kind, path| self.files.is_single(kind, path),
        };
        matching::matched(&known, &found, &whole).ok_or("its files differ")
    }

    fn is_one_page(&self, is_last: bool) -> bool {
        is_last && self.walk.page == 0 && self.job.pages.len() <= 1
    }

    /// Whether those files that cannot be told apart may keep the URLs that they have: none of them needs a fresh one, and no
    /// file comes in that may be one of them.
    fn may_stay(&self, matched: &Matched, is_last: bool) -> bool {
        let is_closed = self.job.is_complete || self.is_one_page(is_last);
        matched.unsure.iter().all(|&at| {
            let file = matched.places[at].and_then(|file| self.files.file(file));
            is_closed && file.is_some_and(|file| file.state != State::Stale)
        })
    }

    /// Any file may be any other: what has been fetched so far does not count, and all is taken as the walk from here on has it,
    /// for within one walk each file is there once.
    fn begin_anew(&mut self) {
        self.walk.anew += 1;
        let files = self.files.all().len().max(self.job.least);
        self.drop_pages(files);
        self.lines.push_back(Line::Anew(files));
        self.warn("files got URLs by which they cannot be told apart; all were fetched anew".to_owned());
    }

    pub(super) fn drop_pages(&mut self, least: usize) {
        self.job.least = least;
        self.files.drop_all();
        self.job.pages.clear();
        self.job.unusable.clear();
        self.job.is_complete = false;
    }

    fn take_facts(&mut self, manifest: &Manifest, number: usize) {
        let job = &mut self.job;
        job.has_facts = true;
        job.transaction_time.clone_from(&manifest.transaction_time);
        job.organized_by.clone_from(&manifest.organized_by);
        job.generation = Some(manifest.generation);
        // Pages after the first may leave out what is the same on all.
        if manifest.request.is_some() {
            job.request.clone_from(&manifest.request);
        }
        if manifest.requires_access_token.is_some() {
            job.requires_access_token = manifest.requires_access_token;
        }
        match job.unusable.get_mut(number) {
            Some(unusable) => *unusable = manifest.unusable,
            None => job.unusable.push(manifest.unusable),
        }
    }

    /// Gives known files their URLs anew, and takes in the others. The page's files are then in its present order.
    fn take_files(&mut self, found: Vec<Found>, matched: &Matched) -> Vec<Entry> {
        let walk = self.walk.number;
        let mut files = Vec::with_capacity(found.len());
        let mut entries = Vec::with_capacity(found.len());
        for (at, (Found { listed, wrong }, place)) in found.into_iter().zip(&matched.places).enumerate() {
            // The guide's third generation repeats `error` on each page.
            let known = place.or_else(|| self.files.listed_before(listed.kind, &listed.url));
            if let Some(file) = known {
                if place.is_none() && listed.kind != FileKind::Error {
                    self.warn("a file is listed more than once; it is fetched once".to_owned());
                }
                if !matched.unsure.contains(&at) {
                    self.files.renew(file, &listed.url, walk);
                }
                files.push(file);
                entries.push(Entry::Known(file));
                continue;
            }
            files.push(self.files.add(listed.clone(), wrong, walk));
            entries.push(Entry::New(listed));
        }
        match self.job.pages.get_mut(self.walk.page) {
            Some(page) => *page = files,
            None => self.job.pages.push(files),
        }
        entries
    }

    fn found(&mut self, item: &Item, from: &str) -> Found {
        let (url, wrong) = match links::named(from, &item.url) {
            Ok((url, is_raised)) => {
                if is_raised {
                    self.warn("the server names its files with http; they are fetched with https".to_owned());
                }
                (url, None)
            }
            Err(why) => (item.url.clone(), Some(why)),
        };
        let listed = Listed {
            kind: item.kind,
            type_name: item.type_name.clone(),
            url,
            count: item.count,
            size: item.size,
            continues_in: item.continues_in.clone(),
        };
        Found { listed, wrong }
    }
}
