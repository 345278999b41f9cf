//! Filters from a tokio reader: compressed bytes arrive piece by piece, chunks of kept lines leave as a stream.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use async_compression::futures::bufread::GzipEncoder;
use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;
use fhirehose_core::stream::Filtered;
use futures_util::{AsyncReadExt as _, TryStreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio_util::compat::TokioAsyncReadCompatExt as _;

/// 1,000 Observations, every fourth of them preliminary, as a gzip file.
async fn observations() -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut text = String::new();
    for id in 0..1000 {
        let status = if id % 4 == 0 { "preliminary" } else { "final" };
        writeln!(
            text,
            r#"{{"resourceType":"Observation","id":"{id}","status":"{status}","code":{{"text":"pulse"}}}}"#
        )?;
    }
    let mut file = Vec::new();
    GzipEncoder::new(text.as_bytes()).read_to_end(&mut file).await?;
    Ok(file)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let request = Request {
        type_filters: vec!["Observation?status=final".into()],
        ..Request::default()
    };
    let plan = Plan::compile(&request, &Registry::r4())?;

    // Any tokio reader does: a file, a socket, the body of a reply. Here it is a pipe of one KiB that a task fills.
    let file = observations().await?;
    let (mut sender, reader) = tokio::io::duplex(1024);
    let sending = tokio::spawn(async move { sender.write_all(&file).await });

    let mut filtered = Filtered::new(plan, reader.compat()).named("observations.ndjson.gz");
    let mut bytes: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(chunk) = filtered.try_next().await? {
        *bytes.entry(chunk.file.to_string()).or_default() += chunk.lines.len();
    }
    sending.await??;

    if let Some(report) = filtered.report() {
        println!("read {} lines, kept {} resources", report.lines, report.kept());
    }
    for (name, size) in &bytes {
        println!("{name}: {size} bytes");
    }
    Ok(())
}
