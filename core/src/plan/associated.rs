//! What is exported because of something else: resources that exported ones refer to, and Provenance (SPEC 2.8, 4.4).

use std::sync::Arc;

use super::compartment::{self, has_members, own};
use super::gate::{Gate, Path, Targets, Test, Window};
use super::paths::Places;
use crate::deleted::Deleted;
use crate::links::Links;
use crate::newest::Newest;
use crate::problem::{Problem, did_you_mean};
use crate::request::{Cohort, Request};
use crate::search::leaf::Leaf;
use crate::search::table::{PathSpec, Registry, SearchType};

/// A pass over the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// What is exported by its own right.
    Main,
    /// Finds the newest Provenance of each exported resource.
    Rank,
    /// Provenance of exported resources.
    Provenance,
    /// What exported resources refer to.
    Associated,
    /// The only pass over what another server has sent for the request: it holds what is exported by its own right, and what
    /// that server found to belong to it.
    Received,
}

impl Stage {
    /// Whether the pass reads its inputs for the first time, and so counts what they hold.
    pub(crate) fn is_first(self) -> bool {
        matches!(self, Stage::Main | Stage::Received)
    }
}

/// What earlier passes found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Resources that exported ones refer to.
    pub links: Arc<Links>,
    /// The resources of the main pass.
    pub kept: Arc<Links>,
    /// The newest Provenance of each.
    pub newest: Arc<Newest>,
    /// What the input says was deleted.
    pub deleted: Arc<Deleted>,
}

/// Which Provenances are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvenanceRule {
    /// None: the type is not asked for.
    None,
    /// Provenance is a type like any other.
    Plain,
    /// Those of exported resources and of the cohort's patients: what the guide asks for where nothing else is said.
    Default,
    /// Those of exported resources.
    Relevant,
    /// The newest of each exported resource.
    Latest,
}

/// Members of associated resources that lead to others: Location and PractitionerRole are of little use without them.
const FOLLOWED: [(&str, &[&str]); 2] = [
    ("Location", &["managingOrganization"]),
    ("PractitionerRole", &["practitioner", "organization", "location"]),
];

/// Types that may hold anybody's records, and are never exported because of a reference.
const NEVER: [&str; 4] = ["Binary", "Bundle", "OperationOutcome", "Parameters"];

/// Whether an export of a cohort can hold resources of a type at all.
#[must_use]
pub fn is_for_cohorts(type_name: &str) -> bool {
    !NEVER.contains(&type_name)
}

const PROVENANCE: &str = "Provenance";

/// `includeAssociatedData`, with the defaults of the guide. Of several values the least restrictive wins.
pub(super) fn rule(request: &Request, wanted: Option<&[String]>, problems: &mut Vec<Problem>) -> ProvenanceRule {
    const VALUES: [&str; 2] = ["LatestProvenanceResources", "RelevantProvenanceResources"];
    let mut asked = [false; 2];
    for text in &request.associated_data {
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match VALUES.iter().position(|value| *value == item) {
                Some(index) => asked[index] = true,
                None => {
                    let message = format!("`{item}` is not known; expected {} or {}", VALUES[0], VALUES[1]);
                    let help = did_you_mean(item, VALUES);
                    problems.push(Problem::whole("include-associated-data", text, message).with_help(help));
                }
            }
        }
    }
    let is_wanted = wanted.is_none_or(|wanted| wanted.iter().any(|name| name == PROVENANCE));
    match asked {
        [_, true] => ProvenanceRule::Relevant,
        [true, false] => ProvenanceRule::Latest,
        _ if !is_wanted => ProvenanceRule::None,
        _ if request.cohort.is_some() => ProvenanceRule::Default,
        _ => ProvenanceRule::Plain,
    }
}

impl ProvenanceRule {
    /// The rule for a type in the main pass: whether Provenance waits for a later one.
    fn waits(self) -> bool {
        matches!(
            self,
            ProvenanceRule::Default | ProvenanceRule::Relevant | ProvenanceRule::Latest
        )
    }
}

/// In which way a type takes part in a pass.
pub(super) enum Part {
    /// Not at all.
    None,
    /// By its own right: cohort, window, filters.
    Own,
    /// Only its references count, for the pass behind.
    Follow(&'static [&'static str]),
    /// As Provenance; `rank`: only to find the newest.
    Provenance { rank: bool },
    /// Because something refers to it.
    Linked,
    /// Another server has found that it belongs to what was asked for.
    Received,
}

/// What the parts of a type depend on.
pub(super) struct Parts<'a> {
    pub(super) registry: &'a Registry,
    pub(super) cohort: Option<&'a Cohort>,
    pub(super) wanted: Option<&'a [String]>,
    pub(super) rule: ProvenanceRule,
}

