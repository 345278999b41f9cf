//! What is long, what is nonsense, and what a job remembers.

use super::*;

#[test]
fn ten_megabytes_of_filters_are_refused_at_once() {
    let filters = "Observation?code=1,".repeat(550_000);
    let body = parameters(&entry("_typeFilter", "valueString", &format!("\"{filters}\"")));
    assert!(body.len() > 10_000_000);
    let refusal = refused(strictly(&IG, "POST $export", &body), "10 MB");
    assert_eq!(told(&refusal), [("_typeFilter", "", 400, "too-costly")]);
    assert!(refusal.reply().body().len() < 1000, "and not told again");
    let pairs = format!("\"Observation?{}\"", "cod=1&".repeat(5000));
    let body = parameters(&entry("_typeFilter", "valueString", &pairs));
    let refusal = refused(strictly(&IG, "POST $export", &body), "pairs");
    assert_eq!(told(&refusal), [("_typeFilter", "", 400, "too-costly")]);
    for (name, item) in [
        ("_typeFilter", "Observation?code="),
        ("_type", "T"),
        ("_elements", "e"),
        ("organizeOutputBy", "o"),
    ] {
        let many: Vec<String> = (0..1001)
            .map(|index| entry(name, "valueString", &format!("\"{item}{index}\"")))
            .collect();
        for send in [strictly, leniently] {
            let refusal = refused(send(&IG, "POST $export", &parameters(&many.join(","))), "1001");
            assert_eq!(told(&refusal), [(name, "", 400, "too-costly")]);
        }
    }
}

#[test]
fn a_hundred_issues_and_how_many_more() {
    let types: Vec<String> = (0..150).map(|index| format!("T{index}")).collect();
    let line = format!("GET $export?_type={}", types.join(","));
    let reply = refused(strictly(&IG, &line, ""), "types").reply();
    assert_eq!(reply.issues.len(), 100);
    assert_eq!(reply.issues[99].diagnostics, "51 more that are not listed");
    assert!(reply.issues[98].diagnostics.contains("T98"));
}

#[test]
fn a_flood_of_names_is_not_looked_into() {
    let query: Vec<String> = (0..200_000).map(|index| format!("_x{index}=1")).collect();
    let line = format!("GET $export?{}", query.join("&"));
    assert_eq!(refused(strictly(&IG, &line, ""), "names").faults.len(), 1000);
    assert_eq!(taken(leniently(&IG, &line, ""), "names").notes.len(), 1000);
}

#[test]
fn an_error_never_tells_a_long_text_again() {
    let line = format!("GET $export?_type={}", "x".repeat(100_000));
    let body = refused(strictly(&IG, &line, ""), "a long name").reply().body();
    assert!(body.contains("_type") && body.len() < 2_000, "{} bytes", body.len());
}

#[test]
fn a_job_remembers_its_kickoff() {
    let line = "GET Group/g/$export?_type=Patient,Foo&_typeFilter=Patient?name=x&_since=2020-01-01T00:00:00Z&_foo=1";
    let kickoff = taken(leniently(&IG, line, ""), line);
    assert_eq!(kickoff.notes.len(), 2);
    let text = serde_json::to_string(&kickoff).expect("plain data");
    let again: Kickoff = serde_json::from_str(&text).expect("as it was");
    assert_eq!(again, kickoff);
    let none = HashMap::new();
    let request = again.request(again.cohort(), &setting(&IG, &none));
    assert_eq!(request.types, ["Patient"]);
    assert_eq!(request.cohort.and_then(|cohort| cohort.group).as_deref(), Some("g"));
    for note in &kickoff.notes {
        let line = note.line();
        assert!(
            line.ends_with("}\n") && line.contains(r#""severity":"warning""#),
            "{line}"
        );
    }
}

#[test]
fn a_job_without_types_has_those_of_its_profile() {
    let none = HashMap::new();
    let kickoff = taken(strictly(&ORACLE, "GET Group/g/$export", ""), "oracle");
    assert_eq!(kickoff.request(None, &setting(&ORACLE, &none)).types.len(), 22);
    let kickoff = taken(strictly(&IG, "GET $export", ""), "ig");
    assert!(kickoff.request(None, &setting(&IG, &none)).types.is_empty());
}

/// Numbers that look random and are the same in each run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

/// What nonsense is made of.
const PIECES: [&str; 36] = [
    "_type",
    "_typeFilter",
    "_since",
    "_elements",
    "patient",
    "organizeOutputBy",
    "_foo",
    "=",
    "&",
    "?",
    ",",
    "%",
    "%2",
    "%2C",
    "%ff",
    "+",
    "Patient",
    "Observation",
    "Observation?code=",
    "Patient?",
    "\\",
    "|",
    "$",
    "ä",
    "\u{1f600}",
    "date=ge2020",
    "2020-01-01T00:00:00Z",
    ".",
    "/",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ":",
    "null",
];

#[test]
fn nonsense_is_answered_and_every_answer_is_json() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let good = parameters(
        &[
            entry("_type", "valueString", r#""Patient, Foo""#),
            patients(&["1", "2"]),
        ]
        .join(","),
    );
    let none = HashMap::new();
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..2000 {
        let query: String = (0..random.below(12))
            .map(|_| PIECES[random.below(PIECES.len())])
            .collect();
        let mut body = good.clone().into_bytes();
        for _ in 0..random.below(3) {
            let at = random.below(body.len());
            let piece = PIECES[random.below(PIECES.len())].as_bytes();
            let end = (at + random.below(4)).min(body.len());
            body.splice(at..end, piece.iter().copied());
        }
        let is_get = random.below(2) == 0;
        let headers = [ACCEPT, if random.below(2) == 0 { STRICT } else { LENIENT }, JSON];
        let door = [Door::System, Door::Patient, Door::Group("g".to_owned())][random.below(3)].clone();
        let call = Call {
            method: if is_get { Method::Get } else { Method::Post },
            door,
            query: (random.below(3) > 0).then_some(query.as_str()),
            headers: &headers,
            body: if is_get { b"" } else { &body },
        };
        let profile = [&IG, &IG4, &ORACLE][random.below(3)];
        match kickoff::read(&call, &setting(profile, &none)) {
            Ok(_) => taken += 1,
            Err(refusal) => {
                refused += 1;
                let reply = refusal.reply();
                assert!(
                    (400..500).contains(&reply.status) && !reply.issues.is_empty(),
                    "{query}"
                );
                let value: serde_json::Value = serde_json::from_str(&reply.body()).expect("valid JSON");
                assert_eq!(value["resourceType"], "OperationOutcome");
            }
        }
    }
    assert!(taken > 50 && refused > 500, "{taken} taken, {refused} refused");
}

#[test]
fn every_value_of_a_filter_keeps_its_span() {
    let body = parameters(&entry(
        "_typeFilter",
        "valueString",
        r#""Observation?code=a&value-quantity=x,5""#,
    ));
    let refusal = refused(strictly(&IG, "POST $export", &body), &body);
    assert_eq!(told(&refusal), [("_typeFilter", "x", 400, "invalid")]);
    let issue = refusal.reply().issues.remove(0);
    assert_eq!(issue.expression.as_deref(), Some("Parameters.parameter[0]"));
    assert_eq!(issue.location, None);
}
