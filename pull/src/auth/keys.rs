//! Private keys: JWK, JWK sets and PEM (PKCS #8, and PKCS #1 for RSA), as SMART's RS384 and ES384 need them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::{self, KeyPairComponents};
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA384,
};
use serde::Deserialize;

/// A key that signs.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Pair>,
    /// Which of the client's registered keys it is.
    pub(super) id: String,
}

enum Pair {
    Rsa(signature::RsaKeyPair),
    P384(EcdsaKeyPair),
    P256(EcdsaKeyPair),
}

/// Why there is no key. Says nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFault(String);

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for KeyFault {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm())
    }
}

/// A private key as JSON. Members that other kinds of keys have are not read.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<String>,
    p: Option<String>,
    q: Option<String>,
    dp: Option<String>,
    dq: Option<String>,
    qi: Option<String>,
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

impl SigningKey {
    /// Reads a file: a JWK, a set of them (of which the one of that id is taken, or the only private one), or PEM. `id`: the
    /// key's id at the server, which PEM cannot say.
    ///
    /// # Errors
    /// It cannot be read, or is no key that can sign; the message does not quote it.
    pub fn read(path: &Path, id: Option<&str>) -> Result<SigningKey, KeyFault> {
        let fault = |what: &str| KeyFault(format!("{}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| fault(&format!("cannot be read: {error}")))?;
        if text.trim_start().starts_with('{') {
            from_json(&text, id).map_err(|what| fault(&what))
        } else {
            from_pem(&text, id).map_err(|what| fault(&what))
        }
    }

    /// The name of the algorithm in a header.
    pub(super) fn algorithm(&self) -> &'static str {
        match *self.pair {
            Pair::Rsa(_) => "RS384",
            Pair::P384(_) => "ES384",
            Pair::P256(_) => "ES256",
        }
    }

    /// Signs; `None`: the system has no randomness.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &*self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA384, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Pair::P384(pair) | Pair::P256(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
        }
    }
}

fn key(pair: Pair, id: Option<&str>) -> Result<SigningKey, String> {
    let id = id.ok_or("the key has no id (kid); --key-id says under which the server knows it")?;
    Ok(SigningKey {
        pair: Arc::new(pair),
        id: id.to_owned(),
    })
}

fn from_json(text: &str, id: Option<&str>) -> Result<SigningKey, String> {
    let keys = match serde_json::from_str::<JwkSet>(text) {
        Ok(set) => set.keys,
        Err(_) => vec![serde_json::from_str::<Jwk>(text).map_err(|_| "is neither a JWK nor a set of them")?],
    };
    let signs = |jwk: &&Jwk| jwk.d.is_some() && jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
    let is_meant = |jwk: &&Jwk| id.is_none() || jwk.kid.is_none() || jwk.kid.as_deref() == id;
    let mut meant = keys.iter().filter(signs).filter(is_meant);
    let jwk = meant.next().ok_or("holds no private key (of that id) for signing")?;
    if meant.next().is_some() {
        return Err("holds several private keys; --key-id says which one is meant".to_owned());
    }
    let pair = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => {
            Pair::Rsa(rsa_of(jwk).ok_or("is no RSA key that can sign: 2048 bits at least, with p, q, dp, dq, qi")?)
        }
        ("EC", Some("P-384")) => {
            Pair::P384(ec_of(jwk, &ECDSA_P384_SHA384_FIXED_SIGNING, 48).ok_or("is no key on P-384")?)
        }
        ("EC", Some("P-256")) => {
            Pair::P256(ec_of(jwk, &ECDSA_P256_SHA256_FIXED_SIGNING, 32).ok_or("is no key on P-256")?)
        }
        _ => return Err("is of a kind that SMART does not sign with: expected RSA, or EC on P-384".to_owned()),
    };
    key(pair, id.or(jwk.kid.as_deref()))
}

fn number(text: &Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.as_ref()?.trim_end_matches('=')).ok()
}

