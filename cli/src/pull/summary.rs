//! What a pull is doing, and what it did: for people, and for programs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fhirehose_core::quote::Tree;
use fhirehose_core::sink::FileKind;
use fhirehose_pull::{Progress, Pulled, PulledFile, Status};
use indicatif::{HumanBytes, HumanDuration};

use crate::args::ReportArg;
use crate::exit::Exit;
use crate::messages;
use crate::print::print;
use crate::progress::Display;
use crate::summary::{Align, Table, counted, grouped};

/// Files with the most dropped that are told one by one.
const MOST_TOLD: usize = 10;

/// One line on standard error; gone when it is dropped.
pub(super) fn display(progress: Arc<Progress>) -> Display {
    let begun = Instant::now();
    let mut first_byte = None;
    Display::drawn("{spinner} {wide_msg}", None, move |bar| {
        bar.set_message(line(&progress, begun, &mut first_byte));
        bar.tick();
    })
}

/// `file 17 of 40  3 active  1.2 GB, 412 MB/s  1,204 kept  2 minutes left`
fn line(progress: &Progress, begun: Instant, first_byte: &mut Option<Instant>) -> String {
    let plain = progress.plain.load(Ordering::Relaxed);
    if plain == 0 {
        let waited = HumanDuration(Duration::from_secs(begun.elapsed().as_secs()));
        return format!("{}  ({waited})", progress.phase());
    }
    let since = first_byte.get_or_insert_with(Instant::now).elapsed();
    let (done, files) = (
        progress.done.load(Ordering::Relaxed),
        progress.files.load(Ordering::Relaxed),
    );
    let rate = (plain as f64 / since.as_secs_f64().max(0.001)) as u64;
    let mut text = format!(
        "{}  {} active  {}, {}/s  {} of {} kept",
        progress.phase(),
        progress.active.load(Ordering::Relaxed),
        HumanBytes(plain),
        HumanBytes(rate),
        grouped(progress.kept.load(Ordering::Relaxed)),
        grouped(progress.lines.load(Ordering::Relaxed)),
    );
    if done > 0 && files > done {
        let left = since.as_secs_f64() / done as f64 * (files - done) as f64;
        let left = HumanDuration(Duration::from_secs_f64(left.min(1e9)));
        text.push_str(&format!("  {left} left"));
    }
    text
}

/// Tells what a pull did.
pub(super) fn tell(pulled: &Pulled, report: ReportArg, out: &Path) -> Exit {
    for warning in &pulled.warnings {
        messages::note(format_args!("note: {warning}"));
    }
    let told = match report {
        ReportArg::Json => print(json(pulled).as_bytes()),
        ReportArg::Text => {
            messages::note(text(pulled, out).trim_end());
            Exit::Done
        }
    };
    if told == Exit::Done && pulled.bad() > 0 {
        Exit::BadRecords
    } else {
        told
    }
}

/// Of one type: files, resources that came, that were kept, bytes that came.
#[derive(Default)]
struct Row {
    files: u64,
    came: u64,
    kept: u64,
    plain: u64,
}

fn rows(pulled: &Pulled) -> BTreeMap<(FileKind, String), Row> {
    let mut rows: BTreeMap<(FileKind, String), Row> = BTreeMap::new();
    for file in &pulled.files {
        let name = file.type_name.clone().unwrap_or_else(|| "-".to_owned());
        let row = rows.entry((file.kind, name)).or_default();
        row.files += 1;
        row.came += file.lines;
        row.kept += file.kept;
        row.plain += file.plain;
    }
    rows
}

fn text(pulled: &Pulled, out: &Path) -> String {
    if pulled.detached {
        let url = pulled.status_url.as_deref().unwrap_or("-");
        return format!(
            "kicked off: {url}\nfhirehose pull --resume {} fetches it\n",
            out.display()
        );
    }
    let columns = [
        ("sent as", Align::Left),
        ("files", Align::Right),
        ("lines", Align::Right),
        ("kept", Align::Right),
        ("bytes", Align::Right),
    ];
    let mut table = Table::new(&columns);
    let cells = |name: String, row: &Row| {
        [
            name,
            grouped(row.files),
            grouped(row.came),
            grouped(row.kept),
            grouped(row.plain),
        ]
    };
    let mut total = Row::default();
    for ((kind, name), row) in &rows(pulled) {
        let name = match kind {
            FileKind::Output => name.clone(),
            FileKind::Deleted => format!("{name} (deleted)"),
            FileKind::Error => format!("{name} (error)"),
        };
        table.row(cells(name, row));
        total.files += row.files;
        total.came += row.came;
        total.kept += row.kept;
        total.plain += row.plain;
    }
    table.total(cells("all".to_owned(), &total));
    let mut text = table.to_string();
    let mut line = |name: &str, value: String| text.push_str(&format!("{name:9}{value}\n"));
    line("", String::new());
    dropped(pulled, &mut line);
    let bad = pulled.bad();
    if bad > 0 {
        line("bad", format!("{} not FHIR; error/ tells where", counted(bad, "line")));
    }
    let seconds = pulled.took.as_secs_f64();
    let rate = total.plain as f64 / seconds.max(0.001) / 1e6;
    let wire = HumanBytes(pulled.sum(|file| file.wire));
    line("network", format!("{wire} in {seconds:.1} s; {rate:.0} MB/s of NDJSON"));
    let verified = pulled.files.iter().filter(|file| file.verified).count() as u64;
    line(
        "checked",
        format!(
            "{} of {} by the server's checksum",
            grouped(verified),
            counted(total.files, "file")
        ),
    );
    line(
        "output",
        format!("{} in {}", counted(pulled.output.len() as u64, "file"), out.display()),
    );
    line("as of", pulled.transaction_time.clone());
    text
}

