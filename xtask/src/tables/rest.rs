//! Compartments, root elements and implied systems of the JSON tables.

use serde_json::Value;

use super::row::{known, list, map, plain, sorted, text, texts};

pub(super) fn compartment(out: &mut String, by_type: &Value) -> Result<(), String> {
    out.push_str("[compartment]\n");
    for (type_name, codes) in sorted(map(by_type)?) {
        out.push_str(plain(type_name)?);
        for code in texts(codes)? {
            out.push(' ');
            out.push_str(plain(code)?);
        }
        out.push('\n');
    }
    Ok(())
}

/// Elements keep the order of the standard.
pub(super) fn elements(out: &mut String, by_type: &Value) -> Result<(), String> {
    out.push_str("[elements]\n");
    for (type_name, elements) in sorted(map(by_type)?) {
        out.push_str(plain(type_name)?);
        for (name, element) in map(elements)? {
            let field = element_field(name, element);
            let field = field.map_err(|e| format!("{type_name}.{name}: {e}"))?;
            out.push(' ');
            out.push_str(&field);
        }
        out.push('\n');
    }
    Ok(())
}

fn element_field(name: &str, element: &Value) -> Result<String, String> {
    known(element, &["keys", "min", "modifier", "summary", "primitive"])?;
    let keys = texts(&element["keys"])?;
    let mut out = plain(name)?.to_owned();
    if keys != [name] {
        let mut variants = Vec::new();
        for key in keys {
            let variant = key.strip_prefix(name).ok_or("a key of another name")?;
            variants.push(plain(variant)?);
        }
        out.push_str(&format!("({})", variants.join("|")));
    }
    let is_true = |member: &str| element[member] == Value::Bool(true);
    if element["min"].as_u64().unwrap_or(0) > 0 {
        out.push('*');
    }
    if is_true("modifier") {
        out.push('!');
    }
    if is_true("primitive") {
        out.push('.');
    }
    Ok(out)
}

pub(super) fn systems(out: &mut String, by_type: &Value) -> Result<(), String> {
    out.push_str("[systems]\n");
    for (type_name, paths) in sorted(map(by_type)?) {
        out.push_str(&format!("@{}\n", plain(type_name)?));
        for (path, entry) in sorted(map(paths)?) {
            let field = system_field(entry).map_err(|e| format!("{type_name}.{path}: {e}"))?;
            out.push_str(&format!("{path} {field}\n"));
        }
    }
    Ok(())
}

fn system_field(entry: &Value) -> Result<String, String> {
    known(entry, &["systems", "codes"])?;
    let systems = texts(&entry["systems"])?;
    let mut fields: Vec<String> = systems.iter().map(|system| (*system).to_owned()).collect();
    let Some(codes) = entry.get("codes") else {
        return Ok(fields.join(" "));
    };
    for (index, system) in systems.iter().enumerate() {
        let mut members = Vec::new();
        for (code, of) in sorted(map(codes)?) {
            if list(of)?.iter().map(text).any(|of| of == Ok(*system)) {
                members.push(plain(code)?);
            }
        }
        if !members.is_empty() {
            fields.push(format!("={index}:{}", members.join(",")));
        }
    }
    Ok(fields.join(" "))
}
