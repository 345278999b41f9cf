//! The client of a bulk export: JavaScript does what it says, and tells what came of it.
//!
//! The decisions are `fhirehose_core::client`'s, the same as in `fhirehose pull`. Steps and events cross as short JSON texts.

mod asked;
mod download;
mod output;
mod steps;

use fhirehose_core::client::{Answer, Client, Event, Failure, FileNo, Trouble, Unfetched};
use fhirehose_core::quote::Tree;
use wasm_bindgen::prelude::wasm_bindgen;

pub use download::Download;

use crate::fault;
use crate::plan::Plan;

/// A client of one export.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Bulk {
    client: Client,
    /// What lines have to pass; `None`: they are taken as they come.
    plan: Option<Plan>,
}

#[wasm_bindgen]
impl Bulk {
    /// A client that begins with these options (JSON), or goes on from a journal. `seed` is a random number.
    ///
    /// # Errors
    ///
    /// What is wrong with the request, or cannot be sent; or the journal is damaged.
    pub fn open(options: &str, journal: Option<String>, seed: f64) -> Result<Bulk, String> {
        let asked::Asked { begun, settings, plan } = asked::read(options)?;
        let seed = seed.to_bits();
        let client = match (journal, begun) {
            (Some(journal), _) => Client::resume(&journal, &settings, seed),
            (None, asked::Begun::Order(order)) => Client::start(*order, &settings, seed),
            (None, asked::Begun::Job { status_url, base }) => Client::attend(&status_url, Some(&base), &settings, seed),
        };
        let client = client.map_err(|failure| of_failure(&failure))?;
        Ok(Bulk { client, plan })
    }

    /// What is to be done now, as JSON. Times are milliseconds since 1970, and do not run backwards.
    #[must_use]
    pub fn next(&mut self, now: f64) -> String {
        steps::step(&self.client.next(millis(now))).pretty()
    }

    /// A request was answered; `headers` are pairs in JSON.
    ///
    /// # Errors
    ///
    /// These are no headers.
    pub fn answered(&mut self, call: f64, status: u16, headers: &str, body: &[u8], now: f64) -> Result<(), String> {
        let headers = steps::headers(headers)?;
        let answer = answer(status, &headers, body);
        let call = millis(call);
        self.client.happened(Event::Answer { call, answer }, millis(now));
        Ok(())
    }

    /// A request was not answered, and why in one word.
    pub fn troubled(&mut self, call: f64, trouble: &str, now: f64) {
        let trouble = steps::trouble(trouble);
        let call = millis(call);
        self.client.happened(Event::Trouble { call, trouble }, millis(now));
    }

    /// There is a token, and when it ends.
    #[wasm_bindgen(js_name = gotToken)]
    pub fn got_token(&mut self, expires: Option<f64>, now: f64) {
        let expires = expires.map(millis);
        self.client.happened(Event::Token { expires }, millis(now));
    }

    /// There is no token; `again`: it may help to ask once more.
    #[wasm_bindgen(js_name = noToken)]
    pub fn no_token(&mut self, again: bool, why: String, now: f64) {
        self.client.happened(Event::NoToken { again, why }, millis(now));
    }

    /// A file is complete and safe.
    pub fn fetched(&mut self, file: usize, receipt: String, now: f64) {
        self.client.happened(Event::Fetched { file, receipt }, millis(now));
    }

    /// Something else came instead of a file. `progress`: bytes came that are still held.
    ///
    /// # Errors
    ///
    /// These are no headers.
    pub fn refused(&mut self, file: usize, status: u16, headers: &str, body: &[u8], now: f64) -> Result<(), String> {
        let headers = steps::headers(headers)?;
        self.unfetched(file, Unfetched::Answer(answer(status, &headers, body)), false, now);
        Ok(())
    }

    /// A file did not come, or not as it should, and why in one word.
    pub fn missed(&mut self, file: usize, trouble: &str, progress: bool, now: f64) {
        let why = match trouble {
            "disk" => Unfetched::Disk,
            word => Unfetched::Trouble(steps::trouble(word)),
        };
        self.unfetched(file, why, progress, now);
    }

    /// What a receipt promised is not there.
    pub fn gone(&mut self, file: usize, now: f64) {
        self.client.happened(Event::Gone { file }, millis(now));
    }

    /// The user wants no more.
    pub fn cancel(&mut self, now: f64) {
        self.client.happened(Event::Cancel, millis(now));
    }

    /// What it is at, as JSON.
    #[must_use]
    pub fn phase(&self) -> String {
        steps::phase(&self.client.phase()).pretty()
    }

    /// The complete files with their receipts, as JSON.
    #[must_use]
    pub fn receipts(&self) -> String {
        let complete = self.client.files().filter_map(|file| {
            Some(Tree::Object(vec![
                ("file", Tree::Number(file.number as u64)),
                ("receipt", Tree::text(file.receipt?)),
            ]))
        });
        Tree::List(complete.collect()).pretty()
    }

    /// How many files are known.
    #[wasm_bindgen(js_name = fileCount)]
    #[must_use]
    pub fn file_count(&self) -> usize {
        self.client.files().len()
    }

    /// What is known of the export, as JSON.
    #[must_use]
    pub fn facts(&self) -> String {
        output::facts(&self.client).pretty()
    }

    /// Names and manifest of the output, as JSON, for what the receipts of all files say, in their order.
    ///
    /// # Errors
    ///
    /// These are no receipts.
    pub fn output(&self, receipts: &str) -> Result<String, String> {
        let compiled = self.plan.as_ref().map(|plan| &plan.compiled);
        let made = output::output(&self.client, compiled, receipts);
        made.ok_or_else(|| fault::plain("argument", "these are no receipts"))
            .map(|tree| tree.pretty())
    }

    /// Begins to read a file of the manifest. `count`: the lines that it has to have.
    ///
    /// # Errors
    ///
    /// There is no such file.
    pub fn download(&self, file: usize, count: Option<f64>) -> Result<Download, String> {
        let known = self.client.file(file);
        let known = known.ok_or_else(|| fault::plain("argument", "there is no such file"))?;
        Download::begin(self.plan.as_ref(), &known, count.map(millis))
    }
}

impl Bulk {
    fn unfetched(&mut self, file: FileNo, why: Unfetched<'_>, progress: bool, now: f64) {
        self.client
            .happened(Event::Unfetched { file, why, progress }, millis(now));
    }
}

fn answer<'a>(status: u16, headers: &'a [(String, String)], body: &'a [u8]) -> Answer<'a> {
    Answer { status, headers, body }
}

/// A whole number that JavaScript holds exactly.
fn millis(number: f64) -> u64 {
    // Below zero, and what is no number, is 0.
    number as u64
}

/// Why a client cannot begin, with the client's own code.
fn of_failure(failure: &Failure) -> String {
    fault::of_bulk(failure.code, &failure.message, failure.resumable)
}

/// As a download is told that it has failed.
fn of_trouble(trouble: Trouble) -> String {
    fault::plain("trouble", steps::word(trouble))
}