fn dropped(pulled: &Pulled, line: &mut impl FnMut(&str, String)) {
    let mut files: Vec<&PulledFile> = pulled.files.iter().filter(|file| file.dropped() > 0).collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.dropped()));
    for (index, file) in files.iter().take(MOST_TOLD).enumerate() {
        let name = file.type_name.as_deref().unwrap_or("-");
        let text = format!("{} of file {} ({name})", grouped(file.dropped()), file.number + 1);
        line(if index == 0 { "dropped" } else { "" }, text);
    }
    if files.len() > MOST_TOLD {
        line(
            "",
            format!(
                "and of {} more; --report json has them all",
                counted((files.len() - MOST_TOLD) as u64, "file")
            ),
        );
    }
}

/// The keys stay as they are; new ones may be added:
///
/// - `detached`, `statusUrl`, `manifest`, `transactionTime`
/// - `sent`: `files`, `lines`, `bytes` (of NDJSON), `wire` (over the network); `kept`, `dropped`, `bad`
/// - `files`: `number` (from 1), `kind`, `type`, `lines`, `kept`, `dropped`, `bad`, `bytes`, `wire`, `filtered`,
///   `verified`, `types` (`type`, `sent`, `kept`)
/// - `output`: `kind`, `type`, `path`, `count`, `bytes`, `size`
/// - `warnings`, `milliseconds`, `bytesPerSecond`
fn json(pulled: &Pulled) -> String {
    let sum = |of: fn(&PulledFile) -> u64| Tree::Number(pulled.sum(of));
    let seconds = pulled.took.as_secs_f64().max(0.001);
    let optional = |text: Option<&String>| text.map_or(Tree::Null, Tree::text);
    let all = vec![
        ("detached", Tree::Boolean(pulled.detached)),
        ("statusUrl", optional(pulled.status_url.as_ref())),
        ("manifest", Tree::text(pulled.manifest.display().to_string())),
        ("transactionTime", Tree::text(&pulled.transaction_time)),
        (
            "sent",
            Tree::Object(vec![
                ("files", Tree::Number(pulled.files.len() as u64)),
                ("lines", sum(|file| file.lines)),
                ("bytes", sum(|file| file.plain)),
                ("wire", sum(|file| file.wire)),
            ]),
        ),
        ("kept", sum(|file| file.kept)),
        ("dropped", sum(PulledFile::dropped)),
        ("bad", Tree::Number(pulled.bad())),
        ("files", Tree::List(pulled.files.iter().map(file_tree).collect())),
        ("output", Tree::List(pulled.output.iter().map(output_tree).collect())),
        ("warnings", Tree::List(pulled.warnings.iter().map(Tree::text).collect())),
        (
            "milliseconds",
            Tree::Number(u64::try_from(pulled.took.as_millis()).unwrap_or(u64::MAX)),
        ),
        (
            "bytesPerSecond",
            Tree::Number((pulled.sum(|file| file.plain) as f64 / seconds) as u64),
        ),
    ];
    Tree::Object(all).pretty()
}

fn word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Output => "output",
        FileKind::Deleted => "deleted",
        FileKind::Error => "error",
    }
}

fn file_tree(file: &PulledFile) -> Tree {
    let types = file.types.iter().map(|(name, read, kept)| {
        Tree::Object(vec![
            ("type", Tree::text(name)),
            ("sent", Tree::Number(*read)),
            ("kept", Tree::Number(*kept)),
        ])
    });
    Tree::Object(vec![
        ("number", Tree::Number(file.number as u64 + 1)),
        ("kind", Tree::text(word(file.kind))),
        ("type", file.type_name.as_ref().map_or(Tree::Null, Tree::text)),
        ("lines", Tree::Number(file.lines)),
        ("kept", Tree::Number(file.kept)),
        ("dropped", Tree::Number(file.dropped())),
        ("bad", Tree::Number(file.bad)),
        ("bytes", Tree::Number(file.plain)),
        ("wire", Tree::Number(file.wire)),
        ("filtered", Tree::Boolean(file.filtered)),
        ("verified", Tree::Boolean(file.verified)),
        ("types", Tree::List(types.collect())),
    ])
}

fn output_tree(entry: &fhirehose_core::report::FileEntry) -> Tree {
    Tree::Object(vec![
        ("kind", Tree::text(word(entry.name.kind))),
        ("type", Tree::text(&entry.name.type_name)),
        ("path", Tree::text(&entry.path)),
        ("count", Tree::Number(entry.resources)),
        ("bytes", Tree::Number(entry.bytes)),
        ("size", Tree::Number(entry.size)),
    ])
}

/// Tells how far a pull is.
pub(super) fn status(status: &Status, report: ReportArg) -> Exit {
    let optional = |text: Option<&String>| text.map_or(Tree::Null, Tree::text);
    match report {
        ReportArg::Json => {
            let all = vec![
                ("phase", Tree::text(&status.phase)),
                ("statusUrl", optional(status.status_url.as_ref())),
                ("transactionTime", optional(status.transaction_time.as_ref())),
                ("files", Tree::Number(status.files as u64)),
                ("done", Tree::Number(status.done as u64)),
                ("bytes", Tree::Number(status.plain)),
            ];
            print(Tree::Object(all).pretty().as_bytes())
        }
        ReportArg::Text => {
            let url = status.status_url.as_deref().unwrap_or("-");
            let text = format!(
                "{}\njob      {url}\nfiles    {} of {} complete, {} of NDJSON\n",
                status.phase,
                grouped(status.done as u64),
                grouped(status.files as u64),
                HumanBytes(status.plain)
            );
            print(text.as_bytes())
        }
    }
}
