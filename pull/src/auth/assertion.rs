//! The assertion that a client signs: who it is, for whom, and for how long (SMART Backend Services).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhirehose_core::client::Millis;
use serde_json::json;

use super::{NoToken, SigningKey};

/// How long an assertion is good, in seconds; the standard lets five minutes, and clocks differ.
const LIFE: u64 = 240;

/// Makes one for a token endpoint.
pub(super) fn signed(client_id: &str, key: &SigningKey, url: &str, now: Millis) -> Result<String, NoToken> {
    let no_randomness = || NoToken::final_one("the system has no random numbers");
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| no_randomness())?;
    let seconds = now / 1000;
    let header = json!({ "alg": key.algorithm(), "kid": key.id, "typ": "JWT" });
    let claims = json!({
        "iss": client_id,
        "sub": client_id,
        "aud": url,
        "exp": seconds + LIFE,
        "iat": seconds,
        "jti": URL_SAFE_NO_PAD.encode(id),
    });
    let encoded = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encoded(&header), encoded(&claims));
    let signature = key.sign(message.as_bytes()).ok_or_else(no_randomness)?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
