//! SMART Backend Services end to end: clients, assertions, tokens, scopes, and whose a job is.

mod binary;
mod serving;

use std::time::{SystemTime, UNIX_EPOCH};

use binary::Folder;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use serving::{ASYNC, Answer, Server};

const JWKS: &str = include_str!("keys/jwks.json");
const RSA: &[u8] = include_bytes!("keys/test-only-rsa.pem");
const EC: &[u8] = include_bytes!("keys/test-only-ec.pem");

const LABORATORY: &str = r#""category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}]"#;

fn data() -> Folder {
    let folder = Folder::new();
    let lines = [
        r#"{"resourceType":"Patient","id":"a"}"#.to_owned(),
        format!(r#"{{"resourceType":"Observation","id":"lab","status":"final",{LABORATORY},"subject":{{"reference":"Patient/a"}}}}"#),
        r#"{"resourceType":"Observation","id":"vital","status":"final","subject":{"reference":"Patient/a"}}"#.to_owned(),
        r#"{"resourceType":"Condition","id":"c","subject":{"reference":"Patient/a"}}"#.to_owned(),
        r#"{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/a"}}]}"#.to_owned(),
    ];
    folder.write("data/all.ndjson", format!("{}\n", lines.join("\n")));
    folder.write("jwks.json", JWKS);
    folder
}

fn add(folder: &Folder, id: &str, scopes: &str) {
    let args = [
        "client",
        "add",
        id,
        "--id",
        id,
        "--jwks",
        "jwks.json",
        "--scope",
        scopes,
    ];
    folder.run(&args).ends(0);
}

fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// An assertion as SMART has them, with what `change` does to its claims.
fn assertion(server: &Server, client: &str, algorithm: Algorithm, change: impl Fn(&mut Value)) -> String {
    let (kid, key) = match algorithm {
        Algorithm::ES384 => ("ec-of-tests", EncodingKey::from_ec_pem(EC)),
        _ => ("rsa-of-tests", EncodingKey::from_rsa_pem(RSA)),
    };
    let header = Header {
        kid: Some(kid.to_owned()),
        ..Header::new(algorithm)
    };
    static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut claims = json!({
        "iss": client,
        "sub": client,
        "aud": format!("{}/auth/token", server.base),
        "exp": seconds() + 200,
        "jti": format!("{}-{number}", std::process::id()),
    });
    change(&mut claims);
    jsonwebtoken::encode(&header, &claims, &key.expect("a key")).expect("signs")
}

fn ask(server: &Server, assertion: &str, scope: &str) -> Answer {
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".replace(':', "%3A");
    let scope = scope
        .replace('?', "%3F")
        .replace('=', "%3D")
        .replace(' ', "+")
        .replace('|', "%7C");
    let body = format!(
        "grant_type=client_credentials&client_assertion_type={kind}&client_assertion={assertion}&scope={scope}"
    );
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "application/json"),
    ];
    server.request("POST", "auth/token", &headers, body.as_bytes())
}

/// A token's header value.
#[track_caller]
fn token(server: &Server, client: &str, scope: &str) -> String {
    let assertion = assertion(server, client, Algorithm::RS384, |_| ());
    let answer = ask(server, &assertion, scope).is(200).json();
    assert_eq!(answer["token_type"], "bearer");
    assert!(answer["expires_in"].as_u64().is_some_and(|seconds| seconds <= 300));
    format!("Bearer {}", answer["access_token"].as_str().expect("a token"))
}

fn with_token(token: &str) -> Vec<(&'static str, String)> {
    let mut headers: Vec<_> = ASYNC.map(|(name, value)| (name, value.to_owned())).to_vec();
    headers.push(("authorization", token.to_owned()));
    headers
}

fn get(server: &Server, url: &str, token: &str) -> Answer {
    let headers = with_token(token);
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    server.get(url, &headers)
}

