//! What people see, word for word. `UPDATE_SNAPSHOTS=1 cargo test` writes what is printed now; read the difference.

mod binary;

use std::fs;
use std::path::Path;

use binary::{Folder, Ran};

/// Compares with `tests/snapshots/NAME.txt`.
#[track_caller]
fn assert_snapshot(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, found).expect("writes");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} differs; printed was:\n{found}", path.display());
}

/// Exit code and both streams.
fn shown(ran: &Ran) -> String {
    format!(
        "exit {}\n--- stdout\n{}--- stderr\n{}",
        ran.code.unwrap_or(-1),
        ran.out,
        ran.err
    )
}

/// The text with the figures of the clock as `#`.
fn masked(text: &str) -> String {
    let is_timed = |line: &str| {
        let line = line.trim_start();
        line.starts_with("took ") || line.starts_with("\"milliseconds\"") || line.starts_with("\"bytesPerSecond\"")
    };
    let mask = |line: &str| {
        let line: String = line
            .chars()
            .map(|letter| if letter.is_ascii_digit() { '#' } else { letter })
            .collect();
        let mut short = String::new();
        for letter in line.chars().filter(|letter| *letter != ',' || !is_timed("took ")) {
            if !(letter == '#' && short.ends_with('#')) {
                short.push(letter);
            }
        }
        short
    };
    text.lines()
        .map(|line| if is_timed(line) { mask(line) } else { line.to_owned() } + "\n")
        .collect()
}

#[test]
fn help() {
    let folder = Folder::new();
    for command in [
        "export",
        "explain",
        "params",
        "merge",
        "diff",
        "pull",
        "verify",
        "manifest check",
        "serve",
        "client",
        "client add",
        "synth",
        "completions",
        "man",
    ] {
        let help = |flag| {
            let words: Vec<&str> = command.split(' ').chain([flag]).collect();
            folder.run(&words).ends(0)
        };
        let ran = help("--help");
        assert_eq!(ran.err, "");
        assert!(ran.out.lines().all(|line| line.chars().count() <= 100), "{}", ran.out);
        assert_eq!(ran.out, help("-h").out, "one help, short or long");
        assert_snapshot(&format!("help-{}", command.replace(' ', "-")), &ran.out);
    }
    assert_snapshot("help", &folder.run(&["--help"]).ends(0).out);
}

#[test]
fn explain() {
    let folder = Folder::new();
    let request = [
        "--type",
        "Observation,Patient",
        "--type-filter",
        "Observation?category=laboratory&date=ge2015",
        "--type-filter",
        "Patient?gender=female,other",
        "--since",
        "2020-01-01T00:00:00Z",
        "--elements",
        "id,Patient.name",
    ];
    for (name, more) in [("explain", &[][..]), ("explain-json", &["--report", "json"])] {
        let args: Vec<&str> = ["explain"].iter().chain(&request).chain(more).copied().collect();
        let ran = folder.run(&args).ends(0);
        assert_eq!(ran.err, "");
        assert_snapshot(name, &ran.out);
    }
    let group = [
        "explain",
        "--group",
        "g",
        "--type",
        "Condition,Provenance,Practitioner",
        "--type-filter",
        "Practitioner?active=true",
    ];
    for (name, more) in [
        ("explain-group", &[][..]),
        ("explain-group-json", &["--report", "json"]),
    ] {
        let args: Vec<&str> = group.iter().chain(more).copied().collect();
        assert_snapshot(name, &folder.run(&args).ends(0).out);
    }
    let oracle = ["explain", "--profile", "oracle", "--type", "Goal"];
    for (name, more) in [
        ("explain-oracle", &[][..]),
        ("explain-oracle-json", &["--report", "json"]),
    ] {
        let args: Vec<&str> = oracle.iter().chain(more).copied().collect();
        let ran = folder.run(&args).ends(0);
        assert!(ran.out.lines().all(|line| line.chars().count() <= 100), "{}", ran.out);
        assert_snapshot(name, &ran.out);
    }
}

#[test]
fn params() {
    let folder = Folder::new();
    let cases = [
        ("params-group", &["params", "Group"][..]),
        ("params-group-json", &["params", "Group", "--report", "json"]),
        ("params-types-r5", &["params", "--fhir-version", "5.0"]),
    ];
    for (name, args) in cases {
        let ran = folder.run(args).ends(0);
        assert_eq!(ran.err, "");
        assert_snapshot(name, &ran.out);
    }
    assert_snapshot(
        "params-unknown-type",
        &shown(&folder.run(&["params", "Patiant"]).ends(2)),
    );
}

#[test]
fn every_problem_of_a_request_with_carets() {
    let folder = Folder::with_lines();
    let ran = folder.run(&[
        "export",
        "data",
        "missing.ndjson",
        "-o",
        "out",
        "--type",
        "Patient,Obsarvation,Condition",
        "--type-filter",
        "Patient?gendre=female&birthdate=19x0",
        "--type-filter",
        "Patient?organization.name=x,Condition?_has:Observation:subject:code=c",
        "--type-filter",
        "Condition?code:above=x&_count=3",
        "--type-filter",
        r"Condition?code=a\b",
        "--since",
        "yesterday",
        "--elements",
        "Patient.nmae",
        "--level",
        "3",
    ]);
    assert!(!folder.path("out").exists(), "nothing is written");
    assert_snapshot("problems", &shown(&ran.ends(2)));
}

