//! The text form of the built-in tables: one parameter a line, written by `xtask tables`, read once.
//!
//! The first lines of each generated file describe the form. It is no input of a user, so the reader is strict
//! and terse; the unit tests prove that every committed file parses.

use crate::order::Map;
use std::sync::{Arc, OnceLock};

use memchr::memmem;

use super::{Component, FhirVersion, ImpliedSystem, Param, PathSpec, RootElement, Rule, SearchType, Where, WhereTest};

/// One generated file, parsed.
#[derive(Debug, Default)]
pub(super) struct Builtin {
    pub(super) types: Vec<String>,
    /// For each letter from A, the types that begin with it.
    pub(super) letters: Vec<std::ops::Range<usize>>,
    /// Sorted by code.
    pub(super) params: Map<String, Vec<Param>>,
    pub(super) compartment: Map<String, Vec<String>>,
    pub(super) elements: Map<String, Vec<RootElement>>,
    /// Type, then dotted path.
    pub(super) systems: Map<String, Map<String, ImpliedSystem>>,
}

/// Where and why a table does not parse.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TableError {
    pub(super) line: usize,
    pub(super) reason: &'static str,
}

const R4: &str = include_str!("../generated/r4.table");
const R4B: &str = include_str!("../generated/r4b.table");
const R5: &str = include_str!("../generated/r5.table");

/// Text of a version's table, for tests.
#[cfg(test)]
pub(super) fn source(version: FhirVersion) -> &'static str {
    match version {
        FhirVersion::R4 => R4,
        FhirVersion::R4B => R4B,
        FhirVersion::R5 => R5,
    }
}

/// Text of the parameters that only US Core has.
pub(super) const US_CORE: &str = include_str!("../generated/us_core.table");

/// The table of R4, parsed at the first call. Each version has a function of its own, so that a program which calls only one
/// of them is linked without the texts of the others.
pub(super) fn r4() -> Arc<Builtin> {
    static CELL: OnceLock<Arc<Builtin>> = OnceLock::new();
    #[cfg(not(target_arch = "wasm32"))]
    let text = R4;
    #[cfg(target_arch = "wasm32")]
    let text = &unpacked();
    shared(&CELL, text)
}

/// The text of R4 where the packed one is linked.
#[cfg(target_arch = "wasm32")]
fn unpacked() -> String {
    let bytes = crate::packed::unpack(include_bytes!("../generated/r4.packed"));
    String::from_utf8(bytes).unwrap_or_default()
}

/// The table of R4B, parsed at the first call.
pub(super) fn r4b() -> Arc<Builtin> {
    static CELL: OnceLock<Arc<Builtin>> = OnceLock::new();
    shared(&CELL, R4B)
}

/// The table of R5, parsed at the first call.
pub(super) fn r5() -> Arc<Builtin> {
    static CELL: OnceLock<Arc<Builtin>> = OnceLock::new();
    shared(&CELL, R5)
}

fn shared(cell: &OnceLock<Arc<Builtin>>, text: &str) -> Arc<Builtin> {
    cell.get_or_init(|| Arc::new(parse(text).expect("built-in FHIR table parses")))
        .clone()
}