#[track_caller]
fn export(server: &Server, path: &str, token: &str) -> (Value, Vec<String>) {
    let status = get(server, path, token).is(202).header("content-location").to_owned();
    let manifest = server
        .wait_as(&status, &[("authorization", token), ("accept", "*/*")])
        .is(200)
        .json();
    let files = server.files(&manifest, &[("authorization", token), ("accept", "*/*")]);
    let lines = files.values().flat_map(|bytes| {
        String::from_utf8_lossy(bytes)
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    let id = |line: String| {
        let value: Value = serde_json::from_str(&line).unwrap_or_default();
        value["id"].as_str().unwrap_or_default().to_owned()
    };
    (manifest, lines.map(id).collect())
}

#[test]
fn without_a_token_nothing_is_answered_but_what_the_server_is() {
    let folder = data();
    add(&folder, "all", "system/*.read");
    let server = Server::start(&folder, &[]);
    for path in [
        "$export",
        "Patient/$export",
        "Group/g/$export",
        "Group/none/$export",
        "bulk-export/jobs/x",
        "bulk-export/files/x",
        "Group",
        "Group/g",
    ] {
        let refused = server.get(path, &ASYNC).is(401).tells("login", &["access token"]);
        assert!(refused.header("www-authenticate").starts_with("Bearer"));
    }
    server.request("DELETE", "bulk-export/jobs/x", &[], b"").is(401);
    get(&server, "$export", "Bearer nonsense").is(401);
    get(&server, "$export", "Basic YTpi").is(401);
    server.get("metadata", &[]).is(200);
    let smart = server.get(".well-known/smart-configuration", &[]).is(200).json();
    assert_eq!(smart["token_endpoint"], format!("{}/auth/token", server.base));
}

#[test]
fn both_algorithms_of_smart_give_a_token_once() {
    let folder = data();
    add(&folder, "all", "system/*.read");
    let server = Server::start(&folder, &[]);
    for algorithm in [Algorithm::RS384, Algorithm::ES384] {
        let assertion = assertion(&server, "all", algorithm, |_| ());
        ask(&server, &assertion, "system/*.read").is(200);
        let replayed = ask(&server, &assertion, "system/*.read");
        assert_eq!(
            (replayed.status, &replayed.json()["error"]),
            (400, &json!("invalid_client")),
            "{replayed:?}"
        );
    }
    let refused = |algorithm, change: fn(&mut Value)| {
        let answer = ask(&server, &assertion(&server, "all", algorithm, change), "system/*.read");
        assert!(matches!(answer.status, 400 | 401), "{answer:?}");
        assert_eq!(answer.json()["error"], "invalid_client");
    };
    refused(Algorithm::RS384, |claims| {
        claims["aud"] = json!("https://elsewhere.example.org/token")
    });
    refused(Algorithm::RS384, |claims| claims["exp"] = json!(seconds() - 100));
    refused(Algorithm::RS384, |claims| claims["exp"] = json!(seconds() + 3600));
    refused(Algorithm::RS384, |claims| claims["sub"] = json!("other"));
    refused(Algorithm::RS384, |claims| claims["jti"] = Value::Null);
    refused(Algorithm::RS256, |_| ());
}

#[test]
fn scopes_of_all_types_are_taken_at_every_level() {
    let folder = data();
    add(&folder, "all", "system/*.read");
    add(&folder, "outside", "system/Organization.rs system/Binary.rs");
    let server = Server::start(&folder, &[]);
    for scope in ["system/*.read", "system/*.rs"] {
        let all = token(&server, "all", scope);
        for path in ["Patient/$export", "Group/g/$export"] {
            let (_, ids) = export(&server, path, &all);
            for id in ["a", "c", "lab", "vital"] {
                assert!(ids.iter().any(|found| found == id), "{path}: {id} is not in {ids:?}");
            }
        }
    }
    // Nobody's records, so nothing that they could refer to.
    let outside = token(&server, "outside", "system/Organization.rs system/Binary.rs");
    for path in ["Patient/$export", "Group/g/$export"] {
        get(&server, path, &outside)
            .is(403)
            .tells("forbidden", &["none of the types"]);
    }
    assert_eq!(export(&server, "$export", &outside).1, [""; 0]);
}

#[test]
fn a_token_gives_what_its_scopes_say_and_no_record_more() {
    let folder = data();
    add(
        &folder,
        "some",
        "system/Patient.rs system/Observation.rs?category=laboratory",
    );
    add(&folder, "all", "system/*.read");
    let server = Server::start(&folder, &[]);
    let some = token(&server, "some", "system/Patient.rs system/Observation.rs");
    let (manifest, ids) = export(&server, "$export", &some);
    assert_eq!(manifest["requiresAccessToken"], true);
    assert_eq!(ids, ["lab", "a"]);
    let (_, ids) = export(
        &server,
        "Group/g/$export?_type=Observation&_typeFilter=Observation%3Fstatus%3Dfinal",
        &some,
    );
    assert_eq!(ids, ["lab"]);
    get(&server, "$export?_type=Condition", &some)
        .is(403)
        .tells("forbidden", &["Condition"]);
    get(
        &server,
        "$export?_type=Patient&includeAssociatedData=RelevantProvenanceResources",
        &some,
    )
    .is(403);
    let all = token(&server, "all", "system/*.read");
    let (_, ids) = export(&server, "$export", &all);
    assert_eq!(ids.len(), 5);
    let narrow = token(&server, "all", "system/Condition.read");
    let (_, ids) = export(&server, "Patient/$export", &narrow);
    assert_eq!(ids, ["c"]);
    let wide = ask(
        &server,
        &assertion(&server, "some", Algorithm::RS384, |_| ()),
        "system/Condition.rs",
    );
    assert_eq!(wide.json()["error"], "invalid_scope", "{wide:?}");
}

#[test]
fn a_job_is_its_clients_alone() {
    let folder = data();
    add(&folder, "one", "system/*.read");
    add(&folder, "two", "system/*.read");
    let server = Server::start(&folder, &[]);
    let one = token(&server, "one", "system/*.read");
    let two = token(&server, "two", "system/*.read");
    let status = get(&server, "$export?_type=Patient", &one)
        .is(202)
        .header("content-location")
        .to_owned();
    let manifest = server.wait_as(&status, &[("authorization", &one)]).is(200).json();
    let file = manifest["output"][0]["url"].as_str().expect("a URL").to_owned();
    get(&server, &status, &two).is(404);
    server.get(&file, &[("authorization", &two)]).is(404);
    server.get(&file, &[]).is(401);
    server
        .request("DELETE", &status, &[("authorization", &two)], b"")
        .is(404);
    // A token of the same client with less reach has no files of other types.
    let less = token(&server, "one", "system/Condition.read");
    server.get(&file, &[("authorization", &less)]).is(403);
    get(&server, &status, &less).is(200);
    server.get(&file, &[("authorization", &one)]).is(200);
    // A client that was removed while its token was good.
    folder.run(&["client", "remove", "one"]).ends(0);
    get(&server, &status, &one).is(401);
}

#[test]
fn a_token_has_no_more_of_a_job_than_its_own_scopes_cover() {
    let folder = data();
    add(&folder, "all", "system/*.rs");
    let server = Server::start(&folder, &[]);
    let all = token(&server, "all", "system/*.rs");
    let url = |manifest: &Value| manifest["output"][0]["url"].as_str().expect("a URL").to_owned();
    let run = |path: &str| {
        let status = get(&server, path, &all).is(202).header("content-location").to_owned();
        server.wait_as(&status, &[("authorization", &all)]).is(200).json()
    };
    let observations = url(&run("$export?_type=Observation"));
    let organized = url(&run(
        "Patient/$export?organizeOutputBy=Patient&_type=Patient,Observation",
    ));
    let laboratory = token(&server, "all", "system/Observation.rs?category=laboratory");
    let patients = token(&server, "all", "system/Patient.rs");
    let both = token(&server, "all", "system/Patient.rs system/Observation.rs");
    let ask = |url: &str, token: &str| server.get(url, &[("authorization", token)]);
    ask(&observations, &laboratory)
        .is(403)
        .tells("forbidden", &["Observation"]);
    ask(&organized, &patients).is(403).tells("forbidden", &["Observation"]);
    ask(&observations, &both).is(200);
    ask(&organized, &both).is(200);
}

#[test]
fn a_client_that_is_added_under_an_old_id_is_another() {
    let folder = data();
    add(&folder, "app", "system/*.read");
    let server = Server::start(&folder, &[]);
    let first = token(&server, "app", "system/*.read");
    let status = get(&server, "$export?_type=Patient", &first)
        .is(202)
        .header("content-location")
        .to_owned();
    let manifest = server.wait_as(&status, &[("authorization", &first)]).is(200).json();
    folder.run(&["client", "remove", "app"]).ends(0);
    add(&folder, "app", "system/*.read");
    let second = token(&server, "app", "system/*.read");
    get(&server, &status, &second).is(404);
    let file = manifest["output"][0]["url"].as_str().expect("a URL");
    server.get(file, &[("authorization", &second)]).is(404);
    get(&server, &status, &first).is(401);
}

#[test]
fn filters_and_scopes_together_are_bounded() {
    let folder = data();
    let scopes: Vec<String> = (0..100)
        .map(|code| format!("system/Observation.rs?code=a{code}"))
        .collect();
    add(&folder, "many", &scopes.join(" "));
    let server = Server::start(&folder, &[]);
    let many = token(&server, "many", "system/Observation.rs");
    let filters: Vec<String> = (0..100).map(|code| format!("Observation%3Fstatus%3Ds{code}")).collect();
    let path = format!("$export?_type=Observation&_typeFilter={}", filters.join(","));
    get(&server, &path, &many).is(422).tells("too-costly", &["scopes"]);
    let few = format!("$export?_type=Observation&_typeFilter={}", filters[0]);
    get(&server, &few, &many).is(202);
}

#[test]
fn oracle_redirects_to_a_url_without_a_token() {
    let folder = data();
    add(&folder, "app", "system/Patient.read system/Condition.read");
    let server = Server::start(&folder, &["--profile", "oracle"]);
    let token = token_of_oracle(&server);
    let (manifest, ids) = {
        let status = get(&server, "Group/g/$export", &token)
            .is(202)
            .header("content-location")
            .to_owned();
        let headers = [("authorization", token.as_str()), ("accept", "*/*")];
        let manifest = server.wait_as(&status, &headers).is(200).json();
        let mut ids = Vec::new();
        for item in manifest["output"].as_array().into_iter().flatten() {
            let url = item["url"].as_str().expect("a URL");
            server.get(url, &[("accept", "*/*")]).is(401);
            let redirect = server.get(url, &headers).is(307);
            let file = server.get(redirect.header("location"), &[]).is(200).json();
            ids.push(file["id"].as_str().unwrap_or_default().to_owned());
        }
        (manifest, ids)
    };
    assert_eq!(manifest["requiresAccessToken"], true);
    assert_eq!(ids, ["c", "a"]);
    get(&server, "Group/g/$export?_type=Patient,Observation", &token).is(403);
}

fn token_of_oracle(server: &Server) -> String {
    let assertion = assertion(server, "app", Algorithm::RS384, |_| ());
    let answer = ask(server, &assertion, "system/Patient.read system/Condition.read")
        .is(200)
        .json();
    assert_eq!(answer["expires_in"], 570);
    format!("Bearer {}", answer["access_token"].as_str().expect("a token"))
}

#[test]
fn clients_are_added_listed_and_removed() {
    let folder = data();
    add(&folder, "lab", "system/Observation.rs?category=laboratory");
    let listed = folder.run(&["client", "list"]).ends(0);
    assert!(
        listed
            .out
            .contains("lab\tlab\tsystem/Observation.rs?category=laboratory"),
        "{}",
        listed.out
    );
    let again = [
        "client",
        "add",
        "lab",
        "--id",
        "other",
        "--jwks",
        "jwks.json",
        "--scope",
        "system/*.read",
    ];
    folder.run(&again).ends(2);
    let bad = |scope: &str| {
        folder
            .run(&["client", "add", "x", "--jwks", "jwks.json", "--scope", scope])
            .ends(2)
    };
    bad("system/Nope.read").tells(&["Nope"]);
    bad("system/Observation.rs?coed=1").tells(&["system/Observation.rs", "search"]);
    bad("");
    folder
        .run(&["client", "add", "x", "--jwks", "none.json", "--scope", "system/*.read"])
        .ends(2);
    folder.run(&["client", "remove", "lab"]).ends(0);
    folder.run(&["client", "remove", "lab"]).ends(2);
    let secret = folder
        .run(&["client", "add", "app", "--secret", "--scope", "system/Patient.read"])
        .ends(0);
    assert!(secret.out.contains("secret "), "{}", secret.out);
}

#[test]
fn behind_a_proxy_what_the_page_shows_is_answered_to_nobody() {
    let folder = data();
    add(&folder, "all", "system/*.read");
    let asked = |args: &[&str], method: &str, path: &str| {
        let server = Server::start(&folder, args);
        serving::request(method, &format!("{}{path}", server.root), &[], b"").status
    };
    let proxied = ["--public-url", "https://ehr.example.org/fhir"];
    for (method, path) in [("GET", "/page/overview"), ("POST", "/admin/reload")] {
        assert_eq!(asked(&[], method, path), 200, "{path}");
        assert_eq!(asked(&proxied, method, path), 403, "{path}");
        assert_eq!(asked(&["--insecure"], method, path), 403, "{path}");
    }
}
