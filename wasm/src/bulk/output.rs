//! The output of a client: its files' names, its manifest, and what people should know of it.

use fhirehose_core::client::json::{self, Node};
use fhirehose_core::client::{Client, FileNo, undone};
use fhirehose_core::manifest::{Generation, ManifestFacts, manifest};
use fhirehose_core::names::Named;
use fhirehose_core::order::{self, Map};
use fhirehose_core::plan::Plan;
use fhirehose_core::quote::Tree;
use fhirehose_core::report::{FileEntry, Report};
use fhirehose_core::sink::{FileKind, FileName};

use crate::report;

/// What is known of an export.
pub(super) fn facts(client: &Client) -> Tree {
    let facts = client.facts();
    Tree::Object(vec![
        ("statusUrl", Tree::maybe(facts.status_url)),
        ("transactionTime", Tree::maybe(facts.transaction_time)),
        ("request", Tree::text(client.request_url())),
        ("isDeleted", Tree::Boolean(facts.is_deleted)),
        ("warnings", Tree::texts(facts.warnings.iter().map(String::as_str))),
    ])
}

/// What receipts say that the output is made of.
#[derive(Default)]
struct Told {
    /// One for each part, in the order of the receipts.
    entries: Vec<FileEntry>,
    /// The first entry of each file.
    first: Map<FileNo, usize>,
    /// Types with the resources that came and were kept.
    types: Vec<(String, u64, u64)>,
    foreign: u64,
}

/// Names, manifest and warnings; `None`: these are no receipts. Each file of the server is a file of the output, or one for
/// each type that it held.
pub(super) fn output(client: &Client, plan: Option<&Plan>, receipts: &str) -> Option<Tree> {
    let mut told = read(receipts)?;
    for (from, to) in client.continuations() {
        if let (Some(&from), Some(&to)) = (told.first.get(&from), told.first.get(&to)) {
            told.entries[from].continues_in = Some(told.entries[to].path.clone());
        }
    }
    let mut order: Vec<usize> = (0..told.entries.len()).collect();
    order::sort_by(&mut order, |&one, &other| {
        told.entries[one].name.cmp(&told.entries[other].name)
    });
    let facts = client.facts();
    let manifest_facts = ManifestFacts {
        generation: Generation::default(),
        transaction_time: facts.transaction_time.unwrap_or_default().to_owned(),
        request: client.request_url(),
        requires_access_token: false,
        base_url: None,
        output_format: "application/fhir+ndjson".to_owned(),
        // What the engine has taken apart is in no blocks any more.
        organized_by: facts.organized_by.filter(|_| plan.is_none()).map(str::to_owned),
        has_counts: true,
        next: None,
    };
    let written = Report {
        files: order.iter().map(|&at| told.entries[at].clone()).collect(),
        ..Report::default()
    };
    let files = order.iter().map(|&at| {
        Tree::Object(vec![
            ("part", Tree::Number(at as u64)),
            ("path", Tree::text(told.entries[at].path.as_str())),
        ])
    });
    Some(Tree::Object(vec![
        ("files", Tree::List(files.collect())),
        ("manifest", Tree::text(manifest(&written, &manifest_facts))),
        ("warnings", Tree::texts(warnings(client, plan, &told))),
    ]))
}

fn read(receipts: &str) -> Option<Told> {
    let document = json::parse(receipts.as_bytes()).ok()?;
    let mut told = Told::default();
    let mut next: Named<u32> = Named::default();
    for node in document.root().items() {
        let file = usize::try_from(node.get("file")?.whole()?).ok()?;
        let receipt = node.get("receipt")?;
        told.foreign += receipt.get("foreign")?.whole()?;
        for seen in receipt.get("types")?.items() {
            let of_type = seen.get("type")?.text()?.into_owned();
            told.types
                .push((of_type, seen.get("read")?.whole()?, seen.get("kept")?.whole()?));
        }
        for part in receipt.get("parts")?.items() {
            let mut entry = entry(part)?;
            let sequence = next.slot(&format!("{}/{}", report::kind(entry.name.kind), entry.name.type_name));
            entry.name.sequence = *sequence;
            *sequence += 1;
            entry.path = entry.name.to_string();
            told.first.slot_with(file, |_| told.entries.len());
            told.entries.push(entry);
        }
    }
    Some(told)
}

fn entry(part: Node<'_>) -> Option<FileEntry> {
    let kind = match &*part.get("kind")?.text()? {
        "output" => FileKind::Output,
        "deleted" => FileKind::Deleted,
        "error" => FileKind::Error,
        _ => return None,
    };
    let bytes = part.get("bytes")?.whole()?;
    Some(FileEntry {
        name: FileName {
            kind,
            type_name: part.get("type")?.text()?.into_owned(),
            sequence: 0,
        },
        path: String::new(),
        resources: part.get("count")?.whole()?,
        bytes,
        size: bytes,
        continues_in: None,
    })
}

fn warnings(client: &Client, plan: Option<&Plan>, told: &Told) -> Vec<String> {
    let mut warnings = client.facts().warnings.to_vec();
    if let Some(plan) = plan {
        let types = told.types.iter();
        warnings.extend(undone(
            plan,
            types.map(|(name, read, kept)| (name.as_str(), *read, *kept)),
        ));
    }
    if told.foreign > 0 {
        let text = "lines in its lists of errors and deletions that are neither; they were dropped";
        warnings.push(format!("the server sent {} {text}", told.foreign));
    }
    if client.facts().organized_by.is_some() && plan.is_some() {
        let text = "the server has put its output in blocks; what was held against the request is in files by type";
        warnings.push(text.to_owned());
    }
    warnings
}
