//! The store in one SQLite file, or in memory.
//!
//! Several processes may open one file. Each has one connection that writes, so that its own calls queue in memory and
//! not at the file's lock, and some that read, which never wait for a writer (WAL).

mod claim;
mod clients;
mod error;
mod files;
mod jobs;
mod row;
mod schema;
mod sweep;

use std::fs::File;
use std::future::ready;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection, Transaction};

use crate::{Error, Kind, Result};

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    busy: Duration,
    read_only: bool,
    readers: u32,
    max_pages: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            busy: Duration::from_secs(5),
            read_only: false,
            readers: 4,
            max_pages: None,
        }
    }
}

impl Options {
    /// For how long a call waits while another process writes, before it fails with [`Kind::Locked`]. Default: 5 s.
    pub fn busy(mut self, longest: Duration) -> Self {
        self.busy = longest;
        self
    }

    /// Opens what is there and writes nothing; calls that would write fail with [`Kind::ReadOnly`].
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// How many connections read. Default: 4.
    pub fn readers(mut self, count: u32) -> Self {
        self.readers = count.max(1);
        self
    }

    /// How large the file may become, in pages of 4 KiB; more fails with [`Kind::Full`]. Default: as large as the disk.
    pub fn max_pages(mut self, pages: u32) -> Self {
        self.max_pages = Some(pages);
        self
    }

    fn connection(&self) -> SqliteConnectOptions {
        let connection = SqliteConnectOptions::new()
            // A job that was accepted outlives a loss of power, which NORMAL would not promise in WAL mode.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(self.busy)
            // Kick-offs hold the ids of patients.
            .disable_statement_logging();
        match self.max_pages {
            Some(pages) => connection.pragma("max_page_count", pages.to_string()),
            None => connection,
        }
    }

    /// A pool whose connections live as long as it: one that is closed for being idle would take a database in memory
    /// with it.
    fn pool(&self, connections: u32) -> SqlitePoolOptions {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .acquire_timeout(self.busy + Duration::from_secs(5))
    }
}

/// Jobs and clients in SQLite. Needs a tokio runtime with its timer enabled. Clones share the connections.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    write: SqlitePool,
    read: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, makes it if there is none, and brings an older schema up to date. A new file can be read by its
    /// owner only.
    ///
    /// Fails, and leaves the file as it was, if the schema is [newer](Kind::Newer), if it is a database of [something
    /// else](Kind::Foreign) or [none at all](Kind::Corrupt).
    pub async fn open(path: &Path, options: &Options) -> Result<Self> {
        if !options.read_only {
            create(path)?;
        }
        let connection = options.connection().filename(path).read_only(options.read_only);
        prepare(path, &connection, options.read_only).await?;
        // SQLite ends a transaction by itself when the disk is full or fails. sqlx then still counts it as open, for as
        // long as the connection lives, and refuses the next one.
        let fit = |connection: &mut SqliteConnection| !connection.is_in_transaction();
        let write = options
            .pool(1)
            .before_acquire(move |connection, _| Box::pin(ready(Ok(fit(connection)))));
        let write = write.connect_with(connection.clone()).await?;
        let read = options
            .pool(options.readers)
            .connect_with(connection.read_only(true))
            .await?;
        Ok(SqliteStore { write, read })
    }

    /// Makes a store in memory, which is gone with its last clone. Its size has no limit.
    pub async fn in_memory(options: &Options) -> Result<Self> {
        let options = Options {
            max_pages: None,
            ..options.clone()
        };
        let connection = options.connection().in_memory(true).shared_cache(false);
        // Each connection would have a database of its own.
        let pool = options.pool(1).connect_with(connection).await?;
        let mut first = pool.acquire().await?;
        schema::migrate(&mut first).await?;
        drop(first);
        Ok(SqliteStore {
            write: pool.clone(),
            read: pool,
        })
    }

    /// Looks the whole file over; fails with [`Kind::Corrupt`] if it is damaged. Takes time with the size of the file.
    pub async fn check(&self) -> Result<()> {
        let mut connection = self.read.acquire().await?;
        let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(&mut *connection)
            .await?;
        if verdict != "ok" {
            return Err(Error::new(Kind::Corrupt, "the job store is damaged"));
        }
        let orphans = sqlx::query("PRAGMA foreign_key_check")
            .fetch_all(&mut *connection)
            .await?;
        if !orphans.is_empty() {
            return Err(Error::new(
                Kind::Corrupt,
                "the job store holds files of jobs that it does not hold",
            ));
        }
        Ok(())
    }

    /// Begins to write and changes nothing; fails as a call that writes would. SQLite opens a file that may not be written
    /// into all the same, and only says so then.
    pub async fn check_writing(&self) -> Result<()> {
        let mut change = self.begin().await?;
        sqlx::query("DELETE FROM secret WHERE name IS NULL")
            .execute(&mut *change)
            .await?;
        Ok(change.rollback().await?)
    }

    /// Closes the connections. A store that is dropped instead loses nothing.
    pub async fn close(self) {
        self.read.close().await;
        self.write.close().await;
    }

    /// A transaction that has the file's lock from its start, so that what it has read stays true until it commits.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.write.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// Makes an empty file that only its owner can read, if there is none: SQLite would leave that to the umask.
fn create(path: &Path) -> Result<()> {
    let mut file = File::options();
    file.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        file.mode(0o600);
    }
    match file.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::new(
            Kind::Access,
            format!("cannot create the job store: {error}"),
        )),
    }
}

/// Sees to it that the file has the present schema, in WAL mode.
async fn prepare(path: &Path, connection: &SqliteConnectOptions, read_only: bool) -> Result<()> {
    let mut first = connection.connect().await?;
    if schema::is_current(&mut first).await? {
        return Ok(first.close().await?);
    }
    if read_only {
        return Err(Error::new(
            Kind::Older,
            "the job store has an older schema: open it for writing once",
        ));
    }
    // The change to WAL cannot wait for the file's own lock: of two processes that create the file, one would fail.
    let lock = lock(path)?;
    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut first).await?;
    schema::migrate(&mut first).await?;
    drop(lock);
    Ok(first.close().await?)
}

/// The lock of those that create or upgrade; it goes with its process.
fn lock(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(PathBuf::from(name));
    file.and_then(|file| file.lock().map(|()| file))
        .map_err(|error| Error::new(Kind::Access, format!("cannot lock the job store: {error}")))
}
