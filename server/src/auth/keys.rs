//! Key sets (JWKS): which of their keys may sign, and whether one has signed.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rsa::PublicKeyComponents;
use ring::signature::{ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA384, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;

/// Most bytes of a key set.
pub const MOST_BYTES: usize = 256 * 1024;

/// Fewest and most bits of an RSA key. Fewer can be broken; more are not taken by what verifies.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Bytes of a coordinate of P-384.
const COORDINATE: usize = 48;

/// What a client may sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// RSA, PKCS #1 v1.5, SHA-384
    Rs384,
    /// ECDSA on P-384, SHA-384
    Es384,
}

impl Signing {
    /// All of them.
    pub const ALL: [Signing; 2] = [Signing::Rs384, Signing::Es384];

    /// The name in a JWT's header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Signing::Rs384 => "RS384",
            Signing::Es384 => "ES384",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Signing> {
        Signing::ALL.into_iter().find(|signing| signing.name() == name)
    }

    const fn key_type(self) -> &'static str {
        match self {
            Signing::Rs384 => "RSA",
            Signing::Es384 => "EC",
        }
    }
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// The set is no JSON object with a list `keys`.
    NotASet,
    /// The set is longer than is read.
    TooLong,
    /// The set has no key of this `kid` that suits the algorithm.
    Missing,
    /// It has several.
    Several,
    /// It has one, which is too weak, or no key of its kind.
    Unfit,
    /// Where the keys are is neither a file nor a URL that is fetched.
    NotASource,
    /// The file cannot be read.
    Unreadable,
    /// The URL cannot be fetched now.
    Unreachable,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyFault::NotASet => "the key set is no JSON object with a list `keys`",
            KeyFault::TooLong => "the key set is too long",
            KeyFault::Missing => "the key set has no key of this kid that suits the algorithm",
            KeyFault::Several => "the key set has several keys of this kid",
            KeyFault::Unfit => "the key is too weak, or is not what its type says",
            KeyFault::NotASource => "keys are a file, a URL with https, or one with http on this machine",
            KeyFault::Unreadable => "the file of the key set cannot be read",
            KeyFault::Unreachable => "the key set cannot be fetched now",
        })
    }
}

impl std::error::Error for KeyFault {}

/// The members of a key that are read; whatever is wrong in others does no harm.
#[derive(Clone, Debug, Deserialize)]
struct Key {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

impl Key {
    /// Whether it is meant for signatures of this kind.
    fn suits(&self, signing: Signing) -> bool {
        self.kty == signing.key_type()
            && self.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && self.alg.as_deref().is_none_or(|alg| alg == signing.name())
            && self
                .key_ops
                .as_ref()
                .is_none_or(|ops| ops.iter().any(|op| op == "verify"))
    }

    fn public(&self, signing: Signing) -> Option<PublicKey> {
        match signing {
            Signing::Rs384 => {
                let modulus = number(self.n.as_deref()?)?;
                let exponent = number(self.e.as_deref()?)?;
                let bits = modulus.len() * 8 - usize::try_from(modulus.first()?.leading_zeros()).ok()?;
                // An exponent of 1 would make every signature its own message.
                let is_exponent = exponent.len() <= 4 && exponent.last()? % 2 == 1 && exponent != [1];
                (RSA_BITS.contains(&bits) && is_exponent).then_some(PublicKey(Form::Rsa(PublicKeyComponents {
                    n: modulus,
                    e: exponent,
                })))
            }
            Signing::Es384 => {
                let coordinate = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
                let (x, y) = (coordinate(&self.x)?, coordinate(&self.y)?);
                let is_of_curve =
                    self.crv.as_deref() == Some("P-384") && x.len() == COORDINATE && y.len() == COORDINATE;
                // As SEC 1 writes a point that is not compressed.
                is_of_curve.then(|| PublicKey(Form::Ec([&[4], x.as_slice(), &y].concat())))
            }
        }
    }
}

/// A number of a key, without the zeros that some writers put before it.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let first = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[first..].to_vec())
}

/// The keys of a client.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    /// Whether it holds private parts of keys, which should not be in anybody else's hands. They are not kept.
    pub has_private_parts: bool,
}

