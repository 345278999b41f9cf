//! `--organize-by Patient` over files, held line by line against a plain reading of the same input.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use fhirehose_core::error::Error;
use fhirehose_core::export::Export;
use fhirehose_core::ids::IdSet;
use fhirehose_core::manifest::{Generation, kick_off_url};
use fhirehose_core::membership::Membership;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::report::Report;
use fhirehose_core::request::{Cohort, Request};
use fhirehose_core::search::table::Registry;
use fhirehose_core::sink::{FileKind, FileName, Sink, Stored};
use fhirehose_native::cancel::Cancel;
use fhirehose_native::codec_out::Compression;
use fhirehose_native::inputs::InputPlace;
use fhirehose_native::job::{FolderOutput, Job, ManifestOptions, Organize, Output, Progress};
use fhirehose_synth::{Options, generate};
use fhirehose_tests::blocks::{self, Blocks};
use fhirehose_tests::oracle::cohort;
use fhirehose_tests::random::Random;
use serde_json::{Value, json};

/// Kept lines in the order of the input, whatever their type.
#[derive(Default)]
struct InOrder(Vec<Vec<u8>>);

impl Sink for InOrder {
    type File = bool;

    fn create(&mut self, name: &FileName) -> Result<bool, Error> {
        Ok(name.kind == FileKind::Output)
    }

    fn write(&mut self, is_output: &mut bool, lines: &[u8]) -> Result<(), Error> {
        if *is_output {
            let each = lines.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec);
            self.0.extend(each);
        }
        Ok(())
    }

    fn close(&mut self, _: bool) -> Result<Stored, Error> {
        Ok(Stored::default())
    }
}

fn kept(request: &Request, input: &[u8]) -> Vec<Vec<u8>> {
    let plan = Plan::compile(request, &Registry::r4()).expect("compiles");
    let mut export = Export::new(plan, InOrder::default());
    export.push(input).expect("memory");
    export.finish().expect("memory").1.0
}

/// What the files must hold, by the rules as they are written.
fn expected(request: &Request, input: &[u8]) -> Blocks {
    let registry = Registry::r4();
    let whole = Request {
        elements: Vec::new(),
        ..request.clone()
    };
    let as_they_came = kept(&whole, input);
    let as_written = kept(request, input);
    assert_eq!(as_they_came.len(), as_written.len());
    let listed = request.cohort.as_ref().map(|cohort| &cohort.patients);
    let has_block = |id: &str| !id.is_empty() && id.len() < 256 && listed.is_none_or(|ids| ids.contains(id.as_bytes()));
    type Two = (Vec<Vec<u8>>, Vec<Vec<u8>>);
    let mut blocks: BTreeMap<Vec<u8>, Two> = BTreeMap::new();
    let mut rest: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for (line, written) in as_they_came.iter().zip(as_written) {
        let value: Value = serde_json::from_slice(line).expect("kept lines are JSON");
        let type_name = value["resourceType"].as_str().expect("a type");
        let own = value["id"]
            .as_str()
            .filter(|id| type_name == "Patient" && has_block(id));
        let patients = cohort::patients_of(&registry, &value, None).unwrap_or_default();
        let others: Vec<&String> = patients.iter().filter(|id| has_block(id)).collect();
        if let Some(own) = own {
            blocks.entry(own.into()).or_default().0.push(written);
        } else if others.is_empty() {
            let name = if type_name == "Patient" {
                "PatientWithoutId"
            } else {
                type_name
            };
            rest.entry(name.to_owned()).or_default().push(written);
        } else {
            for id in others {
                blocks
                    .entry(id.as_bytes().to_vec())
                    .or_default()
                    .1
                    .push(written.clone());
            }
        }
    }
    let text = |id: Vec<u8>| String::from_utf8(id).expect("text");
    let blocks = blocks
        .into_iter()
        .map(|(id, (own, others))| (text(id), [own, others].concat()));
    Blocks {
        blocks: blocks.collect(),
        rest,
        split: 0,
    }
}

/// How an export is done; none of it may show in the blocks.
#[derive(Clone, Copy, Debug)]
struct How {
    memory: u64,
    threads: usize,
    chunk: usize,
    compression: Compression,
    limits: Limits,
}

const PLAIN: How = How {
    memory: 1 << 30,
    threads: 2,
    chunk: 256 << 10,
    compression: Compression::None,
    limits: Limits {
        max_resources: None,
        max_bytes: None,
    },
};

