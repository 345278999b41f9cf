//! Cases as data: a request, some lines, and what must come of them; read from `tests/cases/*.toml`.

use crate::door::{Answer, Door, Question, Refusal, Told};
use crate::oracle::{Oracle, OracleRequest};
use fhirehose_core::partition::Limits;
use fhirehose_core::request::{OnBad, Request};
use fhirehose_core::search::code_list::CodeList;
use fhirehose_core::search::table::Registry;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The instant of the snapshot of cases that name none.
const TRANSACTION_TIME: &str = "2024-01-01T00:00:00Z";

/// A file of cases.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// Lines that several cases use, by name.
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
    /// The cases.
    #[serde(default)]
    pub case: Vec<Case>,
}

/// One case. Exactly one of the expectations `keep`, `files`, `problems` and `stops` stands in it; `output` and `bad` go with
/// the first two.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The rule that it follows from: a section of the rules of search and export, or a known mistake of others.
    pub rule: String,

    /// `_typeFilter`.
    #[serde(default)]
    pub filters: Vec<String>,
    /// `_type`.
    #[serde(default)]
    pub types: Vec<String>,
    /// `_elements`.
    #[serde(default)]
    pub elements: Vec<String>,
    /// `_since`.
    pub since: Option<String>,
    /// `_until`.
    pub until: Option<String>,
    /// The snapshot; `""`: none.
    pub transaction_time: Option<String>,
    /// The data's own server.
    pub fhir_base: Option<String>,
    /// `4.0`, `4.3`, `5.0` or `us-core`.
    pub fhir_version: Option<String>,
    /// Members `system|code` of value sets, by URL.
    #[serde(default)]
    pub value_sets: BTreeMap<String, Vec<String>>,
    /// Longest line.
    pub max_line: Option<usize>,
    /// Most resources of a file.
    pub max_resources: Option<u64>,
    /// Most bytes of a file.
    pub max_bytes: Option<u64>,
    /// Leave the rest of kept lines unchecked.
    #[serde(default)]
    pub trust: bool,
    /// End at the first bad line.
    #[serde(default)]
    pub stop: bool,

    /// Name of shared lines.
    pub input: Option<String>,
    /// Own lines.
    pub lines: Option<String>,
    /// Own bytes: `\n`, `\r`, `\t`, `\\` and `\xhh` stand for bytes.
    pub bytes: Option<String>,

    /// Numbers of the lines that are kept, from 1.
    pub keep: Option<Vec<usize>>,
    /// Names of all output files with the numbers of their lines.
    pub files: Option<BTreeMap<String, Vec<usize>>>,
    /// The exact output where lines are not kept as they came.
    pub output: Option<String>,
    /// Bad lines: number and kind. Absent: there is none.
    pub bad: Option<Vec<(u64, String)>>,
    /// Problems of the request, each by a part of its message and the text that it points to.
    pub problems: Option<Vec<(String, String)>>,
    /// A part of the error that ends the export.
    pub stops: Option<String>,
    /// Why the oracle does not judge this case, if it does not.
    pub without_oracle: Option<String>,
}

/// The folder of the cases that come with the project.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// All cases of a folder, with the names of their files.
///
/// # Errors
///
/// A file cannot be read, has no case, or has a case without expectation or with two of them.
pub fn load(folder: &Path) -> Result<Vec<(String, Case)>, String> {
    let mut cases = Vec::new();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|error| error.to_string())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        cases.extend(read(&name, &text)?);
    }
    Ok(cases)
}

/// The cases of one file, with their shared lines put in.
///
/// # Errors
///
/// As for [`load`].
pub fn read(file: &str, text: &str) -> Result<Vec<(String, Case)>, String> {
    let parsed: CaseFile = toml::from_str(text).map_err(|error| format!("{file}: {error}"))?;
    if parsed.case.is_empty() {
        return Err(format!("{file}: no cases"));
    }
    let mut cases = Vec::new();
    for mut case in parsed.case {
        let told = |what: &str| Err(format!("{file}: {}: {what}", case.name));
        let expectations = [
            case.keep.is_some(),
            case.files.is_some(),
            case.problems.as_ref().is_some_and(|problems| !problems.is_empty()),
            case.stops.is_some(),
        ];
        if expectations.iter().filter(|given| **given).count() != 1 {
            return told("expected one of keep, files, problems and stops");
        }
        if case.name.trim().is_empty() || case.rule.trim().is_empty() {
            return told("expected a name and a rule");
        }
        if let Some(name) = &case.input {
            match parsed.inputs.get(name) {
                Some(lines) if case.lines.is_none() && case.bytes.is_none() => case.lines = Some(lines.clone()),
                _ => return told("expected the name of shared lines and no own lines"),
            }
        }
        if case.problems.is_none() && case.lines.is_none() && case.bytes.is_none() {
            return told("expected lines");
        }
        cases.push((file.to_owned(), case));
    }
    Ok(cases)
}

