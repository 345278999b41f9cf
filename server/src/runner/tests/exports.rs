//! What a job writes: what an export of the command line would write.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use fhirehose_core::manifest::Generation;
use fhirehose_core::membership::Membership;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::search::kind::date;
use fhirehose_core::search::table::Registry;
use fhirehose_native::cancel::Cancel;
use fhirehose_native::codec_out::Compression;
use fhirehose_native::cohort::CohortRequest;
use fhirehose_native::inputs::InputPlace;
use fhirehose_native::job::{FolderOutput, Job, ManifestOptions, Organize, Output, Progress};
use fhirehose_store::{Folder, JobStore, Listing, State};
use sha2::{Digest, Sha256};

use super::super::{Failure, Report};
use super::world::{START, World, collect, listing, lock, run};
use crate::access::{Reach, Rows};
use crate::kickoff::Door;
use crate::offer::instant;

const MINUTE: Duration = Duration::from_secs(60);

type Found = BTreeMap<String, Vec<u8>>;

/// Runs all that waits, and gives the files of one job but for its manifest.
async fn ended(world: &World, id: &str) -> Found {
    let runner = world.start();
    runner.ended(1).await;
    runner.stop(MINUTE).await;
    let job = world.job(id).await;
    assert_eq!((job.state, job.failure), (State::Complete, None));
    let mut files = world.attempt(id, job.attempt);
    assert!(
        files
            .remove("manifest.json")
            .is_some_and(|manifest| manifest.starts_with(b"{"))
    );
    files
}

async fn report(world: &World, id: &str) -> Report {
    Report::read(&world.job(id).await.report.expect("a report")).expect("its own")
}

/// What the engine writes if it is asked the way the command line asks it.
fn by_engine(world: &World, request: Request, asked: Option<CohortRequest>) -> Found {
    let request = Request {
        transaction_time: Some(instant(START)),
        now: Some(instant(START)),
        fhir_base: Some("http://own/fhir".to_owned()),
        cohort: asked.as_ref().map(CohortRequest::provisional),
        ..request
    };
    let plan = Plan::compile(&request, &Registry::r4()).expect("compiles");
    let organize = plan.is_organized().then(|| Organize {
        memory: 256 << 20,
        membership: Membership::new(&request, plan.registry()).expect("compiles"),
    });
    let out = tempfile::tempdir().expect("a folder");
    let job = Job {
        request,
        plan,
        cohort: asked,
        inputs: lock(&world.files.inputs).clone(),
        output: Output::Folder(FolderOutput {
            path: out.path().to_owned(),
            force: false,
            is_durable: true,
            manifest: ManifestOptions {
                generation: Generation::V2V3,
                transaction_time: instant(START),
                request: "$export".to_owned(),
                base_url: None,
            },
            organize,
        }),
        limits: Limits::default(),
        compression: Compression::GZIP,
        threads: 1,
        chunk: 4096,
    };
    fhirehose_native::run(&job, &Progress::default(), &Cancel::default()).expect("exports");
    let mut files = Found::new();
    collect(out.path(), "", &mut files);
    files.remove("manifest.json");
    files
}

fn cohort(patients: Option<&[&str]>, group: Option<&str>) -> Option<CohortRequest> {
    let set = |ids: &[&str]| {
        let mut set = fhirehose_core::ids::IdSet::default();
        set.extend(ids.iter().map(|id| id.as_bytes()));
        Arc::new(set)
    };
    Some(CohortRequest {
        patients: patients.map(set),
        group: group.map(str::to_owned),
        exclusive: false,
        at: date::read_instant(&instant(START)).expect("an instant"),
        base: Some("http://own/fhir".to_owned()),
        lenient: true,
        most: None,
    })
}

#[track_caller]
fn same(got: &Found, expected: &Found) {
    let names = |files: &Found| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(got), names(expected));
    assert!(got == expected, "the names are the same, the bytes are not");
}

fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    let read = flate2::read::GzDecoder::new(bytes).read_to_string(&mut text);
    read.expect("gzip");
    text
}