/// Length and hash (FNV-1a) of a text: against mix-ups, not against forgers.
pub(super) const fn fingerprint(text: &[u8]) -> (usize, u64) {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < text.len() {
        hash = (hash ^ text[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    (text.len(), hash)
}

/// The fingerprint of a version's table, computed by the compiler: the text itself is not linked for it.
pub(super) fn fingerprint_of(version: FhirVersion) -> (usize, u64) {
    const OF: [(usize, u64); 3] = [
        fingerprint(R4.as_bytes()),
        fingerprint(R4B.as_bytes()),
        fingerprint(R5.as_bytes()),
    ];
    match version {
        FhirVersion::R4 => OF[0],
        FhirVersion::R4B => OF[1],
        FhirVersion::R5 => OF[2],
    }
}

/// US Core's own parameters by type, parsed at the first call.
pub(super) fn us_core() -> &'static Map<String, Vec<Param>> {
    static CELL: OnceLock<Map<String, Vec<Param>>> = OnceLock::new();
    CELL.get_or_init(|| {
        let table = parse(US_CORE).expect("built-in US Core table parses");
        table.params
    })
}

#[derive(Clone, Copy)]
enum Section {
    Types,
    Params,
    Compartment,
    Elements,
    Systems,
}

/// Reads one generated file.
pub(super) fn parse(text: &str) -> Result<Builtin, TableError> {
    let mut table = Builtin::default();
    let mut section = None;
    let mut heading = "";
    for (at, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let outcome = if line.starts_with('[') {
            section_of(line).map(|found| section = Some(found))
        } else if let Some(name) = line.strip_prefix('@') {
            heading = name;
            Ok(())
        } else {
            match section {
                Some(section) => entry(&mut table, section, heading, line),
                None => Err("a line before the first section"),
            }
        };
        outcome.map_err(|reason| TableError { line: at + 1, reason })?;
    }
    let first = |letter: u8| {
        table
            .types
            .partition_point(|name| name.as_bytes().first() < Some(&letter))
    };
    table.letters = (b'A'..=b'Z').map(|letter| first(letter)..first(letter + 1)).collect();
    Ok(table)
}

type Parsed<T> = Result<T, &'static str>;

fn section_of(line: &str) -> Parsed<Section> {
    match line {
        "[types]" => Ok(Section::Types),
        "[params]" => Ok(Section::Params),
        "[compartment]" => Ok(Section::Compartment),
        "[elements]" => Ok(Section::Elements),
        "[systems]" => Ok(Section::Systems),
        _ => Err("unknown section"),
    }
}

fn entry(table: &mut Builtin, section: Section, heading: &str, line: &str) -> Parsed<()> {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    match section {
        Section::Types => push_sorted(&mut table.types, name.to_owned(), String::as_str),
        Section::Params => {
            let rows = slot(&mut table.params, heading);
            push_sorted(rows, param(name, rest)?, |row| &row.code)
        }
        Section::Compartment => {
            let codes = rest.split(' ').map(str::to_owned).collect();
            table.compartment.insert(name.to_owned(), codes);
            Ok(())
        }
        Section::Elements => {
            let elements: Parsed<Vec<_>> = rest.split(' ').map(element).collect();
            table.elements.insert(name.to_owned(), elements?);
            Ok(())
        }
        Section::Systems => {
            slot(&mut table.systems, heading).insert(name.to_owned(), system(rest)?);
            Ok(())
        }
    }
}

fn slot<'a, T: Default>(map: &'a mut Map<String, T>, key: &str) -> &'a mut T {
    map.slot(key.to_owned())
}

/// Keeps the order that the binary searches of the registry rely on.
fn push_sorted<T>(list: &mut Vec<T>, item: T, key: impl Fn(&T) -> &str) -> Parsed<()> {
    if list.last().is_some_and(|last| key(last) >= key(&item)) {
        return Err("not sorted");
    }
    list.push(item);
    Ok(())
}

fn param(code: &str, rest: &str) -> Parsed<Param> {
    let (fields, unresolved) = match memmem::find(rest.as_bytes(), b" ~") {
        Some(at) => (&rest[..at], Some(rest[at + 2..].to_owned())),
        None => (rest, None),
    };
    let mut fields = fields.split(' ');
    let mut param = Param {
        code: code.to_owned(),
        kind: kind(fields.next().unwrap_or(""))?,
        paths: Vec::new(),
        rule: None,
        unresolved,
        targets: Vec::new(),
        components: Vec::new(),
    };
    while let Some(field) = fields.next() {
        if let Some(targets) = field.strip_prefix('>') {
            param.targets = targets.split(',').map(str::to_owned).collect();
        } else if let Some(code) = field.strip_prefix('+') {
            param.components.push(Component {
                code: code.to_owned(),
                kind: kind(fields.next().unwrap_or(""))?,
                paths: Vec::new(),
            });
        } else if field == "?exists-and-not-false" {
            param.rule = Some(Rule::ExistsAndNotFalse);
        } else {
            let paths = match param.components.last_mut() {
                Some(component) => &mut component.paths,
                None => &mut param.paths,
            };
            paths.push(path(field)?);
        }
    }
    if param.paths.is_empty() != param.unresolved.is_some() {
        return Err("a parameter needs either paths or the reason for having none");
    }
    Ok(param)
}

