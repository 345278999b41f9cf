//! Who is believed, and every reason not to be.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use super::*;
use crate::auth::testing::{
    self, Assertion, CLIENT, House, NOW, Pair, TOKEN_URL, WEAK_RSA, at, ok, public_only, serve,
};

/// The id of who is believed, or why nobody is.
async fn judged(house: &House, assertion: &str, now: Time) -> String {
    match authenticate(&house.authority, assertion, None, now).await {
        Ok(client) => client.id,
        Err(Refusal::Client(text)) => text.to_owned(),
        Err(Refusal::Keys) => "keys".to_owned(),
        Err(Refusal::Store(error)) => error.to_string(),
    }
}

async fn refused(assertion: Assertion, text: &str) {
    let told = judged(&House::new().await, &assertion.text(), NOW).await;
    assert!(told.contains(text), "{told}");
}

#[tokio::test]
async fn both_algorithms_are_believed() {
    let house = House::new().await;
    assert_eq!(judged(&house, &Assertion::new().text(), NOW).await, CLIENT);
    let other = Assertion::new()
        .header("alg", "ES384")
        .header("kid", "ec")
        .claim("jti", "2")
        .by(Pair::P384);
    assert_eq!(judged(&house, &other.text(), NOW).await, CLIENT);
}

#[tokio::test]
async fn what_may_be_left_out_or_written_otherwise_is_taken() {
    let house = House::new().await;
    let several = serde_json::json!(["https://other.example", TOKEN_URL]);
    for (number, assertion) in [
        Assertion::new().without("typ"),
        Assertion::new().header("typ", "jwt"),
        Assertion::new().claim("aud", several),
        Assertion::new().claim("exp", 1_800_000_299.5),
        Assertion::new().claim("iat", 1_800_000_000).claim("nbf", 1_800_000_000),
        Assertion::new().claim("more", "x").header("more", "y"),
    ]
    .into_iter()
    .enumerate()
    {
        let assertion = assertion.claim("jti", number.to_string());
        assert_eq!(judged(&house, &assertion.text(), NOW).await, CLIENT, "{number}");
    }
}

#[tokio::test]
async fn alg_none_is_refused() {
    let assertion = Assertion::new().header("alg", "none");
    refused(Assertion::new().header("alg", "none"), "alg has to be").await;
    let unsigned = format!("{}.", jwt::message(&assertion.header, &assertion.claims));
    let told = judged(&House::new().await, &unsigned, NOW).await;
    assert!(told.contains("alg has to be"));
}

#[tokio::test]
async fn hs256_with_the_public_key_as_secret_is_refused() {
    for (alg, algorithm) in [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384)] {
        let assertion = Assertion::new().header("alg", alg);
        let message = jwt::message(&assertion.header, &assertion.claims);
        for secret in [Pair::RSA.set("rsa"), Pair::RSA.public("rsa")["n"].to_string()] {
            let key = hmac::Key::new(algorithm, secret.as_bytes());
            let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
            let told = judged(&House::new().await, &format!("{message}.{signature}"), NOW).await;
            assert!(told.contains("alg has to be"));
        }
    }
}

#[tokio::test]
async fn other_algorithms_are_refused() {
    for alg in ["RS256", "RS512", "PS384", "ES256", "EdDSA", "rs384", ""] {
        refused(Assertion::new().header("alg", alg), "alg has to be").await;
    }
}

#[tokio::test]
async fn an_algorithm_of_the_other_kind_of_key_is_refused() {
    refused(Assertion::new().header("alg", "ES384"), "no key of this kid").await;
}

#[tokio::test]
async fn a_wrong_audience_is_refused() {
    for aud in [
        "https://server.example/fhir",
        "https://server.example/fhir/auth/token/",
        "http://server.example/fhir/auth/token",
        "",
    ] {
        refused(Assertion::new().claim("aud", aud), "the aud has to be").await;
    }
    refused(
        Assertion::new().claim("aud", serde_json::json!([])),
        "the aud has to be",
    )
    .await;
    refused(Assertion::new().claim("aud", 1), "needs iss").await;
}

#[tokio::test]
async fn an_assertion_is_good_until_its_end_and_a_tolerance() {
    for (exp, told) in [
        (-31, "expired"),
        (-30, "expired"),
        (-29, CLIENT),
        (0, CLIENT),
        (330, CLIENT),
        (331, "five minutes"),
        (3600, "five minutes"),
    ] {
        let assertion = Assertion::new().claim("exp", NOW.0 / 1000 + exp);
        let judged = judged(&House::new().await, &assertion.text(), NOW).await;
        assert!(judged.contains(told), "{exp}: {judged}");
    }
    refused(Assertion::new().claim("exp", 1e300), "exp is no time").await;
    refused(Assertion::new().claim("exp", NOW.0), "five minutes").await;
    refused(Assertion::new().claim("exp", "1800000300"), "needs iss").await;
}

