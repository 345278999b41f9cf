//! The Groups of the data: what to list of each, and who is in one.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use fhirehose_core::cohort::{self, GroupError, Resolved};
use fhirehose_core::record;
use fhirehose_core::scan::json::{Json, Kind};
use fhirehose_core::search::kind::date::Nanos;
use fhirehose_core::search::kind::reference;

/// What there is to list of a Group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFacts {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// What its members are: `person`, `practitioner`, `device`.
    pub kind: Option<String>,
    /// Whether its members are told one by one; otherwise it is a description of them.
    pub actual: Option<bool>,
    /// How many members it tells, those who do not count included.
    pub members: usize,
    /// System and value of each identifier.
    pub identifiers: Vec<(Option<String>, Option<String>)>,
}

/// All Groups that have an id: nobody can ask for one that has none.
#[derive(Default)]
pub(super) struct Groups(BTreeMap<String, Group>);

struct Group {
    facts: GroupFacts,
    /// Its lines, all different, in the order in which they came.
    lines: Vec<Vec<u8>>,
    /// Which of them is shown, and when that was changed.
    shown: usize,
    updated: Option<Nanos>,
    /// References to what may be Groups, of all lines.
    nested: Vec<String>,
}

impl fmt::Debug for Groups {
    /// Says how many, not which.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Groups({})", self.0.len())
    }
}

impl Groups {
    /// Adds a line that has been checked.
    pub(super) fn add(&mut self, line: Vec<u8>) {
        let json = Json::new(&line);
        let Some(id) = text(json, "id").filter(|id| !id.is_empty()) else {
            return;
        };
        let updated = json.get("meta").and_then(|meta| meta.get("lastUpdated")?.text());
        let updated = updated.and_then(record::time);
        let nested = nested(json);
        let Some(group) = self.0.get_mut(&id) else {
            let group = Group {
                facts: facts(json, &id),
                updated,
                nested,
                shown: 0,
                lines: vec![line],
            };
            self.0.insert(id, group);
            return;
        };
        if group.lines.contains(&line) {
            return;
        }
        if updated >= group.updated {
            group.facts = facts(json, &id);
            group.updated = updated;
            group.shown = group.lines.len();
        }
        group.nested.extend(nested);
        group.lines.push(line);
    }

    pub(super) fn facts(&self) -> impl Iterator<Item = &GroupFacts> {
        self.0.values().map(|group| &group.facts)
    }

    /// Those whose ids come behind this one.
    pub(super) fn behind(&self, id: Option<&str>) -> impl Iterator<Item = (&GroupFacts, &[u8])> {
        use std::ops::Bound;
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.0.range::<str, _>((from, Bound::Unbounded));
        range.map(|(_, group)| (&group.facts, group.line()))
    }

    pub(super) fn get(&self, id: &str) -> Option<&[u8]> {
        Some(self.0.get(id)?.line())
    }

    /// Who is in the Group. Nothing is kept: who counts depends on the instant. Only Groups that it leads to are read.
    pub(super) fn resolve(&self, id: &str, at: Nanos, base: Option<&str>) -> Result<Resolved, GroupError> {
        let own = base.map(|base| base.trim_end_matches('/'));
        let mut groups = cohort::Groups::new(at, base);
        let mut seen = HashSet::from([id]);
        let mut open = vec![id];
        while let Some(group) = open.pop().map(|id| self.0.get(id)) {
            let Some(group) = group else { continue };
            group.lines.iter().for_each(|line| groups.add(line));
            let targets = group.nested.iter().filter_map(|text| reference::target_of(text, own));
            let nested = targets.filter_map(|(name, id)| (name == "Group").then_some(id));
            open.extend(nested.filter(|id| seen.insert(id)));
        }
        groups.resolve(id)
    }
}

impl Group {
    fn line(&self) -> &[u8] {
        self.lines.get(self.shown).map_or(b"", Vec::as_slice)
    }
}

fn facts(json: Json<'_>, id: &str) -> GroupFacts {
    let boolean = |name: &str| match json.get(name)?.raw() {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    };
    // R5 says it by another name.
    let membership = || text(json, "membership").map(|text| text == "enumerated");
    let identifiers = json.each_of("identifier").filter(|item| item.kind() == Kind::Object);
    GroupFacts {
        id: id.to_owned(),
        name: text(json, "name"),
        kind: text(json, "type"),
        actual: boolean("actual").or_else(membership),
        members: json
            .each_of("member")
            .filter(|member| member.kind() == Kind::Object)
            .count(),
        identifiers: identifiers
            .map(|item| (text(item, "system"), text(item, "value")))
            .collect(),
    }
}

/// References of members that may lead to Groups.
fn nested(json: Json<'_>) -> Vec<String> {
    let entities = json.each_of("member").filter_map(|member| member.get("entity"));
    let references = entities.filter_map(|entity| text(entity, "reference"));
    references.filter(|text| text.contains("Group/")).collect()
}

fn text(json: Json<'_>, name: &str) -> Option<String> {
    Some(json.get(name)?.text()?.decode().into_owned())
}
