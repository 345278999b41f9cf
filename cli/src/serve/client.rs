//! `fhirehose client`: who may ask the server for tokens.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use fhirehose_core::search::table::Registry;
use fhirehose_server::auth::clients::{self, Added, ClientFault, Credential, NewClient};
use fhirehose_server::serve::store_path;
use fhirehose_store::sqlite::{Options, SqliteStore};
use fhirehose_store::{Client, Time};

use super::args::{ClientAddArgs, ClientArgs, ClientCommand};
use super::resolve::version;
use crate::args::RegistryArgs;
use crate::exit::Exit;
use crate::messages::{self, Faults};
use crate::request;

/// Adds, lists or removes clients.
pub(crate) fn run(args: &ClientArgs) -> Exit {
    match &args.command {
        ClientCommand::Add(args) => add(args),
        ClientCommand::List(args) => list(&args.state),
        ClientCommand::Remove(args) => {
            let removed = with_store(&args.state.state, async |store| {
                clients::remove(&store, &args.client).await
            });
            done(removed, |client| format!("removed {} ({})\n", client.name, client.id))
        }
    }
}

fn add(args: &ClientAddArgs) -> Exit {
    let mut faults = Faults::default();
    let asked = RegistryArgs {
        fhir_version: version(args.fhir_version),
        search_parameters: Vec::new(),
    };
    let Some(registry) = request::registry(&asked, &mut faults) else {
        return faults.tell();
    };
    let added = with_store(&args.state.state, async |store| add_to(&store, args, &registry).await);
    done(added, |added| {
        for warning in &added.warnings {
            messages::note(format_args!("warning: {warning}"));
        }
        told(added)
    })
}

async fn add_to(store: &SqliteStore, args: &ClientAddArgs, registry: &Registry) -> Result<Added, ClientFault> {
    let new = NewClient {
        name: &args.name,
        id: args.id.as_deref(),
        credential: args.jwks.as_deref().map_or(Credential::Secret, Credential::Jwks),
        scopes: &args.scope,
    };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    clients::add(store, &new, registry, now).await
}

fn told(added: &Added) -> String {
    let client = &added.client;
    let mut text = format!(
        "client_id  {}\nname       {}\nscopes     {}\n",
        client.id, client.name, client.scopes
    );
    if let Some(secret) = &added.secret {
        text.push_str(&format!("secret     {secret}\nThe secret is not shown again.\n"));
    }
    text
}

fn list(state: &Path) -> Exit {
    let listed = with_store(state, async |store| clients::list(&store).await);
    done(listed, |clients| clients.iter().map(line).collect())
}

fn line(client: &Client) -> String {
    let credential = clients::credential(client);
    format!("{}\t{}\t{}\t{credential}\n", client.id, client.name, client.scopes)
}

/// What is wrong: with what was asked, or with the system.
enum Failed {
    Usage(String),
    Io(String),
}

/// Does something with the store of a state folder, which is made if it is not there.
fn with_store<T>(state: &Path, work: impl AsyncFnOnce(SqliteStore) -> Result<T, ClientFault>) -> Result<T, Failed> {
    let told = |error: std::io::Error| Failed::Io(format!("cannot use {}: {error}", state.display()));
    fhirehose_server::serve::make_state(state).map_err(told)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(told)?;
    runtime.block_on(async {
        let path = store_path(state);
        let store = SqliteStore::open(&path, &Options::default()).await;
        let store = store.map_err(|error| Failed::Io(format!("{}: {error}", path.display())))?;
        work(store).await.map_err(|fault| match fault {
            ClientFault::Store(_) | ClientFault::Random => Failed::Io(fault.to_string()),
            _ => Failed::Usage(fault.to_string()),
        })
    })
}

fn done<T>(result: Result<T, Failed>, told: impl FnOnce(&T) -> String) -> Exit {
    match result {
        Ok(value) => crate::print::print(told(&value).as_bytes()),
        Err(Failed::Usage(text)) => {
            messages::error(text);
            Exit::Usage
        }
        Err(Failed::Io(text)) => {
            messages::error(text);
            Exit::Io
        }
    }
}
