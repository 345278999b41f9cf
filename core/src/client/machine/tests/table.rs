//! The client's decisions as a table: what it does is observed here, and written down in `docs/client.md`.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p fhirehose-core --lib decisions` writes what is observed now; read the difference.

use std::fmt::Write;
use std::path::Path;

use super::stage::{JOB, Stage, manifest, manifest_of, order, outcome, with_token};
use crate::client::{Client, Event, Method, Millis, Order, Settings, Step, Trouble, What};

const BEGIN: &str = "<!-- observed: begin -->\n";
const END: &str = "<!-- observed: end -->\n";
/// The same thing so often, and nobody asks how it goes on.
const OFTEN: usize = 300;

type Happens = fn(&mut Stage);

/// Whether a row says what becomes of it when the same thing happens again and again.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    Once,
    Again,
}

use Told::{Again, Once};

/// Where a row begins; with the seed, so that what is left to chance can be told from what is not.
type Begins = fn(u64) -> Stage;

struct Table {
    out: String,
}

impl Table {
    fn section(&mut self, title: &str, begins: Begins, rows: &[(Told, &str, Happens)]) {
        let _ = write!(
            self.out,
            "\n## {title}\n\n| what happens | what the client does |\n| --- | --- |\n"
        );
        for (told, what, happens) in rows {
            let _ = writeln!(self.out, "| {what} | {} |", observed(begins, *happens, *told));
        }
    }
}

/// What the client does, and what if it happens again and again.
fn observed(begins: Begins, happens: Happens, told: Told) -> String {
    let next = |seed| {
        let mut stage = begins(seed);
        let known = stage.client.facts().warnings.len();
        let tokens = stage.authorized;
        happens(&mut stage);
        let (step, waited) = stage.waited();
        let is_fresh = stage.authorized > tokens;
        (stage, step, waited, known, is_fresh)
    };
    let (mut stage, step, waited, known, is_fresh) = next(1);
    let (_, _, other, ..) = next(2);
    let mut out = described(&mut stage, &step, waited, waited != other, is_fresh);
    if told == Again {
        let mut last = step.clone();
        let mut times = 1;
        while times < OFTEN && is_same(&step, &last) {
            happens(&mut stage);
            last = stage.waited().0;
            times += 1;
        }
        if is_same(&step, &last) {
            out.push_str("; as often as that happens");
        } else {
            let end = described(&mut stage, &last, 0, false, false);
            let _ = write!(out, "; {times} times in a row: {end}");
        }
    }
    if let Some(warning) = stage.client.facts().warnings.get(known) {
        let _ = write!(out, "; tells at the end: {warning}");
    }
    out
}

fn is_same(one: &Step, other: &Step) -> bool {
    match (one, other) {
        (Step::Send(one), Step::Send(other)) => one.what == other.what,
        (Step::Fetch(one), Step::Fetch(other)) => one.file == other.file,
        _ => false,
    }
}

fn described(stage: &mut Stage, step: &Step, waited: Millis, is_chance: bool, is_fresh: bool) -> String {
    let when = match waited {
        0 => String::new(),
        _ if is_chance => "after a growing wait ".to_owned(),
        _ => format!("after {} s ", waited as f64 / 1_000.0),
    };
    let token = if is_fresh { " with a fresh token" } else { "" };
    match step {
        Step::Send(call) => {
            let what = match call.what {
                What::KickOff => "sends the kick-off",
                What::Status if stage.client.facts().is_complete => "asks for the manifest again",
                What::Status => "asks for the job's state",
                What::Page => "asks for the page",
                What::Delete => "deletes the job",
            };
            let is_without = stage.authorized > 0 && !call.with_token;
            let token = if is_without { " without the token" } else { token };
            format!("{when}{what}{}{token}", shown(&call.url))
        }
        Step::Fetch(fetch) => {
            let is_without = stage.authorized > 0 && !fetch.with_token;
            let token = if is_without { " without the token" } else { token };
            format!("{when}fetches the file{}{token}", shown(&fetch.url))
        }
        Step::Wait { .. } => {
            // The other file, which is slow.
            stage.fetched(1);
            let end = stage.waited().0;
            assert!(!matches!(end, Step::Wait { .. }), "it waits for nothing");
            let end = described(stage, &end, 0, false, false);
            format!("gives the file up, and when the others are there {end}")
        }
        Step::Failed(failure) if failure.resumable => format!("ends with `{}`, can be resumed", failure.code),
        Step::Failed(failure) => format!("ends with `{}`", failure.code),
        Step::Done => "is done".to_owned(),
        other => panic!("{other:?} in a table"),
    }
}

