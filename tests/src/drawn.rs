//! Requests drawn from data: a parameter, a value that some line has for it, and a way to ask for it.

use crate::oracle::follow;
use crate::random::Random;
use fhirehose_core::search::table::{Param, PathSpec, Registry, SearchType};
use serde_json::Value;

const PREFIXES: [&str; 10] = ["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];

/// Draws filters over lines of one type.
#[derive(Debug)]
pub struct Drawing<'a> {
    registry: &'a Registry,
    type_name: &'a str,
    lines: &'a [Value],
}

impl<'a> Drawing<'a> {
    /// Draws from these lines, all of one type.
    #[must_use]
    pub fn new(registry: &'a Registry, type_name: &'a str, lines: &'a [Value]) -> Self {
        Drawing {
            registry,
            type_name,
            lines,
        }
    }

    /// At most `each` different filters for every parameter that some line has a value for.
    #[must_use]
    pub fn filters(&self, each: usize, random: &mut Random) -> Vec<String> {
        let mut filters = Vec::new();
        for param in self.registry.params(self.type_name) {
            let mut own = Vec::new();
            for _ in 0..each * 3 {
                if own.len() >= each {
                    break;
                }
                if let Some(pair) = self.pair(param, random) {
                    let filter = format!("{}?{pair}", self.type_name);
                    if !own.contains(&filter) {
                        own.push(filter);
                    }
                }
            }
            filters.append(&mut own);
        }
        filters
    }

    fn pair(&self, param: &Param, random: &mut Random) -> Option<String> {
        let code = &param.code;
        if random.one_in(12) {
            return Some(format!("{code}:missing={}", random.one_in(2)));
        }
        if param.kind == SearchType::Composite {
            return self.composite(param, random).map(|value| format!("{code}={value}"));
        }
        let (modifier, mut value) = self.ask(param.kind, &param.paths, None, random)?;
        if random.one_in(5) {
            // A second item, asked for in the same way.
            for _ in 0..8 {
                let Some((other, more)) = self.ask(param.kind, &param.paths, None, random) else {
                    break;
                };
                if other == modifier {
                    value = format!("{value},{more}");
                    break;
                }
            }
        }
        Some(format!("{code}{modifier}={value}"))
    }

    fn composite(&self, param: &Param, random: &mut Random) -> Option<String> {
        let base = random.pick(&param.paths)?;
        let start = (0..20).find_map(|_| {
            let found = follow(random.pick(self.lines)?, base);
            random.pick(&found).copied()
        })?;
        let parts: Option<Vec<String>> = param
            .components
            .iter()
            .map(|part| {
                let (_, value) = (0..8)
                    .filter_map(|_| self.ask(part.kind, &part.paths, Some(start), random))
                    .find(|(modifier, _)| modifier.is_empty())?;
                Some(value)
            })
            .collect();
        parts.map(|parts| parts.join("$"))
    }

    /// A modifier (with its colon, or nothing) and an escaped value.
    fn ask(
        &self,
        kind: SearchType,
        paths: &[PathSpec],
        start: Option<&Value>,
        random: &mut Random,
    ) -> Option<(String, String)> {
        for _ in 0..20 {
            let path = random.pick(paths)?;
            let line = match start {
                Some(start) if !path.root => start,
                _ => random.pick(self.lines)?,
            };
            let found = follow(line, path);
            if let Some(value) = random.pick(&found)
                && let Some(asked) = ask(kind, &path.leaf, value, random)
            {
                return Some(asked);
            }
        }
        None
    }
}

fn ask(kind: SearchType, leaf: &str, value: &Value, random: &mut Random) -> Option<(String, String)> {
    let plain = |value: String| Some((String::new(), value));
    match kind {
        SearchType::Date => plain(date(&some_text(value, random)?, random)),
        SearchType::Number => plain(number(value, random)?),
        SearchType::Quantity => plain(quantity(value, random)?),
        SearchType::String => Some(string(&some_text(value, random)?, random)),
        SearchType::Token => token(leaf, value, random),
        SearchType::Reference => reference(value, random),
        SearchType::Uri => Some(uri(value.as_str()?, random)),
        SearchType::Composite | SearchType::Special => None,
    }
}

/// Some text inside a value.
fn some_text(value: &Value, random: &mut Random) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => some_text(random.pick(items)?, random),
        Value::Object(members) => {
            let values: Vec<&Value> = members.values().collect();
            some_text(random.pick(&values)?, random)
        }
        _ => None,
    }
}

fn date(text: &str, random: &mut Random) -> String {
    let cuts = [4, 7, 10, 16, text.len()];
    let cut = *random.pick(&cuts).unwrap_or(&4);
    let cut = text.get(..cut).unwrap_or(text);
    let zone = if cut.len() == 16 { "Z" } else { "" };
    let prefix = random.pick(&PREFIXES).copied().unwrap_or_default();
    escape(&format!("{prefix}{cut}{zone}"))
}

