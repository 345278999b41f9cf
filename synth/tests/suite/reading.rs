//! Reads generated lines back: JSON values, and the names and texts that occur in them.

use std::collections::BTreeSet;

use fhirehose_synth::{Lines, Options, generate};
use serde_json::Value;

/// The lines of a run.
pub(crate) fn run(options: &Options) -> Lines {
    let mut lines = Lines::default();
    let totals = generate(options, &mut lines).expect("memory takes every line");
    assert_eq!(totals.lines(), lines.0.len() as u64);
    assert_eq!(
        totals.bytes(),
        lines.0.iter().map(|(_, line)| line.len() as u64).sum::<u64>()
    );
    lines
}

/// The value of a line, which must be one object.
pub(crate) fn value(line: &[u8]) -> Value {
    let value: Value =
        serde_json::from_slice(line).unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(line)));
    assert!(value.is_object());
    value
}

/// Adds the dotted path of every member of `value`, array positions left out.
pub(crate) fn paths(value: &Value, prefix: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = format!("{prefix}.{name}");
                paths(member, &path, into);
                into.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, prefix, into)),
        _ => {}
    }
}
