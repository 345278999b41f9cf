//! Where the keys of clients are: files, and URLs that are fetched and remembered for a while.
//!
//! Only what stands in a client's registration is ever read or fetched; nothing that a token names. Files are read with
//! each request, so a new one counts at once.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fhirehose_store::Time;
use reqwest::header::{ACCEPT, CACHE_CONTROL};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use tokio::sync::{OnceCell, Semaphore};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::keys::{KeyFault, KeySet, MOST_BYTES, PublicKey, Signing};

/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a fetched set is good, unless its server says less.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// A set is not fetched anew, for a key that it does not have, sooner than this after the last time.
const BETWEEN: Duration = Duration::from_secs(30);

/// A URL that could not be fetched is not tried again sooner than this.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Most fetches at a time.
const MOST_FETCHES: usize = 4;

/// Where a set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// A URL: `https`, or `http` on this machine.
    Url(Url),
}

impl Source {
    /// Reads what stands in a registration: a URL, or a path.
    pub fn parse(text: &str) -> Result<Source, KeyFault> {
        if text.is_empty() {
            return Err(KeyFault::NotASource);
        }
        if !text.contains("://") {
            return Ok(Source::File(PathBuf::from(text)));
        }
        let url = Url::parse(text).map_err(|_| KeyFault::NotASource)?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let is_safe = match url.scheme() {
            "https" => url.host_str().is_some(),
            "http" => url.host_str().is_some_and(is_loopback),
            _ => false,
        };
        if is_plain && is_safe {
            Ok(Source::Url(url))
        } else {
            Err(KeyFault::NotASource)
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Reads the set in a file.
pub fn read_file(path: &Path) -> Result<KeySet, KeyFault> {
    let file = File::open(path).map_err(|_| KeyFault::Unreadable)?;
    // A pipe or a device would keep the thread.
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(KeyFault::Unreadable);
    }
    let mut text = Vec::new();
    let most = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most)
        .read_to_end(&mut text)
        .map_err(|_| KeyFault::Unreadable)?;
    KeySet::parse(&text)
}

/// What is known of a URL.
#[derive(Clone, Debug, Default)]
struct Known {
    keys: Option<Arc<KeySet>>,
    /// When it was fetched last, and from when on its keys are not good any more.
    fetched: Time,
    until: Time,
    /// When fetching it failed last, if it has since.
    failed: Option<Time>,
}

impl Known {
    fn keys(&self, now: Time) -> Option<Arc<KeySet>> {
        // A clock that was set back would make them good for longer.
        let is_good = self.fetched <= now && now < self.until;
        self.keys.clone().filter(|_| is_good)
    }

    fn has_just_failed(&self, now: Time) -> bool {
        self.failed.is_some_and(|failed| is_within(failed, now, AFTER_FAILURE))
    }
}

/// Whether `now` is in the span that began at `start`.
fn is_within(start: Time, now: Time, span: Duration) -> bool {
    start <= now && now < start.plus(span)
}

/// The sets of all clients.
#[derive(Debug)]
pub struct Jwks {
    known: Mutex<HashMap<Url, Known>>,
    fetches: Semaphore,
    /// One for this machine, which needs no certificates, and one for all others.
    near: OnceCell<Client>,
    far: OnceCell<Client>,
}

impl Default for Jwks {
    fn default() -> Self {
        Jwks {
            known: Mutex::default(),
            fetches: Semaphore::new(MOST_FETCHES),
            near: OnceCell::new(),
            far: OnceCell::new(),
        }
    }
}

impl Jwks {
    /// Finds the one key of that `kid` which suits the algorithm. A set that was fetched earlier and does not have it is
    /// fetched once more.
    pub async fn find(&self, source: &str, kid: &str, signing: Signing, now: Time) -> Result<PublicKey, KeyFault> {
        let url = match Source::parse(source)? {
            Source::Url(url) => url,
            Source::File(path) => {
                let read = tokio::task::spawn_blocking(move || read_file(&path)).await;
                return read.map_err(|_| KeyFault::Unreadable)??.choose(kid, signing);
            }
        };
        if let Some(keys) = self.of(&url).keys(now) {
            let chosen = keys.choose(kid, signing);
            if chosen.as_ref().err() != Some(&KeyFault::Missing) || is_within(self.of(&url).fetched, now, BETWEEN) {
                return chosen;
            }
        }
        self.fetched(&url, now).await?.choose(kid, signing)
    }

