//! The newest Provenance is the greatest by three values, in whatever parts and order they come.

use arbitrary::{Arbitrary, Unstructured};
use fhirehose_core::newest::{Age, Newest};
use fhirehose_core::search::kind::date::{self, Nanos};

use super::tree::Tree;

#[derive(Arbitrary)]
struct Input<'a> {
    /// Which part each line falls to.
    parts: u16,
    /// Which of two targets each line has; bits of both may be set.
    targets: [u16; 2],
    bytes: &'a [u8],
}

pub fn check(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let lines: Vec<&[u8]> = super::lines(input.bytes).into_iter().take(16).collect();
    let ages: Vec<Age> = lines.iter().map(|line| Age::of_line(line)).collect();
    for order in [[0, 1], [1, 0]] {
        let mut parts = [Newest::default(), Newest::default()];
        for (at, age) in ages.iter().enumerate() {
            let part = &mut parts[usize::from(input.parts >> at & 1)];
            let number = part.age(age.clone());
            for (target, bits) in input.targets.iter().enumerate() {
                if bits >> at & 1 == 1 {
                    part.add(target, b"x", number);
                }
            }
        }
        let mut newest = std::mem::take(&mut parts[order[0]]);
        newest.merge(std::mem::take(&mut parts[order[1]]));
        for (target, bits) in input.targets.iter().enumerate() {
            let of_target = ages.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
            let greatest = of_target.map(|(_, age)| age).max();
            for age in &ages {
                assert_eq!(newest.is(target, b"x", age), Some(age) == greatest);
            }
        }
    }
    for (one, age) in lines.iter().zip(&ages) {
        for (other, other_age) in lines.iter().zip(&ages) {
            if let (Some(one), Some(other)) = (values(one), values(other)) {
                assert_eq!(age.cmp(other_age), one.cmp(&other));
            }
        }
    }
}

/// What a line is ordered by.
type Values = (Option<Nanos>, Option<Nanos>, Option<String>);

/// `None`: no object.
fn values(line: &[u8]) -> Option<Values> {
    let tree = Tree::of(line).filter(|tree| matches!(tree, Tree::Object(_)))?;
    let instant = |value: Option<&Tree>| Some(date::read(value?.text()?.as_bytes())?.interval.lo);
    let updated = tree.get("meta").and_then(|meta| meta.get("lastUpdated"));
    let id = tree.get("id").and_then(Tree::text).map(str::to_owned);
    Some((instant(tree.get("recorded")), instant(updated), id))
}
