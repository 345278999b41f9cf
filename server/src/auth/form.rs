//! The body of a token request: `application/x-www-form-urlencoded`.

/// Names and values in their order, each name once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form(Vec<(String, String)>);

/// What is wrong with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FormFault {
    /// A `%` without two digits, or bytes that are no UTF-8.
    Encoding,
    /// A parameter is there twice.
    Twice,
}

impl Form {
    /// Reads a body. Parameters without a value are left out, as if they were not there (RFC 6749 3.2).
    pub(super) fn parse(body: &[u8]) -> Result<Form, FormFault> {
        let text = std::str::from_utf8(body).map_err(|_| FormFault::Encoding)?;
        let mut form = Form::default();
        let mut names: Vec<String> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if names.contains(&name) {
                return Err(FormFault::Twice);
            }
            names.push(name.clone());
            if !value.is_empty() {
                form.0.push((name, value));
            }
        }
        Ok(form)
    }

    /// A value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Decodes a name or a value: `+` is a blank.
pub(super) fn decode(text: &str) -> Result<String, FormFault> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let value = digit().zip(digit()).map(|(high, low)| high * 16 + low);
                let value = value.and_then(|value| u8::try_from(value).ok());
                value.ok_or(FormFault::Encoding)?
            }
            other => other,
        });
    }
    String::from_utf8(out).map_err(|_| FormFault::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_decoded() {
        let form = Form::parse(b"scope=a%2Fb+c%20d&x&y=&z=1=2&&%61=%C3%A4").expect("a form");
        assert_eq!(form.get("scope"), Some("a/b c d"));
        assert_eq!(form.get("z"), Some("1=2"));
        assert_eq!(form.get("a"), Some("\u{e4}"));
        assert_eq!((form.get("x"), form.get("y")), (None, None));
    }

    #[test]
    fn what_cannot_be_decoded_is_refused() {
        for body in [&b"a=%"[..], b"a=%4", b"a=%zz", b"a=%+1", b"a=%ff", b"a=\xff"] {
            assert_eq!(Form::parse(body), Err(FormFault::Encoding));
        }
    }

    #[test]
    fn a_name_that_is_there_twice_is_refused_without_values_too() {
        for body in [&b"a=1&a=2"[..], b"a=1&%61=1", b"a&a"] {
            assert_eq!(Form::parse(body), Err(FormFault::Twice));
        }
    }
}
