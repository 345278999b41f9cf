//! Steps and phases as JSON, and the words for what can go wrong.

use fhirehose_core::client::json;
use fhirehose_core::client::{Call, Fetch, Phase, Step, Trouble, What};
use fhirehose_core::quote::Tree;

use crate::fault;
use crate::report;

/// Each trouble and its word.
const WORDS: [(Trouble, &str); 11] = [
    (Trouble::Connect, "connect"),
    (Trouble::Tls, "tls"),
    (Trouble::Timeout, "timeout"),
    (Trouble::Broken, "broken"),
    (Trouble::TooLarge, "too-large"),
    (Trouble::Length, "length"),
    (Trouble::Checksum, "checksum"),
    (Trouble::Coding, "coding"),
    (Trouble::Media, "media"),
    (Trouble::Count, "count"),
    (Trouble::Content, "content"),
];

/// What is meant by a word; by one that is none, that the connection broke.
pub(super) fn trouble(word: &str) -> Trouble {
    let found = WORDS.iter().find(|(_, other)| *other == word);
    found.map_or(Trouble::Broken, |(trouble, _)| *trouble)
}

/// The word for a trouble.
pub(super) fn word(trouble: Trouble) -> &'static str {
    let found = WORDS.iter().find(|(other, _)| *other == trouble);
    found.map_or("broken", |(_, word)| word)
}

/// Headers out of pairs in JSON.
pub(super) fn headers(text: &str) -> Result<Vec<(String, String)>, String> {
    let none = || fault::plain("argument", "headers are a list of pairs");
    let document = json::parse(text.as_bytes()).map_err(|_| none())?;
    let pair = |node: json::Node<'_>| {
        let mut both = node.items().map(|item| item.text());
        Some((both.next()??.into_owned(), both.next()??.into_owned()))
    };
    let pairs: Option<Vec<_>> = document.root().items().map(pair).collect();
    pairs.ok_or_else(none)
}

fn step_named(name: &'static str, mut members: Vec<(&'static str, Tree)>) -> Tree {
    members.insert(0, ("do", Tree::text(name)));
    Tree::Object(members)
}

/// A step.
pub(super) fn step(step: &Step) -> Tree {
    match step {
        Step::Remember { line, sync } => step_named(
            "remember",
            vec![("line", Tree::text(line.as_str())), ("sync", Tree::Boolean(*sync))],
        ),
        Step::Authorize => step_named("authorize", Vec::new()),
        Step::Send(call) => step_named("send", sent(call)),
        Step::Fetch(fetch) => step_named("fetch", fetched(fetch)),
        Step::Wait { until } => step_named("wait", vec![("until", maybe(*until))]),
        Step::Detached => step_named("detached", Vec::new()),
        Step::Done => step_named("done", Vec::new()),
        Step::Failed(failure) => step_named(
            "failed",
            vec![
                ("code", Tree::text(failure.code)),
                ("message", Tree::text(failure.message.as_str())),
                ("resumable", Tree::Boolean(failure.resumable)),
            ],
        ),
    }
}

fn sent(call: &Call) -> Vec<(&'static str, Tree)> {
    let what = match call.what {
        What::KickOff => "kick-off",
        What::Status => "status",
        What::Page => "page",
        What::Delete => "delete",
    };
    let pair = |(name, value): &(&str, String)| Tree::List(vec![Tree::text(*name), Tree::text(value.as_str())]);
    vec![
        ("id", Tree::Number(call.id)),
        ("what", Tree::text(what)),
        ("method", Tree::text(call.method)),
        ("url", Tree::text(call.url.as_str())),
        ("headers", Tree::List(call.headers.iter().map(pair).collect())),
        ("body", Tree::maybe(call.body.as_deref())),
        ("withToken", Tree::Boolean(call.with_token)),
        ("most", Tree::Number(call.most)),
    ]
}

fn fetched(fetch: &Fetch) -> Vec<(&'static str, Tree)> {
    vec![
        ("file", Tree::Number(fetch.file as u64)),
        ("kind", Tree::text(report::kind(fetch.kind))),
        ("type", Tree::maybe(fetch.type_name.as_deref())),
        ("url", Tree::text(fetch.url.as_str())),
        ("withToken", Tree::Boolean(fetch.with_token)),
        ("count", maybe(fetch.count)),
        ("size", maybe(fetch.size)),
        ("attempt", Tree::Number(u64::from(fetch.attempt))),
    ]
}

fn maybe(number: Option<u64>) -> Tree {
    number.map_or(Tree::Null, Tree::Number)
}

/// What a client is at.
pub(super) fn phase(phase: &Phase) -> Tree {
    let named = |name: &'static str| ("phase", Tree::text(name));
    Tree::Object(match phase {
        Phase::KickingOff { next, .. } => vec![named("kick-off"), ("next", maybe(*next))],
        Phase::Waiting { progress, next } => vec![
            named("waiting"),
            ("said", Tree::maybe(progress.as_deref())),
            ("next", maybe(*next)),
        ],
        Phase::Fetching {
            done,
            total,
            lost,
            is_complete,
            ..
        } => vec![
            named("fetching"),
            ("done", Tree::Number(*done as u64)),
            ("files", Tree::Number(*total as u64)),
            ("lost", Tree::Number(*lost as u64)),
            ("isComplete", Tree::Boolean(*is_complete)),
        ],
        Phase::Deleting => vec![named("deleting")],
        Phase::Over => vec![named("over")],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_has_a_word_of_its_own() {
        for (of_word, told) in WORDS {
            assert_eq!(trouble(told), of_word);
            assert_eq!(word(of_word), told);
        }
        assert_eq!(trouble("nonsense"), Trouble::Broken);
    }

    #[test]
    fn headers_are_pairs() {
        assert_eq!(
            headers(r#"[["Retry-After","3"],["x",""]]"#),
            Ok(vec![("Retry-After".into(), "3".into()), ("x".into(), String::new())])
        );
        for broken in ["", "[1]", r#"[["a"]]"#, r#"[["a",1]]"#] {
            assert!(headers(broken).is_err(), "{broken}");
        }
    }
}
