//! Options into a server's settings, with everything that is wrong about them.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use fhirehose_core::partition::Limits;
use fhirehose_native::codec_out::Compression;
use fhirehose_server::offer::Offer;
use fhirehose_server::origins::Origins;
use fhirehose_server::profile::{Guide, IG, ServerProfile};
use fhirehose_server::serve::Settings;

use super::args::{Options, ServeCompress, ServeIg, ServeProfile, ServeVersion};
use crate::args::{RegistryArgs, Version};
use crate::length::duration;
use crate::messages::Faults;
use crate::request;
use crate::size;

/// The settings, or `None` with faults.
pub(super) fn settings(options: &Options, faults: &mut Faults) -> Option<Settings> {
    let data = options.data.clone();
    if data.is_none() {
        faults.usage("--data: expected the folder of NDJSON to serve");
    }
    let state = options.state.clone().unwrap_or_default();
    let jobs = options.store.clone();
    for (flag, path) in [("--state", Some(&state)), ("--store", jobs.as_ref())] {
        if let (Some(path), Some(data)) = (path, &data)
            && lies_in(path, data)
        {
            faults.usage(format_args!("{flag}: must not lie in the folder of the data"));
        }
    }
    let tls = match (&options.tls_cert, &options.tls_key) {
        (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
        (None, None) => None,
        _ => {
            faults.usage("--tls-cert and --tls-key: one needs the other");
            None
        }
    };
    let origins = Origins::of(&options.browser_origins);
    let origins = origins.map_err(|(text, why)| faults.usage(format_args!("--browser-origin {text}: {why}")));
    let expires = duration("--expires", options.expires.as_deref(), faults);
    let grace = duration("--grace", options.grace.as_deref(), faults);
    let max_bytes = options.max_bytes.as_deref().and_then(|text| {
        let read = size::parse(text);
        read.map_err(|error| faults.usage(format_args!("--max-bytes: {error}")))
            .ok()
    });
    let offer = offer(options, faults);
    let one = NonZeroUsize::MIN;
    if !faults.is_empty() {
        return None;
    }
    Some(Settings {
        data: data?,
        state,
        jobs,
        listen: options.listen?,
        base_path: base_path(options.base_path.as_deref().unwrap_or_default()),
        public_url: options
            .public_url
            .as_ref()
            .map(|url| url.trim_end_matches('/').to_owned()),
        offer: offer?,
        is_open: options.open == Some(true),
        origins: origins.unwrap_or_default(),
        browser_page: options.browser_page.clone(),
        tls,
        is_insecure: options.insecure == Some(true),
        expires,
        max_running: options.max_jobs.unwrap_or(one),
        max_queued: options.max_queued.unwrap_or(0),
        threads: options.threads.unwrap_or(one),
        compression: match options.compress {
            Some(ServeCompress::None) => Compression::None,
            _ => Compression::GZIP,
        },
        limits: Limits {
            max_resources: options.max_resources.map(Into::into),
            max_bytes,
        },
        page: options.page.unwrap_or(one),
        partial_page: options.partial_page.unwrap_or(one),
        watches: options.no_watch != Some(true),
        grace: grace.unwrap_or_default(),
    })
}

/// Whether a path is below a folder, or the folder itself, whatever they are called.
fn lies_in(path: &Path, folder: &Path) -> bool {
    let Ok(folder) = folder.canonicalize() else {
        return false;
    };
    // What is not there yet will be made in the nearest folder that is.
    let Ok(path) = std::path::absolute(path) else {
        return false;
    };
    let there = path.ancestors().find_map(|above| above.canonicalize().ok());
    there.is_some_and(|there| there.starts_with(&folder))
}

fn base_path(text: &str) -> String {
    let path = text.trim_matches('/');
    if path.is_empty() {
        String::new()
    } else {
        format!("/{path}")
    }
}

fn offer(options: &Options, faults: &mut Faults) -> Option<Offer> {
    let name = match options.profile {
        Some(ServeProfile::Oracle) => "oracle",
        _ => "ig",
    };
    let guide = match options.ig {
        Some(ServeIg::Four) => Guide::V4,
        _ => Guide::V1ToV3,
    };
    let profile = ServerProfile::named(name, guide).unwrap_or_else(|| {
        faults.usage("--ig: Oracle's Bulk Export has one shape only; leave it out");
        &IG
    });
    let registry = request::registry(
        &RegistryArgs {
            fhir_version: version(options.fhir_version.unwrap_or(ServeVersion::R4)),
            search_parameters: options.search_parameters.clone(),
        },
        faults,
    );
    let value_sets = request::value_sets(&options.value_sets, faults);
    Some(Offer {
        profile,
        registry: Arc::new(registry?),
        public_base: String::new(),
        data_base: options
            .fhir_base
            .as_ref()
            .map(|base| base.trim_end_matches('/').to_owned()),
        value_sets: value_sets.unwrap_or_default(),
        assume_async: options.assume_async == Some(true),
    })
}

/// The same version, as the other commands call it.
pub(super) fn version(version: ServeVersion) -> Version {
    match version {
        ServeVersion::R4 => Version::R4,
        ServeVersion::R4B => Version::R4B,
        ServeVersion::R5 => Version::R5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_paths_begin_with_a_slash_and_end_without() {
        assert_eq!(base_path("/fhir"), "/fhir");
        assert_eq!(base_path("fhir/r4/"), "/fhir/r4");
        assert_eq!(base_path("/"), "");
        assert_eq!(base_path(""), "");
    }

    #[test]
    fn state_in_the_data_is_found_under_any_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("makes");
        assert!(lies_in(&data.join("state"), &data));
        assert!(lies_in(&data.join("a/b/c"), &data));
        assert!(lies_in(&folder.path().join("data/../data/state"), &data));
        assert!(!lies_in(&folder.path().join("state"), &data));
    }
}