#[tokio::test]
async fn an_assertion_of_the_future_is_refused() {
    let now = NOW.0 / 1000;
    refused(Assertion::new().claim("nbf", now + 31), "not good yet").await;
    refused(Assertion::new().claim("iat", now + 31), "of the future").await;
    refused(Assertion::new().claim("iat", 1e300), "of the future").await;
    let near = Assertion::new().claim("nbf", now + 30).claim("iat", now + 30);
    assert_eq!(judged(&House::new().await, &near.text(), NOW).await, CLIENT);
}

#[tokio::test]
async fn a_replayed_jti_is_refused_for_as_long_as_it_could_be_believed() {
    let house = House::new().await;
    let assertion = Assertion::new().text();
    assert_eq!(judged(&house, &assertion, NOW).await, CLIENT);
    for seconds in [0, 1, 300, 329] {
        let told = judged(&house, &assertion, at(seconds)).await;
        assert!(told.contains("used before"), "{seconds}: {told}");
    }
    assert!(judged(&house, &assertion, at(330)).await.contains("expired"));
    // Another text with the same jti is a replay too.
    let told = judged(&house, &Assertion::new().claim("x", 1).text(), NOW).await;
    assert!(told.contains("used before"));
}

#[tokio::test]
async fn many_at_once_with_one_jti_are_believed_once() {
    let house = House::new().await;
    let assertion = Assertion::new().text();
    let all = (0..8).map(|_| judged(&house, &assertion, NOW));
    let told = futures_util::future::join_all(all).await;
    assert_eq!(told.iter().filter(|told| *told == CLIENT).count(), 1);
}

#[tokio::test]
async fn a_bad_signature_uses_no_jti_up() {
    let house = House::new().await;
    let forged = Assertion::new().by(Pair::OTHER_RSA).text();
    assert!(judged(&house, &forged, NOW).await.contains("not signed"));
    assert_eq!(judged(&house, &Assertion::new().text(), NOW).await, CLIENT);
}

#[tokio::test]
async fn a_jti_is_needed_and_not_too_long() {
    refused(Assertion::new().without("jti"), "needs iss").await;
    refused(Assertion::new().claim("jti", 1), "needs iss").await;
    refused(Assertion::new().claim("jti", ""), "jti of at most").await;
    refused(Assertion::new().claim("jti", "j".repeat(257)), "jti of at most").await;
    let longest = Assertion::new().claim("jti", "j".repeat(256));
    assert_eq!(judged(&House::new().await, &longest.text(), NOW).await, CLIENT);
}

#[tokio::test]
async fn issuer_and_subject_are_the_client() {
    refused(Assertion::new().claim("iss", "not_a_valid_iss"), "iss and sub").await;
    refused(Assertion::new().claim("sub", "other"), "iss and sub").await;
    for name in ["iss", "sub", "aud", "exp"] {
        refused(Assertion::new().without(name), "needs iss").await;
    }
}

#[tokio::test]
async fn an_unknown_client_is_refused() {
    let assertion = Assertion::new().claim("iss", "other").claim("sub", "other");
    refused(assertion, "no such client").await;
}

