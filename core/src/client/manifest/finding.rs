//! What is found in a manifest, with its place and the section that says how it should be.

use crate::order::{self, Map};
use std::fmt;
use std::ops::Range;

use super::Generation;

/// How much a finding weighs, by the words of the guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Against a SHALL, or against what the guide defines as required.
    Error,
    /// Against a SHOULD, or likely to trouble clients.
    Warning,
    /// Worth knowing.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        })
    }
}

/// One thing that is not as it should be. A reader may have made sense of it all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// A word for programs: `url-missing`.
    pub rule: &'static str,
    /// The section that says how it should be.
    pub section: &'static str,
    /// The bytes of the text.
    pub span: Range<usize>,
    /// The place in the document: `output[3].url`; empty for the whole.
    pub path: String,
    /// For people. Holds names of members, never values: URLs may be signed.
    pub message: String,
}

/// How many findings of one rule are kept; of the others only the number is told. A manifest of 100 MB may be wrong in
/// every item.
pub(super) const MOST_OF_A_RULE: u64 = 20;

/// Longest name of a member in a path or message.
const LONGEST_NAME: usize = 40;

/// Where in the document something is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'p> {
    /// A member of the root, an index if it is an array, and a member of that item.
    pub(super) list: &'p str,
    pub(super) index: Option<usize>,
    pub(super) member: &'p str,
}

impl<'p> Place<'p> {
    pub(super) const ROOT: Place<'static> = Place {
        list: "",
        index: None,
        member: "",
    };

    pub(super) fn list(list: &'p str) -> Self {
        Place { list, ..Place::ROOT }
    }

    pub(super) fn item(list: &'p str, index: Option<usize>) -> Self {
        Place {
            list,
            index,
            member: "",
        }
    }

    /// A member of the same object.
    pub(super) fn at<'q>(self, member: &'q str) -> Place<'q>
    where
        'p: 'q,
    {
        match (self.list, self.index) {
            ("", _) => Place::list(member),
            _ => Place { member, ..self },
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.list))?;
        if let Some(index) = self.index {
            write!(f, "[{index}]")?;
        }
        if !self.member.is_empty() {
            write!(f, ".{}", shown(self.member))?;
        }
        Ok(())
    }
}

/// A name that somebody else has chosen, fit to be printed.
pub(super) fn shown(name: &str) -> String {
    let is_plain =
        |letter: &char| !letter.is_control() && !matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut letters = name.chars();
    let mut text: String = letters.by_ref().take(LONGEST_NAME).filter(is_plain).collect();
    if letters.next().is_some() {
        text.push('…');
    }
    text
}

/// Puts findings in the order of the text.
pub(super) fn in_order(findings: &mut [Finding]) {
    order::sort_by(findings, |one, other| {
        let key = |finding: &Finding| (finding.span.start, finding.span.end, finding.rule);
        key(one).cmp(&key(other))
    });
}

/// Findings as they are made.
pub(super) struct Findings {
    generation: Generation,
    all: Vec<Finding>,
    /// How many of each rule there were, and the first that was not kept.
    counts: Map<&'static str, (u64, Option<Finding>)>,
}

impl Findings {
    /// By the rules of this generation.
    pub(super) fn new(generation: Generation) -> Self {
        Findings {
            generation,
            all: Vec::new(),
            counts: Map::default(),
        }
    }

    /// Whose rules hold.
    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    pub(super) fn error(
        &mut self,
        rule: &'static str,
        span: Range<usize>,
        place: Place<'_>,
        message: impl Into<String>,
    ) {
        self.add(Severity::Error, rule, span, place, message);
    }

    pub(super) fn warning(
        &mut self,
        rule: &'static str,
        span: Range<usize>,
        place: Place<'_>,
        message: impl Into<String>,
    ) {
        self.add(Severity::Warning, rule, span, place, message);
    }

    pub(super) fn note(
        &mut self,
        rule: &'static str,
        span: Range<usize>,
        place: Place<'_>,
        message: impl Into<String>,
    ) {
        self.add(Severity::Note, rule, span, place, message);
    }

    pub(super) fn add(
        &mut self,
        severity: Severity,
        rule: &'static str,
        span: Range<usize>,
        place: Place<'_>,
        message: impl Into<String>,
    ) {
        let (count, first_left_out) = self.counts.slot(rule);
        *count += 1;
        if *count > MOST_OF_A_RULE + 1 {
            return;
        }
        let finding = Finding {
            severity,
            rule,
            section: self.generation.section(),
            span,
            path: place.to_string(),
            message: message.into(),
        };
        match *count > MOST_OF_A_RULE {
            true => *first_left_out = Some(finding),
            false => self.all.push(finding),
        }
    }

    /// All of them in the order of the text.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        for (_, (count, first_left_out)) in self.counts {
            let Some(finding) = first_left_out else { continue };
            let more = count - MOST_OF_A_RULE;
            let message = match more {
                1 => finding.message,
                more => format!("{}; {} more like this", finding.message, more - 1),
            };
            self.all.push(Finding { message, ..finding });
        }
        in_order(&mut self.all);
        self.all
    }
}
