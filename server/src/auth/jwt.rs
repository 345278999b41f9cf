//! JSON Web Tokens (compact form) taken apart. Nothing in here is believed yet: signatures are looked at elsewhere.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

/// What a header says. A member that is there twice makes it none.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    #[serde(default)]
    pub(super) typ: Option<String>,
    #[serde(default)]
    pub(super) kid: Option<String>,
    #[serde(default)]
    pub(super) jku: Option<String>,
    /// Extensions that the writer demands to be understood; none is.
    #[serde(default)]
    pub(super) crit: Option<Value>,
}

/// The three parts.
#[derive(Debug)]
pub(super) struct Jwt<'t> {
    pub(super) header: Header,
    claims: &'t str,
    /// What is signed.
    pub(super) message: &'t str,
    /// In base64url.
    pub(super) signature: &'t str,
}

impl<'t> Jwt<'t> {
    /// Takes a token apart; `None`: it is none.
    pub(super) fn parse(text: &'t str) -> Option<Jwt<'t>> {
        let (message, signature) = text.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        if claims.contains('.') {
            return None;
        }
        Some(Jwt {
            header: decode(header)?,
            claims,
            message,
            signature,
        })
    }

    /// The claims; `None`: they are none of this shape.
    pub(super) fn claims<T: DeserializeOwned>(&self) -> Option<T> {
        decode(self.claims)
    }
}

fn decode<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Encodes header and claims: what is to be signed.
pub(super) fn message(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

/// Milliseconds of a time in seconds, which may have a fraction.
pub(super) fn milliseconds(seconds: &Number) -> Option<i64> {
    let milliseconds = seconds.as_f64()? * 1000.0;
    // Beyond this not every number of milliseconds can be told from the next.
    (milliseconds.abs() < 9e15).then_some(milliseconds as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &str, claims: &str) -> bool {
        let text = format!(
            "{}.{}.c2ln",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        Jwt::parse(&text).is_some_and(|jwt| jwt.claims::<serde_json::Map<String, Value>>().is_some())
    }

    #[test]
    fn a_token_has_three_parts_and_two_of_them_are_json() {
        assert!(parse(r#"{"alg":"RS384"}"#, "{}"));
        for (header, claims) in [
            ("{}", "{}"),
            (r#"{"alg":1}"#, "{}"),
            (r#"{"alg":"RS384","alg":"none"}"#, "{}"),
            (r#"{"alg":"RS384"} "x""#, "{}"),
            (r#"{"alg":"RS384"}"#, "[]"),
            (r#"{"alg":"RS384"}"#, ""),
            ("", "{}"),
        ] {
            assert!(!parse(header, claims), "{header} {claims}");
        }
        for text in [
            "",
            ".",
            "..",
            "e30.e30",
            "a.b.c.d",
            "eyJhbGciOiJSUzM4NCJ9.e30.c2ln.c2ln",
        ] {
            assert!(Jwt::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn times_are_numbers_of_seconds() {
        let read = |text: &str| serde_json::from_str(text).ok().and_then(|number| milliseconds(&number));
        assert_eq!(read("12"), Some(12_000));
        assert_eq!(read("12.5"), Some(12_500));
        assert_eq!(read("1.2e1"), Some(12_000));
        assert_eq!(read("1e300"), None);
        assert_eq!(read("99999999999999999999"), None);
    }
}
