//! Clients, their assertions, and secrets.

use super::at;
use crate::{Client, Kind, Secret, Store};

fn client(id: &str, name: &str) -> Client {
    Client {
        id: id.to_owned(),
        name: name.to_owned(),
        jwks: "https://example.org/jwks.json".to_owned(),
        scopes: "system/Observation.rs?category=laboratory system/Patient.read".to_owned(),
        added: at(4),
    }
}

pub(super) async fn clients_are_added_listed_removed(store: &dyn Store) {
    assert_eq!(store.clients().await.unwrap(), []);
    assert_eq!(store.client("2").await.unwrap(), None);
    store.add_client(&client("1", "zebra")).await.unwrap();
    store.add_client(&client("2", "ape")).await.unwrap();
    assert_eq!(
        store.clients().await.unwrap(),
        [client("2", "ape"), client("1", "zebra")]
    );
    assert_eq!(store.client("2").await.unwrap(), Some(client("2", "ape")));
    assert!(store.remove_client("2").await.unwrap());
    assert!(!store.remove_client("2").await.unwrap());
    assert_eq!(store.clients().await.unwrap(), [client("1", "zebra")]);
    store.add_client(&client("2", "ape")).await.unwrap();
}

pub(super) async fn client_names_are_unique(store: &dyn Store) {
    store.add_client(&client("1", "ape")).await.unwrap();
    for taken in [client("1", "zebra"), client("2", "ape")] {
        assert_eq!(store.add_client(&taken).await.unwrap_err().kind(), Kind::Exists);
    }
    assert_eq!(store.clients().await.unwrap(), [client("1", "ape")]);
}

pub(super) async fn assertion_is_used_once(store: &dyn Store) {
    assert!(store.use_jti("a", "x", at(300), at(0)).await.unwrap());
    assert!(!store.use_jti("a", "x", at(300), at(0)).await.unwrap());
    assert!(
        !store.use_jti("a", "x", at(900), at(299)).await.unwrap(),
        "whatever end the second one claims"
    );
    assert!(
        store.use_jti("b", "x", at(300), at(1)).await.unwrap(),
        "each client names its own"
    );
    assert!(store.use_jti("a", "X", at(300), at(1)).await.unwrap());
}

pub(super) async fn assertion_is_forgotten_at_its_end(store: &dyn Store) {
    assert!(store.use_jti("a", "x", at(300), at(0)).await.unwrap());
    assert!(store.use_jti("a", "x", at(600), at(300)).await.unwrap());
    assert!(!store.use_jti("a", "x", at(600), at(301)).await.unwrap());
}

pub(super) async fn secret_is_made_once(store: &dyn Store) {
    let [first, second] = [Secret(vec![0, 1, 255]), Secret(vec![9; 64])];
    assert_eq!(store.secret("url", &first).await.unwrap(), first);
    assert_eq!(store.secret("url", &second).await.unwrap(), first);
    assert_eq!(store.secret("token", &second).await.unwrap(), second);
    store.replace_secret("url", &second).await.unwrap();
    assert_eq!(store.secret("url", &first).await.unwrap(), second);
    assert_eq!(format!("{first:?}"), "Secret(3 bytes)");
}
