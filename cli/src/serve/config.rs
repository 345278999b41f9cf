//! One set of options out of three: flags and environment (which clap has joined), then the file.

use std::fs;
use std::path::Path;

use super::args::Options;

/// Reads a configuration file.
///
/// # Errors
/// It cannot be read, is no TOML, or holds what is no option; the text says where.
pub(super) fn read(path: &Path) -> Result<Options, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {}", path.display(), error.to_string().trim_end()))
}

/// What was given first, and of `other` what was not given.
pub(super) fn join(first: Options, other: Options) -> Options {
    fn lists<T>(own: Vec<T>, other: Vec<T>) -> Vec<T> {
        if own.is_empty() { other } else { own }
    }
    Options {
        data: first.data.or(other.data),
        state: first.state.or(other.state),
        store: first.store.or(other.store),
        listen: first.listen.or(other.listen),
        base_path: first.base_path.or(other.base_path),
        public_url: first.public_url.or(other.public_url),
        profile: first.profile.or(other.profile),
        ig: first.ig.or(other.ig),
        open: first.open.or(other.open),
        browser_origins: lists(first.browser_origins, other.browser_origins),
        browser_page: first.browser_page.or(other.browser_page),
        tls_cert: first.tls_cert.or(other.tls_cert),
        tls_key: first.tls_key.or(other.tls_key),
        insecure: first.insecure.or(other.insecure),
        expires: first.expires.or(other.expires),
        max_jobs: first.max_jobs.or(other.max_jobs),
        max_queued: first.max_queued.or(other.max_queued),
        threads: first.threads.or(other.threads),
        compress: first.compress.or(other.compress),
        max_resources: first.max_resources.or(other.max_resources),
        max_bytes: first.max_bytes.or(other.max_bytes),
        page: first.page.or(other.page),
        partial_page: first.partial_page.or(other.partial_page),
        assume_async: first.assume_async.or(other.assume_async),
        no_watch: first.no_watch.or(other.no_watch),
        fhir_base: first.fhir_base.or(other.fhir_base),
        fhir_version: first.fhir_version.or(other.fhir_version),
        search_parameters: lists(first.search_parameters, other.search_parameters),
        value_sets: lists(first.value_sets, other.value_sets),
        log: first.log.or(other.log),
        log_level: first.log_level.or(other.log_level),
        grace: first.grace.or(other.grace),
    }
}

/// What holds where nothing is said. What depends on the profile or the machine is left open.
pub(super) fn defaults() -> Options {
    use super::args::{LogFormat, LogLevel, ServeCompress, ServeIg, ServeProfile, ServeVersion};
    Options {
        state: Some("fhirehose-state".into()),
        listen: Some(([127, 0, 0, 1], 8088).into()),
        base_path: Some("/fhir".to_owned()),
        profile: Some(ServeProfile::Ig),
        ig: Some(ServeIg::Three),
        open: Some(false),
        insecure: Some(false),
        max_jobs: std::num::NonZeroUsize::new(2),
        max_queued: Some(100),
        threads: std::thread::available_parallelism().ok(),
        compress: Some(ServeCompress::Gzip),
        page: std::num::NonZeroUsize::new(10_000),
        partial_page: std::num::NonZeroUsize::new(10),
        assume_async: Some(false),
        no_watch: Some(false),
        fhir_version: Some(ServeVersion::R4),
        log: Some(LogFormat::Text),
        log_level: Some(LogLevel::Warn),
        grace: Some("10s".to_owned()),
        ..Options::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_read() {
        let printed = toml::to_string(&defaults()).unwrap_or_default();
        let read: Options = toml::from_str(&printed).unwrap_or_default();
        assert_eq!(format!("{read:?}"), format!("{:?}", defaults()));
        assert!(printed.contains("listen = \"127.0.0.1:8088\""), "{printed}");
    }

    #[test]
    fn a_file_with_an_unknown_option_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("serve.toml");
        fs::write(&path, "data = \"d\"\nopenn = true\n").expect("writes");
        let error = read(&path).expect_err("a misspelled option must not be ignored");
        assert!(error.contains("openn"), "{error}");
    }

    #[test]
    fn flags_go_before_the_file_and_the_file_before_the_defaults() {
        let flags = Options {
            data: Some("flags".into()),
            ..Options::default()
        };
        let file = Options {
            data: Some("file".into()),
            max_queued: Some(7),
            ..Options::default()
        };
        let joined = join(join(flags, file), defaults());
        assert_eq!(joined.data, Some("flags".into()));
        assert_eq!(joined.max_queued, Some(7));
        assert_eq!(joined.base_path.as_deref(), Some("/fhir"));
    }
}
