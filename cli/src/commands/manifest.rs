//! `fhirehose manifest check`: what of a manifest is not as the Bulk Data guide has it.

use std::ffi::OsStr;
use std::fmt::Write;
use std::io::Read;

use fhirehose_core::client::manifest::{Asked, Checked, Finding, Generation, Severity, check};
use fhirehose_core::position::Position;
use fhirehose_core::quote::Tree;

use crate::args::{ManifestArgs, ManifestCheckArgs, ManifestCommand, ReportArg};
use crate::exit::Exit;
use crate::messages;
use crate::print::print;

/// Fetches what is behind a URL, or says how to end and why.
type Fetch<'f> = &'f dyn Fn(&str) -> Result<Vec<u8>, (Exit, String)>;

/// Longest piece of a manifest that is shown with a finding.
const SHOWN: usize = 80;

/// Does what was asked.
pub(super) fn run(args: &ManifestArgs) -> Exit {
    match &args.command {
        ManifestCommand::Check(args) => run_check(args, &|url| crate::pull::page::manifest(url, &args.login)),
    }
}

fn run_check(args: &ManifestCheckArgs, fetch: Fetch<'_>) -> Exit {
    let text = match read(&args.manifest, fetch) {
        Ok(text) => text,
        Err((exit, message)) => {
            messages::error(message);
            return exit;
        }
    };
    let asked = Asked {
        generation: args
            .ig
            .and_then(|number| Generation::ALL.get(usize::from(number).checked_sub(1)?).copied()),
        stored: args.stored,
    };
    let checked = check(&text, asked);
    let told = match args.report {
        ReportArg::Text => for_people(&name(&args.manifest), &text, &checked, asked),
        ReportArg::Json => for_programs(&text, &checked, asked),
    };
    match print(told.as_bytes()) {
        Exit::Done if checked.has_errors() => Exit::BadRecords,
        exit => exit,
    }
}

fn read(source: &OsStr, fetch: Fetch<'_>) -> Result<Vec<u8>, (Exit, String)> {
    if let Some(url) = source.to_str().filter(|text| is_url(text)) {
        return fetch(url);
    }
    let read = match source.to_str() {
        Some("-") => {
            let mut text = Vec::new();
            std::io::stdin().lock().read_to_end(&mut text).map(|_| text)
        }
        _ => std::fs::read(source),
    };
    read.map_err(|error| (Exit::Io, format!("{}: {error}", name(source))))
}

fn is_url(text: &str) -> bool {
    let starts = |scheme: &str| {
        text.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    starts("http://") || starts("https://")
}

/// What the manifest is called: a file's name, or a URL without what may be a secret.
fn name(source: &OsStr) -> String {
    match source.to_str() {
        Some("-") => "standard input".to_owned(),
        Some(url) if is_url(url) => open_part(url),
        _ => source.display().to_string(),
    }
}

/// A URL, or any text, without query, fragment and credentials.
fn open_part(text: &str) -> String {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let (open, hidden) = text.split_at(end);
    let mut out = match open.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.find('/').unwrap_or(rest.len());
            let user = rest[..host].rfind('@').map_or(0, |at| at + 1);
            let shown = if user > 0 { "…@" } else { "" };
            format!("{scheme}://{shown}{}", &rest[user..])
        }
        None => open.to_owned(),
    };
    if let Some(mark) = hidden.chars().next() {
        out.push(mark);
        out.push('…');
    }
    out
}

/// What stands at a span, as far as it may be shown: a name, a number, a text without what may be a secret, or the bracket
/// that opens more.
fn shown(text: &[u8], finding: &Finding) -> Option<String> {
    let bytes = text.get(finding.span.clone())?;
    let first = *bytes.first()?;
    let plain = match first {
        b'{' | b'[' => format!("{}…", char::from(first)),
        b'"' => {
            let text = std::str::from_utf8(bytes).ok()?;
            let inner = text.strip_prefix('"')?.strip_suffix('"')?;
            format!("\"{}\"", open_part(inner))
        }
        b'-' | b'0'..=b'9' | b'a'..=b'z' => std::str::from_utf8(bytes).ok()?.to_owned(),
        _ => return None,
    };
    let is_harmless =
        |letter: &char| !letter.is_control() && !matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut letters = plain.chars();
    let mut out: String = letters.by_ref().take(SHOWN).filter(is_harmless).collect();
    if letters.next().is_some() {
        out.push('…');
    }
    Some(out)
}

