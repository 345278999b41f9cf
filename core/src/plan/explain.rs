//! The compiled plan, for people and for programs.

use super::elements::Elements;
use super::gate::{Gate, Matcher, Path, Test, Window};
use super::{Filter, Plan, Role, TypePlan};
use crate::order;
use crate::quote::Tree;
use crate::request::OnBad;
use crate::search::kind::date::{self, Nanos};
use crate::search::kind::prefix::Prefix;
use crate::search::query;
use crate::search::table::{FhirVersion, WhereTest};

mod instant;
mod passes;
pub mod profile;
#[cfg(test)]
mod tests;

use instant::written;

/// A plan told: what both forms say.
struct Told<'p> {
    window: Option<&'p Gate>,
    /// Types with filters or elements.
    told: Vec<&'p TypePlan>,
    /// Names of the others.
    plain: Vec<&'p str>,
}

/// A gate told.
struct ToldGate<'p> {
    label: &'p str,
    /// What a value must be, alternatives.
    compares: Vec<String>,
    /// Where values are read, `effectivePeriod (date)`.
    places: Vec<String>,
    /// Members of the resource that decide it.
    members: Vec<String>,
}

impl Plan {
    /// What the plan does, for people. Equal plans give equal text.
    pub fn explain(&self) -> String {
        let told = self.told();
        let mut out = String::new();
        let mut line = |name: &str, text: &str| out.push_str(&format!("{name:12}{text}\n"));
        line("fhir", self.version_name());
        if let Some(cohort) = passes::cohort(self) {
            line("cohort", &cohort);
        }
        line("window", told.window.map_or("open", |gate| &gate.label));
        if self.is_organized() {
            line(
                "organized",
                "by Patient: a block for each, and what is nobody's by type",
            );
        }
        let prefilters = self.prefilters();
        line("prefilters", prefilters.first().map_or("none", |(how, _)| how));
        for (how, _) in prefilters.iter().skip(1) {
            line("", how);
        }
        for (_, texts) in prefilters.iter().filter(|(_, texts)| !texts.is_empty()) {
            push_wrapped(&mut out, "              ", texts);
        }
        let mut line = |name: &str, text: &str| out.push_str(&format!("{name:12}{text}\n"));
        line("lines", &format!("at most {} bytes", self.max_line()));
        let checked = if self.trusts() {
            "up to the deciding values (trust)"
        } else {
            "to the last byte"
        };
        line("checked", checked);
        line("bad lines", on_bad(self));
        passes::push(&mut out, self);
        for type_plan in &told.told {
            push_type(&mut out, type_plan);
        }
        if !told.plain.is_empty() {
            let how = match (told.window.is_some(), self.inner.cohort.is_some()) {
                (false, false) => "Whole",
                (true, false) => "Whole, inside the window",
                (false, true) => "Whole, of the cohort",
                (true, true) => "Whole, of the cohort and inside the window",
            };
            let count = told.plain.len();
            let types = if count == 1 { "type" } else { "types" };
            out.push_str(&format!("\n{how}: {count} {types}\n"));
            push_wrapped(&mut out, "  ", &told.plain);
        }
        out
    }

    /// The same for programs: an object, set out with two blanks a level, with
    ///
    /// - `fhirVersion`; `maxLine` in bytes; `trust`; `onBad` (`skip` or `stop`); `prefilters` (what is asked of raw bytes);
    /// - `window`: null, or `label`, and as instants or null `since` (exclusive), `until` (exclusive), `atMost` (inclusive);
    /// - `cohort`: null, or `group` (or null), `patients` (how many are listed) and `exclusive`;
    /// - `passes`: `name`, `reads` (which inputs), `why`, `gathers` (for passes behind it), `exports` (types);
    /// - `types`: those with filters or elements, sorted, each with `type`, `filters`, `captures` (paths whose values are
    ///   kept until the verdict), `watches` (paths below which no name may stand twice) and `elements` (names that stay, or
    ///   null: all). A filter has `text` as written and `gates`, in the order in which they are asked when several can be
    ///   decided; one without gates lets everything through. A gate has `label`, `compares` (alternatives), `reads` (paths),
    ///   `decidedBy` (members of the resource that must have been read; those that are missing count at the line's end);
    /// - `whole`: the other types that are exported, of which every resource inside the window is kept as it is;
    /// - `organizedBy`, only where output is: the type.
    pub fn explain_json(&self) -> String {
        Tree::Object(self.explain_members()).pretty()
    }

