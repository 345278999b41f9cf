//! One `_typeFilter` as written: type, parameters, modifiers, values, with their places in the user's text.

use std::ops::Range;

use super::kind::ValueError;

/// A filter split into its parts; nothing is looked up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The resource type before the `?`.
    pub type_name: String,
    /// Place of the type.
    pub type_span: Range<usize>,
    /// The parameters, all of which must match.
    pub pairs: Vec<Pair>,
}

/// One `name[:modifier]=value,value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Name of the parameter, without modifier.
    pub name: String,
    /// Text behind the colon.
    pub modifier: Option<String>,
    /// Place of name and modifier.
    pub name_span: Range<usize>,
    /// The whole value, percent-decoded, still escaped.
    pub value: String,
    /// The alternatives, any of which may match; empty items are left out.
    pub items: Vec<Item>,
    /// Place of the pair.
    pub span: Range<usize>,
}

/// One alternative of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Percent-decoded, still escaped.
    pub text: String,
    /// For each byte of `text` its place in the user's text, and one more for the end.
    places: Vec<usize>,
}

impl Item {
    /// The place in the user's text of a range of this item.
    pub fn place(&self, span: Range<usize>) -> Range<usize> {
        let last = self.places.len() - 1;
        self.places[span.start.min(last)]..self.places[span.end.min(last)]
    }
}

/// A mistake in the form of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormError {
    /// What was expected.
    pub message: String,
    /// Where.
    pub span: Range<usize>,
}

fn form(message: &str, span: Range<usize>) -> FormError {
    FormError {
        message: message.to_owned(),
        span,
    }
}

/// Splits `Type?name=value&…`. All mistakes are told.
///
/// Names and values are percent-decoded once; a `+` stays a `+`, since dates carry offsets.
pub fn parse(text: &str) -> Result<Query, Vec<FormError>> {
    let Some(mark) = text.find('?') else {
        return Err(vec![form(
            "expected `Type?parameter=value`; there is no `?`",
            0..text.len(),
        )]);
    };
    let type_name = text[..mark].to_owned();
    if type_name.is_empty() {
        return Err(vec![form("expected a resource type before the `?`", 0..1)]);
    }
    if type_name.contains(['/', ':', '.']) {
        let message = "expected one resource type before the `?`, not a path or URL";
        return Err(vec![form(message, 0..mark)]);
    }
    let mut errors = Vec::new();
    let mut pairs = Vec::new();
    let mut start = mark + 1;
    for part in text[start..].split('&') {
        let span = start..start + part.len();
        start = span.end + 1;
        if part.is_empty() {
            continue;
        }
        match pair(part, span) {
            Ok(pair) => pairs.push(pair),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(Query {
            type_name,
            type_span: 0..mark,
            pairs,
        })
    } else {
        Err(errors)
    }
}

fn pair(part: &str, span: Range<usize>) -> Result<Pair, FormError> {
    let Some(equals) = part.find('=') else {
        return Err(form("expected `parameter=value`; there is no `=`", span));
    };
    let name_span = span.start..span.start + equals;
    let (full_name, _) = percent_decode(&part[..equals], span.start)?;
    let (name, modifier) = match full_name.split_once(':') {
        Some((name, modifier)) => (name.to_owned(), Some(modifier.to_owned())),
        None => (full_name, None),
    };
    if name.is_empty() {
        return Err(form("expected the name of a search parameter before the `=`", span));
    }
    let (value, places) = percent_decode(&part[equals + 1..], span.start + equals + 1)?;
    let items: Vec<Item> = split(&value, ',')
        .into_iter()
        .filter(|range| !range.is_empty())
        .map(|range| Item {
            text: value[range.clone()].to_owned(),
            places: places[range.start..=range.end].to_vec(),
        })
        .collect();
    if items.is_empty() {
        return Err(form(
            "the value is empty; leave the parameter out or give a value",
            span,
        ));
    }
    Ok(Pair {
        name,
        modifier,
        name_span,
        value,
        items,
        span,
    })
}

/// Decodes `%41` once. Returns the text and the place of each of its bytes.
fn percent_decode(text: &str, offset: usize) -> Result<(String, Vec<usize>), FormError> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut places = Vec::with_capacity(bytes.len() + 1);
    let mut at = 0;
    while at < bytes.len() {
        places.push(offset + at);
        if bytes[at] != b'%' {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let digits = bytes.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        let value = digits.filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match value.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => out.push(byte),
            None => {
                let end = (offset + at + 3).min(offset + text.len());
                return Err(form(
                    "expected two hexadecimal digits after `%`; a literal `%` is written `%25`",
                    offset + at..end,
                ));
            }
        }
        at += 3;
    }
    places.push(offset + text.len());
    let message = "the percent-encoded bytes are not UTF-8";
    String::from_utf8(out)
        .map(|out| (out, places))
        .map_err(|_| form(message, offset..offset + text.len()))
}

