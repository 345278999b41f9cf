//! Clients as they are added, listed and removed by whoever runs the server.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use fhirehose_core::search::table::Registry;
use fhirehose_store::{Client, ClientStore, Error, Kind, Time};

use super::jwks::{Jwks, Source, read_file};
use super::keys::{KeyFault, KeySet};
use super::scope::{ScopeFault, Scopes};
use super::{bearer, secret};

/// Most bytes of an id or a name.
const MOST_NAME: usize = 64;

/// How a client will show who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential<'a> {
    /// By its keys: a file, or a URL.
    Jwks(&'a str),
    /// By a secret, which is made here (taken under `oracle` only).
    Secret,
}

/// A client to be added.
#[derive(Clone, Copy, Debug)]
pub struct NewClient<'a> {
    /// What people call it.
    pub name: &'a str,
    /// What it calls itself; without, an id is made.
    pub id: Option<&'a str>,
    /// How it will show who it is.
    pub credential: Credential<'a>,
    /// What it may have.
    pub scopes: &'a str,
}

/// A client that was added.
#[derive(Clone, PartialEq, Eq)]
pub struct Added {
    /// As it is stored.
    pub client: Client,
    /// Its secret, which is told this once.
    pub secret: Option<String>,
    /// What whoever added it should know.
    pub warnings: Vec<String>,
}

impl fmt::Debug for Added {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Added")
            .field("client", &self.client.id)
            .finish_non_exhaustive()
    }
}

/// Why a client is not added or removed.
#[derive(Debug)]
pub enum ClientFault {
    /// The name or the id cannot be one.
    Name(String),
    /// A scope is none.
    Scope(ScopeFault),
    /// Its keys are not to be had.
    Keys(KeyFault),
    /// There is no key among them that can be used.
    NoKey,
    /// There is another client of that id or name.
    Exists,
    /// There is no such client.
    Unknown,
    /// The system gives no random numbers.
    Random,
    /// The store failed.
    Store(Error),
}

impl fmt::Display for ClientFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientFault::Name(text) => f.write_str(text),
            ClientFault::Scope(fault) => write!(f, "scope: {fault}"),
            ClientFault::Keys(fault) => write!(f, "jwks: {fault}"),
            ClientFault::NoKey => f.write_str(
                "jwks: no key that can be used: RSA of 2048 to 8192 bits (RS384) or EC on P-384 (ES384), each with a kid \
                 of its own",
            ),
            ClientFault::Exists => f.write_str("there is a client of this id or name already"),
            ClientFault::Unknown => f.write_str("there is no client of this id or name"),
            ClientFault::Random => f.write_str("the system gives no random numbers"),
            ClientFault::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ClientFault {}

impl From<Error> for ClientFault {
    fn from(error: Error) -> Self {
        match error.kind() {
            Kind::Exists => ClientFault::Exists,
            _ => ClientFault::Store(error),
        }
    }
}

impl From<getrandom::Error> for ClientFault {
    fn from(_: getrandom::Error) -> Self {
        ClientFault::Random
    }
}

/// Adds a client, after everything it will need has been looked at. A URL that cannot be fetched now is a warning: the
/// server may reach it, or the client may start later.
pub async fn add(
    store: &dyn ClientStore,
    new: &NewClient<'_>,
    registry: &Registry,
    now: Time,
) -> Result<Added, ClientFault> {
    check_name(new.name)?;
    let id = match new.id {
        Some(id) => id.to_owned(),
        None => secret::fresh_text::<16>()?,
    };
    check_id(&id)?;
    let scopes = Scopes::parse(new.scopes, registry).map_err(ClientFault::Scope)?;
    let mut warnings = Vec::new();
    let (jwks, secret) = match new.credential {
        Credential::Jwks(text) => (keys(text, now, &mut warnings).await?, None),
        Credential::Secret => {
            let made = secret::fresh_text::<32>()?;
            (secret::kept(&made), Some(made))
        }
    };
    let client = Client {
        id,
        name: new.name.to_owned(),
        jwks,
        scopes: scopes.to_string(),
        added: now,
    };
    store.add_client(&client).await?;
    Ok(Added {
        client,
        secret,
        warnings,
    })
}

