//! Examples made from rows of the search tables: for every path a value that a filter keeps, and one that it drops.

use fhirehose_core::search::table::{Component, Param, PathSpec, Registry, SearchType, Where, WhereTest};
use serde_json::{Map, Value, json};

/// A filter, a resource that it keeps, and one that it drops.
#[derive(Clone, Debug)]
pub struct Example {
    /// The filter.
    pub filter: String,
    /// Kept.
    pub positive: Value,
    /// Dropped.
    pub negative: Value,
}

/// A value that a search keeps, one that it drops, and the search.
struct Pair {
    search: &'static str,
    keep: Value,
    drop: Value,
}

fn pair(search: &'static str, keep: Value, drop: Value) -> Option<Pair> {
    Some(Pair { search, keep, drop })
}

/// One example for every path of a row that its search type reads; none if it reads none.
#[must_use]
pub fn of_row(registry: &Registry, type_name: &str, param: &Param) -> Vec<Example> {
    if param.kind == SearchType::Composite {
        return composites(type_name, param);
    }
    if param.rule.is_some() {
        return param
            .paths
            .iter()
            .map(|path| computed(type_name, param, path))
            .collect();
    }
    let mut examples = Vec::new();
    for path in &param.paths {
        let target = path.ref_is.as_deref().or(param.targets.first().map(String::as_str));
        let implied = registry.implied_system(type_name, &path.names.join("."));
        let own = if path.names.last().is_some_and(|name| name == "id") && path.names.len() == 1 {
            pair("a-1", json!("a-1"), json!("A-1"))
        } else {
            values(param.kind, &path.leaf, target)
        };
        let Some(Pair { search, keep, drop }) = own else {
            continue;
        };
        let example = |search: &str, keep: &Value, drop: &Value| Example {
            filter: format!("{type_name}?{}={search}", param.code),
            positive: resource(type_name, path, keep.clone()),
            negative: resource(type_name, path, drop.clone()),
        };
        examples.push(example(search, &keep, &drop));
        if let Some(implied) = implied
            && let [only] = implied.systems.as_slice()
            && path.leaf == "code"
            && param.kind == SearchType::Token
        {
            examples.push(example(&format!("{only}|{search}"), &keep, &drop));
        }
        if let Some(WhereTest::Member(..) | WhereTest::Extension(_)) = path.wheres.first().map(|test| &test.test) {
            // The right value in the wrong place: the test of the path is not met.
            examples.push(Example {
                negative: without_tests(type_name, path, keep.clone()),
                ..example(search, &keep, &drop)
            });
        }
    }
    examples
}

/// The search text, the value that it keeps and the value that it drops, for a datatype under a search type.
fn values(kind: SearchType, leaf: &str, target: Option<&str>) -> Option<Pair> {
    match kind {
        SearchType::Token => token(leaf),
        SearchType::String => string(leaf),
        SearchType::Date => date(leaf),
        SearchType::Number => number(leaf),
        SearchType::Quantity => quantity(leaf),
        SearchType::Reference => reference(leaf, target.unwrap_or("Patient")),
        SearchType::Uri => match leaf {
            "uri" | "url" | "oid" | "uuid" | "canonical" => pair(
                "http://example.org/a",
                json!("http://example.org/a"),
                json!("http://example.org/A"),
            ),
            _ => None,
        },
        SearchType::Composite | SearchType::Special => None,
    }
}

fn token(leaf: &str) -> Option<Pair> {
    let coding = |code: &str| json!({"system": "http://example.org/s", "code": code});
    match leaf {
        "Coding" => pair("http://example.org/s|one", coding("one"), coding("two")),
        "CodeableConcept" => pair(
            "http://example.org/s|one",
            json!({"coding": [coding("other"), coding("one")]}),
            json!({"coding": [coding("two")], "text": "one"}),
        ),
        "CodeableReference" => pair(
            "http://example.org/s|one",
            json!({"concept": {"coding": [coding("one")]}}),
            json!({"concept": {"coding": [coding("two")]}}),
        ),
        "Identifier" => pair(
            "http://example.org/s|one",
            json!({"system": "http://example.org/s", "value": "one"}),
            json!({"system": "http://example.org/t", "value": "one"}),
        ),
        "ContactPoint" => pair("one", json!({"value": "one"}), json!({"value": "two"})),
        "boolean" => pair("true", json!(true), json!(false)),
        "code" | "string" | "markdown" => pair("one", json!("one"), json!("two")),
        "id" | "uri" | "url" | "oid" | "uuid" | "canonical" => pair("one", json!("one"), json!("ONE")),
        _ => None,
    }
}

