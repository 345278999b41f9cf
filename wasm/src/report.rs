//! Reports as JSON, with the keys of `fhirehose export --report json` where both have them.

use fhirehose_core::quote::Tree;
use fhirehose_core::report::{Report, TypeCount};
use fhirehose_core::sink::FileKind;

/// What a kind of files is called.
#[must_use]
pub fn kind(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Output => "output",
        FileKind::Deleted => "deleted",
        FileKind::Error => "error",
    }
}

/// The report as JSON. `unknown` patients were asked for and not seen; deletions were `listed` in `deleted/`; resources were
/// `withheld` because of one; `group` is about members that do not count.
#[must_use]
pub fn json(report: &Report, unknown: u64, listed: u64, withheld: u64, group: Option<Tree>) -> String {
    let number = Tree::Number;
    let files = report.files.iter().map(|file| {
        Tree::Object(vec![
            ("kind", Tree::text(kind(file.name.kind))),
            ("type", Tree::text(&file.name.type_name)),
            ("path", Tree::text(&file.path)),
            ("count", number(file.resources)),
            ("bytes", number(file.bytes)),
        ])
    });
    let mut members = vec![
        ("inputs", number(report.inputs)),
        ("bytes", number(report.bytes_read)),
        ("lines", number(report.lines)),
        ("read", number(report.read())),
        ("kept", number(report.kept())),
        (
            "keptBytes",
            number(report.types.iter().map(|of_type| of_type.bytes).sum()),
        ),
        ("types", counts(report.types.iter())),
        ("files", Tree::List(files.collect())),
        ("bad", bad(report)),
        ("unknownPatients", number(unknown)),
        (
            "deletions",
            Tree::Object(vec![("listed", number(listed)), ("withheld", number(withheld))]),
        ),
    ];
    members.extend(group.map(|group| ("group", group)));
    Tree::Object(members).pretty()
}

/// Counts of types.
#[must_use]
pub fn counts<'c>(types: impl Iterator<Item = &'c TypeCount>) -> Tree {
    let types = types.map(|of_type| {
        Tree::Object(vec![
            ("type", Tree::text(&of_type.type_name)),
            ("read", Tree::Number(of_type.read)),
            ("kept", Tree::Number(of_type.kept)),
            ("keptBytes", Tree::Number(of_type.bytes)),
        ])
    });
    Tree::List(types.collect())
}

fn bad(report: &Report) -> Tree {
    Tree::Object(vec![
        ("total", Tree::Number(report.bad_lines())),
        ("kinds", bad_kinds(report)),
        ("places", bad_places(report)),
    ])
}

/// How many bad lines there are of each kind.
#[must_use]
pub fn bad_kinds(report: &Report) -> Tree {
    let kinds = report
        .bad
        .iter()
        .map(|(kind, count)| Tree::Object(vec![("code", Tree::text(kind.code())), ("count", Tree::Number(*count))]));
    Tree::List(kinds.collect())
}

/// Where the first bad lines are.
#[must_use]
pub fn bad_places(report: &Report) -> Tree {
    let places = report.places.iter().map(|place| {
        Tree::Object(vec![
            ("input", Tree::text(&place.input)),
            ("line", Tree::Number(place.position.line)),
            ("column", Tree::Number(place.position.column)),
            ("code", Tree::text(place.kind.code())),
        ])
    });
    Tree::List(places.collect())
}