/// Line and column of each finding. They come in the order of the text, which is read once.
fn positions(text: &[u8], findings: &[Finding]) -> Vec<Position> {
    let (mut line, mut line_start, mut at) = (1, 0, 0);
    let place = |finding: &Finding| {
        let start = finding.span.start.min(text.len());
        for (index, byte) in text[at..start.max(at)].iter().enumerate() {
            if *byte == b'\n' {
                line += 1;
                line_start = at + index + 1;
            }
        }
        at = start.max(at);
        Position {
            line,
            column: (at - line_start) as u64 + 1,
        }
    };
    findings.iter().map(place).collect()
}

fn count(checked: &Checked, severity: Severity) -> usize {
    let is = |finding: &&Finding| finding.severity == severity;
    checked.findings.iter().filter(is).count()
}

fn for_people(name: &str, text: &[u8], checked: &Checked, asked: Asked) -> String {
    let mut out = String::new();
    for (finding, place) in checked.findings.iter().zip(positions(text, &checked.findings)) {
        let number = place.line.to_string();
        let margin = " ".repeat(number.len());
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{}[{}]: {}", finding.severity, finding.rule, finding.message);
        let path = if finding.path.is_empty() {
            String::new()
        } else {
            format!("  {}", finding.path)
        };
        let _ = writeln!(out, "{margin}--> {name}:{place}{path}");
        if let Some(shown) = shown(text, finding) {
            let carets = "^".repeat(shown.chars().count());
            let _ = writeln!(out, "{margin} |\n{number} | {shown}\n{margin} | {carets}");
        }
        let _ = writeln!(out, "{margin} = {}\n", finding.section);
    }
    let of = |severity: Severity, word: &str| {
        let number = count(checked, severity);
        format!("{number} {word}{}", if number == 1 { "" } else { "s" })
    };
    let counts = [
        of(Severity::Error, "error"),
        of(Severity::Warning, "warning"),
        of(Severity::Note, "note"),
    ];
    let counts = counts.join(", ");
    let guessed = if asked.generation.is_none() {
        ", which fits best"
    } else {
        ""
    };
    let _ = writeln!(out, "{name}: {counts} by the rules of {}{guessed}", checked.generation);
    out
}

fn for_programs(text: &[u8], checked: &Checked, asked: Asked) -> String {
    let places = positions(text, &checked.findings);
    let findings = checked.findings.iter().zip(places).map(|(finding, place)| {
        Tree::Object(vec![
            ("severity", Tree::text(finding.severity.to_string())),
            ("rule", Tree::text(finding.rule)),
            ("path", Tree::text(finding.path.as_str())),
            ("line", Tree::Number(place.line)),
            ("column", Tree::Number(place.column)),
            ("start", Tree::Number(finding.span.start as u64)),
            ("end", Tree::Number(finding.span.end as u64)),
            ("message", Tree::text(finding.message.as_str())),
            ("section", Tree::text(finding.section)),
        ])
    });
    let findings = findings.collect();
    let number = |severity| Tree::Number(count(checked, severity) as u64);
    Tree::Object(vec![
        ("generation", Tree::text(checked.generation.to_string())),
        ("guessed", Tree::Boolean(asked.generation.is_none())),
        ("errors", number(Severity::Error)),
        ("warnings", number(Severity::Warning)),
        ("notes", number(Severity::Note)),
        ("findings", Tree::List(findings)),
    ])
    .pretty()
}

#[cfg(test)]
mod tests {
    use super::open_part;

    #[test]
    fn secrets_of_urls_are_not_shown() {
        let cases = [
            ("https://x/f?sig=abc#d", "https://x/f?…"),
            ("https://x/f#token", "https://x/f#…"),
            ("https://user:pass@x:1/f@g", "https://…@x:1/f@g"),
            ("https://x", "https://x"),
            ("files/1.ndjson?sig=abc", "files/1.ndjson?…"),
            ("Patient", "Patient"),
            ("?", "?…"),
        ];
        for (text, expected) in cases {
            assert_eq!(open_part(text), expected);
        }
    }
}
