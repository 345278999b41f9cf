//! Does what the core's client says, one step after the other, and tells it what came of it.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use fhirehose_core::client::{
    Answer, Call, CallId, Client, Event, Fetch, FileNo, Order, Phase, Settings, Step, Trouble, Unfetched, What,
};
use fhirehose_core::search::table::Registry;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::auth::{self, Credentials};
use crate::clock;
use crate::download::{Attempt, Ended, Held, How, Patience, attempt};
use crate::error::{PullError, PullErrorKind};
use crate::finish::{Finished, Keep, finish};
use crate::folder::Folder;
use crate::http::{Got, Http, HttpOptions, is_safe};
use crate::journal::Journal;
use crate::network::Network;
use crate::progress::{Progress, Stop};
use crate::receipt::{Part, Receipt};
use crate::report::{self, Pulled};

/// A pull.
#[derive(Clone, Debug)]
pub struct Pull {
    /// What it begins with.
    pub begin: Begin,
    /// The folder that receives the output.
    pub out: PathBuf,
    /// What `saved` gives back when somebody goes on with it.
    pub saved: String,
    /// What the client shows to have a token.
    pub credentials: Credentials,
    /// How the client behaves.
    pub settings: Settings,
    /// How it is connected.
    pub http: HttpOptions,
    /// What is kept.
    pub keep: Keep,
}

/// What a pull begins with.
#[derive(Clone, Debug)]
pub enum Begin {
    /// A kick-off.
    Order(Box<Order>),
    /// A job that was begun elsewhere.
    Job {
        /// The URL of its status.
        status_url: String,
        /// The FHIR base, for tokens.
        base: String,
    },
    /// What was begun before in the folder.
    Resume {
        /// The FHIR base, for tokens.
        base: String,
    },
}

impl Begin {
    fn base(&self) -> &str {
        match self {
            Begin::Order(order) => &order.base,
            Begin::Job { base, .. } | Begin::Resume { base } => base,
        }
    }
}

/// Runs a pull to its end.
///
/// # Errors
/// Why there is no output. What was done so far stays for a resume where the error says so.
pub fn pull(pull: &Pull, progress: &Arc<Progress>, stop: &Stop) -> Result<Pulled, PullError> {
    run(pull, progress, stop, false)
}

/// Ends what was begun in a folder: deletes the job at the server, and then what is in the folder. Output that is being put in
/// its place already is not taken away again. Where the job is to be kept, nobody is asked anything.
///
/// # Errors
/// The server does not let us; then everything stays as it is.
pub fn cancel(pull: &Pull, progress: &Arc<Progress>, stop: &Stop) -> Result<(), PullError> {
    if Folder::open(&pull.out)?.is_finishing() {
        return Err(PullError::usage(format!(
            "all of it has come, and is being put in its place: `fhirehose pull --resume {}` completes it",
            pull.out.display()
        )));
    }
    if pull.settings.keep_job {
        return Folder::open(&pull.out)?.remove_hidden();
    }
    match run(pull, progress, stop, true) {
        Err(error) if error.code() != "cancelled" => Err(error),
        _ => Folder::open(&pull.out)?.remove_hidden(),
    }
}

fn run(pull: &Pull, progress: &Arc<Progress>, stop: &Stop, cancels: bool) -> Result<Pulled, PullError> {
    refuse_unsafe(pull)?;
    let (folder, journal, mut client) = open(pull)?;
    if cancels {
        client.happened(Event::Cancel, clock::now());
    }
    let http = Http::new(&pull.http)?;
    let network = Network::new().map_err(|error| PullError::disk("begin", Path::new("the network"), &error))?;
    let (sender, receiver) = unbounded_channel();
    let how = How {
        plan: pull.keep.plan.clone(),
        compression: pull.keep.compression,
        hashes: pull.keep.checksums,
        folder: folder.parts(),
        progress: progress.clone(),
        ignores_counts: pull.settings.ignore_counts,
        types: Arc::new(types()),
        // Other numbers than those of an earlier run.
        serial: Arc::new(AtomicU64::new(clock::now())),
    };
    let driver = Driver {
        pull,
        folder,
        journal,
        client,
        http,
        network: &network,
        how,
        token: None,
        held: HashMap::new(),
        sender,
        progress: progress.clone(),
        begun: Instant::now(),
        output: None,
        cancels,
        stop: stop.clone(),
    };
    // Threads of downloads end by themselves when nobody sends to them any more.
    network.block_on(driver.drive(receiver, stop))
}

