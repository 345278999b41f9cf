//! Access tokens: made for a client that was believed, and read from every request.
//!
//! They are signed by this server for itself (HS256 with a secret of the store), hold the granted scopes, and are good for
//! minutes. Every server over one store takes them, also after a restart.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhirehose_store::{Client, Error, Time};
use ring::hmac;
use serde::Deserialize;
use serde_json::json;

use super::token::after_scheme;
use super::{Authority, jwt, scope};
use crate::access::{Access, Reach};
use crate::outcome::Reply;

/// The client's id where nobody is asked for a token.
pub const OPEN: &str = "open";

/// Most bytes of a token: far more than one with all scopes has.
const MOST_BYTES: usize = 32 * 1024;

const ALGORITHM: &str = "HS256";
const TYPE: &str = "at+jwt";

/// A token of the future, further than this, is of a clock that has been set back since.
const TOLERANCE: Duration = Duration::from_secs(60);

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    scope: String,
    /// In milliseconds, like the rest: only this server reads them.
    iat: i64,
    exp: i64,
    /// When the client was added: one that was removed and came back is another.
    reg: i64,
}

/// Makes a token.
pub(super) async fn issue(authority: &Authority, client: &Client, scopes: &str, now: Time) -> Result<String, Error> {
    let claims = json!({
        "iss": authority.settings.issuer,
        "sub": client.id,
        "scope": scopes,
        "iat": now.0,
        "exp": now.plus(authority.lifetime()).0,
        "reg": client.added.0,
    });
    let message = jwt::message(&json!({ "alg": ALGORITHM, "typ": TYPE }), &claims);
    let signature = hmac::sign(&key(authority).await?, message.as_bytes());
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

async fn key(authority: &Authority) -> Result<hmac::Key, Error> {
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &authority.signing().await?.0))
}

/// Finds who asks by the header `Authorization`, and what may be had. What is wrong is answered with the challenge that a
/// client waits for.
pub async fn access(authority: &Authority, authorization: Option<&str>, now: Time) -> Result<Access, Reply> {
    if authority.settings.open {
        return Ok(Access {
            client: OPEN.to_owned(),
            owner: OPEN.to_owned(),
            reach: Reach::Everything,
        });
    }
    let Some(token) = authorization.and_then(|header| after_scheme(header, "Bearer")) else {
        return Err(Reply::unauthorized(false));
    };
    let claims = believed(authority, token).await?;
    if claims.exp <= now.0 {
        return Err(Reply::unauthorized(true));
    }
    if claims.iss != authority.settings.issuer || claims.iat > now.plus(TOLERANCE).0 {
        return Err(invalid());
    }
    let client = authority.store.client(&claims.sub).await;
    let client = client.map_err(|error| unavailable(&error))?;
    if client.is_none_or(|client| client.added.0 != claims.reg) {
        return Err(invalid());
    }
    let reach = scope::reach_of(&claims.scope, &authority.registry).map_err(|_| invalid())?;
    Ok(Access {
        owner: format!("{}@{}", claims.sub, claims.reg),
        client: claims.sub,
        reach,
    })
}

/// The claims of a token that this server has signed.
async fn believed(authority: &Authority, token: &str) -> Result<Claims, Reply> {
    let jwt = (token.len() <= MOST_BYTES).then(|| jwt::Jwt::parse(token)).flatten();
    let jwt = jwt.ok_or_else(invalid)?;
    if jwt.header.alg != ALGORITHM || jwt.header.typ.as_deref() != Some(TYPE) || jwt.header.crit.is_some() {
        return Err(invalid());
    }
    let key = key(authority).await.map_err(|error| unavailable(&error))?;
    let signature = URL_SAFE_NO_PAD.decode(jwt.signature).map_err(|_| invalid())?;
    // Compares in constant time.
    hmac::verify(&key, jwt.message.as_bytes(), &signature).map_err(|_| invalid())?;
    jwt.claims().ok_or_else(invalid)
}

/// A token that is none of this server's, or none any more.
fn invalid() -> Reply {
    let challenge = r#"Bearer error="invalid_token", error_description="the token is not valid""#;
    let text = "the access token is not valid; ask for a new one";
    Reply::error(401, "login", text).with_header("WWW-Authenticate", challenge)
}

fn unavailable(error: &Error) -> Reply {
    tracing::error!(kind = ?error.kind(), error = %error, "the store failed while a token was looked at");
    Reply::unavailable("the server's store does not answer; try again", 2)
}

#[cfg(test)]
mod tests;
