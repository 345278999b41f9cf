//! `fhirehose pull` from `fhirehose serve`: what is fetched is what `export` writes, whatever is asked for and whoever asks.

mod binary;
mod serving;

use std::collections::BTreeMap;

use binary::Folder;
use serde_json::Value;
use serving::Server;

/// As often as the server lets itself be asked: it names seconds, and jobs take less than one.
const WAIT: &str = "--longest-wait=300ms";

/// Synthetic patients in `data/`.
fn data() -> Folder {
    let folder = Folder::new();
    folder
        .run(&["synth", "--patients", "30", "--seed", "7", "-o", "data"])
        .ends(0);
    folder
}

/// The files of an output with their contents, without what tells where it came from.
fn files(folder: &Folder, name: &str) -> BTreeMap<String, Vec<u8>> {
    let names = folder.files(name).into_iter();
    let names = names.filter(|name| name != "manifest.json" && name != "SHA256SUMS");
    names
        .map(|file| {
            let bytes = std::fs::read(folder.path(name).join(&file)).expect("reads");
            (file, bytes)
        })
        .collect()
}

/// The lists of a manifest.
fn lists(folder: &Folder, name: &str) -> Value {
    let manifest: Value = serde_json::from_str(&folder.read(&format!("{name}/manifest.json"))).expect("JSON");
    assert_eq!(manifest["requiresAccessToken"], false);
    serde_json::json!([manifest["output"], manifest["error"], manifest["outputOrganizedBy"]])
}

/// A group of several patients.
fn group(folder: &Folder) -> String {
    let groups = folder.read("data/Group.ndjson");
    let groups = groups.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let members = |group: &Value| {
        let members = group["member"].as_array().map_or(&[][..], Vec::as_slice).iter();
        let references = members.filter_map(|member| member["entity"]["reference"].as_str());
        references.filter(|reference| reference.starts_with("Patient/")).count()
    };
    let largest = groups.max_by_key(members).expect("a group");
    largest["id"].as_str().expect("an id").to_owned()
}

/// Pulls and exports with the same words, and compares.
#[track_caller]
fn compare(folder: &Folder, server: &Server, words: &[&str]) {
    let out = format!("pulled{}", folder.files(".").len());
    let direct = format!("{out}-direct");
    let pull = ["pull", &server.base, WAIT, "--system", "-o", &out];
    let ran = folder.run(&[&pull, words].concat()).ends(0);
    assert!(ran.out.is_empty(), "{ran:?}");
    let export = ["export", "data", "-o", &direct, "--fhir-base", &server.base];
    folder.run(&[&export, words].concat()).ends(0);
    let (pulled, exported) = (files(folder, &out), files(folder, &direct));
    assert_eq!(
        pulled.keys().collect::<Vec<_>>(),
        exported.keys().collect::<Vec<_>>(),
        "{words:?}"
    );
    assert!(pulled == exported, "{words:?}: the same files with other bytes");
    assert_eq!(lists(folder, &out), lists(folder, &direct), "{words:?}");
}

#[test]
fn what_is_fetched_is_what_export_writes() {
    let folder = data();
    let server = Server::open(&folder);
    for words in [
        &[][..],
        &["--type", "Patient,Observation"],
        &["--type-filter", "Observation?status=final", "--type", "Observation"],
        &["--type", "Condition,Encounter", "--elements", "id,subject,code"],
        &[
            "--type-filter",
            "Observation?category=laboratory",
            "--elements",
            "Observation.status",
            "--type",
            "Observation",
        ],
        &["--type", "Observation", "--since", "2000-01-01T00:00:00Z"],
        &["--type", "Observation", "--max-resources", "7"],
        &["--type", "Patient,Condition", "--compress", "gzip"],
        &[
            "--type",
            "Patient,Condition",
            "--compress",
            "zstd",
            "--max-bytes",
            "20KB",
        ],
        &["--type", "Patient,Condition,Organization", "--organize-by", "Patient"],
        &[
            "--type",
            "Patient,Condition",
            "--organize-by",
            "Patient",
            "--elements",
            "id,code",
            "--max-bytes",
            "9KB",
        ],
    ] {
        compare(&folder, &server, words);
        let mut post = words.to_vec();
        post.extend(["--method", "post"]);
        let out = format!("posted{}", folder.files(".").len());
        folder
            .run(&[&["pull", &server.base, WAIT, "--system", "-o", &out], &post[..]].concat())
            .ends(0);
    }
}

