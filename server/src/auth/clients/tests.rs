//! Clients that are added and removed, and those that are not.

use fhirehose_store::Store;

use super::*;
use crate::auth::testing::{self, House, NOW, Pair};

async fn added(house: &House, new: NewClient<'_>) -> Result<Added, String> {
    let store: &dyn Store = &*house.store;
    add(store, &new, &Registry::r4(), NOW)
        .await
        .map_err(|fault| fault.to_string())
}

fn new<'a>(name: &'a str, jwks: &'a str) -> NewClient<'a> {
    NewClient {
        name,
        id: None,
        credential: Credential::Jwks(jwks),
        scopes: "system/Patient.cruds system/*.read",
    }
}

fn file(house: &House, text: &str) -> String {
    let path = house.folder.path().join("keys.json");
    std::fs::write(&path, text).expect("written");
    path.to_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_client_is_added_listed_and_removed() {
    let house = House::new().await;
    let path = file(&house, &Pair::RSA.set("a"));
    let added = added(&house, new("Research \u{e4}", &path)).await.expect("added");
    assert_eq!(added.client.scopes, "system/Patient.rs system/*.read");
    assert_eq!(added.client.id.len(), 32);
    assert_eq!((added.secret, added.warnings.len()), (None, 0));
    assert!(std::path::Path::new(&added.client.jwks).is_absolute());
    assert_eq!(credential(&added.client), added.client.jwks);
    let store: &dyn Store = &*house.store;
    assert_eq!(list(store).await.expect("listed").len(), 2);
    assert_eq!(remove(store, "Research \u{e4}").await.expect("removed"), added.client);
    assert!(matches!(
        remove(store, "Research \u{e4}").await,
        Err(ClientFault::Unknown)
    ));
    assert_eq!(
        remove(store, testing::CLIENT).await.expect("removed").id,
        testing::CLIENT
    );
}

#[tokio::test]
async fn a_secret_is_told_once_and_kept_as_its_hash() {
    let house = House::new().await;
    let wish = NewClient {
        credential: Credential::Secret,
        id: Some("account-1"),
        ..new("Account", "")
    };
    let added = added(&house, wish).await.expect("added");
    let told = added.secret.clone().expect("a secret");
    assert!(secret::is_right(&added.client.jwks, &told));
    assert!(!added.client.jwks.contains(&told) && !format!("{added:?}").contains(&told));
    assert_eq!(credential(&added.client), "(secret)");
}

#[tokio::test]
async fn ids_and_names_have_their_letters_and_are_there_once() {
    let house = House::new().await;
    let path = file(&house, &Pair::RSA.set("a"));
    let long = "x".repeat(65);
    for name in ["", " ", "a\nb", &long] {
        assert!(
            added(&house, new(name, &path))
                .await
                .is_err_and(|text| text.contains("a name has"))
        );
    }
    for id in ["", "a b", "a:b", "a/b", "\u{e4}", &long] {
        let wish = NewClient {
            id: Some(id),
            ..new("n", &path)
        };
        assert!(
            added(&house, wish).await.is_err_and(|text| text.contains("an id is")),
            "{id}"
        );
    }
    let open = NewClient {
        id: Some("open"),
        ..new("n", &path)
    };
    assert!(added(&house, open).await.is_err_and(|text| text.contains("everybody")));
    assert!(added(&house, new("n", &path)).await.is_ok());
    assert!(
        added(&house, new("n", &path))
            .await
            .is_err_and(|text| text.contains("already"))
    );
}

#[tokio::test]
async fn scopes_are_looked_at_when_a_client_is_added() {
    let house = House::new().await;
    let path = file(&house, &Pair::RSA.set("a"));
    for scopes in [
        "",
        "system/Nothing.rs",
        "system/Patient.write",
        "system/Patient.rs?nonsense=1",
    ] {
        let wish = NewClient {
            scopes,
            ..new("n", &path)
        };
        assert!(
            added(&house, wish).await.is_err_and(|text| text.starts_with("scope: ")),
            "{scopes}"
        );
    }
}

#[tokio::test]
async fn keys_are_looked_at_when_a_client_is_added() {
    let house = House::new().await;
    for (text, told) in [
        (
            testing::set_of(&testing::public_only(testing::WEAK_RSA, "a")),
            "no key that can be used",
        ),
        (r#"{"keys":[]}"#.to_owned(), "no key that can be used"),
        ("-----BEGIN PUBLIC KEY-----".to_owned(), "no JSON object"),
    ] {
        let path = file(&house, &text);
        assert!(
            added(&house, new("n", &path))
                .await
                .is_err_and(|text| text.contains(told))
        );
    }
    assert!(
        added(&house, new("n", "no/such/file"))
            .await
            .is_err_and(|text| text.contains("cannot be read"))
    );
    for url in ["http://client.example/jwks", "file:///etc/passwd", ""] {
        assert!(
            added(&house, new("n", url))
                .await
                .is_err_and(|text| text.contains("keys are a file")),
            "{url}"
        );
    }
}

#[tokio::test]
async fn private_keys_are_warned_of() {
    let house = House::new().await;
    let mut key = Pair::RSA.public("a");
    key["d"] = "AQAB".into();
    let path = file(&house, &serde_json::json!({ "keys": [key] }).to_string());
    let added = added(&house, new("n", &path)).await.expect("added");
    assert!(added.warnings.iter().any(|text| text.contains("private keys")));
}

#[tokio::test]
async fn a_url_that_cannot_be_fetched_now_is_warned_of() {
    let house = House::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/jwks", listener.local_addr().expect("an address"));
    drop(listener);
    let added = added(&house, new("n", &url)).await.expect("added");
    assert!(added.warnings.iter().any(|text| text.contains("cannot be fetched now")));
    assert_eq!(added.client.jwks, url);
}
