//! The server as its clients meet it: every vector of the standards and of the field, through HTTP.

mod binary;
mod serving;

use binary::Folder;
use serde_json::{Value, json};
use serving::{ASYNC, Server, request};

/// Two patients with what belongs to them, a group of one of them, one without members, and an Organization.
fn data() -> Folder {
    let folder = Folder::new();
    let lines = [
        r#"{"resourceType":"Patient","id":"a","meta":{"lastUpdated":"2024-01-01T00:00:00Z"},"gender":"female"}"#,
        r#"{"resourceType":"Patient","id":"b","meta":{"lastUpdated":"2024-06-01T00:00:00Z"},"gender":"male"}"#,
        r#"{"resourceType":"Observation","id":"o1","meta":{"lastUpdated":"2024-01-01T00:00:00Z"},"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"1-8"}]},"subject":{"reference":"Patient/a"}}"#,
        r#"{"resourceType":"Observation","id":"o2","meta":{"lastUpdated":"2024-06-01T00:00:00.500Z"},"status":"amended","code":{"coding":[{"system":"http://loinc.org","code":"2-9"}]},"subject":{"reference":"Patient/b"}}"#,
        r#"{"resourceType":"Condition","id":"c1","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"subject":{"reference":"Patient/a"}}"#,
        r#"{"resourceType":"Organization","id":"org","name":"Überklinik 😀"}"#,
        r#"{"resourceType":"Group","id":"one","type":"person","actual":true,"name":"One","member":[{"entity":{"reference":"Patient/a"}}]}"#,
        r#"{"resourceType":"Group","id":"empty","type":"person","actual":true,"name":"Nobody"}"#,
    ];
    folder.write("data/all.ndjson", format!("{}\n", lines.join("\n")));
    folder
}

fn ids(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let id = |line: &str| -> String {
        let value: Value = serde_json::from_str(line).expect("JSON");
        value["id"].as_str().unwrap_or_default().to_owned()
    };
    text.lines().map(id).collect()
}

/// The types of a manifest's output.
fn types(manifest: &Value) -> Vec<&str> {
    let items = manifest["output"].as_array().expect("a list");
    items
        .iter()
        .map(|item| item["type"].as_str().unwrap_or_default())
        .collect()
}

#[test]
fn a_system_export_is_what_the_command_line_writes() {
    let folder = data();
    let server = Server::open(&folder);
    let (manifest, files) = server.export("$export");
    assert_eq!(
        types(&manifest),
        ["Condition", "Group", "Observation", "Organization", "Patient"]
    );
    assert_eq!(manifest["requiresAccessToken"], false);
    assert_eq!(manifest["error"], json!([]));
    assert_eq!(manifest["request"], format!("{}/$export", server.base));
    folder.run(&["export", "data", "-o", "out"]).ends(0);
    for type_name in types(&manifest) {
        let written = folder.read(&format!("out/{type_name}.000.ndjson"));
        assert_eq!(files[&format!("output/{type_name}")], written.as_bytes(), "{type_name}");
    }
}

#[test]
fn kick_offs_need_accept_and_respond_async() {
    let folder = data();
    let server = Server::open(&folder);
    let prefer = ("prefer", "respond-async");
    server.get("$export", &[prefer]).is(400).tells("required", &["Accept"]);
    server
        .get("$export", &[("accept", "*/*")])
        .is(400)
        .tells("required", &["Prefer: respond-async"]);
    server.get("$export", &[prefer, ("accept", "text/html")]).is(406);
    for accept in ["*/*", "application/json", "application/fhir+json;q=0.9, text/html"] {
        server.get("$export", &[prefer, ("accept", accept)]).is(202);
    }
    for prefer in [
        "respond-async, handling=lenient",
        "Respond-Async;x=y",
        "return=minimal,respond-async",
    ] {
        server.get("$export", &[("accept", "*/*"), ("prefer", prefer)]).is(202);
    }
}

