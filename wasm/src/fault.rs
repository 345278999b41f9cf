//! What goes wrong, as JSON that the TypeScript side makes an `Error` of: a code, a message, and problems with their places.

use fhirehose_core::error::{Error, ErrorKind};
use fhirehose_core::problem::{Problem, Problems};
use fhirehose_core::quote::Tree;

/// The request is wrong.
const REQUEST: &str = "request";

/// A fault without problems.
#[must_use]
pub fn plain(code: &str, message: &str) -> String {
    told(code, message, Vec::new())
}

/// Everything that is wrong with a request.
#[must_use]
pub fn of_problems(problems: &Problems) -> String {
    let message = problems.to_string();
    told(REQUEST, &message, problems.0.iter().map(problem).collect())
}

/// What ended an export.
#[must_use]
pub fn of_error(error: &Error) -> String {
    let code = match error.kind() {
        ErrorKind::BadLine => "bad-line",
        ErrorKind::LateDeletions => "late-deletions",
        _ => "export",
    };
    plain(code, &error.to_string())
}

/// Why a bulk client cannot go on: the client's own word, and whether it may help to resume.
#[must_use]
pub fn of_bulk(reason: &str, message: &str, resumable: bool) -> String {
    Tree::Object(vec![
        ("code", Tree::text("bulk")),
        ("message", Tree::text(message)),
        ("problems", Tree::List(Vec::new())),
        ("reason", Tree::text(reason)),
        ("resumable", Tree::Boolean(resumable)),
    ])
    .pretty()
}

fn told(code: &str, message: &str, problems: Vec<Tree>) -> String {
    Tree::Object(vec![
        ("code", Tree::text(code)),
        ("message", Tree::text(message)),
        ("problems", Tree::List(problems)),
    ])
    .pretty()
}

fn problem(problem: &Problem) -> Tree {
    Tree::Object(vec![
        ("option", Tree::Text(camel(problem.option))),
        ("text", Tree::text(&*problem.text)),
        ("start", Tree::Number(units(&problem.text, problem.span.start))),
        ("end", Tree::Number(units(&problem.text, problem.span.end))),
        ("message", Tree::text(problem.message.as_str())),
        ("help", Tree::maybe(problem.help.as_deref())),
    ])
}

/// The place of a byte in units of UTF-16, which JavaScript counts texts by.
fn units(text: &str, byte: usize) -> u64 {
    let before = text.char_indices().take_while(|(at, _)| *at < byte);
    before.map(|(_, character)| character.len_utf16() as u64).sum()
}

/// The name of an option as JavaScript spells it: `typeFilter` for `type-filter`.
fn camel(option: &str) -> String {
    let mut words = option.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_as_javascript_does() {
        let text = "Pä😀x";
        let places: Vec<u64> = (0..=text.len()).map(|byte| units(text, byte)).collect();
        assert_eq!(places, [0, 1, 2, 2, 4, 4, 4, 4, 5]);
    }

    #[test]
    fn options_are_spelled_as_javascript_does() {
        assert_eq!(camel("type-filter"), "typeFilter");
        assert_eq!(camel("since"), "since");
        assert_eq!(camel("include-associated-data"), "includeAssociatedData");
    }
}
