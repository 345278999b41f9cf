//! A folder of output, read back and held against its manifest.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Files by their path inside the folder, with `/`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Every file of a finished export but the manifest, and the manifest.
///
/// # Errors
///
/// The folder cannot be read, has no manifest or something unfinished in it, or the manifest does not name exactly these
/// files with the types and counts that they have.
pub fn read(folder: &Path) -> Result<(Files, Value), String> {
    let mut files = Files::new();
    collect(folder, "", &mut files)?;
    let manifest = files.remove("manifest.json").ok_or("there is no manifest")?;
    let manifest: Value = serde_json::from_slice(&manifest).map_err(|error| format!("manifest: {error}"))?;
    agrees(&manifest, &files)?;
    Ok((files, manifest))
}

fn collect(folder: &Path, prefix: &str, files: &mut Files) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut is_empty = true;
    for entry in fs::read_dir(folder).map_err(told)? {
        is_empty = false;
        let entry = entry.map_err(told)?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.insert(name, fs::read(entry.path()).map_err(told)?);
        }
    }
    // Only a folder of unfinished files could stand empty.
    if is_empty {
        return Err(format!("`{prefix}` is empty"));
    }
    Ok(())
}

/// Whether a manifest (second or third generation, no base URL) lists exactly these files, in their order.
///
/// # Errors
///
/// What it lists, and what there is.
pub fn agrees(manifest: &Value, files: &Files) -> Result<(), String> {
    for (list, is_error) in [("output", false), ("error", true)] {
        let own = files.iter().filter(|(name, _)| name.starts_with("error/") == is_error);
        let mut items: Vec<(&str, Value)> = own.map(|(name, bytes)| (name.as_str(), item(name, bytes))).collect();
        // A thousandth file of a type stands behind the others, whatever its name sorts as.
        items.sort_by_key(|(name, _)| (name.split('.').next().unwrap_or_default(), name.len(), *name));
        let expected: Value = items.into_iter().map(|(_, item)| item).collect();
        if manifest[list] != expected {
            return Err(format!(
                "{list} of the manifest: {}; there is: {expected}",
                manifest[list]
            ));
        }
    }
    Ok(())
}

fn item(name: &str, bytes: &[u8]) -> Value {
    let own = name.rsplit('/').next().unwrap_or_default();
    let type_name = own.split('.').next().unwrap_or_default();
    let count = bytes.iter().filter(|&&byte| byte == b'\n').count();
    json!({ "type": type_name, "url": name, "count": count })
}
