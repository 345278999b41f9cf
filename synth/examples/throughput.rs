//! Prints how fast lines are made, in memory, on one thread: `throughput [PATIENTS] [varied|regular]`.
#![allow(clippy::print_stdout)]

use std::io;
use std::time::Instant;

use fhirehose_synth::{Options, Profile, Sink, generate};

/// Reads the length and one byte of every line, so that the work cannot be left out.
#[derive(Default)]
struct Count {
    bytes: u64,
    check: u64,
}

impl Sink for Count {
    fn write(&mut self, _: &'static str, line: &[u8]) -> io::Result<()> {
        self.bytes += line.len() as u64;
        self.check = self.check.rotate_left(1) ^ u64::from(line[line.len() / 2]);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let patients = arguments.next().map_or(Ok(5_000), |text| text.parse())?;
    let regular = arguments.next().is_some_and(|text| text == "regular");
    let profile = if regular { Profile::Regular } else { Profile::Varied };
    let options = Options {
        profile,
        ..Options::new(patients, 1)
    };
    let mut count = Count::default();
    let start = Instant::now();
    let totals = generate(&options, &mut count)?;
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(totals.bytes(), count.bytes);
    println!(
        "{patients} patients, {} lines, {:.1} MB, {seconds:.2} s, {:.0} MB/s (check {:x})",
        totals.lines(),
        totals.bytes() as f64 / 1e6,
        totals.bytes() as f64 / 1e6 / seconds,
        count.check,
    );
    Ok(())
}