/// Where something unusual is asked.
fn shown(url: &str) -> String {
    let is_usual = url.contains("$export") || url == JOB || url.starts_with("https://h.example/files/");
    if is_usual {
        String::new()
    } else {
        format!(" at `{url}`")
    }
}

fn kicked_off(seed: u64, order: Order, settings: &Settings) -> Stage {
    let mut stage = Stage::of(Client::start(order, settings, seed).expect("an order"));
    stage.call();
    stage
}

fn kick_off(seed: u64) -> Stage {
    kicked_off(seed, order(), &Settings::default())
}

fn kick_off_with_token(seed: u64) -> Stage {
    kicked_off(seed, order(), &with_token())
}

fn post(seed: u64) -> Stage {
    let order = Order {
        method: Method::Post,
        ..order()
    };
    kicked_off(seed, order, &Settings::default())
}

fn polling(seed: u64) -> Stage {
    let mut stage = kick_off(seed);
    stage.answer(202, &[("Content-Location", JOB)], "");
    stage.call();
    stage
}

fn polling_partially(seed: u64) -> Stage {
    let order = Order {
        partial: true,
        ..order()
    };
    let mut stage = kicked_off(seed, order, &Settings::default());
    stage.answer(202, &[("Content-Location", JOB)], "");
    stage.call();
    stage
}

/// One file under way, and another one in a store that is slow.
fn fetching(seed: u64) -> Stage {
    let mut stage = polling(seed);
    stage.answer(
        200,
        &[],
        &manifest_of(&["https://h.example/files/0.ndjson", "https://slow.example/1"], ""),
    );
    assert_eq!(stage.fetches().len(), 2);
    stage
}

fn fetching_with_token(seed: u64) -> Stage {
    let mut stage = kick_off_with_token(seed);
    stage.answer(202, &[("Content-Location", JOB)], "");
    stage.call();
    stage.answer(200, &[], &manifest("https://h.example/files/", 1));
    stage.fetches();
    stage
}

/// The same, and the manifest has been asked for because its URL was refused.
fn refreshing(seed: u64) -> Stage {
    let mut stage = fetching(seed);
    stage.unfetched(0, 403, &[], "");
    stage.call();
    stage
}

fn deleting(seed: u64) -> Stage {
    let mut stage = polling(seed);
    stage.answer(200, &[], &manifest("https://h.example/files/", 1));
    stage.fetches();
    stage.fetched(0);
    stage.call();
    stage
}

