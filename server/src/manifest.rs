//! The manifest of a job as its client gets it: which files stand on which page, and under which URLs (SPEC 2.11, 2.12).
//!
//! A page holds a fixed number of files in the order in which they were finished, so a page that was given once is the same
//! for ever: also after a restart, and also when the job was not done yet.

use std::collections::HashMap;

use fhirehose_core::manifest::{ManifestFacts, manifest};
use fhirehose_core::report::{FileEntry, Report};
use fhirehose_core::sink::{FileKind, FileName};
use fhirehose_store::{Folder, StoredFile, Time};

use crate::offer::instant;
use crate::profile::Guide;

/// What a manifest says besides the files.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// The guide's generation.
    pub guide: Guide,
    /// The upper bound of what was exported.
    pub transaction_time: Time,
    /// The kick-off's URL.
    pub request: &'a str,
    /// `organizeOutputBy`, where it was done.
    pub organized_by: Option<&'a str>,
    /// Whether files need an access token.
    pub requires_access_token: bool,
    /// Whether items have counts.
    pub has_counts: bool,
    /// The URL of the job's status.
    pub status_url: String,
    /// The URL that ids of files follow.
    pub files_url: String,
    /// Most files of a page.
    pub page: usize,
    /// Pages are given while the job runs.
    pub is_partial: bool,
    /// The job is complete: there will not be any more files.
    pub is_settled: bool,
}

/// The page of the files behind number `after`, each with its number. `None`: the page is not full yet, and the job is not
/// done.
///
/// Error files are the same on every page, so as long as there may be more of them there are none.
#[must_use]
pub fn page(view: &View<'_>, files: &[(u32, StoredFile)], after: u32) -> Option<String> {
    let rest: Vec<_> = files
        .iter()
        .filter(|(number, file)| *number > after && file.folder != Folder::Error)
        .collect();
    if rest.len() < view.page && !view.is_settled {
        return None;
    }
    let shown = &rest[..rest.len().min(view.page)];
    // A page that was full while the job ran has told of a next one: that stays true, even if nothing came.
    let has_next = rest.len() > view.page || (view.is_partial && rest.len() == view.page);
    let last = shown.last().map(|(number, _)| *number);
    let next = last.filter(|_| has_next).map(|number| {
        let status_url = &view.status_url;
        format!("{status_url}?after={number}")
    });
    let errors = files
        .iter()
        .filter(|(_, file)| view.is_settled && file.folder == Folder::Error);
    let ids: HashMap<&str, &str> = files
        .iter()
        .map(|(_, file)| (file.name.as_str(), file.id.as_str()))
        .collect();
    let entries = shown.iter().copied().chain(errors).map(|(_, file)| entry(file, &ids));
    let report = Report {
        files: entries.collect(),
        ..Report::default()
    };
    Some(manifest(&report, &facts(view, next)))
}

fn facts(view: &View<'_>, next: Option<String>) -> ManifestFacts {
    ManifestFacts {
        generation: view.guide.manifest(),
        transaction_time: instant(view.transaction_time),
        request: view.request.to_owned(),
        requires_access_token: view.requires_access_token,
        base_url: Some(view.files_url.clone()),
        output_format: "application/fhir+ndjson".to_owned(),
        organized_by: view.organized_by.map(str::to_owned),
        has_counts: view.has_counts,
        next,
    }
}

