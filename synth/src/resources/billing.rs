//! Claim, ExplanationOfBenefit and ChargeItem: the wide lines.

use crate::choice::{Choice, choice};
use crate::codes::{CONDITIONS, PROCEDURES, UNITS};
use crate::datatypes::{concept, concept_as, identifiers, money, note, period, plain, quantity};
use crate::dates::{DAY, date, date_time};
use crate::head::head;
use crate::ids::{Id, Kind};
use crate::pen::{Pen, put};
use crate::references::{own, reference, shared, shared_as, subject};

pub(crate) fn claim(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::Claim, pen.subject.index, ordinal);
    let (visit, at) = pen.visit();
    billing_head(pen, Kind::Claim, id, at);
    shared_as(pen, "provider", Kind::Organization);
    put!(pen, r#","priority":"#);
    plain(pen, "processpriority", "normal");
    put!(pen, r#","payee":{"type":"#);
    plain(pen, "payeetype", "provider");
    put!(pen, r#","party":"#);
    payee(pen);
    put!(pen, "}");
    shared_as(pen, "facility", Kind::Location);
    team_and_reasons(pen, at);
    put!(pen, r#","insurance":[{"sequence":1,"focal":true"#);
    own(pen, "coverage", Kind::Coverage, 0);
    put!(pen, "}]");
    if pen.oddly(20) {
        let day = date(pen, at);
        put!(pen, r#","accident":{"date":""#, day, r#"","type":"#);
        plain(pen, "v3-ActCode", "MVA");
        put!(pen, r#","locationAddress":"#);
        crate::datatypes::address(pen);
        put!(pen, "}");
    }
    let lines = 1 + pen.rng.below(6);
    items(pen, lines, visit, at, false);
    let total = 1000 + pen.rng.below(5_000_000);
    put!(pen, r#","total":"#);
    money(pen, total);
    put!(pen, "}");
}

/// The payee of a claim: an organization, sometimes the patient, sometimes somebody who is no one's record.
fn payee(pen: &mut Pen) {
    if pen.oddly(15) {
        let patient = pen.subject.id;
        reference(pen, Kind::Patient, patient);
    } else {
        shared(pen, Kind::Organization);
    }
}

/// The members that Claim and ExplanationOfBenefit begin with, up to `created`.
fn billing_head(pen: &mut Pen, kind: Kind, id: Id, at: i64) {
    let local = pen.rng.below(1_000_000_000);
    head(
        pen,
        kind,
        id,
        if kind == Kind::Claim {
            "claim"
        } else {
            "C4BB-ExplanationOfBenefit"
        },
    );
    identifiers(pen, local);
    let status = if pen.varied {
        pen.rng.pick(&["active", "active", "cancelled"])
    } else {
        "active"
    };
    put!(pen, r#","status":""#, status, r#"","type":"#);
    let class = pen.rng.pick(&["professional", "institutional", "pharmacy"]);
    plain(pen, "claim-type", class);
    put!(pen, r#","use":"claim""#);
    subject(pen, "patient");
    put!(pen, r#","billablePeriod":"#);
    period(pen, at, 3 * DAY);
    let created = date_time(pen, at + 5 * DAY);
    put!(pen, r#","created":""#, created, "\"");
}

fn team_and_reasons(pen: &mut Pen, at: i64) {
    put!(pen, r#","careTeam":[{"sequence":1"#);
    shared_as(pen, "provider", Kind::Practitioner);
    put!(pen, r#","role":"#);
    plain(pen, "claimcareteamrole", "primary");
    put!(pen, r#"}],"supportingInfo":["#);
    for sequence in 1..4u64 {
        put!(
            pen,
            if sequence > 1 { "," } else { "" },
            r#"{"sequence":"#,
            sequence,
            r#","category":"#
        );
        plain(pen, "claiminformationcategory", "info");
        choice(pen, "timing", &[Choice::Date, Choice::Period], at, UNITS[0]);
        choice(
            pen,
            "value",
            &[Choice::Quantity, Choice::Text, Choice::Boolean],
            at,
            UNITS[0],
        );
        put!(pen, "}");
    }
    put!(pen, r#"],"diagnosis":["#);
    for sequence in 1..4u64 {
        put!(pen, if sequence > 1 { "," } else { "" }, r#"{"sequence":"#, sequence);
        if pen.rng.percent(40) {
            own(pen, "diagnosisReference", Kind::Condition, sequence - 1);
        } else {
            let code = pen.rng.pick(&CONDITIONS);
            concept_as(pen, "diagnosisCodeableConcept", code);
        }
        put!(pen, r#","type":["#);
        plain(pen, "ex-diagnosistype", "principal");
        put!(pen, "]}");
    }
    put!(pen, r#"],"procedure":[{"sequence":1"#);
    let day = date_time(pen, at);
    put!(pen, r#","date":""#, day, "\"");
    if pen.rng.percent(60) {
        own(pen, "procedureReference", Kind::Procedure, 0);
    } else {
        concept_as(pen, "procedureCodeableConcept", PROCEDURES[6]);
    }
    if pen.oddly(5) {
        put!(
            pen,
            r#","udi":[{"reference":"Device/"#,
            pen.own(Kind::Device, 0),
            "\"}]"
        );
    }
    put!(pen, "}]");
}

fn items(pen: &mut Pen, lines: u64, visit: u64, at: i64, adjudicated: bool) {
    put!(pen, r#","item":["#);
    for sequence in 1..=lines {
        put!(
            pen,
            if sequence > 1 { "," } else { "" },
            r#"{"sequence":"#,
            sequence,
            r#","diagnosisSequence":[1],"procedureSequence":[1]"#
        );
        let code = pen.rng.pick(&PROCEDURES);
        concept_as(pen, "productOrService", code);
        choice(pen, "serviced", &[Choice::Period, Choice::Date], at, UNITS[0]);
        match pen.rng.below(3) {
            0 => shared_as(pen, "locationReference", Kind::Location),
            1 => {
                put!(
                    pen,
                    r#","locationCodeableConcept":{"coding":[{"system":"https://bluebutton.cms.gov/resources/variables/line_place_of_srvc_cd","code":"21"}]}"#
                );
            }
            _ => {
                put!(pen, r#","locationAddress":"#);
                crate::datatypes::address(pen);
            }
        }
        let cents = pen.rng.below(500_000);
        put!(pen, r#","quantity":{"value":"#, 1 + cents % 5, r#"},"unitPrice":"#);
        money(pen, cents);
        put!(pen, r#","net":"#);
        money(pen, cents);
        put!(
            pen,
            r#","encounter":[{"reference":"Encounter/"#,
            pen.own(Kind::Encounter, visit),
            "\"}]"
        );
        if pen.oddly(6) {
            udi(pen);
        }
        if adjudicated {
            adjudication(pen, cents);
        }
        put!(pen, "}");
    }
    put!(pen, "]");
}

/// Appends devices of an item, of its details and of their details.
fn udi(pen: &mut Pen) {
    let device = pen.own(Kind::Device, 0);
    put!(
        pen,
        r#","udi":[{"reference":"Device/"#,
        device,
        r#""}],"detail":[{"sequence":1,"productOrService":{"text":"detail"},"udi":[{"reference":"Device/"#,
        device,
        r#""}],"subDetail":[{"sequence":1,"productOrService":{"text":"part of a detail"},"udi":[{"reference":"Device/"#,
        device,
        r#""}]}]}]"#
    );
}

fn adjudication(pen: &mut Pen, cents: u64) {
    put!(pen, r#","adjudication":["#);
    for (position, code) in [
        "line_coinsrnc_amt",
        "line_prvdr_pmt_amt",
        "line_sbmtd_chrg_amt",
        "line_alowd_chrg_amt",
        "line_bene_ptb_ddctbl_amt",
    ]
    .into_iter()
    .enumerate()
    {
        put!(
            pen,
            if position > 0 { "," } else { "" },
            r#"{"category":{"coding":[{"system":"https://bluebutton.cms.gov/resources/codesystem/adjudication","code":"https://bluebutton.cms.gov/resources/variables/"#,
            code,
            r#"","display":"Line amount"}]},"amount":"#
        );
        money(pen, cents / (1 + position as u64));
        put!(pen, "}");
    }
    put!(pen, "]");
}

pub(crate) fn benefit(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::ExplanationOfBenefit, pen.subject.index, ordinal);
    let (visit, at) = pen.visit();
    // As Synthea does it: the referral and the coverage are contained. The head's own decoys would repeat the name.
    let contained = pen.rng.percent(50);
    if contained {
        put!(
            pen,
            r#"{"resourceType":"ExplanationOfBenefit","id":""#,
            id,
            r#"","meta":{"lastUpdated":"2024-02-29T23:59:59.999Z"},"contained":[{"resourceType":"ServiceRequest","id":"referral","status":"completed","intent":"order","subject":{"reference":"Patient/contained-decoy"},"requester":{"reference":"Practitioner/contained-decoy"}},{"resourceType":"Coverage","id":"coverage","status":"active","type":{"text":"Contained"},"beneficiary":{"reference":"Patient/"#,
            pen.subject.id,
            r#""},"payor":[{"display":"Contained payor"}]}]"#
        );
        put!(
            pen,
            r#","identifier":[{"system":"https://bluebutton.cms.gov/resources/variables/clm_id","value":"-1000"#,
            pen.subject.index,
            r#""}],"status":"active","type":"#
        );
        plain(pen, "claim-type", "professional");
        put!(pen, r#","use":"claim""#);
        subject(pen, "patient");
        put!(pen, r#","billablePeriod":"#);
        period(pen, at, 3 * DAY);
        let created = date_time(pen, at + 5 * DAY);
        put!(pen, r#","created":""#, created, "\"");
    } else {
        billing_head(pen, Kind::ExplanationOfBenefit, id, at);
    }
    shared_as(pen, "insurer", Kind::Organization);
    shared_as(pen, "provider", Kind::Practitioner);
    if contained {
        put!(pen, r##","referral":{"reference":"#referral"}"##);
    }
    own(pen, "claim", Kind::Claim, ordinal);
    put!(pen, r#","outcome":"complete","disposition":"Settled""#);
    team_and_reasons(pen, at);
    put!(pen, r#","insurance":[{"focal":true,"coverage":"#);
    if contained {
        put!(pen, r##"{"reference":"#coverage","display":"Contained"}}]"##);
    } else {
        let coverage = pen.own(Kind::Coverage, 0);
        reference(pen, Kind::Coverage, coverage);
        put!(pen, "}]");
    }
    let lines = 1 + pen.rng.below(5);
    items(pen, lines, visit, at, true);
    let total = 1000 + pen.rng.below(5_000_000);
    put!(pen, r#","total":[{"category":"#);
    plain(pen, "adjudication", "submitted");
    put!(pen, r#","amount":"#);
    money(pen, total);
    put!(pen, r#"}],"payment":{"amount":"#);
    money(pen, total / 2);
    let paid = date(pen, at + 20 * DAY);
    put!(pen, r#","date":""#, paid, "\"}}");
}

pub(crate) fn charge(pen: &mut Pen, ordinal: u64) {
    let id = pen.start(Kind::ChargeItem, pen.subject.index, ordinal);
    let (visit, at) = pen.visit();
    let local = pen.subject.index * 100 + ordinal;
    head(pen, Kind::ChargeItem, id, "chargeitem");
    identifiers(pen, local);
    put!(pen, r#","status":"billable""#);
    let code = pen.rng.pick(&PROCEDURES);
    concept_as(pen, "code", code);
    subject(pen, "subject");
    own(pen, "context", Kind::Encounter, visit);
    choice(
        pen,
        "occurrence",
        &[Choice::DateTime, Choice::Period, Choice::Timing],
        at,
        UNITS[0],
    );
    put!(pen, r#","performer":[{"#);
    if pen.oddly(20) {
        put!(pen, r#""function":"#);
        plain(pen, "v3-ParticipationType", "PRF");
        put!(pen, ",");
    }
    put!(pen, r#""actor":"#);
    shared(pen, Kind::Practitioner);
    put!(pen, r#"}],"quantity":"#);
    quantity(pen, UNITS[7]);
    if pen.oddly(10) {
        put!(pen, r#","productCodeableConcept":{"text":"Verband"}"#);
    } else if pen.oddly(10) {
        own(pen, "productReference", Kind::Device, 0);
    }
    let factor = if pen.varied {
        pen.rng.pick(&["0.8", "0.80", "8e-1", "1", "1.0", "1.5E0", "0"])
    } else {
        "0.8"
    };
    put!(pen, r#","factorOverride":"#, factor, r#","priceOverride":"#);
    money(pen, 4000);
    shared_as(pen, "enterer", Kind::Practitioner);
    let entered = date_time(pen, at + DAY);
    put!(pen, r#","enteredDate":""#, entered, r#"","reason":["#);
    concept(pen, CONDITIONS[7]);
    put!(pen, "]");
    if pen.oddly(30) {
        note(pen, at);
    }
    put!(pen, "}");
}
