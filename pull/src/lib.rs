//! The bulk client over HTTP: drives `fhirehose_core::client`, and puts what it fetches into a folder.
