//! The token endpoint: what is answered, and in which words of RFC 6749.

use serde_json::Value;

use super::*;
use crate::access::Reach;
use crate::auth::testing::{Assertion, CLIENT, House, NOW, Pair, at};
use crate::auth::{access, smart};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn body(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    pairs.join("&")
}

fn request(assertion: &str, scope: &str) -> String {
    body(&[
        ("grant_type", GRANT_TYPE),
        ("scope", scope),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
    ])
}

async fn post(house: &House, body: &str) -> (TokenReply, Value) {
    posted(house, FORM, None, body).await
}

async fn posted(house: &House, kind: Option<&str>, authorization: Option<&str>, body: &str) -> (TokenReply, Value) {
    let reply = token(&house.authority, kind, authorization, body.as_bytes(), NOW).await;
    let value = serde_json::from_str(&reply.body).expect("JSON");
    (reply, value)
}

async fn error(house: &House, body: &str) -> (u16, String) {
    let (reply, value) = post(house, body).await;
    (reply.status, value["error"].as_str().unwrap_or_default().to_owned())
}

fn of(status: u16, error: &str) -> (u16, String) {
    (status, error.to_owned())
}

#[tokio::test]
async fn a_good_request_gets_a_token_that_is_taken() {
    let house = House::new().await;
    let (reply, value) = post(
        &house,
        &request(&Assertion::new().text(), "system/Patient.cruds launch-not"),
    )
    .await;
    assert_eq!((reply.status, value["error"].as_str()), (400, Some("invalid_scope")));
    let assertion = Assertion::new().claim("jti", "2").text();
    let (reply, value) = post(&house, &request(&assertion, "system/Patient.cruds")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(value["token_type"], "bearer");
    assert_eq!(value["expires_in"], 300);
    assert_eq!(value["scope"], "system/Patient.rs");
    let header = format!("Bearer {}", value["access_token"].as_str().expect("a token"));
    let access = access(&house.authority, Some(&header), at(299)).await.expect("access");
    assert_eq!(access.client, CLIENT);
    let Reach::Types(types) = access.reach else {
        panic!("everything");
    };
    assert_eq!(types.keys().collect::<Vec<_>>(), ["Patient"]);
}

#[tokio::test]
async fn nothing_is_kept_in_between_and_all_is_json() {
    let house = House::new().await;
    for body in [request(&Assertion::new().text(), "system/*.read"), String::new()] {
        let (reply, _) = post(&house, &body).await;
        for header in [("Cache-Control", "no-store"), ("Content-Type", "application/json")] {
            assert!(reply.headers.contains(&(header.0, header.1.to_owned())));
        }
        assert!(!format!("{reply:?}").contains("access_token"));
    }
}

#[tokio::test]
async fn only_forms_are_taken() {
    let house = House::new().await;
    let body = request(&Assertion::new().text(), "system/*.read");
    for kind in [
        None,
        Some(""),
        Some("application/json"),
        Some("multipart/form-data"),
        Some("text/plain"),
    ] {
        let (reply, value) = posted(&house, kind, None, &body).await;
        assert_eq!((reply.status, value["error"].as_str()), (400, Some("invalid_request")));
    }
    let kind = Some("Application/X-WWW-Form-Urlencoded; charset=UTF-8");
    assert_eq!(posted(&house, kind, None, &body).await.0.status, 200);
}

#[tokio::test]
async fn a_wrong_grant_type_is_unsupported_and_a_missing_one_invalid() {
    let house = House::new().await;
    let good = request(&Assertion::new().text(), "system/*.read");
    for other in [
        "not_a_grant_type",
        "authorization_code",
        "refresh_token",
        "Client_Credentials",
    ] {
        let body = good.replacen(&encoded(GRANT_TYPE), other, 1);
        assert_eq!(error(&house, &body).await, of(400, "unsupported_grant_type"));
    }
    let without = good.replacen("grant_type", "grant", 1);
    assert_eq!(error(&house, &without).await, of(400, "invalid_request"));
    // None of them has used the assertion up.
    assert_eq!(post(&house, &good).await.0.status, 200);
}

#[tokio::test]
async fn a_wrong_or_missing_assertion_type_is_invalid() {
    let house = House::new().await;
    let assertion = Assertion::new().text();
    let base = ("grant_type", GRANT_TYPE);
    for pairs in [
        vec![
            base,
            ("client_assertion_type", "not_an_assertion_type"),
            ("client_assertion", &*assertion),
        ],
        vec![base, ("client_assertion", &*assertion)],
        vec![base, ("client_assertion_type", ASSERTION_TYPE)],
        vec![
            base,
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", ""),
        ],
        vec![base],
    ] {
        assert_eq!(error(&house, &body(&pairs)).await, of(400, "invalid_request"));
    }
}

#[tokio::test]
async fn a_parameter_given_twice_and_a_body_that_is_no_form_are_invalid() {
    let house = House::new().await;
    let good = request(&Assertion::new().text(), "system/*.read");
    for body in [
        format!("{good}&scope=system%2F*.rs"),
        format!("{good}&x=%"),
        "x".repeat(MOST_BYTES + 1),
    ] {
        assert_eq!(error(&house, &body).await, of(400, "invalid_request"));
    }
    assert_eq!(post(&house, &format!("{good}&more=1&resource=x")).await.0.status, 200);
}

#[tokio::test]
async fn who_is_not_believed_is_an_invalid_client_and_is_told_nothing_of_what_it_sent() {
    let house = House::new().await;
    for assertion in [
        Assertion::new().claim("iss", "not_a_valid_iss"),
        Assertion::new().claim("iss", "SENT").claim("sub", "SENT"),
        Assertion::new().by(Pair::OTHER_RSA).claim("jti", "SENT"),
        Assertion::new().header("kid", "SENT"),
        Assertion::new().header("jku", "http://127.0.0.1/SENT"),
        Assertion::new().claim("aud", "https://SENT"),
    ] {
        let (reply, value) = post(&house, &request(&assertion.text(), "system/*.read")).await;
        assert_eq!((reply.status, value["error"].as_str()), (400, Some("invalid_client")));
        assert!(!reply.body.contains("SENT"));
    }
}

#[tokio::test]
async fn scopes_that_are_missing_or_not_registered_are_invalid() {
    let keys = Pair::RSA.set("rsa");
    let house = House::of(
        false,
        "system/Patient.rs system/Observation.rs?category=laboratory",
        &keys,
    )
    .await;
    for (number, scope) in [
        "",
        "system/Task.read",
        "openid",
        "system/Patient.write",
        "system/Nothing.rs",
    ]
    .into_iter()
    .enumerate()
    {
        let assertion = Assertion::new().claim("jti", number.to_string()).text();
        assert_eq!(
            error(&house, &request(&assertion, scope)).await,
            of(400, "invalid_scope"),
            "{scope}"
        );
    }
    let (_, value) = post(
        &house,
        &request(&Assertion::new().claim("jti", "x").text(), "system/*.rs"),
    )
    .await;
    assert_eq!(
        value["scope"],
        "system/Observation.rs?category=laboratory system/Patient.rs"
    );
}

#[tokio::test]
async fn errors_hold_only_what_rfc_6749_allows() {
    let house = House::new().await;
    let scope = "system/\"\\\u{e4}\n.read";
    let (_, value) = post(&house, &request(&Assertion::new().text(), scope)).await;
    let text = value["error_description"].as_str().expect("a text");
    let is_allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    assert!(text.bytes().all(is_allowed), "{text}");
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_are_nobodys_fault() {
    let house = House::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/jwks", listener.local_addr().expect("an address"));
    drop(listener);
    house.add("by-url", &url, "system/*.rs", NOW).await;
    let assertion = Assertion::new().claim("iss", "by-url").claim("sub", "by-url");
    let (reply, value) = post(&house, &request(&assertion.text(), "system/*.read")).await;
    assert_eq!(
        (reply.status, value["error"].as_str()),
        (503, Some("temporarily_unavailable"))
    );
    assert!(reply.headers.iter().any(|(name, _)| *name == "Retry-After"));
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

async fn with_basic(house: &House, header: &str, extra: &str) -> (TokenReply, Value) {
    let body = format!(
        "{}{extra}",
        body(&[("grant_type", GRANT_TYPE), ("scope", "system/Patient.read")])
    );
    posted(house, FORM, Some(header), &body).await
}

#[tokio::test]
async fn oracle_takes_a_secret_and_gives_longer_tokens() {
    let house = House::of(true, "system/*.rs", &Pair::RSA.set("rsa")).await;
    house
        .add("account", &secret::kept("word"), "system/Patient.read", NOW)
        .await;
    for header in [
        basic("account", "word"),
        basic("%61ccount", "w%6Frd"),
        basic("account", "word").replacen('B', "b", 1),
    ] {
        let (reply, value) = with_basic(&house, &header, "&client_id=account").await;
        assert_eq!((reply.status, value["expires_in"].as_u64()), (200, Some(570)));
    }
    let (reply, value) = post(&house, &request(&Assertion::new().text(), "system/Patient.read")).await;
    assert_eq!((reply.status, value["expires_in"].as_u64()), (200, Some(570)));
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_account_are_answered_alike() {
    let house = House::of(true, "system/*.rs", &Pair::RSA.set("rsa")).await;
    house
        .add("account", &secret::kept("word"), "system/Patient.read", NOW)
        .await;
    let kept = secret::kept("word");
    let mut answers = Vec::new();
    for header in [
        basic("account", "wrong"),
        basic("account", ""),
        basic("account", &kept),
        basic("other", "word"),
        basic("other", ""),
        basic(CLIENT, "word"),
    ] {
        let (reply, value) = with_basic(&house, &header, "").await;
        assert_eq!((reply.status, value["error"].as_str()), (401, Some("invalid_client")));
        assert!(
            reply
                .headers
                .iter()
                .any(|(name, value)| *name == "WWW-Authenticate" && value.starts_with("Basic"))
        );
        answers.push(reply.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

#[tokio::test]
async fn a_malformed_basic_or_two_ways_at_once_are_refused() {
    let house = House::of(true, "system/*.rs", &Pair::RSA.set("rsa")).await;
    house
        .add("account", &secret::kept("word"), "system/Patient.read", NOW)
        .await;
    for header in [
        "Basic",
        "Basic ",
        "Basic !",
        "Basic YWNjb3VudA==",
        &basic("account", "%"),
    ] {
        assert_eq!(with_basic(&house, header, "").await.0.status, 401, "{header}");
    }
    let good = basic("account", "word");
    assert_eq!(with_basic(&house, &good, "&client_id=other").await.0.status, 401);
    let assertion = body(&[
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &Assertion::new().text()),
    ]);
    let (reply, value) = with_basic(&house, &good, &format!("&{assertion}")).await;
    assert_eq!((reply.status, value["error"].as_str()), (400, Some("invalid_request")));
}

#[tokio::test]
async fn secrets_are_for_oracle_only() {
    let house = House::new().await;
    house
        .add("account", &secret::kept("word"), "system/Patient.read", NOW)
        .await;
    let (reply, value) = with_basic(&house, &basic("account", "word"), "").await;
    assert_eq!((reply.status, value["error"].as_str()), (401, Some("invalid_client")));
}

#[tokio::test]
async fn the_smart_configuration_says_what_is_taken() {
    for oracle in [false, true] {
        let house = House::of(oracle, "system/*.rs", &Pair::RSA.set("rsa")).await;
        let text = smart::configuration(&house.authority, &["Patient"]);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["token_endpoint"], house.authority.settings().token_url);
        let has = |name: &str, item: &str| value[name].as_array().is_some_and(|list| list.contains(&item.into()));
        assert!(has("token_endpoint_auth_methods_supported", "private_key_jwt"));
        assert_eq!(
            has("token_endpoint_auth_methods_supported", "client_secret_basic"),
            oracle
        );
        assert!(has("token_endpoint_auth_signing_alg_values_supported", "RS384"));
        assert!(has("token_endpoint_auth_signing_alg_values_supported", "ES384"));
        assert!(has("grant_types_supported", "client_credentials"));
        assert!(has("scopes_supported", "system/Patient.read"));
        assert_eq!(has("scopes_supported", "system/*.read"), !oracle);
        // Every scope that is told is granted.
        for (number, scope) in value["scopes_supported"].as_array().into_iter().flatten().enumerate() {
            let assertion = Assertion::new().claim("jti", number.to_string()).text();
            let (reply, granted) = post(&house, &request(&assertion, scope.as_str().unwrap_or_default())).await;
            assert_eq!((reply.status, &granted["scope"]), (200, scope));
        }
    }
}
