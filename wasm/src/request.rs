//! A request as JSON text into the core's, with everything that is wrong about its shape.

use std::sync::Arc;

use fhirehose_core::client::json::{self, Kind, Node};
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::problem::{Problem, Problems, did_you_mean};
use fhirehose_core::request::{Cohort, OnBad, Request};
use fhirehose_core::search::supplied;
use fhirehose_core::search::table::Registry;

use crate::fault;
use crate::tables::{self, NoTables};

/// What a request may say, by the names that JavaScript uses.
pub const OPTIONS: [&str; 20] = [
    "type",
    "typeFilter",
    "since",
    "until",
    "transactionTime",
    "now",
    "elements",
    "patients",
    "group",
    "exclusive",
    "includeAssociatedData",
    "fhirBase",
    "fhirVersion",
    "searchParameters",
    "valueSets",
    "trust",
    "maxLine",
    "onBad",
    "maxResources",
    "maxBytes",
];

/// A request, read.
#[derive(Clone, Debug)]
pub struct Asked {
    /// For the plan.
    pub request: Request,
    /// The search parameters.
    pub registry: Registry,
    /// When files are full.
    pub limits: Limits,
}

/// Why a request cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Something is wrong with it.
    Problems(Problems),
    /// The tables of this version of FHIR have to be loaded first.
    NotLoaded(String),
}

/// Reads a request and compiles it.
///
/// # Errors
///
/// Everything that is wrong with it, in shape and in meaning.
pub fn compile(text: &str) -> Result<(Asked, Plan), Unread> {
    let (asked, mut problems) = read(text)?;
    let compiled = Plan::compile(&asked.request, &asked.registry);
    // Without the user's own definitions the plan would only name their absence again.
    let is_blind = problems.iter().any(|problem| DEFINITIONS.contains(&problem.option));
    match compiled {
        Ok(plan) if problems.is_empty() => return Ok((asked, plan)),
        Err(more) if !is_blind => problems.extend(more.0),
        _ => {}
    }
    Err(Unread::Problems(Problems(problems)))
}

impl Unread {
    /// As JavaScript is told.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Unread::Problems(problems) => fault::of_problems(problems),
            Unread::NotLoaded(version) => fault::plain("tables", &tables::not_loaded(version)),
        }
    }
}

/// Reads a request for somebody who compiles it otherwise.
///
/// # Errors
///
/// Everything that is wrong with its shape.
pub fn read_all(text: &str) -> Result<Asked, Unread> {
    match read(text)? {
        (asked, problems) if problems.is_empty() => Ok(asked),
        (_, problems) => Err(Unread::Problems(Problems(problems))),
    }
}

/// What the problems of the user's own definitions are told of.
const DEFINITIONS: [&str; 4] = ["search-parameters", "value-sets", "searchParameters", "valueSets"];

fn read(text: &str) -> Result<(Asked, Vec<Problem>), Unread> {
    let broken = |message: String| Unread::Problems(Problems(vec![Problem::whole("request", "", message)]));
    let document = json::parse(text.as_bytes()).map_err(|fault| broken(fault.to_string()))?;
    let root = document.root();
    if root.kind() != Kind::Object {
        return Err(broken(format!("{} where an object is expected", root.kind())));
    }
    let mut reader = Reader {
        root,
        problems: Vec::new(),
    };
    reader.names();
    let registry = reader.registry()?;
    let asked = reader.asked(registry);
    Ok((asked, reader.problems))
}

struct Reader<'d> {
    root: Node<'d>,
    problems: Vec<Problem>,
}

impl<'d> Reader<'d> {
    /// A misspelled option would export too much without a word.
    fn names(&mut self) {
        for member in self.root.members() {
            if !OPTIONS.contains(&&*member.name) {
                let message = format!("`{}` is no option of a request", member.name);
                let help = did_you_mean(&member.name, OPTIONS);
                let problem = Problem::whole("request", &member.name, message).with_help(help);
                self.problems.push(problem);
            }
        }
    }

    fn asked(&mut self, registry: Registry) -> Asked {
        let mut request = Request {
            types: self.texts("type"),
            type_filters: self.texts("typeFilter"),
            since: self.text("since"),
            until: self.text("until"),
            transaction_time: self.text("transactionTime"),
            now: self.text("now"),
            elements: self.texts("elements"),
            fhir_base: self.text("fhirBase"),
            cohort: self.cohort(),
            associated_data: self.texts("includeAssociatedData"),
            trust: self.flag("trust"),
            on_bad: self.on_bad(),
            ..Request::default()
        };
        if let Some(most) = self.whole("maxLine") {
            request.max_line = usize::try_from(most).unwrap_or(usize::MAX);
        }
        for text in self.texts("valueSets") {
            match supplied::value_sets(text.as_bytes()) {
                Ok(lists) => request.value_sets.extend(lists),
                Err(problems) => self.problems.extend(problems.0),
            }
        }
        let registry = self.own_parameters(registry);
        let limits = Limits {
            max_resources: self.whole("maxResources"),
            max_bytes: self.whole("maxBytes"),
        };
        Asked {
            request,
            registry,
            limits,
        }
    }

    fn registry(&mut self) -> Result<Registry, Unread> {
        let version = self.text("fhirVersion").unwrap_or_else(|| "4.0".to_owned());
        match tables::registry(&version) {
            Ok(registry) => Ok(registry),
            Err(NoTables::NotLoaded) => Err(Unread::NotLoaded(version)),
            Err(NoTables::Unknown) => {
                self.wrong("fhirVersion", &version, "expected 4.0, 4.3 or 5.0");
                Ok(Registry::r4())
            }
        }
    }

