//! The lists of cohort requests through the binary: the same lines as the slow oracle keeps, byte for byte, each once.

mod binary;
mod exported;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use binary::Folder;
use exported::{differences, expected, written};
use fhirehose_core::search::table::Registry;
use fhirehose_tests::cohort_drawn;
use fhirehose_tests::cohort_requests::{CohortList, CohortLists, CohortRequest, data_set, data_set_of, synthetic};
use fhirehose_tests::data;
use fhirehose_tests::oracle::export::DataSet;
use fhirehose_tests::random::Random;

/// The same data as the server's whose base a request names; read once for each base.
type DataSets = BTreeMap<Option<String>, DataSet>;

fn bases(list: &CohortList) -> BTreeSet<Option<String>> {
    list.request.iter().map(|request| request.fhir_base.clone()).collect()
}

/// One request through binary and oracle; `Ok` says how many lines were the same.
fn compare(
    number: usize,
    list: &CohortList,
    request: &CohortRequest,
    sets: &DataSets,
    input: &Path,
) -> Result<usize, Vec<String>> {
    let folder = Folder::new();
    if let Some(patients) = &request.patients {
        folder.write("patients.txt", format!("{}\n", patients.join("\n")));
    }
    let options = request.arguments(list, "patients.txt");
    let label = format!("{number}: {}", options.join(" "));
    let input = input.to_string_lossy();
    let mut arguments = vec!["export", &input, "-o", "out"];
    arguments.extend(options.iter().map(String::as_str));
    let ran = folder.run(&arguments);
    let data = &sets[&request.fhir_base];
    let exported = match (data.export(&request.for_oracle(list)), &request.refused) {
        (Ok(exported), None) => exported,
        (Err(_), Some(part)) if ran.code == Some(2) && ran.err.contains(part) => {
            let clean = folder.files("").iter().all(|name| name == "patients.txt");
            return if clean {
                Ok(0)
            } else {
                Err(vec![format!("{label}: refused, but something is written")])
            };
        }
        (Err(_), Some(part)) => return Err(vec![format!("{label}: expected `{part}`: {:?} {}", ran.code, ran.err)]),
        (Err(problem), None) => return Err(vec![format!("{label}: the oracle refuses: {problem}")]),
        (Ok(_), Some(_)) => return Err(vec![format!("{label}: the oracle accepts")]),
    };
    if ran.code != Some(0) {
        return Err(vec![format!("{label}: {:?} {}", ran.code, ran.err)]);
    }
    let found = written(&folder, "out").map(|written| differences(&expected(data, &exported), &written));
    match found {
        Ok(differences) if differences.is_empty() => Ok(exported.kept.len()),
        Ok(differences) => Err(differences.iter().map(|one| format!("{label}\n    {one}")).collect()),
        Err(problem) => Err(vec![format!("{label}: {problem}")]),
    }
}

/// All requests of a list, two at a time.
fn compare_all(title: &str, list: &CohortList, sets: &DataSets, input: &Path) {
    let (kept, told) = verdicts(list, sets, input);
    let count = list.request.len();
    eprintln!(
        "{title}: {count} requests, {kept} lines the same, {} differences",
        told.len()
    );
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// How many lines were the same, and every difference.
fn verdicts(list: &CohortList, sets: &DataSets, input: &Path) -> (usize, Vec<String>) {
    let numbered: Vec<(usize, &CohortRequest)> = list.request.iter().enumerate().collect();
    let halves = [0, 1].map(|half| numbered.iter().filter(move |(at, _)| at % 2 == half));
    let work = |half: &mut dyn Iterator<Item = &(usize, &CohortRequest)>| -> Vec<Result<usize, Vec<String>>> {
        half.map(|(at, request)| compare(at + 1, list, request, sets, input))
            .collect()
    };
    let verdicts: Vec<Result<usize, Vec<String>>> = std::thread::scope(|scope| {
        let running = halves.map(|mut half| scope.spawn(move || work(&mut half)));
        running
            .into_iter()
            .flat_map(|half| half.join().expect("no panic"))
            .collect()
    });
    let kept = verdicts.iter().flatten().sum();
    (kept, verdicts.into_iter().filter_map(Result::err).flatten().collect())
}

#[test]
fn synthetic_data() {
    let list = CohortLists::load().expect("the list reads").synth;
    assert!(list.request.len() >= 60, "{} requests", list.request.len());
    let files = synthetic().expect("memory");
    let folder = Folder::new();
    for (name, bytes) in &files {
        folder.write(&format!("data/{name}"), bytes);
    }
    // The order of the files is the order of the input.
    let mut sorted = files;
    sorted.sort();
    let registry = Registry::r4().with_us_core();
    let read = |base: Option<String>| {
        (
            base.clone(),
            data_set(&registry, base.as_deref(), &sorted).expect("reads"),
        )
    };
    let sets: DataSets = bases(&list).into_iter().map(read).collect();
    compare_all("synthetic", &list, &sets, &folder.path("data"));
}

#[test]
fn large_data() {
    let Some(folder) = data::folder() else {
        eprintln!("skipped: FHIREHOSE_DATA is not set");
        return;
    };
    let list = CohortLists::load().expect("the list reads").base;
    assert!(list.request.len() >= 80, "{} requests", list.request.len());
    let registry = Registry::r4().with_us_core();
    let read = |base: Option<String>| {
        (
            base.clone(),
            data_set_of(&registry, base.as_deref(), &folder).expect("reads"),
        )
    };
    let sets: DataSets = bases(&list).into_iter().map(read).collect();
    compare_all("large", &list, &sets, &folder);
}

/// Data and requests drawn at random; a request that the oracle refuses must be refused.
#[test]
fn drawn_data() {
    let registry = Registry::r4().with_us_core();
    let (mut requests, mut kept, mut refused, mut told) = (0, 0, 0, Vec::new());
    for seed in 0..25 {
        let mut random = Random::new(seed);
        let lines = cohort_drawn::lines(&mut random);
        let files = cohort_drawn::files(&mut random, &lines);
        let folder = Folder::new();
        for (name, bytes) in &files {
            folder.write(&format!("data/{name}"), bytes);
        }
        let read = |base: Option<&str>| data_set(&registry, base, &files).expect("reads");
        let own = Some(cohort_drawn::BASE.to_owned());
        let sets = DataSets::from([(None, read(None)), (own.clone(), read(own.as_deref()))]);
        let mut list = CohortList {
            transaction_time: "2024-01-01T00:00:00Z".to_owned(),
            request: (0..20).map(|_| cohort_drawn::request(&mut random)).collect(),
        };
        for at in 0..list.request.len() {
            let request = &list.request[at];
            if sets[&request.fhir_base].export(&request.for_oracle(&list)).is_err() {
                refused += 1;
                list.request[at].refused = Some(String::new());
            }
        }
        let (same, differences) = verdicts(&list, &sets, &folder.path("data"));
        requests += list.request.len();
        kept += same;
        told.extend(differences.into_iter().map(|one| format!("seed {seed} {one}")));
    }
    eprintln!(
        "drawn: {requests} requests, {refused} refused, {kept} lines the same, {} differences",
        told.len()
    );
    assert!(kept > 1500 && refused * 3 < requests, "the draws say little");
    assert!(told.is_empty(), "{}", told.join("\n"));
}