#[test]
fn every_spelling_of_the_format_is_taken_and_no_other() {
    let folder = data();
    let server = Server::open(&folder);
    for format in [
        "application/fhir%2Bndjson",
        "application/fhir+ndjson",
        "application/ndjson",
        "ndjson",
        "NDJSON",
    ] {
        server.get(&format!("$export?_outputFormat={format}"), &ASYNC).is(202);
    }
    let refused = server.get("$export?_outputFormat=application/xml", &ASYNC).is(400);
    refused.tells("invalid", &["_outputFormat"]);
}

#[test]
fn get_and_post_are_read_by_one_parser() {
    let folder = data();
    let server = Server::open(&folder);
    let by_get = server
        .export("Patient/$export?_type=Patient,,Observation%20,%20Condition&_typeFilter=Observation%3Fstatus%3Dfinal");
    let body = json!([
        { "name": "_type", "valueString": "Patient,,Observation , Condition" },
        { "name": "_typeFilter", "valueString": "Observation?status=final" },
    ]);
    let status = server
        .post("Patient/$export", &body)
        .is(202)
        .header("content-location")
        .to_owned();
    let manifest = server.wait(&status).is(200).json();
    assert_eq!(by_get.1, server.files(&manifest, &[]));
    assert_eq!(ids(&by_get.1["output/Observation"]), ["o1"]);
    assert_eq!(ids(&by_get.1["output/Patient"]), ["a", "b"]);
}

#[test]
fn since_is_after_and_until_before() {
    let folder = data();
    let server = Server::open(&folder);
    let of = |query: &str| {
        server
            .export(&format!("$export?_type=Observation&{query}"))
            .1
            .get("output/Observation")
            .map(|bytes| ids(bytes))
            .unwrap_or_default()
    };
    assert_eq!(of("_since=2024-01-01T00:00:00Z"), ["o2"]);
    assert_eq!(of("_since=2024-06-01T00:00:00.499Z"), ["o2"]);
    assert_eq!(of("_since=2024-06-01T00:00:00.500Z"), Vec::<String>::new());
    assert_eq!(of("_since=2024-06-01T02:00:00%2B02:00"), ["o2"]);
    assert_eq!(of("_since=2024-06-01T02:00:00+02:00"), ["o2"]);
    assert_eq!(of("_until=2024-06-01T00:00:00.500Z"), ["o1"]);
    server
        .get("$export?_since=2024", &ASYNC)
        .is(400)
        .tells("invalid", &["_since"]);
}

#[test]
fn unknown_parameters_are_refused_or_told_in_the_manifest() {
    let folder = data();
    let server = Server::open(&folder);
    server
        .get("$export?_nope=1", &ASYNC)
        .is(400)
        .tells("not-supported", &["_nope"]);
    let lenient = [("accept", "*/*"), ("prefer", "respond-async, handling=lenient")];
    let status = server
        .get("$export?_nope=1&_type=Patient", &lenient)
        .is(202)
        .header("content-location")
        .to_owned();
    let manifest = server.wait(&status).is(200).json();
    let files = server.files(&manifest, &[]);
    let told = String::from_utf8_lossy(&files["error/OperationOutcome"]).into_owned();
    assert!(told.contains("_nope") && told.ends_with("}\n"), "{told}");
    assert_eq!(types(&manifest), ["Patient"]);
}

#[test]
fn a_filter_that_cannot_be_applied_is_refused_with_its_place_even_leniently() {
    let folder = data();
    let server = Server::open(&folder);
    let lenient = [("accept", "*/*"), ("prefer", "respond-async, handling=lenient")];
    for headers in [ASYNC.as_slice(), &lenient] {
        let refused = server.get("$export?_type=Observation&_typeFilter=Observation%3Fcoed%3D1", headers);
        let refused = refused.is(400).tells("invalid", &["coed"]);
        assert_eq!(refused.json()["issue"][0]["location"][0], "http._typeFilter");
    }
}

