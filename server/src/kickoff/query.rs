//! The query of a kick-off's URL into names and values, decoded once.

use std::ops::Range;

use fhirehose_core::problem::Problem;

use super::decide::Situation;
use super::fault::{Fault, Place};
use super::given::{Content, Raw};
use crate::profile::ServerProfile;

/// Splits and decodes. What cannot be decoded is told, whatever its name.
pub(super) fn read<'a>(query: &str, profile: &ServerProfile, faults: &mut Vec<Fault>) -> Vec<Raw<'a>> {
    let mut found = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = decode(name).map_err(|bad| (name, bad));
        let both = decoded.and_then(|name| match decode(value) {
            Ok(value) => Ok((name, value)),
            Err(bad) => Err((value, bad)),
        });
        match both {
            Ok((name, value)) => found.push(Raw {
                place: Place::Query(name.clone()),
                name,
                content: Content::Text(value),
            }),
            Err((text, bad)) => {
                let problem = Problem {
                    span: bad.span,
                    ..Problem::whole("query", text, format!("in `{}`: {}", shown(name), bad.message))
                };
                let place = Place::Query(name.to_owned());
                faults.push(Fault::new(Situation::Unreadable, profile, problem, place));
            }
        }
    }
    found
}

fn shown(name: &str) -> String {
    name.chars().take(60).collect()
}

#[derive(Debug, PartialEq)]
struct Bad {
    span: Range<usize>,
    message: &'static str,
}

/// Percent-decodes. A `+` is a blank, as forms and most clients write it, unless an offset follows a digit: then it is the
/// sign of a time, which hand-written URLs often leave bare.
fn decode(text: &str) -> Result<String, Bad> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let Some(value) = hex(bytes.get(at + 1..at + 3)) else {
                    let end = (at + 1..=at + 3).rev().find(|end| text.is_char_boundary(*end));
                    return Err(Bad {
                        span: at..end.unwrap_or(at + 1).min(text.len()),
                        message: "a `%` needs two hexadecimal digits behind it; the sign itself is written `%25`",
                    });
                };
                out.push(value);
                at += 3;
                continue;
            }
            b'+' if out.last().is_some_and(u8::is_ascii_digit) && is_offset(&bytes[at + 1..]) => out.push(b'+'),
            b'+' => out.push(b' '),
            other => out.push(other),
        }
        at += 1;
    }
    String::from_utf8(out).map_err(|_| Bad {
        span: 0..text.len(),
        message: "what is percent-encoded is not UTF-8",
    })
}

fn hex(digits: Option<&[u8]>) -> Option<u8> {
    let [high, low] = digits? else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// `hh:mm`, the colon bare or encoded, and no digit behind it.
fn is_offset(bytes: &[u8]) -> bool {
    let two_digits = |bytes: &[u8]| bytes.len() >= 2 && bytes[..2].iter().all(u8::is_ascii_digit);
    if !two_digits(bytes) {
        return false;
    }
    let rest = &bytes[2..];
    let minutes = match rest {
        [b':', minutes @ ..] | [b'%', b'3', b'A' | b'a', minutes @ ..] => minutes,
        _ => return false,
    };
    two_digits(minutes) && !minutes.get(2).is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> String {
        decode(text).expect("well formed")
    }

    #[test]
    fn percent_signs_are_decoded_once() {
        assert_eq!(decoded("a%2Cb%252C%C3%A4"), "a,b%2Cä");
        assert_eq!(decode("a%4").map_err(|bad| bad.span), Err(1..3));
        assert_eq!(decode("%zz").map_err(|bad| bad.span), Err(0..3));
        assert_eq!(decode("x%ä").map_err(|bad| bad.span), Err(1..4));
        assert_eq!(decode("x%").map_err(|bad| bad.span), Err(1..2));
        assert_eq!(decode("%ff").map_err(|bad| bad.span), Err(0..3));
    }

    #[test]
    fn a_plus_is_a_blank_but_in_times() {
        assert_eq!(decoded("application/fhir+ndjson"), "application/fhir ndjson");
        assert_eq!(decoded("2020-01-01T00:00:00+01:00"), "2020-01-01T00:00:00+01:00");
        assert_eq!(decoded("2020-01-01T00%3A00%3A00+01%3A00"), "2020-01-01T00:00:00+01:00");
        assert_eq!(decoded("2020-01-01T00:00:00%2B01:00"), "2020-01-01T00:00:00+01:00");
        assert_eq!(
            decoded("Observation%3Fdate%3Dge2020-01-01T00:00:00+01:00,x+y"),
            "Observation?date=ge2020-01-01T00:00:00+01:00,x y"
        );
        assert_eq!(decoded("1+1"), "1 1");
    }
}