/// Splits at a separator that no backslash stands before. At least one piece.
pub fn split(text: &str, separator: char) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if character == separator {
            pieces.push(start..at);
            start = at + separator.len_utf8();
        }
    }
    pieces.push(start..text.len());
    pieces
}

/// Takes the backslashes out of one piece. One before anything but `,` `|` `$` `\` is a mistake.
pub fn unescape(text: &str, piece: Range<usize>) -> Result<String, ValueError> {
    let mut out = String::with_capacity(piece.len());
    let mut characters = text[piece.clone()].char_indices();
    while let Some((at, character)) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some((_, escaped @ (',' | '|' | '$' | '\\'))) => out.push(escaped),
            _ => {
                let start = piece.start + at;
                let message = r"a backslash may only stand before `,` `|` `$` or `\`".to_owned();
                return Err(ValueError {
                    message,
                    span: start..start + 1,
                });
            }
        }
    }
    Ok(out)
}

/// Splits a comma list of filters: only a comma before a known `Type?` separates; every other belongs to a value.
pub fn split_filters(text: &str, is_type: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(',') {
        let rest = text[at + 1..].trim_start();
        let (type_name, behind) = rest.split_at(rest.bytes().take_while(u8::is_ascii_alphanumeric).count());
        let backslashes = text[..at].bytes().rev().take_while(|&byte| byte == b'\\').count();
        if behind.starts_with('?') && is_type(type_name) && backslashes % 2 == 0 {
            pieces.push(start..at);
            start = text.len() - rest.len();
        }
    }
    pieces.push(start..text.len());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_into_pairs_and_items() {
        let query = parse("Observation?code:not=a,b\\,c,,d&date=ge2020-01-01T00:00:00+01:00&x=a=b").expect("valid");
        assert_eq!(query.type_name, "Observation");
        let items = |pair: &Pair| pair.items.iter().map(|item| item.text.clone()).collect::<Vec<_>>();
        assert_eq!(items(&query.pairs[0]), ["a", "b\\,c", "d"]);
        assert_eq!(query.pairs[0].modifier.as_deref(), Some("not"));
        assert_eq!(items(&query.pairs[1]), ["ge2020-01-01T00:00:00+01:00"]);
        assert_eq!(items(&query.pairs[2]), ["a=b"]);
        assert!(parse("Patient?").expect("valid").pairs.is_empty());
    }

    #[test]
    fn percent_decoding_comes_before_splitting() {
        let query = parse("Patient?identifier=a%2Cb%5C%2Cc%26%25").expect("valid");
        assert_eq!(query.pairs[0].items[0].text, "a");
        assert_eq!(query.pairs[0].items[1].text, "b\\,c&%");
        // The place of `c` in the user's text.
        assert_eq!(query.pairs[0].items[1].place(3..4), 30..31);
    }

    #[test]
    fn mistakes_have_places() {
        let errors = parse("Patient?name&x=%4&=1&status=&y=,,").expect_err("four mistakes");
        let spans: Vec<_> = errors.iter().map(|error| error.span.clone()).collect();
        assert_eq!(spans, [8..12, 15..17, 18..20, 21..28, 29..33]);
        for bad in ["Patient", "?name=x", "Patient/1?name=x", "http://x/Patient?name=x", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_the_four_separators_are_escaped() {
        let whole = |text: &str| unescape(text, 0..text.len());
        assert_eq!(whole(r"a\,b\|c\$d\\e").as_deref(), Ok(r"a,b|c$d\e"));
        assert_eq!(whole(r"xx\xx").map_err(|error| error.span), Err(2..3));
        assert!(whole(r"end\").is_err());
        assert_eq!(split(r"a\|b|c\\|d", '|'), [0..4, 5..8, 9..10]);
    }

    #[test]
    fn a_comma_splits_filters_only_before_a_type() {
        let known = |name: &str| ["Patient", "Practitioner"].contains(&name);
        let parts = |text: &'static str| {
            split_filters(text, known)
                .into_iter()
                .map(|r| &text[r])
                .collect::<Vec<_>>()
        };
        assert_eq!(
            parts("Patient?identifier=foo,bar,Practitioner?identifier=zoo"),
            ["Patient?identifier=foo,bar", "Practitioner?identifier=zoo"]
        );
        assert_eq!(parts("Patient?x=a, Patient?y=b"), ["Patient?x=a", "Patient?y=b"]);
        assert_eq!(parts("Patient?x=a,Foo?y=b"), ["Patient?x=a,Foo?y=b"]);
        assert_eq!(parts("Patient?x=Patient"), ["Patient?x=Patient"]);
    }
}