/// Files by their names, as stored, and the report.
fn export(request: &Request, input: &[u8], how: How) -> (BTreeMap<String, Vec<u8>>, Report) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("in.ndjson");
    fs::write(&path, input).expect("writes");
    let request = Request {
        organize_by: Some("Patient".into()),
        ..request.clone()
    };
    let out = folder.path().join("out");
    let job = Job {
        request: request.clone(),
        cohort: None,
        plan: Plan::compile(&request, &Registry::r4()).expect("compiles"),
        inputs: vec![InputPlace::File(path)],
        output: Output::Folder(FolderOutput {
            path: out.clone(),
            force: false,
            is_durable: true,
            manifest: ManifestOptions {
                generation: Generation::V2V3,
                transaction_time: "2024-05-01T00:00:00Z".into(),
                request: kick_off_url(&request, None),
                base_url: None,
            },
            organize: Some(Organize {
                memory: how.memory,
                membership: Membership::new(&request, &Registry::r4()).expect("compiles"),
            }),
        }),
        limits: how.limits,
        compression: how.compression,
        threads: how.threads,
        chunk: how.chunk,
    };
    let exported = fhirehose_native::run(&job, &Progress::default(), &Cancel::default()).expect("exports");
    let mut files = BTreeMap::new();
    collect(&out, "", &mut files);
    assert!(
        files.keys().all(|name| !name.starts_with('.')),
        "nothing temporary is left"
    );
    (files, exported.report)
}

/// The files alone, without what names the input.
fn bytes(input: &[u8], how: How) -> BTreeMap<String, Vec<u8>> {
    let (mut files, _) = export(&Request::default(), input, how);
    files.retain(|name, _| !name.starts_with("error/"));
    files
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
    {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(entry.path()).expect("reads"));
        }
    }
}

/// Reads an export back and holds it against the rules; what it says of itself too.
#[track_caller]
fn check(request: &Request, input: &[u8], how: How) -> Blocks {
    let (mut files, report) = export(request, input, how);
    let manifest: Value = serde_json::from_slice(&files.remove("manifest.json").expect("a manifest")).expect("JSON");
    for (name, bytes) in &mut files {
        let told = report.files.iter().find(|file| file.path == *name).expect("reported");
        assert_eq!(told.size, bytes.len() as u64, "{name}");
        if name.ends_with(".gz") {
            let mut plain = Vec::new();
            let mut reader = flate2::bufread::GzDecoder::new(&bytes[..]);
            reader.read_to_end(&mut plain).expect("gzip");
            *bytes = plain;
        }
        assert_eq!(told.bytes, bytes.len() as u64, "{name}");
    }
    assert_eq!(report.files.len(), files.len());
    let mut read = blocks::read(&files, &manifest, how.limits).unwrap_or_else(|text| panic!("{how:?}: {text}"));
    let wanted = expected(request, input);
    let organized = report.organized.expect("organized");
    let lines: usize = read.blocks.iter().map(|(_, lines)| lines.len()).sum();
    let rest: usize = read.rest.values().map(Vec::len).sum();
    assert_eq!(organized.blocks, read.blocks.len() as u64);
    assert_eq!(organized.resources + organized.repeats, lines as u64);
    assert_eq!(organized.resources + rest as u64, report.kept());
    assert_eq!(organized.split, read.split);
    let in_memory = how.memory >= 1 << 30;
    assert_eq!(organized.runs == 0, in_memory, "{how:?}");
    let plain: usize = kept(request, input).iter().map(Vec::len).sum();
    let told: u64 = report.types.iter().map(|count| count.bytes).sum();
    assert_eq!(told, plain as u64, "bytes kept are those of the lines, once each");
    let split = std::mem::take(&mut read.split);
    assert!(read == wanted, "{how:?}: other blocks than the rules say");
    read.split = split;
    read
}