    /// The members of that object, for a caller who has more to tell.
    pub fn explain_members(&self) -> Vec<(&'static str, Tree)> {
        let told = self.told();
        let window = told.window.map_or(Tree::Null, |gate| match &gate.test {
            Test::Window { window, .. } => window_tree(gate, window),
            _ => Tree::Null,
        });
        let stops = self.on_bad() == OnBad::Stop;
        let mut members = vec![
            ("fhirVersion", Tree::text(self.version_name())),
            ("maxLine", Tree::Number(self.max_line() as u64)),
            ("trust", Tree::Boolean(self.trusts())),
            ("onBad", Tree::text(if stops { "stop" } else { "skip" })),
            (
                "prefilters",
                Tree::texts(self.prefilters().into_iter().map(told_prefilter)),
            ),
            ("window", window),
            ("cohort", passes::cohort_tree(self)),
            ("passes", passes::tree(self)),
            (
                "types",
                Tree::List(told.told.iter().map(|type_plan| type_tree(type_plan)).collect()),
            ),
            ("whole", Tree::texts(told.plain)),
        ];
        members.extend(self.is_organized().then(|| ("organizedBy", Tree::text("Patient"))));
        members
    }

    /// What is asked of the raw bytes of a line before it is walked, and for which texts it looks.
    fn prefilters(&self) -> Vec<(String, Vec<String>)> {
        let mut told = Vec::new();
        if self.type_plans().any(|type_plan| type_plan.mentions.is_some()) {
            let how = "a line that mentions no patient of the cohort is dropped unwalked";
            told.push((how.to_owned(), Vec::new()));
        }
        if let Some(literals) = self.literals() {
            let exported = self.type_plans().map(|type_plan| type_plan.type_name.as_str());
            let is_asked = |name: &&str| {
                self.registry()
                    .type_index(name)
                    .is_some_and(|index| literals.drops(index))
            };
            let types: Vec<&str> = exported.filter(is_asked).collect();
            let of = match types.as_slice() {
                [] | [_] | [_, _] | [_, _, _] => types.join(", "),
                more => format!("{} types", more.len()),
            };
            let how = format!("a line of {of} that holds none of these is dropped unwalked, while few hold one");
            told.push((how, self.literal_texts()));
        }
        told
    }

    fn version_name(&self) -> &'static str {
        match self.registry().version() {
            FhirVersion::R4 => "R4",
            FhirVersion::R4B => "R4B",
            FhirVersion::R5 => "R5",
        }
    }

    fn told(&self) -> Told<'_> {
        let is_told = |type_plan: &&TypePlan| !type_plan.filters.is_empty() || type_plan.elements.is_some();
        let exported = self.type_plans().filter(|type_plan| type_plan.role == Role::Export);
        let (mut told, plain): (Vec<_>, Vec<_>) = exported.partition(is_told);
        told.extend(self.inner.later.iter().filter(is_told));
        order::sort_by(&mut told, |one, other| one.type_name.cmp(&other.type_name));
        // The window is the same for every type.
        let window = told.iter().chain(&plain).find_map(|type_plan| {
            let mut gates = type_plan.gates.iter();
            gates.find(|gate| matches!(gate.test, Test::Window { .. }))
        });
        Told {
            window,
            told,
            plain: plain
                .into_iter()
                .map(|type_plan| type_plan.type_name.as_str())
                .collect(),
        }
    }
}

fn told_prefilter((how, texts): (String, Vec<String>)) -> String {
    if texts.is_empty() {
        return how;
    }
    format!("{how}: {}", texts.join(", "))
}

fn on_bad(plan: &Plan) -> &'static str {
    match plan.on_bad() {
        OnBad::Skip => "left out, counted and located",
        OnBad::Stop => "the first one ends the export",
    }
}

fn window_tree(gate: &Gate, window: &Window) -> Tree {
    let instant = |at: Option<Nanos>| Tree::maybe(at.map(written).as_deref());
    Tree::Object(vec![
        ("label", Tree::text(gate.label.as_str())),
        ("since", instant(window.since)),
        ("until", instant(window.until)),
        ("atMost", instant(window.at_most)),
    ])
}

fn push_type(out: &mut String, type_plan: &TypePlan) {
    out.push_str(&format!("\n{}\n", type_plan.type_name));
    for filter in &type_plan.filters {
        out.push_str(&format!("  filter  {}\n", filter.text));
        if filter.gates.is_empty() {
            out.push_str("    lets every resource through\n");
        }
        for gate in told_gates(filter, type_plan) {
            push_gate(out, &gate);
        }
    }
    for (name, paths) in paths(type_plan) {
        if !paths.is_empty() {
            out.push_str(&format!("  {name}\n"));
            push_wrapped(out, "    ", &paths);
        }
    }
    if let Some(elements) = &type_plan.elements {
        out.push_str("  keeps\n");
        push_wrapped(out, "    ", &elements.keys);
    }
}

