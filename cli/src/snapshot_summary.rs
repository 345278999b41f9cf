//! What a merge or diff did, at its end: tables for people, JSON for programs.

use fhirehose_core::quote::Tree;
use fhirehose_native::snapshot::tally::{Changes, Numbers};
use fhirehose_native::snapshot::task::Outcome;

use crate::summary::{self, Align, Facts, Table, counted, grouped};

/// For people: what was read and kept of each type, and what became of the rest.
pub(crate) fn merge_text(outcome: &Outcome, facts: &Facts) -> String {
    let whole = summary::text(&outcome.report, facts, |_| true, &[]);
    let (table, rest) = whole.split_once("\n\n").unwrap_or((&whole, ""));
    let Numbers {
        repeated,
        superseded,
        replaced,
        outdated,
        deleted,
        deleted_nothing,
        ..
    } = outcome.numbers;
    let known = [
        (replaced, "replaced by a later export's"),
        (outdated, "older than an earlier export's"),
        (superseded, "older than another of the same export"),
        (repeated, "repeated"),
        (deleted, "deleted"),
    ];
    let mut own = arguments(outcome);
    own.push_str(&row("left out", &parts(&known)));
    if deleted_nothing > 0 {
        own.push_str(&row(
            "",
            &format!("{} of what was not there", counted(deleted_nothing, "deletion")),
        ));
    }
    own.push_str(&findings(outcome));
    format!("{table}\n\n{own}{rest}")
}

/// For people: what became of each type.
pub(crate) fn diff_text(outcome: &Outcome, facts: &Facts) -> String {
    let whole = summary::text(&outcome.report, facts, |_| true, &[]);
    let rest = whole.split_once("\n\n").map_or("", |(_, rest)| rest);
    let columns = [
        ("type", Align::Left),
        ("added", Align::Right),
        ("changed", Align::Right),
        ("deleted", Align::Right),
        ("unchanged", Align::Right),
    ];
    let mut table = Table::new(&columns);
    let cells = |name: &str, changes: &Changes| {
        let numbers = [changes.added, changes.changed, changes.deleted, changes.unchanged].map(grouped);
        let [added, changed, deleted, unchanged] = numbers;
        [name.to_owned(), added, changed, deleted, unchanged]
    };
    let mut all = Changes::default();
    for (name, changes) in &outcome.changes {
        all.added += changes.added;
        all.changed += changes.changed;
        all.deleted += changes.deleted;
        all.unchanged += changes.unchanged;
        table.row(cells(name, changes));
    }
    table.total(cells("total", &all));
    let Numbers {
        repeated, superseded, ..
    } = outcome.numbers;
    let mut own = arguments(outcome);
    let known = [
        (superseded, "older than another of the same export"),
        (repeated, "repeated"),
    ];
    if known.iter().any(|(count, _)| *count > 0) {
        own.push_str(&row("left out", &parts(&known)));
    }
    let bad_in_new = outcome.arguments.get(1).map_or(0, |new| new.bad);
    if bad_in_new > 0 && all.deleted > 0 {
        let text = format!(
            "{} of NEW could not be read; what only they hold counts as deleted",
            counted(bad_in_new, "line")
        );
        own.push_str(&row("careful", &text));
    }
    own.push_str(&findings(outcome));
    format!("{table}\n{own}{rest}")
}

/// One line a program would not need: a name, and text beside it.
fn row(name: &str, text: &str) -> String {
    format!("{:9}{text}", name).trim_end().to_owned() + "\n"
}

fn parts(known: &[(u64, &str)]) -> String {
    let there = known.iter().filter(|(count, _)| *count > 0);
    let texts: Vec<String> = there
        .map(|(count, text)| format!("{} {text}", grouped(*count)))
        .collect();
    if texts.is_empty() {
        "nothing".to_owned()
    } else {
        texts.join(", ")
    }
}

fn arguments(outcome: &Outcome) -> String {
    let mut out = String::new();
    for (index, argument) in outcome.arguments.iter().enumerate() {
        let mut text = format!("{}: {}", argument.name, counted(argument.resources, "resource"));
        if argument.deletions > 0 {
            text.push_str(&format!(", {}", counted(argument.deletions, "deletion")));
        }
        if let Some(time) = &argument.transaction_time {
            text.push_str(&format!(", {time}"));
        }
        out.push_str(&row(if index == 0 { "of" } else { "" }, &text));
    }
    out
}

/// What people should look at, and where the first of it stands.
fn findings(outcome: &Outcome) -> String {
    let mut out = String::new();
    for (finding, count) in &outcome.findings {
        let name = if finding.is_fault() { "fault" } else { "note" };
        out.push_str(&row(name, &format!("{}: each {finding}", counted(*count, "resource"))));
        for place in outcome.places.iter().filter(|place| place.finding == *finding) {
            out.push_str(&row("", &format!("{}:{}", place.input, place.line)));
        }
    }
    out
}

/// For programs: all keys of an export's summary, and
///
/// - `arguments`: `name`, `transactionTime` (or null), `resources`, `deletions`, `bad`
/// - `numbers`: `repeated`, `superseded`, `replaced`, `outdated`, `deleted`, `deletedNothing`, `nameless`
/// - `findings`: `code`, `count`, `fault`, `places` (`input`, `line`; the first few of all)
/// - `changes` of each type (of `diff`): `type`, `added`, `changed`, `deleted`, `unchanged`
/// - `runsOnDisk`: how often memory was too small
pub(crate) fn json(outcome: &Outcome, facts: &Facts) -> String {
    let number = Tree::Number;
    let arguments = outcome.arguments.iter().map(|argument| {
        Tree::Object(vec![
            ("name", Tree::text(&argument.name)),
            ("transactionTime", Tree::maybe(argument.transaction_time.as_deref())),
            ("resources", number(argument.resources)),
            ("deletions", number(argument.deletions)),
            ("bad", number(argument.bad)),
        ])
    });
    let findings = outcome.findings.iter().map(|(finding, count)| {
        let of_this = outcome.places.iter().filter(|place| place.finding == *finding);
        let places =
            of_this.map(|place| Tree::Object(vec![("input", Tree::text(&place.input)), ("line", number(place.line))]));
        Tree::Object(vec![
            ("code", Tree::text(finding.code())),
            ("count", number(*count)),
            ("fault", Tree::Boolean(finding.is_fault())),
            ("places", Tree::List(places.collect())),
        ])
    });
    let changes = outcome.changes.iter().map(|(name, changes)| {
        Tree::Object(vec![
            ("type", Tree::text(name)),
            ("added", number(changes.added)),
            ("changed", number(changes.changed)),
            ("deleted", number(changes.deleted)),
            ("unchanged", number(changes.unchanged)),
        ])
    });
    let numbers = &outcome.numbers;
    let own = [
        ("arguments", Tree::List(arguments.collect())),
        (
            "numbers",
            Tree::Object(vec![
                ("repeated", number(numbers.repeated)),
                ("superseded", number(numbers.superseded)),
                ("replaced", number(numbers.replaced)),
                ("outdated", number(numbers.outdated)),
                ("deleted", number(numbers.deleted)),
                ("deletedNothing", number(numbers.deleted_nothing)),
                ("nameless", number(numbers.nameless)),
            ]),
        ),
        ("findings", Tree::List(findings.collect())),
        ("changes", Tree::List(changes.collect())),
        ("runsOnDisk", number(outcome.runs_on_disk)),
    ];
    let mut members = summary::members(&outcome.report, facts);
    members.extend(own);
    Tree::Object(members).pretty()
}
