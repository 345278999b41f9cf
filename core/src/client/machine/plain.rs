//! What a manifest says, fit to be told and passed on: names that are names, an instant that is one, nothing that a terminal
//! would obey.

use super::super::manifest::Manifest;
use super::super::said::shortened;
use super::Client;
use crate::search::kind::date::read_instant;

/// Longest name of a type.
const LONGEST_NAME: usize = 64;
/// Most characters of what stands where an instant should.
const LONGEST_TIME: usize = 100;
/// Most bytes of the kick-off URL.
const LONGEST_REQUEST: usize = 64 << 10;
/// Most characters of something odd in a warning.
const LONGEST_ODDITY: usize = 40;

impl Client {
    /// The same manifest, without what nobody can use. Each time that is a warning.
    pub(super) fn plain(&mut self, mut manifest: Manifest) -> Manifest {
        self.take_time(&mut manifest);
        if manifest.request.as_deref().is_some_and(|request| !is_plain(request)) {
            manifest.request = None;
            self.warn("the manifest's request is no URL; it is not passed on".to_owned());
        }
        if let Some(name) = manifest.organized_by.as_mut().filter(|name| !is_name(name)) {
            // Output in blocks is read otherwise, whatever they are by.
            *name = shortened(name, LONGEST_NAME);
            let text = format!(
                "the manifest's outputOrganizedBy is no name of a type: {}",
                shortened(name, LONGEST_ODDITY)
            );
            self.warn(text);
        }
        for item in &mut manifest.files {
            if let Some(name) = item.type_name.take_if(|name| !is_name(name)) {
                let shown = shortened(&name, LONGEST_ODDITY);
                self.warn(format!(
                    "the manifest gives a file a type that is none, which is passed over: {shown}"
                ));
            }
        }
        manifest
    }

    fn take_time(&mut self, manifest: &mut Manifest) {
        let Some(time) = manifest.transaction_time.as_mut() else {
            let text = "the manifest has no transactionTime: of which instant this export is cannot be known";
            return self.warn(text.to_owned());
        };
        // As it is written, it still tells another manifest from this one.
        *time = shortened(time, LONGEST_TIME);
        if !is_instant(time) {
            let text = format!(
                "the manifest's transactionTime is no instant, and is not passed on: {}",
                shortened(time, LONGEST_ODDITY)
            );
            self.warn(text);
        }
    }
}

/// Whether a text is an instant, as `transactionTime` has to be.
pub(super) fn is_instant(text: &str) -> bool {
    read_instant(text).is_some()
}

fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_plain(text: &str) -> bool {
    text.len() <= LONGEST_REQUEST && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::super::super::manifest::read;
    use super::super::super::settings::Settings;
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_and_what_is_no_name_or_instant_is_not_passed_on() {
        let mut client = Client::attend("https://example.org/jobs/1", None, &Settings::default(), 7).expect("a URL");
        let text =
            r#"{"transactionTime":"soon\u001b[31m","request":"r\u0007","output":[{"type":"Pat\u001bient","url":"u"}]}"#;
        let (manifest, _) = read(text.as_bytes()).expect("a manifest");
        let plain = client.plain(manifest);
        assert_eq!((plain.files[0].type_name.as_deref(), plain.request), (None, None));
        assert_eq!(client.warnings.len(), 3, "{:?}", client.warnings);
        assert!(!client.warnings.iter().any(|text| text.chars().any(char::is_control)));
        let (manifest, _) = read(br#"{"output":[{"type":"Patient","url":"u"}]}"#).expect("a manifest");
        assert_eq!(client.plain(manifest).files[0].type_name.as_deref(), Some("Patient"));
        assert!(
            client.warnings[3].contains("no transactionTime"),
            "{:?}",
            client.warnings
        );
    }
}
