//! Records changed at random: members dropped, types of values swapped, lists nested, case changed.

use crate::random::Random;
use serde_json::{Value, json};

/// Changes a record in one to four places. Its `resourceType` and `id` stay.
pub fn mutate(record: &mut Value, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let places = count(record);
        let at = random.below(places);
        change_at(record, at, random);
    }
}

/// Values below the root, objects and arrays included.
fn count(value: &Value) -> u64 {
    match value {
        Value::Object(members) => members.values().map(|member| 1 + count(member)).sum(),
        Value::Array(items) => items.iter().map(|item| 1 + count(item)).sum(),
        _ => 0,
    }
}

fn change_at(value: &mut Value, at: u64, random: &mut Random) {
    let mut left = at;
    match value {
        Value::Object(members) => {
            let names: Vec<String> = members.keys().cloned().collect();
            for name in names {
                let inside = count(&members[&name]);
                if left > inside {
                    left -= inside + 1;
                } else if left == 0 {
                    if name == "resourceType" || name == "id" {
                        return;
                    }
                    if random.one_in(4) {
                        members.shift_remove(&name);
                    } else if random.one_in(12)
                        && let Some(moved) = members.shift_remove(&name)
                    {
                        members.insert(changed_case(&name), moved);
                    } else {
                        change(&mut members[&name], random);
                    }
                    return;
                } else {
                    return change_at(&mut members[&name], left - 1, random);
                }
            }
        }
        Value::Array(items) => {
            for index in 0..items.len() {
                let inside = count(&items[index]);
                if left > inside {
                    left -= inside + 1;
                } else if left == 0 {
                    match random.below(3) {
                        0 => items.push(items[index].clone()),
                        1 => {
                            items.remove(index);
                        }
                        _ => change(&mut items[index], random),
                    }
                    return;
                } else {
                    return change_at(&mut items[index], left - 1, random);
                }
            }
        }
        _ => {}
    }
}

fn change(value: &mut Value, random: &mut Random) {
    let old = value.take();
    *value = match random.below(12) {
        0 => Value::Null,
        1 => json!([old]),
        2 => json!([[old], []]),
        3 => json!({}),
        4 => json!([]),
        5 => json!(""),
        6 => json!(random.below(200)),
        7 => json!(random.one_in(2)),
        8 => json!([old, null, old]),
        9 => json!({"value": old, "extension": [{"url": "http://example.org/ext", "valueString": "x"}]}),
        10 => match old {
            Value::Array(items) => items.into_iter().next().unwrap_or(Value::Null),
            other => json!(other.to_string()),
        },
        _ => match old {
            Value::String(text) => Value::String(changed_text(&text, random)),
            other => other,
        },
    };
}

fn changed_text(text: &str, random: &mut Random) -> String {
    match random.below(5) {
        0 => changed_case(text),
        1 => text.chars().rev().collect(),
        2 => format!("{text} "),
        3 => format!("{text}/_history/1"),
        _ => text.chars().take(text.chars().count() / 2).collect(),
    }
}

fn changed_case(text: &str) -> String {
    let upper = text.to_uppercase();
    if upper == text { text.to_lowercase() } else { upper }
}