#[test]
fn files_of_a_job_are_those_of_the_engine_and_are_listed_with_their_sums() {
    run(async |world| {
        let query = "_type=Patient,Observation,Condition&_typeFilter=Patient%3Fgender%3Dfemale";
        world.submit("a", Door::System, query).await;
        let files = ended(&world, "a").await;
        let request = Request {
            types: vec!["Patient,Observation,Condition".to_owned()],
            type_filters: vec!["Patient?gender=female".to_owned()],
            ..Request::default()
        };
        same(&files, &by_engine(&world, request, None));
        let listed = world.listed("a").await;
        assert_eq!(listed.len(), files.len());
        for file in &listed {
            let bytes = &files[&file.name];
            assert_eq!((file.folder, file.bytes), (Folder::Output, bytes.len() as u64));
            assert_eq!(file.sha256, <[u8; 32]>::from(Sha256::digest(bytes)));
            assert_eq!(file.count, text(bytes).lines().count() as u64);
            assert!(
                file.resource_type
                    .as_deref()
                    .is_some_and(|name| file.name.starts_with(name))
            );
        }
        let report = report(&world, "a").await;
        assert_eq!(report.resources, listed.iter().map(|file| file.count).sum::<u64>());
        assert_eq!((report.coding.as_deref(), report.organized_by), (Some("gzip"), None));
        assert_eq!(report.transaction_time, instant(START));
        assert!(
            report.request.starts_with("http://own/fhir/$export?"),
            "{}",
            report.request
        );
    });
}

#[test]
fn members_of_a_group_are_those_that_the_engine_finds_itself() {
    run(async |world| {
        world.submit("a", Door::Group("g-1".to_owned()), "").await;
        same(
            &ended(&world, "a").await,
            &by_engine(&world, Request::default(), cohort(None, Some("g-1"))),
        );
    });
}

#[test]
fn listed_patients_who_are_not_there_are_told_as_the_engine_tells_them() {
    run(async |world| {
        let ids = world.patients();
        let asked = [ids[9].as_str(), "nobody", ids[2].as_str(), "none"];
        let (body, all) = (listing(&asked), Reach::Everything);
        world
            .submit_with("a", "ig", Door::Patient, "", &body, all.clone())
            .await;
        let files = ended(&world, "a").await;
        same(
            &files,
            &by_engine(&world, Request::default(), cohort(Some(&asked), None)),
        );
        let told = text(&files["error/OperationOutcome.000.ndjson.gz"]);
        assert!(told.lines().count() == 2 && told.contains("Patient/nobody"));
        let severities = report(&world, "a").await.outcomes;
        assert_eq!(
            (severities.len(), severities[0].error, severities[0].warning),
            (1, 0, 2)
        );
        // One of them is no member of the group.
        world
            .submit_with("b", "ig", Door::Group("g-1".to_owned()), "", &body, all)
            .await;
        let files = ended(&world, "b").await;
        same(
            &files,
            &by_engine(&world, Request::default(), cohort(Some(&asked), Some("g-1"))),
        );
    });
}

#[test]
fn a_list_that_must_be_known_fails_with_the_names() {
    run(async |world| {
        let ids = world.patients();
        let body = listing(&[ids[0].as_str(), "nobody"]);
        // This profile does not forgive it.
        let reach = Reach::Everything;
        let query = "_type=Patient";
        world
            .submit_with("a", "oracle", Door::Patient, query, &body, reach)
            .await;
        let runner = world.start();
        runner.ended(1).await;
        runner.stop(MINUTE).await;
        let job = world.job("a").await;
        assert_eq!(job.state, State::Failed);
        let failure = Failure::read(&job.failure.expect("a reason"));
        assert_eq!((failure.status, failure.code.as_str()), (400, "not-found"));
        assert!(failure.diagnostics.ends_with(": nobody"), "{}", failure.diagnostics);
    });
}

#[test]
fn a_group_that_is_gone_since_the_kick_off_fails() {
    run(async |world| {
        world.submit("a", Door::Group("g-2".to_owned()), "").await;
        let runner = world.start();
        runner.ended(1).await;
        runner.stop(MINUTE).await;
        let failure = Failure::read(&world.job("a").await.failure.expect("a reason"));
        assert_eq!((failure.status, failure.code.as_str()), (404, "not-found"));
    });
}

#[test]
fn without_a_list_the_patient_level_is_all_patients() {
    run(async |world| {
        world.submit("a", Door::Patient, "").await;
        let files = ended(&world, "a").await;
        let ids = world.patients();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        same(&files, &by_engine(&world, Request::default(), cohort(Some(&ids), None)));
    });
}