fn push_gate(out: &mut String, gate: &ToldGate<'_>) {
    out.push_str(&format!("    {}\n", gate.label));
    let mut row = |name: &str, first: bool, text: &str| {
        let name = if first { name } else { "" };
        out.push_str(&format!("      {name:9}{text}\n"));
    };
    for (index, text) in gate.compares.iter().enumerate() {
        row(if index == 0 { "passes" } else { "or" }, true, text);
    }
    for (index, text) in gate.places.iter().enumerate() {
        row("reads", index == 0, text);
    }
    let members: Vec<String> = gate.members.iter().map(|name| format!("`{name}`")).collect();
    let decided = match members.as_slice() {
        [] => "at the end of the line".to_owned(),
        [one] => format!("once {one} is read, else at the end of the line"),
        more => format!("once all of {} are read, else at the end of the line", more.join(", ")),
    };
    row("decided", true, &decided);
}

/// A comma list over lines of at most a hundred characters.
fn push_wrapped<S: AsRef<str>>(out: &mut String, indent: &str, names: &[S]) {
    const WIDEST: usize = 100;
    let mut line = String::new();
    for (index, name) in names.iter().enumerate() {
        let name = name.as_ref();
        let comma = if index + 1 < names.len() { "," } else { "" };
        if !line.is_empty() && indent.len() + line.len() + 1 + name.len() + comma.len() > WIDEST {
            out.push_str(&format!("{indent}{line}\n"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(name);
        line.push_str(comma);
    }
    out.push_str(&format!("{indent}{line}\n"));
}

fn type_tree(type_plan: &TypePlan) -> Tree {
    let filter = |filter: &Filter| {
        let gates = told_gates(filter, type_plan).into_iter().map(|gate| {
            Tree::Object(vec![
                ("label", Tree::text(gate.label)),
                ("compares", Tree::texts(gate.compares)),
                ("reads", Tree::texts(gate.places)),
                ("decidedBy", Tree::texts(gate.members)),
            ])
        });
        Tree::Object(vec![
            ("text", Tree::text(filter.text.as_str())),
            ("gates", Tree::List(gates.collect())),
        ])
    };
    let [captures, watches] = paths(type_plan).map(|(name, paths)| (name, Tree::texts(paths)));
    let filters = type_plan.filters.iter().map(filter).collect();
    let elements = |elements: &Elements| Tree::texts(elements.keys.iter().map(String::as_str));
    Tree::Object(vec![
        ("type", Tree::text(type_plan.type_name.as_str())),
        ("filters", Tree::List(filters)),
        captures,
        watches,
        ("elements", type_plan.elements.as_ref().map_or(Tree::Null, elements)),
    ])
}

/// The paths that the walk looks at, sorted: those whose values it keeps, and those it only watches for names that stand
/// twice.
fn paths(type_plan: &TypePlan) -> [(&'static str, Vec<String>); 2] {
    let mut captured = Vec::new();
    let mut watched = Vec::new();
    for path in type_plan.trie.paths() {
        match path.strip_suffix('*') {
            Some(path) => captured.push(path.to_owned()),
            None => watched.push(path),
        }
    }
    order::sort(&mut captured);
    order::sort(&mut watched);
    [("captures", captured), ("watches", watched)]
}

fn told_gates<'p>(filter: &'p Filter, type_plan: &'p TypePlan) -> Vec<ToldGate<'p>> {
    filter
        .gates
        .iter()
        .map(|gate| ToldGate {
            label: &gate.label,
            compares: compares(gate),
            places: places(&gate.test),
            members: members(gate, type_plan),
        })
        .collect()
}

/// Names of the root members that the gate waits for, in the order of the trie.
fn members(gate: &Gate, type_plan: &TypePlan) -> Vec<String> {
    let mut names: Vec<String> = gate.test.paths().into_iter().map(Path::root).collect();
    names.retain(|name| {
        let child = type_plan.trie.root_child(name);
        child.is_some_and(|child| gate.roots >> (child & 127) & 1 == 1)
    });
    order::sort(&mut names);
    names.dedup();
    names
}

/// `telecom (ContactPoint) where system = 'phone'`
fn place(path: &Path) -> String {
    let mut out = format!("{} ({:?})", path.dotted, path.leaf);
    for (_, test) in &path.tests {
        out.push_str(&match test {
            WhereTest::Member(names, text) => format!(" where {} = '{text}'", names.join(".")),
            WhereTest::Index(index) => format!(" at index {index}"),
            WhereTest::Extension(url) => format!(" with extension '{url}'"),
        });
    }
    if let Some(type_name) = &path.reference.only {
        out.push_str(&format!(" pointing to {type_name}"));
    }
    out
}

fn places(test: &Test) -> Vec<String> {
    match test {
        Test::Composite { bases, .. } => bases
            .iter()
            .map(|base| {
                let part = |paths: &Vec<Path>| paths.iter().map(place).collect::<Vec<_>>().join(" or ");
                let parts: Vec<String> = base.parts.iter().map(part).collect();
                let of = base
                    .path
                    .as_ref()
                    .map_or(String::new(), |path| format!("{}: ", path.dotted));
                format!("{of}{}", parts.join(" $ "))
            })
            .collect(),
        test => test.paths().into_iter().map(place).collect(),
    }
}

/// What makes the gate pass, one text for each alternative.
fn compares(gate: &Gate) -> Vec<String> {
    let items = items(&gate.label);
    let item = |index: usize| items.get(index).map(String::as_str).unwrap_or_default();
    match &gate.test {
        Test::Window { .. }
        | Test::Member { .. }
        | Test::Linked { .. }
        | Test::NobodyElse { .. }
        | Test::Provenance(_) => vec![gate.label.clone()],
        Test::Presence { present: true, .. } => vec!["there is a value".to_owned()],
        Test::Presence { present: false, .. } => vec!["there is no value".to_owned()],
        Test::Values {
            matchers,
            negated,
            first_only,
            ..
        } => {
            let each = matchers.iter().enumerate();
            let each = each.map(|(index, matcher)| described(matcher, item(index)));
            match (negated, first_only) {
                (false, false) => each.collect(),
                (false, true) => each.map(|text| format!("first value: {text}")).collect(),
                // All of them together are one alternative.
                (true, _) => vec![format!(
                    "{}: {}",
                    if *first_only { "not the first value" } else { "no value" },
                    each.collect::<Vec<_>>().join(", nor ")
                )],
            }
        }
        Test::Exists {
            when_true, when_false, ..
        } => {
            let text = match (when_true, when_false) {
                (true, true) => "always",
                (true, false) => "an element exists and is not `false`",
                (false, true) => "no element exists, or only `false`",
                (false, false) => "never",
            };
            vec![text.to_owned()]
        }
        Test::Composite { tuples, .. } => {
            let each = tuples.iter().enumerate();
            each.map(|(index, tuple)| {
                let text = item(index);
                let pieces = query::split(text, '$').into_iter().map(|range| &text[range]);
                let parts: Vec<String> = tuple
                    .iter()
                    .zip(pieces)
                    .map(|(matcher, piece)| described(matcher, piece))
                    .collect();
                format!("{}, on one element", parts.join(" and "))
            })
            .collect()
        }
    }
}

/// The alternatives as written, percent-decoded: one for each matcher of the gate.
fn items(label: &str) -> Vec<String> {
    let query = query::parse(&format!("Resource?{label}"));
    let pair = query.ok().and_then(|query| query.pairs.into_iter().next());
    pair.map_or(Vec::new(), |pair| {
        pair.items.into_iter().map(|item| item.text).collect()
    })
}

fn described(matcher: &Matcher, text: &str) -> String {
    let value = || Prefix::split(text).map_or(text, |(_, rest)| rest);
    match matcher {
        Matcher::Date(_) => date_described(text),
        Matcher::Number(number) => number.describe(value()),
        Matcher::Quantity(quantity) => quantity.describe(value()),
        Matcher::String(string) => string.describe(),
        Matcher::Token(token) => token.describe(),
        Matcher::Reference(reference) => reference.describe(),
        Matcher::Uri(uri) => uri.describe(),
    }
}

/// The prefix, the date, and the time that it covers. `DateMatcher::describe` counts nanoseconds, which nobody reads.
fn date_described(text: &str) -> String {
    let Some((prefix, value)) = Prefix::split(text) else {
        return text.to_owned();
    };
    let letters = prefix.letters();
    match date::read(value.as_bytes()) {
        Some(date) if prefix == Prefix::Ap => {
            let from = written(date.interval.lo);
            format!("{letters} {value}: from {from}, give or take a tenth of the time since")
        }
        Some(date) => {
            let (from, to) = (written(date.interval.lo), written(date.interval.hi));
            format!("{letters} {value}: from {from} to before {to}")
        }
        None => format!("{letters} {value}"),
    }
}
