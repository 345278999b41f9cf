//! Who is in a Group: members by status and period, nested groups, once each (SPEC 4.4).

use std::fmt;

use crate::ids::IdSet;
use crate::names::Named;
use crate::scan::json::Json;
use crate::search::kind::date::{self, Nanos};
use crate::search::kind::reference;
use crate::search::leaf::Leaf;

/// The Groups of the input, each reduced to what counts at one instant.
#[derive(Debug)]
pub struct Groups {
    at: Nanos,
    base: Option<String>,
    groups: Named<Group>,
}

#[derive(Debug, Default)]
struct Group {
    patients: IdSet,
    groups: Vec<String>,
    left_out: LeftOut,
    /// The line it came from, as a hash: a second one must be the same.
    content: u64,
    /// There was a second one, and it was not.
    differs: bool,
}

/// Members that do not count, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Marked `inactive`.
    pub inactive: u64,
    /// Their period does not cover the instant, or cannot be read.
    pub outside_period: u64,
    /// Members of other types, by type.
    pub other_types: Named<u64>,
    /// Members on other servers, or told by identifier or display alone.
    pub elsewhere: u64,
}

/// The patients of a group and of the groups in it.
#[derive(Debug, Default)]
pub struct Resolved {
    /// Their ids.
    pub patients: IdSet,
    /// Who was left out, in all groups that were looked into.
    pub left_out: LeftOut,
    /// Nested groups that the input does not hold.
    pub missing: Vec<String>,
}

/// What is wrong with the Groups of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupError {
    /// No such group.
    Unknown(String),
    /// Two different resources have this id.
    Twice(String),
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupError::Unknown(id) => write!(f, "there is no Group `{id}` in the input"),
            GroupError::Twice(id) => write!(f, "Group `{id}` occurs twice in the input with different content"),
        }
    }
}

impl std::error::Error for GroupError {}

impl Groups {
    /// No groups yet. `at`: the instant at which memberships must hold. `base`: the data's own server.
    pub fn new(at: Nanos, base: Option<&str>) -> Self {
        Groups {
            at,
            base: base.map(|base| base.trim_end_matches('/').to_owned()),
            groups: Named::default(),
        }
    }

    /// Adds a Group resource, one checked line. One without id is passed over: nobody can ask for it.
    pub fn add(&mut self, line: &[u8]) {
        let resource = Json::new(line.trim_ascii());
        let Some(id) = text_of(resource, "id") else {
            return;
        };
        let mut group = Group {
            content: content(line.trim_ascii()),
            ..Group::default()
        };
        for member in resource.each_of("member") {
            self.add_member(&mut group, member);
        }
        match self.groups.get_mut(&id) {
            Some(other) => other.differs |= other.content != group.content,
            None => {
                self.groups.slot_with(&id, || group);
            }
        }
    }

    fn add_member(&self, group: &mut Group, member: Json<'_>) {
        if member.get("inactive").is_some_and(|value| value.raw() == b"true") {
            group.left_out.inactive += 1;
            return;
        }
        if let Some(period) = member.get("period").filter(|period| period.is_value()) {
            let covers = date::stored(Leaf::Period, period).is_some_and(|span| span.lo <= self.at && self.at < span.hi);
            if !covers {
                group.left_out.outside_period += 1;
                return;
            }
        }
        let entity = member.get("entity").and_then(|entity| text_of(entity, "reference"));
        let target = entity
            .as_deref()
            .and_then(|text| reference::target_of(text, self.base.as_deref()));
        match target {
            Some(("Patient", id)) => drop(group.patients.insert(id.as_bytes())),
            Some(("Group", id)) => group.groups.push(id.to_owned()),
            Some((other, _)) => *group.left_out.other_types.slot(other) += 1,
            None => group.left_out.elsewhere += 1,
        }
    }

    /// The patients of a group. Groups may hold each other; each is looked into once. One that occurs twice with
    /// different content is an error if it is among them.
    pub fn resolve(&self, id: &str) -> Result<Resolved, GroupError> {
        if self.groups.get(id).is_none() {
            return Err(GroupError::Unknown(id.to_owned()));
        }
        let mut resolved = Resolved::default();
        let mut seen = Named::default();
        seen.add(id);
        let mut open = vec![id.to_owned()];
        while let Some(next) = open.pop() {
            let Some(group) = self.groups.get(&next) else {
                resolved.missing.push(next);
                continue;
            };
            if group.differs {
                return Err(GroupError::Twice(next));
            }
            resolved.patients.extend(group.patients.iter());
            resolved.left_out.add(&group.left_out);
            open.extend(group.groups.iter().filter(|nested| seen.add(nested)).cloned());
        }
        Ok(resolved)
    }
}

