//! `export` and `synth` where all goes well: what is written, where, and what the summary says of it.

mod binary;

use std::fs;
use std::io::Read;

use binary::{Folder, LINES};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn patients() -> String {
    let lines = LINES.split_inclusive('\n');
    lines.filter(|line| line.contains("Patient")).collect()
}

#[test]
fn kept_lines_leave_as_they_came() {
    let folder = Folder::with_lines();
    let ran = folder
        .run(&["export", "data", "-o", "new/out", "--type", "Patient"])
        .ends(0);
    assert_eq!(ran.out, "", "standard output holds only what was asked for");
    assert_eq!(folder.files("new/out"), ["Patient.000.ndjson", "manifest.json"]);
    assert_eq!(folder.read("new/out/Patient.000.ndjson"), patients());
    let manifest = json(&folder.read("new/out/manifest.json"));
    assert_eq!(manifest["request"], "$export?_type=Patient");
    assert_eq!(manifest["output"][0]["url"], "Patient.000.ndjson");
    assert_eq!(manifest["error"], json("[]"));
    let time = manifest["transactionTime"].as_str().expect("a string");
    assert_eq!((time.len(), &time[23..]), (24, "Z"), "{time}");
}

#[test]
fn standard_input_and_output() {
    let folder = Folder::new();
    let args = [
        "export",
        "-",
        "-o",
        "-",
        "--type-filter",
        "Patient?gender=female",
        "--type",
        "Patient",
    ];
    let ran = folder.run_with(LINES.as_bytes(), &args).ends(0);
    assert_eq!(ran.out.lines().count(), 2);
    assert!(LINES.contains(ran.out.lines().last().expect("a line")));
    assert_eq!(folder.files(""), [""; 0], "nothing else is written");
    let ran = folder.run_with(b"", &["export", "-", "-o", "-"]).ends(0);
    assert_eq!(ran.out, "");
}

#[test]
fn a_filter_may_be_given_again_and_types_may_be_listed() {
    let folder = Folder::with_lines();
    let filters = [
        "--type-filter",
        "Patient?birthdate=lt1975",
        "--type-filter",
        "Patient?birthdate=gt1985,Observation?code=c",
    ];
    let export = |types: &[&str]| {
        folder
            .run(&[&["export", "data", "-o", "-"], types, &filters].concat())
            .ends(0)
            .out
    };
    let both = export(&["--type", "Patient,Observation"]);
    assert_eq!(both.lines().count(), 3);
    assert_eq!(both, export(&["--type", "Patient", "--type", "Observation"]));
}

#[test]
fn the_report_for_programs_agrees_with_the_files() {
    let folder = Folder::with_lines();
    let base = [
        "export",
        "data",
        "-o",
        "out",
        "--report",
        "json",
        "--max-resources",
        "2",
    ];
    let flags = [
        "--compress",
        "gzip",
        "--level",
        "1",
        "--threads",
        "2",
        "--base-url",
        "https://x/y/",
        "--ig",
        "4",
    ];
    let ran = folder.run(&[&base[..], &flags].concat()).ends(0);
    assert_eq!(ran.err, "");
    let report = json(&ran.out);
    assert_eq!(report["read"], 4);
    assert_eq!(report["kept"], 4);
    assert_eq!(report["keptBytes"], LINES.len());
    assert_eq!(report["storedBytes"], LINES.len());
    assert_eq!(report["threads"], 2);
    assert_eq!(report["manifest"], "out/manifest.json");
    let manifest = json(&folder.read("out/manifest.json"));
    let mut lines = 0;
    for (file, item) in report["files"]
        .as_array()
        .expect("files")
        .iter()
        .zip(manifest["output"].as_array().expect("items"))
    {
        let path = file["path"].as_str().expect("a path");
        assert_eq!(item["url"], format!("https://x/y/{path}"));
        assert_eq!(item["fileSize"], file["size"]);
        assert_eq!(
            fs::metadata(folder.path(&format!("out/{path}"))).expect("a file").len(),
            file["size"]
        );
        let mut text = String::new();
        let stored = fs::File::open(folder.path(&format!("out/{path}"))).expect("a file");
        flate2::read::GzDecoder::new(stored)
            .read_to_string(&mut text)
            .expect("gzip");
        assert_eq!(text.len(), file["bytes"]);
        assert_eq!(text.lines().count(), file["count"]);
        lines += text.lines().count();
    }
    assert_eq!(lines, 4);
    let names = [
        "Observation.000.ndjson.gz",
        "Patient.000.ndjson.gz",
        "Patient.001.ndjson.gz",
        "manifest.json",
    ];
    assert_eq!(folder.files("out"), names);
}

