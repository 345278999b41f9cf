//! The catalogue of real data (`FHIREHOSE_DATA`, a folder): what is kept of it gives the same as reading it.

use std::path::PathBuf;
use std::time::Instant;

use fhirehose_core::search::table::Registry;
use fhirehose_server::catalogue::Keeper;
use fhirehose_store::Time;

#[test]
fn what_was_kept_is_what_was_read() {
    let Some(data) = std::env::var_os("FHIREHOSE_DATA").map(PathBuf::from) else {
        eprintln!("skipped: FHIREHOSE_DATA is not set");
        return;
    };
    let state = tempfile::tempdir().expect("a folder");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let open = || Keeper::open(&data, state.path(), Registry::r4(), threads, Time(0), &|_, _| ()).expect("opens");
    let start = Instant::now();
    let read = open().current();
    eprintln!(
        "read with {threads} threads in {:?}; {}",
        start.elapsed(),
        most_memory()
    );
    let start = Instant::now();
    let keeper = open();
    eprintln!("known: {:?}", start.elapsed());
    let known = keeper.current();
    assert_eq!(known.files(), read.files());
    assert_eq!(known.types(), read.types());
    assert!(known.types().values().all(|facts| facts.resources > 0));
    assert!(known.patients().iter().eq(read.patients().iter()));
    assert!(known.groups().eq(read.groups()));
    let nothing = keeper.reload(Time(1)).expect("reloads");
    assert_eq!((nothing.changed, nothing.read), (false, 0));
    let bytes: u64 = known.types().values().map(|facts| facts.bytes).sum();
    eprintln!(
        "{} bytes of lines, {} stored, {} patients",
        bytes,
        known.bytes_stored(),
        known.patients().len()
    );
}

fn most_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.unwrap_or_default().to_owned()
}
