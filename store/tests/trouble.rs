//! Files that are not as they should be: each gives its own clear error, and is left as it was.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fhirehose_store::sqlite::{Options, SqliteStore};
use fhirehose_store::{Asker, Bounds, Error, JobStore, Kind, NewJob, Submitted, Time};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tempfile::TempDir;

const MANY: Bounds = Bounds {
    queued: 100_000,
    per_owner: 100_000,
};

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

fn impatient() -> Options {
    Options::default().busy(Duration::ZERO)
}

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .connect()
        .await
        .unwrap()
}

async fn raw_do(path: &Path, sql: &'static str) {
    let mut connection = raw(path).await;
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn job(id: &str, kick_off: String) -> NewJob {
    NewJob {
        id: id.to_owned(),
        owner: "me".to_owned(),
        profile: "ig".to_owned(),
        url: "http://localhost/$export".to_owned(),
        kick_off,
        transaction_time: Time(0),
    }
}

async fn submit(store: &SqliteStore, id: &str) -> Result<Submitted, Error> {
    store
        .submit(&job(id, "Patient/secret-name".to_owned()), MANY, Time(0))
        .await
}

/// A folder with a store in which `a` waits, closed.
async fn with_one_job() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let store = SqliteStore::open(&path, &Options::default()).await.unwrap();
    assert_eq!(submit(&store, "a").await.unwrap(), Submitted::Accepted);
    store.close().await;
    (folder, path)
}

/// The error is of that kind, has a text that a person can read, and does not tell what is stored.
fn is<T>(answer: Result<T, Error>, kind: Kind) {
    let Err(error) = answer else {
        panic!("no error, where {kind:?} was expected")
    };
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    assert!(
        text.len() > 10 && !text.ends_with('.') && !text.contains("secret-name"),
        "{text}"
    );
}

/// Opening fails with that kind, also for reading only, and the file's bytes are as before.
async fn refused(path: &Path, kind: Kind) {
    let before = std::fs::read(path).unwrap();
    is(SqliteStore::open(path, &impatient()).await, kind);
    is(SqliteStore::open(path, &impatient().read_only()).await, kind);
    assert_eq!(std::fs::read(path).unwrap(), before);
}

#[test]
fn newer_schema_is_refused() {
    run(async {
        let (_folder, path) = with_one_job().await;
        raw_do(&path, "PRAGMA user_version = 2").await;
        refused(&path, Kind::Newer).await;
        raw_do(&path, "PRAGMA user_version = 1").await;
        let store = SqliteStore::open(&path, &impatient()).await.unwrap();
        assert!(store.get("a", Asker::Server).await.unwrap().is_some());
    });
}

#[test]
fn database_of_something_else_is_refused() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.db");
        raw_do(&path, "CREATE TABLE job (id TEXT)").await;
        refused(&path, Kind::Foreign).await;
        raw_do(&path, "PRAGMA application_id = 77; PRAGMA user_version = 1").await;
        refused(&path, Kind::Foreign).await;
    });
}

#[test]
fn file_that_is_no_database_is_refused() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "not a database, and longer than its header is. ".repeat(100)).unwrap();
        refused(&path, Kind::Corrupt).await;
    });
}

#[test]
fn damaged_file_is_told() {
    run(async {
        let (_folder, path) = with_one_job().await;
        let mut bytes = std::fs::read(&path).unwrap();
        // All pages but the first, which holds the schema.
        bytes[4096..].fill(0xa5);
        std::fs::write(&path, bytes).unwrap();
        let store = SqliteStore::open(&path, &impatient()).await.unwrap();
        is(store.check().await, Kind::Corrupt);
        is(store.get("a", Asker::Server).await, Kind::Corrupt);
        is(submit(&store, "b").await, Kind::Corrupt);
    });
}