#[test]
fn output_in_blocks_is_that_of_the_engine_and_has_no_type() {
    run(async |world| {
        world.submit("a", Door::System, "organizeOutputBy=Patient").await;
        let files = ended(&world, "a").await;
        let request = Request {
            organize_by: Some("Patient".to_owned()),
            ..Request::default()
        };
        same(&files, &by_engine(&world, request, None));
        assert!(world.listed("a").await.iter().all(|file| file.resource_type.is_none()));
        assert_eq!(report(&world, "a").await.organized_by.as_deref(), Some("Patient"));
    });
}

#[test]
fn what_was_noted_at_the_kick_off_has_an_error_file_of_its_own() {
    run(async |world| {
        world.submit("a", Door::System, "_type=Patient&_unheardOf=1").await;
        let files = ended(&world, "a").await;
        let told = text(&files["error/KickOff.000.ndjson.gz"]);
        assert!(told.ends_with('\n') && told.contains("_unheardOf"), "{told}");
        let listed = world.listed("a").await;
        let file = listed
            .iter()
            .find(|file| file.folder == Folder::Error)
            .expect("it is listed");
        assert_eq!(
            (file.count, file.resource_type.as_deref()),
            (1, Some("OperationOutcome"))
        );
        assert_eq!(file.bytes, files["error/KickOff.000.ndjson.gz"].len() as u64);
        let severities = report(&world, "a").await.outcomes;
        assert_eq!(
            (severities[0].file.as_str(), severities[0].warning),
            (file.name.as_str(), 1)
        );
    });
}

#[test]
fn bad_lines_are_told_by_the_file_and_not_by_the_folder() {
    run(async |world| {
        let path = world.folder.path().join("bad.ndjson");
        std::fs::write(
            &path,
            "{\"resourceType\":\"Patient\",\"id\":\"p\"}\n{\"resourceType\":\n",
        )
        .expect("writes");
        *lock(&world.files.inputs) = vec![InputPlace::File(path)];
        world.submit("a", Door::System, "").await;
        let files = ended(&world, "a").await;
        let told = text(&files["error/OperationOutcome.000.ndjson.gz"]);
        assert!(told.contains("\"bad.ndjson:2:"), "{told}");
        let report = report(&world, "a").await;
        assert_eq!((report.bad_lines, report.outcomes[0].error), (1, 1));
    });
}

#[test]
fn nothing_that_was_changed_after_the_transaction_time_is_exported() {
    run(async |world| {
        let path = world.folder.path().join("new.ndjson");
        let line = |id: &str, time: i64| {
            let time = instant(fhirehose_store::Time(START.0 + time));
            format!("{{\"resourceType\":\"Patient\",\"id\":\"{id}\",\"meta\":{{\"lastUpdated\":\"{time}\"}}}}\n")
        };
        std::fs::write(&path, line("at", 0) + &line("later", 1)).expect("writes");
        *lock(&world.files.inputs) = vec![InputPlace::File(path)];
        world.submit("a", Door::System, "").await;
        let files = ended(&world, "a").await;
        assert_eq!(text(&files["Patient.000.ndjson.gz"]), line("at", 0));
    });
}

#[test]
fn whoever_may_have_nothing_of_it_gets_an_empty_export() {
    run(async |world| {
        let reach = Reach::Types(BTreeMap::from([("Basic".to_owned(), Rows::All)]));
        let query = "_type=Patient&_unheardOf=1";
        world.submit_with("a", "ig", Door::System, query, "", reach).await;
        let runner = world.start();
        runner.ended(1).await;
        runner.stop(MINUTE).await;
        assert_eq!(world.job("a").await.state, State::Complete);
        let listed = world.listed("a").await;
        assert_eq!(listed.len(), 1, "the note alone");
        assert_eq!(report(&world, "a").await.resources, 0);
    });
}

#[test]
fn files_are_no_larger_than_the_kick_off_says() {
    run(async |world| {
        let body = r#"{"resourceType":"Parameters","parameter":[
            {"name":"_type","valueString":"Observation"},{"name":"_maximumFileSize","valueInteger":60000}]}"#;
        world
            .submit_with("a", "ig4", Door::System, "", body, Reach::Everything)
            .await;
        let files = ended(&world, "a").await;
        assert!(files.len() > 2, "{:?}", files.keys());
        assert!(files.values().all(|bytes| text(bytes).len() <= 60_000));
        let names: Vec<String> = world.listed("a").await.into_iter().map(|file| file.name).collect();
        assert!(names.is_sorted() && names.len() == files.len());
    });
}