impl LeftOut {
    fn add(&mut self, other: &LeftOut) {
        self.inactive += other.inactive;
        self.outside_period += other.outside_period;
        self.elsewhere += other.elsewhere;
        for (name, count) in other.other_types.iter() {
            *self.other_types.slot(name) += count;
        }
    }

    /// Whether everybody counted.
    pub fn is_empty(&self) -> bool {
        *self == LeftOut::default()
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut part = |count: u64, what: &str| {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        };
        part(self.inactive, "inactive");
        part(self.outside_period, "outside their period");
        for (name, count) in self.other_types.iter() {
            part(*count, name);
        }
        part(self.elsewhere, "elsewhere or without reference");
        f.write_str(&parts.join(", "))
    }
}

fn text_of(json: Json<'_>, name: &str) -> Option<String> {
    Some(json.get(name)?.text()?.decode().into_owned())
}

/// FNV-1a: enough to tell two lines of one id apart, and the same everywhere.
pub(crate) fn content(line: &[u8]) -> u64 {
    line.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(lines: &[&str]) -> Groups {
        let at = date::read_instant("2024-05-01T00:00:00Z").expect("instant");
        let mut groups = Groups::new(at, Some("http://own/fhir/"));
        lines.iter().for_each(|line| groups.add(line.as_bytes()));
        groups
    }

    fn patients(groups: &Groups, id: &str) -> Vec<String> {
        let resolved = groups.resolve(id).expect("known");
        let mut ids: Vec<String> = resolved
            .patients
            .iter()
            .map(|id| String::from_utf8_lossy(id).into_owned())
            .collect();
        ids.sort();
        ids
    }

    #[test]
    fn members_count_by_status_and_period() {
        let line = r#"{"resourceType":"Group","id":"g","member":[
            {"entity":{"reference":"Patient/a"}},
            {"entity":{"reference":"Patient/b"},"inactive":true},
            {"entity":{"reference":"Patient/c"},"inactive":false,"period":{"start":"2024-05-01","end":"2024-05-01"}},
            {"entity":{"reference":"Patient/d"},"period":{"end":"2024-04-30"}},
            {"entity":{"reference":"Patient/e"},"period":{"start":"2024-05-02"}},
            {"entity":{"reference":"Patient/f"},"period":{"start":"soon"}},
            {"entity":{"reference":"http://own/fhir/Patient/h/_history/3"}},
            {"entity":{"reference":"http://other/fhir/Patient/i"}},
            {"entity":{"identifier":{"value":"x"}}},
            {"entity":{"reference":"Device/j"}},
            {"entity":{"reference":"Patient/a"}}]}"#;
        let groups = groups(&[line]);
        assert_eq!(patients(&groups, "g"), ["a", "c", "h"]);
        let left_out = groups.resolve("g").expect("known").left_out;
        assert_eq!(
            left_out.to_string(),
            "1 inactive, 3 outside their period, 1 Device, 2 elsewhere or without reference"
        );
    }

    #[test]
    fn nested_groups_and_circles() {
        let line = |id: &str, members: &[&str]| {
            let members: Vec<String> = members
                .iter()
                .map(|to| format!(r#"{{"entity":{{"reference":"{to}"}}}}"#))
                .collect();
            format!(
                r#"{{"resourceType":"Group","id":"{id}","member":[{}]}}"#,
                members.join(",")
            )
        };
        let lines = [
            line("a", &["Patient/1", "Group/b"]),
            line("b", &["Patient/2", "Group/a", "Group/c", "Group/none"]),
            line("c", &["Patient/1", "Patient/3", "Group/c"]),
            line("empty", &[]),
        ];
        let groups = groups(&lines.each_ref().map(String::as_str));
        assert_eq!(patients(&groups, "a"), ["1", "2", "3"]);
        assert_eq!(groups.resolve("a").expect("known").missing, ["none"]);
        assert!(groups.resolve("empty").expect("known").patients.is_empty());
        assert_eq!(
            groups.resolve("none").map(|_| ()),
            Err(GroupError::Unknown("none".into()))
        );
    }

    #[test]
    fn one_id_has_one_content() {
        let one = r#"{"resourceType":"Group","id":"g"}"#;
        assert!(groups(&[one, one]).resolve("g").is_ok());
        let other = r#"{"resourceType":"Group","id":"g","member":[]}"#;
        let outer = r#"{"resourceType":"Group","id":"outer","member":[{"entity":{"reference":"Group/g"}}]}"#;
        let beside = r#"{"resourceType":"Group","id":"beside"}"#;
        let groups = groups(&[one, other, one, outer, beside]);
        let error = |id: &str| groups.resolve(id).map(|_| ()).err();
        assert_eq!(error("g"), Some(GroupError::Twice("g".into())));
        assert_eq!(error("outer"), Some(GroupError::Twice("g".into())));
        assert_eq!(error("beside"), None);
    }
}