#[test]
fn locked_file_is_told_and_works_afterwards() {
    run(async {
        let (_folder, path) = with_one_job().await;
        let store = SqliteStore::open(&path, &impatient()).await.unwrap();
        let mut other = raw(&path).await;
        let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
        is(submit(&store, "b").await, Kind::Locked);
        is(store.expire(Time(0), 9).await, Kind::Locked);
        assert!(
            store.get("a", Asker::Server).await.unwrap().is_some(),
            "reading does not wait for a writer"
        );
        SqliteStore::open(&path, &impatient())
            .await
            .expect("opening does not write");
        lock.rollback().await.unwrap();
        assert_eq!(submit(&store, "b").await.unwrap(), Submitted::Accepted);
    });
}

#[test]
fn store_opened_for_reading_is_not_written() {
    run(async {
        let (_folder, path) = with_one_job().await;
        let store = SqliteStore::open(&path, &impatient().read_only()).await.unwrap();
        assert!(store.get("a", Asker::Server).await.unwrap().is_some());
        assert_eq!(store.list(Asker::Server, 9).await.unwrap().len(), 1);
        is(submit(&store, "b").await, Kind::ReadOnly);
        is(store.expire(Time(0), 9).await, Kind::ReadOnly);
        is(store.check_writing().await, Kind::ReadOnly);
    });
}

#[test]
fn empty_file_is_made_a_store_only_for_writing() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        std::fs::write(&path, "").unwrap();
        is(SqliteStore::open(&path, &impatient().read_only()).await, Kind::Older);
        let store = SqliteStore::open(&path, &impatient()).await.unwrap();
        assert_eq!(submit(&store, "a").await.unwrap(), Submitted::Accepted);
        store.close().await;
        SqliteStore::open(&path, &impatient().read_only()).await.unwrap();
    });
}

#[test]
fn full_store_is_told_and_works_afterwards() {
    run(async {
        let (_folder, path) = with_one_job().await;
        let store = SqliteStore::open(&path, &impatient().max_pages(40)).await.unwrap();
        let large = job("large", "x".repeat(1 << 20));
        for small in ["b", "c", "d"] {
            is(store.submit(&large, MANY, Time(0)).await, Kind::Full);
            assert_eq!(store.get("large", Asker::Server).await.unwrap(), None);
            assert_eq!(submit(&store, small).await.unwrap(), Submitted::Accepted);
        }
        store.check().await.unwrap();
    });
}

#[test]
fn places_that_cannot_be_opened() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        is(
            SqliteStore::open(&folder.path().join("missing/jobs.db"), &impatient()).await,
            Kind::Access,
        );
        is(
            SqliteStore::open(&folder.path().join("missing.db"), &impatient().read_only()).await,
            Kind::Access,
        );
        is(SqliteStore::open(folder.path(), &impatient()).await, Kind::Access);
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "nothing is left behind"
        );
    });
}

#[test]
fn numbers_too_large_for_sqlite_are_refused() {
    use fhirehose_store::{Lease, Progress};
    run(async {
        let store = SqliteStore::in_memory(&Options::default()).await.unwrap();
        let lease = Lease {
            job: "a".to_owned(),
            attempt: 1,
            holder: String::new(),
        };
        let progress = Progress {
            done: u64::MAX,
            total: 1,
        };
        is(
            store.heartbeat(&lease, progress, Duration::from_secs(1), Time(0)).await,
            Kind::Invalid,
        );
        is(
            store
                .heartbeat(&lease, Progress::default(), Duration::MAX, Time(i64::MAX))
                .await,
            Kind::Lost,
        );
    });
}

#[cfg(unix)]
#[test]
fn only_the_owner_reads_the_files() {
    use std::os::unix::fs::PermissionsExt;
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("jobs.db"), &Options::default())
            .await
            .unwrap();
        assert_eq!(submit(&store, "a").await.unwrap(), Submitted::Accepted);
        let mut held = 0;
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            if entry.metadata().unwrap().len() > 0 {
                assert_eq!(mode, 0o600, "{}", entry.path().display());
                held += 1;
            }
        }
        assert!(held >= 2, "the file and its log");
    });
}
