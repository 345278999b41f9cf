//! URLs: by the examples of RFC 3986, and by rules that hold for any text.

use super::*;
use crate::client::backoff::Dice;

#[test]
fn the_origin_is_scheme_host_and_port() {
    let same = [
        "https://Example.org",
        "https://example.org/",
        "HTTPS://EXAMPLE.org:443/fhir?x#y",
        "https://user:secret@example.org:/",
        "https://example.org:0443",
    ];
    for url in same {
        assert_eq!(origin(url).as_deref(), Some("https://example.org:443"), "{url}");
    }
    assert_eq!(origin("http://example.org").as_deref(), Some("http://example.org:80"));
    assert_eq!(
        origin("http://[2001:DB8::1]:8080/x").as_deref(),
        Some("http://[2001:db8::1]:8080")
    );
    assert_eq!(
        origin("https://a@b@evil.example/").as_deref(),
        Some("https://evil.example:443")
    );
}

#[test]
fn what_readers_could_understand_differently_is_no_url() {
    let refused = [
        "",
        "x",
        "//example.org/",
        "ftp://example.org/",
        "javascript:alert(1)",
        "https:/example.org",
        "https:example.org",
        "https://",
        "https:///x",
        "https://:443/",
        "https://good.example\\@evil.example/",
        "https://good.example%2eevil/",
        "https://exa mple.org/",
        "https://example.org/a b",
        "https://example.org/\n",
        "https://example.org:port/",
        "https://example.org:65536/",
        "https://example.org:-1/",
        "https://exämple.org/",
        "https://[::1/",
        "https://[]/",
        "https://[::1]x/",
        "data:text/plain,https://x/",
        "https://example.org:80:80/",
    ];
    for url in refused {
        assert_eq!(origin(url), None, "{url}");
        assert!(!is_absolute(url), "{url}");
    }
}

#[test]
fn references_are_resolved_as_in_rfc_3986() {
    let base = "http://a/b/c/d;p?q";
    let cases = [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q"),
        ("g#s", "http://a/b/c/g"),
        ("g?y#s", "http://a/b/c/g?y"),
        (";x", "http://a/b/c/;x"),
        ("g;x", "http://a/b/c/g;x"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("./", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../", "http://a/"),
        ("../../g", "http://a/g"),
        ("../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("/../g", "http://a/g"),
        ("g.", "http://a/b/c/g."),
        (".g", "http://a/b/c/.g"),
        ("g..", "http://a/b/c/g.."),
        ("./../g", "http://a/b/g"),
        ("./g/.", "http://a/b/c/g/"),
        ("g/./h", "http://a/b/c/g/h"),
        ("g/../h", "http://a/b/c/h"),
        ("g;x=1/../y", "http://a/b/c/y"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("https://other.example:8443/x?y", "https://other.example:8443/x?y"),
    ];
    for (reference, expected) in cases {
        assert_eq!(resolve(base, reference).as_deref(), Some(expected), "{reference}");
    }
    assert_eq!(resolve("https://h:1", "x").as_deref(), Some("https://h:1/x"));
    assert_eq!(resolve("https://h?q", "x").as_deref(), Some("https://h/x"));
    assert_eq!(
        resolve("https://h/", "?a=https://x/y").as_deref(),
        Some("https://h/?a=https://x/y")
    );
}

#[test]
fn blanks_and_letters_of_file_names_are_encoded() {
    let found = resolve("https://h/jobs/1", " files/Müller 1.ndjson\r\n");
    assert_eq!(found.as_deref(), Some("https://h/jobs/files/M%C3%BCller%201.ndjson"));
}

#[test]
fn references_that_cannot_be_fetched_are_none() {
    for reference in [
        "ftp://x/y",
        "mailto:x",
        "https:y",
        "a\\b",
        "a\nb",
        "//",
        "//exa mple/",
        "http://",
        "file:///x",
    ] {
        assert_eq!(resolve("https://h/", reference), None, "{reference}");
    }
}

#[test]
fn messages_show_neither_query_nor_user() {
    let shown = shown("https://user:secret@H:8443/a/b?sig=secret#secret");
    assert_eq!(shown, "https://H:8443/a/b");
    assert_eq!(super::shown("https://h:443"), "https://h/");
    assert_eq!(super::shown("nonsense?secret"), "a URL that cannot be read");
}

#[test]
fn a_server_that_says_http_of_itself_is_asked_with_https() {
    let raised = |asked, named| raised(asked, named);
    assert_eq!(
        raised("https://h/fhir", "http://h/jobs/1?x=y").as_deref(),
        Some("https://h/jobs/1?x=y")
    );
    assert_eq!(
        raised("https://h:8443/", "http://H/jobs/1").as_deref(),
        Some("https://H:8443/jobs/1")
    );
    assert_eq!(raised("https://h/", "http://other/jobs/1"), None);
    assert_eq!(raised("https://h/", "http://h:8080/jobs/1"), None);
    assert_eq!(raised("http://h/", "http://h/jobs/1"), None);
    assert_eq!(raised("https://h/", "https://h/jobs/1"), None);
}

/// Texts made of the pieces that URLs are made of, right and wrong.
fn text(dice: &mut Dice) -> String {
    const PIECES: [&str; 26] = [
        "http",
        "https",
        ":",
        "//",
        "/",
        "?",
        "#",
        "@",
        "..",
        ".",
        "a",
        "H",
        "h.example",
        "443",
        "80",
        "[::1]",
        "[",
        "]",
        "%41",
        "\\",
        " ",
        "é",
        "\n",
        "x=y",
        "&",
        ";",
    ];
    (0..dice.below(12))
        .map(|_| PIECES[dice.below(PIECES.len() as u64) as usize])
        .collect()
}

/// Whatever the base and the reference: what comes out is absolute, stays as it is, and without an authority of its own the
/// reference stays at the base's origin.
#[test]
fn what_is_resolved_is_absolute_and_stays() {
    let mut dice = Dice::new(7);
    let mut resolved_some = 0;
    for _ in 0..20_000 {
        let base = format!("https://base.example{}", text(&mut dice));
        let reference = text(&mut dice);
        let Some(found) = resolve(&base, &reference) else {
            continue;
        };
        resolved_some += 1;
        assert!(is_absolute(&found), "{base} {reference} {found}");
        assert!(!found.contains('#'), "{found}");
        assert_eq!(resolve(&base, &found).as_deref(), Some(found.as_str()));
        let trimmed = reference.trim();
        if !trimmed.starts_with("//") && !trimmed.contains(':') {
            assert_eq!(origin(&found), origin(&base), "{base} {reference}");
        }
        let shown = shown(&found);
        assert!(!shown.contains('?') && !has_user(&shown), "{found}");
    }
    assert!(resolved_some > 2_000, "{resolved_some}");
}
