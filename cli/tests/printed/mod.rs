//! What the binary prints, read back into the values that it was printed from.
#![allow(dead_code, reason = "every test file uses a part of it")]

use fhirehose_core::error::BadLine;
use fhirehose_core::position::Position;
use fhirehose_core::report::{BadPlace, FileEntry, Report, TypeCount};
use fhirehose_core::sink::{FileKind, FileName};
use fhirehose_tests::door::Told;
use serde_json::Value;

/// The report that `--report json` printed.
pub(crate) fn report(printed: &Value) -> Result<Report, String> {
    let bad = &printed["bad"];
    let report = Report {
        inputs: number(printed, "inputs")?,
        bytes_read: number(printed, "bytes")?,
        lines: number(printed, "lines")?,
        types: each(printed, "types", type_count)?,
        bad: each(bad, "kinds", |kind| Ok((code(kind)?, number(kind, "count")?)))?,
        places: each(bad, "places", place)?,
        files: each(printed, "files", file)?,
        organized: None,
    };
    let kept_bytes: u64 = report.types.iter().map(|of_type| of_type.bytes).sum();
    for (name, sum) in [
        ("read", report.read()),
        ("kept", report.kept()),
        ("keptBytes", kept_bytes),
    ] {
        if number(printed, name)? != sum {
            return Err(format!("`{name}` is not the sum of its parts: {printed}"));
        }
    }
    if number(bad, "total")? != report.bad_lines() {
        return Err(format!("`total` is not the sum of its parts: {bad}"));
    }
    Ok(report)
}

fn each<T>(json: &Value, name: &str, read: impl Fn(&Value) -> Result<T, String>) -> Result<Vec<T>, String> {
    let items = json[name]
        .as_array()
        .ok_or_else(|| format!("no list `{name}`: {json}"))?;
    items.iter().map(read).collect()
}

fn number(json: &Value, name: &str) -> Result<u64, String> {
    json[name].as_u64().ok_or_else(|| format!("no number `{name}`: {json}"))
}

fn text(json: &Value, name: &str) -> Result<String, String> {
    let text = json[name].as_str().ok_or_else(|| format!("no text `{name}`: {json}"))?;
    Ok(text.to_owned())
}

fn code(json: &Value) -> Result<BadLine, String> {
    let code = text(json, "code")?;
    let mut kinds = BadLine::ALL.into_iter();
    kinds
        .find(|kind| kind.code() == code)
        .ok_or_else(|| format!("no kind of bad line: {code}"))
}

fn type_count(json: &Value) -> Result<TypeCount, String> {
    Ok(TypeCount {
        type_name: text(json, "type")?,
        read: number(json, "read")?,
        kept: number(json, "kept")?,
        bytes: number(json, "keptBytes")?,
    })
}

fn place(json: &Value) -> Result<BadPlace, String> {
    Ok(BadPlace {
        input: text(json, "input")?,
        position: Position {
            line: number(json, "line")?,
            column: number(json, "column")?,
        },
        kind: code(json)?,
    })
}

fn file(json: &Value) -> Result<FileEntry, String> {
    let (path, type_name) = (text(json, "path")?, text(json, "type")?);
    let kind = match text(json, "kind")?.as_str() {
        "output" => FileKind::Output,
        "deleted" => FileKind::Deleted,
        "error" => FileKind::Error,
        other => return Err(format!("no kind of file: {other}")),
    };
    let sequence = path.split('.').nth(1).and_then(|digits| digits.parse().ok());
    let name = FileName {
        kind,
        type_name,
        sequence: sequence.ok_or_else(|| format!("no number in {path}"))?,
    };
    if name.to_string() != path {
        return Err(format!("{path} is not the name of {name:?}"));
    }
    Ok(FileEntry {
        name,
        path,
        resources: number(json, "count")?,
        bytes: number(json, "bytes")?,
        size: number(json, "size")?,
        continues_in: text(json, "continuesIn").ok(),
    })
}

/// The problems that stand on standard error. What is wrong in the user's text is what the carets point to.
pub(crate) fn problems(stderr: &str) -> Result<Vec<Told>, String> {
    let mut problems: Vec<(Told, Vec<&str>)> = Vec::new();
    let mut end = None;
    for line in stderr.lines() {
        match (
            line.strip_prefix("error: "),
            line.strip_prefix("  "),
            problems.last_mut(),
        ) {
            (Some(told), ..) => problems.push((headline(told)?, Vec::new())),
            (None, Some(detail), Some((_, details))) => details.push(detail),
            _ if end.is_none() => end = Some(line),
            _ => return Err(format!("not part of a problem: {line}")),
        }
    }
    let expected = (problems.len() > 1).then(|| format!("{} problems; nothing was written", problems.len()));
    if end != expected.as_deref() {
        return Err(format!("the end is {end:?}"));
    }
    let whole = problems.into_iter().map(|(told, details)| Told {
        at: pointed_to(&details).unwrap_or_default(),
        ..told
    });
    Ok(whole.collect())
}

fn headline(text: &str) -> Result<Told, String> {
    let (option, message) = text.split_once(": ").ok_or_else(|| format!("no option: {text}"))?;
    Ok(Told {
        option: option.to_owned(),
        at: String::new(),
        message: message.to_owned(),
    })
}

/// The characters of the first line that have carets below them.
fn pointed_to(details: &[&str]) -> Option<String> {
    let [text, carets, ..] = details else { return None };
    let from = carets.chars().take_while(|&character| character == ' ').count();
    let marked = carets.chars().count() - from;
    Some(text.chars().skip(from).take(marked).collect())
}
