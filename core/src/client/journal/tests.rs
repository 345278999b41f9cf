//! Journals: what is written is read again, from every prefix, and damage is told.

use super::*;

fn order() -> Order {
    Order {
        base: "https://example.org/fhir".into(),
        level: Level::Group("g-1".into()),
        method: Method::Post,
        spelling: Spelling::Repeated,
        types: vec!["Patient".into(), "a \"b\"\n".into()],
        since: Some("2024".into()),
        until: None,
        type_filters: vec!["Observation?code=ü".into()],
        elements: Vec::new(),
        patients: vec!["p1".into()],
        associated_data: Vec::new(),
        organize_by: Some("Patient".into()),
        output_format: None,
        partial: true,
        lenient: false,
        further: vec![("x".into(), "y".into())],
    }
}

fn lines() -> Vec<Line> {
    let listed = Listed {
        kind: FileKind::Deleted,
        type_name: None,
        url: "https://h/f?a=\"b\"".into(),
        count: Some(7),
        size: None,
        continues_in: Some("https://h/g".into()),
    };
    let page = Page {
        number: 0,
        transaction_time: Some("2024".into()),
        request: None,
        organized_by: Some("Patient".into()),
        requires_access_token: Some(false),
        unusable: 2,
        entries: vec![Entry::New(listed.clone()), Entry::Known(0), Entry::New(listed)],
    };
    // A page may name what the page before has listed, and never itself.
    let first = Page {
        entries: vec![page.entries[0].clone()],
        ..page.clone()
    };
    vec![
        Line::KickOff(true),
        Line::KickOff(false),
        Line::Status("https://h/jobs/1".into()),
        Line::Page(first),
        Line::Page(Page { number: 1, ..page }),
        Line::Complete,
        Line::Safe(1, r#"{"path":"x\n","n":1}"#.into()),
        Line::Fetched,
        Line::Warning("odd".into()),
        Line::Gone(1),
        Line::Cancel,
        Line::Deleted,
        Line::Done,
    ]
}

fn written(begun: &Begun, lines: &[Line]) -> String {
    let mut text = first_line(begun) + "\n";
    for line in lines {
        text += &(line.written() + "\n");
    }
    text
}

#[test]
fn what_is_written_is_read_again() {
    let attend = Begun::Attend {
        status_url: "https://h/jobs/1".into(),
        base: Some("https://h/fhir".into()),
    };
    for begun in [Begun::Order(Box::new(order())), attend] {
        let text = written(&begun, &lines());
        assert_eq!(read(&text), Ok((begun, lines())), "{text}");
    }
}

#[test]
fn every_prefix_holds_the_lines_that_end_in_it() {
    let begun = Begun::Order(Box::new(order()));
    let text = written(&begun, &lines());
    for end in (0..=text.len()).filter(|&end| text.is_char_boundary(end)) {
        let prefix = &text[..end];
        let count = prefix.matches('\n').count();
        assert_eq!(
            whole_lines(prefix.as_bytes()),
            &prefix.as_bytes()[..prefix.rfind('\n').map_or(0, |at| at + 1)]
        );
        match read(prefix) {
            Ok((_, found)) => assert_eq!(found[..], lines()[..count - 1]),
            Err(failure) => assert_eq!((failure.code, count), ("bad-journal", 0)),
        }
    }
}

#[test]
fn damage_in_the_middle_is_told_with_its_line() {
    let begun = Begun::Order(Box::new(order()));
    for at in 1..=lines().len() {
        for damaged in [
            "",
            "{}",
            "\0\0\0",
            "{\"safe\":99,\"receipt\":\"\"}",
            "{\"new\":true}",
            "{\"kick-off\":tr",
        ] {
            let mut texts: Vec<String> = written(&begun, &lines()).lines().map(str::to_owned).collect();
            texts[at] = damaged.to_owned();
            let failure = read(&(texts.join("\n") + "\n")).expect_err("damaged");
            // Without its page, files are unknown later on.
            assert!(
                failure.message.contains("line ") && !failure.resumable,
                "{at} {damaged}: {}",
                failure.message
            );
        }
    }
}

#[test]
fn other_versions_and_other_files_are_no_journals() {
    let begun = Begun::Order(Box::new(order()));
    let other = written(&begun, &[]).replacen(":1,", ":2,", 1);
    assert!(read(&other).expect_err("another version").message.contains("version 2"));
    for text in [
        "hello\n",
        "{}\n",
        "\n",
        "{\"fhirehose-journal\":1}\n",
        "{\"fhirehose-journal\":\"1\"}\n",
    ] {
        assert_eq!(read(text).expect_err("no journal").code, "bad-journal", "{text}");
    }
}
