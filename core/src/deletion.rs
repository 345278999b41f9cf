//! Lines of a `deleted` file: transaction Bundles whose entries say what was deleted (Bulk Data guide; SPEC 2.12).

use crate::quote::push_quoted;
use crate::record;
use crate::scan::json::{Json, Kind};
use crate::search::kind::date::Nanos;

/// Most entries of a line that [`lines`] writes.
pub const MOST_ENTRIES: usize = 100;

/// One resource that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Its type, as written: whether there is such a type is the caller's business.
    pub type_name: String,
    /// Its id.
    pub id: String,
    /// When, if the Bundle tells: the entry's `response.lastModified`, or else the Bundle's `timestamp`, or else its
    /// `meta.lastUpdated`.
    pub time: Option<Nanos>,
}

/// What a line turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Something else: another resource, or a Bundle in which nothing is deleted.
    NotDeletions,
    /// Deletions and nothing else; at least one.
    Deletions(Vec<Deletion>),
    /// A transaction that deletes something, but also holds an entry that does not, or deletes what is no `Type/id`.
    /// Nothing of it should be applied.
    Malformed,
}

/// Reads a line that the walker has accepted. `base` is the FHIR base of the data's own server: absolute URLs under it
/// equal relative ones.
///
/// ```
/// # use fhirehose_core::deletion::{Reading, lines, read};
/// let line = lines([("Patient", "p-1")]);
/// let Reading::Deletions(deletions) = read(line.as_bytes(), None) else { panic!("deletions") };
/// assert_eq!((deletions[0].type_name.as_str(), deletions[0].id.as_str()), ("Patient", "p-1"));
/// ```
pub fn read(line: &[u8], base: Option<&str>) -> Reading {
    let bundle = Json::new(line.trim_ascii());
    let says = |name: &str, wanted: &str| {
        bundle
            .get(name)
            .and_then(Json::text)
            .is_some_and(|text| text.is(wanted))
    };
    if !says("resourceType", "Bundle") || !says("type", "transaction") {
        return Reading::NotDeletions;
    }
    let whole = bundle.get("timestamp").and_then(time);
    let whole = whole.or_else(|| bundle.get("meta")?.get("lastUpdated").and_then(time));
    let mut found = Vec::new();
    let mut others = 0u64;
    let mut is_malformed = false;
    for entry in bundle.each_of("entry").filter(|entry| entry.kind() != Kind::Null) {
        let request = entry.get("request");
        let method = request.and_then(|request| request.get("method")?.text());
        if !method.is_some_and(|method| method.is("DELETE")) {
            others += 1;
            continue;
        }
        let url = request.and_then(|request| request.get("url")?.text());
        let url = url.map(|url| url.decode().into_owned()).unwrap_or_default();
        let own = entry.get("response").and_then(|response| response.get("lastModified"));
        match target(&url, base) {
            Some((type_name, id)) => found.push(Deletion {
                type_name: type_name.to_owned(),
                id: id.to_owned(),
                time: own.and_then(time).or(whole),
            }),
            None => is_malformed = true,
        }
    }
    match (found.is_empty() && !is_malformed, is_malformed || others > 0) {
        (true, _) => Reading::NotDeletions,
        (false, true) => Reading::Malformed,
        (false, false) => Reading::Deletions(found),
    }
}

fn time(value: Json<'_>) -> Option<Nanos> {
    value.text().and_then(record::time)
}

/// The type and id that a URL names; `None`: a search, a version, an operation or another server's.
fn target<'u>(url: &'u str, base: Option<&str>) -> Option<(&'u str, &'u str)> {
    let own = base.and_then(|base| url.strip_prefix(base.trim_end_matches('/'))?.strip_prefix('/'));
    let (type_name, id) = own.unwrap_or(url).split_once('/')?;
    let is_type = type_name.bytes().all(|byte| byte.is_ascii_alphabetic())
        && type_name.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase());
    (is_type && is_sayable(id)).then_some((type_name, id))
}

/// Whether an id can stand in a URL as it is: then a deletion of it can be written and is read again. All ids that FHIR
/// allows can, and those with `_` that some servers make.
pub fn is_sayable(id: &str) -> bool {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'@' | b'|');
    !id.is_empty() && id.bytes().all(is_plain)
}

