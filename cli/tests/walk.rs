//! The walk of one group export through its passes, as `docs/group-export.md` shows it: counts at each gate, found by
//! running the export with one gate more each time. With UPDATE_SNAPSHOTS=1 the page and its picture are written anew.

mod binary;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use binary::Folder;
use serde_json::Value;

const OWN: &str = "Patient,Condition,Observation";
const ALL: &str = "Patient,Condition,Observation,Practitioner,Organization,Location,Provenance";
const GROUP: [&str; 2] = ["--group", "p.3-0"];
const SINCE: [&str; 2] = ["--since", "2021-01-01T00:00:00Z"];
const FILTER: [&str; 2] = ["--type-filter", "Observation?category=laboratory"];

/// One row of the walk.
struct Step {
    pass: &'static str,
    what: String,
    count: u64,
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples")
}

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
}

fn export(args: &[&str]) -> Value {
    let folder = Folder::new();
    let samples = samples();
    let start = [
        "export",
        samples.to_str().expect("a path"),
        "-o",
        "out",
        "--report",
        "json",
    ];
    let ran = folder.run(&[&start[..], args].concat()).ends(0);
    serde_json::from_str(&ran.out).expect("JSON")
}

fn kept(args: &[&str]) -> u64 {
    export(args)["kept"].as_u64().expect("a number")
}

fn steps() -> Vec<Step> {
    let own = ["--type", OWN];
    let whole = export(&[&["--type", ALL], &GROUP[..], &SINCE, &FILTER].concat());
    let pass = |name: &str| {
        let passes = whole["passes"].as_array().expect("passes");
        let pass = passes.iter().find(|pass| pass["stage"] == name).expect("a pass");
        pass["kept"].as_u64().expect("a number")
    };
    let members = whole["sets"][0]["count"].as_u64().expect("a number");
    let step = |pass, what: &str, count| Step {
        pass,
        what: what.to_owned(),
        count,
    };
    let steps = vec![
        step("cohort", "members of Group `p.3-0`", members),
        step("main", "lines read", whole["lines"].as_u64().expect("a number")),
        step("main", "of Patient, Condition, Observation", kept(&own)),
        step(
            "main",
            "in the compartment of a member",
            kept(&[&own[..], &GROUP].concat()),
        ),
        step("main", "changed since 2021", kept(&[&own[..], &GROUP, &SINCE].concat())),
        step("main", "that the filter lets pass: exported", pass("main")),
        step(
            "provenance",
            "Provenance of these or of a member: exported",
            pass("provenance"),
        ),
        step("associated", "what all of these refer to: exported", pass("associated")),
    ];
    let last = [pass("main"), pass("provenance"), pass("associated")]
        .iter()
        .sum::<u64>();
    assert_eq!(whole["kept"], last);
    assert_eq!(kept(&[&own[..], &GROUP, &SINCE, &FILTER].concat()), pass("main"));
    steps
}

fn table(steps: &[Step]) -> String {
    let mut out = "| pass | gate | resources |\n| --- | --- | --- |\n".to_owned();
    for step in steps {
        writeln!(out, "| {} | {} | {} |", step.pass, step.what, step.count).expect("writes");
    }
    out
}

/// Bars from the left, a row a gate, wide by the share of the lines that are left.
fn picture(steps: &[Step]) -> String {
    let most = steps.iter().map(|step| step.count).max().unwrap_or(1) as f64;
    let height = steps.len() * 34 + 24;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"780\" height=\"{height}\" viewBox=\"0 0 780 {height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#16181d\"/>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, monospace\" font-size=\"13\">\n"
    );
    for (index, step) in steps.iter().enumerate() {
        let top = index * 34 + 16;
        let color = match step.pass {
            "cohort" => "#7aa2f7",
            "main" => "#8fd18f",
            "provenance" => "#e0af68",
            _ => "#bb9af7",
        };
        let is_new = index == 0 || steps[index - 1].pass != step.pass;
        let pass = if is_new { step.pass } else { "" };
        let width = 200.0 * step.count as f64 / most + 2.0;
        let what = step.what.replace('`', "");
        writeln!(
            out,
            "<text x=\"18\" y=\"{y}\" fill=\"{color}\">{pass}</text>\n\
             <rect x=\"120\" y=\"{top}\" width=\"{width:.0}\" height=\"22\" rx=\"3\" fill=\"{color}\" opacity=\"0.75\"/>\n\
             <text x=\"{end:.0}\" y=\"{y}\" fill=\"#d8dce5\">{count} {what}</text>",
            y = top + 16,
            end = 130.0 + width,
            count = step.count,
        )
        .expect("writes");
    }
    out.push_str("</g>\n</svg>\n");
    out
}

fn hold(name: &str, expected: &str) {
    let path = docs(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, expected).expect("writes");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/{name} is not what the export gives; UPDATE_SNAPSHOTS=1 writes it"
    );
}

#[test]
fn the_page_shows_what_the_export_does() {
    let steps = steps();
    hold("group-export.svg", &picture(&steps));
    let page = std::fs::read_to_string(docs("group-export.md")).expect("the page");
    let (before, rest) = page.split_once("<!-- walk -->\n").expect("a mark");
    let (_, after) = rest.split_once("<!-- end of the walk -->\n").expect("a mark");
    let expected = format!(
        "{before}<!-- walk -->\n{}<!-- end of the walk -->\n{after}",
        table(&steps)
    );
    hold("group-export.md", &expected);
}
