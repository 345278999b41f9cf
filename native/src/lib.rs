//! Threads, files and codecs around fhirehose-core.