fn string(leaf: &str) -> Option<Pair> {
    match leaf {
        "string" | "markdown" | "code" | "id" | "uri" | "url" => pair("mun", json!("Münster"), json!("Bemünster")),
        "HumanName" => pair(
            "mun",
            json!({"family": "Münster", "given": ["Bea"]}),
            json!({"family": "Bemün", "given": ["Bea"]}),
        ),
        "Address" => pair(
            "mun",
            json!({"city": "Münster"}),
            json!({"city": "Berlin", "use": "mun"}),
        ),
        "CodeableConcept" => pair("mun", json!({"text": "Münster"}), json!({"text": "Berlin"})),
        _ => None,
    }
}

fn date(leaf: &str) -> Option<Pair> {
    match leaf {
        "date" | "dateTime" => pair("2020-05", json!("2020-05-31"), json!("2020-06-01")),
        "instant" => pair(
            "2020-05",
            json!("2020-05-31T23:59:59.999Z"),
            json!("2020-06-01T00:00:00Z"),
        ),
        "Period" => pair(
            "2020-05",
            json!({"start": "2020-05-01", "end": "2020-05-31"}),
            json!({"start": "2020-05-01", "end": "2020-06-01"}),
        ),
        "Timing" => pair(
            "2020-05",
            json!({"event": ["2020-05-31", "2020-05-01"]}),
            json!({"event": ["2020-05-31", "2020-06-01"]}),
        ),
        _ => None,
    }
}

fn number(leaf: &str) -> Option<Pair> {
    match leaf {
        "decimal" => pair("gt5", json!(5.5), json!(5)),
        "integer" | "positiveInt" | "unsignedInt" | "integer64" => pair("gt5", json!(6), json!(5)),
        "Range" => pair(
            "gt5",
            json!({"low": {"value": 1}, "high": {"value": 6}}),
            json!({"low": {"value": 1}, "high": {"value": 5}}),
        ),
        _ => None,
    }
}

fn quantity(leaf: &str) -> Option<Pair> {
    let of = |value: u32| json!({"value": value, "system": "http://unitsofmeasure.org", "code": "mg"});
    match leaf {
        "Money" => pair(
            "5||EUR",
            json!({"value": 5.00, "currency": "EUR"}),
            json!({"value": 5.00, "currency": "USD"}),
        ),
        "Range" => pair(
            "gt5||mg",
            json!({"low": of(1), "high": of(6)}),
            json!({"low": of(1), "high": of(5)}),
        ),
        "Quantity" | "SimpleQuantity" | "Age" | "Duration" | "Count" | "Distance" | "MoneyQuantity" => {
            pair("gt5|http://unitsofmeasure.org|mg", of(6), of(5))
        }
        _ => None,
    }
}

fn reference(leaf: &str, target: &str) -> Option<Pair> {
    let to = |id: &str| json!({"reference": format!("{target}/{id}")});
    match leaf {
        "Reference" => pair("one", to("one"), to("two")),
        "CodeableReference" => pair("one", json!({"reference": to("one")}), json!({"reference": to("two")})),
        // The text inside a reference (`Encounter.location.location.reference` in R5).
        "string" => pair("one", json!(format!("{target}/one")), json!(format!("{target}/two"))),
        "canonical" => pair(
            "http://example.org/a",
            json!("http://example.org/a|1.0"),
            json!("http://example.org/b|1.0"),
        ),
        "uri" => pair(
            "http://example.org/a",
            json!("http://example.org/a"),
            json!("http://example.org/b"),
        ),
        "Resource" | "Composition" | "MessageHeader" => {
            let of = |id: &str| json!({"resourceType": target, "id": id});
            pair("one", of("one"), of("two"))
        }
        _ => None,
    }
}