/// Writes deletions of `(type, id)` as lines, newlines included: Bundles of at most [`MOST_ENTRIES`] entries. Empty if
/// there are none.
pub fn lines<'i>(ids: impl IntoIterator<Item = (&'i str, &'i str)>) -> String {
    let mut out = String::new();
    let mut entries = 0;
    for (type_name, id) in ids {
        out.push_str(match entries {
            0 => "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[",
            _ => ",",
        });
        out.push_str("{\"request\":{\"method\":\"DELETE\",\"url\":");
        push_quoted(&mut out, &format!("{type_name}/{id}"));
        out.push_str("}}");
        entries += 1;
        if entries == MOST_ENTRIES {
            out.push_str("]}\n");
            entries = 0;
        }
    }
    if entries > 0 {
        out.push_str("]}\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(entries: &str, more: &str) -> Reading {
        let line = format!(r#"{{"resourceType":"Bundle","type":"transaction"{more},"entry":[{entries}]}}"#);
        read(line.as_bytes(), Some("https://x/fhir/"))
    }

    fn delete(url: &str) -> String {
        format!(r#"{{"request":{{"method":"DELETE","url":"{url}"}}}}"#)
    }

    #[test]
    fn what_is_written_is_read_again() {
        let ids: Vec<String> = (0..250).map(|number| format!("a_b-{number}.c")).collect();
        let text = lines(ids.iter().map(|id| ("Observation", id.as_str())));
        let counts: Vec<usize> = text
            .lines()
            .map(|line| match read(line.as_bytes(), None) {
                Reading::Deletions(found) => found.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(counts, [100, 100, 50]);
        assert!(text.ends_with("]}\n"));
        assert_eq!(lines([]), "");
    }

    #[test]
    fn other_resources_are_not_deletions() {
        let cases = [
            r#"{"resourceType":"Patient","id":"a"}"#,
            r#"{"resourceType":"Bundle","type":"collection","entry":[{"request":{"method":"DELETE","url":"Patient/a"}}]}"#,
            r#"{"resourceType":"Bundle","type":"transaction"}"#,
            r#"{"resourceType":"Bundle","type":"transaction","entry":[]}"#,
            r#"{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"PUT","url":"Patient/a"}}]}"#,
            r#"{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:x"}]}"#,
            "",
        ];
        for line in cases {
            assert_eq!(read(line.as_bytes(), None), Reading::NotDeletions, "{line}");
        }
    }

    #[test]
    fn mixtures_and_what_is_no_type_and_id_are_malformed() {
        let put = r#"{"request":{"method":"PUT","url":"Patient/a"}}"#;
        assert_eq!(of(&format!("{},{put}", delete("Patient/a")), ""), Reading::Malformed);
        assert_eq!(of(&format!("{},{{}}", delete("Patient/a")), ""), Reading::Malformed);
        for url in [
            "",
            "Patient",
            "Patient/",
            "/Patient/a",
            "Patient/a/_history/1",
            "Patient?identifier=x",
            "Patient/a?x",
            "Patient/a b",
            "patient/a",
            "https://y/fhir/Patient/a",
            "https://x/fhirPatient/a",
            "urn:uuid:0",
        ] {
            assert_eq!(of(&delete(url), ""), Reading::Malformed, "{url}");
        }
        assert_eq!(of(r#"{"request":{"method":"DELETE"}}"#, ""), Reading::Malformed);
    }

    #[test]
    fn a_deletion_of_the_own_server_may_be_absolute() {
        let Reading::Deletions(found) = of(&delete("https://x/fhir/Patient/a"), "") else {
            panic!("deletions");
        };
        assert_eq!((found[0].type_name.as_str(), found[0].id.as_str()), ("Patient", "a"));
    }

    #[test]
    fn the_nearest_time_counts() {
        let time = |entry: &str, more: &str| match of(entry, more) {
            Reading::Deletions(found) => found[0].time.map(|at| at / 1_000_000_000),
            other => panic!("{other:?}"),
        };
        let own =
            r#"{"request":{"method":"DELETE","url":"Patient/a"},"response":{"lastModified":"1970-01-01T00:00:01Z"}}"#;
        let stamp = r#","timestamp":"1970-01-01T00:00:02Z""#;
        let meta = r#","meta":{"lastUpdated":"1970-01-01T00:00:03Z"}"#;
        let plain = delete("Patient/a");
        assert_eq!(time(own, &format!("{stamp}{meta}")), Some(1));
        assert_eq!(time(&plain, &format!("{stamp}{meta}")), Some(2));
        assert_eq!(time(&plain, meta), Some(3));
        assert_eq!(time(&plain, ""), None);
    }
}