/// Synthetic patients, and everything that the rules have a word on.
fn input(patients: u64, seed: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    generate(&Options::new(patients, seed), &mut bytes).expect("memory");
    let odd = [
        json!({"resourceType": "Patient", "gender": "male"}),
        json!({"resourceType": "Patient", "id": ""}),
        json!({"resourceType": "Patient", "id": "x".repeat(300)}),
        json!({"resourceType": "Patient", "id": "Zed", "link": [{"other": {"reference": "Patient/amy"}, "type": "seealso"}]}),
        json!({"resourceType": "Patient", "link": [{"other": {"reference": "Patient/amy"}, "type": "seealso"}]}),
        json!({"resourceType": "Appointment", "id": "both", "status": "booked", "participant": [
            {"actor": {"reference": "Patient/amy"}}, {"actor": {"reference": "Patient/Zed"}},
            {"actor": {"reference": "Patient/amy/_history/2"}}, {"actor": {"reference": "Patient/no-body"}}]}),
        json!({"resourceType": "Observation", "id": "far", "subject": {"reference": "http://else.where/fhir/Patient/amy"}}),
        json!({"resourceType": "Observation", "id": "alone", "status": "final"}),
        json!({"resourceType": "Device", "id": "hers", "patient": {"reference": "Patient/amy"}}),
        json!({"resourceType": "Device", "id": "nobodys"}),
        json!({"resourceType": "Group", "id": "g", "member": [{"entity": {"reference": "Patient/amy"}}]}),
        json!({"resourceType": "Observation", "id": "long", "status": "final", "note": [{"text": "y".repeat(40_000)}],
            "subject": {"reference": "Patient/amy"}, "performer": [{"reference": "Patient/amy"}]}),
        json!({"resourceType": "Patient", "id": "amy", "gender": "female"}),
        json!({"resourceType": "Patient", "id": "amy", "gender": "unknown"}),
        json!({"resourceType": "Condition", "id": "after", "subject": {"reference": "Patient/amy"}}),
        json!({"resourceType": "Condition", "id": "quote", "subject": {"reference": "Patient/o\"hara"}}),
    ];
    for (index, value) in odd.iter().enumerate() {
        let end = if index % 3 == 1 { "\r\n\n" } else { "\n" };
        bytes.extend_from_slice(format!("{value}{end}").as_bytes());
    }
    bytes.extend_from_slice(b"{\"resourceType\":\"Patient\",\n");
    bytes
}

/// Lines of all types and patients mixed.
fn shuffled(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    for index in (1..lines.len()).rev() {
        lines.swap(index, random.below(index as u64 + 1) as usize);
    }
    lines.concat()
}

fn of_patients(ids: &[&str]) -> Request {
    let mut set = IdSet::default();
    set.extend(ids.iter().map(|id| id.as_bytes()));
    Request {
        cohort: Some(Cohort {
            patients: Arc::new(set),
            exclusive: false,
            group: None,
        }),
        ..Request::default()
    }
}

#[test]
fn every_line_is_where_the_rules_say() {
    let input = input(12, 1);
    let read = check(&Request::default(), &input, PLAIN);
    assert!(read.blocks.len() > 12 && read.rest.len() > 5);
    assert_eq!(read.rest["PatientWithoutId"].len(), 3);
    let amy = &read.blocks.iter().find(|(id, _)| id == "amy").expect("her block").1;
    assert!(
        amy[0].starts_with(b"{\"resourceType\":\"Patient\"") && amy.len() == 7,
        "{}",
        amy.len()
    );
    assert!(
        read.blocks
            .iter()
            .any(|(id, lines)| id == "no-body" && lines.len() == 1)
    );
    assert!(read.blocks.iter().any(|(id, _)| id == "o\"hara"));
}

#[test]
fn little_memory_many_runs_the_same_bytes() {
    let input = shuffled(&input(8, 2), &mut Random::new(5));
    let expected = bytes(&input, PLAIN);
    let mut most_runs = 0;
    for memory in [1, 3000, 40_000, 300_000, 2 << 20] {
        for threads in [1, 2, 3] {
            let how = How {
                memory,
                threads,
                ..PLAIN
            };
            assert!(bytes(&input, how) == expected, "{how:?}");
            if memory <= 300_000 {
                check(&Request::default(), &input, how);
                let (_, report) = export(&Request::default(), &input, how);
                most_runs = most_runs.max(report.organized.map_or(0, |organized| organized.runs));
            }
        }
    }
    assert!(most_runs > 100, "{most_runs}");
}

#[test]
fn threads_and_chunks_do_not_change_a_byte() {
    let input = input(8, 3);
    let limits = Limits {
        max_resources: Some(40),
        max_bytes: Some(60_000),
    };
    for compression in [Compression::None, Compression::GZIP, Compression::ZSTD] {
        let how = How {
            limits,
            compression,
            memory: 200_000,
            ..PLAIN
        };
        let expected = bytes(&input, How { threads: 1, ..how });
        assert!(expected.len() > 20);
        for (threads, chunk) in [(1, 61), (2, 4096), (3, 8 << 20), (7, 1000)] {
            let same = bytes(&input, How { threads, chunk, ..how }) == expected;
            assert!(same, "{threads} threads, chunks of {chunk}, {compression:?}");
        }
    }
}

