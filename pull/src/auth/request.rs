//! The request for a token, and what comes back (RFC 6749, client credentials).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fhirehose_core::client::{Millis, Trouble};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::Value;

use super::{NoToken, Token};
use crate::http::{Got, Http};

const MOST: u64 = 1 << 20;
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Asks with a signed assertion.
pub(super) async fn by_assertion(
    http: &Http,
    url: &str,
    scope: &str,
    assertion: &str,
    now: Millis,
) -> Result<Token, NoToken> {
    let form = form(&[
        ("grant_type", "client_credentials"),
        ("scope", scope),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
    ]);
    send(http, url, form, None, now).await
}

/// Asks with a name and its secret.
pub(super) async fn by_secret(
    http: &Http,
    url: &str,
    scope: &str,
    user: &str,
    secret: &str,
    now: Millis,
) -> Result<Token, NoToken> {
    let form = form(&[("grant_type", "client_credentials"), ("scope", scope)]);
    // RFC 6749, 2.3.1: both are encoded as in a form before they are put together.
    let both = format!("{}:{}", encoded(user), encoded(secret));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(both)))
        .map_err(|_| NoToken::final_one("name and secret cannot be sent"))?;
    value.set_sensitive(true);
    send(http, url, form, Some(value), now).await
}

async fn send(http: &Http, url: &str, form: String, basic: Option<HeaderValue>, now: Millis) -> Result<Token, NoToken> {
    let got = http
        .small(
            url,
            |client| {
                let mut request = client
                    .post(url)
                    .header(ACCEPT, "application/json")
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(form);
                if let Some(basic) = basic {
                    request = request.header(AUTHORIZATION, basic);
                }
                request
            },
            MOST,
        )
        .await;
    match got {
        Ok(got) => read(&got, now),
        Err(trouble) => Err(NoToken {
            again: trouble != Trouble::Tls,
            why: "the token endpoint does not answer".to_owned(),
        }),
    }
}

fn read(got: &Got, now: Millis) -> Result<Token, NoToken> {
    let value: Value = serde_json::from_slice(&got.body).unwrap_or_default();
    if got.status == 200
        && let Some(secret) = value.get("access_token").and_then(Value::as_str)
    {
        // Some servers write the number as a string.
        let expires = value.get("expires_in");
        let seconds = expires.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
        return Ok(Token {
            secret: secret.to_owned(),
            expires: seconds.map(|seconds| now.saturating_add(seconds.saturating_mul(1000))),
        });
    }
    // The error's name only: its description is the server's, and may repeat what was sent.
    let name = value.get("error").and_then(Value::as_str).unwrap_or_default();
    let is_name = |name: &&str| name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let name = Some(name).filter(is_name).unwrap_or_default();
    let mark = if name.is_empty() { "" } else { ": " };
    Err(NoToken {
        again: got.status == 429 || got.status >= 500 || (got.status == 200 && name.is_empty()),
        why: format!("the token endpoint answers {}{mark}{name}", got.status),
    })
}

fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    pairs.join("&")
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Token, NoToken> {
        let got = Got {
            status,
            headers: Vec::new(),
            body: body.into(),
        };
        read(&got, 1_000)
    }

    #[test]
    fn a_token_lives_as_long_as_the_server_says() {
        let token = answer(
            200,
            "{\"access_token\":\"x\",\"token_type\":\"bearer\",\"expires_in\":300}",
        )
        .expect("a token");
        assert_eq!((token.secret.as_str(), token.expires), ("x", Some(301_000)));
        let token = answer(200, "{\"access_token\":\"x\",\"expires_in\":\"60\"}").expect("a token");
        assert_eq!(token.expires, Some(61_000));
        assert_eq!(answer(200, "{\"access_token\":\"x\"}").expect("a token").expires, None);
    }

    #[test]
    fn refusals_are_named_and_nothing_of_the_request_is_repeated() {
        let refused = answer(400, "{\"error\":\"invalid_client\",\"error_description\":\"secret\"}").expect_err("none");
        assert!(!refused.again);
        assert_eq!(refused.why, "the token endpoint answers 400: invalid_client");
        assert!(answer(503, "").expect_err("none").again);
        assert!(answer(200, "<html>").expect_err("none").again);
        let odd = answer(400, "{\"error\":\"The secret is\"}").expect_err("none");
        assert_eq!(odd.why, "the token endpoint answers 400");
    }

    #[test]
    fn forms_are_encoded() {
        assert_eq!(
            form(&[("scope", "system/*.read a+b")]),
            "scope=system%2F%2A.read%20a%2Bb"
        );
    }
}