fn computed(type_name: &str, param: &Param, path: &PathSpec) -> Example {
    let value = if path.leaf == "boolean" {
        json!(true)
    } else {
        json!("2020-01-01")
    };
    Example {
        filter: format!("{type_name}?{}=true", param.code),
        positive: resource(type_name, path, value),
        negative: json!({"resourceType": type_name}),
    }
}

/// One example for each base and each path of the second part: the parts on one element, and on two.
fn composites(type_name: &str, param: &Param) -> Vec<Example> {
    let mut examples = Vec::new();
    for base in &param.paths {
        let made: Option<Vec<(String, Value, Value)>> = param
            .components
            .iter()
            .map(|part| part_of(type_name, base, part))
            .collect();
        let Some(parts) = made else { continue };
        let search: Vec<&str> = parts.iter().map(|(search, ..)| search.as_str()).collect();
        let mut positive = json!({"resourceType": type_name});
        let mut negative = positive.clone();
        for (at, (_, keep, drop)) in parts.iter().enumerate() {
            merge(&mut positive, keep.clone());
            // All parts but the last are right.
            merge(&mut negative, if at + 1 == parts.len() { drop } else { keep }.clone());
        }
        examples.push(Example {
            filter: format!("{type_name}?{}={}", param.code, search.join("$")),
            positive,
            negative,
        });
    }
    examples
}

/// A part: its search text, and resources that hold the value to keep and the one to drop.
fn part_of(type_name: &str, base: &PathSpec, part: &Component) -> Option<(String, Value, Value)> {
    part.paths.iter().find_map(|path| {
        let own = values(part.kind, &path.leaf, path.ref_is.as_deref())?;
        let mut whole = path.clone();
        if !path.root {
            whole.names = base.names.iter().chain(&path.names).cloned().collect();
            let moved = path.wheres.iter().map(|test| Where {
                at: test.at + base.names.len(),
                test: test.test.clone(),
            });
            whole.wheres = base.wheres.iter().cloned().chain(moved).collect();
        }
        Some((
            own.search.to_owned(),
            resource(type_name, &whole, own.keep),
            resource(type_name, &whole, own.drop),
        ))
    })
}

/// A resource that holds a value at the end of a path, with what the tests on the way ask for.
#[must_use]
pub fn resource(type_name: &str, path: &PathSpec, value: Value) -> Value {
    built(type_name, path, value, &path.wheres)
}

fn without_tests(type_name: &str, path: &PathSpec, value: Value) -> Value {
    built(type_name, path, value, &[])
}

fn built(type_name: &str, path: &PathSpec, value: Value, wheres: &[Where]) -> Value {
    let mut made = tested(value, wheres, path.names.len());
    for (at, name) in path.names.iter().enumerate().rev() {
        made = tested(json!({ name: made }), wheres, at);
    }
    let mut root = Map::from_iter([("resourceType".to_owned(), json!(type_name))]);
    if let Value::Object(members) = made {
        root.extend(members);
    }
    Value::Object(root)
}

/// Adds to an element what the tests at its depth ask for.
fn tested(mut element: Value, wheres: &[Where], at: usize) -> Value {
    for test in wheres.iter().filter(|test| test.at == at) {
        match &test.test {
            WhereTest::Member(names, text) => {
                let member = names
                    .iter()
                    .rev()
                    .fold(json!(text), |inner, name| json!({ name: inner }));
                merge(&mut element, member);
            }
            WhereTest::Extension(url) => {
                merge(&mut element, json!({"extension": [{"url": url}]}));
            }
            WhereTest::Index(_) => {}
        }
    }
    element
}

/// Adds the members of one object to another, member by member.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                match into.get_mut(&name) {
                    Some(present) => merge(present, value),
                    None => {
                        into.insert(name, value);
                    }
                }
            }
        }
        (into, from) => *into = from,
    }
}
