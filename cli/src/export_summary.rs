//! What an export did, at its end, beyond what every command says: passes, sets, deletions, blocks.

use fhirehose_core::plan::associated::Stage;
use fhirehose_core::quote::Tree;
use fhirehose_core::report::Organized;
use fhirehose_native::Exported;
use fhirehose_native::passes::{DeletionFacts, PassFacts, SetFacts};

use crate::summary::{self, Facts, counted, grouped, members};

/// For people. `is_wanted` says which types the request asks for; the others share a row.
pub(crate) fn text(exported: &Exported, facts: &Facts, is_wanted: impl Fn(&str) -> bool) -> String {
    let organized = exported.report.organized.as_ref();
    let told = [
        ("passes", passes(exported)),
        ("sets", sets(exported)),
        ("deleted", deleted(exported, facts.manifest.is_some())),
        ("blocks", organized.map(blocks)),
    ];
    let told: Vec<_> = told
        .into_iter()
        .filter_map(|(name, text)| Some((name, text?)))
        .collect();
    summary::text(&exported.report, facts, is_wanted, &told)
}

/// For programs. The keys stay as they are; new ones may be added:
///
/// - `output`, `manifest` (null with `-o -`), `transactionTime`
/// - `inputs`, `storedBytes` (as they lie on disk), `bytes` (as lines), `lines`
/// - `read`, `kept`, `keptBytes`, and the same for each type in `types`
/// - `files`: `kind` (`output`, `deleted` or `error`), `type`, `path`, `count`, `bytes`, `size` (as stored),
///   `continuesIn` (path; only where a block goes on in another file)
/// - `bad`: `total`, `kinds` (`code`, `count`), `places` (`input`, `line`, `column`, `code`; the first few)
/// - `passes`: `stage`, `inputs`, `kept`; `sets`: `name`, `count`, `memory` (bytes)
/// - `deletions`: `listed` (in `deleted/`), `withheld` (resources that were deleted), `returned` (changed since)
/// - `threads`, `milliseconds`, `bytesPerSecond`
pub(crate) fn json(exported: &Exported, facts: &Facts) -> String {
    let report = &exported.report;
    let mut all = members(report, facts);
    let own = [
        ("passes", Tree::List(exported.passes.iter().map(pass_tree).collect())),
        ("sets", Tree::List(exported.sets.iter().map(set_tree).collect())),
        ("deletions", deletions_tree(&exported.deletions)),
    ];
    let organized = report
        .organized
        .map(|organized| ("organized", organized_tree(&organized)));
    all.extend(own.into_iter().chain(organized));
    Tree::Object(all).pretty()
}

/// Where there was more than one.
fn passes(exported: &Exported) -> Option<String> {
    let pass = |pass: &PassFacts| {
        format!(
            "{} ({}, {} kept)",
            stage(pass.stage),
            counted(pass.inputs as u64, "input"),
            grouped(pass.kept)
        )
    };
    let told: Vec<String> = exported.passes.iter().map(pass).collect();
    (told.len() > 1).then(|| told.join(", "))
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Main => "main",
        Stage::Rank => "ages",
        Stage::Provenance => "provenance",
        Stage::Associated => "associated",
        Stage::Received => "received",
    }
}

fn sets(exported: &Exported) -> Option<String> {
    let set = |set: &SetFacts| {
        let name = if set.len == 1 {
            set.name.trim_end_matches('s')
        } else {
            set.name
        };
        format!("{} {name}", grouped(set.len as u64))
    };
    let told: Vec<String> = exported.sets.iter().map(set).collect();
    let memory: usize = exported.sets.iter().map(|set| set.memory).sum();
    let memory = counted(memory as u64, "byte");
    (!told.is_empty()).then(|| format!("{}; {memory} of memory", told.join(", ")))
}

fn deleted(exported: &Exported, has_files: bool) -> Option<String> {
    let DeletionFacts {
        listed,
        withheld,
        returned,
    } = exported.deletions;
    let listed_where = if has_files {
        "listed in deleted/"
    } else {
        "listed nowhere, since no files are written"
    };
    let told = [
        (listed as u64, listed_where),
        (withheld, "left out because they were deleted"),
        (returned as u64, "changed after their deletion and exported"),
    ];
    let told = told.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told
        .map(|(count, what)| format!("{} {what}", grouped(*count)))
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// Blocks, and what stands in several of them.
fn blocks(organized: &Organized) -> String {
    let mut text = format!(
        "{} for {}",
        counted(organized.blocks, "patient"),
        counted(organized.resources, "resource")
    );
    if organized.repeats > 0 {
        let repeats = counted(organized.repeats, "line");
        text.push_str(&format!(", {repeats} more where one belongs to several patients"));
    }
    if organized.split > 0 {
        text.push_str(&format!(", {} split", grouped(organized.split)));
    }
    text
}

fn organized_tree(organized: &Organized) -> Tree {
    Tree::Object(vec![
        ("by", Tree::text("Patient")),
        ("blocks", Tree::Number(organized.blocks)),
        ("resources", Tree::Number(organized.resources)),
        ("repeats", Tree::Number(organized.repeats)),
        ("split", Tree::Number(organized.split)),
        ("runs", Tree::Number(organized.runs)),
    ])
}

fn pass_tree(pass: &PassFacts) -> Tree {
    Tree::Object(vec![
        ("stage", Tree::text(stage(pass.stage))),
        ("inputs", Tree::Number(pass.inputs as u64)),
        ("kept", Tree::Number(pass.kept)),
    ])
}

fn set_tree(set: &SetFacts) -> Tree {
    Tree::Object(vec![
        ("name", Tree::text(set.name)),
        ("count", Tree::Number(set.len as u64)),
        ("memory", Tree::Number(set.memory as u64)),
    ])
}

fn deletions_tree(deletions: &DeletionFacts) -> Tree {
    Tree::Object(vec![
        ("listed", Tree::Number(deletions.listed as u64)),
        ("withheld", Tree::Number(deletions.withheld)),
        ("returned", Tree::Number(deletions.returned as u64)),
    ])
}
