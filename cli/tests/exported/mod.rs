//! What an export wrote, line by line, and how it differs from what the oracle keeps.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};

use fhirehose_tests::oracle::export::{DataSet, Exported};
use serde_json::Value;

use super::binary::Folder;

/// Most differences that are told of one request and type.
const MOST_TOLD: usize = 6;

/// Sorted lines by type.
pub(crate) type Lines = BTreeMap<String, Vec<Vec<u8>>>;

/// Lines that the oracle keeps.
pub(crate) fn expected(data: &DataSet, exported: &Exported) -> Lines {
    let mut lines = Lines::new();
    for &at in &exported.kept {
        let record = &data.records()[at];
        lines
            .entry(record.type_name.clone())
            .or_default()
            .push(record.line.clone());
    }
    lines.values_mut().for_each(|lines| lines.sort_unstable());
    lines
}

/// What the manifest names, line by line; nothing else may lie in the folder but the outcomes.
pub(crate) fn written(folder: &Folder, out: &str) -> Result<Lines, String> {
    let manifest: Value = serde_json::from_str(&folder.read(&format!("{out}/manifest.json"))).expect("JSON");
    let mut lines = Lines::new();
    let mut named = BTreeSet::from(["manifest.json".to_owned()]);
    for file in manifest["output"].as_array().expect("a list") {
        let (type_name, url) = (
            file["type"].as_str().expect("a type"),
            file["url"].as_str().expect("a url"),
        );
        let bytes = std::fs::read(folder.path(&format!("{out}/{url}"))).map_err(|error| format!("{url}: {error}"))?;
        let of_file: Vec<Vec<u8>> = bytes
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
        if file["count"].as_u64() != Some(of_file.len() as u64) {
            return Err(format!(
                "{url}: {} lines, the manifest says {}",
                of_file.len(),
                file["count"]
            ));
        }
        lines.entry(type_name.to_owned()).or_default().extend(of_file);
        named.insert(url.to_owned());
    }
    let files = folder.files(out).into_iter().filter(|name| !name.starts_with("error/"));
    let unnamed: Vec<String> = files.filter(|name| !named.contains(name)).collect();
    if !unnamed.is_empty() {
        return Err(format!("the manifest does not name {unnamed:?}"));
    }
    lines.values_mut().for_each(|lines| lines.sort_unstable());
    Ok(lines)
}

/// Type and id, for reports: nothing else of a record is shown.
pub(crate) fn name(line: &[u8]) -> String {
    let value: Value = serde_json::from_slice(line).unwrap_or_default();
    let text = |member: &str| value[member].as_str().unwrap_or("-").to_owned();
    format!("{}/{}", text("resourceType"), text("id"))
}

/// How often each line stands on the left more than on the right.
fn beyond<'a>(left: &'a [Vec<u8>], right: &[Vec<u8>]) -> Vec<&'a [u8]> {
    let mut rest: BTreeMap<&[u8], usize> = BTreeMap::new();
    for line in right {
        *rest.entry(line).or_default() += 1;
    }
    let mut found = Vec::new();
    for line in left {
        match rest.get_mut(line.as_slice()) {
            Some(count) if *count > 0 => *count -= 1,
            _ => found.push(line.as_slice()),
        }
    }
    found
}

pub(crate) fn differences(expected: &Lines, written: &Lines) -> Vec<String> {
    let types: BTreeSet<&String> = expected.keys().chain(written.keys()).collect();
    let none = Vec::new();
    let mut told = Vec::new();
    for type_name in types {
        let here = expected.get(type_name).unwrap_or(&none);
        let there = written.get(type_name).unwrap_or(&none);
        for (what, lines) in [("missing", beyond(here, there)), ("too much", beyond(there, here))] {
            for line in lines.iter().take(MOST_TOLD) {
                told.push(format!("{what}: {} (one of {} {type_name})", name(line), lines.len()));
            }
        }
    }
    told
}