#[test]
fn limits_split_only_blocks_that_are_larger_than_a_file() {
    let input = input(5, 4);
    let mut split = 0;
    for max_resources in [None, Some(2), Some(37), Some(500)] {
        for max_bytes in [None, Some(5000), Some(100_000)] {
            let limits = Limits {
                max_resources,
                max_bytes,
            };
            for memory in [100_000, 1 << 30] {
                let how = How {
                    limits,
                    memory,
                    ..PLAIN
                };
                split += check(&Request::default(), &input, how).split;
            }
        }
    }
    assert!(split > 50, "{split}");
    // One line a file, whichever limit says so.
    for (max_resources, max_bytes) in [(Some(1), None), (None, Some(1))] {
        let limits = Limits {
            max_resources,
            max_bytes,
        };
        let how = How { limits, ..PLAIN };
        let (files, _) = export(&of_patients(&["amy"]), &input, how);
        assert_eq!(files.len(), 8 + 2, "a file a line, the bad line, and the manifest");
        check(&of_patients(&["amy"]), &input, how);
    }
}

#[test]
fn a_cohort_has_blocks_of_its_patients_only() {
    let input = input(10, 6);
    let read = check(&of_patients(&["amy", "nobody-at-all"]), &input, PLAIN);
    let ids: Vec<&str> = read.blocks.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["amy"]);
    // Zed is kept for the link to amy, and so is who has a link and no id.
    assert_eq!(read.blocks[0].1.len(), 8);
    assert!(read.rest.is_empty(), "{:?}", read.rest.keys());
    assert!(check(&of_patients(&[]), &input, PLAIN).blocks.is_empty());
    let two = Limits {
        max_resources: Some(2),
        max_bytes: None,
    };
    let how = How {
        limits: two,
        memory: 1,
        ..PLAIN
    };
    assert_eq!(check(&of_patients(&["amy", "Zed"]), &input, how).split, 1);
}

/// Whose a resource is stands in members that are left out.
#[test]
fn elements_and_filters_work_as_ever() {
    let input = input(10, 7);
    let requests = [
        Request {
            elements: vec!["id,Patient.gender,Practitioner.name".into()],
            ..Request::default()
        },
        Request {
            elements: vec!["Observation.status".into(), "Condition.id".into()],
            types: vec!["Observation,Condition,Practitioner,Patient".into()],
            type_filters: vec!["Observation?date=ge2015".into(), "Patient?gender=female".into()],
            ..Request::default()
        },
        Request {
            elements: vec!["id".into()],
            since: Some("2015-01-01T00:00:00Z".into()),
            ..of_patients(&["amy"])
        },
    ];
    for request in requests {
        for memory in [50_000, 1 << 30] {
            let cohort = request.cohort.is_some();
            let memory = if cohort { 1 << 30 } else { memory };
            let read = check(&request, &input, How { memory, ..PLAIN });
            let subsetted = read.blocks.iter().flat_map(|(_, lines)| lines);
            assert!(
                subsetted
                    .clone()
                    .any(|line| String::from_utf8_lossy(line).contains("SUBSETTED"))
            );
        }
    }
}

#[test]
fn compressed_files_hold_the_same() {
    let input = input(10, 8);
    let limits = Limits {
        max_resources: None,
        max_bytes: Some(200_000),
    };
    for threads in [1, 3] {
        let how = How {
            compression: Compression::GZIP,
            limits,
            threads,
            memory: 100_000,
            ..PLAIN
        };
        check(&Request::default(), &input, how);
    }
}

#[test]
fn any_data_with_any_budget() {
    let mut random = Random::new(11);
    for seed in 0..12 {
        let input = shuffled(&input(1 + random.below(6), 100 + seed), &mut random);
        let limits = Limits {
            max_resources: random.one_in(2).then(|| 1 + random.below(60)),
            max_bytes: random.one_in(2).then(|| 1 + random.below(80_000)),
        };
        let how = How {
            memory: 1 + random.below(150_000),
            threads: 1 + random.below(4) as usize,
            chunk: 1 + random.below(50_000) as usize,
            limits,
            ..PLAIN
        };
        check(&Request::default(), &input, how);
    }
}

#[test]
fn nothing_is_lost_of_large_data() {
    let Some(folder) = fhirehose_tests::data::folder() else {
        return;
    };
    let mut input = Vec::new();
    for name in [
        "Condition",
        "Patient",
        "Encounter",
        "Practitioner",
        "Provenance",
        "Device",
    ] {
        let bytes = fs::read(folder.join(format!("{name}.ndjson.gz"))).expect("reads");
        let mut reader = flate2::bufread::MultiGzDecoder::new(&bytes[..]);
        reader.read_to_end(&mut input).expect("gzip");
    }
    for memory in [4 << 20, 1 << 30] {
        let read = check(&Request::default(), &input, How { memory, ..PLAIN });
        assert!(read.blocks.len() > 200);
    }
}