/// Whether a run asks for anything to be put on the disk; `None` where there is no strace, or it may not trace.
fn syncs(folder: &Folder, args: &[&str]) -> Option<bool> {
    let traced = std::process::Command::new("strace")
        .args(["-f", "-o", "trace", "-e", "trace=fsync,fdatasync,syncfs"])
        .arg(env!("CARGO_BIN_EXE_fhirehose"))
        .args(args)
        .current_dir(folder.path(""))
        .output();
    if !traced.is_ok_and(|ran| ran.status.success()) {
        return None;
    }
    let trace = std::fs::read_to_string(folder.path("trace")).ok()?;
    Some(trace.contains("sync"))
}

#[test]
fn without_a_sync_the_same_files_come_and_nobody_waits_for_the_disk() {
    let folder = Folder::with_lines();
    folder.run(&["export", "data", "-o", "synced"]).ends(0);
    folder.run(&["export", "data", "-o", "out", "--no-sync"]).ends(0);
    assert_eq!(folder.files("out"), folder.files("synced"));
    let more = |out: &str, flag: &[&str]| syncs(&folder, &[&["export", "data", "-o", out], flag].concat());
    let Some(has_synced) = more("traced", &[]) else {
        println!("SKIPPED: no strace here; whether the disk is waited for was not looked at");
        return;
    };
    assert!(has_synced);
    assert_eq!(more("unsynced", &["--no-sync"]), Some(false));
}

#[test]
fn force_replaces_an_earlier_export() {
    let folder = Folder::with_lines();
    let export = |more: &[&str]| folder.run(&[&["export", "data", "-o", "out"], more].concat());
    export(&["--max-resources", "1"]).ends(0);
    assert_eq!(folder.files("out").len(), 5);
    export(&[]).ends(3).tells(&["not empty", "--force"]);
    assert_eq!(folder.files("out").len(), 5, "a refusal changes nothing");
    export(&["--force", "--type", "Patient"]).ends(0);
    assert_eq!(folder.files("out"), ["Patient.000.ndjson", "manifest.json"]);
}

#[test]
fn output_does_not_depend_on_threads_nor_on_compressed_input() {
    let folder = Folder::new();
    folder
        .run(&["synth", "--patients", "40", "--seed", "3", "-o", "s"])
        .ends(0);
    let gz = |name: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, folder.read(&format!("s/{name}")).as_bytes()).expect("compresses");
        folder.write(&format!("z/{name}.gz"), encoder.finish().expect("compresses"));
    };
    folder.files("s").iter().for_each(|name| gz(name));
    let filter = [
        "--type-filter",
        "Observation?date=ge2015",
        "--max-bytes",
        "100k",
        "--transaction-time",
        "2026-01-01T00:00:00Z",
    ];
    let mut first: Option<Vec<(String, String)>> = None;
    for (input, threads) in [("s", "1"), ("s", "2"), ("s", "7"), ("z", "3")] {
        let out = format!("out-{input}{threads}");
        folder
            .run(&[&["export", input, "-o", &out, "--threads", threads], &filter[..]].concat())
            .ends(0);
        let files = folder.files(&out).into_iter();
        let all: Vec<(String, String)> = files
            .map(|name| (name.clone(), folder.read(&format!("{out}/{name}"))))
            .collect();
        assert!(all.len() > 30);
        assert!(first.get_or_insert_with(|| all.clone()) == &all, "{out}");
    }
}