impl KeySet {
    /// Reads a set. A key that cannot be read is passed over: others may be good.
    pub fn parse(text: &[u8]) -> Result<KeySet, KeyFault> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        if text.len() > MOST_BYTES {
            return Err(KeyFault::TooLong);
        }
        let set: Set = serde_json::from_slice(text).map_err(|_| KeyFault::NotASet)?;
        let is_private = |key: &Value| ["d", "p", "q", "k"].iter().any(|part| key.get(part).is_some());
        Ok(KeySet {
            has_private_parts: set.keys.iter().any(is_private),
            keys: set
                .keys
                .into_iter()
                .filter_map(|key| serde_json::from_value(key).ok())
                .collect(),
        })
    }

    /// The one key of that `kid` that suits the algorithm.
    pub fn choose(&self, kid: &str, signing: Signing) -> Result<PublicKey, KeyFault> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.kid.as_deref() == Some(kid) && key.suits(signing));
        match (fitting.next(), fitting.next()) {
            (None, _) => Err(KeyFault::Missing),
            (Some(_), Some(_)) => Err(KeyFault::Several),
            (Some(key), None) => key.public(signing).ok_or(KeyFault::Unfit),
        }
    }

    /// How many keys could be chosen.
    #[must_use]
    pub fn usable(&self) -> usize {
        let can = |key: &&Key| {
            let kid = key.kid.as_deref();
            kid.is_some_and(|kid| Signing::ALL.iter().any(|signing| self.choose(kid, *signing).is_ok()))
        };
        self.keys.iter().filter(can).count()
    }
}

/// A key that was chosen, for its one algorithm.
#[derive(Clone, Debug)]
pub struct PublicKey(Form);

#[derive(Clone, Debug)]
enum Form {
    Rsa(PublicKeyComponents<Vec<u8>>),
    Ec(Vec<u8>),
}

impl PublicKey {
    /// Whether it has signed the message. `signature` is as a JWT has it, in base64url.
    #[must_use]
    pub fn has_signed(&self, message: &[u8], signature: &str) -> bool {
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else {
            return false;
        };
        let verdict = match &self.0 {
            Form::Rsa(key) => key.verify(&RSA_PKCS1_2048_8192_SHA384, message, &signature),
            Form::Ec(key) => UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key).verify(message, &signature),
        };
        verdict.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::{self, Pair, public_only};

    fn set(keys: &[Value]) -> KeySet {
        let text = serde_json::json!({ "keys": keys }).to_string();
        KeySet::parse(text.as_bytes()).expect("a set")
    }

    fn with(mut key: Value, name: &str, value: &str) -> Value {
        key[name] = value.into();
        key
    }

    #[test]
    fn both_kinds_of_keys_sign() {
        for pair in [Pair::RSA, Pair::P384] {
            let key = set(&[pair.public("a")]).choose("a", pair.signing).expect("a key");
            let signature = pair.sign(b"message");
            assert!(key.has_signed(b"message", &signature));
            assert!(!key.has_signed(b"massage", &signature));
            assert!(!key.has_signed(b"message", ""));
            assert!(!key.has_signed(b"message", "*"));
        }
    }

    #[test]
    fn a_key_that_is_another_has_not_signed() {
        let key = set(&[Pair::OTHER_RSA.public("a")])
            .choose("a", Signing::Rs384)
            .expect("a key");
        assert!(!key.has_signed(b"m", &Pair::RSA.sign(b"m")));
    }

    #[test]
    fn the_key_of_the_kid_and_of_the_kind_is_chosen() {
        let keys = set(&[
            Pair::RSA.public("a"),
            Pair::P384.public("a"),
            Pair::OTHER_RSA.public("b"),
        ]);
        let key = keys.choose("a", Signing::Rs384).expect("a key");
        assert!(key.has_signed(b"m", &Pair::RSA.sign(b"m")));
        assert!(keys.choose("a", Signing::Es384).is_ok());
        assert_eq!(keys.choose("c", Signing::Rs384).err(), Some(KeyFault::Missing));
        assert_eq!(keys.choose("b", Signing::Es384).err(), Some(KeyFault::Missing));
        assert_eq!(keys.usable(), 3);
    }