#[tokio::test]
async fn a_client_id_beside_the_assertion_has_to_be_the_same() {
    let house = House::new().await;
    let assertion = Assertion::new().text();
    let other = authenticate(&house.authority, &assertion, Some("other"), NOW).await;
    assert!(matches!(other, Err(Refusal::Client(text)) if text.contains("client_id")));
    assert!(
        authenticate(&house.authority, &assertion, Some(CLIENT), NOW)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn an_unknown_kid_or_none_is_refused() {
    refused(Assertion::new().header("kid", "other"), "no key of this kid").await;
    refused(Assertion::new().header("kid", ""), "a kid of").await;
    refused(Assertion::new().header("kid", "k".repeat(257)), "a kid of").await;
    refused(Assertion::new().without("kid"), "a kid of").await;
}

#[tokio::test]
async fn two_keys_of_one_kid_are_refused() {
    let keys = serde_json::json!({ "keys": [Pair::RSA.public("rsa"), Pair::OTHER_RSA.public("rsa")] });
    let house = House::of(false, "system/*.rs", &keys.to_string()).await;
    let told = judged(&house, &Assertion::new().text(), NOW).await;
    assert!(told.contains("several keys"));
}

#[tokio::test]
async fn weak_keys_are_refused() {
    let house = House::of(false, "system/*.rs", &testing::set_of(&public_only(WEAK_RSA, "rsa"))).await;
    let told = judged(&house, &Assertion::new().text(), NOW).await;
    assert!(told.contains("too weak"));
}

#[tokio::test]
async fn a_jku_other_than_the_registered_is_refused_and_never_fetched() {
    let jku = "http://127.0.0.1:9/jwks";
    refused(Assertion::new().header("jku", jku), "jku is not the registered").await;
    refused(Assertion::new().header("jku", ""), "jku is not the registered").await;
}

#[tokio::test]
async fn a_jku_that_is_the_registered_one_is_taken_and_its_server_may_be_away() {
    let house = House::new().await;
    // Nobody listens there: the port was just given back.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/jwks", listener.local_addr().expect("an address"));
    drop(listener);
    house.add("by-url", &url, "system/*.rs", NOW).await;
    let assertion = Assertion::new()
        .claim("iss", "by-url")
        .claim("sub", "by-url")
        .header("jku", url.as_str());
    assert_eq!(judged(&house, &assertion.text(), NOW).await, "keys");
    let other = assertion.header("jku", format!("{url}/"));
    assert!(judged(&house, &other.text(), NOW).await.contains("jku"));
}

#[tokio::test]
async fn a_client_whose_keys_are_behind_a_url_is_believed_with_and_without_jku() {
    let house = House::new().await;
    let (url, _) = serve(vec![ok(&Pair::P384.set("ec"), "")]).await;
    house.add("by-url", &url, "system/*.rs", NOW).await;
    let assertion = |jti: &str| {
        let assertion = Assertion::new()
            .by(Pair::P384)
            .header("alg", "ES384")
            .header("kid", "ec");
        assertion
            .claim("iss", "by-url")
            .claim("sub", "by-url")
            .claim("jti", jti)
    };
    assert_eq!(judged(&house, &assertion("1").text(), NOW).await, "by-url");
    let with_jku = assertion("2").header("jku", url.as_str());
    assert_eq!(judged(&house, &with_jku.text(), NOW).await, "by-url");
}

#[tokio::test]
async fn a_type_that_is_no_jwt_and_unknown_extensions_are_refused() {
    refused(Assertion::new().header("typ", "at+jwt"), "typ has to be JWT").await;
    let crit = serde_json::json!(["b64"]);
    refused(Assertion::new().header("crit", crit), "extensions").await;
}

#[tokio::test]
async fn what_was_changed_after_it_was_signed_is_refused() {
    let house = House::new().await;
    let text = Assertion::new().text();
    let (message, signature) = text.rsplit_once('.').expect("three parts");
    let other = Assertion::new().claim("jti", "other");
    let changed = format!("{}.{signature}", jwt::message(&other.header, &other.claims));
    for text in [
        changed,
        format!("{message}."),
        format!("{message}.AAAA"),
        format!("{text}="),
    ] {
        assert!(judged(&house, &text, NOW).await.contains("not signed"), "{text}");
    }
    assert_eq!(judged(&house, &text, NOW).await, CLIENT);
}

#[tokio::test]
async fn what_is_no_jwt_is_refused() {
    let house = House::new().await;
    let two = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS384","alg":"RS384","kid":"rsa"}"#);
    for text in ["", "x", "a.b.c", "..", &format!("{two}.e30.c2ln")] {
        assert!(judged(&house, text, NOW).await.contains("no signed JWT"), "{text}");
    }
    let long = "x".repeat(MOST_BYTES + 1);
    assert!(judged(&house, &long, NOW).await.contains("too long"));
}

#[tokio::test]
async fn a_client_with_a_secret_has_no_keys() {
    let house = House::new().await;
    house.add("basic", &secret::kept("x"), "system/*.rs", NOW).await;
    let assertion = Assertion::new().claim("iss", "basic").claim("sub", "basic");
    assert!(judged(&house, &assertion.text(), NOW).await.contains("has no keys"));
}

#[tokio::test]
async fn registered_keys_that_cannot_be_read_are_told_without_their_place() {
    let house = House::new().await;
    std::fs::remove_file(house.folder.path().join("jwks.json")).expect("removed");
    let told = judged(&house, &Assertion::new().text(), NOW).await;
    assert_eq!(told, "the client's registered keys cannot be read");
}
