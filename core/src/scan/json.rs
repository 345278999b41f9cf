//! A lax reader over one JSON value that the walker has accepted: members, items, text.
//!
//! It trusts the grammar and never panics: on text that was not checked (`--trust`) it ends early.

use super::simd::special;
use super::text::Text;

/// One JSON value: bytes that begin with it. Where it ends is found only when somebody asks, so that a value which is
/// entered is not scanned twice.
#[derive(Clone, Copy)]
pub struct Json<'a>(&'a [u8]);

impl std::fmt::Debug for Json<'_> {
    /// Says nothing of the contents.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Json({:?})", self.kind())
    }
}

/// What kind of value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number.
    Number,
    /// `true` or `false`
    Boolean,
    /// `null`, or nothing at all.
    Null,
}

impl<'a> Json<'a> {
    /// Wraps bytes that begin with a value.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn new(bytes: &'a [u8]) -> Self {
        Json(bytes)
    }

    /// The bytes of the value alone.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn raw(self) -> &'a [u8] {
        let end = end_of_value(self.0, 0);
        &self.0[..end]
    }

    /// The bytes that it was made of: they begin with the value.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The kind, by the first byte.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn kind(self) -> Kind {
        match self.0.first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            _ => Kind::Null,
        }
    }

    /// The text of a string.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn text(self) -> Option<Text<'a>> {
        if self.kind() != Kind::String {
            return None;
        }
        let (end, escaped) = end_of_string(self.0, 1);
        let inner = self.0[..end].strip_suffix(b"\"")?.get(1..)?;
        Some(Text::known(inner, escaped))
    }

    /// The members of an object; nothing for other values.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn members(self) -> Members<'a> {
        let is_object = self.kind() == Kind::Object;
        Members {
            bytes: if is_object { self.0 } else { b"" },
            at: 1,
            inside: false,
        }
    }

    /// The first member of that name.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn get(self, name: &str) -> Option<Json<'a>> {
        self.members().find(|(key, _)| key.is(name)).map(|(_, value)| value)
    }

    /// The items of an array, or the value itself as its only item: FHIR JSON paths do not tell one from many.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn each(self) -> Items<'a> {
        let single = self.kind() != Kind::Array;
        Items {
            bytes: self.0,
            at: usize::from(!single),
            inside: false,
            single,
        }
    }

    /// The items of the member of that name, or nothing.
    pub fn each_of(self, name: &str) -> Items<'a> {
        self.get(name).unwrap_or(Json(b"")).each()
    }

    /// Whether the value counts as one in FHIR: not null, and of an object more than `id` and `extension`.
    pub fn is_value(self) -> bool {
        match self.kind() {
            Kind::Null | Kind::Array => false,
            Kind::Object => self.members().any(|(key, _)| !key.is("extension") && !key.is("id")),
            _ => true,
        }
    }
}

/// Iterator over the members of an object.
#[derive(Clone)]
pub struct Members<'a> {
    bytes: &'a [u8],
    at: usize,
    /// `at` is the start of the value given last, which is stepped over only if more is asked for.
    inside: bool,
}

impl<'a> Members<'a> {
    /// The next member with the bytes of its value alone, which are scanned once here and not again.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn next_whole(&mut self) -> Option<(Text<'a>, &'a [u8])> {
        let (key, _) = self.next()?;
        let start = self.at;
        self.at = end_of_value(self.bytes, start);
        self.inside = false;
        Some((key, self.bytes.get(start..self.at)?))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Text<'a>, Json<'a>);

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn next(&mut self) -> Option<Self::Item> {
        if std::mem::take(&mut self.inside) {
            self.at = end_of_value(self.bytes, self.at);
        }
        let start = separators(self.bytes, self.at);
        if self.bytes.get(start) != Some(&b'"') {
            self.bytes = b"";
            return None;
        }
        let (end, escaped) = end_of_string(self.bytes, start + 1);
        self.at = separators(self.bytes, end);
        self.inside = true;
        let key = self.bytes.get(start + 1..end - 1)?;
        Some((Text::known(key, escaped), Json(self.bytes.get(self.at..)?)))
    }
}

