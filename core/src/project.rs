//! `_elements` on one kept line: members that are not asked for go, everything else stays byte for byte.

use smallvec::SmallVec;

use crate::error::BadLine;
use crate::plan::elements::Elements;
use crate::scan::json::{Json, Kind};
use crate::scan::text::Text;

/// The tag that tells a reader that something was left out.
const TAG: &str = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}"#;
const TAG_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
const TAG_CODE: &str = "SUBSETTED";

/// Members of a resource that need no memory of their own; more than any type of R5 has.
const MOST_USUAL: usize = 64;

/// A member of the resource.
struct Member<'a> {
    name: Text<'a>,
    mark: u64,
    value: &'a [u8],
    stays: bool,
}

/// The length and the first bytes of a name: most names that differ differ in it, and it costs no call to compare.
fn mark(name: &[u8]) -> u64 {
    let mut mark = [0; 8];
    match name.first_chunk::<7>() {
        Some(first) => mark[..7].copy_from_slice(first),
        None => mark.iter_mut().zip(name).for_each(|(place, byte)| *place = *byte),
    }
    mark[7] = name.len() as u8;
    u64::from_le_bytes(mark)
}

/// Appends the line without what `elements` leaves out, tagged SUBSETTED. `false`: nothing is left out, the line stays
/// as it is. The line has been checked; blanks around it are not copied.
pub fn project(elements: &Elements, line: &[u8], out: &mut Vec<u8>) -> Result<bool, BadLine> {
    let mut rest = Json::new(line.trim_ascii()).members();
    let mut members: SmallVec<[Member<'_>; MOST_USUAL]> = SmallVec::new();
    while let Some((name, value)) = rest.next_whole() {
        let decoded = name.is_escaped().then(|| name.decode());
        let text = decoded.as_deref().map_or(name.raw(), str::as_bytes);
        let mark = mark(text);
        let is_same = |other: &Member<'_>| other.mark == mark && other.name.is_bytes(text);
        if members.iter().any(is_same) {
            return Err(BadLine::DuplicateName);
        }
        let stays = elements.keeps_bytes(text);
        members.push(Member {
            name,
            mark,
            value,
            stays,
        });
    }
    if members.iter().all(|member| member.stays) {
        return Ok(false);
    }
    let has = |name: &str| {
        let mark = mark(name.as_bytes());
        members.iter().any(|member| member.mark == mark && member.name.is(name))
    };
    let anchor = if has("id") { "id" } else { "resourceType" };
    let has_meta = has("meta");
    out.push(b'{');
    for (index, member) in members.iter().filter(|member| member.stays).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(member.name.raw());
        out.extend_from_slice(b"\":");
        let value = Json::new(member.value);
        if member.name.is("meta") && value.kind() == Kind::Object {
            tagged_meta(value, out);
        } else if member.name.is("meta") && value.kind() == Kind::Null {
            tagged_meta(Json::new(b"{}"), out);
        } else {
            out.extend_from_slice(member.value);
        }
        if !has_meta && member.name.is(anchor) {
            out.extend_from_slice(b",\"meta\":{\"tag\":[");
            out.extend_from_slice(TAG.as_bytes());
            out.extend_from_slice(b"]}");
        }
    }
    out.push(b'}');
    Ok(true)
}

/// Writes a `meta` with the tag in it, once.
fn tagged_meta(meta: Json<'_>, out: &mut Vec<u8>) {
    let raw = meta.raw();
    let tags = meta.get("tag");
    if tags.is_some_and(|tags| tags.each().any(is_subsetted)) {
        out.extend_from_slice(raw);
        return;
    }
    // What stands in `raw` is a part of it, so its place is the difference of their addresses.
    let place = |part: &[u8]| part.as_ptr() as usize - raw.as_ptr() as usize;
    let (head, tail, before) = match tags {
        Some(tags) if tags.kind() == Kind::Array => {
            let end = place(tags.raw()) + tags.raw().len() - 1;
            (&raw[..end], &raw[end..], tags.each().next().is_some())
        }
        // Not a list: the name is there, so the list takes its place, with the single tag in it if it is one.
        Some(tags) => {
            let start = place(tags.raw());
            let end = start + tags.raw().len();
            out.extend_from_slice(&raw[..start]);
            out.push(b'[');
            let single = if tags.is_value() { tags.raw() } else { b"" };
            out.extend_from_slice(single);
            (&b""[..], &raw[end..], !single.is_empty())
        }
        None => {
            let end = raw.len() - 1;
            (&raw[..end], &raw[end..], meta.members().next().is_some())
        }
    };
    out.extend_from_slice(head);
    if before {
        out.push(b',');
    }
    let (open, close) = match tags.map(Json::kind) {
        None => ("\"tag\":[", "]"),
        Some(Kind::Array) => ("", ""),
        Some(_) => ("", "]"),
    };
    for part in [open, TAG, close] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(tail);
}