/// The types of all versions of FHIR.
fn types() -> HashSet<String> {
    let all = [Registry::r4(), Registry::r4b(), Registry::r5()];
    all.iter().flat_map(|registry| registry.types().to_vec()).collect()
}

/// Secrets go over `https`, or stay on this machine.
fn refuse_unsafe(pull: &Pull) -> Result<(), PullError> {
    if matches!(pull.credentials, Credentials::None) || pull.http.insecure {
        return Ok(());
    }
    let origins = pull.settings.token_origins.iter().map(String::as_str);
    match std::iter::once(pull.begin.base())
        .chain(origins)
        .find(|url| !is_safe(url))
    {
        None => Ok(()),
        Some(_) => Err(PullError::usage(
            "the server is not https: a token is not sent over http (--insecure-http lets it)",
        )),
    }
}

/// Begins, or goes on.
fn open(pull: &Pull) -> Result<(Folder, Journal, Client), PullError> {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(|_| PullError::usage("the system has no random numbers"))?;
    let seed = u64::from_le_bytes(seed);
    let settings = Settings {
        has_token: !matches!(pull.credentials, Credentials::None),
        ..pull.settings.clone()
    };
    let refused = |failure: fhirehose_core::client::Failure| PullError::usage(failure.message);
    // What cannot be sent leaves no folder behind.
    let client = match &pull.begin {
        Begin::Order(order) => Client::start((**order).clone(), &settings, seed).map_err(refused)?,
        Begin::Job { status_url, base } => Client::attend(status_url, Some(base), &settings, seed).map_err(refused)?,
        Begin::Resume { .. } => {
            let folder = Folder::open(&pull.out)?;
            let (journal, text) = Journal::open(&folder.journal())?;
            let mut client = Client::resume(&text, &settings, seed)?;
            for file in missing(&folder, &receipts(&client)) {
                client.happened(Event::Gone { file }, clock::now());
            }
            return Ok((folder, journal, client));
        }
    };
    let folder = Folder::create(&pull.out, &pull.saved).map_err(|error| error.resumable(false))?;
    let journal = Journal::create(&folder.journal())?;
    Ok((folder, journal, client))
}

/// The files that are complete.
fn receipts(client: &Client) -> Vec<(FileNo, Receipt)> {
    let receipt = |text: &str| serde_json::from_str(text).ok();
    let files = client.files();
    files
        .filter_map(|file| Some((file.number, receipt(file.receipt?)?)))
        .collect()
}

/// Complete files of which a part is not there, or not as long as it was: after a loss of power, say. A part that has its final
/// name already is where it belongs.
fn missing(folder: &Folder, receipts: &[(FileNo, Receipt)]) -> Vec<FileNo> {
    let has_begun = folder.is_finishing();
    let is_there = |part: &Part| match std::fs::metadata(folder.parts().join(&part.path)) {
        Ok(found) => found.len() == part.size,
        // The names are being given: what is there under its own is looked at when that goes on.
        Err(_) => has_begun,
    };
    let is_missing = |(_, receipt): &&(FileNo, Receipt)| !receipt.parts.iter().all(is_there);
    receipts.iter().filter(is_missing).map(|(file, _)| *file).collect()
}

/// What a task has to tell.
enum Message {
    Answer(CallId, Result<Got, Trouble>),
    Token(Result<auth::Token, auth::NoToken>),
    Attempt(Box<Attempt>),
    /// Nothing: it has failed in a way that no task should.
    Fault,
}

/// Hears what a task has to tell. One that ends without a word says so, or the pull would wait for it for ever.
struct Listener {
    sender: UnboundedSender<Message>,
    has_heard: bool,
}

impl Listener {
    async fn listen(mut self, task: impl Future<Output = Message>) {
        let message = task.await;
        self.has_heard = true;
        // Nobody listens when the pull has ended.
        let _ = self.sender.send(message);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if !self.has_heard {
            let _ = self.sender.send(Message::Fault);
        }
    }
}

struct Driver<'a> {
    pull: &'a Pull,
    folder: Folder,
    journal: Journal,
    client: Client,
    http: Http,
    network: &'a Network,
    how: How,
    token: Option<String>,
    /// Files of which something has come.
    held: HashMap<FileNo, Held>,
    sender: UnboundedSender<Message>,
    progress: Arc<Progress>,
    begun: Instant,
    /// The files of the output, when they stand.
    output: Option<Finished>,
    cancels: bool,
    stop: Stop,
}

