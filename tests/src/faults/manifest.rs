//! Manifests that are not what they were.

use serde_json::{Value, json};

use super::exchange::last_part;
use crate::random::Random;

/// How large a huge manifest is.
const HUGE: usize = 100_000_000;

/// What was done, and the manifest.
type Made = (&'static str, Vec<u8>);

/// Another manifest of the same job; nothing where it is none. Only one whose files somebody has begun to fetch is made wrong.
pub(super) fn changed(
    body: &[u8],
    number: usize,
    is_known: impl Fn(&str) -> bool,
    random: &mut Random,
) -> Option<Made> {
    let mut manifest: Value = serde_json::from_slice(body).ok()?;
    let items = manifest.get_mut("output")?.as_array_mut()?;
    let is_known = items
        .iter()
        .filter_map(|item| item["url"].as_str())
        .any(|url| is_known(last_part(url)));
    let kind = if is_known { random.below(4) } else { 3 };
    let done = match kind {
        0 if items.len() > 1 => {
            let by = 1 + random.below(items.len() as u64 - 1) as usize;
            items.rotate_left(by);
            "other order"
        }
        1 if !items.is_empty() => {
            items.remove(random.below(items.len() as u64) as usize);
            "one missing"
        }
        2 => {
            manifest["transactionTime"] = json!("2001-02-03T04:05:06.789Z");
            "other time"
        }
        _ => {
            for list in ["output", "deleted", "error", "outcome"] {
                let items = manifest.get_mut(list).and_then(Value::as_array_mut);
                for item in items.into_iter().flatten() {
                    let url = item["url"].as_str()?;
                    let (scheme, rest) = url.split_once("://")?;
                    let (host, path) = rest.split_once('/')?;
                    item["url"] = json!(format!("{scheme}://{host}/again-{number}/{path}"));
                }
            }
            "other URLs"
        }
    };
    Some((done, manifest.to_string().into_bytes()))
}

/// A manifest of 100 MB: the same one behind spaces, or 400,000 files more, which are not there.
pub(super) fn huge(body: &[u8], random: &mut Random) -> Option<Made> {
    let mut manifest: Value = serde_json::from_slice(body).ok()?;
    if random.one_in(2) {
        let mut made = vec![b' '; HUGE];
        made.extend_from_slice(body);
        return Some(("spaces", made));
    }
    let items = manifest.get_mut("output")?.as_array_mut()?;
    let url = items.first()?.get("url")?.as_str()?.to_owned();
    for number in 0..400_000 {
        // As long as it has to be for the whole to be as large as that.
        items.push(json!({ "type": "Basic", "count": 1, "url": format!("{url}-{number:0>190}") }));
    }
    Some(("400,000 files", manifest.to_string().into_bytes()))
}
