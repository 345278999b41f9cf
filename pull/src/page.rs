//! One manifest by its URL, for looking at it.

use fhirehose_core::client::{Call, What};

use crate::auth::{self, Credentials};
use crate::clock;
use crate::error::{PullError, PullErrorKind};
use crate::http::{Http, HttpOptions, is_safe};
use crate::network;

/// Most bytes of a manifest.
const MOST: u64 = 256 << 20;

/// Fetches the manifest behind the URL of a job's status, as it is.
///
/// # Errors
/// There is none (yet), or nobody answers. Redirects are not followed: the caller has a URL, and should know where it leads.
pub fn manifest(url: &str, credentials: &Credentials, options: &HttpOptions) -> Result<Vec<u8>, PullError> {
    let failed = |message: String| PullError::new(PullErrorKind::Io, "no-manifest", message);
    let authority = url.split('/').nth(2).unwrap_or_default();
    if authority.contains('@') {
        return Err(PullError::usage(
            "the URL holds a name or a secret; --basic takes them from a file",
        ));
    }
    let has_token = !matches!(credentials, Credentials::None);
    if has_token && !options.insecure && !is_safe(url) {
        return Err(PullError::usage(
            "the URL is not https: a token is not sent over http (--insecure-http lets it)",
        ));
    }
    let http = Http::new(options)?;
    let runtime = network::runtime().map_err(|error| failed(format!("no network: {error}")))?;
    runtime.block_on(async {
        let token = if has_token {
            let token = auth::token(credentials, &http, url, options.insecure, clock::now()).await;
            Some(token.map_err(|none| failed(format!("no token: {}", none.why)))?.secret)
        } else {
            None
        };
        let call = Call {
            id: 0,
            what: What::Page,
            method: "GET",
            url: url.to_owned(),
            headers: vec![("Accept", "application/json".to_owned())],
            body: None,
            with_token: has_token,
            most: MOST,
        };
        let got = http.call(&call, token.as_deref()).await;
        let got = got.map_err(|trouble| failed(format!("the server gives no answer: {trouble:?}")))?;
        match got.status {
            200 => Ok(got.body),
            // A partial one.
            202 if !got.body.is_empty() => Ok(got.body),
            202 => Err(failed("the job is still running: there is no manifest yet".to_owned())),
            status => Err(failed(format!("the server answers {status}"))),
        }
    })
}