impl Driver<'_> {
    async fn drive(mut self, mut receiver: UnboundedReceiver<Message>, stop: &Stop) -> Result<Pulled, PullError> {
        self.sweep()?;
        loop {
            self.show();
            match self.client.next(clock::now()) {
                Step::Remember { line, sync } => self.journal.append(&line, sync)?,
                Step::Authorize => self.authorize(),
                Step::Send(call) => {
                    if call.what == What::Delete && !self.cancels {
                        self.finish()?;
                    }
                    self.send(call);
                }
                Step::Fetch(fetch) => self.fetch(fetch),
                Step::Wait { until } => {
                    let timer = async {
                        match until {
                            Some(until) => tokio::time::sleep(clock::until(until)).await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        biased;
                        () = stop.asked() => return Err(PullError::interrupted()),
                        message = receiver.recv() => if let Some(message) = message { self.hear(message)? },
                        () = timer => {}
                    }
                }
                Step::Detached => return Ok(self.pulled(true)),
                Step::Done => {
                    self.finish()?;
                    let pulled = self.pulled(false);
                    self.folder.remove_hidden()?;
                    return Ok(pulled);
                }
                Step::Failed(failure) => {
                    let facts = self.client.facts();
                    if failure.code == "cancelled" && facts.status_url.is_some() && !facts.is_deleted {
                        let error = PullError::new(PullErrorKind::Io, "not-deleted", failure.message);
                        return Err(error);
                    }
                    // Nothing was begun: the folder is free for what was meant.
                    if !failure.resumable && !self.cancels && facts.status_url.is_none() {
                        self.folder.remove_hidden()?;
                    }
                    return Err(failure.into());
                }
            }
            if stop.is_stopped() {
                return Err(PullError::interrupted());
            }
        }
    }

    /// Removes what a killed pull left of files that are not complete.
    fn sweep(&self) -> Result<(), PullError> {
        let receipts = receipts(&self.client);
        let named: std::collections::HashSet<&str> = receipts
            .iter()
            .flat_map(|(_, receipt)| &receipt.parts)
            .map(|part| part.path.as_str())
            .collect();
        self.folder.sweep(|name| name == "again" || named.contains(name))
    }

    fn spawn(&self, task: impl Future<Output = Message> + Send + 'static) {
        let listener = Listener {
            sender: self.sender.clone(),
            has_heard: false,
        };
        self.network.spawn(listener.listen(task));
    }

    fn authorize(&self) {
        let credentials = self.pull.credentials.clone();
        let (http, insecure) = (self.http.clone(), self.pull.http.insecure);
        let base = self.pull.begin.base().to_owned();
        self.spawn(async move {
            let token = auth::token(&credentials, &http, &base, insecure, clock::now()).await;
            Message::Token(token)
        });
    }

    fn send(&self, call: Call) {
        tracing::debug!(what = ?call.what, method = call.method, "request");
        let (http, token) = (self.http.clone(), self.token.clone());
        self.spawn(async move {
            let got = http.call(&call, token.as_deref()).await;
            Message::Answer(call.id, got)
        });
    }

    fn fetch(&mut self, fetch: Fetch) {
        tracing::debug!(file = fetch.file, attempt = fetch.attempt, "download");
        let held = self.held.remove(&fetch.file);
        let (http, token, how) = (self.http.clone(), self.token.clone(), self.how.clone());
        let patience = Patience::new(self.pull.http.stall, self.pull.settings.parallel);
        self.progress.active.fetch_add(1, Ordering::Relaxed);
        self.spawn(async move { Message::Attempt(Box::new(attempt(http, fetch, held, token, how, patience).await)) });
    }

    fn hear(&mut self, message: Message) -> Result<(), PullError> {
        let now = clock::now();
        match message {
            Message::Answer(call, Ok(got)) => {
                tracing::debug!(status = got.status, bytes = got.body.len(), "answer");
                let answer = answer(&got);
                self.client.happened(Event::Answer { call, answer }, now);
            }
            Message::Answer(call, Err(trouble)) => {
                tracing::debug!(?trouble, "no answer");
                self.client.happened(Event::Trouble { call, trouble }, now);
            }
            Message::Token(Ok(token)) => {
                let expires = token.expires;
                self.token = Some(token.secret);
                self.client.happened(Event::Token { expires }, now);
            }
            Message::Token(Err(none)) => {
                let auth::NoToken { again, why } = none;
                self.client.happened(Event::NoToken { again, why }, now);
            }
            Message::Attempt(attempt) => return self.attempted(*attempt),
            Message::Fault => {
                let error = PullError::new(PullErrorKind::Io, "fault", "a request ended in a fault of this program");
                return Err(error.resumable(true));
            }
        }
        Ok(())
    }

    fn attempted(&mut self, attempt: Attempt) -> Result<(), PullError> {
        let Attempt {
            file,
            ended,
            held,
            progress,
        } = attempt;
        self.progress.active.fetch_sub(1, Ordering::Relaxed);
        let now = clock::now();
        // Each holds a thread and some pieces: where very many connections break, files begin anew instead.
        let held = held.filter(|_| self.held.len() < self.pull.settings.parallel.saturating_mul(2));
        let progress = progress && held.is_some();
        self.held.extend(held.map(|held| (file, held)));
        let why = match &ended {
            Ended::Whole(receipt) => {
                let receipt = serde_json::to_string(receipt).map_err(|error| {
                    PullError::new(
                        PullErrorKind::Io,
                        "journal",
                        format!("a receipt cannot be written: {error}"),
                    )
                })?;
                self.client.happened(Event::Fetched { file, receipt }, now);
                return Ok(());
            }
            Ended::Refused(got) => Unfetched::Answer(answer(got)),
            Ended::Trouble(trouble) => Unfetched::Trouble(*trouble),
            Ended::Disk(error) => return Err(PullError::disk("write into", &self.how.folder, error)),
            Ended::BadLine(place) => {
                let out = self.pull.out.display();
                let text = format!(
                    "stopped at a bad line: {place}\n`fhirehose pull --cancel {out}` ends the pull, and deletes the job at the server"
                );
                return Err(PullError::new(PullErrorKind::BadLine, "bad-line", text));
            }
        };
        // Of an answer its status alone: headers hold signed URLs, and bodies anything.
        match &why {
            Unfetched::Answer(answer) => tracing::debug!(file, status = answer.status, "no file"),
            Unfetched::Trouble(trouble) => tracing::debug!(file, ?trouble, "no file"),
            Unfetched::Disk => {}
        }
        self.client.happened(Event::Unfetched { file, why, progress }, now);
        Ok(())
    }

    /// Everything has come: the output gets its names, before the server may forget it.
    fn finish(&mut self) -> Result<(), PullError> {
        if self.output.is_some() || self.cancels {
            return Ok(());
        }
        self.progress.set_phase("putting the files in their place".to_owned());
        let receipts = receipts(&self.client);
        if receipts.len() != self.client.files().len() {
            let text = "the journal does not know of every file that is complete; the pull has to be begun anew";
            return Err(PullError::new(PullErrorKind::Io, "journal", text));
        }
        let said = report::said(&self.client, self.pull.keep.plan.is_some());
        let cancel = match self.pull.settings.deadline {
            Some(deadline) => self.stop.cancel().within(clock::until(deadline)),
            None => self.stop.cancel().clone(),
        };
        let finished = finish(&self.folder, &receipts, &said, &self.pull.keep, &cancel);
        let is_late = |error: &PullError| error.kind() == PullErrorKind::Interrupted && !self.stop.is_stopped();
        let finished = finished.map_err(|error| if is_late(&error) { PullError::late() } else { error });
        self.output = Some(finished?);
        Ok(())
    }

    fn pulled(&mut self, detached: bool) -> Pulled {
        let output = self.output.take().unwrap_or_default();
        report::pulled(
            self.pull,
            &self.client,
            &receipts(&self.client),
            output,
            self.begun.elapsed(),
            detached,
        )
    }

    fn show(&self) {
        let phase = self.client.phase();
        if let Phase::Fetching { done, total, .. } = &phase {
            self.progress.done.store(*done, Ordering::Relaxed);
            self.progress.files.store(*total, Ordering::Relaxed);
        }
        self.progress.set_phase(report::phase(&phase, clock::now()));
    }
}

fn answer(got: &Got) -> Answer<'_> {
    Answer {
        status: got.status,
        headers: &got.headers,
        body: &got.body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_ends_without_a_word_is_not_waited_for() {
        let network = Network::new().expect("needs no thread");
        let (sender, mut receiver) = unbounded_channel();
        let listener = |sender| Listener {
            sender,
            has_heard: false,
        };
        let told = listener(sender.clone()).listen(async { Message::Token(Err(auth::NoToken::final_one("none"))) });
        network.spawn(told);
        assert!(matches!(
            network.block_on(receiver.recv()),
            Some(Message::Token(Err(_)))
        ));
        network.spawn(listener(sender).listen(async { panic!("on purpose") }));
        assert!(matches!(network.block_on(receiver.recv()), Some(Message::Fault)));
        assert!(network.block_on(receiver.recv()).is_none(), "each tells once");
    }
}