#[test]
fn when_all_is_safe_nothing_but_the_output_is_left() {
    let folder = data();
    let server = Server::open(&folder);
    let ran = folder
        .run(&[
            "pull",
            &server.base,
            WAIT,
            "-o",
            "out",
            "--report",
            "json",
            "--type",
            "Patient,Group",
        ])
        .ends(0);
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    let status = report["statusUrl"].as_str().expect("a URL");
    server.get(status, &[]).is(404);
    assert_eq!(report["sent"]["lines"], report["kept"]);
    assert!(
        report["files"]
            .as_array()
            .expect("files")
            .iter()
            .all(|file| file["verified"] == true)
    );
    let names = folder.files("out");
    assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
    // As `sha256sum -c` reads it.
    let sums = folder.read("out/SHA256SUMS");
    let summed: Vec<&str> = sums
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(_, name)| name)
        .collect();
    let others: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !["manifest.json", "SHA256SUMS"].contains(name))
        .collect();
    assert_eq!(summed, others);

    let ran = folder
        .run(&[
            "pull",
            &server.base,
            WAIT,
            "-o",
            "kept",
            "--keep-job",
            "--no-checksums",
            "--report",
            "json",
        ])
        .ends(0);
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    server.get(report["statusUrl"].as_str().expect("a URL"), &[]).is(200);
    assert!(!folder.files("kept").contains(&"SHA256SUMS".to_owned()));
}

#[test]
fn a_group_and_a_list_of_patients_are_what_export_makes_of_them() {
    let folder = data();
    let server = Server::open(&folder);
    let group = &group(&folder);
    let patients = folder.read("data/Patient.ndjson");
    let ids = patients.lines().take(3).map(|line| {
        let patient: Value = serde_json::from_str(line).expect("JSON");
        patient["id"].as_str().expect("an id").to_owned()
    });
    let ids: Vec<String> = ids.collect();
    folder.write("ids", ids.join("\n"));
    let types = "Patient,Observation,Condition,Practitioner,Organization,Provenance,Group,Device";
    for (index, words) in [
        &["--group", group][..],
        &["--patients", "ids"],
        &["--patient", &ids.join(",")],
        &[
            "--patients",
            "ids",
            "--since",
            "2000-01-01T00:00:00Z",
            "--elements",
            "id,status",
        ],
    ]
    .iter()
    .enumerate()
    {
        let words = [words, &["--type", types][..]].concat();
        let (out, direct) = (format!("out{index}"), format!("direct{index}"));
        folder
            .run(&[&["pull", &server.base, WAIT, "-o", &out], &words[..]].concat())
            .ends(0);
        folder
            .run(
                &[
                    &["export", "data", "-o", &direct, "--fhir-base", &server.base],
                    &words[..],
                ]
                .concat(),
            )
            .ends(0);
        assert!(files(&folder, &out) == files(&folder, &direct), "{words:?}");
        assert!(!files(&folder, &out).is_empty());
    }
}

