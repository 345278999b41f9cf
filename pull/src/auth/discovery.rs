//! Where a server's tokens are to be had: `.well-known/smart-configuration`, and the CapabilityStatement of older ones.

use fhirehose_core::client::Trouble;
use reqwest::header::ACCEPT;
use serde_json::Value;

use super::NoToken;
use crate::http::{Got, Http};

const MOST: u64 = 32 << 20;
const OAUTH_URIS: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris";

/// The token endpoint of the server at this base.
pub(super) async fn token_endpoint(http: &Http, base: &str) -> Result<String, NoToken> {
    let base = base.trim_end_matches('/');
    let configuration = get(
        http,
        &format!("{base}/.well-known/smart-configuration"),
        "application/json",
    )
    .await;
    if let Ok(got) = &configuration
        && got.status == 200
        && let Some(url) = in_configuration(&got.body)
    {
        return Ok(url);
    }
    let metadata = get(http, &format!("{base}/metadata"), "application/fhir+json").await;
    if let Ok(got) = &metadata
        && got.status == 200
        && let Some(url) = in_capabilities(&got.body)
    {
        return Ok(url);
    }
    let again = [&configuration, &metadata].into_iter().any(|got| match got {
        Ok(got) => got.status == 429 || got.status >= 500,
        Err(trouble) => !matches!(trouble, Trouble::Tls),
    });
    Err(NoToken {
        again,
        why: "the server does not say where tokens are to be had (.well-known/smart-configuration); --token-url does"
            .into(),
    })
}

async fn get(http: &Http, url: &str, accept: &str) -> Result<Got, Trouble> {
    http.small(url, |client| client.get(url).header(ACCEPT, accept), MOST)
        .await
}

fn in_configuration(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    Some(value.get("token_endpoint")?.as_str()?.to_owned())
}

fn in_capabilities(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let rests = value.get("rest")?.as_array()?.iter();
    let mut extensions = rests.filter_map(|rest| rest.get("security")?.get("extension")?.as_array());
    let uris = extensions.find_map(|list| list.iter().find(|item| item["url"] == OAUTH_URIS))?;
    let inner = uris.get("extension")?.as_array()?;
    let token = inner.iter().find(|item| item["url"] == "token")?;
    Some(token.get("valueUri")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_places_are_read() {
        assert_eq!(
            in_configuration(b"{\"token_endpoint\":\"https://a/t\"}").as_deref(),
            Some("https://a/t")
        );
        assert_eq!(in_configuration(b"<html>"), None);
        let statement = format!(
            "{{\"rest\":[{{}},{{\"security\":{{\"extension\":[{{\"url\":\"{OAUTH_URIS}\",\"extension\":[\
             {{\"url\":\"token\",\"valueUri\":\"https://b/t\"}}]}}]}}}}]}}"
        );
        assert_eq!(in_capabilities(statement.as_bytes()).as_deref(), Some("https://b/t"));
    }
}
