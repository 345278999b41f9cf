//! The passes of a request and the sets they need, for people and for programs.

use crate::plan::associated::{ProvenanceRule, Stage};
use crate::plan::{Plan, Role};
use crate::quote::Tree;

/// A pass told.
struct Told {
    name: &'static str,
    /// What it reads.
    reads: &'static str,
    /// Why it runs.
    why: String,
    /// What is taken down for the passes behind it.
    gathers: Vec<&'static str>,
    /// The types that it may export.
    types: Vec<String>,
}

/// Whose records, for people; `None`: everybody's.
pub(super) fn cohort(plan: &Plan) -> Option<String> {
    let cohort = plan.inner.cohort.as_ref()?;
    let who = match &cohort.group {
        Some(group) if cohort.patients.is_empty() => format!("the members of Group `{group}`"),
        Some(group) => format!("{}, if members of Group `{group}`", patients(cohort.patients.len())),
        None => patients(cohort.patients.len()),
    };
    let how = if cohort.exclusive {
        "; nothing that belongs to others too"
    } else {
        ""
    };
    Some(format!("{who}{how}"))
}

fn patients(count: usize) -> String {
    if count == 1 {
        "1 patient".to_owned()
    } else {
        format!("{count} patients")
    }
}

/// The same for programs.
pub(super) fn cohort_tree(plan: &Plan) -> Tree {
    let Some(cohort) = &plan.inner.cohort else {
        return Tree::Null;
    };
    Tree::Object(vec![
        ("group", Tree::maybe(cohort.group.as_deref())),
        ("patients", Tree::Number(cohort.patients.len() as u64)),
        ("exclusive", Tree::Boolean(cohort.exclusive)),
    ])
}

/// Lines of text, a pass after the other. Empty where one pass does it all.
pub(super) fn push(out: &mut String, plan: &Plan) {
    let told = told(plan);
    if told.len() < 2 {
        return;
    }
    out.push_str("\nPasses\n");
    for (index, pass) in told.iter().enumerate() {
        out.push_str(&format!("  {} {:12}{}\n", index + 1, pass.name, pass.why));
        out.push_str(&format!("    {:12}{}\n", "reads", pass.reads));
        for what in &pass.gathers {
            out.push_str(&format!("    {:12}{what}\n", "takes down"));
        }
        if pass.types.len() > 6 {
            out.push_str(&format!("    {:12}{} types\n", "exports", pass.types.len()));
        } else if !pass.types.is_empty() {
            out.push_str(&format!("    {:12}{}\n", "exports", pass.types.join(", ")));
        }
    }
}

/// The passes for programs.
pub(super) fn tree(plan: &Plan) -> Tree {
    let pass = |pass: Told| {
        Tree::Object(vec![
            ("name", Tree::text(pass.name)),
            ("reads", Tree::text(pass.reads)),
            ("why", Tree::text(pass.why)),
            ("gathers", Tree::texts(pass.gathers)),
            ("exports", Tree::texts(pass.types)),
        ])
    };
    Tree::List(told(plan).into_iter().map(pass).collect())
}

fn told(plan: &Plan) -> Vec<Told> {
    let mut told = Vec::new();
    let group = plan.inner.cohort.as_ref().and_then(|cohort| cohort.group.as_ref());
    if let Some(group) = group {
        told.push(Told {
            name: "cohort",
            reads: "the inputs that begin with a Group, or all of them",
            why: format!("finds the members of Group `{group}`"),
            gathers: vec!["the set of patients"],
            types: Vec::new(),
        });
    }
    told.push(main(plan));
    told.extend(plan.stages().iter().map(|&stage| later(plan, stage)));
    told
}

fn main(plan: &Plan) -> Told {
    let cohort = plan.inner.cohort.as_ref();
    let mut gathers = Vec::new();
    if cohort.is_some() {
        gathers.push("which Patients and Groups there are, against what was known before");
    }
    if let Some(gather) = plan.gather() {
        gathers.extend(gather.kept.then_some("the set of what is exported, for Provenance"));
        let links = !gather.links.is_empty();
        gathers.extend(links.then_some("the set of what exported resources refer to"));
    }
    let exports = plan.type_plans().filter(|type_plan| type_plan.role == Role::Export);
    Told {
        name: "main",
        reads: "every input",
        why: match cohort {
            Some(_) => "exports the records of the cohort: the Patient compartment and Devices".to_owned(),
            None => "exports what is asked for by type".to_owned(),
        },
        gathers,
        types: exports.map(|type_plan| type_plan.type_name.clone()).collect(),
    }
}

fn later(plan: &Plan, stage: Stage) -> Told {
    let holds_provenance = "the inputs that hold Provenance";
    let (name, reads, why) = match (stage, plan.inner.rule) {
        (Stage::Rank, _) => (
            "ages",
            holds_provenance,
            "finds the newest Provenance of each exported resource",
        ),
        (Stage::Provenance, ProvenanceRule::Latest) => {
            ("provenance", holds_provenance, "exports the newest Provenance of each")
        }
        (Stage::Provenance, ProvenanceRule::Default) => (
            "provenance",
            holds_provenance,
            "exports Provenance of what is exported, or of a patient of the cohort",
        ),
        (Stage::Provenance, _) => ("provenance", holds_provenance, "exports Provenance of what is exported"),
        _ => (
            "associated",
            "the inputs that hold their types",
            "exports what exported resources refer to and no compartment holds",
        ),
    };
    let types = match (stage, plan.gather()) {
        (Stage::Rank, _) => Vec::new(),
        (Stage::Provenance, _) => vec!["Provenance".to_owned()],
        (_, Some(gather)) => {
            let names = plan.registry().types().iter().zip(&gather.links);
            names
                .filter(|(_, linked)| **linked)
                .map(|(name, _)| name.clone())
                .collect()
        }
        (_, None) => Vec::new(),
    };
    let gathers = if stage == Stage::Provenance && plan.stages().contains(&Stage::Associated) {
        vec!["what the Provenances refer to"]
    } else {
        Vec::new()
    };
    Told {
        name,
        reads,
        why: why.to_owned(),
        gathers,
        types,
    }
}