#[test]
fn clients_of_smart_are_let_in_with_every_kind_of_key() {
    let folder = data();
    folder.write("jwks.json", include_str!("keys/jwks.json"));
    folder.write("rsa.pem", include_str!("keys/test-only-rsa.pem"));
    folder.write("ec.pem", include_str!("keys/test-only-ec.pem"));
    folder.write("keys.json", include_str!("keys/test-only.jwks.json"));
    let add = [
        "client",
        "add",
        "app",
        "--id",
        "app",
        "--jwks",
        "jwks.json",
        "--scope",
        "system/*.read",
    ];
    folder.run(&add).ends(0);
    for arguments in [&[][..], &["--profile", "oracle"]] {
        let server = Server::start(&folder, arguments);
        for (index, key) in [
            &["rsa.pem", "--key-id", "rsa-of-tests"][..],
            &["ec.pem", "--key-id", "ec-of-tests"],
            &["keys.json", "--key-id", "ec-of-tests"],
            &["keys.json", "--key-id", "rsa-of-tests"],
        ]
        .iter()
        .enumerate()
        {
            let out = format!("out-{}-{index}", arguments.len());
            let group = group(&folder);
            let words = [
                "pull",
                &server.base,
                WAIT,
                "-o",
                &out,
                "--type",
                "Patient,Condition",
                "--group",
                &group,
            ];
            folder
                .run(&[&words[..], &["--client-id", "app", "--key"], key].concat())
                .ends(0);
            assert_eq!(folder.files(&out).len(), 4, "{key:?}");
        }
        let wrong = [
            "pull",
            &server.base,
            WAIT,
            "-o",
            "none",
            "--client-id",
            "other",
            "--key",
            "keys.json",
            "--key-id",
            "ec-of-tests",
        ];
        folder.run(&wrong).ends(3).tells(&["invalid_client"]);
        std::fs::remove_dir_all(folder.path("none")).expect("removes");
        let open = ["pull", &server.base, WAIT, "-o", "none", "--type", "Patient"];
        folder.run(&open).ends(3).tells(&["401"]);
        std::fs::remove_dir_all(folder.path("none")).expect("removes");
    }
}

#[test]
fn kicked_off_today_and_fetched_tomorrow() {
    let folder = data();
    let server = Server::open(&folder);
    let ran = folder
        .run(&[
            "pull",
            &server.base,
            WAIT,
            "--system",
            "-o",
            "out",
            "--type",
            "Patient",
            "--detach",
        ])
        .ends(0);
    assert!(ran.err.contains("--resume out"), "{ran:?}");
    assert_eq!(
        folder.files("out").iter().filter(|name| !name.starts_with('.')).count(),
        0
    );
    // Nobody else takes the folder meanwhile.
    folder
        .run(&["pull", &server.base, WAIT, "-o", "out"])
        .ends(2)
        .tells(&["--resume out"]);
    let ran = folder.run(&["pull", "--status", "out", "--report", "json"]).ends(0);
    let status: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert!(
        status["statusUrl"]
            .as_str()
            .is_some_and(|url| url.starts_with(&server.base))
    );
    folder
        .run(&["pull", "--resume", "out", "--type", "Condition"])
        .ends(2)
        .tells(&["cannot be changed"]);
    folder.run(&["pull", "--resume", "out", "--parallel", "2"]).ends(0);
    folder
        .run(&["export", "data", "-o", "direct", "--type", "Patient"])
        .ends(0);
    assert!(files(&folder, "out") == files(&folder, "direct"));
    folder.run(&["pull", "--resume", "out"]).ends(0).tells(&["is complete"]);
}

#[test]
fn one_that_was_killed_before_it_asked_anybody_begins_anew() {
    let folder = data();
    let server = Server::open(&folder);
    folder
        .run(&["pull", &server.base, WAIT, "-o", "out", "--type", "Patient", "--detach"])
        .ends(0);
    for journal in [None, Some(""), Some("{\"torn")] {
        let path = folder.path("out/.fhirehose-pull/journal");
        match journal {
            None => std::fs::remove_file(path).expect("removes"),
            Some(text) => std::fs::write(path, text).expect("writes"),
        }
        folder.run(&["pull", "--resume", "out"]).ends(0);
        assert_eq!(folder.files("out").len(), 3);
        std::fs::remove_dir_all(folder.path("out")).expect("removes");
        folder
            .run(&["pull", &server.base, WAIT, "-o", "out", "--type", "Patient", "--detach"])
            .ends(0);
    }
    std::fs::remove_file(folder.path("out/.fhirehose-pull/journal")).expect("removes");
    folder
        .run(&["pull", &server.base, WAIT, "-o", "out", "--type", "Condition"])
        .ends(0);
    assert!(folder.path("out/Condition.000.ndjson").exists());
    // Killed while the hidden folder was removed.
    folder.write("out/.fhirehose-pull-done/parts/x", "");
    folder.run(&["pull", "--resume", "out"]).ends(0).tells(&["is complete"]);
    assert!(!folder.path("out/.fhirehose-pull-done").exists());
}