fn entry(file: &StoredFile, ids: &HashMap<&str, &str>) -> FileEntry {
    let (kind, usual) = match file.folder {
        Folder::Output => (FileKind::Output, ""),
        Folder::Deleted => (FileKind::Deleted, "Bundle"),
        Folder::Error => (FileKind::Error, "OperationOutcome"),
    };
    let next = file.continues_in.as_deref().and_then(|name| ids.get(name));
    FileEntry {
        name: FileName {
            kind,
            type_name: file.resource_type.clone().unwrap_or_else(|| usual.to_owned()),
            sequence: 0,
        },
        path: file.id.clone(),
        resources: file.count,
        bytes: 0,
        size: file.bytes,
        continues_in: next.map(|id| (*id).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: u32, folder: Folder) -> (u32, StoredFile) {
        let stored = StoredFile {
            id: format!("id-{number}"),
            name: format!("Patient.{number:03}.ndjson"),
            folder,
            resource_type: (folder == Folder::Output).then(|| "Patient".to_owned()),
            continues_in: None,
            count: 1,
            bytes: 10,
            sha256: [0; 32],
        };
        (number, stored)
    }

    fn view(page: usize, is_partial: bool, is_settled: bool) -> View<'static> {
        View {
            guide: Guide::V1ToV3,
            transaction_time: Time(0),
            request: "http://x/$export",
            organized_by: None,
            requires_access_token: true,
            has_counts: true,
            status_url: "http://x/jobs/1".to_owned(),
            files_url: "http://x/files".to_owned(),
            page,
            is_partial,
            is_settled,
        }
    }

    fn read(text: Option<String>) -> serde_json::Value {
        serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default()
    }

    fn urls(page: &serde_json::Value, list: &str) -> Vec<String> {
        let items = page[list].as_array().cloned().unwrap_or_default();
        let urls = items
            .iter()
            .map(|item| item["url"].as_str().unwrap_or_default().to_owned());
        urls.collect()
    }

    #[test]
    fn every_file_is_on_one_page_and_errors_are_on_all() {
        let mut files: Vec<_> = (1..=4).map(|number| file(number, Folder::Output)).collect();
        files.push(file(5, Folder::Deleted));
        files.push(file(6, Folder::Error));
        let first = read(page(&view(3, false, true), &files, 0));
        assert_eq!(
            urls(&first, "output"),
            ["http://x/files/id-1", "http://x/files/id-2", "http://x/files/id-3"]
        );
        assert_eq!(first["link"][0]["url"], "http://x/jobs/1?after=3");
        assert_eq!(urls(&first, "error"), ["http://x/files/id-6"]);
        let second = read(page(&view(3, false, true), &files, 3));
        assert_eq!(urls(&second, "output"), ["http://x/files/id-4"]);
        assert_eq!(urls(&second, "deleted"), ["http://x/files/id-5"]);
        assert_eq!(urls(&second, "error"), ["http://x/files/id-6"]);
        assert!(second.get("link").is_none());
    }

    #[test]
    fn a_page_that_was_given_while_the_job_ran_stays_as_it_is() {
        let files: Vec<_> = (1..=2).map(|number| file(number, Folder::Output)).collect();
        assert_eq!(page(&view(3, true, false), &files, 0), None);
        let files: Vec<_> = (1..=3).map(|number| file(number, Folder::Output)).collect();
        let running = page(&view(3, true, false), &files, 0);
        assert!(running.is_some());
        // Also when these turn out to be all.
        assert_eq!(running, page(&view(3, true, true), &files, 0));
        let last = read(page(&view(3, true, true), &files, 3));
        assert_eq!(last["output"], serde_json::json!([]));
        assert!(last.get("link").is_none());
    }

    #[test]
    fn no_files_are_one_page() {
        let only = read(page(&view(3, false, true), &[], 0));
        assert_eq!(only["output"], serde_json::json!([]));
        assert_eq!(only["error"], serde_json::json!([]));
        assert_eq!(only["transactionTime"], "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_block_goes_on_at_the_url_of_the_other_file() {
        let mut files: Vec<_> = (1..=2).map(|number| file(number, Folder::Output)).collect();
        files[0].1.continues_in = Some("Patient.002.ndjson".to_owned());
        let shown = View {
            organized_by: Some("Patient"),
            ..view(1, false, true)
        };
        let first = read(page(&shown, &files, 0));
        assert_eq!(first["output"][0]["continuesInFile"], "http://x/files/id-2");
        assert!(first["output"][0].get("type").is_none());
    }
}