impl Case {
    /// The bytes that go in.
    #[must_use]
    pub fn input(&self) -> Vec<u8> {
        match (&self.lines, &self.bytes) {
            (Some(lines), _) => lines.clone().into_bytes(),
            (None, Some(escaped)) => unescaped(escaped),
            (None, None) => Vec::new(),
        }
    }

    fn registry(&self) -> Result<Registry, String> {
        match self.fhir_version.as_deref() {
            None | Some("4.0") => Ok(Registry::r4()),
            Some("4.3") => Ok(Registry::r4b()),
            Some("5.0") => Ok(Registry::r5()),
            Some("us-core") => Ok(Registry::r4().with_us_core()),
            Some(other) => Err(format!("no such version: {other}")),
        }
    }

    /// The instant of the snapshot, if the case has one.
    #[must_use]
    pub fn transaction_time(&self) -> Option<String> {
        let own = self.transaction_time.as_deref().unwrap_or(TRANSACTION_TIME);
        (!own.is_empty()).then(|| own.to_owned())
    }

    /// Value sets by URL, their members as pairs of system and code.
    pub fn members(&self) -> impl Iterator<Item = (String, Vec<(String, String)>)> {
        let pair = |member: &String| {
            let (system, code) = member.rsplit_once('|').unwrap_or(("", member));
            (system.to_owned(), code.to_owned())
        };
        self.value_sets
            .iter()
            .map(move |(url, members)| (url.clone(), members.iter().map(pair).collect()))
    }

    /// The case as a door takes it.
    ///
    /// # Errors
    ///
    /// The version of FHIR is not known.
    pub fn question(&self) -> Result<Question, String> {
        let mut request = Request {
            types: self.types.clone(),
            type_filters: self.filters.clone(),
            elements: self.elements.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
            transaction_time: self.transaction_time(),
            fhir_base: self.fhir_base.clone(),
            trust: self.trust,
            on_bad: if self.stop { OnBad::Stop } else { OnBad::Skip },
            ..Request::default()
        };
        for (url, members) in self.members() {
            request.value_sets.insert(url, Arc::new(CodeList::from_iter(members)));
        }
        if let Some(most) = self.max_line {
            request.max_line = most;
        }
        Ok(Question {
            request,
            registry: self.registry()?,
            limits: Limits {
                max_resources: self.max_resources,
                max_bytes: self.max_bytes,
            },
            inputs: vec![("case".to_owned(), self.input())],
        })
    }

    /// Runs the case through a door.
    ///
    /// # Errors
    ///
    /// How the answer differs from what is expected.
    pub fn check(&self, door: Door, chunk: usize) -> Result<(), String> {
        self.judge(&door(&self.question()?, chunk))
    }

    /// Holds what came out of a door against what is expected.
    ///
    /// # Errors
    ///
    /// How they differ.
    pub fn judge(&self, outcome: &Result<Answer, Refusal>) -> Result<(), String> {
        match (&self.problems, &self.stops, outcome) {
            (Some(expected), _, Err(Refusal::Plan(told))) => same_problems(expected, told),
            (None, Some(part), Err(Refusal::Stopped(error))) => {
                let text = error.to_string();
                if text.contains(part) {
                    Ok(())
                } else {
                    Err(format!("stopped with: {text}"))
                }
            }
            (None, None, Ok(answer)) => self.check_answer(answer),
            (_, _, Err(Refusal::Plan(told))) => Err(format!("refused: {told:?}")),
            (_, _, Err(Refusal::Stopped(error))) => Err(format!("stopped: {error}")),
            (_, _, Err(Refusal::Broken(text))) => Err(format!("the door is broken: {text}")),
            (_, _, Ok(_)) => Err("accepted".to_owned()),
        }
    }

