//! Choice elements: `x[x]` in each of the types it may take.

use crate::codes::{DAYS, FINDINGS, Unit, YEARS};
use crate::datatypes::{concept, period, quantity, range, ratio, sampled, timing};
use crate::dates::{DAY, date, date_time, instant};
use crate::pen::{Pen, put};
use crate::text::sentence;

/// The variants a choice element `x[x]` can take.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Choice {
    DateTime,
    Date,
    Instant,
    Time,
    Period,
    Timing,
    Text,
    Age,
    Duration,
    Range,
    Ratio,
    Quantity,
    Concept,
    Boolean,
    Integer,
    Decimal,
    Sampled,
}

/// Appends `,"name<Type>":` and a value of one of the `variants`, about the moment `at`, in units of `unit`.
pub(crate) fn choice(pen: &mut Pen, name: &str, variants: &[Choice], at: i64, unit: Unit) {
    let variant = if pen.varied {
        pen.rng.pick(variants)
    } else {
        variants[0]
    };
    put!(pen, ",\"", name);
    match variant {
        Choice::DateTime => {
            let stamp = date_time(pen, at);
            put!(pen, r#"DateTime":""#, stamp, "\"");
        }
        Choice::Date => {
            let stamp = date(pen, at);
            put!(pen, r#"Date":""#, stamp, "\"");
        }
        Choice::Instant => {
            let stamp = instant(pen, at);
            put!(pen, r#"Instant":""#, stamp, "\"");
        }
        Choice::Time => put!(pen, r#"Time":"14:30:05""#),
        Choice::Period => {
            put!(pen, "Period\":");
            period(pen, at, 30 * DAY);
        }
        Choice::Timing => {
            put!(pen, "Timing\":");
            timing(pen, at);
        }
        Choice::Text => {
            put!(pen, "String\":\"");
            sentence(pen);
            put!(pen, "\"");
        }
        Choice::Boolean => {
            let truth = pen.rng.percent(50);
            put!(pen, "Boolean\":", truth);
        }
        Choice::Integer => {
            let number = pen.rng.between(-5, 300);
            put!(pen, "Integer\":", number);
        }
        Choice::Decimal => {
            put!(pen, "Decimal\":");
            probability(pen);
        }
        Choice::Concept => {
            let code = pen.rng.pick(&FINDINGS);
            put!(pen, "CodeableConcept\":");
            concept(pen, code);
        }
        Choice::Age | Choice::Duration | Choice::Range | Choice::Ratio | Choice::Quantity | Choice::Sampled => {
            measured(pen, variant, unit);
        }
    }
}

fn measured(pen: &mut Pen, variant: Choice, unit: Unit) {
    match variant {
        Choice::Age => {
            put!(pen, "Age\":");
            quantity(pen, YEARS);
        }
        Choice::Duration => {
            put!(pen, "Duration\":");
            quantity(pen, DAYS);
        }
        Choice::Range => {
            put!(pen, "Range\":");
            range(pen, unit);
        }
        Choice::Ratio => {
            put!(pen, "Ratio\":");
            ratio(pen, unit);
        }
        Choice::Sampled => {
            put!(pen, "SampledData\":");
            sampled(pen);
        }
        _ => {
            put!(pen, "Quantity\":");
            quantity(pen, unit);
        }
    }
}

/// Appends a decimal between 0 and 1 in one of several spellings.
pub(crate) fn probability(pen: &mut Pen) {
    let thousandths = pen.rng.below(1000);
    match if pen.varied { pen.rng.below(8) } else { 7 } {
        0 => put!(pen, "0.50"),
        1 => put!(pen, "1.0E-3"),
        2 => put!(pen, "1"),
        3 => put!(pen, thousandths, "e-3"),
        _ => put!(pen, "0.", thousandths / 100, thousandths / 10 % 10, thousandths % 10),
    }
}
