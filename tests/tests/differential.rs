//! The engine keeps exactly the lines that the oracle keeps.

use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::request;
use fhirehose_core::search::table::Registry;
use fhirehose_tests::data;
use fhirehose_tests::differential::{Compared, Judges, compare, judges, synthetic};
use fhirehose_tests::door;
use fhirehose_tests::drawn::Drawing;
use fhirehose_tests::mutation::mutate;
use fhirehose_tests::oracle::Elements;
use fhirehose_tests::random::Random;
use fhirehose_tests::requests::{Request, RequestList};
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Both judges of every request, or a failed test that shows each refusal.
fn all_judges(list: &RequestList) -> Vec<Judges> {
    let (judges, refused) = judges(&Registry::r4(), list);
    assert!(refused.is_empty(), "refused by one:\n{}", refused.join("\n"));
    assert_eq!(
        judges.len(),
        list.request.len(),
        "a request of the list is refused by both"
    );
    judges
}

fn assert_same(name: &str, found: &Compared) {
    eprintln!(
        "{name}: {} runs, {} verdicts, {} kept, {} runs tell lines apart, {} differences",
        found.runs,
        found.verdicts,
        found.kept,
        found.telling,
        found.differences.len()
    );
    assert!(found.verdicts > 0, "nothing was compared");
    assert!(found.differences.is_empty(), "{}", found.differences.join("\n"));
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes)?;
    } else {
        std::io::BufReader::new(file).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Compares file by file on two threads; the files of the folder hold one type each.
fn compare_files(judges: &[Judges], files: Vec<PathBuf>) -> Compared {
    let queue = Mutex::new(files);
    let total = Mutex::new(Compared::default());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("no panic holds it").pop();
                    let Some(path) = next else { return };
                    let name = path
                        .file_name()
                        .and_then(|name| name.to_str())
                        .expect("a name")
                        .to_owned();
                    let type_name = name.split('.').next().expect("a first part");
                    let found = compare(judges, type_name, &read(&path).expect(&name)).expect(&name);
                    total.lock().expect("no panic holds it").add(found);
                }
            });
        }
    });
    total.into_inner().expect("no panic holds it")
}

#[test]
fn same_lines_of_the_sample_data() {
    let Some(folder) = data::folder() else {
        eprintln!("skipped: FHIREHOSE_DATA is not set");
        return;
    };
    let judges = all_judges(&RequestList::base().expect("the list reads"));
    let files = data::files(&folder).expect("the folder reads");
    assert_same("sample data", &compare_files(&judges, files));
}

#[test]
fn same_lines_of_synthetic_data() {
    let mut found = Compared::default();
    for list in [RequestList::base(), RequestList::synth()] {
        let judges = all_judges(&list.expect("the list reads"));
        for (type_name, bytes) in synthetic(150, 7).expect("memory takes every line") {
            found.add(compare(&judges, type_name, &bytes).expect("valid lines"));
        }
    }
    assert_same("synthetic data", &found);
}

fn parsed(bytes: &[u8]) -> Vec<Value> {
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).expect("valid JSON"))
        .collect()
}

fn list_of(filters: Vec<String>) -> RequestList {
    let request = |filter| Request {
        filters: vec![filter],
        fhir_base: Some("https://fhir.example.org/r4".to_owned()),
        ..Request::default()
    };
    RequestList {
        transaction_time: "2025-01-01T00:00:00Z".to_owned(),
        value_sets: Default::default(),
        request: filters.into_iter().map(request).collect(),
    }
}

/// The seed of what is drawn; another one can be set to look further.
fn seed() -> u64 {
    let set = std::env::var("FHIREHOSE_SEED").ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(5)
}

#[test]
fn same_lines_for_drawn_requests() {
    let registry = Registry::r4();
    let mut random = Random::new(seed());
    let mut found = Compared::default();
    let mut requests = 0;
    for (type_name, bytes) in synthetic(40, 3).expect("memory takes every line") {
        let lines = parsed(&bytes);
        let list = list_of(Drawing::new(&registry, type_name, &lines).filters(8, &mut random));
        let (judges, refused) = judges(&registry, &list);
        requests += judges.len();
        found.differences.extend(refused);
        found.add(compare(&judges, type_name, &bytes).expect("valid lines"));
    }
    assert_same(&format!("{requests} drawn requests"), &found);
    assert!(requests > 1000, "{requests} requests");
}

