//! Who the members of a Group are: groups inside groups, members that do not count, and why.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::date::stored_interval;
use super::reference::target;

/// Members of a Group and of the Groups in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Ids of patients.
    pub patients: BTreeSet<String>,
    /// Members that do not count: how many by reason.
    pub left_out: BTreeMap<&'static str, u64>,
}

/// Reads the members of Group `id` among `groups` at an instant.
///
/// # Errors
///
/// The Group, or one inside it, occurs with different contents; or there is no such Group.
pub(crate) fn members(id: &str, groups: &[Value], base: Option<&str>, at: i128) -> Result<Members, String> {
    let mut members = Members::default();
    let mut visited = BTreeSet::new();
    let mut waiting = vec![id.to_owned()];
    while let Some(next) = waiting.pop() {
        if !visited.insert(next.clone()) {
            continue;
        }
        let mut found = groups.iter().filter(|group| group["id"].as_str() == Some(&next));
        let Some(group) = found.next() else {
            if next == id {
                return Err(format!("there is no Group {id}"));
            }
            *members.left_out.entry("unknown group").or_default() += 1;
            continue;
        };
        if found.any(|other| other != group) {
            return Err(format!("Group {next} occurs twice with different contents"));
        }
        for member in group["member"].as_array().into_iter().flatten() {
            match judged(member, base, at) {
                Ok((type_name, id)) if type_name == "Patient" => drop(members.patients.insert(id)),
                Ok((type_name, id)) if type_name == "Group" => waiting.push(id),
                Ok(_) => *members.left_out.entry("not a patient").or_default() += 1,
                Err(reason) => *members.left_out.entry(reason).or_default() += 1,
            }
        }
    }
    Ok(members)
}

/// Type and id of a member that counts at an instant, or why it does not.
fn judged(member: &Value, base: Option<&str>, at: i128) -> Result<(String, String), &'static str> {
    if member["inactive"] == Value::Bool(true) {
        return Err("inactive");
    }
    if let Some(period) = stored_interval("Period", &member["period"])
        && !(period.low <= at && at < period.high)
    {
        return Err("outside period");
    }
    let text = member["entity"]["reference"].as_str().unwrap_or_default();
    target(text, base).ok_or("no reference to this server")
}
