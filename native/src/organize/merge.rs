//! Many sorted sources of groups into one: patients by id, and of each patient what the sources hold, in their order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use fhirehose_core::error::Error;

use super::group::{Head, Part, Target};
use super::portion::Sorted;
use super::run::Reader;
use crate::cancel::Cancel;
use crate::folder::to_core;
use crate::output_error::OutputError;

/// A source of groups, sorted by id.
pub(super) enum Groups<'p> {
    Memory(Sorted<'p>),
    Run(Box<Reader>),
}

impl<'p> From<Sorted<'p>> for Groups<'p> {
    fn from(sorted: Sorted<'p>) -> Self {
        Groups::Memory(sorted)
    }
}

impl From<Reader> for Groups<'_> {
    fn from(reader: Reader) -> Self {
        Groups::Run(Box::new(reader))
    }
}

impl Groups<'_> {
    fn head(&self) -> &Head {
        match self {
            Groups::Memory(sorted) => sorted.head(),
            Groups::Run(reader) => reader.head(),
        }
    }

    fn hand_over(&mut self, part: Part, target: &mut impl Target) -> Result<(), Error> {
        let mut take = |lines: &[u8]| target.lines(lines);
        match self {
            Groups::Memory(sorted) => sorted.part(part, &mut take),
            Groups::Run(reader) => reader.part(part, &mut take),
        }
    }

    fn advance(&mut self) -> Result<(), Error> {
        match self {
            Groups::Memory(sorted) => {
                sorted.advance();
                Ok(())
            }
            Groups::Run(reader) => reader.advance(),
        }
    }
}

/// Merges. Sources are in input order, and so is what they hold of a patient.
pub(super) fn merge(mut sources: Vec<Groups<'_>>, target: &mut impl Target, cancel: &Cancel) -> Result<(), Error> {
    let mut heap = BinaryHeap::new();
    for (index, source) in sources.iter().enumerate() {
        push(&mut heap, source, index);
    }
    let mut same = Vec::new();
    while let Some(Reverse((id, first))) = heap.pop() {
        if cancel.is_stopped() {
            let interrupted = io::Error::from(io::ErrorKind::Interrupted);
            return Err(to_core(OutputError::new("write", "output", &interrupted)));
        }
        same.clear();
        same.push(first);
        while heap.peek().is_some_and(|Reverse((other, _))| *other == id) {
            same.extend(heap.pop().map(|Reverse((_, index))| index));
        }
        let mut whole = Head { id, ..Head::default() };
        same.iter().for_each(|&index| whole.add(sources[index].head()));
        target.begin(&whole)?;
        for &index in &same {
            let part = sources[index].head().own;
            sources[index].hand_over(part, target)?;
        }
        for &index in &same {
            let part = sources[index].head().others;
            sources[index].hand_over(part, target)?;
            sources[index].advance()?;
            push(&mut heap, &sources[index], index);
        }
    }
    Ok(())
}

fn push(heap: &mut BinaryHeap<Reverse<(Vec<u8>, usize)>>, source: &Groups<'_>, index: usize) {
    if !source.head().is_end() {
        heap.push(Reverse((source.head().id.clone(), index)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fhirehose_core::ids::IdSet;
    use fhirehose_core::membership::Membership;
    use fhirehose_core::request::Request;
    use fhirehose_core::search::table::Registry;

    use super::super::gather::Gather;
    use super::super::portion::{Portion, Source};
    use super::*;

    #[derive(Default)]
    struct Told(Vec<String>);

    impl Target for Told {
        fn begin(&mut self, head: &Head) -> Result<(), Error> {
            let id = String::from_utf8_lossy(&head.id);
            self.0
                .push(format!("{id}: {} and {}", head.own.lines, head.others.lines));
            Ok(())
        }

        fn lines(&mut self, lines: &[u8]) -> Result<(), Error> {
            self.0.push(String::from_utf8_lossy(lines).trim_end().to_owned());
            Ok(())
        }
    }

    fn merged(lines: &[(&str, String)], portions: usize, listed: Option<&[&str]>) -> Vec<String> {
        try_merged(lines, portions, listed, &Cancel::default()).expect("merges")
    }

    /// Lines in as many portions, merged.
    fn try_merged(
        lines: &[(&str, String)],
        portions: usize,
        listed: Option<&[&str]>,
        cancel: &Cancel,
    ) -> Result<Vec<String>, Error> {
        let registry = Registry::r4();
        let mut gather = Gather::new(1 << 20);
        for (type_name, line) in lines {
            let index = registry.type_index(type_name).expect("a type");
            gather.push(index, format!("{line}\n").as_bytes());
        }
        let source = Source {
            gather: &gather,
            membership: Membership::new(&Request::default(), &registry).expect("compiles"),
            patients: listed.map(|ids| {
                let mut set = IdSet::default();
                set.extend(ids.iter().map(|id| id.as_bytes()));
                Arc::new(set)
            }),
        };
        let shares = gather.shares(portions);
        let portions: Vec<Portion<'_>> = shares.into_iter().map(|share| Portion::new(&source, share)).collect();
        let mut told = Told::default();
        let groups = portions.iter().map(|portion| portion.groups().into()).collect();
        merge(groups, &mut told, cancel)?;
        let rest = portions.iter().flat_map(Portion::rest);
        let rest = rest.map(|(_, line)| format!("rest {}", String::from_utf8_lossy(line).trim_end()));
        told.0.extend(rest);
        Ok(told.0)
    }

    fn lines() -> Vec<(&'static str, String)> {
        let of = |id: &str| format!(r#"{{"subject":{{"reference":"Patient/{id}"}}}}"#);
        vec![
            ("Observation", of("b")),
            ("Observation", of("a")),
            ("Patient", r#"{"id":"b"}"#.into()),
            ("Condition", of("bb")),
            ("Patient", "{}".into()),
            ("Condition", of("b")),
        ]
    }

    #[test]
    fn patients_first_then_the_order_of_the_input() {
        let of = |id: &str| format!(r#"{{"subject":{{"reference":"Patient/{id}"}}}}"#);
        let (a, b, bb) = (of("a"), of("b"), of("bb"));
        let expected = [
            "a: 0 and 1",
            &a,
            "b: 1 and 2",
            r#"{"id":"b"}"#,
            &b,
            &b,
            "bb: 0 and 1",
            &bb,
            "rest {}",
        ];
        for portions in 1..7 {
            assert_eq!(merged(&lines(), portions, None), expected, "{portions} portions");
        }
    }

    #[test]
    fn who_is_not_listed_has_no_block() {
        let told = merged(&lines(), 3, Some(&["bb"]));
        assert_eq!(told[0], "bb: 0 and 1");
        assert_eq!(told.len(), 2 + 5);
        assert!(told[2..].iter().all(|line| line.starts_with("rest ")));
    }

    #[test]
    fn a_merge_can_be_stopped() {
        let cancel = Cancel::default();
        cancel.stop();
        let error = try_merged(&lines(), 2, None, &cancel).expect_err("stopped");
        assert!(matches!(
            crate::pool::from_core(error),
            crate::job::JobError::Interrupted
        ));
    }
}
