//! SHA-256 of a file, in hexadecimal digits.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use fhirehose_native::cancel::Cancel;
use sha2::{Digest as _, Sha256};

use crate::error::PullError;

/// The checksum of a file, as `sha256sum` prints it.
///
/// # Errors
/// It cannot be read.
pub fn checksum(path: &Path) -> Result<String, PullError> {
    sum(path, &Cancel::default())
}

/// The same, which can be stopped: files may be large, and the disk slow.
pub(crate) fn sum(path: &Path, cancel: &Cancel) -> Result<String, PullError> {
    let unreadable = |error| PullError::disk("read", path, &error);
    let mut file = File::open(path).map_err(unreadable)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        if cancel.is_stopped() {
            return Err(PullError::interrupted());
        }
        let length = file.read(&mut buffer).map_err(unreadable)?;
        if length == 0 {
            return Ok(hexadecimal(&hasher.finalize()));
        }
        hasher.update(&buffer[..length]);
    }
}

/// Lower-case digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::PullErrorKind;

    #[test]
    fn a_sum_that_is_being_made_can_be_stopped() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "abc").expect("writes");
        let cancel = Cancel::default();
        assert!(
            sum(file.path(), &cancel).is_ok_and(|sum| sum.starts_with("ba7816bf8f01cfea") && sum.ends_with("f20015ad"))
        );
        cancel.stop();
        let kind = sum(file.path(), &cancel).map_err(|error| error.kind());
        assert_eq!(kind, Err(PullErrorKind::Interrupted));
    }
}
