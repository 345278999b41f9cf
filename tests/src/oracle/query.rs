//! The text of a filter: type, pairs, percent-decoding, lists, escapes, prefixes.

/// A filter as written: `Type?name:modifier=value&…`, decoded but not yet understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RawFilter {
    /// Resource type before the `?`.
    pub(crate) type_name: String,
    /// Everything after it.
    pub(crate) pairs: Vec<RawPair>,
}

/// One `name:modifier=value`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RawPair {
    /// Parameter code.
    pub(crate) name: String,
    /// What stands after the `:`.
    pub(crate) modifier: Option<String>,
    /// Value, percent-decoded, with its backslashes.
    pub(crate) value: String,
}

/// A comparison in front of a number, date or quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    /// Equal, also when nothing is written.
    Eq,
    /// Not equal.
    Ne,
    /// Greater.
    Gt,
    /// Less.
    Lt,
    /// Greater or equal.
    Ge,
    /// Less or equal.
    Le,
    /// Starts after.
    Sa,
    /// Ends before.
    Eb,
    /// Approximately.
    Ap,
}

impl Prefix {
    /// Takes a prefix off; it must stand before a digit or a sign.
    pub(crate) fn split(text: &str) -> (Prefix, &str) {
        let names = [
            ("eq", Prefix::Eq),
            ("ne", Prefix::Ne),
            ("gt", Prefix::Gt),
            ("lt", Prefix::Lt),
            ("ge", Prefix::Ge),
            ("le", Prefix::Le),
            ("sa", Prefix::Sa),
            ("eb", Prefix::Eb),
            ("ap", Prefix::Ap),
        ];
        for (name, prefix) in names {
            if let Some(rest) = text.strip_prefix(name)
                && rest.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-')
            {
                return (prefix, rest);
            }
        }
        (Prefix::Eq, text)
    }
}

/// Takes a filter apart.
pub(crate) fn parse_filter(text: &str) -> Result<RawFilter, String> {
    let Some((type_name, query)) = text.split_once('?') else {
        return Err(format!("'{text}' has no '?'"));
    };
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(format!("'{pair}' has no '='"));
        };
        let name = percent_decode(name)?;
        let value = percent_decode(value)?;
        let mut parts = name.split(':');
        let code = parts.next().unwrap_or_default().to_owned();
        let modifier = parts.next().map(str::to_owned);
        if parts.next().is_some() {
            return Err(format!("'{name}' has more than one modifier"));
        }
        if code.is_empty() || modifier.as_deref() == Some("") {
            return Err(format!("'{pair}' has no parameter or an empty modifier"));
        }
        pairs.push(RawPair {
            name: code,
            modifier,
            value,
        });
    }
    Ok(RawFilter {
        type_name: type_name.to_owned(),
        pairs,
    })
}

/// `%xx` once; `+` stays what it is.
fn percent_decode(text: &str) -> Result<String, String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            decoded.push(bytes[at]);
            at += 1;
            continue;
        }
        let hex = bytes
            .get(at + 1..at + 3)
            .filter(|hex| hex.iter().all(u8::is_ascii_hexdigit))
            .and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => decoded.push(byte),
            None => return Err(format!("'{text}' has a broken percent escape")),
        }
        at += 3;
    }
    String::from_utf8(decoded).map_err(|_| format!("'{text}' does not decode to UTF-8"))
}

/// The items of a value: split at `,`, empty ones left out.
pub(crate) fn items(value: &str) -> Result<Vec<String>, String> {
    check_escapes(value)?;
    let items: Vec<String> = split(value, ',').into_iter().filter(|item| !item.is_empty()).collect();
    if items.is_empty() {
        return Err("the value is empty".to_owned());
    }
    Ok(items)
}

/// Splits at a separator that no backslash protects. The pieces keep their backslashes.
pub(crate) fn split(text: &str, separator: char) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == separator && !escaped {
            pieces.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    pieces
}

/// Takes the backslashes off.
pub(crate) fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut escaped = false;
    for c in text.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            plain.push(c);
            escaped = false;
        }
    }
    plain
}

fn check_escapes(text: &str) -> Result<(), String> {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' && !matches!(chars.next(), Some(',' | '|' | '$' | '\\')) {
            return Err(format!("'{text}' has a backslash before an ordinary character"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, Option<String>, String)> {
        parse_filter(text)
            .expect(text)
            .pairs
            .into_iter()
            .map(|pair| (pair.name, pair.modifier, pair.value))
            .collect()
    }

    fn pair(name: &str, modifier: Option<&str>, value: &str) -> (String, Option<String>, String) {
        (name.to_owned(), modifier.map(str::to_owned), value.to_owned())
    }

    #[test]
    fn splits_at_the_first_question_mark_and_equals_sign() {
        assert_eq!(
            pairs("Observation?code=http://x?a=b|c&status=final"),
            vec![pair("code", None, "http://x?a=b|c"), pair("status", None, "final")]
        );
        assert_eq!(pairs("Patient?"), vec![]);
    }

    #[test]
    fn decodes_once_and_keeps_the_plus_sign() {
        assert_eq!(
            pairs("Observation?date=ge2020-01-01T00:00:00+01:00&code%3Anot=a%2526b%26c"),
            vec![
                pair("date", None, "ge2020-01-01T00:00:00+01:00"),
                pair("code", Some("not"), "a%26b&c")
            ]
        );
    }

    #[test]
    fn refuses_broken_filters() {
        for text in [
            "Patient",
            "Patient?active",
            "Patient?a=%",
            "Patient?a=%4",
            "Patient?a=%+1",
            "Patient?a=%ff",
            "Patient?a:b:c=d",
            "Patient?a:=d",
            "Patient?=d",
        ] {
            assert!(parse_filter(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_escaped_comma_is_text_and_a_bare_one_separates() {
        assert_eq!(items(r"a\,b,c").unwrap(), vec![r"a\,b", "c"]);
        // %5C%2C decodes to an escaped comma, %2C alone to a separator.
        assert_eq!(
            items(&percent_decode("a%5C%2Cb%2Cc").unwrap()).unwrap(),
            vec![r"a\,b", "c"]
        );
        assert_eq!(items(r"a\\,b").unwrap(), vec![r"a\\", "b"]);
        assert_eq!(unescape(r"a\,b\|c\$d\\e"), r"a,b|c$d\e");
        assert_eq!(split(r"a\|b|c", '|'), vec![r"a\|b", "c"]);
        assert_eq!(split(r"a\$b$c", '$'), vec![r"a\$b", "c"]);
    }

    #[test]
    fn empty_items_are_left_out_and_empty_values_refused() {
        assert_eq!(items("a,,b,").unwrap(), vec!["a", "b"]);
        assert!(items("").is_err());
        assert!(items(",,").is_err());
    }

    #[test]
    fn a_backslash_before_an_ordinary_character_is_refused() {
        assert!(items(r"xx\xx").is_err());
        assert!(items(r"xx\").is_err());
        assert!(items(r"xx\\").is_ok());
    }

    #[test]
    fn a_prefix_stands_before_a_digit_or_sign() {
        assert_eq!(Prefix::split("ge2020"), (Prefix::Ge, "2020"));
        assert_eq!(Prefix::split("lt-5"), (Prefix::Lt, "-5"));
        assert_eq!(Prefix::split("5"), (Prefix::Eq, "5"));
        assert_eq!(Prefix::split("GE2020"), (Prefix::Eq, "GE2020"));
        assert_eq!(Prefix::split("xx5"), (Prefix::Eq, "xx5"));
    }
}