#[test]
fn definitions_of_the_user() {
    let folder = Folder::with_lines();
    folder.write(
        "own.json",
        r#"{"resourceType":"SearchParameter","code":"born","type":"date","base":["Patient"],"expression":"Patient.birthDate"}"#,
    );
    folder.write(
        "sets.ndjson",
        r#"{"resourceType":"ValueSet","url":"http://v","compose":{"include":[{"system":"s","concept":[{"code":"c"}]}]}}"#,
    );
    let own = ["--search-parameters", "own.json"];
    let export = |more: &[&str]| folder.run(&[&["export", "data", "-o", "-"], more].concat());
    let filter = ["--type", "Patient", "--type-filter", "Patient?born=ge1980"];
    assert_eq!(export(&[&own[..], &filter].concat()).ends(0).out.lines().count(), 2);
    export(&filter)
        .ends(2)
        .tells(&["Patient has no search parameter `born`"]);
    assert!(
        folder
            .run(&["params", "Patient", own[0], own[1]])
            .ends(0)
            .out
            .contains("\nborn ")
    );
    let set = ["--type", "Observation", "--type-filter", "Observation?code:in=http://v"];
    assert_eq!(
        export(&[&["--value-sets", "sets.ndjson"], &set[..]].concat())
            .ends(0)
            .out
            .lines()
            .count(),
        1
    );
    export(&set)
        .ends(2)
        .tells(&["this value set is not among the supplied code lists"]);
    let twice = ["--value-sets", "sets.ndjson", "--value-sets", "sets.ndjson"];
    export(&[&twice, &set[..]].concat())
        .ends(2)
        .tells(&["`http://v` is supplied twice"]);
}

#[test]
fn versions_of_fhir_differ() {
    let folder = Folder::with_lines();
    let export = |version: &str, filter: &str| {
        let type_name = filter.split('?').next().expect("a type");
        let args = [
            "export",
            "data",
            "-o",
            "-",
            "--fhir-version",
            version,
            "--type",
            type_name,
            "--type-filter",
            filter,
        ];
        folder.run(&args)
    };
    // US Core's own parameter, and a type that R5 brought.
    export("4.0", "Patient?race=x").ends(0);
    export("5.0", "Patient?race=x").ends(2);
    export("5.0", "Transport?status=completed").ends(0);
    export("4.3", "Transport?status=completed").ends(2);
}

#[test]
fn approximate_dates_need_no_transaction_time() {
    let folder = Folder::with_lines();
    let filter = ["--type", "Patient", "--type-filter", "Patient?birthdate=ap1980"];
    folder
        .run(&[&["export", "data", "-o", "-"], &filter[..]].concat())
        .ends(0);
    folder.run(&[&["explain"], &filter[..]].concat()).ends(0);
}

#[test]
fn the_transaction_time_bounds_only_when_given() {
    let folder = Folder::new();
    let line = "{\"resourceType\":\"Patient\",\"meta\":{\"lastUpdated\":\"2999-01-01T00:00:00Z\"}}\n";
    folder.write("in.ndjson", line);
    assert_eq!(folder.run(&["export", "in.ndjson", "-o", "-"]).ends(0).out, line);
    let args = [
        "export",
        "in.ndjson",
        "-o",
        "out",
        "--transaction-time",
        "2026-01-01T00:00:00 02:00",
    ];
    folder.run(&args).ends(0);
    assert_eq!(folder.files("out"), ["manifest.json"]);
    let manifest = json(&folder.read("out/manifest.json"));
    assert_eq!(
        manifest["transactionTime"], "2026-01-01T00:00:00+02:00",
        "a blank is a plus that some client lost"
    );
}

#[test]
fn synth_gives_the_same_bytes_for_the_same_seed() {
    let folder = Folder::new();
    let synth = |out: &str, more: &[&str]| folder.run(&[&["synth", "--patients", "2", "-o", out], more].concat());
    let bytes = |out: &str| {
        folder
            .files(out)
            .iter()
            .map(|name| folder.read(&format!("{out}/{name}")))
            .collect::<String>()
    };
    assert_eq!(synth("a", &["--seed", "5"]).ends(0).out, "");
    synth("b", &["--seed", "5"]).ends(0);
    synth("c", &["--seed", "6"]).ends(0);
    synth("d", &["--seed", "5", "--regular"]).ends(0);
    assert_eq!(bytes("a"), bytes("b"));
    assert_ne!(bytes("a"), bytes("c"));
    assert_ne!(bytes("a"), bytes("d"));
    synth("a", &[])
        .ends(3)
        .tells(&["cannot use a: the folder is not empty"]);
    synth("a", &["--force", "--seed", "6"]).ends(0);
    assert_eq!(bytes("a"), bytes("c"));
    synth("-", &[]).ends(2).tells(&["needs a folder"]);
    folder.write("file", "");
    synth("file", &[]).ends(3).tells(&["cannot make file"]);
}
