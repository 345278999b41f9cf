//! A manifest by its URL, for `manifest check`.

use fhirehose_pull::{HttpOptions, PullErrorKind};

use super::args::LoginArgs;
use super::credentials;
use crate::exit::Exit;
use crate::messages::Faults;

/// Fetches what is behind a URL, or says how to end and why.
pub(crate) fn manifest(url: &str, login: &LoginArgs) -> Result<Vec<u8>, (Exit, String)> {
    let mut faults = Faults::default();
    let credentials = credentials::given(login, &[], &mut faults);
    if !faults.is_empty() {
        return Err((faults.tell(), "the manifest was not fetched".to_owned()));
    }
    let options = HttpOptions {
        insecure: login.insecure_http,
        ..HttpOptions::default()
    };
    fhirehose_pull::manifest(url, &credentials, &options).map_err(|error| {
        let exit = match error.kind() {
            PullErrorKind::Usage => Exit::Usage,
            _ => Exit::Io,
        };
        (exit, error.to_string())
    })
}
