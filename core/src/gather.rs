//! What a pass gathers besides the lines that it keeps, for the passes behind it. A union of sets: the order of lines and
//! threads does not matter.

use crate::deleted::{Deleted, Verdict};
use crate::deletion::{self, Reading};
use crate::error::BadLine;
use crate::links::{self, Links};
use crate::newest::{Age, Newest};
use crate::plan::{Gather, Plan, Role, TypePlan};
use crate::scan::json::Json;
use crate::scan::text::Decoded;
use crate::search::kind::reference;

/// What one thread, or at the end the pass, has gathered.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// Resources of other types that kept lines refer to.
    pub links: Links,
    /// The kept resources themselves.
    pub kept: Links,
    /// References that count once their own resource is exported.
    pub follows: Follows,
    /// The newest Provenance of each kept resource.
    pub newest: Newest,
    /// What the input says was deleted.
    pub deleted: Deleted,
    /// Kept resources that had been deleted before they were changed.
    pub returned: Links,
    /// Resources that would have been kept and were deleted.
    pub withheld: u64,
}

/// Edges from resources that may come to be exported to those that then are, too: a Location and its organization.
#[derive(Clone, Debug, Default)]
pub struct Follows {
    /// One after another: two numbers of types, two lengths, two ids.
    edges: Vec<u8>,
}

impl Gathered {
    /// Takes in what another thread gathered.
    pub fn merge(&mut self, other: Gathered) {
        self.links.merge(other.links);
        self.kept.merge(other.kept);
        self.follows.edges.extend_from_slice(&other.follows.edges);
        self.newest.merge(other.newest);
        self.deleted.merge(other.deleted);
        self.returned.merge(other.returned);
        self.withheld += other.withheld;
    }

    /// Whether something was not gathered for want of room: what hangs on it cannot be exported.
    pub fn is_incomplete(&self) -> bool {
        let sets = [&self.links, &self.kept, &self.returned];
        sets.iter().any(|links| links.have_overflowed())
    }

    /// Looks at a line that has passed its gates. `false`: the line is not for the output.
    pub fn passed(&mut self, plan: &Plan, type_plan: &TypePlan, type_index: usize, line: &[u8]) -> bool {
        if !self.stands(plan, type_plan.role, type_index, line) {
            return false;
        }
        let Some(gather) = plan.gather() else { return true };
        match type_plan.role {
            Role::Export => self.kept(gather, plan, type_index, line),
            Role::Follow(members) => self.follow(gather, plan, type_index, line, members),
            Role::Rank => self.rank(gather, plan, line),
        }
        type_plan.role == Role::Export
    }

    /// Whether the resource has not been deleted, or has been changed since.
    fn stands(&mut self, plan: &Plan, role: Role, type_index: usize, line: &[u8]) -> bool {
        match plan.deleted().verdict(type_index, line) {
            Verdict::Stands => true,
            Verdict::Deleted => {
                // Each is counted in the pass that would have exported it.
                self.withheld += u64::from(role == Role::Export);
                false
            }
            Verdict::Returned(id) => {
                self.returned.insert(type_index, id.as_bytes());
                true
            }
        }
    }

    /// Takes down what a Bundle, one that has been walked, says was deleted. `Err`: it says that of something that cannot
    /// be told apart. `Ok(false)`: it is a Bundle like any other.
    pub fn bundle(&mut self, plan: &Plan, line: &[u8]) -> Result<bool, BadLine> {
        match deletion::read(line, plan.base()) {
            Reading::NotDeletions => Ok(false),
            Reading::Malformed => Err(BadLine::Deletions),
            Reading::Deletions(all) => {
                all.iter().for_each(|one| self.deleted.add(one, plan.registry()));
                Ok(true)
            }
        }
    }

    fn kept(&mut self, gather: &Gather, plan: &Plan, type_index: usize, line: &[u8]) {
        if gather.kept
            && let Some(id) = id_of(line)
        {
            self.kept.insert(type_index, id.as_bytes());
        }
        if gather.links.is_empty() {
            return;
        }
        links::targets(line, plan.base(), &mut |type_name, id| {
            if let Some(target) = plan.registry().type_index(type_name)
                && gather.links.get(target) == Some(&true)
            {
                self.links.insert(target, id.as_bytes());
            }
        });
    }

