//! What an export did, at its end: a table for people, JSON for programs.

use std::fmt;
use std::time::Duration;

use fhirehose_core::quote::Tree;
use fhirehose_core::report::{FileEntry, Report};
use fhirehose_core::sink::FileKind;

/// Facts that the report does not have.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The output as the user named it.
    pub(crate) output: String,
    /// The manifest; `None` where only lines were written.
    pub(crate) manifest: Option<String>,
    /// The instant of the snapshot.
    pub(crate) transaction_time: String,
    /// Bytes of the inputs as stored.
    pub(crate) stored: u64,
    /// Threads that worked.
    pub(crate) threads: usize,
    /// From the first byte to the manifest.
    pub(crate) took: Duration,
}

/// Which way a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows of text in columns as wide as they need to be.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    head: [String; N],
    align: [Align; N],
    rows: Vec<[String; N]>,
    total: Option<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(columns: &[(&str, Align); N]) -> Self {
        Table {
            head: columns.map(|(name, _)| name.to_owned()),
            align: columns.map(|(_, align)| align),
            rows: Vec::new(),
            total: None,
        }
    }

    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// Sets the row that stands below a rule.
    pub(crate) fn total(&mut self, cells: [String; N]) {
        self.total = Some(cells);
    }

    fn line(&self, cells: &[String; N], widths: &[usize; N], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        for (index, cell) in cells.iter().enumerate() {
            let width = widths[index];
            line.push_str(if index > 0 { "  " } else { "" });
            line.push_str(&match self.align[index] {
                Align::Left => format!("{cell:width$}"),
                Align::Right => format!("{cell:>width$}"),
            });
        }
        writeln!(f, "{}", line.trim_end())
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = [0; N];
        let all = std::iter::once(&self.head).chain(&self.rows).chain(&self.total);
        for cells in all {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        self.line(&self.head, &widths, f)?;
        self.rows.iter().try_for_each(|cells| self.line(cells, &widths, f))?;
        match &self.total {
            Some(total) => {
                let rule = widths.iter().sum::<usize>() + 2 * (N - 1);
                writeln!(f, "{}", "-".repeat(rule))?;
                self.line(total, &widths, f)
            }
            None => Ok(()),
        }
    }
}

/// The number with commas between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The number and what it counts: `1 line`, `2 lines`.
pub(crate) fn counted(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", grouped(number))
}

