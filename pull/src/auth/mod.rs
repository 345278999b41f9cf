//! Tokens: where they come from, and how long they live (SMART Backend Services; SPEC 1.6, 2.15).

mod assertion;
mod discovery;
mod keys;
mod request;

pub use keys::{KeyFault, SigningKey};

use std::path::PathBuf;

use fhirehose_core::client::Millis;

use crate::http::{Http, is_safe};

/// What a client shows to have a token.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    /// Nothing: the server is open.
    #[default]
    None,
    /// A token that somebody else has got, in a file, which is read anew whenever a token is needed.
    Bearer(PathBuf),
    /// SMART Backend Services: a signed assertion (`private_key_jwt`).
    Assertion {
        /// The registered client.
        client_id: String,
        /// Its private key.
        key: SigningKey,
        /// `None`: asked of the server (`.well-known/smart-configuration`).
        token_url: Option<String>,
        /// What is asked for; with blanks between.
        scope: String,
    },
    /// Name and secret by HTTP Basic, as Oracle's system accounts have them.
    Basic {
        /// The account.
        user: String,
        /// A file with its secret.
        secret: PathBuf,
        /// `None`: asked of the server.
        token_url: Option<String>,
        /// What is asked for; with blanks between.
        scope: String,
    },
}

/// A token.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) secret: String,
    /// When it ends, if that is known.
    pub(crate) expires: Option<Millis>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// Why there is none.
#[derive(Clone, Debug)]
pub(crate) struct NoToken {
    /// It may help to ask again.
    pub(crate) again: bool,
    /// For people; holds no secret.
    pub(crate) why: String,
}

impl NoToken {
    pub(crate) fn final_one(why: impl Into<String>) -> NoToken {
        NoToken {
            again: false,
            why: why.into(),
        }
    }
}

/// Gets a token for the server at this base.
pub(crate) async fn token(
    credentials: &Credentials,
    http: &Http,
    base: &str,
    insecure: bool,
    now: Millis,
) -> Result<Token, NoToken> {
    match credentials {
        Credentials::None => Err(NoToken::final_one("no credentials were given")),
        Credentials::Bearer(path) => bearer(path),
        Credentials::Assertion {
            client_id,
            key,
            token_url,
            scope,
        } => {
            let url = endpoint(http, base, token_url.as_deref(), insecure, false).await?;
            let assertion = assertion::signed(client_id, key, &url, now)?;
            request::by_assertion(http, &url, scope, &assertion, now).await
        }
        Credentials::Basic {
            user,
            secret,
            token_url,
            scope,
        } => {
            let url = endpoint(http, base, token_url.as_deref(), insecure, true).await?;
            let secret = secret_of(secret)?;
            request::by_secret(http, &url, scope, user, &secret, now).await
        }
    }
}

/// Where tokens are to be had. A secret goes only where the user or the server's own origin says; an assertion is made out
/// for one place and worth nothing elsewhere.
async fn endpoint(
    http: &Http,
    base: &str,
    given: Option<&str>,
    insecure: bool,
    is_secret: bool,
) -> Result<String, NoToken> {
    let url = match given {
        Some(url) => url.to_owned(),
        None => {
            let found = discovery::token_endpoint(http, base).await?;
            if is_secret && origin(&found) != origin(base) {
                return Err(NoToken::final_one(format!(
                    "the server names a token endpoint elsewhere ({}); if the secret may go there, say so with --token-url",
                    origin(&found).unwrap_or_default()
                )));
            }
            found
        }
    };
    if insecure || is_safe(&url) {
        Ok(url)
    } else {
        Err(NoToken::final_one(
            "the token endpoint is not https: credentials are not sent over http (--insecure-http lets them)",
        ))
    }
}

fn origin(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).ok()?;
    url.has_host().then(|| url.origin().ascii_serialization())
}

/// A token that somebody else keeps in a file.
fn bearer(path: &std::path::Path) -> Result<Token, NoToken> {
    let secret = secret_of(path)?;
    Ok(Token { secret, expires: None })
}

/// The first line of a file.
fn secret_of(path: &std::path::Path) -> Result<String, NoToken> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| NoToken::final_one(format!("cannot read {}: {error}", path.display())))?;
    let secret = text.lines().next().unwrap_or_default().trim().to_owned();
    if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        let why = format!("{}: the first line is no secret that can be sent", path.display());
        return Err(NoToken::final_one(why));
    }
    Ok(secret)
}
