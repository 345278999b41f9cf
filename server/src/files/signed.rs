//! URLs that are good for one file and for a while, without a token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhirehose_store::Time;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::outcome::Reply;

/// What is signed begins with this, so that a signature made for anything else with the same secret is none here.
const DOMAIN: &[u8] = b"fhirehose signed file URL, version 1\n";

/// Signs and checks URLs. A server that forgets its secret, or gets another, makes the URLs given out before void.
#[derive(Clone)]
pub struct Signer {
    keyed: Hmac<Sha256>,
}

/// Why a URL is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedFault {
    /// It is not signed at all: the request needs a token.
    Missing,
    /// It is signed, but not in the way that URLs are signed here.
    Malformed,
    /// It was good, and is not any more. Told only of signatures that are right.
    Expired,
    /// The signature is of another file, of another time or by another secret.
    Wrong,
}

impl SignedFault {
    /// The answer: 401 where there is no signature, 403 else. Whether there is such a file is not told by any of them.
    #[must_use]
    pub fn reply(self) -> Reply {
        match self {
            SignedFault::Missing => Reply::unauthorized(false),
            SignedFault::Expired => {
                let text = "the URL has expired; ask for the file again where the manifest lists it";
                Reply::error(403, "expired", text)
            }
            SignedFault::Malformed | SignedFault::Wrong => {
                Reply::forbidden("the URL is not as it was given out: its signature does not fit")
            }
        }
    }
}

impl Signer {
    /// With a secret, which should be 32 random bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        // Not the type's own constructor, which is fallible by its signature though any length is taken: a key over
        // the block's length is hashed there as here.
        let mut key = hmac::digest::Key::<Hmac<Sha256>>::default();
        if secret.len() <= key.len() {
            key[..secret.len()].copy_from_slice(secret);
        } else {
            let hashed = <Sha256 as sha2::Digest>::digest(secret);
            key[..hashed.len()].copy_from_slice(&hashed);
        }
        let mut keyed = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&key);
        keyed.update(DOMAIN);
        Signer { keyed }
    }

    /// The query of a URL of the file that is good before `expires`.
    #[must_use]
    pub fn sign(&self, file_id: &str, expires: Time) -> String {
        let signature = URL_SAFE_NO_PAD.encode(self.mac(file_id, expires).finalize().into_bytes());
        format!("expires={}&signature={signature}", expires.0)
    }

    /// Whether the query is one that [`Signer::sign`] made for this file, and still good. Takes the same time for
    /// every wrong signature. Other parameters in the query are nothing to it.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self, file_id: &str, query: Option<&str>, now: Time) -> Result<(), SignedFault> {
        let (mut expires, mut signature) = (None, None);
        for pair in query.unwrap_or_default().split('&') {
            let slot = match pair.split_once('=') {
                Some(("expires", value)) => expires.replace(value),
                Some(("signature", value)) => signature.replace(value),
                _ => None,
            };
            if slot.is_some() {
                return Err(SignedFault::Malformed);
            }
        }
        let (expires, signature) = match (expires, signature) {
            (None, None) => return Err(SignedFault::Missing),
            (Some(expires), Some(signature)) => (expires, signature),
            _ => return Err(SignedFault::Malformed),
        };
        let moment: i64 = expires.parse().map_err(|_| SignedFault::Malformed)?;
        // One spelling for each moment.
        if moment.to_string() != expires {
            return Err(SignedFault::Malformed);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| SignedFault::Malformed)?;
        let mac = self.mac(file_id, Time(moment));
        mac.verify_slice(&signature).map_err(|_| SignedFault::Wrong)?;
        if now.0 < moment {
            Ok(())
        } else {
            Err(SignedFault::Expired)
        }
    }

    fn mac(&self, file_id: &str, expires: Time) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        // The moment comes first and cannot hold the line's end, so no id can pass for another id and moment.
        mac.update(expires.0.to_string().as_bytes());
        mac.update(b"\n");
        mac.update(file_id.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_000_000);
    const LATER: Time = Time(1_000_001);

    fn check(query: &str) -> Result<(), SignedFault> {
        Signer::new(b"secret").check("file-1", Some(query), NOW)
    }

    #[test]
    fn what_was_signed_is_good_for_its_file_and_time_only() {
        let signer = Signer::new(b"secret");
        let query = signer.sign("file-1", LATER);
        assert_eq!(check(&query), Ok(()));
        assert_eq!(check(&format!("_format=x&{query}")), Ok(()));
        assert_eq!(signer.check("file-2", Some(&query), NOW), Err(SignedFault::Wrong));
        assert_eq!(signer.check("file-1", Some(&query), LATER), Err(SignedFault::Expired));
        let other = Signer::new(b"other secret");
        assert_eq!(other.check("file-1", Some(&query), NOW), Err(SignedFault::Wrong));
        assert_eq!(
            other.check("file-1", Some(&query), LATER),
            Err(SignedFault::Wrong),
            "expiry is told of right signatures only"
        );
        let prolonged = query.replace("expires=1000001", "expires=1000002");
        assert_ne!(prolonged, query);
        assert_eq!(check(&prolonged), Err(SignedFault::Wrong));
    }

    #[test]
    fn a_query_without_signature_is_missing_one_and_half_of_one_is_malformed() {
        let good = Signer::new(b"secret").sign("file-1", LATER);
        let (expires, signature) = good.split_once('&').expect("two parameters");
        let signer = Signer::new(b"secret");
        assert_eq!(signer.check("file-1", None, NOW), Err(SignedFault::Missing));
        for query in ["", "a=b", "Expires=1", "&&"] {
            assert_eq!(check(query), Err(SignedFault::Missing), "{query:?}");
        }
        for query in [
            expires.to_owned(),
            signature.to_owned(),
            format!("{good}&{signature}"),
            format!("{good}&{expires}"),
            format!("expires=01000001&{signature}"),
            format!("expires=%2B1&{signature}"),
            format!("expires=+1000001&{signature}"),
            format!("expires=&{signature}"),
            format!("expires=99999999999999999999&{signature}"),
            format!("{good}="),
            format!("{good}%3D"),
            format!("{expires}&signature=*"),
        ] {
            assert_eq!(check(&query), Err(SignedFault::Malformed), "{query:?}");
        }
        for query in [format!("{expires}&signature="), good[..good.len() - 3].to_owned()] {
            assert_eq!(check(&query), Err(SignedFault::Wrong), "{query:?}");
        }
    }

    #[test]
    fn the_signature_is_hmac_sha256_of_the_text_as_said() {
        for secret in [&b"k"[..], &[7; 64], &[7; 65], b""] {
            let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(secret).expect("any length");
            mac.update(b"fhirehose signed file URL, version 1\n-5\nid");
            let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
            let query = Signer::new(secret).sign("id", Time(-5));
            assert_eq!(query, format!("expires=-5&signature={signature}"));
        }
    }

    #[test]
    fn faults_are_401_without_a_signature_and_403_with_one() {
        assert_eq!(SignedFault::Missing.reply().status, 401);
        for fault in [SignedFault::Malformed, SignedFault::Wrong, SignedFault::Expired] {
            assert_eq!(fault.reply().status, 403);
        }
        assert_eq!(SignedFault::Expired.reply().issues[0].code, "expired");
    }
}
