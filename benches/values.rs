//! Reading single values, as a filter does once it has found them: dates, numbers, text.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fhirehose_benches::{Data, floor, timing};
use fhirehose_core::scan::json::Json;
use fhirehose_core::search::kind::date::{self, DateMatcher};
use fhirehose_core::search::kind::number::NumberMatcher;
use fhirehose_core::search::kind::string::fold;
use fhirehose_core::search::leaf::Leaf;
use serde_json::Value;

/// Values of the lines of a type, one a line, as they stand in the JSON; repeated until there are enough to measure.
fn values(data: &Data, type_name: &str, pointers: &[&str]) -> Vec<u8> {
    const ENOUGH: usize = 64 << 10;
    let mut found = Vec::new();
    for line in data
        .of(type_name)
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let resource: Value = serde_json::from_slice(line).expect("a sample line is JSON");
        for value in pointers.iter().filter_map(|pointer| resource.pointer(pointer)) {
            found.extend(value.to_string().into_bytes());
            found.push(b'\n');
        }
        if found.len() >= ENOUGH {
            break;
        }
    }
    assert!(
        !found.is_empty(),
        "no sample line of {type_name} has any of {pointers:?}"
    );
    found.repeat(ENOUGH.div_ceil(found.len()))
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
}

fn dates(criterion: &mut Criterion, data: &Data) {
    let text = values(
        data,
        "Observation",
        &["/effectiveDateTime", "/issued", "/meta/lastUpdated"],
    );
    let count = lines(&text).count();
    let mut group = criterion.benchmark_group("values/date");
    floor::add(&mut group, data.name(), &text);
    group.bench_function(format!("{}/read", data.name()), |bencher| {
        bencher.iter(|| {
            let quoted = lines(black_box(&text));
            let read = quoted
                .filter_map(|value| date::read(&value[1..value.len() - 1]))
                .count();
            assert_eq!(read, count);
        });
    });
    let matcher = DateMatcher::parse("ge1800", None).expect("a date");
    group.bench_function(format!("{}/match", data.name()), |bencher| {
        bencher.iter(|| {
            let matched = lines(black_box(&text)).filter(|value| matcher.matches(Leaf::Date, Json::new(value)));
            assert_eq!(matched.count(), count);
        });
    });
    group.finish();
}

fn numbers(criterion: &mut Criterion, data: &Data) {
    let text = values(data, "Observation", &["/valueQuantity/value"]);
    let as_float = |value: &[u8]| std::str::from_utf8(value).ok()?.parse::<f64>().ok();
    let count = lines(&text)
        .filter(|value| as_float(value).is_some_and(|value| value >= 50.0))
        .count();
    assert!(count > 0);
    let matcher = NumberMatcher::parse("ge50").expect("a number");
    let mut group = criterion.benchmark_group("values/number");
    floor::add(&mut group, data.name(), &text);
    group.bench_function(format!("{}/match", data.name()), |bencher| {
        bencher.iter(|| {
            let matched = lines(black_box(&text)).filter(|value| matcher.matches(Leaf::Decimal, Json::new(value)));
            assert_eq!(matched.count(), count);
        });
    });
    group.finish();
}

fn text(criterion: &mut Criterion, data: &Data) {
    let names = values(
        data,
        "Patient",
        &[
            "/name/0/family",
            "/name/0/given/0",
            "/address/0/city",
            "/address/0/line/0",
        ],
    );
    let names = String::from_utf8(names).expect("sample lines are UTF-8");
    let lower = names
        .to_lowercase()
        .lines()
        .filter(|name| name.starts_with("\"a"))
        .count();
    assert!(lower > 0);
    let mut group = criterion.benchmark_group("values/text");
    floor::add(&mut group, data.name(), names.as_bytes());
    group.bench_function(format!("{}/fold", data.name()), |bencher| {
        bencher.iter(|| {
            let folded = black_box(&names).lines().filter(|name| fold(name).starts_with('a'));
            assert_eq!(folded.count(), lower);
        });
    });
    group.finish();
}

fn all(criterion: &mut Criterion) {
    let data = Data::load();
    dates(criterion, &data);
    numbers(criterion, &data);
    text(criterion, &data);
}

criterion_group! { name = benches; config = timing(); targets = all }
criterion_main!(benches);
