//! A server from its settings: everything is opened and checked, then it listens until it is told to stop.

use std::fs::{self, File, TryLockError};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fhirehose_native::codec_out::Compression;
use fhirehose_store::sqlite::{Options, SqliteStore};
use fhirehose_store::{JobStore as _, Kind, Secret, Store, Time};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;

use crate::app::{App, Rules, StoreState};
use crate::auth::{self, Authority};
use crate::browser::Site;
use crate::catalogue::{Keeper, Watch};
use crate::files::Signer;
use crate::handlers::here::is_of_this_machine;
use crate::net::{self, Limits};
use crate::offer::Offer;
use crate::origins::Origins;
use crate::outputs::Outputs;
use crate::page::Streams;
use crate::random;
use crate::routes::routes;
use crate::runner::{self, Clock};

/// Everything that a server is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of NDJSON.
    pub data: PathBuf,
    /// Where jobs, clients, secrets and what is known of the data are kept; made if it is not there.
    pub state: PathBuf,
    /// Where files of jobs are kept; `None`: in the state folder.
    pub jobs: Option<PathBuf>,
    /// The address to listen at; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// The path of the FHIR base, as `/fhir`; may be empty.
    pub base_path: String,
    /// The FHIR base as clients see it; `None`: by the address.
    pub public_url: Option<String>,
    /// What is offered. Its `public_base` is filled in here.
    pub offer: Offer,
    /// No authorization; on loopback only.
    pub is_open: bool,
    /// Pages of which other origins may ask the FHIR routes.
    pub origins: Origins,
    /// The folder of a built demo page; `None`: the one in the program, if any.
    pub browser_page: Option<PathBuf>,
    /// Certificate chain and key, PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// HTTP without TLS beyond this machine: a proxy does TLS.
    pub is_insecure: bool,
    /// How long results are kept; `None`: as the profile says.
    pub expires: Option<Duration>,
    /// Jobs that run at the same time.
    pub max_running: NonZeroUsize,
    /// Jobs that may wait.
    pub max_queued: u32,
    /// Threads of each job.
    pub threads: NonZeroUsize,
    /// How files are stored.
    pub compression: Compression,
    /// When a file is full, beside what profile and kick-off say.
    pub limits: fhirehose_core::partition::Limits,
    /// Most files of a page of a manifest.
    pub page: NonZeroUsize,
    /// The same where a client takes pages while the job runs.
    pub partial_page: NonZeroUsize,
    /// Read the data anew when they change.
    pub watches: bool,
    /// How long running requests may take to end when the server stops.
    pub grace: Duration,
}

/// Why a server does not start, or ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The settings make no sense, or would be unsafe.
    Setting(String),
    /// Another server works in the state folder.
    InUse(PathBuf),
    /// The data cannot be read.
    Data(crate::catalogue::CatalogueError),
    /// A file, folder or socket: what was done to it, and what the system said.
    Io(String, io::Error),
    /// The store cannot be opened.
    Store(fhirehose_store::Error),
    /// Something that cannot fail did.
    Internal(String),
}

impl std::fmt::Display for ServeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ServeError::Setting(text) | ServeError::Internal(text) => f.write_str(text),
            ServeError::InUse(path) => write!(f, "{}: another server works in this state folder", path.display()),
            ServeError::Data(error) => write!(f, "{error}"),
            ServeError::Io(what, error) => write!(f, "{what}: {error}"),
            ServeError::Store(error) => write!(f, "the store of jobs: {error}"),
        }
    }
}

impl std::error::Error for ServeError {}

fn io_error(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> ServeError {
    move |error| ServeError::Io(what.to_string(), error)
}

/// What a server that has started tells.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Where people look: the page.
    pub url: String,
    /// The FHIR base.
    pub base: String,
    /// Clients that may ask for tokens; none are needed in open mode.
    pub clients: usize,
    /// What is wrong with the store, where it can only be read or not at all.
    pub store: Option<String>,
}