/// For people, with a newline at the end. `is_wanted` says which types the request asks for; the others share a row.
/// `own` is what the command has to say besides, by its names.
pub(crate) fn text(report: &Report, facts: &Facts, is_wanted: impl Fn(&str) -> bool, own: &[(&str, String)]) -> String {
    let has_files = facts.manifest.is_some();
    let mut out = types(report, has_files, is_wanted);
    let mut line = |name: &str, text: String| out.push_str(&format!("{name:9}{text}\n"));
    line("", String::new());
    if report.bad_lines() > 0 {
        let kinds = report
            .bad
            .iter()
            .map(|(kind, count)| format!("{} {}", grouped(*count), kind.code()));
        let kinds: Vec<String> = kinds.collect();
        line(
            "bad",
            format!("{}: {}", counted(report.bad_lines(), "line"), kinds.join(", ")),
        );
        for place in &report.places {
            line("", format!("{}:{}: {}", place.input, place.position, place.kind));
        }
        let untold = report.bad_lines().saturating_sub(report.places.len() as u64);
        if untold > 0 {
            line(
                "",
                format!(
                    "and {}{}",
                    grouped(untold),
                    if has_files { " more; all are in error/" } else { " more" }
                ),
            );
        }
    }
    line(
        "read",
        format!(
            "{}, {}, {} stored, {} as lines",
            counted(report.inputs, "input"),
            counted(report.lines, "line"),
            counted(facts.stored, "byte"),
            counted(report.bytes_read, "byte")
        ),
    );
    for (name, text) in own {
        line(name, text.clone());
    }
    if let Some(manifest) = &facts.manifest {
        let size = report.files.iter().map(|file| file.size).sum();
        let files = counted(report.files.len() as u64, "file");
        line(
            "written",
            format!("{files}, {} stored, {manifest}", counted(size, "byte")),
        );
    }
    let seconds = facts.took.as_secs_f64();
    line(
        "took",
        format!(
            "{seconds:.2} s with {}, {} MB/s",
            counted(facts.threads as u64, "thread"),
            grouped(rate(report, facts) / 1_000_000)
        ),
    );
    out.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Bytes of lines in a second.
fn rate(report: &Report, facts: &Facts) -> u64 {
    let millis = facts.took.as_millis().max(1);
    u64::try_from(u128::from(report.bytes_read) * 1000 / millis).unwrap_or(u64::MAX)
}

fn types(report: &Report, has_files: bool, is_wanted: impl Fn(&str) -> bool) -> String {
    let columns = [
        ("type", Align::Left),
        ("read", Align::Right),
        ("kept", Align::Right),
        ("bytes kept", Align::Right),
        (if has_files { "files" } else { "" }, Align::Right),
    ];
    let mut table = Table::new(&columns);
    let files = |count: usize| {
        if has_files {
            grouped(count as u64)
        } else {
            String::new()
        }
    };
    let outputs: Vec<&FileEntry> = report
        .files
        .iter()
        .filter(|file| file.name.kind == FileKind::Output)
        .collect();
    let (wanted, others): (Vec<_>, Vec<_>) = report
        .types
        .iter()
        .partition(|of_type| of_type.kept > 0 || is_wanted(&of_type.type_name));
    for of_type in wanted {
        let own = outputs
            .iter()
            .filter(|file| file.name.type_name == of_type.type_name)
            .count();
        table.row([
            of_type.type_name.clone(),
            grouped(of_type.read),
            grouped(of_type.kept),
            grouped(of_type.bytes),
            files(own),
        ]);
    }
    if !others.is_empty() {
        let read = others.iter().map(|of_type| of_type.read).sum();
        let name = counted(others.len() as u64, "other type");
        table.row([name, grouped(read), grouped(0), grouped(0), files(0)]);
    }
    table.total([
        "total".to_owned(),
        grouped(report.read()),
        grouped(report.kept()),
        grouped(bytes_kept(report)),
        files(outputs.len()),
    ]);
    table.to_string()
}

fn bytes_kept(report: &Report) -> u64 {
    report.types.iter().map(|of_type| of_type.bytes).sum()
}

/// The members that every command's summary for programs has; see [`crate::export_summary::json`].
pub(crate) fn members(report: &Report, facts: &Facts) -> Vec<(&'static str, Tree)> {
    let number = Tree::Number;
    let types = report.types.iter().map(|of_type| {
        Tree::Object(vec![
            ("type", Tree::text(&of_type.type_name)),
            ("read", number(of_type.read)),
            ("kept", number(of_type.kept)),
            ("keptBytes", number(of_type.bytes)),
        ])
    });
    let millis = u64::try_from(facts.took.as_millis()).unwrap_or(u64::MAX);
    vec![
        ("output", Tree::text(&facts.output)),
        ("manifest", Tree::maybe(facts.manifest.as_deref())),
        ("transactionTime", Tree::text(&facts.transaction_time)),
        ("inputs", number(report.inputs)),
        ("storedBytes", number(facts.stored)),
        ("bytes", number(report.bytes_read)),
        ("lines", number(report.lines)),
        ("read", number(report.read())),
        ("kept", number(report.kept())),
        ("keptBytes", number(bytes_kept(report))),
        ("types", Tree::List(types.collect())),
        ("files", Tree::List(files(report, facts))),
        ("bad", bad(report)),
        ("threads", number(facts.threads as u64)),
        ("milliseconds", number(millis)),
        ("bytesPerSecond", number(rate(report, facts))),
    ]
}

fn files(report: &Report, facts: &Facts) -> Vec<Tree> {
    if facts.manifest.is_none() {
        return Vec::new();
    }
    let file = |file: &FileEntry| {
        let kind = match file.name.kind {
            FileKind::Output => "output",
            FileKind::Deleted => "deleted",
            FileKind::Error => "error",
        };
        let mut members = vec![
            ("kind", Tree::text(kind)),
            ("type", Tree::text(&file.name.type_name)),
            ("path", Tree::text(&file.path)),
            ("count", Tree::Number(file.resources)),
            ("bytes", Tree::Number(file.bytes)),
            ("size", Tree::Number(file.size)),
        ];
        members.extend(file.continues_in.iter().map(|path| ("continuesIn", Tree::text(path))));
        Tree::Object(members)
    };
    report.files.iter().map(file).collect()
}

fn bad(report: &Report) -> Tree {
    let kinds = report
        .bad
        .iter()
        .map(|(kind, count)| Tree::Object(vec![("code", Tree::text(kind.code())), ("count", Tree::Number(*count))]));
    let places = report.places.iter().map(|place| {
        Tree::Object(vec![
            ("input", Tree::text(&place.input)),
            ("line", Tree::Number(place.position.line)),
            ("column", Tree::Number(place.position.column)),
            ("code", Tree::text(place.kind.code())),
        ])
    });
    Tree::Object(vec![
        ("total", Tree::Number(report.bad_lines())),
        ("kinds", Tree::List(kinds.collect())),
        ("places", Tree::List(places.collect())),
    ])
}

#[cfg(test)]
mod tests {
    use super::{Align, Table, grouped};

    #[test]
    fn thousands_are_set_apart() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&[("type", Align::Left), ("n", Align::Right)]);
        table.row(["Observation".into(), "7".into()]);
        table.total(["total".into(), "1,000".into()]);
        assert_eq!(
            table.to_string(),
            "type             n\nObservation      7\n------------------\ntotal        1,000\n"
        );
    }
}
