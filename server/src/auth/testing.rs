//! What the tests sign with: keys that were made for them, and assertions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhirehose_core::search::table::Registry;
use fhirehose_store::sqlite::{Options, SqliteStore};
use fhirehose_store::{Client, Store, Time};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA384, RsaKeyPair};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::keys::Signing;
use super::{Authority, Settings, jwt};

/// Public keys that are not good enough.
pub(super) const WEAK_RSA: &str = include_str!("testdata/test-only-rsa-1024-public.json");
pub(super) const P256: &str = include_str!("testdata/test-only-p256-public.json");

/// One of those as a member of a set.
pub(super) fn public_only(key: &str, kid: &str) -> Value {
    let mut key: Value = serde_json::from_str(key).expect("a key");
    key["kid"] = kid.into();
    key
}

/// A set of one key.
pub(super) fn set_of(key: &Value) -> String {
    serde_json::json!({ "keys": [key] }).to_string()
}

/// A pair of keys of a client.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    der: &'static [u8],
    pub(super) signing: Signing,
}

impl Pair {
    pub(super) const RSA: Pair = Pair {
        der: include_bytes!("testdata/test-only-rsa-2048.der"),
        signing: Signing::Rs384,
    };
    pub(super) const OTHER_RSA: Pair = Pair {
        der: include_bytes!("testdata/test-only-rsa-2048-other.der"),
        signing: Signing::Rs384,
    };
    pub(super) const P384: Pair = Pair {
        der: include_bytes!("testdata/test-only-p384.der"),
        signing: Signing::Es384,
    };

    fn rsa(self) -> RsaKeyPair {
        RsaKeyPair::from_der(self.der).expect("a key")
    }

    fn ec(self) -> EcdsaKeyPair {
        let algorithm = &ECDSA_P384_SHA384_FIXED_SIGNING;
        EcdsaKeyPair::from_pkcs8(algorithm, self.der, &SystemRandom::new()).expect("a key")
    }

    /// The public key as a member of a set.
    pub(super) fn public(self, kid: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self.signing {
            Signing::Rs384 => {
                let key = PublicKeyComponents::<Vec<u8>>::from(self.rsa().public());
                serde_json::json!({ "kty": "RSA", "kid": kid, "n": text(&key.n), "e": text(&key.e) })
            }
            Signing::Es384 => {
                let pair = self.ec();
                let (x, y) = pair.public_key().as_ref()[1..].split_at(48);
                serde_json::json!({ "kty": "EC", "crv": "P-384", "kid": kid, "x": text(x), "y": text(y) })
            }
        }
    }

    /// A set with this key alone.
    pub(super) fn set(self, kid: &str) -> String {
        set_of(&self.public(kid))
    }

    pub(super) fn sign(self, message: &[u8]) -> String {
        let random = SystemRandom::new();
        match self.signing {
            Signing::Rs384 => {
                let pair = self.rsa();
                let mut signature = vec![0; pair.public().modulus_len()];
                let done = pair.sign(&RSA_PKCS1_SHA384, &random, message, &mut signature);
                done.expect("a signature");
                URL_SAFE_NO_PAD.encode(signature)
            }
            Signing::Es384 => {
                let signature = self.ec().sign(&random, message).expect("a signature");
                URL_SAFE_NO_PAD.encode(signature)
            }
        }
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

/// Answers each connection with the next of these texts, the last one for ever; counts them.
pub(super) async fn serve(answers: Vec<String>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            let answer = answers[number.min(answers.len() - 1)].clone();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read_exact(&mut byte).await.is_err() {
                    break;
                }
                request.extend_from_slice(&byte);
            }
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (format!("http://{address}/jwks.json"), count)
}

/// A good answer with this body, and these lines of headers.
pub(super) fn ok(body: &str, headers: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}
