//! Access tokens: which are taken, and the challenge that answers the others.

use super::*;
use crate::auth::testing::{CLIENT, House, NOW, TOKEN_URL, at};

async fn token(house: &House, scopes: &str) -> String {
    let client = house.store.client(CLIENT).await.expect("read").expect("a client");
    issue(&house.authority, &client, scopes, NOW).await.expect("a token")
}

async fn asked(house: &House, token: &str, now: Time) -> Result<Access, Reply> {
    access(&house.authority, Some(&format!("Bearer {token}")), now).await
}

/// Status, code and challenge of a refusal.
fn told(answer: Result<Access, Reply>) -> (u16, String, String) {
    let reply = answer.expect_err("refused");
    let challenge = reply.headers.iter().find(|(name, _)| *name == "WWW-Authenticate");
    let challenge = challenge.map(|(_, value)| value.clone()).unwrap_or_default();
    (reply.status, reply.issues[0].code.to_string(), challenge)
}

fn is_invalid(answer: Result<Access, Reply>) {
    let (status, code, challenge) = told(answer);
    assert_eq!((status, code.as_str()), (401, "login"));
    assert!(challenge.contains(r#"error="invalid_token""#));
}

#[tokio::test]
async fn a_token_gives_client_and_reach() {
    let house = House::new().await;
    let token = token(&house, "system/Patient.rs system/Observation.rs?category=laboratory").await;
    for header in [format!("Bearer {token}"), format!("bearer  {token} ")] {
        let access = access(&house.authority, Some(&header), NOW).await.expect("access");
        assert_eq!(access.client, CLIENT);
        assert!(access.reach.rows("Patient").is_some());
        assert!(access.reach.rows("Observation").is_some());
        assert!(access.reach.rows("Condition").is_none());
        assert_ne!(access.reach, Reach::Everything);
    }
}

#[tokio::test]
async fn no_token_is_answered_with_a_bare_challenge() {
    let house = House::new().await;
    for header in [None, Some(""), Some("Bearer"), Some("Basic abc"), Some("Bearerx y")] {
        let answer = access(&house.authority, header, NOW).await;
        assert_eq!(told(answer), (401, "login".to_owned(), "Bearer".to_owned()));
    }
}

#[tokio::test]
async fn a_malformed_or_forged_token_is_refused() {
    let house = House::new().await;
    let good = token(&house, "system/Patient.rs").await;
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let (header, claims) = message.split_once('.').expect("two parts");
    let other = token(&house, "system/*.rs").await;
    let of_other = other.split('.').nth(1).expect("claims");
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"another secret");
    let forged = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
    let none = jwt::message(&json!({ "alg": "none", "typ": TYPE }), &json!({}));
    for text in [
        "x".to_owned(),
        "a.b.c".to_owned(),
        format!("{message}."),
        format!("{message}.{forged}"),
        format!("{header}.{of_other}.{signature}"),
        format!("{none}."),
        format!("{}.{claims}.{signature}", none.split('.').next().expect("a header")),
        good.replace('.', ".."),
        "x".repeat(MOST_BYTES + 1),
    ] {
        is_invalid(asked(&house, &text, NOW).await);
    }
    assert!(asked(&house, &good, NOW).await.is_ok());
}

#[tokio::test]
async fn a_client_assertion_is_no_access_token() {
    let house = House::new().await;
    let assertion = crate::auth::testing::Assertion::new().text();
    is_invalid(asked(&house, &assertion, NOW).await);
}

#[tokio::test]
async fn a_token_expires() {
    let house = House::new().await;
    let token = token(&house, "system/Patient.rs").await;
    assert!(asked(&house, &token, at(299)).await.is_ok());
    let (status, code, challenge) = told(asked(&house, &token, at(300)).await);
    assert_eq!((status, code.as_str()), (401, "expired"));
    assert!(challenge.contains("invalid_token"));
}

#[tokio::test]
async fn a_token_of_a_clock_that_was_set_back_since_is_refused() {
    let house = House::new().await;
    let token = token(&house, "system/Patient.rs").await;
    assert!(asked(&house, &token, at(-60)).await.is_ok());
    is_invalid(asked(&house, &token, at(-61)).await);
}

#[tokio::test]
async fn a_token_outlives_the_server_and_not_its_client() {
    let house = House::new().await;
    let token = token(&house, "system/Patient.rs").await;
    let restarted = House::authority(&house.store, false, false);
    let header = format!("Bearer {token}");
    assert!(access(&restarted, Some(&header), NOW).await.is_ok());
    let client = house.store.client(CLIENT).await.expect("read").expect("a client");
    assert!(house.store.remove_client(CLIENT).await.expect("removed"));
    is_invalid(asked(&house, &token, NOW).await);
    // One of the same id that is added later is another.
    house.add(CLIENT, &client.jwks, "system/Patient.rs", at(1)).await;
    is_invalid(asked(&house, &token, at(2)).await);
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused() {
    let house = House::new().await;
    let token = token(&house, "system/Patient.rs").await;
    let settings = crate::auth::Settings {
        issuer: TOKEN_URL.to_owned(),
        ..house.authority.settings.clone()
    };
    let other = Authority::new(house.store.clone(), house.authority.registry.clone(), settings);
    is_invalid(access(&other, Some(&format!("Bearer {token}")), NOW).await);
}

#[tokio::test]
async fn in_open_mode_everybody_may_have_everything() {
    let house = House::new().await;
    let open = House::authority(&house.store, false, true);
    for header in [None, Some("Bearer x"), Some("nonsense")] {
        let access = access(&open, header, NOW).await.expect("access");
        assert_eq!((access.client.as_str(), access.reach), (OPEN, Reach::Everything));
    }
}

#[tokio::test]
async fn two_tokens_show_nothing_of_the_secret() {
    let house = House::new().await;
    let text = format!("{:?}", house.authority);
    let secret = house.authority.signing().await.expect("a secret");
    assert_eq!(secret.0.len(), 32);
    assert!(!text.contains("signing"));
}
