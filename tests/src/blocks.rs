//! Organized output read strictly, without the engine: blocks, headers, continuations, limits, manifest.

use std::collections::{BTreeMap, BTreeSet};

use fhirehose_core::partition::Limits;
use serde_json::{Value, json};

/// An organized export, read back.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// Each patient's id and the lines of the block, its parts joined.
    pub blocks: Vec<(String, Vec<Vec<u8>>)>,
    /// Files of lines in no block.
    pub rest: BTreeMap<String, Vec<Vec<u8>>>,
    /// Blocks that stand in several files.
    pub split: u64,
}

/// A piece of a block in one file.
#[derive(Debug)]
struct Piece {
    patient: String,
    header: u64,
    lines: Vec<Vec<u8>>,
}

impl Piece {
    fn bytes(&self) -> u64 {
        self.header + self.lines.iter().map(|line| line.len() as u64).sum::<u64>()
    }
}

/// Reads and checks. `files`: the contents of all files but the manifest, decompressed, by the names in the manifest.
///
/// # Errors
///
/// The first rule that is broken.
pub fn read(files: &BTreeMap<String, Vec<u8>>, manifest: &Value, limits: Limits) -> Result<Blocks, String> {
    if manifest["outputOrganizedBy"] != "Patient" {
        return Err("outputOrganizedBy is not Patient".to_owned());
    }
    let items = items(files, manifest)?;
    let mut blocks = Blocks::default();
    let mut in_order: Vec<(u64, &str, Vec<Piece>)> = Vec::new();
    for (url, item) in &items {
        let (name, number) = name_of(url)?;
        let lines: Vec<Vec<u8>> = files[*url]
            .split_inclusive(|&byte| byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        if lines.is_empty() || !lines.iter().all(|line| line.ends_with(b"\n") && line.len() > 2) {
            return Err(format!("{url}: no lines, or half ones"));
        }
        let resources = if name == "Patient" {
            let pieces = pieces(&lines).map_err(|text| format!("{url}: {text}"))?;
            let count = pieces.iter().map(|piece| piece.lines.len() as u64).sum();
            in_order.push((number, url, pieces));
            count
        } else {
            if lines.iter().any(|line| header_of(line).is_some()) {
                return Err(format!("{url}: a header in a file by type"));
            }
            let count = lines.len() as u64;
            blocks.rest.entry(name.to_owned()).or_default().extend(lines);
            count
        };
        if item["count"] != resources {
            return Err(format!("{url}: {} are told, {resources} there", item["count"]));
        }
    }
    in_order.sort_by_key(|(number, ..)| *number);
    join(&mut blocks, &in_order, &items, limits)?;
    Ok(blocks)
}

/// Items of `output` by their URLs.
fn items<'m>(files: &BTreeMap<String, Vec<u8>>, manifest: &'m Value) -> Result<BTreeMap<&'m str, &'m Value>, String> {
    let mut items = BTreeMap::new();
    for item in manifest["output"].as_array().ok_or("no output")? {
        let url = item["url"].as_str().ok_or("an item without url")?;
        if item.get("type").is_some() {
            return Err(format!("{url}: has a type"));
        }
        if items.insert(url, item).is_some() || !files.contains_key(url) {
            return Err(format!("{url}: told twice, or not there"));
        }
    }
    let errors: BTreeSet<&str> = manifest["error"]
        .as_array()
        .ok_or("no error")?
        .iter()
        .filter_map(|item| item["url"].as_str())
        .collect();
    match files
        .keys()
        .find(|name| !items.contains_key(name.as_str()) && !errors.contains(name.as_str()))
    {
        Some(untold) => Err(format!("{untold}: not in the manifest")),
        None => Ok(items),
    }
}

/// `Patient.000.ndjson.gz` into name and number.
fn name_of(url: &str) -> Result<(&str, u64), String> {
    let mut parts = url.split('.');
    let name = parts.next().unwrap_or_default();
    let number = parts.next().filter(|digits| digits.len() >= 3);
    match (number.and_then(|digits| digits.parse().ok()), parts.next()) {
        (Some(number), Some("ndjson")) => Ok((name, number)),
        _ => Err(format!("{url}: not a name of a file")),
    }
}

/// The id in a header line.
fn header_of(line: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(line).ok()?;
    if value["resourceType"] != "Parameters" {
        return None;
    }
    let reference = value["parameter"][0]["valueReference"]["reference"].as_str()?;
    let expected = json!({
        "resourceType": "Parameters",
        "parameter": [{"name": "header", "valueReference": {"reference": reference}}],
    });
    (value == expected).then(|| reference.strip_prefix("Patient/").map(str::to_owned))?
}

