//! The conformance suite and the comparison with the model: over SQLite in a file, in memory, and over the model itself.

use fhirehose_store::conformance::{Model, cases, compare};
use fhirehose_store::sqlite::{Options, SqliteStore};

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

/// How many cases there are, so that one which is no longer in the table is missed.
const CASES: usize = 47;

#[test]
fn cases_over_a_file() {
    let mut passed = 0;
    for (name, case) in cases() {
        let folder = tempfile::tempdir().unwrap();
        run(async {
            println!("case {name}");
            let store = SqliteStore::open(&folder.path().join("jobs.db"), &Options::default())
                .await
                .unwrap();
            case(&store).await;
            store.check().await.unwrap();
            passed += 1;
        });
    }
    assert_eq!(passed, CASES);
}

#[test]
fn cases_in_memory() {
    run(async {
        for (name, case) in cases() {
            println!("case {name}");
            case(&SqliteStore::in_memory(&Options::default()).await.unwrap()).await;
        }
    });
}

#[test]
fn cases_over_the_model() {
    run(async {
        for (name, case) in cases() {
            println!("case {name}");
            case(&Model::default()).await;
        }
    });
}

#[test]
fn random_operations_over_a_file() {
    for seed in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        run(async {
            let store = SqliteStore::open(&folder.path().join("jobs.db"), &Options::default())
                .await
                .unwrap();
            compare(&store, 1000 + seed, 250).await;
            store.check().await.unwrap();
        });
    }
}

#[test]
fn random_operations_in_memory() {
    for seed in 0..20 {
        run(async {
            let store = SqliteStore::in_memory(&Options::default()).await.unwrap();
            compare(&store, seed, 600).await;
        });
    }
}
