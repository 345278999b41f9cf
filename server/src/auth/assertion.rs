//! Client assertions: the signed token that a client shows to get another (RFC 7523, SMART Backend Services).

use std::time::Duration;

use fhirehose_store::{Client, Error, Time};
use serde::Deserialize;
use serde_json::Number;

use super::keys::{KeyFault, Signing};
use super::{Authority, jwt, secret};

/// Most bytes of an assertion.
pub const MOST_BYTES: usize = 16 * 1024;

/// How far in the future an assertion may end.
pub const LONGEST: Duration = Duration::from_secs(5 * 60);

/// How much clocks may differ.
pub const TOLERANCE: Duration = Duration::from_secs(30);

/// Most bytes of an id, of a key or of an assertion.
const MOST_ID: usize = 256;

/// Why a client is not believed.
#[derive(Debug)]
pub enum Refusal {
    /// It is not who it says, or cannot be: for the client to read, with nothing of what it sent.
    Client(&'static str),
    /// Its keys could not be had. Trying again may help.
    Keys,
    /// The store failed.
    Store(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Store(error)
    }
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: Number,
    jti: String,
    #[serde(default)]
    nbf: Option<Number>,
    #[serde(default)]
    iat: Option<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn has(&self, url: &str) -> bool {
        match self {
            Audience::One(one) => one == url,
            Audience::Several(several) => several.iter().any(|one| one == url),
        }
    }
}

/// Finds who signed an assertion. `client_id` is what the request says beside it. An assertion that was believed is
/// never believed again.
pub async fn authenticate(
    authority: &Authority,
    assertion: &str,
    client_id: Option<&str>,
    now: Time,
) -> Result<Client, Refusal> {
    let refuse = |text| Err(Refusal::Client(text));
    if assertion.len() > MOST_BYTES {
        return refuse("the client_assertion is too long");
    }
    let Some(jwt) = jwt::Jwt::parse(assertion) else {
        return refuse("the client_assertion is no signed JWT");
    };
    let (signing, kid) = of_header(&jwt.header)?;
    let Some(claims) = jwt.claims::<Claims>() else {
        return refuse("the client_assertion needs iss, sub, aud, exp and jti");
    };
    let expires = check(&claims, &authority.settings.token_url, now)?;
    if client_id.is_some_and(|id| id != claims.sub) {
        return refuse("client_id is not that of the client_assertion");
    }
    let Some(client) = authority.store.client(&claims.sub).await? else {
        return refuse("there is no such client");
    };
    if secret::is_secret(&client.jwks) {
        return refuse("the client is registered with a secret and has no keys");
    }
    if jwt.header.jku.as_ref().is_some_and(|jku| *jku != client.jwks) {
        return refuse("the jku is not the registered one");
    }
    let key = match authority.jwks.find(&client.jwks, kid, signing, now).await {
        Ok(key) => key,
        Err(fault) => return Err(of_keys(fault, &client)),
    };
    let (message, signature) = (jwt.message.to_owned(), jwt.signature.to_owned());
    // Up to a millisecond of arithmetic.
    let verify = move || key.has_signed(message.as_bytes(), &signature);
    if !tokio::task::spawn_blocking(verify).await.unwrap_or(false) {
        return refuse("the client_assertion is not signed with the client's key");
    }
    // Only now: who cannot sign must not be able to use up anything of the client's.
    let remember = Time(expires).plus(TOLERANCE);
    if !authority.store.use_jti(&client.id, &claims.jti, remember, now).await? {
        return refuse("the jti has been used before");
    }
    Ok(client)
}

fn of_header(header: &jwt::Header) -> Result<(Signing, &str), Refusal> {
    let Some(signing) = Signing::named(&header.alg) else {
        return Err(Refusal::Client("the alg has to be RS384 or ES384"));
    };
    if header.typ.as_ref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
        return Err(Refusal::Client("the typ has to be JWT"));
    }
    if header.crit.is_some() {
        return Err(Refusal::Client("the header demands extensions that are not known"));
    }
    match header.kid.as_deref() {
        Some(kid) if !kid.is_empty() && kid.len() <= MOST_ID => Ok((signing, kid)),
        _ => Err(Refusal::Client("a kid of at most 256 bytes is needed")),
    }
}

/// Checks what needs neither client nor key. Gives when the assertion ends.
fn check(claims: &Claims, token_url: &str, now: Time) -> Result<i64, Refusal> {
    let refuse = |text| Err(Refusal::Client(text));
    if claims.iss != claims.sub {
        return refuse("iss and sub have to be the same, the client's id");
    }
    if !claims.aud.has(token_url) {
        return refuse("the aud has to be the URL of the token endpoint");
    }
    let latest = now.plus(TOLERANCE).0;
    let Some(expires) = jwt::milliseconds(&claims.exp) else {
        return refuse("exp is no time");
    };
    if Time(expires).plus(TOLERANCE) <= now {
        return refuse("the client_assertion has expired");
    }
    if expires > Time(latest).plus(LONGEST).0 {
        return refuse("exp is more than five minutes ahead");
    }
    for (time, future) in [
        (&claims.nbf, "the client_assertion is not good yet (nbf)"),
        (&claims.iat, "the client_assertion is of the future (iat)"),
    ] {
        if let Some(time) = time
            && jwt::milliseconds(time).is_none_or(|time| time > latest)
        {
            return refuse(future);
        }
    }
    if claims.jti.is_empty() || claims.jti.len() > MOST_ID {
        return refuse("a jti of at most 256 bytes is needed");
    }
    Ok(expires)
}

fn of_keys(fault: KeyFault, client: &Client) -> Refusal {
    let text = match fault {
        KeyFault::Missing => "the client has no key of this kid that suits the alg",
        KeyFault::Several => "the client has several keys of this kid",
        KeyFault::Unfit => "the client's key of this kid is too weak, or none",
        KeyFault::Unreachable => {
            tracing::warn!(client = client.id, "the client's keys cannot be fetched");
            return Refusal::Keys;
        }
        KeyFault::NotASet | KeyFault::TooLong | KeyFault::NotASource | KeyFault::Unreadable => {
            tracing::warn!(client = client.id, fault = %fault, "the client's keys are not to be had");
            "the client's registered keys cannot be read"
        }
    };
    Refusal::Client(text)
}

#[cfg(test)]
mod tests;