fn linked(next: &str) -> String {
    manifest_of(&[], &format!(r#","link":[{{"relation":"next","url":"{next}"}}]"#))
}

fn table() -> String {
    let mut table = Table { out: String::new() };
    kick_off_rows(&mut table);
    status_rows(&mut table);
    manifest_rows(&mut table);
    file_rows(&mut table);
    end_rows(&mut table);
    resumed_rows(&mut table);
    retry_after_rows(&mut table);
    table.out
}

fn kick_off_rows(table: &mut Table) {
    table.section(
        "The kick-off",
        kick_off,
        &[
            (Once, "202 and a `Content-Location`", |stage| {
                stage.answer(202, &[("Content-Location", JOB)], "")
            }),
            (Once, "the same, relative", |stage| {
                stage.answer(202, &[("Content-Location", "/jobs/1")], "")
            }),
            (Once, "the same, with `http` for the server's own `https`", |stage| {
                stage.answer(202, &[("Content-Location", "http://h.example/jobs/1")], "");
            }),
            (Once, "the same, on another server without TLS", |stage| {
                stage.answer(202, &[("Content-Location", "http://other.example/jobs/1")], "");
            }),
            (Once, "202 without one", |stage| stage.answer(202, &[], "")),
            (Once, "200 with HTML", |stage| stage.answer(200, &[], "<html></html>")),
            (Once, "200 with a manifest", |stage| {
                stage.answer(200, &[], &manifest("/f", 1))
            }),
            (Again, "429 with `Retry-After: 30`: another job runs", |stage| {
                stage.answer(429, &[("Retry-After", "30")], "")
            }),
            (Again, "429 without", |stage| stage.answer(429, &[], "")),
            (Again, "503", |stage| stage.answer(503, &[], "")),
            (Again, "502, 504, or 500 without a word", |stage| {
                stage.answer(502, &[], "")
            }),
            (Again, "500 with an OperationOutcome of the transient family", |stage| {
                stage.answer(500, &[], &outcome("exception", "x"));
            }),
            (Once, "500 with another one", |stage| {
                stage.answer(500, &[], &outcome("processing", "x"))
            }),
            (Again, "no connection", |stage| stage.trouble(Trouble::Connect)),
            (Again, "no TLS", |stage| stage.trouble(Trouble::Tls)),
            (Again, "the answer breaks off, or none comes", |stage| {
                stage.trouble(Trouble::Broken)
            }),
            (Once, "400, 403, 404, 409, 422 and other 4xx", |stage| {
                stage.answer(400, &[], "")
            }),
            (Once, "401, and there are no credentials", |stage| {
                stage.answer(401, &[], "")
            }),
            (Again, "a redirect", |stage| {
                stage.answer(302, &[("Location", "https://other.example/$export")], "")
            }),
            (Once, "a redirect from `https` to `http`", |stage| {
                stage.answer(302, &[("Location", "http://h.example/$export")], "");
            }),
            (Once, "the user cancels, then 202 comes", |stage| {
                stage.client.happened(Event::Cancel, stage.now);
                stage.answer(202, &[("Content-Location", JOB)], "");
            }),
        ],
    );
    table.section(
        "The kick-off with a token",
        kick_off_with_token,
        &[
            (Again, "401", |stage| stage.answer(401, &[], "")),
            (Once, "202, and the job is on another server", |stage| {
                stage.answer(202, &[("Content-Location", "https://other.example/jobs/1")], "");
            }),
        ],
    );
    table.section(
        "The kick-off as a POST",
        post,
        &[
            (Again, "307 or 308", |stage| {
                stage.answer(307, &[("Location", "https://h.example/2/$export")], "")
            }),
            (Once, "301, 302 or 303", |stage| {
                stage.answer(302, &[("Location", "https://h.example/2/$export")], "")
            }),
        ],
    );
}

fn status_rows(table: &mut Table) {
    table.section(
        "The job's state",
        polling,
        &[
            (Again, "202", |stage| stage.answer(202, &[], "")),
            (Again, "202 with `Retry-After: 120`", |stage| {
                stage.answer(202, &[("Retry-After", "120")], "")
            }),
            (Again, "200 with `X-Export-Status: 202`", |stage| {
                stage.answer(200, &[("X-Export-Status", "202 Accepted")], "")
            }),
            (Once, "200 with `X-Export-Status: 500`", |stage| {
                stage.answer(200, &[("X-Export-Status", "500")], "")
            }),
            (Again, "429 with `Retry-After: 120`", |stage| {
                stage.answer(429, &[("Retry-After", "120")], "")
            }),
            (Again, "5xx without an OperationOutcome", |stage| {
                stage.answer(502, &[], "")
            }),
            (Again, "5xx with one of the transient family", |stage| {
                stage.answer(500, &[], &outcome("TRANSIENT", "x"))
            }),
            (Once, "5xx with another one: the job has failed", |stage| {
                stage.answer(500, &[], &outcome("processing", "x"))
            }),
            (Again, "no connection, no answer, half an answer", |stage| {
                stage.trouble(Trouble::Timeout)
            }),
            (Once, "404 or 410", |stage| stage.answer(404, &[], "")),
            (Once, "401, and there are no credentials", |stage| {
                stage.answer(401, &[], "")
            }),
            (Once, "403", |stage| stage.answer(403, &[], "")),
            (Once, "other 4xx", |stage| stage.answer(400, &[], "")),
            (Once, "the user cancels", |stage| {
                stage.client.happened(Event::Cancel, stage.now)
            }),
        ],
    );
}

fn manifest_rows(table: &mut Table) {
    table.section(
        "The manifest",
        polling,
        &[
            (Once, "200 with a manifest", |stage| {
                stage.answer(200, &[], &manifest("https://h.example/files/", 1))
            }),
            (Once, "the same without files", |stage| {
                stage.answer(200, &[], &manifest("/f", 0))
            }),
            (Again, "200 with HTML, `{}` or nothing", |stage| {
                stage.answer(200, &[], "<html></html>")
            }),
            (Again, "more than 64 MiB", |stage| stage.trouble(Trouble::TooLarge)),
            (Once, "relative URLs", |stage| {
                stage.answer(200, &[], &manifest_of(&["../f/1"], ""))
            }),
            (Once, "a URL that cannot be fetched, and no other", |stage| {
                stage.answer(200, &[], &manifest_of(&["ftp://x/1"], ""))
            }),
            (
                Once,
                "`http` URLs of the server, which was asked with `https`",
                |stage| {
                    stage.answer(200, &[], &manifest_of(&["http://h.example/files/1"], ""));
                },
            ),
            (Once, "`http` URLs of another server", |stage| {
                stage.answer(200, &[], &manifest_of(&["http://other.example/1"], ""))
            }),
            (Once, "`requiresAccessToken` is the text `\"true\"`", |stage| {
                stage.answer(
                    200,
                    &[],
                    &manifest("https://h.example/files/", 1).replace(":true", ":\"true\""),
                );
            }),
            (Once, "`link.next`", |stage| {
                stage.answer(200, &[], &linked("https://h.example/jobs/1?page=2"))
            }),
            (Once, "`link.next` that leads back", |stage| {
                stage.answer(200, &[], &linked(JOB))
            }),
        ],
    );
    table.section(
        "The manifest of a running job that was asked for one",
        polling_partially,
        &[
            (Once, "202 with a manifest", |stage| {
                stage.answer(202, &[], &manifest("https://h.example/files/", 1))
            }),
            (Once, "202 with a manifest and `link.next`", |stage| {
                stage.answer(202, &[], &linked("https://h.example/jobs/1?page=2"))
            }),
            (Again, "202 with something else", |stage| {
                stage.answer(202, &[], "<html>")
            }),
        ],
    );
    table.section(
        "The manifest, asked for again because a file's URL was refused",
        refreshing,
        &[
            (Once, "the same files, fresh URLs", |stage| {
                let urls = ["https://h.example/files/0.ndjson?fresh", "https://slow.example/1"];
                stage.answer(200, &[], &manifest_of(&urls, ""));
            }),
            (Again, "other files, other counts, another `transactionTime`", |stage| {
                stage.answer(200, &[], &manifest("https://h.example/files/", 1));
            }),
            (Again, "202: the job runs again", |stage| stage.answer(202, &[], "")),
            (Once, "404 (the others go on, then it ends)", |stage| {
                stage.answer(404, &[], "");
                stage.fetched(1);
            }),
        ],
    );
}

fn file_rows(table: &mut Table) {
    table.section(
        "A file",
        fetching,
        &[
            (Once, "200 or 206, whole and checked, and it was the last", |stage| {
                stage.fetched(1);
                stage.fetched(0);
            }),
            (Again, "429 or 503 with `Retry-After: 20`", |stage| {
                stage.unfetched(0, 429, &[("Retry-After", "20")], "")
            }),
            (Again, "5xx, 408, 425", |stage| stage.unfetched(0, 500, &[], "")),
            (Again, "no connection", |stage| stage.broken(0, Trouble::Connect, false)),
            (Again, "it breaks off, and the beginning is kept", |stage| {
                stage.broken(0, Trouble::Broken, true)
            }),
            (
                Again,
                "it breaks off, and nothing is kept; nothing comes; other bytes than announced; a wrong checksum; HTML",
                |stage| {
                    stage.broken(0, Trouble::Checksum, false);
                },
            ),
            (
                Again,
                "other lines than the manifest's `count`; lines that are no JSON",
                |stage| {
                    stage.broken(0, Trouble::Count, false);
                },
            ),
            (Once, "403, 404, 410 and other 4xx: the URL is dead", |stage| {
                stage.unfetched(0, 403, &[], "")
            }),
            (Once, "401 without a token", |stage| stage.unfetched(0, 401, &[], "")),
            (Again, "a redirect", |stage| {
                stage.unfetched(0, 307, &[("Location", "https://store.example/0")], "")
            }),
            (Again, "a redirect from `https` to `http`", |stage| {
                stage.unfetched(0, 302, &[("Location", "http://h.example/files/0")], "");
            }),
            (Once, "the disk is full", |stage| {
                let why = crate::client::Unfetched::Disk;
                stage.client.happened(
                    Event::Unfetched {
                        file: 0,
                        why,
                        progress: false,
                    },
                    stage.now,
                );
            }),
        ],
    );
    table.section(
        "A file with a token",
        fetching_with_token,
        &[
            (Again, "401", |stage| stage.unfetched(0, 401, &[], "")),
            (Again, "a redirect, also within the origin", |stage| {
                stage.unfetched(0, 307, &[("Location", "/files/1.ndjson")], "")
            }),
        ],
    );
}

fn end_rows(table: &mut Table) {
    table.section(
        "The deletion, when all is safe",
        deleting,
        &[
            (Once, "2xx, 303, 404, 410", |stage| stage.answer(202, &[], "")),
            (Again, "429 or 5xx, no answer", |stage| stage.answer(503, &[], "")),
            (Once, "other 4xx, 501", |stage| stage.answer(405, &[], "")),
        ],
    );
}

/// The program dies, or the power fails, and somebody resumes.
fn crash(stage: &mut Stage) {
    stage.step();
    *stage = stage.resumed(&Settings::default());
}

fn resumed_rows(table: &mut Table) {
    table.section(
        "Resuming",
        kick_off,
        &[
            (Once, "the kick-off was sent, and nothing is known of it", crash),
            (Once, "the server had refused it for now", |stage| {
                stage.answer(429, &[], "");
                crash(stage);
            }),
            (Once, "the job was accepted", |stage| {
                stage.answer(202, &[("Content-Location", JOB)], "");
                crash(stage);
            }),
            (Once, "the manifest was there, and some files", |stage| {
                *stage = fetching(1);
                stage.fetched(1);
                crash(stage);
            }),
            (Once, "all files were there", |stage| {
                *stage = deleting(1);
                crash(stage);
            }),
            (Once, "the job was deleted", |stage| {
                *stage = deleting(1);
                stage.answer(202, &[], "");
                crash(stage);
            }),
            (Once, "it was cancelled, and the job not deleted", |stage| {
                *stage = polling(1);
                stage.client.happened(Event::Cancel, stage.now);
                crash(stage);
            }),
        ],
    );
}

/// What a running job may ask to wait, and how long that is waited.
fn retry_after_rows(table: &mut Table) {
    table
        .out
        .push_str("\n## `Retry-After`\n\n| header | with `Date` | wait |\n| --- | --- | --- |\n");
    const AN_HOUR_SLOW: &str = "Thu, 26 Nov 2026 03:25:37 GMT";
    for (value, date) in [
        ("120", ""),
        ("1.5", ""),
        ("0", ""),
        ("-7", ""),
        ("Thu, 26 Nov 2026 04:26:38 GMT", ""),
        ("Thursday, 26-Nov-26 04:26:38 GMT", ""),
        ("Thu Nov 26 04:26:38 2026", ""),
        ("Thu, 26 Nov 2026 03:26:37 GMT", AN_HOUR_SLOW),
        ("1795667198", ""),
        ("1795667198000", ""),
        ("864000", ""),
        ("soon", ""),
        ("", ""),
    ] {
        let waited = |seed| {
            let mut stage = polling(seed);
            let headers = [("Retry-After", value), ("Date", date)];
            stage.answer(202, &headers, "");
            stage.waited().1
        };
        let wait = match waited(1) {
            wait if wait == waited(2) => format!("{} s", wait as f64 / 1_000.0),
            _ => "as without it".to_owned(),
        };
        let _ = writeln!(table.out, "| `{value}` | {date} | {wait} |");
    }
}

#[test]
fn decisions_are_as_written_down() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/client.md");
    let page = std::fs::read_to_string(&path).expect("docs/client.md");
    let (head, rest) = page.split_once(BEGIN).expect("where the tables begin");
    let (written, tail) = rest.split_once(END).expect("where the tables end");
    let found = table();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, format!("{head}{BEGIN}{found}{END}{tail}")).expect("writes");
        return;
    }
    for (found, written) in found.lines().zip(written.lines()) {
        assert_eq!(
            found, written,
            "docs/client.md says something else than the client does"
        );
    }
    assert_eq!(
        found.lines().count(),
        written.lines().count(),
        "rows are missing or too many"
    );
}
