//! What the tests share: data, a store in a file, a runner over them, and a gate that jobs wait at.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use fhirehose_core::cohort::{GroupError, Groups, Resolved};
use fhirehose_core::ids::IdSet;
use fhirehose_core::scan::json::Json;
use fhirehose_core::search::kind::date::Nanos;
use fhirehose_core::search::table::Registry;
use fhirehose_native::inputs::InputPlace;
use fhirehose_store::sqlite::{Options, SqliteStore};
use fhirehose_store::{Asker, Bounds, Job, JobStore, Listing, NewJob, StoredFile, Submitted, Time};
use fhirehose_synth::{DirSink, generate};

use super::super::{Data, Runner, RunnerHandle, Setting, Snapshot};
use crate::access::Reach;
use crate::job::order::Order;
use crate::kickoff::{self, Call, Door};
use crate::offer::{Offer, instant};
use crate::outputs::Outputs;
use crate::profile::{self, Method};

/// The time at which every test begins.
pub(super) const START: Time = Time(1_790_000_000_000);

/// Where jobs wait before they read anything.
#[derive(Default)]
pub(super) struct Gate {
    pub(super) began: Option<tokio::sync::mpsc::UnboundedSender<()>>,
    pub(super) go: Option<mpsc::Receiver<()>>,
}

/// Files in a folder.
pub(super) struct Files {
    pub(super) inputs: Mutex<Vec<InputPlace>>,
    pub(super) changed: Mutex<Option<String>>,
    pub(super) panics: Mutex<bool>,
    pub(super) gate: Mutex<Gate>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct View(Arc<Files>);

/// All data of a test, as `Arc<dyn Data>`.
struct Source(Arc<Files>);

impl Data for Source {
    fn snapshot(&self, _: Time) -> Result<Arc<dyn Snapshot>, String> {
        Ok(Arc::new(View(self.0.clone())))
    }
}

impl View {
    fn lines(&self, name: &str) -> Vec<Vec<u8>> {
        let is_of = |place: &InputPlace| match place {
            InputPlace::File(path) => path.ends_with(name).then(|| path.clone()),
            InputPlace::Stdin => None,
        };
        let paths: Vec<PathBuf> = lock(&self.0.inputs).iter().filter_map(is_of).collect();
        let bytes = paths.iter().flat_map(|path| fs::read(path).expect("reads"));
        let bytes: Vec<u8> = bytes.collect();
        bytes
            .split_inclusive(|&byte| byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect()
    }
}

impl Snapshot for View {
    fn inputs(&self) -> Vec<InputPlace> {
        assert!(!*lock(&self.0.panics), "the test wants it");
        let gate = std::mem::take(&mut *lock(&self.0.gate));
        let Gate { began, go } = gate;
        // Whoever comes next finds the gate as it was.
        if let (Some(began), Some(go)) = (began, go) {
            *lock(&self.0.gate) = Gate {
                began: Some(began.clone()),
                go: None,
            };
            let _ = began.send(());
            let _ = go.recv();
        }
        lock(&self.0.inputs).clone()
    }

    fn resolve(&self, group: &str, at: Nanos, base: Option<&str>) -> Result<Resolved, GroupError> {
        let mut groups = Groups::new(at, base);
        self.lines("Group.ndjson").iter().for_each(|line| groups.add(line));
        groups.resolve(group)
    }

    fn patients(&self) -> Arc<IdSet> {
        let mut ids = IdSet::default();
        for line in self.lines("Patient.ndjson") {
            let id = Json::new(line.trim_ascii()).get("id").and_then(Json::text);
            ids.insert(id.expect("an id").decode().as_bytes());
        }
        Arc::new(ids)
    }

    fn unknown_patients(&self, ids: &[String]) -> Vec<String> {
        let known = self.patients();
        ids.iter()
            .filter(|id| !known.contains(id.as_bytes()))
            .cloned()
            .collect()
    }

    fn changed(&self) -> Option<String> {
        lock(&self.0.changed).clone()
    }

    fn fingerprint(&self) -> String {
        lock(&self.0.changed).clone().unwrap_or_default()
    }

    fn bytes_stored(&self) -> u64 {
        1000
    }
}

pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) store: Arc<SqliteStore>,
    pub(super) outputs: Arc<Outputs>,
    pub(super) files: Arc<Files>,
    pub(super) clock: Arc<AtomicI64>,
    offer: Arc<Offer>,
    starts: AtomicU64,
}

/// A test over a world, on a runtime as a server has it.
pub(super) fn run<F: AsyncFnOnce(World)>(test: F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        test(World::new().await).await;
    });
}

