//! Files of definitions in every container, good and bad.

use super::*;

const NICKNAME: &str = r#"{"resourceType":"SearchParameter","url":"http://example.org/sp","code":"nickname","type":"string","base":["Patient"],"expression":"Patient.name.where(use = 'nickname').given"}"#;

fn parameter(code: &str, kind: &str, bases: &str, expression: &str) -> String {
    format!(
        r#"{{"resourceType":"SearchParameter","code":"{code}","type":"{kind}","base":{bases},"expression":"{expression}"}}"#
    )
}

fn value_set(url: &str, rest: &str) -> String {
    format!(r#"{{"resourceType":"ValueSet","url":"{url}",{rest}}}"#)
}

/// One list that holds `codes`, pairs of system and code.
fn lists(rest: &str) -> Result<Vec<(String, String)>, String> {
    let found = value_sets(value_set("http://example.org/vs", rest).as_bytes()).map_err(|problems| {
        assert_eq!(problems.0.len(), 1);
        problems.to_string()
    })?;
    let listed = found["http://example.org/vs"].iter();
    let mut pairs: Vec<_> = listed.map(|(system, code)| pair(system, code)).collect();
    pairs.sort_unstable();
    Ok(pairs)
}

fn pair(system: &str, code: &str) -> (String, String) {
    (system.to_owned(), code.to_owned())
}

fn refused(bytes: &str) -> Vec<String> {
    let problems = search_parameters(bytes.as_bytes(), &Registry::r4()).expect_err("refused");
    assert!(problems.0.iter().all(|problem| problem.option == "search-parameters"));
    problems.0.into_iter().map(|problem| problem.message).collect()
}

#[test]
fn every_container_is_read() {
    let other = parameter(
        "mark",
        "token",
        r#"["Patient","Observation"]"#,
        "Patient.identifier | Observation.identifier",
    );
    let pretty = serde_json::from_str::<serde_json::Value>(&other).expect("JSON");
    let pretty = serde_json::to_string_pretty(&pretty).expect("text");
    for text in [
        format!("{NICKNAME}\n{other}\n"),
        format!("\u{feff}{NICKNAME}\r\n\r\n{other}"),
        format!("[{NICKNAME},\n{other}]"),
        format!(
            r#"{{"resourceType":"Bundle","entry":[{{"resource":{NICKNAME}}},{{"fullUrl":"x","resource":{other}}}]}}"#
        ),
        format!("{pretty}\n{NICKNAME}"),
        format!("\n  [ {pretty} ]\n{NICKNAME}\n"),
    ] {
        let registry = search_parameters(text.as_bytes(), &Registry::r4()).expect(&text);
        assert_eq!(
            registry.param("Patient", "nickname").map(|param| param.paths.len()),
            Some(1)
        );
        assert!(registry.param("Observation", "mark").is_some());
        assert!(registry.param("Patient", "mark").is_some());
        assert!(registry.param("Encounter", "mark").is_none());
    }
}

#[test]
fn a_parameter_overrides_the_one_of_the_standard() {
    let text = parameter("gender", "string", r#"["Patient"]"#, "Patient.name.text");
    let registry = search_parameters(text.as_bytes(), &Registry::r4()).expect("valid");
    assert_eq!(
        registry
            .param("Patient", "gender")
            .map(|param| param.paths[0].names.join(".")),
        Some("name.text".into())
    );
}

#[test]
fn targets_are_read() {
    let text = r#"{"resourceType":"SearchParameter","code":"about","type":"reference","base":["Observation"],"target":["Patient","Group"],"expression":"Observation.subject"}"#;
    let registry = search_parameters(text.as_bytes(), &Registry::r4()).expect("valid");
    let param = registry.param("Observation", "about").expect("added");
    assert_eq!(param.targets, ["Group", "Patient"]);
}

#[test]
fn what_is_no_json_is_told_with_its_line() {
    for (text, line) in [
        ("", None),
        ("  \n ", None),
        ("x\n", Some(1)),
        ("\n\n{\"resourceType\":\"SearchParameter\"", Some(3)),
        (r#"{"resourceType":"SearchParameter","code":"a","code":"b"}"#, Some(1)),
        ("{\"resourceType\":\"Search\nParameter\"}", Some(1)),
        ("{]", Some(1)),
        ("[1,]", Some(1)),
        ("}", Some(1)),
        ("\"a\"\n", Some(1)),
        ("{\"resourceType\":\"SearchParameter\",\"code\":\"\u{1}\"}", Some(1)),
    ] {
        let messages = refused(text);
        let expected = line.map(|line| format!("line {line}: expected a SearchParameter"));
        let expected = expected.unwrap_or("expected a SearchParameter in JSON; there is nothing".to_owned());
        assert!(messages[0].starts_with(&expected), "{text}: {messages:?}");
    }
}

#[test]
fn every_definition_that_cannot_be_used_is_told() {
    let text = [
        parameter("a", "token", r#"["Patient"]"#, "Patient.nothing"),
        NICKNAME.to_owned(),
        "nonsense".to_owned(),
        parameter("b", "composite", r#"["Patient"]"#, "Patient"),
        parameter("_has", "token", r#"["Patient"]"#, "Patient.gender"),
        r#"{"resourceType":"SearchParameter","code":"c","type":"token","base":["Patient"]}"#.to_owned(),
        r#"[{"resourceType":"ValueSet"},{},7]"#.to_owned(),
        parameter("nickname", "string", r#"["Patient"]"#, "Patient.name.given"),
    ]
    .join("\n");
    let messages = refused(&text);
    let starts = [
        "line 1: `a`: ",
        "line 3: expected a SearchParameter in JSON",
        "line 4: `b`: composite parameters",
        "line 5: `_has`: reverse chaining",
        "line 6: the parameter has no expression",
        "line 7, entry 1: expected a SearchParameter, found ValueSet",
        "line 7, entry 2: expected a SearchParameter",
        "line 7, entry 3: expected a SearchParameter",
        "line 8: Patient has two parameters `nickname`",
    ];
    assert_eq!(messages.len(), starts.len(), "{messages:#?}");
    for (message, start) in messages.iter().zip(starts) {
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn the_place_in_an_expression_is_shown() {
    let text = parameter("a", "token", r#"["Patient"]"#, "Patient.name.matches('x')");
    let problems = search_parameters(text.as_bytes(), &Registry::r4()).expect_err("refused");
    let problem = &problems.0[0];
    assert_eq!(&*problem.text, "Patient.name.matches('x')");
    assert!(problem.text[problem.span.clone()].contains("matches"), "{problem}");
}

#[test]
fn a_test_on_the_resource_itself_is_refused() {
    let text = parameter(
        "a",
        "token",
        r#"["Patient"]"#,
        "Patient.where(gender = 'male').identifier",
    );
    assert_eq!(
        refused(&text),
        ["line 1: `a`: a test on the resource itself is not supported"]
    );
}

#[test]
fn an_expansion_is_flattened() {
    let rest = r#""version":"2","expansion":{"total":5,"contains":[
        {"system":"s","code":"1"},
        {"system":"s","abstract":true,"code":"group","contains":[{"system":"s","code":"2","contains":[{"system":"t","code":"3"}]}]},
        {"display":"heading","abstract":true}]},"compose":{"include":[{"system":"u"}]}"#;
    assert_eq!(lists(rest), Ok(vec![pair("s", "1"), pair("s", "2"), pair("t", "3")]));
    let found = value_sets(value_set("http://example.org/vs", rest).as_bytes()).expect("valid");
    let mut keys: Vec<_> = found.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["http://example.org/vs", "http://example.org/vs|2"]);
    assert_eq!(lists(r#""expansion":{"total":0}"#), Ok(Vec::new()));
}

#[test]
fn a_part_of_an_expansion_is_refused() {
    for rest in [
        r#""expansion":{"total":2,"contains":[{"system":"s","code":"1"}]}"#,
        r#""expansion":{"offset":10,"contains":[{"system":"s","code":"1"}]}"#,
        r#""expansion":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/valueset-toocostly","valueBoolean":true}]}"#,
    ] {
        let message = lists(rest).expect_err("a part");
        assert!(message.contains("only a part"), "{message}");
    }
}

#[test]
fn listed_codes_are_composed() {
    let rest = r#""compose":{
        "include":[{"system":"s","concept":[{"code":"1"},{"code":"2"}]},{"system":"t","concept":[{"code":"1"}]}],
        "exclude":[{"system":"s","concept":[{"code":"1"},{"code":"9"}]}]}"#;
    assert_eq!(lists(rest), Ok(vec![pair("s", "2"), pair("t", "1")]));
}

#[test]
fn what_needs_a_terminology_server_is_refused() {
    let ok = r#""include":[{"system":"s","concept":[{"code":"1"}]}]"#;
    for compose in [
        r#""include":[{"system":"s"}]"#.to_owned(),
        r#""include":[{"system":"s","filter":[{"property":"concept","op":"is-a","value":"1"}]}]"#.to_owned(),
        r#""include":[{"valueSet":["http://example.org/other"]}]"#.to_owned(),
        r#""include":[{"system":"s","concept":[{"code":"1"}],"valueSet":["x"]}]"#.to_owned(),
        format!(r#"{ok},"exclude":[{{"system":"s","filter":[{{"property":"p"}}]}}]"#),
        format!(r#"{ok},"exclude":[{{"system":"s"}}]"#),
    ] {
        let message = lists(&format!(r#""compose":{{{compose}}}"#)).expect_err("refused");
        assert!(
            message.contains("cannot be listed without a terminology server"),
            "{message}"
        );
    }
    for rest in [r#""name":"x""#, r#""compose":{"include":[{"concept":[{"code":"1"}]}]}"#] {
        assert!(lists(rest).is_err(), "{rest}");
    }
}

#[test]
fn a_value_set_without_url_or_supplied_twice_is_told() {
    let one = value_set("http://example.org/vs", r#""version":"1","expansion":{}"#);
    let two = value_set("http://example.org/vs", r#""version":"2","expansion":{}"#);
    let problems = value_sets(format!("{one}\n{two}\n{{\"resourceType\":\"ValueSet\"}}").as_bytes()).expect_err("bad");
    let messages: Vec<_> = problems.0.iter().map(|problem| problem.message.as_str()).collect();
    let expected = [
        "line 2: `http://example.org/vs` is supplied twice",
        "line 3: the value set has no url",
    ];
    assert_eq!(messages, expected);
    assert!(problems.0.iter().all(|problem| problem.option == "value-sets"));
}

#[test]
fn deep_nesting_does_not_overflow() {
    let depth = 100_000;
    let nested = format!(r#"{}{}"#, r#"{"contains":["#.repeat(depth), "]}".repeat(depth));
    let message = lists(&format!(r#""expansion":{nested}"#)).expect_err("too deep");
    assert!(message.contains("levels deep"), "{message}");
    assert_eq!(refused(&"[".repeat(depth)).len(), 1);
}

#[test]
fn cut_files_do_not_panic() {
    let text = format!(
        "[{NICKNAME},{}]",
        parameter("m", "token", r#"["Patient"]"#, "Patient.identifier")
    );
    for cut in 0..text.len() {
        assert!(search_parameters(&text.as_bytes()[..cut], &Registry::r4()).is_err());
    }
}