fn rsa_of(jwk: &Jwk) -> Option<signature::RsaKeyPair> {
    let (n, e) = (number(&jwk.n)?, number(&jwk.e)?);
    let components = KeyPairComponents {
        public_key: rsa::PublicKeyComponents { n, e },
        d: number(&jwk.d)?,
        p: number(&jwk.p)?,
        q: number(&jwk.q)?,
        dP: number(&jwk.dp)?,
        dQ: number(&jwk.dq)?,
        qInv: number(&jwk.qi)?,
    };
    signature::RsaKeyPair::from_components(&components).ok()
}

fn ec_of(jwk: &Jwk, algorithm: &'static signature::EcdsaSigningAlgorithm, length: usize) -> Option<EcdsaKeyPair> {
    // Numbers are as long as the curve's; some writers leave leading zeros out.
    let padded = |text: &Option<String>| {
        let bytes = number(text)?;
        let missing = length.checked_sub(bytes.len())?;
        Some([vec![0; missing], bytes].concat())
    };
    let point = [vec![4], padded(&jwk.x)?, padded(&jwk.y)?].concat();
    EcdsaKeyPair::from_private_key_and_public_key(algorithm, &padded(&jwk.d)?, &point, &SystemRandom::new()).ok()
}

fn from_pem(text: &str, id: Option<&str>) -> Result<SigningKey, String> {
    let mut lines = text
        .lines()
        .map(str::trim)
        .skip_while(|line| !line.starts_with("-----BEGIN "));
    let label = lines.next().ok_or("is neither JSON nor PEM")?;
    let label = label.trim_start_matches("-----BEGIN ").trim_end_matches('-').to_owned();
    let body: String = lines.take_while(|line| !line.starts_with("-----END ")).collect();
    let bytes = STANDARD.decode(body).map_err(|_| "is damaged PEM")?;
    let pair = match label.as_str() {
        "PRIVATE KEY" => {
            from_pkcs8(&bytes).ok_or("is of a kind that SMART does not sign with: expected RSA, or EC on P-384")?
        }
        "RSA PRIVATE KEY" => {
            Pair::Rsa(signature::RsaKeyPair::from_der(&bytes).map_err(|_| "is no RSA key that can sign")?)
        }
        "EC PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => {
            return Err(format!(
                "is a `{label}`; `openssl pkcs8 -topk8 -nocrypt` makes a plain PKCS #8 key of it"
            ));
        }
        _ => return Err(format!("is a `{label}`, no private key")),
    };
    key(pair, id)
}

fn from_pkcs8(bytes: &[u8]) -> Option<Pair> {
    let random = SystemRandom::new();
    if let Ok(pair) = signature::RsaKeyPair::from_pkcs8(bytes) {
        return Some(Pair::Rsa(pair));
    }
    if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, bytes, &random) {
        return Some(Pair::P384(pair));
    }
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes, &random);
    pair.ok().map(Pair::P256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_cannot_be_used_says_why_and_does_not_quote_itself() {
        let folder = tempfile::tempdir().expect("a folder");
        let told = |text: &str| {
            let path = folder.path().join("key");
            std::fs::write(&path, text).expect("writes");
            SigningKey::read(&path, Some("k")).expect_err("no key").to_string()
        };
        for (text, word) in [
            ("secretsecret", "neither JSON nor PEM"),
            ("{\"secret\":1}", "neither a JWK nor a set"),
            ("{\"keys\":[]}", "no private key"),
            (
                "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"secret\",\"y\":\"AA\"}",
                "no private key",
            ),
            ("{\"kty\":\"oct\",\"d\":\"secret\"}", "of a kind"),
            (
                "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"secret\",\"y\":\"AA\",\"d\":\"AA\"}",
                "no key on P-384",
            ),
            (
                "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n-----END EC PRIVATE KEY-----\n",
                "openssl pkcs8",
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
                "of a kind",
            ),
            (
                "-----BEGIN PRIVATE KEY-----\n!secret!\n-----END PRIVATE KEY-----\n",
                "damaged",
            ),
        ] {
            let told = told(text);
            assert!(told.contains(word), "{word}: {told}");
            assert!(!told.contains("secret"), "{told}");
        }
    }
}
