//! Pages of the manifest: the files that they list, and how one leads to the next (SPEC 2.11, 2.12).

use super::super::journal::{Entry, Line, Listed, Page};
use super::super::manifest::{Item, Manifest};
use super::super::settings::Millis;
use super::super::step::{Answer, FileNo, What};
use super::talk::Talk;
use super::{Client, failure, links, matching};
use crate::sink::FileKind;

/// Most pages of a manifest.
const MOST_PAGES: usize = 10_000;
/// Most files of an export.
const MOST_FILES: usize = 1_000_000;
/// Walks over a manifest that is another one than before, after which it is believed.
const MOST_DIFFERENT: u32 = 4;

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
        if let Err(why) = self.take_page(manifest, &from) {
            return self.differs(why, now);
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
        if !self.walk.urls.add(&target) {
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
            // A walk that finds the same on each page is proof of an order that stays.
            if self.walk.is_twice && self.walk.has_news {
                return self.differs("a file is on two of its pages, so another may be on none", now);
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
    /// files may have fresh URLs, and nothing else has changed.
    fn take_page(&mut self, manifest: Manifest, from: &str) -> Result<(), &'static str> {
        if self.job.has_facts {
            if manifest.transaction_time != self.job.transaction_time {
                return Err("transactionTime differs");
            }
            if manifest.organized_by != self.job.organized_by {
                return Err("outputOrganizedBy differs");
            }
        }
        let number = self.walk.page;
        let is_known = number < self.job.pages.len();
        if self.job.is_complete && !is_known {
            return Err("there are more pages");
        }
        let found: Vec<Found> = manifest.files.iter().map(|item| self.found(item, from)).collect();
        let places = match self.job.pages.get(number) {
            None => vec![None; found.len()],
            Some(known) => {
                let known: Vec<(FileNo, &Listed)> = known
                    .iter()
                    .map(|&file| (file, &self.files.all()[file].listed))
                    .collect();
                let listed: Vec<&Listed> = found.iter().map(|found| &found.listed).collect();
                matching::matched(&known, &listed).ok_or("its files differ")?
            }
        };
        if self.job.is_complete && places.iter().any(Option::is_none) {
            return Err("there are more files");
        }
        self.take_facts(&manifest, number);
        let entries = self.take_files(found, &places);
        let is_news = !is_known || entries.iter().any(|entry| matches!(entry, Entry::New(_)));
        if is_news {
            self.walk.polls = 0;
            self.walk.has_news = true;
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
        Ok(())
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
    fn take_files(&mut self, found: Vec<Found>, places: &[Option<FileNo>]) -> Vec<Entry> {
        let (walk, page) = (self.walk.number, self.walk.page);
        let mut files = Vec::with_capacity(found.len());
        let mut entries = Vec::with_capacity(found.len());
        for (Found { listed, wrong }, place) in found.into_iter().zip(places) {
            // The guide's third generation repeats `error` on each page.
            let known = place.or_else(|| self.files.listed_before(listed.kind, &listed.url));
            if let Some(file) = known {
                if place.is_none() && listed.kind != FileKind::Error {
                    self.warn("a file is listed more than once; it is fetched once".to_owned());
                }
                self.walk.is_twice |= self.files.see(file, walk, page) && listed.kind != FileKind::Error;
                self.files.renew(file, &listed.url, walk);
                files.push(file);
                entries.push(Entry::Known(file));
                continue;
            }
            let file = self.files.add(listed.clone(), wrong, walk);
            self.files.see(file, walk, page);
            files.push(file);
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