    fn own_parameters(&mut self, mut registry: Registry) -> Registry {
        for text in self.texts("searchParameters") {
            match supplied::search_parameters(text.as_bytes(), &registry) {
                Ok(with_own) => registry = with_own,
                Err(problems) => self.problems.extend(problems.0),
            }
        }
        registry
    }

    fn cohort(&mut self) -> Option<Cohort> {
        let exclusive = self.flag("exclusive");
        let group = self.text("group");
        if let Some(id) = group.as_deref().filter(|id| !is_id(id)) {
            self.wrong("group", id, "expected the id of a Group");
        }
        let is_by_id = self.member("patients").is_some();
        if !is_by_id && group.is_none() {
            if exclusive {
                self.wrong("exclusive", "", "means nothing without patients or a group");
            }
            return None;
        }
        let ids = self.texts("patients");
        // An empty list would export nobody's records; it is more likely a mistake.
        if is_by_id && ids.is_empty() {
            self.wrong("patients", "", "the list of patients is empty");
        }
        let mut patients = fhirehose_core::ids::IdSet::default();
        for id in &ids {
            let id = id.strip_prefix("Patient/").unwrap_or(id);
            if !is_id(id) {
                self.wrong("patients", id, "expected the id of a Patient");
            }
            patients.insert(id.as_bytes());
        }
        Some(Cohort {
            patients: Arc::new(patients),
            exclusive,
            group,
        })
    }

    fn on_bad(&mut self) -> OnBad {
        match self.text("onBad").as_deref() {
            None | Some("skip") => OnBad::Skip,
            Some("stop") => OnBad::Stop,
            Some(other) => {
                self.wrong("onBad", other, "expected skip or stop");
                OnBad::Skip
            }
        }
    }

    fn wrong(&mut self, option: &'static str, text: &str, message: &str) {
        self.problems.push(Problem::whole(option, text, message));
    }

    /// `null` is as good as nothing.
    fn member(&self, name: &str) -> Option<Node<'d>> {
        self.root.get(name).filter(|node| !node.is_null())
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
        let node = self.member(name)?;
        let text = node.text();
        if text.is_none() {
            self.wrong(name, "", &format!("{} where a string is expected", node.kind()));
        }
        text.map(std::borrow::Cow::into_owned)
    }

    fn texts(&mut self, name: &'static str) -> Vec<String> {
        let Some(node) = self.member(name) else {
            return Vec::new();
        };
        if let Some(text) = node.text() {
            return vec![text.into_owned()];
        }
        let texts: Option<Vec<String>> = node.items().map(|item| Some(item.text()?.into_owned())).collect();
        match texts {
            Some(texts) if node.kind() == Kind::List => texts,
            _ => {
                self.wrong(name, "", "expected a string or a list of strings");
                Vec::new()
            }
        }
    }

    fn flag(&mut self, name: &'static str) -> bool {
        let Some(node) = self.member(name) else { return false };
        node.boolean().unwrap_or_else(|| {
            self.wrong(name, "", &format!("{} where a boolean is expected", node.kind()));
            false
        })
    }

    fn whole(&mut self, name: &'static str) -> Option<u64> {
        let node = self.member(name)?;
        let number = node.whole().filter(|number| *number > 0);
        if number.is_none() {
            self.wrong(
                name,
                node.number().unwrap_or_default(),
                "expected a whole number above 0",
            );
        }
        number
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && !text.contains(['/', '|', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<(&'static str, String)> {
        match compile(text) {
            Err(Unread::Problems(Problems(problems))) => problems
                .into_iter()
                .map(|problem| (problem.option, problem.message))
                .collect(),
            other => panic!("no problems: {other:?}"),
        }
    }

    #[test]
    fn one_text_or_many() {
        let text = r#"{"type":"Patient","typeFilter":["Patient?gender=male"],"maxBytes":10}"#;
        let (asked, _) = compile(text).expect("right");
        assert_eq!(asked.request.types, ["Patient"]);
        assert_eq!(asked.request.type_filters, ["Patient?gender=male"]);
        assert_eq!(asked.limits.max_bytes, Some(10));
        assert!(asked.request.cohort.is_none());
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        assert_eq!(
            problems(r#"{"typefilter":"x"}"#),
            [("request", "`typefilter` is no option of a request".to_owned())]
        );
        let both: Vec<_> = problems(r#"{"typ":"x","type":"Patent"}"#)
            .into_iter()
            .map(|(option, _)| option)
            .collect();
        assert_eq!(both, ["request", "type"]);
        assert_eq!(
            problems(r#"{"valueSets":"x","typeFilter":"Patient?gender:in=u"}"#).len(),
            1
        );
        assert_eq!(
            problems(r#"{"since":4,"type":[1],"trust":"yes","maxLine":0,"onBad":"go"}"#).len(),
            5
        );
        assert_eq!(problems(r#"{"fhirVersion":"3.0"}"#)[0].0, "fhirVersion");
        assert_eq!(problems("[]")[0].0, "request");
        assert_eq!(problems("{")[0].0, "request");
        assert_eq!(problems(r#"{"patients":[]}"#)[0].0, "patients");
        assert_eq!(problems(r#"{"exclusive":true}"#)[0].0, "exclusive");
        assert_eq!(problems(r#"{"group":"Group/a"}"#)[0].0, "group");
        assert_eq!(problems(r#"{"group":"a","patients":[]}"#)[0].0, "patients");
    }

    #[test]
    fn tables_that_are_files_of_their_own_have_to_be_loaded() {
        let answer = compile(r#"{"fhirVersion":"4.3"}"#).expect_err("not loaded");
        assert_eq!(answer, Unread::NotLoaded("4.3".to_owned()));
    }
}