    /// The set at a URL as it is now.
    pub async fn look(&self, url: &Url, now: Time) -> Result<Arc<KeySet>, KeyFault> {
        self.fetched(url, now).await
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Url, Known>> {
        // Nothing in there is ever half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, url: &Url) -> Known {
        self.known().get(url).cloned().unwrap_or_default()
    }

    async fn fetched(&self, url: &Url, now: Time) -> Result<Arc<KeySet>, KeyFault> {
        let before = self.of(url);
        if before.has_just_failed(now) {
            return Err(KeyFault::Unreachable);
        }
        let permit = self.fetches.acquire().await.map_err(|_| KeyFault::Unreachable)?;
        // Whoever had the permit before may have fetched the same, or failed to.
        let meanwhile = self.of(url);
        if meanwhile.has_just_failed(now) {
            return Err(KeyFault::Unreachable);
        }
        if meanwhile.fetched > before.fetched
            && let Some(keys) = meanwhile.keys(now)
        {
            return Ok(keys);
        }
        let fetched = self.fetch(url).await;
        drop(permit);
        let mut known = self.known();
        let entry = known.entry(url.clone()).or_default();
        match fetched {
            Ok((keys, good)) => {
                let keys = Arc::new(keys);
                *entry = Known {
                    keys: Some(Arc::clone(&keys)),
                    fetched: now,
                    until: now.plus(good),
                    failed: None,
                };
                Ok(keys)
            }
            Err(fault) => {
                entry.failed = Some(now);
                Err(fault)
            }
        }
    }

    async fn fetch(&self, url: &Url) -> Result<(KeySet, Duration), KeyFault> {
        let client = self.client(url).await?;
        let request = client.get(url.clone()).header(ACCEPT, "application/json");
        let mut answer = request.send().await.map_err(|_| KeyFault::Unreachable)?;
        if answer.status().as_u16() != 200 {
            return Err(KeyFault::Unreachable);
        }
        let good = lifetime(&answer);
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|_| KeyFault::Unreachable)? {
            if text.len() + chunk.len() > MOST_BYTES {
                return Err(KeyFault::TooLong);
            }
            text.extend_from_slice(&chunk);
        }
        Ok((KeySet::parse(&text)?, good))
    }

    async fn client(&self, url: &Url) -> Result<&Client, KeyFault> {
        let make = |build: fn() -> Option<Client>| async move {
            // The certificates of the system are files.
            let made = tokio::task::spawn_blocking(build).await;
            made.ok().flatten().ok_or(KeyFault::Unreachable)
        };
        if url.scheme() == "http" {
            self.near.get_or_try_init(|| make(near)).await
        } else {
            self.far.get_or_try_init(|| make(far)).await
        }
    }
}

/// How long a set is good: as its server says, and never long.
fn lifetime(answer: &Response) -> Duration {
    let lines = answer.headers().get_all(CACHE_CONTROL).iter();
    let texts: Vec<String> = lines
        .filter_map(|line| line.to_str().ok())
        .map(str::to_ascii_lowercase)
        .collect();
    let seconds = |directive: &str| match directive.trim() {
        "no-store" | "no-cache" => Some(0),
        directive => directive.strip_prefix("max-age=")?.trim_matches('"').parse().ok(),
    };
    let said = texts.iter().flat_map(|text| text.split(',')).filter_map(seconds).min();
    said.map_or(LONGEST, |seconds: u64| LONGEST.min(Duration::from_secs(seconds)))
}

fn base() -> reqwest::ClientBuilder {
    Client::builder()
        .timeout(PATIENCE)
        .redirect(Policy::none())
        .no_proxy()
        .user_agent(concat!("fhirehose/", env!("CARGO_PKG_VERSION")))
}

fn near() -> Option<Client> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.ok()?.with_root_certificates(RootCertStore::empty());
    base()
        .tls_backend_preconfigured(config.with_no_client_auth())
        .build()
        .ok()
}

fn far() -> Option<Client> {
    // reqwest takes the provider of the process. It may be there already, from whoever serves TLS: the same one.
    let _ = ring::default_provider().install_default();
    base().https_only(true).build().ok()
}

#[cfg(test)]
mod tests;
