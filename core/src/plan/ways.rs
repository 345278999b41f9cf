//! The filters of a type, written anew as fewer that let the same lines through.
//!
//! Users ask for fifty codes in fifty filters. Where filters differ in one condition, and that is about the values of one
//! parameter, they are one filter that takes the values of all; and a condition that comes again is one gate.

use super::Filter;
use super::gate::{Gate, Test};
use crate::order::{self, Map};

/// Gates of one filter, all of which must pass.
pub(super) type Way = Vec<usize>;

/// What filters must have in common to become one: the other gates, and the parameter with its modifier.
type Common<'a> = (Vec<usize>, &'a str);

/// Adds the gates of the filters to `gates`; a line passes if it passes one of the ways.
pub(super) fn join(filters: &[Filter], gates: &mut Vec<Gate>) -> Vec<Way> {
    let (written, asked) = shared(filters);
    let mut joined: Vec<(Common<'_>, Vec<usize>)> = Vec::new();
    let mut numbers: Map<Common<'_>, usize> = Map::default();
    let common = best_commons(&written, &asked);
    for (way, common) in written.iter().zip(common) {
        let Some((common, own)) = common else {
            joined.push(((way.clone(), ""), Vec::new()));
            continue;
        };
        let number = *numbers.slot_with(common.clone(), |_| joined.len());
        match joined.get_mut(number) {
            Some((_, owns)) if owns.contains(&own) => {}
            Some((_, owns)) => owns.push(own),
            None => joined.push((common, vec![own])),
        }
    }
    let mut places = Map::default();
    let mut place = |which: Vec<usize>| {
        *places.slot_with(which, |which| {
            gates.push(any_of(which.iter().map(|&index| asked[index])));
            gates.len() - 1
        })
    };
    joined
        .into_iter()
        .map(|((rest, _), own)| {
            let own = (!own.is_empty()).then(|| place(own));
            let rest = rest.into_iter().map(|gate| vec![gate]);
            own.into_iter()
                .chain(rest.map(&mut place).collect::<Vec<_>>())
                .collect()
        })
        .collect()
}

/// The filters by the numbers of their gates, where those that are written alike are one; and these gates.
fn shared<'f>(filters: &'f [Filter]) -> (Vec<Vec<usize>>, Vec<&'f Gate>) {
    let mut asked = Vec::new();
    let mut by_label = Map::default();
    let mut number = |gate: &'f Gate| {
        *by_label.slot_with(gate.label.as_str(), |_| {
            asked.push(gate);
            asked.len() - 1
        })
    };
    let mut written = Vec::new();
    for filter in filters {
        let mut way: Vec<usize> = filter.gates.iter().map(&mut number).collect();
        order::sort(&mut way);
        way.dedup();
        written.push(way);
    }
    (written, asked)
}

/// For each way what it has in common with the most others, and its own gate; `None`: it cannot be joined.
fn best_commons<'a>(written: &[Vec<usize>], asked: &[&'a Gate]) -> Vec<Option<(Common<'a>, usize)>> {
    let commons = |way: &[usize]| -> Vec<(Common<'a>, usize)> {
        let parameters = way.iter().filter_map(|&own| Some((own, parameter(asked[own])?)));
        let rest = |own| way.iter().copied().filter(|&gate| gate != own).collect();
        parameters.map(|(own, name)| ((rest(own), name), own)).collect()
    };
    let mut counts: Map<Common<'_>, usize> = Map::default();
    for (common, _) in written.iter().flat_map(|way| commons(way)) {
        *counts.slot(common) += 1;
    }
    // Of equals the last one is taken by `max_by_key`; any would do.
    let best = |way: &Vec<usize>| commons(way).into_iter().max_by_key(|(common, _)| counts.get(common));
    written.iter().map(best).collect()
}

/// The parameter and its modifier, as written, of a gate that some value has to pass: gates of one name read the same
/// places, and what one of two such gates lets through is what one gate with the values of both lets through.
fn parameter(gate: &Gate) -> Option<&str> {
    match gate.test {
        Test::Values {
            negated: false,
            first_only: false,
            ..
        } => Some(gate.label.split_once('=')?.0),
        _ => None,
    }
}

/// One gate for all of these, which are of one parameter.
fn any_of<'g>(mut gates: impl Iterator<Item = &'g Gate>) -> Gate {
    let mut one = gates.next().cloned().expect("a gate stands for at least one");
    for other in gates {
        one.label = format!("{} or {}", one.label, other.label);
        if let (
            Test::Values { paths, matchers, .. },
            Test::Values {
                paths: same,
                matchers: more,
                ..
            },
        ) = (&mut one.test, &other.test)
        {
            debug_assert!(paths == same, "gates of one name read the same places");
            matchers.extend_from_slice(more);
        }
    }
    one
}

#[cfg(test)]
mod tests {
    use crate::plan::Plan;
    use crate::request::Request;
    use crate::search::table::Registry;

    /// The ways of the filters, each as the labels of its gates.
    fn ways(type_name: &str, queries: &[&str]) -> Vec<Vec<String>> {
        let request = Request {
            type_filters: queries.iter().map(|query| format!("{type_name}?{query}")).collect(),
            ..Request::default()
        };
        let plan = Plan::compile(&request, &Registry::r4()).expect("valid filters");
        let index = plan.registry().type_index(type_name).expect("a type");
        let type_plan = plan.type_plan(index).expect("exported");
        assert_eq!(type_plan.filters.len(), queries.len(), "told as they were written");
        let gates: std::collections::BTreeSet<usize> = type_plan.ways.iter().flatten().copied().collect();
        assert_eq!(gates.len(), type_plan.gates.len(), "no gate without a way");
        let labels = |way: &Vec<usize>| way.iter().map(|&gate| type_plan.gates[gate].label.clone()).collect();
        type_plan.ways.iter().map(labels).collect()
    }

    #[test]
    fn filters_that_differ_in_one_condition_are_one() {
        assert_eq!(
            ways(
                "Patient",
                &["gender=male", "birthdate=1970", "gender=female,other", "gender=male"]
            ),
            [vec!["gender=male or gender=female,other"], vec!["birthdate=1970"]]
        );
        assert_eq!(
            ways(
                "Observation",
                &[
                    "code=a&date=ge2015",
                    "date=ge2015&code=b",
                    "code=c&status=final",
                    "code=d&date=ge2015&status=final",
                    "date=ge2016&code=b",
                ]
            ),
            [
                vec!["code=a or code=b", "date=ge2015"],
                vec!["status=final", "code=c"],
                vec!["code=d", "date=ge2015", "status=final"],
                vec!["date=ge2016", "code=b"],
            ]
        );
    }

    #[test]
    fn what_no_value_alone_decides_stays_apart() {
        let apart = [
            "gender:not=male",
            "gender:not=female",
            "birthdate:missing=true",
            "birthdate:missing=false",
            "name=a",
            "name:exact=a",
        ];
        assert_eq!(ways("Patient", &apart), apart.map(|label| vec![label.to_owned()]));
    }

    #[test]
    fn a_condition_that_comes_again_is_one_gate() {
        let found = ways(
            "Patient",
            &[
                "gender:not=male&name:missing=true",
                "gender:not=male&name:missing=false",
            ],
        );
        assert_eq!(found[0][0], found[1][0]);
        assert_eq!(found.len(), 2);
    }
}
