//! What `/.well-known/smart-configuration` says.

use serde_json::json;

use super::Authority;
use super::keys::Signing;

/// The document, as JSON. `types` are those that this server has data of.
#[must_use]
pub fn configuration(authority: &Authority, types: &[&str]) -> String {
    let settings = &authority.settings;
    let mut methods = vec!["private_key_jwt"];
    if settings.oracle {
        methods.push("client_secret_basic");
    }
    let mut scopes = Vec::new();
    if !settings.oracle {
        scopes.extend(["system/*.rs", "system/*.read"].map(str::to_owned));
        scopes.extend(types.iter().map(|name| format!("system/{name}.rs")));
    }
    scopes.extend(types.iter().map(|name| format!("system/{name}.read")));
    let mut capabilities = vec!["client-confidential-asymmetric", "permission-v1"];
    capabilities.push(if settings.oracle {
        "client-confidential-symmetric"
    } else {
        "permission-v2"
    });
    json!({
        "token_endpoint": settings.token_url,
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": Signing::ALL.map(Signing::name),
        "grant_types_supported": ["client_credentials"],
        "scopes_supported": scopes,
        "capabilities": capabilities,
        // Every server has to say it, also one that nobody logs in to.
        "code_challenge_methods_supported": ["S256"],
    })
    .to_string()
}