impl World {
    async fn new() -> World {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        fs::create_dir_all(&data).expect("a folder");
        let mut sink = DirSink::create(&data).expect("a folder");
        generate(&fhirehose_synth::Options::new(12, 7), &mut sink).expect("writes");
        sink.finish().expect("writes");
        let ids = ids(&data);
        let member = |id: &String| format!(r#"{{"entity":{{"reference":"Patient/{id}"}}}}"#);
        let members: Vec<String> = ids[..5].iter().map(member).collect();
        let group = format!(
            r#"{{"resourceType":"Group","id":"g-1","member":[{}]}}"#,
            members.join(",")
        );
        fs::write(data.join("Group.ndjson"), group + "\n").expect("writes");
        let inputs = fhirehose_native::inputs::expand(&[data.into_os_string()]).expect("inputs");
        let store = SqliteStore::open(&folder.path().join("jobs.db"), &Options::default()).await;
        World {
            store: Arc::new(store.expect("opens")),
            outputs: Arc::new(Outputs::open(&folder.path().join("jobs")).expect("opens")),
            files: Arc::new(Files {
                inputs: Mutex::new(inputs),
                changed: Mutex::default(),
                panics: Mutex::default(),
                gate: Mutex::default(),
            }),
            clock: Arc::new(AtomicI64::new(START.0)),
            offer: Arc::new(Offer {
                profile: &profile::IG,
                registry: Arc::new(Registry::r4()),
                public_base: "http://own/fhir".to_owned(),
                data_base: None,
                value_sets: HashMap::new(),
                assume_async: true,
            }),
            starts: AtomicU64::new(0),
            folder,
        }
    }

    pub(super) fn setting(&self) -> Setting {
        let clock = self.clock.clone();
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        Setting {
            threads: 2,
            beat: Duration::from_millis(5),
            ..Setting::new(
                self.store.clone(),
                self.outputs.clone(),
                Arc::new(Source(self.files.clone())),
                self.offer.clone(),
                Arc::new(move || Time(clock.load(Ordering::Relaxed))),
                format!("holder-{number}"),
            )
        }
    }

    pub(super) fn start(&self) -> RunnerHandle {
        Runner::start(self.setting())
    }

    pub(super) fn now(&self) -> Time {
        Time(self.clock.load(Ordering::Relaxed))
    }

    /// Ids of patients in the order of the data.
    pub(super) fn patients(&self) -> Vec<String> {
        ids(&self.folder.path().join("data"))
    }

    /// Makes the next job wait: the first end tells that it has begun, the second lets it go on.
    pub(super) fn gate(&self) -> (tokio::sync::mpsc::UnboundedReceiver<()>, mpsc::Sender<()>) {
        let (began, has_begun) = tokio::sync::mpsc::unbounded_channel();
        let (go_on, go) = mpsc::channel();
        *lock(&self.files.gate) = Gate {
            began: Some(began),
            go: Some(go),
        };
        (has_begun, go_on)
    }

    pub(super) async fn submit(&self, id: &str, door: Door, query: &str) {
        self.submit_with(id, "ig", door, query, "", Reach::Everything).await;
    }

    pub(super) async fn submit_with(&self, id: &str, profile: &str, door: Door, query: &str, body: &str, reach: Reach) {
        let now = instant(START);
        let mut setting = self.offer.setting(&now);
        setting.profile = self.offer.profile_of(profile);
        let headers = [
            ("accept", "application/fhir+json"),
            ("prefer", "respond-async, handling=lenient"),
            ("content-type", "application/fhir+json"),
        ];
        let call = Call {
            method: if body.is_empty() { Method::Get } else { Method::Post },
            door,
            query: (!query.is_empty()).then_some(query),
            headers: &headers,
            body: body.as_bytes(),
        };
        let kickoff = kickoff::read(&call, &setting).unwrap_or_else(|refusal| panic!("refused: {refusal:?}"));
        let job = NewJob {
            id: id.to_owned(),
            owner: format!("owner of {id}"),
            profile: profile.to_owned(),
            url: kickoff.url.clone(),
            kick_off: serde_json::to_string(&Order { kickoff, reach }).expect("JSON"),
            transaction_time: START,
        };
        let many = Bounds {
            queued: 99,
            per_owner: 99,
        };
        let done = self.store.submit(&job, many, START).await.expect("submits");
        assert_eq!(done, Submitted::Accepted);
    }

    pub(super) async fn job(&self, id: &str) -> Job {
        self.store
            .get(id, Asker::Server)
            .await
            .expect("reads")
            .expect("it is there")
    }

    pub(super) async fn listed(&self, id: &str) -> Vec<StoredFile> {
        let files = self.store.files(id, Listing::Settled, 0, 999).await.expect("lists");
        files.into_iter().map(|(_, file)| file).collect()
    }

    /// Every file of an attempt, by its path in the folder.
    pub(super) fn attempt(&self, id: &str, attempt: u32) -> BTreeMap<String, Vec<u8>> {
        let folder = self.outputs.attempt_folder(id, attempt).expect("an id");
        let mut files = BTreeMap::new();
        if folder.exists() {
            collect(&folder, "", &mut files);
        }
        files
    }
}

fn ids(data: &Path) -> Vec<String> {
    let text = fs::read_to_string(data.join("Patient.ndjson")).expect("reads");
    let id = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        value["id"].as_str().expect("an id").to_owned()
    };
    text.lines().map(id).collect()
}

pub(super) fn collect(folder: &Path, prefix: &str, out: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry")) {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), out);
        } else {
            out.insert(name, fs::read(entry.path()).expect("file"));
        }
    }
}

/// A body of Parameters that lists patients.
pub(super) fn listing(ids: &[&str]) -> String {
    let one = |id: &&str| format!(r#"{{"name":"patient","valueReference":{{"reference":"Patient/{id}"}}}}"#);
    let all: Vec<String> = ids.iter().map(one).collect();
    format!(r#"{{"resourceType":"Parameters","parameter":[{}]}}"#, all.join(","))
}

impl RunnerHandle {
    /// Waits until so many attempts have ended.
    pub(super) async fn ended(&self, count: u64) {
        let mut counts = self.inner.counts.subscribe();
        let all = counts.wait_for(|counts| counts.ended >= count);
        // A test that would hang fails.
        let done = tokio::time::timeout(Duration::from_secs(60), all).await;
        assert!(done.is_ok_and(|counts| counts.is_ok()), "the jobs have not ended");
    }
}