    #[test]
    fn two_keys_of_one_kid_are_none() {
        let keys = set(&[Pair::RSA.public("a"), Pair::OTHER_RSA.public("a")]);
        assert_eq!(keys.choose("a", Signing::Rs384).err(), Some(KeyFault::Several));
        assert_eq!(keys.usable(), 0);
    }

    #[test]
    fn keys_for_encryption_or_another_algorithm_do_not_count() {
        let rsa = || Pair::RSA.public("a");
        let mut wrapping = rsa();
        wrapping["key_ops"] = serde_json::json!(["wrapKey"]);
        for other in [with(rsa(), "use", "enc"), with(rsa(), "alg", "RS256"), wrapping] {
            assert_eq!(
                set(std::slice::from_ref(&other)).choose("a", Signing::Rs384).err(),
                Some(KeyFault::Missing)
            );
            assert!(set(&[other, rsa()]).choose("a", Signing::Rs384).is_ok());
        }
    }

    #[test]
    fn keys_without_kid_are_never_chosen() {
        let mut key = Pair::RSA.public("a");
        key.as_object_mut().expect("an object").remove("kid");
        let keys = set(&[key]);
        assert_eq!(keys.choose("", Signing::Rs384).err(), Some(KeyFault::Missing));
        assert_eq!(keys.usable(), 0);
    }

    #[test]
    fn weak_and_broken_keys_are_refused() {
        let rsa = || Pair::RSA.public("a");
        let p384 = || Pair::P384.public("a");
        let of_p256 = with(public_only(testing::P256, "a"), "alg", "ES384");
        for (key, signing) in [
            (public_only(testing::WEAK_RSA, "a"), Signing::Rs384),
            (with(rsa(), "e", "AQ"), Signing::Rs384),
            (with(rsa(), "e", "Ag"), Signing::Rs384),
            (with(rsa(), "n", "AAAA"), Signing::Rs384),
            (with(rsa(), "n", "not base64"), Signing::Rs384),
            (with(of_p256, "crv", "P-384"), Signing::Es384),
            (with(p384(), "crv", "P-256"), Signing::Es384),
            (with(p384(), "x", "AAAA"), Signing::Es384),
        ] {
            let text = key.to_string();
            assert_eq!(set(&[key]).choose("a", signing).err(), Some(KeyFault::Unfit), "{text}");
        }
    }

    #[test]
    fn a_point_that_is_not_on_the_curve_has_signed_nothing() {
        let key = with(Pair::P384.public("a"), "x", &"A".repeat(64));
        let keys = set(&[key]);
        let key = keys.choose("a", Signing::Es384).expect("nobody has looked yet");
        assert!(!key.has_signed(b"m", &Pair::P384.sign(b"m")));
    }

    #[test]
    fn private_parts_are_noticed_and_secrets_are_no_keys() {
        let own = with(Pair::RSA.public("a"), "d", "PRIVATE");
        let keys = set(&[own]);
        assert!(keys.has_private_parts);
        assert!(!format!("{keys:?}").contains("PRIVATE"));
        assert!(keys.choose("a", Signing::Rs384).is_ok());
        let secret = serde_json::json!({ "kty": "oct", "kid": "a", "k": "AAAA" });
        assert_eq!(
            set(&[secret]).choose("a", Signing::Rs384).err(),
            Some(KeyFault::Missing)
        );
        assert!(!set(&[Pair::RSA.public("a")]).has_private_parts);
    }

    #[test]
    fn what_is_no_set_is_refused_and_a_broken_key_is_passed_over() {
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, "\u{feff}{\"keys\":[]}"] {
            assert_eq!(KeySet::parse(text.as_bytes()).err(), Some(KeyFault::NotASet), "{text}");
        }
        let long = " ".repeat(MOST_BYTES + 1);
        assert_eq!(KeySet::parse(long.as_bytes()).err(), Some(KeyFault::TooLong));
        let broken = serde_json::json!({ "kty": 1, "kid": "a" });
        let keys = set(&[broken, Value::Null, Pair::RSA.public("a")]);
        assert!(keys.choose("a", Signing::Rs384).is_ok());
    }
}
