//! How files are written: from the flags to limits, compression and the manifest's options.

use fhirehose_core::manifest::Generation;
use fhirehose_core::partition::Limits;
use fhirehose_native::codec_out::Compression;
use fhirehose_native::job::ManifestOptions;

use crate::args::{CompressArg, FilesArgs, IgArg};
use crate::messages::Faults;

impl FilesArgs {
    /// When a file is full.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            max_resources: self.max_resources.map(Into::into),
            max_bytes: self.max_bytes,
        }
    }

    /// What the manifest says besides the files.
    pub(crate) fn manifest(&self, transaction_time: String, request: String) -> ManifestOptions {
        ManifestOptions {
            generation: match self.ig {
                IgArg::Two | IgArg::Three => Generation::V2V3,
                IgArg::Four => Generation::V4,
            },
            transaction_time,
            request,
            base_url: self.base_url.clone(),
        }
    }

    /// How files are compressed, by the two flags that say it.
    pub(crate) fn compression(&self, faults: &mut Faults) -> Compression {
        match (self.compress, self.level) {
            (CompressArg::None, None) => Compression::None,
            (CompressArg::None, Some(_)) => {
                faults.usage("--level: needs --compress gzip or --compress zstd");
                Compression::None
            }
            (CompressArg::Gzip, None) => Compression::GZIP,
            (CompressArg::Gzip, Some(level)) => {
                if level > 9 {
                    faults.usage(format_args!("--level: expected 0 to 9 for gzip, found {level}"));
                }
                Compression::Gzip { level }
            }
            (CompressArg::Zstd, None) => Compression::ZSTD,
            (CompressArg::Zstd, Some(level)) => match i32::try_from(level) {
                Ok(level @ 1..=22) => Compression::Zstd { level },
                _ => {
                    faults.usage(format_args!("--level: expected 1 to 22 for zstd, found {level}"));
                    Compression::ZSTD
                }
            },
        }
    }
}
