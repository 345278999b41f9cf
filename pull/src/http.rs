//! HTTP as the client speaks it: no redirects by itself, nothing without an end, and no more bytes than wanted.

use std::error::Error as _;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fhirehose_core::client::{Call, Trouble};
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Method, RequestBuilder, Response};

use crate::error::PullError;
use crate::network::Names;

/// How the client is connected.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Certificates of authorities (PEM) that are believed besides those of the system.
    pub authorities: Vec<PathBuf>,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How long nothing may come, or of a file next to nothing in ten times as long.
    pub stall: Duration,
    /// How long a request with a small answer may take in all.
    pub call: Duration,
    /// Send tokens and secrets over `http` to other machines than this.
    pub insecure: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        HttpOptions {
            authorities: Vec::new(),
            connect: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            call: Duration::from_secs(300),
            insecure: false,
        }
    }
}

/// Most bytes of the text of a refusal.
const MOST_OF_REFUSAL: u64 = 256 << 10;

/// The answer to a request, with its body.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A pool of connections.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    far: Client,
    /// For this machine, past any proxy: a token that is sent here is read by nobody else.
    near: Client,
    stall: Duration,
    call: Duration,
}

impl Http {
    pub(crate) fn new(options: &HttpOptions) -> Result<Http, PullError> {
        // reqwest takes the provider of the process. It may be there already: the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut authorities = Vec::new();
        for path in &options.authorities {
            let text = std::fs::read(path).map_err(|error| PullError::disk("read", path, &error))?;
            let bad = |_| PullError::usage(format!("{}: no certificates in PEM", path.display()));
            let found = Certificate::from_pem_bundle(&text).map_err(bad)?;
            if found.is_empty() {
                return Err(PullError::usage(format!("{}: no certificates in PEM", path.display())));
            }
            authorities.extend(found);
        }
        let bad = |error: reqwest::Error| PullError::usage(format!("no HTTPS: {}", without_url(error)));
        let far = builder(options, &authorities).build().map_err(bad)?;
        let near = builder(options, &authorities).no_proxy().build().map_err(bad)?;
        Ok(Http {
            far,
            near,
            stall: options.stall,
            call: options.call,
        })
    }

    fn client(&self, url: &str) -> &Client {
        if is_here(url) { &self.near } else { &self.far }
    }

    /// Sends a request, with the token where it is meant to have it, and reads a small answer.
    pub(crate) async fn call(&self, call: &Call, token: Option<&str>) -> Result<Got, Trouble> {
        let method = Method::from_bytes(call.method.as_bytes()).map_err(|_| Trouble::Connect)?;
        let mut request = self.client(&call.url).request(method, &call.url).timeout(self.call);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let token = token.filter(|_| call.with_token);
        let response = with_token(request, token)?
            .send()
            .await
            .map_err(|error| trouble(&error))?;
        let mut got = read_small(response, call.most).await?;
        if let (Some(token), true) = (token, got.status != 200) {
            mask(&mut got.body, token.as_bytes());
        }
        Ok(got)
    }

    /// Sends a request of another kind, with a small answer.
    pub(crate) async fn small(
        &self,
        url: &str,
        request: impl FnOnce(&Client) -> RequestBuilder,
        most: u64,
    ) -> Result<Got, Trouble> {
        let request = request(self.client(url)).timeout(self.call);
        let response = request.send().await.map_err(|error| trouble(&error))?;
        read_small(response, most).await
    }

    /// Reads what came instead of a file.
    pub(crate) async fn refusal(&self, response: Response) -> Result<Got, Trouble> {
        let read = read_small(response, MOST_OF_REFUSAL);
        tokio::time::timeout(self.call, read)
            .await
            .unwrap_or(Err(Trouble::Timeout))
    }

    /// Asks for a file; the head of the answer comes back as soon as it is there.
    pub(crate) async fn open(&self, url: &str, headers: HeaderMap, token: Option<&str>) -> Result<Response, Trouble> {
        let request = self.client(url).get(url).headers(headers);
        let sent = with_token(request, token)?.send();
        // The time between two reads is bounded below; the head has to come in such a time, too.
        match tokio::time::timeout(self.stall, sent).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(trouble(&error)),
            Err(_) => Err(Trouble::Timeout),
        }
    }
}

