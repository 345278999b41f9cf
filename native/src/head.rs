//! The first line of an input: what it is likely to hold.

use fhirehose_core::scan::json::Json;

use crate::inflate::Input;
use crate::inputs::InputPlace;
use crate::unpack::Layout;

/// How much of an input is looked at.
const HEAD: usize = 64 << 10;

/// The type of the first line. `None`: the input is no plain lines, or could not be read, or says nothing in its head;
/// then it may hold anything. So may one that says something, only that is less likely.
pub(crate) fn first_type(place: &InputPlace) -> Option<String> {
    let InputPlace::File(path) = place else { return None };
    let mut input = Input::open(path).ok()?;
    let mut head = vec![0; HEAD];
    let mut filled = 0;
    while filled < HEAD {
        match input.read(&mut head[filled..]) {
            Ok(0) | Err(_) => break,
            Ok(read) => filled += read,
        }
    }
    head.truncate(filled);
    if Layout::detect(input.name(), &head) != Some(Layout::Lines) {
        return None;
    }
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
    let line = head.split(|&byte| byte == b'\n').next()?;
    let type_name = Json::new(line).get("resourceType")?.text()?.decode().into_owned();
    Some(type_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_its_type() {
        let folder = tempfile::tempdir().expect("a folder");
        let told = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("writes");
            first_type(&InputPlace::File(path))
        };
        let line = br#"{"id":"g","resourceType":"Group"}"#;
        assert_eq!(told("a", line).as_deref(), Some("Group"));
        assert_eq!(
            told("b", &[b"\xef\xbb\xbf\n\n", line.as_slice(), b"\n{"].concat()).as_deref(),
            Some("Group")
        );
        assert_eq!(told("c.json", line), None);
        assert_eq!(told("d", b"[{}]"), None);
        assert_eq!(told("e", b""), None);
        assert_eq!(told("f", b"{\"text\":\""), None);
    }
}