#[test]
fn what_is_cancelled_is_gone_here_and_there() {
    let folder = data();
    let server = Server::open(&folder);
    folder
        .run(&["pull", &server.base, WAIT, "-o", "out", "--detach"])
        .ends(0);
    let ran = folder.run(&["pull", "--status", "out", "--report", "json"]).ends(0);
    let status: Value = serde_json::from_str(&ran.out).expect("JSON");
    folder.run(&["pull", "--cancel", "out"]).ends(0).tells(&["cancelled"]);
    server.get(status["statusUrl"].as_str().expect("a URL"), &[]).is(404);
    assert_eq!(folder.files("out"), [""; 0]);
    folder.run(&["pull", "--cancel", "out"]).ends(2);
}

#[test]
fn what_the_server_refuses_leaves_the_folder_to_what_was_meant() {
    let folder = data();
    let server = Server::open(&folder);
    let ran = folder
        .run(&["pull", &server.base, WAIT, "-o", "out", "--group", "unknown"])
        .ends(3);
    assert!(
        ran.err.contains("no such Group") && !ran.err.contains("--resume"),
        "{ran:?}"
    );
    assert_eq!(folder.files("out"), [""; 0]);
    // And what one left that was killed when it had been cancelled.
    folder.write("out/.fhirehose-pull-done/journal", "");
    let group = group(&folder);
    folder
        .run(&["pull", &server.base, WAIT, "-o", "out", "--group", &group])
        .ends(0);
}

#[test]
fn what_makes_no_sense_is_told_before_anybody_is_asked() {
    let folder = data();
    // Nothing listens there.
    let url = "http://127.0.0.1:9/fhir";
    for (words, told) in [
        (&["--type", "Patiant"][..], "did you mean `Patient`"),
        (&["--type-filter", "Observation?nothing=1"], "nothing"),
        (&["--since", "yesterday"], "since"),
        (&["--patient", "a/b"], "no patient id"),
        (&["--method", "get", "--patient", "a"], "POST"),
        (&["--client-id", "a", "--key", "missing"], "--key"),
        (&["--basic", "user"], "USER:FILE"),
        (&["--scope", "system/*.read"], "--scope"),
        (&["--parameter", "x"], "NAME=VALUE"),
        (&["--stall", "soon"], "--stall"),
    ] {
        let all = [&["pull", url, "-o", "out"], words].concat();
        folder.run(&all).ends(2).tells(&[told]);
        assert!(!folder.path("out").exists(), "{words:?}");
    }
    folder.write("bearer", "token\n");
    let far = [
        "pull",
        "http://example.org/fhir",
        "-o",
        "out",
        "--bearer-file",
        "bearer",
    ];
    folder.run(&far).ends(2).tells(&["not https"]);
    folder.write("full/file", "x");
    folder.run(&["pull", url, "-o", "full"]).ends(2).tells(&["not empty"]);
    folder
        .run(&["pull", "--resume", "data"])
        .ends(2)
        .tells(&["nothing to go on with"]);
}

#[test]
fn what_was_fetched_is_what_verify_wants_and_the_manifest_is_checked_where_it_is() {
    let folder = data();
    let server = Server::open(&folder);
    let ran = folder
        .run(&[
            "pull",
            &server.base,
            WAIT,
            "--system",
            "-o",
            "out",
            "--keep-job",
            "--report",
            "json",
        ])
        .ends(0);
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    folder.run(&["verify", "out"]).ends(0);
    let status = report["statusUrl"].as_str().expect("a URL");
    folder.run(&["manifest", "check", status]).ends(0);
    let gone = format!("{status}x");
    folder.run(&["manifest", "check", &gone]).ends(3).tells(&["404"]);
}
