//! `fhirehose serve`: settings, logs, signals, and one line when it is ready.

use fhirehose_server::serve::{Ready, ServeError, Settings, serve};

use super::args::ServeArgs;
use super::{config, logs, resolve};
use crate::exit::Exit;
use crate::messages::{self, Faults};

/// Serves until a signal says to stop.
pub(crate) fn run(args: &ServeArgs) -> Exit {
    let mut options = args.options.clone();
    if let Some(path) = &args.config {
        match config::read(path) {
            Ok(file) => options = config::join(options, file),
            Err(text) => {
                messages::error(text);
                return Exit::Usage;
            }
        }
    }
    let options = config::join(options, config::defaults());
    if args.print_config {
        let printed = toml::to_string(&options).unwrap_or_default();
        return crate::print::print(printed.as_bytes());
    }
    let mut faults = Faults::default();
    let Some(settings) = resolve::settings(&options, &mut faults) else {
        return faults.tell();
    };
    let (Some(format), Some(level)) = (options.log, options.log_level) else {
        return faults.tell();
    };
    if let Err(error) =
        std::fs::create_dir_all(&settings.state).and_then(|()| logs::begin(format, level, &settings.state))
    {
        messages::error(format_args!("cannot write into {}: {error}", settings.state.display()));
        return Exit::Io;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            messages::error(format_args!("cannot start threads: {error}"));
            return Exit::Io;
        }
    };
    match runtime.block_on(until_stopped(settings)) {
        Ok(()) => Exit::Done,
        Err(error @ ServeError::Setting(_)) => {
            messages::error(error);
            Exit::Usage
        }
        Err(error) => {
            messages::error(error);
            Exit::Io
        }
    }
}

async fn until_stopped(settings: Settings) -> Result<(), ServeError> {
    let is_open = settings.is_open;
    let state = settings.state.display().to_string();
    let ready = |ready: &Ready| {
        if let Some(text) = &ready.store {
            messages::note(format_args!("warning: {text}"));
        }
        if !is_open && ready.clients == 0 {
            messages::note(format_args!(
                "note: no client may ask for anything yet; add one: fhirehose client add NAME --jwks FILE --scope 'system/*.read' --state {state}"
            ));
        }
        messages::note(format_args!("listening on {} (FHIR base {})", ready.url, ready.base));
    };
    // From here on, so that whoever sees the server ready can stop it in order.
    let stopped = stopped();
    serve(settings, ready, stopped).await
}

/// Ready when somebody asks the process to end. Listens from the call on, not only when it is awaited.
#[cfg(unix)]
fn stopped() -> impl Future<Output = ()> + Send + 'static {
    use tokio::signal::unix::{Signal, SignalKind, signal};
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(|kind| signal(kind).ok());
    async fn received(signal: Option<Signal>) {
        match signal {
            Some(mut signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
    let [terminate, interrupt] = signals;
    async {
        tokio::select! {
            () = received(terminate) => {}
            () = received(interrupt) => {}
        }
    }
}

/// Ready when somebody asks the process to end.
#[cfg(not(unix))]
fn stopped() -> impl Future<Output = ()> + Send + 'static {
    async {
        let _ = tokio::signal::ctrl_c().await;
    }
}
