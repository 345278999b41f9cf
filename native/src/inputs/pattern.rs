//! What a pattern matches. The matching is the crate's, the walk is not: that one cannot take names that are not UTF-8.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern, PatternError};

const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// One component of a pattern.
enum Part {
    /// A name as it is, or a root.
    Literal(PathBuf),
    /// A name with wildcards.
    Wild(Pattern),
    /// `**`: this folder and all below.
    Any,
}

/// A place that could not be looked at.
pub(super) type Unreadable = (PathBuf, io::Error);

/// A pattern that is well formed.
pub(super) struct Matcher(Vec<Part>);

impl Matcher {
    pub(super) fn new(pattern: &str) -> Result<Matcher, PatternError> {
        // All of it first, since an error says at which character it stands.
        Pattern::new(pattern)?;
        let part = |component: Component<'_>| {
            let text = component.as_os_str().to_string_lossy();
            match component {
                Component::Normal(_) if text == "**" => Ok(Part::Any),
                Component::Normal(_) if text.contains(['*', '?', '[']) => Pattern::new(&text).map(Part::Wild),
                _ => Ok(Part::Literal(PathBuf::from(component.as_os_str()))),
            }
        };
        Path::new(pattern)
            .components()
            .map(part)
            .collect::<Result<_, _>>()
            .map(Matcher)
    }

    /// Everything that matches, sorted.
    pub(super) fn matches(&self) -> Result<Vec<PathBuf>, Unreadable> {
        let mut found = Vec::new();
        walk(Path::new(""), &self.0, &mut found)?;
        found.sort();
        found.dedup();
        Ok(found)
    }
}

fn walk(base: &Path, parts: &[Part], found: &mut Vec<PathBuf>) -> Result<(), Unreadable> {
    let Some((part, rest)) = parts.split_first() else {
        // A link that leads nowhere matches too: better an error than data left out.
        if fs::symlink_metadata(base).is_ok() {
            found.push(base.to_owned());
        }
        return Ok(());
    };
    match part {
        Part::Literal(name) => walk(&base.join(name), rest, found),
        Part::Wild(pattern) => each(base, &mut |path, name| {
            if pattern.matches_with(name, OPTIONS) && (rest.is_empty() || path.is_dir()) {
                walk(path, rest, found)?;
            }
            Ok(())
        }),
        Part::Any => {
            walk(base, rest, found)?;
            if rest.is_empty() {
                // The folder stands for all that is in it.
                return Ok(());
            }
            each(base, &mut |path, name| {
                // Links to folders are not followed, so that there is an end.
                if !name.starts_with('.') && path.is_dir() && !path.is_symlink() {
                    walk(path, parts, found)?;
                }
                Ok(())
            })
        }
    }
}

/// Calls `visit` with each path in a folder and its name, what is not UTF-8 replaced. What is no folder has none.
fn each(folder: &Path, visit: &mut dyn FnMut(&Path, &str) -> Result<(), Unreadable>) -> Result<(), Unreadable> {
    let here = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    if !here.is_dir() {
        return Ok(());
    }
    let unreadable = |error: io::Error| (here.to_owned(), error);
    for entry in fs::read_dir(here).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        visit(&folder.join(&name), &name.to_string_lossy())?;
    }
    Ok(())
}
