//! What is wrong with a request: every problem with its place in the user's own text.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One problem of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Name of the part of the request, `type-filter`, `since`.
    pub option: &'static str,
    /// The user's text; shared, since one text may have many problems.
    pub text: Arc<str>,
    /// The bytes of `text` that are wrong.
    pub span: Range<usize>,
    /// What is wrong and what was expected.
    pub message: String,
    /// A suggestion, "did you mean `status`?".
    pub help: Option<String>,
}

impl Problem {
    /// A problem with all of a text.
    pub fn whole(option: &'static str, text: &str, message: impl Into<String>) -> Self {
        Problem {
            option,
            text: text.into(),
            span: 0..text.len(),
            message: message.into(),
            help: None,
        }
    }

    /// The same with a suggestion.
    pub fn with_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// Most characters of the user's text that are shown before, in and after the part that is wrong.
const SHOWN: usize = 60;

impl fmt::Display for Problem {
    /// The message, the text around the part that is wrong, and carets under that.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.option, self.message)?;
        if !self.text.is_empty() && !self.text.contains('\n') {
            let before = last_characters(self.text.get(..self.span.start).unwrap_or_default());
            let marked = first_characters(self.text.get(self.span.clone()).unwrap_or_default());
            let after = first_characters(self.text.get(self.span.end..).unwrap_or_default());
            let blanks = " ".repeat(before.chars().count());
            write!(
                f,
                "\n  {before}{marked}{after}\n  {blanks}{}",
                "^".repeat(marked.chars().count().max(1))
            )?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  {help}"),
            None => Ok(()),
        }
    }
}

fn first_characters(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn last_characters(text: &str) -> String {
    match text.char_indices().rev().nth(SHOWN - 1) {
        Some((start, _)) if start > 0 => format!("…{}", &text[start..]),
        _ => text.to_owned(),
    }
}

/// Every problem of a request, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// "did you mean …?" if a known name is close enough to what was written.
pub fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(written, &mut known.into_iter())
}

fn closest(written: &str, known: &mut dyn Iterator<Item = &str>) -> Option<String> {
    let lower = written.to_ascii_lowercase();
    let best = known
        // Names of another length are not close; the distance of a long text would be slow to find.
        .filter(|name| name.len().abs_diff(written.len()) <= 3)
        .map(|name| (distance(&lower, &name.to_ascii_lowercase()), name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).clamp(1, 3))
        .min()?;
    Some(format!("did you mean `{}`?", best.1))
}

/// Edit distance (Levenshtein) in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_close() {
        let known = ["status", "subject", "code"];
        assert_eq!(did_you_mean("staus", known), Some("did you mean `status`?".into()));
        assert_eq!(did_you_mean("Status", known), Some("did you mean `status`?".into()));
        assert_eq!(did_you_mean("birthdate", known), None);
    }

    #[test]
    fn carets_stand_under_the_span() {
        let problem = Problem {
            option: "type-filter",
            text: "Pätient?x".into(),
            span: 0..8,
            message: "unknown type".into(),
            help: Some("did you mean `Patient`?".into()),
        };
        let expected = "type-filter: unknown type\n  Pätient?x\n  ^^^^^^^\n  did you mean `Patient`?";
        assert_eq!(problem.to_string(), expected);
    }

    #[test]
    fn long_texts_are_cut_around_the_span() {
        let text = format!("{}WRONG{}", "a".repeat(5000), "b".repeat(5000));
        let problem = Problem {
            span: 5000..5005,
            ..Problem::whole("type-filter", &text, "wrong")
        };
        let expected = format!("…{}WRONG{}…", "a".repeat(60), "b".repeat(60));
        let shown = problem.to_string();
        assert_eq!(shown.lines().nth(1).map(str::trim), Some(&*expected));
        assert_eq!(shown.lines().nth(2), Some(&*format!("  {}^^^^^", " ".repeat(61))));
    }
}