    fn check_answer(&self, answer: &Answer) -> Result<(), String> {
        let bad: Vec<(u64, String)> = answer
            .bad()
            .into_iter()
            .map(|(line, kind)| (line, kind.code().to_owned()))
            .collect();
        if bad != self.bad.clone().unwrap_or_default() {
            return Err(format!("bad lines: {bad:?}"));
        }
        let output: BTreeMap<&str, &[u8]> = answer
            .files
            .iter()
            .filter(|(name, _)| !name.starts_with("error/"))
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
            .collect();
        if let Some(text) = &self.output {
            let all: Vec<u8> = output.values().copied().flatten().copied().collect();
            if all != text.as_bytes() {
                return Err(format!("output: {}", String::from_utf8_lossy(&all)));
            }
        }
        if let Some(files) = &self.files {
            let names: Vec<&str> = output.keys().copied().collect();
            if !files.keys().eq(names.iter()) {
                return Err(format!("files: {names:?}"));
            }
            for (name, numbers) in files {
                let expected: Vec<u8> = numbers.iter().flat_map(|number| self.written(*number)).collect();
                if self.output.is_none() && output[name.as_str()] != expected {
                    return Err(format!("{name}: {}", String::from_utf8_lossy(output[name.as_str()])));
                }
            }
        }
        if let Some(keep) = &self.keep {
            let kept = answer.report.kept();
            if kept != keep.len() as u64 {
                return Err(format!("{kept} lines are kept"));
            }
            let expected = || keep.iter().map(|number| self.written(*number));
            let whole: Vec<u8> = output.values().copied().flatten().copied().collect();
            let mut left: Vec<&[u8]> = whole.split_inclusive(|&byte| byte == b'\n').collect();
            left.sort_unstable();
            let mut sorted: Vec<Vec<u8>> = expected().collect();
            sorted.sort_unstable();
            if self.output.is_none() && left != sorted {
                return Err(format!("kept: {}", String::from_utf8_lossy(&whole)));
            }
        }
        Ok(())
    }

    /// A line as it is written when it is kept: without its carriage return, with a newline.
    fn written(&self, number: usize) -> Vec<u8> {
        let input = self.input();
        let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&input);
        let line = input
            .split(|&byte| byte == b'\n')
            .nth(number.saturating_sub(1))
            .unwrap_or_default();
        [line.strip_suffix(b"\r").unwrap_or(line), b"\n"].concat()
    }

    /// What the oracle says to the case; `None`: it is not its matter (bad lines, files, elements).
    ///
    /// # Errors
    ///
    /// The oracle says something else than the case.
    pub fn check_oracle(&self) -> Option<Result<(), String>> {
        let only_filters = self.elements.is_empty() && self.bad.is_none() && self.stops.is_none();
        if self.without_oracle.is_some() || !only_filters || self.filters.is_empty() && self.problems.is_some() {
            return None;
        }
        Some(self.ask_oracle())
    }

    fn ask_oracle(&self) -> Result<(), String> {
        let registry = self.registry()?;
        let request = OracleRequest {
            types: self
                .types
                .iter()
                .flat_map(|list| list.split(','))
                .map(str::to_owned)
                .collect(),
            type_filters: self.filters.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
            transaction_time: self.transaction_time().unwrap_or("9999-12-31T23:59:59Z".to_owned()),
            fhir_base: self.fhir_base.clone(),
            value_sets: self
                .members()
                .map(|(url, members)| (url, members.into_iter().collect()))
                .collect(),
        };
        let oracle = match (Oracle::new(&registry, &request), &self.problems) {
            (Err(_), Some(_)) => return Ok(()),
            (Ok(_), Some(_)) => return Err("the oracle accepts the request".to_owned()),
            (Err(problems), None) => return Err(format!("the oracle refuses: {}", problems.join("; "))),
            (Ok(oracle), None) => oracle,
        };
        let input = self.input();
        let mut kept = Vec::new();
        for (index, line) in input.split(|&byte| byte == b'\n').enumerate() {
            if !line.trim_ascii().is_empty() {
                let resource: Value = serde_json::from_slice(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line))
                    .map_err(|error| format!("line {}: {error}", index + 1))?;
                if oracle.keeps(&resource) {
                    kept.push(index + 1);
                }
            }
        }
        let mut expected: Vec<usize> = match (&self.keep, &self.files) {
            (Some(keep), _) => keep.clone(),
            (None, Some(files)) => files.values().flatten().copied().collect(),
            (None, None) => return Ok(()),
        };
        expected.sort_unstable();
        if kept == expected {
            Ok(())
        } else {
            Err(format!("the oracle keeps {kept:?}"))
        }
    }
}

fn same_problems(expected: &[(String, String)], told: &[Told]) -> Result<(), String> {
    let same = expected.len() == told.len()
        && expected
            .iter()
            .all(|(part, at)| told.iter().any(|told| told.message.contains(part) && told.at == *at));
    if same {
        Ok(())
    } else {
        Err(format!("problems: {told:?}"))
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let hex = after
            .strip_prefix('x')
            .and_then(|hex| u8::from_str_radix(hex.get(..2)?, 16).ok());
        let (byte, used) = match (hex, after.chars().next()) {
            (Some(byte), _) => (byte, 3),
            (None, Some('n')) => (b'\n', 1),
            (None, Some('r')) => (b'\r', 1),
            (None, Some('t')) => (b'\t', 1),
            (None, Some('\\')) => (b'\\', 1),
            _ => (b'\\', 0),
        };
        bytes.push(byte);
        rest = after.get(used..).unwrap_or_default();
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}