fn is_subsetted(tag: Json<'_>) -> bool {
    let says = |name: &str, wanted: &str| tag.get(name).and_then(Json::text).is_some_and(|text| text.is(wanted));
    says("system", TAG_SYSTEM) && says("code", TAG_CODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(keys: &[&str], line: &str) -> Option<String> {
        let mut keys: Vec<String> = keys
            .iter()
            .chain(&["resourceType", "id", "meta"])
            .map(|&key| key.to_owned())
            .collect();
        keys.sort();
        let elements = Elements {
            type_name: "Patient".into(),
            keys,
        };
        let mut out = Vec::new();
        let made = project(&elements, line.as_bytes(), &mut out).expect("no duplicates");
        made.then(|| String::from_utf8(out).expect("text"))
    }

    #[test]
    fn members_go_and_the_tag_comes() {
        let line = r#"{"resourceType":"Patient","id":"1","gender":"male","birthDate":"2000","_birthDate":{"id":"x"}}"#;
        let expected = format!(
            r#"{{"resourceType":"Patient","id":"1","meta":{{"tag":[{TAG}]}},"birthDate":"2000","_birthDate":{{"id":"x"}}}}"#
        );
        assert_eq!(run(&["birthDate"], line), Some(expected));
        assert_eq!(run(&["birthDate", "gender"], line), None);
    }

    #[test]
    fn the_tag_joins_other_tags_and_stands_once() {
        let with = |meta: &str| format!(r#"{{"id":"1","meta":{meta},"resourceType":"Patient","gender":"x"}}"#);
        let made = |meta: &str| run(&[], &with(meta)).expect("something goes");
        assert!(made("{}").contains(&format!(r#""meta":{{"tag":[{TAG}]}}"#)));
        assert!(made(r#"{"versionId":"2"}"#).contains(&format!(r#"{{"versionId":"2","tag":[{TAG}]}}"#)));
        assert!(made(r#"{"tag":[],"x":1}"#).contains(&format!(r#"{{"tag":[{TAG}],"x":1}}"#)));
        assert!(made(r#"{"tag":[{"code":"a"}]}"#).contains(&format!(r#"[{{"code":"a"}},{TAG}]"#)));
        assert!(made(r#"{"tag":{"code":"a"}}"#).contains(&format!(r#"{{"tag":[{{"code":"a"}},{TAG}]}}"#)));
        assert!(made(r#"{"tag":null,"x":1}"#).contains(&format!(r#"{{"tag":[{TAG}],"x":1}}"#)));
        assert!(made("null").contains(&format!(r#""meta":{{"tag":[{TAG}]}}"#)));
        let once = made(&format!(r#"{{"tag":[{TAG}]}}"#));
        assert_eq!(once.matches("SUBSETTED").count(), 1);
    }

    #[test]
    fn a_name_that_stands_twice_is_told() {
        let elements = Elements {
            type_name: "Patient".into(),
            keys: vec!["id".into()],
        };
        for line in [
            &br#"{"id":"1","x":1,"x":2}"#[..],
            br#"{"id":"1","a_long_name_1":1,"a_long_name_2":2,"a_long_n\u0061me_1":1}"#,
            br#"{"id":"1","\u0078":1,"x":2}"#,
        ] {
            let got = project(&elements, line, &mut Vec::new());
            assert_eq!(got, Err(BadLine::DuplicateName));
        }
        let line = br#"{"id":"1","a_long_name_1":1,"a_long_name_2":2,"a_long_name":1,"x":1,"xx":2}"#;
        assert_eq!(project(&elements, line, &mut Vec::new()), Ok(true));
    }
}
