//! Random numbers, and the secrets of clients that have no keys: made here, kept as a hash, compared in constant time.

use fhirehose_store::Secret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What stands in a registration in place of the keys, before the hash in hexadecimal.
const MARK: &str = "secret:sha256:";

/// Random bytes, enough for a key of HMAC-SHA-256.
pub(super) fn fresh() -> Result<Secret, getrandom::Error> {
    Ok(Secret(random::<32>()?.to_vec()))
}

/// A random text, in hexadecimal.
pub(super) fn fresh_text<const BYTES: usize>() -> Result<String, getrandom::Error> {
    Ok(hexadecimal(&random::<BYTES>()?))
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], getrandom::Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is kept of a secret. A plain hash is enough: secrets are made by [`fresh_text`], so there is nothing to guess.
pub(super) fn kept(secret: &str) -> String {
    format!("{MARK}{}", hexadecimal(&Sha256::digest(secret)))
}

/// Whether a registration has a secret, and no keys.
pub(super) fn is_secret(registered: &str) -> bool {
    registered.starts_with(MARK)
}

/// Whether this is the secret.
pub(super) fn is_right(registered: &str, secret: &str) -> bool {
    is_secret(registered) && kept(secret).as_bytes().ct_eq(registered.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_kept_as_its_hash() {
        let secret = fresh_text::<32>().expect("random numbers");
        let kept = kept(&secret);
        assert!(is_secret(&kept) && !kept.contains(&secret));
        assert!(is_right(&kept, &secret));
        for wrong in ["", "x", &kept, &secret.to_uppercase(), &secret[1..]] {
            assert!(!is_right(&kept, wrong) || wrong == secret, "{wrong}");
        }
        assert!(!is_right(&secret, &secret));
        assert!(!is_right("", ""));
    }

    #[test]
    fn no_two_are_alike() {
        assert_ne!(fresh().expect("random").0, fresh().expect("random").0);
        assert_eq!(fresh_text::<16>().expect("random").len(), 32);
    }
}
