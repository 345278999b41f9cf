//! What the tests sign with: keys that were made for them, and assertions.

use std::sync::Arc;

use fhirehose_core::search::table::Registry;
use fhirehose_store::sqlite::{Options, SqliteStore};
use fhirehose_store::{Client, Store, Time};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::Value;

use super::keys::Signing;
use super::{Authority, Settings, jwt};

/// A pair of keys of a client.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    der: &'static [u8],
    algorithm: Algorithm,
    pub(super) signing: Signing,
}

impl Pair {
    pub(super) const RSA: Pair = Pair::rsa(include_bytes!("testdata/test-only-rsa-2048.der"));
    pub(super) const OTHER_RSA: Pair = Pair::rsa(include_bytes!("testdata/test-only-rsa-2048-other.der"));
    pub(super) const WEAK_RSA: Pair = Pair::rsa(include_bytes!("testdata/test-only-rsa-1024.der"));
    pub(super) const P384: Pair = Pair {
        der: include_bytes!("testdata/test-only-p384.der"),
        algorithm: Algorithm::ES384,
        signing: Signing::Es384,
    };
    pub(super) const P256: Pair = Pair {
        der: include_bytes!("testdata/test-only-p256.der"),
        algorithm: Algorithm::ES256,
        signing: Signing::Es384,
    };

    const fn rsa(der: &'static [u8]) -> Pair {
        Pair {
            der,
            algorithm: Algorithm::RS384,
            signing: Signing::Rs384,
        }
    }

    fn private(self) -> EncodingKey {
        match self.signing {
            Signing::Rs384 => EncodingKey::from_rsa_der(self.der),
            Signing::Es384 => EncodingKey::from_ec_der(self.der),
        }
    }

    /// The public key as a member of a set.
    pub(super) fn public(self, kid: &str) -> Value {
        let mut key = Jwk::from_encoding_key(&self.private(), self.algorithm).expect("a key");
        key.common.key_id = Some(kid.to_owned());
        serde_json::to_value(key).expect("a key")
    }

    /// A set with this key alone.
    pub(super) fn set(self, kid: &str) -> String {
        serde_json::json!({ "keys": [self.public(kid)] }).to_string()
    }

    pub(super) fn sign(self, message: &[u8]) -> String {
        crypto::sign(message, &self.private(), self.algorithm).expect("a signature")
    }
}

/// A client, and where it asks.
pub(super) const CLIENT: &str = "client-1";
pub(super) const TOKEN_URL: &str = "https://server.example/fhir/auth/token";
pub(super) const NOW: Time = Time(1_800_000_000_000);

/// The moment so many seconds after [`NOW`].
pub(super) fn at(seconds: i64) -> Time {
    Time(NOW.0 + seconds * 1000)
}

/// An authority with one client, whose keys are in a file.
pub(super) struct House {
    pub(super) authority: Authority,
    pub(super) store: Arc<dyn Store>,
    pub(super) folder: tempfile::TempDir,
}

impl House {
    pub(super) async fn of(oracle: bool, scopes: &str, keys: &str) -> House {
        let store = SqliteStore::in_memory(&Options::default()).await.expect("a store");
        let store: Arc<dyn Store> = Arc::new(store);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jwks.json");
        std::fs::write(&path, keys).expect("written");
        let house = House {
            authority: House::authority(&store, oracle, false),
            store,
            folder,
        };
        house.add(CLIENT, path.to_str().expect("text"), scopes, at(-1000)).await;
        house
    }

    pub(super) async fn new() -> House {
        let keys = serde_json::json!({ "keys": [Pair::RSA.public("rsa"), Pair::P384.public("ec")] });
        House::of(false, "system/*.rs", &keys.to_string()).await
    }

    pub(super) fn authority(store: &Arc<dyn Store>, oracle: bool, open: bool) -> Authority {
        let settings = Settings {
            oracle,
            open,
            issuer: "https://server.example/fhir".to_owned(),
            token_url: TOKEN_URL.to_owned(),
        };
        Authority::new(Arc::clone(store), Arc::new(Registry::r4()), settings)
    }

    pub(super) async fn add(&self, id: &str, jwks: &str, scopes: &str, added: Time) {
        let client = Client {
            id: id.to_owned(),
            name: id.to_owned(),
            jwks: jwks.to_owned(),
            scopes: scopes.to_owned(),
            added,
        };
        self.store.add_client(&client).await.expect("added");
    }
}

/// An assertion, good until a test spoils it.
pub(super) struct Assertion {
    pub(super) header: Value,
    pub(super) claims: Value,
    pub(super) pair: Pair,
}

impl Assertion {
    pub(super) fn new() -> Assertion {
        Assertion {
            header: serde_json::json!({ "alg": "RS384", "kid": "rsa", "typ": "JWT" }),
            claims: serde_json::json!({
                "iss": CLIENT, "sub": CLIENT, "aud": TOKEN_URL, "exp": NOW.0 / 1000 + 300, "jti": "1",
            }),
            pair: Pair::RSA,
        }
    }

    pub(super) fn header(mut self, name: &str, value: impl Into<Value>) -> Assertion {
        self.header[name] = value.into();
        self
    }

    pub(super) fn claim(mut self, name: &str, value: impl Into<Value>) -> Assertion {
        self.claims[name] = value.into();
        self
    }

    pub(super) fn without(mut self, name: &str) -> Assertion {
        for part in [&mut self.header, &mut self.claims] {
            part.as_object_mut().expect("an object").remove(name);
        }
        self
    }

    pub(super) fn by(mut self, pair: Pair) -> Assertion {
        self.pair = pair;
        self
    }

    pub(super) fn text(&self) -> String {
        let message = jwt::message(&self.header, &self.claims);
        let signature = self.pair.sign(message.as_bytes());
        format!("{message}.{signature}")
    }
}
