//! Search parameters of the JSON tables, one line each.

use serde_json::{Map, Value};

/// Writes the `[params]` section: types and codes sorted, only the rows that `wanted` names.
pub(super) fn params(
    out: &mut String,
    by_type: &Value,
    types: &[&str],
    wanted: impl Fn(&str, &str) -> bool,
) -> Result<(), String> {
    out.push_str("[params]\n");
    for (type_name, rows) in sorted(map(by_type)?) {
        let rows = sorted(map(rows)?);
        let rows: Vec<_> = rows.into_iter().filter(|(code, _)| wanted(type_name, code)).collect();
        if rows.is_empty() {
            continue;
        }
        out.push_str(&format!("@{}\n", plain(type_name)?));
        for (code, row) in rows {
            let line = line(code, row, types).map_err(|e| format!("{type_name}.{code}: {e}"))?;
            out.push_str(&line);
            out.push('\n');
        }
    }
    Ok(())
}

fn line(code: &str, row: &Value, types: &[&str]) -> Result<String, String> {
    known(row, &["type", "paths", "rule", "unresolved", "target", "components"])?;
    let mut fields = vec![plain(code)?.to_owned(), plain(text(&row["type"])?)?.to_owned()];
    for path in list(&row["paths"])? {
        fields.push(path_field(path)?);
    }
    match row.get("rule").map(text).transpose()? {
        None => {}
        Some("true when the element exists and is not false") => {
            fields.push("?exists-and-not-false".to_owned());
        }
        Some(other) => return Err(format!("unknown rule: {other}")),
    }
    if let Some(target) = row.get("target") {
        fields.extend(targets(texts(target)?, types)?);
    }
    if let Some(components) = row.get("components") {
        for component in list(components)? {
            known(component, &["code", "type", "paths"])?;
            fields.push(format!("+{}", plain(text(&component["code"])?)?));
            fields.push(plain(text(&component["type"])?)?.to_owned());
            for path in list(&component["paths"])? {
                fields.push(path_field(path)?);
            }
        }
    }
    if let Some(why) = row.get("unresolved") {
        fields.push(format!("~{}", text(why)?));
    }
    Ok(fields.join(" "))
}

/// Nothing is said where every type may be meant; `Parameters`, which nothing refers to, may be missing from such a list.
fn targets(mut listed: Vec<&str>, types: &[&str]) -> Result<Option<String>, String> {
    let any = |name: &&str| *name == "Parameters" || listed.contains(name);
    if listed.is_empty() || types.iter().all(any) {
        return Ok(None);
    }
    listed.sort_unstable();
    for name in &listed {
        plain(name)?;
    }
    Ok(Some(format!(">{}", listed.join(","))))
}

fn path_field(path: &Value) -> Result<String, String> {
    known(path, &["path", "type", "where", "refIs", "first", "root"])?;
    let names = texts(&path["path"])?;
    let tests = match path.get("where") {
        Some(tests) => list(tests)?,
        None => &[],
    };
    let mut out = String::new();
    if path["first"] == Value::Bool(true) {
        out.push('!');
    }
    if path["root"] == Value::Bool(true) {
        out.push('/');
    }
    let mut written = 0;
    for at in 0..=names.len() {
        if at > 0 {
            if at > 1 {
                out.push('.');
            }
            out.push_str(plain(names[at - 1])?);
        }
        for test in tests.iter().filter(|test| test["at"] == at) {
            out.push_str(&test_field(test)?);
            written += 1;
        }
    }
    if written != tests.len() {
        return Err("a test beyond the path".to_owned());
    }
    out.push(':');
    out.push_str(plain(text(&path["type"])?)?);
    if let Some(target) = path.get("refIs") {
        out.push('^');
        out.push_str(plain(text(target)?)?);
    }
    Ok(out)
}

fn test_field(test: &Value) -> Result<String, String> {
    known(test, &["at", "member", "eq", "index", "extension"])?;
    if let Some(url) = test.get("extension") {
        return Ok(format!("[@{}]", inside(text(url)?)?));
    }
    if let Some(index) = test.get("index") {
        return Ok(format!("[{index}]"));
    }
    let member = texts(&test["member"])?;
    for name in &member {
        plain(name)?;
    }
    let value = inside(text(&test["eq"])?)?;
    Ok(format!("[{}={value}]", member.join(".")))
}

/// A name that needs no quoting in the text form.
pub(super) fn plain(name: &str) -> Result<&str, String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if !name.is_empty() && name.bytes().all(fits) {
        return Ok(name);
    }
    Err(format!("`{name}` does not fit the text form"))
}

/// Text that may stand between brackets.
fn inside(value: &str) -> Result<&str, String> {
    if value.bytes().all(|b| b.is_ascii_graphic() && b != b']') {
        return Ok(value);
    }
    Err(format!("`{value}` does not fit between brackets"))
}

/// Refuses members that the text form would lose.
pub(super) fn known(value: &Value, members: &[&str]) -> Result<(), String> {
    match map(value)?.keys().find(|key| !members.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown member `{key}`")),
        None => Ok(()),
    }
}

pub(super) fn sorted(map: &Map<String, Value>) -> Vec<(&str, &Value)> {
    let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.as_str(), value)).collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries
}

pub(super) fn map(value: &Value) -> Result<&Map<String, Value>, String> {
    value.as_object().ok_or_else(|| "an object was expected".to_owned())
}

pub(super) fn list(value: &Value) -> Result<&[Value], String> {
    let list = value.as_array().ok_or_else(|| "a list was expected".to_owned())?;
    Ok(list)
}

pub(super) fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "a text was expected".to_owned())
}

pub(super) fn texts(value: &Value) -> Result<Vec<&str>, String> {
    list(value)?.iter().map(text).collect()
}