fn builder(options: &HttpOptions, authorities: &[Certificate]) -> ClientBuilder {
    let builder = Client::builder()
        .user_agent(concat!("fhirehose/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .dns_resolver(Arc::new(Names))
        .referer(false)
        .connect_timeout(options.connect)
        .read_timeout(options.stall)
        .pool_idle_timeout(Duration::from_secs(60))
        .tcp_nodelay(true)
        // Many files share one connection of HTTP/2; its usual windows are made for pages.
        .http2_initial_stream_window_size(2 << 20)
        .http2_initial_connection_window_size(16 << 20);
    if authorities.is_empty() {
        builder
    } else {
        builder.tls_certs_merge(authorities.to_vec())
    }
}

fn with_token(request: RequestBuilder, token: Option<&str>) -> Result<RequestBuilder, Trouble> {
    let Some(token) = token else { return Ok(request) };
    // A token that cannot stand in a header; it was read from a file, or came from a server.
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| Trouble::Connect)?;
    value.set_sensitive(true);
    Ok(request.header(AUTHORIZATION, value))
}

/// Reads a body of at most so many bytes, inflated.
async fn read_small(mut response: Response, most: u64) -> Result<Got, Trouble> {
    let status = response.status().as_u16();
    let headers = headers(response.headers());
    let is_gzip = response
        .headers()
        .get("content-encoding")
        .is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"gzip"));
    // A refusal is one however long its text is, and wherever that breaks off.
    let is_refusal = status >= 300;
    let most = if is_refusal { most.min(MOST_OF_REFUSAL) } else { most };
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if (body.len() + chunk.len()) as u64 <= most => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Ok(Some(_)) | Err(_) if is_refusal => break,
            Ok(Some(_)) => return Err(Trouble::TooLarge),
            Err(error) => return Err(trouble(&error)),
        }
    }
    if is_gzip && !body.is_empty() {
        let mut inflated = Vec::new();
        let inflate = flate2::read::MultiGzDecoder::new(&body[..]);
        let read = inflate.take(most.saturating_add(1)).read_to_end(&mut inflated);
        if read.is_err() && !is_refusal {
            return Err(Trouble::Coding);
        }
        if !is_refusal && inflated.len() as u64 > most {
            return Err(Trouble::TooLarge);
        }
        body = inflated;
    }
    Ok(Got { status, headers, body })
}

/// A server that repeats the token in what it says of an error shall not have it printed.
pub(crate) fn mask(body: &mut [u8], secret: &[u8]) {
    if secret.is_empty() {
        return;
    }
    let found: Vec<usize> = memchr::memmem::find_iter(body, secret).collect();
    for at in found {
        body[at..at + secret.len()].fill(b'*');
    }
}

/// Headers as plain text; those that are none are left out.
pub(crate) fn headers(map: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let all = map.iter();
    all.filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)))
        .collect()
}

/// Which codings of a file are taken.
pub(crate) fn accept_coding(headers: &mut HeaderMap) {
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
}

/// What went wrong, without saying where: URLs may hold secrets.
pub(crate) fn trouble(error: &reqwest::Error) -> Trouble {
    if error.is_timeout() {
        return Trouble::Timeout;
    }
    if error.is_connect() || error.is_builder() {
        let mut source = error.source();
        while let Some(inner) = source {
            let text = inner.to_string();
            if text.contains("certificate") || text.contains("handshake") || text.contains("TLS") {
                return Trouble::Tls;
            }
            source = inner.source();
        }
        return Trouble::Connect;
    }
    Trouble::Broken
}

fn without_url(error: reqwest::Error) -> String {
    error.without_url().to_string()
}

/// Whether a URL leads to this machine.
fn is_here(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |address: std::net::IpAddr| address.is_loopback();
    host == "localhost" || address.parse().is_ok_and(is_loopback)
}

/// Whether a URL may carry secrets: `https`, or this machine.
pub(crate) fn is_safe(url: &str) -> bool {
    url.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://")) || is_here(url)
}
