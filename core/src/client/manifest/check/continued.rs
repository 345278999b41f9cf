//! Rules for files whose last block goes on in another file.

use std::borrow::Cow;

use super::super::fields::Fields;
use super::super::finding::{Findings, Place};
use super::super::read::{ITEM_NAMES, LISTS};
use crate::client::json::Node;
use crate::order::Map;
use crate::sink::FileKind;

/// An item of `output`.
struct File<'d> {
    index: Option<usize>,
    /// Where it goes on, and where that is written.
    next: Option<(Cow<'d, str>, Node<'d>)>,
}

pub(super) fn check(fields: &Fields<'_>, has_more_pages: bool, findings: &mut Findings) {
    let mut told = Findings::new(findings.generation());
    let mut files: Vec<File<'_>> = Vec::new();
    let mut by_url: Vec<(Cow<'_, str>, usize)> = Vec::new();
    let is_organized = fields.get("outputOrganizedBy").is_some();
    for (list, kind) in LISTS {
        for (index, node) in fields.list(list, &mut told).items() {
            let place = Place::item(list, index);
            let Ok(item) = Fields::of(node, ITEM_NAMES, place, &mut told) else {
                continue;
            };
            let next = item.get("continuesInFile");
            let place = place.at("continuesInFile");
            if let Some(value) = next
                && kind != FileKind::Output
            {
                findings.warning("continues", value.span(), place, "only files of output go on in others");
                continue;
            }
            if let Some(value) = next
                && !is_organized
            {
                let message = "continuesInFile without outputOrganizedBy: only blocks go on in another file";
                findings.warning("continues", value.span(), place, message);
            }
            if kind == FileKind::Output {
                if let Some(url) = item.get("url").and_then(Node::text) {
                    by_url.push((url, files.len()));
                }
                let next = next.and_then(|value| Some((value.text()?, value)));
                files.push(File { index, next });
            }
        }
    }
    targets(&files, &Map::of_first(by_url), has_more_pages, findings);
}

fn targets(files: &[File<'_>], by_url: &Map<Cow<'_, str>, usize>, has_more_pages: bool, findings: &mut Findings) {
    // Each file goes on in one, so following them from each file that has not been followed visits each once.
    let next: Vec<Option<usize>> = files
        .iter()
        .map(|file| by_url.get(&*file.next.as_ref()?.0).copied())
        .collect();
    let mut comes_from: Vec<Option<usize>> = vec![None; files.len()];
    for (number, file) in files.iter().enumerate() {
        let Some((_, value)) = &file.next else { continue };
        let place = Place::item("output", file.index).at("continuesInFile");
        match next[number] {
            None if has_more_pages => {}
            None => {
                let message = "continuesInFile names no file of output";
                findings.error("continues-nowhere", value.span(), place, message);
            }
            Some(target) if target == number => {
                findings.error("continues-in-itself", value.span(), place, "the file goes on in itself");
            }
            Some(target) => {
                if comes_from[target].replace(number).is_some() {
                    let message = "another file goes on in the same one";
                    findings.warning("continues-twice", value.span(), place, message);
                }
            }
        }
    }
    let mut seen_from: Vec<Option<usize>> = vec![None; files.len()];
    for first in 0..files.len() {
        let mut at = first;
        while seen_from[at].is_none() {
            seen_from[at] = Some(first);
            let Some(target) = next[at].filter(|target| *target != at) else {
                break;
            };
            if seen_from[target] == Some(first)
                && let Some((_, value)) = &files[at].next
            {
                let place = Place::item("output", files[at].index).at("continuesInFile");
                findings.error(
                    "continues-in-a-circle",
                    value.span(),
                    place,
                    "files go on in each other in a circle",
                );
            }
            at = target;
        }
    }
}