/// Iterator over the items of an array.
#[derive(Clone)]
pub struct Items<'a> {
    bytes: &'a [u8],
    at: usize,
    /// As in [`Members`].
    inside: bool,
    /// There is no array: the value is its only item.
    single: bool,
}

impl<'a> Iterator for Items<'a> {
    type Item = Json<'a>;

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn next(&mut self) -> Option<Self::Item> {
        if std::mem::take(&mut self.inside) {
            if self.single {
                self.bytes = b"";
                return None;
            }
            self.at = end_of_value(self.bytes, self.at);
        }
        self.at = separators(self.bytes, self.at);
        if matches!(self.bytes.get(self.at), None | Some(b']' | b'}')) {
            self.bytes = b"";
            return None;
        }
        self.inside = true;
        Some(Json(self.bytes.get(self.at..)?))
    }
}

/// Skips what stands between values: blanks, commas, colons.
#[cfg_attr(target_arch = "wasm32", inline)]
fn separators(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | b':')) {
        at += 1;
    }
    at
}

/// One past the closing quote, and whether there is an escape before it; `from` is one past the opening quote.
#[cfg_attr(target_arch = "wasm32", inline)]
pub(crate) fn end_of_string(bytes: &[u8], from: usize) -> (usize, bool) {
    let mut at = from;
    let mut escaped = false;
    loop {
        at = special(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return (at + 1, escaped),
            Some(b'\\') => {
                escaped = true;
                at += 2;
            }
            Some(_) => at += 1,
            None => return (bytes.len(), escaped),
        }
    }
}

fn end_of_value(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    let mut depth = 0usize;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = end_of_string(bytes, at + 1).0;
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return if depth == 0 { at } else { at + 1 },
            b'}' | b']' => depth -= 1,
            b',' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_members_and_items() {
        let json = Json::new(br#"{"a" : [1, {"x":"]"} ,null,"s\"t"],"b":{"c":true},"d":-1.5e3}"#);
        let keys: Vec<_> = json.members().map(|(key, _)| key.decode().into_owned()).collect();
        assert_eq!(keys, ["a", "b", "d"]);
        let items: Vec<_> = json.each_of("a").map(Json::raw).collect();
        let expected: [&[u8]; 4] = [b"1", br#"{"x":"]"}"#, b"null", br#""s\"t""#];
        assert_eq!(items, expected);
        assert_eq!(json.get("d").map(Json::raw), Some(&b"-1.5e3"[..]));
        assert_eq!(
            json.get("b").and_then(|b| b.get("c")).map(Json::kind),
            Some(Kind::Boolean)
        );
        assert!(json.get("e").is_none());
    }

    #[test]
    fn one_value_is_its_own_only_item() {
        assert_eq!(Json::new(b"\"x\"").each().count(), 1);
        assert_eq!(Json::new(b"{}").each().count(), 1);
        assert_eq!(Json::new(b"[]").each().count(), 0);
        assert_eq!(Json::new(b"").each().count(), 0);
    }

    #[test]
    fn extensions_alone_are_no_value() {
        assert!(!Json::new(br#"{"extension":[{"url":"x"}],"id":"1"}"#).is_value());
        assert!(Json::new(br#"{"text":"x"}"#).is_value());
        assert!(!Json::new(b"null").is_value());
        assert!(!Json::new(b"{}").is_value());
    }

    #[test]
    fn broken_text_ends_and_does_not_panic() {
        let text = br#"{"a":[1,{"b":"c\"d"}],"e":"f"}"#;
        for cut in 0..text.len() {
            let json = Json::new(&text[..cut]);
            for (_, value) in json.members() {
                value.each().for_each(|item| assert!(item.members().count() < 9));
            }
        }
    }
}