fn number(value: &Value, random: &mut Random) -> Option<String> {
    let number = match value {
        Value::Number(number) => number.to_string(),
        Value::Object(members) => members.values().find_map(|member| number(member, random))?,
        _ => return None,
    };
    let number = number.trim_start_matches(|c: char| c.is_ascii_lowercase());
    let spelled = match random.below(5) {
        0 => number.split(['.', 'e', 'E']).next()?.to_owned(),
        1 if !number.contains(['e', 'E']) => format!("{number}{}", if number.contains('.') { "0" } else { ".0" }),
        2 => format!("{number}{}", if number.contains(['e', 'E']) { "" } else { "e0" }),
        _ => number.to_owned(),
    };
    Some(format!("{}{spelled}", random.pick(&PREFIXES)?))
}

fn quantity(value: &Value, random: &mut Random) -> Option<String> {
    let amount = number(value.get("value").or_else(|| value.get("low")?.get("value"))?, random)?;
    let of = value.get("low").unwrap_or(value);
    let text = |name: &str| of.get(name).and_then(Value::as_str).map(escape);
    Some(match (random.below(4), text("system"), text("code").or(text("unit"))) {
        (0, Some(system), Some(code)) => format!("{amount}|{system}|{code}"),
        (1, _, Some(code)) => format!("{amount}||{code}"),
        (2, _, Some(_)) if text("unit").is_some() => format!("{amount}||{}", text("unit")?),
        _ => amount,
    })
}

fn string(text: &str, random: &mut Random) -> (String, String) {
    let characters: Vec<char> = text.chars().take(60).collect();
    let from = random.below(characters.len().max(1) as u64) as usize;
    let len = 1 + random.below(5) as usize;
    let end = (from + len).min(characters.len());
    let (modifier, part): (&str, String) = match random.below(6) {
        0 => (":exact", text.to_owned()),
        1 => (":exact", text.to_uppercase()),
        2 | 3 => (":contains", characters[from..end].iter().collect()),
        _ => ("", characters[..end].iter().collect()),
    };
    let part = match random.below(3) {
        0 if modifier != ":exact" => part.to_uppercase(),
        _ => part,
    };
    let part = if part.trim().is_empty() { "a".to_owned() } else { part };
    (modifier.to_owned(), escape(&part))
}

fn token(leaf: &str, value: &Value, random: &mut Random) -> Option<(String, String)> {
    let coding = match leaf {
        "CodeableConcept" => random.pick(value.get("coding")?.as_array()?)?,
        "CodeableReference" => random.pick(value.get("concept")?.get("coding")?.as_array()?)?,
        _ => value,
    };
    if random.one_in(8)
        && let Some(text) = some_text(value, random)
        && matches!(leaf, "Coding" | "CodeableConcept" | "Identifier")
    {
        return Some((":text".to_owned(), string(&text, random).1));
    }
    let name = if leaf == "Identifier" || leaf == "ContactPoint" {
        "value"
    } else {
        "code"
    };
    let code = match coding {
        Value::String(text) => text.clone(),
        Value::Bool(truth) => truth.to_string(),
        _ => coding.get(name)?.as_str()?.to_owned(),
    };
    let system = coding
        .get("system")
        .and_then(Value::as_str)
        .filter(|_| leaf != "ContactPoint");
    let code = match random.below(6) {
        0 if leaf != "boolean" => code.to_uppercase(),
        _ => code,
    };
    let modifier = if random.one_in(4) { ":not" } else { "" };
    let asked = match (random.below(5), system) {
        (0 | 1, Some(system)) => format!("{}|{}", escape(system), escape(&code)),
        (2, Some(system)) => format!("{}|", escape(system)),
        (3, Some(_)) => format!("|{}", escape(&code)),
        _ => escape(&code),
    };
    Some((modifier.to_owned(), asked))
}

fn reference(value: &Value, random: &mut Random) -> Option<(String, String)> {
    let reference = value.get("reference").unwrap_or(value);
    if random.one_in(6)
        && let Some(Value::Object(identifier)) = value.get("identifier")
    {
        let text = |name: &str| identifier.get(name).and_then(Value::as_str).map(escape);
        return Some((
            ":identifier".to_owned(),
            format!("{}|{}", text("system")?, text("value")?),
        ));
    }
    let text = reference.as_str().or_else(|| reference.get("reference")?.as_str())?;
    let unversioned = text.split("/_history/").next()?;
    let mut parts = unversioned.rsplit('/');
    let (id, kind) = (parts.next()?, parts.next());
    Some(match (random.below(5), kind) {
        (0, _) => (String::new(), escape(id)),
        (1, Some(kind)) if kind.starts_with(|c: char| c.is_ascii_uppercase()) => (format!(":{kind}"), escape(id)),
        (2, Some(kind)) => (String::new(), escape(&format!("{kind}/{id}"))),
        (3, Some(_)) => (String::new(), escape(unversioned)),
        _ => (String::new(), escape(text)),
    })
}

fn uri(text: &str, random: &mut Random) -> (String, String) {
    match random.below(5) {
        0 => (
            ":below".to_owned(),
            escape(text.rsplit_once('/').map_or(text, |(base, _)| base)),
        ),
        1 => (":above".to_owned(), escape(&format!("{text}/more"))),
        2 => (":below".to_owned(), escape(text)),
        3 => (String::new(), escape(&text.to_uppercase())),
        _ => (String::new(), escape(text)),
    }
}

/// Backslashes before the separators, then percent signs for what a query cannot hold.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            ',' | '|' | '$' | '\\' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '&' => escaped.push_str("%26"),
            '%' => escaped.push_str("%25"),
            _ => escaped.push(character),
        }
    }
    escaped
}