/// Serves until `shutdown` is ready.
///
/// # Errors
/// What keeps the server from starting, or ended it.
pub async fn serve(
    settings: Settings,
    ready: impl FnOnce(&Ready),
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    check(&settings)?;
    let _lock = take_state(&settings.state)?;
    let tls = settings
        .tls
        .as_ref()
        .map(|(cert, key)| net::tls::load(cert, key))
        .transpose();
    let tls = tls.map_err(|error| ServeError::Setting(error.to_string()))?;
    let listener = TcpListener::bind(settings.listen).await;
    let listener = listener.map_err(io_error(format_args!("cannot listen at {}", settings.listen)))?;
    let address = listener.local_addr().map_err(io_error("cannot listen"))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}");
    let base = settings.public_url.clone();
    let base = base.unwrap_or_else(|| format!("{url}{}", settings.base_path));
    let figures = PrometheusBuilder::new().install_recorder();
    let figures = figures.map_err(|error| ServeError::Internal(format!("metrics: {error}")))?;
    let (app, watching) = build(&settings, base.clone()).await?;
    let clients = app.store.clients().await.map(|clients| clients.len()).unwrap_or(0);
    ready(&Ready {
        url,
        base,
        clients,
        store: app.rules.store.told(),
    });
    let limits = Limits {
        drain_time: settings.grace,
        ..Limits::default()
    };
    let router = routes(app.clone(), &settings.base_path, figures);
    let shutdown = Streams::close_after(app.clone(), shutdown);
    let served = net::serve(listener, tls, router, limits, shutdown).await;
    drop(watching);
    if let Some(runner) = &app.runner {
        runner.stop(settings.grace).await;
    }
    served.map_err(io_error("cannot serve"))
}

/// What would be unsafe is refused before anything is touched.
fn check(settings: &Settings) -> Result<(), ServeError> {
    let is_local = settings.listen.ip().is_loopback();
    let told = |text: &str| Err(ServeError::Setting(text.to_owned()));
    if settings.is_open && !is_local {
        return told("--open gives everything to everybody who can connect; it is allowed on a loopback address only");
    }
    if settings.tls.is_none() && !is_local && !settings.is_insecure {
        return told(
            "without TLS tokens and records can be read on the way; give --tls-cert and --tls-key, or --insecure if a proxy does TLS",
        );
    }
    if settings.public_url.is_none() && settings.listen.ip().is_unspecified() {
        return told(
            "--public-url: at this address the server does not know what clients call it; give the FHIR base as they see it",
        );
    }
    if settings.is_open
        && settings
            .public_url
            .as_deref()
            .is_some_and(|url| !is_of_this_machine(url))
    {
        return told(
            "--open gives everything to everybody who can connect; with it --public-url can be a loopback address only",
        );
    }
    if settings.is_open && settings.origins == Origins::Any {
        return told(
            "--open gives everything to everybody who can connect; with it --browser-origin has to name the origins, `*` would be every page in a browser on this machine",
        );
    }
    let path = &settings.base_path;
    let has_dots = path.split('/').any(|part| part == "." || part == "..");
    let is_path = path.is_empty() || (path.starts_with('/') && !path.ends_with('/') && !path.contains("//"));
    if !is_path
        || has_dots
        || !path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte))
    {
        return told("--base-path: expected something like /fhir, of A-Z a-z 0-9 - . _ ~ and /");
    }
    let is_url = |url: &String| url.starts_with("http://") || url.starts_with("https://");
    if settings
        .public_url
        .as_ref()
        .is_some_and(|url| !is_url(url) || url.contains(['?', '#', ' ']))
    {
        return told("--public-url: expected the FHIR base as clients see it, as in https://ehr.example.org/fhir");
    }
    Ok(())
}