fn kind(word: &str) -> Parsed<SearchType> {
    SearchType::from_code(word).ok_or("unknown search type")
}

/// `!start:instant`, `telecom[system=phone]:ContactPoint`, `subject:Reference^Patient`, `:Observation`
fn path(field: &str) -> Parsed<PathSpec> {
    let (first, field) = flag(field, '!');
    let (root, field) = flag(field, '/');
    let mut names: Vec<String> = Vec::new();
    let mut wheres = Vec::new();
    let mut rest = field;
    let end = loop {
        let stop = rest.find(['.', '[', ':']).ok_or("a path without a datatype")?;
        if stop > 0 {
            names.push(rest[..stop].to_owned());
        }
        let mark = rest.as_bytes()[stop];
        rest = &rest[stop + 1..];
        match mark {
            b':' => break rest,
            b'[' => {
                let (text, after) = rest.split_once(']').ok_or("a test without its end")?;
                wheres.push(Where {
                    at: names.len(),
                    test: test(text)?,
                });
                rest = after;
            }
            _ => {}
        }
    };
    let (leaf, ref_is) = match end.split_once('^') {
        Some((leaf, target)) => (leaf, Some(target.to_owned())),
        None => (end, None),
    };
    if leaf.is_empty() {
        return Err("a path without a datatype");
    }
    let leaf = leaf.to_owned();
    Ok(PathSpec {
        names,
        leaf,
        wheres,
        ref_is,
        first,
        root,
    })
}

fn flag(text: &str, mark: char) -> (bool, &str) {
    match text.strip_prefix(mark) {
        Some(rest) => (true, rest),
        None => (false, text),
    }
}

fn test(text: &str) -> Parsed<WhereTest> {
    if let Some(url) = text.strip_prefix('@') {
        return Ok(WhereTest::Extension(url.to_owned()));
    }
    if let Some((member, value)) = text.split_once('=') {
        let member = member.split('.').map(str::to_owned).collect();
        return Ok(WhereTest::Member(member, value.to_owned()));
    }
    let index = text.parse().map_err(|_| "an unknown test")?;
    Ok(WhereTest::Index(index))
}

/// `status*!.`, `value(Quantity|String)`
fn element(field: &str) -> Parsed<RootElement> {
    let bare = field.trim_end_matches(['*', '!', '.']);
    let flags = &field[bare.len()..];
    let (name, keys) = match bare.split_once('(') {
        None => (bare, vec![bare.to_owned()]),
        Some((name, variants)) => {
            let variants = variants.strip_suffix(')').ok_or("a choice without its end")?;
            let keys = variants.split('|').map(|variant| format!("{name}{variant}"));
            (name, keys.collect())
        }
    };
    if name.is_empty() {
        return Err("an element without a name");
    }
    Ok(RootElement {
        name: name.to_owned(),
        keys,
        mandatory: flags.contains('*'),
        modifier: flags.contains('!'),
        primitive: flags.contains('.'),
    })
}

/// `http://a http://b =0:x,y =1:z`
fn system(rest: &str) -> Parsed<ImpliedSystem> {
    let mut found = ImpliedSystem {
        systems: Vec::new(),
        codes: Vec::new(),
    };
    for field in rest.split(' ') {
        let Some(group) = field.strip_prefix('=') else {
            found.systems.push(field.to_owned());
            continue;
        };
        let (index, codes) = group.split_once(':').ok_or("codes without an index")?;
        let index: usize = index.parse().map_err(|_| "an index that is no number")?;
        if index >= found.systems.len() {
            return Err("an index beyond the systems");
        }
        let codes = codes.split(',').map(|code| (code.to_owned(), index));
        found.codes.extend(codes);
    }
    Ok(found)
}