/// The last input is a pipe, so that the job waits for the test.
#[cfg(unix)]
#[test]
fn files_are_listed_as_they_are_completed_if_the_kick_off_wants_it() {
    run(async |world| {
        let pipe = world.folder.path().join("pipe.ndjson");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("there is mkfifo").success());
        lock(&world.files.inputs).push(InputPlace::File(pipe.clone()));
        let body = r#"{"resourceType":"Parameters","parameter":[
            {"name":"allowPartialManifests","valueBoolean":true},{"name":"_maximumFileSize","valueInteger":20000}]}"#;
        world
            .submit_with("a", "ig4", Door::System, "", body, Reach::Everything)
            .await;
        let runner = world.start();
        let so_far = async {
            loop {
                let files = world.store.files("a", Listing::SoFar, 0, 999).await.expect("lists");
                assert_eq!(world.job("a").await.failure, None);
                if files.len() > 5 {
                    return files;
                }
                tokio::task::yield_now().await;
            }
        };
        let so_far = tokio::time::timeout(MINUTE, so_far).await.expect("some are listed");
        assert_eq!(world.job("a").await.state, State::Running);
        for (_, file) in &so_far {
            let place = world.outputs.place("a", 1, file.folder, &file.name).expect("a name");
            let mut opened = world.outputs.open_file(&place).await.expect("it is there");
            let mut bytes = Vec::new();
            opened.file.read_to_end(&mut bytes).expect("reads");
            assert_eq!(<[u8; 32]>::from(Sha256::digest(&bytes)), file.sha256);
        }
        std::fs::write(&pipe, "{\"resourceType\":\"Patient\",\"id\":\"last\"}\n").expect("writes");
        runner.ended(1).await;
        runner.stop(MINUTE).await;
        let all = world.store.files("a", Listing::Settled, 0, 999).await.expect("lists");
        assert!(all.len() > so_far.len() && all.starts_with(&so_far), "no page changes");
        assert_eq!(
            report(&world, "a").await.resources,
            all.iter().map(|(_, file)| file.count).sum::<u64>()
        );
    });
}

/// A folder on a file system with next to no space, to be made by whoever runs the tests.
#[test]
fn a_full_disk_fails_the_job_and_leaves_nothing() {
    let Some(tiny) = std::env::var_os("FHIREHOSE_TINY_DIR") else {
        println!("skipped: FHIREHOSE_TINY_DIR names no folder on a tiny file system");
        return;
    };
    run(async |world| {
        let root = tempfile::tempdir_in(&tiny).expect("a folder");
        let outputs = Arc::new(crate::outputs::Outputs::open(root.path()).expect("opens"));
        let setting = super::super::Setting {
            outputs: outputs.clone(),
            compression: Compression::None,
            ..world.setting()
        };
        world.submit("a", Door::System, "").await;
        let runner = super::super::Runner::start(setting);
        runner.ended(1).await;
        runner.stop(MINUTE).await;
        let job = world.job("a").await;
        let failure = Failure::read(&job.failure.expect("a reason"));
        assert_eq!((job.state, failure.code.as_str()), (State::Failed, "no-store"));
        assert!(outputs.jobs().await.expect("lists").is_empty());
    });
}

/// What the server does beside the engine, over real data: files are read once more for their sums, and added.
#[test]
fn settling_a_large_job_takes_a_part_of_the_engines_time() {
    let Some(data) = std::env::var_os("FHIREHOSE_DATA") else {
        println!("skipped: FHIREHOSE_DATA names no folder of data");
        return;
    };
    run(async |world| {
        *lock(&world.files.inputs) = fhirehose_native::inputs::expand(&[data]).expect("inputs");
        let now = || jiff::Timestamp::now().as_millisecond();
        let setting = super::super::Setting {
            clock: Arc::new(move || fhirehose_store::Time(now())),
            beat: Duration::from_secs(2),
            ..world.setting()
        };
        world.submit("a", Door::System, "").await;
        let begun = now();
        let runner = super::super::Runner::start(setting);
        runner.ended(1).await;
        let all = u64::try_from(now() - begun).unwrap_or_default();
        runner.stop(MINUTE).await;
        let report = report(&world, "a").await;
        let bytes: u64 = world.listed("a").await.iter().map(|file| file.bytes).sum();
        let engine = report.milliseconds;
        println!("{bytes} bytes of files: engine {engine} ms, all {all} ms");
        assert!(all - engine < engine.max(1000), "engine {engine} ms, all {all} ms");
    });
}