/// Makes the state folder, for its owner only.
///
/// # Errors
/// The system says no.
pub fn make_state(state: &Path) -> io::Result<()> {
    // One that somebody else made is left as it is; what is secret in it is so by itself.
    let is_new = !state.exists();
    fs::create_dir_all(state)?;
    #[cfg(unix)]
    if is_new {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(state, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Locks the state folder as long as the server runs.
fn take_state(state: &Path) -> Result<File, ServeError> {
    let lock = make_state(state).and_then(|()| File::create(state.join("lock")));
    let lock = lock.map_err(io_error(format_args!("cannot use {}", state.display())))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(ServeError::InUse(state.to_owned())),
        Err(TryLockError::Error(error)) => Err(ServeError::Io(format!("cannot lock {}", state.display()), error)),
    }
}

/// Where the store of a state folder is.
#[must_use]
pub fn store_path(state: &Path) -> PathBuf {
    state.join("jobs.db")
}

/// The store, or as much of it as can be had: a server that cannot take jobs still gives out what there is.
async fn open_store(state: &Path) -> Result<(SqliteStore, StoreState), ServeError> {
    let path = store_path(state);
    let told = |error: &fhirehose_store::Error| format!("{}: {error}", path.display());
    let error = match SqliteStore::open(&path, &Options::default()).await {
        Ok(store) => match look_over(&store).await {
            Ok(None) => return Ok((store, StoreState::Whole)),
            Ok(Some(error)) => return Ok((store, StoreState::ReadOnly(told(&error)))),
            Err(error) => error,
        },
        Err(error) => error,
    };
    let told = told(&error);
    match error.kind() {
        Kind::Locked | Kind::ReadOnly | Kind::Full | Kind::Access => {
            if let Ok(store) = SqliteStore::open(&path, &Options::default().read_only()).await {
                return Ok((store, StoreState::ReadOnly(told)));
            }
        }
        Kind::Corrupt | Kind::Io => {}
        // Of another version, or of another program: not ours to go around.
        _ => return Err(ServeError::Store(error)),
    }
    let nothing = SqliteStore::in_memory(&Options::default())
        .await
        .map_err(ServeError::Store)?;
    Ok((nothing, StoreState::Gone(told)))
}

/// What is wrong with a store of which something can be read. Nothing is written into what is damaged.
///
/// One that others have locked is free again some time, and whole then.
async fn look_over(store: &SqliteStore) -> fhirehose_store::Result<Option<fhirehose_store::Error>> {
    match store.check().await {
        Ok(()) => {}
        Err(error) if error.kind() == Kind::Corrupt && store.tally().await.is_ok() => return Ok(Some(error)),
        Err(error) => return Err(error),
    }
    let written = store.check_writing().await;
    Ok(written.err().filter(|error| error.kind() == Kind::ReadOnly))
}

/// The time of the system.
fn system_clock() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

pub(crate) async fn build(settings: &Settings, base: String) -> Result<(Arc<App>, Option<Watch>), ServeError> {
    let clock: Clock = Arc::new(system_clock);
    let (sqlite, store_state) = open_store(&settings.state).await?;
    let store: Arc<dyn Store> = Arc::new(sqlite);
    let keeper = {
        let (data, state) = (settings.data.clone(), settings.state.clone());
        let (registry, threads, now) = ((*settings.offer.registry).clone(), settings.threads.get(), clock());
        let open = move || Keeper::open(&data, &state, registry, threads, now, &|_, _| {});
        tokio::task::spawn_blocking(open).await
    };
    let keeper = keeper.map_err(|_| ServeError::Internal("a fault while the data were read".to_owned()))?;
    let keeper = Arc::new(keeper.map_err(ServeError::Data)?);
    let jobs = settings.jobs.clone().unwrap_or_else(|| settings.state.join("jobs"));
    let outputs = Outputs::open(&jobs);
    let outputs = outputs.map_err(|error| ServeError::Internal(format!("cannot use {}: {error}", jobs.display())))?;
    let outputs = Arc::new(outputs);
    let offer = Arc::new(Offer {
        public_base: base,
        ..settings.offer.clone()
    });
    let secret = secret(&*store, "file-urls", &store_state).await?;
    let base = offer.public_base.trim_end_matches('/');
    let authority = Authority::new(
        store.clone(),
        offer.registry.clone(),
        auth::Settings {
            oracle: offer.profile.has_oracle_scopes,
            open: settings.is_open,
            issuer: base.to_owned(),
            token_url: format!("{base}/auth/token"),
        },
    );
    let mut setting = runner::Setting::new(
        store.clone(),
        outputs.clone(),
        keeper.clone(),
        offer.clone(),
        clock.clone(),
        holder()?,
    );
    setting.threads = settings.threads.get();
    setting.max_running = settings.max_running.get();
    setting.compression = settings.compression;
    setting.limits = settings.limits;
    setting.expires = settings.expires;
    let runner = match store_state {
        StoreState::Whole => Some(runner::Runner::start(setting)),
        // Nothing can be claimed or settled.
        _ => None,
    };
    let watching = settings.watches.then(|| watch(&keeper, clock.clone())).flatten();
    let app = App {
        offer,
        rules: Rules {
            is_open: settings.is_open,
            is_proxied: settings.public_url.is_some() || settings.is_insecure,
            most_queued: settings.max_queued,
            page: settings.page,
            partial_page: settings.partial_page,
            origins: settings.origins.clone(),
            store: store_state,
        },
        authority,
        store,
        keeper,
        outputs,
        runner,
        signer: Signer::new(&secret.0),
        polls: crate::polling::Polls::default(),
        judging: tokio::sync::Semaphore::new(settings.threads.get().max(2)),
        remembered: crate::job::facts::Remembered::default(),
        streams: Streams::default(),
        browser: browser_page(settings.browser_page.as_deref())?,
        clock,
    };
    Ok((Arc::new(app), watching))
}

/// The demo page.
fn browser_page(folder: Option<&Path>) -> Result<Site, ServeError> {
    let Some(folder) = folder else {
        return Ok(Site::embedded());
    };
    Site::read(folder).map_err(|error| ServeError::Setting(format!("--browser-page: {}: {error}", folder.display())))
}

/// How long the data has to be left alone before it is read anew.
const QUIET: Duration = Duration::from_secs(2);

/// Reads the data anew when it changes. Where the system does not tell, it has to be asked for.
fn watch(keeper: &Arc<Keeper>, clock: Clock) -> Option<Watch> {
    let told = |reloaded: Result<crate::catalogue::Reloaded, crate::catalogue::CatalogueError>| match reloaded {
        Ok(reloaded) if reloaded.changed => tracing::info!(files = reloaded.files, "the data was read anew"),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the data cannot be read anew; what was read before stays"),
    };
    match keeper.watch(QUIET, move || clock(), told) {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::warn!(%error, "changes of the data are not told; ask with POST /admin/reload");
            None
        }
    }
}

/// The secret of that name; one of the moment where the store keeps none.
async fn secret(store: &dyn Store, name: &str, state: &StoreState) -> Result<Secret, ServeError> {
    let mut bytes = vec![0; 32];
    getrandom::fill(&mut bytes).map_err(|error| ServeError::Internal(format!("no random numbers: {error}")))?;
    let fresh = Secret(bytes);
    match store.secret(name, &fresh).await {
        Err(_) if !matches!(state, StoreState::Whole) => Ok(fresh),
        found => found.map_err(ServeError::Store),
    }
}

/// A name that no other start of any server has.
fn holder() -> Result<String, ServeError> {
    let random = random::hex::<8>();
    let random = random.map_err(|error| ServeError::Internal(format!("no random numbers: {error}")))?;
    Ok(format!("{}-{random}", std::process::id()))
}
