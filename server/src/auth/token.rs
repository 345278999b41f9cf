//! The token endpoint: client credentials for an access token (RFC 6749, SMART Backend Services).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fhirehose_store::{Client, Error, Time};
use serde_json::json;

use super::assertion::{self, Refusal};
use super::form::{self, Form, FormFault};
use super::scope::{Scopes, grant};
use super::{Authority, bearer, secret};

/// Most bytes of a request.
pub const MOST_BYTES: usize = 64 * 1024;

const GRANT_TYPE: &str = "client_credentials";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// An answer of the token endpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenReply {
    /// HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: Vec<(&'static str, String)>,
    /// JSON: the token, or an error as RFC 6749 has them.
    pub body: String,
}

impl std::fmt::Debug for TokenReply {
    /// Without the body, which may hold a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenReply")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl TokenReply {
    fn new(status: u16, body: &serde_json::Value) -> Self {
        TokenReply {
            status,
            headers: vec![
                ("Content-Type", "application/json".to_owned()),
                ("Cache-Control", "no-store".to_owned()),
                ("Pragma", "no-cache".to_owned()),
            ],
            body: body.to_string(),
        }
    }

    fn error(status: u16, error: &str, description: &str) -> Self {
        TokenReply::new(status, &json!({ "error": error, "error_description": description }))
    }

    fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn invalid_request(description: &str) -> Self {
        TokenReply::error(400, "invalid_request", description)
    }

    /// Try again: neither client nor request is at fault.
    fn unavailable(description: &str) -> Self {
        TokenReply::error(503, "temporarily_unavailable", description).with_header("Retry-After", "5")
    }

    fn of_store(error: &Error) -> Self {
        tracing::error!(kind = ?error.kind(), error = %error, "the store failed at a token request");
        TokenReply::unavailable("the server's store does not answer")
    }
}

/// Answers a POST to the token endpoint. `content_type` and `authorization` are the headers of these names.
pub async fn token(
    authority: &Authority,
    content_type: Option<&str>,
    authorization: Option<&str>,
    body: &[u8],
    now: Time,
) -> TokenReply {
    match answer(authority, content_type, authorization, body, now).await {
        Ok(reply) | Err(reply) => reply,
    }
}

async fn answer(
    authority: &Authority,
    content_type: Option<&str>,
    authorization: Option<&str>,
    body: &[u8],
    now: Time,
) -> Result<TokenReply, TokenReply> {
    let form = read(content_type, body)?;
    match form.get("grant_type") {
        Some(GRANT_TYPE) => (),
        Some(_) => {
            let text = "the grant_type has to be client_credentials";
            return Err(TokenReply::error(400, "unsupported_grant_type", text));
        }
        None => return Err(TokenReply::invalid_request("grant_type is missing")),
    }
    let client = client(authority, &form, authorization, now).await?;
    let registered = Scopes::parse(&client.scopes, &authority.registry).map_err(|fault| {
        tracing::warn!(client = client.id, fault = %fault, "the client's registered scopes cannot be read");
        TokenReply::error(400, "invalid_scope", "the client's registered scopes cannot be read")
    })?;
    let granted = grant(
        form.get("scope"),
        &registered,
        &authority.registry,
        authority.settings.oracle,
    );
    let granted = granted.map_err(|fault| {
        tracing::info!(target: "audit", client = client.id, "token refused: invalid_scope");
        TokenReply::error(400, "invalid_scope", &fault.to_string())
    })?;
    let token = bearer::issue(authority, &client, &granted.text, now).await;
    let token = token.map_err(|error| TokenReply::of_store(&error))?;
    tracing::info!(target: "audit", client = client.id, "token granted");
    let body = json!({
        "access_token": token,
        "token_type": "bearer",
        "expires_in": authority.lifetime().as_secs(),
        "scope": granted.text,
    });
    Ok(TokenReply::new(200, &body))
}

fn read(content_type: Option<&str>, body: &[u8]) -> Result<Form, TokenReply> {
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    if !media_type.trim().eq_ignore_ascii_case(CONTENT_TYPE) {
        let text = format!("the Content-Type has to be {CONTENT_TYPE}");
        return Err(TokenReply::invalid_request(&text));
    }
    if body.len() > MOST_BYTES {
        let text = format!("the request is too long: at most {MOST_BYTES} bytes are taken");
        return Err(TokenReply::invalid_request(&text));
    }
    Form::parse(body).map_err(|fault| {
        TokenReply::invalid_request(match fault {
            FormFault::Encoding => "the body cannot be decoded",
            FormFault::Twice => "a parameter is given twice",
        })
    })
}

