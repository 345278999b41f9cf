//! Who may ask, and for what: SMART Backend Services, without HTTP.
//!
//! A client signs an [assertion], gets a [token](mod@token) for [scopes](scope), and shows it with each request ([bearer]). Clients and
//! what has been used stand in the store; the time is an argument.

pub mod assertion;
pub mod bearer;
pub mod clients;
mod form;
pub mod jwks;
mod jwt;
pub mod keys;
pub mod scope;
mod secret;
pub mod smart;
pub mod token;

#[cfg(test)]
mod testing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fhirehose_core::search::table::Registry;
use fhirehose_store::{Secret, Store};
use tokio::sync::OnceCell;

pub use bearer::access;
pub use token::{TokenReply, token};

/// What an authority is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Oracle's rules: one spelling of scopes, no wildcards, Basic authentication too, tokens for 570 seconds.
    pub oracle: bool,
    /// No authorization: everybody may have everything.
    pub open: bool,
    /// Who issues the tokens: the FHIR base that clients see.
    pub issuer: String,
    /// Where tokens are asked for: what an assertion has to be for.
    pub token_url: String,
}

/// What decides who may ask.
pub struct Authority {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    settings: Settings,
    jwks: jwks::Jwks,
    /// What access tokens are signed with; read when it is first needed.
    signing: OnceCell<Secret>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes an authority over the clients of a store. Nothing is read yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, registry: Arc<Registry>, settings: Settings) -> Self {
        Authority {
            store,
            registry,
            settings,
            jwks: jwks::Jwks::default(),
            signing: OnceCell::new(),
        }
    }

    /// What it was told.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How long a token is good.
    #[must_use]
    pub const fn lifetime(&self) -> Duration {
        // Longer than 300 seconds is advised against (SMART); Oracle's are (SPEC 1.6).
        Duration::from_secs(if self.settings.oracle { 570 } else { 300 })
    }

    /// What access tokens are signed with.
    async fn signing(&self) -> fhirehose_store::Result<&Secret> {
        let read = || async {
            let fresh = secret::fresh().map_err(|_| {
                fhirehose_store::Error::new(fhirehose_store::Kind::Other, "the system gives no random numbers")
            })?;
            self.store.secret("access-token", &fresh).await
        };
        self.signing.get_or_try_init(read).await
    }
}