impl Parts<'_> {
    /// The part of a type in a pass.
    pub(super) fn of(&self, stage: Stage, type_name: &str) -> Part {
        let waits = type_name == PROVENANCE && self.rule.waits();
        match stage {
            Stage::Rank if waits && self.rule == ProvenanceRule::Latest => Part::Provenance { rank: true },
            Stage::Provenance if waits => Part::Provenance { rank: false },
            Stage::Received => self.of_received(type_name, waits),
            _ if waits || !self.is_wanted(type_name) => Part::None,
            Stage::Main if self.is_own(type_name) => Part::Own,
            Stage::Main if self.is_linked(type_name) => {
                let followed = FOLLOWED.iter().find(|(name, _)| *name == type_name);
                followed.map_or(Part::None, |(_, members)| Part::Follow(members))
            }
            Stage::Associated if self.is_linked(type_name) => Part::Linked,
            _ => Part::None,
        }
    }

    /// The part of a type in what was received. What cannot be decided line by line is left to the server that has sent it,
    /// as far as nobody outside the cohort is named.
    fn of_received(&self, type_name: &str, waits: bool) -> Part {
        match self.is_wanted(type_name) || waits {
            true if waits || self.is_linked(type_name) => Part::Received,
            true if self.is_own(type_name) => Part::Own,
            _ => Part::None,
        }
    }

    /// The types that filters may be about; `None`: all. Provenance that comes along can be filtered, too.
    pub(super) fn filtered(&self) -> Option<Vec<String>> {
        let comes_along = self.rule.waits().then(|| PROVENANCE.to_owned());
        Some(self.wanted?.iter().cloned().chain(comes_along).collect())
    }

    /// The passes behind the main one that the request may need.
    pub(super) fn stages(&self) -> Vec<Stage> {
        let mut stages = Vec::new();
        if self.rule == ProvenanceRule::Latest {
            stages.push(Stage::Rank);
        }
        if self.rule.waits() {
            stages.push(Stage::Provenance);
        }
        if self
            .registry
            .types()
            .iter()
            .any(|name| matches!(self.of(Stage::Associated, name), Part::Linked))
        {
            stages.push(Stage::Associated);
        }
        stages
    }

    /// Whether some pass may export resources of the type.
    pub(super) fn asks(&self, type_name: &str) -> bool {
        matches!(self.of(Stage::Main, type_name), Part::Own)
            || matches!(self.of(Stage::Provenance, type_name), Part::Provenance { .. })
            || matches!(self.of(Stage::Associated, type_name), Part::Linked)
    }

    fn is_wanted(&self, type_name: &str) -> bool {
        self.wanted
            .is_none_or(|wanted| wanted.iter().any(|name| name == type_name))
    }

    fn is_own(&self, type_name: &str) -> bool {
        match self.cohort {
            None => true,
            // Other groups of the members are other people's business.
            Some(Cohort { group: None, .. }) if type_name == "Group" => false,
            Some(_) => has_members(self.registry, type_name),
        }
    }

    fn is_linked(&self, type_name: &str) -> bool {
        let outside = !has_members(self.registry, type_name) || type_name == compartment::DEVICE.0;
        self.cohort.is_some() && outside && is_for_cohorts(type_name)
    }

    /// Whether the bad lines of a type are told by this pass: each is told by one.
    pub(super) fn tells(&self, stage: Stage, type_name: &str) -> bool {
        let in_main = matches!(self.of(Stage::Main, type_name), Part::Own);
        let in_provenance = matches!(self.of(Stage::Provenance, type_name), Part::Provenance { .. });
        let in_associated = matches!(self.of(Stage::Associated, type_name), Part::Linked);
        match stage {
            Stage::Main => in_main || !(in_provenance || in_associated),
            Stage::Received => true,
            Stage::Rank => false,
            Stage::Provenance => in_provenance,
            Stage::Associated => in_associated && !in_main,
        }
    }
}

/// Types that were asked for and are never exported with a cohort; or all of them can only be if something refers to
/// them, and nothing could.
pub(super) fn check(request: &Request, registry: &Registry, wanted: Option<&[String]>, stage: Stage) -> Vec<Problem> {
    let (Some(_), Some(wanted)) = (&request.cohort, wanted) else {
        return Vec::new();
    };
    let problem = |name: &str, message: String| Problem::whole("type", name, message);
    let never = wanted.iter().filter(|name| !is_for_cohorts(name));
    let mut problems: Vec<Problem> = never
        .map(|name| {
            problem(
                name,
                format!("{name} is never exported for a cohort: it may hold anybody's records"),
            )
        })
        .collect();
    let may_be_alone = stage == Stage::Received || wanted.iter().any(|name| has_members(registry, name));
    if problems.is_empty() && !wanted.is_empty() && !may_be_alone {
        let list = wanted.join(",");
        let message = "with a cohort these are exported only where something else refers to them; ask for a type of the \
                       Patient compartment too";
        problems.push(problem(&list, message.to_owned()));
    }
    problems
}