/// Lists the clients, by name.
pub async fn list(store: &dyn ClientStore) -> Result<Vec<Client>, ClientFault> {
    Ok(store.clients().await?)
}

/// Removes the client of an id, or of a name if none has that id. Its tokens are worth nothing from then on.
pub async fn remove(store: &dyn ClientStore, id_or_name: &str) -> Result<Client, ClientFault> {
    let all = store.clients().await?;
    let of_id = all.iter().find(|client| client.id == id_or_name);
    let found = of_id.or_else(|| all.iter().find(|client| client.name == id_or_name));
    match found {
        Some(client) if store.remove_client(&client.id).await? => Ok(client.clone()),
        _ => Err(ClientFault::Unknown),
    }
}

/// How a client shows who it is, for a list: its keys, or that it has a secret.
#[must_use]
pub fn credential(client: &Client) -> &str {
    if secret::is_secret(&client.jwks) {
        "(secret)"
    } else {
        &client.jwks
    }
}

fn check_name(name: &str) -> Result<(), ClientFault> {
    let is_plain = name.chars().all(|letter| !letter.is_control());
    if is_plain && !name.trim().is_empty() && name.len() <= MOST_NAME {
        Ok(())
    } else {
        let text = format!("a name has 1 to {MOST_NAME} bytes, and no control characters");
        Err(ClientFault::Name(text))
    }
}

/// Letters that mean the same in a header, a form and a log.
fn check_id(id: &str) -> Result<(), ClientFault> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if id == bearer::OPEN {
        let text = "this id is that of everybody where there is no authorization".to_owned();
        Err(ClientFault::Name(text))
    } else if !id.is_empty() && id.len() <= MOST_NAME && id.bytes().all(fits) {
        Ok(())
    } else {
        let text = format!("an id is 1 to {MOST_NAME} of A-Z a-z 0-9 - . _");
        Err(ClientFault::Name(text))
    }
}

/// Looks at a client's keys, and gives what is stored of where they are.
async fn keys(text: &str, now: Time, warnings: &mut Vec<String>) -> Result<String, ClientFault> {
    let (place, set) = match Source::parse(text).map_err(ClientFault::Keys)? {
        // As it was written: a `jku` has to be the same to the letter.
        Source::Url(url) => match Jwks::default().look(&url, now).await {
            Ok(set) => (text.to_owned(), set),
            Err(KeyFault::Unreachable) => {
                warnings.push("the key set cannot be fetched now, so nobody has looked at its keys".to_owned());
                return Ok(text.to_owned());
            }
            Err(fault) => return Err(ClientFault::Keys(fault)),
        },
        Source::File(path) => {
            let read = tokio::task::spawn_blocking(move || of_file(path)).await;
            read.unwrap_or(Err(KeyFault::Unreadable)).map_err(ClientFault::Keys)?
        }
    };
    if set.usable() == 0 {
        return Err(ClientFault::NoKey);
    }
    if set.has_private_parts {
        let text = "the key set holds private keys: they belong to the client alone, and are not needed here";
        warnings.push(text.to_owned());
    }
    Ok(place)
}

/// A file by its whole path: the server may run elsewhere.
fn of_file(path: PathBuf) -> Result<(String, Arc<KeySet>), KeyFault> {
    let path = path.canonicalize().map_err(|_| KeyFault::Unreadable)?;
    let set = read_file(&path)?;
    let text = path.to_str().ok_or(KeyFault::NotASource)?;
    // What stands in a registration is read again; a path that looks like a URL would be read as one.
    if Source::parse(text)? == Source::File(path.clone()) {
        Ok((text.to_owned(), Arc::new(set)))
    } else {
        Err(KeyFault::NotASource)
    }
}

#[cfg(test)]
mod tests;