    fn follow(&mut self, gather: &Gather, plan: &Plan, type_index: usize, line: &[u8], members: &[&str]) {
        let Some(from) = id_of(line) else { return };
        let resource = Json::new(line.trim_ascii_start());
        for value in members.iter().flat_map(|name| resource.each_of(name)) {
            let Some(text) = value.get("reference").and_then(Json::text) else {
                continue;
            };
            let text = text.decode();
            let Some((type_name, to)) = reference::target_of(&text, plan.base()) else {
                continue;
            };
            if let Some(target) = plan.registry().type_index(type_name)
                && gather.links.get(target) == Some(&true)
            {
                self.follows.add((type_index, from.as_bytes()), (target, to.as_bytes()));
            }
        }
    }

    fn rank(&mut self, gather: &Gather, plan: &Plan, line: &[u8]) {
        let Some(targets) = &gather.targets else { return };
        let age = self.newest.age(Age::of_line(line));
        let resource = Json::new(line.trim_ascii_start());
        for target in resource.each_of("target") {
            let Some(text) = target.get("reference").and_then(Json::text) else {
                continue;
            };
            let text = text.decode();
            if let Some((type_name, id)) = reference::target_of(&text, plan.base())
                && let Some(type_index) = plan.registry().type_index(type_name)
                && targets.contains(type_index, id.as_bytes())
            {
                self.newest.add(type_index, id.as_bytes(), age);
            }
        }
    }
}

impl Follows {
    fn add(&mut self, from: (usize, &[u8]), to: (usize, &[u8])) {
        let (Ok(from_len), Ok(to_len)) = (u8::try_from(from.1.len()), u8::try_from(to.1.len())) else {
            return;
        };
        self.edges.extend_from_slice(&(from.0 as u16).to_le_bytes());
        self.edges.extend_from_slice(&(to.0 as u16).to_le_bytes());
        self.edges.extend_from_slice(&[from_len, to_len]);
        self.edges.extend_from_slice(from.1);
        self.edges.extend_from_slice(to.1);
    }

    /// Adds to `links` what is reached from them, however far.
    pub fn close(&self, links: &mut Links) {
        let mut grew = true;
        while std::mem::take(&mut grew) {
            let mut rest = self.edges.as_slice();
            while let Some((from, to, behind)) = first_edge(rest) {
                grew |= links.contains(from.0, from.1) && links.insert(to.0, to.1);
                rest = behind;
            }
        }
    }
}

/// A resource: its type's number and its id.
type End<'a> = (usize, &'a [u8]);

fn first_edge(edges: &[u8]) -> Option<(End<'_>, End<'_>, &[u8])> {
    let (head, behind) = edges.split_first_chunk::<6>()?;
    let number = |at: usize| usize::from(u16::from_le_bytes([head[at], head[at + 1]]));
    let (from, behind) = behind.split_at_checked(usize::from(head[4]))?;
    let (to, behind) = behind.split_at_checked(usize::from(head[5]))?;
    Some(((number(0), from), (number(2), to), behind))
}

fn id_of(line: &[u8]) -> Option<Decoded<'_>> {
    let id = Json::new(line.trim_ascii_start()).get("id")?;
    Some(id.text()?.decode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reached_is_followed_and_circles_end() {
        let mut follows = Follows::default();
        follows.add((1, b"role"), (2, b"place"));
        follows.add((2, b"place"), (3, b"house"));
        follows.add((3, b"house"), (1, b"role"));
        follows.add((2, b"elsewhere"), (3, b"other"));
        let mut links = Links::default();
        links.insert(1, b"role");
        follows.close(&mut links);
        assert!(links.contains(2, b"place") && links.contains(3, b"house"));
        assert!(!links.contains(3, b"other"));
        assert_eq!(links.len(), 3);
    }
}
