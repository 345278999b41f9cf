//! `Accept-Encoding`: which coding of a file a client gets.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;

/// How a file is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// As it is.
    Plain,
    /// As gzip, of one member or of several.
    Gzip,
}

/// How a file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// As it is.
    Identity,
    /// With `Content-Encoding: gzip`.
    Gzip,
}

/// The coding that the client likes best of those that the file is had in; nothing where it refuses all of them.
///
/// Without the header everything would be acceptable by RFC 9110, but clients that send none seldom inflate: they get
/// the file as it is. Files stored as they are are not compressed for anybody.
pub(super) fn choose(headers: &HeaderMap, stored: Stored) -> Option<Coding> {
    let lines: Vec<&str> = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let (mut identity, mut gzip, mut rest) = (None, None, None);
    for item in lines.iter().flat_map(|line| line.split(',')) {
        let Some((name, weight)) = item_of(item) else {
            continue;
        };
        // `x-gzip` is an old name of gzip.
        let slot = match name.to_ascii_lowercase().as_str() {
            "identity" => &mut identity,
            "gzip" | "x-gzip" => &mut gzip,
            "*" => &mut rest,
            _ => continue,
        };
        slot.get_or_insert(weight);
    }
    let gzip = match stored {
        Stored::Plain => 0,
        Stored::Gzip => gzip.or(rest).unwrap_or(0),
    };
    match identity.or(rest) {
        // Both are refused.
        Some(0) if gzip == 0 => None,
        Some(identity) if identity > gzip => Some(Coding::Identity),
        // Not named, it may be sent, but whatever is named is liked better.
        None if gzip == 0 => Some(Coding::Identity),
        _ => Some(Coding::Gzip),
    }
}

/// Name and weight, in thousandths; nothing where it is not written as RFC 9110 has it.
fn item_of(item: &str) -> Option<(&str, u16)> {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let weight = match (parts.next(), parts.next()) {
        (None, _) => 1000,
        (Some(text), None) => {
            let text = text.strip_prefix("q=").or_else(|| text.strip_prefix("Q="))?;
            thousandths(text)?
        }
        _ => return None,
    };
    Some((name, weight))
}

fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(stored: Stored, lines: &[&str]) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT_ENCODING, line.parse().expect("a header value"));
        }
        choose(&headers, stored)
    }

    #[test]
    fn gzip_is_sent_to_those_who_say_that_they_take_it() {
        for lines in [
            &["gzip"][..],
            &["GZIP"],
            &["x-gzip"],
            &["gzip, deflate, br"],
            &["br;q=1.0, gzip;q=0.5"],
            &["deflate", "gzip"],
            &["*"],
            &["*;q=0.1"],
            &["gzip;q=0.001"],
            &["identity;q=0.5, gzip;q=0.5"],
            &["identity;q=0, *"],
            &["gzip ; q=1.000"],
        ] {
            assert_eq!(chosen(Stored::Gzip, lines), Some(Coding::Gzip), "{lines:?}");
            let plain = chosen(Stored::Plain, lines);
            let is_refused = lines[0].starts_with("identity;q=0,");
            assert_eq!(plain, (!is_refused).then_some(Coding::Identity), "{lines:?}");
        }
    }

    #[test]
    fn identity_is_sent_to_everybody_else() {
        for lines in [
            &[][..],
            &[""],
            &["identity"],
            &["br, deflate"],
            &["gzip;q=0"],
            &["gzip;q=0.0, *"],
            &["identity, gzip;q=0.9"],
            &["gzip;q=2"],
            &["gzip;q=0.1234"],
            &["gzip;q=-1"],
            &["gzip;q=NaN"],
            &["gzip;level=1"],
            &["gzip;q=1;q=1"],
            &[";q=1"],
        ] {
            assert_eq!(chosen(Stored::Gzip, lines), Some(Coding::Identity), "{lines:?}");
            assert_eq!(chosen(Stored::Plain, lines), Some(Coding::Identity), "{lines:?}");
        }
    }

    #[test]
    fn a_client_that_refuses_all_there_is_gets_nothing() {
        for line in ["identity;q=0", "*;q=0", "identity;q=0, gzip;q=0", "br, *;q=0"] {
            assert_eq!(chosen(Stored::Gzip, &[line]), None, "{line}");
            assert_eq!(chosen(Stored::Plain, &[line]), None, "{line}");
        }
        assert_eq!(chosen(Stored::Plain, &["gzip, identity;q=0"]), None);
        assert_eq!(chosen(Stored::Plain, &["identity, *;q=0"]), Some(Coding::Identity));
    }
}