#[test]
fn groups_are_exported_found_and_missed() {
    let folder = data();
    let server = Server::open(&folder);
    let (manifest, files) = server.export("Group/one/$export");
    assert_eq!(ids(&files["output/Patient"]), ["a"]);
    assert_eq!(ids(&files["output/Observation"]), ["o1"]);
    assert_eq!(ids(&files["output/Group"]), ["one"]);
    assert!(!types(&manifest).is_empty());
    let (manifest, _) = server.export("Group/empty/$export?_type=Patient,Observation");
    assert_eq!(manifest["output"], json!([]));
    server
        .get("Group/none/$export", &ASYNC)
        .is(404)
        .tells("not-found", &["Group"]);
    for trick in ["..%2F..%2Fetc", "%2e%2e", "a%00b", "a%ff", "..%5c.."] {
        server.get(&format!("Group/{trick}/$export"), &ASYNC).is(404);
    }
    let listed = server.get("Group", &[]).is(200).json();
    assert_eq!(listed["resourceType"], "Bundle");
    assert_eq!(listed["total"], 2);
    let read = server.get("Group/one", &[]).is(200);
    assert_eq!(read.json()["name"], "One");
    server.get("Group/none", &[]).is(404);
    let found = server.get("Group?name=nob", &[]).is(200).json();
    assert_eq!(found["entry"][0]["resource"]["id"], "empty");
}

#[test]
fn listed_patients() {
    let folder = data();
    let server = Server::open(&folder);
    let patient = |id: &str| json!({ "name": "patient", "valueReference": { "reference": format!("Patient/{id}") } });
    let status = server
        .post("Patient/$export", &json!([patient("b"), patient("b")]))
        .is(202);
    let manifest = server.wait(status.header("content-location")).is(200).json();
    let files = server.files(&manifest, &[]);
    assert_eq!(ids(&files["output/Patient"]), ["b"]);
    assert_eq!(ids(&files["output/Observation"]), ["o2"]);
    server
        .post("Patient/$export", &json!([patient("a"), patient("x")]))
        .is(404)
        .tells("not-found", &["Patient/x"]);
    server
        .post("Group/one/$export", &json!([patient("b")]))
        .is(404)
        .tells("not-found", &["Patient/b"]);
    server.post("$export", &json!([patient("a")])).is(400);
    server.get("Patient/$export?patient=Patient/a", &ASYNC).is(400);
}

