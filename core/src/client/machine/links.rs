//! Where what a server names leads to: redirects, status URLs, pages, files.

use super::super::retry_after::values;
use super::super::step::Answer;
use super::super::url;

/// Most redirects in a row.
pub(super) const MOST_HOPS: u32 = 5;

/// Whether an answer sends the request elsewhere.
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect leads to, after so many others, or why it is not followed.
pub(super) fn redirected(answer: &Answer<'_>, from: &str, hops: u32) -> Result<String, &'static str> {
    if hops >= MOST_HOPS {
        return Err("more than 5 redirects in a row");
    }
    let location = values(answer.headers, "location").next();
    let location = location.ok_or("a redirect that does not say where to")?;
    let target = url::resolve(from, location).ok_or("a redirect to what is no http or https URL")?;
    if url::is_secure(from) && !url::is_secure(&target) {
        return Err("a redirect from https to http");
    }
    Ok(target)
}

/// The absolute URL that a server names in its answer, or why it is not asked for. `https` is not left: a server that names
/// itself with `http` is asked with `https`, which is told by `true`.
pub(super) fn named(from: &str, text: &str) -> Result<(String, bool), &'static str> {
    let target = url::resolve(from, text).ok_or("it is no http or https URL")?;
    if !url::is_secure(from) || url::is_secure(&target) {
        return Ok((target, false));
    }
    match url::raised(from, &target) {
        Some(raised) => Ok((raised, true)),
        None => Err("it leads from https to http"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(from: &str, to: Option<&str>, hops: u32) -> Result<String, &'static str> {
        let headers: Vec<(String, String)> = to.into_iter().map(|to| ("location".into(), to.into())).collect();
        let answer = Answer {
            status: 307,
            headers: &headers,
            body: b"",
        };
        redirected(&answer, from, hops)
    }

    #[test]
    fn redirects_are_followed_five_times_and_never_out_of_https() {
        assert_eq!(
            redirect("https://h/a/b", Some("c?d"), 4).as_deref(),
            Ok("https://h/a/c?d")
        );
        assert_eq!(
            redirect("http://h/a", Some("https://i/"), 0).as_deref(),
            Ok("https://i/")
        );
        assert!(redirect("https://h/a", Some("b"), 5).is_err());
        assert!(redirect("https://h/a", Some("http://h/b"), 0).is_err());
        assert!(redirect("https://h/a", None, 0).is_err());
        assert!(redirect("https://h/a", Some("file:///etc/passwd"), 0).is_err());
    }

    #[test]
    fn what_a_server_names_with_http_is_asked_with_https_where_it_is_itself() {
        assert_eq!(
            named("https://h/x", "http://h/jobs/1"),
            Ok(("https://h/jobs/1".into(), true))
        );
        assert!(named("https://h/x", "http://other/jobs/1").is_err());
        assert_eq!(
            named("http://h/x", "http://other/jobs/1"),
            Ok(("http://other/jobs/1".into(), false))
        );
        assert_eq!(
            named("https://h/x/y", "jobs/1"),
            Ok(("https://h/x/jobs/1".into(), false))
        );
        assert!(named("https://h/x", "urn:uuid:1").is_err());
    }
}