/// Finds out who asks, by the one way that was taken.
async fn client(
    authority: &Authority,
    form: &Form,
    authorization: Option<&str>,
    now: Time,
) -> Result<Client, TokenReply> {
    let basic = authorization.and_then(|header| after_scheme(header, "Basic"));
    let assertion = form.get("client_assertion");
    match (form.get("client_assertion_type"), assertion, basic) {
        (Some(kind), _, _) if kind != ASSERTION_TYPE => Err(TokenReply::invalid_request(
            "the client_assertion_type has to be urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        )),
        (Some(_), None, _) => Err(TokenReply::invalid_request("client_assertion is missing")),
        (None, Some(_), _) => Err(TokenReply::invalid_request("client_assertion_type is missing")),
        (Some(_), Some(_), Some(_)) => Err(TokenReply::invalid_request("a client shows who it is in one way only")),
        (Some(_), Some(assertion), None) => by_assertion(authority, assertion, form.get("client_id"), now).await,
        (None, None, Some(basic)) => by_secret(authority, basic, form.get("client_id")).await,
        (None, None, None) if authority.settings.oracle => {
            let text = "a client_assertion is needed, or the client's id and secret in Authorization: Basic";
            Err(TokenReply::error(401, "invalid_client", text).with_header("WWW-Authenticate", BASIC))
        }
        (None, None, None) => Err(TokenReply::invalid_request(
            "client_assertion_type and client_assertion are missing",
        )),
    }
}

async fn by_assertion(
    authority: &Authority,
    assertion: &str,
    client_id: Option<&str>,
    now: Time,
) -> Result<Client, TokenReply> {
    let refusal = match assertion::authenticate(authority, assertion, client_id, now).await {
        Ok(client) => return Ok(client),
        Err(refusal) => refusal,
    };
    Err(match refusal {
        Refusal::Client(text) => {
            // Without the id: whoever is not believed writes nothing into the log.
            tracing::info!(target: "audit", reason = text, "token refused: invalid_client");
            TokenReply::error(400, "invalid_client", text)
        }
        Refusal::Keys => TokenReply::unavailable("the client's keys cannot be fetched now"),
        Refusal::Store(error) => TokenReply::of_store(&error),
    })
}

const BASIC: &str = r#"Basic realm="token", charset="UTF-8""#;

/// Oracle's other way: the client's id and its secret.
async fn by_secret(authority: &Authority, basic: &str, client_id: Option<&str>) -> Result<Client, TokenReply> {
    let refuse = |text: &'static str| {
        tracing::info!(target: "audit", reason = text, "token refused: invalid_client");
        TokenReply::error(401, "invalid_client", text).with_header("WWW-Authenticate", BASIC)
    };
    if !authority.settings.oracle {
        return Err(refuse("clients of this server sign a client_assertion"));
    }
    let decoded = STANDARD
        .decode(basic)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let parts = decoded.as_deref().and_then(|text| text.split_once(':'));
    let parts = parts.and_then(|(id, secret)| Some((form::decode(id).ok()?, form::decode(secret).ok()?)));
    let Some((id, secret)) = parts else {
        return Err(refuse("the Authorization cannot be read"));
    };
    if client_id.is_some_and(|other| other != id) {
        return Err(refuse("client_id is not that of the Authorization"));
    }
    let client = authority.store.client(&id).await;
    let client = client.map_err(|error| TokenReply::of_store(&error))?;
    // The same answer, after the same work, whether there is no such client or the secret is wrong.
    let registered = client
        .as_ref()
        .map_or_else(|| secret::kept(""), |client| client.jwks.clone());
    let is_right = secret::is_right(&registered, &secret);
    client
        .filter(|_| is_right)
        .ok_or_else(|| refuse("there is no such client, or this is not its secret"))
}

/// What follows the scheme of an `Authorization`, if it is this one.
pub(super) fn after_scheme<'h>(header: &'h str, scheme: &str) -> Option<&'h str> {
    let (own, rest) = header.trim().split_once(' ')?;
    own.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

#[cfg(test)]
mod tests;
