//! The fault proxy as a program, for tests that are not written in Rust: says where it listens, then does what it is told, a
//! line at a time, and answers each with a line of JSON.
//!
//!     forward URL     from now on requests go there
//!     seed N          begins anew with this seed
//!     calm            no more faults
//!     seen            how many requests came, and how many had a token where none belongs
//!
//! Every fault happens, most of them in 12 of 1,000 requests.

use std::io::{BufRead as _, Write as _};
use std::time::Duration;

use fhirehose_tests::faults::{At, Class, Fault, Faults, Proxy};

fn main() -> std::io::Result<()> {
    let faults = Faults::all(12)
        .with(Fault::OddWait, 500)
        .with(Fault::ChangeManifest, 300)
        // These cost a hundred megabytes, up to a gigabyte, or a second.
        .with(Fault::HugeManifest, 5)
        .with(Fault::Endless, 2)
        .with(Fault::Hang, 2)
        .hanging(Duration::from_secs(3));
    let proxy = Proxy::listen(0, faults);
    tell(&format!(
        r#"{{"origin":"{}","other":"{}"}}"#,
        proxy.origin(),
        proxy.other_origin()
    ))?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match word {
            "forward" => proxy.forward_to(rest),
            "seed" => proxy.begin_anew(rest.parse().unwrap_or_default()),
            "calm" => proxy.calm(),
            _ => {}
        }
        let seen = proxy.seen();
        let astray = |at: At, class: Class| at == At::Other || class == Class::Token;
        let leaks = seen
            .iter()
            .filter(|seen| seen.authorized && astray(seen.at, seen.class));
        let faults = seen.iter().filter(|seen| seen.fault.is_some()).count();
        tell(&format!(
            r#"{{"requests":{},"faults":{faults},"leaks":{}}}"#,
            seen.len(),
            leaks.count()
        ))?;
    }
    Ok(())
}

fn tell(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
