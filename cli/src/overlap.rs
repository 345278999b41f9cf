//! Whether an export would write where it reads.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use fhirehose_native::inputs::InputPlace;

/// Why the output folder cannot be used with these inputs; `None`: they are apart. `named` is what the user wrote,
/// `places` the files it stands for.
pub(crate) fn overlap(out: &Path, named: &[OsString], places: &[InputPlace]) -> Option<String> {
    let target = resolved(out);
    for name in named.iter().map(Path::new).filter(|name| name.is_dir()) {
        let Ok(folder) = name.canonicalize() else { continue };
        if target == folder {
            return Some(format!("{}: the output folder is an input", out.display()));
        }
        if target.starts_with(&folder) {
            return Some(format!(
                "{}: the output folder lies in the input folder {}, so the next export would read it",
                out.display(),
                name.display()
            ));
        }
    }
    for place in places {
        let InputPlace::File(path) = place else { continue };
        let Ok(file) = path.canonicalize() else { continue };
        if target == file {
            return Some(format!("{}: the output is an input", out.display()));
        }
        if file.starts_with(&target) {
            return Some(format!(
                "{}: the output folder holds the input {}",
                out.display(),
                path.display()
            ));
        }
    }
    None
}

/// The path without links and dots, as far as it exists; what does not is taken as written.
fn resolved(path: &Path) -> PathBuf {
    let mut missing: Vec<Component<'_>> = Vec::new();
    let mut known = path;
    loop {
        let start = if known.as_os_str().is_empty() {
            Path::new(".")
        } else {
            known
        };
        if let Ok(mut whole) = start.canonicalize() {
            for part in missing.into_iter().rev() {
                match part {
                    Component::ParentDir => drop(whole.pop()),
                    Component::Normal(name) => whole.push(name),
                    _ => {}
                }
            }
            return whole;
        }
        let mut parts = known.components();
        match parts.next_back() {
            Some(part) => missing.push(part),
            None => return path.to_owned(),
        }
        known = parts.as_path();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(out: &str, named: &[&str]) -> Option<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        std::fs::create_dir_all(root.join("data/sub")).expect("folders");
        std::fs::create_dir_all(root.join("out")).expect("folders");
        for file in ["data/a.ndjson", "data/sub/b.ndjson", "out/c.ndjson"] {
            std::fs::write(root.join(file), "{}\n").expect("writes");
        }
        let named: Vec<OsString> = named.iter().map(|name| root.join(name).into_os_string()).collect();
        let places = fhirehose_native::inputs::expand(&named).expect("inputs");
        overlap(&root.join(out), &named, &places)
    }

    #[test]
    fn folders_apart_are_fine() {
        assert_eq!(check("out", &["data"]), None);
        assert_eq!(check("new/folder", &["data", "out/c.ndjson"]), None);
        assert_eq!(check("data/out", &["data/a.ndjson"]), None);
        assert_eq!(check("data2", &["data"]), None);
    }

    #[test]
    fn an_output_that_reads_itself_is_refused() {
        let cases = [
            ("data", "data", "is an input"),
            ("data/new/../../data", "data", "is an input"),
            ("data/a.ndjson", "data/a.ndjson", "the output is an input"),
            ("data/new", "data", "lies in the input folder"),
            ("data/sub/new/deep", "data", "lies in the input folder"),
            ("data", "data/sub", "holds the input"),
            ("out", "out/c.ndjson", "holds the input"),
            ("data", "data/sub/*.ndjson", "holds the input"),
        ];
        for (out, input, reason) in cases {
            let found = check(out, &[input]);
            assert!(
                found.as_ref().is_some_and(|text| text.contains(reason)),
                "{out} {input}: {found:?}"
            );
        }
    }
}