#[test]
fn same_lines_of_mutated_records() {
    let registry = Registry::r4();
    let mut random = Random::new(seed());
    let mut found = Compared::default();
    for (type_name, bytes) in synthetic(40, 4).expect("memory takes every line") {
        let lines = parsed(&bytes);
        let list = list_of(Drawing::new(&registry, type_name, &lines).filters(3, &mut random));
        let (judges, refused) = judges(&registry, &list);
        found.differences.extend(refused);
        for _ in 0..4 {
            let mut mutated = Vec::new();
            for line in &lines {
                let mut record = line.clone();
                mutate(&mut record, &mut random);
                mutated.extend_from_slice(record.to_string().as_bytes());
                mutated.push(b'\n');
            }
            found.add(compare(&judges, type_name, &mutated).expect("valid lines"));
        }
    }
    assert_same("mutated records", &found);
}

/// Requests of several filters of one type: of the values of one parameter alone, and beside one condition that all have.
fn many_at_once(filters: &[String]) -> Vec<Vec<String>> {
    let mut requests = Vec::new();
    for some in filters.chunks(7) {
        requests.push(some.to_vec());
        let condition = some[0].split_once('?').map_or("", |(_, condition)| condition);
        let beside = some[1..].iter().map(|filter| format!("{filter}&{condition}"));
        requests.push(beside.chain(some.iter().take(2).cloned()).collect());
        requests.push(some[1..].iter().map(|filter| format!("{filter}&{condition}")).collect());
    }
    requests.retain(|request| !request.is_empty());
    requests
}

/// Filters that are asked for together are joined and share what they read: each line is kept as if each filter had been
/// asked by itself.
#[test]
fn same_lines_for_many_filters_at_once() {
    let registry = Registry::r4();
    let mut random = Random::new(seed());
    let mut found = Compared::default();
    let mut requests = 0;
    for (type_name, bytes) in synthetic(25, 8).expect("memory takes every line") {
        let lines = parsed(&bytes);
        let mut list = list_of(Vec::new());
        for filters in many_at_once(&Drawing::new(&registry, type_name, &lines).filters(5, &mut random)) {
            list.request.push(Request {
                filters,
                fhir_base: Some("https://fhir.example.org/r4".to_owned()),
                ..Request::default()
            });
        }
        let (judges, refused) = judges(&registry, &list);
        requests += judges.len();
        found.differences.extend(refused);
        found.add(compare(&judges, type_name, &bytes).expect("valid lines"));
        let mut mutated = Vec::new();
        for mut record in lines {
            mutate(&mut record, &mut random);
            mutated.extend_from_slice(format!("{record}\n").as_bytes());
        }
        found.add(compare(&judges, type_name, &mutated).expect("valid lines"));
    }
    assert_same(&format!("{requests} requests of many filters"), &found);
    assert!(requests > 300, "{requests} requests");
}

/// The engine's line against the oracle's document; members in another order are the same document.
fn assert_same_elements(elements: &[&str], mutated: bool) -> u64 {
    let registry = Registry::r4();
    let entries: Vec<String> = elements.iter().map(|&entry| entry.to_owned()).collect();
    let oracle = Elements::new(&registry, &entries).expect("valid entries");
    let request = request::Request {
        elements: entries,
        ..request::Request::default()
    };
    let plan = Plan::compile(&request, &registry).expect("valid entries");
    let mut random = Random::new(seed());
    let mut changed = 0;
    for (type_name, bytes) in synthetic(20, 6).expect("memory takes every line") {
        let mut input = bytes;
        if mutated {
            let mut records = parsed(&input);
            records.iter_mut().for_each(|record| mutate(record, &mut random));
            input = records
                .iter()
                .flat_map(|record| format!("{record}\n").into_bytes())
                .collect();
        }
        let records = parsed(&input);
        let inputs = [(type_name.to_owned(), input)];
        let answer = door::push(&plan, Limits::default(), &inputs, 1 << 16).expect("no sink fails");
        let output = parsed(&answer.of_type(type_name));
        assert_eq!(output.len(), records.len(), "{type_name}: every line is kept");
        for (at, (engine, record)) in output.iter().zip(&records).enumerate() {
            assert!(
                *engine == oracle.apply(record),
                "{elements:?} {type_name} line {}",
                at + 1
            );
            changed += u64::from(engine != record);
        }
    }
    changed
}

#[test]
fn same_elements() {
    for mutated in [false, true] {
        let mut changed = 0;
        changed += assert_same_elements(&["id"], mutated);
        changed += assert_same_elements(&["name", "code", "value"], mutated);
        changed += assert_same_elements(&["Patient.birthDate", "Observation.valueQuantity", "onset[x]"], mutated);
        changed += assert_same_elements(&["Observation.component", "extension", "contained", "text"], mutated);
        changed += assert_same_elements(
            &["subject", "Encounter.period", "effectiveDateTime", "language"],
            mutated,
        );
        assert!(changed > 3000, "{changed} lines were changed");
    }
}
