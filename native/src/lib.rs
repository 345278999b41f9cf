//! Threads, files and codecs around fhirehose-core.

pub mod codec_out;
pub mod gzip;
pub mod inflate;
pub mod inputs;
pub mod unpack;