#[test]
fn everything_that_a_profile_does_not_take() {
    let folder = Folder::with_lines();
    let args = |profile: &'static str| {
        [
            "export",
            "data",
            "-o",
            "out",
            "--profile",
            profile,
            "--type",
            "Observation,Encounter,Patient,Appointment",
            "--type-filter",
            "Observation?date=ge2020&date=lt2021&date=lt2022&status=final&subject=Patient/1",
            "--type-filter",
            "Observation?category:not=laboratory,Encounter?date=2020",
            "--type-filter",
            "Patient?gender=female",
            "--until",
            "2025-01-01T00:00:00Z",
            "--elements",
            "id",
        ]
    };
    let ran = folder.run(&args("oracle")).ends(2);
    assert!(!folder.path("out").exists(), "nothing is written");
    assert_snapshot("problems-oracle", &shown(&ran));
    let ran = folder
        .run(&["explain", "--profile", "oracle", "--type", "Location,Practitioner"])
        .ends(2);
    assert_snapshot("problems-oracle-dependent", &shown(&ran));
    folder.run(&args("ig")).ends(0);
}

#[test]
fn summary_of_an_export() {
    let folder = Folder::with_lines();
    folder.write(
        "data/more.ndjson",
        "{\"resourceType\":\"Patient\",\"id\":7x}\nnull\n{\"resourceType\":\"Nobody\"}\n",
    );
    let request = [
        "--type",
        "Patient,Condition",
        "--transaction-time",
        "2026-01-01T00:00:00Z",
        "--threads",
        "1",
    ];
    let cases = [
        ("summary", "out", &["-o", "out"][..]),
        ("summary-json", "out-json", &["-o", "out-json", "--report", "json"]),
        ("summary-stdout", "-", &["-o", "-"]),
        ("summary-stdout-json", "-", &["-o", "-", "--report", "json"]),
    ];
    for (name, out, more) in cases {
        let args: Vec<&str> = ["export", "data"].iter().chain(&request).chain(more).copied().collect();
        let ran = folder.run(&args).ends(1);
        // Places of bad lines are as long as their files' names.
        let mut lines = ran.err.lines().filter(|line| !line.starts_with("         "));
        assert!(lines.all(|line| line.len() <= 80), "{}", ran.err);
        assert_snapshot(name, &masked(&shown(&ran)));
        if out != "-" {
            assert_snapshot("manifest", &folder.read(&format!("{out}/manifest.json")));
        }
    }
}

#[test]
fn summary_of_organized_output() {
    let folder = Folder::new();
    folder
        .run(&["synth", "--patients", "3", "--seed", "7", "-o", "s"])
        .ends(0);
    let request = [
        "--transaction-time",
        "2026-01-01T00:00:00Z",
        "--organize-by",
        "Patient",
        "--type",
        "Patient,Observation,Practitioner",
        "--max-resources",
        "30",
        "--threads",
        "1",
    ];
    for (name, more) in [("organized", &[][..]), ("organized-json", &["--report", "json"])] {
        let args: Vec<&str> = ["export", "s", "-o", name]
            .iter()
            .chain(&request)
            .chain(more)
            .copied()
            .collect();
        let ran = folder.run(&args);
        assert!(matches!(ran.code, Some(0 | 1)), "{ran:?}");
        assert_snapshot(&format!("summary-{name}"), &masked(&shown(&ran)));
    }
    assert_snapshot("manifest-organized", &folder.read("organized/manifest.json"));
}

#[test]
fn summary_of_synthetic_patients() {
    let folder = Folder::new();
    let ran = folder
        .run(&["synth", "--patients", "3", "--seed", "7", "-o", "s"])
        .ends(0);
    assert_snapshot("synth", &shown(&ran));
}

#[test]
fn summaries_of_merge_and_diff() {
    let folder = Folder::new();
    let line = |id: &str, second: u32| {
        format!(
            "{{\"resourceType\":\"Patient\",\"id\":\"{id}\",\"meta\":{{\"lastUpdated\":\"2024-01-01T00:00:0{second}Z\"}}}}\n"
        )
    };
    let gone = "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{\"request\":{\"method\":\"DELETE\",\
                \"url\":\"Patient/b\"}}]}\n";
    folder.write("monday/a.ndjson", [line("a", 1), line("b", 1), line("c", 5)].concat());
    folder.write(
        "tuesday/a.ndjson",
        [line("a", 2), line("c", 4), line("d", 2), "{\n".to_owned()].concat(),
    );
    folder.write("tuesday/deleted/b.ndjson", gone);
    folder.write("wednesday/a.ndjson", line("b", 3));
    let merge = ["merge", "monday", "tuesday", "wednesday", "-o", "merged"];
    assert_snapshot("merge", &masked(&shown(&folder.run(&merge))));
    let diff = ["diff", "monday", "tuesday", "-o", "delta"];
    assert_snapshot("diff", &masked(&shown(&folder.run(&diff))));
    let manifest = folder.read("delta/manifest.json");
    let rest = manifest.split_once(",\n").map(|(_, rest)| rest);
    assert_snapshot("diff-manifest", rest.expect("the clock comes first"));
}

#[test]
fn scripts_and_pages_are_printed() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = folder.run(&["completions", shell]).ends(0);
        assert!(ran.out.contains("type-filter") && ran.err.is_empty(), "{shell}");
    }
    assert!(folder.run(&["man"]).ends(0).out.contains(".SH SUBCOMMANDS"));
    let page = folder.run(&["man", "export"]).ends(0).out;
    assert!(
        page.contains(".TH fhirehose-export 1") && page.contains("Examples:"),
        "{page}"
    );
    folder
        .run(&["man", "exprot"])
        .ends(2)
        .tells(&["did you mean `export`?"]);
    assert!(folder.run(&["--version"]).ends(0).out.starts_with("fhirehose "));
}
