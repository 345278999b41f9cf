//! `patient`: a reference to a Patient of this server, into its id.

/// Whether a text can be an id of FHIR.
pub(super) fn is_id(text: &str) -> bool {
    let is_one_of_them = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(is_one_of_them)
}

/// The id that is meant by `Patient/id`, or by the same under one of the bases.
pub(super) fn id<'t>(text: &'t str, bases: &[&str]) -> Result<&'t str, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("an empty reference; expected `Patient/` and an id");
    }
    let under = |base: &&str| text.strip_prefix(base.trim_end_matches('/'))?.strip_prefix('/');
    let own = bases.iter().find_map(under);
    if own.is_none() && text.contains(':') {
        return Err("a reference to another server; expected `Patient/` and an id, or a URL under this server's base");
    }
    match own.unwrap_or(text).strip_prefix("Patient/") {
        Some(id) if is_id(id) => Ok(id),
        Some(id) if id.contains("/_history/") => Err("a reference to a version; expected `Patient/` and an id"),
        Some(_) => Err("no id; expected `Patient/` and 1 to 64 of A-Z a-z 0-9 - ."),
        None => Err("no reference to a Patient; expected `Patient/` and an id"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_this_server_have_an_id() {
        let bases = ["https://example.org/fhir/", "https://data.example.org"];
        for good in [
            "Patient/p.1-A",
            " Patient/p.1-A ",
            "https://example.org/fhir/Patient/p.1-A",
            "https://data.example.org/Patient/p.1-A",
        ] {
            assert_eq!(id(good, &bases), Ok("p.1-A"), "{good}");
        }
        for bad in [
            "",
            "p1",
            "Patient/",
            "Patient/a/b",
            "Patient/a_b",
            "Patient/1/_history/2",
            "Group/1",
            "https://example.org/fhir/Group/1",
            "https://example.org/fhirPatient/1",
            "https://example.com/Patient/1",
            "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
            "#p1",
            "Patient?identifier=1",
            &format!("Patient/{}", "a".repeat(65)),
        ] {
            assert!(id(bad, &bases).is_err(), "{bad}");
        }
        let versioned = id("Patient/1/_history/2", &bases);
        assert!(versioned.is_err_and(|message| message.contains("version")));
    }
}