fn pieces(lines: &[Vec<u8>]) -> Result<Vec<Piece>, String> {
    let mut pieces: Vec<Piece> = Vec::new();
    for line in lines {
        match (header_of(line), pieces.last_mut()) {
            (Some(patient), _) => pieces.push(Piece {
                patient,
                header: line.len() as u64,
                lines: Vec::new(),
            }),
            (None, Some(piece)) => piece.lines.push(line.clone()),
            (None, None) => return Err("does not begin with a header".to_owned()),
        }
    }
    if pieces.iter().any(|piece| piece.lines.is_empty()) {
        return Err("a header and nothing behind it".to_owned());
    }
    Ok(pieces)
}

/// A block with all its pieces.
struct Whole {
    patient: String,
    /// The file that it begins in.
    file: usize,
    is_first: bool,
    pieces: u64,
    header: u64,
    lines: Vec<Vec<u8>>,
}

impl Whole {
    fn bytes(&self) -> u64 {
        self.header + self.lines.iter().map(|line| line.len() as u64).sum::<u64>()
    }
}

/// Puts the pieces of blocks together, and holds the files against the limits.
fn join(
    blocks: &mut Blocks,
    files: &[(u64, &str, Vec<Piece>)],
    items: &BTreeMap<&str, &Value>,
    limits: Limits,
) -> Result<(), String> {
    let mut wholes: Vec<Whole> = Vec::new();
    let mut goes_on_in: Option<&str> = None;
    for (index, (number, url, pieces)) in files.iter().enumerate() {
        if *number != index as u64 {
            return Err(format!("{url}: a number is left out"));
        }
        let is_continued = goes_on_in.is_some();
        if goes_on_in.is_some_and(|next| next != *url) {
            return Err(format!("{url}: the file before goes on elsewhere"));
        }
        for (place, piece) in pieces.iter().enumerate() {
            match wholes.last_mut() {
                Some(last) if place == 0 && is_continued => {
                    if last.patient != piece.patient {
                        return Err(format!("{url}: does not go on with the block before"));
                    }
                    last.lines.extend(piece.lines.iter().cloned());
                    last.pieces += 1;
                }
                Some(last) if last.patient.as_bytes() >= piece.patient.as_bytes() => {
                    return Err(format!(
                        "{url}: blocks are not in the order of ids, or one is there twice"
                    ));
                }
                _ => wholes.push(Whole {
                    patient: piece.patient.clone(),
                    file: index,
                    is_first: place == 0,
                    pieces: 1,
                    header: piece.header,
                    lines: piece.lines.clone(),
                }),
            }
        }
        goes_on_in = items[*url]
            .get("continuesInFile")
            .map(|next| next.as_str().unwrap_or_default());
        let next = files.get(index + 1).and_then(|(.., pieces)| pieces.first());
        check_file(pieces, next.filter(|_| goes_on_in.is_some()), limits).map_err(|text| format!("{url}: {text}"))?;
    }
    if let Some(next) = goes_on_in {
        return Err(format!("{next}: not there"));
    }
    for whole in wholes {
        let before = whole.file.checked_sub(1).filter(|_| whole.is_first);
        check_block(&whole, before.map(|before| files[before].2.as_slice()), limits)?;
        blocks.split += u64::from(whole.pieces > 1);
        blocks.blocks.push((whole.patient, whole.lines));
    }
    Ok(())
}

fn content(pieces: &[Piece]) -> (u64, u64) {
    let count = pieces.iter().map(|piece| piece.lines.len() as u64).sum();
    (count, pieces.iter().map(Piece::bytes).sum())
}

fn is_over(resources: u64, bytes: u64, limits: Limits) -> bool {
    limits.max_resources.is_some_and(|most| resources > most) || limits.max_bytes.is_some_and(|most| bytes > most)
}

/// A file is no fuller than it may be, and a block goes on in the next one only where the next line does not fit.
fn check_file(pieces: &[Piece], next: Option<&Piece>, limits: Limits) -> Result<(), String> {
    let (resources, bytes) = content(pieces);
    if is_over(resources, bytes, limits) && resources > 1 {
        return Err("larger than a file may be".to_owned());
    }
    let Some(next) = next else { return Ok(()) };
    let line = next.lines.first().map_or(0, |line| line.len() as u64);
    if is_over(resources + 1, bytes + line, limits) {
        Ok(())
    } else {
        Err("a block is split although its next line would fit".to_owned())
    }
}

/// A block is split only if it is larger than a file, and begins a file only if the one before has no room for it.
fn check_block(block: &Whole, before: Option<&[Piece]>, limits: Limits) -> Result<(), String> {
    let (lines, bytes) = (block.lines.len() as u64, block.bytes());
    let must_split = is_over(lines, bytes, limits) && lines > 1;
    if must_split != (block.pieces > 1) {
        return Err(format!("{} resources, {bytes} bytes, {} pieces", lines, block.pieces));
    }
    if block.pieces > 1 && !block.is_first {
        return Err("a block that is split does not begin a file".to_owned());
    }
    let Some(before) = before else { return Ok(()) };
    let (resources, used) = content(before);
    if is_over(resources + lines, used + bytes, limits) {
        Ok(())
    } else {
        Err("a block would have fit into the file before".to_owned())
    }
}