/// Makes the gates of associated resources.
pub(super) struct Gates<'g, 'p> {
    pub(super) request: &'g Request,
    pub(super) found: &'g Found,
    pub(super) places: &'g mut Places<'p>,
}

impl Gates<'_, '_> {
    /// Somebody exported refers to it.
    pub(super) fn linked(&mut self, type_index: usize) -> Gate {
        let path = own(self.places, &["id"], "id", SearchType::Token);
        let links = self.found.links.clone();
        gate(
            "an exported resource refers to it".to_owned(),
            Test::Linked {
                path,
                links,
                type_index,
            },
        )
    }

    /// It is not about a patient who is not of the cohort: the record of somebody else is not exported because a listed
    /// patient's record mentions it. Of Devices those with a patient are exported by their own right or not at all.
    pub(super) fn guard(&mut self) -> Option<Gate> {
        let cohort = self.request.cohort.as_ref()?;
        let type_name = self.places.type_name;
        if type_name == compartment::DEVICE.0
            && let Some(param) = self.places.registry.param(type_name, compartment::DEVICE.1)
        {
            let specs: Vec<&PathSpec> = param.paths.iter().collect();
            let mut paths = self.places.add_all(&specs, SearchType::Reference, &param.targets);
            // A patient who is told by identifier or name alone is somebody, too.
            paths.iter_mut().for_each(|path| path.reference.only = None);
            let test = Test::Exists {
                paths,
                when_true: false,
                when_false: true,
            };
            return Some(gate("has no patient".to_owned(), test));
        }
        self.nobody_else(cohort)
    }

    /// The guard of what was received: the same for Devices, which another server may have found by their patient.
    pub(super) fn received(&mut self) -> Option<Gate> {
        let cohort = self.request.cohort.as_ref()?;
        self.nobody_else(cohort)
    }

    fn nobody_else(&mut self, cohort: &Cohort) -> Option<Gate> {
        let paths = self.patient_paths();
        let ids = cohort.patients.clone();
        (!paths.is_empty()).then(|| {
            let label = "refers to no patient outside the cohort".to_owned();
            gate(label, Test::NobodyElse { paths, ids })
        })
    }

    fn patient_paths(&mut self) -> Vec<Path> {
        let registry = self.places.registry;
        let mut paths = Vec::new();
        for param in registry.params(self.places.type_name) {
            let may_be_patient = param.targets.is_empty() || param.targets.iter().any(|target| target == "Patient");
            if param.kind != SearchType::Reference || !may_be_patient {
                continue;
            }
            let is_reference =
                |spec: &&PathSpec| matches!(Leaf::named(&spec.leaf), Leaf::Reference | Leaf::CodeableReference);
            let specs: Vec<&PathSpec> = param.paths.iter().filter(is_reference).collect();
            paths.extend(self.places.add_all(&specs, SearchType::Reference, &param.targets));
        }
        paths
    }

    /// It is about something that is exported.
    pub(super) fn provenance(&mut self, rule: ProvenanceRule, rank: bool, window: Window) -> Vec<Gate> {
        let target = own(self.places, &["target"], "Reference", SearchType::Reference);
        let patient = compartment::references(self.places.registry, self.places);
        let mut references = vec![target.clone()];
        references.extend(patient.iter().cloned());
        let targets = Targets {
            patient,
            updated: own(self.places, &["meta", "lastUpdated"], "instant", SearchType::Date),
            recorded: own(self.places, &["recorded"], "instant", SearchType::Date),
            id: own(self.places, &["id"], "id", SearchType::Token),
            kept: self.found.kept.clone(),
            patients: match (&self.request.cohort, rule) {
                (Some(cohort), ProvenanceRule::Default) => Some((cohort.patients.clone(), window)),
                _ => None,
            },
            newest: (rule == ProvenanceRule::Latest && !rank).then(|| self.found.newest.clone()),
            target,
        };
        let label = match rule {
            ProvenanceRule::Latest if !rank => "the newest Provenance of an exported resource",
            ProvenanceRule::Default => "a target is exported, or a patient of the cohort",
            _ => "a target is exported",
        };
        let mut gates = vec![gate(label.to_owned(), Test::Provenance(Box::new(targets)))];
        if let Some(cohort) = self.request.cohort.as_ref().filter(|cohort| cohort.exclusive) {
            let test = Test::NobodyElse {
                paths: references,
                ids: cohort.patients.clone(),
            };
            gates.push(gate("is of no patient outside the cohort".to_owned(), test));
        }
        gates
    }
}

fn gate(label: String, test: Test) -> Gate {
    Gate { label, test, roots: 0 }
}