#[test]
fn bodies_that_are_no_parameters() {
    let folder = data();
    let server = Server::open(&folder);
    let json = ("content-type", "application/fhir+json");
    let post = |headers: &[(&str, &str)], body: &[u8]| {
        let mut all = ASYNC.to_vec();
        all.extend(headers);
        server.request("POST", "$export", &all, body)
    };
    post(&[json], b"{").is(400);
    post(&[json], br#"{"resourceType":"Patient"}"#).is(400);
    post(&[json], br#"[1]"#).is(400);
    post(&[("content-type", "text/plain")], b"{}").is(415);
    post(&[], br#"{"resourceType":"Parameters"}"#).is(415);
    post(&[json], br#"{"resourceType":"Parameters"}"#).is(202);
    post(&[json], &vec![b' '; 17 << 20]).is(413);
    let filter = format!("Observation?code={}", "1,".repeat(5 << 20));
    let long = json!({ "resourceType": "Parameters", "parameter": [{ "name": "_typeFilter", "valueString": filter }] });
    post(&[json], long.to_string().as_bytes()).is(400);
}

#[test]
fn methods_that_are_not_there() {
    let folder = data();
    let server = Server::open(&folder);
    let allow = |method: &str, path: &str| {
        server
            .request(method, path, &ASYNC, b"")
            .is(405)
            .header("allow")
            .to_owned()
    };
    assert_eq!(allow("PUT", "$export"), "GET, POST");
    assert_eq!(allow("DELETE", "Patient/$export"), "GET, POST");
    assert!(allow("POST", "bulk-export/jobs/x").contains("DELETE"));
    assert!(allow("PUT", "metadata").contains("GET"));
    server.get("nope", &[]).is(404);
    server.get(&format!("{}/nope", server.root), &[]).is(404);
}

#[test]
fn status_says_how_far_it_is_and_when_to_ask_again() {
    let folder = data();
    let server = Server::open(&folder);
    let status = server.kick_off("$export?_type=Patient");
    assert!(status.starts_with(&format!("{}/bulk-export/jobs/", server.base)));
    let first = server.get(&status, &[]);
    if first.status == 202 {
        assert!(first.body.is_empty());
        assert!(first.header("x-progress").contains('%'));
        assert!((1..=120).contains(&first.header("retry-after").parse::<u64>().expect("seconds")));
    }
    let done = server.wait(&status).is(200);
    assert_eq!(done.header("content-type"), "application/json");
    assert!(done.header("expires").ends_with("GMT"));
    assert!(!done.header("x-request-id").is_empty());
    server.get("bulk-export/jobs/0123", &[]).is(404);
}

#[test]
fn who_hammers_is_told_to_wait() {
    let folder = Folder::new();
    folder.run(&["synth", "-o", "data", "--patients", "300"]).ends(0);
    let server = Server::start(&folder, &["--open", "--threads", "1", "--max-jobs", "1"]);
    // The second waits for the first, and both are asked about more often than anybody should.
    let jobs = [server.kick_off("$export"), server.kick_off("$export")];
    let asked = || {
        jobs.iter()
            .map(|job| server.get(job, &[]))
            .find(|answer| answer.status == 429)
    };
    let told = (0..500).find_map(|_| asked()).expect("somebody is told");
    let told = told.is(429).tells("throttled", &["Retry-After"]);
    assert!(
        told.header("retry-after")
            .parse::<u64>()
            .is_ok_and(|seconds| seconds >= 1)
    );
    // The manifest may be had at any rate.
    server.wait(&jobs[1]).is(200);
    for _ in 0..200 {
        server.get(&jobs[1], &[]).is(200);
    }
}

#[test]
fn lines_of_every_kind_leave_as_they_came() {
    let folder = Folder::new();
    let long = "x".repeat(50 << 20);
    let lines = format!(
        "\u{feff}{{\"resourceType\":\"Patient\",\"id\":\"bom\"}}\r\n\n   \n\
         {{\"resourceType\":\"Patient\",\"id\":\"long\",\"implicitRules\":\"{long}\"}}\n\
         {{\"resourceType\":\"Patient\",\"id\":\"text\",\"name\":[{{\"text\":\"a\u{2028}b 😀 \\u00e9\"}}]}}\n\
         {{\"resourceType\":\"Patient\",\"id\":\"last\"}}"
    );
    folder.write("data/all.ndjson", &lines);
    let server = Server::open(&folder);
    let (manifest, files) = server.export("$export");
    folder.run(&["export", "data", "-o", "out"]).ends(0);
    assert_eq!(manifest["output"][0]["count"], 4);
    assert_eq!(manifest["error"], json!([]));
    assert!(files["output/Patient"] == folder.read("out/Patient.000.ndjson").as_bytes());
    assert!(files["output/Patient"].ends_with(b"\"last\"}\n"));
}

#[test]
fn a_deleted_job_is_gone_at_once_with_its_files() {
    let folder = data();
    let server = Server::open(&folder);
    let status = server.kick_off("$export?_type=Patient");
    let manifest = server.wait(&status).is(200).json();
    let file = manifest["output"][0]["url"].as_str().expect("a URL").to_owned();
    server.get(&file, &[]).is(200);
    server.request("DELETE", &status, &[], b"").is(202);
    server.get(&status, &[]).is(404).tells("not-found", &["job"]);
    server.get(&file, &[]).is(404);
    server.request("DELETE", &status, &[], b"").is(404);
    // While it runs, or waits.
    let status = server.kick_off("$export");
    server.request("DELETE", &status, &[], b"").is(202);
    server.get(&status, &[]).is(404);
}

#[test]
fn separate_export_status_is_honoured_and_claimed() {
    let folder = data();
    let server = Server::open(&folder);
    let headers = [("accept", "*/*"), ("prefer", "respond-async, separate-export-status")];
    let started = server.get("$export", &headers).is(202);
    assert_eq!(
        started.header("preference-applied"),
        "respond-async, separate-export-status"
    );
    let status = started.header("content-location").to_owned();
    let mut answer = server.get(&status, &[]).is(200);
    while answer.header("x-export-status").starts_with("202") {
        serving::pause(std::time::Duration::from_millis(20));
        answer = server.get(&status, &[]).is(200);
    }
    assert_eq!(answer.header("x-export-status"), "200 OK");
    assert!(answer.json()["output"].is_array());
}

#[test]
fn files_in_parts_and_codings() {
    let folder = data();
    let server = Server::open(&folder);
    let (manifest, files) = server.export("$export?_type=Patient");
    let url = manifest["output"][0]["url"].as_str().expect("a URL");
    let plain = &files["output/Patient"];
    let zipped = server.get(url, &[("accept-encoding", "gzip")]).is(200);
    assert_eq!(zipped.header("content-encoding"), "gzip");
    assert_eq!(zipped.header("content-length"), zipped.body.len().to_string());
    let mut inflated = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::MultiGzDecoder::new(zipped.body.as_slice()),
        &mut inflated,
    )
    .expect("gzip");
    assert_eq!(&inflated, plain);
    assert!(zipped.header("vary").to_ascii_lowercase().contains("accept-encoding"));
    let tag = zipped.header("etag");
    server
        .get(url, &[("accept-encoding", "gzip"), ("if-none-match", tag)])
        .is(304);
    let part = server
        .get(
            url,
            &[("accept-encoding", "gzip"), ("range", "bytes=2-5"), ("if-range", tag)],
        )
        .is(206);
    assert_eq!(part.body, &zipped.body[2..6]);
    let head = server.request("HEAD", url, &[("accept-encoding", "gzip")], b"").is(200);
    assert!(head.body.is_empty());
    assert_eq!(head.header("content-length"), zipped.header("content-length"));
    server.get(url, &[("accept", "text/html")]).is(406);
    server.get("bulk-export/files/none", &[]).is(404);
}

#[test]
fn stored_plain_files_can_be_had_in_parts() {
    let folder = data();
    let server = Server::start(&folder, &["--open", "--compress", "none"]);
    let (manifest, files) = server.export("$export?_type=Patient");
    let url = manifest["output"][0]["url"].as_str().expect("a URL");
    let plain = &files["output/Patient"];
    let part = server.get(url, &[("range", "bytes=-10")]).is(206);
    assert_eq!(part.body, &plain[plain.len() - 10..]);
    assert_eq!(
        part.header("content-range"),
        format!("bytes {}-{}/{}", plain.len() - 10, plain.len() - 1, plain.len())
    );
    server.get(url, &[("range", "bytes=999999-")]).is(416);
    let whole = server.get(url, &[]).is(200);
    assert!(whole.header("repr-digest").starts_with("sha-256=:"));
}

#[test]
fn elements_and_organized_output() {
    let folder = data();
    let server = Server::open(&folder);
    let (_, files) = server.export("$export?_type=Patient&_elements=id");
    let first: Value = serde_json::from_slice(
        files["output/Patient"]
            .split(|&byte| byte == b'\n')
            .next()
            .unwrap_or_default(),
    )
    .expect("JSON");
    assert_eq!(first["meta"]["tag"][0]["code"], "SUBSETTED");
    let (manifest, files) = server.export("Patient/$export?organizeOutputBy=Patient");
    assert_eq!(manifest["outputOrganizedBy"], "Patient");
    let text = String::from_utf8_lossy(&files["output/"]).into_owned();
    assert!(text.starts_with(r#"{"resourceType":"Parameters""#), "{text}");
}

/// All files of a manifest, from page to page.
fn all_pages(server: &Server, first: &Value) -> (usize, Vec<String>) {
    let mut page = first.clone();
    let (mut pages, mut urls) = (1, Vec::new());
    loop {
        let items = page["output"].as_array().cloned().unwrap_or_default();
        urls.extend(
            items
                .iter()
                .map(|item| item["url"].as_str().unwrap_or_default().to_owned()),
        );
        assert_eq!(page["transactionTime"], first["transactionTime"]);
        match page["link"][0]["url"].as_str() {
            Some(next) => page = server.wait(next).is(200).json(),
            None => return (pages, urls),
        }
        pages += 1;
    }
}

#[test]
fn manifests_have_pages() {
    let folder = data();
    let args = ["--open", "--max-resources", "1", "--page", "3", "--partial-page", "2"];
    let server = Server::start(&folder, &args);
    let whole = server.wait(&server.kick_off("$export")).is(200).json();
    let (pages, urls) = all_pages(&server, &whole);
    assert_eq!((pages, urls.len()), (3, 8));
    let status = server.kick_off("$export?allowPartialManifests=true");
    let first = server.wait(&status).is(200).json();
    let (pages, urls) = all_pages(&server, &first);
    // The last page was full, so a next one had to be told of.
    assert_eq!((pages, urls.len()), (5, 8));
    let mut ids = Vec::new();
    for url in urls {
        let file = server.get(&url, &[]).is(200).json();
        ids.push(file["id"].as_str().unwrap_or_default().to_owned());
    }
    ids.sort_unstable();
    assert_eq!(ids, ["a", "b", "c1", "empty", "o1", "o2", "one", "org"]);
    server.get(&format!("{status}?after=x"), &[]).is(400);
}

#[test]
fn the_fourth_generation() {
    let folder = data();
    let server = Server::start(&folder, &["--open", "--ig", "4"]);
    assert_eq!(server.get("$export", &ASYNC).is(405).header("allow"), "POST");
    let status = server
        .post("$export", &json!([{ "name": "_type", "valueString": "Patient" }]))
        .is(202);
    let manifest = server.wait(status.header("content-location")).is(200).json();
    assert!(manifest.get("request").is_none() && manifest.get("error").is_none());
    assert_eq!(manifest["outcome"], json!([]));
    assert!(manifest["output"][0]["fileSize"].is_u64());
}

#[test]
fn what_the_server_says_of_itself() {
    let folder = data();
    let server = Server::open(&folder);
    let metadata = server.get("metadata", &[]).is(200).json();
    assert_eq!(metadata["fhirVersion"], "4.0.1");
    assert_eq!(metadata["rest"][0]["operation"][0]["name"], "export");
    let resources = metadata["rest"][0]["resource"].as_array().expect("a list");
    let of = |name: &str| {
        resources
            .iter()
            .find(|resource| resource["type"] == name)
            .cloned()
            .unwrap_or_default()
    };
    let names = |resource: &Value| -> Vec<String> {
        let list = resource["operation"].as_array().cloned().unwrap_or_default();
        list.iter()
            .map(|operation| operation["name"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(names(&of("Group")), ["export", "group-export"]);
    assert_eq!(names(&of("Patient")), ["export", "patient-export"]);
    let params = of("Observation")["searchParam"].as_array().cloned().unwrap_or_default();
    assert!(
        params
            .iter()
            .any(|param| param["name"] == "category" && param["type"] == "token")
    );
    let definition = server.get("OperationDefinition/group-export", &[]).is(200).json();
    assert_eq!(definition["resourceType"], "OperationDefinition");
    assert_eq!(server.get("openapi.json", &[]).is(200).json()["openapi"], "3.1.0");
    assert_eq!(
        request("GET", &format!("{}/health", server.root), &[], b"")
            .is(200)
            .json()["status"],
        "ok"
    );
    let figures = request("GET", &format!("{}/metrics", server.root), &[], b"")
        .is(200)
        .text();
    assert!(figures.contains("fhirehose_requests_total"), "{figures}");
    assert!(figures.contains("fhirehose_jobs{state=\"running\"} 0"), "{figures}");
    server.export("$export?_type=Patient");
    let audit = folder.read("fhirehose-state/audit.log");
    let events: Vec<Value> = audit
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let of = |name: &str| {
        events
            .iter()
            .find(|event| event["event"] == name)
            .cloned()
            .unwrap_or_default()
    };
    assert_eq!(of("kick-off")["client"], "open", "{audit}");
    assert_eq!(of("complete")["resources"], 2, "{audit}");
    assert_eq!(of("file")["count"], 2, "{audit}");
}

#[test]
fn two_servers_on_one_folder() {
    let folder = data();
    let _server = Server::open(&folder);
    let said = Server::try_start(&folder, &["--open"]).err().unwrap_or_default();
    assert!(said.contains("another server works in this state folder"), "{said}");
}

#[test]
fn unsafe_settings_are_refused() {
    let folder = data();
    let refused = |args: &[&str], words: &str| {
        let mut all = vec!["serve", "--data", "data"];
        all.extend(args);
        folder.run(&all).ends(2).tells(&[words]);
    };
    refused(&["--open", "--listen", "0.0.0.0:0"], "loopback");
    refused(&["--listen", "0.0.0.0:0"], "--insecure");
    refused(&["--listen", "0.0.0.0:0", "--insecure"], "--public-url");
    refused(&["--open", "--public-url", "https://ehr.example.org/fhir"], "loopback");
    refused(&["--open", "--base-path", "/fhir/../x"], "--base-path");
    refused(&["--state", "data/state"], "must not lie in the folder of the data");
    refused(&["--tls-cert", "cert.pem"], "one needs the other");
    refused(&["--expires", "soon"], "length of time");
    refused(&["--profile", "oracle", "--ig", "4"], "one shape only");
    refused(
        &["--browser-origin", "https://app.example.org/"],
        "--browser-origin https://app.example.org/: expected an origin: without a path",
    );
    refused(&["--browser-origin", "null"], "cannot be allowed");
    refused(&["--open", "--browser-origin", "*"], "has to name the origins");
    refused(&["--open", "--browser-page", "data"], "there is no index.html");
    folder.run(&["serve", "--open"]).ends(2).tells(&["--data"]);
    folder
        .run(&["serve", "--data", "nothing", "--open"])
        .ends(3)
        .tells(&["nothing"]);
}

#[test]
fn the_configuration_is_joined_and_printed() {
    let folder = data();
    folder.write("serve.toml", "data = \"data\"\nmax-queued = 7\nprofile = \"oracle\"\n");
    let mut command = folder.command(&["serve", "--config", "serve.toml", "--print-config", "--max-jobs", "5"]);
    let ran = binary::Ran::of(command.env("FHIREHOSE_SERVE_EXPIRES", "3h").spawn().expect("starts")).ends(0);
    for line in [
        "data = \"data\"",
        "max-queued = 7",
        "profile = \"oracle\"",
        "max-jobs = 5",
        "expires = \"3h\"",
    ] {
        assert!(ran.out.contains(line), "`{line}` is not in:\n{}", ran.out);
    }
    folder.write("bad.toml", "max-queued = \"many\"\n");
    folder
        .run(&["serve", "--config", "bad.toml"])
        .ends(2)
        .tells(&["bad.toml", "max-queued"]);
}

#[test]
fn pages_of_origins_that_were_named_may_ask_in_browsers() {
    let folder = data();
    folder.write("page/index.html", "<!doctype html>");
    folder.write(
        "serve.toml",
        "browser-origin = [\"https://app.example.org\"]\nbrowser-page = \"page\"\n",
    );
    let server = Server::start(&folder, &["--open", "--config", "serve.toml"]);
    let from = |origin: &'static str| {
        let mut headers = ASYNC.to_vec();
        headers.extend([("origin", origin), ("sec-fetch-site", "cross-site")]);
        server.get("$export", &headers)
    };
    let taken = from("https://app.example.org").is(202);
    assert_eq!(taken.header("access-control-allow-origin"), "https://app.example.org");
    assert!(
        taken
            .header("access-control-expose-headers")
            .starts_with("Content-Location, Retry-After")
    );
    let refused = from("https://app.example.org.evil.example").is(403);
    assert_eq!(refused.header("access-control-allow-origin"), "");
    let ahead = [
        ("origin", "https://app.example.org"),
        ("access-control-request-method", "DELETE"),
    ];
    assert_eq!(
        server
            .request("OPTIONS", taken.header("content-location"), &ahead, b"")
            .status,
        204
    );
    let page = request("GET", &format!("{}/browser/", server.root), &[], b"");
    assert_eq!((page.status, page.text().as_str()), (200, "<!doctype html>"));
    let mut command = folder.command(&["serve", "--print-config"]);
    command.env("FHIREHOSE_SERVE_BROWSER_ORIGIN", "https://a.example,https://b.example");
    let printed = binary::Ran::of(command.spawn().expect("starts")).ends(0).out;
    assert!(
        printed.contains("browser-origin = [\"https://a.example\", \"https://b.example\"]"),
        "{printed}"
    );
}

#[test]
fn an_open_server_is_for_its_own_machine_whatever_name_it_is_asked_by() {
    let folder = data();
    let server = Server::open(&folder);
    let with = |header: (&str, &str)| {
        let mut headers = ASYNC.to_vec();
        headers.push(header);
        server.get("$export", &headers)
    };
    with(("host", "evil.example")).is(403);
    with(("origin", "http://evil.example")).is(403);
    with(("x-forwarded-for", "10.0.0.1")).is(403);
    with(("via", "1.1 proxy")).is(403);
    with(("sec-fetch-site", "cross-site")).is(403);
    with(("host", "localhost")).is(202);
    request(
        "GET",
        &format!("{}/page/overview", server.root),
        &[("host", "evil.example")],
        b"",
    )
    .is(403);
}

#[test]
fn an_encoded_dollar_is_a_dollar() {
    let folder = data();
    let server = Server::open(&folder);
    server.get("%24export", &ASYNC).is(202);
    server.get("Group/one/%24export", &ASYNC).is(202);
    server.post("Patient/%24export", &json!([])).is(202);
}

#[test]
fn names_that_are_nearly_known_are_refused_leniently_too() {
    let folder = data();
    let server = Server::open(&folder);
    let lenient = [("accept", "*/*"), ("prefer", "respond-async, handling=lenient")];
    for query in [
        "_Type=Patient",
        "type=Patient",
        "_typefilter=x",
        "_typeFilter[]=x",
        "Patient=a",
        "since=2024",
    ] {
        server.get(&format!("$export?{query}"), &lenient).is(400);
    }
    server.get("$export?_pretty=true", &lenient).is(202);
}

#[test]
fn what_came_before_a_kick_off_is_in_it_though_nobody_watches() {
    let folder = data();
    let server = Server::open(&folder);
    folder.write("data/more.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"new\"}\n");
    let (_, files) = server.export("$export?_type=Patient");
    assert_eq!(ids(&files["output/Patient"]), ["a", "b", "new"]);
    folder.write("data/worse.ndjson.gz", b"\x1f\x8b\x08 this is no gzip");
    server
        .get("$export?_type=Patient", &ASYNC)
        .is(503)
        .tells("transient", &["data"]);
}

#[test]
fn what_is_over_is_gone_at_its_time() {
    let folder = data();
    let server = Server::start(&folder, &["--open", "--expires", "1s"]);
    let status = server.kick_off("$export?_type=Patient");
    let mut answer = server.wait(&status);
    let url = answer.json()["output"][0]["url"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    while answer.status == 200 {
        serving::pause(std::time::Duration::from_millis(50));
        answer = server.get(&status, &[]);
    }
    answer.is(404);
    server.get(&url, &[]).is(404);
}
